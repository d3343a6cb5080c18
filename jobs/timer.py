"""The one background timer of the process."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from threading import Thread

from apscheduler.schedulers.background import BackgroundScheduler

__all__ = ["Timer"]

_JOB = "nba-daily-tick"


class Timer:
    """Runs a job every so many minutes in a background thread.

    Runs never overlap; ticks that were missed while the machine slept become one. The slow jobs
    `beside` it are begun at each tick too, each in a thread of its own that never overlaps with
    itself: the job itself, which may have to be done before a game begins, waits for none of them.
    """

    def __init__(
        self, job: Callable[[], None], minutes: float, *, beside: Sequence[Callable[[], None]] = ()
    ) -> None:
        self._jobs = (job, *beside)
        self._running: dict[int, Thread] = {}
        self._scheduler = BackgroundScheduler(timezone=UTC, daemon=True)
        self._scheduler.add_job(
            self._tick,
            "interval",
            id=_JOB,
            seconds=minutes * 60,
            max_instances=1,
            coalesce=True,
            misfire_grace_time=None,
        )

    def start(self) -> None:
        """Begin ticking; the first tick comes after one interval."""
        self._scheduler.start()

    def wake(self) -> None:
        """Make an overdue tick run now: after a suspend the timer's own wait is still counting."""
        job = self._scheduler.get_job(_JOB)
        if job is None or job.next_run_time is None:
            return
        now = datetime.now(UTC)
        if job.next_run_time < now - timedelta(seconds=30):
            self._scheduler.wakeup()

    def stop(self, timeout_seconds: float) -> None:
        """Stop ticking, and give what is running so long to end; harmless when repeated."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)
        deadline = time.monotonic() + timeout_seconds
        for thread in list(self._running.values()):
            thread.join(max(0.0, deadline - time.monotonic()))

    def _tick(self) -> None:
        for place, job in enumerate(self._jobs):
            before = self._running.get(place)
            if before is None or not before.is_alive():
                # A daemon: what is caught in a request must not keep the process from ending.
                name = _JOB if place == 0 else f"{_JOB}-{place}"
                thread = Thread(target=job, name=name, daemon=True)
                thread.start()
                # In this order: whoever stops the timer meanwhile waits only for what has begun.
                self._running[place] = thread
