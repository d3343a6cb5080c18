"""What a bucket costs: a list of prices, and arithmetic on what was used. Functions of values.

Whoever counts requests and bytes gives them as `Usage` and gets a `Bill`. Prices are list prices
without tax. Other regions of Amazon's are dearer, São Paulo's storage by three quarters.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final

__all__ = [
    "GIGABYTE",
    "MONTH",
    "S3",
    "Bill",
    "BillLine",
    "Operation",
    "Prices",
    "Usage",
    "Version",
    "bill_of",
    "stored_byte_months",
]

GIGABYTE: Final = 10**9
"""Amazon counts 2^30 bytes: a bill made with this one is up to 7% too high, never too low."""

MONTH: Final = timedelta(days=30)
"""What "a month" means where prices say so."""


class Operation(StrEnum):
    """What requests are billed as."""

    PUT = "PUT"
    LIST = "LIST"
    GET = "GET"
    DELETE = "DELETE"


@dataclass(frozen=True, slots=True)
class Usage:
    """What was used of a bucket.

    Attributes:
        requests: how many, by operation; refused ones and those that found nothing count too.
        stored_byte_months: bytes times the months that they were stored, older versions included.
        sent_bytes: content that went out of the store.
    """

    requests: Mapping[Operation, int] = field(default_factory=dict)
    stored_byte_months: float = 0.0
    sent_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Prices:
    """A service's list prices in US dollars.

    Attributes:
        name: service and region, for people.
        as_of: when they were looked up.
        per_thousand: of requests, by operation; what is missing is free.
        per_gigabyte_month: of storage.
        per_gigabyte_sent: of traffic out to the internet.
        free_gigabytes_sent: a month. Only what is free for ever; Amazon's credits for new accounts
            are not.
    """

    name: str
    as_of: date
    per_thousand: Mapping[Operation, float]
    per_gigabyte_month: float
    per_gigabyte_sent: float
    free_gigabytes_sent: float


@dataclass(frozen=True, slots=True)
class BillLine:
    """What one kind of use costs, in US dollars."""

    what: str
    usd: float


@dataclass(frozen=True, slots=True)
class Bill:
    """What a usage costs."""

    lines: tuple[BillLine, ...]

    @property
    def total_usd(self) -> float:
        """All lines together."""
        return sum(line.usd for line in self.lines)


@dataclass(frozen=True, slots=True)
class Version:
    """Content that was stored from one moment to another (None: it still is)."""

    size_bytes: int
    since: datetime
    until: datetime | None = None


S3: Final = Prices(
    name="Amazon S3, us-east-1",
    as_of=date(2026, 11, 1),
    per_thousand=MappingProxyType(
        {Operation.PUT: 0.005, Operation.LIST: 0.005, Operation.GET: 0.0004}
    ),
    per_gigabyte_month=0.023,
    per_gigabyte_sent=0.09,
    free_gigabytes_sent=100.0,
)


def bill_of(usage: Usage) -> Bill:
    """What a month's usage costs at `S3`."""
    lines = [
        BillLine(
            operation.value,
            usage.requests.get(operation, 0) * S3.per_thousand.get(operation, 0.0) / 1000,
        )
        for operation in Operation
    ]
    stored = usage.stored_byte_months / GIGABYTE
    lines.append(BillLine("storage", stored * S3.per_gigabyte_month))
    sent = max(0.0, usage.sent_bytes / GIGABYTE - S3.free_gigabytes_sent)
    lines.append(BillLine("traffic out", sent * S3.per_gigabyte_sent))
    return Bill(tuple(lines))


def stored_byte_months(versions: Iterable[Version], begin: datetime, end: datetime) -> float:
    """Bytes times months of what was stored between two moments, each month of 30 days."""
    total = 0.0
    for version in versions:
        until = end if version.until is None else min(version.until, end)
        stored_for = until - max(version.since, begin)
        if stored_for > timedelta(0):
            total += version.size_bytes * (stored_for / MONTH)
    return total
