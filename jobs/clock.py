"""The process's clock: the real one, or one that was set to start at another moment."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

__all__ = ["Clock", "clock_starting_at", "system_clock"]

Clock = Callable[[], datetime]


def system_clock() -> datetime:
    """Now, in UTC."""
    return datetime.now(UTC)


def clock_starting_at(moment: datetime | None) -> Clock:
    """A clock that reads `moment` (UTC) now and runs on from there; None gives the real one."""
    if moment is None:
        return system_clock
    started = time.monotonic()
    return lambda: moment + timedelta(seconds=time.monotonic() - started)
