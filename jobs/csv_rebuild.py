"""The predictions built again from their readable copies, when nothing else is left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from random import Random

from jobs.clock import Clock
from jobs.work_folders import work_folder
from prediction_tracking import MIGRATIONS, REPLICATED_TABLES
from replica import ObjectNotFound, ObjectStore, Replica, Transaction, local_faults
from replica.stores.folder import FolderStore
from s3_storage import S3PredictionStorage
from tracking.csv_runs import CopiedRun, CopyDamaged, fingerprint, read_copy, write_copied_run

__all__ = ["CsvRebuild", "add_runs", "rebuild_predictions"]

_COPIES = "csv/"
_READERS = 16

Progress = Callable[[float, str], None]


@dataclass(slots=True)
class CsvRebuild:
    """What was read and written.

    Attributes:
        files: how many copies there are.
        runs, predictions: how many were written.
        problems: copies that were left out, one sentence each.
    """

    files: int = 0
    runs: int = 0
    predictions: int = 0
    problems: list[str] = field(default_factory=list)


def rebuild_predictions(
    storage: S3PredictionStorage,
    to: Path,
    progress: Progress = lambda share, words: None,
    *,
    clock: Clock,
    generator: Random,
) -> CsvRebuild:
    """Write a new plain SQLite file with every run of the copies below `csv/`, and nothing else.

    Nothing but the copies is read. A run whose copy is there twice is written once. Its rows are
    as they were; when it was saved is not in a copy, so a run counts as saved now, and never as
    saved before a game that is over. Runs that a restore took away have their copies still, and are
    in it; runs that were imported have none, and are not. Without a sound copy no file is written.

    Raises StoreError, LocalError, FileOwned.
    """
    report = CsvRebuild()
    runs = _read_copies(storage.store, report, progress)
    if not report.files:
        return report

    def fill(_: ObjectStore, transaction: Transaction) -> None:
        add_runs(transaction, runs, report)

    with local_faults("write beside", to), work_folder(to.parent) as folder:
        beginning = FolderStore(folder / "store")
        replica = Replica(
            folder / "rebuilt.db",
            beginning,
            MIGRATIONS,
            tables=REPLICATED_TABLES,
            clock=clock,
            random=generator,
            prepare_first=fill,
        )
        try:
            replica.restore()
        finally:
            replica.close(0.0)
        if not report.runs:
            return report
        rebuilt = S3PredictionStorage(beginning, migrations=MIGRATIONS, tables=REPLICATED_TABLES)
        rebuilt.download_database(to)
    return report


def add_runs(transaction: Transaction, runs: Iterator[CopiedRun], report: CsvRebuild) -> None:
    """Write those runs that are not there yet; doing it again changes nothing."""
    for run in runs:
        if write_copied_run(transaction, run):
            report.runs += 1
            report.predictions += len(run.predictions)


def _read_copies(store: ObjectStore, report: CsvRebuild, progress: Progress) -> Iterator[CopiedRun]:
    """Each run once, in the order of the copies' keys; `report` is told what is left out."""
    keys = [info.key for info in store.list(_COPIES) if info.key.endswith(".csv")]
    report.files = len(keys)
    return _each_run(store, keys, report, progress)


def _each_run(
    store: ObjectStore, keys: list[str], report: CsvRebuild, progress: Progress
) -> Iterator[CopiedRun]:
    # What was said of a run is remembered as a hash: a long history is not in memory.
    seen: dict[str, bytes] = {}
    again: list[str] = []
    with ThreadPoolExecutor(_READERS, thread_name_prefix="nba-daily-copies") as readers:
        for key, run in _read(store, keys, readers, report, progress):
            if PurePosixPath(key).stem == run.run_id:
                seen[run.run_id] = fingerprint(run)
                yield run
            else:
                again.append(key)
        # Under another name than its run's it is somebody's copy of a copy, and has less to say.
        for key, run in _read(store, again, readers, report, progress):
            if run.run_id not in seen:
                seen[run.run_id] = fingerprint(run)
                yield run
            elif fingerprint(run) != seen[run.run_id]:
                report.problems.append(
                    f"{key}: it says otherwise of run {run.run_id} than the copy of that name. "
                    "That one was taken; compare the two."
                )


def _read(
    store: ObjectStore,
    keys: list[str],
    readers: ThreadPoolExecutor,
    report: CsvRebuild,
    progress: Progress,
) -> Iterator[tuple[str, CopiedRun]]:
    """Each copy that is sound; `report` is told of the others."""

    def read(key: str) -> CopiedRun | str:
        try:
            return read_copy(store.get(key).body, key)
        except (CopyDamaged, ObjectNotFound) as error:
            return str(error)

    # A window at a time, so that only so many are in memory.
    for start in range(0, len(keys), _READERS):
        window = keys[start : start + _READERS]
        progress(start / len(keys), f"Reading copy {start + 1:,} of {len(keys):,}")
        for key, run in zip(window, readers.map(read, window), strict=True):
            if isinstance(run, str):
                report.problems.append(run)
            else:
                yield key, run
