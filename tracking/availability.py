"""Who may not play, as the owner entered it; what was said for earlier days stays."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Final

import apsw
import pandas as pd

from nba.availability import Availability, PlayerAvailability
from tracking.frames import frame_of

__all__ = [
    "AVAILABILITY_COLUMNS",
    "SET_AVAILABILITY",
    "availability_list",
    "availability_on",
    "rows_of",
]

AVAILABILITY_COLUMNS: Final = (
    "player_id",
    "player_name",
    "team",
    "status",
    "from_date",
    "until_date",
    "note",
)
"""The columns of `availability_list`."""

SET_AVAILABILITY: Final = (
    "INSERT INTO availability (player_id, from_date, status, until_date, note)"
    " VALUES (?, ?, ?, ?, ?) ON CONFLICT (player_id, from_date) DO UPDATE SET"
    " status = excluded.status, until_date = excluded.until_date, note = excluded.note"
)
"""Writes one of `rows_of`."""

_LATEST: Final = """
  SELECT a.player_id, a.status, a.from_date, a.until_date, a.note FROM main.availability AS a
  WHERE a.from_date = (SELECT max(b.from_date) FROM main.availability AS b
    WHERE b.player_id = a.player_id AND b.from_date <= ?1)
  AND (a.until_date IS NULL OR a.until_date >= ?1)
"""


def availability_on(connection: apsw.Connection, day: date) -> dict[int, PlayerAvailability]:
    """What is said of players for a US Eastern date, by player id."""
    return {
        int(player_id): PlayerAvailability(
            player_id=int(player_id),
            status=Availability(status),
            from_date=date.fromisoformat(from_date),
            until_date=None if until_date is None else date.fromisoformat(until_date),
            note=note,
        )
        for player_id, status, from_date, until_date, note in connection.execute(
            _LATEST, (day.isoformat(),)
        )
    }


def availability_list(
    connection: apsw.Connection, day: date, *, has_reference: bool
) -> pd.DataFrame:
    """The same with names, without those who are simply available; columns
    AVAILABILITY_COLUMNS, worst news first."""
    name, team, bundled = "s.player_name", "NULL", ""
    if has_reference:
        name, team = "coalesce(s.player_name, b.player_name)", "b.roster_team"
        bundled = "LEFT JOIN reference.players AS b ON b.player_id = l.player_id"
    rows = connection.execute(
        f"""
        SELECT l.player_id, {name}, {team}, l.status, l.from_date, l.until_date, l.note
        FROM ({_LATEST}) AS l
        LEFT JOIN main.players AS s ON s.player_id = l.player_id
        {bundled}
        WHERE l.status <> 'available'
        ORDER BY CASE l.status WHEN 'out' THEN 0 WHEN 'doubtful' THEN 1 ELSE 2 END, 2
        """,
        (day.isoformat(),),
    )
    return frame_of(rows, AVAILABILITY_COLUMNS, dates=("from_date", "until_date"))


def rows_of(changes: Sequence[PlayerAvailability]) -> list[tuple[int, str, str, str | None, str]]:
    """Rows of the table: player, date, status, until, note."""
    return [
        (
            one.player_id,
            one.from_date.isoformat(),
            one.status.value,
            None if one.until_date is None else one.until_date.isoformat(),
            one.note,
        )
        for one in changes
    ]
