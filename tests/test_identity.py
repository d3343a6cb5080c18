"""Is the log still the one that this file is part of? If not, nothing is sent; a person decides."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from replica import (
    AccessDenied,
    Diverged,
    DurabilityTimeout,
    ForeignLog,
    LogNotEmpty,
    Repair,
    Replica,
    ReplicaError,
    RolledBack,
    State,
    StoredObject,
    StoreUnreachable,
)
from replica.envelope import Kind, unpack_entry
from replica.log import log_key
from tests.replica_fixtures import Opener
from tests.stores import (
    ManualClock,
    MemoryStore,
    denied,
    in_store,
    names,
    notes,
    replicated,
    unpacked,
    unreachable,
    write,
)

BACKUP = "backups/2026-11-20T18-00-00Z-set-aside.db.zst"
Mishap = Callable[[MemoryStore], None]


def emptied(store: MemoryStore) -> None:
    store.objects.clear()


def rolled_back(store: MemoryStore) -> None:
    del store.objects[log_key(store.numbers()[-1])]


def replaced(store: MemoryStore) -> None:
    """What a changed prefix looks like, too: another database lives there."""
    store.objects.clear()
    store.objects.update(_another_database(store))


def _another_database(store: MemoryStore) -> dict[str, StoredObject]:
    raise AssertionError("set by the fixture")


@pytest.fixture(autouse=True)
def another_database(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> MemoryStore:
    """A store with the log of another database."""
    other = MemoryStore(clock)
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    opener = Opener(folder, clock, other)
    opener.filled("elsewhere", "far", "away")
    opener.close()
    monkeypatch.setattr("tests.test_identity._another_database", lambda _: other.objects)
    return other


MISHAPS = [
    pytest.param(emptied, RolledBack, State.ROLLED_BACK, id="emptied"),
    pytest.param(rolled_back, RolledBack, State.ROLLED_BACK, id="rolled back"),
    pytest.param(replaced, ForeignLog, State.FOREIGN_LOG, id="replaced"),
]


@pytest.mark.parametrize("noticed", ["at a start", "after an error", "after a minute"])
@pytest.mark.parametrize(("mishap", "error", "state"), MISHAPS)
def test_a_log_that_is_not_the_files_is_told_and_nothing_is_published(
    opened: Opener,
    store: MemoryStore,
    clock: ManualClock,
    mishap: Mishap,
    error: type[ReplicaError],
    state: State,
    noticed: str,
) -> None:
    replica = opened.filled("one", "two")
    pending = write(replica, "pending")
    mishap(store)
    match noticed:
        case "at a start":
            replica.close(0)
            replica = opened.bare("first")
        case "after an error":
            store.fail("put", error=unreachable("put"))
            store.fail("get", error=unreachable("get"))
            with pytest.raises(StoreUnreachable):
                replica.sync_now()
        case _:
            clock.advance(seconds=60)
    before = dict(store.objects)
    for attempt in (replica.sync_now, replica.restore, replica.tick, replica.snapshot):
        with pytest.raises(error, match="log/"):
            attempt()
        assert replica.status().state is state
    write(replica, "more")
    with pytest.raises(error):
        replica.back_up("manual")
    with pytest.raises(DurabilityTimeout, match="Nothing was published"):
        replica.wait_until_durable(pending, 60)
    assert store.objects == before
    assert names(replica) == ["more", "one", "pending", "two"]
    assert replica.status().pending_transactions == 2


def test_store_that_was_replaced_while_it_was_away_gets_nothing(
    opened: Opener, store: MemoryStore
) -> None:
    opened.filled("one").close(0)
    store.away = True
    replica = opened.bare("first")
    with pytest.raises(StoreUnreachable):
        replica.restore()
    write(replica, "pending")
    replaced(store)
    store.away = False
    before = dict(store.objects)
    with pytest.raises(ForeignLog):
        replica.sync_now()
    assert store.objects == before


def test_others_that_went_on_from_a_rolled_back_store_are_another_history(
    opened: Opener, store: MemoryStore
) -> None:
    first = opened.filled("one", "two")
    rolled_back(store)
    second = opened("second")
    write(second, "other two")
    second.sync_now()
    first.close(0)
    again = opened.bare("first")
    with pytest.raises(RolledBack):
        again.restore()
    assert again.repair() == ()
    assert names(again) == ["one", "two"]
    assert names(second) == ["one", "other two"]


def test_rolled_back_store_gets_its_end_back_from_a_file_that_kept_it(
    opened: Opener, store: MemoryStore
) -> None:
    first = opened.filled("one", "two", "three")
    before = dict(store.objects)
    for number in (4, 3):
        del store.objects[log_key(number)]
    first.close(0)
    again = opened.bare("first")
    with pytest.raises(RolledBack):
        again.restore()
    assert again.repair() == (Repair(3, "kept copy"), Repair(4, "kept copy"))
    assert {key: item.body for key, item in store.objects.items()} == {
        key: item.body for key, item in before.items()
    }
    write(again, "four")
    again.sync_now()
    assert again.status().state is State.OK
    assert replicated(opened("second")) == replicated(again)


def test_store_that_comes_back_is_taken_up_again(opened: Opener, store: MemoryStore) -> None:
    replica = opened.filled("one")
    write(replica, "two")
    before = dict(store.objects)
    replica.close(0)
    emptied(store)
    again = opened.bare("first")
    with pytest.raises(RolledBack):
        again.restore()
    store.objects.update(before)
    assert again.sync_now() is True
    assert (again.status().state, store.numbers()) == (State.OK, [1, 2, 3])


@pytest.mark.parametrize("published", [0, 1, 2])
def test_older_copy_of_the_file_recognises_what_it_has_published(
    opened: Opener, store: MemoryStore, tmp_path: Path, published: int
) -> None:
    """A disk can be rolled back, too."""
    replica = opened.filled("zero")
    write(replica, "one")
    replica.close(0)
    shutil.copy(tmp_path / "first.db", tmp_path / "older.db")
    replica = opened("first")
    for name in ("two", "three")[:published]:
        write(replica, name)
    replica.sync_now()
    other = opened("other")
    with other.transaction() as transaction:
        transaction.execute("UPDATE notes SET text = 'theirs' WHERE name = 'one'")
    other.sync_now()
    replica.sync_now()
    older = opened("older")
    assert older.status().pending_transactions == 0
    # Applied once more, it would overwrite what came after it.
    assert ("one", "theirs") in notes(older)
    assert replicated(older) == replicated(replica)
    assert older.status().conflicts == 0
    assert older.sync_now() is False
    assert store.numbers() == [1, 2, 3, 4]


def test_taking_over_keeps_what_is_given_up_as_a_backup(
    opened: Opener, store: MemoryStore, tmp_path: Path
) -> None:
    replica = opened.filled("one")
    given_up = write(replica, "given up")
    replaced(store)
    replica.close(0)
    again = opened.bare("first")
    with pytest.raises(ForeignLog):
        again.restore()
    again.take_over_from_store()
    assert names(again) == ["away", "elsewhere", "far"]
    assert (again.status().state, again.status().pending_transactions) == (State.OK, 0)
    with unpacked(store, BACKUP, tmp_path) as connection:
        rows = connection.execute("SELECT name FROM notes ORDER BY name").fetchall()
        assert rows == [("given up",), ("one",)]
    with pytest.raises(DurabilityTimeout, match="backups"):
        again.wait_until_durable(given_up, 60)
    write(again, "more")
    again.sync_now()
    assert store.numbers() == [1, 2, 3, 4, 5]
    assert in_store(store, tmp_path / "check") == ["away", "elsewhere", "far", "more"]


def test_taking_over_from_an_empty_store_is_refused(opened: Opener, store: MemoryStore) -> None:
    replica = opened.filled("one")
    emptied(store)
    with pytest.raises(RolledBack, match="empty"):
        replica.take_over_from_store()
    assert names(replica) == ["one"]
    assert store.objects == {}


def test_change_made_while_taking_over_is_in_the_backup(
    opened: Opener, store: MemoryStore, tmp_path: Path
) -> None:
    replica = opened.filled("one")
    write(replica, "pending")
    replaced(store)

    def write_late(verb: str, key: str) -> None:
        if verb == "put":
            store.before = lambda verb, key: None
            write(replica, "late")

    store.before = write_late
    replica.take_over_from_store()
    assert names(replica) == ["away", "elsewhere", "far"]
    contents = []
    for key in store.keys("backups/"):
        with unpacked(store, key, tmp_path) as connection:
            contents.append([name for (name,) in connection.execute("SELECT name FROM notes")])
    assert sorted(map(sorted, contents)) == [["late", "one", "pending"], ["one", "pending"]]


def test_taking_over_is_not_done_without_its_backup(opened: Opener, store: MemoryStore) -> None:
    replica = opened.filled("one")
    write(replica, "pending")
    replaced(store)
    store.fail("put", "backups/", error=denied("put"))
    with pytest.raises(AccessDenied):
        replica.take_over_from_store()
    assert names(replica) == ["one", "pending"]
    assert replica.status().pending_transactions == 1


def test_what_was_given_up_is_not_published_by_a_claim_that_was_still_open(
    opened: Opener, store: MemoryStore
) -> None:
    first = opened.filled("one", "two")
    write(first, "given up")
    store.fail("put", "log/", error=unreachable("put"))
    with pytest.raises(StoreUnreachable):
        first.sync_now()
    # The store goes back by one number, and on again without this replica.
    rolled_back(store)
    second = opened("second")
    write(second, "other two")
    second.sync_now()
    first.take_over_from_store()
    write(first, "three")
    first.sync_now()
    second.sync_now()
    assert names(first) == ["one", "other two", "three"]
    assert replicated(first) == replicated(second)


def test_taking_over_mends_a_file_that_does_not_fit_the_log(
    opened: Opener, store: MemoryStore, tmp_path: Path
) -> None:
    first, second = opened.filled("one"), opened("second")
    second.close(0)
    with closing(apsw.Connection(str(tmp_path / "second.db"))) as connection:
        connection.execute("INSERT INTO notes VALUES ('two', 'by another program')")
    write(first, "two")
    first.sync_now()
    second = opened.bare("second")
    with pytest.raises(Diverged):
        second.restore()
    write(second, "mine")
    second.take_over_from_store()
    assert second.status().state is State.OK
    assert replicated(second) == replicated(first)
    with unpacked(store, BACKUP, tmp_path) as backup:
        assert ("mine", "") in backup.execute("SELECT * FROM notes").fetchall()


def test_new_log_begins_with_what_is_here_and_what_is_pending_follows(
    opened: Opener, store: MemoryStore, clock: ManualClock
) -> None:
    first, second = opened.filled("one", "two"), opened("second")
    old_log = unpack_entry(store.entry(1), log_key(1)).log_id
    pending = write(first, "pending")
    write(second, "second's")
    emptied(store)
    clock.advance(days=1)
    with pytest.raises(RolledBack):
        first.sync_now()
    first.start_new_log()
    genesis = unpack_entry(store.entry(1), log_key(1))
    assert genesis.kind is Kind.GENESIS
    assert genesis.log_id != old_log
    assert names(first) == ["one", "pending", "two"]
    assert (first.status().sequence, first.status().pending_transactions) == (1, 1)
    first.sync_now()
    first.wait_until_durable(pending, 0)
    assert store.numbers() == [1, 2]
    with pytest.raises(ForeignLog):
        second.sync_now()
    second.take_over_from_store()
    assert replicated(first) == replicated(second)
    with second.read() as connection:
        sql = "SELECT sequence, stored_at FROM replica_transactions ORDER BY stored_at, sequence"
        # What was stored before keeps its time, whatever becomes of the new log's numbers.
        assert connection.execute(sql).fetchall() == [
            (0, "2026-11-20T18:00:00+00:00"),
            (0, "2026-11-20T18:00:00+00:00"),
            (2, "2026-11-21T18:00:00+00:00"),
        ]


def test_times_of_the_lost_log_stay_as_the_new_one_goes_on(
    opened: Opener, store: MemoryStore, clock: ManualClock
) -> None:
    first = opened.filled("one", "two")
    emptied(store)
    clock.advance(days=1)
    first.start_new_log()
    second = opened("second")
    for number in range(4):
        clock.advance(seconds=1)
        write(second, f"{number}")
        second.sync_now()
    first.sync_now()
    for replica in (first, second):
        with replica.read() as connection:
            sql = "SELECT DISTINCT stored_at FROM replica_transactions WHERE sequence = 0"
            assert connection.execute(sql).fetchall() == [("2026-11-20T18:00:00+00:00",)]
    assert replicated(first) == replicated(second)


def test_new_log_is_not_begun_beside_another(opened: Opener, store: MemoryStore) -> None:
    first = opened.filled("one")
    before = dict(store.objects)
    with pytest.raises(LogNotEmpty):
        first.start_new_log()
    replaced(store)
    elsewhere = dict(store.objects)
    with pytest.raises(LogNotEmpty):
        first.start_new_log()
    assert store.objects == elsewhere != before
    assert names(first) == ["one"]


def test_of_two_that_begin_a_new_log_one_is_told_that_there_is_one(
    opened: Opener, store: MemoryStore
) -> None:
    first, second = opened.filled("one"), opened("second")
    write(second, "mine")
    emptied(store)

    def be_first(verb: str, key: str) -> None:
        if (verb, key) == ("put", log_key(1)):
            store.before = lambda verb, key: None
            first.start_new_log()

    store.before = be_first
    with pytest.raises(LogNotEmpty):
        second.start_new_log()
    assert names(second) == ["mine", "one"]
    assert second.status().pending_transactions == 1
    assert in_new_log(opened) == ["one"]


def test_new_log_that_landed_before_a_restart_can_be_followed(
    opened: Opener, store: MemoryStore
) -> None:
    first = opened.filled("one")
    write(first, "pending")
    emptied(store)
    store.fail("put", log_key(1), error=unreachable("put"), after_effect=True)
    store.before = lambda verb, key: cut_off(store, verb, key)
    with pytest.raises(StoreUnreachable):
        first.start_new_log()
    store.before, store.away = (lambda verb, key: None), False
    assert store.numbers() == [1]
    first.close(0)
    first = opened.bare("first")
    with pytest.raises(ForeignLog):
        first.restore()
    with pytest.raises(LogNotEmpty, match="Take over"):
        first.start_new_log()
    first.take_over_from_store()
    assert first.status().state is State.OK
    assert names(first) == ["one"]
    assert store.keys("backups/") == [BACKUP]


def cut_off(store: MemoryStore, verb: str, key: str) -> None:
    """From the moment the new log has begun the store does not answer."""
    store.away = verb == "get" and key == log_key(1) and store.numbers() == [1]


def in_new_log(opened: Opener) -> list[str]:
    replica: Replica = opened("somebody new")
    return names(replica)


def test_no_snapshot_is_made_of_what_the_log_no_longer_has(
    opened: Opener, store: MemoryStore, clock: ManualClock
) -> None:
    replica = opened.filled("one", "two", "three", "four", "five")
    rolled_back(store)
    clock.advance(minutes=5)
    before = dict(store.objects)
    for attempt in (replica.tick, replica.snapshot, lambda: replica.back_up("manual")):
        with pytest.raises(RolledBack):
            attempt()
        assert store.objects == before
