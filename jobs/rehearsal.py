"""A restore as it would be in earnest, to a temporary place: is what comes back what was logged?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType
from typing import Final

from jobs.backup_names import name_of
from jobs.entries_read import EntriesRead
from jobs.errors import JobError
from jobs.store_view import SNAPSHOTS, StoreView
from jobs.work_folders import temporary_folder
from prediction_tracking import MIGRATIONS, REPLICATED_TABLES
from replica import (
    BackupKey,
    ContentDigest,
    NewerSchema,
    ObjectInfo,
    ObjectNotFound,
    ObjectStore,
    SnapshotError,
    StoredObject,
    content_digest,
    write_as_of,
    write_backup,
)
from s3_storage import S3PredictionStorage
from tracking.backup_catalogue import BackupKind, noted_sha256

__all__ = [
    "BackupDiffers",
    "Copy",
    "NoBackup",
    "Rehearsal",
    "earlier_copy",
    "kept_backups",
    "rehearse",
]

Progress = Callable[[float, str], None]

_SUFFIX: Final = ".db.zst"
_RESTORED_FILE: Final = "restored.db"
_EVERY_ENTRY: Final = 10**20 - 1
_LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)
# Backups are named by the store's time, which a request or two may have been on its way.
_MOST_AHEAD: Final = timedelta(hours=1)

_RESTORED, _PLAYED, _COMPARED = 0.2, 0.8, 1.0


class NoBackup(JobError):
    """There is no backup to restore yet."""


class BackupDiffers(JobError):
    """A backup came back whole, but its rows are not the log's."""


@dataclass(frozen=True, slots=True)
class Copy:
    """A compressed copy of the log's content: the way to a later one may begin there.

    Attributes:
        sequence: the log entry that it goes up to.
        unproved: the key and content of a backup that no drill has proved on this machine; None
            for what one has.
    """

    sequence: int
    body: bytes
    unproved: BackupKey | None = None


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """A backup that came back as it should.

    Attributes:
        key: the object.
        sequence: the log entry that it goes up to.
        played_from: the entry from which the log was played to compare with it.
        content: its rows, counted and hashed; the log's have the same hashes.
        copy: the backup itself, proved now, for the next time.
    """

    key: str
    sequence: int
    played_from: int
    content: ContentDigest
    copy: Copy


def kept_backups(storage: S3PredictionStorage) -> list[str]:
    """The keys of the log's backups, oldest first; one request. Raises NoBackup, StoreError."""
    # What was set aside may hold what never was in the log: it is kept for a person. One dated
    # later than it was stored would be the newest for ever.
    names = [
        name
        for info in storage.list_backups()
        if (name := name_of(info.key))
        and name.is_snapshot
        and name.kind != BackupKind.SET_ASIDE
        and name.made_at <= info.modified_at + _MOST_AHEAD
    ]
    if not names:
        raise NoBackup(
            "Restore drill",
            "backups",
            "There is no backup yet.",
            "Make one with Back up now, or switch the daily ones on.",
        )
    # Their names begin with the time, which a copy of the bucket leaves as it was.
    return [name.key for name in sorted(names, key=lambda name: (name.made_at, name.key))]


def earlier_copy(storage: S3PredictionStorage, key: str) -> Copy | None:
    """A backup as a place to begin at; None if it cannot be one. Raises StoreError, LocalError."""
    with temporary_folder("restore to") as folder:
        try:
            stored = storage.store.get(key)
        except ObjectNotFound:
            # Somebody has pruned it since the listing.
            return None
        view = StoreView(storage.store, until=_EVERY_ENTRY, held={key: stored})
        target = folder / "earlier.db"
        try:
            told = write_backup(view, BackupKey(key), target, known_schema=len(MIGRATIONS))
        except (SnapshotError, NewerSchema):
            # The drill is about another one: this one had its turn when it was the newest.
            return None
    return Copy(told.sequence, stored.body, BackupKey(key, told.sha256))


