"""The bucket's public face: upload, download, readable copies, backups."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, date, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import apsw
import numpy as np
import pandas as pd
import pytest

from replica import (
    AccessDenied,
    BucketMissing,
    EntryRefused,
    FileOwned,
    Migration,
    MomentUnknown,
    NewerSchema,
    ObjectExists,
    PendingChanges,
    PutMode,
    Replica,
    ReplicaClosed,
    SnapshotError,
    StoreUnreachable,
)
from replica.log import log_key
from s3_storage import NotTheOpenDatabase, S3PredictionStorage, UnusableFrame
from tests.servers import ErrorServer, Reply, free_port, s3_error, s3_options, stored

pytestmark = pytest.mark.usefixtures("no_ambient_aws", "shared_service_descriptions")

NOTES = Migration(
    1,
    "notes",
    "CREATE TABLE notes (note_id TEXT PRIMARY KEY NOT NULL, words TEXT NOT NULL) WITHOUT ROWID",
)
TABLES = ("notes",)
TAGS = Migration(
    2, "tags", "CREATE TABLE tags (tag TEXT PRIMARY KEY NOT NULL, note_id TEXT) WITHOUT ROWID"
)


@pytest.fixture(params=["folder", "moto", "ministack"])
def storage(
    request: pytest.FixtureRequest, tmp_path: Path, new_bucket: Callable[[str], str]
) -> S3PredictionStorage:
    """An empty storage of each kind."""
    if request.param == "folder":
        return S3PredictionStorage.from_folder(
            tmp_path / "store", migrations=[NOTES], tables=TABLES
        )
    url = request.getfixturevalue(f"{request.param}_endpoint")
    options = s3_options(url, new_bucket(url))
    return S3PredictionStorage.from_options(options, migrations=[NOTES], tables=TABLES)


@pytest.fixture
def folder_storage(tmp_path: Path) -> S3PredictionStorage:
    return S3PredictionStorage.from_folder(tmp_path / "store", migrations=[NOTES], tables=TABLES)


@pytest.fixture
def open_replica() -> Iterator[Callable[..., Replica]]:
    """Opens replicas on a storage and closes them after the test."""
    opened: list[Replica] = []

    def open_one(
        storage: S3PredictionStorage, path: Path, migrations: tuple[Migration, ...] = (NOTES,)
    ) -> Replica:
        replica = Replica(
            path,
            storage.store,
            migrations,
            tables=TABLES,
            clock=lambda: datetime.now(UTC),
            random=random.Random(len(opened)),
        )
        opened.append(replica)
        replica.restore()
        storage.attach(replica)
        return replica

    yield open_one
    for replica in opened:
        replica.close(flush_timeout_seconds=0)


def write(replica: Replica, *notes: str) -> None:
    with replica.transaction() as transaction:
        transaction.executemany(
            "INSERT INTO notes VALUES (?, ?)", [(note, f"words of {note}") for note in notes]
        )


def notes_in(path: Path) -> list[str]:
    with closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)) as connection:
        return [row[0] for row in connection.execute("SELECT note_id FROM notes ORDER BY 1")]


def test_what_is_uploaded_can_be_downloaded(
    storage: S3PredictionStorage, open_replica: Callable[..., Replica], tmp_path: Path
) -> None:
    replica = open_replica(storage, tmp_path / "live.db")
    write(replica, "a", "b")
    assert storage.upload_database(tmp_path / "live.db") is True
    assert replica.status().pending_transactions == 0
    assert storage.upload_database(str(tmp_path / "live.db")) is False
    assert storage.download_database(str(tmp_path / "copy.db")) is True
    assert notes_in(tmp_path / "copy.db") == ["a", "b"]


def test_a_download_goes_on_where_the_upload_ended(
    storage: S3PredictionStorage, open_replica: Callable[..., Replica], tmp_path: Path
) -> None:
    first = open_replica(storage, tmp_path / "live.db")
    write(first, "a")
    storage.upload_database(tmp_path / "live.db")
    first.close(flush_timeout_seconds=0)
    (tmp_path / "live.db").unlink()

    assert storage.download_database(tmp_path / "live.db") is True
    second = open_replica(storage, tmp_path / "live.db")
    assert second.status().pending_transactions == 0
    write(second, "b")
    assert storage.upload_database(tmp_path / "live.db") is True
    assert storage.download_database(tmp_path / "copy.db") is True
    assert notes_in(tmp_path / "copy.db") == ["a", "b"]
    assert len(storage.store.list("snapshots/")) == 2


def test_an_empty_store_gives_nothing_and_takes_nothing(
    storage: S3PredictionStorage, tmp_path: Path
) -> None:
    target = tmp_path / "old.db"
    assert storage.download_database(target) is False
    assert not target.exists()
    target.write_bytes(b"what was here before")
    assert storage.download_database(target) is False
    assert target.read_bytes() == b"what was here before"


def test_a_missing_bucket_is_not_an_empty_store(moto_endpoint: str, tmp_path: Path) -> None:
    storage = S3PredictionStorage.from_options(
        s3_options(moto_endpoint, "there-is-no-such-bucket"), migrations=[NOTES], tables=TABLES
    )
    with pytest.raises(BucketMissing):
        storage.download_database(tmp_path / "copy.db")
    assert not (tmp_path / "copy.db").exists()


def test_a_refused_download_is_not_an_empty_store(tmp_path: Path) -> None:
    with ErrorServer(s3_error(403, "AccessDenied")) as server:
        storage = S3PredictionStorage.from_options(
            s3_options(server.url, "bucket"), migrations=[NOTES], tables=TABLES
        )
        with pytest.raises(AccessDenied, match="s3:ListBucket"):
            storage.download_database(tmp_path / "copy.db")


def test_only_the_open_database_is_uploaded(
    folder_storage: S3PredictionStorage, open_replica: Callable[..., Replica], tmp_path: Path
) -> None:
    with pytest.raises(NotTheOpenDatabase):
        folder_storage.upload_database(tmp_path / "live.db")
    replica = open_replica(folder_storage, tmp_path / "live.db")
    write(replica, "a")
    with pytest.raises(NotTheOpenDatabase) as caught:
        folder_storage.upload_database(tmp_path / "other.db")
    assert caught.value.key == str(tmp_path / "other.db")
    assert caught.value.remedy in str(caught.value)
    assert folder_storage.store.list("snapshots/") == []
    assert replica.status().pending_transactions == 1


def test_the_open_database_may_be_named_in_other_ways(
    folder_storage: S3PredictionStorage,
    open_replica: Callable[..., Replica],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write(open_replica(folder_storage, tmp_path / "live.db"), "a")
    monkeypatch.chdir(tmp_path)
    os.symlink(tmp_path, tmp_path / "elsewhere")
    assert folder_storage.upload_database("live.db") is True
    assert folder_storage.upload_database(tmp_path / "elsewhere" / "live.db") is False


def test_a_closed_database_is_not_uploaded(
    folder_storage: S3PredictionStorage, open_replica: Callable[..., Replica], tmp_path: Path
) -> None:
    open_replica(folder_storage, tmp_path / "live.db").close(flush_timeout_seconds=0)
    with pytest.raises(ReplicaClosed):
        folder_storage.upload_database(tmp_path / "live.db")


def test_a_failed_upload_raises_and_stays_pending(
    folder_storage: S3PredictionStorage, open_replica: Callable[..., Replica], tmp_path: Path
) -> None:
    replica = open_replica(folder_storage, tmp_path / "live.db")
    write(replica, "a")
    (tmp_path / "store").rename(tmp_path / "away")
    with pytest.raises(BucketMissing):
        folder_storage.upload_database(tmp_path / "live.db")
    assert replica.status().pending_transactions == 1
    (tmp_path / "away").rename(tmp_path / "store")
    assert folder_storage.upload_database(tmp_path / "live.db") is True
    assert replica.status().pending_transactions == 0


def test_the_open_database_is_never_downloaded_over(
    folder_storage: S3PredictionStorage, open_replica: Callable[..., Replica], tmp_path: Path
) -> None:
    replica = open_replica(folder_storage, tmp_path / "live.db")
    write(replica, "a")
    folder_storage.upload_database(tmp_path / "live.db")
    write(replica, "b")
    with pytest.raises(FileOwned):
        folder_storage.download_database(tmp_path / "live.db")
    assert notes_in(tmp_path / "live.db") == ["a", "b"]


@pytest.fixture
def two_snapshots(
    folder_storage: S3PredictionStorage, open_replica: Callable[..., Replica], tmp_path: Path
) -> S3PredictionStorage:
    replica = open_replica(folder_storage, tmp_path / "live.db")
    for note in ("a", "b"):
        write(replica, note)
        folder_storage.upload_database(tmp_path / "live.db")
    return folder_storage


def damage(storage: S3PredictionStorage, prefix: str) -> list[str]:
    """Cut every object below a prefix short; their keys."""
    keys = [info.key for info in storage.store.list(prefix)]
    for key in keys:
        storage.store.put(key, storage.store.get(key).body[:-20], PutMode.OVERWRITE)
    return keys


def test_damaged_snapshots_are_passed_over(
    two_snapshots: S3PredictionStorage, tmp_path: Path
) -> None:
    assert len(damage(two_snapshots, "snapshots/")) == 2
    assert two_snapshots.download_database(tmp_path / "copy.db") is True
    assert notes_in(tmp_path / "copy.db") == ["a", "b"]


def test_damage_everywhere_leaves_the_old_file(
    two_snapshots: S3PredictionStorage, tmp_path: Path
) -> None:
    assert two_snapshots.download_database(tmp_path / "copy.db") is True
    before = (tmp_path / "copy.db").read_bytes()
    damage(two_snapshots, "snapshots/")
    [base] = damage(two_snapshots, "bases/")
    with pytest.raises(SnapshotError) as caught:
        two_snapshots.download_database(tmp_path / "copy.db")
    assert caught.value.key == base
    assert (tmp_path / "copy.db").read_bytes() == before
    assert not list(tmp_path.glob("copy.db.partial*"))


def test_a_damaged_entry_is_never_skipped(
    two_snapshots: S3PredictionStorage, tmp_path: Path
) -> None:
    damage(two_snapshots, log_key(3))
    for info in two_snapshots.store.list("snapshots/"):
        two_snapshots.store.delete(info.key)
    with pytest.raises(EntryRefused) as caught:
        two_snapshots.download_database(tmp_path / "copy.db")
    assert caught.value.key == log_key(3)
    assert not (tmp_path / "copy.db").exists()


def test_the_database_as_it_was(two_snapshots: S3PredictionStorage, tmp_path: Path) -> None:
    for sequence, notes in ((1, []), (2, ["a"]), (3, ["a", "b"])):
        path = tmp_path / f"{sequence}.db"
        assert two_snapshots.download_database(path, sequence) is True
        assert notes_in(path) == notes
    moment = two_snapshots.store.get(log_key(2)).info.modified_at
    assert two_snapshots.download_database(tmp_path / "then.db", moment) is True
    assert "a" in notes_in(tmp_path / "then.db")
    for never in (4, datetime(1999, 1, 1, tzinfo=UTC)):
        with pytest.raises(MomentUnknown):
            two_snapshots.download_database(tmp_path / "never.db", never)
    assert not (tmp_path / "never.db").exists()


def test_what_is_saved_nowhere_else_is_never_downloaded_over(
    two_snapshots: S3PredictionStorage, open_replica: Callable[..., Replica], tmp_path: Path
) -> None:
    other = open_replica(two_snapshots, tmp_path / "other.db")
    write(other, "c")
    other.close(flush_timeout_seconds=0)
    with pytest.raises(PendingChanges):
        two_snapshots.download_database(tmp_path / "other.db")
    assert notes_in(tmp_path / "other.db") == ["a", "b", "c"]


def test_a_newer_schema_is_not_damage(
    folder_storage: S3PredictionStorage, open_replica: Callable[..., Replica], tmp_path: Path
) -> None:
    write(open_replica(folder_storage, tmp_path / "live.db"), "a")
    folder_storage.upload_database(tmp_path / "live.db")
    newer = S3PredictionStorage(folder_storage.store, migrations=[NOTES, TAGS], tables=TABLES)
    write(open_replica(newer, tmp_path / "newer.db", (NOTES, TAGS)), "b")
    assert newer.upload_database(tmp_path / "newer.db") is True
    with pytest.raises(NewerSchema, match="Update the application"):
        folder_storage.download_database(tmp_path / "copy.db")
    assert not (tmp_path / "copy.db").exists()
    assert newer.download_database(tmp_path / "copy.db") is True


def test_without_migrations_nothing_is_downloaded(tmp_path: Path) -> None:
    storage = S3PredictionStorage.from_folder(tmp_path / "store")
    with pytest.raises(ValueError, match="migrations"):
        storage.download_database(tmp_path / "copy.db")


def test_opening_a_storage_sends_nothing() -> None:
    options = s3_options(f"http://127.0.0.1:{free_port()}", "bucket")
    storage = S3PredictionStorage.from_options(options)
    assert storage.store.location == "s3://bucket/predictions/"
    with pytest.raises(StoreUnreachable):
        storage.list_backups()


def test_backups_are_listed_oldest_first(
    storage: S3PredictionStorage, open_replica: Callable[..., Replica], tmp_path: Path
) -> None:
    assert storage.list_backups() == []
    replica = open_replica(storage, tmp_path / "live.db")
    write(replica, "a")
    made = replica.back_up("manual")
    storage.store.put("backups/1999-01-01T00-00-00Z-old.db.zst", b"old", PutMode.CREATE)
    assert [info.key for info in storage.list_backups()] == [
        "backups/1999-01-01T00-00-00Z-old.db.zst",
        made.key,
    ]
    assert storage.list_backups()[1].size_bytes == made.size_bytes


TIPOFF = pd.Timestamp("2026-11-20T19:30:00-05:00")
RUN_ID = "7d0a3a3e-6f3f-5c1e-9a53-0a35e1f8c001"


def run_frame(**changes: Any) -> pd.DataFrame:
    columns: dict[str, Any] = {
        "run_id": [RUN_ID] * 3,
        "slate_date": [date(2026, 11, 20)] * 3,
        "tipoff_utc": [TIPOFF, pd.NaT, TIPOFF],
        "game_id": ["0022600200", "0022600200", "0022600100"],
        "player_id": pd.array([203999, 1628389, None], dtype="Int64"),
        "player_name": ["Nikola Jokić", 'Bam "B", Adebayo', None],
        "stat": ["points", "points", None],
        "mean": [26.1, 1 / 3, float("nan")],
        "from_prior": pd.array([False, True, None], dtype="boolean"),
        "revision": np.array([False, False, True]),
    }
    return pd.DataFrame(columns | changes)


KEY = f"csv/game_date=2026-11-20/{RUN_ID}.csv"
EXPECTED = (
    "run_id,slate_date,game_id,player_id,stat,from_prior,mean,player_name,revision,tipoff_utc\n"
    f"{RUN_ID},2026-11-20,0022600100,,,,,,true,2026-11-21T00:30:00Z\n"
    f"{RUN_ID},2026-11-20,0022600200,1628389,points,true,0.3333333333333333,"
    '"Bam ""B"", Adebayo",false,\n'
    f"{RUN_ID},2026-11-20,0022600200,203999,points,false,26.1,Nikola Jokić,false,"
    "2026-11-21T00:30:00Z\n"
)


def test_a_run_has_a_readable_copy(storage: S3PredictionStorage) -> None:
    assert storage.backup_predictions_csv(run_frame()) == KEY
    assert storage.store.get(KEY).body.decode() == EXPECTED
    assert storage.backup_predictions_csv(run_frame()) == KEY
    assert [info.key for info in storage.store.list("csv/")] == [KEY]


def test_a_spreadsheet_reads_the_copy_back(folder_storage: S3PredictionStorage) -> None:
    folder_storage.backup_predictions_csv(run_frame())
    read = pd.read_csv(BytesIO(folder_storage.store.get(KEY).body), dtype={"game_id": str})
    assert read["mean"].tolist()[1:] == [1 / 3, 26.1]
    assert read["player_name"].tolist()[1:] == ['Bam "B", Adebayo', "Nikola Jokić"]


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_rows_and_columns_does_not_matter(
    folder_storage: S3PredictionStorage, seed: int
) -> None:
    shuffled = run_frame().sample(frac=1, random_state=seed)
    columns = list(shuffled.columns)
    random.Random(seed).shuffle(columns)
    folder_storage.backup_predictions_csv(shuffled[columns])
    assert folder_storage.store.get(KEY).body.decode() == EXPECTED


@pytest.mark.parametrize(
    "slate_date",
    ["2026-11-20", date(2026, 11, 20), np.datetime64("2026-11-20"), pd.Timestamp("2026-11-20")],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("column", ["slate_date", "game_date"])
def test_the_date_may_come_in_any_type(
    folder_storage: S3PredictionStorage, slate_date: Any, column: str
) -> None:
    frame = run_frame().drop(columns="slate_date")
    frame[column] = [slate_date] * 3
    assert folder_storage.backup_predictions_csv(frame) == KEY


def test_a_slate_wins_over_the_dates_of_its_games(folder_storage: S3PredictionStorage) -> None:
    frame = run_frame(game_date=["2026-11-20", "2026-11-21", "2026-11-20"])
    assert folder_storage.backup_predictions_csv(frame) == KEY


def test_a_run_that_says_something_else_is_refused(storage: S3PredictionStorage) -> None:
    storage.backup_predictions_csv(run_frame())
    with pytest.raises(ObjectExists) as caught:
        storage.backup_predictions_csv(run_frame(mean=[26.2, 1 / 3, float("nan")]))
    assert caught.value.key == KEY
    assert "revision" in caught.value.remedy
    assert storage.store.get(KEY).body.decode() == EXPECTED


def test_a_copy_whose_answer_was_lost_is_settled_by_the_next_try() -> None:
    found = Reply(
        body=EXPECTED.encode(), headers={"Last-Modified": "Fri, 20 Nov 2026 18:00:00 GMT"}
    )
    with ErrorServer(Reply(drop=True), s3_error(412, "PreconditionFailed"), found) as server:
        storage = S3PredictionStorage.from_options(s3_options(server.url, "bucket"))
        with pytest.raises(StoreUnreachable):
            storage.backup_predictions_csv(run_frame())
        assert storage.backup_predictions_csv(run_frame()) == KEY
        assert [request.method for request in server.received] == ["PUT", "PUT", "GET"]
        assert {request.body for request in server.received[:2]} == {EXPECTED.encode()}


def test_a_copy_is_created_and_encrypted() -> None:
    with ErrorServer(stored()) as server:
        storage = S3PredictionStorage.from_options(s3_options(server.url, "bucket"))
        storage.backup_predictions_csv(run_frame())
        headers = server.received[0].headers
    assert headers["if-none-match"] == "*"
    assert headers["x-amz-server-side-encryption"] == "AES256"


def test_a_refused_copy_names_the_permission() -> None:
    with ErrorServer(s3_error(403, "AccessDenied")) as server:
        storage = S3PredictionStorage.from_options(s3_options(server.url, "bucket"))
        with pytest.raises(AccessDenied, match="s3:PutObject"):
            storage.backup_predictions_csv(run_frame())


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame(),
        run_frame().head(0),
        run_frame().drop(columns="run_id"),
        run_frame().drop(columns="slate_date"),
        run_frame(run_id=[RUN_ID, RUN_ID, "another"]),
        run_frame(run_id=[RUN_ID, RUN_ID, None]),
        run_frame(run_id=["../../escape"] * 3),
        run_frame(run_id=["a/b"] * 3),
        run_frame(run_id=["."] * 3),
        run_frame(slate_date=["2026-11-20", "2026-11-20", "2026-11-21"]),
        run_frame(slate_date=["20 November"] * 3),
        run_frame(slate_date=["2026-11-20 and more"] * 3),
        run_frame(slate_date=[None] * 3),
        pd.concat([run_frame(), run_frame()[["mean"]]], axis="columns"),
        pd.concat([run_frame(), run_frame()[["run_id"]]], axis="columns"),
    ],
    ids=[
        "nothing",
        "no rows",
        "no run",
        "no date",
        "two runs",
        "a row without a run",
        "a path as a run",
        "a folder as a run",
        "a dot as a run",
        "two dates",
        "words for a date",
        "a date and words",
        "an empty date",
        "a column twice",
        "the run twice",
    ],
)
def test_rows_that_are_not_one_run_are_refused(
    folder_storage: S3PredictionStorage, frame: pd.DataFrame
) -> None:
    with pytest.raises(UnusableFrame) as caught:
        folder_storage.backup_predictions_csv(frame)
    assert caught.value.detail
    assert folder_storage.store.list("") == []
