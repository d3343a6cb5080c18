"""Publishing, losing a race, catching up: what is pending stays so until the store has it."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from replica import (
    AccessDenied,
    Diverged,
    DurabilityTimeout,
    FileOwned,
    NotRestored,
    PutMode,
    Replica,
    ReplicaClosed,
    SchemaChanged,
    State,
    StoreThrottled,
    StoreUnreachable,
)
from replica.snapshot import snapshot_key, unpack
from tests.stores import (
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
    """Opens and restores replicas by name and closes them all at the end."""
    replicas: list[Replica] = []

    def open_one(name: str, **options: Any) -> Replica:
        replica = open_replica(tmp_path / f"{name}.db", store, clock=clock, **options)
        replicas.append(replica)
        replica.restore()
        return replica

    yield open_one
    for replica in replicas:
        replica.close(0)


def test_change_is_pending_until_it_is_published(opened: Any, store: MemoryStore) -> None:
    replica = opened("a")
    write(replica, "one")
    status = replica.status()
    assert (status.state, status.pending_transactions) == (State.PENDING, 1)
    assert store.numbers() == []
    assert replica.sync_now() is True
    status = replica.status()
    assert (status.state, status.sequence, status.pending_transactions) == (State.OK, 1, 0)
    assert status.snapshot_size_bytes == len(store.objects[snapshot_key(1)].body)
    assert replica.sync_now() is False


def test_snapshots_form_a_chain(opened: Any, store: MemoryStore) -> None:
    replica = opened("a")
    for row in ("one", "two"):
        write(replica, row)
        replica.sync_now()
    first, second = (
        unpack(store.objects[snapshot_key(number)].body, snapshot_key(number))[0]
        for number in (1, 2)
    )
    assert first.parent_sha256 == ""
    assert len(second.parent_sha256) == 64
    assert first.lineage == second.lineage != ""
    assert (first.sequence, second.sequence, second.schema_version) == (1, 2, 1)


def test_idle_exchange_costs_one_get(opened: Any, store: MemoryStore) -> None:
    replica = opened("a")
    write(replica, "one")
    replica.sync_now()
    store.requests.clear()
    assert replica.sync_now() is False
    assert store.requests == [("get", snapshot_key(2))]


def test_change_costs_one_claim_one_look_and_the_copy_under_a_fixed_name(
    opened: Any, store: MemoryStore
) -> None:
    replica = opened("a")
    write(replica, "one")
    replica.sync_now()
    store.requests.clear()
    write(replica, "two")
    replica.sync_now()
    claimed = snapshot_key(2)
    assert store.requests == [("put", claimed), ("get", claimed), ("put", "nba_stats.db.zst")]
    assert store.objects["nba_stats.db.zst"].body == store.objects[snapshot_key(2)].body


def test_fixed_name_that_cannot_be_written_is_said_and_tried_again(
    opened: Any, store: MemoryStore
) -> None:
    replica = opened("a")
    write(replica, "one")
    store.fail("put", "nba_stats", error=denied("put", "nba_stats.db.zst"))
    assert replica.sync_now() is True
    assert replica.status().state is State.OK
    assert "nba_stats.db.zst" in replica.status().note
    replica.sync_now()
    assert replica.status().note == ""
    assert "nba_stats.db.zst" in store.objects


def test_block_that_changes_nothing_leaves_nothing_pending(opened: Any) -> None:
    replica = opened("a")
    write(replica, "one")
    replica.sync_now()
    with replica.transaction() as transaction:
        transaction.execute("INSERT OR IGNORE INTO notes (name) VALUES ('one')")
    assert replica.status().state is State.OK
    replica.wait_until_durable(transaction.id, 0)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, GeneratorExit])
def test_block_that_raises_changes_nothing(opened: Any, error: type[BaseException]) -> None:
    replica = opened("a")
    with pytest.raises(error), replica.transaction() as transaction:  # noqa: PT012
        insert(transaction, "half")
        raise error
    assert names(replica) == []
    assert replica.status().pending_transactions == 0
    with pytest.raises(RuntimeError, match="ended"):
        transaction.execute("SELECT 1")
    write(replica, "next")


def test_errors_of_the_callers_own_pass_unchanged(opened: Any) -> None:
    replica = opened("a")
    write(replica, "one")
    with pytest.raises(apsw.ConstraintError):
        write(replica, "one")
    with pytest.raises(FileNotFoundError), replica.transaction():
        Path("/nowhere/at/all").read_bytes()


def test_schema_may_not_change_outside_a_migration(opened: Any) -> None:
    replica = opened("a")
    with pytest.raises(SchemaChanged, match="migration"), replica.transaction() as transaction:
        transaction.execute("CREATE TABLE other (x)")
    with pytest.raises(RuntimeError, match="within another"):  # noqa: SIM117
        with replica.transaction(), replica.transaction():
            pass


def test_half_read_result_does_not_keep_the_file_busy(opened: Any) -> None:
    first, second = opened("a"), opened("b")
    with first.transaction() as transaction:
        insert(transaction, "one")
        insert(transaction, "two")
        rows = transaction.execute("SELECT * FROM notes")
        next(rows)
    first.sync_now()
    assert second.sync_now() is True
    write(second, "three")
    second.sync_now()
    assert first.sync_now() is True
    assert names(first) == ["one", "three", "two"]


def test_reader_cannot_write_not_even_to_what_is_attached(opened: Any, tmp_path: Path) -> None:
    replica = opened("a")
    write(replica, "one")
    reference = apsw.Connection(str(tmp_path / "reference 1.db"))
    reference.execute("CREATE TABLE facts (x); INSERT INTO facts VALUES (42)")
    reference.close()
    with replica.read({"ref": tmp_path / "reference 1.db"}) as connection:
        assert connection.execute("SELECT name, x FROM notes, ref.facts").fetchall() == [
            ("one", 42)
        ]
        for sql in ("DELETE FROM notes", "DELETE FROM ref.facts", "CREATE TABLE t (x)"):
            with pytest.raises(apsw.ReadOnlyError):
                connection.execute(sql)
    with pytest.raises(apsw.ConnectionClosedError):
        connection.execute("SELECT 1")


def test_reader_sees_one_moment_while_the_content_is_replaced(opened: Any) -> None:
    first, second = opened("a"), opened("b")
    for number in range(50):
        write(first, f"{number:02}", "x" * 1000)
    first.sync_now()
    second.sync_now()
    with second.read() as connection:
        rows = connection.execute("SELECT name FROM notes ORDER BY name")
        assert next(rows) == ("00",)
        with first.transaction() as transaction:
            transaction.execute("DELETE FROM notes WHERE name >= '10'")
        first.sync_now()
        assert second.sync_now() is True
        assert len(list(rows)) == 49
        assert connection.execute("SELECT count(*) FROM notes").fetchall() == [(50,)]
    assert len(names(second)) == 10


def test_reading_and_writing_do_not_wait_for_the_store(opened: Any, store: MemoryStore) -> None:
    replica = opened("a")
    write(replica, "one")
    in_request, answer = threading.Event(), threading.Event()

    def hang(verb: str, key: str) -> None:
        in_request.set()
        assert answer.wait(10)

    store.before = hang
    publishing = threading.Thread(target=replica.sync_now)
    publishing.start()
    try:
        assert in_request.wait(10)
        write(replica, "two")
        assert names(replica) == ["one", "two"]
        assert replica.status().state is State.PENDING
        assert replica.status().pending_transactions == 2
        replica.request_sync()
    finally:
        answer.set()
        publishing.join(10)
    assert replica.status().pending_transactions == 0


def test_writers_in_many_threads_lose_nothing(
    opened: Any, store: MemoryStore, tmp_path: Path
) -> None:
    replica = opened("a")

    def work(thread: int) -> None:
        for number in range(10):
            write(replica, f"{thread}-{number}")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        replica.sync_now()
    for thread in threads:
        thread.join(10)
    replica.sync_now()
    assert len(in_store(store, tmp_path / "check")) == 60
    assert replica.status().state is State.OK


@pytest.mark.parametrize("error", [unreachable("put"), StoreThrottled("put", "x"), denied("put")])
def test_store_that_fails_leaves_the_change_pending_and_says_so(
    opened: Any, store: MemoryStore, error: Any
) -> None:
    replica = opened("a")
    write(replica, "one")
    store.fail("put", error=error)
    with pytest.raises(type(error)):
        replica.sync_now()
    status = replica.status()
    assert (status.state, status.pending_transactions) == (State.OFFLINE, 1)
    assert status.last_error is not None
    assert status.last_error.remedy
    write(replica, "two")
    replica.sync_now()
    assert replica.status().state is State.OK
    assert replica.status().last_error is None


def test_read_only_key_names_the_missing_permission(opened: Any, store: MemoryStore) -> None:
    replica = opened("a")
    write(replica, "one")
    store.fail("put", error=denied("put", snapshot_key(1)))
    with pytest.raises(AccessDenied) as refusal:
        replica.sync_now()
    assert refusal.value.action == "s3:PutObject"
    assert names(replica) == ["one"]


def test_claim_whose_answer_was_lost_is_recognised(
    opened: Any, store: MemoryStore, tmp_path: Path
) -> None:
    replica = opened("a")
    write(replica, "one")
    store.fail("put", "snapshots/", error=unreachable("put"), after_effect=True)
    assert replica.sync_now() is True
    assert (replica.status().sequence, store.numbers()) == (1, [1])


def test_claim_that_cannot_be_settled_at_once_is_tried_with_the_same_bytes(
    opened: Any, store: MemoryStore
) -> None:
    replica = opened("a")
    write(replica, "one")
    store.fail("put", "snapshots/", error=unreachable("put"), after_effect=True)
    store.fail("get", "snapshots/", error=unreachable("get"))
    with pytest.raises(StoreUnreachable):
        replica.sync_now()
    landed = store.objects[snapshot_key(1)].body
    write(replica, "two")
    replica.sync_now()
    assert store.numbers() == [1, 2]
    assert store.objects[snapshot_key(1)].body == landed
    assert replica.status().pending_transactions == 0


def test_claim_that_did_not_land_goes_out_again_unchanged(opened: Any, store: MemoryStore) -> None:
    replica = opened("a")
    write(replica, "one")
    bodies: list[bytes] = []
    put = store.put

    def recording(key: str, body: bytes, mode: PutMode) -> Any:
        if key.startswith("snapshots/"):
            bodies.append(body)
        return put(key, body, mode)

    store.put = recording  # type: ignore[method-assign]
    store.fail("put", "snapshots/", error=unreachable("put"))
    with pytest.raises(StoreUnreachable):
        replica.sync_now()
    write(replica, "two")
    replica.sync_now()
    assert len(bodies) == 3
    assert bodies[0] == bodies[1] != bodies[2]


@pytest.mark.parametrize("change", [truncated, corrupted])
def test_damaged_answer_while_settling_is_not_taken_for_a_lost_race(
    opened: Any, store: MemoryStore, change: Any
) -> None:
    replica = opened("a")
    write(replica, "one")
    store.fail("put", "snapshots/", error=unreachable("put"), after_effect=True)
    store.fail("get", "snapshots/", change=change)
    replica.sync_now()
    assert (replica.status().state, store.numbers()) == (State.OK, [1])


def test_restart_after_a_lost_answer_recognises_its_own_claim(
    opened: Any, store: MemoryStore, tmp_path: Path
) -> None:
    replica = opened("a")
    write(replica, "zero")
    replica.sync_now()
    write(replica, "one")
    store.fail("put", "snapshots/", error=unreachable("put"), after_effect=True)
    store.fail("get", "snapshots/", error=unreachable("get"))
    with pytest.raises(StoreUnreachable):
        replica.sync_now()
    write(replica, "two")
    replica.close(0)
    again = opened("a")
    assert (again.status().sequence, again.status().pending_transactions) == (2, 1)
    again.sync_now()
    assert in_store(store, tmp_path / "check") == ["one", "two", "zero"]
    assert store.numbers() == [1, 2, 3]


def test_lost_race_keeps_both_sides_and_says_so(
    opened: Any, store: MemoryStore, tmp_path: Path
) -> None:
    first, second = opened("a"), opened("b")
    write(first, "one")
    first.sync_now()
    second.sync_now()
    write(first, "mine")
    lost = write(second, "theirs")
    first.sync_now()
    with pytest.raises(Diverged, match=r"snapshots/0+2\.db\.zst"):
        second.sync_now()
    status = second.status()
    assert (status.state, status.pending_transactions) == (State.DIVERGED, 1)
    assert "backed up" in str(status.last_error)
    assert names(second) == ["one", "theirs"]
    write(second, "still accepted")
    with pytest.raises(DurabilityTimeout, match="Take over"):
        second.wait_until_durable(lost, 60)
    assert in_store(store, tmp_path / "check") == ["mine", "one"]
    assert store.numbers() == [1, 2]


def test_taking_over_keeps_what_is_given_up_as_a_backup(
    opened: Any, store: MemoryStore, tmp_path: Path
) -> None:
    first, second = opened("a"), opened("b")
    write(first, "mine")
    first.sync_now()
    given_up = write(second, "theirs")
    with pytest.raises(Diverged):
        second.sync_now()
    second.take_over_from_store()
    assert names(second) == ["mine"]
    assert second.status().state is State.OK
    backup = "backups/2026-11-20T18-00-00Z-set-aside.db.zst"
    (tmp_path / "aside.db").write_bytes(unpack(store.objects[backup].body, backup)[1])
    kept = apsw.Connection(str(tmp_path / "aside.db"))
    assert kept.execute("SELECT name FROM notes").fetchall() == [("theirs",)]
    kept.close()
    with pytest.raises(DurabilityTimeout, match="backups"):
        second.wait_until_durable(given_up, 60)
    write(second, "more")
    second.sync_now()
    assert store.numbers() == [1, 2]


def test_change_made_while_taking_over_is_in_the_backup(opened: Any, store: MemoryStore) -> None:
    first, second = opened("a"), opened("b")
    write(first, "mine")
    first.sync_now()
    write(second, "theirs")
    late = threading.Event()

    def write_late(verb: str, key: str) -> None:
        if verb == "put" and not late.is_set():
            late.set()
            write(second, "late")

    store.before = write_late
    second.take_over_from_store()
    assert names(second) == ["mine"]
    backups = sorted(key for key in store.objects if key.startswith("backups/"))
    assert len(backups) == 2
    contents = [unpack(store.objects[key].body, key)[1] for key in backups]
    assert sorted(b"late" in content for content in contents) == [False, True]


def test_what_was_given_up_is_not_published_by_a_claim_that_was_still_open(
    opened: Any, store: MemoryStore
) -> None:
    first = opened("a")
    for row in ("one", "two"):
        write(first, row)
        first.sync_now()
    write(first, "given up")
    store.fail("put", "snapshots/", error=unreachable("put"))
    with pytest.raises(StoreUnreachable):
        first.sync_now()
    # The store goes back by one number, and on again without this replica.
    del store.objects[snapshot_key(2)]
    second = opened("b")
    write(second, "other two")
    second.sync_now()
    first.take_over_from_store()
    write(first, "three")
    first.sync_now()
    second.sync_now()
    assert names(first) == names(second) == ["one", "other two", "three"]
    assert store.numbers() == [1, 2, 3]


def test_taking_over_is_not_done_without_its_backup(opened: Any, store: MemoryStore) -> None:
    first, second = opened("a"), opened("b")
    write(first, "mine")
    first.sync_now()
    write(second, "theirs")
    store.fail("put", "backups/", error=denied("put"))
    with pytest.raises(AccessDenied):
        second.take_over_from_store()
    assert names(second) == ["theirs"]


@pytest.mark.parametrize("moment", ["list", "download"])
def test_change_made_while_catching_up_is_not_overwritten(
    opened: Any, store: MemoryStore, moment: str
) -> None:
    first, second = opened("a"), opened("b")
    write(first, "mine")
    first.sync_now()
    listed, written = threading.Event(), threading.Event()

    def write_late(verb: str, key: str) -> None:
        if verb == "list":
            listed.set()
        at_moment = verb == "list" if moment == "list" else listed.is_set() and verb == "get"
        if at_moment and not written.is_set():
            written.set()
            write(second, "late")

    store.before = write_late
    with pytest.raises(Diverged):
        second.sync_now()
    assert names(second) == ["late"]


def test_backup_holds_everything_and_never_replaces_another(
    opened: Any, store: MemoryStore
) -> None:
    replica = opened("a")
    write(replica, "one")
    info = replica.back_up("manual")
    assert info.key == "backups/2026-11-20T18-00-00Z-manual.db.zst"
    assert replica.status().state is State.OK
    assert unpack(store.objects[info.key].body, info.key)[0].sequence == 1
    assert replica.back_up("manual").key == "backups/2026-11-20T18-00-00Z-manual-2.db.zst"
    with pytest.raises(ValueError, match="label"):
        replica.back_up("../escape")


def test_waiting_for_the_store_ends_in_time(opened: Any, store: MemoryStore) -> None:
    replica = opened("a")
    transaction_id = write(replica, "one")
    with pytest.raises(DurabilityTimeout, match=transaction_id):
        replica.wait_until_durable(transaction_id, 0.01)
    replica.sync_now()
    replica.wait_until_durable(transaction_id, 0)


def test_closed_replica_refuses_everything_and_frees_the_file(opened: Any) -> None:
    replica = opened("a")
    write(replica, "one")
    with pytest.raises(FileOwned):
        opened("a")
    replica.close(5)
    replica.close(5)
    assert replica.status().state is State.CLOSED
    for use in (
        lambda: names(replica),
        lambda: write(replica, "x"),
        replica.sync_now,
        replica.restore,
        replica.request_sync,
        replica.start_publisher,
    ):
        with pytest.raises(ReplicaClosed):
            use()
    again = opened("a")
    assert (names(again), again.status().state) == (["one"], State.OK)


def test_migrations_are_dense(tmp_path: Path, store: MemoryStore) -> None:
    from tests.stores import NEXT_SCHEMA

    with pytest.raises(ValueError, match="numbered"):
        open_replica(tmp_path / "a.db", store, migrations=NEXT_SCHEMA[1:])


def test_nothing_to_take_over_or_to_back_up_before_the_restore(
    tmp_path: Path, store: MemoryStore
) -> None:
    replica = open_replica(tmp_path / "a.db", store)
    with pytest.raises(NotRestored):
        replica.take_over_from_store()
    replica.back_up("first")
    replica.close(0)


def test_somebody_elses_bytes_at_our_number_are_damaged_and_passed_over(
    opened: Any, store: MemoryStore
) -> None:
    replica = opened("a")
    write(replica, "one")
    replica.sync_now()
    store.put(snapshot_key(2), b"junk", PutMode.CREATE)
    write(replica, "two")
    replica.sync_now()
    assert store.numbers() == [1, 2, 3]
    assert store.objects[snapshot_key(2)].body == b"junk"
