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
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import zstandard

from replica.errors import NewerSchema, NotADatabase, NotASnapshot, SnapshotCorrupt
from replica.localfaults import local_faults

__all__ = ["SnapshotMetadata", "pack", "read_frame", "read_metadata", "unpack", "write_frame"]

_FORMAT = 2
_SKIPPABLE_MAGIC = 0x184D2A50
_HEADER = struct.Struct("<II")
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_SQLITE_MAGIC = b"SQLite format 3\x00"
_LEVEL = 6
_DIGEST_LENGTH = 64
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class SnapshotMetadata:
    """``log_id``, ``sequence`` and ``entry_sha256`` are the content's place in the log ("" and 0
    for the content that a log begins with); ``sha256`` and ``size_bytes`` are of the database."""

    log_id: str
    sequence: int
    entry_sha256: str
    schema_version: int
    sha256: str
    size_bytes: int
    format: int = _FORMAT


def pack(
    database: Path, *, log_id: str, sequence: int, entry_sha256: str, schema_version: int
) -> bytes:
    """A snapshot of a closed SQLite file; the file itself is never in memory as a whole."""
    with local_faults("read", database), database.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        size_bytes = file.tell()
        metadata = SnapshotMetadata(
            log_id=log_id,
            sequence=sequence,
            entry_sha256=entry_sha256,
            schema_version=schema_version,
            sha256=sha256,
            size_bytes=size_bytes,
        )
        parts = [write_frame(asdict(metadata))]
        file.seek(0)
        compressor = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compressobj(
            size=size_bytes
        )
        while chunk := file.read(_CHUNK_BYTES):
            parts.append(compressor.compress(chunk))
    return b"".join([*parts, compressor.flush()])


def read_metadata(body: bytes, key: str) -> SnapshotMetadata:
    """The metadata alone, verified by its hash.

    Raises NotASnapshot, SnapshotCorrupt, or NewerSchema for a format made by a newer version.
    """
    return _split(body, key)[0]


def unpack(body: bytes, key: str, target: Path) -> SnapshotMetadata:
    """Write a snapshot's database to ``target``, every byte verified.

    Raises what ``read_metadata`` raises, and NotADatabase; ``target`` is of no use then.
    """
    metadata, compressed = _split(body, key)
    digest, size_bytes, beginning = hashlib.sha256(), 0, b""
    try:
        declared = zstandard.frame_content_size(compressed)
        # Checked before anything is decompressed, so that a small object cannot fill the disk.
        if bytes(compressed[:4]) != _ZSTD_MAGIC or declared != metadata.size_bytes:
            raise SnapshotCorrupt("unpack", key, detail="the sizes do not agree")
        with local_faults("write", target), target.open("wb") as file:
            frame = zstandard.ZstdDecompressor().decompressobj(write_size=_CHUNK_BYTES)
            for start in range(0, len(compressed), _CHUNK_BYTES):
                if frame.eof:
                    raise SnapshotCorrupt("unpack", key, detail="something follows its end")
                chunk = frame.decompress(compressed[start : start + _CHUNK_BYTES])
                digest.update(chunk)
                file.write(chunk)
                size_bytes += len(chunk)
                beginning = beginning or chunk[: len(_SQLITE_MAGIC)]
            if frame.unused_data or not frame.eof:
                raise SnapshotCorrupt("unpack", key, detail="its end is not where it should be")
    except zstandard.ZstdError as error:
        raise SnapshotCorrupt("unpack", key, detail=str(error)) from error
    if size_bytes != metadata.size_bytes or digest.hexdigest() != metadata.sha256:
        raise SnapshotCorrupt("unpack", key, detail="the hash does not agree")
    if beginning != _SQLITE_MAGIC:
        raise NotADatabase("unpack", key)
    return metadata


def write_frame(description: Mapping[str, Any]) -> bytes:
    """A skippable frame with a description and the description's hash."""
    text = json.dumps(dict(description), sort_keys=True).encode()
    frame = text + b"\n" + hashlib.sha256(text).hexdigest().encode()
    return _HEADER.pack(_SKIPPABLE_MAGIC, len(frame)) + frame


def read_frame(body: bytes, key: str) -> tuple[dict[str, Any], memoryview]:
    """The description in front, verified by its hash, and what follows it.

    Raises NotASnapshot, SnapshotCorrupt.
    """
    if len(body) < _HEADER.size:
        raise NotASnapshot("unpack", key, detail=f"{len(body)} bytes")
    magic, length = _HEADER.unpack_from(body)
    if magic != _SKIPPABLE_MAGIC:
        raise NotASnapshot("unpack", key, detail="it begins differently")
    frame = body[_HEADER.size : _HEADER.size + length]
    text, digest = frame[: -_DIGEST_LENGTH - 1], frame[-_DIGEST_LENGTH:]
    if len(frame) < length or hashlib.sha256(text).hexdigest().encode() != digest:
        raise SnapshotCorrupt("unpack", key, detail="its description is damaged")
    try:
        description = json.loads(text)
    except ValueError as error:
        raise NotASnapshot("unpack", key, detail=str(error)) from error
    if not isinstance(description, dict):
        raise NotASnapshot("unpack", key, detail="its description is none")
    return description, memoryview(body)[_HEADER.size + length :]


def _split(body: bytes, key: str) -> tuple[SnapshotMetadata, memoryview]:
    values, compressed = read_frame(body, key)
    try:
        written_format = int(values["format"])
        if written_format > _FORMAT:
            raise NewerSchema("unpack", key, detail=f"format {written_format}")
        names = [field.name for field in fields(SnapshotMetadata)]
        return SnapshotMetadata(**{name: values[name] for name in names}), compressed
    except (ValueError, KeyError, TypeError) as error:
        raise NotASnapshot("unpack", key, detail=f"its description lacks {error}") from error
