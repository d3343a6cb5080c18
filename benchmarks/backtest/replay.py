"""A season's slates as the app would have shown them, one evening after the other."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import numpy as np
import pandas as pd

from benchmarks.backtest.projector import Progress, Projector
from nba.reference import Reference
from nba.slate import GameProjection, PlayerProjection, SlateProjection
from nba.stats import MARKETS

__all__ = ["Replay", "replay", "result_table"]

_BAND: Final = ("mean", "median", "floor", "ceiling")
_EPOCH: Final = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Replay:
    """What the app would have shown.

    `players` has the columns game, player_id, team_id and for each market points_mean,
    points_median, points_floor, points_ceiling and so on. `informed` is the same with the inactive
    list known, None without a list. `games` has game, day, season, home_team_id, away_team_id,
    given (home win probability), elo (plain Elo's), home_expected and away_expected (points).
    """

    players: pd.DataFrame
    informed: pd.DataFrame | None
    games: pd.DataFrame


def replay(
    projector: Projector,
    dates: Sequence[date],
    inactive: Mapping[date, Collection[int]] | None,
    progress: Progress,
) -> Replay:
    """Project the regular-season games of `dates`; `inactive` has player ids by date."""
    players: list[tuple[Any, ...]] = []
    informed: list[tuple[Any, ...]] = []
    games: list[tuple[Any, ...]] = []
    for number, day in enumerate(dates):
        progress(number / len(dates), f"Slate {number + 1:,} of {len(dates):,}")
        slate = projector.slate(day)
        regular = _regular(slate)
        players += [_player(one) for one in slate.players if one.game_id in regular]
        games += [_game(one) for one in slate.games if one.game.game_id in regular]
        if inactive is not None:
            told = projector.slate(day, inactive[day]) if inactive.get(day) else slate
            informed += [_player(one) for one in told.players if one.game_id in regular]
    names = ["game", "player_id", "team_id"]
    names += [f"{market}_{part}" for market in MARKETS for part in _BAND]
    game_names = ["game", "day", "season", "home_team_id", "away_team_id", "given", "elo"]
    return Replay(
        players=pd.DataFrame(players, columns=names),
        informed=None if inactive is None else pd.DataFrame(informed, columns=names),
        games=pd.DataFrame(games, columns=[*game_names, "home_expected", "away_expected"]),
    )


def result_table(reference: Reference) -> pd.DataFrame:
    """Final scores by game (its id as a number).

    Columns season, is_regular, home_points, away_points, home_won (0 or 1).
    """
    games = reference.games()
    return pd.DataFrame(
        {
            "season": games["season"].to_numpy(),
            "is_regular": games["game_id"].str.startswith("002").to_numpy(),
            "home_points": games["home_points"].to_numpy(np.float64),
            "away_points": games["away_points"].to_numpy(np.float64),
            "home_won": (games["home_points"] > games["away_points"]).to_numpy(np.float64),
        },
        index=games["game_id"].astype(np.int64),
    )


def _regular(slate: SlateProjection) -> set[str]:
    return {one.game.game_id for one in slate.games if one.game.season_type == "regular"}


def _player(player: PlayerProjection) -> tuple[Any, ...]:
    numbers = [getattr(player.bands[market], part) for market in MARKETS for part in _BAND]
    return (int(player.game_id), player.player_id, player.team_id, *numbers)


def _game(projection: GameProjection) -> tuple[Any, ...]:
    game = projection.game
    return (
        int(game.game_id),
        (game.slate_date - _EPOCH).days,
        game.season,
        game.home_team_id,
        game.away_team_id,
        projection.home_win_probability,
        projection.elo_home_win_probability,
        projection.home_points,
        projection.away_points,
    )
