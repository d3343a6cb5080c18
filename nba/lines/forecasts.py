"""What is said of a player and a market on one evening, and what happened."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from enum import StrEnum
from math import floor
from statistics import NormalDist
from typing import Final

import numpy as np

from nba.model.distribution import Count, Distribution, count_quantiles
from nba.stats import Market

__all__ = ["BandDistribution", "CountOfBand", "Evening", "ForecastOrigin", "MarketForecast"]

_NORMAL: Final = NormalDist()
_TENTH: Final = -_NORMAL.inv_cdf(0.1)
# Of a normal with two halves of unequal width, the mean lies above the median by this share of the
# difference of their widths.
_SKEW: Final = 0.5 * (2.0 / 3.141592653589793) ** 0.5
# Bands of few games are noisy. On 2018-19, medians farther from the mean than this share of the
# standard deviation had the larger error.
_FARTHEST_MEDIAN: Final = 0.05
_NARROWEST: Final = 1e-6
_VARIANCE_RATIOS: Final = np.arange(1.02, 3.0, 0.02)


class ForecastOrigin(StrEnum):
    """Where a forecast comes from; figures of two origins are never put together.

    LIVE was logged before the tip-off and counts in the track record. REPLAY is computed now for a
    past date, from what was known before it. TRAINING is a replay of a date that the model was
    trained on: it flatters. COMING is computed now for a game to come and not logged.
    """

    LIVE = "live"
    REPLAY = "replay"
    TRAINING = "replay, in training"
    COMING = "not logged"


@dataclass(frozen=True, slots=True)
class MarketForecast:
    """One player and market: expected value, median (both in the market's unit), distribution."""

    mean: float
    median: float
    distribution: Distribution
    origin: ForecastOrigin


@dataclass(frozen=True, slots=True)
class Evening:
    """All that is known of one US Eastern date.

    `forecasts` and `actuals` are by player id and market; who is not expected to play has no
    forecast, who did not play no actual. `settled` are the players whose game has a box score,
    `two_games` those with more than one game on that date. `has_games` is False for a date without
    a game, `in_season` for one outside every season that is known.
    """

    forecasts: Mapping[tuple[int, Market], MarketForecast]
    actuals: Mapping[tuple[int, Market], float]
    settled: Set[int]
    two_games: Set[int]
    has_games: bool
    in_season: bool = True


@dataclass(frozen=True, slots=True)
class BandDistribution:
    """A distribution read off a mean and the 10th and 90th percentile, where no more is known.

    A normal with a half of its own width on each side of the median; the result is a whole number,
    so that more than 24 begins at 24.5. `known_median` is the median if it is known, else it is
    told from the other three. ValueError unless floor ≤ ceiling.
    """

    mean: float
    floor: float
    ceiling: float
    known_median: float | None = None

    def __post_init__(self) -> None:
        if not self.floor <= self.ceiling:
            raise ValueError(f"a floor of {self.floor} above a ceiling of {self.ceiling}")

    @property
    def median(self) -> float:
        """The one that is known, or that would give the mean, kept close to it."""
        if self.known_median is not None:
            return min(max(self.known_median, self.floor), self.ceiling)
        share = _SKEW / _TENTH
        median = (self.mean - share * (self.floor + self.ceiling)) / (1.0 - 2.0 * share)
        most = _FARTHEST_MEDIAN * (self.ceiling - self.floor) / (2.0 * _TENTH)
        near = min(max(median, self.mean - most), self.mean + most)
        return min(max(near, self.floor), self.ceiling)

    def over(self, line: float) -> float:
        """The probability of more than `line`."""
        return 1.0 - self._up_to(floor(line) + 0.5)

    def exactly(self, line: float) -> float:
        """The probability of just `line`."""
        if line != floor(line) or line < 0:
            return 0.0
        below = 0.0 if line == 0 else self._up_to(line - 0.5)
        return self._up_to(line + 0.5) - below

    def _up_to(self, value: float) -> float:
        if value < 0:
            return 0.0
        median = self.median
        end = self.floor if value < median else self.ceiling
        width = max(abs(end - median) / _TENTH, _NARROWEST)
        return _NORMAL.cdf((value - median) / width)


@dataclass(frozen=True, slots=True)
class CountOfBand:
    """The same for a small whole number whose mean and percentiles a negative binomial gave.

    The one with this mean whose percentiles are nearest to `floor` and `ceiling`: a normal through
    whole numbers as small as these would miss its chances by 3 to 4 points in 100, this by 1 to 2.
    """

    mean: float
    floor: float
    ceiling: float

    def over(self, line: float) -> float:
        """The probability of more than `line`."""
        return self._count().over(line)

    def exactly(self, line: float) -> float:
        """The probability of just `line`."""
        return self._count().exactly(line)

    def _count(self) -> Count:
        means = np.full(len(_VARIANCE_RATIOS), self.mean)
        floors, ceilings = (count_quantiles(means, _VARIANCE_RATIOS, at) for at in (0.1, 0.9))
        miss = np.abs(floors - self.floor) + np.abs(ceilings - self.ceiling)
        # Whole numbers leave a range of ratios; its middle is the best guess.
        return Count(self.mean, float(_VARIANCE_RATIOS[miss == miss.min()].mean()))
