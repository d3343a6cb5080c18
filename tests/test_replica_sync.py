"""Publishing, losing a race, catching up: what is pending stays so until the log has it."""

import threading
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from replica import (
    AccessDenied,
    Contended,
    DurabilityTimeout,
    FileOwned,
    NotRestored,
    PutMode,
    ReplicaClosed,
    SchemaChanged,
    State,
    StoreError,
    StoreThrottled,
    StoreUnreachable,
)
from replica.envelope import Kind, entry_sha256, unpack_entry
from replica.log import log_key
from replica.snapshot import read_metadata
from tests.replica_fixtures import Opener
from tests.stores import (
    NEXT_SCHEMA,
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
    truncated,
    unpacked,
    unreachable,
    write,
)


def test_change_is_pending_until_it_is_published(opened: Opener, store: MemoryStore) -> None:
    replica = opened("a")
    write(replica, "one")
    status = replica.status()
    assert (status.state, status.pending_transactions) == (State.PENDING, 1)
    assert status.pending_bytes > 0
    assert store.numbers() == [1]
    assert replica.sync_now() is True
    status = replica.status()
    assert (status.state, status.sequence, status.pending_transactions) == (State.OK, 2, 0)
    assert (status.pending_bytes, status.lag_seconds) == (0, 0.0)
    assert store.numbers() == [1, 2]
    assert replica.sync_now() is False


def test_lag_is_the_age_of_the_oldest_pending_change(opened: Opener, clock: ManualClock) -> None:
    replica = opened("a")
    write(replica, "one")
    clock.advance(minutes=5)
    write(replica, "two")
    assert replica.status().lag_seconds == 300.0


def test_entries_form_a_chain(opened: Opener, store: MemoryStore) -> None:
    replica = opened("a")
    ids = []
    for row in ("one", "two"):
        ids.append(write(replica, row))
        replica.sync_now()
    genesis, second, third = (
        unpack_entry(store.entry(number), log_key(number)) for number in (1, 2, 3)
    )
    assert genesis.parent_sha256 == "0" * 64
    assert second.parent_sha256 == entry_sha256(store.entry(1))
    assert third.parent_sha256 == entry_sha256(store.entry(2))
    assert genesis.log_id == second.log_id == third.log_id != "0" * 32
    assert [entry.sequence for entry in (genesis, second, third)] == [1, 2, 3]
    assert [entry.kind for entry in (genesis, second)] == [Kind.GENESIS, Kind.CHANGES]
    assert second.transaction_ids + third.transaction_ids == tuple(ids)
    assert {entry.schema_version for entry in (genesis, second, third)} == {1}


def test_idle_exchange_costs_one_get(opened: Opener, store: MemoryStore) -> None:
    replica = opened("a")
    write(replica, "one")
    replica.sync_now()
    store.requests.clear()
    assert replica.sync_now() is False
    assert store.requests == [("get", log_key(3))]


def test_change_costs_one_put_whatever_the_size_of_the_database(
    opened: Opener, store: MemoryStore
) -> None:
    replica = opened("a")
    sizes = []
    for number in range(3):
        write(replica, f"small {number}")
        store.requests.clear()
        replica.sync_now()
        assert [verb for verb, _ in store.requests] == ["put"]
        sizes.append(len(store.objects[store.requests[0][1]].body))
        write(replica, f"large {number}", "x" * 100_000)
        replica.sync_now()
    assert max(sizes) - min(sizes) <= 4


def test_changes_made_meanwhile_travel_in_one_entry(opened: Opener, store: MemoryStore) -> None:
    replica, other = opened("a"), opened("b")
    ids = [write(replica, f"{number}") for number in range(5)]
    replica.sync_now()
    assert store.numbers() == [1, 2]
    assert unpack_entry(store.entry(2), log_key(2)).transaction_ids == tuple(ids)
    other.sync_now()
    assert replicated(other) == replicated(replica)


