"""What gave way when two writers had changed the same row."""

from __future__ import annotations

from typing import Final

import apsw
import pandas as pd

from tracking.frames import frame_of

__all__ = ["CONFLICT_COLUMNS", "conflicts"]

CONFLICT_COLUMNS: Final = (
    "stored_at",
    "sequence",
    "table_name",
    "row_key",
    "column_name",
    "resolution",
    "kept",
    "lost",
)
"""The columns of `conflicts`, in order; `sequence` is the log entry that had come first."""


def conflicts(connection: apsw.Connection, limit: int) -> pd.DataFrame:
    """The newest values that were overwritten, deleted or set aside."""
    rows = connection.execute(
        """
        SELECT t.stored_at, c.sequence, c.table_name, c.row_key, c.column_name, c.resolution,
          c.kept, c.lost
        FROM main.sync_conflicts AS c
        LEFT JOIN main.replica_transactions AS t ON t.transaction_id = c.transaction_id
        ORDER BY c.sequence DESC, c.table_name, c.row_key, c.column_name
        LIMIT ?
        """,
        (limit,),
    )
    return frame_of(rows, CONFLICT_COLUMNS, dates=(), moments=("stored_at",), flags=(), numbers=())
