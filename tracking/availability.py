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
    "people",
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
    WHERE b.player_id = a.player_id AND b.from_date <= ?1
      AND (b.until_date IS NULL OR b.until_date >= ?1))
"""

# Whose player somebody is by the newest roster that was learned; a team of NULL is none.
_LEARNED_TEAMS: Final = """
  SELECT player_id, team_id, max(known_on) FROM main.rosters
  WHERE known_on <= ?1 GROUP BY player_id
"""
_TEAM: Final = "CASE WHEN r.player_id IS NULL THEN b.roster_team ELSE t.team END"
_TEAM_TABLES: Final = f"""
  LEFT JOIN ({_LEARNED_TEAMS}) AS r ON r.player_id = l.player_id
  LEFT JOIN reference.teams AS t ON t.team_id = r.team_id
  LEFT JOIN reference.players AS b ON b.player_id = l.player_id
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
    name, team, teams = "s.player_name", "NULL", ""
    if has_reference:
        name, team, teams = "coalesce(b.player_name, s.player_name)", _TEAM, _TEAM_TABLES
    rows = connection.execute(
        f"""
        SELECT l.player_id, {name}, {team}, l.status, l.from_date, l.until_date, l.note
        FROM ({_LATEST}) AS l
        LEFT JOIN main.players AS s ON s.player_id = l.player_id
        {teams}
        WHERE l.status <> 'available'
        ORDER BY CASE l.status WHEN 'out' THEN 0 WHEN 'doubtful' THEN 1 ELSE 2 END, 2
        """,
        (day.isoformat(),),
    )
    return frame_of(rows, AVAILABILITY_COLUMNS, dates=("from_date", "until_date"))


def people(
    connection: apsw.Connection, day: date, *, has_reference: bool
) -> dict[int, tuple[str, str | None]]:
    """Everybody who has a name: (name, abbreviation of his team on a date) by player id."""
    learned = connection.execute("SELECT player_id, player_name FROM main.players")
    names = {int(player_id): str(name) for player_id, name in learned}
    if not has_reference:
        return {player_id: (name, None) for player_id, name in names.items()}
    sql = f"""
    SELECT l.player_id, b.player_name, {_TEAM}
    FROM (SELECT player_id FROM main.players UNION SELECT player_id FROM reference.players) AS l
    {_TEAM_TABLES}
    """
    return {
        int(player_id): (str(name or names[player_id]), team)
        for player_id, name, team in connection.execute(sql, (day.isoformat(),))
    }


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
