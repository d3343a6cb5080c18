"""The numbered objects of the log: where they lie, how one is read and how the next is claimed."""

import json
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Protocol

from replica.envelope import unpack_entry
from replica.errors import (
    EntryRefused,
    Forked,
    LeaseHeld,
    ObjectExists,
    ObjectNotFound,
    StoreError,
)
from replica.probe import StoreMode
from replica.store import ObjectInfo, ObjectStore, PutMode, StoredObject

__all__ = [
    "LEASE_KEY",
    "LEASE_SECONDS",
    "LOG",
    "Log",
    "SharedLog",
    "SingleWriterLog",
    "find_log",
    "log_key",
    "log_sequence",
    "make_log",
]

LOG = "log/"
_DIGITS = 20
_WRITER_DIGITS = 16

LEASE_KEY = "lease.json"
LEASE_SECONDS = 600
"""How long a writer that was killed keeps others out of a store for one writer."""

_LEASE = timedelta(seconds=LEASE_SECONDS)


def log_key(sequence: int, writer_id: str | None = None) -> str:
    """Where an entry lies; ``writer_id`` only in a log for a single writer."""
    return f"{LOG}{sequence:0{_DIGITS}d}{'' if writer_id is None else f'-{writer_id}'}"


def log_sequence(key: str) -> int | None:
    """The number in an entry's key, with or without a writer; None for any other key."""
    number, dash, writer_id = key.removeprefix(LOG).partition("-")
    is_entry = (
        key.startswith(LOG)
        and len(number) == _DIGITS
        and number.isascii()
        and number.isdigit()
        and int(number) > 0
        and (not dash or _is_writer_id(writer_id))
    )
    return int(number) if is_entry else None


class Log(Protocol):
    """A log of either mode. Failures of the store raise a StoreError."""

    @property
    def mode(self) -> StoreMode: ...

    def fetch(self, sequence: int) -> StoredObject:
        """Read an entry as it is in the store, unverified.

        Raises ObjectNotFound only at the end of the log; Forked when there are two.
        """
        ...

    def list_after(self, sequence: int) -> list[int]:
        """The sequences above this one that are in the store, ascending; one listing."""
        ...

    def claim(self, sequence: int, body: bytes, writer_id: str) -> ObjectInfo:
        """Write the next entry.

        Raises ObjectExists when the sequence is taken, perhaps by an earlier attempt of one's
        own: read it and compare. After any other StoreError the outcome is open as well.
        LeaseHeld: another process is the single writer. Forked: it wrote at the same time.
        """
        ...

    def put_back(self, sequence: int, body: bytes, mode: PutMode = PutMode.OVERWRITE) -> ObjectInfo:
        """Write an entry's original bytes again; only for a repair that has proved them.

        CREATE for an entry that is missing: raises ObjectExists if it is not.
        """
        ...

    def release(self) -> None:
        """Let another process write at once, where there is room for one only."""
        ...


class SharedLog:
    """A log in a store that creates atomically: any number of writers."""

    mode = StoreMode.MULTI_WRITER

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def fetch(self, sequence: int) -> StoredObject:
        return self._store.get(log_key(sequence))

    def list_after(self, sequence: int) -> list[int]:
        listed = self._store.list(LOG, start_after=log_key(sequence))
        return _sequences(info.key for info in listed if "-" not in info.key)

    def claim(self, sequence: int, body: bytes, writer_id: str) -> ObjectInfo:
        return self._store.put(log_key(sequence), body, PutMode.CREATE)

    def put_back(self, sequence: int, body: bytes, mode: PutMode = PutMode.OVERWRITE) -> ObjectInfo:
        return self._store.put(log_key(sequence), body, mode)

    def release(self) -> None:
        """There is no lease."""


