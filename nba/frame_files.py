"""Tables as files for people: CSV that a spreadsheet takes for what it says, and Parquet.

Both are written slice by slice, so that a long table never is in memory as a whole.
"""

from __future__ import annotations

import gzip
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, BinaryIO, Final

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

__all__ = [
    "PARQUET_COMPRESSION",
    "RowsWritten",
    "without_formulas",
    "write_csv",
    "write_parquet",
]

RowsWritten = Callable[[int], None]
"""Told how many rows have been written so far, after each slice."""

PARQUET_COMPRESSION: Final = "zstd"

_GZIP_LEVEL: Final = 4
# As the state writes moments: with microseconds always, so that every row has the same form.
_MOMENT_FORMAT: Final = "%Y-%m-%dT%H:%M:%S.%fZ"
# What spreadsheets take for the beginning of a formula, unless it is a number.
_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
_SIGNED_NUMBER: Final = re.compile(r"[+-]\d[\d.,]*%?")


def write_csv(
    slices: Iterable[pd.DataFrame],
    columns: Sequence[str],
    file: BinaryIO,
    *,
    compressed: bool = False,
    on_rows: RowsWritten | None = None,
) -> int:
    """The slices, one after the other, as CSV (UTF-8) with a header; how many rows these are.

    Each slice has the columns `columns`. Moments are in UTC, `compressed` packs with gzip. No text
    can be taken for a formula: see `without_formulas`. Raises OSError.
    """
    if not compressed:
        return _write_csv(slices, columns, file, on_rows)
    # Without the time of day, so that the same rows make the same file.
    with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=_GZIP_LEVEL, mtime=0) as packed:
        return _write_csv(slices, columns, packed, on_rows)


def _write_csv(
    slices: Iterable[pd.DataFrame],
    columns: Sequence[str],
    file: BinaryIO | gzip.GzipFile,
    on_rows: RowsWritten | None,
) -> int:
    file.write(pd.DataFrame(columns=list(columns)).to_csv(index=False).encode())
    rows = 0
    for frame in slices:
        text = without_formulas(frame).to_csv(index=False, header=False, date_format=_MOMENT_FORMAT)
        file.write(text.encode())
        rows = _told(rows + len(frame), on_rows)
    return rows


def write_parquet(
    slices: Iterable[pd.DataFrame],
    schema: pa.Schema | None,
    file: BinaryIO,
    *,
    on_rows: RowsWritten | None = None,
) -> int:
    """The slices, one after the other, as one Parquet file; how many rows these are.

    `schema` None takes the types of the first slice, and there has to be one. Raises OSError.
    """
    tables: Iterator[pa.Table] = (
        pa.Table.from_pandas(one, schema, preserve_index=False) for one in slices
    )
    rows = 0
    if schema is None:
        first = next(tables)
        schema, tables = first.schema, itertools.chain([first], tables)
    with pq.ParquetWriter(file, schema, compression=PARQUET_COMPRESSION) as writer:
        for table in tables:
            writer.write_table(table)
            rows = _told(rows + table.num_rows, on_rows)
    return rows


def without_formulas(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with an apostrophe before each text that a spreadsheet would compute.

    Those begin with `=`, `+`, `-`, `@`, a tab or a line break and are no plain number. A name that
    somebody else wrote, such as `=HYPERLINK(...)`, then stays the text that it is.
    """
    changed = {}
    for name in frame.columns:
        if _may_hold_text(frame[name].dtype):
            # A long column has few different texts.
            found = {text: f"'{text}" for text in frame[name].unique() if _is_formula(text)}
            if found:
                changed[name] = frame[name].map(lambda value, new=found: new.get(value, value))
    return frame.assign(**changed) if changed else frame


def _may_hold_text(dtype: Any) -> bool:
    """All but numbers, flags and moments: categories too, and whatever kind of text there is."""
    types = pd.api.types
    return not (types.is_numeric_dtype(dtype) or types.is_datetime64_any_dtype(dtype))


def _is_formula(value: object) -> bool:
    return (
        isinstance(value, str)
        and value.startswith(_FORMULA_STARTS)
        and _SIGNED_NUMBER.fullmatch(value) is None
    )


def _told(rows: int, on_rows: RowsWritten | None) -> int:
    if on_rows is not None:
        on_rows(rows)
    return rows
