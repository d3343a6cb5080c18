"""Jobs that are done again and again: one after the other, each in spite of the others."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from jobs.errors import EXPLAINED

__all__ = ["Chores"]


class Chores:
    """Runs jobs in turn; one job's failure does not keep the others from their work.

    Attributes:
        error: what failed first in the last turn, None if nothing did.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.error: Exception | None = None

    def run(self, *jobs: Callable[[], object]) -> None:
        """Do all of them once. What explains itself is kept as `error`; a defect is raised too."""
        with self._lock:
            failures: list[Exception] = []
            for job in jobs:
                try:
                    job()
                except Exception as error:
                    if not isinstance(error, EXPLAINED):
                        self.error = error
                        raise
                    failures.append(error)
            self.error = failures[0] if failures else None

    @contextmanager
    def held_back(self) -> Iterator[None]:
        """No turn runs within the block; waits for one that is running."""
        with self._lock:
            yield
