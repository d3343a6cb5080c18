"""The journey through a bucket: upload, lose the disk, download, go on. Real HTTP throughout."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import UTC, date, datetime
from pathlib import Path
from random import Random

import apsw
import pytest

from jobs.state import LATEST_KEY
from prediction_tracking import (
    MIGRATIONS,
    REPLICATED_TABLES,
    HistoryFilters,
    Origin,
    PredictionLog,
)
from replica import Replica
from replica.stores.s3 import S3Options
from s3_storage import S3PredictionStorage
from tests.app_process import wait_for
from tests.servers import raw_client, s3_options
from tests.slates import TONIGHT, tonight
from tests.stores import ManualClock


class Machine:
    """A disk with a database on it, and the bucket."""

    def __init__(self, folder: Path, options: S3Options, clock: ManualClock) -> None:
        self.path = folder / "nba_stats.db"
        self.storage = S3PredictionStorage.from_options(
            options, migrations=MIGRATIONS, tables=REPLICATED_TABLES
        )
        self.replica = Replica(
            self.path,
            self.storage.store,
            MIGRATIONS,
            tables=REPLICATED_TABLES,
            clock=clock,
            random=Random(),
            latest_key=LATEST_KEY,
        )
        self.storage.attach(self.replica)
        self.replica.restore()
        self.log = PredictionLog(
            self.replica, None, clock=clock, on_logged=lambda _: self.replica.request_sync()
        )

    def rows(self) -> dict[str, list[tuple[apsw.SQLiteValue, ...]]]:
        with self.replica.read() as connection:
            return rows_in(connection)


def rows_in(connection: apsw.Connection) -> dict[str, list[tuple[apsw.SQLiteValue, ...]]]:
    return {
        table: sorted(connection.execute(f"SELECT * FROM {table}").fetchall(), key=repr)
        for table in REPLICATED_TABLES
    }


def rows_of_file(path: Path) -> dict[str, list[tuple[apsw.SQLiteValue, ...]]]:
    with closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)) as connection:
        return rows_in(connection)


@pytest.fixture
def options(
    moto_endpoint: str,
    new_bucket: Callable[[str], str],
    no_ambient_aws: None,
    shared_service_descriptions: None,
) -> S3Options:
    return s3_options(moto_endpoint, new_bucket(moto_endpoint))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2026, 11, 20, 20, tzinfo=UTC))


@pytest.fixture
def new_machine(
    tmp_path: Path, options: S3Options, clock: ManualClock
) -> Iterator[Callable[[], Machine]]:
    """Machines with empty disks, all on one bucket."""
    with ExitStack() as stack:
        count = 0

        def start() -> Machine:
            nonlocal count
            count += 1
            folder = tmp_path / f"machine-{count}"
            folder.mkdir()
            machine = Machine(folder, options, clock)
            stack.callback(machine.replica.close, 0)
            return machine

        yield start


def keys_in(options: S3Options) -> list[str]:
    listed = raw_client(options.endpoint_url or "").list_objects_v2(Bucket=options.bucket)
    return [entry["Key"] for entry in listed.get("Contents", [])]


def entries_in(options: S3Options) -> list[str]:
    """The log's keys without the prefix; the first one holds what every log begins with."""
    found = [key.removeprefix("predictions/log/") for key in keys_in(options) if "/log/" in key]
    assert found[:1] == [f"{1:020d}"][: len(found)]
    return found


def test_upload_database(new_machine: Callable[[], Machine], options: S3Options) -> None:
    machine = new_machine()
    machine.log.log_slate(tonight(), Origin.LIVE)
    assert machine.storage.upload_database(machine.path) is True
    [base, head, first, second, newest, snapshot] = keys_in(options)
    assert base.startswith("predictions/bases/")
    assert head == "predictions/head.json"
    assert (first, second) == (f"predictions/log/{1:020d}", f"predictions/log/{2:020d}")
    assert newest == "predictions/nba_stats.db.zst"
    assert snapshot.startswith(f"predictions/snapshots/{2:020d}-")
    before = keys_in(options)
    assert machine.storage.upload_database(machine.path) is False
    assert keys_in(options) == before
    assert machine.replica.status().pending_transactions == 0


def test_download_database(
    new_machine: Callable[[], Machine], options: S3Options, tmp_path: Path
) -> None:
    target = tmp_path / "downloaded" / "nba_stats.db"
    target.parent.mkdir()
    elsewhere = S3PredictionStorage.from_options(
        options, migrations=MIGRATIONS, tables=REPLICATED_TABLES
    )
    assert elsewhere.download_database(target) is False
    assert not target.exists()
    machine = new_machine()
    machine.log.log_slate(tonight(), Origin.LIVE)
    machine.storage.upload_database(machine.path)
    before = machine.rows()
    assert len(before["predictions"]) == 20
    machine.replica.close(0)
    for file in machine.path.parent.iterdir():
        file.unlink()

    assert elsewhere.download_database(target) is True
    assert rows_of_file(target) == before


