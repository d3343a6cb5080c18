"""The objects of exports: where they lie, how they get there, how they go."""

from __future__ import annotations

import hashlib
import re
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Final

from exports.draft import Draft, Format
from jobs.export_reports import ExportElsewhere, NotShareable
from replica import FileStore, ObjectInfo, ObjectNotFound, ObjectStore, StoreError, local_faults
from replica.stores.folder import FolderStore
from tracking.export_catalogue import Export

__all__ = [
    "EXPORTS",
    "key_of",
    "left_over",
    "media_type_of",
    "paths_of",
    "place_of",
    "remove",
    "require_place",
    "require_written",
    "save",
    "size_of",
    "upload",
]

EXPORTS: Final = "exports/"

_OWN: Final = re.compile(
    EXPORTS + r"([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})/.+"
)
_LEAST_STEP: Final = 0.01
_PLACE_DIGITS: Final = 16
_MEDIA_TYPES: Final = {
    ".csv": "text/csv; charset=utf-8",
    ".gz": "application/gzip",
    ".html": "text/html; charset=utf-8",
    ".parquet": "application/vnd.apache.parquet",
}


def key_of(export_id: str, path: str) -> str:
    """The key of an export's file; `path` is its place in the export."""
    return f"{EXPORTS}{export_id}/{path}"


def media_type_of(path: str) -> str:
    """What a browser is told that a file is."""
    return _MEDIA_TYPES.get(Path(path).suffix, "application/octet-stream")


def place_of(store: ObjectStore) -> str:
    """What tells one bucket from another, and names none: the log remembers what is deleted.

    All folders are one place: a folder goes with the state, and each machine may call it by
    another path.
    """
    where = "" if isinstance(store, FolderStore) else store.location
    return hashlib.sha256(where.encode()).hexdigest()[:_PLACE_DIGITS]


def require_place(store: ObjectStore, export: Export, operation: str) -> None:
    """Raise ExportElsewhere for an export whose objects are not in this store."""
    if export.place != place_of(store):
        raise ExportElsewhere(
            operation,
            export.title,
            "It lies in another bucket than the one that is set now.",
            "Set S3_EXPORT_BUCKET as it was when it was made; without it, if there was none.",
        )


def require_written(draft: Draft, folder: Path) -> None:
    """Raise ValueError for a draft of one file that has written another, or more."""
    if draft.format == Format.PARTITIONS:
        return
    written = sorted(path.relative_to(folder).as_posix() for path in _files_below(folder))
    if written != [draft.file_name]:
        raise ValueError(f"{draft.file_name!r} was to be written, and {written} was")


def upload(
    store: ObjectStore, export_id: str, folder: Path, sent: Callable[[float], None]
) -> tuple[int, int]:
    """Store every file below a folder, each as it is read; how many they are, and their bytes.

    `sent` is told the share of all bytes that is done. Where it fails, or is broken off, what was
    stored is removed again. Raises NotShareable, StoreError, LocalError.
    """
    files = _files(store)
    with local_faults("read", folder):
        sizes = {path: path.stat().st_size for path in sorted(_files_below(folder))}
    total_bytes, done_bytes = sum(sizes.values()), 0
    tried: list[str] = []
    told = -_LEAST_STEP

    def tell(read_bytes: int) -> None:
        nonlocal told
        share = (done_bytes + read_bytes) / total_bytes if total_bytes else 1.0
        # A file is read in thousands of blocks.
        if share >= min(told + _LEAST_STEP, 1.0):
            told = share
            sent(share)

    try:
        for path, size_bytes in sizes.items():
            inside = path.relative_to(folder).as_posix()
            # Before it is sent: one whose answer is lost may be there.
            tried.append(key_of(export_id, inside))
            files.put_file(tried[-1], path, media_type_of(inside), tell)
            done_bytes += size_bytes
            tell(0)
    except BaseException:
        # Also when whoever asked for it has gone and the page stops.
        for key in tried:
            # What cannot be removed now has no row, and goes a day later.
            with suppress(StoreError):
                store.delete(key)
        raise
    return len(sizes), total_bytes


def paths_of(store: ObjectStore, export: Export) -> tuple[str, ...]:
    """The places of an export's files in it, sorted; one request for a tree, else none."""
    if export.file_name:
        return (export.file_name,)
    below = key_of(export.export_id, "")
    return tuple(info.key.removeprefix(below) for info in store.list(below))


def size_of(store: ObjectStore, export: Export) -> int:
    """How many bytes of an export there are; one request. Raises ObjectNotFound, StoreError."""
    found = store.list(key_of(export.export_id, ""))
    if len(found) < export.file_count:
        raise ObjectNotFound("look for", key_of(export.export_id, export.file_name))
    return sum(info.size_bytes for info in found)


def remove(store: ObjectStore, export: Export) -> None:
    """Delete an export's objects; those that are gone already are fine.

    Raises ExportElsewhere, StoreError.
    """
    require_place(store, export, "delete an export")
    for path in paths_of(store, export):
        store.delete(key_of(export.export_id, path))


def save(store: ObjectStore, export: Export, folder: Path) -> Path:
    """Write an export into a folder, as its one file or as a ZIP archive of its tree; which.

    Raises NotShareable, ObjectNotFound for a file that is gone, StoreError, LocalError.
    """
    files = _files(store)
    if export.file_name:
        path = folder / Path(export.file_name).name
        files.get_file(key_of(export.export_id, export.file_name), path)
        return path
    archive_path, part = folder / f"{export.view}.zip", folder / "part"
    with local_faults("write", archive_path), zipfile.ZipFile(archive_path, "w") as archive:
        for inside in paths_of(store, export):
            files.get_file(key_of(export.export_id, inside), part)
            archive.write(part, inside)
        part.unlink(missing_ok=True)
    return archive_path


def left_over(
    store: ObjectStore, known: Callable[[str], bool], before: datetime
) -> Iterator[ObjectInfo]:
    """Objects of exports that `known` does not know by id, stored before a moment.

    What is below `exports/` under another name is not the app's, and passed over.
    """
    for info in store.list(EXPORTS):
        own = _OWN.fullmatch(info.key)
        if own is not None and not known(own[1]) and info.modified_at < before:
            yield info


def _files_below(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


def _files(store: ObjectStore) -> FileStore:
    if isinstance(store, FileStore):
        return store
    raise NotShareable(
        "share",
        store.location,
        "This store takes no files.",
        "Use a bucket or a folder: see S3_SETUP_GUIDE.md.",
    )
