"""The local file in use: what is recorded, what waits, and what is made of it after a lost race."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import pytest

from replica import (
    Migration,
    Replica,
    SchemaChanged,
    State,
    StoreUnreachable,
    TransactionSetAside,
    TransactionTooLarge,
)
from replica.envelope import Entry, unpack_entry
from replica.log import log_key
from tests.replica_fixtures import Opener
from tests.stores import (
    SCHEMA,
    MemoryStore,
    conflicts,
    in_store,
    insert,
    names,
    notes,
    replicated,
    unpacked,
    unreachable,
    write,
)

WITH_LOCAL = (
    *SCHEMA,
    Migration(2, "drafts", "CREATE TABLE drafts (name TEXT PRIMARY KEY NOT NULL, text TEXT)"),
)
PEOPLE = (
    Migration(1, "people", "CREATE TABLE people (name TEXT PRIMARY KEY NOT NULL, age INTEGER)"),
    Migration(
        2,
        "nobody is that old",
        "DROP TABLE people;"
        "CREATE TABLE people (name TEXT PRIMARY KEY NOT NULL, age INTEGER CHECK (age < 130))",
    ),
)


def outbox(replica: Replica) -> list[tuple[Any, ...]]:
    with replica.read() as connection:
        sql = "SELECT transaction_id, committed_at, intent, effect FROM replica_outbox"
        return list(connection.execute(f"{sql} ORDER BY position"))


def kept_claim(replica: Replica) -> list[tuple[Any, ...]]:
    with replica.read() as connection:
        return list(connection.execute("SELECT sequence, body FROM replica_claim"))


def entry(store: MemoryStore, sequence: int) -> Entry:
    return unpack_entry(store.entry(sequence), log_key(sequence))


def changed_tables(changeset: bytes) -> set[str]:
    return {change.name for change in apsw.Changeset.iter(changeset)}


def set_text(replica: Replica, name: str, text: str | None) -> str:
    with replica.transaction() as transaction:
        transaction.execute("UPDATE notes SET text = ? WHERE name = ?", (text, name))
    return transaction.id


def delete(replica: Replica, name: str) -> str:
    with replica.transaction() as transaction:
        transaction.execute("DELETE FROM notes WHERE name = ?", (name,))
    return transaction.id


def test_each_transaction_waits_in_the_order_of_its_commit(opened: Opener) -> None:
    replica = opened("a")
    ids = [write(replica, name) for name in ("one", "two", "three")]
    assert all(uuid.UUID(name).version == 4 for name in ids)
    rows = outbox(replica)
    assert [row[0] for row in rows] == ids
    assert {row[1] for row in rows} == {"2026-11-20T18:00:00+00:00"}
    assert all(intent == effect != b"" for *_, intent, effect in rows)
    assert replica.status().pending_bytes == sum(len(row[3]) for row in rows)
    replica.sync_now()
    assert outbox(replica) == []
    with replica.read() as connection:
        stored = connection.execute("SELECT transaction_id, sequence FROM replica_transactions")
        assert dict(stored) == dict.fromkeys(ids, 2)


def test_what_was_taken_back_within_the_block_is_not_sent(
    opened: Opener, store: MemoryStore
) -> None:
    replica = opened("a")
    with replica.transaction() as transaction:
        insert(transaction, "kept")
        transaction.execute("SAVEPOINT attempt")
        insert(transaction, "taken back")
        transaction.execute("ROLLBACK TO attempt; RELEASE attempt")
    replica.sync_now()
    [change] = entry(store, 2).changes
    assert [row.new for row in apsw.Changeset.iter(change.changeset)] == [("kept", "")]


def test_a_delete_without_where_is_recorded_like_any_other(opened: Opener) -> None:
    first, second = opened("a"), opened("b")
    for name in ("one", "two"):
        write(first, name)
    first.sync_now()
    with first.transaction() as transaction:
        transaction.execute("DELETE FROM notes")
    first.sync_now()
    second.sync_now()
    assert names(second) == []
    assert replicated(first) == replicated(second)


def test_values_arrive_as_they_are(opened: Opener) -> None:
    first, second = opened("a"), opened("b")
    values = [None, 0, -(2**63), 2**63 - 1, 0.1, float("inf"), "Jokić 🏀", "", b"\x00\xff", b""]
    with first.transaction() as transaction:
        transaction.executemany(
            "INSERT INTO notes VALUES (?, ?)", [(f"{at}", value) for at, value in enumerate(values)]
        )
    first.sync_now()
    second.sync_now()
    with first.read() as here, second.read() as there:
        sql = "SELECT name, typeof(text), hex(text) FROM notes ORDER BY name"
        assert list(here.execute(sql)) == list(there.execute(sql))
        assert len(list(there.execute(sql))) == len(values)


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO replica_transactions VALUES ('x', 1, '')",
        "UPDATE replica_position SET sequence = 0",
        "DELETE FROM replica_outbox",
        "COMMIT",
        "ROLLBACK",
        "BEGIN",
        "ATTACH ':memory:' AS other",
        "DETACH main",
        "PRAGMA user_version = 7",
    ],
)
def test_block_can_neither_touch_the_engines_tables_nor_end_the_transaction(
    opened: Opener, sql: str
) -> None:
    replica = opened("a")
    with pytest.raises(apsw.AuthError), replica.transaction() as transaction:  # noqa: PT012
        insert(transaction, "one")
        transaction.execute(sql)
    assert names(replica) == []
    assert replica.status().pending_transactions == 0
    write(replica, "next")
    assert replica.sync_now() is True


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE other (name TEXT PRIMARY KEY NOT NULL)",
        "ALTER TABLE notes ADD COLUMN more TEXT",
        "CREATE INDEX by_text ON notes (text)",
        "DROP TABLE notes",
    ],
)
def test_schema_changes_only_by_a_migration(opened: Opener, sql: str) -> None:
    replica = opened("a")
    write(replica, "one")
    with pytest.raises(SchemaChanged, match="migration"), replica.transaction() as transaction:
        transaction.execute(sql)
    assert names(replica) == ["one"]
    assert replica.status().pending_transactions == 1


def test_local_tables_stay_on_this_machine(
    opened: Opener, store: MemoryStore, tmp_path: Path
) -> None:
    replica = opened("a", migrations=WITH_LOCAL)
    with replica.transaction() as transaction:
        insert(transaction, "shared")
        transaction.execute("INSERT INTO drafts VALUES ('secret', 'only here')")
    replica.sync_now()
    [change] = entry(store, 2).changes
    assert changed_tables(change.changeset) == {"notes"}
    key = replica.snapshot().key
    with unpacked(store, key, tmp_path) as connection:
        assert connection.execute("SELECT count(*) FROM drafts").fetchall() == [(0,)]
        assert connection.execute("SELECT name FROM notes").fetchall() == [("shared",)]
    assert b"only here" not in (tmp_path / "unpacked.db").read_bytes()
    other = opened("b", migrations=WITH_LOCAL)
    write(other, "theirs")
    other.sync_now()
    replica.sync_now()
    with replica.read() as connection:
        assert connection.execute("SELECT name FROM drafts").fetchall() == [("secret",)]
    with other.read() as connection:
        assert connection.execute("SELECT name FROM drafts").fetchall() == []


def test_change_of_local_tables_alone_leaves_nothing_pending(
    opened: Opener, store: MemoryStore
) -> None:
    replica = opened("a", migrations=WITH_LOCAL)
    with replica.transaction() as transaction:
        transaction.execute("INSERT INTO drafts VALUES ('secret', 'only here')")
    assert replica.status().state is State.OK
    replica.wait_until_durable(transaction.id, 0)
    assert replica.sync_now() is False
    assert store.numbers() == [1]


def test_transaction_that_is_too_large_changes_nothing(
    opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("replica.live.MAX_TRANSACTION_BYTES", 1000)
    replica = opened("a")
    write(replica, "small", "x" * 900)
    with pytest.raises(TransactionTooLarge, match="Split it"):
        write(replica, "large", "x" * 1000)
    assert names(replica) == ["small"]
    assert replica.status().pending_transactions == 1
    write(replica, "next")


def test_what_is_pending_is_cut_into_entries_of_a_bounded_size(
    opened: Opener, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("replica.live._ENTRY_BYTES", 1000)
    monkeypatch.setattr("replica.live._ENTRY_TRANSACTIONS", 3)
    replica = opened("a")
    for size in (10, 10, 10, 10, 800, 800, 5000, 10):
        write(replica, f"{len(names(replica))}", "x" * size)
    assert replica.sync_now() is True
    counts = [len(entry(store, sequence).changes) for sequence in store.numbers()[1:]]
    assert counts == [3, 2, 1, 1, 1]
    assert replicated(opened("b")) == replicated(replica)


def test_claim_survives_a_restart_to_the_byte(opened: Opener, store: MemoryStore) -> None:
    replica = opened("a")
    write(replica, "one")
    store.fail("put", "log/", error=unreachable("put"))
    with pytest.raises(StoreUnreachable):
        replica.sync_now()
    [(sequence, body)] = kept_claim(replica)
    assert sequence == 2
    write(replica, "two")
    replica.close(0)
    again = opened("a")
    assert kept_claim(again) == [(sequence, body)]
    again.sync_now()
    assert store.entry(2) == body
    assert kept_claim(again) == []
    assert (store.numbers(), names(opened("b"))) == ([1, 2, 3], ["one", "two"])


def test_own_entry_that_stands_where_it_was_meant_to_is_not_applied_again(
    opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A publication costs what was written, not twice as much: it is in the content already."""
    replica = opened("a")

    def needless(*_: object) -> None:
        raise AssertionError("applied again")

    monkeypatch.setattr("replica.advance.apply", needless)
    monkeypatch.setattr("replica.advance.undo", needless)
    write(replica, "one")
    write(replica, "two")
    assert replica.sync_now() is True
    assert replica.status().state is State.OK


