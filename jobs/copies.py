"""The readable copy of each logged run, beside the state in the store."""

from __future__ import annotations

from pathlib import PurePosixPath

from jobs.errors import EXPLAINED
from jobs.state import State
from prediction_tracking import UnknownRun

__all__ = ["RunCopies"]


class RunCopies:
    """Which runs still have to be copied as CSV.

    An earlier process may have ended between saving a run and copying it, so the first `make`
    compares all runs with what is stored.
    """

    def __init__(self) -> None:
        self._waiting: set[str] = set()
        self._is_compared = False

    @property
    def is_done(self) -> bool:
        """Whether every saved run has its copy, as far as this process knows."""
        return self._is_compared and not self._waiting

    def add(self, run_id: str) -> None:
        """A run has been logged."""
        self._waiting.add(run_id)

    def make(self, state: State) -> int:
        """Copy every run that the store has; how many were copied.

        Raises the first failure, after the other copies have been tried.
        """
        if not self._is_compared:
            stored = {PurePosixPath(info.key).stem for info in state.storage.store.list("csv/")}
            own = (run for run in state.predictions.runs() if run.source != "imported")
            self._waiting.update(run.run_id for run in own if run.run_id not in stored)
            self._is_compared = True
        failure: Exception | None = None
        copied = 0
        for run_id in sorted(self._waiting):
            try:
                copied += self._copy(state, run_id)
            except EXPLAINED as error:
                # One copy that cannot be made must not keep the others from being made.
                failure = failure or error
        if failure is not None:
            raise failure
        return copied

    def _copy(self, state: State, run_id: str) -> bool:
        try:
            pending = state.predictions.run(run_id).pending
        except UnknownRun:
            # The owner gave it up to follow another history.
            self._waiting.discard(run_id)
            return False
        if pending:
            return False
        state.storage.backup_predictions_csv(state.predictions.run_frame(run_id))
        self._waiting.discard(run_id)
        return True
