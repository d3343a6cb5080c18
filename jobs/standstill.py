"""What should have happened by itself and did not: a restore drill, a look at the log."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from jobs.drill_record import DrillRecord, DrillResult
from replica import Status

__all__ = ["Notice", "counted", "drill_standstill", "span", "sync_standstill"]

_DRILL_IS_OLD: Final = timedelta(days=2)
# Where each redeploy wipes the disk, two days would begin anew each time.
_FIRST_FAILS: Final = timedelta(hours=6)
_LEAST_PATIENCE: Final = timedelta(minutes=30)
_TICKS_OF_PATIENCE: Final = 4
_RUN_ONE: Final = "Run one on the page Backups, or with `python cli.py drill`."


@dataclass(frozen=True, slots=True)
class Notice:
    """One warning: `advice` is for everybody, `remedy` for the owner, with operation and key."""

    advice: str
    remedy: str


def drill_standstill(record: DrillRecord, now: datetime, *, on_schedule: bool) -> Iterator[Notice]:
    """A backup that did not come back as it should, or no good drill for two days.

    On a machine that knows of no good one yet, drills that come to no end are told after hours.

    `on_schedule` says whether drills run by themselves here: where nothing does, nothing is late.
    """
    last, good, damaged = record.last, record.last_good, record.last_damaged
    if damaged is not None:
        failed = "The newest backup did not pass its restore drill: "
        yield Notice(failed + damaged.advice, failed + damaged.problem)
        return
    since = record.since if good is None else good.finished_at
    fails = last is not None and last.result.value == DrillResult.NOT_DONE.value
    patience = _FIRST_FAILS if fails and good is None else _DRILL_IS_OLD
    if not on_schedule or now - since <= patience:
        return
    age = span((now - since).total_seconds())
    late = (
        f"No backup has passed a restore drill on this machine, for {age} now."
        if good is None
        else f"The last good restore drill was {age} ago."
    )
    if last is None or last.is_good:
        words = f"{late} {_RUN_ONE}"
        yield Notice(words, words)
    else:
        yield Notice(f"{late} {last.advice}", f"{late} {last.problem}")


def sync_standstill(status: Status, now: datetime, timer_minutes: float) -> Iterator[Notice]:
    """Nothing has reached the log, or come from it, for several rounds of the timer."""
    if timer_minutes <= 0 or status.last_success_at is None:
        return
    patience = max(_LEAST_PATIENCE, _TICKS_OF_PATIENCE * timedelta(minutes=timer_minutes))
    unreached, waiting = now - status.last_success_at, timedelta(seconds=status.lag_seconds)
    if unreached > patience:
        what = f"the log was last reached {span(unreached.total_seconds())} ago"
    elif waiting > patience:
        writes = counted(status.pending_transactions, "write")
        what = f"{writes} waiting for {span(waiting.total_seconds())}"
    else:
        return
    words = (
        f"Saving makes no progress: {what}. Press Sync now on the page Sync; if that does not "
        "help, restart the app."
    )
    yield Notice(words, words)


def span(seconds: float) -> str:
    """A length of time in words: 45 minutes, 3 hours, 2 days."""
    minutes = round(seconds / 60)
    if minutes < 90:
        return counted(minutes, "minute")
    hours = round(seconds / 3600)
    return counted(hours, "hour") if hours < 48 else counted(round(hours / 24), "day")


def counted(number: int, noun: str) -> str:
    """1 write, 2 writes."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
