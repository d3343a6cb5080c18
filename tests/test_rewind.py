"""The way back: an earlier content as a new entry, which can itself be taken back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from replica import (
    Contended,
    EntryRefused,
    MomentUnknown,
    Replica,
    State,
    StoreUnreachable,
    write_as_of,
)
from replica.content import Moment
from replica.envelope import Kind, unpack_entry
from replica.log import log_key
from tests.replica_fixtures import Opener
from tests.stores import (
    NEXT_SCHEMA,
    SCHEMA,
    TABLES,
    ManualClock,
    MemoryStore,
    conflicts,
    corrupted,
    names,
    notes,
    replicated,
    unreachable,
    write,
)

START = datetime(2026, 11, 20, 18, tzinfo=UTC)


@pytest.fixture(params=[4 << 20, 1], ids=["as a changeset", "as a base"])
def limit(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Large differences travel as a content of their own; with 1 byte each is large."""
    monkeypatch.setattr("replica.rewind._LARGEST_ENTRY_BYTES", request.param)


@pytest.fixture
def past(opened: Opener, clock: ManualClock) -> Replica:
    """Entries 2 to 5, a minute apart: one, two, one changed, two deleted."""
    replica = opened("first")
    statements = (
        "INSERT INTO notes VALUES ('one', 'first')",
        "INSERT INTO notes VALUES ('two', 'second')",
        "UPDATE notes SET text = 'changed' WHERE name = 'one'",
        "DELETE FROM notes WHERE name = 'two'",
    )
    for statement in statements:
        clock.advance(minutes=1)
        with replica.transaction() as transaction:
            transaction.execute(statement)
        replica.sync_now()
    clock.advance(minutes=1)
    return replica


CONTENTS: dict[Moment, list[tuple[str, str]]] = {
    1: [],
    2: [("one", "first")],
    3: [("one", "first"), ("two", "second")],
    4: [("one", "changed"), ("two", "second")],
    5: [("one", "changed")],
}
BY_TIME: dict[Moment, list[tuple[str, str]]] = {
    START: CONTENTS[1],
    START + timedelta(seconds=59): CONTENTS[1],
    START + timedelta(seconds=60): CONTENTS[2],
    START + timedelta(minutes=3, seconds=30): CONTENTS[4],
    START + timedelta(days=400): CONTENTS[5],
}


@pytest.mark.usefixtures("limit")
@pytest.mark.parametrize(("moment", "expected"), [*CONTENTS.items(), *BY_TIME.items()])
def test_content_of_any_moment_comes_back(
    past: Replica,
    opened: Opener,
    store: MemoryStore,
    moment: Moment,
    expected: list[tuple[str, str]],
) -> None:
    other = opened("other")
    sequence = past.restore_to(moment)
    assert sequence == (None if expected == CONTENTS[5] else 6)
    assert notes(past) == expected
    assert past.status().state is State.OK
    other.sync_now()
    assert replicated(other) == replicated(past) == replicated(opened("new"))
    assert store.numbers()[-1] == (sequence or 5)


@pytest.mark.usefixtures("limit")
def test_a_restore_is_taken_back_by_another(past: Replica, opened: Opener) -> None:
    assert past.restore_to(3) == 6
    assert past.restore_to(5) == 7
    assert notes(past) == CONTENTS[5]
    assert past.restore_to(6) == 8
    assert notes(past) == CONTENTS[3]
    assert replicated(opened("new")) == replicated(past)


@pytest.mark.parametrize(
    "moment", [0, -1, 6, 10**6, START - timedelta(seconds=1), START - timedelta(days=365)]
)
def test_moments_outside_the_log_are_refused(
    past: Replica, store: MemoryStore, moment: Moment
) -> None:
    with pytest.raises(MomentUnknown):
        past.restore_to(moment)
    assert notes(past) == CONTENTS[5]
    assert store.numbers()[-1] == 5
    write(past, "goes on")
    past.sync_now()
    assert past.status().state is State.OK


