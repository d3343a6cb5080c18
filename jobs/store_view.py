"""A store as it would look with fewer snapshots and a shorter log; it can only be read."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType

from replica import AccessDenied, ObjectInfo, ObjectNotFound, ObjectStore, PutMode, StoredObject

__all__ = ["LOG", "SNAPSHOTS", "StoreView", "entry_number", "snapshot_number"]

LOG = "log/"
SNAPSHOTS = "snapshots/"
_BASES = "bases/"
_HINT = "head.json"


class StoreView:
    """Shows the log up to an entry, and of the snapshots only those that are named.

    What is left out is not there for whoever reads through it, so the engine has to do without:
    this is how one makes it read the whole log, or start from one certain snapshot. `held` are
    objects by key that are shown as if they were in the store, or instead of what is there.
    `on_read` is called, from any thread, with the number of each entry that is about to be read; an
    error of its own ends the reading.
    """

    def __init__(
        self,
        store: ObjectStore,
        *,
        until: int,
        snapshots: Collection[str] = (),
        with_bases: bool = True,
        held: Mapping[str, StoredObject] = MappingProxyType({}),
        on_read: Callable[[int], None] = lambda number: None,
    ) -> None:
        self._store = store
        self._until = until
        self._snapshots = frozenset(snapshots)
        self._with_bases = with_bases
        self._held = dict(held)
        self._on_read = on_read

    @property
    def location(self) -> str:
        """The store's own."""
        return self._store.location

    def get(self, key: str) -> StoredObject:
        """As the store; ObjectNotFound for what is left out."""
        if key in self._held:
            return self._held[key]
        if not self._shows(key):
            raise ObjectNotFound("get", key, detail="left out")
        number = entry_number(key)
        if number is not None:
            self._on_read(number)
        return self._store.get(key)

    def list(self, prefix: str, *, start_after: str = "") -> list[ObjectInfo]:
        """As the store, without what is left out."""
        held = {
            key: stored.info
            for key, stored in self._held.items()
            if key.startswith(prefix) and key > start_after
        }
        # Nothing is asked for that would not be shown.
        is_hidden = prefix.startswith(SNAPSHOTS) and not self._snapshots
        listed = [] if is_hidden else self._store.list(prefix, start_after=start_after)
        shown = {info.key: info for info in listed if self._shows(info.key)} | held
        return [shown[key] for key in sorted(shown)]

    def put(self, key: str, body: bytes, mode: PutMode) -> ObjectInfo:
        """Never writes. Raises AccessDenied."""
        raise AccessDenied("put", key, "write", "This view of the store is for reading.")

    def delete(self, key: str) -> None:
        """Never deletes. Raises AccessDenied."""
        raise AccessDenied("delete", key, "delete", "This view of the store is for reading.")

    def _shows(self, key: str) -> bool:
        number = entry_number(key)
        if number is not None:
            return number <= self._until
        if key.startswith(SNAPSHOTS):
            return key in self._snapshots
        if key.startswith(_BASES):
            return self._with_bases
        # It names the newest snapshot, which may be one that is left out.
        return key != _HINT


def entry_number(key: str) -> int | None:
    """The number of the log entry that a key names, None for any other key."""
    return _number(key, LOG)


def snapshot_number(key: str) -> int | None:
    """Up to which entry the snapshot of this key goes, None for any other key."""
    return _number(key, SNAPSHOTS)


def _number(key: str, prefix: str) -> int | None:
    digits = key.removeprefix(prefix).split("-")[0]
    is_number = key.startswith(prefix) and digits.isascii() and digits.isdigit()
    return int(digits) if is_number else None
