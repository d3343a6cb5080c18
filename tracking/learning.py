"""What the sources said, beside what is known: only the difference is written.

Rows hold no clock of this machine and no random id, so that processes which learn the same
responses write the same rows. What is known stands over responses that came before it, be it from
a person or from a later response.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import date
from typing import Any, Final

from nba.silver import Game, PlayerGame, RosterEntry, ScheduleEntry, Silver
from nba.stats import STATS
from tracking.frames import moment_text
from tracking.runs import TRACKING_NAMESPACE

__all__ = ["SILVER_SOURCES", "LearnReport", "Lessons", "lessons_of", "parts_of", "write_lessons"]

SILVER_SOURCES: Final = ("nba-live", "nba-stats", "folder")
"""Whose rows are learned; any other source is a person, or an import."""

Ask = Callable[[str, Sequence[Any]], Iterable[Sequence[Any]]]
WriteMany = Callable[[str, Sequence[Sequence[Any]]], object]
Row = tuple[Any, ...]

_MORE: Final = (
    *("started", "oreb", "dreb", "stl", "blk", "tov", "pf"),
    *("fgm", "fga", "fg3a", "ftm", "fta", "plus_minus"),
)
_GAME_VALUES: Final = (
    "game_date",
    "home_team_id",
    "away_team_id",
    "home_points",
    "away_points",
)
_BOX_VALUES: Final = ("game_date", "team_id", *STATS, *_MORE)
_SCHEDULE_VALUES: Final = (
    "game_date",
    "tipoff_utc",
    "status",
    "home_team_id",
    "away_team_id",
    "is_neutral",
    "label",
    "arena",
)
# A season has 28,000, and a transaction may have 16 MiB: some 70,000.
_MOST_BOX_SCORES: Final = 40_000
_UNSAID: Final = {"is_neutral": 0, "label": "", "arena": ""}


@dataclass(frozen=True, slots=True)
class LearnReport:
    """How many rows were new or changed: final scores, box scores, of these corrected ones,
    scheduled games, players who changed teams, names, and problems put into quarantine."""

    games: int = 0
    player_games: int = 0
    corrected: int = 0
    scheduled: int = 0
    roster_moves: int = 0
    players: int = 0
    problems: int = 0

    def __add__(self, other: LearnReport) -> LearnReport:
        return LearnReport(
            *(getattr(self, one.name) + getattr(other, one.name) for one in fields(self))
        )

    @property
    def is_empty(self) -> bool:
        """Whether all of it was known."""
        return self == LearnReport()


@dataclass(slots=True)
class Lessons:
    """Rows to write, as the tables have them; `corrections` are (box score key, stat, old, new)."""

    games: list[Row] = field(default_factory=list)
    player_games: list[Row] = field(default_factory=list)
    corrections: list[Row] = field(default_factory=list)
    scheduled: list[Row] = field(default_factory=list)
    rosters: list[Row] = field(default_factory=list)
    players: list[Row] = field(default_factory=list)
    problems: list[Row] = field(default_factory=list)

    def report(self) -> LearnReport:
        """The counts."""
        return LearnReport(
            games=len(self.games),
            player_games=len(self.player_games),
            corrected=len({row[1:3] for row in self.corrections}),
            scheduled=len(self.scheduled),
            roster_moves=len(self.rosters),
            players=len(self.players),
            problems=len(self.problems),
        )


def parts_of(silver: Silver) -> Iterator[Silver]:
    """`silver` in parts that fit into a transaction each.

    Final scores come last: a game that has one is never asked for again.
    """
    rows = silver.player_games
    while len(rows) > _MOST_BOX_SCORES:
        yield Silver(player_games=rows[:_MOST_BOX_SCORES])
        rows = rows[_MOST_BOX_SCORES:]
    yield replace(silver, player_games=rows)


def lessons_of(
    state: Ask, reference: Ask | None, silver: Silver, *, is_all: bool = False
) -> Lessons:
    """What of `silver` the state (schema `main`) and the reference do not say yet.

    With `is_all` it holds all responses there are: then no later one may have said otherwise.
    """
    lessons = Lessons()
    known = _Known(state, reference, is_all=is_all)
    _learn_games(known, silver.games, lessons)
    _learn_box_scores(known, silver.player_games, lessons)
    _learn_schedule(known, silver.schedule, lessons)
    _learn_rosters(known, silver.rosters, lessons)
    _learn_names(known, silver, lessons)
    there = known.keys("quarantine", "sha256", "place", [one.sha256 for one in silver.problems])
    lessons.problems = [
        (
            *(one.sha256, one.place, one.source, one.endpoint, one.parameters, one.reason),
            one.game_id,
            None if one.game_date is None else one.game_date.isoformat(),
            one.known_on.isoformat(),
        )
        for one in silver.problems
        if (one.sha256, one.place) not in there
    ]
    return lessons


def newest_learned(state: Ask) -> date | None:
    """The US Eastern date of the newest response that a row follows from, None without one."""
    sources = ", ".join(f"'{source}'" for source in SILVER_SOURCES)
    sql = f"""
    SELECT max(day) FROM (
      SELECT max(recorded_at) AS day FROM main.games WHERE source IN ({sources})
      UNION ALL SELECT max(recorded_at) FROM main.player_games WHERE source IN ({sources})
      UNION ALL SELECT max(known_on) FROM main.rosters
      UNION ALL SELECT max(known_on) FROM main.quarantine
    )
    """
    [(day,)] = state(sql, ())
    return None if day is None else date.fromisoformat(day[:10])


def write_lessons(write_many: WriteMany, lessons: Lessons) -> None:
    """Write them, within the caller's transaction."""
    tables = (
        ("games", ("game_id", *_GAME_VALUES, "source", "recorded_at"), 1, lessons.games),
        (
            "player_games",
            ("game_id", "player_id", *_BOX_VALUES, "source", "recorded_at"),
            2,
            lessons.player_games,
        ),
        (
            "result_corrections",
            *(
                (
                    *("correction_id", "game_id", "player_id", "stat"),
                    *("old_value", "new_value", "corrected_at"),
                ),
                1,
                lessons.corrections,
            ),
        ),
        ("scheduled_games", ("game_id", *_SCHEDULE_VALUES), 1, lessons.scheduled),
        ("rosters", ("player_id", "known_on", "team_id", "position"), 2, lessons.rosters),
        ("players", ("player_id", "player_name"), 1, lessons.players),
        (
            "quarantine",
            (
                *("sha256", "place", "source", "endpoint", "parameters", "reason"),
                *("game_id", "game_date", "known_on"),
            ),
            2,
            lessons.problems,
        ),
    )
    for table, columns, keys, rows in tables:
        if rows:
            changed = ", ".join(f"{name} = excluded.{name}" for name in columns[keys:])
            write_many(
                f"INSERT INTO {table} ({', '.join(columns)})"
                f" VALUES ({', '.join('?' * len(columns))})"
                f" ON CONFLICT ({', '.join(columns[:keys])}) DO UPDATE SET {changed}",
                rows,
            )


