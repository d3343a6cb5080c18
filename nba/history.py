"""Box scores as columns: what features and ratings are computed from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import date
from itertools import islice
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["BOX_SCORE", "HISTORY_COLUMNS", "History", "day_number", "history_of"]

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]

BOX_SCORE: Final = (
    *("minutes", "points", "rebounds", "assists", "threes", "oreb", "stl", "blk", "tov", "pf"),
    *("fgm", "fga", "fg3a", "ftm", "fta", "plus_minus", "started"),
)
"""The numbers of a box score, in the order of `History.values`."""

_IDENTITY: Final = (
    *("player_id", "game_date", "game_id", "season", "season_type", "team_id", "opponent_id"),
    "is_home",
)
HISTORY_COLUMNS: Final = (*_IDENTITY, *BOX_SCORE)
"""What `history_of` takes of each row, in this order."""

_ROWS_AT_A_TIME: Final = 5_000
_EPOCH: Final = date(1970, 1, 1).toordinal()


@dataclass(frozen=True, slots=True)
class History:
    """Players' games, by player, day and game.

    Each array has one element a row. `day` counts days since 1970-01-01 (US Eastern dates), `game`
    is the game id as a number, `season` the year in which the season began, `is_regular` marks the
    regular season. `values` has the shape (rows, len(BOX_SCORE)), NaN where the source has none.
    """

    player_id: Integers
    day: Integers
    game: Integers
    season: Integers
    team_id: Integers
    opponent_id: Integers
    is_home: NDArray[np.bool_]
    is_regular: NDArray[np.bool_]
    values: Floats

    def __len__(self) -> int:
        return len(self.player_id)

    def column(self, name: str) -> Floats:
        """One of the numbers in BOX_SCORE, for every row."""
        return self.values[:, BOX_SCORE.index(name)]

    def take(self, rows: NDArray[Any]) -> History:
        """Only these rows: ascending places, or a mask."""
        return History(*(getattr(self, field.name)[rows] for field in fields(self)))

    def before(self, slate_date: date) -> History:
        """Only the games of earlier dates."""
        return self.take(self.day < day_number(slate_date))


def day_number(day: date) -> int:
    """Days since 1970-01-01, as in `History.day`."""
    return day.toordinal() - _EPOCH


def history_of(rows: Iterable[Sequence[Any]]) -> History:
    """The history of rows with HISTORY_COLUMNS, in any order; dates and ids are ISO text.

    Rows are taken in parts: as objects they need ten times the memory of the arrays.
    """
    remaining = iter(rows)
    parts = []
    while part := list(islice(remaining, _ROWS_AT_A_TIME)):
        parts.append(list(_part(list(zip(*part, strict=True)))))
    empty = _part([()] * len(HISTORY_COLUMNS))
    columns = [np.concatenate(column) for column in zip(empty, *parts, strict=True)]
    history = History(*columns)
    order = np.lexsort((history.game, history.day, history.player_id))
    return history.take(order)


def _part(columns: Sequence[Sequence[Any]]) -> Iterator[NDArray[Any]]:
    player, day, game, season, season_type, team, opponent, is_home = columns[: len(_IDENTITY)]
    yield np.array(player, np.int64)
    yield np.array(day, "datetime64[D]").astype(np.int64)
    yield np.array([int(one) for one in game], np.int64)
    yield np.array([int(one[:4]) for one in season], np.int64)
    yield np.array(team, np.int64)
    yield np.array(opponent, np.int64)
    yield np.array(is_home, np.bool_)
    yield np.array([one == "regular" for one in season_type], np.bool_)
    values = np.array(columns[len(_IDENTITY) :], np.float32)
    yield values.reshape(len(BOX_SCORE), -1).T
