"""Earlier games as windows, newest first, and averages over them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nba.history import Floats, Integers

__all__ = ["DAYS", "Timeline", "average", "weighted", "weights"]

DAYS = 100_000
"""More days than `History.day` counts: owner · DAYS + day is one ascending key."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """Rows of owners (players or teams) in ascending order of owner and day."""

    owner: Integers
    key: Integers

    @classmethod
    def of(cls, owner: Integers, day: Integers) -> Timeline:
        return cls(owner, owner * DAYS + day)

    def first(self, owner: Integers) -> Integers:
        """The place of each owner's first row."""
        return np.searchsorted(self.owner, owner)

    def end(self, owner: Integers, day: Integers) -> Integers:
        """The place after each owner's last row of an earlier day."""
        return np.searchsorted(self.key, owner * DAYS + day)

    def windows(
        self, owner: Integers, day: Integers, length: int, rows_at_a_time: int = 16_384
    ) -> Iterator[tuple[slice, Integers, NDArray[np.bool_]]]:
        """Parts of the asked rows: their slice, places (rows, length) newest first, and which are.

        Where there is no earlier row the place is 0 and the mask False.
        """
        ends, firsts = self.end(owner, day), self.first(owner)
        for begin in range(0, len(owner), rows_at_a_time):
            part = slice(begin, min(begin + rows_at_a_time, len(owner)))
            place = ends[part, None] - np.arange(1, length + 1)
            known = place >= firsts[part, None]
            yield part, np.where(known, place, 0), known


def weights(length: int, half_life_games: float) -> Floats:
    """Weights of games, newest first, which halve every `half_life_games` games."""
    halved: Floats = (0.5 ** (np.arange(length) / half_life_games)).astype(np.float32)
    return halved


def weighted(values: NDArray[Any], weight: Floats) -> Floats:
    """Each row's sum of values (rows, games) times weights (games,).

    Unlike a matrix product, a row's last bit does not depend on how many other rows there are.
    """
    total: Floats = np.einsum("ij,j->i", values, weight)
    return total


def average(
    values: Floats, weight: Floats, prior: Floats | float = 0.0, prior_games: Floats | float = 0.0
) -> Floats:
    """Weighted average over axis 1 of (rows, games), NaN left out; the prior counts as games.

    NaN where neither a number nor a prior is there.
    """
    known = ~np.isnan(values)
    total = weighted(known, weight) + np.asarray(prior_games, np.float32)
    summed = weighted(np.where(known, values, np.float32(0.0)), weight)
    summed = summed + np.asarray(prior, np.float32) * np.asarray(prior_games, np.float32)
    none = np.full(len(values), np.nan, np.float32)
    found: Floats = np.divide(summed, total, out=none, where=total > 0)
    return found
