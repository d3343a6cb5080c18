"""Snapshots in the store: which there are, getting one that can be trusted, making the next.

A snapshot is a shortcut, never an authority: the log holds everything, and a snapshot that is
damaged or missing only makes the way longer.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from replica.advance import undo_pending
from replica.conflicts import CONFLICTS_TABLE
from replica.database import (
    compact_copy,
    empty_local_tables,
    in_transaction,
    open_work_file,
    schema_version,
    temporary_database,
    verify_database,
)
from replica.errors import (
    LocalCorrupt,
    NewerSchema,
    NotADatabase,
    NotASnapshot,
    ObjectExists,
    ObjectNotFound,
    SnapshotCorrupt,
    SnapshotError,
)
from replica.localfaults import local_faults
from replica.position import Position, forget_log, read_position
from replica.snapshot import SnapshotMetadata, pack, read_metadata, unpack
from replica.store import ObjectInfo, ObjectStore, PutMode

__all__ = [
    "BACKUPS",
    "DAMAGE",
    "HEAD",
    "SNAPSHOTS",
    "SnapshotRef",
    "candidates",
    "content_copy",
    "fetch_base",
    "fetch_snapshot",
    "is_due",
    "list_snapshots",
    "pack_content",
    "pack_first_content",
    "prune",
    "put_base",
    "put_snapshot",
    "read_head",
    "require_named",
    "unpack_verified",
]

SNAPSHOTS = "snapshots/"
BACKUPS = "backups/"
BASES = "bases/"
HEAD = "head.json"
DAMAGE = (NotASnapshot, SnapshotCorrupt, NotADatabase)

KEPT_SNAPSHOTS = 3

_SUFFIX = ".db.zst"
_DIGITS = 20
_SHA256_DIGITS = 64

# Replaying an entry costs one more request: about as long as reading this much.
_ENTRY_OVERHEAD_BYTES = 4 << 10
_LEAST_TAIL_BYTES = 16 << 10
_FAIR_SHARE = 2
_SMALL_SNAPSHOT_BYTES = 1 << 20
_SMALL_SNAPSHOT_AGE = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class SnapshotRef:
    """Where a snapshot is; ``made_at`` is UTC by the store's clock, None if only hinted at.

    ``entry_sha256`` is that of its newest entry, "" if unknown.
    """

    sequence: int
    key: str
    size_bytes: int | None = None
    made_at: datetime | None = None
    entry_sha256: str = ""


def list_snapshots(store: ObjectStore) -> list[SnapshotRef]:
    """All snapshots, oldest first (one LIST)."""
    found = (_ref_of(info) for info in store.list(SNAPSHOTS))
    return sorted(filter(None, found), key=lambda ref: ref.sequence)


def read_head(store: ObjectStore, log_id: str) -> SnapshotRef | None:
    """The snapshot that was the newest when somebody last said so; it may be gone or outdated."""
    try:
        stored = store.get(HEAD)
        head = json.loads(stored.body)
        if head["log_id"] == log_id and _sequence_in(head["key"]) == head["sequence"]:
            size_bytes = int(head["size_bytes"])
            made_at = stored.info.modified_at
            sha256 = str(head["entry_sha256"])
            return SnapshotRef(head["sequence"], head["key"], size_bytes, made_at, sha256)
    except (ObjectNotFound, ValueError, KeyError, TypeError, AttributeError, OverflowError):
        # A hint that says nothing is no hint.
        pass
    return None


def candidates(
    store: ObjectStore, log_id: str, until: int | datetime | None = None
) -> Iterator[SnapshotRef]:
    """Snapshots to try in turn, newest first, not later than a sequence or a time."""
    hinted = read_head(store, log_id) if until is None else None
    if hinted is not None:
        yield hinted
    for ref in reversed(list_snapshots(store)):
        is_hinted = hinted is not None and ref.key == hinted.key
        if not is_hinted and _is_within(ref, until):
            yield ref


def fetch_snapshot(
    store: ObjectStore, key: str, target: Path, *, known_schema: int
) -> SnapshotMetadata:
    """Write one snapshot's database to ``target`` and verify it in every way.

    Raises NotASnapshot, SnapshotCorrupt or NotADatabase when it arrived damaged twice,
    ObjectNotFound, and NewerSchema when this program is older.
    """
    try:
        return _fetch(store, key, target, known_schema)
    except DAMAGE:
        # It may have been damaged on its way.
        return _fetch(store, key, target, known_schema)


def fetch_base(store: ObjectStore, key: str, target: Path, *, known_schema: int) -> None:
    """As ``fetch_snapshot``, for content that a log entry names: there is no other to fall back on.

    Raises SnapshotCorrupt also when the object is missing.
    """
    try:
        fetch_snapshot(store, key, target, known_schema=known_schema)
    except ObjectNotFound as error:
        raise SnapshotCorrupt("read", key, detail="the log names it, but it is gone") from error


@contextmanager
def content_copy(
    path: Path, replicated: Sequence[str], *, pending: bool = False
) -> Iterator[tuple[Path, Position]]:
    """A verified copy of an open file's content as of its place in the log, in a file of its own.

    ``pending`` keeps what is not in the log, for a copy that is meant to hold everything.
    """
    tables = (*replicated, CONFLICTS_TABLE)
    with temporary_database(path) as copy:
        compact_copy(path, copy)
        with closing(open_work_file(copy)) as connection, local_faults("copy", path):
            # What is deleted must not travel in pages that are free now.
            connection.pragma("secure_delete", "on")
            with in_transaction(connection):
                if not pending:
                    undo_pending(connection, tables)
                empty_local_tables(connection, tables, pending=pending)
            connection.pragma("journal_mode", "delete")
            position = read_position(connection)
        try:
            verify_database(copy, str(path))
        except SnapshotError as error:
            raise LocalCorrupt("copy", str(path), detail=error.detail) from error
        yield copy, position


def pack_content(path: Path, replicated: Sequence[str], *, pending: bool = False) -> bytes:
    """A snapshot of an open file's content; see ``content_copy``."""
    with content_copy(path, replicated, pending=pending) as (copy, position):
        return _pack(copy, position)


