"""Folders for work that needs the room of a whole database, gone when it is done.

One that a killed process leaves behind is told by its lock, which ended with the process.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from replica import local_faults

__all__ = ["remove_leftovers", "temporary_folder", "work_folder"]

_PREFIX: Final = "nba-daily-work-"
# Through a link somebody could have another folder emptied.
_FLAGS: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def work_folder(place: Path) -> Iterator[Path]:
    """A new folder in `place` for the block, gone afterwards. Raises OSError.

    What killed processes left there is removed first.
    """
    remove_leftovers(place)
    folder, lock = _make(place)
    try:
        yield folder
    finally:
        try:
            shutil.rmtree(folder)
        finally:
            os.close(lock)


@contextmanager
def temporary_folder(operation: str) -> Iterator[Path]:
    """A work folder where the system keeps temporary files. Raises LocalError.

    `operation` is what it is for, in words that the folder's name can follow: "restore to".
    """
    place = Path(tempfile.gettempdir())
    with local_faults(operation, place), work_folder(place) as folder:
        yield folder


def remove_leftovers(place: Path) -> None:
    """Remove the work folders in `place` whose process is gone.

    What cannot be removed stays for the next time: it keeps nobody from working.
    """
    for folder in sorted(place.glob(f"{_PREFIX}*")):
        try:
            lock = os.open(folder, _FLAGS)
        except OSError:
            # Another user's, or gone in this moment: not one to remove.
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        except BlockingIOError:
            # Somebody works in it.
            continue
        finally:
            os.close(lock)


def _make(place: Path) -> tuple[Path, int]:
    """A new folder and the open file that holds its lock."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=place))
        try:
            lock = os.open(folder, _FLAGS)
        except FileNotFoundError:
            # Another process took it for a leftover: it was not locked yet.
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
        except BaseException:
            os.close(lock)
            raise
        if folder.is_dir():
            return folder, lock
        os.close(lock)
