"""The history as a tree of Parquet files that DuckDB, Athena, Trino and Spark read in place.

The folders say season and month in the way of Hive, `season=2024-25/month=2025-01`, so a question
about one month reads one file.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from typing import Final

import apsw
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from nba.frame_files import PARQUET_COMPRESSION, RowsWritten
from nba.seasons import season_of
from tracking.history_choice import HistoryFilters
from tracking.history_files import PARQUET_SCHEMA, file_slices

__all__ = ["FILE_NAME", "partition_of", "write_partitions"]

FILE_NAME: Final = "part-0.parquet"
"""Of the one file in each folder."""


def partition_of(slate_date: date) -> str:
    """The folder that has the predictions for a slate (US Eastern date)."""
    return f"season={season_of(slate_date)}/month={slate_date:%Y-%m}"


def write_partitions(
    connection: apsw.Connection,
    filters: HistoryFilters,
    folder: Path,
    *,
    has_reference: bool,
    on_rows: RowsWritten | None = None,
) -> int:
    """Every row of `history`, each in the file of its season and month; how many.

    The files have the columns of PARQUET_SCHEMA; season and month are in the path alone. Without
    rows nothing is written. Raises OSError.
    """
    rows = 0
    opened: str | None = None
    with ExitStack() as files:
        for frame in file_slices(connection, filters, has_reference=has_reference):
            for partition, part in _parts(frame):
                # The history goes back in time, so a month that is left does not come again.
                if partition != opened:
                    files.close()
                    writer = files.enter_context(_writer(folder / partition))
                    opened = partition
                table = pa.Table.from_pandas(part, PARQUET_SCHEMA, preserve_index=False)
                writer.write_table(table)
            rows += len(frame)
            if on_rows is not None:
                on_rows(rows)
    return rows


def _parts(frame: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """The rows of each partition, in the order of the frame."""
    folders = {day: partition_of(day) for day in frame["slate_date"].unique()}
    for partition, part in frame.groupby(frame["slate_date"].map(folders), sort=False):
        yield str(partition), part


def _writer(folder: Path) -> pq.ParquetWriter:
    # Created anew: a month that came twice would lose the rows of its first file.
    folder.mkdir(parents=True)
    return pq.ParquetWriter(folder / FILE_NAME, PARQUET_SCHEMA, compression=PARQUET_COMPRESSION)
