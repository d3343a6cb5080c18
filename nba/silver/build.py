"""Silver out of bronze: every response read, and what they say put together."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import date
from typing import Final, TypeVar

from nba.bronze import Document
from nba.silver.box_score import read_box_score
from nba.silver.checks import Doubt, Found, Origin
from nba.silver.game_log import read_game_log
from nba.silver.player_index import read_player_index
from nba.silver.record import Malformed
from nba.silver.rows import Game, PlayerGame, Problem, RosterEntry, ScheduleEntry, Silver
from nba.silver.schedule import read_schedule
from nba.silver.scoreboard import read_scoreboard
from nba.sources.wanted import Endpoint

__all__ = ["combined", "silver_of"]

_Key = TypeVar("_Key", str, date, tuple[str, int], tuple[str, str])
_Row = TypeVar("_Row", Game, PlayerGame, ScheduleEntry)
_Any = TypeVar("_Any")

# What may be left unsaid: None there leaves what an earlier response said.
_MAY_BE_UNSAID: Final = {
    Game: (),
    PlayerGame: ("started",),
    ScheduleEntry: ("is_neutral", "label", "arena"),
}
# Whoever says the same later, or writes a name in another way, changes nothing.
_NO_VALUES: Final = {"known_on", "retrieved_at", "source", "player_name"}


def silver_of(documents: Iterable[Document], teams: Mapping[int, str]) -> Silver:
    """The rows that responses give, whatever their order; `teams` are abbreviations by id.

    A later response (by time, then hash) goes over an earlier one, key by key. A response that
    is not believed, or a part of one, is a Problem; nothing is raised.
    """
    dated = [(document.retrieved_at, document.sha256, document) for document in documents]
    dated.sort(key=lambda one: one[:2])
    return combined(_silver(document, sha256, teams) for _, sha256, document in dated)


def combined(parts: Iterable[Silver]) -> Silver:
    """What parts say together, in the order of their responses' times.

    A row stays as it is, `known_on` and all, for as long as later ones say the same.
    """
    together = _Together()
    for part in parts:
        together.add(part)
    return together.silver()


@dataclass(slots=True)
class _Together:
    schedule: dict[str, ScheduleEntry] = field(default_factory=dict)
    games: dict[str, Game] = field(default_factory=dict)
    player_games: dict[tuple[str, int], PlayerGame] = field(default_factory=dict)
    rosters: dict[int, dict[date, RosterEntry]] = field(default_factory=dict)
    problems: dict[tuple[str, str], Problem] = field(default_factory=dict)

    def add(self, part: Silver) -> None:
        for entry in part.schedule:
            _put(self.schedule, entry.game_id, entry)
        for game in part.games:
            _put(self.games, game.game_id, game)
        for row in part.player_games:
            _put(self.player_games, (row.game_id, row.player_id), row)
        for listed in part.rosters:
            _list(self.rosters.setdefault(listed.player_id, {}), listed)
        for problem in part.problems:
            self.problems.setdefault((problem.sha256, problem.place), problem)

    def silver(self) -> Silver:
        return Silver(
            schedule=_in_order(self.schedule),
            games=_in_order(self.games),
            player_games=_in_order(self.player_games),
            rosters=tuple(
                entry for _, known in sorted(self.rosters.items()) for entry in _in_order(known)
            ),
            problems=_in_order(self.problems),
        )


def _in_order(rows: Mapping[_Key, _Any]) -> tuple[_Any, ...]:
    return tuple(rows[key] for key in sorted(rows))


def _put(rows: dict[_Key, _Row], key: _Key, row: _Row) -> None:
    earlier = rows.get(key)
    if earlier is not None:
        said = {
            name: getattr(earlier, name)
            for name in _MAY_BE_UNSAID[type(row)]
            if getattr(row, name) is None
        }
        row = replace(row, **said) if said else row
        if _values(earlier) == _values(row):
            return
    rows[key] = row


def _list(known: dict[date, RosterEntry], listed: RosterEntry) -> None:
    """Of a date the last word counts, and only if it differs from that of the date before."""
    before = max((day for day in known if day < listed.known_on), default=None)
    if before is not None and _values(known[before]) == _values(listed):
        known.pop(listed.known_on, None)
    else:
        known[listed.known_on] = listed


def _values(row: Game | PlayerGame | RosterEntry | ScheduleEntry) -> list[object]:
    return [getattr(row, one.name) for one in fields(row) if one.name not in _NO_VALUES]


def _silver(document: Document, sha256: str, teams: Mapping[int, str]) -> Silver:
    try:
        found = _read(document, teams)
    except Malformed as error:
        game_id = dict(document.wanted.parameters).get("game_id")
        found = Found(doubts=[Doubt("", str(error), game_id)])
    origin = Origin.of(document)
    parameters = "&".join(f"{name}={value}" for name, value in document.wanted.parameters)
    problems = (
        Problem(
            sha256=sha256,
            place=doubt.place,
            source=document.source,
            endpoint=document.wanted.endpoint.value,
            parameters=parameters,
            reason=doubt.reason,
            game_id=doubt.game_id,
            game_date=doubt.game_date,
            known_on=origin.known_on,
        )
        for doubt in found.doubts
    )
    return Silver(
        schedule=tuple(found.schedule),
        games=tuple(found.games),
        player_games=tuple(found.player_games),
        rosters=tuple(found.rosters),
        problems=tuple(problems),
    )


def _read(document: Document, teams: Mapping[int, str]) -> Found:
    body, origin, wanted = _json(document.body), Origin.of(document), document.wanted
    match wanted.endpoint:
        case Endpoint.SCOREBOARD:
            return read_scoreboard(body, origin, teams)
        case Endpoint.BOX_SCORE:
            return read_box_score(body, origin, teams, wanted["game_id"])
        case Endpoint.SCHEDULE:
            return read_schedule(body, origin, teams)
        case Endpoint.GAME_LOG:
            return read_game_log(body, origin, teams)
        case Endpoint.PLAYER_INDEX:
            return read_player_index(body, origin, teams)


def _json(body: bytes) -> object:
    try:
        found: object = json.loads(body, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise Malformed("The response is not JSON.") from error
    return found


def _refuse(constant: str) -> object:
    raise ValueError(constant)
