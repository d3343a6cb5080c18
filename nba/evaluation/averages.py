"""Baselines: simple averages of a player's earlier games."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nba.history import History
from nba.stats import Stat

__all__ = [
    "AVERAGES",
    "BASELINES",
    "BASELINE_HALF_LIFE_GAMES",
    "EarlierGames",
    "baseline_averages",
    "baselines",
    "earlier_games",
    "earlier_places",
    "simple_averages",
]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

BASELINES: Final = ("season_average", "last_5", "ewma_8")
BASELINE_HALF_LIFE_GAMES: Final = 8.0
AVERAGES: Final = ("season_mean", "last_5", "ewma_2_5", "ewma_8", "ewma_12")
"""The averages that a backtest compares with; `ewma_` is followed by the half-life in games."""

_HALF_LIVES: Final[Mapping[str, float]] = {"ewma_2_5": 2.5, "ewma_8": 8.0, "ewma_12": 12.0}
_LAST_GAMES: Final = 5
_WINDOW_GAMES: Final = 100
"""How many of a player's latest games a weighted average looks at."""

_DAYS_PER_PLAYER: Final = 100_000
_ROWS_AT_A_TIME: Final = 20_000


@dataclass(frozen=True, slots=True)
class EarlierGames:
    """Where in a history the games before each of some asked rows lie.

    Each array has one place for each asked row: the player's games of earlier dates are the
    history's rows from `starts` to before `ends`, those of the same season from `season_starts`,
    and those of the latest season in which there are any from `latest_season_starts`.
    """

    starts: Integers
    season_starts: Integers
    latest_season_starts: Integers
    ends: Integers

    @property
    def games(self) -> Integers:
        """How many earlier games there are."""
        return self.ends - self.starts

    @property
    def season_games(self) -> Integers:
        """How many earlier games of the same season there are."""
        return self.ends - np.minimum(self.season_starts, self.ends)


def earlier_games(history: History, asked: History) -> EarlierGames:
    """The games of earlier dates of each player in `asked`; of his games only who and when count.

    `history` is in order of players and days, as `Reference.history` gives it.
    """
    return earlier_places(
        (history.player_id, history.day, history.season),
        (asked.player_id, asked.day, asked.season),
    )


def earlier_places(
    played: tuple[Integers, Integers, Integers], asked: tuple[Integers, Integers, Integers]
) -> EarlierGames:
    """As `earlier_games`, of arrays of player, day and the first year of the season.

    `played` is in order of players and days; days count from any one date.
    """
    owners, days, seasons = played
    player, day, season = asked
    by_date = owners * _DAYS_PER_PLAYER + days
    by_season = owners * _DAYS_PER_PLAYER + seasons
    starts = np.searchsorted(owners, player)
    ends = np.searchsorted(by_date, player * _DAYS_PER_PLAYER + day)
    latest = season
    if len(seasons):
        latest = np.where(ends > starts, seasons[np.maximum(ends - 1, 0)], season)
    return EarlierGames(
        starts=starts,
        season_starts=np.searchsorted(by_season, player * _DAYS_PER_PLAYER + season),
        latest_season_starts=np.searchsorted(by_season, player * _DAYS_PER_PLAYER + latest),
        ends=ends,
    )


def simple_averages(values: Floats, earlier: EarlierGames) -> dict[str, Floats]:
    """The averages named in `AVERAGES`, each of the shape (asked rows,), NaN without a game.

    `values` has one number for each row of the history. Before a player's first game of a season
    the season's mean is that of his latest one. Games without a number are passed over by the last
    five and the seasons' means, which reach further back for them; in a weighted average they keep
    their place.
    """
    known = np.concatenate(([0], (~np.isnan(values)).cumsum()))
    numbers = values[~np.isnan(values)]
    starts, ends = known[earlier.starts], known[earlier.ends]
    seasons = known[np.minimum(earlier.season_starts, earlier.ends)]
    latest = known[np.minimum(earlier.latest_season_starts, earlier.ends)]
    found = {
        "season_mean": _average(numbers, np.where(seasons < ends, seasons, latest), ends),
        "last_5": _average(numbers, np.maximum(starts, ends - _LAST_GAMES), ends),
    }
    for name, half_life in _HALF_LIVES.items():
        found[name] = _ewma(values, earlier.starts, earlier.ends, half_life)
    return found


