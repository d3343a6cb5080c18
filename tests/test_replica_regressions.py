"""Defects that were found by trying to break the engine; each test is named for what went wrong."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import apsw
import pytest

from replica import (
    EntryRefused,
    FileOwned,
    MomentUnknown,
    NewerSchema,
    ObjectInfo,
    PendingChanges,
    PutMode,
    Repair,
    Replica,
    ReplicaClosed,
    ReplicaError,
    State,
    StoreUnreachable,
    WritesStopped,
    write_as_of,
    write_newest,
)
from replica.log import log_key
from tests.app_process import wait_for
from tests.replica_fixtures import Opener
from tests.stores import (
    NEXT_SCHEMA,
    SCHEMA,
    TABLES,
    ManualClock,
    MemoryStore,
    conflicts,
    corrupted,
    in_store,
    insert,
    names,
    replicated,
    unpacked,
    unreachable,
    write,
)


def test_durable_write_was_replaced_by_a_history_that_had_lost_it(
    opened: Opener, store: MemoryStore
) -> None:
    first = opened("1")
    write(first, "base")
    first.sync_now()
    durable = write(first, "A")
    first.sync_now()
    first.wait_until_durable(durable, 1)
    store.damage(log_key(3), corrupted)
    second = opened.bare("2")
    with pytest.raises(EntryRefused):
        second.restore()
    write(second, "B")
    with pytest.raises(EntryRefused):
        second.sync_now()
    assert store.numbers() == [1, 2, 3]
    assert names(first) == ["A", "base"]
    assert first.repair() == (Repair(3, "kept copy"),)
    second.sync_now()
    first.sync_now()
    assert names(first) == names(second) == ["A", "B", "base"]


def test_durable_write_was_dropped_after_a_number_became_free_again(
    opened: Opener, store: MemoryStore
) -> None:
    first, second = opened("1"), opened("2")
    for name in ("X", "Y"):
        write(second, name)
        second.sync_now()
    del store.objects[log_key(2)]
    write(first, "W")
    # The number is free, so nothing can stop the claim; what follows does not fit it.
    first.sync_now()
    with pytest.raises(EntryRefused):
        first.sync_now()
    assert first.status().state is State.HALTED
    assert names(first) == ["W"]
    with pytest.raises(EntryRefused):
        opened.bare("3").restore()


def test_download_replaced_a_file_with_unsaved_changes(opened: Opener, store: MemoryStore) -> None:
    replica = opened("1")
    write(replica, "saved")
    replica.sync_now()
    write(replica, "pending")
    replica.close(0)
    with pytest.raises(PendingChanges):
        write_newest(store, replica.path, SCHEMA, TABLES)
    assert names(opened("1")) == ["pending", "saved"]


@pytest.mark.parametrize(
    ("program", "refused"),
    [
        ("c.execute('PRAGMA journal_mode=wal'); c.execute('BEGIN'); c.execute(READ)", True),
        ("c.execute('BEGIN'); c.execute(CHANGE); c.cache_flush(); os.kill(os.getpid(), 9)", False),
    ],
    ids=["open in another program", "left by a killed program"],
)
def test_download_was_mixed_with_the_log_of_another_program(
    opened: Opener, store: MemoryStore, tmp_path: Path, program: str, refused: bool
) -> None:
    path = tmp_path / "download.db"
    replica = opened("1")
    write_many(replica, "a")
    replica.sync_now()
    assert write_newest(store, path, SCHEMA, TABLES)
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
                write_newest(store, path, SCHEMA, TABLES)
        else:
            assert write_newest(store, path, SCHEMA, TABLES)
    finally:
        other.communicate()
    with closing(apsw.Connection(str(path))) as connection:
        assert connection.pragma("integrity_check") == "ok"


@pytest.mark.parametrize(
    "change",
    [corrupted, lambda body: b"", lambda body: body[:20] + b"x" + body[21:]],
    ids=["tail", "empty", "head"],
)
def test_good_local_copy_could_not_publish_after_its_base_was_damaged(
    opened: Opener, store: MemoryStore, change: Callable[[bytes], bytes]
) -> None:
    replica = opened("1")
    write(replica, "A")
    replica.sync_now()
    replica.snapshot()
    store.damage(log_key(2), change)
    for key in [*store.keys("snapshots/"), "head.json"]:
        store.damage(key, change)
    write(replica, "B")
    store.fail("put", "log/", error=unreachable("put"))
    with pytest.raises(StoreUnreachable):
        replica.sync_now()
    with pytest.raises(EntryRefused):
        replica.sync_now()
    assert replica.repair() == (Repair(2, "kept copy"),)
    assert replica.sync_now()
    assert store.numbers() == [1, 2, 3]


def test_lock_of_another_program_escaped_as_an_error_without_remedy(
    opened: Opener, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("replica.database._BUSY_TIMEOUT_MS", 50)
    replica = opened("1")
    write(replica, "A")
    with closing(apsw.Connection(str(replica.path))) as other:

        def lock(verb: str, key: str) -> None:
            if verb == "put":
                store.before = lambda verb, key: None
                other.execute("BEGIN IMMEDIATE")

        store.before = lock
        with pytest.raises(FileOwned):
            replica.sync_now()
        assert isinstance(replica.status().last_error, FileOwned)
    replica.sync_now()
    assert replica.status().state is State.OK
    assert store.numbers() == [1, 2], "what had landed was recognised"


def test_exchange_within_a_transaction_published_without_end(
    opened: Opener, store: MemoryStore
) -> None:
    replica = opened("1")
    write(replica, "A")
    with pytest.raises(RuntimeError), replica.transaction() as transaction:  # noqa: PT012
        insert(transaction, "B")
        replica.sync_now()
    assert len(store.numbers()) <= 2
    assert names(replica) == ["A"]
    replica.sync_now()
    assert (store.numbers(), names(replica)) == ([1, 2], ["A"])


def test_network_error_let_writes_in_again_after_a_newer_schema(
    opened: Opener, store: MemoryStore
) -> None:
    old = opened("1")
    write(old, "A")
    old.sync_now()
    new = opened("2", migrations=NEXT_SCHEMA)
    write(new, "B")
    new.sync_now()
    with pytest.raises(NewerSchema):
        old.sync_now()
    store.away = True
    with pytest.raises(StoreUnreachable):
        old.sync_now()
    with pytest.raises(WritesStopped):
        write(old, "C")


class TwoClocks(MemoryStore):
    """The answer to a put names a later second than the object itself."""

    def put(self, key: str, body: bytes, mode: PutMode) -> ObjectInfo:
        info = super().put(key, body, mode)
        return replace(info, modified_at=info.modified_at + timedelta(seconds=3))


def test_one_run_had_two_times(clock: ManualClock, tmp_path: Path) -> None:
    store = TwoClocks(clock)
    opened = Opener(tmp_path, clock, store)
    first, second = opened("1"), opened("2")
    write(first, "A")
    first.sync_now()
    second.sync_now()
    assert times(first)[2] != times(second)[2], "the last entry's time is not settled yet"
    for writer, other in ((second, first), (first, second)):
        write(writer, f"{len(times(writer))}")
        writer.sync_now()
        other.sync_now()
    settled = {sequence: at for sequence, at in times(first).items() if sequence < 4}
    assert settled == {number: times(second)[number] for number in (2, 3)}
    assert settled.items() <= times(opened("3")).items()
    opened.close()


def test_copy_under_the_fixed_name_went_back_in_time(
    opened: Opener, store: MemoryStore, tmp_path: Path
) -> None:
    first = opened("1")
    write(first, "A")
    store.fail("put", "latest", error=unreachable("put"))
    with pytest.raises(StoreUnreachable):
        first.snapshot()
    second = opened("2")
    write(second, "B")
    second.snapshot()
    newest = store.objects["latest.db.zst"]
    first.snapshot()
    assert store.objects["latest.db.zst"] == newest
    with unpacked(store, "latest.db.zst", tmp_path) as connection:
        assert connection.execute("SELECT name FROM notes").fetchall() == [("A",), ("B",)]


def test_change_made_after_the_last_publication_was_accepted(
    opened: Opener, store: MemoryStore
) -> None:
    late: list[ReplicaError] = []
    replica = opened("1")
    write(replica, "A")

    def before(verb: str, key: str) -> None:
        try:
            write(replica, "late")
        except ReplicaError as error:
            late.append(error)

    store.before = before
    replica.close(5)
    assert [type(error) for error in late] == [ReplicaClosed]
    assert store.numbers() == [1, 2]


def test_own_change_met_itself_when_its_answer_was_lost_and_it_was_rebased(
    opened: Opener, store: MemoryStore
) -> None:
    first, second = opened("1"), opened("2")
    write(first, "A")
    write(second, "B", "second's")
    store.fail("put", "log/", error=unreachable("put"), after_effect=True)
    store.fail("get", "log/", error=unreachable("get"))
    with pytest.raises(StoreUnreachable):
        second.sync_now()
    first.sync_now()
    write(second, "C")
    second.sync_now()
    first.sync_now()
    assert conflicts(first) == []
    assert names(first) == ["A", "B", "C"]
    assert replicated(first) == replicated(second)


def times(replica: Replica) -> dict[int, str]:
    """The time of each transaction by its sequence."""
    with replica.read() as connection:
        return dict(connection.execute("SELECT sequence, stored_at FROM replica_transactions"))


def write_many(replica: Replica, prefix: str) -> None:
    with replica.transaction() as transaction:
        for number in range(200):
            insert(transaction, f"{prefix}{number}", "x" * 500)


def test_rows_after_the_first_were_dropped_when_each_returned_something(opened: Opener) -> None:
    replica = opened("a")
    with replica.transaction() as transaction:
        transaction.executemany(
            "INSERT INTO notes (name) VALUES (?) RETURNING name", [("a",), ("b",), ("c",)]
        )
    assert names(replica) == ["a", "b", "c"]


def test_change_that_was_running_when_the_replica_closed_was_not_flushed(
    opened: Opener, store: MemoryStore, tmp_path: Path
) -> None:
    replica = opened("a")
    running, may_end = threading.Event(), threading.Event()

    def change() -> None:
        with replica.transaction() as transaction:
            insert(transaction, "running")
            running.set()
            may_end.wait(10)

    writer = threading.Thread(target=change)
    writer.start()
    running.wait(10)
    closer = threading.Thread(target=replica.close, args=(10,))
    closer.start()
    wait_for(lambda: replica._closing, what="the closing to begin")
    may_end.set()
    writer.join(10)
    closer.join(10)
    assert in_store(store, tmp_path / "fresh") == ["running"]


def test_exchange_within_a_transaction_waited_for_a_publisher_that_waited_for_it(
    opened: Opener,
) -> None:
    replica = opened("a")
    with replica.transaction() as transaction:
        insert(transaction, "a")
        for call in (replica.sync_now, replica.tick, replica.snapshot, replica.restore):
            with pytest.raises(RuntimeError, match="within a transaction"):
                call()
    replica.sync_now()
    assert names(replica) == ["a"]


def test_restore_by_time_stopped_at_an_entry_that_had_been_put_back_later(
    opened: Opener, store: MemoryStore, clock: ManualClock, tmp_path: Path
) -> None:
    replica = opened.filled("2", "3", "4", "5")
    evening = clock.now
    clock.advance(days=3)
    store.damage(log_key(3), corrupted)
    assert [repair.sequence for repair in replica.repair()] == [3]
    path = tmp_path / "then.db"
    assert write_as_of(store, path, SCHEMA, TABLES, evening + timedelta(hours=1))
    with closing(apsw.Connection(str(path))) as connection:
        found = [row[0] for row in connection.execute("SELECT name FROM notes ORDER BY name")]
    assert found == ["2", "3", "4", "5"]
    with pytest.raises(ValueError, match="no time zone"):
        replica.restore_to(evening.replace(tzinfo=None))


def test_moment_that_does_not_exist_made_the_replica_look_offline(opened: Opener) -> None:
    replica = opened.filled("a")
    with pytest.raises(MomentUnknown):
        replica.restore_to(99)
    assert replica.status().state is State.OK
    assert replica.status().last_error is None


def test_restore_took_the_content_of_a_snapshot_that_the_log_does_not_hold(
    opened: Opener, store: MemoryStore, tmp_path: Path
) -> None:
    replica = opened.filled("2", "3")
    replica.snapshot()
    del store.objects[log_key(3)]
    path = tmp_path / "newest.db"
    assert write_newest(store, path, SCHEMA, TABLES)
    with closing(apsw.Connection(str(path))) as connection:
        found = [row[0] for row in connection.execute("SELECT name FROM notes ORDER BY name")]
    assert found == ["2"], "what the log says, not what a snapshot once held"
