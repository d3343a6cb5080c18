"""How good projections were: errors, bands, probabilities, honest intervals, and baselines.

Scores take arrays of equal length and raise ValueError when these are empty, differ in length or
hold a NaN: a figure over other rows than the ones asked about would be no comparison.
"""

from __future__ import annotations

from nba.evaluation.averages import (
    AVERAGES,
    BASELINE_HALF_LIFE_GAMES,
    BASELINES,
    EarlierGames,
    baseline_averages,
    baselines,
    earlier_games,
    earlier_places,
    simple_averages,
)
from nba.evaluation.counts import fit_dispersion, negative_binomial_quantile
from nba.evaluation.intervals import (
    Interval,
    binomial_interval,
    bootstrap_interval,
    sidak_confidence,
    wilson_interval,
)
from nba.evaluation.reliability import (
    CalibrationSlope,
    ReliabilityBin,
    calibration_slope,
    reliability,
)
from nba.evaluation.scores import accuracy, bias, brier, coverage, log_loss, mae, pinball, rmse

__all__ = [
    "AVERAGES",
    "BASELINES",
    "BASELINE_HALF_LIFE_GAMES",
    "CalibrationSlope",
    "EarlierGames",
    "Interval",
    "ReliabilityBin",
    "accuracy",
    "baseline_averages",
    "baselines",
    "bias",
    "binomial_interval",
    "bootstrap_interval",
    "brier",
    "calibration_slope",
    "coverage",
    "earlier_games",
    "earlier_places",
    "fit_dispersion",
    "log_loss",
    "mae",
    "negative_binomial_quantile",
    "pinball",
    "reliability",
    "rmse",
    "sidak_confidence",
    "simple_averages",
    "wilson_interval",
]