@pytest.mark.parametrize("snapshots_at", [(), (2,), (3,), (2, 4), (5,)])
def test_snapshots_before_the_moment_are_used_and_later_ones_are_not(
    opened: Opener, store: MemoryStore, snapshots_at: tuple[int, ...], clock: ManualClock
) -> None:
    replica = opened("first")
    for sequence in range(2, 6):
        clock.advance(minutes=1)
        write(replica, f"{sequence}")
        replica.sync_now()
        if sequence in snapshots_at:
            replica.snapshot()
    store.requests.clear()
    replica.restore_to(3)
    used = [key for verb, key in store.requests if verb == "get" and key.startswith("snapshots/")]
    assert [int(key[10:30]) for key in used] == list(filter(lambda at: at <= 3, snapshots_at))
    assert names(replica) == ["2", "3"]


@pytest.mark.usefixtures("limit")
def test_what_is_pending_is_published_first_and_restored_over(
    past: Replica, store: MemoryStore
) -> None:
    pending = write(past, "three")
    assert past.restore_to(3) == 7
    assert notes(past) == CONTENTS[3]
    past.wait_until_durable(pending, 0)
    past.restore_to(6)
    assert names(past) == ["one", "three"]


@pytest.mark.usefixtures("limit")
def test_what_is_written_meanwhile_stays_on_top(
    past: Replica, opened: Opener, store: MemoryStore
) -> None:
    def write_late(verb: str, key: str) -> None:
        if (verb, key) == ("put", log_key(6)):
            store.before = lambda verb, key: None
            write(past, "late")
            with past.transaction() as transaction:
                transaction.execute("UPDATE notes SET text = 'late' WHERE name = 'one'")

    store.before = write_late
    assert past.restore_to(2) == 6
    assert past.status().pending_transactions == 2
    assert notes(past) == [("late", ""), ("one", "late")]
    past.sync_now()
    assert replicated(opened("new")) == replicated(past)
    assert [row[3:] for row in conflicts(past)] == [("overwritten", '"late"', '"first"')]


@pytest.mark.usefixtures("limit")
def test_pending_changes_of_others_stay_on_top(past: Replica, opened: Opener) -> None:
    other = opened("other")
    write(other, "theirs")
    past.restore_to(3)
    other.sync_now()
    past.sync_now()
    assert names(other) == ["one", "theirs", "two"]
    assert replicated(other) == replicated(past)


@pytest.mark.usefixtures("limit")
def test_lost_race_is_computed_anew(past: Replica, opened: Opener, store: MemoryStore) -> None:
    """Rebased, it would leave alone what came first, which nobody chose."""
    other = opened("other")

    def be_first(verb: str, key: str) -> None:
        if (verb, key) == ("put", log_key(6)):
            store.before = lambda verb, key: None
            write(other, "came first")
            other.sync_now()

    store.before = be_first
    assert past.restore_to(3) == 7
    assert notes(past) == CONTENTS[3]
    assert conflicts(past) == []
    other.sync_now()
    assert replicated(other) == replicated(past)
    assert past.restore_to(6) == 8
    assert names(past) == ["came first", "one"]


