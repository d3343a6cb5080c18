"""Following the log: nothing is applied that was not verified, and nothing is ever skipped."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace

import apsw
import pytest

from replica import (
    AccessDenied,
    Diverged,
    DurabilityTimeout,
    EntryRefused,
    NewerSchema,
    PutMode,
    Repair,
    Replica,
    State,
    StoreUnreachable,
)
from replica.changes import recording
from replica.envelope import Change, Kind, entry_sha256, pack_entry, unpack_entry
from replica.log import log_key
from tests.replica_fixtures import Opener
from tests.stores import (
    SCHEMA,
    TABLES,
    MemoryStore,
    corrupted,
    denied,
    names,
    notes,
    replicated,
    truncated,
    unreachable,
    write,
)

Damage = Callable[[bytes], bytes]


def altered(**values: object) -> Damage:
    """The same entry with another header, its hashes in order."""

    def change(body: bytes) -> bytes:
        return pack_entry(replace(unpack_entry(body, ""), **values))  # type: ignore[arg-type]

    return change


def without_changes(body: bytes) -> bytes:
    return altered(changes=())(body)


@pytest.fixture
def pair(opened: Opener, store: MemoryStore) -> tuple[Replica, Replica]:
    """One replica that has written entries 2 to 4, and one that has caught up with 2."""
    first, second = opened("first"), opened("second")
    write(first, "one")
    first.sync_now()
    second.sync_now()
    for name in ("two", "three"):
        write(first, name)
        first.sync_now()
    store.requests.clear()
    return first, second


@pytest.mark.parametrize(
    "damage",
    [
        corrupted,
        truncated,
        lambda body: b"",
        lambda body: b"<html>sign in</html>",
        altered(log_id="ab" * 16),
        altered(sequence=4),
        altered(parent_sha256="cd" * 32),
        altered(schema_version=2),
        altered(kind=Kind.GENESIS, changes=(), description={"base": "x", "mode": "y"}),
        without_changes,
    ],
    ids=[
        "bit",
        "short",
        "nothing",
        "page",
        "foreign log",
        "other number",
        "other parent",
        "other schema",
        "second genesis",
        "empty",
    ],
)
def test_an_entry_that_is_not_the_one_is_refused_and_everything_stays(
    pair: tuple[Replica, Replica], store: MemoryStore, damage: Damage
) -> None:
    first, second = pair
    whole = store.objects[log_key(3)]
    store.damage(log_key(3), damage)
    with pytest.raises(EntryRefused) as refusal:
        second.sync_now()
    assert "3" in refusal.value.key
    status = second.status()
    assert (status.state, status.sequence) == (State.HALTED, 2)
    assert "doctor --repair" in str(status.last_error)
    assert names(second) == ["one"]
    pending = write(second, "mine")
    assert names(second) == ["mine", "one"]
    for _ in range(2):
        with pytest.raises(EntryRefused):
            second.sync_now()
    with pytest.raises(DurabilityTimeout, match="doctor --repair"):
        second.wait_until_durable(pending, 60)
    assert store.numbers() == [1, 2, 3, 4]
    assert second.status().pending_transactions == 1
    assert second.status().state is State.HALTED
    store.objects[log_key(3)] = whole
    assert second.sync_now() is True
    first.sync_now()
    assert second.status().state is State.OK
    assert replicated(first) == replicated(second)


@pytest.mark.parametrize("damage", [corrupted, truncated, lambda body: b""])
def test_what_was_damaged_on_its_way_is_read_once_more(
    pair: tuple[Replica, Replica], store: MemoryStore, damage: Damage
) -> None:
    first, second = pair
    store.fail("get", log_key(3), change=damage)
    assert second.sync_now() is True
    assert store.requests[:3] == [("get", log_key(3)), ("get", log_key(3)), ("get", log_key(4))]
    assert replicated(first) == replicated(second)


def test_an_entry_is_refused_after_it_was_read_twice(
    pair: tuple[Replica, Replica], store: MemoryStore
) -> None:
    _, second = pair
    store.damage(log_key(3), corrupted)
    with pytest.raises(EntryRefused):
        second.sync_now()
    assert store.requests == [("get", log_key(3))] * 2


def test_what_comes_before_a_damaged_entry_is_applied(
    pair: tuple[Replica, Replica], store: MemoryStore
) -> None:
    _, second = pair
    store.damage(log_key(4), corrupted)
    with pytest.raises(EntryRefused):
        second.sync_now()
    assert (second.status().sequence, names(second)) == (3, ["one", "two"])


def test_a_start_behind_a_damaged_entry_gives_what_is_sound_and_says_so(
    pair: tuple[Replica, Replica], opened: Opener, store: MemoryStore
) -> None:
    first, _ = pair
    store.damage(log_key(3), corrupted)
    third = opened.bare("third")
    with pytest.raises(EntryRefused):
        third.restore()
    assert (third.status().state, names(third)) == (State.HALTED, ["one"])
    assert first.repair() == (Repair(3, "kept copy"),)
    third.sync_now()
    assert replicated(third) == replicated(first)


@pytest.mark.parametrize("at_start", [False, True])
def test_an_entry_that_is_missing_in_the_middle_is_not_the_end_of_the_log(
    pair: tuple[Replica, Replica], opened: Opener, store: MemoryStore, at_start: bool
) -> None:
    first, second = pair
    if at_start:
        second.close(0)
        second = opened.bare("second")
    del store.objects[log_key(3)]
    write(first, "four")
    first.sync_now()
    if not at_start:
        # A look at the next entry alone cannot tell; a claim's place is looked at first.
        assert second.sync_now() is False
        second.close(0)
        second = opened.bare("second")
    with pytest.raises(EntryRefused, match=f"{log_key(3)}.*missing"):
        second.restore()
    assert (second.status().state, names(second)) == (State.HALTED, ["one"])


@pytest.mark.parametrize("error", [denied("get"), unreachable("get")])
def test_only_the_store_itself_can_say_that_the_log_has_ended(
    pair: tuple[Replica, Replica], store: MemoryStore, error: AccessDenied | StoreUnreachable
) -> None:
    """Without the permission to list, a missing object answers 403."""
    first, second = pair
    write(second, "mine")
    store.fail("get", log_key(3), error=error)
    store.fail("put", log_key(3), error=unreachable("put"))
    with pytest.raises(type(error)):
        second.sync_now()
    assert store.numbers() == [1, 2, 3, 4]
    assert second.status().state is State.OFFLINE
    second.sync_now()
    first.sync_now()
    assert replicated(first) == replicated(second)
    store.fail("get", log_key(6), error=error)
    with pytest.raises(type(error)):
        first.sync_now()
    assert first.status().state is State.OFFLINE


def test_a_transaction_that_the_log_holds_already_is_refused(
    pair: tuple[Replica, Replica], store: MemoryStore
) -> None:
    _, second = pair
    [once] = unpack_entry(store.entry(3), log_key(3)).changes
    second.sync_now()
    append(store, Change(once.transaction_id, inserting("again")))
    for replica in pair:
        with pytest.raises(EntryRefused, match="already"):
            replica.sync_now()
        assert replica.status().state is State.HALTED
        assert "again" not in names(replica)


def test_a_changeset_that_does_not_fit_is_divergence(
    pair: tuple[Replica, Replica], opened: Opener, store: MemoryStore
) -> None:
    _, second = pair
    second.sync_now()
    append(store, Change(A_UUID, inserting("two")))
    mine = write(second, "mine")
    with pytest.raises(Diverged, match="Take over"):
        second.sync_now()
    assert second.status().state is State.HALTED
    assert names(second) == ["mine", "one", "three", "two"]
    with pytest.raises(DurabilityTimeout, match="Take over"):
        second.wait_until_durable(mine, 60)
    with pytest.raises(Diverged):
        opened.bare("third").restore()


def test_a_format_of_a_newer_version_asks_for_an_update(
    pair: tuple[Replica, Replica], store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = pair
    with monkeypatch.context() as patch:
        patch.setattr("replica.envelope._FORMAT", 2)
        write(first, "newer")
        first.sync_now()
    with pytest.raises(NewerSchema, match="Update the application"):
        second.sync_now()
    assert second.status().state is State.BEHIND_SCHEMA
    assert names(second) == ["one", "three", "two"]


def test_far_behind_it_asks_once_what_there_is(opened: Opener, store: MemoryStore) -> None:
    first, second = opened("first"), opened("second")
    for number in range(30):
        write(first, f"{number:02}")
        first.sync_now()
    store.requests.clear()
    assert second.sync_now() is True
    gets = [key for verb, key in store.requests if verb == "get"]
    assert gets == [log_key(number) for number in range(2, 32)]
    assert [request for request in store.requests if request[0] != "get"] == [("list", "log/")]
    assert replicated(first) == replicated(second)


def test_long_log_is_read_in_lots(
    opened: Opener, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("replica.reading._BATCH", 4)
    first = opened.filled(*(f"{number:02}" for number in range(11)))
    store.damage(log_key(11), corrupted)
    second = opened.bare("second")
    with pytest.raises(EntryRefused, match=log_key(11)):
        second.restore()
    assert (second.status().sequence, len(names(second))) == (10, 9)
    assert first.repair() == (Repair(11, "kept copy"),)
    second.sync_now()
    assert replicated(first) == replicated(second)


def test_only_the_first_and_the_newest_entries_are_kept_and_they_are_the_very_bytes(
    opened: Opener, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("replica.advance.KEPT_ENVELOPES", 3)
    first = opened.filled("one", "two", "three", "four", "five")
    second = opened("second")
    assert first.kept_envelopes() == {number: store.entry(number) for number in (1, 4, 5, 6)}
    assert second.kept_envelopes() == first.kept_envelopes()
    store.damage(log_key(2), corrupted)
    with pytest.raises(EntryRefused, match="no copy of the original"):
        first.repair()


def test_repair_takes_what_another_replica_kept_and_changes_nothing_else(
    pair: tuple[Replica, Replica], opened: Opener, store: MemoryStore
) -> None:
    first, second = pair
    second.close(0)
    store.damage(log_key(3), corrupted)
    del store.objects[log_key(4)]
    kept = first.kept_envelopes()
    before = dict(store.objects)
    with pytest.raises(EntryRefused, match="no copy of the original"):
        opened.bare("second").repair()
    assert store.objects == before
    fresh = opened.bare("fresh")
    assert fresh.repair(kept) == (Repair(3, "kept copy"), Repair(4, "kept copy"))
    assert {key for key in store.objects if store.objects[key] != before.get(key)} == {
        log_key(3),
        log_key(4),
    }
    assert store.entry(3) == kept[3]
    fresh.restore()
    assert replicated(fresh) == replicated(first)
    assert fresh.repair(kept) == ()


def test_an_entry_that_only_the_next_one_contradicts_is_found_and_put_back(
    pair: tuple[Replica, Replica], store: MemoryStore
) -> None:
    first, second = pair
    whole = store.entry(3)
    store.damage(log_key(3), altered(writer_id="fedcba9876543210"))
    with pytest.raises(EntryRefused, match="another entry"):
        second.sync_now()
    assert first.repair() == (Repair(3, "kept copy"),)
    assert store.entry(3) == whole


def test_a_reader_goes_on_while_entries_are_applied(opened: Opener) -> None:
    first, second = opened("first"), opened("second")
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
    assert len(notes(second)) == 10


A_UUID = "00000000-0000-4000-8000-000000000001"


def inserting(name: str) -> bytes:
    """The changeset of a new row."""
    with closing(apsw.Connection(":memory:")) as connection:
        connection.execute(SCHEMA[0].sql)
        with recording(connection, TABLES) as changes:
            connection.execute("INSERT INTO notes VALUES (?, '')", (name,))
            return changes.changeset()


def append(store: MemoryStore, change: Change) -> None:
    """Add an entry that is sound and follows, and yet does not fit."""
    last = store.numbers()[-1]
    genuine = unpack_entry(store.entry(last), log_key(last))
    forged = replace(
        genuine,
        sequence=last + 1,
        parent_sha256=entry_sha256(store.entry(last)),
        changes=(change,),
    )
    store.put(log_key(last + 1), pack_entry(forged), PutMode.CREATE)
