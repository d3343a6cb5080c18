"""What went into the log lately: one row a log entry."""

from __future__ import annotations

from typing import Final

import apsw
import pandas as pd

from tracking.frames import frame_of

__all__ = ["UPLOAD_COLUMNS", "uploads"]

UPLOAD_COLUMNS: Final = ("sequence", "stored_at", "transactions", "slates")
"""The columns of `uploads`, in order."""


def uploads(connection: apsw.Connection, limit: int) -> pd.DataFrame:
    """The newest log entries that hold transactions, newest first.

    `stored_at` is the store's own time (UTC), `transactions` counts what one writer sent together,
    and `slates` names the dates of the projections among it (US Eastern), "" if there are none.
    """
    # The log is dense: what is newer than this is at most as many entries. Without an index on the
    # number every transaction is looked at, but nothing is sorted and few are joined.
    rows = connection.execute(
        """
        WITH newest AS MATERIALIZED (
          SELECT t.sequence, t.stored_at, t.transaction_id
          FROM main.replica_transactions AS t
          WHERE t.sequence > (SELECT sequence FROM main.replica_position) - ?1 AND t.sequence > 0
        ), logged AS MATERIALIZED (
          SELECT l.transaction_id, r.slate_date
          FROM main.run_transactions AS l
          JOIN main.runs AS r ON r.run_id = l.run_id
          WHERE l.transaction_id IN (SELECT transaction_id FROM newest)
        )
        SELECT n.sequence, min(n.stored_at), count(DISTINCT n.transaction_id),
          coalesce(group_concat(DISTINCT l.slate_date), '')
        FROM newest AS n
        LEFT JOIN logged AS l ON l.transaction_id = n.transaction_id
        GROUP BY n.sequence
        ORDER BY n.sequence DESC
        """,
        (limit,),
    )
    frame = frame_of(rows, UPLOAD_COLUMNS, moments=("stored_at",))
    frame["slates"] = [", ".join(sorted(text.split(","))) for text in frame["slates"]]
    return frame
