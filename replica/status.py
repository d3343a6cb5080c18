"""What a replica says about itself."""

import enum
from dataclasses import dataclass
from datetime import datetime

from replica.errors import (
    Diverged,
    ForeignSnapshot,
    NewerSchema,
    ReplicaError,
    RolledBack,
    StoreThrottled,
    StoreUnreachable,
)

__all__ = ["State", "Status", "derive_state"]


class State(enum.Enum):
    """STARTING: not restored yet. OK: all is in the store. PENDING: changes wait to be published.
    OFFLINE: the last exchange with the store failed; changes are accepted and wait.
    DIVERGED, ROLLED_BACK, FOREIGN_LOG: the store's history is not ours; nothing is published.
    BEHIND_SCHEMA: a newer application wrote to the store; changes are refused.
    STOPPED: the store was refused or unusable from the start; changes are refused.
    """

    STARTING = "starting"
    OK = "ok"
    PENDING = "pending"
    OFFLINE = "offline"
    DIVERGED = "diverged"
    ROLLED_BACK = "rolled_back"
    FOREIGN_LOG = "foreign_log"
    BEHIND_SCHEMA = "behind_schema"
    STOPPED = "stopped"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Status:
    """One look at a replica; times are UTC, ``last_success_at`` by the local clock."""

    state: State
    sequence: int
    pending_transactions: int
    last_success_at: datetime | None
    last_error: ReplicaError | None
    location: str
    note: str
    clock_offset_seconds: float | None
    snapshot_size_bytes: int | None


HALTED = {
    Diverged: State.DIVERGED,
    RolledBack: State.ROLLED_BACK,
    ForeignSnapshot: State.FOREIGN_LOG,
    NewerSchema: State.BEHIND_SCHEMA,
}


def derive_state(
    *,
    closed: bool,
    restore_tried: bool,
    usable: bool,
    pending_transactions: int,
    last_error: ReplicaError | None,
) -> State:
    """The state that follows from the facts; ``usable`` = changes can be accepted."""
    if closed:
        return State.CLOSED
    if last_error is not None:
        transient = isinstance(last_error, StoreUnreachable | StoreThrottled)
        kept_going = usable or transient
        return HALTED.get(type(last_error), State.OFFLINE if kept_going else State.STOPPED)
    if not restore_tried:
        return State.STARTING
    return State.PENDING if pending_transactions else State.OK
