"""One season played again, and what is said of it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
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
from benchmarks.backtest.wins import game_frame, win_figures
from nba.errors import NbaError
from nba.history import History
from nba.stats import MARKETS

__all__ = [
    "NothingToReplay",
    "Played",
    "first_year_of",
    "play_season",
    "season_figures",
]

Figures = dict[str, Any]

_SEASON: Final = re.compile(r"(\d{4})-(\d{2})")
_EPOCH: Final = date(1970, 1, 1)
_PREPARED: Final = 0.35
_ROWS_DONE: Final = 0.45
_NAMED_AT_MOST: Final = 5


class NothingToReplay(NbaError):
    """The data has no regular season of that name, or too little before it."""


@dataclass(frozen=True, slots=True)
class Played:
    """A season that has been played again.

    `markets` has a frame for each market, as `rows.market_frames` makes them, with the columns
    line (NaN without one) and those of the rival bands. `games` is as `wins.game_frame` makes it.
    `notes` say what of the data could not be taken as it is, a sentence each.
    """

    season: str
    version: str
    data_hash: str
    markets: Mapping[str, pd.DataFrame]
    games: pd.DataFrame
    replay: Replay
    inactive: pd.DataFrame | None
    notes: tuple[str, ...] = ()


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
        notes=tuple(_notes(data, history.take(rows), games)),
    )


def season_figures(played: Played) -> Figures:
    """All figures of a season, as they go into `backtest-SEASON.json`."""
    shown = shown_figures(played.replay.players, dict(played.markets))
    return {
        "season": played.season,
        "model": played.version,
        "data": played.data_hash,
        "notes": list(played.notes),
        "markets": {market: market_figures(played.markets[market]) for market in MARKETS},
        "wins": win_figures(played.games),
        "shown": shown,
        "who_is_out": out_figures(
            played.replay.players, played.replay.informed, played.inactive, dict(played.markets)
        ),
    }


def _notes(data: Data, played: History, games: pd.DataFrame) -> Iterator[str]:
    """What the data lacks for a season; `games` are those of its slates with a final score."""
    ids = np.unique(played.game)
    unseen = np.setdiff1d(ids, games["game"])
    if len(unseen):
        yield (
            f"{len(unseen):,} of {len(ids):,} games with box scores are on no slate with a final"
            f" score, and in no figure of wins or of what is shown: {_named(unseen)}."
        )
    bare = np.setdiff1d(games["game"], ids)
    if len(bare):
        yield f"{len(bare):,} games have a final score and no box score: {_named(bare)}."
    for name, words in (("minutes", "minutes"), ("threes", "threes"), ("fga", "shots")):
        unknown = int(np.isnan(played.column(name)).sum())
        if unknown:
            yield f"{unknown:,} of {len(played):,} player-games have no {words}."
    unlisted = data.unlisted.intersection(int(one) for one in np.unique(played.player_id))
    if unlisted:
        yield f"Not in players.parquet: {_named(sorted(unlisted))}."


def _named(ids: Iterable[int]) -> str:
    known = [str(one) for one in ids]
    more = len(known) - _NAMED_AT_MOST
    return ", ".join(known[:_NAMED_AT_MOST]) + (f" and {more:,} more" if more > 0 else "")


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
