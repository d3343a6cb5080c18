"""Results that a person brings: whose they are, of which game, and what they change."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

import apsw

from nba.stats import STATS, Stat
from tracking.errors import RowProblem, RowProblemKind
from tracking.frames import moment_text, name_key
from tracking.results_file import ResultRow
from tracking.runs import TRACKING_NAMESPACE

__all__ = [
    "LEGACY_GAME_PREFIX",
    "BoxScore",
    "Changes",
    "Execute",
    "ExecuteMany",
    "Known",
    "ResultsReport",
    "changes_of",
    "known_results",
    "nothing_known",
    "resolve",
    "write_changes",
]

LEGACY_GAME_PREFIX = "legacy-"
"""How the id of a game begins that an import could not find in any schedule."""

Execute = Callable[[str, Sequence[str]], Iterable[Sequence[object]]]
"""Runs one statement with its bindings; the rows it gives."""

ExecuteMany = Callable[[str, Sequence[tuple[str | int | None, ...]]], object]
"""Runs one statement once for each row of bindings."""

Known = Callable[[str, int], Mapping[Stat, int | None] | None]
"""Looks up what a player (an id) did in a game (an id)."""


@dataclass(frozen=True, slots=True)
class ResultsReport:
    """What an import of results did, in rows of the file.

    `recorded` are new, `corrected` changed a known value, `unchanged` were known already and
    `duplicates` repeat another row of the file. `dates` are the US Eastern dates concerned.
    """

    rows: int
    recorded: int
    corrected: int
    unchanged: int
    duplicates: int
    dates: tuple[date, ...]
    ignored_columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BoxScore:
    """One player's game, found in the log or the schedule."""

    row: int
    game_id: str
    player_id: int
    game_date: date
    team_id: int | None
    values: Mapping[Stat, int | None]


@dataclass(frozen=True, slots=True)
class Changes:
    """What has to be written: box scores with the values to keep, and replaced values.

    The counts are rows of the file; `unchanged` ones are known already.
    """

    written: tuple[tuple[BoxScore, Mapping[Stat, int | None]], ...]
    corrections: tuple[tuple[BoxScore, Stat, int], ...]
    recorded: int
    corrected: int
    unchanged: int


@dataclass(slots=True)
class _Evening:
    """What is known of one date: its games, and which players are in which of them."""

    teams: dict[str, dict[str, int]] = field(default_factory=dict)
    played: dict[int, dict[str, int | None]] = field(default_factory=dict)
    predicted: dict[int, dict[str, int | None]] = field(default_factory=dict)

    def games_of_player(self, player_id: int) -> dict[str, int | None]:
        found = self.played.get(player_id) or self.predicted.get(player_id) or {}
        real = {k: v for k, v in found.items() if not k.startswith(LEGACY_GAME_PREFIX)}
        return real or found

    def games_of_team(self, team: str) -> dict[str, int | None]:
        return {game_id: teams[team] for game_id, teams in self.teams.items() if team in teams}


@dataclass(frozen=True, slots=True)
class _People:
    names: Mapping[int, str]
    by_name: Mapping[str, tuple[int, ...]]
    roster_team: Mapping[int, str]


def resolve(
    connection: apsw.Connection, rows: Sequence[ResultRow], *, has_reference: bool
) -> tuple[list[BoxScore], list[RowProblem], int]:
    """Find player and game of every row; the box scores, the problems, and how many rows repeat.

    Repeated rows that say the same are one box score; rows that contradict each other are a
    problem of both.
    """
    people = _people(connection, has_reference=has_reference)
    evenings = {
        day: _evening(connection, day, has_reference=has_reference)
        for day in sorted({row.game_date for row in rows})
    }
    problems: list[RowProblem] = []
    first: dict[tuple[str, int], BoxScore] = {}
    duplicates = 0
    for row in rows:
        found = _box_score(row, people, evenings[row.game_date])
        if isinstance(found, RowProblem):
            problems.append(found)
            continue
        earlier = first.setdefault((found.game_id, found.player_id), found)
        if earlier is found:
            continue
        if earlier.values == found.values:
            duplicates += 1
            continue
        name = people.names.get(found.player_id, f"player {found.player_id}")
        detail = f"rows {earlier.row} and {found.row} give different results of {name}"
        problems.append(RowProblem(found.row, RowProblemKind.CONFLICT, detail))
    return list(first.values()), problems, duplicates


