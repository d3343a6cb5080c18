"""What a replica starts from: the store, the disk, or nothing, and never something worse."""

import threading
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path

import apsw
import pytest

from replica import (
    AccessDenied,
    DiskFull,
    EntryRefused,
    FileOwned,
    InvalidCredentials,
    Migration,
    NewerSchema,
    NotRestored,
    ObjectStore,
    PendingChanges,
    PutMode,
    RolledBack,
    SnapshotCorrupt,
    State,
    StoreUnreachable,
    Transaction,
    UnfitTables,
    WritesStopped,
    write_newest,
)
from replica.envelope import Kind, unpack_entry
from replica.log import log_key
from tests.replica_fixtures import Opener
from tests.stores import (
    NEXT_SCHEMA,
    SCHEMA,
    TABLES,
    ManualClock,
    MemoryStore,
    corrupted,
    denied,
    in_store,
    insert,
    names,
    replicated,
    truncated,
    unpacked,
    unreachable,
    write,
)


def test_nothing_anywhere_gives_an_empty_database_and_begins_a_log(
    opened: Opener, store: MemoryStore
) -> None:
    replica = opened.bare("a")
    assert replica.status().state is State.STARTING
    assert not replica.has_database
    with pytest.raises(NotRestored):
        names(replica)
    assert replica.restore() is False
    assert names(replica) == []
    assert (replica.status().state, replica.status().sequence) == (State.OK, 1)
    genesis = unpack_entry(store.entry(1), log_key(1))
    assert genesis.kind is Kind.GENESIS
    assert sorted(store.objects) == [genesis.description["base"], log_key(1)]


def test_a_wiped_disk_gets_everything_back(opened: Opener) -> None:
    first = opened.filled("one", "two")
    replica = opened.bare("second")
    assert replica.restore() is True
    assert names(replica) == ["one", "two"]
    status = replica.status()
    assert (status.state, status.sequence, status.pending_transactions) == (State.OK, 3, 0)
    assert replica.restore() is False
    assert replicated(replica) == replicated(first)


def test_a_start_lists_once_and_gets_each_entry_once(opened: Opener, store: MemoryStore) -> None:
    opened.filled(*(f"{number}" for number in range(9))).close(0)
    store.requests.clear()
    again = opened("first")
    assert store.requests == [
        ("get", log_key(10)),
        ("get", "head.json"),
        ("list", "log/"),
    ]
    again.close(0)
    store.requests.clear()
    opened("second")
    entries = [key for verb, key in store.requests if verb == "get" and key.startswith("log/")]
    assert sorted(entries)[-9:] == [log_key(number) for number in range(2, 11)]
    assert len(entries) <= 9 + 4


@pytest.mark.parametrize("workers", [1, 16])
def test_long_tail_is_read_in_order_whatever_comes_first(
    opened: Opener, store: MemoryStore, workers: int
) -> None:
    first = opened("first")
    for number in range(12):
        with first.transaction() as transaction:
            transaction.execute(
                "INSERT OR REPLACE INTO notes VALUES ('row', ?)",
                (f"{number}",),
            )
        first.sync_now()
    replica = opened("second", fetch_workers=workers)
    assert replica.status().sequence == 13
    assert replicated(replica) == replicated(first)


def test_restored_transactions_carry_the_number_and_the_time_of_the_store(
    opened: Opener, clock: ManualClock
) -> None:
    first = opened.filled("one")
    clock.advance(hours=-2)
    write(first, "two")
    first.sync_now()
    second = opened("second")
    query = "SELECT sequence, stored_at FROM replica_transactions ORDER BY sequence"
    for replica in (first, second):
        with replica.read() as connection:
            # The store's clock went back, a later number is never earlier.
            assert connection.execute(query).fetchall() == [
                (2, "2026-11-20T18:00:00+00:00"),
                (3, "2026-11-20T18:00:00+00:00"),
            ]


def test_local_file_that_is_newest_is_kept_with_what_is_pending(opened: Opener) -> None:
    first = opened.filled("one")
    write(first, "two")
    first.close(0)
    again = opened.bare("first")
    assert again.restore() is False
    assert names(again) == ["one", "two"]
    assert again.status().state is State.PENDING
    assert again.sync_now() is True
    assert again.status().sequence == 3


def test_local_file_without_pending_changes_follows_the_store(opened: Opener) -> None:
    opened.filled("one").close(0)
    second = opened("second")
    write(second, "two")
    second.sync_now()
    again = opened.bare("first")
    assert names(again) == ["one"]
    assert again.restore() is True
    assert names(again) == ["one", "two"]


