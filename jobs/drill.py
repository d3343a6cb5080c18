"""The restore drill: a backup counts once it has been restored and compared with the log.

It only reads the bucket, and takes nothing from the database that is open, so it may run beside the
app and on any machine that has the settings.
"""

from __future__ import annotations

import calendar
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from jobs.authority import Actor, require_owner
from jobs.clock import Clock
from jobs.configuration import OwnerSettings
from jobs.drill_record import DrillOutcome, DrillRecord, DrillResult, DrillShelf, next_drill_at
from jobs.errors import EXPLAINED, NotReady
from jobs.rehearsal import (
    BackupDiffers,
    Copy,
    NoBackup,
    Rehearsal,
    earlier_copy,
    kept_backups,
    rehearse,
)
from jobs.saved import public_words
from replica import (
    Diverged,
    EntryRefused,
    Forked,
    LocalError,
    MigrationMismatch,
    MomentUnknown,
    SnapshotError,
)
from s3_storage import S3PredictionStorage

__all__ = ["DrillStopped", "Drills", "drill_folder"]

Progress = Callable[[float, str], None]

_DAMAGE: Final = (
    *(BackupDiffers, Diverged, EntryRefused, Forked, MigrationMismatch, MomentUnknown),
    SnapshotError,
)
# As often the log is played from its first entry, whatever has been proved before: what lies in
# the bucket untouched can be damaged too.
_WHOLE_LOG_EVERY: Final = timedelta(days=7)
_WHOLE_LOG_ON: Final = calendar.MONDAY


class DrillStopped(NotReady):
    """The app is closing, so the drill ends without an outcome."""


def drill_folder(database_path: Path) -> Path:
    """Where the record is kept: beside the state's working copy."""
    return database_path.parent / "drill"


