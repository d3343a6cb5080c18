"""The history as files that a person takes home: CSV and Parquet, written slice by slice.

A season in one frame would need more memory than a small machine has left.
"""

from __future__ import annotations

import gzip
from typing import BinaryIO, Final

import apsw
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from tracking.history import HISTORY_COLUMNS, slices
from tracking.history_choice import HistoryFilters

__all__ = ["PARQUET_SCHEMA", "write_csv", "write_parquet"]

_SLICE_ROWS: Final = 20_000
# As the state writes moments: with microseconds always, so that every row has the same form.
_MOMENT_FORMAT: Final = "%Y-%m-%dT%H:%M:%S.%fZ"
_COMPRESSION_LEVEL: Final = 4

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


def write_csv(
    connection: apsw.Connection,
    filters: HistoryFilters,
    file: BinaryIO,
    *,
    has_reference: bool,
    compressed: bool = False,
) -> None:
    """Every row of `history` as CSV (UTF-8) with a header; `compressed` with gzip."""
    if compressed:
        # Without the time of day, so that the same rows make the same file.
        with gzip.GzipFile(
            fileobj=file, mode="wb", compresslevel=_COMPRESSION_LEVEL, mtime=0
        ) as packed:
            _write_csv(connection, filters, packed, has_reference=has_reference)
    else:
        _write_csv(connection, filters, file, has_reference=has_reference)


def _write_csv(
    connection: apsw.Connection,
    filters: HistoryFilters,
    file: BinaryIO | gzip.GzipFile,
    *,
    has_reference: bool,
) -> None:
    file.write((",".join(HISTORY_COLUMNS) + "\n").encode())
    for frame in slices(connection, filters, _SLICE_ROWS, has_reference=has_reference):
        text = frame.to_csv(index=False, header=False, date_format=_MOMENT_FORMAT)
        file.write(text.encode())


def write_parquet(
    connection: apsw.Connection, filters: HistoryFilters, file: BinaryIO, *, has_reference: bool
) -> None:
    """Every row of `history` as Parquet with the columns of PARQUET_SCHEMA."""
    with pq.ParquetWriter(file, PARQUET_SCHEMA, compression="zstd") as writer:
        for frame in slices(connection, filters, _SLICE_ROWS, has_reference=has_reference):
            writer.write_table(_table(frame))


def _table(frame: pd.DataFrame) -> pa.Table:
    return pa.Table.from_pandas(frame, schema=PARQUET_SCHEMA, preserve_index=False)
