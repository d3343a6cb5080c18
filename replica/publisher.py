"""The one background thread that keeps a replica and its store together."""

import threading
from collections.abc import Callable
from random import Random

from replica.errors import Contended, LeaseHeld, ReplicaError, SnapshotError, StateError

__all__ = ["Publisher", "backoff_seconds"]

THREAD_NAME = "replica-publisher"


def backoff_seconds(
    failures: int, randomness: Random, *, base_seconds: float, cap_seconds: float
) -> float:
    """Exponential backoff with full jitter: anything up to base·2^(failures-1), or the cap."""
    # The exponent is bounded because 2.0 ** 2000 is an error, and outages can be long.
    ceiling = min(cap_seconds, base_seconds * 2.0 ** min(failures - 1, 64))
    return randomness.uniform(0.0, ceiling)


class Publisher:
    """Runs ``exchange`` when woken and, after a failure, again by itself after a while.

    ``exchange`` records its own ReplicaErrors; ``report`` receives any other exception, as a
    ReplicaError, so that no failure ends or passes unseen.
    """

    def __init__(
        self,
        exchange: Callable[[], object],
        report: Callable[[ReplicaError], None],
        randomness: Random,
        *,
        base_seconds: float,
        cap_seconds: float,
    ) -> None:
        self._exchange = exchange
        self._report = report
        self._random = randomness
        self._base_seconds = base_seconds
        self._cap_seconds = cap_seconds
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._woken = False
        self._stopping = False
        self._flush = False
        self._last: Callable[[], object] | None = None

    def start(self) -> None:
        """Start the thread; harmless when repeated."""
        with self._changed:
            if self._thread is None and not self._stopping:
                self._begin()

    @property
    def is_running(self) -> bool:
        """Whether a request to wake will be answered."""
        return self._thread is not None and self._thread.is_alive()

    def wake(self) -> None:
        """Ask for an exchange; returns at once. Requests made meanwhile become one."""
        with self._changed:
            self._woken = True
            self._changed.notify()

    def stop(
        self, timeout_seconds: float, *, flush: bool, last: Callable[[], object] | None = None
    ) -> bool:
        """End the thread, after one last exchange if ``flush``; False if it still runs.

        ``last`` is done in it at the very end. A thread that is caught in a request ends by itself
        when that returns.
        """
        with self._changed:
            self._stopping, self._flush, self._last = True, flush, last
            if (flush or last) and self._thread is None:
                self._begin()
            self._changed.notify()
        if self._thread is None:
            return True
        self._thread.join(timeout_seconds)
        return not self._thread.is_alive()

    def _begin(self) -> None:
        # A daemon: a request that hangs must not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name=THREAD_NAME, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        pause: float | None = None
        failures = 0
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._woken or self._stopping, pause)
                self._woken = False
                stopping = self._stopping
            error = self._attempt() if self._flush or not stopping else None
            if stopping:
                if self._last is not None:
                    self._last()
                return
            failures = 0 if error is None else failures + 1
            # What only a person can resolve is looked at again when somebody asks.
            ends_by_itself = isinstance(error, Contended | LeaseHeld)
            for_a_person = isinstance(error, StateError | SnapshotError) and not ends_by_itself
            pause = None if error is None or for_a_person else self._pause(failures)

    def _attempt(self) -> ReplicaError | None:
        try:
            self._exchange()
        except ReplicaError as error:
            return error
        except Exception as error:  # noqa: BLE001 - a defect must not end the thread unseen
            wrapped = ReplicaError("exchange with", "the store", detail=repr(error))
            wrapped.__cause__ = error
            self._report(wrapped)
            return wrapped
        return None

    def _pause(self, failures: int) -> float:
        return backoff_seconds(
            failures,
            self._random,
            base_seconds=self._base_seconds,
            cap_seconds=self._cap_seconds,
        )
