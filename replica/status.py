"""What a replica says about itself."""

import enum
from dataclasses import dataclass
from datetime import datetime

from replica.errors import (
    Diverged,
    EntryRefused,
    ForeignLog,
    Forked,
    LeaseHeld,
    MigrationMismatch,
    NewerSchema,
    ReplicaError,
    RolledBack,
    StoreThrottled,
    StoreUnreachable,
)
from replica.position import Writer

__all__ = ["HALTED", "State", "Status", "derive_state"]


class State(enum.Enum):
    """STARTING: not restored yet. OK: all is in the log. PENDING: changes wait to be published.
    OFFLINE: the last exchange with the store failed; changes are accepted and wait.
    HALTED: the log cannot be followed beyond an entry; changes are accepted and wait.
    ROLLED_BACK, FOREIGN_LOG: the log is not the one this file is part of; nothing is published.
    BEHIND_SCHEMA: a newer application wrote to the log; changes are refused.
    SINGLE_WRITER: all is well, but the store can only keep one writer's changes safe.
    STOPPED: the store was refused or unusable from the start; changes are refused.
    """

    STARTING = "starting"
    OK = "ok"
    PENDING = "pending"
    OFFLINE = "offline"
    HALTED = "halted"
    ROLLED_BACK = "rolled_back"
    FOREIGN_LOG = "foreign_log"
    BEHIND_SCHEMA = "behind_schema"
    SINGLE_WRITER = "single_writer"
    STOPPED = "stopped"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Status:
    """One look at a replica; times are UTC, ``last_success_at`` by the local clock.

    ``pending_bytes`` is the size of the pending changesets before compression. ``lag_seconds`` is
    the age of the oldest pending change, 0 if there is none. ``snapshot_sequence`` is how far the
    newest known snapshot reaches. ``conflicts`` counts values that another writer's replaced.
    """

    state: State
    sequence: int
    pending_transactions: int
    pending_bytes: int
    lag_seconds: float
    last_success_at: datetime | None
    last_error: ReplicaError | None
    location: str
    mode: str
    note: str
    clock_offset_seconds: float | None
    snapshot_sequence: int | None
    snapshot_size_bytes: int | None
    writers: tuple[Writer, ...]
    conflicts: int


HALTED: dict[type[ReplicaError], State] = {
    EntryRefused: State.HALTED,
    Diverged: State.HALTED,
    Forked: State.HALTED,
    MigrationMismatch: State.HALTED,
    RolledBack: State.ROLLED_BACK,
    ForeignLog: State.FOREIGN_LOG,
    NewerSchema: State.BEHIND_SCHEMA,
}
"""What no waiting mends: a person has to decide."""


def derive_state(
    *,
    closed: bool,
    restore_tried: bool,
    usable: bool,
    pending_transactions: int,
    single_writer: bool,
    last_error: ReplicaError | None,
) -> State:
    """The state that follows from the facts; ``usable`` = changes can be accepted."""
    if closed:
        return State.CLOSED
    if isinstance(last_error, LeaseHeld):
        return State.SINGLE_WRITER
    if last_error is not None:
        transient = isinstance(last_error, StoreUnreachable | StoreThrottled)
        kept_going = usable or transient
        return HALTED.get(type(last_error), State.OFFLINE if kept_going else State.STOPPED)
    if not restore_tried:
        return State.STARTING
    if pending_transactions:
        return State.PENDING
    return State.SINGLE_WRITER if single_writer else State.OK