def test_rebase_undoes_the_effect_and_keeps_what_the_other_wrote(
    opened: Opener, store: MemoryStore
) -> None:
    """Undone with what was first recorded, the row would go that the other one has written."""
    first, second, third = opened("a"), opened("b"), opened("c")
    write(first, "row", "first's")
    write(second, "row", "second's")
    first.sync_now()
    lost: list[str] = []

    def be_first(verb: str, key: str) -> None:
        # Two more lost races in a row: what was applied again is undone and applied once more.
        if verb == "put" and len(lost) < 2:
            lost.append(key)
            store.before = lambda verb, key: None
            write(third, f"between {len(lost)}")
            third.sync_now()
            store.before = be_first

    store.before = be_first
    second.sync_now()
    assert lost == [log_key(2), log_key(4)]
    for replica in (first, third):
        replica.sync_now()
    assert notes(second) == [
        ("between 1", ""),
        ("between 2", ""),
        ("row", "second's"),
    ]
    assert [row[-2:] for row in conflicts(second)] == [('"second\'s"', '"first\'s"')]
    assert replicated(first) == replicated(second) == replicated(third)


def test_intent_stays_and_only_the_effect_follows_what_came_first(
    opened: Opener, store: MemoryStore
) -> None:
    first, second = opened("a"), opened("b")
    write(first, "row", "first's")
    first.sync_now()
    write(second, "row", "second's")
    [(_, _, intent, _)] = outbox(second)
    cut_off_at(store, log_key(3))
    with pytest.raises(StoreUnreachable):
        second.sync_now()
    [(_, _, same_intent, effect)] = outbox(second)
    assert same_intent == intent
    operations = {(row.name, row.op) for row in apsw.Changeset.iter(effect)}
    assert operations == {("notes", "UPDATE"), ("sync_conflicts", "INSERT")}
    store.before = lambda verb, key: None
    second.sync_now()
    [change] = entry(store, 3).changes
    assert change.changeset == effect


