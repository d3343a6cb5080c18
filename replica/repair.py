"""Putting a damaged or missing log entry back, from bytes that are proved to be the original.

The proof comes from the log itself: each entry names the hash of its parent, so the entry after a
gap says which bytes belong into it, and the entry before it which parent they must name. What this
process remembers is asked as well, and never wins against the log.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from replica.envelope import NO_PARENT, Entry, entry_sha256, unpack_entry
from replica.errors import EntryRefused, NewerSchema, ObjectExists, ObjectNotFound, StoreRejected
from replica.log import Log, log_key
from replica.probe import StoreMode
from replica.store import ObjectStore, PutMode, StoredObject, VersionedStore

__all__ = ["Repair", "RepairSource", "repair_entry"]

RepairSource = Literal["intact", "kept copy", "version"]

_REMEDY = (
    "Nothing was changed. Repair on a machine that still has its state file, or bring the object "
    "back from its older versions or a copy of the bucket."
)


@dataclass(frozen=True, slots=True)
class Repair:
    """What became of one entry; "intact" means that there was nothing to do."""

    sequence: int
    source: RepairSource


@dataclass(frozen=True, slots=True)
class _Place:
    """What an entry must be like; hashes are None where nobody knows them."""

    log_id: str
    sequence: int
    parent_sha256: str | None
    sha256: str | None

    @property
    def key(self) -> str:
        return log_key(self.sequence)

    def takes(self, body: bytes) -> bool:
        """Whether these bytes are the entry, as far as can be said. Raises NewerSchema."""
        try:
            entry = unpack_entry(body, self.key)
        except EntryRefused:
            return False
        return (
            (entry.log_id, entry.sequence) == (self.log_id, self.sequence)
            and self.parent_sha256 in (None, entry.parent_sha256)
            and self.sha256 in (None, entry_sha256(body))
        )


def repair_entry(
    store: ObjectStore,
    log: Log,
    *,
    sequence: int,
    log_id: str,
    parent_sha256: str | None,
    expected_sha256: str | None,
    kept: Sequence[bytes],
) -> Repair:
    """Make sure that this entry is in the log as it was; running it again does no harm.

    ``parent_sha256`` and ``expected_sha256`` are what this process remembers of the entry before
    and of this one. ``kept`` are exact copies of entries, of any number; after them the store's
    older versions are looked through. A sound entry is never changed. Raises EntryRefused, with
    nothing changed, when no copy is proved, when two different ones would do, or when the log
    contradicts what is remembered; NewerSchema when the entry or one beside it was written by a
    newer version; Forked.
    """
    before = _sound_entry(log, sequence - 1, log_id)
    after = _sound_entry(log, sequence + 1, log_id)
    in_log = _Place(
        log_id,
        sequence,
        parent_sha256=NO_PARENT if sequence == 1 else before.sha256 if before else None,
        sha256=after.entry.parent_sha256 if after else None,
    )
    place = _with_memory(in_log, parent_sha256, expected_sha256)
    current = _read(log, in_log)
    if current is not None and in_log.takes(current.body):
        if place.takes(current.body):
            return Repair(sequence, "intact")
        raise _refused(place, "a sound entry is there, and another one is remembered here")
    source: RepairSource = "kept copy"
    found = _original(kept, place)
    if found is None:
        beside = [neighbour.entry for neighbour in (before, after) if neighbour]
        versions = _versions(store, _keys(log, sequence, current, beside))
        source, found = "version", _original(versions, place)
    if found is None:
        raise _refused(place, "no copy of the original was found")
    mode = PutMode.CREATE if current is None else PutMode.OVERWRITE
    try:
        log.put_back(sequence, found, mode)
    except ObjectExists:
        detail = "another process wrote there at the same time"
        raise EntryRefused("repair", place.key, "Look at it again.", detail) from None
    stored = _read(log, place)
    if stored is None or stored.body != found:
        detail = "it was put back, and the store gives something else"
        raise EntryRefused("repair", place.key, "Check the store itself.", detail)
    return Repair(sequence, source)


@dataclass(frozen=True, slots=True)
class _Sound:
    entry: Entry
    sha256: str


def _sound_entry(log: Log, sequence: int, log_id: str) -> _Sound | None:
    """An entry beside the damaged one, if it can be a witness."""
    place = _Place(log_id, sequence, parent_sha256=None, sha256=None)
    stored = _read(log, place) if sequence >= 1 else None
    if stored is None or not place.takes(stored.body):
        return None
    return _Sound(unpack_entry(stored.body, place.key), entry_sha256(stored.body))


def _read(log: Log, place: _Place) -> StoredObject | None:
    """Read twice, if it must be: damage can be on the way."""
    try:
        stored = log.fetch(place.sequence)
        return stored if place.takes(stored.body) else log.fetch(place.sequence)
    except ObjectNotFound:
        return None


def _with_memory(place: _Place, parent_sha256: str | None, sha256: str | None) -> _Place:
    for in_log, remembered, which in (
        (place.parent_sha256, parent_sha256, "the entry before it is not the one"),
        (place.sha256, sha256, "the entry after it does not continue the one"),
    ):
        if None not in (in_log, remembered) and in_log != remembered:
            raise _refused(place, f"{which} that is remembered here")
    return _Place(
        place.log_id,
        place.sequence,
        place.parent_sha256 or parent_sha256,
        place.sha256 or sha256,
    )


def _original(copies: Iterable[bytes], place: _Place) -> bytes | None:
    found = {copy for copy in copies if _is_entry(copy, place)}
    if len(found) > 1:
        raise _refused(place, "two different copies would fit, and nothing tells which was there")
    return next(iter(found), None)


def _is_entry(copy: bytes, place: _Place) -> bool:
    try:
        return place.takes(copy)
    except NewerSchema:
        return False


def _keys(
    log: Log, sequence: int, current: StoredObject | None, beside: Iterable[Entry]
) -> list[str]:
    """Under which keys the entry can have been stored."""
    if current is not None:
        return [current.info.key]
    if log.mode is StoreMode.MULTI_WRITER:
        return [log_key(sequence)]
    # Its key ends in its writer's id, and in such a log the writer seldom changes.
    return sorted({log_key(sequence, entry.writer_id) for entry in beside})


def _versions(store: ObjectStore, keys: Iterable[str]) -> list[bytes]:
    if not isinstance(store, VersionedStore):
        return []
    try:
        return [stored.body for key in keys for stored in store.versions(key)]
    except StoreRejected:
        return []  # a service that knows no versions


def _refused(place: _Place, detail: str) -> EntryRefused:
    return EntryRefused("repair", place.key, _REMEDY, detail)
