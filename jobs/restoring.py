"""Going back to what the history was: first the plan, then a backup, then a new entry of the log.

History is never rewritten. What a restore took away is still in the log, and another restore, to
the entry before it, brings it back.
"""

from __future__ import annotations

import enum
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from jobs.authority import Actor, require_owner
from jobs.backups import Backup, BackupKind, Backups
from jobs.clock import Clock
from jobs.configuration import Settings
from jobs.errors import JobError
from jobs.state import State
from jobs.store_view import SNAPSHOTS, snapshot_number
from prediction_tracking import CATALOGUE_TABLES, REPLICATED_TABLES
from replica import BackupKey, ReplicaError, RestoreOutdated, RestorePlan, Source
from tracking.backup_catalogue import RestoreRecord, drop_restore, restores, write_restore

__all__ = [
    "DATA_TABLES",
    "NotABackupOfThis",
    "NothingToRestore",
    "PlanOutdated",
    "PlannedRestore",
    "RestoreChoice",
    "RestoreReport",
    "RestoreSource",
    "Restoring",
    "Snapshot",
    "from_backup",
    "from_sequence",
    "from_snapshot",
    "from_time",
    "to_undo",
]

DATA_TABLES: Final = tuple(table for table in REPLICATED_TABLES if table not in CATALOGUE_TABLES)
"""What a restore may change. The catalogues say what is in the bucket, which a restore does not
change, and which restores there were."""


class RestoreSource(enum.Enum):
    """What a person has chosen to go back to."""

    BACKUP = "backup"
    SNAPSHOT = "snapshot"
    SEQUENCE = "sequence"
    TIME = "time"
    UNDO = "undo"


class NothingToRestore(JobError):
    """The data is already what it was at that moment."""


class PlanOutdated(JobError):
    """Somebody wrote since the plan was made, so that it would do something else than shown."""


class NotABackupOfThis(JobError):
    """An earlier app's database, which holds no history of this app."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A copy that the engine made for quicker starts; `made_at` is UTC by the store's clock."""

    key: str
    sequence: int
    made_at: datetime
    size_bytes: int


@dataclass(frozen=True, slots=True)
class RestoreChoice:
    """What to go back to.

    Attributes:
        source: of which kind it is.
        target: what the engine is asked for.
        moment: the same for everybody: the number of an entry, or a time (ISO, UTC); never a key.
    """

    source: RestoreSource
    target: Source
    moment: str


@dataclass(frozen=True, slots=True)
class PlannedRestore:
    """A choice and what it would do; only what was planned can be done."""

    choice: RestoreChoice
    plan: RestorePlan


@dataclass(frozen=True, slots=True)
class RestoreReport:
    """A restore that is in the log, and the backup of what was there before it."""

    record: RestoreRecord
    plan: RestorePlan
    backup: Backup


def from_backup(backup: Backup) -> RestoreChoice:
    """To a backup of the catalogue. Raises NotABackupOfThis."""
    if backup.kind.value == BackupKind.IMPORTED.value:
        raise NotABackupOfThis(
            "restore",
            backup.key,
            "It is the database of an earlier app, as it was taken over.",
            "Download it to look into it; its predictions are in the history already.",
        )
    target = BackupKey(backup.key, backup.sha256)
    return RestoreChoice(RestoreSource.BACKUP, target, _text(backup.made_at))


def from_snapshot(snapshot: Snapshot) -> RestoreChoice:
    """To a snapshot of the engine's."""
    target = BackupKey(snapshot.key)
    return RestoreChoice(RestoreSource.SNAPSHOT, target, _text(snapshot.made_at))


def from_sequence(sequence: int) -> RestoreChoice:
    """To what the data was after a log entry."""
    return RestoreChoice(RestoreSource.SEQUENCE, sequence, str(sequence))


