"""The player-games of a season that are asked for, and what simple averages said of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.backtest.projector import RowForecasts
from nba import evaluation
from nba.history import History
from nba.model.training import market_values
from nba.stats import MARKETS

__all__ = ["FULL_HISTORY_GAMES", "NEVER", "market_frames", "scored", "season_rows"]

Integers = NDArray[np.int64]

FULL_HISTORY_GAMES: Final = 10
"""From this many earlier games on, in any season of the data, a row is scored."""
NEVER: Final = 100_000
"""Days without a game, of a player who has had none."""


@dataclass(frozen=True, slots=True)
class _Places:
    """Where rows stand in their season, each an array of the shape (rows,)."""

    player_game: Integers
    team_game: Integers
    idle_days: Integers


def season_rows(history: History, first_year: int) -> Integers:
    """The places in `history` of the regular season that began in a year."""
    found: Integers = np.flatnonzero(history.is_regular & (history.season == first_year))
    return found


def market_frames(
    history: History, rows: Integers, forecasts: RowForecasts
) -> dict[str, pd.DataFrame]:
    """By market one line for each row: who and when, what was forecast, and what happened.

    Columns: game (its id as a number), player_id, team_id, day (since 1970-01-01), earlier_games,
    player_game and team_game (which of the season it is, from 1), idle_days (since the player's
    game before), minutes (projected), actual, mean, median, floor, ceiling, and the averages of
    `evaluation.AVERAGES`. `forecasts` has the rows in the same order.
    """
    asked = history.take(rows)
    earlier = evaluation.earlier_games(history, asked)
    places = _places(history, asked, earlier)
    values = market_values(history).astype(np.float64)
    minutes = forecasts.mean[:, MARKETS.index("minutes")]
    frames: dict[str, pd.DataFrame] = {}
    for column, market in enumerate(MARKETS):
        averages = evaluation.simple_averages(values[:, column], earlier)
        frames[market] = pd.DataFrame(
            {
                "game": asked.game,
                "player_id": asked.player_id,
                "team_id": asked.team_id,
                "day": asked.day,
                "earlier_games": earlier.games,
                "player_game": places.player_game,
                "team_game": places.team_game,
                "idle_days": places.idle_days,
                "minutes": minutes,
                "actual": values[rows, column],
                "mean": forecasts.mean[:, column],
                "median": forecasts.median[:, column],
                "floor": forecasts.floor[:, column],
                "ceiling": forecasts.ceiling[:, column],
                **averages,
            }
        )
    return frames


def scored(frame: pd.DataFrame) -> pd.Series[bool]:
    """The rows that count: ten earlier games, and a number for what happened.

    An average has none where all the games that it looks at lack theirs; such a row is no
    comparison and counts in no figure either.
    """
    known = frame[["actual", *evaluation.AVERAGES]].notna().all(axis=1)
    return known & (frame["earlier_games"] >= FULL_HISTORY_GAMES)


def _places(history: History, asked: History, earlier: evaluation.EarlierGames) -> _Places:
    idle = np.full(len(asked), NEVER, np.int64)
    known = earlier.games > 0
    idle[known] = asked.day[known] - history.day[earlier.ends[known] - 1]
    return _Places(earlier.season_games + 1, _team_games(asked), idle)


def _team_games(asked: History) -> Integers:
    """Which game of its team's season each row belongs to, counted from 1."""
    played = pd.DataFrame({"team": asked.team_id, "day": asked.day, "game": asked.game})
    games = played.drop_duplicates().sort_values(["team", "day", "game"])
    games["number"] = games.groupby("team").cumcount() + 1
    return played.merge(games, how="left", on=["team", "day", "game"])["number"].to_numpy(np.int64)