def cut_off_at(store: MemoryStore, put_key: str) -> None:
    def refuse(verb: str, key: str) -> None:
        if (verb, key) == ("put", put_key):
            raise unreachable(verb, key)

    store.before = refuse


@pytest.mark.parametrize(
    ("theirs", "ours", "expected", "resolutions"),
    [
        (lambda r: set_text(r, "row", "x"), lambda r: set_text(r, "row", "y"), "y", 1),
        (lambda r: set_text(r, "row", "x"), lambda r: set_text(r, "row", "x"), "x", 0),
        (lambda r: set_text(r, "row", "x"), lambda r: delete(r, "row"), None, 1),
        (lambda r: delete(r, "row"), lambda r: set_text(r, "row", "y"), None, 1),
        (lambda r: delete(r, "row"), lambda r: delete(r, "row"), None, 0),
    ],
    ids=["both change", "both say the same", "we delete", "they delete", "both delete"],
)
def test_each_value_that_is_lost_has_a_row_that_a_person_can_see(
    opened: Opener,
    theirs: Callable[[Replica], str],
    ours: Callable[[Replica], str],
    expected: str | None,
    resolutions: int,
) -> None:
    first, second = opened("a"), opened("b")
    write(first, "row", "before")
    first.sync_now()
    second.sync_now()
    theirs(first)
    mine = ours(second)
    first.sync_now()
    second.sync_now()
    first.sync_now()
    assert dict(notes(first)).get("row") == expected
    assert [row[0] for row in conflicts(first)] == [mine] * resolutions
    assert replicated(first) == replicated(second)
    second.wait_until_durable(mine, 0)


