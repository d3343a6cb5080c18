"""Politeness: some time between two requests to one server."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Throttle"]


class Throttle:
    """Holds back requests that follow each other in less than `every_seconds`.

    `monotonic` gives seconds that never go back, `sleep` waits for some.
    """

    def __init__(
        self,
        every_seconds: float,
        monotonic: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> None:
        self._every_seconds = every_seconds
        self._monotonic = monotonic
        self._sleep = sleep
        self._last: float | None = None

    def wait(self) -> None:
        """Return as soon as the next request may go out."""
        if self._last is not None:
            rest = self._last + self._every_seconds - self._monotonic()
            if rest > 0:
                self._sleep(rest)
        self._last = self._monotonic()
