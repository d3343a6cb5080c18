"""Requests counted by what they were for, bytes and answering times beside them. Values, no I/O.

What is counted stays small: one tally for each part of the bucket and kind of request, and a
histogram of times for each kind.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import astuple, dataclass, field
from typing import Any, Final

from usage.cost import Operation

__all__ = [
    "PARTS",
    "Counts",
    "Latency",
    "Tally",
    "billed_as",
    "part_of",
]

PARTS: Final = ("log", "snapshots", "backups", "csv", "bronze", "exports", "images", "other")
"""The parts of the app by the first folder of their keys."""

_OTHER: Final = "other"

# The newest snapshot once more, under a name that people find, and the hint of it.
_SNAPSHOTS_TOO: Final = ("nba_stats.db.zst", "head.json")

_BILLED_AS: Final[Mapping[str, Operation]] = {
    **dict.fromkeys(
        (
            *("PutObject", "CopyObject", "PostObject", "RestoreObject"),
            *("CreateMultipartUpload", "UploadPart", "UploadPartCopy", "CompleteMultipartUpload"),
        ),
        Operation.PUT,
    ),
    **dict.fromkeys(
        (
            *("ListObjects", "ListObjectsV2", "ListObjectVersions", "ListBuckets"),
            *("ListMultipartUploads", "ListParts"),
        ),
        Operation.LIST,
    ),
    **dict.fromkeys(("DeleteObject", "DeleteObjects", "AbortMultipartUpload"), Operation.DELETE),
}

# Each bound of the histogram is so many times the one before; the first is a millisecond.
_STEP: Final = 1.15


def billed_as(operation: str) -> Operation:
    """What a request is billed as, by S3's own name of it: what is not listed counts as a GET."""
    return _BILLED_AS.get(operation, Operation.GET)


def part_of(key: str, prefix: str = "") -> str:
    """The one of PARTS that a full key belongs to; `prefix` is what all keys of the app begin with.

    A listing's prefix will do as well.
    """
    own = prefix.strip("/")
    name = key.removeprefix(f"{own}/") if own else key
    first = name.partition("/")[0]
    if name in _SNAPSHOTS_TOO:
        return "snapshots"
    return first if first in PARTS else _OTHER


@dataclass(frozen=True, slots=True)
class Tally:
    """How much there was of one kind of request.

    Attributes:
        requests: all of them; what follows are parts of it.
        refused: answered with an HTTP status of 400 or more: a look for news that are not there
            is among them.
        unanswered: the store may have got them or not.
        sent_bytes, received_bytes: content that went up to the store, and came down.
    """

    requests: int = 0
    refused: int = 0
    unanswered: int = 0
    sent_bytes: int = 0
    received_bytes: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.requests + other.requests,
            self.refused + other.refused,
            self.unanswered + other.unanswered,
            self.sent_bytes + other.sent_bytes,
            self.received_bytes + other.received_bytes,
        )


@dataclass(slots=True)
class Latency:
    """A histogram of seconds: bucket n holds what took up to 1.15^n milliseconds."""

    buckets: dict[int, int] = field(default_factory=dict)

    def add(self, seconds: float) -> None:
        """Count one answer."""
        milliseconds = seconds * 1000
        bucket = 0 if milliseconds <= 1 else math.ceil(math.log(milliseconds, _STEP))
        self.buckets[bucket] = self.buckets.get(bucket, 0) + 1

    def merge(self, other: Latency) -> None:
        """Add another's answers to these."""
        for bucket, count in other.buckets.items():
            self.buckets[bucket] = self.buckets.get(bucket, 0) + count

    @property
    def answers(self) -> int:
        """How many were counted."""
        return sum(self.buckets.values())

    def within_seconds(self, share: float) -> float | None:
        """The time within which this share (0 to 1) of the answers began; None without answers.

        Up to 15% too high, never too low; a millisecond at least.
        """
        wanted, found = share * self.answers, 0
        for bucket, count in sorted(self.buckets.items()):
            found += count
            if found >= wanted:
                return _STEP**bucket / 1000
        return None


@dataclass(slots=True)
class Counts:
    """All that was counted in some time.

    Attributes:
        tallies: by part of the bucket and kind of request.
        latency: of what was answered, by kind of request.
    """

    tallies: dict[tuple[str, Operation], Tally] = field(default_factory=dict)
    latency: dict[Operation, Latency] = field(default_factory=dict)

    def add(
        self,
        part: str,
        operation: Operation,
        *,
        sent_bytes: int,
        received_bytes: int,
        seconds: float,
        status: int | None,
    ) -> None:
        """Count one request; `status` None means that no answer came."""
        one = Tally(
            requests=1,
            refused=int(status is not None and status >= 400),
            unanswered=int(status is None),
            sent_bytes=sent_bytes,
            received_bytes=received_bytes,
        )
        self.tallies[part, operation] = self.tally(part, operation) + one
        if status is not None:
            self.latency.setdefault(operation, Latency()).add(seconds)

    def merge(self, other: Counts) -> None:
        """Add another's counts to these."""
        for (part, operation), tally in other.tallies.items():
            self.tallies[part, operation] = self.tally(part, operation) + tally
        for operation, latency in other.latency.items():
            self.latency.setdefault(operation, Latency()).merge(latency)

    def tally(self, part: str, operation: Operation) -> Tally:
        """One tally, empty if there was nothing."""
        return self.tallies.get((part, operation), Tally())

    def requests(self, operation: Operation) -> int:
        """How many of one kind, of all parts."""
        return sum(one.requests for (_, kind), one in self.tallies.items() if kind == operation)

    @property
    def total(self) -> Tally:
        """Everything together."""
        return sum(self.tallies.values(), Tally())

    def document(self) -> dict[str, Any]:
        """The counts as JSON can hold them; `of_document` reads them again."""
        tallies: dict[str, dict[str, tuple[int, ...]]] = {}
        for (part, operation), tally in sorted(self.tallies.items()):
            tallies.setdefault(part, {})[operation.value] = astuple(tally)
        return {
            "requests": tallies,
            "latency": {
                operation.value: {str(bucket): n for bucket, n in sorted(one.buckets.items())}
                for operation, one in sorted(self.latency.items())
            },
        }

    @classmethod
    def of_document(cls, document: Mapping[str, Any]) -> Counts:
        """The counts of a `document`. Raises ValueError, KeyError or TypeError for another."""
        found = cls(latency=dict(_latencies(document["latency"])))
        for place, tally in _tallies(document["requests"]):
            found.tallies[place] = found.tally(*place) + tally
        return found

    @classmethod
    def together(cls, counts: Iterable[Counts]) -> Counts:
        """The sum of some counts, as a value of its own."""
        total = cls()
        for one in counts:
            total.merge(one)
        return total


def _tallies(parts: Mapping[str, Any]) -> Iterator[tuple[tuple[str, Operation], Tally]]:
    for part, by_operation in parts.items():
        for name, numbers in by_operation.items():
            # A later version may tell apart what this one does not.
            known = part if part in PARTS else _OTHER
            yield (known, Operation(name)), Tally(*(_count(number) for number in numbers))


def _latencies(latency: Mapping[str, Any]) -> Iterator[tuple[Operation, Latency]]:
    for name, buckets in latency.items():
        counts = {int(bucket): _count(number) for bucket, number in buckets.items()}
        yield Operation(name), Latency(counts)


def _count(number: object) -> int:
    if not isinstance(number, int) or isinstance(number, bool) or number < 0:
        raise ValueError(f"not a count: {number!r}")
    return number
