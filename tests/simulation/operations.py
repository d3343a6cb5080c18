"""What actors ask of their replicas, and what the answers must be at once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field

from replica import (
    AccessDenied,
    Contended,
    DurabilityTimeout,
    EntryRefused,
    ForeignLog,
    LogNotEmpty,
    MomentUnknown,
    NewerSchema,
    NotRestored,
    ObjectNotFound,
    PendingChanges,
    Replica,
    RestoreOutdated,
    RolledBack,
    SnapshotError,
    State,
    StoreError,
    StoreThrottled,
    StoreUnreachable,
    TransactionSetAside,
    WritesStopped,
)
from tests.simulation.actor import Actor, Process, Surroundings
from tests.simulation.bucket import log_key
from tests.simulation.owner import Owner
from tests.simulation.replay import State as Content
from tests.simulation.replay import open_content, read_state
from tests.simulation.scheduler import Crash, Task
from tests.simulation.violations import Violation

__all__ = ["HALTS", "TIDY_UP", "Observation", "Operations"]

TIDY_UP = "tidy up"
"""To back up, forget and delete: much of it is the program's, of which the engine's state knows
nothing.
"""

HALTS = (RolledBack, ForeignLog, EntryRefused)
"""How a replica says that the log is not, or no longer, the one that it knows."""

_ONLY_LOOKING = ("restore", "take over", "start a new log")
"""Operations that leave pending changes pending."""


@dataclass(frozen=True, slots=True)
class Observation:
    """The content of a replica without pending changes, at an entry with this hash."""

    name: str
    entry_sha256: str
    content: Content


@dataclass(slots=True)
class _Asked:
    """How things stood when an operation began."""

    head: int
    generation: int
    pending: tuple[str, ...]


@dataclass
class Operations:
    """Starts operations and judges their ends.

    ``versions`` are those that some program of the run has; ``stormy`` says that requests can
    fail, ``unsound`` that the bucket's own content has been damaged or taken away.
    """

    around: Surroundings
    owner: Owner
    versions: set[int]
    stormy: bool = False
    unsound: bool = False
    observations: list[Observation] = field(default_factory=list)
    _asked: dict[str, _Asked] = field(default_factory=dict)
    _read_backups: set[str] = field(default_factory=set)

    def begin(self, actor: Actor, name: str, operation: Callable[[], object]) -> None:
        """Let an idle actor's replica do something that asks the store."""
        process = _process_of(actor)
        bucket = self.around.bucket
        self._asked[process.name] = _Asked(
            bucket.head(), bucket.generation, tuple(sorted(self._waiting(actor)))
        )
        process.operation = name
        process.wire.asked_in_generation, process.wire.claimed = bucket.generation, False
        process.task = Task(f"{process.name} {name}", operation)
        process.tell(f"begins {name}")
        self.go_on(actor)

    def go_on(self, actor: Actor) -> None:
        """Let a busy actor run to its next request, or to the end."""
        process = _process_of(actor)
        task = process.task
        assert task is not None
        task.resume()
        if process.dead:
            actor.bury()
        elif task.done:
            process.task = None
            self._judge(actor, process, task)

    def write(self, actor: Actor) -> None:
        """Commit something on a replica, whether or not it is busy with the store."""
        process = _process_of(actor)
        try:
            actor.write(give_up=self.around.random.random() < 0.03)
        except (Crash, Exception) as error:
            if process.dead:
                actor.bury()
            elif not self._may_refuse_writes(process, error):
                raise Violation("errors", f"{process.name} write: {error!r}") from error
        else:
            if process.dead:
                actor.bury()

    def has_waiting(self, actor: Actor) -> bool:
        """Whether changes on the actor's disk are not known to be in the log."""
        return bool(self._waiting(actor))

    def _may_refuse_writes(self, process: Process, error: BaseException) -> bool:
        if isinstance(error, NotRestored):
            # What is taken over may be from before a migration, until it has been migrated.
            taking_over = process.task is not None and process.operation == "take over"
            return taking_over or not process.restored
        return isinstance(error, WritesStopped) and process.refused

    def _judge(self, actor: Actor, process: Process, task: Task) -> None:
        process.last_error = task.error
        if task.error is not None:
            process.tell(f"{process.operation} ends with {task.error!r:.150}")
            if not self._may_fail(actor, process.operation, task.error):
                found = f"{task.name}: {task.error!r}"
                raise Violation("errors", found) from task.error
            if process.operation != TIDY_UP:
                self._check_state(process.replica, task.error, task.name)
            if not _is_about_a_backup(task.error, task.name):
                process.refused |= isinstance(task.error, NewerSchema | AccessDenied)
            if process.replica.has_database:
                self._note_durable(actor, process.replica)
            elif process.operation == "take over":
                # It has the content of before a migration, and was kept from migrating it.
                process.restored = False
            return
        process.restored, process.moved, process.refused = True, bool(task.result), False
        process.tell(f"{process.operation} is done: {task.result!r:.100}")
        asked = self._asked[process.name]
        if asked.generation != self.around.bucket.generation or not process.replica.has_database:
            return
        self._check_place(process, asked)
        for name in asked.pending if process.operation not in _ONLY_LOOKING else ():
            if self._waits(process.replica, name):
                found = f"{task.name} left {name} waiting, which was there when it began"
                raise Violation("I1", found)
        self._note_durable(actor, process.replica)
        if self.around.random.random() < 0.3:
            self._observe(process)
        if self.around.random.random() < 0.5:
            actor.keep_old_disk()

    def _may_fail(self, actor: Actor, name: str, error: BaseException) -> bool:
        """Whether the surroundings gave cause for this error."""
        match error:
            case NewerSchema():
                return actor.version < max(self.versions)
            case RolledBack() | ForeignLog() | MomentUnknown():
                return self.unsound
            case EntryRefused():
                return self.unsound or self.stormy
            case StoreError() | SnapshotError() | Contended():
                return True
            case RestoreOutdated():
                return name.startswith("restore to ")
            case LogNotEmpty() | PendingChanges():
                return name in ("start a new log", "take over")
            case _:
                return False

    def _check_state(self, replica: Replica, error: BaseException, name: str) -> None:
        state = replica.status().state
        if _is_about_a_backup(error, name):
            # That is no reason to stop anything.
            if state not in (State.OK, State.PENDING):
                raise Violation("states", f"{name} ended with {error!r}, and the state is {state}")
            return
        states: dict[type[BaseException], State] = {
            RolledBack: State.ROLLED_BACK,
            ForeignLog: State.FOREIGN_LOG,
            EntryRefused: State.HALTED,
            NewerSchema: State.BEHIND_SCHEMA,
            StoreUnreachable: State.OFFLINE,
            StoreThrottled: State.OFFLINE,
        }
        expected = states.get(type(error))
        if state is State.OK or (expected is not None and state is not expected):
            raise Violation("states", f"{name} ended with {error!r}, and the state is {state}")

    def _check_place(self, process: Process, asked: _Asked) -> None:
        """After a success a replica is where the log was when it asked, and in that log."""
        with process.replica.read() as connection:
            sql = "SELECT sequence, entry_sha256 FROM replica_position"
            sequence, sha256 = next(connection.execute(sql))
        if sequence < asked.head and not self.owner.unnoticed:
            raise Violation("I1", f"{process.name} stands at {sequence}, the log at {asked.head}")
        stored = self.around.bucket.objects.get(log_key(sequence))
        if stored is None or hashlib.sha256(stored.body).hexdigest() != sha256:
            if self.unsound and stored is not None and self._is_damaged(stored.info.key):
                return
            if self.owner.unnoticed and not process.wire.claimed:
                # Nobody has to look further than for news as long as he writes nothing.
                return
            found = f"{process.name} is content with {sequence}, which is not in the log"
            raise Violation("identity", found)

    def _is_damaged(self, key: str) -> bool:
        bodies = [body for _, body in self.around.bucket.bodies[key]]
        return self.around.bucket.objects[key].body not in bodies

    def _waiting(self, actor: Actor) -> set[str]:
        model = self.around.model
        for key, bodies in self.around.bucket.bodies.items():
            if "-set-aside" in key and key not in self._read_backups:
                self._read_backups.add(key)
                with closing(open_content(bodies[0][1], key)) as content:
                    rows = content.execute("SELECT transaction_id FROM replica_outbox")
                    model.given_up |= {str(name) for (name,) in rows}
        gone = model.set_aside | model.given_up | model.taken_away
        return actor.acknowledged - model.durable.keys() - gone

    def _waits(self, replica: Replica, name: str) -> bool:
        try:
            replica.wait_until_durable(name, 0)
        except DurabilityTimeout:
            # What came to nothing is remembered while the process lives; afterwards the file knows
            # nothing of it, and there is nothing to know.
            return any(self.around.model.written[name].set_values()) or _is_pending(replica, name)
        except TransactionSetAside:
            self.around.model.set_aside.add(name)
        else:
            self.around.model.durable.setdefault(name, len(self.around.model.durable))
        return False

    def _note_durable(self, actor: Actor, replica: Replica) -> None:
        for name in sorted(self._waiting(actor)):
            self._waits(replica, name)

    def _observe(self, process: Process) -> None:
        with process.replica.read() as connection:
            pending = next(connection.execute("SELECT count(*) FROM replica_outbox"))[0]
            if not pending:
                sha256 = next(connection.execute("SELECT entry_sha256 FROM replica_position"))[0]
                content = read_state(connection)
                self.observations.append(Observation(process.name, str(sha256), content))


def _is_about_a_backup(error: BaseException, operation: str) -> bool:
    """Whether what the operation was to go back to cannot be used, or no longer as planned."""
    kinds = SnapshotError | NewerSchema | ObjectNotFound | RestoreOutdated
    return isinstance(error, kinds) and operation.endswith(f" to {error.key}")


def _process_of(actor: Actor) -> Process:
    if actor.process is None:
        raise AssertionError(f"{actor.name} is down")
    return actor.process


def _is_pending(replica: Replica, name: str) -> bool:
    with replica.read() as connection:
        sql = "SELECT 1 FROM replica_outbox WHERE transaction_id = ?"
        return connection.execute(sql, (name,)).fetchone() is not None