def test_place_in_the_log_is_looked_at_once_a_minute_before_a_claim(
    opened: Opener, store: MemoryStore, clock: ManualClock
) -> None:
    replica = opened("a")
    write(replica, "one")
    clock.advance(seconds=61)
    store.requests.clear()
    replica.sync_now()
    write(replica, "two")
    replica.sync_now()
    look = [("get", log_key(1)), ("list", "log/")]
    assert store.requests == [*look, ("put", log_key(2)), ("put", log_key(3))]


def test_block_that_changes_nothing_leaves_nothing_pending(opened: Opener) -> None:
    replica = opened("a")
    write(replica, "one")
    replica.sync_now()
    with replica.transaction() as transaction:
        transaction.execute("INSERT OR IGNORE INTO notes (name) VALUES ('one')")
    assert replica.status().state is State.OK
    replica.wait_until_durable(transaction.id, 0)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, GeneratorExit])
def test_block_that_raises_changes_nothing(opened: Opener, error: type[BaseException]) -> None:
    replica = opened("a")
    with pytest.raises(error), replica.transaction() as transaction:  # noqa: PT012
        insert(transaction, "half")
        raise error
    assert names(replica) == []
    assert replica.status().pending_transactions == 0
    with pytest.raises(RuntimeError, match="ended"):
        transaction.execute("SELECT 1")
    write(replica, "next")


def test_errors_of_the_callers_own_pass_unchanged(opened: Opener) -> None:
    replica = opened("a")
    write(replica, "one")
    with pytest.raises(apsw.ConstraintError):
        write(replica, "one")
    with pytest.raises(FileNotFoundError), replica.transaction():
        Path("/nowhere/at/all").read_bytes()


def test_schema_may_not_change_outside_a_migration(opened: Opener) -> None:
    replica = opened("a")
    with pytest.raises(SchemaChanged, match="migration"), replica.transaction() as transaction:
        transaction.execute("CREATE TABLE other (x)")
    with pytest.raises(RuntimeError, match="within another"):  # noqa: SIM117
        with replica.transaction(), replica.transaction():
            pass


def test_half_read_result_does_not_keep_the_file_busy(opened: Opener) -> None:
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


def test_reader_cannot_write_not_even_to_what_is_attached(opened: Opener, tmp_path: Path) -> None:
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


def test_reader_sees_one_moment_while_the_content_is_replaced(opened: Opener) -> None:
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


def test_reading_and_writing_do_not_wait_for_the_store(opened: Opener, store: MemoryStore) -> None:
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
    opened: Opener, store: MemoryStore, tmp_path: Path
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
    opened: Opener, store: MemoryStore, error: StoreError
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


def test_read_only_key_names_the_missing_permission(opened: Opener, store: MemoryStore) -> None:
    replica = opened("a")
    write(replica, "one")
    store.fail("put", error=denied("put", log_key(2)))
    with pytest.raises(AccessDenied) as refusal:
        replica.sync_now()
    assert refusal.value.action == "s3:PutObject"
    assert names(replica) == ["one"]


def test_claim_whose_answer_was_lost_is_recognised(opened: Opener, store: MemoryStore) -> None:
    replica = opened("a")
    write(replica, "one")
    store.fail("put", "log/", error=unreachable("put"), after_effect=True)
    assert replica.sync_now() is True
    assert (replica.status().sequence, store.numbers()) == (2, [1, 2])
    assert (replica.status().state, conflicts(replica)) == (State.OK, [])


def test_claim_that_cannot_be_settled_at_once_is_tried_with_the_same_bytes(
    opened: Opener, store: MemoryStore
) -> None:
    replica = opened("a")
    write(replica, "one")
    store.fail("put", "log/", error=unreachable("put"), after_effect=True)
    store.fail("get", "log/", error=unreachable("get"))
    with pytest.raises(StoreUnreachable):
        replica.sync_now()
    landed = store.entry(2)
    write(replica, "two")
    replica.sync_now()
    assert store.numbers() == [1, 2, 3]
    assert store.entry(2) == landed
    assert replica.status().pending_transactions == 0