class _Known:
    """Look-ups in the state and, where there is one, in the reference."""

    def __init__(self, state: Ask, reference: Ask | None, *, is_all: bool) -> None:
        self.state = state
        self.reference = reference
        self._is_all = is_all

    def rows(
        self,
        schema: str,
        table: str,
        keys: Sequence[str],
        values: Sequence[str],
        ids: Iterable[Any],
    ) -> dict[Any, tuple[Any, ...]]:
        """Values by key (a tuple for several) of the rows whose first key is among `ids`."""
        ask = self.state if schema == "main" else self.reference
        if ask is None:
            return {}
        columns = ", ".join(f"k.{name}" for name in (*keys, *values))
        sql = (
            f"SELECT {columns} FROM json_each(?) AS j"
            f" CROSS JOIN {schema}.{table} AS k ON k.{keys[0]} = j.value"
        )
        found = {}
        for row in ask(sql, (json.dumps(sorted(set(ids))),)):
            key = row[0] if len(keys) == 1 else tuple(row[: len(keys)])
            found[key] = tuple(row[len(keys) :])
        return found

    def keys(self, table: str, first: str, second: str, ids: Iterable[Any]) -> set[Any]:
        """The pairs of keys of a table of the state whose first one is among `ids`."""
        return set(self.rows("main", table, (first, second), (), ids))

    def stands(self, row: Row | None, said: Game | PlayerGame) -> bool:
        """Whether a row of the state (its last values are source and recorded_at) is a newer word.

        Of a person by the moment, of another response by the date: no more of it is kept.
        """
        if row is None:
            return False
        source, recorded_at = row[-2:]
        if source in SILVER_SOURCES:
            return not self._is_all and bool(recorded_at > _recorded_at(said.known_on))
        return bool(recorded_at > moment_text(said.retrieved_at))


