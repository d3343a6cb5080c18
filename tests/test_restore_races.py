"""A restore does what its plan said or nothing, and the list of restores says what came about."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import apsw
import pytest

from jobs.authority import OWNER
from jobs.restoring import (
    DATA_TABLES,
    NothingToRestore,
    PlannedRestore,
    PlanOutdated,
    Restoring,
    from_sequence,
    from_snapshot,
    to_undo,
)
from replica import (
    AccessDenied,
    Contended,
    DiskFull,
    Replica,
    ReplicaError,
    SnapshotCorrupt,
    StoreUnreachable,
)
from replica.live import LiveDatabase
from replica.snapshot import pack, unpack
from tests.applications import settings_for
from tests.backup_machines import Machine, machine
from tests.stores import ManualClock, MemoryStore, denied, unreachable


@pytest.fixture
def one(tmp_path: Path, store: MemoryStore, clock: ManualClock) -> Iterator[Machine]:
    """A machine with two games in the log, #2 and #3."""
    with machine(tmp_path / "one", store, clock) as one:
        one.write("first")
        one.write("second")
        yield one


@pytest.fixture
def two(one: Machine, tmp_path: Path, store: MemoryStore, clock: ManualClock) -> Iterator[Machine]:
    """Another machine on the same log."""
    with machine(tmp_path / "two", store, clock) as two:
        yield two


@pytest.fixture
def restoring(one: Machine, tmp_path: Path, clock: ManualClock) -> Restoring:
    settings = settings_for(tmp_path / "one", None)
    return Restoring(settings, clock, lambda operation: one.state, one.backups)


@pytest.fixture
def planned(restoring: Restoring) -> PlannedRestore:
    """Back to the first game only: it undoes #3."""
    planned = restoring.plan(OWNER, from_sequence(2))
    assert [entry.sequence for entry in planned.plan.undone] == [3]
    return planned


def once(store: MemoryStore, verb: str, prefix: str, act: Callable[[], object]) -> None:
    """Do something when the first such request is on its way."""

    def before(asked: str, key: str) -> None:
        if asked == verb and key.startswith(prefix):
            store.before = lambda asked, key: None
            act()

    store.before = before


def points(machine: Machine) -> dict[object, object]:
    with machine.replica.read() as connection:
        return dict(connection.execute("SELECT game_id, home_points FROM games"))


# What nobody has seen in the plan is not undone ---------------------------------------------------


def test_a_later_write_to_the_same_row_is_not_undone_unseen(
    one: Machine, two: Machine, store: MemoryStore, restoring: Restoring
) -> None:
    one.write("first", 101)
    planned = restoring.plan(OWNER, from_sequence(3))
    two.replica.sync_now()
    two.write("first", 150)
    # As many rows would change as the plan said.
    again = restoring.plan(OWNER, from_sequence(3))
    assert again.plan.tables == planned.plan.tables
    head = store.numbers()[-1]
    with pytest.raises(PlanOutdated, match="Look at the new plan"):
        restoring.restore(OWNER, planned)
    assert points(one)["first"] == 150
    assert restoring.done(OWNER) == []
    assert store.keys("backups/") == []
    assert store.numbers()[-1] == head, "nothing was changed"
    restoring.restore(OWNER, again)
    assert points(one)["first"] == 100


@pytest.mark.parametrize("by", ["this machine", "another one"])
def test_a_write_while_the_backup_is_uploaded_is_not_undone_unseen(
    one: Machine,
    two: Machine,
    store: MemoryStore,
    restoring: Restoring,
    planned: PlannedRestore,
    by: str,
) -> None:
    def write() -> None:
        if by == "another one":
            two.replica.sync_now()
            two.write("tonight")
            return
        with one.replica.transaction() as transaction:
            transaction.execute(
                "INSERT INTO games VALUES ('tonight', '2026-11-20', 1, 2, 90, 99, 'test', '')"
            )

    once(store, "put", "backups/", write)
    with pytest.raises(PlanOutdated):
        restoring.restore(OWNER, planned)
    one.replica.sync_now()
    assert one.games() == ["first", "second", "tonight"]
    assert restoring.done(OWNER) == []


def test_a_write_that_comes_first_at_the_claim_itself_is_not_undone_unseen(
    one: Machine, two: Machine, store: MemoryStore, restoring: Restoring, planned: PlannedRestore
) -> None:
    claims = iter(range(9))

    def before(verb: str, key: str) -> None:
        # The note of the restore is an entry too, and comes before.
        if verb == "put" and key.startswith("log/") and restoring.done(OWNER) and next(claims) == 1:
            store.before = lambda verb, key: None
            two.replica.sync_now()
            two.write("tonight")

    store.before = before
    with pytest.raises(PlanOutdated):
        restoring.restore(OWNER, planned)
    one.replica.sync_now()
    two.replica.sync_now()
    assert one.games() == two.games() == ["first", "second", "tonight"]
    assert restoring.done(OWNER) == []


def test_the_same_restore_by_another_machine_is_not_taken_for_ones_own(
    one: Machine, two: Machine, store: MemoryStore, restoring: Restoring, planned: PlannedRestore
) -> None:
    def restore() -> None:
        assert two.replica.restore_to(2, tables=DATA_TABLES) is not None

    once(store, "put", "backups/", restore)
    with pytest.raises(PlanOutdated):
        restoring.restore(OWNER, planned)
    assert one.games() == ["first"]
    assert restoring.done(OWNER) == []


