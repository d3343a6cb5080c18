"""What the engine needs from an object store: three verbs and two put modes.

There is no delete: nothing in a store is ever removed, and the permissions stay few.
Keys are relative to the store's own prefix and use "/" on every platform.
"""

import enum
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

__all__ = ["ObjectInfo", "ObjectStore", "PutMode", "StoredObject"]


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

    def list(self, prefix: str) -> list[ObjectInfo]:
        """All objects whose keys start with ``prefix``, sorted by key, pages followed."""
        ...