def _learn_games(known: _Known, games: Sequence[Game], lessons: Lessons) -> None:
    ids = [game.game_id for game in games]
    own = known.rows("main", "games", ("game_id",), (*_GAME_VALUES, "source", "recorded_at"), ids)
    bundled = known.rows("reference", "games", ("game_id",), _GAME_VALUES, ids)
    for game in games:
        there = own.get(game.game_id)
        if known.stands(there, game):
            continue
        values = tuple(_plain(getattr(game, name)) for name in _GAME_VALUES)
        if values != (bundled.get(game.game_id) if there is None else there[:-2]):
            lessons.games.append((game.game_id, *values, game.source, _recorded_at(game.known_on)))


def _learn_box_scores(known: _Known, rows: Sequence[PlayerGame], lessons: Lessons) -> None:
    ids, keys = [row.game_id for row in rows], ("game_id", "player_id")
    columns = (*_BOX_VALUES, "source", "recorded_at")
    own = known.rows("main", "player_games", keys, columns, ids)
    bundled = known.rows("reference", "player_games", keys, _BOX_VALUES, ids)
    nothing: Row = (None,) * len(_BOX_VALUES)
    replaced: list[tuple[PlayerGame, str, int, int]] = []
    for row in rows:
        there = own.get((row.game_id, row.player_id))
        if known.stands(there, row):
            continue
        stored = nothing if there is None else there[:-2]
        under = bundled.get((row.game_id, row.player_id), nothing)
        said = tuple(_plain(getattr(row, name)) for name in _BOX_VALUES)
        shown = tuple(b if a is None else a for a, b in zip(stored, under, strict=True))
        values = tuple(b if a is None else a for a, b in zip(said, stored, strict=True))
        if all(new in (None, old) for new, old in zip(said, shown, strict=True)):
            continue
        lessons.player_games.append(
            (row.game_id, row.player_id, *values, row.source, _recorded_at(row.known_on))
        )
        for stat in STATS:
            place = _BOX_VALUES.index(stat)
            if shown[place] is not None and shown[place] != said[place]:
                replaced.append((row, stat, shown[place], said[place]))
    lessons.corrections = _corrections(known, replaced)


def _corrections(known: _Known, replaced: Sequence[tuple[PlayerGame, str, int, int]]) -> list[Row]:
    """Rows of `result_corrections`; a value that goes back and forth has one for each time."""
    if not replaced:
        return []
    sql = (
        "SELECT c.game_id, c.player_id, c.stat, count(*) FROM main.result_corrections AS c"
        " WHERE c.game_id IN (SELECT value FROM json_each(?)) GROUP BY 1, 2, 3"
    )
    games = json.dumps(sorted({row.game_id for row, _, _, _ in replaced}))
    times = {tuple(key): count for *key, count in known.state(sql, (games,))}
    return [
        (
            _correction_id(row, stat, times.get((row.game_id, row.player_id, stat), 0), old, new),
            *(row.game_id, row.player_id, stat, old, new),
            _recorded_at(row.known_on),
        )
        for row, stat, old, new in replaced
    ]


