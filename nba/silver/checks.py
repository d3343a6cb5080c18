"""What a response gave: rows, and doubts about the parts of it that are not believed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final

from nba.bronze import Document
from nba.seasons import season_of, slate_date_of
from nba.silver.record import Malformed, shown
from nba.silver.rows import Game, PlayerGame, RosterEntry, ScheduleEntry

__all__ = [
    "Doubt",
    "Found",
    "Impossible",
    "Origin",
    "Parts",
    "check_game_id",
    "check_season",
    "check_teams",
    "is_all_star",
    "is_game_id",
    "is_preseason",
    "named_game",
]

_PRESEASON, _ALL_STAR = "001", "003"
_KINDS: Final = {_PRESEASON, "002", _ALL_STAR, "004", "005", "006"}


class Impossible(Exception):
    """Values that cannot be, or that do not fit each other."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where and when rows were said: `known_on` is the US Eastern date of `retrieved_at` (UTC)."""

    source: str
    retrieved_at: datetime
    known_on: date

    @classmethod
    def of(cls, document: Document) -> Origin:
        """Of a response."""
        moment = document.retrieved_at
        return cls(document.source, moment, slate_date_of(moment))


@dataclass(frozen=True, slots=True)
class Doubt:
    """A part of a response that is not believed; `place` "" is all of it."""

    place: str
    reason: str
    game_id: str | None = None
    game_date: date | None = None


@dataclass(slots=True)
class Found:
    """What one response gave."""

    schedule: list[ScheduleEntry] = field(default_factory=list)
    games: list[Game] = field(default_factory=list)
    player_games: list[PlayerGame] = field(default_factory=list)
    rosters: list[RosterEntry] = field(default_factory=list)
    doubts: list[Doubt] = field(default_factory=list)


@dataclass(slots=True)
class Parts:
    """The parts of one response, each believed or not, so that the rest of a night goes on."""

    _count: int = 0
    _malformed: list[Doubt] = field(default_factory=list)
    _impossible: list[Doubt] = field(default_factory=list)

    @contextmanager
    def part(
        self, place: str, game_id: str | None = None, game_date: date | None = None
    ) -> Iterator[None]:
        """What is raised in here, Malformed or Impossible, is said of this part alone."""
        self._count += 1
        try:
            yield
        except Malformed as error:
            self._malformed.append(Doubt(place, str(error), game_id, game_date))
        except Impossible as error:
            self._impossible.append(Doubt(place, str(error), game_id, game_date))

    def doubts(self) -> list[Doubt]:
        """One for each part that is not believed; one for all if no part has the NBA's shape."""
        if self._malformed and len(self._malformed) == self._count:
            first = self._malformed[0]
            if self._count == 1:
                return [Doubt("", first.reason, first.game_id, first.game_date)]
            return [Doubt("", f"{first.reason} The same in all {self._count:,} parts.")]
        return [*self._malformed, *self._impossible]


def named_game(value: object) -> str | None:
    """The id of a game that an object in the live feed or the schedule is about, if it has one."""
    game_id = value.get("gameId") if isinstance(value, dict) else None
    return game_id if isinstance(game_id, str) and is_game_id(game_id) else None


def is_game_id(text: str) -> bool:
    """Whether this is the id of a game."""
    return len(text) == 10 and text.isascii() and text.isdecimal() and text[:3] in _KINDS


def check_game_id(game_id: str) -> None:
    """Impossible for what is no id of an NBA game."""
    if not is_game_id(game_id):
        raise Impossible(f"{shown(game_id)} is not the id of a game.")


def is_preseason(game_id: str) -> bool:
    """Whether a game counts for nothing: its results are not wanted."""
    return game_id.startswith(_PRESEASON)


def is_all_star(game_id: str) -> bool:
    """Whether a game is no club's."""
    return game_id.startswith(_ALL_STAR)


def check_season(game_id: str, day: date) -> None:
    """Impossible for a date outside of the season that a game's id names."""
    if season_of(day)[2:4] != game_id[3:5]:
        raise Impossible(f"Game {game_id} is of another season than its date {day.isoformat()}.")


def check_teams(home_id: int | None, away_id: int | None, teams: Mapping[int, str]) -> None:
    """Impossible unless these are two of `teams`, the league's; None is a team yet undecided."""
    for team_id in (home_id, away_id):
        if team_id is not None and team_id not in teams:
            raise Impossible(f"Team {team_id} is not one of the league's.")
    if home_id is not None and home_id == away_id:
        raise Impossible(f"Team {home_id} plays against itself.")
