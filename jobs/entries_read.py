"""Which entries of the log have been read, told by as many threads as read it."""

from __future__ import annotations

import threading

__all__ = ["EntriesRead"]


class EntriesRead:
    """Counts each entry once, however often it is read."""

    def __init__(self) -> None:
        self._numbers: set[int] = set()
        self._lock = threading.Lock()

    def note(self, number: int) -> int:
        """Entry `number` is being read; how many have been by now."""
        with self._lock:
            self._numbers.add(number)
            return len(self._numbers)

    @property
    def count(self) -> int:
        """How many have been read."""
        return len(self._numbers)