def changes_of(
    box_scores: Iterable[BoxScore],
    learned: Known,
    bundled: Known,
) -> Changes:
    """Compare box scores with what is known: `learned` in the state first, then `bundled`."""
    written: list[tuple[BoxScore, Mapping[Stat, int | None]]] = []
    corrections: list[tuple[BoxScore, Stat, int]] = []
    recorded = corrected = unchanged = 0
    for box_score in box_scores:
        key = (box_score.game_id, box_score.player_id)
        own = learned(*key) or {}
        known = bundled(*key) or {}
        shown = {s: known.get(s) if own.get(s) is None else own[s] for s in STATS}
        new = {s: v for s, v in box_score.values.items() if v is not None and v != shown[s]}
        if not new:
            unchanged += 1
            continue
        replaced = [(box_score, stat, old) for stat in new if (old := shown[stat]) is not None]
        corrections.extend(replaced)
        corrected += bool(replaced)
        recorded += not replaced
        merged: dict[Stat, int | None] = {}
        for stat in STATS:
            value = box_score.values.get(stat)
            merged[stat] = own.get(stat) if value is None else value
        written.append((box_score, merged))
    return Changes(tuple(written), tuple(corrections), recorded, corrected, unchanged)


def nothing_known(game_id: str, player_id: int) -> None:
    """A look-up that knows no results."""


def known_results(execute: Execute, schema: str, box_scores: Iterable[BoxScore]) -> Known:
    """What `schema`, `main` or `reference`, holds now of the games of these box scores."""
    sql = (
        f"SELECT k.game_id, k.player_id, {', '.join(f'k.{stat}' for stat in STATS)}"
        f" FROM json_each(?) AS j CROSS JOIN {schema}.player_games AS k ON k.game_id = j.value"
    )
    found: dict[tuple[str, int], dict[Stat, int | None]] = {}
    games = json.dumps(sorted({box_score.game_id for box_score in box_scores}))
    for game_id, player_id, *values in execute(sql, (games,)):
        numbers = (None if value is None else int(str(value)) for value in values)
        found[str(game_id), int(str(player_id))] = dict(zip(STATS, numbers, strict=True))
    return lambda game_id, player_id: found.get((game_id, player_id))


def write_changes(execute_many: ExecuteMany, changes: Changes, source: str, now: datetime) -> None:
    """Write box scores and, for every replaced value, a row of `result_corrections`."""
    recorded_at = moment_text(now)
    execute_many(
        "INSERT INTO player_games (game_id, player_id, game_date, team_id,"
        f" {', '.join(STATS)}, source, recorded_at) VALUES (?,?,?,?,?,?,?,?,?,?,?)"
        " ON CONFLICT (game_id, player_id) DO UPDATE SET"
        f" {', '.join(f'{stat} = excluded.{stat}' for stat in STATS)},"
        " team_id = COALESCE(excluded.team_id, team_id), source = excluded.source,"
        " recorded_at = excluded.recorded_at",
        [
            (
                box_score.game_id,
                box_score.player_id,
                box_score.game_date.isoformat(),
                box_score.team_id,
                *(values[stat] for stat in STATS),
                source,
                recorded_at,
            )
            for box_score, values in changes.written
        ],
    )
    execute_many(
        "INSERT INTO result_corrections (correction_id, game_id, player_id, stat, old_value,"
        " new_value, corrected_at) VALUES (?,?,?,?,?,?,?)"
        " ON CONFLICT (correction_id) DO NOTHING",
        [
            (
                _correction_id(box_score, stat, old, recorded_at),
                box_score.game_id,
                box_score.player_id,
                stat,
                old,
                box_score.values[stat],
                recorded_at,
            )
            for box_score, stat, old in changes.corrections
        ],
    )


def _correction_id(box_score: BoxScore, stat: Stat, old: int, recorded_at: str) -> str:
    new = box_score.values[stat]
    what = (box_score.game_id, box_score.player_id, stat, old, new, recorded_at)
    return str(uuid.uuid5(TRACKING_NAMESPACE, "|".join(str(part) for part in what)))


def _people(connection: apsw.Connection, *, has_reference: bool) -> _People:
    names: dict[int, str] = {}
    roster_team: dict[int, str] = {}
    for player_id, name in connection.execute("SELECT player_id, player_name FROM main.players"):
        names[player_id] = name
    if has_reference:
        sql = "SELECT player_id, player_name, roster_team FROM reference.players"
        for player_id, name, team in connection.execute(sql):
            names[player_id] = name
            if team is not None:
                roster_team[player_id] = team
    by_name: dict[str, list[int]] = {}
    for player_id, name in sorted(names.items()):
        by_name.setdefault(name_key(name), []).append(player_id)
    return _People(names, {key: tuple(ids) for key, ids in by_name.items()}, roster_team)


