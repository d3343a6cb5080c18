"""What became of an earlier app's database, for the owner."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import streamlit as st

from prediction_tracking import ImportRecord, PredictionLog
from ui.formats import moment, plain

__all__ = ["show_imports"]


def show_imports(log: PredictionLog, zone: ZoneInfo) -> bool:
    """One box for each database that was taken over; False if there was none."""
    records = log.imports()
    for record in records:
        with st.expander(
            f"Imported from {plain(record.source_key)}: {record.rows_imported:,} of "
            f"{record.rows_read:,} predictions",
            icon=":material/move_to_inbox:",
        ):
            st.caption(
                f"Imported {moment(record.imported_at, zone)}. The exact file is kept as "
                f"{plain(record.copy_key)}; the original was not changed. Imported predictions are "
                "live ones whose time cannot be verified, so they are not in the track record."
            )
            for line in _left_out(record):
                st.caption(plain(line))
    return bool(records)


def _left_out(record: ImportRecord) -> list[str]:
    lines = [
        f"Left in the copy: {number:,} rows ({reason})."
        for reason, number in record.skipped.items()
    ]
    if record.unknown_tables:
        tables = [
            f"{name} ({'unreadable' if rows is None else f'{rows:,} rows'})"
            for name, rows in record.unknown_tables.items()
        ]
        lines.append(f"Tables that stay in the copy: {', '.join(tables)}.")
    return lines
