"""What the engine needs from an object store: four verbs and two put modes.

Only snapshots and what a probe wrote are ever deleted; the log never is. Keys are relative to the
store's own prefix and use "/" on every platform.
"""

import enum
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol, runtime_checkable

__all__ = ["FileStore", "ObjectInfo", "ObjectStore", "PutMode", "StoredObject", "VersionedStore"]


class PutMode(enum.Enum):
    """CREATE never changes an existing object; OVERWRITE replaces it."""

    CREATE = "create"
    OVERWRITE = "overwrite"


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """One object; ``modified_at`` is UTC by the store's own clock."""

    key: str
    size_bytes: int
    modified_at: datetime


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object with its content."""

    info: ObjectInfo
    body: bytes


class ObjectStore(Protocol):
    """All methods may be called from any thread; failures raise a ``StoreError``."""

    @property
    def location(self) -> str:
        """Where it is, for people: "s3://bucket/predictions/", "folder /path"; no credential."""
        ...

    def get(self, key: str) -> StoredObject:
        """Read an object whole.

        Raises ObjectNotFound only when the store says so; a refusal is AccessDenied.
        """
        ...

    def put(self, key: str, body: bytes, mode: PutMode) -> ObjectInfo:
        """Write an object; what comes back carries the store's time.

        CREATE raises ObjectExists when the key is taken and makes exactly one attempt: an error
        such as StoreUnreachable leaves open whether the object was written.
        """
        ...

    def list(self, prefix: str, *, start_after: str = "") -> list[ObjectInfo]:
        """All objects whose keys start with ``prefix`` and sort after ``start_after``.

        Sorted by key, pages followed.
        """
        ...

    def delete(self, key: str) -> None:
        """Remove an object; one that is not there is fine."""
        ...


@runtime_checkable
class VersionedStore(Protocol):
    """A store that may keep what was overwritten or deleted."""

    def versions(self, key: str) -> list[StoredObject]:
        """Everything that was ever stored under this very key and is still kept, oldest first."""
        ...


@runtime_checkable
class FileStore(Protocol):
    """A store that takes and gives whole files, however large, a block at a time."""

    def put_file(
        self,
        key: str,
        path: Path,
        media_type: str,
        on_read: Callable[[int], None] = lambda read_bytes: None,
    ) -> ObjectInfo:
        """Write an object from a file, in place of what is there.

        Whoever fetches it by a link is told the media type, and to save it under the key's last
        part. ``on_read`` is told how many bytes of it have been read so far. Raises a
        ``StoreError``, and LocalError if the file cannot be read.
        """
        ...

    def get_file(self, key: str, path: Path) -> ObjectInfo:
        """Write an object into a file, in place of what is there.

        Raises as ``get`` does, and LocalError if the file cannot be written. A file that is not
        whole may be left then.
        """
        ...
