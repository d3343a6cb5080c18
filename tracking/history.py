"""Every logged prediction with the names, what happened, and whether it is saved.

Pages are found by the last row of the page before (a place), never by counting rows from the top,
so that a page far back costs what the first one costs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import apsw
import pandas as pd

from nba.stats import STATS
from tracking.frames import frame_of
from tracking.history_choice import (
    AFTER_PLACE,
    STAT_ORDER,
    UP_TO_PLACE,
    HistoryFilters,
    HistoryPlace,
    conditions_of,
    place_bindings,
    place_of,
)
from tracking.runs import CURRENT_RUNS, LOGGED_AT, SEQUENCE, STORED_AT, track_record_of

__all__ = [
    "HISTORY_COLUMNS",
    "MOST_COUNTED",
    "HistoryPage",
    "actual_joins",
    "actual_value",
    "count",
    "history",
    "model_versions",
    "name_of_player",
    "page",
    "place_back",
    "slices",
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

MOST_COUNTED: Final = 10_000
"""Rows beyond this many are not counted for a page: nobody pages that far, and counting scans."""

# The order of the joins is fixed: walking the runs from the newest one lets a page stop early,
# while an order chosen by the planner may sort the whole history first.
_CHOSEN: Final = """
FROM main.runs AS r
CROSS JOIN main.game_predictions AS g ON g.run_id = r.run_id
CROSS JOIN main.predictions AS p ON p.run_id = g.run_id AND p.game_id = g.game_id"""
_CHOSEN_WITHOUT_GAMES: Final = """
FROM main.runs AS r
CROSS JOIN main.predictions AS p ON p.run_id = r.run_id"""
_FORWARDS: Final = (
    f"r.slate_date DESC, r.logged_at DESC, r.run_id DESC, p.game_id, p.player_id, {STAT_ORDER}"
)
_BACKWARDS: Final = (
    f"r.slate_date, r.logged_at, r.run_id, p.game_id DESC, p.player_id DESC, {STAT_ORDER} DESC"
)


@dataclass(frozen=True, slots=True, eq=False)
class HistoryPage:
    """Some rows of the history, in its order.

    `frame` has the columns HISTORY_COLUMNS. `last` is the place of its last row, None if nothing
    follows it. `rows_before` and `rows` count the rows before the page and in all; each is None
    where that is more than MOST_COUNTED.
    """

    frame: pd.DataFrame
    last: HistoryPlace | None
    rows_before: int | None
    rows: int | None


def page(
    connection: apsw.Connection,
    filters: HistoryFilters,
    *,
    has_reference: bool,
    limit: int,
    after: HistoryPlace | None,
) -> HistoryPage:
    """The `limit` rows after a place, None for the newest. Raises UnknownPlace."""
    # One row more than is shown tells whether anything follows.
    frame = history(connection, filters, has_reference=has_reference, limit=limit + 1, after=after)
    more = len(frame) > limit
    frame = frame.iloc[:limit]

    def counted(up_to: HistoryPlace | None) -> int | None:
        # One more than is told, to know that there are more.
        most = MOST_COUNTED + 1
        rows = _counted(connection, filters, up_to, has_reference=has_reference, most=most)
        return rows if rows < most else None

    before = 0 if after is None else counted(after)
    rows = None if before is None else before + len(frame)
    if more:
        rows = counted(None)
    last = _place_of_row(frame) if more else None
    return HistoryPage(frame=frame, last=last, rows_before=before, rows=rows)


def place_back(
    connection: apsw.Connection,
    filters: HistoryFilters,
    place: HistoryPlace | None,
    rows: int,
    *,
    has_reference: bool,
) -> HistoryPlace | None:
    """The place after which `rows` rows follow up to `place`, with it; None if there are no more.

    `place` None is the end of the history. Raises UnknownPlace.
    """
    conditions, bindings = conditions_of(connection, filters, has_reference=has_reference)
    if place is not None:
        conditions = f"{conditions} AND {UP_TO_PLACE}"
        bindings |= place_bindings(connection, place)
    sql = f"""
    WITH {CURRENT_RUNS}
    SELECT r.run_id, p.game_id, p.player_id, p.stat
    {_CHOSEN} WHERE {conditions} ORDER BY {_BACKWARDS} LIMIT 1 OFFSET :rows
    """
    for run_id, game_id, player_id, stat in connection.execute(sql, bindings | {"rows": rows}):
        return place_of(f"{run_id}~{game_id}~{player_id}~{stat}")
    return None


def history(
    connection: apsw.Connection,
    filters: HistoryFilters,
    *,
    has_reference: bool,
    limit: int | None,
    offset: int = 0,
    after: HistoryPlace | None = None,
) -> pd.DataFrame:
    """One row per prediction, newest slate and run first, then by game, player and stat.

    The reference is attached to `connection` as `reference` when `has_reference` is True. `after`
    leaves out the rows up to a place, with it. Raises UnknownPlace.
    """
    conditions, bindings = conditions_of(connection, filters, has_reference=has_reference)
    if after is not None:
        conditions = f"{conditions} AND {AFTER_PLACE}"
        bindings |= place_bindings(connection, after)
    # First the rows of the page by their keys, then what is said of these alone.
    sql = f"""
    WITH {CURRENT_RUNS},
    page AS MATERIALIZED (
      SELECT r.run_id, p.game_id, p.player_id, p.stat
      {_CHOSEN} WHERE {conditions} ORDER BY {_FORWARDS} LIMIT :limit OFFSET :offset
    ),
    run_moments AS MATERIALIZED (
      SELECT r.run_id, {LOGGED_AT} AS logged_at, {STORED_AT} AS stored_at, {SEQUENCE} AS sequence
      FROM main.runs AS r WHERE r.run_id IN (SELECT run_id FROM page)
    ),
    {track_record_of("SELECT game_id FROM page")}
    SELECT r.run_id, r.slate_date, r.origin, r.model_version, r.revision, r.source, r.data_as_of,
      m.logged_at, m.stored_at, m.sequence, m.stored_at IS NOT NULL, r.time_verified,
      k.run_id IS NOT NULL, g.game_id, g.tipoff_utc, g.home_team, g.away_team, p.player_id,
      {name_of_player(has_reference=has_reference)},
      CASE p.team_id WHEN g.home_team_id THEN g.home_team WHEN g.away_team_id THEN g.away_team END,
      CASE p.team_id WHEN g.home_team_id THEN g.away_team WHEN g.away_team_id THEN g.home_team END,
      p.stat, p.mean, p.median, p.floor, p.ceiling, p.from_prior,
      {actual_value("p.stat", has_reference=has_reference)}
    FROM page AS c
    CROSS JOIN main.runs AS r ON r.run_id = c.run_id
    CROSS JOIN run_moments AS m ON m.run_id = c.run_id
    CROSS JOIN main.game_predictions AS g ON g.run_id = c.run_id AND g.game_id = c.game_id
    CROSS JOIN main.predictions AS p ON p.run_id = c.run_id AND p.game_id = c.game_id
      AND p.player_id = c.player_id AND p.stat = c.stat
    LEFT JOIN track_record AS k ON k.run_id = c.run_id AND k.game_id = c.game_id
    {actual_joins("p", has_reference=has_reference)}
    ORDER BY {_FORWARDS}
    """
    bindings |= {"limit": -1 if limit is None else limit, "offset": offset}
    frame = frame_of(
        connection.execute(sql, bindings),
        HISTORY_COLUMNS,
        dates=("slate_date", "data_as_of"),
        moments=("logged_at", "stored_at", "tipoff_utc"),
        flags=("revision", "saved", "time_verified", "in_track_record", "from_prior"),
        numbers=("mean", "median", "floor", "ceiling", "actual"),
    )
    frame["sequence"] = frame["sequence"].astype("Int64")
    return frame


def slices(
    connection: apsw.Connection, filters: HistoryFilters, rows: int, *, has_reference: bool
) -> Iterator[pd.DataFrame]:
    """Every row of `history`, at most `rows` at a time; nothing if there are none."""
    after: HistoryPlace | None = None
    while True:
        frame = history(connection, filters, has_reference=has_reference, limit=rows, after=after)
        if len(frame):
            yield frame
        if len(frame) < rows:
            return
        after = _place_of_row(frame)


def count(
    connection: apsw.Connection,
    filters: HistoryFilters,
    *,
    has_reference: bool,
    most: int | None = None,
) -> int:
    """How many rows `history` has without a limit; it stops at `most`, None counts them all."""
    return _counted(connection, filters, None, has_reference=has_reference, most=most)


def _counted(
    connection: apsw.Connection,
    filters: HistoryFilters,
    up_to: HistoryPlace | None,
    *,
    has_reference: bool,
    most: int | None,
) -> int:
    conditions, bindings = conditions_of(connection, filters, has_reference=has_reference)
    if up_to is not None:
        conditions = f"{conditions} AND {UP_TO_PLACE}"
        bindings |= place_bindings(connection, up_to)
    # A team is named by the game, and a player is found by game; else games need no look.
    by_game = filters.team is not None or filters.player is not None
    chosen = _CHOSEN if by_game else _CHOSEN_WITHOUT_GAMES
    sql = f"""
    WITH {CURRENT_RUNS}
    SELECT count(*) FROM (SELECT 1 {chosen} WHERE {conditions} LIMIT :most)
    """
    number = connection.execute(sql, bindings | {"most": -1 if most is None else most}).get
    return int(str(number))


def model_versions(connection: apsw.Connection) -> list[str]:
    """Every model version that has logged a run, in order."""
    rows = connection.execute("SELECT DISTINCT model_version FROM main.runs ORDER BY 1")
    return [str(version) for (version,) in rows]


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


def name_of_player(*, has_reference: bool) -> str:
    """SQL for the name of the player of a prediction `p`: bundled, else as it was logged."""
    bundled = (
        "(SELECT n.player_name FROM reference.players AS n WHERE n.player_id = p.player_id), "
        if has_reference
        else ""
    )
    learned = "(SELECT n.player_name FROM main.players AS n WHERE n.player_id = p.player_id)"
    return f"COALESCE({bundled}{learned}, 'player ' || p.player_id)"


def _place_of_row(frame: pd.DataFrame) -> HistoryPlace:
    """The place of the last row."""
    last = frame.iloc[-1]
    return place_of(f"{last['run_id']}~{last['game_id']}~{last['player_id']}~{last['stat']}")
