"""A local folder with the behaviour of a bucket."""

import errno
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from replica.errors import (
    AccessDenied,
    BucketMissing,
    ObjectExists,
    ObjectNotFound,
    StoreRejected,
    StoreUnreachable,
)
from replica.localfaults import local_faults
from replica.store import ObjectInfo, PutMode, StoredObject
from replica.stores.watched_file import WatchedFile

__all__ = ["FolderStore"]

_TEMPORARY_PREFIX = ".partial-"

# A process that is killed leaves its temporary file; no write takes nearly as long as this.
_TEMPORARY_LIFE_SECONDS = 3600


class FolderStore:
    """Objects as files below ``path``; creating is atomic between processes.

    An object appears whole or not at all: it is written beside its place, synced, then linked
    (CREATE: link() refuses a taken name) or renamed (OVERWRITE). The store's clock is the
    machine's. Several processes may share the folder if its file system has hard links.
    """

    def __init__(self, path: Path) -> None:
        self._path = path.absolute()
        with _faults("create", "the folder", self._path):
            self._path.mkdir(parents=True, exist_ok=True)

    @property
    def location(self) -> str:
        return f"folder {self._path}"

    def get(self, key: str) -> StoredObject:
        path = self._file(key)
        self._require_folder("get", key)
        with _faults("get", key, self._path):
            try:
                with path.open("rb") as file:
                    return StoredObject(_info(key, os.fstat(file.fileno())), file.read())
            except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
                raise ObjectNotFound("get", key, detail=self.location) from None

    def put(self, key: str, body: bytes, mode: PutMode) -> ObjectInfo:
        return self._put(key, lambda file: file.write(body), mode)

    def put_file(
        self,
        key: str,
        path: Path,
        media_type: str,
        on_read: Callable[[int], None] = lambda read_bytes: None,
    ) -> ObjectInfo:
        """As `put` with OVERWRITE; a folder keeps no media type."""
        with local_faults("read", path):
            source = path.open("rb")
        with source:
            watched = WatchedFile(source, on_read)
            return self._put(key, lambda file: shutil.copyfileobj(watched, file), PutMode.OVERWRITE)

    def get_file(self, key: str, path: Path) -> ObjectInfo:
        source = self._file(key)
        self._require_folder("get", key)
        with _faults("get", key, self._path):
            try:
                file = source.open("rb")
            except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
                raise ObjectNotFound("get", key, detail=self.location) from None
        with file, local_faults("write", path), path.open("wb") as copy:
            shutil.copyfileobj(file, copy)
            return _info(key, os.fstat(file.fileno()))

    def _put(self, key: str, write: Callable[[BinaryIO], object], mode: PutMode) -> ObjectInfo:
        path = self._file(key)
        self._require_folder("put", key)
        with _faults("put", key, self._path):
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary = path.with_name(_TEMPORARY_PREFIX + secrets.token_hex(8))
            try:
                with temporary.open("xb") as file:
                    write(file)
                    file.flush()
                    os.fsync(file.fileno())
                    # The time of the object is when it appears, not when it was written.
                    os.utime(file.fileno())
                    info = _info(key, os.fstat(file.fileno()))
                if mode is PutMode.CREATE:
                    _link(temporary, path, key)
                else:
                    os.replace(temporary, path)
            except FileExistsError:
                raise ObjectExists("put", key, detail=self.location) from None
            finally:
                temporary.unlink(missing_ok=True)
            _fsync_folders(path.parent, self._path)
        return info

    def list(self, prefix: str, *, start_after: str = "") -> list[ObjectInfo]:
        self._require_folder("list", prefix)
        found: list[ObjectInfo] = []
        with _faults("list", prefix, self._path):
            # Only the folders that can hold such keys are walked.
            start = self._path / prefix.rpartition("/")[0]
            for folder, _, names in os.walk(start, onerror=_raise_unless_gone):
                for name in names:
                    path = Path(folder, name)
                    key = path.relative_to(self._path).as_posix()
                    if name.startswith(_TEMPORARY_PREFIX):
                        _remove_if_left_over(path)
                    elif key.startswith(prefix) and key > start_after:
                        # Another process may delete an object while it is being listed.
                        with suppress(FileNotFoundError):
                            found.append(_info(key, path.stat()))
        return sorted(found, key=lambda info: info.key)

    def delete(self, key: str) -> None:
        path = self._file(key)
        self._require_folder("delete", key)
        with _faults("delete", key, self._path):
            try:
                path.unlink()
            except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
                return
            _fsync_folders(path.parent, self._path)

    def _file(self, key: str) -> Path:
        parts = key.split("/")
        if any(part in ("", ".", "..") or part.startswith(_TEMPORARY_PREFIX) for part in parts):
            raise ValueError(f"not a key: {key!r}")
        return self._path.joinpath(*parts)

    def _require_folder(self, operation: str, key: str) -> None:
        # An unmounted folder must not look like an empty store.
        if not self._path.is_dir():
            raise BucketMissing(operation, key, detail=self.location)


def _info(key: str, stat: os.stat_result) -> ObjectInfo:
    return ObjectInfo(key, stat.st_size, datetime.fromtimestamp(stat.st_mtime, UTC))


def _link(temporary: Path, path: Path, key: str) -> None:
    """Create atomically: of several processes, one makes the name."""
    try:
        os.link(temporary, path)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.EMLINK):
            raise
        remedy = "Put the folder on a file system with hard links."
        raise StoreRejected("put", key, remedy, str(error)) from error


def _remove_if_left_over(path: Path) -> None:
    # Whoever may only read here leaves it to those who write.
    with suppress(OSError):
        if time.time() - path.stat().st_mtime > _TEMPORARY_LIFE_SECONDS:
            path.unlink()


def _raise_unless_gone(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error


def _fsync_folders(folder: Path, root: Path) -> None:
    # A folder that was just made is itself an entry that a power cut could take away.
    for path in (folder, *folder.parents):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if path == root:
            return


@contextmanager
def _faults(operation: str, key: str, folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            verb = "read" if operation in ("get", "list") else "write"
            raise AccessDenied(operation, key, f"{verb} access to {folder}") from error
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            remedy = "Free some space on the folder's disk."
            raise StoreRejected(operation, key, remedy, str(error)) from error
        raise StoreUnreachable(operation, key, detail=str(error)) from error
