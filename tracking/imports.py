"""What was taken over from earlier databases, as it was reported at the time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import apsw

from tracking.frames import moment_of

__all__ = ["ImportRecord", "imports"]


@dataclass(frozen=True, slots=True)
class ImportRecord:
    """One database that was imported.

    `imported_at` is this machine's clock at that time (UTC). `copy_key` is the object that holds
    the exact bytes, with all that was not taken over: `skipped` counts rows by reason,
    `unknown_tables` rows by table (None: unreadable).
    """

    source_key: str
    imported_at: datetime
    copy_key: str
    rows_read: int
    rows_imported: int
    skipped: Mapping[str, int]
    unknown_tables: Mapping[str, int | None]


def imports(connection: apsw.Connection) -> list[ImportRecord]:
    """Every import, newest first."""
    rows = connection.execute(
        "SELECT source_key, imported_at, report FROM main.imports ORDER BY imported_at DESC"
    )
    return [_record(*row) for row in rows]


def _record(source_key: str, imported_at: str, report: str) -> ImportRecord:
    facts = json.loads(report)
    return ImportRecord(
        source_key=source_key,
        imported_at=moment_of(imported_at),
        copy_key=facts["copy_key"],
        rows_read=facts["rows_read"],
        rows_imported=facts["rows_imported"],
        skipped=facts["skipped"],
        unknown_tables=facts["unknown_tables"],
    )
