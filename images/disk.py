"""Pictures in a folder of this machine: what was read last stays, up to a number of bytes.

A file's modification time is when its origin gave the picture, its access time when it was last
read; both are set here. Nothing is trusted because it lies in the folder: whoever reads it decodes
it. So a file that a power cut has torn is no harm, and nothing waits for the disk.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from images.decoding import MOST_BYTES
from images.errors import CacheUnusable

__all__ = ["PicturesOnDisk", "StoredFile"]

_SUFFIX: Final = ".webp"
_IMAGE_ID: Final = re.compile(r"[0-9a-f]{64}")
_PARTIAL: Final = ".partial-"


@dataclass(frozen=True, slots=True)
class StoredFile:
    """Bytes that are not decoded yet, and when the origin gave them, in UTC."""

    body: bytes
    fetched_at: datetime


class PicturesOnDisk:
    """One folder, made when it is first written to. Every method raises CacheUnusable."""

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self._folder = folder
        self._most_bytes = most_bytes

    def get(self, image_id: str, now: datetime) -> StoredFile | None:
        """A picture, None if it is not there; it counts as read `now` (UTC)."""
        path = self._path(image_id)
        with self._faults("read"):
            try:
                # A byte too many is enough to know that it is no picture of ours.
                with path.open("rb") as file:
                    body = file.read(MOST_BYTES + 1)
                    fetched_at = datetime.fromtimestamp(os.fstat(file.fileno()).st_mtime, UTC)
            except (FileNotFoundError, NotADirectoryError):
                return None
        # Where the disk cannot be written to, what is on it can still be read.
        with contextlib.suppress(OSError):
            os.utime(path, (now.timestamp(), fetched_at.timestamp()))
        return StoredFile(body, fetched_at)

    def put(self, image_id: str, body: bytes, fetched_at: datetime, now: datetime) -> None:
        """Keep a picture; what was not read longest makes room for it."""
        path = self._path(image_id)
        partial = self._folder / f"{_PARTIAL}{secrets.token_hex(8)}"
        with self._faults("write"):
            self._folder.mkdir(parents=True, exist_ok=True)
            self._make_room(len(body))
            try:
                partial.write_bytes(body)
                os.utime(partial, (now.timestamp(), fetched_at.timestamp()))
                partial.replace(path)
            finally:
                partial.unlink(missing_ok=True)

    def remove(self, image_id: str) -> None:
        """Take away a picture that is none; one that is not there is fine."""
        with self._faults("write"):
            self._path(image_id).unlink(missing_ok=True)

    def _make_room(self, needed_bytes: int) -> None:
        files = []
        for entry in os.scandir(self._folder):
            # Another process may take one away while they are looked at.
            with contextlib.suppress(FileNotFoundError):
                if entry.is_file(follow_symlinks=False):
                    stat = entry.stat(follow_symlinks=False)
                    files.append((stat.st_atime, entry.path, stat.st_size))
        size_bytes = sum(size for _, _, size in files) + needed_bytes
        for _, path, size in sorted(files):
            if size_bytes <= self._most_bytes:
                return
            Path(path).unlink(missing_ok=True)
            size_bytes -= size

    def _path(self, image_id: str) -> Path:
        if not _IMAGE_ID.fullmatch(image_id):
            raise ValueError(f"not an image's id: {image_id!r}")
        return self._folder / f"{image_id}{_SUFFIX}"

    @contextmanager
    def _faults(self, verb: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                problem, remedy = "The disk is full.", "Free some space."
            elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
                problem = f"This user may not {verb} there."
                remedy = "Give it the right to, or choose another NBA_DAILY_STATE_DIR."
            else:
                problem = f"The disk says: {error.strerror or type(error).__name__}."
                remedy = "Look at the folder."
            raise CacheUnusable(
                f"{verb} the cache of pictures",
                str(self._folder),
                problem,
                f"{remedy} Until then pictures are kept in memory and in the bucket alone.",
            ) from error
