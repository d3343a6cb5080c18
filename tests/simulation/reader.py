"""The bucket as it is, for whoever only reads it and waits for nobody."""

from __future__ import annotations

from replica import ObjectInfo, ObjectNotFound, PutMode, StoredObject
from tests.simulation.bucket import Bucket
from tests.simulation.violations import Violation

__all__ = ["Reader"]


class Reader:
    """With or without snapshots. Violation for whatever is not reading."""

    location = "simulated bucket"

    def __init__(self, bucket: Bucket, *, snapshots: bool = True) -> None:
        self._objects = {
            key: stored
            for key, stored in bucket.objects.items()
            if snapshots or not key.startswith("snapshots/")
        }

    def get(self, key: str) -> StoredObject:
        if key not in self._objects:
            raise ObjectNotFound("get", key)
        return self._objects[key]

    def list(self, prefix: str, *, start_after: str = "") -> list[ObjectInfo]:
        found = [key for key in self._objects if key.startswith(prefix) and key > start_after]
        return [self._objects[key].info for key in sorted(found)]

    def put(self, key: str, body: bytes, mode: PutMode) -> ObjectInfo:
        raise Violation("I4", f"a restore writes {key} ({len(body)} bytes, {mode})")

    def delete(self, key: str) -> None:
        raise Violation("I4", f"a restore deletes {key}")
