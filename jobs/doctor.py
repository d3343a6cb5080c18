"""What is wrong with the saved log, and putting damaged entries back, without the app."""

from __future__ import annotations

import enum
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from jobs.authority import Actor
from jobs.clock import Clock
from jobs.configuration import Settings
from jobs.errors import EXPLAINED
from jobs.examination import examine
from jobs.findings import Examination, Finding, FindingLevel, Subject, problem_of, warning_of
from jobs.legacy_import import EXISTING_KEY, count_existing_predictions
from jobs.state import State as OpenState
from jobs.state import has_history, open_state
from jobs.work_folders import temporary_folder
from prediction_tracking import MIGRATIONS, REPLICATED_TABLES
from replica import (
    FileOwned,
    ObjectStore,
    Repair,
    Replica,
    ReplicaError,
    Status,
    StoreMode,
    kept_envelopes_of,
    write_newest,
)

__all__ = ["Patient", "Saved", "examine_all", "log_findings", "opened_for_repair"]


class Saved(enum.Enum):
    """What following the log would do to it."""

    CAN_BE_FOLLOWED = "nothing"
    NOT_BEGUN = "begin it"
    OF_AN_EARLIER_VERSION = "bring it up to this version"


class Patient:
    """This machine's file and the log in the store."""

    def __init__(self, state: OpenState, clock: Clock) -> None:
        self._replica = state.replica
        self._store = state.storage.store
        self._clock = clock

    @property
    def store(self) -> ObjectStore:
        """Where the log is."""
        return self._store

    def saved(self) -> Saved:
        """What there is to follow, found out without taking part. Raises ReplicaError.

        A file of this version followed a log of this version. Otherwise the log is read into a
        temporary folder first.
        """
        if self._replica.has_database:
            return Saved.CAN_BE_FOLLOWED
        with temporary_folder("read the log to") as folder:
            path = folder / "newest.db"
            if not write_newest(self._store, path, MIGRATIONS, REPLICATED_TABLES):
                # A file whose log is gone is a finding of its own: following says so.
                is_new = self._replica.status().sequence == 0
                return Saved.NOT_BEGUN if is_new else Saved.CAN_BE_FOLLOWED
            return Saved.CAN_BE_FOLLOWED if self._is_ours(path) else Saved.OF_AN_EARLIER_VERSION

    @property
    def note(self) -> str:
        """What opening this machine's file had to go around, for people; "" if nothing."""
        return self._replica.status().note

    def examine(self) -> Status:
        """Follow the log to its end and publish what is pending; what came of it.

        As the app does at its start: begins a log where there is none, and brings an earlier
        version's up to date. Ask `saved` first.
        """
        # What fails is in the status, with everything else.
        with suppress(ReplicaError):
            self._replica.restore()
            self._replica.sync_now()
        return self._replica.status()

    def _is_ours(self, path: Path) -> bool:
        """Whether a file has this version's schema."""
        copy = Replica(
            path,
            self._store,
            MIGRATIONS,
            tables=REPLICATED_TABLES,
            clock=self._clock,
            random=random.Random(),
        )
        try:
            return copy.has_database
        finally:
            copy.close(0.0)

    def repair(self, others: Sequence[Path]) -> tuple[Repair, ...]:
        """Put back every damaged or missing entry whose original bytes can be had.

        They are looked for in this machine's file, in `others` (files of other machines) and in
        the bucket's older versions. Raises ReplicaError, EntryRefused for an entry that is nowhere.
        """
        kept: dict[int, bytes] = {}
        for other in others:
            kept |= kept_envelopes_of(other)
        return self._replica.repair(kept)


@contextmanager
def opened_for_repair(settings: Settings, *, clock: Clock) -> Iterator[Patient]:
    """Take this machine's file for as long as the block runs. Raises JobError, ReplicaError."""
    state = open_state(
        settings, None, clock=clock, generator=random.Random(), on_logged=lambda _: None
    )
    try:
        yield Patient(state, clock)
    finally:
        state.close(0.0)


