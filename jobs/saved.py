"""Is the history saved? One line for everybody, and the details with remedies for the owner."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from jobs.drill_record import DrillRecord
from jobs.errors import ConfigurationError, NotReady
from jobs.preparation import Preparation
from jobs.standstill import Notice, counted, drill_standstill, span, sync_standstill
from nba.errors import NbaError
from replica import (
    AccessDenied,
    Diverged,
    Forked,
    LocalError,
    MigrationMismatch,
    ReplicaError,
    State,
    Status,
    StoreThrottled,
    StoreUnreachable,
)

__all__ = [
    "CLOCK_TOLERANCE_SECONDS",
    "Level",
    "SavedLine",
    "SavedState",
    "describe",
    "public_words",
]

CLOCK_TOLERANCE_SECONDS = 300.0

_ONE_WRITER = (
    "This store does not refuse to create what exists already, so two copies of the app that write "
    "at once could fork the history. Run one at a time, or use a store that does: see "
    "S3_SETUP_GUIDE.md."
)

# A folder's refusal names the folder instead.
_PERMISSION = re.compile(r"[a-z0-9]+:[A-Za-z]+")


class Level(enum.Enum):
    """How much a person should worry."""

    SAVED = "saved"
    WORKING = "working"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class SavedState:
    """The facts that the line follows from.

    Attributes:
        preparation: how far the start has come.
        status: the replica's own account, None before it is open.
        configuration_error: why the settings cannot be used.
        job_error: what failed in the last background tick outside the store.
        uses_folder: the store is a folder on this machine.
        is_deployed: strangers may be looking, and the machine may be wiped.
        now: this machine's clock (UTC), None where nothing can be late.
        timer_minutes: minutes between two background ticks, 0 where there are none.
        drill: what the restore drills found, None before the history is here.
    """

    preparation: Preparation
    status: Status | None
    configuration_error: ConfigurationError | None
    job_error: Exception | None
    uses_folder: bool
    is_deployed: bool
    now: datetime | None = None
    timer_minutes: float = 0.0
    drill: DrillRecord | None = None


@dataclass(frozen=True, slots=True)
class SavedLine:
    """What a screen shows.

    Attributes:
        level: how much to worry.
        headline: one short line that anybody may read; it names no bucket, host or key.
        advice: for everybody: what is wrong and what helps, without bucket, host or key.
        details: for the owner: facts, one a line.
        remedies: for the owner: the same as `advice` with operation and key.
        can_follow_store: the store's history is another, and the owner may follow it.
        can_start_anew: the store lost its history, and the owner may put this machine's there.
    """

    level: Level
    headline: str
    advice: tuple[str, ...] = ()
    details: tuple[str, ...] = ()
    remedies: tuple[str, ...] = ()
    can_follow_store: bool = False
    can_start_anew: bool = False


# By value: a reload of the code makes new enum members of the same meaning.
_ANOTHER_HISTORY = {State.ROLLED_BACK.value, State.FOREIGN_LOG.value}


def describe(saved: SavedState) -> SavedLine:
    """The line for these facts."""
    line = _core_line(saved)
    warnings = [*_warnings(saved), *_standstills(saved)]
    advice = [warning.advice for warning in warnings]
    remedies = [warning.remedy for warning in warnings]
    if saved.job_error is not None:
        failed = "A background job failed and is tried again: "
        advice.append(failed + public_words(saved.job_error))
        remedies.append(failed + _full(saved.job_error))
    if not advice:
        return line
    level = Level.WARNING if line.level in (Level.SAVED, Level.WORKING) else line.level
    return replace(
        line,
        level=level,
        advice=(*line.advice, *advice),
        remedies=(*line.remedies, *remedies),
    )


def _core_line(saved: SavedState) -> SavedLine:
    preparation = saved.preparation
    if saved.configuration_error is not None:
        return _problem("Not saved: the settings are incomplete", saved.configuration_error)
    if preparation.reference_error is not None:
        return _problem("Past seasons cannot be read", preparation.reference_error)
    if not preparation.state_ready and preparation.state_error is not None:
        return _problem("Not saved: the history cannot be reached", preparation.state_error)
    if not preparation.state_ready or saved.status is None:
        return SavedLine(Level.WORKING, "Restoring the history")
    return _status_line(saved.status, uses_folder=saved.uses_folder)


def _status_line(status: Status, *, uses_folder: bool) -> SavedLine:
    place = "a folder on this machine" if uses_folder else "S3"
    waiting = counted(status.pending_transactions, "write")
    level = Level.PROBLEM
    match status.state.value:
        case State.OK.value if status.sequence:
            level, headline = Level.SAVED, f"Saved to {place} as #{status.sequence}"
        case State.OK.value:
            level, headline = Level.SAVED, "Nothing to save yet"
        case State.PENDING.value:
            level, headline = Level.WORKING, f"Saving {waiting} to {place}"
        case State.OFFLINE.value if status.pending_transactions:
            headline = f"Not saved yet: {waiting} waiting, {_trouble(status.last_error, place)}"
        case State.OFFLINE.value:
            trouble = _trouble(status.last_error, place)
            level, headline = Level.WARNING, f"Saved, but {trouble}"
        case State.SINGLE_WRITER.value if status.last_error is not None:
            headline = f"Not saved yet: another copy of the app is writing, {waiting} waiting here"
        case State.SINGLE_WRITER.value:
            level = Level.WARNING
            headline = f"Saved to {place} as #{status.sequence}, for one copy of the app only"
        case State.HALTED.value if status.pending_transactions:
            headline = f"Not saved: {_obstacle(status.last_error)}, {waiting} waiting here"
        case State.HALTED.value:
            headline = f"Not saved any more: {_obstacle(status.last_error)}"
        case State.ROLLED_BACK.value:
            headline = "Not saved: the store lost what was saved before"
        case State.FOREIGN_LOG.value:
            headline = "Not saved: the store holds another history"
        case State.BEHIND_SCHEMA.value:
            headline = "Not saved: a newer version of the app wrote the history; update this one"
        case State.CLOSED.value | State.STARTING.value:
            level, headline = Level.WORKING, "Restarting"
        case _:
            headline = "Not saved: the store refuses"
    details = _details(status)
    if status.last_error is None:
        advice = (_ONE_WRITER,) if status.state.value == State.SINGLE_WRITER.value else ()
        return SavedLine(level, headline, advice=advice, details=details, remedies=advice)
    return replace(
        _problem(headline, status.last_error),
        level=level,
        details=details,
        can_follow_store=_can_follow(status),
        can_start_anew=status.state.value == State.ROLLED_BACK.value,
    )


def _obstacle(error: ReplicaError | None) -> str:
    match error:
        case Diverged():
            return "this machine's copy does not fit the saved log"
        case Forked():
            return "two copies of the app wrote the same entry of the log"
        case MigrationMismatch():
            return "another app wrote to the saved log"
        case _:
            return "the saved log is damaged"


def _can_follow(status: Status) -> bool:
    # A damaged log cannot be followed from anywhere: the entry has to be put back first.
    fits_no_more = isinstance(status.last_error, Diverged)
    return status.state.value in _ANOTHER_HISTORY or fits_no_more


def _trouble(error: ReplicaError | None, place: str) -> str:
    match error:
        case LocalError():
            return "this machine's disk makes trouble"
        case StoreUnreachable() | StoreThrottled():
            return f"{place} does not answer now"
        case _:
            return f"{place} refuses now"


def _problem(headline: str, error: Exception) -> SavedLine:
    return SavedLine(
        Level.PROBLEM, headline, advice=(public_words(error),), remedies=(_full(error),)
    )


def _full(error: Exception) -> str:
    return str(error) or repr(error)


def public_words(error: Exception) -> str:
    """What anybody may read of an error."""
    match error:
        case ConfigurationError():
            return str(error)
        case NbaError(operation=operation, remedy=remedy):
            return f"{operation} failed. {remedy.removesuffix('.')}."
        case NotReady(remedy=remedy):
            return f"This cannot be done yet. {remedy}"
        case AccessDenied(action=action) if _PERMISSION.fullmatch(action):
            return f"The store refused access: the key in use needs {action}."
        case AccessDenied():
            return "The store refused access. Let this app's user read and write its folder."
        case ReplicaError(summary=summary, standard_remedy=remedy):
            return f"{summary[:1].upper()}{summary[1:]}. {remedy}"
        case _:
            return "The owner sees the details after signing in."


def _details(status: Status) -> tuple[str, ...]:
    details = [f"Store: {status.location}", f"Log: #{status.sequence}"]
    if status.snapshot_sequence is not None:
        size = (
            f", {status.snapshot_size_bytes / 1000:,.0f} kB" if status.snapshot_size_bytes else ""
        )
        details.append(f"Snapshot: up to #{status.snapshot_sequence}{size}")
    waiting = f"Waiting: {counted(status.pending_transactions, 'write')}"
    if status.pending_transactions:
        waiting += f", {status.pending_bytes / 1000:,.1f} kB, for {span(status.lag_seconds)}"
    details.append(waiting)
    if status.writers:
        details.append(f"Writers seen lately: {len(status.writers)}")
    if status.conflicts:
        details.append(
            f"Conflicts: {counted(status.conflicts, 'value')} replaced by another writer's, kept "
            "in sync_conflicts"
        )
    if status.note:
        details.append(status.note)
    return tuple(details)


def _warnings(saved: SavedState) -> list[Notice]:
    """For everybody and for the owner in the same words."""
    warnings = []
    if saved.uses_folder and saved.is_deployed:
        warnings.append(
            "The history lives in a folder and will be lost with this machine. "
            "Set up a bucket: see S3_SETUP_GUIDE.md."
        )
    offset = None if saved.status is None else saved.status.clock_offset_seconds
    if offset is not None and abs(offset) > CLOCK_TOLERANCE_SECONDS:
        direction = "behind" if offset > 0 else "ahead of"
        warnings.append(
            f"This machine's clock is {span(abs(offset))} {direction} the store's, so the wrong "
            "slate may be shown. Set the clock; what counts as logged before tip-off is decided "
            "by the store's time."
        )
    return [Notice(words, words) for words in warnings]


def _standstills(saved: SavedState) -> Iterator[Notice]:
    if saved.now is None or not saved.preparation.state_ready:
        return
    if saved.status is not None:
        yield from sync_standstill(saved.status, saved.now, saved.timer_minutes)
    if saved.drill is not None:
        on_schedule = saved.timer_minutes > 0
        yield from drill_standstill(saved.drill, saved.now, on_schedule=on_schedule)
