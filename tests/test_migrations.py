"""Two versions of the program on one log: the schema is an entry like any other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import apsw
import pytest

from replica import (
    EntryRefused,
    Migration,
    MigrationMismatch,
    NewerSchema,
    NotRestored,
    Replica,
    State,
    StoreUnreachable,
    UnfitTables,
    WritesStopped,
    write_newest,
)
from replica.envelope import Kind, pack_entry, unpack_entry
from replica.log import log_key
from tests.replica_fixtures import Opener
from tests.stores import (
    NEXT_SCHEMA,
    SCHEMA,
    TABLES,
    MemoryStore,
    conflicts,
    names,
    replicated,
    unreachable,
    write,
)

THIRD = (*NEXT_SCHEMA, Migration(3, "colour", "ALTER TABLE notes ADD COLUMN colour TEXT"))


def give_stars(replica: Replica, name: str, stars: int) -> str:
    with replica.transaction() as transaction:
        transaction.execute("UPDATE notes SET stars = ? WHERE name = ?", (stars, name))
    return transaction.id


def rows(replica: Replica) -> list[tuple[object, ...]]:
    with replica.read() as connection:
        return list(connection.execute("SELECT * FROM notes ORDER BY name"))


def kinds(store: MemoryStore) -> list[Kind]:
    return [unpack_entry(store.entry(number), log_key(number)).kind for number in store.numbers()]


def test_new_database_has_the_whole_schema_from_its_first_entry(
    opened: Opener, store: MemoryStore
) -> None:
    replica = opened("a", migrations=THIRD)
    genesis = unpack_entry(store.entry(1), log_key(1))
    assert genesis.schema_version == 3
    write(replica, "one")
    replica.sync_now()
    assert kinds(store) == [Kind.GENESIS, Kind.CHANGES]
    assert rows(replica) == [("one", "", None, None)]


def test_update_migrates_through_the_log_and_keeps_every_row(
    opened: Opener, store: MemoryStore
) -> None:
    first = opened.filled("one")
    first.close(0)
    new = opened("first", migrations=NEXT_SCHEMA)
    assert (new.status().state, new.status().sequence) == (State.OK, 3)
    entry = unpack_entry(store.entry(3), log_key(3))
    assert entry.kind is Kind.MIGRATION
    assert entry.schema_version == 1
    assert entry.description == {
        "version": 2,
        "name": "stars",
        "sql": NEXT_SCHEMA[1].sql,
        "sha256": NEXT_SCHEMA[1].sha256,
    }
    give_stars(new, "one", 5)
    new.sync_now()
    other = opened("other", migrations=NEXT_SCHEMA)
    assert rows(other) == [("one", "", 5)]
    assert replicated(other) == replicated(new)
    assert new.sync_now() is False
    assert kinds(store) == [Kind.GENESIS, Kind.CHANGES, Kind.MIGRATION, Kind.CHANGES]


def test_update_by_several_versions_makes_an_entry_for_each(
    opened: Opener, store: MemoryStore
) -> None:
    opened.filled("one").close(0)
    new = opened("new", migrations=THIRD)
    assert kinds(store)[2:] == [Kind.MIGRATION, Kind.MIGRATION]
    assert rows(new) == [("one", "", None, None)]


def test_file_of_an_older_schema_cannot_be_read_before_it_is_brought_up_to_date(
    opened: Opener, store: MemoryStore
) -> None:
    opened.filled("one").close(0)
    store.away = True
    new = opened.bare("first", migrations=NEXT_SCHEMA)
    with pytest.raises(StoreUnreachable):
        new.restore()
    assert not new.has_database
    with pytest.raises(NotRestored, match="version 1 of 2"):
        names(new)
    with pytest.raises(NotRestored):
        write(new, "two")
    store.away = False
    new.restore()
    assert names(new) == ["one"]


def test_older_program_keeps_what_is_pending_and_it_is_published_after_its_update(
    opened: Opener, store: MemoryStore
) -> None:
    old = opened.filled("one")
    new = opened("new", migrations=NEXT_SCHEMA)
    give_stars(new, "one", 5)
    new.sync_now()
    pending = write(old, "two")
    with old.transaction() as transaction:
        transaction.execute("UPDATE notes SET text = 'changed' WHERE name = 'one'")
    for _ in range(2):
        with pytest.raises(NewerSchema, match="Update the application"):
            old.sync_now()
    assert (old.status().state, old.status().pending_transactions) == (State.BEHIND_SCHEMA, 2)
    with pytest.raises(WritesStopped):
        write(old, "three")
    assert names(old) == ["one", "two"]
    assert len(store.numbers()) == 4
    old.close(0)
    updated = opened("first", migrations=NEXT_SCHEMA)
    updated.sync_now()
    updated.wait_until_durable(pending, 0)
    new.sync_now()
    assert rows(new) == [("one", "changed", 5), ("two", "", None)]
    assert conflicts(new) == []
    assert replicated(new) == replicated(updated)


def test_what_is_pending_of_an_older_schema_is_applied_on_top_of_a_migration(
    opened: Opener, store: MemoryStore
) -> None:
    old = opened.filled("one")
    pending = write(old, "offline")
    old.close(0)
    # The update comes first: it publishes what is pending in the schema it was made for.
    updated = opened("first", migrations=NEXT_SCHEMA)
    assert updated.status().pending_transactions == 0
    updated.wait_until_durable(pending, 0)
    assert kinds(store)[2:] == [Kind.CHANGES, Kind.MIGRATION]
    assert unpack_entry(store.entry(3), log_key(3)).schema_version == 1
    other = opened("other", migrations=NEXT_SCHEMA)
    assert replicated(other) == replicated(updated)


def test_two_updates_at_once_migrate_once(opened: Opener, store: MemoryStore) -> None:
    first, second = opened.filled("one"), opened("second")
    write(second, "pending")
    first.close(0)
    second.close(0)
    first = opened.bare("first", migrations=NEXT_SCHEMA)
    second = opened.bare("second", migrations=NEXT_SCHEMA)

    def be_first(verb: str, key: str) -> None:
        if verb == "put":
            store.before = lambda verb, key: None
            second.restore()

    store.before = be_first
    first.restore()
    second.sync_now()
    assert kinds(store).count(Kind.MIGRATION) == 1
    assert sorted(names(first)) == ["one", "pending"]
    assert replicated(first) == replicated(second)


def test_migration_that_loses_the_race_to_a_change_is_decided_anew(
    opened: Opener, store: MemoryStore
) -> None:
    old = opened.filled("one")
    new = opened.bare("new", migrations=NEXT_SCHEMA)

    def be_first(verb: str, key: str) -> None:
        if verb == "put":
            store.before = lambda verb, key: None
            write(old, "last minute")
            old.sync_now()

    store.before = be_first
    new.restore()
    assert kinds(store) == [Kind.GENESIS, Kind.CHANGES, Kind.CHANGES, Kind.MIGRATION]
    assert names(new) == ["last minute", "one"]
    with pytest.raises(NewerSchema):
        old.sync_now()


@pytest.mark.parametrize("after_effect", [False, True])
def test_migration_without_an_answer_happens_once(
    opened: Opener, store: MemoryStore, after_effect: bool
) -> None:
    opened.filled("one").close(0)
    new = opened.bare("first", migrations=NEXT_SCHEMA)
    store.fail("put", "log/", error=unreachable("put"), after_effect=after_effect)

    def cut_off(verb: str, key: str) -> None:
        # The claim's answer is lost, and so is the look at what became of it.
        if ("put", log_key(3)) in store.requests:
            raise unreachable(verb, key)

    store.before = cut_off
    with pytest.raises(StoreUnreachable):
        new.restore()
    assert store.numbers() == ([1, 2, 3] if after_effect else [1, 2])
    store.before = lambda verb, key: None
    new.close(0)
    again = opened("first", migrations=NEXT_SCHEMA)
    assert kinds(store) == [Kind.GENESIS, Kind.CHANGES, Kind.MIGRATION]
    assert rows(again) == [("one", "", None)]


def test_another_migration_under_the_same_version_is_refused(
    opened: Opener, store: MemoryStore
) -> None:
    branch = (*SCHEMA, Migration(2, "stars", "ALTER TABLE notes ADD COLUMN stars REAL"))
    opened.filled("one").close(0)
    new = opened("new", migrations=NEXT_SCHEMA)
    other = opened.bare("first", migrations=branch)
    with pytest.raises(MigrationMismatch, match="prefix of its own"):
        other.restore()
    assert other.status().state is State.HALTED
    assert len(store.numbers()) == 3
    assert names(new) == ["one"]


@pytest.mark.parametrize("lie", [{"sql": "DROP TABLE notes"}, {"version": 3}])
def test_migration_that_is_not_what_it_says_is_refused(
    opened: Opener, store: MemoryStore, lie: dict[str, object]
) -> None:
    opened.filled("one").close(0)
    opened("new", migrations=NEXT_SCHEMA).close(0)
    genuine = unpack_entry(store.entry(3), log_key(3))
    forged = pack_entry(replace(genuine, description={**genuine.description, **lie}))
    store.damage(log_key(3), lambda _: forged)
    replica = opened.bare("first", migrations=NEXT_SCHEMA)
    with pytest.raises(EntryRefused, match="not the next migration"):
        replica.restore()
    assert (replica.status().state, replica.status().sequence) == (State.HALTED, 2)


def test_snapshot_of_an_older_schema_is_followed_by_the_migration(
    opened: Opener, store: MemoryStore
) -> None:
    old = opened.filled("one")
    old.snapshot()
    write(old, "two")
    old.sync_now()
    new = opened("new", migrations=NEXT_SCHEMA)
    give_stars(new, "two", 3)
    new.sync_now()
    fresh = opened("fresh", migrations=NEXT_SCHEMA)
    assert rows(fresh) == [("one", "", None), ("two", "", 3)]
    assert replicated(fresh) == replicated(new)


def test_older_program_may_look_at_what_was_before_but_not_at_newer_content(
    opened: Opener, store: MemoryStore, tmp_path: Path
) -> None:
    opened.filled("one").close(0)
    opened("new", migrations=NEXT_SCHEMA).snapshot()
    with pytest.raises(NewerSchema):
        write_newest(store, tmp_path / "old.db", SCHEMA, TABLES)
    assert not (tmp_path / "old.db").exists()
    fresh = opened.bare("fresh")
    with pytest.raises(NewerSchema):
        fresh.restore()
    assert fresh.status().state is State.BEHIND_SCHEMA


def test_migration_that_fails_is_noticed_before_anything_is_touched(
    opened: Opener, store: MemoryStore
) -> None:
    opened.filled("one").close(0)
    broken = (*SCHEMA, Migration(2, "broken", "ALTER TABLE nowhere ADD COLUMN stars INTEGER"))
    before = dict(store.objects)
    with pytest.raises(apsw.SQLError, match="nowhere"):
        opened("first", migrations=broken)
    assert store.objects == before
    assert names(opened("first")) == ["one"]


def test_migration_that_makes_a_table_unfit_is_refused_before_it_is_in_the_log(
    opened: Opener, store: MemoryStore
) -> None:
    opened.filled("one").close(0)
    unfit = (*SCHEMA, Migration(2, "unique", "CREATE UNIQUE INDEX by_text ON notes (text)"))
    before = dict(store.objects)
    with pytest.raises(UnfitTables):
        opened("first", migrations=unfit)
    assert store.objects == before