def test_local_pending_and_a_store_that_went_on_are_brought_together(
    opened: Opener, store: MemoryStore, tmp_path: Path
) -> None:
    first = opened.filled("one")
    write(first, "mine")
    first.close(0)
    second = opened("second")
    write(second, "theirs")
    second.sync_now()
    again = opened.bare("first")
    assert again.restore() is True
    assert names(again) == ["mine", "one", "theirs"]
    assert again.status().state is State.PENDING
    assert in_store(store, tmp_path / "check") == ["one", "theirs"]
    again.sync_now()
    second.sync_now()
    assert replicated(again) == replicated(second)


def test_broken_snapshots_never_replace_a_good_local_copy(
    opened: Opener, store: MemoryStore
) -> None:
    first = opened.filled("one")
    first.snapshot()
    for key in store.keys("snapshots/"):
        store.damage(key, corrupted)
    first.close(0)
    again = opened("first")
    assert names(again) == ["one"]
    assert again.status().state is State.OK


def test_first_content_that_is_gone_or_damaged_is_said_and_leaves_nothing(
    opened: Opener, store: MemoryStore
) -> None:
    opened.filled("one").close(0)
    [base] = store.keys("bases/")
    whole = store.objects[base]
    store.damage(base, corrupted)
    second = opened.bare("second")
    with pytest.raises(SnapshotCorrupt, match="bases/"):
        second.restore()
    del store.objects[base]
    with pytest.raises(SnapshotCorrupt, match="the log names it"):
        second.restore()
    assert not second.path.exists()
    store.objects[base] = whole
    second.restore()
    assert names(second) == ["one"]


@pytest.mark.parametrize("change", [truncated, corrupted])
def test_damage_on_the_way_is_not_damage_in_the_store(
    opened: Opener, store: MemoryStore, change: Callable[[bytes], bytes]
) -> None:
    first = opened.filled("one", "two")
    first.snapshot()
    write(first, "three")
    first.sync_now()
    replica = opened.bare("second")
    store.fail("get", "snapshots/", change=change)
    store.fail("get", log_key(4), change=change)
    replica.restore()
    assert names(replica) == ["one", "three", "two"]
    assert replica.status().note == ""


def test_objects_that_are_no_entries_leave_everything_alone(
    opened: Opener, store: MemoryStore
) -> None:
    store.put(log_key(1), b"holiday.jpg", PutMode.CREATE)
    replica = opened.bare("a")
    with pytest.raises(EntryRefused, match=log_key(1)):
        replica.restore()
    assert replica.status().state is State.HALTED
    assert store.entry(1) == b"holiday.jpg"
    assert not replica.path.exists()


def test_tables_that_cannot_be_replicated_are_refused_before_anything_is_written(
    opened: Opener, store: MemoryStore, tmp_path: Path
) -> None:
    family = (
        Migration(1, "p", "CREATE TABLE parents (id INTEGER PRIMARY KEY NOT NULL)"),
        Migration(2, "c", "CREATE TABLE children (parent REFERENCES parents)"),
    )
    with pytest.raises(UnfitTables, match="children"):
        opened("first", migrations=family, tables=("parents", "children"))
    assert not (tmp_path / "first.db").exists()
    assert store.objects == {}


def test_newer_schema_is_not_damage_and_nothing_older_is_used(
    opened: Opener, store: MemoryStore
) -> None:
    old = opened.filled("one")
    new = opened("new", migrations=NEXT_SCHEMA)
    write(new, "two")
    new.sync_now()
    new.snapshot()
    with pytest.raises(NewerSchema, match="Update the application"):
        old.sync_now()
    assert old.status().state is State.BEHIND_SCHEMA
    assert names(old) == ["one"]
    with pytest.raises(WritesStopped, match="Could not"):
        write(old, "three")
    with pytest.raises(NewerSchema):
        opened.bare("fresh").restore()
    new.close(0)
    with pytest.raises(NewerSchema):
        opened.bare("new")


def test_damaged_local_file_is_set_aside_and_the_store_restored(
    opened: Opener, tmp_path: Path
) -> None:
    opened.filled("one").close(0)
    path = tmp_path / "first.db"
    content = bytearray(path.read_bytes())
    content[4096:8192] = b"\xa5" * 4096
    path.write_bytes(content)
    again = opened.bare("first")
    with pytest.raises(NotRestored):
        names(again)
    assert again.restore() is True
    assert names(again) == ["one"]
    aside = tmp_path / "first.db.damaged-2026-11-20T18-00-00Z"
    assert aside.read_bytes() == bytes(content)
    assert aside.name in again.status().note


def test_local_file_that_is_no_database_is_set_aside(opened: Opener, tmp_path: Path) -> None:
    (tmp_path / "first.db").write_text("not a database at all, but longer than a header" * 40)
    replica = opened.bare("first")
    assert replica.restore() is False
    assert names(replica) == []
    assert len(list(tmp_path.glob("first.db.damaged-*"))) == 1


