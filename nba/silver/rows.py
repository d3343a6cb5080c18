"""The rows of silver: what responses say, checked and in our own words.

Every row is a function of the responses alone. `known_on` is the US Eastern date on which the
response that gave the row its present values was retrieved.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

__all__ = [
    "Game",
    "GameStatus",
    "PlayerGame",
    "Problem",
    "RosterEntry",
    "ScheduleEntry",
    "Silver",
]


class GameStatus(StrEnum):
    """Whether a scheduled game will be played as it stands."""

    SCHEDULED = "scheduled"
    POSTPONED = "postponed"


@dataclass(frozen=True, slots=True)
class ScheduleEntry:
    """A game on the schedule; teams None while undecided, tip-off (UTC) None while unknown.

    `is_neutral`, `label` and `arena` are None where the response does not speak of them (a
    scoreboard has no arenas); what was known before then stays.
    """

    game_id: str
    game_date: date
    tipoff_utc: datetime | None
    status: GameStatus
    home_team_id: int | None
    away_team_id: int | None
    is_neutral: bool | None
    label: str | None
    arena: str | None
    known_on: date


@dataclass(frozen=True, slots=True)
class Game:
    """A finished game's final score."""

    game_id: str
    game_date: date
    home_team_id: int
    away_team_id: int
    home_points: int
    away_points: int
    known_on: date
    retrieved_at: datetime
    source: str


@dataclass(frozen=True, slots=True)
class PlayerGame:
    """What one player did in one finished game in which he played.

    `minutes` are rounded to whole minutes; `started` is None where the response does not say (a
    game log), and what was known before then stays.
    """

    game_id: str
    player_id: int
    player_name: str
    game_date: date
    team_id: int
    minutes: int
    points: int
    rebounds: int
    assists: int
    threes: int
    started: bool | None
    oreb: int | None
    dreb: int | None
    stl: int | None
    blk: int | None
    tov: int | None
    pf: int | None
    fgm: int | None
    fga: int | None
    fg3a: int | None
    ftm: int | None
    fta: int | None
    plus_minus: int | None
    known_on: date
    retrieved_at: datetime
    source: str


@dataclass(frozen=True, slots=True)
class RosterEntry:
    """Whose player somebody is from `known_on` on; `team_id` None is on no roster.

    A player has an entry for each date on which another team or position became known.
    """

    player_id: int
    player_name: str
    position: str
    team_id: int | None
    known_on: date


@dataclass(frozen=True, slots=True)
class Problem:
    """A response, or a part of one, that is not believed; it is kept and the rest goes on.

    `place` says where in the response ("" is all of it), `reason` what is wrong in a sentence.
    `game_id` and `game_date` where they could be read.
    """

    sha256: str
    place: str
    source: str
    endpoint: str
    parameters: str
    reason: str
    game_id: str | None
    game_date: date | None
    known_on: date


@dataclass(frozen=True, slots=True)
class Silver:
    """All rows, each tuple in order of its keys."""

    schedule: tuple[ScheduleEntry, ...] = ()
    games: tuple[Game, ...] = ()
    player_games: tuple[PlayerGame, ...] = ()
    rosters: tuple[RosterEntry, ...] = ()
    problems: tuple[Problem, ...] = ()