def pack_first_content(path: Path, replicated: Sequence[str]) -> bytes:
    """A snapshot of an open file's content for a log to begin with.

    Sequences of transactions belonged to the log before, if there was one, so they become 0.
    """
    with content_copy(path, replicated) as (copy, _):
        with (
            closing(open_work_file(copy)) as connection,
            local_faults("copy", path),
            in_transaction(connection),
        ):
            forget_log(connection)
        return _pack(copy, Position())


def _pack(copy: Path, position: Position) -> bytes:
    with closing(open_work_file(copy)) as connection, local_faults("copy", copy):
        schema = schema_version(connection)
    return pack(
        copy,
        log_id=position.log_id,
        sequence=position.sequence,
        entry_sha256=position.entry_sha256,
        schema_version=schema,
    )


def put_base(store: ObjectStore, body: bytes) -> str:
    """Store content for a log entry to name; returns its key, which follows from the bytes."""
    key = f"{BASES}{hashlib.sha256(body).hexdigest()}{_SUFFIX}"
    try:
        store.put(key, body, PutMode.CREATE)
    except ObjectExists:
        # Under this name there can only be these bytes, unless they were damaged.
        if store.get(key).body != body:
            raise
    return key


def put_snapshot(store: ObjectStore, body: bytes, latest_key: str) -> SnapshotRef:
    """Store a packed snapshot and make it the newest for everybody."""
    position = read_metadata(body, SNAPSHOTS)
    key = f"{SNAPSHOTS}{position.sequence:0{_DIGITS}d}-{hashlib.sha256(body).hexdigest()}{_SUFFIX}"
    # Its name says what it holds, so writing it twice changes nothing.
    info = store.put(key, body, PutMode.OVERWRITE)
    store.put(latest_key, body, PutMode.OVERWRITE)
    head = {
        "log_id": position.log_id,
        "sequence": position.sequence,
        "key": key,
        "entry_sha256": position.entry_sha256,
        "size_bytes": len(body),
    }
    store.put(HEAD, json.dumps(head, indent=1).encode(), PutMode.OVERWRITE)
    return SnapshotRef(position.sequence, key, len(body), info.modified_at)


