"""How often pictures were shown and where they came from: sums of a day, never a row for a view."""

from __future__ import annotations

import enum
import threading
from collections import Counter
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Final

from jobs.clock import Clock

__all__ = ["PictureCounts", "Seen"]

_EVERY: Final = timedelta(hours=6)


class Seen(enum.StrEnum):
    """What is counted; the value is its name in a day's figures."""

    SHOWN = "shown"
    DRAWN = "drawn"
    FROM_DISK = "from_disk"
    FROM_BUCKET = "from_bucket"
    FETCHED = "fetched"
    FETCHED_BYTES = "fetched_bytes"
    FAILED = "failed"


class PictureCounts:
    """One process's counts by UTC date. Any thread may use it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._days: dict[date, Counter[str]] = {}
        self._changed = False
        self._kept_at = clock()

    def add(self, what: Seen, number: int = 1) -> None:
        """Count something now."""
        with self._lock:
            self._days.setdefault(self._clock().date(), Counter())[what.value] += number
            self._changed = True

    def is_due(self, now: datetime) -> bool:
        """Whether counts are to be kept: after six hours, and soon after a day has ended."""
        with self._lock:
            has_ended = any(day < now.date() for day in self._days)
            return self._changed and (has_ended or now - self._kept_at >= _EVERY)

    def so_far(self) -> Mapping[date, Mapping[str, int]]:
        """The sums of each date that is not kept for good yet."""
        with self._lock:
            return {day: dict(sums) for day, sums in self._days.items()}

    def kept(self, written: Mapping[date, Mapping[str, int]], now: datetime) -> None:
        """These sums are written down: forget the dates that are over."""
        with self._lock:
            for day, sums in written.items():
                if day < now.date() and self._days.get(day) == sums:
                    del self._days[day]
            self._changed = any(written.get(day) != sums for day, sums in self._days.items())
            self._kept_at = now
