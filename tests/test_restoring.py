"""Going back: the plan first, a backup, a new entry that others follow, and the way back again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from jobs.authority import OWNER, VISITOR
from jobs.backups import BackupKind, Backups
from jobs.errors import NotPermitted
from jobs.restoring import (
    DATA_TABLES,
    NotABackupOfThis,
    NothingToRestore,
    PlannedRestore,
    PlanOutdated,
    RestoreSource,
    Restoring,
    from_backup,
    from_sequence,
    from_snapshot,
    from_time,
    to_undo,
)
from jobs.state import State
from prediction_tracking import (
    CATALOGUE_TABLES,
    MIGRATIONS,
    REPLICATED_TABLES,
    PredictionLog,
)
from replica import (
    AccessDenied,
    ForeignBackup,
    MomentUnknown,
    SnapshotError,
    StoreUnreachable,
    content_digest,
)
from replica.log import log_key
from s3_storage import S3PredictionStorage
from tests.applications import AFTERNOON, settings_for
from tests.stores import ManualClock, MemoryStore, corrupted, open_replica, truncated

HEADER = ["game_date", "player_name", "points", "rebounds", "assists", "threes"]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(AFTERNOON)


@dataclass(frozen=True)
class Machine:
    """One open state with its backups and restores, and nothing that runs by itself."""

    state: State
    backups: Backups
    restoring: Restoring

    @property
    def sequence(self) -> int:
        return self.state.replica.status().sequence


class Machines:
    """Opens machines on one store, and closes them all at the end."""

    def __init__(
        self, folder: Path, reference_path: Path, clock: ManualClock, store: MemoryStore
    ) -> None:
        self._folder = folder
        self._reference_path = reference_path
        self._clock = clock
        self._store = store
        self._opened: list[State] = []

    def __call__(self, name: str, store: MemoryStore | None = None) -> Machine:
        """A machine that has been restored."""
        settings = settings_for(self._folder / name, self._reference_path)
        storage = S3PredictionStorage(
            store or self._store, migrations=MIGRATIONS, tables=REPLICATED_TABLES
        )
        replica = open_replica(
            settings.state_folder / "nba_stats.db",
            storage.store,
            migrations=MIGRATIONS,
            tables=REPLICATED_TABLES,
            clock=self._clock,
        )
        storage.attach(replica)
        log = PredictionLog(
            replica, self._reference_path, clock=self._clock, on_logged=lambda _: None
        )
        state = State(storage, replica, log)
        self._opened.append(state)
        replica.restore()
        backups = Backups(settings, self._clock, lambda operation: state)
        restoring = Restoring(settings, self._clock, lambda operation: state, backups)
        return Machine(state, backups, restoring)

    def close(self) -> None:
        for state in self._opened:
            state.close(0.0)


@pytest.fixture
def machines(
    tmp_path: Path, reference_path: Path, clock: ManualClock, store: MemoryStore
) -> Iterator[Machines]:
    machines = Machines(tmp_path, reference_path, clock, store)
    yield machines
    machines.close()


@pytest.fixture
def machine(machines: Machines) -> Machine:
    """One machine, with a result in the log as #2."""
    machine = machines("a")
    learn(machine, 20, "Derrick White")
    assert machine.sequence == 2
    return machine


def learn(machine: Machine, points: int, player: str = "Jayson Tatum") -> int:
    """Import one result; the newest entry's number."""
    row = ["2025-01-15", player, points, 8, 5, 3]
    frame = pd.DataFrame([row], columns=HEADER)
    machine.state.predictions.record_results(frame, "x.csv")
    machine.state.replica.sync_now()
    return machine.sequence


def points(machine: Machine) -> list[object]:
    """What is known of the players' points, the least first."""
    with machine.state.replica.read() as connection:
        return sorted(row[0] for row in connection.execute("SELECT points FROM player_games"))


def digests(machine: Machine, tables: tuple[str, ...] = DATA_TABLES) -> object:
    found = content_digest(machine.state.replica.path, "here", tables).tables
    return {table: found[table] for table in tables}


def test_plan_restore_and_undo(machine: Machine, machines: Machines, clock: ManualClock) -> None:
    here, other = machine, machines("b")
    before = digests(here)
    learn(here, 31)
    clock.advance(minutes=5)
    newest = learn(here, 33)
    after = digests(here)
    planned = here.restoring.plan(OWNER, from_sequence(2))
    assert (planned.plan.sequence, planned.plan.as_of) == (2, newest)
    assert {change.table for change in planned.plan.tables} <= set(DATA_TABLES)
    assert planned.plan.rows_removed
    assert not planned.plan.rows_changed
    assert [entry.sequence for entry in planned.plan.undone][-1] == newest
    assert digests(here) == after, "a plan changes nothing"

    report = here.restoring.restore(OWNER, planned)
    assert digests(here) == before
    assert points(here) == [20]
    assert report.backup.kind is BackupKind.BEFORE_RESTORE
    record = report.record
    assert record.sequence is not None
    assert (record.source, record.moment, record.restored_at) == ("sequence", "2", clock())
    assert record.rows_removed == planned.plan.rows_removed
    assert here.restoring.done(OWNER) == [record]
    listed = [one.backup.key for one in here.backups.listed(OWNER)]
    assert report.backup.key in listed, "the catalogue is not taken back"

    here.state.replica.sync_now()
    other.state.replica.sync_now()
    assert digests(other) == before
    assert other.restoring.done(OWNER) == [record]

    clock.advance(minutes=5)
    undo = other.restoring.plan(OWNER, to_undo(record))
    undone = other.restoring.restore(OWNER, undo)
    assert digests(other) == after
    assert points(other) == [20, 33]
    assert undone.record.source == RestoreSource.UNDO.value
    other.state.replica.sync_now()
    here.state.replica.sync_now()
    assert digests(here) == after
    assert here.restoring.done(OWNER) == [undone.record, record]
    assert digests(here, CATALOGUE_TABLES) == digests(other, CATALOGUE_TABLES)


