"""Every logged prediction with the names, what happened, and whether it is saved."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import BinaryIO, Final

import apsw
import pandas as pd

from nba.stats import STATS, Stat
from tracking.frames import escape_like, fold, frame_of, use_fold
from tracking.runs import (
    CURRENT_RUNS,
    LOGGED_AT,
    SEQUENCE,
    STORED_AT,
    TRACK_RECORD,
    Origin,
)

__all__ = [
    "HISTORY_COLUMNS",
    "RUN_COLUMNS",
    "HistoryFilters",
    "actual_joins",
    "actual_value",
    "count",
    "history",
    "run_frame",
    "write_csv",
]

HISTORY_COLUMNS: Final = (
    "run_id",
    "slate_date",
    "origin",
    "model_version",
    "revision",
    "source",
    "data_as_of",
    "logged_at",
    "stored_at",
    "sequence",
    "saved",
    "time_verified",
    "in_track_record",
    "game_id",
    "tipoff_utc",
    "home_team",
    "away_team",
    "player_id",
    "player_name",
    "team",
    "opponent",
    "stat",
    "mean",
    "median",
    "floor",
    "ceiling",
    "from_prior",
    "actual",
)
"""The columns of `history`, in order."""

RUN_COLUMNS: Final = (
    "run_id",
    "slate_date",
    "model_version",
    "origin",
    "data_as_of",
    "logged_at",
    "time_verified",
    "revision",
    "source",
    "game_id",
    "game_date",
    "tipoff_utc",
    "home_team_id",
    "home_team",
    "away_team_id",
    "away_team",
    "home_win_probability",
    "elo_home_win_probability",
    "home_points",
    "away_points",
    "player_id",
    "player_name",
    "team_id",
    "stat",
    "mean",
    "median",
    "floor",
    "ceiling",
    "from_prior",
)
"""The columns of `run_frame`, in order."""

_STAT_ORDER: Final = (
    "CASE p.stat " + " ".join(f"WHEN '{s}' THEN {i}" for i, s in enumerate(STATS)) + " END"
)
# The order of the joins is fixed: walking the runs from the newest one lets a page stop early,
# while an order chosen by the planner may sort the whole history first.
_CHOSEN: Final = """
FROM main.runs AS r
CROSS JOIN main.game_predictions AS g ON g.run_id = r.run_id
CROSS JOIN main.predictions AS p ON p.run_id = g.run_id AND p.game_id = g.game_id"""
_CHOSEN_WITHOUT_GAMES: Final = """
FROM main.runs AS r
CROSS JOIN main.predictions AS p ON p.run_id = r.run_id"""
# Beyond this many matching players, reading every row of a run beats one seek per player and game.
_SEEK_PLAYERS: Final = 25
_CSV_SLICE_ROWS: Final = 5_000


@dataclass(frozen=True, slots=True)
class HistoryFilters:
    """Which predictions to show; every field that is not None narrows the choice.

    `since` and `until` are inclusive US Eastern slate dates. `team` is an abbreviation. `player`
    is any part of a name, without regard to case and accents. `only_current` leaves out runs that
    a newer run of the same slate and origin replaced.
    """

    since: date | None = None
    until: date | None = None
    origin: Origin | None = None
    model_version: str | None = None
    team: str | None = None
    player: str | None = None
    stat: Stat | None = None
    only_current: bool = False


def history(
    connection: apsw.Connection,
    filters: HistoryFilters,
    *,
    has_reference: bool,
    limit: int | None,
    offset: int,
) -> pd.DataFrame:
    """One row per prediction, newest slate and run first, then by game, player and stat.

    The reference is attached to `connection` as `reference` when `has_reference` is True.
    """
    return _frame(
        _rows(connection, filters, has_reference=has_reference, limit=limit, offset=offset)
    )


def write_csv(
    connection: apsw.Connection, filters: HistoryFilters, file: BinaryIO, *, has_reference: bool
) -> None:
    """Every row of `history` as CSV (UTF-8) with a header, slice by slice.

    A season in one frame would need more memory than a small machine has left.
    """
    rows = _rows(connection, filters, has_reference=has_reference, limit=None, offset=0)
    _frame(()).to_csv(file, index=False)
    while slice_of_rows := list(itertools.islice(rows, _CSV_SLICE_ROWS)):
        _frame(slice_of_rows).to_csv(file, index=False, header=False)


def _rows(
    connection: apsw.Connection,
    filters: HistoryFilters,
    *,
    has_reference: bool,
    limit: int | None,
    offset: int,
) -> Iterator[tuple[apsw.SQLiteValue, ...]]:
    conditions, bindings = _conditions(connection, filters, has_reference=has_reference)
    sql = f"""
    WITH {CURRENT_RUNS}, {TRACK_RECORD}
    SELECT r.run_id, r.slate_date, r.origin, r.model_version, r.revision, r.source, r.data_as_of,
      {LOGGED_AT}, {STORED_AT}, {SEQUENCE}, {STORED_AT} IS NOT NULL, r.time_verified,
      k.run_id IS NOT NULL, g.game_id, g.tipoff_utc, g.home_team, g.away_team, p.player_id,
      {_name_of_player(has_reference=has_reference)},
      CASE p.team_id WHEN g.home_team_id THEN g.home_team WHEN g.away_team_id THEN g.away_team END,
      CASE p.team_id WHEN g.home_team_id THEN g.away_team WHEN g.away_team_id THEN g.home_team END,
      p.stat, p.mean, p.median, p.floor, p.ceiling, p.from_prior,
      {actual_value("p.stat", has_reference=has_reference)}
    {_CHOSEN}
    LEFT JOIN track_record AS k ON k.run_id = g.run_id AND k.game_id = g.game_id
    {actual_joins("p", has_reference=has_reference)}
    WHERE {conditions}
    ORDER BY r.slate_date DESC, r.logged_at DESC, r.run_id DESC, p.game_id, p.player_id,
      {_STAT_ORDER}
    LIMIT :limit OFFSET :offset
    """
    bindings["limit"] = -1 if limit is None else limit
    bindings["offset"] = offset
    return iter(connection.execute(sql, bindings))


def _frame(rows: Iterable[tuple[apsw.SQLiteValue, ...]]) -> pd.DataFrame:
    return frame_of(
        rows,
        HISTORY_COLUMNS,
        dates=("slate_date", "data_as_of"),
        moments=("logged_at", "stored_at", "tipoff_utc"),
        flags=("revision", "saved", "time_verified", "in_track_record", "from_prior"),
        numbers=("mean", "median", "floor", "ceiling", "actual"),
    )


def count(connection: apsw.Connection, filters: HistoryFilters, *, has_reference: bool) -> int:
    """How many rows `history` has without a limit."""
    conditions, bindings = _conditions(connection, filters, has_reference=has_reference)
    # A team is named by the game, and a player is found by game; else games need no look.
    by_game = filters.team is not None or filters.player is not None
    chosen = _CHOSEN if by_game else _CHOSEN_WITHOUT_GAMES
    sql = f"WITH {CURRENT_RUNS} SELECT count(*) {chosen} WHERE {conditions}"
    number = connection.execute(sql, bindings).get
    return int(str(number))


def run_frame(connection: apsw.Connection, run_id: str, *, has_reference: bool) -> pd.DataFrame:
    """Everything a run said: one row per prediction, and one per game without any.

    Neither results nor when it was saved are in it; names are as the newest bundle spells them.
    """
    sql = f"""
    SELECT r.run_id, r.slate_date, r.model_version, r.origin, r.data_as_of, {LOGGED_AT},
      r.time_verified, r.revision, r.source, g.game_id, g.game_date, g.tipoff_utc, g.home_team_id,
      g.home_team, g.away_team_id, g.away_team, g.home_win_probability,
      g.elo_home_win_probability, g.home_points, g.away_points, p.player_id,
      CASE WHEN p.player_id IS NOT NULL THEN {_name_of_player(has_reference=has_reference)} END,
      p.team_id, p.stat, p.mean, p.median, p.floor, p.ceiling, p.from_prior
    FROM main.runs AS r
    JOIN main.game_predictions AS g ON g.run_id = r.run_id
    LEFT JOIN main.predictions AS p ON p.run_id = g.run_id AND p.game_id = g.game_id
    WHERE r.run_id = ?
    ORDER BY g.game_id, p.player_id, {_STAT_ORDER}
    """
    frame = frame_of(
        connection.execute(sql, (run_id,)),
        RUN_COLUMNS,
        dates=("slate_date", "data_as_of", "game_date"),
        moments=("logged_at", "tipoff_utc"),
        flags=("time_verified", "revision"),
        numbers=(
            *("home_win_probability", "elo_home_win_probability", "home_points", "away_points"),
            *("mean", "median", "floor", "ceiling"),
        ),
    )
    for name in ("home_team_id", "away_team_id", "player_id", "team_id"):
        frame[name] = frame[name].astype("Int64")
    frame["from_prior"] = frame["from_prior"].astype("boolean")
    return frame


def actual_value(stat: str, *, has_reference: bool) -> str:
    """SQL for what happened, by a SQL expression for the stat: the state first, then the bundle."""
    known = "COALESCE(s.{0}, b.{0})" if has_reference else "s.{0}"
    return f"CASE {stat} " + " ".join(f"WHEN '{s}' THEN {known.format(s)}" for s in STATS) + " END"


def actual_joins(alias: str, *, has_reference: bool) -> str:
    """SQL that joins the box scores `s` (state) and `b` (bundle) to `alias`' game and player."""
    tables = (("main", "s"), ("reference", "b")) if has_reference else (("main", "s"),)
    return "\n".join(
        f"LEFT JOIN {schema}.player_games AS {name} "
        f"ON {name}.game_id = {alias}.game_id AND {name}.player_id = {alias}.player_id"
        for schema, name in tables
    )