def test_change_that_others_have_made_too_counts_as_stored_and_is_not_published(
    opened: Opener, store: MemoryStore
) -> None:
    first, second = opened("a"), opened("b")
    write(first, "row", "same")
    same = write(second, "row", "same")
    first.sync_now()
    second.sync_now()
    second.wait_until_durable(same, 0)
    assert store.numbers() == [1, 2]
    assert (second.status().state, conflicts(second)) == (State.OK, [])
    assert replicated(first) == replicated(second)


def test_change_that_cannot_be_applied_is_set_aside_whole_and_its_waiter_is_told(
    opened: Opener,
) -> None:
    """Only a schema that has become stricter can refuse what was once accepted."""
    first = opened("a", migrations=PEOPLE[:1], tables=("people",))
    second = opened("b", migrations=PEOPLE[:1], tables=("people",))
    with second.transaction() as transaction:
        transaction.execute("INSERT INTO people VALUES ('Ann', 30), ('Bob', 140)")
    first.close(0)
    second.close(0)
    first = opened("a", migrations=PEOPLE, tables=("people",))
    second = opened("b", migrations=PEOPLE, tables=("people",))
    second.sync_now()
    first.sync_now()
    with pytest.raises(TransactionSetAside, match="sync_conflicts"):
        second.wait_until_durable(transaction.id, 0)
    expected = {
        ('["Ann"]', '{"name": "Ann", "age": 30}'),
        ('["Bob"]', '{"name": "Bob", "age": 140}'),
    }
    for replica in (first, second):
        with replica.read() as reader:
            assert reader.execute("SELECT name FROM people").fetchall() == []
        rows = conflicts(replica)
        assert {(row[0], row[3]) for row in rows} == {(transaction.id, "set_aside")}
        assert {(row[1], row[5]) for row in rows} == expected
        assert replica.status().conflicts == 2


def test_reader_sees_pending_changes_at_once_and_others_when_they_are_published(
    opened: Opener, store: MemoryStore, tmp_path: Path
) -> None:
    first, second = opened("a"), opened("b")
    write(first, "one")
    assert names(first) == ["one"]
    assert second.sync_now() is False
    assert names(second) == []
    first.sync_now()
    assert second.sync_now() is True
    assert names(second) == in_store(store, tmp_path / "check") == ["one"]
