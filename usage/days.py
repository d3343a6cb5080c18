"""Days of use: what a process counted on one, as text that is kept, and all of them together."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Final

from usage.counting import Counts
from usage.storage import Storage

__all__ = ["UnreadableFigures", "UsageDay", "WriterDay", "merged_days"]

_FORMAT: Final = 1


class UnreadableFigures(ValueError):
    """The text is not what this version writes: it is damaged, or a later version's."""


@dataclass(slots=True)
class WriterDay:
    """What one process counted on one UTC day.

    Attributes:
        since: the first moment of the day that it counted (UTC).
        counts: the requests.
        storage: its newest listing of the bucket that day, None if it made none.
        transactions: the ids of those in which it wrote of this day.
    """

    since: datetime
    counts: Counts = field(default_factory=Counts)
    storage: Storage | None = None
    transactions: tuple[str, ...] = ()

    def merge(self, other: WriterDay) -> None:
        """Add what the same process had counted on the same day, before a restart."""
        self.since = min(self.since, other.since)
        self.counts.merge(other.counts)
        if other.storage is not None and (
            self.storage is None or self.storage.at < other.storage.at
        ):
            self.storage = other.storage
        self.transactions = tuple(dict.fromkeys((*other.transactions, *self.transactions)))

    def copy(self) -> WriterDay:
        """A value of its own."""
        return WriterDay(
            self.since, Counts.together([self.counts]), self.storage, self.transactions
        )

    def document(self) -> dict[str, Any]:
        """The day as JSON can hold it."""
        found: dict[str, Any] = {
            "format": _FORMAT,
            "since": self.since.astimezone(UTC).isoformat(),
            **self.counts.document(),
        }
        if self.transactions:
            found["transactions"] = self.transactions
        if self.storage is not None:
            found["storage"] = self.storage.document()
        return found

    def text(self) -> str:
        """The day as one short line of JSON; `of_text` reads it again."""
        return json.dumps(self.document(), separators=(",", ":"))

    @classmethod
    def of_document(cls, document: Any) -> WriterDay:
        """The day of a `document`. Raises UnreadableFigures."""
        try:
            if document["format"] != _FORMAT:
                raise UnreadableFigures(f"format {document['format']!r}")
            since = datetime.fromisoformat(document["since"])
            if since.tzinfo is None:
                raise UnreadableFigures(f"{since} has no time zone")
            storage = document.get("storage")
            return cls(
                since.astimezone(UTC),
                Counts.of_document(document),
                None if storage is None else Storage.of_document(storage),
                tuple(str(one) for one in document.get("transactions", ())),
            )
        except UnreadableFigures:
            raise
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UnreadableFigures(f"{type(error).__name__}: {error}") from error

    @classmethod
    def of_text(cls, text: str) -> WriterDay:
        """The day of a `text`. Raises UnreadableFigures."""
        try:
            document = json.loads(text)
        except ValueError as error:
            raise UnreadableFigures(str(error)) from error
        return cls.of_document(document)


@dataclass(frozen=True, slots=True)
class UsageDay:
    """What was counted on one UTC day by every process.

    Attributes:
        day: the date.
        since: the first moment of it that was counted (UTC).
        counts: the requests.
    """

    day: date
    since: datetime
    counts: Counts


def merged_days(found: Iterable[tuple[date, WriterDay]]) -> list[UsageDay]:
    """The days of all processes, each once, oldest first."""
    days: dict[date, UsageDay] = {}
    for day, one in found:
        before = days.get(day)
        since = one.since if before is None else min(before.since, one.since)
        known = () if before is None else (before.counts,)
        days[day] = UsageDay(day, since, Counts.together((*known, one.counts)))
    return [days[day] for day in sorted(days)]