def _correction_id(row: PlayerGame, stat: str, nth: int, old: int, new: int) -> str:
    what = ("correction", row.game_id, row.player_id, stat, nth, old, new)
    return str(uuid.uuid5(TRACKING_NAMESPACE, "|".join(str(part) for part in what)))


def _learn_schedule(known: _Known, entries: Sequence[ScheduleEntry], lessons: Lessons) -> None:
    ids = [entry.game_id for entry in entries]
    own = known.rows("main", "scheduled_games", ("game_id",), _SCHEDULE_VALUES, ids)
    columns = tuple(name for name in _SCHEDULE_VALUES if name != "status")
    place = _SCHEDULE_VALUES.index("status")
    bundled = {
        game_id: (*row[:place], "scheduled", *row[place:])
        for game_id, row in known.rows("reference", "schedule", ("game_id",), columns, ids).items()
    }
    for entry in entries:
        there = own.get(entry.game_id, bundled.get(entry.game_id))
        values = []
        for number, name in enumerate(_SCHEDULE_VALUES):
            value = _plain(getattr(entry, name))
            if value is None and name in _UNSAID:
                value = None if there is None else there[number]
                value = _UNSAID[name] if value is None else value
            values.append(value)
        old = (
            None
            if there is None
            else tuple(
                _UNSAID[name] if value is None and name in _UNSAID else value
                for name, value in zip(_SCHEDULE_VALUES, there, strict=True)
            )
        )
        if tuple(values) != old:
            lessons.scheduled.append((entry.game_id, *values))


def _learn_rosters(known: _Known, entries: Sequence[RosterEntry], lessons: Lessons) -> None:
    team_of: dict[int, int | None] = {}
    if known.reference is not None:
        sql = (
            "SELECT p.player_id, t.team_id FROM reference.players AS p"
            " LEFT JOIN reference.teams AS t ON t.team = p.roster_team"
        )
        team_of = {row[0]: row[1] for row in known.reference(sql, ())}
    history: dict[int, list[tuple[str, int | None]]] = {}
    sql = "SELECT player_id, known_on, team_id FROM main.rosters ORDER BY player_id, known_on"
    for player_id, known_on, team_id in known.state(sql, ()):
        history.setdefault(player_id, []).append((known_on, team_id))
    for entry in sorted(entries, key=lambda one: (one.player_id, one.known_on)):
        day, own = entry.known_on.isoformat(), history.setdefault(entry.player_id, [])
        before = [team for known_on, team in own if known_on <= day]
        if before:
            is_new = before[-1] != entry.team_id
        elif entry.player_id in team_of:
            is_new = team_of[entry.player_id] != entry.team_id
        else:
            is_new = entry.team_id is not None
        if is_new:
            lessons.rosters.append((entry.player_id, day, entry.team_id, entry.position))
            own[:] = sorted([*(one for one in own if one[0] != day), (day, entry.team_id)])


def _learn_names(known: _Known, silver: Silver, lessons: Lessons) -> None:
    names = {one.player_id: one.player_name for one in silver.rosters if one.team_id is not None}
    names |= {row.player_id: row.player_name for row in silver.player_games}
    own = known.rows("main", "players", ("player_id",), (), names)
    bundled = known.rows("reference", "players", ("player_id",), (), names)
    lessons.players = [
        (player_id, name)
        for player_id, name in sorted(names.items())
        if name and player_id not in own and player_id not in bundled
    ]


def _plain(value: Any) -> Any:
    """A value as its column holds it."""
    if isinstance(value, bool):
        return int(value)
    # A datetime is a date too.
    if hasattr(value, "astimezone"):
        return value.strftime("%Y-%m-%dT%H:%M:%S+00:00")
    if isinstance(value, date):
        return value.isoformat()
    return getattr(value, "value", value)


def _recorded_at(known_on: date) -> str:
    """The begin of a day: the hour would differ between processes that learn the same."""
    return f"{known_on.isoformat()}T00:00:00.000000Z"
