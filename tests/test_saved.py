"""The saved line: true in every state, with a remedy, and without a word that helps a stranger."""

from __future__ import annotations

import inspect
import itertools
from dataclasses import replace

import pytest

import replica
from jobs.errors import ConfigurationError
from jobs.preparation import Preparation
from jobs.saved import Level, SavedState, describe
from nba.errors import ReferenceNotWritten
from replica import (
    AccessDenied,
    DiskFull,
    Diverged,
    EntryRefused,
    ForeignLog,
    Forked,
    LeaseHeld,
    MigrationMismatch,
    NewerSchema,
    ReplicaError,
    RolledBack,
    State,
    StoreThrottled,
    StoreUnreachable,
    Writer,
)
from tests.saved_states import BUCKET, NOW, OK, READY, SAVED
from tracking.errors import NotAnExistingDatabase

# What an error may carry and a stranger must not learn.
KEY, HOST, ADDRESS, PATH = (
    "AKIAABCDEFGHIJKLMNOP",
    "internal.example.com",
    "10.11.12.13",
    "/srv/someone/state",
)
PRIVATE = (BUCKET, KEY, HOST, ADDRESS, PATH)
DETAIL = f"s3://{BUCKET} with {KEY} at https://{HOST} ({ADDRESS}) in {PATH}"

ERRORS = sorted(
    {
        kind
        for _, kind in inspect.getmembers(replica, inspect.isclass)
        if issubclass(kind, ReplicaError)
    },
    key=lambda kind: kind.__name__,
)


def telling(kind: type[ReplicaError]) -> ReplicaError:
    """An error of this type that carries all that it could."""
    if kind is AccessDenied:
        return AccessDenied("put", PATH, "s3:PutObject", f"Look at {DETAIL}.", DETAIL)
    return kind("put", f"{BUCKET}{PATH}", f"Look at {DETAIL}.", DETAIL)


def with_status(**changes: object) -> SavedState:
    return replace(SAVED, status=replace(OK, **changes))  # type: ignore[arg-type]


def waiting(number: int) -> SavedState:
    return with_status(state=State.PENDING, pending_transactions=number)


def test_everything_saved() -> None:
    line = describe(SAVED)
    assert (line.level, line.headline) == (Level.SAVED, "Saved to S3 as #41")
    assert (line.advice, line.remedies) == ((), ())
    assert line.details == (
        "Store: s3://my-private-bucket/predictions/",
        "Log: #41",
        "Snapshot: up to #38, 123 kB",
        "Waiting: 0 writes",
        "Writers seen lately: 1",
    )
    assert not line.can_follow_store
    assert not line.can_start_anew


def test_the_owner_sees_what_waits_who_writes_and_what_gave_way() -> None:
    line = describe(
        with_status(
            state=State.PENDING,
            pending_transactions=2,
            pending_bytes=34_567,
            lag_seconds=600.0,
            conflicts=1,
            writers=(Writer("1" * 16, 41, NOW), Writer("2" * 16, 40, NOW)),
            note="Old snapshots cannot be deleted.",
            snapshot_sequence=None,
        )
    )
    assert line.details == (
        "Store: s3://my-private-bucket/predictions/",
        "Log: #41",
        "Waiting: 2 writes, 34.6 kB, for 10 minutes",
        "Writers seen lately: 2",
        "Conflicts: 1 value replaced by another writer's, kept in sync_conflicts",
        "Old snapshots cannot be deleted.",
    )


def test_nothing_written_yet() -> None:
    line = describe(with_status(sequence=0, snapshot_size_bytes=None))
    assert (line.level, line.headline) == (Level.SAVED, "Nothing to save yet")


@pytest.mark.parametrize(("number", "words"), [(1, "1 write"), (2, "2 writes")])
def test_what_is_on_its_way_is_counted(number: int, words: str) -> None:
    line = describe(waiting(number))
    assert (line.level, line.headline) == (Level.WORKING, f"Saving {words} to S3")


