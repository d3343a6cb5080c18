"""Intervals of shares and of means."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import exp, lgamma, log, sqrt
from statistics import NormalDist
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from nba.evaluation.scores import same_rows

__all__ = [
    "Interval",
    "binomial_interval",
    "bootstrap_interval",
    "sidak_confidence",
    "wilson_interval",
]

_BISECTIONS: Final = 60


@dataclass(frozen=True, slots=True)
class Interval:
    """A lower and an upper bound in the unit of the figure they belong to."""

    low: float
    high: float


def wilson_interval(successes: int, trials: int, confidence: float = 0.95) -> Interval:
    """Wilson's score interval of a share (Wilson 1927); 0..1 without trials.

    ValueError unless 0 ≤ successes ≤ trials and 0 < confidence < 1.
    """
    _check(successes, trials)
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    if trials == 0:
        return Interval(0.0, 1.0)
    share = successes / trials
    scale = 1.0 + z * z / trials
    centre = (share + z * z / (2 * trials)) / scale
    half = z * sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials)) / scale
    return Interval(
        0.0 if successes == 0 else centre - half, 1.0 if successes == trials else centre + half
    )


def binomial_interval(successes: int, trials: int, confidence: float = 0.95) -> Interval:
    """The exact binomial interval of a share (Clopper and Pearson 1934); 0..1 without trials.

    ValueError unless 0 ≤ successes ≤ trials and 0 < confidence < 1.
    """
    _check(successes, trials)
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"a confidence of {confidence} is not between 0 and 1")
    tail = (1.0 - confidence) / 2
    low, high = 0.0, 1.0
    if successes > 0:
        low = _crossing(lambda share: _at_most(trials - successes, trials, 1.0 - share) < tail)
    if successes < trials:
        high = _crossing(lambda share: _at_most(successes, trials, share) > tail)
    return Interval(low, high)


def sidak_confidence(intervals: int, together: float = 0.95) -> float:
    """The confidence of each of some independent intervals that hold all at once (Šidák 1967)."""
    if intervals < 1:
        raise ValueError(f"{intervals} intervals")
    return float(together ** (1.0 / intervals))


def bootstrap_interval(
    values: ArrayLike,
    dates: ArrayLike,
    random: np.random.Generator,
    *,
    confidence: float = 0.95,
    draws: int = 1000,
) -> Interval:
    """Percentile bootstrap interval of the mean of `values`, drawing whole dates.

    Rows of one evening are no independent observations, so dates are drawn with replacement and
    all rows of a drawn date count. ValueError for empty or NaN values.
    """
    (numbers,) = same_rows(values)
    codes, unique = pd.factorize(np.asarray(dates))
    sums = np.bincount(codes, weights=numbers, minlength=len(unique))
    counts = np.bincount(codes, minlength=len(unique)).astype(np.float64)
    drawn = random.multinomial(len(unique), np.full(len(unique), 1 / len(unique)), size=draws)
    means = (drawn @ sums) / (drawn @ counts)
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(low), float(high))


def _check(successes: int, trials: int) -> None:
    if not 0 <= successes <= trials:
        raise ValueError(f"{successes} successes in {trials} trials")


def _at_most(successes: int, trials: int, share: float) -> float:
    """The binomial probability of at most so many successes."""
    if share <= 0.0 or share >= 1.0:
        return 1.0 if share <= 0.0 or successes >= trials else 0.0
    odds = log(share) - log(1.0 - share)
    start = lgamma(trials + 1) + trials * log(1.0 - share)
    return sum(
        exp(start + k * odds - lgamma(k + 1) - lgamma(trials - k + 1)) for k in range(successes + 1)
    )


def _crossing(is_below: Callable[[float], bool]) -> float:
    """Where in 0..1 a condition that holds below some share ceases to hold."""
    low, high = 0.0, 1.0
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        if is_below(middle):
            low = middle
        else:
            high = middle
    return (low + high) / 2