def test_sync_on_prediction_log(new_machine: Callable[[], Machine], options: S3Options) -> None:
    machine = new_machine()
    machine.replica.start_publisher()
    assert len(entries_in(options)) == 1
    run = machine.log.log_slate(tonight(), Origin.LIVE)
    wait_for(lambda: len(entries_in(options)) == 2, what="the upload", timeout_seconds=20)
    wait_for(
        lambda: not machine.log.run(run.run_id).pending,
        what="the run to be marked as stored",
        timeout_seconds=20,
    )
    assert machine.log.run(run.run_id).sequence == 2
    # Logging the same again changes nothing, so there is nothing to upload.
    machine.log.log_slate(tonight(), Origin.LIVE)
    assert machine.replica.sync_now() is False
    assert len(entries_in(options)) == 2


def test_a_new_machine_restores_every_row(
    new_machine: Callable[[], Machine], options: S3Options
) -> None:
    first = new_machine()
    first.log.log_slate(tonight(), Origin.LIVE)
    first.storage.upload_database(first.path)
    second = new_machine()
    assert second.rows() == first.rows()
    pandas_rows = second.log.history(HistoryFilters(), limit=None)
    assert len(pandas_rows) == 20
    assert set(pandas_rows["saved"]) == {True}


def test_predictions_added_after_the_restore_are_uploaded_too(
    new_machine: Callable[[], Machine], clock: ManualClock, options: S3Options, tmp_path: Path
) -> None:
    first = new_machine()
    first.log.log_slate(tonight(), Origin.LIVE)
    first.storage.upload_database(first.path)
    first.replica.close(0)

    second = new_machine()
    clock.advance(minutes=5)
    revision = second.log.log_slate(tonight(points=30.0), Origin.LIVE, revision=True)
    assert second.storage.upload_database(second.path) is True
    assert len(entries_in(options)) == 3

    third = new_machine()
    assert third.rows() == second.rows()
    assert len(third.rows()["predictions"]) == 40
    current = third.log.current_run(TONIGHT)
    assert current is not None
    assert (current.run_id, current.sequence) == (revision.run_id, 3)


def test_uploads_and_downloads_over_and_over_make_no_duplicates(
    new_machine: Callable[[], Machine], options: S3Options, tmp_path: Path
) -> None:
    target = tmp_path / "copy.db"
    for _ in range(3):
        machine = new_machine()
        for _ in range(2):
            machine.log.log_slate(tonight(), Origin.LIVE)
            machine.storage.upload_database(machine.path)
            machine.storage.download_database(target)
        assert rows_of_file(target) == machine.rows()
        machine.replica.close(0)
    rows = rows_of_file(target)
    assert (len(rows["runs"]), len(rows["game_predictions"])) == (1, 2)
    assert len(rows["predictions"]) == len(set(rows["predictions"])) == 20
    assert len(entries_in(options)) == 2


def test_list_backups(new_machine: Callable[[], Machine], options: S3Options) -> None:
    machine = new_machine()
    assert machine.storage.list_backups() == []
    machine.log.log_slate(tonight(), Origin.LIVE)
    first = machine.replica.back_up("manual")
    second = machine.replica.back_up("before-import")
    listed = machine.storage.list_backups()
    assert {info.key for info in listed} == {first.key, second.key}
    assert all(info.key.startswith("backups/") for info in listed)
    assert all(info.modified_at.tzinfo is UTC and info.size_bytes > 500 for info in listed)
    assert machine.replica.status().pending_transactions == 0, "pending writes went first"


def test_backup_predictions_csv(new_machine: Callable[[], Machine], options: S3Options) -> None:
    machine = new_machine()
    run = machine.log.log_slate(tonight(), Origin.LIVE)
    frame = machine.log.run_frame(run.run_id)
    key = machine.storage.backup_predictions_csv(frame)
    assert key == f"csv/game_date=2026-11-20/{run.run_id}.csv"
    assert machine.storage.backup_predictions_csv(frame) == key
    stored = raw_client(options.endpoint_url or "").get_object(
        Bucket=options.bucket, Key=f"predictions/{key}"
    )
    rows = list(csv.DictReader(io.StringIO(stored["Body"].read().decode())))
    assert len(rows) == 20
    assert {row["run_id"] for row in rows} == {run.run_id}
    assert {date.fromisoformat(row["slate_date"]) for row in rows} == {TONIGHT}
    assert stored["ServerSideEncryption"] == "AES256"
    assert len([found for found in keys_in(options) if "/csv/" in found]) == 1


def test_a_folders_history_goes_on_in_a_bucket_that_it_was_copied_to(
    new_machine: Callable[[], Machine], options: S3Options, clock: ManualClock, tmp_path: Path
) -> None:
    folder = S3PredictionStorage.from_folder(
        tmp_path / "store", migrations=MIGRATIONS, tables=REPLICATED_TABLES
    )
    path = tmp_path / "at home.db"
    replica = Replica(
        path,
        folder.store,
        MIGRATIONS,
        tables=REPLICATED_TABLES,
        clock=clock,
        random=Random(),
    )
    folder.attach(replica)
    replica.restore()
    PredictionLog(replica, None, clock=clock).log_slate(tonight(), Origin.LIVE)
    folder.upload_database(path)
    replica.close(0)
    client = raw_client(options.endpoint_url or "")
    for info in folder.store.list(""):
        body = folder.store.get(info.key).body
        client.put_object(Bucket=options.bucket, Key=f"predictions/{info.key}", Body=body)
    machine = new_machine()
    assert machine.rows()["predictions"] == rows_of_file(path)["predictions"]
    machine.log.log_slate(tonight(), Origin.LIVE, revision=True)
    assert machine.storage.upload_database(machine.path)
    assert len(entries_in(options)) == 3