def test_claim_that_did_not_land_goes_out_again_unchanged(
    opened: Opener, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    replica = opened("a")
    write(replica, "one")
    bodies: list[bytes] = []
    put = store.put

    def recording(key: str, body: bytes, mode: PutMode) -> object:
        bodies.append(body)
        return put(key, body, mode)

    monkeypatch.setattr(store, "put", recording)
    store.fail("put", "log/", error=unreachable("put"))
    with pytest.raises(StoreUnreachable):
        replica.sync_now()
    write(replica, "two")
    replica.sync_now()
    assert len(bodies) == 3
    assert bodies[0] == bodies[1] != bodies[2]


def test_claim_that_lands_after_it_was_looked_for_is_not_written_twice(
    opened: Opener, store: MemoryStore, tmp_path: Path
) -> None:
    replica = opened("a")
    write(replica, "one")
    late: list[tuple[str, bytes]] = []
    put = store.put

    def delayed(key: str, body: bytes, mode: PutMode) -> object:
        if not late:
            late.append((key, body))
            raise unreachable("put", key)
        return put(key, body, mode)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "put", delayed)
        with pytest.raises(StoreUnreachable):
            replica.sync_now()
    put(*late[0], PutMode.CREATE)
    write(replica, "two")
    replica.sync_now()
    assert store.numbers() == [1, 2, 3]
    assert in_store(store, tmp_path / "check") == names(replica) == ["one", "two"]


def test_what_follows_a_claim_that_was_found_is_read_too(
    opened: Opener, store: MemoryStore
) -> None:
    first, second = opened("a"), opened("b")
    write(first, "one")
    store.fail("put", "log/", error=unreachable("put"), after_effect=True)
    store.fail("get", "log/", error=unreachable("get"))
    with pytest.raises(StoreUnreachable):
        first.sync_now()
    write(second, "two")
    second.sync_now()
    assert first.sync_now() is True
    assert (first.status().sequence, names(first)) == (3, ["one", "two"])


@pytest.mark.parametrize("change", [truncated, corrupted])
def test_damaged_answer_while_settling_does_not_let_a_change_happen_twice(
    opened: Opener, store: MemoryStore, change: Callable[[bytes], bytes]
) -> None:
    replica = opened("a")
    write(replica, "one")
    store.fail("put", "log/", error=unreachable("put"), after_effect=True)
    store.fail("get", "log/", change=change)
    replica.sync_now()
    assert (replica.status().state, store.numbers()) == (State.OK, [1, 2])
    assert (names(replica), conflicts(replica)) == (["one"], [])


def test_restart_after_a_lost_answer_recognises_its_own_claim(
    opened: Opener, store: MemoryStore, tmp_path: Path
) -> None:
    replica = opened("a")
    write(replica, "zero")
    replica.sync_now()
    write(replica, "one")
    store.fail("put", "log/", error=unreachable("put"), after_effect=True)
    store.fail("get", "log/", error=unreachable("get"))
    with pytest.raises(StoreUnreachable):
        replica.sync_now()
    write(replica, "two")
    replica.close(0)
    again = opened("a")
    assert (again.status().sequence, again.status().pending_transactions) == (3, 1)
    again.sync_now()
    assert in_store(store, tmp_path / "check") == ["one", "two", "zero"]
    assert store.numbers() == [1, 2, 3, 4]


def test_lost_race_is_rebased(opened: Opener, store: MemoryStore, tmp_path: Path) -> None:
    first, second = opened("a"), opened("b")
    write(first, "one")
    first.sync_now()
    second.sync_now()
    write(first, "mine")
    late = write(second, "theirs")
    first.sync_now()
    assert second.sync_now() is True
    status = second.status()
    assert (status.state, status.sequence, status.pending_transactions) == (State.OK, 4, 0)
    second.wait_until_durable(late, 0)
    assert names(second) == ["mine", "one", "theirs"]
    assert first.sync_now() is True
    assert replicated(first) == replicated(second)
    assert conflicts(first) == []
    assert in_store(store, tmp_path / "check") == names(first)


