"""Training the model of players. Needs scikit-learn, which the app does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingRegressor

from nba.features import FEATURES
from nba.history import Floats, History
from nba.model.distribution import fit_shape
from nba.model.inputs import inputs_of
from nba.model.linear import Shift, fit_linear, fit_shift
from nba.model.players import QUANTILES, MarketModel, PlayerModel, Quantile, quantiles_of
from nba.model.trees import Trees
from nba.stats import COUNTS, MARKETS

__all__ = ["Progress", "fit_players", "market_values"]

Doubles = NDArray[np.float64]
Progress = Callable[[float, str], None]

_SEED: Final = 0
_DECIMALS: Final = 9
_ROLES: Final = 8
_TREES: Final = {
    "max_iter": 150,
    "learning_rate": 0.06,
    "max_leaf_nodes": 12,
    "max_depth": 5,
    "min_samples_leaf": 500,
    "max_features": 0.3,
    "l2_regularization": 10.0,
    "early_stopping": False,
    "random_state": _SEED,
}


def market_values(history: History) -> Floats:
    """What players did, (rows, markets), NaN where the source has no number."""
    pra = history.column("points") + history.column("rebounds") + history.column("assists")
    columns = [history.column(one) if one != "pra" else pra for one in MARKETS]
    return np.column_stack(columns).astype(np.float32)


def fit_players(features: Floats, history: History, progress: Progress) -> PlayerModel:
    """Fit every market on the player-games of a history and their FEATURES (rows, columns).

    Always the same for the same rows: the seed is fixed. Needs two seasons, ValueError otherwise.
    """
    values, is_last = market_values(history), history.season == history.season.max()
    if is_last.all():
        raise ValueError("needs player-games of two seasons")
    order = ("minutes", *(market for market in MARKETS if market != "minutes"))
    minutes = np.zeros(len(features), np.float32)
    found: dict[str, MarketModel] = {}
    for number, market in enumerate(order):
        progress(number / len(order), f"Training {market}")
        inputs, target = inputs_of(market, features, minutes), values[:, MARKETS.index(market)]
        if market == "minutes":
            minutes = inputs[:, FEATURES.index("minutes_2.5")]
        known = ~np.isnan(target)
        if not known.all():
            inputs, target = inputs[known], target[known]
        found[market] = _fit_market(market, inputs, target, minutes[known], is_last[known])
        if market == "minutes":
            minutes = PlayerModel(found).minutes(features)
    progress(1.0, "Trained")
    return PlayerModel(found)


def _fit_market(
    market: str, inputs: Floats, target: Floats, minutes: Floats, is_last: NDArray[np.bool_]
) -> MarketModel:
    linear = fit_linear(inputs, target)
    inputs = linear.filled(inputs)
    forecast = linear.predict(inputs)
    mean = None
    if market != "pra":
        mean = _fit_trees(inputs, target - forecast, "squared_error", None)
    if market in COUNTS and mean is not None:
        means = np.maximum(forecast[is_last] + mean.predict(inputs[is_last]), 0.02)
        # One number for all: by the size of the mean it was not better (docs/model.md).
        squares = (target[is_last] - means) ** 2
        ratio = round(float(squares.mean() / means.mean()), _DECIMALS)
        return MarketModel(linear, mean, (), np.zeros(0), ratio)
    quantiles = tuple(
        _fit_quantile(inputs, forecast, target, level, minutes, is_last) for level in QUANTILES
    )
    found = quantiles_of(linear, quantiles, inputs[is_last], minutes[is_last])
    shape = fit_shape(found, target[is_last].astype(np.float64))
    return MarketModel(linear, mean, quantiles, shape, None)


def _fit_quantile(
    inputs: Floats,
    forecast: Doubles,
    target: Floats,
    level: float,
    minutes: Floats,
    is_last: NDArray[np.bool_],
) -> Quantile:
    def quantile(values: Doubles) -> float:
        return float(np.quantile(values, level))

    shift = fit_shift(forecast, target - forecast, quantile)
    left = target - shift.apply(forecast)
    nothing = Shift(np.zeros(1), np.zeros(1))
    if level == 0.5:
        return Quantile(shift, _fit_trees(inputs, left, "quantile", level), nothing)
    # A band that is as wide as training errors is too narrow for what comes: the last season is
    # kept aside to say by how much.
    early = ~is_last
    trees = _fit_trees(inputs[early], left[early], "quantile", level)
    found = Quantile(shift, trees, nothing)
    late = target[is_last] - found.uncorrected(forecast[is_last], inputs[is_last])
    return replace(found, correction=fit_shift(minutes[is_last], late, quantile, _ROLES))


def _fit_trees(inputs: Floats, left: Doubles, loss: str, level: float | None) -> Trees:
    model = HistGradientBoostingRegressor(loss=loss, quantile=level, **_TREES)
    model.fit(inputs, left)
    # scikit-learn has no public way to its trees; the test of the shipped model would notice.
    predictors = [stage[0].nodes for stage in model._predictors]  # noqa: SLF001
    width = max(len(nodes) for nodes in predictors)
    shape = (len(predictors), width)
    feature, left_node, right_node = (np.zeros(shape, np.int16) for _ in range(3))
    threshold, value = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    for tree, nodes in enumerate(predictors):
        places = np.arange(len(nodes))
        is_leaf = nodes["is_leaf"].astype(bool)
        feature[tree, places] = np.where(is_leaf, 0, nodes["feature_idx"])
        threshold[tree, places] = np.where(is_leaf, 0.0, nodes["num_threshold"])
        left_node[tree, places] = np.where(is_leaf, places, nodes["left"])
        right_node[tree, places] = np.where(is_leaf, places, nodes["right"])
        value[tree, places] = nodes["value"]
    depth = max(int(nodes["depth"].max()) for nodes in predictors)
    baseline = model._baseline_prediction  # noqa: SLF001
    base = np.array([np.ravel(baseline)[0]], np.float32)
    return Trees(
        base, feature, threshold, left_node, right_node, value, np.array([depth], np.int16)
    )
