"""Defects that were found by trying to break the engine; each test is named for what went wrong."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import apsw
import pytest

from replica import (
    Diverged,
    FileOwned,
    NewerSchema,
    ObjectInfo,
    PutMode,
    Replica,
    ReplicaClosed,
    ReplicaError,
    State,
    StoreUnreachable,
    WritesStopped,
    write_newest,
)
from replica.snapshot import snapshot_key
from tests.stores import (
    NEXT_SCHEMA,
    SCHEMA,
    ManualClock,
    MemoryStore,
    corrupted,
    insert,
    names,
    open_replica,
    unreachable,
    write,
)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def store(clock: ManualClock) -> MemoryStore:
    return MemoryStore(clock)


def test_durable_write_was_replaced_by_a_history_that_had_lost_it(
    store: MemoryStore, tmp_path: Path
) -> None:
    with (
        closing_replica(tmp_path / "1.db", store) as first,
        closing_replica(tmp_path / "2.db", store) as second,
    ):
        first.restore()
        write(first, "base")
        first.sync_now()
        durable = write(first, "A")
        first.sync_now()
        first.wait_until_durable(durable, 1)
        store.damage(snapshot_key(2), corrupted)
        second.restore()
        write(second, "B")
        second.sync_now()
        with pytest.raises(Diverged):
            first.sync_now()
        assert names(first) == ["A", "base"]
        first.take_over_from_store()
        assert names(first) == ["B", "base"]
        assert [key for key in store.objects if key.endswith("-set-aside.db.zst")]


def test_durable_write_was_dropped_after_a_number_became_free_again(
    store: MemoryStore, tmp_path: Path
) -> None:
    with (
        closing_replica(tmp_path / "1.db", store) as first,
        closing_replica(tmp_path / "2.db", store) as second,
    ):
        first.restore()
        write(first, "base")
        first.sync_now()
        second.restore()
        for name in ("X", "Y"):
            write(second, name)
            second.sync_now()
        del store.objects[snapshot_key(2)]
        write(first, "W")
        first.sync_now()
        with pytest.raises(Diverged):
            first.sync_now()
        assert "W" in names(first)


def test_download_replaced_a_file_with_unsaved_changes(store: MemoryStore, tmp_path: Path) -> None:
    path = tmp_path / "1.db"
    with closing_replica(path, store) as replica:
        replica.restore()
        write(replica, "saved")
        replica.sync_now()
        write(replica, "pending")
        store.away = True
        replica.close(0)
    store.away = False
    with pytest.raises(Diverged):
        write_newest(store, path, SCHEMA)
    with closing_replica(path, store) as replica:
        replica.restore()
        assert names(replica) == ["pending", "saved"]


@pytest.mark.parametrize(
    ("program", "refused"),
    [
        ("c.execute('PRAGMA journal_mode=wal'); c.execute('BEGIN'); c.execute(READ)", True),
        ("c.execute('BEGIN'); c.execute(CHANGE); c.cache_flush(); os.kill(os.getpid(), 9)", False),
    ],
    ids=["open in another program", "left by a killed program"],
)
def test_download_was_mixed_with_the_log_of_another_program(
    store: MemoryStore, tmp_path: Path, program: str, refused: bool
) -> None:
    path = tmp_path / "download.db"
    with closing_replica(tmp_path / "1.db", store) as replica:
        replica.restore()
        write_many(replica, "a")
        replica.sync_now()
        assert write_newest(store, path, SCHEMA)
        write_many(replica, "b")
        replica.sync_now()
    source = f"""
