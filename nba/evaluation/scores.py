"""Errors of projections and scores of probabilities."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "accuracy",
    "bias",
    "brier",
    "coverage",
    "log_loss",
    "mae",
    "pinball",
    "rmse",
    "same_rows",
]

Floats = NDArray[np.float64]

_SMALLEST_PROBABILITY: Final = 1e-12


def mae(actual: ArrayLike, projected: ArrayLike) -> float:
    """Mean absolute error, in the unit of the stat."""
    truth, guess = same_rows(actual, projected)
    return float(np.abs(truth - guess).mean())


def rmse(actual: ArrayLike, projected: ArrayLike) -> float:
    """Root of the mean squared error, in the unit of the stat."""
    truth, guess = same_rows(actual, projected)
    return float(np.sqrt(((truth - guess) ** 2).mean()))


def bias(actual: ArrayLike, projected: ArrayLike) -> float:
    """Mean of projected − actual: above zero when projections are too high."""
    truth, guess = same_rows(actual, projected)
    return float((guess - truth).mean())


def coverage(actual: ArrayLike, floor: ArrayLike, ceiling: ArrayLike) -> float:
    """Share (0..1) of actuals within their band, both ends included."""
    truth, low, high = same_rows(actual, floor, ceiling)
    return float(((low <= truth) & (truth <= high)).mean())


def pinball(actual: ArrayLike, quantile: ArrayLike, level: float) -> float:
    """Mean pinball loss of projected quantiles at `level` (0..1), in the unit of the stat."""
    truth, guess = same_rows(actual, quantile)
    above = truth - guess
    return float(np.maximum(level * above, (level - 1.0) * above).mean())


def log_loss(won: ArrayLike, probability: ArrayLike) -> float:
    """Mean negative natural logarithm of the probability given to what happened (0 or 1)."""
    outcome, given = same_rows(won, probability)
    safe = np.clip(given, _SMALLEST_PROBABILITY, 1.0 - _SMALLEST_PROBABILITY)
    return float(-np.log(np.where(outcome > 0.5, safe, 1.0 - safe)).mean())


def brier(won: ArrayLike, probability: ArrayLike) -> float:
    """Mean squared difference of probability and outcome (0 or 1)."""
    outcome, given = same_rows(won, probability)
    return float(((given - outcome) ** 2).mean())


def accuracy(won: ArrayLike, probability: ArrayLike) -> float:
    """Share (0..1) of games whose favourite won; a probability of one half counts half."""
    outcome, given = same_rows(won, probability)
    right = np.where(given == 0.5, 0.5, (given > 0.5) == (outcome > 0.5))
    return float(right.mean())


def same_rows(*columns: ArrayLike) -> tuple[Floats, ...]:
    """The columns as floats; ValueError unless they are of one length, not empty, without NaN."""
    arrays = tuple(np.asarray(column, dtype=np.float64) for column in columns)
    if len({len(array) for array in arrays}) != 1 or len(arrays[0]) == 0:
        raise ValueError(f"needs rows of equal length, has {[len(array) for array in arrays]}")
    if any(np.isnan(array).any() for array in arrays):
        raise ValueError("a value is missing (NaN)")
    return arrays
