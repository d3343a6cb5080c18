"""What was not believed, and what was believed until it was corrected."""

from __future__ import annotations

from typing import Final

import apsw
import pandas as pd

from tracking.frames import frame_of

__all__ = ["CORRECTION_COLUMNS", "QUARANTINE_COLUMNS", "quarantine", "result_corrections"]

QUARANTINE_COLUMNS: Final = (
    *("known_on", "source", "endpoint", "parameters", "place", "reason"),
    *("game_id", "game_date", "sha256"),
)
CORRECTION_COLUMNS: Final = (
    *("game_date", "game_id", "player_id", "player_name", "stat"),
    *("old_value", "new_value", "corrected_at"),
)


def quarantine(connection: apsw.Connection, limit: int) -> pd.DataFrame:
    """Responses, or parts of them, that made no sense, newest first."""
    rows = connection.execute(
        f"SELECT {', '.join(QUARANTINE_COLUMNS)} FROM main.quarantine"
        " ORDER BY known_on DESC, sha256, place LIMIT ?",
        (limit,),
    )
    return frame_of(rows, QUARANTINE_COLUMNS, dates=("known_on", "game_date"))


def result_corrections(
    connection: apsw.Connection, limit: int, *, has_reference: bool
) -> pd.DataFrame:
    """Results that changed after they were known, newest first."""
    name, day, bundled = "s.player_name", "g.game_date", ""
    if has_reference:
        name = "coalesce(b.player_name, s.player_name)"
        bundled = "LEFT JOIN reference.players AS b ON b.player_id = c.player_id"
    rows = connection.execute(
        f"""
        SELECT {day}, c.game_id, c.player_id, {name}, c.stat, c.old_value, c.new_value,
          c.corrected_at
        FROM main.result_corrections AS c
        LEFT JOIN main.player_games AS g ON g.game_id = c.game_id AND g.player_id = c.player_id
        LEFT JOIN main.players AS s ON s.player_id = c.player_id
        {bundled}
        ORDER BY c.corrected_at DESC, c.game_id, c.player_id, c.stat LIMIT ?
        """,
        (limit,),
    )
    return frame_of(rows, CORRECTION_COLUMNS, dates=("game_date",), moments=("corrected_at",))
