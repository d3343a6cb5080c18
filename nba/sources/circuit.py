"""Leaving a source alone that does not answer: each try would cost a timeout."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

__all__ = ["FAILURES", "FIRST_PAUSE", "LONGEST_PAUSE", "CircuitBreaker"]

FAILURES: Final = 2
"""So many failures in a row, and the source is left alone."""

FIRST_PAUSE: Final = timedelta(minutes=10)
LONGEST_PAUSE: Final = timedelta(hours=2)


class CircuitBreaker:
    """Open after two failures in a row: for ten minutes, and twice as long after each failed try.

    Once the pause is over one try is free; if it succeeds all is as in the beginning.
    `clock` gives UTC. Not for several threads at once.
    """

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._failures = 0
        self._until: datetime | None = None

    @property
    def open_until(self) -> datetime | None:
        """Until when (UTC) not to ask; None: ask now."""
        if self._until is None or self._clock() >= self._until:
            return None
        return self._until

    def succeeded(self) -> None:
        """The source answered."""
        self._failures = 0
        self._until = None

    def failed(self, wait: timedelta = timedelta()) -> None:
        """The source did not answer; `wait` is for how long it asked to be left alone.

        A wait that a source asks for counts from its first failure on, up to two hours.
        """
        self._failures += 1
        pause = wait
        if self._failures >= FAILURES:
            # Beyond the longest pause the power would only grow.
            doublings = min(self._failures - FAILURES, 10)
            pause = max(wait, FIRST_PAUSE * 2**doublings)
        if pause:
            self._until = self._clock() + min(pause, LONGEST_PAUSE)