import apsw, os, sys
READ = "SELECT count(*) FROM notes"
CHANGE = "UPDATE notes SET text = 'q' || substr(text, 2)"
c = apsw.Connection({str(path)!r})
{program}
c2 = apsw.Connection({str(path)!r})
c2.execute("INSERT INTO notes VALUES ('other', 'z')")
print("ready", flush=True)
sys.stdin.read()
"""
    other = subprocess.Popen(
        [sys.executable, "-c", source], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert other.stdout is not None
        other.stdout.readline()
        if refused:
            with pytest.raises(FileOwned):
                write_newest(store, path, SCHEMA)
        else:
            assert write_newest(store, path, SCHEMA)
    finally:
        other.communicate()
    with closing(apsw.Connection(str(path))) as connection:
        assert connection.pragma("integrity_check") == "ok"


@pytest.mark.parametrize(
    "change",
    [corrupted, lambda body: b"", lambda body: body[:20] + b"x" + body[21:]],
    ids=["tail", "empty", "description"],
)
def test_good_local_copy_could_not_publish_after_its_base_was_damaged(
    store: MemoryStore, tmp_path: Path, change: Callable[[bytes], bytes]
) -> None:
    with closing_replica(tmp_path / "1.db", store) as replica:
        replica.restore()
        write(replica, "A")
        replica.sync_now()
        store.damage(snapshot_key(1), change)
        write(replica, "B")
        store.fail("put", "snapshots/", error=unreachable("put"))
        with pytest.raises(StoreUnreachable):
            replica.sync_now()
        assert replica.sync_now()
        assert store.numbers() == [1, 2]


def test_lock_of_another_program_escaped_as_an_error_without_remedy(
    store: MemoryStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("replica.database._BUSY_TIMEOUT_MS", 50)
    with closing_replica(tmp_path / "1.db", store) as replica:
        replica.restore()
        write(replica, "A")
        with closing(apsw.Connection(str(tmp_path / "1.db"))) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(FileOwned):
                replica.sync_now()
            assert isinstance(replica.status().last_error, FileOwned)
        replica.sync_now()
        assert replica.status().state is State.OK
        assert store.numbers() == [1], "what had landed was recognised"


def test_exchange_within_a_transaction_published_without_end(
    store: MemoryStore, tmp_path: Path
) -> None:
    with closing_replica(tmp_path / "1.db", store) as replica:
        replica.restore()
        write(replica, "A")
        with pytest.raises(RuntimeError), replica.transaction() as transaction:  # noqa: PT012
            insert(transaction, "B")
            replica.sync_now()
        assert len(store.numbers()) <= 1
        assert names(replica) == ["A"]


def test_network_error_let_writes_in_again_after_a_newer_schema(
    store: MemoryStore, tmp_path: Path
) -> None:
    with (
        closing_replica(tmp_path / "1.db", store) as old,
        closing_replica(tmp_path / "2.db", store, migrations=NEXT_SCHEMA) as new,
    ):
        old.restore()
        write(old, "A")
        old.sync_now()
        new.restore()
        write(new, "B")
        new.sync_now()
        with pytest.raises(NewerSchema):
            old.sync_now()
        store.away = True
        with pytest.raises(StoreUnreachable):
            old.sync_now()
        with pytest.raises(WritesStopped):
            write(old, "C")


def test_one_run_had_two_times(clock: ManualClock, tmp_path: Path) -> None:
    class TwoClocks(MemoryStore):
        """The answer to a put names a later second than the object itself."""

        def put(self, key: str, body: bytes, mode: PutMode) -> ObjectInfo:
            info = super().put(key, body, mode)
            return replace(info, modified_at=info.modified_at + timedelta(seconds=3))

    store = TwoClocks(clock)
    times = []
    with (
        closing_replica(tmp_path / "1.db", store) as first,
        closing_replica(tmp_path / "2.db", store) as second,
    ):
        first.restore()
        write(first, "A")
        first.sync_now()
        second.restore()
        for replica in (first, second):
            with replica.read() as connection:
                rows = connection.execute("SELECT stored_at FROM replica_transactions")
                times.append(rows.fetchall())
    assert times[0] == times[1]


def test_copy_under_the_fixed_name_went_back_in_time(store: MemoryStore, tmp_path: Path) -> None:
    with (
        closing_replica(tmp_path / "1.db", store) as first,
        closing_replica(tmp_path / "2.db", store) as second,
    ):
        first.restore()
        write(first, "A")
        store.fail("put", "nba_stats", error=unreachable("put"))
        first.sync_now()
        assert first.status().note
        second.restore()
        write(second, "B")
        second.sync_now()
        first.sync_now()
        newest = store.objects[snapshot_key(2)].body
        assert store.objects["nba_stats.db.zst"].body == newest
        assert not first.status().note


def test_change_made_after_the_last_publication_was_accepted(
    store: MemoryStore, tmp_path: Path
) -> None:
    late: list[ReplicaError] = []
    with closing_replica(tmp_path / "1.db", store) as replica:
        replica.restore()
        write(replica, "A")

        def before(verb: str, key: str) -> None:
            if verb == "put" and key.startswith("nba_stats"):
                try:
                    write(replica, "late")
                except ReplicaError as error:
                    late.append(error)

        store.before = before
        replica.close(5)
    assert [type(error) for error in late] == [ReplicaClosed]


@contextmanager
def closing_replica(path: Path, store: MemoryStore, **options: Any) -> Iterator[Replica]:
    """A replica of the test schema that is closed, without a last flush, with the block."""
    replica = open_replica(path, store, **options)
    try:
        yield replica
    finally:
        replica.close(0)


def write_many(replica: Replica, prefix: str) -> None:
    with replica.transaction() as transaction:
        for number in range(200):
            insert(transaction, f"{prefix}{number}", "x" * 500)
