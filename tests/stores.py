"""An object store in memory that fails on demand, and a clock that stands still."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import apsw

from replica import (
    AccessDenied,
    Migration,
    ObjectExists,
    ObjectInfo,
    ObjectNotFound,
    ObjectStore,
    ProbeResult,
    PutMode,
    Replica,
    StoredObject,
    StoreError,
    StoreMode,
    StoreUnreachable,
    Transaction,
)
from replica.log import log_key, log_sequence
from replica.snapshot import unpack

SCHEMA = (Migration(1, "notes", "CREATE TABLE notes (name TEXT PRIMARY KEY NOT NULL, text TEXT)"),)
NEXT_SCHEMA = (*SCHEMA, Migration(2, "stars", "ALTER TABLE notes ADD COLUMN stars INTEGER"))
TABLES = ("notes",)


_ACTIONS = {
    "get": "s3:GetObject",
    "put": "s3:PutObject",
    "list": "s3:ListBucket",
    "delete": "s3:DeleteObject",
}


class ManualClock:
    """UTC; moves only when told to."""

    def __init__(self, now: datetime = datetime(2026, 11, 20, 18, tzinfo=UTC)) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **duration: float) -> None:
        self.now += timedelta(**duration)


@dataclass(frozen=True)
class Fault:
    """What happens to a matching request: an error before or after its effect, or bad bytes."""

    verb: str
    prefix: str
    error: StoreError | None = None
    after_effect: bool = False
    change: Callable[[bytes], bytes] | None = None


def unreachable(verb: str, key: str = "…") -> StoreUnreachable:
    return StoreUnreachable(verb, key)


def denied(verb: str, key: str = "…") -> AccessDenied:
    return AccessDenied(verb, key, _ACTIONS[verb])


def truncated(body: bytes) -> bytes:
    return body[: len(body) // 2]


def corrupted(body: bytes) -> bytes:
    """One bit flipped in the middle."""
    middle = len(body) // 2
    return body[:middle] + bytes([body[middle] ^ 4]) + body[middle + 1 :]


class MemoryStore:
    """Atomic; ``requests`` counts what was asked, ``away`` takes the network away.

    ``versioned`` keeps what is overwritten or deleted, as a bucket with versioning does.
    """

    location = "memory"

    def __init__(self, clock: Callable[[], datetime], *, versioned: bool = False) -> None:
        self.objects: dict[str, StoredObject] = {}
        self.versioned = versioned
        self._older: dict[str, list[StoredObject]] = {}
        self.requests: list[tuple[str, str]] = []
        self.away = False
        self.faults: list[Fault] = []
        self.before: Callable[[str, str], None] = lambda verb, key: None
        self._clock = clock
        self._lock = threading.RLock()

    def fail(self, verb: str, prefix: str = "", **fault: Any) -> None:
        """The next matching request fails; call it several times for several."""
        self.faults.append(Fault(verb, prefix, **fault))

    def damage(self, key: str, change: Callable[[bytes], bytes]) -> None:
        """Change an object where it is."""
        stored = self.objects[key]
        body = change(stored.body)
        info = replace(stored.info, size_bytes=len(body))
        self.objects[key] = StoredObject(info, body)

    def numbers(self) -> list[int]:
        """The sequences in the log."""
        found = (log_sequence(key) for key in sorted(self.objects))
        return [sequence for sequence in found if sequence is not None]

    def entry(self, sequence: int) -> bytes:
        """The bytes of a log entry."""
        return self.objects[log_key(sequence)].body

    def keys(self, prefix: str) -> list[str]:
        """What there is, without counting as a request."""
        return [key for key in sorted(self.objects) if key.startswith(prefix)]

    def get(self, key: str) -> StoredObject:
        fault = self._begin("get", key)
        with self._lock:
            if key not in self.objects:
                raise ObjectNotFound("get", key)
            stored = self.objects[key]
        if fault and fault.change:
            return replace(stored, body=fault.change(stored.body))
        return stored

    def put(self, key: str, body: bytes, mode: PutMode) -> ObjectInfo:
        fault = self._begin("put", key)
        with self._lock:
            if mode is PutMode.CREATE and key in self.objects:
                raise ObjectExists("put", key)
            self._keep_version(key)
            info = ObjectInfo(key, len(body), self._clock())
            self.objects[key] = StoredObject(info, body)
        if fault and fault.error:
            raise fault.error
        return info

    def versions(self, key: str) -> list[StoredObject]:
        self._begin("versions", key)
        with self._lock:
            current = [self.objects[key]] if key in self.objects else []
            return [*self._older.get(key, []), *current]

    def list(self, prefix: str, *, start_after: str = "") -> list[ObjectInfo]:
        self._begin("list", prefix)
        with self._lock:
            found = [key for key in sorted(self.objects) if key.startswith(prefix)]
            return [self.objects[key].info for key in found if key > start_after]

    def delete(self, key: str) -> None:
        fault = self._begin("delete", key)
        with self._lock:
            self._keep_version(key)
            self.objects.pop(key, None)
        if fault and fault.error:
            raise fault.error

    def _keep_version(self, key: str) -> None:
        if self.versioned and key in self.objects:
            self._older.setdefault(key, []).append(self.objects[key])

    def _begin(self, verb: str, key: str) -> Fault | None:
        self.before(verb, key)
        with self._lock:
            self.requests.append((verb, key))
            if self.away:
                raise unreachable(verb, key)
            for fault in self.faults:
                if fault.verb == verb and key.startswith(fault.prefix):
                    self.faults.remove(fault)
                    if fault.error and not fault.after_effect:
                        raise fault.error
                    return fault
        return None


def trusting(store: ObjectStore, randomness: Random) -> ProbeResult:
    """A probe that asks nothing: the stores of these tests keep their promises."""
    return ProbeResult(StoreMode.MULTI_WRITER, ())


def open_replica(path: Path, store: Any, **options: Any) -> Replica:
    """A replica of the small test schema; nothing is restored yet."""
    settings: dict[str, Any] = {
        "clock": ManualClock(),
        "random": Random(),
        "tables": TABLES,
        "probe": trusting,
    }
    return Replica(path, store, options.pop("migrations", SCHEMA), **(settings | options))


def write(replica: Replica, name: str, text: str = "") -> str:
    """Commit one row; returns the transaction's id."""
    with replica.transaction() as transaction:
        insert(transaction, name, text)
    return transaction.id


