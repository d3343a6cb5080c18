"""The history as CSV and Parquet: the same rows as the table, written slice by slice."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from prediction_tracking import HISTORY_COLUMNS, HistoryFilters, Origin, PredictionLog
from tests.slates import TONIGHT, ManualClock, opened, past, small_reference, tonight
from tests.stores import MemoryStore
from tracking import history_files
from tracking.history_files import PARQUET_SCHEMA

SLICE_ROWS = 7
MOMENT_FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"

# What is chosen, and how many rows that are: none, fewer than whole slices, and whole ones.
CHOICES = (
    (HistoryFilters(team="XXX"), 0),
    (HistoryFilters(origin=Origin.REPLAY), 15),
    (HistoryFilters(origin=Origin.LIVE), 20),
    (HistoryFilters(), 5 * SLICE_ROWS),
)


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PredictionLog]:
    """A log with a replay that is saved and a live run that is pending."""
    monkeypatch.setattr(history_files, "_SLICE_ROWS", SLICE_ROWS)
    clock = ManualClock()
    reference = small_reference(tmp_path / "reference.db")
    path = tmp_path / "state.db"
    with opened(path, MemoryStore(clock), clock, reference=reference) as (replica, log):
        log.log_slate(past(), Origin.REPLAY)
        replica.sync_now()
        log.log_slate(tonight(), Origin.LIVE)
        yield log


@pytest.mark.parametrize(("filters", "rows"), CHOICES)
@pytest.mark.parametrize("compressed", [False, True])
def test_the_csv_has_every_row_of_the_table(
    log: PredictionLog, filters: HistoryFilters, rows: int, compressed: bool
) -> None:
    content = log.history_csv(filters, compressed=compressed)
    assert content == log.history_csv(filters, compressed=compressed)
    text = (gzip.decompress(content) if compressed else content).decode()
    whole = log.history(filters, limit=None)
    assert len(whole) == rows
    assert text == whole.to_csv(index=False, date_format=MOMENT_FORMAT)
    assert text.startswith(",".join(HISTORY_COLUMNS) + "\n")


@pytest.mark.parametrize(("filters", "rows"), CHOICES)
def test_the_parquet_file_has_every_row_of_the_table(
    log: PredictionLog, filters: HistoryFilters, rows: int
) -> None:
    table = pq.read_table(io.BytesIO(log.history_parquet(filters)))
    assert table.schema.equals(PARQUET_SCHEMA)
    assert table.num_rows == rows
    whole = log.history(filters, limit=None)
    read = table.to_pandas(date_as_object=True)
    for column in HISTORY_COLUMNS:
        for said, kept in zip(whole[column], read[column], strict=True):
            assert (pd.isna(said) and pd.isna(kept)) or said == kept, column


def test_a_pending_run_has_no_sequence_and_a_saved_one_a_whole_number(log: PredictionLog) -> None:
    text = log.history_csv(HistoryFilters(stat="points")).decode()
    table = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False)
    by_date = table.groupby("slate_date")["sequence"].agg(set).to_dict()
    assert by_date == {TONIGHT.isoformat(): {""}, "2024-11-20": {"2"}}
    moments = set(table["logged_at"])
    assert moments == {"2026-11-20T17:00:00.000000Z"}
