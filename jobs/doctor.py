"""What is wrong with the saved log, and putting damaged entries back, without the app."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from jobs.clock import Clock
from jobs.configuration import Settings
from jobs.state import State as OpenState
from jobs.state import open_state
from replica import Repair, ReplicaError, Status, kept_envelopes_of

__all__ = ["Examination", "Patient", "opened_for_repair"]


@dataclass(frozen=True, slots=True)
class Examination:
    """What was found.

    Attributes:
        is_healthy: the log can be followed to its end, and writes reach it.
        findings: sentences for the owner; the remedy is in the one that says what is wrong.
    """

    is_healthy: bool
    findings: tuple[str, ...]


class Patient:
    """This machine's file and the log in the store."""

    def __init__(self, state: OpenState) -> None:
        self._replica = state.replica

    def examine(self) -> Examination:
        """Follow the log to its end and publish what is pending; say what came of it."""
        # What fails is in the status, with everything else.
        with suppress(ReplicaError):
            self._replica.restore()
            self._replica.sync_now()
        status = self._replica.status()
        return Examination(status.last_error is None, tuple(_findings(status)))

    def repair(self, others: Sequence[Path]) -> tuple[Repair, ...]:
        """Put back every damaged or missing entry whose original bytes can be had.

        They are looked for in this machine's file, in `others` (files of other machines) and in
        the bucket's older versions. Raises ReplicaError, EntryRefused for an entry that is nowhere.
        """
        kept: dict[int, bytes] = {}
        for other in others:
            kept |= kept_envelopes_of(other)
        return self._replica.repair(kept)


@contextmanager
def opened_for_repair(settings: Settings, *, clock: Clock) -> Iterator[Patient]:
    """Take this machine's file for as long as the block runs. Raises JobError, ReplicaError."""
    state = open_state(
        settings, None, clock=clock, generator=random.Random(), on_logged=lambda _: None
    )
    try:
        yield Patient(state)
    finally:
        state.close(0.0)


def _findings(status: Status) -> Iterator[str]:
    yield f"Store: {status.location}"
    yield f"State: {status.state.value.replace('_', ' ')}"
    yield f"Log: followed to #{status.sequence}, {status.pending_transactions} waiting here"
    if status.mode:
        yield f"Mode: {status.mode.replace('_', ' ')}"
    if status.conflicts:
        yield f"Conflicts: {status.conflicts} values in sync_conflicts"
    if status.note:
        yield status.note
    yield "Nothing is wrong." if status.last_error is None else str(status.last_error)