@pytest.mark.parametrize("verb", ["list", "get"])
def test_refusal_is_never_read_as_nothing_there(
    opened: Opener, store: MemoryStore, verb: str
) -> None:
    opened.filled("one").close(0)
    before = dict(store.objects)
    replica = opened.bare("second")
    store.fail(verb, error=denied(verb))
    with pytest.raises(AccessDenied, match=r"s3:(ListBucket|GetObject)"):
        replica.restore()
    assert replica.status().state is State.STOPPED
    assert not (replica.path).exists()
    with pytest.raises(NotRestored):
        write(replica, "lost")
    assert store.objects == before


@pytest.mark.parametrize("verb", ["list", "get"])
def test_refusal_on_an_empty_store_does_not_begin_a_log(
    opened: Opener, store: MemoryStore, verb: str
) -> None:
    replica = opened.bare("a")
    store.fail(verb, error=denied(verb))
    with pytest.raises(AccessDenied):
        replica.restore()
    assert store.objects == {}


def test_wrong_secrets_at_start_stop_writes_until_they_are_mended(
    opened: Opener, store: MemoryStore
) -> None:
    opened.filled("one").close(0)
    again = opened.bare("first")
    store.fail("get", error=InvalidCredentials("get", "log/"))
    with pytest.raises(InvalidCredentials):
        again.restore()
    assert again.status().state is State.STOPPED
    assert names(again) == ["one"]
    with pytest.raises(WritesStopped, match="access key"):
        write(again, "two")
    again.sync_now()
    write(again, "two")
    assert again.status().state is State.PENDING


def test_store_that_is_away_at_start_stops_nothing_that_is_on_disk(
    opened: Opener, store: MemoryStore, tmp_path: Path
) -> None:
    opened.filled("one").close(0)
    store.away = True
    again = opened.bare("first")
    with pytest.raises(StoreUnreachable):
        again.restore()
    write(again, "two")
    assert (again.status().state, names(again)) == (State.OFFLINE, ["one", "two"])
    store.away = False
    again.sync_now()
    assert in_store(store, tmp_path / "check") == ["one", "two"]


def test_writing_before_the_restore_is_refused(opened: Opener) -> None:
    opened.filled("one").close(0)
    again = opened.bare("first")
    with pytest.raises(NotRestored, match="restore"):
        write(again, "too early")


def test_empty_new_database_never_replaces_a_remote_one(
    opened: Opener, store: MemoryStore, tmp_path: Path
) -> None:
    early = opened("early")
    opened.filled("one")
    assert early.sync_now() is True
    assert names(early) == ["one"]
    assert in_store(store, tmp_path / "check") == ["one"]


def test_prepared_content_is_in_the_log_at_once(
    opened: Opener, store: MemoryStore, tmp_path: Path
) -> None:
    seen: list[str] = []
    ids: list[str] = []

    def prepare(given: ObjectStore, transaction: Transaction) -> None:
        seen.append(given.location)
        ids.append(transaction.id)
        insert(transaction, "imported")

    first = opened("a", prepare_first=prepare)
    assert store.numbers() == [1]
    assert first.status().state is State.OK
    first.wait_until_durable(ids[0], 0)
    second = opened("b", prepare_first=prepare)
    assert names(second) == ["imported"]
    assert seen == ["memory"]
    with second.read() as connection:
        [row] = connection.execute("SELECT * FROM replica_transactions")
    assert row == (ids[0], 1, "2026-11-20T18:00:00+00:00")
    assert replicated(first) == replicated(second)


def test_preparing_that_fails_leaves_nothing_and_is_done_again(
    opened: Opener, store: MemoryStore
) -> None:
    def prepare(given: ObjectStore, transaction: Transaction) -> None:
        insert(transaction, "imported")
        given.get("nba_stats.db")

    replica = opened.bare("a", prepare_first=prepare)
    store.fail("get", "nba_stats.db", error=unreachable("get"))
    with pytest.raises(StoreUnreachable):
        replica.restore()
    assert (store.objects, replica.path.exists()) == ({}, False)
    store.put("nba_stats.db", b"old", PutMode.CREATE)
    replica.restore()
    assert names(replica) == ["imported"]