class SingleWriterLog:
    """A log in a store whose creates overwrite: safe for one live writer.

    A lease keeps others out as far as it can. Each writer has keys of its own, so that nothing is
    ever overwritten: two writers at once leave two objects, which everybody sees as a fork.
    """

    mode = StoreMode.SINGLE_WRITER

    def __init__(self, store: ObjectStore, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock
        self._lease: tuple[str, datetime] | None = None

    def fetch(self, sequence: int) -> StoredObject:
        keys = self._keys(sequence)
        if not keys:
            raise ObjectNotFound("get", log_key(sequence), detail=self._store.location)
        return self._store.get(_only(keys))

    def list_after(self, sequence: int) -> list[int]:
        listed = self._store.list(LOG, start_after=log_key(sequence))
        return [found for found in _sequences(info.key for info in listed) if found > sequence]

    def claim(self, sequence: int, body: bytes, writer_id: str) -> ObjectInfo:
        self._take_lease(writer_id)
        # Its own key too: to write it again would change the time of an entry that is there.
        if taken := self._keys(sequence):
            raise ObjectExists("put", _only(taken))
        info = self._store.put(log_key(sequence, writer_id), body, PutMode.OVERWRITE)
        # Of two that wrote at the same time at least one sees both, before anything is called
        # durable.
        _only(self._keys(sequence))
        return info

    def put_back(self, sequence: int, body: bytes, mode: PutMode = PutMode.OVERWRITE) -> ObjectInfo:
        key = log_key(sequence, unpack_entry(body, log_key(sequence)).writer_id)
        there = self._keys(sequence)
        if mode is PutMode.CREATE and there:
            raise ObjectExists("put", _only(there))
        _only([*there, key])
        return self._store.put(key, body, PutMode.OVERWRITE)

    def release(self) -> None:
        """Mark the lease as free; a store that is away lets it run out."""
        if self._lease is None:
            return
        writer_id, _ = self._lease
        self._lease = None
        try:
            if self._read_lease()[0] == writer_id:
                # Overwritten, not deleted: the key in use may not be allowed to delete.
                self._write_lease("")
        except StoreError:
            return

    def _keys(self, sequence: int) -> list[str]:
        """All entries with this number, whoever wrote them.

        One without a writer counts too: somebody who took the store for one with atomic creates
        is a second writer like any other.
        """
        return [
            info.key
            for info in self._store.list(log_key(sequence))
            if log_sequence(info.key) == sequence
        ]

    def _take_lease(self, writer_id: str) -> None:
        now = self._store_now()
        if self._lease and self._lease[0] == writer_id and now - self._lease[1] < _LEASE / 2:
            return
        holder, renewed_at = self._read_lease()
        if holder not in ("", writer_id) and renewed_at and now - renewed_at < _LEASE:
            ends = renewed_at + _LEASE
            detail = f"writer {holder}, until {ends:%Y-%m-%d %H:%M:%S} UTC unless it goes on"
            raise LeaseHeld("write", LEASE_KEY, detail=detail)
        self._lease = (writer_id, self._write_lease(writer_id).modified_at)

    def _read_lease(self) -> tuple[str, datetime | None]:
        """Who holds the lease and since when; "" for nobody."""
        try:
            stored = self._store.get(LEASE_KEY)
        except ObjectNotFound:
            return "", None
        try:
            found = json.loads(stored.body)
        except ValueError:
            found = None
        holder = found.get("writer_id") if isinstance(found, dict) else None
        # What cannot be read keeps nobody out: the lease is a courtesy, the keys are the guard.
        return (holder if isinstance(holder, str) else ""), stored.info.modified_at

    def _write_lease(self, writer_id: str) -> ObjectInfo:
        body = json.dumps({"writer_id": writer_id}).encode()
        return self._store.put(LEASE_KEY, body, PutMode.OVERWRITE)

    def _store_now(self) -> datetime:
        # As far as it is known; a store without a measured offset keeps this machine's time.
        offset_seconds = getattr(self._store, "clock_offset_seconds", None) or 0.0
        return self._clock() + timedelta(seconds=offset_seconds)


def find_log(store: ObjectStore, clock: Callable[[], datetime]) -> Log | None:
    """The log that is in the store, in the mode in which it was begun; None if there is none.

    Raises EntryRefused when later entries are there but not the first.
    """
    try:
        store.get(log_key(1))
        return SharedLog(store)
    except ObjectNotFound:
        pass
    keys = [info.key for info in store.list(LOG)]
    first = [key for key in keys if log_sequence(key) == 1]
    if log_key(1) in first:
        return SharedLog(store)  # begun between the two questions
    if first:
        return SingleWriterLog(store, clock)
    if _sequences(keys):
        # A new log beside the rest of another one would mix the two.
        raise EntryRefused("read", log_key(1), detail="it is missing, later entries are there")
    return None


def make_log(store: ObjectStore, mode: StoreMode, clock: Callable[[], datetime]) -> Log:
    """A log of this mode, whether or not there is anything in it yet."""
    return SharedLog(store) if mode is StoreMode.MULTI_WRITER else SingleWriterLog(store, clock)


def _is_writer_id(text: str) -> bool:
    return len(text) == _WRITER_DIGITS and not set(text) - set("0123456789abcdef")


def _sequences(keys: Iterable[str]) -> list[int]:
    return sorted({found for key in keys if (found := log_sequence(key)) is not None})


def _only(keys: Iterable[str]) -> str:
    """The one key of a sequence."""
    first, *others = sorted(set(keys))
    if others:
        raise Forked("read", first, detail=f"beside it: {', '.join(others)}")
    return first
