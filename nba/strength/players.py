"""What a player's box scores say about him: decayed sums, and rates shrunk to a newcomer's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nba.history import History

__all__ = ["RATES", "PlayerForm", "newcomer_rates", "player_form", "weighted"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

RATES: Final = (
    *("points", "rebounds", "oreb", "assists", "threes", "stl", "blk", "tov", "pf"),
    *("fga", "fg3a", "fta", "plus_minus"),
)
"""The numbers of a box score that are looked at per 48 minutes, in the order of weights."""

_RATE_HALF_LIFE: Final = 40.0
_FAST_HALF_LIFE: Final = 3.0
_SLOW_HALF_LIFE: Final = 12.0
_NEWCOMER_MINUTES: Final = 200.0
_NEWCOMER_GAMES: Final = 10
_GAME_MINUTES: Final = 48.0


@dataclass(frozen=True, slots=True)
class PlayerForm:
    """What was known of each history row's player once that game was over.

    `sums` (rows, len(RATES)) and `minutes` (rows,) halve their weight every 40 games. The other
    two are average minutes a game with half-lives of 3 and 12 games.
    """

    sums: Floats
    minutes: Floats
    fast_minutes: Floats
    slow_minutes: Floats

    def rates(self, newcomer: Floats) -> Floats:
        """Rates per 48 minutes above a newcomer's, (rows, len(RATES)).

        200 minutes at `newcomer`'s rates (len(RATES),) per 48 minutes count as played.
        """
        above = self.sums - self.minutes[:, None] * (newcomer / _GAME_MINUTES)
        rates: Floats = _GAME_MINUTES * above / (self.minutes + _NEWCOMER_MINUTES)[:, None]
        return rates


def player_form(history: History) -> PlayerForm:
    """Each row's player after that row; rows of later games have no part in it."""
    minutes = _minutes(history)
    ones = np.ones(len(history))
    counted = np.column_stack([_box(history), minutes, minutes, ones, minutes, ones])
    half_lives = [_RATE_HALF_LIFE] * (len(RATES) + 1)
    half_lives += [_FAST_HALF_LIFE] * 2 + [_SLOW_HALF_LIFE] * 2
    sums = _decayed(history.player_id, counted, 0.5 ** (1.0 / np.array(half_lives)))
    width = len(RATES)
    return PlayerForm(
        sums[:, :width],
        sums[:, width],
        sums[:, width + 1] / sums[:, width + 2],
        sums[:, width + 3] / sums[:, width + 4],
    )


def newcomer_rates(history: History) -> Floats:
    """Rates per 48 minutes of players in the first ten games since they came, (len(RATES),).

    Whoever plays in the history's first season may have played before it, and is no newcomer;
    where nobody came later, all rows count.
    """
    if not len(history):
        return np.zeros(len(RATES))
    places = np.arange(len(history))
    first = np.concatenate(([True], history.player_id[1:] != history.player_id[:-1]))
    starts = np.maximum.accumulate(np.where(first, places, 0))
    came = history.season[starts] > history.season.min()
    rows = came & (places - starts < _NEWCOMER_GAMES)
    if not rows.any():
        rows = np.ones(len(history), np.bool_)
    minutes = max(float(_minutes(history)[rows].sum()), 1.0)
    rates: Floats = _GAME_MINUTES * _box(history)[rows].sum(axis=0) / minutes
    return rates


def weighted(columns: Floats, weights: Floats) -> Floats:
    """Each row's sum of columns (rows, n) times weights (n,).

    Unlike a matrix product, a row's last bit does not depend on how many other rows there are.
    """
    total: Floats = (columns * weights).sum(axis=1)
    return total


def _box(history: History) -> Floats:
    return np.column_stack([np.nan_to_num(history.column(name)) for name in RATES]).astype(
        np.float64
    )


def _minutes(history: History) -> Floats:
    return np.nan_to_num(history.column("minutes")).astype(np.float64)


def _decayed(owner: Integers, values: Floats, kept: Floats) -> Floats:
    """Sums over each owner's rows so far, all earlier ones multiplied by `kept` at each row.

    It walks every owner's n-th row at once: as many steps as the longest career has games.
    """
    sums = values.copy()
    if not len(owner):
        return sums
    starts = np.flatnonzero(np.concatenate(([True], owner[1:] != owner[:-1])))
    lengths = np.diff(np.append(starts, len(owner)))
    longest_first = np.argsort(-lengths, kind="stable")
    starts, lengths = starts[longest_first], lengths[longest_first]
    playing = np.searchsorted(-lengths, -np.arange(1, lengths[0]))
    for number, players in enumerate(playing.tolist(), start=1):
        rows = starts[:players] + number
        sums[rows] += sums[rows - 1] * kept
    return sums