def is_due(last: SnapshotRef | None, tail_entries: int, tail_bytes: int, now: datetime) -> bool:
    """Whether the tail of the log behind the last snapshot has earned another one.

    A fair share of the snapshot's own size keeps all that is ever written to a few times the
    log; small databases may in addition have one a day, so that the copy for people is fresh.
    """
    if not tail_entries:
        return False
    if last is None or last.size_bytes is None or last.made_at is None:
        return True
    weight = tail_bytes + tail_entries * _ENTRY_OVERHEAD_BYTES
    if weight >= max(_LEAST_TAIL_BYTES, last.size_bytes // _FAIR_SHARE):
        return True
    small = last.size_bytes <= _SMALL_SNAPSHOT_BYTES
    return small and now - last.made_at >= _SMALL_SNAPSHOT_AGE


def prune(store: ObjectStore) -> None:
    """Delete all but the newest snapshots. Raises AccessDenied if the key may not delete."""
    for ref in list_snapshots(store)[:-KEPT_SNAPSHOTS]:
        store.delete(ref.key)


def _fetch(store: ObjectStore, key: str, target: Path, known_schema: int) -> SnapshotMetadata:
    body = store.get(key).body
    require_named(body, key)
    return unpack_verified(body, key, target, known_schema=known_schema)


def require_named(body: bytes, key: str) -> None:
    """Raise SnapshotCorrupt for a snapshot or a base that is not what its key says."""
    named = key.removesuffix(_SUFFIX)[-_SHA256_DIGITS:]
    if hashlib.sha256(body).hexdigest() != named:
        raise SnapshotCorrupt("read", key, detail="its content is not what its name says")


def unpack_verified(body: bytes, key: str, target: Path, *, known_schema: int) -> SnapshotMetadata:
    """Write the database in a snapshot's bytes to ``target`` and verify it.

    Raises as ``unpack``, and SnapshotCorrupt or NotADatabase for what is no sound database of this
    engine, NewerSchema when this program is older.
    """
    metadata = unpack(body, key, target)
    if metadata.schema_version > known_schema:
        found = f"schema {metadata.schema_version}, known {known_schema}"
        raise NewerSchema("restore", key, detail=found)
    if verify_database(target, key) != metadata.schema_version:
        raise SnapshotCorrupt("restore", key, detail="its schema is not the one it names")
    return metadata


def _ref_of(info: ObjectInfo) -> SnapshotRef | None:
    sequence = _sequence_in(info.key)
    if sequence is None:
        return None
    return SnapshotRef(sequence, info.key, info.size_bytes, info.modified_at)


def _sequence_in(key: str) -> int | None:
    """The sequence in a snapshot's key; None for any other key."""
    if not (key.startswith(SNAPSHOTS) and key.endswith(_SUFFIX)):
        return None
    digits, _, sha256 = key.removeprefix(SNAPSHOTS).removesuffix(_SUFFIX).partition("-")
    well_formed = len(digits) == _DIGITS and digits.isascii() and digits.isdigit()
    return int(digits) if well_formed and len(sha256) == _SHA256_DIGITS else None


def _is_within(ref: SnapshotRef, until: int | datetime | None) -> bool:
    match until:
        case None:
            return True
        case datetime():
            # A snapshot is stored after the entries that it holds.
            return ref.made_at is not None and ref.made_at <= until
        case _:
            return ref.sequence <= until
