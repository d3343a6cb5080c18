"""One owner per database file.

SQLite lets several processes share a file, but two publishers of one file would publish the same
changes twice. An operating system lock ends with its process, however that ends.
"""

import fcntl
import os
import weakref
from pathlib import Path

from replica.errors import FileOwned
from replica.localfaults import local_faults

__all__ = ["FileOwnership"]


class FileOwnership:
    """Held from construction to ``release()``; raises FileOwned naming the other process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._pid = os.getpid()
        lock_path = path.with_name(path.name + ".lock")
        with local_faults("own", lock_path):
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with local_faults("own", lock_path):
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, b"%d\n" % self._pid, 0)
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
            os.close(descriptor)
            raise FileOwned("own", str(path), detail=f"process {holder or 'unknown'}") from None
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor: int | None = descriptor
        _held.add(self)

    def check(self) -> None:
        """Refuse a process that was forked from the owner: SQLite must not cross a fork."""
        if not self.is_mine():
            raise FileOwned("use", str(self._path), detail=f"process {self._pid}")

    def is_mine(self) -> bool:
        """False in a process that was forked from the owner."""
        return os.getpid() == self._pid

    def release(self) -> None:
        """Give the file up; harmless when repeated."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


_held: weakref.WeakSet[FileOwnership] = weakref.WeakSet()


def _release_in_child() -> None:
    # A child shares the open file and would keep it locked after its parent's death.
    for ownership in list(_held):
        ownership.release()


os.register_at_fork(after_in_child=_release_in_child)