def test_to_a_backup_a_snapshot_and_a_time(machine: Machine, clock: ManualClock) -> None:
    learn(machine, 31)
    then = digests(machine)
    backup = machine.backups.make(OWNER)
    machine.state.replica.sync_now()
    machine.state.replica.snapshot()
    moment = clock()
    clock.advance(hours=2)
    learn(machine, 35)
    [snapshot, *_] = machine.restoring.snapshots(OWNER)
    assert snapshot.size_bytes > 0
    for choice in (from_backup(backup), from_snapshot(snapshot), from_time(moment)):
        planned = machine.restoring.plan(OWNER, choice)
        report = machine.restoring.restore(OWNER, planned)
        assert digests(machine) == then
        assert report.record.moment == moment.isoformat(timespec="seconds")
        assert report.record.source == choice.source.value
        assert "backups/" not in report.record.moment
        clock.advance(minutes=5)
        learn(machine, 35)


def test_a_time_is_restored_as_it_was_planned(machine: Machine, clock: ManualClock) -> None:
    learn(machine, 31)
    clock.advance(hours=1)
    choice = from_time(clock() - timedelta(minutes=1))
    planned = machine.restoring.plan(OWNER, choice)
    assert planned.choice.target == planned.plan.sequence
    assert planned.choice.moment == choice.moment


def test_who_wrote_meanwhile_is_not_undone_unseen(
    machine: Machine, machines: Machines, clock: ManualClock
) -> None:
    here, other = machine, machines("b")
    learn(here, 31)
    planned = here.restoring.plan(OWNER, from_sequence(2))
    clock.advance(minutes=5)
    other.state.replica.sync_now()
    learn(other, 12, "Jrue Holiday")
    after = digests(other)
    with pytest.raises(PlanOutdated, match="Look at the new plan"):
        here.restoring.restore(OWNER, planned)
    assert digests(here) == after
    assert here.restoring.done(OWNER) == []
    again = here.restoring.plan(OWNER, from_sequence(2))
    here.restoring.restore(OWNER, again)
    assert points(here) == [20]


def test_where_nothing_differs_nothing_is_done(machine: Machine) -> None:
    planned = machine.restoring.plan(OWNER, from_sequence(2))
    assert planned.plan.changes_nothing
    before = machine.sequence
    with pytest.raises(NothingToRestore):
        machine.restoring.restore(OWNER, planned)
    assert machine.sequence == before
    assert machine.restoring.done(OWNER) == []
    assert not machine.backups.listed(OWNER)


def test_only_the_owner(machine: Machine) -> None:
    learn(machine, 31)
    planned = machine.restoring.plan(OWNER, from_sequence(2))
    backup = machine.backups.make(OWNER)
    before = digests(machine)
    for attempt in (
        lambda: machine.restoring.plan(VISITOR, from_backup(backup)),
        lambda: machine.restoring.restore(VISITOR, planned),
        lambda: machine.restoring.snapshots(VISITOR),
        lambda: machine.restoring.done(VISITOR),
    ):
        with pytest.raises(NotPermitted):
            attempt()
    assert digests(machine) == before


@pytest.mark.parametrize("moment", [0, 999, AFTERNOON - timedelta(days=365)])
def test_a_moment_outside_the_log(machine: Machine, moment: int | datetime) -> None:
    choice = from_sequence(moment) if isinstance(moment, int) else from_time(moment)
    before = digests(machine)
    with pytest.raises(MomentUnknown):
        machine.restoring.plan(OWNER, choice)
    assert digests(machine) == before
    assert machine.state.replica.status().last_error is None


@pytest.mark.parametrize("change", [corrupted, truncated, lambda body: b"PK"])
def test_a_backup_that_is_damaged_changes_nothing(
    machine: Machine, store: MemoryStore, change: object
) -> None:
    backup = machine.backups.make(OWNER)
    learn(machine, 31)
    planned = machine.restoring.plan(OWNER, from_backup(backup))
    before = digests(machine)
    store.damage(backup.key, change)  # type: ignore[arg-type]
    with pytest.raises(SnapshotError):
        machine.restoring.restore(OWNER, planned)
    assert digests(machine) == before
    assert machine.restoring.done(OWNER) == []
    assert machine.state.replica.status().last_error is None


