"""The one background timer of the process."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Thread

from apscheduler.schedulers.background import BackgroundScheduler

__all__ = ["Timer"]

_JOB = "nba-daily-tick"


class Timer:
    """Runs one job every so many minutes in a background thread.

    Runs never overlap; ticks that were missed while the machine slept become one.
    """

    def __init__(self, job: Callable[[], None], minutes: float) -> None:
        self._job = job
        self._running: Thread | None = None
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
        """Stop ticking, and give a tick that is running so long to end; harmless when repeated."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)
        if self._running is not None:
            self._running.join(timeout_seconds)

    def _tick(self) -> None:
        if self._running is None or not self._running.is_alive():
            # A daemon: a tick that is caught in a request must not keep the process from ending.
            self._running = Thread(target=self._job, name=_JOB, daemon=True)
            self._running.start()
