"""Backups as the bucket has them: each is read whole, checked, and described for the catalogue."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from jobs.backup_names import BackupName, is_snapshot, name_of
from jobs.backup_reports import UnknownBackup
from jobs.work_folders import work_folder
from prediction_tracking import MIGRATIONS
from replica import (
    BACKUPS,
    BackupKey,
    NewerSchema,
    NotADatabase,
    ObjectInfo,
    ObjectNotFound,
    ObjectStore,
    SnapshotError,
    local_faults,
    write_backup,
)
from s3_storage import S3PredictionStorage
from tracking.backup_catalogue import Backup, count_rows, noted_sha256

__all__ = [
    "Found",
    "Missing",
    "find_backups",
    "missing_from",
    "noted_in_bucket",
    "read_backup",
    "write_plain_file",
]

Progress = Callable[[float, str], None]

_SQLITE_MAGIC = b"SQLite format 3\x00"


@dataclass(frozen=True, slots=True)
class Found:
    """What is below `backups/`.

    Attributes:
        listed: every object there that is a backup by its name, by key.
        backups: those that were read, and are what they should be.
        damaged: those that were read and cannot be used, one sentence each, by key.
        unknown: keys that are no backup's.
    """

    listed: dict[str, ObjectInfo]
    backups: tuple[Backup, ...]
    damaged: dict[str, str]
    unknown: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Missing:
    """What a listing of the bucket does not say as the catalogue does, by key and in words."""

    gone: tuple[str, ...]
    altered: tuple[str, ...]

    @property
    def problems(self) -> tuple[str, ...]:
        """One sentence each."""
        return (
            *(f"{key}: the catalogue has it, and the bucket does not." for key in self.gone),
            *(f"{key}: its size is not what the catalogue says." for key in self.altered),
        )


def find_backups(
    store: ObjectStore,
    folder: Path,
    *,
    but: Collection[str] = (),
    progress: Progress = lambda share, words: None,
) -> Found:
    """List `backups/` and read every backup there, `but` those that are known already.

    Temporary files go into `folder`. Raises StoreError, LocalError.
    """
    infos = store.list(BACKUPS)
    named = [(info, name_of(info.key)) for info in infos]
    backups: list[Backup] = []
    damaged: dict[str, str] = {}
    wanted = [(info, name) for info, name in named if name is not None and info.key not in but]
    for number, (info, name) in enumerate(wanted):
        progress(number / len(wanted), f"Reading backup {number + 1:,} of {len(wanted):,}")
        try:
            backups.append(_read(store, name, info.size_bytes, folder))
        except ObjectNotFound:
            # Somebody has pruned it since the listing.
            continue
        except (SnapshotError, NewerSchema) as error:
            damaged[info.key] = str(error)
    return Found(
        listed={info.key: info for info, name in named if name is not None},
        backups=tuple(backups),
        damaged=damaged,
        unknown=tuple(info.key for info, name in named if name is None),
    )


def read_backup(store: ObjectStore, info: ObjectInfo, folder: Path) -> Backup:
    """Read one backup back and describe it.

    Raises SnapshotError if it is not what was stored, NewerSchema, StoreError, LocalError.
    """
    name = name_of(info.key)
    if name is None:
        raise AssertionError(f"not a backup's key: {info.key!r}")
    return _read(store, name, info.size_bytes, folder)


def missing_from(listed: Iterable[ObjectInfo], catalogue: Iterable[Backup]) -> Missing:
    """Which backups of the catalogue a listing of the bucket does not have as they should be."""
    sizes = {info.key: info.size_bytes for info in listed}
    known = list(catalogue)
    return Missing(
        gone=tuple(one.key for one in known if one.key not in sizes),
        altered=tuple(
            one.key for one in known if sizes.get(one.key, one.size_bytes) != one.size_bytes
        ),
    )


def write_plain_file(store: ObjectStore, key: str, to: Path, *, sha256: str = "") -> None:
    """Write any backup or snapshot as a plain SQLite file, with the schema that it has.

    `sha256` is that of the database in it, as the catalogue notes it; "" takes the object's own
    word. Raises UnknownBackup for another key, SnapshotError for what is damaged or no database,
    NewerSchema, ObjectNotFound, StoreError, LocalError.
    """
    name = name_of(key)
    if name is None and not is_snapshot(key):
        raise UnknownBackup(
            "download a backup",
            key,
            "It is not the key of one.",
            "Give a whole key as `python cli.py backups` lists it, backups/ included.",
        )
    if name is None or name.is_snapshot:
        write_backup(store, BackupKey(key, sha256), to, known_schema=len(MIGRATIONS))
        return
    body = store.get(key).body
    if sha256 not in ("", hashlib.sha256(body).hexdigest()):
        raise NotADatabase("restore", key, detail="its content is not the one that was noted")
    if not body.startswith(_SQLITE_MAGIC):
        raise NotADatabase("restore", key, detail="it begins differently")
    with local_faults("write", to), work_folder(to.parent) as folder:
        # Half a file under the name that was asked for would look like a whole one.
        written = folder / to.name
        written.write_bytes(body)
        written.replace(to)


def noted_in_bucket(storage: S3PredictionStorage, key: str, folder: Path) -> str:
    """What the catalogue in the bucket notes of a backup's content; "" if it does not know it.

    Of the bucket's newest state, so that the app may run meanwhile, or be lost; it takes `folder`
    the room of the whole database for a while. Raises ReplicaError.
    """
    with local_faults("read the catalogue in", folder), work_folder(folder) as temporary:
        newest = temporary / "newest.db"
        if not storage.download_database(newest):
            return ""
        return noted_sha256(newest, key)


def _read(store: ObjectStore, name: BackupName, size_bytes: int, folder: Path) -> Backup:
    with local_faults("read back", folder), work_folder(folder) as temporary:
        if name.is_snapshot:
            target = temporary / "backup.db"
            metadata = write_backup(
                store, BackupKey(name.key), target, known_schema=len(MIGRATIONS)
            )
            sequence, log_id = metadata.sequence, metadata.log_id
            sha256, rows = metadata.sha256, count_rows(target)
        else:
            # Another app's database: its bytes are all that is promised.
            body = store.get(name.key).body
            sequence, log_id = 0, ""
            sha256, rows = hashlib.sha256(body).hexdigest(), 0
    return Backup(
        key=name.key,
        kind=name.kind,
        made_at=name.made_at,
        sequence=sequence,
        log_id=log_id,
        size_bytes=size_bytes,
        row_count=rows,
        sha256=sha256,
        compression="zstd" if name.is_snapshot else "none",
        kept_by=name.kind.kept_by,
    )
