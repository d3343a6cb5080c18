"""What lies in a bucket, by part of the app: one listing, and what several come to. Values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Final

from usage.cost import MONTH
from usage.counting import part_of

__all__ = ["Storage", "Stored", "StoredObject", "byte_months", "credible", "storage_of"]

# By so much the clocks of copies of the app may differ.
_SKEW: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One object, or an older version of one: what was overwritten or deleted and is kept.

    `key` is without the prefix of all keys.
    """

    key: str
    size_bytes: int
    is_current: bool = True


@dataclass(frozen=True, slots=True)
class Stored:
    """What is stored of one part."""

    current_bytes: int = 0
    current_objects: int = 0
    older_bytes: int = 0
    older_objects: int = 0

    def __add__(self, other: Stored) -> Stored:
        return Stored(
            self.current_bytes + other.current_bytes,
            self.current_objects + other.current_objects,
            self.older_bytes + other.older_bytes,
            self.older_objects + other.older_objects,
        )

    @property
    def total_bytes(self) -> int:
        """Everything that is paid for."""
        return self.current_bytes + self.older_bytes


@dataclass(frozen=True, slots=True)
class Storage:
    """What one listing found.

    Attributes:
        at: when it was made (UTC).
        parts: by the part of the app, see `usage.counting.PARTS`.
        has_older: whether older versions were listed too; where they were not, there may be some.
        unlisted: parts with a bucket of their own that could not be listed.
    """

    at: datetime
    parts: Mapping[str, Stored]
    has_older: bool
    unlisted: tuple[str, ...] = ()

    @property
    def total(self) -> Stored:
        """All parts together."""
        return sum(self.parts.values(), Stored())

    def document(self) -> dict[str, Any]:
        """The listing as JSON can hold it; `of_document` reads it again."""
        found: dict[str, Any] = {
            "at": self.at.astimezone(UTC).isoformat(),
            "has_older": self.has_older,
            "parts": {part: astuple(stored) for part, stored in sorted(self.parts.items())},
        }
        if self.unlisted:
            found["unlisted"] = self.unlisted
        return found

    @classmethod
    def of_document(cls, document: Mapping[str, Any]) -> Storage:
        """The listing of a `document`. Raises ValueError, KeyError or TypeError for another."""
        at = datetime.fromisoformat(document["at"])
        if at.tzinfo is None:
            raise ValueError(f"{at} has no time zone")
        parts = {
            str(part): Stored(*(int(number) for number in numbers))
            for part, numbers in document["parts"].items()
        }
        unlisted = tuple(str(part) for part in document.get("unlisted", ()))
        return cls(at.astimezone(UTC), parts, bool(document["has_older"]), unlisted)


def credible(listings: Sequence[Storage], now: datetime) -> Sequence[Storage]:
    """Those that are not dated in the future, by a clock that was ahead; all if there are none."""
    return [one for one in listings if one.at <= now + _SKEW] or listings


def storage_of(
    objects: Iterable[StoredObject],
    at: datetime,
    *,
    has_older: bool,
    unlisted: tuple[str, ...] = (),
) -> Storage:
    """The sums of a listing that was made at a moment."""
    parts: dict[str, Stored] = {}
    for found in objects:
        one = (
            Stored(found.size_bytes, 1)
            if found.is_current
            else Stored(older_bytes=found.size_bytes, older_objects=1)
        )
        part = part_of(found.key)
        parts[part] = parts.get(part, Stored()) + one
    return Storage(at, parts, has_older, unlisted)


def byte_months(listings: Sequence[Storage], begin: datetime, end: datetime) -> float:
    """Bytes times months (of 30 days) of what was stored between two moments.

    Between two listings the bytes are taken to grow evenly; before the first and after the last
    they are as that one says. 0 without a listing.
    """
    points = sorted((one.at, float(one.total.total_bytes)) for one in listings)
    if not points or end <= begin:
        return 0.0
    held = [(begin, _at(points, begin))]
    held += [(at, size) for at, size in points if begin < at < end]
    held.append((end, _at(points, end)))
    return sum(
        (first + second) / 2 * ((until - since) / MONTH)
        for (since, first), (until, second) in pairwise(held)
    )


def _at(points: Sequence[tuple[datetime, float]], moment: datetime) -> float:
    """What was stored at a moment."""
    if moment <= points[0][0]:
        return points[0][1]
    for (since, first), (until, second) in pairwise(points):
        if since <= moment <= until:
            span = until - since
            share = (moment - since) / span if span > timedelta(0) else 1.0
            return first + (second - first) * share
    return points[-1][1]