@pytest.mark.parametrize("after_effect", [False, True])
def test_first_claim_without_an_answer_imports_once(
    opened: Opener, store: MemoryStore, after_effect: bool
) -> None:
    def prepare(given: ObjectStore, transaction: Transaction) -> None:
        insert(transaction, "imported")

    replica = opened.bare("a", prepare_first=prepare)
    store.fail("put", "log/", error=unreachable("put"), after_effect=after_effect)
    # If the request had its effect, what is there says so.
    with nullcontext() if after_effect else pytest.raises(StoreUnreachable):
        replica.restore()
    replica.restore()
    assert names(replica) == ["imported"]
    assert store.numbers() == [1]
    assert replica.sync_now() is False


def test_two_first_starts_import_once(opened: Opener, store: MemoryStore) -> None:
    both_prepared = threading.Barrier(2)

    def prepare(given: ObjectStore, transaction: Transaction) -> None:
        insert(transaction, f"imported by {transaction.id}")
        both_prepared.wait(10)

    replicas = [opened.bare(name, prepare_first=prepare) for name in "ab"]
    threads = [threading.Thread(target=replica.restore) for replica in replicas]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert store.numbers() == [1]
    assert replicated(replicas[0]) == replicated(replicas[1])
    assert len(names(replicas[0])) == 1
    assert [replica.status().state for replica in replicas] == [State.OK, State.OK]


def test_newest_content_goes_to_a_plain_file(
    opened: Opener, store: MemoryStore, tmp_path: Path
) -> None:
    target = tmp_path / "target.db"
    assert write_newest(store, target, SCHEMA, TABLES) is False
    assert not target.exists()
    first = opened.filled("one", "two")
    assert write_newest(store, target, SCHEMA, TABLES) is True
    with pytest.raises(FileOwned, match="owns"):
        write_newest(store, first.path, SCHEMA, TABLES)
    replica = opened.bare("target")
    assert replica.restore() is False
    write(replica, "three")
    replica.sync_now()
    assert store.numbers() == [1, 2, 3, 4]


def test_newest_content_never_replaces_what_is_pending(opened: Opener, store: MemoryStore) -> None:
    first = opened.filled("one")
    write(first, "two")
    first.close(0)
    with pytest.raises(PendingChanges, match="1 unsaved"):
        write_newest(store, first.path, SCHEMA, TABLES)
    assert names(opened("first")) == ["one", "two"]


def test_snapshot_unpacked_by_hand_continues_where_it_was_made(
    opened: Opener, store: MemoryStore, tmp_path: Path
) -> None:
    first = opened.filled("one", "two")
    key = first.snapshot().key
    with unpacked(store, key, tmp_path):
        (tmp_path / "unpacked.db").rename(tmp_path / "hand.db")
    write(first, "three")
    first.sync_now()
    replica = opened("hand")
    status = replica.status()
    assert (status.state, status.sequence) == (State.OK, 4)
    assert replicated(replica) == replicated(first)


def test_full_disk_while_catching_up_leaves_the_old_content(
    opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = opened.filled("one")
    second = opened("second")
    write(second, "two")
    second.sync_now()

    def full(*_: object) -> None:
        raise apsw.FullError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr("replica.live.advance", full)
        with pytest.raises(DiskFull, match="Free some space"):
            first.sync_now()
    assert names(first) == ["one"]
    assert first.status().sequence == 2
    first.sync_now()
    assert names(first) == ["one", "two"]


def test_interrupted_restore_leaves_no_file_and_no_leftovers(
    opened: Opener, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened.filled("one").snapshot()
    replica = opened.bare("second")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.replace", full)
        with pytest.raises(DiskFull):
            replica.restore()
    assert [path.name for path in replica.path.parent.glob("second.db*")] == ["second.db.lock"]
    replica.restore()
    assert names(replica) == ["one"]


def test_status_names_who_wrote_lately(opened: Opener, clock: ManualClock) -> None:
    first, second = opened("a"), opened("b")
    write(first, "one")
    first.sync_now()
    clock.advance(minutes=1)
    write(second, "two")
    second.sync_now()
    first.sync_now()
    writers = first.status().writers
    assert [writer.sequence for writer in writers] == [3, 2]
    assert [writer.stored_at for writer in writers] == [
        datetime(2026, 11, 20, 18, 1, tzinfo=UTC),
        datetime(2026, 11, 20, 18, 0, tzinfo=UTC),
    ]
    assert len({writer.writer_id for writer in writers}) == 2
    assert [writer.sequence for writer in second.status().writers] == [3, 2]


def test_emptied_store_is_told_and_not_filled_silently(opened: Opener, store: MemoryStore) -> None:
    first = opened.filled("one")
    write(first, "two")
    store.objects.clear()
    first.close(0)
    again = opened.bare("first")
    for attempt in (again.restore, again.sync_now):
        with pytest.raises(RolledBack, match="log/"):
            attempt()
    assert again.status().state is State.ROLLED_BACK
    assert store.objects == {}
    assert names(again) == ["one", "two"]