@pytest.mark.parametrize(
    ("error", "pending", "level", "headline"),
    [
        (StoreUnreachable, 0, Level.WARNING, "Saved, but S3 does not answer now"),
        (StoreThrottled, 0, Level.WARNING, "Saved, but S3 does not answer now"),
        (StoreUnreachable, 1, Level.PROBLEM, "1 write waiting, S3 does not answer now"),
        (AccessDenied, 2, Level.PROBLEM, "2 writes waiting, S3 refuses now"),
        (DiskFull, 1, Level.PROBLEM, "1 write waiting, this machine's disk makes trouble"),
    ],
)
def test_an_outage_says_whose_it_is(
    error: type[ReplicaError], pending: int, level: Level, headline: str
) -> None:
    saved = with_status(
        state=State.OFFLINE, pending_transactions=pending, last_error=telling(error)
    )
    line = describe(saved)
    assert line.level is level
    assert headline in line.headline
    assert line.remedies


@pytest.mark.parametrize(
    ("state", "error", "words"),
    [
        (State.HALTED, EntryRefused, "the saved log is damaged, 1 write waiting"),
        (State.HALTED, Diverged, "this machine's copy does not fit the saved log, 1 write waiting"),
        (State.HALTED, Forked, "two copies of the app wrote the same entry of the log, 1 write"),
        (State.HALTED, MigrationMismatch, "another app wrote to the saved log, 1 write waiting"),
        (State.ROLLED_BACK, RolledBack, "the store lost what was saved before"),
        (State.FOREIGN_LOG, ForeignLog, "the store holds another history"),
        (State.BEHIND_SCHEMA, NewerSchema, "a newer version of the app"),
        (State.STOPPED, AccessDenied, "the store refuses"),
    ],
)
def test_a_standstill_says_why(state: State, error: type[ReplicaError], words: str) -> None:
    saved = with_status(state=state, pending_transactions=1, last_error=telling(error))
    line = describe(saved)
    assert line.level is Level.PROBLEM
    assert line.headline.startswith("Not saved: ")
    assert words in line.headline
    assert line.can_follow_store == (error in (Diverged, RolledBack, ForeignLog))
    assert line.can_start_anew == (state is State.ROLLED_BACK)


def test_a_damaged_log_with_nothing_waiting() -> None:
    line = describe(with_status(state=State.HALTED, last_error=EntryRefused("read", "log/7")))
    assert line.level is Level.PROBLEM
    assert line.headline == "Not saved any more: the saved log is damaged"
    assert "doctor --repair" in line.advice[0]


def test_a_store_for_one_writer_says_so() -> None:
    line = describe(with_status(state=State.SINGLE_WRITER, mode="single_writer"))
    assert (line.level, line.headline) == (
        Level.WARNING,
        "Saved to S3 as #41, for one copy of the app only",
    )
    assert "could fork the history" in line.advice[0]
    assert line.advice == line.remedies


def test_another_copy_holds_a_store_for_one_writer() -> None:
    line = describe(
        with_status(
            state=State.SINGLE_WRITER,
            mode="single_writer",
            pending_transactions=1,
            last_error=LeaseHeld("publish", "lease.json"),
        )
    )
    assert line.level is Level.PROBLEM
    assert line.headline == (
        "Not saved yet: another copy of the app is writing, 1 write waiting here"
    )
    assert "Stop the other process" in line.advice[0]
    assert not line.can_follow_store


@pytest.mark.parametrize("state", [State.STARTING, State.CLOSED])
def test_a_restart_is_no_problem(state: State) -> None:
    assert describe(with_status(state=state)).level is Level.WORKING


def test_a_folder_is_called_one() -> None:
    line = describe(replace(SAVED, uses_folder=True, is_deployed=False))
    assert (line.level, line.headline) == (Level.SAVED, "Saved to a folder on this machine as #41")


def test_a_folder_in_a_deployment_warns_that_it_will_be_lost() -> None:
    line = describe(replace(SAVED, uses_folder=True))
    assert line.level is Level.WARNING
    assert "will be lost with this machine" in line.advice[0]
    assert "S3_SETUP_GUIDE.md" in line.remedies[0]


def test_a_warning_does_not_hide_a_problem() -> None:
    saved = with_status(state=State.STOPPED, last_error=telling(AccessDenied))
    line = describe(replace(saved, uses_folder=True))
    assert line.level is Level.PROBLEM
    assert len(line.advice) == 2


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (301, "5 minutes behind the store's"),
        (-301, "5 minutes ahead of the store's"),
        (3600, "60 minutes behind the store's"),
        (-3600, "60 minutes ahead of the store's"),
        (86_400, "24 hours behind the store's"),
        (-86_400, "24 hours ahead of the store's"),
        (3 * 86_400, "3 days behind the store's"),
    ],
)
def test_a_wrong_clock_is_told_with_its_direction(seconds: float, words: str) -> None:
    line = describe(with_status(clock_offset_seconds=seconds))
    assert line.level is Level.WARNING
    assert words in line.advice[0]
    assert "Set the clock" in line.remedies[0]


