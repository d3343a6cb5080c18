"""What the reference's rows become: games, people, and frames of promised types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any, Final

import pandas as pd

from nba.seasons import ScheduledGame, UndecidedGame
from nba.stats import STATS

__all__ = [
    "PERSON_COLUMNS",
    "PLAYED_COLUMNS",
    "PLAYER_GAME_COLUMNS",
    "SCHEDULE_COLUMNS",
    "Game",
    "by_tipoff",
    "game_of",
    "people_of",
    "typed",
    "with_plan",
]

Game = ScheduledGame | UndecidedGame

SCHEDULE_COLUMNS: Final = (
    "game_id, season, season_type, game_date, tipoff_utc, home_team_id, home_team, away_team_id,"
    " away_team, is_neutral, label"
)
"""What `game_of` takes of the schedule."""

PLAYED_COLUMNS: Final = (
    "game_id, season, season_type, game_date, NULL, home_team_id, home_team, away_team_id,"
    " away_team, is_neutral, NULL"
)
"""What it takes of final scores, which have neither tip-off nor label."""

PERSON_COLUMNS: Final = ("player_id", "player_name", "coalesce(position, '') AS position")
PLAYER_GAME_COLUMNS: Final = (
    "player_id",
    "game_date",
    "game_id",
    "season",
    "season_type",
    "team_id",
    "opponent_id",
    "is_home",
    *STATS,
)


def game_of(row: Sequence[Any]) -> Game:
    """The game of a row with SCHEDULE_COLUMNS or PLAYED_COLUMNS."""
    game_id, season, season_type, day, tipoff, home_id, home, away_id, away, neutral, label = row
    slate_date = date.fromisoformat(day)
    if home_id is None or away_id is None:
        return UndecidedGame(game_id, season, season_type, slate_date, label or "")
    return ScheduledGame(
        game_id=game_id,
        season=season,
        season_type=season_type,
        slate_date=slate_date,
        tipoff_utc=None if tipoff is None else datetime.fromisoformat(tipoff),
        home_team_id=home_id,
        home_team=home,
        away_team_id=away_id,
        away_team=away,
        is_neutral=bool(neutral),
        label=label or "",
    )


def with_plan(played: Game, plans: Mapping[str, Game]) -> Game:
    """A game with a final score, with what only the schedule, here by game id, knows of it."""
    plan = plans.get(played.game_id)
    if plan is None:
        return played
    if isinstance(played, ScheduledGame) and isinstance(plan, ScheduledGame):
        played = replace(played, tipoff_utc=plan.tipoff_utc)
    return replace(played, label=plan.label)


def by_tipoff(game: ScheduledGame) -> tuple[bool, float, str]:
    """A key that sorts a slate: by tip-off, unknown ones last, then by id."""
    moment = game.tipoff_utc
    return (moment is None, 0.0 if moment is None else moment.timestamp(), game.game_id)


def people_of(player_ids: Sequence[int], known: pd.DataFrame) -> pd.DataFrame:
    """One row for each of some players, by player_id; who is not in `known` is named by his id.

    `known` has player_id, player_name and position, by player_id.
    """
    unknown = sorted({int(one) for one in player_ids} - set(known["player_id"]))
    if not unknown:
        return known
    rows = [(one, f"Player {one}", "") for one in unknown]
    everybody = pd.concat([known, pd.DataFrame(rows, columns=known.columns)])
    return everybody.sort_values("player_id").reset_index(drop=True)


def typed(frame: pd.DataFrame) -> pd.DataFrame:
    """The dtypes that frames promise, whatever the rows at hand look like."""
    dtypes: dict[str, str] = {name: "float64" for name in STATS if name in frame}
    if "game_date" in frame:
        dtypes["game_date"] = "datetime64[s]"
    dtypes |= {name: "bool" for name in ("is_home", "is_neutral") if name in frame}
    return frame.astype(dtypes) if dtypes else frame
