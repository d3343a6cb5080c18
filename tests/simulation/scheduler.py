"""One thread, many processes: each waits at its requests until the scheduler lets it go on."""

from __future__ import annotations

from collections.abc import Callable

from greenlet import getcurrent, greenlet  # type: ignore[import-untyped]

__all__ = ["Crash", "Task", "pause"]


class Crash(BaseException):
    """The process has died here; nothing that runs after it may have an effect."""


class Task:
    """An operation that is interrupted at every request; ``error`` is what it ended with."""

    def __init__(self, name: str, operation: Callable[[], object]) -> None:
        self.name = name
        self.result: object = None
        self.error: BaseException | None = None
        self.done = False
        self._operation = operation
        self._greenlet = greenlet(self._run)

    def resume(self) -> None:
        """Run to the next request, or to the end."""
        self._greenlet.switch()

    def kill(self) -> None:
        """End it where it stands."""
        while not self.done:
            self._greenlet.throw(Crash())

    def _run(self) -> None:
        try:
            self.result = self._operation()
        except BaseException as error:  # noqa: BLE001 - whoever resumed it judges the error
            self.error = error
        finally:
            self.done = True


def pause() -> None:
    """Let others run; outside of a task there is nobody to wait for."""
    current = getcurrent()
    if current.parent is not None:
        current.parent.switch()
