"""An object store in memory that fails on demand, and a clock that stands still."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from replica import (
    AccessDenied,
    Migration,
    ObjectExists,
    ObjectInfo,
    ObjectNotFound,
    PutMode,
    Replica,
    StoredObject,
    StoreError,
    StoreUnreachable,
    Transaction,
)

SCHEMA = (Migration(1, "notes", "CREATE TABLE notes (name TEXT PRIMARY KEY NOT NULL, text TEXT)"),)
NEXT_SCHEMA = (*SCHEMA, Migration(2, "stars", "ALTER TABLE notes ADD COLUMN stars INTEGER"))


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
    action = {"get": "s3:GetObject", "put": "s3:PutObject", "list": "s3:ListBucket"}[verb]
    return AccessDenied(verb, key, action)


def truncated(body: bytes) -> bytes:
    return body[: len(body) // 2]


def corrupted(body: bytes) -> bytes:
    """One bit flipped in the middle."""
    middle = len(body) // 2
    return body[:middle] + bytes([body[middle] ^ 4]) + body[middle + 1 :]


class MemoryStore:
    """Atomic; ``requests`` counts what was asked, ``away`` takes the network away."""

    location = "memory"

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.objects: dict[str, StoredObject] = {}
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
        return [int(key[10:30]) for key in sorted(self.objects) if key.startswith("snapshots/")]

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
            info = ObjectInfo(key, len(body), self._clock())
            self.objects[key] = StoredObject(info, body)
        if fault and fault.error:
            raise fault.error
        return info

    def list(self, prefix: str) -> list[ObjectInfo]:
        self._begin("list", prefix)
        with self._lock:
            found = [key for key in sorted(self.objects) if key.startswith(prefix)]
            return [self.objects[key].info for key in found]

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


def open_replica(path: Path, store: Any, **options: Any) -> Replica:
    """A replica of the small test schema; nothing is restored yet."""
    settings: dict[str, Any] = {"clock": ManualClock(), "random": Random()}
    return Replica(path, store, options.pop("migrations", SCHEMA), **(settings | options))


def write(replica: Replica, name: str, text: str = "") -> str:
    """Commit one row; returns the transaction's id."""
    with replica.transaction() as transaction:
        insert(transaction, name, text)
    return transaction.id


def insert(transaction: Transaction, name: str, text: str = "") -> None:
    transaction.execute("INSERT INTO notes (name, text) VALUES (?, ?)", (name, text))


def names(replica: Replica) -> list[str]:
    with replica.read() as connection:
        return [row[0] for row in connection.execute("SELECT name FROM notes ORDER BY name")]


def in_store(store: Any, folder: Path) -> list[str]:
    """The rows that a machine with an empty disk gets."""
    folder.mkdir(parents=True, exist_ok=True)
    replica = open_replica(folder / "fresh.db", store)
    try:
        replica.restore()
        return names(replica)
    finally:
        replica.close(0)
        for file in folder.glob("fresh.db*"):
            file.unlink()
