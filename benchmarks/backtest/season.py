"""One season played again, and what is said of it and of several seasons together."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from benchmarks.backtest.figures import market_figures, with_negative_binomial
from benchmarks.backtest.lineups import out_figures, shown_figures
from benchmarks.backtest.projector import (
    FEWEST_SEASONS,
    MakeProjector,
    Progress,
    RowForecasts,
    Setting,
    without_results,
)
from benchmarks.backtest.replay import Replay, replay, result_table
from benchmarks.backtest.rows import market_frames, season_rows
from benchmarks.backtest.sources import Data, Yardsticks
from benchmarks.backtest.wins import OTHERS, game_frame, win_figures
from nba.errors import NbaError
from nba.stats import MARKETS

__all__ = [
    "NothingToReplay",
    "Played",
    "first_year_of",
    "play_season",
    "season_figures",
    "together_figures",
]

Figures = dict[str, Any]

_SEASON: Final = re.compile(r"(\d{4})-(\d{2})")
_EPOCH: Final = date(1970, 1, 1)
_PREPARED: Final = 0.35
_ROWS_DONE: Final = 0.45


class NothingToReplay(NbaError):
    """The data has no regular season of that name, or too little before it."""


@dataclass(frozen=True, slots=True)
class Played:
    """A season that has been played again.

    `markets` has a frame for each market, as `rows.market_frames` makes them, with the columns
    line (NaN without one) and those of the rival bands. `games` is as `wins.game_frame` makes it.
    """

    season: str
    version: str
    data_hash: str
    markets: Mapping[str, pd.DataFrame]
    games: pd.DataFrame
    replay: Replay
    inactive: pd.DataFrame | None


def first_year_of(season: str) -> int:
    """The year in which a season such as "2024-25" begins; NothingToReplay for another name."""
    found = _SEASON.fullmatch(season)
    if found is None or (int(found[1]) + 1) % 100 != int(found[2]):
        raise NothingToReplay(
            "Replaying a season", season, "seasons are named like 2024-25", "Name one like that"
        )
    return int(found[1])


def play_season(
    data: Data,
    yardsticks: Yardsticks,
    season: str,
    make: MakeProjector,
    cache: Path,
    progress: Progress,
) -> Played:
    """Project a regular season from the games of earlier dates, row by row and slate by slate.

    NothingToReplay if the data does not hold it, or not FEWEST_SEASONS before it.
    """
    first_year = first_year_of(season)
    history = data.history
    rows = season_rows(history, first_year)
    earlier = len(np.unique(history.season[history.season < first_year]))
    if len(rows) == 0 or earlier < FEWEST_SEASONS:
        missing = f"{earlier} seasons before it, and {FEWEST_SEASONS} are needed to learn from"
        missing = "no box scores of it" if len(rows) == 0 else missing
        raise NothingToReplay(
            "Replaying a season",
            season,
            f"the data has {missing}",
            "Add them to player_games.parquet and games.parquet and name the folder (DATA=folder)",
        )
    setting = Setting(data.reference, history, season, cache, _part(progress, 0.0, _PREPARED))
    projector = make(setting)
    progress(_PREPARED, f"Projecting {len(rows):,} player-games of {season}")
    before = season_rows(history, first_year - 1)
    asked = np.sort(np.concatenate([before, rows]))
    forecasts = projector.rows(without_results(history.take(asked)))
    of_season = market_frames(history, rows, _only(forecasts, np.isin(asked, rows)))
    of_before = market_frames(history, before, _only(forecasts, np.isin(asked, before)))
    days = [_EPOCH + timedelta(days=int(day)) for day in np.unique(history.day[rows])]
    inactive = _of_season(data.inactive, history.game[rows])
    shown = replay(
        projector,
        days,
        None if inactive is None else _by_date(inactive, of_season["points"]),
        _part(progress, _ROWS_DONE, 1.0),
    )
    markets = {}
    for market, frame in of_season.items():
        rival = with_negative_binomial(frame, of_before[market], _season_before(first_year))
        markets[market] = _with_lines(rival, market, yardsticks.lines)
    games = game_frame(shown.games, result_table(data.reference), yardsticks.forecasts)
    return Played(
        season=season,
        version=projector.version,
        data_hash=data.reference.info.content_hash,
        markets=markets,
        games=games,
        replay=shown,
        inactive=inactive,
    )


def season_figures(played: Played) -> Figures:
    """All figures of a season, as they go into `backtest-SEASON.json`."""
    shown = shown_figures(played.replay.players, dict(played.markets))
    return {
        "season": played.season,
        "model": played.version,
        "data": played.data_hash,
        "markets": {market: market_figures(played.markets[market]) for market in MARKETS},
        "wins": win_figures(played.games),
        "shown": shown,
        "who_is_out": out_figures(
            played.replay.players, played.replay.informed, played.inactive, dict(played.markets)
        ),
    }


def together_figures(seasons: Sequence[Played]) -> Figures:
    """Several seasons' rows and games put together, and their win figures averaged by season."""
    markets = {}
    for market in MARKETS:
        frame = pd.concat([one.markets[market] for one in seasons], ignore_index=True)
        markets[market] = market_figures(frame)
    games = pd.concat([one.games for one in seasons], ignore_index=True)
    return {
        "seasons": [one.season for one in seasons],
        "models": [one.version for one in seasons],
        "markets": markets,
        "wins": win_figures(games),
        "wins_by_season": {one.season: _short_wins(one.games) for one in seasons},
    }


def _short_wins(games: pd.DataFrame) -> Figures:
    figures = win_figures(games)
    names = ("n", "log_loss", "brier", "accuracy", "elo_log_loss")
    others = [f"{name}_log_loss" for name in OTHERS.values()]
    return {name: figures[name] for name in (*names, *others)}


def _part(progress: Progress, begin: float, end: float) -> Progress:
    return lambda share, words: progress(begin + share * (end - begin), words)


def _only(forecasts: RowForecasts, chosen: Any) -> RowForecasts:
    return RowForecasts(
        forecasts.mean[chosen],
        forecasts.median[chosen],
        forecasts.floor[chosen],
        forecasts.ceiling[chosen],
    )


def _season_before(first_year: int) -> str:
    return f"{first_year - 1}-{first_year % 100:02}"


def _of_season(inactive: pd.DataFrame | None, games: Any) -> pd.DataFrame | None:
    """The list of this season's games; None where it says nothing of them."""
    if inactive is None:
        return None
    chosen = inactive[inactive["game"].isin(np.unique(games))]
    return None if chosen.empty else chosen.reset_index(drop=True)


def _by_date(inactive: pd.DataFrame, rows: pd.DataFrame) -> dict[date, Collection[int]]:
    days = rows.drop_duplicates("game").set_index("game")["day"]
    listed = inactive.assign(day=inactive["game"].map(days))
    return {
        _EPOCH + timedelta(days=int(str(day))): sorted(set(part["player_id"]))
        for day, part in listed.groupby("day")
    }


def _with_lines(frame: pd.DataFrame, market: str, lines: pd.DataFrame | None) -> pd.DataFrame:
    if lines is None:
        return frame.assign(line=np.nan)
    own = lines[lines["market"] == market][["game", "player_id", "line"]]
    return frame.merge(own, how="left", on=["game", "player_id"])