def from_time(moment: datetime) -> RestoreChoice:
    """To what the data was at a time by the store's clock. ValueError for one without a zone."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment} has no time zone")
    return RestoreChoice(RestoreSource.TIME, moment, _text(moment))


def to_undo(record: RestoreRecord) -> RestoreChoice:
    """To what the data was before a restore; it must have been finished, and in this log."""
    problem = "" if record.is_of_this_log else "It is of an earlier log than the one followed now."
    if record.sequence is None:
        problem = "It is not known to have been finished."
    if problem or record.sequence is None:
        raise NothingToRestore(
            *("undo the restore", record.restore_id, problem),
            "Look at the plan for the log entry that you want instead.",
        )
    before = record.sequence - 1
    return RestoreChoice(RestoreSource.UNDO, before, str(before))


class Restoring:
    """The restores of one open state; one at a time.

    `state` gives the open state for an operation in words, or raises NotReady. Every method raises
    that, NotPermitted for anybody but the owner, and ReplicaError.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        state: Callable[[str], State],
        backups: Backups,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._state = state
        self._backups = backups
        self._working = threading.Lock()

    def snapshots(self, actor: Actor) -> list[Snapshot]:
        """The engine's own copies, newest first; one request."""
        self._require_owner(actor, "list the snapshots")
        store = self._state("list the snapshots").storage.store
        found = [
            Snapshot(info.key, sequence, info.modified_at, info.size_bytes)
            for info in store.list(SNAPSHOTS)
            if (sequence := snapshot_number(info.key)) is not None
        ]
        return sorted(found, key=lambda one: one.sequence, reverse=True)

    def done(self, actor: Actor) -> list[RestoreRecord]:
        """Every restore there was, newest first; no request."""
        self._require_owner(actor, "list the restores")
        with self._state("list the restores").replica.read() as connection:
            return restores(connection)

    def plan(self, actor: Actor, choice: RestoreChoice) -> PlannedRestore:
        """What a restore would do; nothing is changed.

        What is pending is published first, for a plan compares with what is in the log. Raises
        MomentUnknown for a moment outside the log, and for a backup what is wrong with it: a
        SnapshotError, NewerSchema, ObjectNotFound.
        """
        self._require_owner(actor, "plan a restore")
        replica = self._state("plan a restore").replica
        plan = replica.plan_restore(choice.target, tables=DATA_TABLES)
        if plan.sequence is not None and choice.source.value == RestoreSource.TIME.value:
            # A number, so that what was shown is what happens.
            choice = replace(choice, target=plan.sequence)
        return PlannedRestore(choice, plan)

    def restore(self, actor: Actor, planned: PlannedRestore) -> RestoreReport:
        """Back up, then do what was planned and nothing else, as a new entry that others follow.

        Raises NothingToRestore, PlanOutdated if anybody has written since what would be undone
        unseen, and what `plan` and a backup raise. Where the last step has no clear end the restore
        may still come about: it stays in the list, and is finished there once the log has it.
        """
        self._require_owner(actor, "restore")
        state = self._state("restore")
        plan = planned.plan
        if plan.changes_nothing:
            raise NothingToRestore(
                *("restore", planned.choice.moment, "The data is already what it was then."),
                "Nothing was changed.",
            )
        with self._working:
            try:
                # Asked before there is a backup of it; the engine asks again before it claims.
                state.replica.require_current(plan, tables=DATA_TABLES)
                backup = self._backups.make_before(BackupKind.BEFORE_RESTORE)
                record = self._restore(state, planned.choice, plan)
            except RestoreOutdated as error:
                raise PlanOutdated(
                    *("restore", planned.choice.moment, "Somebody has written since the plan."),
                    "Nothing was changed. Look at the new plan.",
                ) from error
        return RestoreReport(record, plan, backup)

    def _restore(self, state: State, choice: RestoreChoice, plan: RestorePlan) -> RestoreRecord:
        begun = RestoreRecord(
            restore_id=str(uuid.uuid4()),
            restored_at=self._clock(),
            sequence=None,
            source=choice.source.value,
            moment=choice.moment,
            rows_added=plan.rows_added,
            rows_removed=plan.rows_removed,
            rows_changed=plan.rows_changed,
        )
        # Noted before it is done: whatever happens then, nobody can say there was none.
        with state.replica.transaction() as transaction:
            write_restore(transaction, begun)
        try:
            sequence = state.replica.restore_to(
                choice.target,
                tables=DATA_TABLES,
                planned=plan,
                # By this name the list finds the entry, also when the answer is lost.
                transaction_id=begun.restore_id,
            )
        except ReplicaError:
            # No error tells by its type: a disk can be full after the log has taken the entry.
            if not state.replica.may_come_about(begun.restore_id):
                with state.replica.transaction() as transaction:
                    drop_restore(transaction, begun.restore_id)
            state.replica.request_sync()
            raise
        finished = replace(begun, sequence=sequence)
        with state.replica.transaction() as transaction:
            write_restore(transaction, finished)
        state.replica.request_sync()
        return finished

    def _require_owner(self, actor: Actor, action: str) -> None:
        require_owner(actor, action, self._settings.owner)


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")
