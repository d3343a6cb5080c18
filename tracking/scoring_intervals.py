"""Figures from sums per date, with intervals that draw whole dates.

Rows of one evening are no independent observations, so evenings are drawn with replacement and all
rows of a drawn evening count.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nba.evaluation import Interval

__all__ = ["FEWEST_DATES", "Estimate", "differences_of", "ratios_of"]

Floats = NDArray[np.float64]

FEWEST_DATES: Final = 10
"""With fewer dates there is no interval: drawing a handful of evenings says nothing."""

_DRAWS: Final = 1000
_SEED: Final = 20261121
_CONFIDENCE: Final = 0.95


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure and its 95% interval, None where there are fewer than FEWEST_DATES dates."""

    value: float
    interval: Interval | None


def ratios_of(top: Floats, bottom: Floats) -> list[Estimate | None]:
    """Sum of `top` over sum of `bottom` for each column, both (dates, columns).

    None where nothing is below the line.
    """
    return differences_of([(top, bottom)])


def differences_of(parts: list[tuple[Floats, Floats]]) -> list[Estimate | None]:
    """The first ratio less all further ones, per column; each is (top, bottom) as in `ratios_of`.

    All of a column's ratios are drawn from the same dates, as paired figures must be.
    """
    dates = len(parts[0][0])
    values = _combined([(top.sum(axis=0), bottom.sum(axis=0)) for top, bottom in parts])
    drawn = _combined([(_drawn(top), _drawn(bottom)) for top, bottom in parts])
    counted = np.min([(bottom > 0).sum(axis=0) for _, bottom in parts], axis=0)
    found: list[Estimate | None] = []
    for column, value in enumerate(values):
        if np.isnan(value):
            found.append(None)
            continue
        interval = None
        if dates >= FEWEST_DATES and counted[column] >= FEWEST_DATES:
            tail = (1.0 - _CONFIDENCE) / 2
            low, high = np.nanquantile(drawn[:, column], [tail, 1.0 - tail])
            interval = Interval(float(low), float(high))
        found.append(Estimate(float(value), interval))
    return found


def _combined(ratios: list[tuple[Floats, Floats]]) -> Floats:
    """The first ratio less all further ones, NaN where one has nothing below the line."""
    found = np.array(
        [
            np.divide(top, bottom, out=np.full(np.shape(top), np.nan), where=bottom > 0)
            for top, bottom in ratios
        ]
    )
    difference: Floats = found[0] - found[1:].sum(axis=0)
    return difference


def _drawn(sums: Floats) -> Floats:
    """Sums over drawn dates, (draws, columns)."""
    return _draws(len(sums)) @ sums


@lru_cache(maxsize=2)
def _draws(dates: int) -> Floats:
    """How often each date is drawn, (draws, dates); always the same for as many dates."""
    if dates < FEWEST_DATES:
        return np.ones((1, dates))
    random = np.random.default_rng(_SEED)
    places = random.integers(0, dates, size=(_DRAWS, dates))
    flat = places + np.arange(_DRAWS)[:, None] * dates
    counts = np.bincount(flat.ravel(), minlength=_DRAWS * dates)
    return counts.reshape(_DRAWS, dates).astype(np.float64)
