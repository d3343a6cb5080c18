"""What the app is expected to use of its bucket: requests by what it does, bytes by what it stores.

An estimate from habits. Some of its numbers follow from how the app is made; others were taken from
a count of what the app did in a season that was played, and stand apart below: that a later count
agrees with the estimate says nothing new about those. `benchmarks/season_cost.py` holds the whole
beside a server's own count. Functions of values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from usage.cost import Operation, Usage, Version, stored_byte_months

__all__ = ["REQUESTS", "Deed", "Habits", "Sizes", "expected_usage"]

_PUT, _LIST, _GET = Operation.PUT, Operation.LIST, Operation.GET


class Deed(StrEnum):
    """What the app does that takes requests."""

    LOOK = "a look for news in the log"
    START = "a start on an empty disk"
    SOURCES = "a look at the NBA's servers"
    DOCUMENT = "a response that is kept"
    ENTRY = "a log entry"
    COPY = "a readable copy of a run"
    SNAPSHOT = "a snapshot"
    BACKUP = "a backup"
    DRILL = "a restore drill"
    ROW = "a row of what was used"
    STOCK = "a listing of all that is stored"


REQUESTS: Final[Mapping[Deed, Mapping[Operation, float]]] = MappingProxyType(
    {
        Deed.LOOK: {_GET: 1},
        # Counted. Log, copies and kept responses are listed; a snapshot, the entries behind it and
        # the responses since yesterday are read: how many depends on the evening.
        Deed.START: {_LIST: 7, _GET: 41},
        # What others have kept since, of each of two sources.
        Deed.SOURCES: {_LIST: 2},
        Deed.DOCUMENT: {_PUT: 1},
        # Before a claim the place in the log is looked at again.
        Deed.ENTRY: {_PUT: 1, _LIST: 1, _GET: 1},
        Deed.COPY: {_PUT: 1},
        # Under its number, under the fixed name, and the hint; then the old ones are looked for.
        Deed.SNAPSHOT: {_PUT: 3, _LIST: 1, _GET: 1, Operation.DELETE: 1},
        # It is read back, and those that are forgotten are deleted.
        Deed.BACKUP: {_PUT: 1, _LIST: 2, _GET: 1, Operation.DELETE: 1},
        # Two backups, and the entries of a few days, which are counted; on Mondays the whole log,
        # see `expected_usage`.
        Deed.DRILL: {_LIST: 2, _GET: 20},
        # A log entry like others.
        Deed.ROW: {_PUT: 1, _LIST: 1, _GET: 1},
        Deed.STOCK: {_LIST: 1},
    }
)
"""Requests of one deed. They follow from the code, but for those of START and the GETs of DRILL."""


def _daily_deeds() -> Mapping[Deed, float]:
    # From the code and the habits: a look every five minutes, one redeploy and two daily jobs, a
    # slate logged and revised on the 170 nights of 184 days, a backup and a drill a day.
    made = {
        Deed.LOOK: 288.0,
        Deed.START: 3.0,
        Deed.COPY: 1.85,
        Deed.BACKUP: 1.0,
        Deed.DRILL: 1.0,
        # Every six hours, when a day is over, with the listing and at each process's end.
        Deed.ROW: 8.0,
        Deed.STOCK: 1.0,
    }
    # Taken from a count.
    counted = {
        Deed.SOURCES: 13.0,
        Deed.DOCUMENT: 25.0,
        Deed.ENTRY: 8.5,
        Deed.SNAPSHOT: 1.1,
    }
    return MappingProxyType(made | counted)


@dataclass(frozen=True, slots=True)
class Habits:
    """How the app is used on a day of the season, on average.

    What stands here is one copy awake around the clock that looks every five minutes, a daily job
    that runs twice, and seven or eight games an evening, each slate logged and revised once.

    Attributes:
        deeds: how often each is done a day.
        old_versions_days: how long a versioned bucket keeps what was overwritten or deleted; None
            for ever.
    """

    deeds: Mapping[Deed, float] = field(default_factory=_daily_deeds)
    old_versions_days: int | None = 30


@dataclass(frozen=True, slots=True)
class Sizes:
    """How large things are, in bytes, compressed as they are stored; all of it was counted.

    Attributes:
        database_growth: by how much a snapshot or backup of one day is larger than the day
            before's.
    """

    entry: int = 5_300
    row: int = 600
    document: int = 5_300
    copy: int = 262_000
    database_growth: int = 30_000


def expected_usage(habits: Habits, sizes: Sizes, first_day: int, last_day: int) -> Usage:
    """What some days of a season use, both inclusive; the season's first day is 1.

    Everything that was stored before is counted as long as it is there. Traffic out is that of
    starts and drills: a snapshot each, or two backups.
    """
    if not 1 <= first_day <= last_day:
        raise ValueError(f"not days of a season: {first_day} to {last_day}")
    days = range(first_day, last_day + 1)
    requests: dict[Operation, float] = {}
    for deed, times in habits.deeds.items():
        for operation, each in REQUESTS[deed].items():
            requests[operation] = requests.get(operation, 0.0) + times * each * len(days)
    entries = habits.deeds.get(Deed.ENTRY, 0.0) + habits.deeds.get(Deed.ROW, 0.0)
    # One drill a week reads every entry that there is by then.
    whole_logs = habits.deeds.get(Deed.DRILL, 0.0) / 7 * sum(entries * day for day in days)
    requests[_GET] = requests.get(_GET, 0.0) + whole_logs
    # A start lists every response that is kept, a thousand to a request.
    documents = habits.deeds.get(Deed.DOCUMENT, 0.0)
    pages = habits.deeds.get(Deed.START, 0.0) * documents / 1000
    # And the listing of the day everything.
    lasting = documents + entries + habits.deeds.get(Deed.COPY, 0.0)
    pages += habits.deeds.get(Deed.STOCK, 0.0) * lasting / 1000
    requests[_LIST] = requests.get(_LIST, 0.0) + sum(pages * day for day in days)
    restored = habits.deeds.get(Deed.START, 0.0) + 2 * habits.deeds.get(Deed.DRILL, 0.0)
    versions = [one for day in range(1, last_day + 1) for one in _stored_on(day, habits, sizes)]
    return Usage(
        {operation: round(count) for operation, count in requests.items()},
        stored_byte_months(versions, _morning_of(first_day), _morning_of(last_day + 1)),
        round(sum(sizes.database_growth * day * restored for day in days)),
    )


def _stored_on(day: int, habits: Habits, sizes: Sizes) -> Iterator[Version]:
    """What is put there on a day of the season, and until when it is paid for."""
    at, deeds = _morning_of(day), habits.deeds
    lasting = (
        deeds.get(Deed.ENTRY, 0.0) * sizes.entry
        + deeds.get(Deed.ROW, 0.0) * sizes.row
        + deeds.get(Deed.DOCUMENT, 0.0) * sizes.document
        + deeds.get(Deed.COPY, 0.0) * sizes.copy
    )
    yield Version(round(lasting), at)
    database = sizes.database_growth * day
    # Under its number and under the fixed name; the next one replaces it.
    twice = round(2 * database * deeds.get(Deed.SNAPSHOT, 0.0))
    yield Version(twice, at, _gone(at, 1, habits))
    backups = round(database * deeds.get(Deed.BACKUP, 0.0))
    yield Version(backups, at, _gone(at, _backup_days(day), habits))


def _backup_days(day: int) -> int:
    """How many days retention keeps a day's backup: seven, if it is not a week's or a month's."""
    if day % 30 == 0:
        return 365
    return 28 if day % 7 == 0 else 8


def _gone(at: datetime, current_days: int, habits: Habits) -> datetime | None:
    if habits.old_versions_days is None:
        return None
    return at + timedelta(days=current_days + habits.old_versions_days)


def _morning_of(day: int) -> datetime:
    return datetime(2000, 1, 1, tzinfo=UTC) + timedelta(days=day)