class Drills:
    """The drills of one machine. `run` may be called from any thread; one runs at a time.

    `storage` gives the bucket, or raises NotReady; `folder` keeps the record; `owner` says who may
    start one by hand.
    """

    def __init__(
        self,
        storage: Callable[[], S3PredictionStorage],
        folder: Path,
        clock: Clock,
        owner: OwnerSettings,
    ) -> None:
        self._storage = storage
        self._shelf = DrillShelf(folder)
        self._clock = clock
        self._owner = owner
        self._started_at = clock()
        self._running = threading.Lock()
        self._stopping = threading.Event()
        self._progress: tuple[float, str] | None = None
        # Guards the two below; never held while a drill runs.
        self._guard = threading.Lock()
        self._record: DrillRecord | None = None
        self._trouble = ""

    @property
    def progress(self) -> tuple[float, str] | None:
        """How far a drill has come (0..1) and what it does; None while none runs."""
        return self._progress

    @property
    def record(self) -> DrillRecord:
        """What earlier drills found on this machine.

        Where its file cannot be read or written, what this process knows, with a note.
        """
        with self._guard:
            if self._record is None:
                self._record = self._read()
            notes = filter(None, (self._record.note, self._trouble))
            return replace(self._record, note=" ".join(notes))

    def is_due(self) -> bool:
        """Whether one should run now; another process's drills count."""
        with self._guard:
            self._record = self._read()
        now = self._clock()
        return now >= next_drill_at(self.record, self._started_at, now)

    def run_if_due(self) -> DrillOutcome | None:
        """Run one that is due, in this thread; None if none is, or one runs already.

        What keeps it from its end is in the outcome. Raises DrillStopped, NotReady.
        """
        if not self.is_due() or not self._running.acquire(blocking=False):
            return None
        try:
            return self._run(lambda share, words: None)
        finally:
            self._running.release()

    def run(self, actor: Actor, progress: Progress = lambda share, words: None) -> DrillOutcome:
        """Run one now and remember what it found; one that runs already is waited for.

        What keeps it from its end is in the outcome. Raises NotPermitted for anybody but the
        owner: a drill reads much of the bucket. DrillStopped, NotReady.
        """
        require_owner(actor, "run a restore drill", self._owner)
        with self._running:
            return self._run(progress)

    def stop(self) -> None:
        """Let a drill end before its next request, and begin none any more."""
        self._stopping.set()

    def _run(self, on_progress: Progress) -> DrillOutcome:
        def progress(share: float, words: str) -> None:
            if self._stopping.is_set():
                raise DrillStopped(
                    *("Restore drill", "backups", "The app is closing."),
                    "It is done when the app is back.",
                )
            self._progress = share, words
            on_progress(share, words)

        began_at, storage = self._clock(), self._storage()
        try:
            progress(0.0, "Looking for the newest backup")
            outcome, copy = self._drill(storage, began_at, progress)
        finally:
            self._progress = None
        self._remember(outcome, copy)
        return outcome

    def _drill(
        self, storage: S3PredictionStorage, began_at: datetime, progress: Progress
    ) -> tuple[DrillOutcome, Copy | None]:
        key = ""
        try:
            *earlier, key = kept_backups(storage)
            start = self._start(storage, earlier, began_at)
            try:
                found = rehearse(storage, key, start, progress)
            except (BackupDiffers, Diverged):
                if start is None:
                    raise
                # Perhaps it is the place to begin at that is wrong: the whole log decides.
                found = rehearse(storage, key, None, progress)
        except DrillStopped:
            raise
        except EXPLAINED as error:
            return self._failed(error, key, began_at), None
        return self._good(found, began_at), found.copy

    def _start(
        self, storage: S3PredictionStorage, earlier: Sequence[str], now: datetime
    ) -> Copy | None:
        """Where to begin playing the log; None for its first entry.

        At the copy that the last drill has proved. On a new disk at the backup before, if the
        catalogue notes it: where every redeploy wipes the disk, the whole log each time would cost
        more than all else.
        """
        if self._is_whole_log_due(now):
            return None
        good = self.record.last_good
        try:
            body = self._shelf.proven()
        except LocalError:
            # The copy only spares a way; what ails the folder is said when the outcome is kept.
            body = None
        if good is not None and body is not None:
            return Copy(good.sequence, body)
        return earlier_copy(storage, earlier[-1]) if earlier else None

    def _is_whole_log_due(self, now: datetime) -> bool:
        record = self.record
        age = now - (record.last_whole_at or record.since)
        if not timedelta(0) <= age < _WHOLE_LOG_EVERY:
            return True
        # A new disk does not know when that was: so one day of the week decides.
        return record.last_whole_at is None and now.weekday() == _WHOLE_LOG_ON

    def _good(self, found: Rehearsal, began_at: datetime) -> DrillOutcome:
        now = self._clock()
        return DrillOutcome(
            result=DrillResult.GOOD,
            finished_at=now,
            duration_seconds=_seconds(began_at, now),
            backup_key=found.key,
            sequence=found.sequence,
            tables=len(found.content.tables),
            rows=found.content.rows,
            sha256=found.content.sha256,
            played_from=found.played_from,
        )

    def _failed(self, error: Exception, key: str, began_at: datetime) -> DrillOutcome:
        now = self._clock()
        match error:
            case NoBackup():
                result = DrillResult.NO_BACKUP
            case _ if isinstance(error, _DAMAGE):
                result = DrillResult.DAMAGED
            case _:
                result = DrillResult.NOT_DONE
        return DrillOutcome(
            result=result,
            finished_at=now,
            duration_seconds=_seconds(began_at, now),
            backup_key=key,
            advice=_advice(error),
            problem=str(error),
        )

    def _read(self) -> DrillRecord:
        now = self._clock()
        try:
            record = self._shelf.read(now)
            if record.since == now:
                # Its age is told from the first look on.
                self._shelf.write(record)
        except LocalError as error:
            self._trouble = _unkept(error)
            return self._record or DrillRecord(since=now)
        self._trouble = ""
        return record

    def _remember(self, outcome: DrillOutcome, copy: Copy | None) -> None:
        with self._guard:
            # Another process may have drilled meanwhile, and its outcome counts too.
            self._record = self._read().with_outcome(outcome)
            try:
                if copy is not None:
                    self._shelf.keep_proven(copy.body)
                self._shelf.write(self._record)
            except LocalError as error:
                self._trouble = _unkept(error)


def _advice(error: Exception) -> str:
    """What anybody may read of an error."""
    match error:
        case BackupDiffers() | NoBackup():
            return f"{error.problem} {error.remedy}"
        case _:
            return public_words(error)


def _unkept(error: LocalError) -> str:
    return f"The record of the restore drills is not kept: {error}"


def _seconds(began_at: datetime, ended_at: datetime) -> float:
    # A clock may have been set back meanwhile.
    return max(0.0, (ended_at - began_at).total_seconds())
