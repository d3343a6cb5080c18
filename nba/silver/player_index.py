"""The player index of a season: who is on whose roster."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from nba.silver.checks import Found, Origin, Parts
from nba.silver.record import Malformed, Record, shown
from nba.silver.rows import RosterEntry
from nba.silver.table import rows_of

__all__ = ["read_player_index"]

_TABLE: Final = "PlayerIndex"
_COLUMNS: Final = (
    *("PERSON_ID", "PLAYER_FIRST_NAME", "PLAYER_LAST_NAME", "TEAM_ID", "POSITION"),
    "ROSTER_STATUS",
)
_LISTED: Final = 1
_POSITION: Final = re.compile("([GFC](-[GFC])*)?")


def read_player_index(body: object, origin: Origin, teams: Mapping[int, str]) -> Found:
    """Roster entries; a player of no team of the league's is on no roster.

    Raises Malformed for another shape.
    """
    found, parts = Found(), Parts()
    for row in rows_of(body, _TABLE, _COLUMNS):
        with parts.part(row.name):
            found.rosters.append(_entry(row, origin, teams))
    found.doubts = parts.doubts()
    return found


def _entry(row: Record, origin: Origin, teams: Mapping[int, str]) -> RosterEntry:
    names = row.text_or_none("PLAYER_FIRST_NAME"), row.text_or_none("PLAYER_LAST_NAME")
    name = " ".join(part for part in names if part)
    position = row.text_or_none("POSITION")
    if not name:
        raise Malformed(f"{row.name} has no name.")
    if not _POSITION.fullmatch(position):
        raise Malformed(f"POSITION of {row.name} is {shown(position)}, not one of the league's.")
    team_id = row.identity_or_none("TEAM_ID")
    is_listed = row.value("ROSTER_STATUS") is not None and row.whole("ROSTER_STATUS") == _LISTED
    return RosterEntry(
        player_id=row.identity("PERSON_ID"),
        player_name=name,
        position=position,
        team_id=team_id if is_listed and team_id in teams else None,
        known_on=origin.known_on,
    )
