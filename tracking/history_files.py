"""The history as files that a person takes home: CSV and Parquet, written slice by slice.

A season in one frame would need more memory than a small machine has left.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, Final

import apsw
import pandas as pd
import pyarrow as pa

from nba import frame_files
from nba.frame_files import RowsWritten
from tracking.history import HISTORY_COLUMNS, slices
from tracking.history_choice import HistoryFilters

__all__ = ["PARQUET_SCHEMA", "file_slices", "write_csv", "write_parquet"]

_SLICE_ROWS: Final = 10_000

_DATES: Final = frozenset({"slate_date", "data_as_of"})
_MOMENTS: Final = frozenset({"logged_at", "stored_at", "tipoff_utc"})
_FLAGS: Final = frozenset({"revision", "saved", "time_verified", "in_track_record", "from_prior"})
_NUMBERS: Final = frozenset({"mean", "median", "floor", "ceiling", "actual"})
_WHOLE_NUMBERS: Final = frozenset({"sequence", "player_id"})


def _type_of(column: str) -> pa.DataType:
    for columns, kind in (
        (_DATES, pa.date32()),
        (_MOMENTS, pa.timestamp("us", tz="UTC")),
        (_FLAGS, pa.bool_()),
        (_NUMBERS, pa.float64()),
        (_WHOLE_NUMBERS, pa.int64()),
    ):
        if column in columns:
            return kind
    return pa.string()


PARQUET_SCHEMA: Final = pa.schema([(column, _type_of(column)) for column in HISTORY_COLUMNS])
"""The columns of the Parquet file: those of the history, each with a type of its own."""


def file_slices(
    connection: apsw.Connection, filters: HistoryFilters, *, has_reference: bool
) -> Iterator[pd.DataFrame]:
    """Every row of `history`, as many at a time as a small machine bears."""
    return slices(connection, filters, _SLICE_ROWS, has_reference=has_reference)


def write_csv(
    connection: apsw.Connection,
    filters: HistoryFilters,
    file: BinaryIO,
    *,
    has_reference: bool,
    compressed: bool = False,
    on_rows: RowsWritten | None = None,
) -> int:
    """Every row of `history` as CSV (UTF-8) with a header; `compressed` with gzip. How many."""
    return frame_files.write_csv(
        file_slices(connection, filters, has_reference=has_reference),
        HISTORY_COLUMNS,
        file,
        compressed=compressed,
        on_rows=on_rows,
    )


def write_parquet(
    connection: apsw.Connection,
    filters: HistoryFilters,
    file: BinaryIO,
    *,
    has_reference: bool,
    on_rows: RowsWritten | None = None,
) -> int:
    """Every row of `history` as Parquet with the columns of PARQUET_SCHEMA; how many."""
    return frame_files.write_parquet(
        file_slices(connection, filters, has_reference=has_reference),
        PARQUET_SCHEMA,
        file,
        on_rows=on_rows,
    )
