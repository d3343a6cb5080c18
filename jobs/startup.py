"""Getting ready: the reference is built, the state restored, in a thread of their own."""

from __future__ import annotations

import itertools
import random
import threading
from collections.abc import Callable

from jobs.clock import Clock
from jobs.configuration import Settings
from jobs.errors import EXPLAINED, ConfigurationError
from jobs.preparation import PreparationBoard
from jobs.state import State, open_state
from nba.errors import NbaError
from nba.reference import Reference, build_reference
from replica import Replica, ReplicaError, StoreError, backoff_seconds

__all__ = ["Startup"]

_RETRY_BASE_SECONDS = 1.0
_STORE_RETRY_CAP_SECONDS = 60.0
# What a person has to mend is looked at less often: each look may fetch a whole snapshot.
_OTHER_RETRY_CAP_SECONDS = 300.0


class Startup:
    """What a start has to do; once `on_ready` has returned the board says so, and `then` follows.

    Attributes:
        board: how far it has come.
        reference: the bundled seasons, None until they are built.
        state: the open state, None until it is opened; it may still be restoring.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Clock,
        generator: random.Random,
        on_logged: Callable[[str], None],
        on_ready: Callable[[State], None],
        then: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._generator = generator
        self._on_logged = on_logged
        self._on_ready = on_ready
        self._then = then
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="nba-daily-start", daemon=True)
        self.board = PreparationBoard()
        self.reference: Reference | None = None
        self.state: State | None = None

    def start(self) -> None:
        """Begin, and return at once."""
        self._thread.start()

    def stop(self) -> None:
        """Try nothing again from now on; harmless when repeated."""
        self._stopping.set()

    @property
    def is_stopped(self) -> bool:
        return self._stopping.is_set()

    def join(self, timeout_seconds: float) -> None:
        """Wait so long for the thread to end, if it was begun."""
        if self._thread.ident is not None:
            self._thread.join(timeout_seconds)

    def _run(self) -> None:
        reference = self._prepare_reference()
        if reference is not None:
            self._prepare_state(reference)

    def _prepare_reference(self) -> Reference | None:
        path = self._settings.state_folder / "reference.db"
        try:
            self.reference = Reference(
                build_reference(self._settings.data_folder, path, self.board.progress)
            )
        except Exception as error:
            self.board.update(reference_error=error, text="Past seasons cannot be read")
            if not isinstance(error, NbaError):
                raise
            return None
        self.board.update(reference_ready=True, fraction=1.0, text="Past seasons are ready")
        return self.reference

    def _prepare_state(self, reference: Reference) -> None:
        """Open and restore the state, again and again while that fails."""
        for failures in itertools.count(1):
            try:
                state = self.state = self.state or self._open_state(reference)
                if self.is_stopped:
                    state.close(0.0)
                    return
                _restore(state.replica)
                state.replica.start_publisher()
                self._on_ready(state)
            except Exception as error:
                # A person must be able to see it, whatever it is.
                self.board.update(state_error=error)
                if not isinstance(error, EXPLAINED):
                    raise
                if isinstance(error, ConfigurationError):
                    # Settings are read once: waiting would not mend them.
                    return
                if self._stopping.wait(self._pause_seconds(failures, error)):
                    return
            else:
                break
        self.board.update(state_ready=True, state_error=None)
        self._then()

    def _pause_seconds(self, failures: int, error: Exception) -> float:
        is_store = isinstance(error, StoreError)
        return backoff_seconds(
            failures,
            self._generator,
            base_seconds=_RETRY_BASE_SECONDS,
            cap_seconds=_STORE_RETRY_CAP_SECONDS if is_store else _OTHER_RETRY_CAP_SECONDS,
        )

    def _open_state(self, reference: Reference) -> State:
        return open_state(
            self._settings,
            reference.path,
            clock=self._clock,
            generator=self._generator,
            on_logged=self._on_logged,
        )


def _restore(replica: Replica) -> None:
    """Restore, or go on with the local copy where there is one: the status says what is wrong."""
    try:
        replica.restore()
    except ReplicaError:
        if not replica.has_database:
            raise