def _name_of_player(*, has_reference: bool) -> str:
    bundled = (
        "(SELECT n.player_name FROM reference.players AS n WHERE n.player_id = p.player_id), "
        if has_reference
        else ""
    )
    learned = "(SELECT n.player_name FROM main.players AS n WHERE n.player_id = p.player_id)"
    return f"COALESCE({bundled}{learned}, 'player ' || p.player_id)"


def _conditions(
    connection: apsw.Connection, filters: HistoryFilters, *, has_reference: bool
) -> tuple[str, dict[str, str | int]]:
    conditions = ["TRUE"]
    bindings: dict[str, str | int] = {}

    def narrow(condition: str, **values: str | int) -> None:
        conditions.append(condition)
        bindings.update(values)

    if filters.since is not None:
        narrow("r.slate_date >= :since", since=filters.since.isoformat())
    if filters.until is not None:
        narrow("r.slate_date <= :until", until=filters.until.isoformat())
    if filters.origin is not None:
        narrow("r.origin = :origin", origin=filters.origin.value)
    if filters.model_version is not None:
        narrow("r.model_version = :model_version", model_version=filters.model_version)
    if filters.only_current:
        # The plus keeps this from becoming the way in, which would lose the order.
        narrow("+r.run_id IN (SELECT run_id FROM current_runs)")
    if filters.stat is not None:
        narrow("p.stat = :stat", stat=filters.stat)
    if filters.team is not None:
        narrow(
            "CASE p.team_id WHEN g.home_team_id THEN g.home_team "
            "WHEN g.away_team_id THEN g.away_team END = :team COLLATE NOCASE",
            team=filters.team.strip(),
        )
    if filters.player is not None and filters.player.strip():
        ids = _matching_players(connection, filters.player, has_reference=has_reference)
        column = "p.player_id" if len(ids) <= _SEEK_PLAYERS else "+p.player_id"
        # The ids come out of integer columns, so they can stand in the statement.
        narrow(f"{column} IN ({', '.join(str(player_id) for player_id in ids)})")
    return " AND ".join(conditions), bindings


def _matching_players(connection: apsw.Connection, text: str, *, has_reference: bool) -> list[int]:
    use_fold(connection)
    sources = ["main.players", "reference.players"] if has_reference else ["main.players"]
    sql = " UNION ".join(
        f"SELECT player_id FROM {source} WHERE fold(player_name) LIKE :pattern ESCAPE '\\'"
        for source in sources
    )
    rows = connection.execute(sql, {"pattern": f"%{escape_like(fold(text))}%"})
    return [int(player_id) for (player_id,) in rows]
