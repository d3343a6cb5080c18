"""What a replica starts from: the store, the disk, or nothing, and never something worse."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from replica import (
    AccessDenied,
    DiskFull,
    Diverged,
    ForeignSnapshot,
    InvalidCredentials,
    Migration,
    NewerSchema,
    NotASnapshot,
    NotRestored,
    ObjectStore,
    PutMode,
    Replica,
    ReplicaError,
    RolledBack,
    SnapshotCorrupt,
    State,
    StoreUnreachable,
    Transaction,
    WritesStopped,
    write_newest,
)
from replica.snapshot import pack, snapshot_key
from tests.stores import (
    NEXT_SCHEMA,
    ManualClock,
    MemoryStore,
    corrupted,
    denied,
    in_store,
    insert,
    names,
    open_replica,
    truncated,
    unreachable,
    write,
)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def store(clock: ManualClock) -> MemoryStore:
    return MemoryStore(clock)


@pytest.fixture
def opened(tmp_path: Path, clock: ManualClock, store: MemoryStore) -> Iterator[Any]:
    """Opens replicas by name and closes them all at the end."""
    replicas: list[Replica] = []

    def open_one(name: str, **options: Any) -> Replica:
        replica = open_replica(tmp_path / f"{name}.db", store, clock=clock, **options)
        replicas.append(replica)
        return replica

    yield open_one
    for replica in replicas:
        replica.close(0)


def filled(opened: Any, *rows: str) -> Replica:
    """A replica that published one snapshot for each row."""
    replica: Replica = opened("first")
    replica.restore()
    for row in rows:
        write(replica, row)
        replica.sync_now()
    return replica


def test_nothing_anywhere_gives_an_empty_database_and_leaves_the_store_alone(
    opened: Any, store: MemoryStore
) -> None:
    replica = opened("a")
    assert replica.status().state is State.STARTING
    with pytest.raises(NotRestored):
        names(replica)
    assert replica.restore() is False
    assert names(replica) == []
    assert replica.status().state is State.OK
    replica.sync_now()
    assert store.objects == {}


def test_a_wiped_disk_gets_everything_back(opened: Any) -> None:
    filled(opened, "one", "two").close(0)
    replica = opened("second")
    assert replica.restore() is True
    assert names(replica) == ["one", "two"]
    status = replica.status()
    assert (status.state, status.sequence, status.pending_transactions) == (State.OK, 2, 0)
    assert replica.restore() is False


def test_restored_transactions_carry_the_number_and_the_time_of_the_store(
    opened: Any, clock: ManualClock
) -> None:
    first = filled(opened, "one")
    clock.advance(hours=-2)
    write(first, "two")
    first.sync_now()
    second = opened("second")
    second.restore()
    query = "SELECT sequence, stored_at FROM replica_transactions ORDER BY sequence"
    for replica in (first, second):
        with replica.read() as connection:
            # The store's clock went back, a later number is never earlier.
            assert connection.execute(query).fetchall() == [
                (1, "2026-11-20T18:00:00+00:00"),
                (2, "2026-11-20T18:00:00+00:00"),
            ]


def test_local_file_that_is_newest_is_kept_with_what_is_pending(opened: Any) -> None:
    first = filled(opened, "one")
    write(first, "two")
    first.close(0)
    again = opened("first")
    assert again.restore() is False
    assert names(again) == ["one", "two"]
    assert again.status().state is State.PENDING
    assert again.sync_now() is True
    assert again.status().sequence == 2


def test_local_file_without_pending_changes_follows_the_store(opened: Any) -> None:
    first = filled(opened, "one")
    first.close(0)
    second = opened("second")
    second.restore()
    write(second, "two")
    second.sync_now()
    again = opened("first")
    assert names(again) == ["one"]
    assert again.restore() is True
    assert names(again) == ["one", "two"]


def test_local_pending_and_a_store_that_went_on_diverge_and_both_are_kept(
    opened: Any, store: MemoryStore, tmp_path: Path
) -> None:
    first = filled(opened, "one")
    write(first, "mine")
    first.close(0)
    second = opened("second")
    second.restore()
    write(second, "theirs")
    second.sync_now()
    again = opened("first")
    with pytest.raises(Diverged, match="Take over"):
        again.restore()
    assert names(again) == ["mine", "one"]
    assert again.status().state is State.DIVERGED
    assert in_store(store, tmp_path / "check") == ["one", "theirs"]


@pytest.mark.parametrize("change", [corrupted, truncated, lambda body: b"<html>", lambda body: b""])
def test_damaged_newest_falls_back_and_its_number_is_never_used_again(
    opened: Any, store: MemoryStore, change: Any, tmp_path: Path
) -> None:
    filled(opened, "one", "two", "three").close(0)
    store.damage(snapshot_key(3), change)
    damaged = store.objects[snapshot_key(3)]
    replica = opened("second")
    assert replica.restore() is True
    assert names(replica) == ["one", "two"]
    status = replica.status()
    assert status.sequence == 2
    assert snapshot_key(3) in status.note
    write(replica, "four")
    replica.sync_now()
    assert replica.status().sequence == 4
    assert store.objects[snapshot_key(3)] == damaged
    assert in_store(store, tmp_path / "check") == ["four", "one", "two"]


def test_damage_stays_visible_until_it_is_mended(opened: Any, store: MemoryStore) -> None:
    filled(opened, "one", "two").close(0)
    whole = store.objects[snapshot_key(2)]
    store.damage(snapshot_key(2), corrupted)
    replica = opened("second")
    replica.restore()
    with pytest.raises(SnapshotCorrupt):
        replica.sync_now()
    assert isinstance(replica.status().last_error, SnapshotCorrupt)
    store.objects[snapshot_key(2)] = whole
    assert replica.sync_now() is True
    assert names(replica) == ["one", "two"]
    assert replica.status().state is State.OK


@pytest.mark.parametrize("change", [truncated, corrupted])
def test_damage_on_the_way_is_not_damage_in_the_store(
    opened: Any, store: MemoryStore, change: Any
) -> None:
    filled(opened, "one", "two").close(0)
    replica = opened("second")
    store.fail("get", snapshot_key(2), change=change)
    replica.restore()
    assert names(replica) == ["one", "two"]


def test_download_that_is_cut_short_every_time_never_falls_back(
    opened: Any, store: MemoryStore
) -> None:
    filled(opened, "one", "two").close(0)
    replica = opened("second")
    for _ in range(2):
        store.fail("get", snapshot_key(2), change=truncated)
    with pytest.raises(StoreUnreachable):
        replica.restore()
    with pytest.raises(NotRestored):
        names(replica)
    assert replica.restore() is True
    assert names(replica) == ["one", "two"]


def test_broken_remote_copies_never_replace_a_good_local_one(
    opened: Any, store: MemoryStore
) -> None:
    first = filled(opened, "one")
    second = opened("second")
    second.restore()
    write(second, "two")
    second.sync_now()
    store.damage(snapshot_key(2), corrupted)
    for attempt in (first.sync_now, first.restore):
        with pytest.raises(SnapshotCorrupt):
            attempt()
        assert names(first) == ["one"]


def test_objects_that_are_no_databases_leave_everything_alone(
    opened: Any, store: MemoryStore
) -> None:
    store.put(snapshot_key(1), b"holiday.jpg", PutMode.CREATE)
    replica = opened("a")
    with pytest.raises(NotASnapshot, match=r"snapshots/0+1\.db\.zst"):
        replica.restore()
    assert replica.status().state is State.STOPPED
    assert store.objects[snapshot_key(1)].body == b"holiday.jpg"


def test_database_that_breaks_a_foreign_key_is_refused(opened: Any, store: MemoryStore) -> None:
    family = (
        Migration(1, "p", "CREATE TABLE parents (id INTEGER PRIMARY KEY)"),
        Migration(2, "c", "CREATE TABLE children (parent REFERENCES parents)"),
    )
    first = opened("first", migrations=family)
    first.restore()
    with first.transaction() as transaction:
        transaction.execute("INSERT INTO parents VALUES (1); INSERT INTO children VALUES (1)")
    first.sync_now()
    _tamper(store, 1, "DELETE FROM parents")
    with pytest.raises(SnapshotCorrupt, match="foreign keys of children"):
        opened("second", migrations=family).restore()


def test_sqlite_file_of_another_program_is_refused(opened: Any, store: MemoryStore) -> None:
    filled(opened, "one").close(0)
    _tamper(store, 1, "PRAGMA application_id = 1")
    with pytest.raises(ReplicaError, match="not a database of this engine"):
        opened("second").restore()


def test_newer_schema_is_not_damage_and_nothing_older_is_used(
    opened: Any, store: MemoryStore
) -> None:
    old = filled(opened, "one")
    new = opened("new", migrations=NEXT_SCHEMA)
    new.restore()
    write(new, "two")
    new.sync_now()
    with pytest.raises(NewerSchema, match="Update the application"):
        old.sync_now()
    assert old.status().state is State.BEHIND_SCHEMA
    assert names(old) == ["one"]
    with pytest.raises(WritesStopped, match="Could not"):
        write(old, "three")
    with pytest.raises(NewerSchema):
        opened("fresh").restore()
    new.close(0)
    with pytest.raises(NewerSchema):
        opened("new")


def test_older_schema_is_migrated_and_published_with_the_next_change(
    opened: Any, store: MemoryStore, tmp_path: Path
) -> None:
    filled(opened, "one").close(0)
    new = opened("new", migrations=NEXT_SCHEMA)
    new.restore()
    assert new.sync_now() is False
    with new.transaction() as transaction:
        transaction.execute("UPDATE notes SET stars = 5")
    new.sync_now()
    third = opened("third", migrations=NEXT_SCHEMA)
    third.restore()
    with third.read() as connection:
        assert connection.execute("SELECT name, stars FROM notes").fetchall() == [("one", 5)]


def test_damaged_local_file_is_set_aside_and_the_store_restored(
    opened: Any, tmp_path: Path
) -> None:
    filled(opened, "one").close(0)
    path = tmp_path / "first.db"
    content = bytearray(path.read_bytes())
    content[4096:8192] = b"\xa5" * 4096
    path.write_bytes(content)
    again = opened("first")
    with pytest.raises(NotRestored):
        names(again)
    assert again.restore() is True
    assert names(again) == ["one"]
    aside = tmp_path / "first.db.damaged-2026-11-20T18-00-00Z"
    assert aside.read_bytes() == bytes(content)
    assert aside.name in again.status().note


def test_local_file_that_is_no_database_is_set_aside(opened: Any, tmp_path: Path) -> None:
    (tmp_path / "first.db").write_text("not a database at all, but longer than a header" * 40)
    replica = opened("first")
    assert replica.restore() is False
    assert names(replica) == []
    assert len(list(tmp_path.glob("first.db.damaged-*"))) == 1


@pytest.mark.parametrize("verb", ["list", "get"])
def test_refusal_is_never_read_as_nothing_there(opened: Any, store: MemoryStore, verb: str) -> None:
    filled(opened, "one").close(0)
    before = dict(store.objects)
    replica = opened("second")
    store.fail(verb, error=denied(verb))
    with pytest.raises(AccessDenied, match=r"s3:(ListBucket|GetObject)"):
        replica.restore()
    assert replica.status().state is State.STOPPED
    assert not (replica.path).exists()
    with pytest.raises(NotRestored):
        write(replica, "lost")
    assert store.objects == before


def test_wrong_secrets_at_start_stop_writes_until_they_are_mended(
    opened: Any, store: MemoryStore
) -> None:
    filled(opened, "one").close(0)
    again = opened("first")
    store.fail("list", error=InvalidCredentials("list", "snapshots/"))
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
    opened: Any, store: MemoryStore, tmp_path: Path
) -> None:
    filled(opened, "one").close(0)
    store.away = True
    again = opened("first")
    with pytest.raises(StoreUnreachable):
        again.restore()
    write(again, "two")
    assert (again.status().state, names(again)) == (State.OFFLINE, ["one", "two"])
    store.away = False
    again.sync_now()
    assert in_store(store, tmp_path / "check") == ["one", "two"]


def test_writing_before_the_restore_is_refused(opened: Any) -> None:
    filled(opened, "one").close(0)
    again = opened("first")
    with pytest.raises(NotRestored, match="restore"):
        write(again, "too early")


def test_emptied_store_is_told_and_not_filled_silently(opened: Any, store: MemoryStore) -> None:
    first = filled(opened, "one")
    write(first, "two")
    store.objects.clear()
    first.close(0)
    again = opened("first")
    for attempt in (again.restore, again.sync_now):
        with pytest.raises(RolledBack, match="snapshots/"):
            attempt()
    assert again.status().state is State.ROLLED_BACK
    assert store.objects == {}
    assert names(again) == ["one", "two"]


def test_store_rolled_back_while_running_is_noticed_after_the_next_error(
    opened: Any, store: MemoryStore
) -> None:
    first = filled(opened, "one", "two")
    del store.objects[snapshot_key(2)]
    write(first, "three")
    store.fail("put", error=unreachable("put"))
    with pytest.raises(StoreUnreachable):
        first.sync_now()
    with pytest.raises(RolledBack):
        first.sync_now()
    assert store.numbers() == [1]


def test_history_of_another_database_is_foreign(opened: Any, store: MemoryStore) -> None:
    first = filled(opened, "one", "two")
    first.close(0)
    store.objects.clear()
    other = opened("other")
    other.restore()
    write(other, "elsewhere")
    other.sync_now()
    again = opened("first")
    with pytest.raises(ForeignSnapshot, match="bucket and prefix"):
        again.restore()
    write(again, "three")
    with pytest.raises(ForeignSnapshot):
        again.sync_now()
    assert again.status().state is State.FOREIGN_LOG
    assert names(again) == ["one", "three", "two"]
    assert store.numbers() == [1]


def test_empty_new_database_never_replaces_a_remote_one(
    opened: Any, store: MemoryStore, tmp_path: Path
) -> None:
    early = opened("early")
    early.restore()
    filled(opened, "one")
    assert early.sync_now() is True
    assert names(early) == ["one"]
    assert in_store(store, tmp_path / "check") == ["one"]


def test_prepared_content_is_published_at_once(
    opened: Any, store: MemoryStore, tmp_path: Path
) -> None:
    seen: list[str] = []

    def prepare(given: ObjectStore, transaction: Transaction) -> None:
        seen.append(given.location)
        insert(transaction, "imported")

    replica = opened("a", prepare_first=prepare)
    replica.restore()
    assert store.numbers() == [1]
    assert replica.status().state is State.OK
    second = opened("b", prepare_first=prepare)
    second.restore()
    assert names(second) == ["imported"]
    assert seen == ["memory"]


def test_preparing_that_fails_leaves_nothing_and_is_done_again(
    opened: Any, store: MemoryStore
) -> None:
    def prepare(given: ObjectStore, transaction: Transaction) -> None:
        insert(transaction, "imported")
        given.get("nba_stats.db")

    replica = opened("a", prepare_first=prepare)
    store.fail("get", "nba_stats.db", error=unreachable("get"))
    with pytest.raises(StoreUnreachable):
        replica.restore()
    assert (store.objects, replica.path.exists()) == ({}, False)
    store.put("nba_stats.db", b"old", PutMode.CREATE)
    replica.restore()
    assert names(replica) == ["imported"]


@pytest.mark.parametrize("after_effect", [False, True])
def test_first_claim_without_an_answer_imports_once(
    opened: Any, store: MemoryStore, after_effect: bool
) -> None:
    def prepare(given: ObjectStore, transaction: Transaction) -> None:
        insert(transaction, "imported")

    replica = opened("a", prepare_first=prepare)
    store.fail("put", "snapshots/", error=unreachable("put"), after_effect=after_effect)
    # Settling it fails as well: nobody knows whether it is there.
    store.fail("get", "snapshots/", error=unreachable("get"))
    with pytest.raises(StoreUnreachable):
        replica.restore()
    replica.restore()
    assert names(replica) == ["imported"]
    assert store.numbers() == [1]
    assert replica.sync_now() is False


def test_two_first_starts_import_once(tmp_path: Path, clock: ManualClock) -> None:
    store = MemoryStore(clock)
    both_prepared = threading.Barrier(2)

    def prepare(given: ObjectStore, transaction: Transaction) -> None:
        insert(transaction, f"imported by {transaction.id}")
        both_prepared.wait(10)

    replicas = [
        open_replica(tmp_path / f"{name}.db", store, prepare_first=prepare) for name in "ab"
    ]
    threads = [threading.Thread(target=replica.restore) for replica in replicas]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert store.numbers() == [1]
    assert names(replicas[0]) == names(replicas[1])
    assert len(names(replicas[0])) == 1
    for replica in replicas:
        assert replica.status().state is State.OK
        replica.close(0)


def test_newest_snapshot_goes_to_a_plain_file(
    opened: Any, store: MemoryStore, tmp_path: Path
) -> None:
    target = tmp_path / "target.db"
    assert write_newest(store, target, NEXT_SCHEMA[:1]) is False
    first = filled(opened, "one", "two")
    assert write_newest(store, target, NEXT_SCHEMA[:1]) is True
    with pytest.raises(ReplicaError, match="owns"):
        write_newest(store, first.path, NEXT_SCHEMA[:1])
    replica = opened("target")
    assert replica.restore() is False
    write(replica, "three")
    replica.sync_now()
    assert store.numbers() == [1, 2, 3]


def test_snapshot_unpacked_by_hand_continues_where_it_was_made(
    opened: Any, store: MemoryStore, tmp_path: Path
) -> None:
    from replica.snapshot import unpack

    filled(opened, "one", "two")
    key = snapshot_key(2)
    (tmp_path / "hand.db").write_bytes(unpack(store.objects[key].body, key)[1])
    replica = opened("hand")
    replica.restore()
    status = replica.status()
    assert (status.state, status.sequence) == (State.OK, 2)
    assert names(replica) == ["one", "two"]


def test_full_disk_while_restoring_leaves_the_old_file(
    opened: Any, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = filled(opened, "one")
    second = opened("second")
    second.restore()
    write(second, "two")
    second.sync_now()

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(DiskFull, match="Free some space"):
            first.sync_now()
    assert names(first) == ["one"]
    assert list(first.path.parent.glob("*.partial-*")) == []
    first.sync_now()
    assert names(first) == ["one", "two"]


def _tamper(store: MemoryStore, sequence: int, sql: str) -> None:
    """Change a snapshot's database and give it hashes that agree again."""
    from replica.snapshot import unpack

    key = snapshot_key(sequence)
    metadata, content = unpack(store.objects[key].body, key)
    connection = apsw.Connection(":memory:")
    connection.deserialize("main", content)
    connection.execute(sql)
    body = pack(
        connection.serialize("main"),
        lineage=metadata.lineage,
        sequence=sequence,
        parent_sha256=metadata.parent_sha256,
        schema_version=metadata.schema_version,
        writer_id=metadata.writer_id,
    )
    connection.close()
    store.damage(key, lambda _: body)
