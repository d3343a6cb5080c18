"""The model of players: from features to means, quantiles and chances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nba.history import Floats
from nba.model.distribution import Count, Distribution, Spread, count_quantiles
from nba.model.inputs import inputs_of
from nba.model.linear import Linear, Shift
from nba.model.trees import Trees
from nba.stats import COUNTS, MARKETS, SUMMED

__all__ = ["QUANTILES", "Forecasts", "MarketModel", "PlayerModel", "Quantile", "quantiles_of"]

Doubles = NDArray[np.float64]

QUANTILES: Final = (0.1, 0.5, 0.9)
_LONGEST_MINUTES: Final = 48.0
_SMALLEST_MEAN: Final = 0.02
# Nobody scores a hundredth of a point: a floor that small means zero.
_SMALLEST_QUANTILE: Final = 0.01
# What is added before a median is cut to a whole number; with 0.5 the error is a little larger.
_ROUNDING: Final = 0.4
_SUM: Final = tuple(MARKETS.index(name) for name in SUMMED)


@dataclass(frozen=True, slots=True)
class Quantile:
    """One quantile: a shift by the linear forecast, trees for what is left, and a correction.

    `correction` is a shift by the projected minutes, from a season that the trees have not seen.
    """

    shift: Shift
    trees: Trees
    correction: Shift

    def uncorrected(self, linear: Doubles, inputs: Floats) -> Doubles:
        """The quantile before its correction, (rows,)."""
        return self.shift.apply(linear) + self.trees.predict(inputs)

    def predict(self, linear: Doubles, inputs: Floats, minutes: Floats) -> Doubles:
        """The quantile for each row; `minutes` (rows,) are projected."""
        return self.uncorrected(linear, inputs) + self.correction.of(minutes)


@dataclass(frozen=True, slots=True)
class MarketModel:
    """One market: a linear forecast, trees for what is left of the mean, and its spread.

    Either `quantiles` (10th, 50th, 90th percentile) with their `shape`, or for counts
    `variance_ratio`: the variance as a multiple of the mean. `mean` is None for pra, whose mean is
    the sum of three.
    """

    linear: Linear
    mean: Trees | None
    quantiles: tuple[Quantile, ...]
    shape: Doubles
    variance_ratio: float | None


@dataclass(frozen=True, slots=True)
class Forecasts:
    """Forecasts of some player-games; each array has the shape (rows, markets).

    `median` is a whole number, as results are; `middle` is where the distribution has its centre.
    `variance_ratio` is NaN but for counts. `shapes` is by market.
    """

    mean: Doubles
    median: Doubles
    middle: Doubles
    floor: Doubles
    ceiling: Doubles
    variance_ratio: Doubles
    shapes: Mapping[str, Doubles]

    def distribution(self, row: int, market: str) -> Distribution:
        """The chances of a market for one row."""
        column = MARKETS.index(market)
        if market in COUNTS:
            return Count(float(self.mean[row, column]), float(self.variance_ratio[row, column]))
        return Spread(
            float(self.floor[row, column]),
            float(self.middle[row, column]),
            float(self.ceiling[row, column]),
            self.shapes[market],
        )


@dataclass(frozen=True, slots=True)
class PlayerModel:
    """Models by market; minutes come first, and the others are told them."""

    markets: Mapping[str, MarketModel]

    def minutes(self, features: Floats) -> Floats:
        """Projected minutes if he plays, (rows,), not yet fitted to a team's 240."""
        model = self.markets["minutes"]
        inputs = model.linear.filled(features)
        return _mean_of(model, inputs).clip(0.0, _LONGEST_MINUTES).astype(np.float32)

    def forecast(self, features: Floats, most_minutes: Floats | None = None) -> Forecasts:
        """Forecasts from FEATURES (rows, columns), each row from itself alone.

        `most_minutes` (rows,) caps minutes; infinity leaves them as they are.
        """
        minutes = self.minutes(features)
        capped = minutes if most_minutes is None else np.minimum(minutes, most_minutes)
        shape = (len(features), len(MARKETS))
        mean, middle, floor, ceiling, ratio = (np.full(shape, np.nan) for _ in range(5))
        for column, market in enumerate(MARKETS):
            model = self.markets[market]
            inputs = model.linear.filled(inputs_of(market, features, capped))
            if model.mean is None:
                mean[:, column] = mean[:, _SUM].sum(axis=1)
            elif market == "minutes":
                mean[:, column] = capped
            else:
                mean[:, column] = np.maximum(_mean_of(model, inputs), _SMALLEST_MEAN)
            if model.variance_ratio is None:
                found = quantiles_of(model.linear, model.quantiles, inputs, minutes)
                if market == "minutes":
                    found = np.minimum(found - (minutes - capped)[:, None], _LONGEST_MINUTES)
                found = np.where(found < _SMALLEST_QUANTILE, 0.0, found)
                floor[:, column], middle[:, column], ceiling[:, column] = found.T
            else:
                means = mean[:, column]
                ratio[:, column] = model.variance_ratio
                for target, level in zip((floor, middle, ceiling), QUANTILES, strict=True):
                    target[:, column] = count_quantiles(means, ratio[:, column], level)
        shapes: dict[str, Doubles] = {one: self.markets[one].shape for one in MARKETS}
        median = np.floor(middle + _ROUNDING)
        return Forecasts(mean, median, middle, floor, ceiling, ratio, shapes)


def _mean_of(model: MarketModel, inputs: Floats) -> Doubles:
    found = model.linear.predict(inputs)
    return found if model.mean is None else found + model.mean.predict(inputs)


def quantiles_of(
    linear: Linear, quantiles: Sequence[Quantile], inputs: Floats, minutes: Floats
) -> Doubles:
    """The quantiles of `inputs` in ascending order, (rows, quantiles)."""
    forecast = linear.predict(inputs)
    found = [one.predict(forecast, inputs, minutes) for one in quantiles]
    return np.sort(np.column_stack(found), axis=1)