def examine_all(
    actor: Actor, settings: Settings, *, clock: Clock, randomness: random.Random
) -> Examination:
    """The settings, the store, and whether this machine can follow the log there.

    A store that cannot be reached is not asked for its log. No log is begun, and none is brought
    from an earlier version to this one: that is left to the app. Raises NotPermitted.
    """
    found = examine(actor, settings, randomness)
    if found.is_a_problem(Subject.SETTINGS) or found.is_a_problem(Subject.REACH):
        return found
    try:
        if not has_history(settings):
            nothing = Finding(Subject.LOG, FindingLevel.OK, "Nothing has been saved yet.")
            return found.joined([nothing])
        with opened_for_repair(settings, clock=clock) as patient:
            return found.joined(_log_of(patient, creates_once=found.creates_once))
    except FileOwned as error:
        meaning = "So the log was not followed; the app that runs says on its Sync page how it is."
        return found.joined([warning_of(Subject.LOG, error, meaning)])
    except EXPLAINED as error:
        # What was found before is worth no less for it.
        return found.joined([problem_of(Subject.LOG, error)])


def _log_of(patient: Patient, *, creates_once: bool | None) -> tuple[Finding, ...]:
    match patient.saved():
        case Saved.CAN_BE_FOLLOWED:
            return tuple(log_findings(patient.examine(), creates_once=creates_once))
        case Saved.NOT_BEGUN:
            return (_not_begun(patient.store), *_went_around(patient.note))
        case Saved.OF_AN_EARLIER_VERSION:
            earlier = Finding(
                Subject.LOG,
                FindingLevel.WARNING,
                "The log could be read to its end. It is of an earlier version of this app: to go "
                "on writing to it brings it up to this one for every copy, so that is left to the "
                "app.",
                "Start the app once, or run `python cli.py sync`; a backup is kept first.",
            )
            return (earlier, *_went_around(patient.note))


def _not_begun(store: ObjectStore) -> Finding:
    """A store without a log, with what a first start would take over."""
    with temporary_folder("read the log to") as folder:
        count = count_existing_predictions(store, folder)
    says = "No log has been begun here yet; the app begins one at its first start"
    if count is not None:
        noun = "prediction" if count == 1 else "predictions"
        says += f" and takes over {EXISTING_KEY}, {count:,} {noun} of an earlier app"
    return Finding(Subject.LOG, FindingLevel.OK, f"{says}.")


def log_findings(status: Status, *, creates_once: bool | None) -> Iterator[Finding]:
    """What a replica's own account says of the log, beside what was found out about its store."""
    state = status.state.value.replace("_", " ")
    far = (
        f"State: {state}. Followed to #{status.sequence}, {status.pending_transactions} waiting "
        "here."
    )
    if status.last_error is None:
        yield Finding(Subject.LOG, FindingLevel.OK, far)
    else:
        problem = problem_of(Subject.LOG, status.last_error)
        yield Finding(Subject.LOG, FindingLevel.PROBLEM, f"{far} {problem.says}", problem.fix)
    if status.mode == StoreMode.MULTI_WRITER.value and creates_once is False:
        yield Finding(
            Subject.LOG,
            FindingLevel.PROBLEM,
            "This log was begun for several writers, and its store does not keep them apart: they "
            "could overwrite each other's entries.",
            "Run one copy of the app only, and take the history to a store that creates only once.",
        )
    if status.mode == StoreMode.SINGLE_WRITER.value:
        yield Finding(
            Subject.LOG,
            FindingLevel.WARNING,
            "This log is written by one copy of the app at a time, as it was begun.",
            "Run one copy only.",
        )
    if status.conflicts:
        yield Finding(
            Subject.LOG,
            FindingLevel.OK,
            f"{status.conflicts} values gave way to another writer's; they are kept in "
            "sync_conflicts.",
        )
    yield from _went_around(status.note)


def _went_around(note: str) -> Iterator[Finding]:
    """A damaged snapshot, old ones that could not be deleted, a file that was set aside.

    The note holds the remedy where there is one.
    """
    if note:
        fix = (
            "Do what it says. Nothing that is in the log is lost by it: `python cli.py verify` "
            "reads all that is saved."
        )
        yield Finding(Subject.LOG, FindingLevel.WARNING, note, fix)