def test_a_backup_of_another_history(
    machine: Machine,
    store: MemoryStore,
    machines: Machines,
    clock: ManualClock,
) -> None:
    elsewhere = MemoryStore(clock)
    foreign = machines("c", elsewhere).backups.make(OWNER)
    own = machine.backups.make(OWNER)
    store.damage(own.key, lambda _: elsewhere.objects[foreign.key].body)
    # Without the hash that the catalogue noted: with it, it is already refused for that.
    choice = from_backup(replace(own, sha256=""))
    with pytest.raises(ForeignBackup):
        machine.restoring.plan(OWNER, choice)
    with pytest.raises(SnapshotError):
        machine.restoring.plan(OWNER, from_backup(own))


def test_what_an_earlier_app_left_is_no_backup(machine: Machine) -> None:
    backup = replace(machine.backups.make(OWNER), kind=BackupKind.IMPORTED)
    with pytest.raises(NotABackupOfThis):
        from_backup(backup)


def planned_after_a_write(machine: Machine) -> PlannedRestore:
    learn(machine, 31)
    return machine.restoring.plan(OWNER, from_sequence(2))


def test_without_its_backup_a_restore_does_not_begin(machine: Machine, store: MemoryStore) -> None:
    planned = planned_after_a_write(machine)
    before = digests(machine)

    def refuse(verb: str, key: str) -> None:
        if verb == "put" and key.startswith("backups/"):
            raise AccessDenied(verb, key, "s3:PutObject")

    store.before = refuse
    with pytest.raises(AccessDenied):
        machine.restoring.restore(OWNER, planned)
    assert digests(machine) == before
    assert machine.restoring.done(OWNER) == []


@pytest.mark.parametrize(
    ("error", "is_noted"),
    [
        (AccessDenied("put", "log/…", "s3:PutObject"), False),
        # It may have been carried out, and is tried again by itself.
        (StoreUnreachable("put", "log/…"), True),
    ],
)
def test_a_restore_that_fails_at_the_last_step(
    machine: Machine, store: MemoryStore, error: Exception, is_noted: bool
) -> None:
    planned = planned_after_a_write(machine)
    before = digests(machine)
    failing = {"is_on": False}

    def fail(verb: str, key: str) -> None:
        noted = machine.restoring.done(OWNER)
        if verb == "put" and key.startswith("log/") and noted and failing["is_on"]:
            raise error
        if verb == "put" and key.startswith("log/") and noted:
            # The entry that notes the restore itself gets through.
            failing["is_on"] = True

    store.before = fail
    with pytest.raises(type(error)):
        machine.restoring.restore(OWNER, planned)
    store.before = lambda verb, key: None
    assert [record.sequence for record in machine.restoring.done(OWNER)] == (
        [None] if is_noted else []
    )
    machine.state.replica.sync_now()
    changed = digests(machine) != before
    assert changed == is_noted, "what is noted came about, what is not did not"


def test_one_that_was_only_begun_is_not_undone(machine: Machine) -> None:
    planned = planned_after_a_write(machine)
    record = machine.restoring.restore(OWNER, planned).record
    with pytest.raises(NothingToRestore):
        to_undo(replace(record, sequence=None))


def test_a_restore_in_a_log_that_was_lost_is_told_and_not_undone(
    machine: Machine, store: MemoryStore
) -> None:
    """Its numbers are the earlier log's: in the new one they stand for something else."""
    record = machine.restoring.restore(OWNER, planned_after_a_write(machine)).record
    assert record.is_of_this_log
    store.objects.clear()
    machine.state.replica.start_new_log()
    [told] = machine.restoring.done(OWNER)
    assert told == replace(record, is_of_this_log=False)
    with pytest.raises(NothingToRestore, match="of an earlier log"):
        to_undo(told)
    learn(machine, 31, "Al Horford")
    machine.state.replica.sync_now()
    again = machine.restoring.restore(OWNER, machine.restoring.plan(OWNER, from_sequence(1)))
    assert {one.restore_id: one.is_of_this_log for one in machine.restoring.done(OWNER)} == {
        record.restore_id: False,
        again.record.restore_id: True,
    }
    assert again.record.sequence is not None
    assert to_undo(again.record).target == again.record.sequence - 1


def test_a_time_needs_a_zone() -> None:
    with pytest.raises(ValueError, match="time zone"):
        from_time(datetime(2026, 11, 20))  # noqa: DTZ001
    assert from_time(datetime(2026, 11, 20, tzinfo=UTC)).moment == "2026-11-20T00:00:00+00:00"


def test_the_entry_of_the_restore_is_in_the_log(machine: Machine, store: MemoryStore) -> None:
    planned = planned_after_a_write(machine)
    record = machine.restoring.restore(OWNER, planned).record
    assert record.sequence is not None
    assert log_key(record.sequence) in store.objects
    assert points(machine) == [20], "what was there before stays"