@pytest.mark.parametrize("seconds", [None, 0.0, 299.0, -299.0])
def test_a_clock_that_is_nearly_right_is_not_mentioned(seconds: float | None) -> None:
    assert describe(with_status(clock_offset_seconds=seconds)).level is Level.SAVED


def test_settings_that_cannot_be_used_come_first() -> None:
    error = ConfigurationError("read the secrets", "[aws]", "Missing: region.", "Fill it in.")
    line = describe(replace(SAVED, configuration_error=error))
    assert (line.level, line.headline) == (
        Level.PROBLEM,
        "Not saved: the settings are incomplete",
    )
    assert line.advice == line.remedies == (str(error),)


def test_past_seasons_that_cannot_be_read() -> None:
    error = ReferenceNotWritten(
        "Building the reference", "reference.db", f"no room in {PATH}", "Free about 100 MB there"
    )
    line = describe(replace(SAVED, preparation=Preparation(reference_error=error)))
    assert line.level is Level.PROBLEM
    assert line.advice == ("Building the reference failed. Free about 100 MB there.",)
    assert line.remedies == (str(error),)


def test_a_history_that_is_out_of_reach_and_one_that_is_on_its_way() -> None:
    restoring = replace(SAVED, preparation=Preparation(reference_ready=True), status=None)
    assert describe(restoring).level is Level.WORKING
    error = telling(StoreUnreachable)
    away = replace(restoring, preparation=replace(restoring.preparation, state_error=error))
    line = describe(away)
    assert line.level is Level.PROBLEM
    assert line.headline == "Not saved: the history cannot be reached"
    assert line.remedies == (str(error),)


def test_a_background_job_that_failed_is_mentioned() -> None:
    line = describe(replace(SAVED, job_error=telling(DiskFull)))
    assert line.level is Level.WARNING
    assert "The disk is full. Free some space" in line.advice[0]


@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.__name__)
def test_no_error_tells_a_stranger_where_the_data_are(kind: type[ReplicaError]) -> None:
    error = telling(kind)
    assert len(ERRORS) > 25
    not_ready = replace(READY, state_ready=False, state_error=error)
    lines = [
        describe(replace(SAVED, preparation=not_ready)),
        describe(replace(SAVED, job_error=error)),
        *(
            describe(with_status(state=state, pending_transactions=pending, last_error=error))
            for state, pending in itertools.product(State, (0, 3))
        ),
    ]
    for line in lines:
        public = " ".join([line.headline, *line.advice])
        assert [word for word in PRIVATE if word in public] == []
        assert line.advice, "everybody learns what is wrong"
        assert line.remedies, "the owner learns what to do"
    assert any(str(error) in line.remedies for line in lines)


def test_a_refusing_folder_is_not_named() -> None:
    error = AccessDenied("put", "snapshots/1", f"write access to {PATH}")
    line = describe(with_status(state=State.STOPPED, last_error=error))
    assert PATH not in " ".join(line.advice)
    assert line.advice[0].endswith(".")
    assert PATH in line.remedies[0]


def test_a_missing_permission_is_named_to_everybody() -> None:
    error = AccessDenied("put", KEY, "s3:PutObject")
    line = describe(with_status(state=State.STOPPED, last_error=error))
    assert line.advice == ("The store refused access: the key in use needs s3:PutObject.",)


def test_what_is_not_understood_is_for_the_owner_only() -> None:
    error = NotAnExistingDatabase("import", f"{BUCKET}/nba_stats.db", "no database", "Move it.")
    line = describe(replace(SAVED, preparation=Preparation(state_error=error)))
    assert BUCKET not in " ".join([line.headline, *line.advice])
    assert line.remedies == (str(error),)
    silent = describe(replace(SAVED, preparation=Preparation(state_error=RuntimeError())))
    assert silent.remedies == ("RuntimeError()",)
