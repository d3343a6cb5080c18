"""The bytes of a snapshot: what it is, then the compressed database.

::

    skippable frame   magic, length, JSON metadata, newline, SHA-256 of the metadata in hex
    zstd frame        the SQLite file, with zstd's own checksum

``zstd -d`` passes over the skippable frame, so any snapshot opens without this program. Every bit
is covered by a hash: the database by the one in the metadata, the metadata by the one behind it.
"""

import hashlib
import json
import struct
from dataclasses import asdict, dataclass, fields
from typing import Any

import zstandard

from replica.errors import NewerSchema, NotADatabase, NotASnapshot, SnapshotCorrupt

__all__ = [
    "BACKUPS",
    "SNAPSHOTS",
    "SnapshotMetadata",
    "pack",
    "snapshot_key",
    "snapshot_sequence",
    "unpack",
    "unpack_metadata",
]

SNAPSHOTS = "snapshots/"
BACKUPS = "backups/"
_SUFFIX = ".db.zst"
_DIGITS = 20

_FORMAT = 1
_SKIPPABLE_MAGIC = 0x184D2A50
_HEADER = struct.Struct("<II")
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_SQLITE_MAGIC = b"SQLite format 3\x00"
_LEVEL = 6
_DIGEST_LENGTH = 64


@dataclass(frozen=True, slots=True)
class SnapshotMetadata:
    """``lineage`` is born with snapshot 1 and shared by all that follow; ``parent_sha256`` is of
    the parent object's bytes ("" for the first), ``sha256`` and ``size_bytes`` of the database.
    """

    lineage: str
    sequence: int
    parent_sha256: str
    sha256: str
    schema_version: int
    writer_id: str
    size_bytes: int
    format: int = _FORMAT


def snapshot_key(sequence: int) -> str:
    """The key of a numbered snapshot: as text, keys sort as their numbers do."""
    return f"{SNAPSHOTS}{sequence:0{_DIGITS}d}{_SUFFIX}"


def snapshot_sequence(key: str) -> int | None:
    """The number in a snapshot's key; None for any other key."""
    digits = key.removeprefix(SNAPSHOTS).removesuffix(_SUFFIX)
    if len(digits) != _DIGITS or not (digits.isascii() and digits.isdigit()):
        return None
    return int(digits) if key == snapshot_key(int(digits)) else None


def pack(
    database: bytes,
    *,
    lineage: str,
    sequence: int,
    parent_sha256: str,
    schema_version: int,
    writer_id: str,
) -> bytes:
    """A snapshot of ``database``, the content of a closed SQLite file."""
    metadata = SnapshotMetadata(
        lineage=lineage,
        sequence=sequence,
        parent_sha256=parent_sha256,
        sha256=hashlib.sha256(database).hexdigest(),
        schema_version=schema_version,
        writer_id=writer_id,
        size_bytes=len(database),
    )
    text = json.dumps(asdict(metadata), sort_keys=True).encode()
    frame = text + b"\n" + hashlib.sha256(text).hexdigest().encode()
    compressor = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True)
    return _HEADER.pack(_SKIPPABLE_MAGIC, len(frame)) + frame + compressor.compress(database)


def unpack_metadata(body: bytes, key: str) -> SnapshotMetadata:
    """The metadata alone, verified by its hash.

    Raises NotASnapshot, SnapshotCorrupt, or NewerSchema for a format made by a newer version.
    """
    return _split(body, key)[0]


def unpack(body: bytes, key: str) -> tuple[SnapshotMetadata, bytes]:
    """Metadata and database of a snapshot, every byte verified.

    Raises what ``unpack_metadata`` raises, and NotADatabase.
    """
    metadata, compressed = _split(body, key)
    try:
        declared = zstandard.frame_content_size(compressed)
        # Checked before anything is decompressed, so that a small object cannot fill the memory.
        if not compressed.startswith(_ZSTD_MAGIC) or declared != metadata.size_bytes:
            raise SnapshotCorrupt("unpack", key, detail="the sizes do not agree")
        database = zstandard.ZstdDecompressor().decompress(compressed, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise SnapshotCorrupt("unpack", key, detail=str(error)) from error
    if hashlib.sha256(database).hexdigest() != metadata.sha256:
        raise SnapshotCorrupt("unpack", key, detail="the hash does not agree")
    if not database.startswith(_SQLITE_MAGIC):
        raise NotADatabase("unpack", key)
    return metadata, database


def _split(body: bytes, key: str) -> tuple[SnapshotMetadata, bytes]:
    if len(body) < _HEADER.size:
        raise NotASnapshot("unpack", key, detail=f"{len(body)} bytes")
    magic, length = _HEADER.unpack_from(body)
    if magic != _SKIPPABLE_MAGIC:
        raise NotASnapshot("unpack", key, detail="it begins differently")
    frame = body[_HEADER.size : _HEADER.size + length]
    text, digest = frame[: -_DIGEST_LENGTH - 1], frame[-_DIGEST_LENGTH:]
    if len(frame) < length or hashlib.sha256(text).hexdigest().encode() != digest:
        raise SnapshotCorrupt("unpack", key, detail="its description is damaged")
    return _parse(text, key), body[_HEADER.size + length :]


def _parse(text: bytes, key: str) -> SnapshotMetadata:
    try:
        values: Any = json.loads(text)
        written_format = int(values["format"])
        if written_format > _FORMAT:
            raise NewerSchema("unpack", key, detail=f"format {written_format}")
        names = [field.name for field in fields(SnapshotMetadata)]
        return SnapshotMetadata(**{name: values[name] for name in names})
    except (ValueError, KeyError, TypeError) as error:
        raise NotASnapshot("unpack", key, detail=f"its description lacks {error}") from error