def test_restore_that_is_never_first_gives_up_and_changes_nothing(
    past: Replica, opened: Opener, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("replica.rewind._ATTEMPTS", 3)
    other = opened("other")

    def be_first(verb: str, key: str) -> None:
        if verb == "put" and key.startswith("log/"):
            store.before = lambda verb, key: None
            write(other, key)
            other.sync_now()
            store.before = be_first

    store.before = be_first
    with pytest.raises(Contended):
        past.restore_to(2)
    store.before = lambda verb, key: None
    past.sync_now()
    other.sync_now()
    assert len(names(past)) == 4
    assert replicated(other) == replicated(past)


@pytest.mark.usefixtures("limit")
@pytest.mark.parametrize("landed", [False, True])
def test_restore_without_an_answer_happens_once(
    past: Replica, opened: Opener, store: MemoryStore, landed: bool
) -> None:
    store.fail("put", "log/", error=unreachable("put"), after_effect=landed)

    def cut_off(verb: str, key: str) -> None:
        if ("put", log_key(6)) in store.requests:
            raise unreachable(verb, key)

    store.requests.clear()
    store.before = cut_off
    with pytest.raises(StoreUnreachable):
        past.restore_to(3)
    store.before = lambda verb, key: None
    assert past.restore_to(3) is None, "the claim that was kept has done it"
    assert notes(past) == CONTENTS[3]
    assert store.numbers()[-1] == 6
    assert replicated(opened("new")) == replicated(past)


def test_restore_over_a_migration_keeps_the_new_schema(past: Replica, opened: Opener) -> None:
    past.close(0)
    new = opened("first", migrations=NEXT_SCHEMA)
    with new.transaction() as transaction:
        transaction.execute("UPDATE notes SET stars = 5")
    new.sync_now()
    assert new.restore_to(3) == 8
    with new.read() as connection:
        rows = connection.execute("SELECT * FROM notes ORDER BY name").fetchall()
    assert rows == [("one", "first", None), ("two", "second", None)]
    assert replicated(opened("other", migrations=NEXT_SCHEMA)) == replicated(new)


def test_a_large_difference_names_a_content_and_a_small_one_does_not(
    past: Replica, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    bases = store.keys("bases/")
    past.restore_to(3)
    assert unpack_entry(store.entry(6), log_key(6)).kind is Kind.CHANGES
    assert store.keys("bases/") == bases
    monkeypatch.setattr("replica.rewind._LARGEST_ENTRY_BYTES", 1)
    past.restore_to(5)
    entry = unpack_entry(store.entry(7), log_key(7))
    assert entry.kind is Kind.BASE
    assert entry.description["base"] in store.objects
    assert entry.description["tables"] == list(TABLES)
    assert len(store.entry(7)) < 1000


def test_entry_whose_content_is_damaged_is_not_passed_over(
    past: Replica, opened: Opener, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("replica.rewind._LARGEST_ENTRY_BYTES", 1)
    other = opened("other")
    past.restore_to(3)
    write(past, "goes on")
    past.sync_now()
    base = str(unpack_entry(store.entry(6), log_key(6)).description["base"])
    whole = store.objects[base]
    store.damage(base, corrupted)
    for _ in range(2):
        with pytest.raises(EntryRefused, match="bases/"):
            other.sync_now()
        assert notes(other) == CONTENTS[5]
    assert other.status().state is State.HALTED
    write(other, "waits")
    store.objects[base] = whole
    other.sync_now()
    past.sync_now()
    assert replicated(other) == replicated(past)


@pytest.mark.parametrize(("moment", "expected"), [*CONTENTS.items(), *BY_TIME.items()])
def test_content_of_any_moment_goes_to_a_plain_file(
    past: Replica,
    opened: Opener,
    store: MemoryStore,
    tmp_path: Path,
    moment: Moment,
    expected: list[tuple[str, str]],
) -> None:
    before = dict(store.objects)
    assert write_as_of(store, tmp_path / "then.db", SCHEMA, TABLES, moment) is True
    assert store.objects == before
    assert notes(past) == CONTENTS[5]
    then = opened.bare("then")
    assert notes(then) == expected


def test_a_moment_outside_the_log_writes_no_file(
    past: Replica, store: MemoryStore, tmp_path: Path
) -> None:
    for moment in (0, 6, START - timedelta(hours=1)):
        with pytest.raises(MomentUnknown):
            write_as_of(store, tmp_path / "then.db", SCHEMA, TABLES, moment)
    assert not (tmp_path / "then.db").exists()
