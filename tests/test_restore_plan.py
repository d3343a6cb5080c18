"""What a restore would do, told before it is done: rows of each table, and writes undone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from replica import (
    BackupKey,
    EntryRefused,
    Migration,
    MomentUnknown,
    Replica,
    RestorePlan,
    State,
    StoreUnreachable,
    TableChange,
    UndoneEntry,
)
from replica.backups import Source
from replica.envelope import Kind, entry_sha256, unpack_entry
from replica.log import log_key
from tests.replica_fixtures import Opener
from tests.stores import (
    NEXT_SCHEMA,
    SCHEMA,
    ManualClock,
    MemoryStore,
    corrupted,
    names,
    replicated,
    unreachable,
    write,
)

START = datetime(2026, 11, 20, 18, tzinfo=UTC)
TWO_TABLES = (
    Migration(
        1,
        "both",
        f"{SCHEMA[0].sql}; CREATE TABLE marks (name TEXT PRIMARY KEY NOT NULL, mark INTEGER)",
    ),
)
BOTH = {"migrations": TWO_TABLES, "tables": ("notes", "marks")}


def change(replica: Replica, *statements: str) -> str:
    """Publish one transaction; its id."""
    with replica.transaction() as transaction:
        for statement in statements:
            transaction.execute(statement)
    replica.sync_now()
    return transaction.id


@pytest.fixture
def past(opened: Opener, clock: ManualClock) -> Replica:
    """Entries 2 to 6, a minute apart, in two tables; a backup of 3."""
    replica = opened("first", **BOTH)
    statements = (
        ("INSERT INTO notes VALUES ('one', 'first'), ('two', 'second')",),
        ("INSERT INTO marks VALUES ('one', 1)",),
        ("UPDATE notes SET text = 'changed' WHERE name = 'one'",),
        ("DELETE FROM notes WHERE name = 'two'", "UPDATE marks SET mark = 2"),
        ("INSERT INTO marks VALUES ('three', 3), ('four', 4)",),
    )
    for number, each in enumerate(statements, 2):
        clock.advance(minutes=1)
        change(replica, *each)
        if number == 3:
            replica.back_up("manual")
    clock.advance(minutes=1)
    return replica


def stored_ids(store: MemoryStore, sequence: int) -> tuple[str, ...]:
    return unpack_entry(store.entry(sequence), log_key(sequence)).transaction_ids


@pytest.mark.parametrize("kind", ["sequence", "time", "backup"])
def test_plan_says_what_a_restore_would_do(past: Replica, store: MemoryStore, kind: str) -> None:
    [backup] = store.keys("backups/")
    sources: dict[str, Source] = {
        "sequence": 3,
        "time": START + timedelta(minutes=2),
        "backup": BackupKey(backup),
    }
    writer = past.status().writers[0].writer_id
    before, rows = dict(store.objects), replicated(past)
    plan = past.plan_restore(sources[kind])
    assert plan == RestorePlan(
        target=sources[kind],
        sequence=3,
        as_of=6,
        as_of_sha256=entry_sha256(store.entry(6)),
        tables=(TableChange("notes", 1, 0, 1), TableChange("marks", 0, 2, 1)),
        undone=tuple(
            UndoneEntry(
                sequence,
                START + timedelta(minutes=sequence - 1),
                writer,
                stored_ids(store, sequence),
            )
            for sequence in (4, 5, 6)
        ),
    )
    assert (plan.rows_added, plan.rows_removed, plan.rows_changed) == (1, 2, 2)
    assert not plan.changes_nothing
    assert (store.objects, replicated(past)) == (before, rows)
    assert past.restore_to(plan.sequence or 0) == 7


def test_plan_to_where_one_is_changes_nothing(past: Replica, store: MemoryStore) -> None:
    for source in (6, START + timedelta(days=1)):
        plan = past.plan_restore(source)
        assert plan.changes_nothing
        assert (plan.sequence, plan.as_of, plan.tables, plan.undone) == (6, 6, (), ())
        assert past.restore_to(source) is None
        assert store.numbers()[-1] == 6


def test_undo_is_a_plan_like_any_other(past: Replica) -> None:
    """Going back and forth: what came between is named, and nothing of it is lost."""
    past.restore_to(3)
    plan = past.plan_restore(6)
    assert (plan.rows_added, plan.rows_removed, plan.rows_changed) == (2, 1, 2)
    assert [entry.sequence for entry in plan.undone] == [7]
    past.restore_to(6)
    # Taken back already, so that no row would change; but they did come later.
    plan = past.plan_restore(8)
    assert plan.changes_nothing
    assert [entry.sequence for entry in past.plan_restore(6).undone] == [7, 8]
    assert past.plan_restore(6).changes_nothing


def test_plan_for_some_tables_says_nothing_of_the_others(past: Replica) -> None:
    plan = past.plan_restore(3, tables=("notes",))
    assert plan.tables == (TableChange("notes", 1, 0, 1),)
    assert [entry.sequence for entry in plan.undone] == [4, 5]
    plan = past.plan_restore(3, tables=("marks",))
    assert plan.tables == (TableChange("marks", 0, 2, 1),)
    assert [entry.sequence for entry in plan.undone] == [5, 6]


def test_of_an_entry_only_the_transactions_that_matter_are_named(
    opened: Opener, store: MemoryStore
) -> None:
    replica = opened("first", **BOTH)
    ids = []
    for statement in ("INSERT INTO notes VALUES ('a', '')", "INSERT INTO marks VALUES ('a', 1)"):
        with replica.transaction() as transaction:
            transaction.execute(statement)
        ids.append(transaction.id)
    replica.sync_now()
    assert stored_ids(store, 2) == tuple(ids)
    [entry] = replica.plan_restore(1, tables=("marks",)).undone
    assert entry.transactions == (ids[1],)


@pytest.mark.parametrize("limit", [4 << 20, 1])
def test_restores_of_others_are_among_what_is_undone(
    past: Replica, opened: Opener, monkeypatch: pytest.MonkeyPatch, limit: int, store: MemoryStore
) -> None:
    monkeypatch.setattr("replica.rewind._LARGEST_ENTRY_BYTES", limit)
    other = opened("other", **BOTH)
    other.restore_to(2, tables=("notes",))
    kind = unpack_entry(store.entry(7), log_key(7)).kind
    assert kind is (Kind.BASE if limit == 1 else Kind.CHANGES)
    [entry] = past.plan_restore(6).undone
    assert (entry.sequence, len(entry.transactions)) == (7, 1)
    assert entry.writer_id == other.status().writers[0].writer_id
    assert past.plan_restore(6, tables=("marks",)).undone == ()


def test_migrations_are_not_undone(opened: Opener, store: MemoryStore) -> None:
    opened.filled("one").close(0)
    new = opened("first", migrations=NEXT_SCHEMA)
    assert store.numbers()[-1] == 3
    write(new, "two")
    plan = new.plan_restore(2)
    assert plan.tables == (TableChange("notes", 0, 1, 0),)
    assert [entry.sequence for entry in plan.undone] == [4]


@pytest.mark.parametrize("workers", [1, 8])
def test_entries_that_the_file_no_longer_keeps_are_asked_of_the_store(
    opened: Opener, store: MemoryStore, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    monkeypatch.setattr("replica.advance.KEPT_ENVELOPES", 3)
    replica = opened("first", fetch_workers=workers)
    for number in range(2, 12):
        write(replica, f"{number}")
        replica.sync_now()
    replica.snapshot()
    everything = replica.plan_restore(1)
    assert [entry.sequence for entry in everything.undone] == list(range(2, 12))
    assert [entry.transactions for entry in everything.undone] == [
        stored_ids(store, sequence) for sequence in range(2, 12)
    ]
    assert replica.plan_restore(9).undone == everything.undone[-2:]
    store.damage(log_key(5), corrupted)
    with pytest.raises(EntryRefused, match=log_key(5)):
        replica.plan_restore(1)


def test_entry_damaged_on_its_way_is_asked_for_again(
    opened: Opener, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("replica.advance.KEPT_ENVELOPES", 1)
    replica = opened.filled("one", "two", "three")
    before = replica.plan_restore(1)
    store.fail("get", log_key(3), change=corrupted)
    assert replica.plan_restore(1) == before
    assert not store.faults


def test_what_is_pending_is_published_and_part_of_the_plan(past: Replica) -> None:
    pending = change_locally(past, "INSERT INTO notes VALUES ('late', '')")
    plan = past.plan_restore(6)
    assert (plan.as_of, plan.tables) == (7, (TableChange("notes", 0, 1, 0),))
    assert [entry.transactions for entry in plan.undone] == [(pending,)]
    assert past.status().pending_transactions == 0


def change_locally(replica: Replica, statement: str) -> str:
    with replica.transaction() as transaction:
        transaction.execute(statement)
    return transaction.id


def test_what_others_wrote_is_part_of_the_plan(past: Replica, opened: Opener) -> None:
    other = opened("other", **BOTH)
    theirs = change(other, "INSERT INTO notes VALUES ('theirs', '')")
    plan = past.plan_restore(6)
    assert [entry.transactions for entry in plan.undone] == [(theirs,)]


def test_restore_does_what_is_right_when_the_plan_is_out_of_date(
    past: Replica, opened: Opener
) -> None:
    other = opened("other", **BOTH)
    plan = past.plan_restore(3)
    change(other, "INSERT INTO notes VALUES ('since', '')")
    assert past.restore_to(plan.sequence or 0) == plan.as_of + 2
    assert names(past) == ["one", "two"]


@pytest.mark.parametrize("moment", [0, 7, START - timedelta(seconds=1)])
def test_no_plan_for_moments_outside_the_log(past: Replica, moment: Source) -> None:
    with pytest.raises(MomentUnknown):
        past.plan_restore(moment)
    assert past.status().state is State.OK


def test_a_time_without_a_zone_could_be_any(past: Replica) -> None:
    with pytest.raises(ValueError, match="zone"):
        past.plan_restore(START.replace(tzinfo=None))


def test_no_plan_while_the_store_is_away(past: Replica, store: MemoryStore) -> None:
    store.fail("get", "log/", error=unreachable("get"))
    with pytest.raises(StoreUnreachable):
        past.plan_restore(3)
    assert past.status().state is State.OFFLINE
    assert past.plan_restore(3).as_of == 6


@pytest.mark.parametrize("seed", range(8))
def test_plans_count_what_restores_then_do(opened: Opener, seed: int) -> None:
    random, replica = Random(seed), opened("first", **BOTH)
    for _ in range(random.randrange(4, 12)):
        statements = []
        for _ in range(random.randrange(1, 5)):
            table = random.choice(("notes", "marks"))
            name, value = random.choice("abcdef"), random.randrange(4)
            statements.append(
                f"DELETE FROM {table} WHERE name = '{name}'"
                if random.random() < 0.3
                else f"INSERT OR REPLACE INTO {table} VALUES ('{name}', {value})"
            )
        change(replica, *statements)
    sequence = random.randint(1, replica.status().sequence)
    plan, before = replica.plan_restore(sequence), contents(replica)
    replica.restore_to(sequence)
    after = contents(replica)
    counted = {each.table: each for each in plan.tables}
    for table, then in after.items():
        now = before[table]
        changed = sum(now[key] != then[key] for key in now.keys() & then.keys())
        expected = TableChange(
            table, len(then.keys() - now.keys()), len(now.keys() - then.keys()), changed
        )
        assert counted.get(table, TableChange(table, 0, 0, 0)) == expected


def contents(replica: Replica) -> dict[str, dict[str, object]]:
    with replica.read() as connection:
        return {
            table: {
                str(name): value for name, value in connection.execute(f"SELECT * FROM {table}")
            }
            for table in ("notes", "marks")
        }
