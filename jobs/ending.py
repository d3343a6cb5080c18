"""What is done as a process ends: in the time that is left, or not at all."""

from __future__ import annotations

import threading
from collections.abc import Callable

__all__ = ["do_within"]


def do_within(seconds: float, *jobs: Callable[[], None]) -> None:
    """Do jobs one after the other; return when they are done, or after `seconds`.

    What takes longer goes on beside, and is given up when the process ends.
    """

    def do_all() -> None:
        for job in jobs:
            job()

    thread = threading.Thread(target=do_all, name="nba-daily-ending", daemon=True)
    thread.start()
    thread.join(max(0.0, seconds))
