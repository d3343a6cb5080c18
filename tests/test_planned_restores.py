"""A restore that is held to its plan: before each claim it looks whether that still holds."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable

import pytest

from replica import (
    AccessDenied,
    BackupKey,
    Replica,
    RestoreOutdated,
    State,
    StoreError,
    StoreUnreachable,
    TableChange,
)
from replica.envelope import Kind, unpack_entry
from replica.live import LiveDatabase
from replica.log import log_key
from tests.replica_fixtures import Opener
from tests.stores import MemoryStore, denied, names, replicated, unreachable, write
from tests.test_restore_plan import BOTH, change

NOTES = ("notes",)


@pytest.fixture
def past(opened: Opener) -> Replica:
    """Notes one and two as #2 and #3, a mark as #4."""
    replica = opened("first", **BOTH)
    for name in ("one", "two"):
        write(replica, name)
        replica.sync_now()
    change(replica, "INSERT INTO marks VALUES ('one', 1)")
    return replica


@pytest.fixture
def other(past: Replica, opened: Opener) -> Replica:
    return opened("other", **BOTH)


def first_at(store: MemoryStore, key: str, act: Callable[[], object]) -> None:
    """Do something when a put of the key is on its way."""

    def before(verb: str, asked: str) -> None:
        if (verb, asked) == ("put", key):
            store.before = lambda verb, key: None
            act()

    store.before = before


def lose_answer(store: MemoryStore, key: str, look: StoreError) -> None:
    """The put of a key lands without an answer, and what is there cannot be looked at."""

    def before(verb: str, asked: str) -> None:
        if asked == key and ("put", key) in store.requests:
            raise look

    store.requests.clear()
    store.fail("put", key, error=unreachable("put"), after_effect=True)
    store.before = before


def test_as_planned(past: Replica, other: Replica) -> None:
    plan = past.plan_restore(2, tables=NOTES)
    past.require_current(plan, tables=NOTES)
    assert past.restore_to(2, tables=NOTES, planned=plan) == 5
    assert names(past) == ["one"]
    other.sync_now()
    assert replicated(other) == replicated(past)


@pytest.mark.parametrize("writer", ["itself", "other"])
def test_a_write_since_then_is_found_before_anything_is_claimed(
    past: Replica, other: Replica, store: MemoryStore, writer: str
) -> None:
    plan = past.plan_restore(2, tables=NOTES)
    if writer == "itself":
        # Pending: it is published first, as always.
        write(past, "since")
    else:
        write(other, "since")
        other.sync_now()
    with pytest.raises(RestoreOutdated, match="entry 5"):
        past.require_current(plan, tables=NOTES)
    with pytest.raises(RestoreOutdated, match="entry 5"):
        past.restore_to(2, tables=NOTES, planned=plan)
    assert names(past) == ["one", "since", "two"]
    assert store.numbers()[-1] == 5
    assert (past.status().state, past.status().last_error) == (State.OK, None)


def test_a_write_that_changes_as_many_rows_is_found(past: Replica, other: Replica) -> None:
    change(past, "UPDATE notes SET text = 'changed' WHERE name = 'one'")
    plan = past.plan_restore(4, tables=NOTES)
    other.sync_now()
    change(other, "UPDATE notes SET text = 'and again' WHERE name = 'one'")
    with pytest.raises(RestoreOutdated):
        past.restore_to(4, tables=NOTES, planned=plan)
    again = past.plan_restore(4, tables=NOTES)
    assert again.tables == plan.tables == (TableChange("notes", 0, 0, 1),)


def test_other_tables_may_move_on(past: Replica, other: Replica, store: MemoryStore) -> None:
    plan = past.plan_restore(2, tables=NOTES)
    change(other, "INSERT INTO marks VALUES ('two', 2)")
    # And one more at the very claim: it is claimed anew then.
    first_at(
        store, log_key(6), lambda: change(other, "UPDATE marks SET mark = 3 WHERE name = 'two'")
    )
    assert past.restore_to(2, tables=NOTES, planned=plan) == 7
    assert names(past) == ["one"]


@pytest.mark.parametrize("place", range(1, 9))
def test_a_pending_change_to_another_table_is_in_nobodys_way(
    past: Replica, other: Replica, store: MemoryStore, place: int
) -> None:
    """The app notes backups and restores in tables of their own, at any moment."""
    asked = itertools.count(1)

    def meanwhile(verb: str, key: str) -> None:
        if next(asked) == place:
            with past.transaction() as transaction:
                transaction.execute("INSERT INTO marks VALUES ('meanwhile', 1)")

    write(past, "three")
    store.before = meanwhile
    plan = past.plan_restore(2, tables=NOTES)
    past.restore_to(2, tables=NOTES, planned=plan)
    assert next(asked) > place
    assert names(past) == ["one"]
    past.sync_now()
    assert past.status().state is State.OK
    other.sync_now()
    assert replicated(other) == replicated(past)


def test_a_lost_race_is_a_write_since_then(
    past: Replica, other: Replica, store: MemoryStore
) -> None:
    plan = past.plan_restore(2, tables=NOTES)

    def be_first() -> None:
        write(other, "came first")
        other.sync_now()

    first_at(store, log_key(5), be_first)
    with pytest.raises(RestoreOutdated):
        past.restore_to(2, tables=NOTES, planned=plan)
    assert names(past) == ["came first", "one", "two"]
    assert store.numbers()[-1] == 5
    write(past, "goes on")
    past.sync_now()
    other.sync_now()
    assert replicated(other) == replicated(past)