def rehearse(
    storage: S3PredictionStorage, key: str, start: Copy | None, progress: Progress
) -> Rehearsal:
    """Restore a backup to a temporary folder, and compare each row with the log's.

    The log is played to where the backup ends: from its first entry, or from the copy `start`, if
    that is sound and the log still holds the entry that it ends with. One that no drill has proved
    has to be what the catalogue notes: two forged backups would prove each other. No snapshot is
    used, and the bucket is only read. `progress` may raise, which ends the rehearsal.

    Raises BackupDiffers, and what reading a backup and the log raises: SnapshotError, NewerSchema,
    MomentUnknown, EntryRefused, Diverged, StoreError, LocalError.
    """
    with temporary_folder("restore to") as folder:
        progress(0.0, "Restoring the newest backup")
        body, restored = _restore(storage.store, key, folder)
        sequence = restored.sequence
        if start is not None and not _may_begin_at(start, folder / _RESTORED_FILE):
            start = None
        read = EntriesRead()

        def on_read(number: int) -> None:
            share = min(1.0, read.note(number) / max(1, sequence))
            words = f"Playing the log, entry {number:,} of {sequence:,}"
            progress(_RESTORED + (_PLAYED - _RESTORED) * share, words)

        view = StoreView(storage.store, until=sequence, held=_as_snapshot(start), on_read=on_read)
        played_path = folder / "played.db"
        write_as_of(view, played_path, MIGRATIONS, REPLICATED_TABLES, sequence)
        progress(_PLAYED, "Comparing with the log")
        played = content_digest(played_path, "the log", REPLICATED_TABLES)
        _require_same(key, restored, played)
        progress(_COMPARED, "Compared")
    # Of two entries both are always read.
    is_whole = read.count >= sequence
    began_at = start.sequence if start is not None and not is_whole else 1
    return Rehearsal(key, sequence, began_at, restored, Copy(sequence, body))


def _restore(store: ObjectStore, key: str, folder: Path) -> tuple[bytes, ContentDigest]:
    """The object's bytes, and what is in the file that they make."""
    path = folder / _RESTORED_FILE
    try:
        return _restore_once(store, key, path)
    except SnapshotError:
        # It may have been damaged on its way.
        return _restore_once(store, key, path)


def _restore_once(store: ObjectStore, key: str, path: Path) -> tuple[bytes, ContentDigest]:
    stored = store.get(key)
    view = StoreView(store, until=_EVERY_ENTRY, held={key: stored})
    write_backup(view, BackupKey(key), path, known_schema=len(MIGRATIONS))
    return stored.body, content_digest(path, key, REPLICATED_TABLES)


def _may_begin_at(start: Copy, restored: Path) -> bool:
    """Whether a place to begin at is proved, or noted in the catalogue of the restored backup.

    That catalogue's rows are compared with the log's later, as all others; and a copy cannot hold
    its own hash, so the log itself must have noted it.
    """
    copy = start.unproved
    return copy is None or noted_sha256(restored, copy.key) == copy.sha256


def _as_snapshot(copy: Copy | None) -> Mapping[str, StoredObject]:
    """The copy under the name that a snapshot of the same bytes would have."""
    if copy is None:
        return MappingProxyType({})
    digest = sha256(copy.body).hexdigest()
    key = f"{SNAPSHOTS}{copy.sequence:020d}-{digest}{_SUFFIX}"
    return {key: StoredObject(ObjectInfo(key, len(copy.body), _LONG_AGO), copy.body)}


def _require_same(key: str, restored: ContentDigest, played: ContentDigest) -> None:
    problem = _difference(restored, played)
    if problem:
        raise BackupDiffers(
            "Restore drill",
            key,
            problem,
            "Do not restore from it. The log has everything: make a new backup with Back up now.",
        )


def _difference(restored: ContentDigest, played: ContentDigest) -> str:
    """What a backup has that the log has not, in a sentence; "" if there is nothing."""
    if restored.log_id != played.log_id or restored.entry_sha256 != played.entry_sha256:
        return "The newest backup is of another history than the log."
    names = {*restored.tables, *played.tables}
    differing = sorted(
        name for name in names if restored.tables.get(name) != played.tables.get(name)
    )
    return f"The backup's rows are not the log's in {', '.join(differing)}." if differing else ""
