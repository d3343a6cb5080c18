"""Whether probabilities mean what they say."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from nba.evaluation.intervals import Interval, binomial_interval, sidak_confidence
from nba.evaluation.scores import same_rows

__all__ = ["CalibrationSlope", "ReliabilityBin", "calibration_slope", "reliability"]

_SMALLEST_PROBABILITY: Final = 1e-6
_NEWTON_STEPS: Final = 50


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """The games whose probability lies in low..high, `high` excluded but for 1.

    `given` is their mean probability, `happened` the share of them that happened, and `band` the
    exact binomial interval of that share, at the confidence that holds for all bins at once.
    """

    low: float
    high: float
    n: int
    given: float
    happened: float
    band: Interval

    @property
    def holds_diagonal(self) -> bool:
        """Whether the band contains the mean probability."""
        return self.band.low <= self.given <= self.band.high


@dataclass(frozen=True, slots=True)
class CalibrationSlope:
    """Logistic regression of what happened on the log odds that were given.

    A slope of 1 and an intercept of 0 are perfect; below 1 the probabilities are too bold.
    `interval` is the slope's, from its standard error.
    """

    slope: float
    intercept: float
    interval: Interval


def reliability(
    happened: ArrayLike, probability: ArrayLike, bins: int = 10, confidence: float = 0.95
) -> tuple[ReliabilityBin, ...]:
    """Bins of equal width with their bands, together at `confidence` (Šidák); empty ones left out.

    `happened` is 0 or 1. ValueError for rows that are empty, of other lengths, or hold a NaN.
    """
    outcome, given = same_rows(happened, probability)
    places = np.clip((given * bins).astype(np.int64), 0, bins - 1)
    filled = [int(one) for one in np.unique(places)]
    each = sidak_confidence(len(filled), confidence)
    found = []
    for place in filled:
        inside = places == place
        n, successes = int(inside.sum()), int(outcome[inside].sum())
        found.append(
            ReliabilityBin(
                low=place / bins,
                high=(place + 1) / bins,
                n=n,
                given=float(given[inside].mean()),
                happened=successes / n,
                band=binomial_interval(successes, n, each),
            )
        )
    return tuple(found)


def calibration_slope(happened: ArrayLike, probability: ArrayLike) -> CalibrationSlope | None:
    """Slope, intercept and the slope's 95% interval; None where the rows determine none.

    That is so where all probabilities are alike, or where they part what happened from what did
    not without a fault.
    """
    outcome, given = same_rows(happened, probability)
    safe = np.clip(given, _SMALLEST_PROBABILITY, 1.0 - _SMALLEST_PROBABILITY)
    design = np.column_stack([np.ones(len(safe)), np.log(safe / (1.0 - safe))])
    weights = np.array([0.0, 1.0])
    for _ in range(_NEWTON_STEPS):
        fitted = 1.0 / (1.0 + np.exp(-np.clip(design @ weights, -40.0, 40.0)))
        information = (design * (fitted * (1.0 - fitted))[:, None]).T @ design
        if not np.isfinite(information).all() or np.linalg.cond(information) > 1e12:
            return None
        step = np.linalg.solve(information, design.T @ (outcome - fitted))
        weights = weights + step
        if float(np.abs(step).max()) < 1e-10:
            error = sqrt(float(np.linalg.inv(information)[1, 1]))
            slope = float(weights[1])
            band = Interval(slope - 1.96 * error, slope + 1.96 * error)
            return CalibrationSlope(slope, float(weights[0]), band)
    return None
