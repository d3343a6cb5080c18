"""How far the app has come with getting ready: one value that screens can read at any time."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace

__all__ = ["Preparation", "PreparationBoard"]


@dataclass(frozen=True, slots=True)
class Preparation:
    """Progress of the two things that a start has to do.

    Attributes:
        fraction: 0 to 1, of building the reference.
        text: what is being done, for a progress bar.
        reference_ready: past seasons can be read and slates projected.
        reference_error: why the reference cannot be had, None while there is hope.
        state_ready: the history is here (restored, or known to be new) and can be written.
        state_error: why the history is not here yet; it is tried again by itself.
    """

    fraction: float = 0.0
    text: str = "Starting"
    reference_ready: bool = False
    reference_error: Exception | None = None
    state_ready: bool = False
    state_error: Exception | None = None


class PreparationBoard:
    """The current `Preparation`, written by the start thread and read by everybody."""

    def __init__(self) -> None:
        self._current = Preparation()
        self._changed = threading.Condition()

    @property
    def current(self) -> Preparation:
        return self._current

    def update(self, **changes: object) -> None:
        """Replace the named fields of the current value."""
        with self._changed:
            self._current = replace(self._current, **changes)  # type: ignore[arg-type]
            self._changed.notify_all()

    def progress(self, fraction: float, text: str) -> None:
        """Report progress of the reference; fits `build_reference`'s callback."""
        self.update(fraction=min(max(fraction, 0.0), 1.0), text=text)

    def wait(self, *, timeout_seconds: float, state: bool = False) -> Preparation:
        """Wait until the reference (and the state, if asked) is ready or failed.

        Without the reference nothing is waited for: the state is not begun then. Returns whatever
        holds when the time is up.
        """

        def settled() -> bool:
            now = self._current
            history = now.state_ready or now.state_error is not None
            return now.reference_error is not None or (
                now.reference_ready and (history or not state)
            )

        with self._changed:
            self._changed.wait_for(settled, timeout=timeout_seconds)
            return self._current
