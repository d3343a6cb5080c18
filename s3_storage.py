"""The bucket's public face: the app's database and its readable copies, in S3 or in a folder."""

from __future__ import annotations

import csv
import io
import numbers
import re
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pandas as pd

from replica import (
    BACKUPS,
    Migration,
    Moment,
    ObjectExists,
    ObjectInfo,
    ObjectStore,
    PutMode,
    Replica,
    ReplicaError,
    StateError,
    write_as_of,
    write_newest,
)
from replica.stores.folder import FolderStore
from replica.stores.s3 import S3Options, S3Store

__all__ = ["NotTheOpenDatabase", "S3PredictionStorage", "UnusableFrame"]

# What tells rows apart, first and in this order; all other columns follow by name.
_LEADING_COLUMNS = ("run_id", "slate_date", "game_date", "game_id", "player_id", "stat")
_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class NotTheOpenDatabase(StateError):
    """A file was to be uploaded that is not the open replica's own."""

    summary = "it is not the database that is open"
    standard_remedy = (
        "Only the open database is uploaded, because any other file could overwrite newer "
        "predictions. Open this file as the app's database first."
    )


class UnusableFrame(ReplicaError):
    """The rows are not those of one run."""

    summary = "these rows are not one run's predictions"
    standard_remedy = "Give the rows of one run, with run_id and slate_date (or game_date)."


class S3PredictionStorage:
    """Where the predictions live when no machine runs.

    Attributes:
        store: the bucket, or the folder that stands in for one.

    All methods raise a StoreError when the store fails; none swallows one.
    """

    def __init__(
        self,
        store: ObjectStore,
        *,
        migrations: Sequence[Migration] = (),
        tables: Sequence[str] = (),
    ) -> None:
        self.store = store
        self._migrations = tuple(migrations)
        self._tables = tuple(tables)
        self._replica: Replica | None = None

    @classmethod
    def from_options(
        cls,
        options: S3Options,
        *,
        migrations: Sequence[Migration] = (),
        tables: Sequence[str] = (),
    ) -> S3PredictionStorage:
        """A bucket of S3 or of a service like it. Sends nothing yet."""
        return cls(S3Store(options), migrations=migrations, tables=tables)

    @classmethod
    def from_folder(
        cls,
        path: Path,
        *,
        migrations: Sequence[Migration] = (),
        tables: Sequence[str] = (),
    ) -> S3PredictionStorage:
        """A local folder, made if it is missing. AccessDenied if it cannot be."""
        return cls(FolderStore(path), migrations=migrations, tables=tables)

    def attach(self, replica: Replica) -> None:
        """Names the open replica, whose file is the only one that may be uploaded."""
        self._replica = replica

    def upload_database(self, db_path: Path | str) -> bool:
        """Publishes what is pending in the open database, and a snapshot of it, and waits for both.

        With nothing pending, what others stored since is taken. True: something was transferred.
        False: both sides were the same already, and the newest snapshot has it all.

        Raises NotTheOpenDatabase for any other file, a StateError where the log cannot be followed,
        and StoreError; what is pending stays pending then.
        """
        path = Path(db_path)
        if self._replica is None or not _same_file(path, self._replica.path):
            raise NotTheOpenDatabase("upload", str(path))
        before = self._replica.status()
        moved = self._replica.sync_now()
        snapshot = self._replica.snapshot()
        return moved or snapshot.sequence != before.snapshot_sequence

    def download_database(self, db_path: Path | str, at: Moment | None = None) -> bool:
        """Writes the newest state, snapshot and log, to a file that no replica has open.

        `at` is a log entry's number or an aware time: the state as it was then.

        The file that is there stays until the new one is verified. A damaged snapshot is passed
        over for the one before; a newer schema is not damage. True: the file was written.
        False: the store holds no state, and nothing was touched.

        Raises MomentUnknown, FileOwned, PendingChanges, NewerSchema, EntryRefused, SnapshotError
        (nothing in the store is sound), LocalError, StoreError, and ValueError if the storage was
        made without migrations.
        """
        if not self._migrations:
            raise ValueError("a storage that downloads needs the migrations of its database")
        path = Path(db_path)
        if at is None:
            return write_newest(self.store, path, self._migrations, self._tables)
        return write_as_of(self.store, path, self._migrations, self._tables, at)

    def backup_predictions_csv(self, frame: pd.DataFrame) -> str:
        """Stores one run's rows as a readable file, and returns its key.

        The key is csv/game_date=<slate date>/<run id>.csv. The same rows make the same bytes,
        whatever the order of rows and columns: UTF-8, lines end in a line feed, moments in UTC,
        numbers in full precision, empty where nothing is known. Storing them again is fine.

        Raises UnusableFrame unless the rows have one run_id and one slate_date (or, without that
        column, one game_date), ObjectExists when other rows are stored for this run already, and
        StoreError.
        """
        key = _csv_key(frame)
        body = _csv_bytes(frame, key)
        try:
            self.store.put(key, body, PutMode.CREATE)
        except ObjectExists:
            if self.store.get(key).body != body:
                raise ObjectExists(
                    "put",
                    key,
                    "A run never changes. Compare the two; to say something else, log a revision.",
                    "its content is another",
                ) from None
        return key

    def list_backups(self) -> list[ObjectInfo]:
        """All backups, oldest first; their times are the store's, in UTC."""
        return self.store.list(BACKUPS)


def _same_file(path: Path, other: Path) -> bool:
    return path.resolve() == other.resolve()


def _csv_key(frame: pd.DataFrame) -> str:
    run_id = _only_value(frame, "run_id")
    column = "slate_date" if "slate_date" in frame.columns else "game_date"
    day = _only_value(frame, column)
    if not _RUN_ID.fullmatch(run_id):
        raise UnusableFrame("copy", "predictions", detail=f"run_id {run_id!r} cannot name a file")
    try:
        slate_date = date.fromisoformat(day.removesuffix("T00:00:00"))
    except ValueError:
        raise UnusableFrame("copy", run_id, detail=f"{column} {day!r} is not a date") from None
    return f"csv/game_date={slate_date.isoformat()}/{run_id}.csv"


def _only_value(frame: pd.DataFrame, column: str) -> str:
    if list(frame.columns).count(column) != 1:
        raise UnusableFrame("copy", "predictions", detail=f"{column} is missing or there twice")
    values = {_cell(value) for value in frame[column].unique().tolist()}
    if len(values) != 1 or "" in values:
        raise UnusableFrame("copy", "predictions", detail=f"{len(values)} values of {column}")
    return values.pop()


def _csv_bytes(frame: pd.DataFrame, key: str) -> bytes:
    names = [str(name) for name in frame.columns]
    if len(set(names)) != len(names):
        raise UnusableFrame("copy", key, detail="a column is there twice")
    leading = [name for name in _LEADING_COLUMNS if name in names]
    columns = leading + sorted(set(names) - set(leading))
    cells = [[_cell(value) for value in frame.iloc[:, names.index(name)]] for name in columns]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(sorted(zip(*cells, strict=True)))
    return text.getvalue().encode()


def _cell(value: object) -> str:
    if isinstance(value, str):
        return value
    if value is None or value is pd.NA or value is pd.NaT or value != value:
        return ""
    if isinstance(value, datetime):
        moment = value if value.tzinfo is None else value.astimezone(UTC).replace(tzinfo=None)
        return moment.isoformat() + ("" if value.tzinfo is None else "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    # numpy's numbers print differently from one version to the next.
    if isinstance(value, numbers.Integral):
        return str(int(value))
    if isinstance(value, numbers.Real):
        return repr(float(value))
    return str(value)