def baselines(
    history: pd.DataFrame,
    rows: pd.DataFrame,
    stat: Stat,
    half_life_games: float = BASELINE_HALF_LIFE_GAMES,
) -> pd.DataFrame:
    """What simple averages of earlier games would have said about `rows`.

    `history` has player_id, game_date (timestamps), game_id, season and the stat, one row per game
    played; `rows` has player_id, game_date and season, in any order. The result has the index of
    `rows` and the columns `BASELINES`: average of the season so far, of the last five games, and
    weighted average with the given half-life. NaN where a player has no earlier game (or none of
    that season). Only games of earlier dates count.
    """
    days = _days(history["game_date"])
    owners = history["player_id"].to_numpy(dtype=np.int64)
    order = np.lexsort((history["game_id"].to_numpy(str), days, owners))
    values = history[stat].to_numpy(dtype=np.float64, na_value=np.nan)[order]
    earlier = earlier_places(
        (owners[order], days[order], _first_years(history["season"])[order]),
        (
            rows["player_id"].to_numpy(dtype=np.int64),
            _days(rows["game_date"]),
            _first_years(rows["season"]),
        ),
    )
    return pd.DataFrame(baseline_averages(values, earlier, half_life_games), index=rows.index)


def baseline_averages(
    values: Floats, earlier: EarlierGames, half_life_games: float = BASELINE_HALF_LIFE_GAMES
) -> dict[str, Floats]:
    """The columns of `baselines`, each of the shape (asked rows,), NaN where there is none.

    `values` has one number for each row of the history, NaN where it is not known.
    """
    starts, ends = earlier.starts, earlier.ends
    return {
        "season_average": _average(values, earlier.season_starts, ends),
        "last_5": _average(values, np.maximum(starts, ends - _LAST_GAMES), ends),
        "ewma_8": _ewma(values, starts, ends, half_life_games),
    }


def _days(dates: pd.Series[pd.Timestamp]) -> Integers:
    return dates.to_numpy(dtype="datetime64[D]").astype(np.int64)


def _first_years(seasons: pd.Series[str]) -> Integers:
    return seasons.str[:4].to_numpy(dtype=np.int64)


def _average(values: Floats, starts: Integers, ends: Integers) -> Floats:
    """Average of values[start:end] without NaN, NaN where nothing is left."""
    known = ~np.isnan(values)
    summed = np.concatenate(([0.0], np.where(known, values, 0.0).cumsum()))
    counted = np.concatenate(([0], known.cumsum()))
    number = counted[ends] - counted[np.minimum(starts, ends)]
    total = summed[ends] - summed[np.minimum(starts, ends)]
    average: Floats = np.divide(total, number, out=np.full(len(ends), np.nan), where=number > 0)
    return average


def _ewma(values: Floats, starts: Integers, ends: Integers, half_life_games: float) -> Floats:
    """Weighted average of values[start:end], whose weights halve every `half_life_games` games."""
    result = np.full(len(ends), np.nan)
    if len(values):
        for first in range(0, len(ends), _ROWS_AT_A_TIME):
            part = slice(first, first + _ROWS_AT_A_TIME)
            windows = _windows(values, starts[part], ends[part])
            result[part] = _weighted_average(windows, half_life_games)
    return result


def _windows(values: Floats, starts: Integers, ends: Integers) -> Floats:
    """values[start:end], the last `_WINDOW_GAMES` of them, newest first; NaN where there is none.

    The shape is (len(ends), _WINDOW_GAMES).
    """
    index = ends[:, None] - np.arange(1, _WINDOW_GAMES + 1)
    inside = index >= starts[:, None]
    windows = values[np.where(inside, index, 0)]
    windows[~inside] = np.nan
    return windows


def _weighted_average(windows: Floats, half_life_games: float) -> Floats:
    """Average over axis 1 of (rows, games), newest first; NaN where there is no number."""
    weights = 0.5 ** (np.arange(windows.shape[1]) / half_life_games)
    known = ~np.isnan(windows)
    total = known @ weights
    summed = np.where(known, windows, 0.0) @ weights
    average: Floats = np.divide(summed, total, out=np.full(len(windows), np.nan), where=total > 0)
    return average
