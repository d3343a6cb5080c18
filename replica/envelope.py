"""The bytes of a log entry.

::

    header   magic, format, kind, log id, sequence, parent's SHA-256, parent's time, writer id,
             schema version, number of transactions, sizes of what follows
    ids      16 bytes for each transaction
    payload  one zstd frame: the changesets, each after its length, or a description in JSON
    digest   SHA-256 of everything before it

An entry cannot hold its own time: it is written before the store has answered. It holds its
parent's, so that the time of every entry but the last is the same for all who read the log.
"""

import enum
import hashlib
import json
import struct
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import zstandard

from replica.errors import EntryRefused, NewerSchema
from replica.probe import StoreMode

__all__ = ["NO_PARENT", "Change", "Entry", "Kind", "entry_sha256", "pack_entry", "unpack_entry"]

NO_PARENT = "0" * 64
"""The parent's hash in the first entry of a log."""

MAX_PAYLOAD_BYTES = 128 << 20
"""Uncompressed; checked before anything is decompressed, so that no entry can fill the memory."""

_MAGIC = b"RLOG"
_FORMAT = 1
_HEADER = struct.Struct(">4sHB16sQ32sQ8sIIII")
_LATEST_S = 1 << 37
_LENGTH = struct.Struct(">I")
_ID_BYTES = 16
_DIGEST_BYTES = 32
# Small entries are most of them, and there the best level costs less than a millisecond.
_LEVEL_SMALL, _LEVEL_LARGE = 19, 6
_SMALL_BYTES = 64 << 10


class Kind(enum.IntEnum):
    """What an entry does. GENESIS and BASE name an object below ``bases/`` with the content."""

    GENESIS = 1
    CHANGES = 2
    MIGRATION = 3
    BASE = 4


_DESCRIBED: Mapping[Kind, Mapping[str, type]] = {
    Kind.GENESIS: {"base": str, "mode": str},
    Kind.MIGRATION: {"version": int, "sql": str, "sha256": str},
    Kind.BASE: {"base": str, "tables": list, "transactions": list},
}


@dataclass(frozen=True, slots=True)
class Change:
    """One transaction: its UUID and the changeset that has the same effect."""

    transaction_id: str
    changeset: bytes


@dataclass(frozen=True, slots=True)
class Entry:
    """``parent_stored_at_s`` is in seconds since 1970 (UTC), by the store's clock; 0 in genesis.

    ``schema_version`` is the version that the entry is applied to, in genesis its base's.
    ``changes`` belong to CHANGES, ``description`` to the other kinds.
    """

    kind: Kind
    log_id: str
    sequence: int
    parent_sha256: str
    parent_stored_at_s: int
    writer_id: str
    schema_version: int
    changes: tuple[Change, ...] = ()
    description: Mapping[str, Any] = field(default_factory=dict)

    @property
    def transaction_ids(self) -> tuple[str, ...]:
        return tuple(change.transaction_id for change in self.changes)


def pack_entry(entry: Entry) -> bytes:
    """The object's bytes; the same entry always gives the same."""
    payload = _payload(entry)
    level = _LEVEL_SMALL if len(payload) <= _SMALL_BYTES else _LEVEL_LARGE
    compressed = zstandard.ZstdCompressor(level=level, write_content_size=True).compress(payload)
    header = _HEADER.pack(
        _MAGIC,
        _FORMAT,
        entry.kind,
        bytes.fromhex(entry.log_id),
        entry.sequence,
        bytes.fromhex(entry.parent_sha256),
        entry.parent_stored_at_s,
        bytes.fromhex(entry.writer_id),
        entry.schema_version,
        len(entry.changes),
        len(compressed),
        len(payload),
    )
    ids = b"".join(uuid.UUID(name).bytes for name in entry.transaction_ids)
    body = header + ids + compressed
    return body + hashlib.sha256(body).digest()