def test_the_same_restore_by_somebody_else_is_no_success(past: Replica, other: Replica) -> None:
    plan = past.plan_restore(2, tables=NOTES)
    assert other.restore_to(2, tables=NOTES) == 5
    with pytest.raises(RestoreOutdated):
        past.restore_to(2, tables=NOTES, planned=plan)


def test_a_backup_that_is_another_one_since_does_not_do_what_was_planned(
    past: Replica, store: MemoryStore
) -> None:
    """Without a hash that was noted only the rows tell."""
    backup = BackupKey(past.back_up("manual").key)
    change(past, "DELETE FROM notes WHERE name = 'two'")
    plan = past.plan_restore(backup, tables=NOTES)
    other = past.back_up("later").key
    store.damage(backup.key, lambda _: store.objects[other].body)
    with pytest.raises(RestoreOutdated, match="other rows"):
        past.restore_to(backup, tables=NOTES, planned=plan)
    assert store.numbers()[-1] == plan.as_of


def test_a_plan_of_what_the_log_was_before_it_was_begun_anew(
    past: Replica, store: MemoryStore
) -> None:
    plan = past.plan_restore(2, tables=NOTES)
    store.objects.clear()
    past.start_new_log()
    for name in ("three", "four", "five"):
        write(past, name)
        past.sync_now()
    assert store.numbers()[-1] == plan.as_of
    with pytest.raises(RestoreOutdated, match="another one"):
        past.restore_to(2, tables=NOTES, planned=plan)


@pytest.mark.parametrize("limit", [4 << 20, 1], ids=["as a changeset", "as a base"])
def test_a_named_restore_is_done_once(
    past: Replica,
    other: Replica,
    store: MemoryStore,
    limit: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("replica.rewind._LARGEST_ENTRY_BYTES", limit)
    name = str(uuid.uuid4())
    assert not past.may_come_about(name)
    lose_answer(store, log_key(5), unreachable("get"))
    with pytest.raises(StoreUnreachable):
        past.restore_to(2, tables=NOTES, transaction_id=name)
    store.before = lambda verb, key: None
    assert past.may_come_about(name)
    # It would be done again, to take this away.
    other.sync_now()
    write(other, "since")
    other.sync_now()
    assert past.restore_to(2, tables=NOTES, transaction_id=name) == 5
    assert names(past) == ["one", "since"]
    assert past.may_come_about(name)
    assert store.numbers()[-1] == 6


@pytest.mark.parametrize("refused", ["the claim", "the look at its outcome"])
def test_a_claim_is_dropped_only_when_it_was_itself_refused(
    past: Replica, store: MemoryStore, refused: str
) -> None:
    name = str(uuid.uuid4())
    if refused == "the claim":
        store.fail("put", "log/", error=denied("put"))
    else:
        lose_answer(store, log_key(5), denied("get"))
    real = LiveDatabase.drop_claim
    dropped: list[LiveDatabase] = []

    def drop(self: LiveDatabase) -> None:
        dropped.append(self)
        real(self)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(LiveDatabase, "drop_claim", drop)
        with pytest.raises(AccessDenied):
            past.restore_to(2, tables=NOTES, transaction_id=name)
    store.before = lambda verb, key: None
    assert bool(dropped) == (refused == "the claim")
    assert past.may_come_about(name) == (refused != "the claim")
    past.sync_now()
    assert names(past) == (["one", "two"] if dropped else ["one"])


def test_what_fails_before_the_claim_leaves_none(
    past: Replica, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = str(uuid.uuid4())

    def away(*_: object) -> None:
        # The place has to be looked at again, and cannot be.
        past._exchange.forget_place()
        store.fail("get", "log/", error=denied("get"))

    real = past._exchange.next_entry

    def next_entry(*arguments: object, **options: object) -> object:
        away()
        return real(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(past._exchange, "next_entry", next_entry)
    with pytest.raises(AccessDenied):
        past.restore_to(2, tables=NOTES, transaction_id=name)
    monkeypatch.undo()
    assert not past.may_come_about(name)
    past.sync_now()
    assert names(past) == ["one", "two"]


# What is large is not in memory -------------------------------------------------------------------


def no_changeset(*_: object) -> bytes:
    raise AssertionError("a changeset holds every row in memory")


def test_a_plan_makes_no_changeset(past: Replica, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("replica.restore_plan.difference", no_changeset)
    assert past.plan_restore(1).rows_removed == 3


def test_many_rows_travel_as_a_content_without_a_changeset(
    past: Replica, other: Replica, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("replica.rewind._MOST_ROWS", 2)
    assert past.restore_to(2) == 5
    assert unpack_entry(store.entry(5), log_key(5)).kind is Kind.CHANGES
    monkeypatch.setattr("replica.rewind.changes_between", no_changeset)
    monkeypatch.setattr("replica.rewind._MOST_ROWS", 1)
    assert past.restore_to(4) == 6
    assert unpack_entry(store.entry(6), log_key(6)).kind is Kind.BASE
    assert names(past) == ["one", "two"]
    other.sync_now()
    assert replicated(other) == replicated(past)
