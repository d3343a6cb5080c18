"""The negative binomial: what a band of counts is compared with."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nba.evaluation.scores import same_rows

__all__ = ["fit_dispersion", "negative_binomial_quantile"]

Floats = NDArray[np.float64]


def fit_dispersion(actual: ArrayLike, mean: ArrayLike) -> float:
    """The variance of counts in units of their projected means, 1 at least (Poisson).

    Projected means below zero count as zero. ValueError if all of them are.
    """
    truth, expected = same_rows(actual, mean)
    expected = np.maximum(expected, 0.0)
    total = float(expected.sum())
    if total <= 0.0:
        raise ValueError("no projected mean is above zero")
    return max(1.0, float(((truth - expected) ** 2).sum()) / total)


def negative_binomial_quantile(mean: ArrayLike, dispersion: float, level: float) -> Floats:
    """Smallest counts whose cumulative probability reaches `level`, one for each mean.

    The variance is `dispersion` × mean; a dispersion of 1 is Poisson's distribution. ValueError
    unless dispersion ≥ 1 and 0 < level < 1.
    """
    if dispersion < 1.0 or not 0.0 < level < 1.0:
        raise ValueError(f"a dispersion of {dispersion} or a level of {level}")
    (expected,) = same_rows(mean)
    expected = np.maximum(expected, 0.0)
    excess = dispersion - 1.0
    # With variance d·m the size is m / (d − 1), and the chance of each success is 1 / d.
    rate = np.log(dispersion) / excess if excess > 1e-9 else 1.0
    probability = np.exp(-expected * rate)
    reached = probability.copy()
    quantile = np.zeros(len(expected))
    count = 0
    while (waiting := reached < level).any():
        probability = probability * (expected + count * excess) / ((count + 1) * dispersion)
        count += 1
        quantile[waiting] = count
        # What the last digits of the sum leave out can never be reached.
        reached = np.where(
            probability > 1e-15, reached + probability, np.where(count < expected, reached, 1.0)
        )
    return quantile
