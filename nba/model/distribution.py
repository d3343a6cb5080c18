"""What may happen: the chance of more than a line, from quantiles or from a mean."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "LEVELS",
    "Count",
    "Distribution",
    "Spread",
    "count_quantiles",
    "fit_shape",
]

Doubles = NDArray[np.float64]

LEVELS: Final = (
    *(0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5),
    *(0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.975, 0.99, 0.995),
)
"""The quantiles that describe the shape of a Spread."""

_HIGHEST_COUNT: Final = 60
_NARROWEST: Final = 0.25
_SHORTEST_STEP: Final = 0.05
_SMALLEST_RATIO: Final = 1.02


class Distribution(Protocol):
    """The chances of a whole number to come."""

    def over(self, line: float) -> float:
        """The probability (0..1) of more than `line`."""

    def exactly(self, line: float) -> float:
        """The probability (0..1) of just `line`; 0 unless it is a whole number from 0 on."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Around a median, with a width of its own on each side.

    `floor` and `ceiling` are the 10th and 90th percentile. `shape` (len(LEVELS),) says where each
    of LEVELS lies: below the median in units of median − floor, above it of ceiling − median.
    Beyond the first and the last level the chance of still less or more goes on falling as it does
    between the outermost two, and never ends.
    """

    floor: float
    median: float
    ceiling: float
    shape: Doubles

    def over(self, line: float) -> float:
        return 1.0 - self._below(floor(line) + 0.5)

    def exactly(self, line: float) -> float:
        if line < 0 or line != floor(line):
            return 0.0
        return self._below(line + 0.5) - self._below(line - 0.5)

    def _below(self, value: float) -> float:
        if value < 0:
            return 0.0
        side = self.floor if value < self.median else self.ceiling
        width = max(abs(side - self.median), _NARROWEST)
        return _chance_below((value - self.median) / width, self.shape)


def _chance_below(step: float, shape: Doubles) -> float:
    """The chance (0..1) of less than `step` under `Spread.shape`, with exponential tails."""
    if step < shape[0]:
        return LEVELS[0] * _tail(shape[0] - step, shape[1] - shape[0], LEVELS[1] / LEVELS[0])
    if step > shape[-1]:
        rest, before = 1.0 - LEVELS[-1], 1.0 - LEVELS[-2]
        return 1.0 - rest * _tail(step - shape[-1], shape[-1] - shape[-2], before / rest)
    return float(np.interp(step, shape, LEVELS))


def _tail(beyond: float, step: float, ratio: float) -> float:
    """What is left of an outermost chance further out, if it fell by `ratio` over a `step`."""
    return float(ratio ** (-beyond / max(step, _SHORTEST_STEP)))


@dataclass(frozen=True, slots=True)
class Count:
    """A negative binomial: a mean, and the variance as a multiple of it (above 1)."""

    mean: float
    variance_ratio: float

    def over(self, line: float) -> float:
        below = self._probabilities()[: max(floor(line) + 1, 0)]
        return float(max(1.0 - below.sum(), 0.0))

    def exactly(self, line: float) -> float:
        if line < 0 or line != floor(line) or line > _HIGHEST_COUNT:
            return 0.0
        return float(self._probabilities()[int(line)])

    def _probabilities(self) -> Doubles:
        mean, ratio = np.array([self.mean]), np.array([self.variance_ratio])
        found: Doubles = _count_probabilities(mean, ratio)[0]
        return found


def count_quantiles(mean: Doubles, variance_ratio: Doubles, level: float) -> Doubles:
    """The smallest whole numbers that are reached with a chance of at least `level` (0..1)."""
    reached = _count_probabilities(mean, variance_ratio).cumsum(axis=1) >= level
    found: Doubles = np.argmax(reached, axis=1).astype(np.float64)
    return np.where(reached.any(axis=1), found, float(_HIGHEST_COUNT))


def _count_probabilities(mean: Doubles, variance_ratio: Doubles) -> Doubles:
    """Probabilities of 0, 1, … 60, (rows, 61), by the recursion of the negative binomial."""
    ratio = np.maximum(variance_ratio, _SMALLEST_RATIO)
    size = mean / (ratio - 1.0)
    found = np.empty((len(mean), _HIGHEST_COUNT + 1))
    found[:, 0] = ratio**-size
    for number in range(_HIGHEST_COUNT):
        step = (number + size) / (number + 1) * (1.0 - 1.0 / ratio)
        found[:, number + 1] = found[:, number] * step
    return found


def fit_shape(quantiles: Doubles, actual: Doubles) -> Doubles:
    """`Spread.shape` from what happened: it holds -1, 0 and 1 at 10, 50 and 90 percent.

    `quantiles` are those three in ascending order, (rows, 3).
    """
    floors, medians, ceilings = quantiles.T
    side = np.where(actual < medians, medians - floors, ceilings - medians)
    steps = (actual - medians) / np.maximum(side, _NARROWEST)
    shape = np.quantile(steps, LEVELS)
    anchors = [LEVELS.index(level) for level in (0.1, 0.5, 0.9)]
    # What is known at these three is what the medians and widths say.
    shift = np.interp(np.arange(len(LEVELS)), anchors, np.array([-1.0, 0.0, 1.0]) - shape[anchors])
    found: Doubles = np.maximum.accumulate(shape + shift)
    return found.round(6)