def insert(transaction: Transaction, name: str, text: str = "") -> None:
    transaction.execute("INSERT INTO notes (name, text) VALUES (?, ?)", (name, text))


def names(replica: Replica) -> list[str]:
    return [name for name, _ in notes(replica)]


def notes(replica: Replica) -> list[tuple[str, str]]:
    """The rows of the test schema's table, without columns of later versions."""
    with replica.read() as connection:
        return list(connection.execute("SELECT name, text FROM notes ORDER BY name"))


def conflicts(replica: Replica) -> list[tuple[Any, ...]]:
    """(transaction, row key, column, resolution, kept, lost) of each row in sync_conflicts."""
    with replica.read() as connection:
        sql = (
            "SELECT transaction_id, row_key, column_name, resolution, kept, lost"
            " FROM sync_conflicts ORDER BY sequence, row_key, column_name"
        )
        return list(connection.execute(sql))


def replicated(replica: Replica) -> dict[str, list[tuple[Any, ...]]]:
    """All that must be the same on every replica at one sequence."""
    with replica.read() as connection:
        return {
            table: sorted(connection.execute(f"SELECT * FROM {table}"), key=repr)
            for table in ("notes", "sync_conflicts", "replica_transactions")
        }


@contextmanager
def unpacked(store: MemoryStore, key: str, folder: Path) -> Iterator[apsw.Connection]:
    """The database in a snapshot, a backup or a base."""
    path = folder / "unpacked.db"
    unpack(store.objects[key].body, key, path)
    with closing(apsw.Connection(str(path))) as connection:
        yield connection


def in_store(store: Any, folder: Path) -> list[str]:
    """The rows that a machine with an empty disk gets."""
    folder.mkdir(parents=True, exist_ok=True)
    replica = open_replica(folder / "fresh.db", store, fetch_workers=1)
    try:
        replica.restore()
        return names(replica)
    finally:
        replica.close(0)
        for file in folder.glob("fresh.db*"):
            file.unlink()
