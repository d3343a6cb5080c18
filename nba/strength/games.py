"""Games as columns: those that were played, and those that are asked about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nba.history import day_number
from nba.seasons import ScheduledGame

__all__ = ["DAYS", "SEASONS", "Games", "TeamDays", "games_of", "games_of_slate"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

DAYS: Final = 100_000
"""More than any `day_number` of this century: team id · DAYS + day sorts by team, then day."""

SEASONS: Final = 10_000
"""The same for the year in which a season began."""

_REGULAR: Final = 2
_GAMES_OF_A_KIND: Final = 10_000_000


@dataclass(frozen=True, slots=True)
class Games:
    """Games, one element each, in any order.

    `game` is the game id as a number, `day` counts days since 1970-01-01 (US Eastern dates),
    `season` is the year in which the season began. Points are NaN where no result is known.
    """

    game: Integers
    day: Integers
    season: Integers
    home_team_id: Integers
    away_team_id: Integers
    is_neutral: NDArray[np.bool_]
    home_points: Floats
    away_points: Floats

    def __len__(self) -> int:
        return len(self.game)

    @property
    def is_regular(self) -> NDArray[np.bool_]:
        """Which are games of the regular season, by the third digit of their ids."""
        regular: NDArray[np.bool_] = self.game // _GAMES_OF_A_KIND == _REGULAR
        return regular

    @property
    def team_id(self) -> Integers:
        """The home teams, then the away teams: (2 · games,)."""
        return np.concatenate((self.home_team_id, self.away_team_id))

    def take(self, rows: NDArray[Any]) -> Games:
        """Only these games: places, or a mask."""
        return Games(*(getattr(self, field.name)[rows] for field in fields(self)))

    def before(self, slate_date: date) -> Games:
        """Only the games of earlier dates."""
        return self.take(self.day < day_number(slate_date))


def games_of(frame: pd.DataFrame) -> Games:
    """The games of a frame as `Reference.games` gives it."""
    return Games(
        game=np.array([int(one) for one in frame["game_id"]], np.int64),
        day=frame["game_date"].to_numpy("datetime64[D]").astype(np.int64),
        season=np.array([int(one[:4]) for one in frame["season"]], np.int64),
        home_team_id=frame["home_team_id"].to_numpy(np.int64),
        away_team_id=frame["away_team_id"].to_numpy(np.int64),
        is_neutral=frame["is_neutral"].to_numpy(np.bool_),
        home_points=frame["home_points"].to_numpy(np.float64, na_value=np.nan),
        away_points=frame["away_points"].to_numpy(np.float64, na_value=np.nan),
    )


def games_of_slate(slate: Sequence[ScheduledGame]) -> Games:
    """Scheduled games, in the same order, without results."""
    unknown = np.full(len(slate), np.nan)
    return Games(
        game=np.array([int(one.game_id) for one in slate], np.int64),
        day=np.array([day_number(one.slate_date) for one in slate], np.int64),
        season=np.array([int(one.season[:4]) for one in slate], np.int64),
        home_team_id=np.array([one.home_team_id for one in slate], np.int64),
        away_team_id=np.array([one.away_team_id for one in slate], np.int64),
        is_neutral=np.array([one.is_neutral for one in slate], np.bool_),
        home_points=unknown,
        away_points=unknown.copy(),
    )


@dataclass(frozen=True, slots=True)
class TeamDays:
    """Every team's games by team and day: how many came before a day, and when the last was."""

    keys: Integers
    seasons: Integers

    @classmethod
    def of(cls, games: Games) -> TeamDays:
        """The calendar of these games."""
        keys = games.team_id * DAYS + np.tile(games.day, 2)
        order = np.argsort(keys, kind="stable")
        seasons = games.team_id * SEASONS + np.tile(games.season, 2)
        return cls(keys[order], seasons[order])

    def before(self, team_id: Integers, day: Integers) -> Integers:
        """The place after each team's last game of an earlier day."""
        return np.searchsorted(self.keys, team_id * DAYS + day).astype(np.int64)

    def of_season(self, team_id: Integers, season: Integers, day: Integers) -> Integers:
        """How many games of its season each team has played on earlier days."""
        first = np.searchsorted(self.seasons, team_id * SEASONS + season)
        number: Integers = np.maximum(self.before(team_id, day) - first, 0)
        return number

    def rest(self, team_id: Integers, day: Integers) -> Integers:
        """Days since each team's last game, DAYS where it has none."""
        if not len(self.keys):
            return np.full(len(team_id), DAYS, np.int64)
        last = self.keys[np.maximum(self.before(team_id, day) - 1, 0)]
        known = (last // DAYS == team_id) & (last % DAYS < day)
        return np.where(known, day - last % DAYS, DAYS)
