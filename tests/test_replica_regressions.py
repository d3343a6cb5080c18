"""Defects that were found by trying to break the engine; each test is named for what went wrong."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random

import apsw
import pytest

from replica import (
    AccessDenied,
    EntryRefused,
    FileOwned,
    LogNotEmpty,
    MomentUnknown,
    NewerSchema,
    ObjectInfo,
    ObjectStore,
    PendingChanges,
    ProbeResult,
    PutMode,
    Repair,
    Replica,
    ReplicaClosed,
    ReplicaError,
    State,
    StoreMode,
    StoreUnreachable,
    Transaction,
    WritesStopped,
    write_as_of,
    write_newest,
)
from replica.adoption import OLD_ENGINE_TABLE
from replica.log import LEASE_KEY, log_key
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
    denied,
    in_store,
    insert,
    names,
    notes,
    open_replica,
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


def as_text_file(path: Path, store: MemoryStore) -> None:
    path.write_bytes(b"my thesis")


def as_damaged_file(path: Path, store: MemoryStore) -> None:
    """With a change that is in no store."""
    replica = open_replica(path, store, fetch_workers=1)
    replica.restore()
    write(replica, "pending", "x" * 20_000)
    replica.close(0)
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 8192)


def as_earlier_file(path: Path, store: MemoryStore) -> None:
    with closing(apsw.Connection(str(path))) as connection:
        connection.execute(
            f"CREATE TABLE {OLD_ENGINE_TABLE} (x);"
            "CREATE TABLE replica_transactions (transaction_id, sequence, stored_at);"
            "INSERT INTO replica_transactions VALUES ('unsaved', NULL, NULL)"
        )


def as_file_of_another_log(path: Path, store: MemoryStore) -> None:
    replica = open_replica(path, MemoryStore(ManualClock()), fetch_workers=1)
    replica.restore()
    write(replica, "elsewhere")
    replica.sync_now()
    replica.close(0)


@pytest.mark.parametrize(
    "make", [as_text_file, as_damaged_file, as_earlier_file, as_file_of_another_log]
)
def test_download_destroyed_a_file_that_was_not_a_copy_of_the_log(
    opened: Opener, store: MemoryStore, tmp_path: Path, make: Callable[[Path, MemoryStore], None]
) -> None:
    opened.filled("a")
    path = tmp_path / "target" / "copy.db"
    path.parent.mkdir()
    make(path, store)
    before = path.read_bytes()
    for _ in range(2):
        assert write_newest(store, path, SCHEMA, TABLES)
        with closing(apsw.Connection(str(path))) as connection:
            assert connection.execute("SELECT name FROM notes").fetchall() == [("a",)]
    beside = ("copy.db", "copy.db.lock")
    files = [each for each in path.parent.iterdir() if not each.name.endswith(("-wal", "-shm"))]
    [kept] = [each for each in files if each.name not in beside]
    assert kept.read_bytes() == before


def test_writes_went_on_above_a_hole_that_was_made_within_the_minute(
    opened: Opener, store: MemoryStore, clock: ManualClock
) -> None:
    replica = opened.filled("2", "3")
    for key in store.keys("log/"):
        del store.objects[key]
    write(replica, "4")
    replica.sync_now()
    clock.advance(minutes=2)
    write(replica, "5")
    with pytest.raises(EntryRefused):
        replica.sync_now()
    assert replica.status().state is State.HALTED
    assert [repair.sequence for repair in replica.repair()] == [1, 2, 3]
    replica.sync_now()
    assert store.numbers() == [1, 2, 3, 4, 5]


def test_writer_that_was_behind_filled_a_hole_with_an_entry_of_its_own(
    opened: Opener, store: MemoryStore, clock: ManualClock
) -> None:
    behind = opened("behind")
    first = opened.filled("2", "3", "4")
    del store.objects[log_key(2)]
    clock.advance(minutes=2)
    write(behind, "another 2")
    with pytest.raises(EntryRefused):
        behind.sync_now()
    assert store.numbers() == [1, 3, 4]
    assert [repair.sequence for repair in first.repair()] == [2]
    behind.sync_now()
    assert names(behind) == ["2", "3", "4", "another 2"]


def test_change_that_waited_for_another_while_the_replica_closed_was_accepted(
    opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    replica = opened("a")
    live = replica._live
    assert live is not None
    transaction = live.transaction

    def late() -> AbstractContextManager[Transaction]:
        replica._closing = True
        return transaction()

    monkeypatch.setattr(live, "transaction", late)
    with pytest.raises(ReplicaClosed):
        write(replica, "late")
    assert replica.status().pending_transactions == 0
    replica._closing = False


def test_restore_by_time_took_a_snapshot_from_before_the_clock_went_back(
    opened: Opener, store: MemoryStore, clock: ManualClock, tmp_path: Path
) -> None:
    replica = opened("a")
    evening = clock.now
    for name in ("0", "1", "2"):
        write(replica, name)
        replica.sync_now()
        clock.advance(hours=1)
    clock.now = evening + timedelta(minutes=10)
    replica.snapshot()
    path = tmp_path / "then.db"
    assert write_as_of(store, path, SCHEMA, TABLES, evening + timedelta(minutes=90))
    with closing(apsw.Connection(str(path))) as connection:
        found = [row[0] for row in connection.execute("SELECT name FROM notes ORDER BY name")]
    assert found == ["0", "1"]


@pytest.mark.parametrize("reads_fail_too", [False, True])
def test_new_log_whose_answer_was_lost_was_taken_for_a_strangers(
    opened: Opener, store: MemoryStore, reads_fail_too: bool
) -> None:
    replica = opened.filled("a")
    store.objects.clear()
    write(replica, "pending")
    store.fail("put", "log/", error=unreachable("put"), after_effect=True)
    if reads_fail_too:

        def cut(verb: str, key: str) -> None:
            # From the claim on nothing can be read, until the next attempt.
            store.away = verb == "get" and key == log_key(1) and store.numbers() == [1]

        store.before = cut
        with pytest.raises(StoreUnreachable):
            replica.start_new_log()
        store.before, store.away = (lambda verb, key: None), False
    replica.start_new_log()
    replica.sync_now()
    assert replica.status().state is State.OK
    assert names(opened("b")) == ["a", "pending"]


def test_stranger_s_log_was_never_taken_for_the_one_that_was_being_begun(
    opened: Opener, store: MemoryStore
) -> None:
    replica = opened.filled("a")
    store.objects.clear()
    store.fail("put", "log/", error=unreachable("put"))
    with pytest.raises(StoreUnreachable):
        replica.start_new_log()
    opened("stranger")
    with pytest.raises(LogNotEmpty):
        replica.start_new_log()


@pytest.mark.parametrize("loss", [corrupted, None], ids=["damaged", "missing"])
@pytest.mark.parametrize("who", ["first", "from a snapshot"])
def test_first_entry_was_kept_by_nobody(
    opened: Opener,
    store: MemoryStore,
    who: str,
    loss: Callable[[bytes], bytes] | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("replica.advance.KEPT_ENVELOPES", 2)
    first = opened.filled("2", "3")
    first.snapshot()
    replica = first if who == "first" else opened("second")
    for number in range(5):
        write(replica, f"more {number}")
        replica.sync_now()
    assert sorted(replica.kept_envelopes()) == [1, 7, 8]
    first_entry = store.entry(1)
    if loss:
        store.damage(log_key(1), loss)
    else:
        del store.objects[log_key(1)]
    assert replica.repair() == (Repair(1, "kept copy"),)
    assert store.entry(1) == first_entry
    opened("new")


def test_threads_that_read_ahead_outlived_a_failed_start(
    opened: Opener, store: MemoryStore
) -> None:
    opened.filled("2", "3").snapshot()
    for key in [log_key(2), log_key(3)]:
        del store.objects[key]
    with pytest.raises(ReplicaError):
        opened("new", fetch_workers=4)
    ahead = [each for each in threading.enumerate() if each.name.startswith("replica-ahead")]
    wait_for(lambda: not any(each.is_alive() for each in ahead), what="the threads to end")


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TEMP TRIGGER spy AFTER INSERT ON notes BEGIN UPDATE notes SET text = 'x'; END",
        "CREATE TEMP TABLE notes (name)",
        "CREATE TEMP VIEW notes AS SELECT 1",
    ],
    ids=["trigger", "table", "view"],
)
def test_temporary_object_of_a_block_changed_what_others_had_written(
    opened: Opener, statement: str
) -> None:
    first, second = opened("1"), opened("2")
    with pytest.raises(apsw.AuthError), first.transaction() as transaction:
        transaction.execute(statement)
    write(second, "a", "as it was written")
    second.sync_now()
    first.sync_now()
    assert notes(first) == notes(second)


def test_everything_pending_was_in_memory_at_once(
    opened: Opener, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("replica.live._ENTRY_BYTES", 1 << 16)
    size, count = 1 << 20, 24
    replica = opened("a")
    for number in range(count):
        write(replica, f"{number:02}", "x" * size)
    tracemalloc.start()
    try:
        replica.sync_now()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert replica.status().pending_transactions == 0
    assert peak < count * size / 2


def test_kept_envelopes_were_bounded_in_number_only(
    opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("replica.advance.KEPT_ENVELOPES_BYTES", 30_000)
    replica = opened("a")
    for number in range(5):
        write(replica, str(number), Random(number).randbytes(5_000).hex())
        replica.sync_now()
    sizes = {sequence: len(body) for sequence, body in replica.kept_envelopes().items()}
    assert (min(sizes), max(sizes)) == (1, 6)
    assert 10_000 < sum(sizes.values()) <= 31_000
    write(replica, "one that is larger", Random(9).randbytes(40_000).hex())
    replica.sync_now()
    assert sorted(replica.kept_envelopes()) == [1, 7]


def test_closing_waited_for_a_slow_store_beyond_its_time(
    tmp_path: Path, store: MemoryStore
) -> None:
    replica = open_replica(tmp_path / "a.db", store, probe=distrusting, fetch_workers=1)
    replica.restore()
    write(replica, "a")
    replica.sync_now()
    may_answer = threading.Event()
    store.before = lambda verb, key: wait_briefly(may_answer)
    closer = threading.Thread(target=replica.close, args=(0.05,))
    closer.start()
    closer.join(5)
    in_time = not closer.is_alive()
    may_answer.set()
    closer.join(10)
    assert in_time
    wait_for(lambda: not holder_of(store), what="the lease to be free")


def test_lease_was_not_released_by_a_replica_without_a_publisher(
    tmp_path: Path, store: MemoryStore
) -> None:
    replica = open_replica(tmp_path / "a.db", store, probe=distrusting, fetch_workers=1)
    replica.restore()
    write(replica, "a")
    replica.sync_now()
    assert holder_of(store)
    replica.close(10)
    assert not holder_of(store)


def test_time_of_an_entry_was_settled_by_looking_at_every_transaction(
    clock: ManualClock, tmp_path: Path
) -> None:
    store = TwoClocks(clock)
    opened = Opener(tmp_path, clock, store)
    first, second = opened("1"), opened("2")
    for number in range(3):
        clock.advance(seconds=10)
        write(first, f"{number}")
        first.sync_now()
    live = first._live
    assert live is not None
    statements: list[str] = []

    def note(cursor: apsw.Cursor, statement: str, bindings: object) -> bool:
        if statement.startswith("UPDATE replica_transactions"):
            statements.append(statement)
        return True

    second.sync_now()
    write(second, "another's")
    second.sync_now()
    live._writer.exec_trace = note
    first.sync_now()
    live._writer.exec_trace = None
    [statement] = statements
    values = ("",) * statement.count("?")
    [plan] = live._writer.execute(f"EXPLAIN QUERY PLAN {statement}", values)
    assert plan[3].startswith("SEARCH")
    assert times(first)[4] == times(second)[4]
    opened.close()


def test_waiting_or_closing_within_a_transaction_never_ended(opened: Opener) -> None:
    replica = opened("a")
    with replica.transaction() as transaction:
        insert(transaction, "a")
        with pytest.raises(RuntimeError, match="within a transaction"):
            replica.wait_until_durable(transaction.id, 5)
        with pytest.raises(RuntimeError, match="within a transaction"):
            replica.close(5)
    assert names(replica) == ["a"]


def test_snapshot_of_a_history_that_was_lost_stood_for_one_of_the_log(
    opened: Opener, store: MemoryStore
) -> None:
    first, second = opened("1"), opened("2")
    write(first, "lost")
    first.sync_now()
    first.snapshot()
    stale = store.objects["head.json"]
    del store.objects[log_key(2)]
    write(second, "other")
    second.sync_now()
    made = second.snapshot()
    assert store.objects["head.json"] != stale
    with unpacked(store, made.key, second.path.parent) as connection:
        assert connection.execute("SELECT name FROM notes").fetchall() == [("other",)]


def test_wait_failed_with_an_error_that_had_been_mended(opened: Opener, store: MemoryStore) -> None:
    replica = opened.filled("a", "b")
    sound = store.objects[log_key(3)]
    store.damage(log_key(3), corrupted)
    write(replica, "c")
    replica._exchange.forget_place()
    with pytest.raises(EntryRefused):
        replica.sync_now()
    store.objects[log_key(3)] = sound
    asked = threading.Event()
    store.before = lambda verb, key: wait_briefly(asked)
    transaction_id = write(replica, "d")
    replica.start_publisher()
    threading.Timer(0.1, asked.set).start()
    replica.wait_until_durable(transaction_id, 20)


def test_status_raised_when_another_program_had_emptied_the_file(opened: Opener) -> None:
    replica = opened.filled("a")
    with closing(apsw.Connection(str(replica.path))) as other:
        for (name,) in other.execute(
            "SELECT name FROM sqlite_schema WHERE name LIKE 'replica%' AND type = 'table'"
        ).fetchall():
            other.execute(f"DROP TABLE {name}")
    assert isinstance(replica.status().last_error, ReplicaError)


def test_writes_were_refused_where_only_snapshots_were_denied(
    opened: Opener, store: MemoryStore
) -> None:
    opened.filled("a")
    replica = opened.bare("b")
    store.fail("put", "snapshots/", error=denied("put"))
    with pytest.raises(AccessDenied):
        replica.tick()
    write(replica, "b")
    replica.sync_now()
    assert store.numbers() == [1, 2, 3]


def distrusting(store: ObjectStore, randomness: Random) -> ProbeResult:
    return ProbeResult(StoreMode.SINGLE_WRITER, ("creates overwrite",))


def holder_of(store: MemoryStore) -> str:
    return str(json.loads(store.objects[LEASE_KEY].body)["writer_id"])


def wait_briefly(event: threading.Event) -> None:
    event.wait(20)