def test_same_row_keeps_the_later_value_and_a_note_of_the_other(opened: Opener) -> None:
    first, second = opened("a"), opened("b")
    write(first, "row", "early")
    later = write(second, "row", "late")
    first.sync_now()
    second.sync_now()
    first.sync_now()
    assert notes(first) == notes(second) == [("row", "late")]
    assert conflicts(first) == [(later, '["row"]', "text", "overwritten", '"late"', '"early"')]
    assert first.status().conflicts == second.status().conflicts == 1
    assert replicated(first) == replicated(second)


def test_writer_that_is_never_first_gives_up_for_the_moment_and_loses_nothing(
    opened: Opener, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("replica.exchange._MOST_LOST_RACES", 3)
    first, second = opened("a"), opened("b")
    write(second, "patient")

    def be_first(verb: str, key: str) -> None:
        if verb == "put":
            store.before = lambda verb, key: None
            write(first, key)
            first.sync_now()
            store.before = be_first

    store.before = be_first
    with pytest.raises(Contended):
        second.sync_now()
    assert second.status().pending_transactions == 1
    store.before = lambda verb, key: None
    second.sync_now()
    first.sync_now()
    assert len(names(first)) == 4
    assert replicated(first) == replicated(second)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_change_made_while_catching_up_is_not_overwritten(
    opened: Opener, store: MemoryStore, number: int
) -> None:
    first, second = opened("a"), opened("b")
    for row in ("one", "two"):
        write(first, row)
        first.sync_now()
    left = [number]

    def write_late(verb: str, key: str) -> None:
        left[0] -= 1
        if left[0] == 0:
            write(second, "late")

    store.before = write_late
    second.sync_now()
    assert names(second) == ["late", "one", "two"]
    second.sync_now()
    first.sync_now()
    assert replicated(first) == replicated(second)


def test_backup_holds_everything_and_never_replaces_another(
    opened: Opener, store: MemoryStore, tmp_path: Path
) -> None:
    replica = opened("a")
    write(replica, "one")
    info = replica.back_up("manual")
    assert info.key == "backups/2026-11-20T18-00-00Z-manual.db.zst"
    assert replica.status().state is State.OK
    assert read_metadata(store.objects[info.key].body, info.key).sequence == 2
    with unpacked(store, info.key, tmp_path) as connection:
        assert connection.execute("SELECT name FROM notes").fetchall() == [("one",)]
    assert replica.back_up("manual").key == "backups/2026-11-20T18-00-00Z-manual-2.db.zst"
    with pytest.raises(ValueError, match="label"):
        replica.back_up("../escape")


def test_waiting_for_the_store_ends_in_time(opened: Opener, store: MemoryStore) -> None:
    replica = opened("a")
    transaction_id = write(replica, "one")
    with pytest.raises(DurabilityTimeout, match=transaction_id):
        replica.wait_until_durable(transaction_id, 0.01)
    replica.sync_now()
    replica.wait_until_durable(transaction_id, 0)


def test_closed_replica_refuses_everything_and_frees_the_file(opened: Opener) -> None:
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


def test_wait_seconds_returns_when_the_change_is_durable(
    opened: Opener, store: MemoryStore
) -> None:
    replica = opened("a")
    replica.start_publisher()
    with replica.transaction(wait_seconds=10) as transaction:
        insert(transaction, "one")
    assert unpack_entry(store.entry(2), log_key(2)).transaction_ids == (transaction.id,)
    assert replica.status().state is State.OK


def test_migrations_are_dense(tmp_path: Path, store: MemoryStore) -> None:
    with pytest.raises(ValueError, match="numbered"):
        open_replica(tmp_path / "a.db", store, migrations=NEXT_SCHEMA[1:])


def test_what_needs_a_database_is_refused_before_there_is_one(opened: Opener) -> None:
    replica = opened.bare("a")
    for use in (
        replica.take_over_from_store,
        replica.start_new_log,
        lambda: replica.wait_until_durable("x", 0),
    ):
        with pytest.raises(NotRestored):
            use()
    assert replica.kept_envelopes() == {}
    assert replica.back_up("first").key.endswith("-first.db.zst"), "it restores by itself"
