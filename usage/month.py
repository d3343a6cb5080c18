"""The bill of a month that is not over: what it came to so far, and where it leads. Values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from usage.cost import GIGABYTE, S3, Bill, Operation, Usage, bill_of
from usage.counting import PARTS, Counts
from usage.days import UsageDay
from usage.storage import Storage, Stored, byte_months, credible

__all__ = ["Month", "PartCost", "month_of"]

_LEAST_COUNTED: Final = timedelta(days=1)
"""Before that a start's burst of requests would stand for a month."""


@dataclass(frozen=True, slots=True)
class PartCost:
    """What one part of the app costs in the month so far, in US dollars.

    Attributes:
        part: one of `usage.counting.PARTS`.
        requests: how many, by operation.
        requests_usd: by operation.
        stored: what lies there by the newest listing.
        storage_usd: what storage has cost, its share by the newest listing.
    """

    part: str
    requests: Mapping[Operation, int]
    requests_usd: Mapping[Operation, float]
    stored: Stored
    storage_usd: float

    @property
    def total_usd(self) -> float:
        """Requests and storage; what goes out to the internet is the bill's own line."""
        return sum(self.requests_usd.values()) + self.storage_usd


@dataclass(frozen=True, slots=True)
class Month:
    """A calendar month (UTC) up to a moment.

    Attributes:
        first_day: the month's first.
        counted_since: the first moment of it that was counted; None if nothing was.
        usage, bill: of the month so far.
        projected: what the whole month will cost at this rate, None before a day was counted.
        counts: all requests of the month so far.
        parts: what each part costs, those with anything at all.
    """

    first_day: date
    counted_since: datetime | None
    usage: Usage
    bill: Bill
    projected: Bill | None
    counts: Counts
    parts: tuple[PartCost, ...]


def month_of(days: Sequence[UsageDay], listings: Sequence[Storage], now: datetime) -> Month:
    """The month of `now` (UTC), from all days and listings that are known.

    Requests and traffic go on as they did since the first that was counted; storage stays as it
    was listed last. A month that was counted only in part is not completed backwards.
    """
    listings = credible(listings, now)
    first = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    after = (first + timedelta(days=32)).replace(day=1)
    of_month = [one for one in days if first.date() <= one.day <= now.date()]
    counted_since = min((one.since for one in of_month), default=None)
    counts = Counts.together(one.counts for one in of_month)
    begin = max(first, _storage_since(days, listings, first))
    # A clock that was set back does not make it negative.
    until_now = byte_months(listings, begin, max(begin, now))
    usage = _usage(counts, until_now)
    newest = max(listings, key=lambda one: one.at, default=None)
    return Month(
        first_day=first.date(),
        counted_since=counted_since,
        usage=usage,
        bill=bill_of(usage),
        projected=_projected(usage, counted_since, newest, now, after),
        counts=counts,
        parts=tuple(_parts(counts, newest, until_now)),
    )


def _storage_since(
    days: Sequence[UsageDay], listings: Sequence[Storage], first: datetime
) -> datetime:
    """Since when something is known to lie there; it may have lain there longer."""
    known = [one.since for one in days] + [one.at for one in listings]
    return min(known, default=first)


def _usage(counts: Counts, stored_byte_months: float) -> Usage:
    return Usage(
        {operation: counts.requests(operation) for operation in Operation},
        stored_byte_months,
        counts.total.received_bytes,
    )


def _projected(
    usage: Usage,
    counted_since: datetime | None,
    newest: Storage | None,
    now: datetime,
    after: datetime,
) -> Bill | None:
    if counted_since is None or now - counted_since < _LEAST_COUNTED:
        return None
    share = (after - now) / (now - counted_since)
    to_come = 0.0 if newest is None else byte_months([newest], now, after)
    return bill_of(
        Usage(
            {name: round(count * (1 + share)) for name, count in usage.requests.items()},
            usage.stored_byte_months + to_come,
            round(usage.sent_bytes * (1 + share)),
        )
    )


def _parts(counts: Counts, newest: Storage | None, stored_byte_months: float) -> list[PartCost]:
    """Dearest first."""
    listed = {} if newest is None else newest.parts
    all_bytes = sum(one.total_bytes for one in listed.values())
    storage_usd = stored_byte_months / GIGABYTE * S3.per_gigabyte_month
    found = []
    for part in PARTS:
        requests = {kind: counts.tally(part, kind).requests for kind in Operation}
        stored = listed.get(part, Stored())
        if any(requests.values()) or stored != Stored():
            usd = {
                kind: count * S3.per_thousand.get(kind, 0.0) / 1000
                for kind, count in requests.items()
            }
            share = stored.total_bytes / all_bytes if all_bytes else 0.0
            found.append(PartCost(part, requests, usd, stored, storage_usd * share))
    return sorted(found, key=lambda one: -one.total_usd)