def _evening(connection: apsw.Connection, day: date, *, has_reference: bool) -> _Evening:
    evening = _Evening()
    key = (day.isoformat(),)
    if has_reference:
        for table in ("games", "schedule"):
            sql = (
                "SELECT game_id, home_team, home_team_id, away_team, away_team_id"
                f" FROM reference.{table} WHERE game_date = ?"
            )
            for game_id, *teams in connection.execute(sql, key):
                _add_game(evening, game_id, teams)
        sql = "SELECT player_id, game_id, team_id FROM reference.player_games WHERE game_date = ?"
        for player_id, game_id, team_id in connection.execute(sql, key):
            evening.played.setdefault(player_id, {})[game_id] = team_id
    sql = (
        "SELECT DISTINCT game_id, home_team, home_team_id, away_team, away_team_id"
        " FROM main.game_predictions WHERE game_date = ?"
    )
    for game_id, *teams in connection.execute(sql, key):
        _add_game(evening, game_id, teams)
    sql = (
        "SELECT DISTINCT p.player_id, p.game_id, p.team_id FROM main.game_predictions AS g"
        " CROSS JOIN main.predictions AS p ON p.run_id = g.run_id AND p.game_id = g.game_id"
        " WHERE g.game_date = ?"
    )
    for player_id, game_id, team_id in connection.execute(sql, key):
        evening.predicted.setdefault(player_id, {})[game_id] = team_id
    return evening


def _add_game(evening: _Evening, game_id: str, teams: Sequence[str | int | None]) -> None:
    home, home_id, away, away_id = teams
    known = evening.teams.setdefault(game_id, {})
    for team, team_id in ((home, home_id), (away, away_id)):
        if isinstance(team, str) and isinstance(team_id, int):
            known[team] = team_id


def _box_score(row: ResultRow, people: _People, evening: _Evening) -> BoxScore | RowProblem:
    player_id = _player_of(row, people, evening)
    if isinstance(player_id, RowProblem):
        return player_id
    games = _games_of(row, player_id, people, evening)
    day = row.game_date.isoformat()
    name = people.names.get(player_id, f"player {player_id}")
    if row.game_id:
        if row.game_id not in evening.teams:
            detail = f"no game {row.game_id} is known on {day}"
            return RowProblem(row.row, RowProblemKind.NO_GAME, detail)
        games = {row.game_id: games.get(row.game_id)}
    if not games:
        team = f" with {row.team}" if row.team else ""
        detail = f"no game of {name}{team} is known on {day}"
        return RowProblem(row.row, RowProblemKind.NO_GAME, detail)
    if len(games) > 1:
        detail = f"{name} may have played in {' or '.join(sorted(games))} on {day}; add game_id"
        return RowProblem(row.row, RowProblemKind.AMBIGUOUS_GAME, detail)
    ((game_id, team_id),) = games.items()
    return BoxScore(row.row, game_id, player_id, row.game_date, team_id, row.values)


def _player_of(row: ResultRow, people: _People, evening: _Evening) -> int | RowProblem:
    named = people.by_name.get(name_key(row.player_name), ()) if row.player_name else ()
    if row.player_id is not None:
        known = (
            row.player_id in people.names
            or row.player_id in evening.predicted
            or row.player_id in evening.played
        )
        if not known:
            detail = f"no player has the id {row.player_id}"
            return RowProblem(row.row, RowProblemKind.UNKNOWN_PLAYER, detail)
        if named and row.player_id not in named:
            owner = people.names.get(row.player_id, "another player")
            detail = f"id {row.player_id} is {owner}, not {row.player_name}"
            return RowProblem(row.row, RowProblemKind.AMBIGUOUS_PLAYER, detail)
        return row.player_id
    if not named:
        detail = f"no player is called {row.player_name!r}"
        return RowProblem(row.row, RowProblemKind.UNKNOWN_PLAYER, detail)
    if len(named) > 1:
        # A namesake who had no game that evening, or plays for another team, cannot be meant.
        named = tuple(i for i in named if _games_of(row, i, people, evening)) or named
        named = tuple(i for i in named if row.team in _teams_of(i, people, evening)) or named
    if len(named) > 1:
        detail = (
            f"{row.player_name} may be player {' or '.join(str(i) for i in named)}; add player_id"
        )
        return RowProblem(row.row, RowProblemKind.AMBIGUOUS_PLAYER, detail)
    return named[0]


def _teams_of(player_id: int, people: _People, evening: _Evening) -> set[str]:
    roster = people.roster_team.get(player_id)
    teams = set() if roster is None else {roster}
    for game_id, team_id in evening.games_of_player(player_id).items():
        teams |= {t for t, i in evening.teams.get(game_id, {}).items() if i == team_id}
    return teams


def _games_of(
    row: ResultRow, player_id: int, people: _People, evening: _Evening
) -> dict[str, int | None]:
    own = evening.games_of_player(player_id)
    if row.team:
        with_team = evening.games_of_team(row.team)
        both = {game_id: team_id for game_id, team_id in with_team.items() if game_id in own}
        # Games that an import could not name have no teams to compare with.
        unnamed = {k: v for k, v in own.items() if not evening.teams.get(k)}
        return both or with_team or unnamed
    if own:
        return own
    team = people.roster_team.get(player_id)
    return {} if team is None else evening.games_of_team(team)