def test_what_only_the_catalogue_says_since_is_no_reason_to_ask_again(
    one: Machine, two: Machine, restoring: Restoring, planned: PlannedRestore
) -> None:
    two.replica.sync_now()
    theirs = two.backups.make(OWNER)
    record = restoring.restore(OWNER, planned).record
    assert one.games() == ["first"]
    assert theirs.key in [backup.key for backup in one.catalogue()]
    undo = restoring.plan(OWNER, to_undo(record))
    assert (undo.plan.rows_added, record.rows_removed) == (1, 1)


# What came about is in the list -------------------------------------------------------------------


def restore_with(
    store: MemoryStore,
    restoring: Restoring,
    planned: PlannedRestore,
    error: Exception,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Restore, with an error when the log has taken the entry and this file has not."""
    real = Replica.restore_to

    def restore_to(self: Replica, *arguments: object, **options: object) -> object:
        def fail(*_: object) -> None:
            raise error

        def claimed(verb: str, key: str) -> None:
            if verb == "put" and key.startswith("log/"):
                notes.append(key)
                if len(notes) == 2:
                    monkeypatch.setattr(LiveDatabase, "advance", fail)

        notes: list[str] = []
        store.before = claimed
        return real(self, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Replica, "restore_to", restore_to)
    with pytest.raises(type(error)):
        restoring.restore(OWNER, planned)
    store.before = lambda verb, key: None
    monkeypatch.undo()


@pytest.mark.parametrize(
    "error", [DiskFull("apply", "x"), AccessDenied("get", "bases/x", "s3:GetObject")]
)
def test_a_restore_that_the_log_has_stays_in_the_list(
    one: Machine,
    two: Machine,
    store: MemoryStore,
    restoring: Restoring,
    planned: PlannedRestore,
    error: ReplicaError,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    restore_with(store, restoring, planned, error, monkeypatch)
    [begun] = restoring.done(OWNER)
    assert begun.sequence is None
    with pytest.raises(NothingToRestore):
        to_undo(begun)
    one.replica.sync_now()
    two.replica.sync_now()
    assert one.games() == two.games() == ["first"]
    # As soon as the entry is here, the list knows of it; and it can be undone.
    [done] = restoring.done(OWNER)
    assert done.sequence == store.numbers()[-1]
    assert replace(done, sequence=None) == begun
    restoring.restore(OWNER, restoring.plan(OWNER, to_undo(done)))
    assert one.games() == ["first", "second"]


@pytest.mark.parametrize("landed", [True, False])
@pytest.mark.parametrize("look", [unreachable("get"), denied("get")])
def test_a_restore_whose_answer_is_lost_is_finished_later(
    one: Machine,
    store: MemoryStore,
    restoring: Restoring,
    planned: PlannedRestore,
    landed: bool,
    look: ReplicaError,
) -> None:
    claims: list[str] = []

    def before(verb: str, key: str) -> None:
        if not restoring.done(OWNER) or not key.startswith("log/"):
            return
        if verb == "put":
            claims.append(key)
            if len(claims) == 2:
                store.fail("put", key, error=unreachable("put", key), after_effect=landed)
        elif claims[1:] == [key]:
            # Nor can be seen what has become of it.
            raise look

    store.before = before
    with pytest.raises((StoreUnreachable, AccessDenied)):
        restoring.restore(OWNER, planned)
    store.before = lambda verb, key: None
    assert [record.sequence for record in restoring.done(OWNER)] == [None]
    one.replica.sync_now()
    [done] = restoring.done(OWNER)
    assert done.sequence is not None
    assert one.games() == ["first"]
    undo = restoring.plan(OWNER, to_undo(done))
    assert [entry.transactions for entry in undo.plan.undone] == [(done.restore_id,)]


@pytest.mark.parametrize(
    "error",
    [
        DiskFull("compare", "x"),
        Contended("restore", "x"),
        StoreUnreachable("get", "x"),
        AccessDenied("get", "x", "s3:GetObject"),
    ],
)
def test_a_restore_that_claimed_nothing_leaves_the_list(
    one: Machine,
    restoring: Restoring,
    planned: PlannedRestore,
    error: ReplicaError,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    with monkeypatch.context() as context:
        context.setattr("replica.rewind.count_changes", fail)
        with pytest.raises(type(error)):
            restoring.restore(OWNER, planned)
    one.replica.sync_now()
    assert restoring.done(OWNER) == []
    assert one.games() == ["first", "second"]


# A snapshot is what its name says -----------------------------------------------------------------


def test_a_forged_snapshot_is_refused(
    one: Machine, store: MemoryStore, restoring: Restoring, tmp_path: Path
) -> None:
    key = one.replica.snapshot().key
    one.write("third")
    path = tmp_path / "forged.db"
    told = unpack(store.objects[key].body, key, path)
    with closing(apsw.Connection(str(path))) as connection:
        connection.execute("UPDATE games SET home_points = 7")
    forged = pack(
        path,
        log_id=told.log_id,
        sequence=told.sequence,
        entry_sha256=told.entry_sha256,
        schema_version=told.schema_version,
    )
    [snapshot, *_] = restoring.snapshots(OWNER)
    planned = restoring.plan(OWNER, from_snapshot(snapshot))
    store.damage(key, lambda _: forged)
    with pytest.raises(SnapshotCorrupt, match="its name says"):
        restoring.plan(OWNER, from_snapshot(snapshot))
    with pytest.raises(SnapshotCorrupt):
        restoring.restore(OWNER, planned)
    assert restoring.done(OWNER) == []
    assert set(points(one).values()) == {100}
