"""What should have happened by itself and did not is said, to everybody and with its remedy."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from jobs.drill_record import DrillOutcome, DrillRecord, DrillResult
from jobs.preparation import Preparation
from jobs.saved import Level, describe
from jobs.standstill import drill_standstill, span, sync_standstill
from replica import State, Status, StoreUnreachable
from tests import saved_states
from tests.saved_states import NOW, OK

RUN_ONE = "Run one on the page Backups, or with `python cli.py drill`."
KEY = "backups/2026-11-18T18-00-00Z-daily.db.zst"
SAVED = replace(saved_states.SAVED, now=NOW, timer_minutes=5.0, drill=DrillRecord(since=NOW))


def ago(**duration: float) -> datetime:
    return NOW - timedelta(**duration)


def outcome(result: DrillResult, at: datetime) -> DrillOutcome:
    is_good = result is DrillResult.GOOD
    return DrillOutcome(
        result=result,
        finished_at=at,
        duration_seconds=1.0,
        backup_key=KEY,
        advice="" if is_good else "What it is. What helps.",
        problem="" if is_good else f"Could not restore {KEY}: what it is. What helps.",
    )


def record(*drills: tuple[DrillResult, datetime], since: datetime = NOW) -> DrillRecord:
    made = DrillRecord(since=since)
    for result, at in drills:
        made = made.with_outcome(outcome(result, at))
    return made


def advice(drill: DrillRecord, *, on_schedule: bool = True) -> list[str]:
    return [notice.advice for notice in drill_standstill(drill, NOW, on_schedule=on_schedule)]


GOOD, DAMAGED, NOT_DONE, NO_BACKUP = (
    *(DrillResult.GOOD, DrillResult.DAMAGED),
    *(DrillResult.NOT_DONE, DrillResult.NO_BACKUP),
)


@pytest.mark.parametrize(
    "drill",
    [
        record(),
        record(since=ago(days=2)),
        record((GOOD, ago(days=2))),
        record((GOOD, ago(days=1)), (NOT_DONE, ago(hours=1))),
        record((NO_BACKUP, ago(hours=1)), since=ago(days=1)),
        # The clock was ahead then.
        record((GOOD, NOW + timedelta(days=400))),
    ],
)
def test_within_two_days_nothing_is_said(drill: DrillRecord) -> None:
    assert advice(drill) == []


@pytest.mark.parametrize(
    ("drill", "words"),
    [
        (
            record(since=ago(days=3)),
            f"No backup has passed a restore drill on this machine, for 3 days now. {RUN_ONE}",
        ),
        (
            record((NO_BACKUP, ago(hours=1)), since=ago(days=3)),
            (
                "No backup has passed a restore drill on this machine, for 3 days now. "
                "What it is. What helps."
            ),
        ),
        (
            record((GOOD, ago(days=2, seconds=1))),
            f"The last good restore drill was 2 days ago. {RUN_ONE}",
        ),
        (
            record((GOOD, ago(days=5)), (NOT_DONE, ago(hours=1))),
            "The last good restore drill was 5 days ago. What it is. What helps.",
        ),
    ],
)
def test_a_drill_that_is_late(drill: DrillRecord, words: str) -> None:
    assert advice(drill) == [words]
    # Where nothing runs by itself, nothing is late.
    assert advice(drill, on_schedule=False) == []


@pytest.mark.parametrize("on_schedule", [True, False])
def test_a_backup_that_did_not_come_back_is_said_at_once(on_schedule: bool) -> None:
    drill = record((GOOD, ago(days=1)), (DAMAGED, ago(minutes=1)))
    [notice] = drill_standstill(drill, NOW, on_schedule=on_schedule)
    assert notice.advice == (
        "The newest backup did not pass its restore drill: What it is. What helps."
    )
    assert KEY in notice.remedy
    assert advice(record((DAMAGED, ago(hours=9)), (GOOD, ago(hours=1)))) == []


@pytest.mark.parametrize("later", [NOT_DONE, NO_BACKUP])
def test_what_was_found_damaged_is_said_until_a_good_drill(later: DrillResult) -> None:
    found = (DAMAGED, ago(hours=9))
    drill = record((GOOD, ago(days=1)), found, (later, ago(hours=3)), (later, ago(hours=2)))
    assert advice(drill) == [
        "The newest backup did not pass its restore drill: What it is. What helps."
    ]
    assert advice(drill.with_outcome(outcome(GOOD, ago(hours=1)))) == []
    # The newest finding counts.
    again = drill.with_outcome(outcome(DAMAGED, ago(hours=1)))
    assert again.last_damaged == again.last


def test_where_no_drill_was_good_yet_those_that_do_not_end_are_told_the_same_day() -> None:
    drill = record((NOT_DONE, ago(hours=1)), since=ago(hours=7))
    assert advice(drill) == [
        (
            "No backup has passed a restore drill on this machine, for 7 hours now. "
            "What it is. What helps."
        )
    ]
    assert advice(record((NOT_DONE, ago(hours=1)), since=ago(hours=6))) == []
    assert advice(record((GOOD, ago(days=1)), (NOT_DONE, ago(hours=1)), since=ago(days=9))) == []


def sync_words(status: Status, timer_minutes: float = 5.0) -> list[str]:
    return [notice.advice for notice in sync_standstill(status, NOW, timer_minutes)]


@pytest.mark.parametrize(
    ("changes", "timer_minutes"),
    [
        ({}, 5.0),
        ({"last_success_at": ago(minutes=30)}, 5.0),
        ({"last_success_at": ago(minutes=239)}, 60.0),
        ({"last_success_at": ago(days=9)}, 0.0),
        ({"last_success_at": None}, 5.0),
        ({"pending_transactions": 1, "lag_seconds": 1800.0}, 5.0),
    ],
)
def test_progress_within_a_few_rounds(changes: dict[str, object], timer_minutes: float) -> None:
    assert sync_words(replace(OK, **changes), timer_minutes) == []  # type: ignore[arg-type]


def test_a_log_that_is_not_reached() -> None:
    [words] = sync_words(replace(OK, last_success_at=ago(minutes=45)))
    assert words.startswith("Saving makes no progress: the log was last reached 45 minutes ago. ")
    assert sync_words(replace(OK, last_success_at=ago(minutes=241)), 60.0)


def test_writes_that_do_not_get_away() -> None:
    # The log answers, and still something waits.
    [words] = sync_words(replace(OK, pending_transactions=3, lag_seconds=7200.0))
    assert words.startswith("Saving makes no progress: 3 writes waiting for 2 hours. ")


def test_the_line_warns_and_tells_the_key_to_the_owner_alone() -> None:
    drill = record((DAMAGED, ago(minutes=1)))
    line = describe(replace(SAVED, drill=drill))
    assert (line.level, line.headline) == (Level.WARNING, "Saved to S3 as #41")
    assert KEY in " ".join(line.remedies)
    assert KEY not in " ".join(line.advice)


def test_both_are_said_beside_what_is_wrong() -> None:
    error = StoreUnreachable("get", "log/…")
    status = replace(OK, state=State.OFFLINE, last_error=error, last_success_at=ago(days=3))
    line = describe(replace(SAVED, status=status, drill=record(since=ago(days=3))))
    assert line.level is Level.WARNING
    assert [words.split(" ")[0] for words in line.advice] == ["The", "Saving", "No"]


def test_a_quiet_line_where_all_goes_on() -> None:
    assert describe(SAVED).level is Level.SAVED
    assert describe(replace(SAVED, now=None, drill=record(since=ago(days=9)))).advice == ()


def test_nothing_is_late_before_the_history_is_here() -> None:
    saved = replace(SAVED, preparation=Preparation(), drill=record(since=ago(days=9)))
    assert describe(saved).level is Level.WORKING


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        *((0, "0 minutes"), (60, "1 minute"), (89 * 60, "89 minutes"), (90 * 60, "2 hours")),
        *((47.4 * 3600, "47 hours"), (48 * 3600, "2 days"), (30 * 86400, "30 days")),
    ],
)
def test_lengths_of_time(seconds: float, words: str) -> None:
    assert span(seconds) == words
