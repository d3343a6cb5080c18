"""The history as an export: one file, or a tree of Parquet files by season and month."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Final

from exports.draft import Draft, Format, Progress, View
from exports.errors import NothingToExport
from prediction_tracking import HistoryFilters, PredictionLog

__all__ = ["HISTORY_FORMATS", "history_draft"]

HISTORY_FORMATS: Final = (Format.CSV, Format.CSV_GZ, Format.PARQUET, Format.PARTITIONS)
"""What `history_draft` can write: every row, however many there are."""


def history_draft(
    log: PredictionLog, filters: HistoryFilters, wanted: Format, *, title: str, name: str
) -> Draft:
    """All rows of the history that `filters` choose, in one of HISTORY_FORMATS.

    `name` is the file's name without its ending. Writing raises NothingToExport where there would
    be no file at all. Raises ValueError for another format.
    """
    if wanted not in HISTORY_FORMATS:
        raise ValueError(f"the history is not written as {wanted.value!r}")
    file_name = "" if wanted == Format.PARTITIONS else f"{name}.{wanted.value}"
    write = partial(_write, log, filters, wanted, file_name)
    return Draft(View.HISTORY, title, wanted, file_name, write)


def _write(
    log: PredictionLog,
    filters: HistoryFilters,
    wanted: Format,
    file_name: str,
    folder: Path,
    progress: Progress,
) -> int:
    progress(0.0, "Counting the predictions")
    counted = log.history_count(filters)

    def on_rows(rows: int) -> None:
        # A run that was logged since the count adds rows to it.
        most = max(rows, counted)
        share = rows / most if most else 1.0
        progress(share, f"Writing predictions: {rows:,} of {most:,}")

    if wanted == Format.PARTITIONS:
        rows = log.write_history_partitions(filters, folder, on_rows=on_rows)
        if not rows:
            # A file says in its header that it is empty; of a tree there would be nothing.
            raise NothingToExport(
                "export the history",
                wanted.value,
                "No logged prediction fits the filters.",
                "Choose others.",
            )
        return rows
    with (folder / file_name).open("wb") as file:
        if wanted == Format.PARQUET:
            return log.write_history_parquet(filters, file, on_rows=on_rows)
        compressed = wanted == Format.CSV_GZ
        return log.write_history_csv(filters, file, compressed=compressed, on_rows=on_rows)