def unpack_entry(body: bytes, key: str) -> Entry:
    """The entry in an object, every byte verified.

    Raises EntryRefused, or NewerSchema for a format made by a newer version.
    """
    if len(body) < _HEADER.size + _DIGEST_BYTES or not body.startswith(_MAGIC):
        raise EntryRefused("read", key, detail="it is not a log entry")
    content, digest = body[:-_DIGEST_BYTES], body[-_DIGEST_BYTES:]
    if hashlib.sha256(content).digest() != digest:
        raise EntryRefused("read", key, detail="the hash does not agree")
    _, written_format, kind, log_id, sequence, parent, parent_time, writer, schema, *sizes = (
        _HEADER.unpack_from(content)
    )
    if written_format > _FORMAT or kind not in list(Kind):
        raise NewerSchema("read", key, detail=f"format {written_format}, kind {kind}")
    count, compressed_bytes, payload_bytes = sizes
    start = _HEADER.size + count * _ID_BYTES
    if parent_time > _LATEST_S:
        raise EntryRefused("read", key, detail="its parent's time is none")
    if len(content) != start + compressed_bytes or payload_bytes > MAX_PAYLOAD_BYTES:
        raise EntryRefused("read", key, detail="the sizes do not agree")
    payload = _decompress(content[start:], payload_bytes, key)
    ids = [
        str(uuid.UUID(bytes=content[at : at + _ID_BYTES]))
        for at in range(_HEADER.size, start, _ID_BYTES)
    ]
    is_changes = kind == Kind.CHANGES
    return Entry(
        kind=Kind(kind),
        log_id=log_id.hex(),
        sequence=sequence,
        parent_sha256=parent.hex(),
        parent_stored_at_s=parent_time,
        writer_id=writer.hex(),
        schema_version=schema,
        changes=_changes(ids, payload, key) if is_changes else (),
        description={} if is_changes else _description(payload, Kind(kind), key),
    )


def entry_sha256(body: bytes) -> str:
    """The hash by which the next entry names this object; 64 hex digits."""
    return hashlib.sha256(body).hexdigest()


def _payload(entry: Entry) -> bytes:
    if entry.kind is not Kind.CHANGES:
        return json.dumps(dict(entry.description), sort_keys=True, separators=(",", ":")).encode()
    return b"".join(
        _LENGTH.pack(len(change.changeset)) + change.changeset for change in entry.changes
    )


def _decompress(compressed: bytes, payload_bytes: int, key: str) -> bytes:
    try:
        if zstandard.frame_content_size(compressed) != payload_bytes:
            raise EntryRefused("read", key, detail="the sizes do not agree")
        return zstandard.ZstdDecompressor().decompress(compressed, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise EntryRefused("read", key, detail=str(error)) from error


def _changes(ids: Sequence[str], payload: bytes, key: str) -> tuple[Change, ...]:
    changes: list[Change] = []
    at = 0
    for name in ids:
        if at + _LENGTH.size > len(payload):
            break
        (length,) = _LENGTH.unpack_from(payload, at)
        at += _LENGTH.size
        changes.append(Change(name, payload[at : at + length]))
        at += length
    complete = len(changes) == len(ids) and at == len(payload)
    if not complete or not changes or not all(change.changeset for change in changes):
        raise EntryRefused("read", key, detail="it is empty or its changesets are not whole")
    return tuple(changes)


def _description(payload: bytes, kind: Kind, key: str) -> Mapping[str, Any]:
    try:
        found = json.loads(payload)
    except ValueError as error:
        raise EntryRefused("read", key, detail=str(error)) from error
    if not isinstance(found, dict) or not found:
        raise EntryRefused("read", key, detail="its description is empty")
    for name, expected in _DESCRIBED[kind].items():
        if not isinstance(found.get(name), expected):
            raise EntryRefused("read", key, detail=f"its description lacks {name}")
    if kind is Kind.GENESIS and found["mode"] not in list(StoreMode):
        raise EntryRefused("read", key, detail=f"mode {found['mode']!r}")
    return found
