"""Makes the n-th operation on a disk or a store fail, or the process die at it.

SQLite's system calls are replaced by some that fail as the operating system's do. An exception out
of a virtual file system would not do: APSW raises it also where SQLite passes over an error, as
when it cannot shorten a log after a commit. Only a sync cannot be replaced that way; it has an act
of its own.
"""

from __future__ import annotations

import builtins
import ctypes
import enum
import errno
import functools
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import apsw

from replica import ObjectInfo, ObjectStore, PutMode, StoredObject, StoreUnreachable

__all__ = ["Act", "DiskFaults", "FailingStore", "Faults"]

EXIT_CODE = 9

_SYNCING = "syncing"

Result = TypeVar("Result")

# SQLite calls these until the process ends, and does not keep them alive.
_KEPT: list[object] = []


class Act(enum.Enum):
    """What happens at the n-th operation."""

    BROKEN = "broken"
    """That one operation ends with an input/output error."""
    STAYS_FULL = "stays full"
    """From there on nothing more can be written."""
    DEATH = "death"
    """The process is gone, with half of the data written."""
    READ = "read"
    """A read of SQLite's ends with an input/output error; only reads are counted."""
    SYNC = "sync"
    """A sync of SQLite's ends with an input/output error; only syncs are counted."""


class Faults:
    """Counts operations, and says which of them fails. ``n`` is from 1; 0 for none."""

    def __init__(self, n: int, *, lasting: bool = False) -> None:
        self.seen: list[str] = []
        self._n = n
        self._lasting = lasting
        self._armed = True

    def disarm(self) -> None:
        """From here on nothing is counted and nothing fails."""
        self._armed = False

    def here(self, what: str) -> bool:
        """Whether this operation is the one."""
        if not self._armed:
            return False
        self.seen.append(what)
        count = len(self.seen)
        return count == self._n or (self._lasting and 0 < self._n < count)


class FailingStore:
    """Another store, of which one request fails before or after its effect."""

    def __init__(self, store: ObjectStore, faults: Faults, *, after_effect: bool) -> None:
        self._store = store
        self._faults = faults
        self._after_effect = after_effect

    @property
    def location(self) -> str:
        return self._store.location

    def get(self, key: str) -> StoredObject:
        return self._do("get", key, lambda: self._store.get(key))

    def put(self, key: str, body: bytes, mode: PutMode) -> ObjectInfo:
        return self._do("put", key, lambda: self._store.put(key, body, mode))

    def list(self, prefix: str, *, start_after: str = "") -> builtins.list[ObjectInfo]:
        return self._do("list", prefix, lambda: self._store.list(prefix, start_after=start_after))

    def delete(self, key: str) -> None:
        self._do("delete", key, lambda: self._store.delete(key))

    def _do(self, verb: str, key: str, request: Callable[[], Result]) -> Result:
        fails = self._faults.here(f"{verb} {key.split('/')[0]}")
        if fails and not self._after_effect:
            raise StoreUnreachable(verb, key)
        result = request()
        if fails:
            raise StoreUnreachable(verb, key)
        return result


class DiskFaults:
    """In force from ``install`` to the end of the process: for a process of its own."""

    def __init__(self, act: Act, faults: Faults) -> None:
        self._act = act
        self._faults = faults
        self._error = errno.ENOSPC if act is Act.STAYS_FULL else errno.EIO

    def install(self) -> None:
        """Put the failing operations in the place of the real ones."""
        if self._act is Act.SYNC:
            _KEPT.append(_Syncing(self))
            setattr(apsw, "Connection", _SyncedConnection)  # noqa: B010 - mypy knows it as a class
            return
        self._replace_system_calls()
        if self._act is Act.READ:
            return
        for name in ("replace", "fsync", "unlink", "ftruncate", "pwrite"):
            setattr(os, name, self._failing(name, getattr(os, name)))
        os.open = self._failing("open to write", os.open, _is_for_writing)
        self._replace_open()

    def fails(self, what: str) -> bool:
        """Whether this operation fails; does not return if the process dies at it."""
        if not self._faults.here(what):
            return False
        if self._act is Act.DEATH:
            os._exit(EXIT_CODE)
        return True

    def tears(self, what: str, write_half: Callable[[], object]) -> bool:
        """As ``fails``, for a write: half of it takes place."""
        if not self._faults.here(what):
            return False
        if self._act is not Act.STAYS_FULL:
            write_half()
        if self._act is Act.DEATH:
            os._exit(EXIT_CODE)
        return True

    def error(self) -> OSError:
        return OSError(self._error, os.strerror(self._error))

    def _failing(
        self,
        name: str,
        real: Callable[..., Any],
        concerns: Callable[..., bool] = lambda *_: True,
    ) -> Callable[..., Any]:
        @functools.wraps(real)
        def failing(*arguments: Any, **named: Any) -> Any:
            # Only shutil names a folder by its descriptor, for a disk that is wiped on purpose.
            concerned = concerns(*arguments) and "dir_fd" not in named
            if concerned and self.fails(f"os.{name}"):
                raise self.error()
            return real(*arguments, **named)

        return failing

    def _replace_open(self) -> None:
        real: Callable[..., Any] = Path.open

        def failing(path: Path, mode: str = "r", *arguments: Any, **named: Any) -> Any:
            file = real(path, mode, *arguments, **named)
            return _FailingFile(file, self) if "w" in mode else file

        setattr(Path, "open", failing)  # noqa: B010 - mypy knows it as a method

    def _replace_system_calls(self) -> None:
        real = apsw.VFS("system calls", "unix")
        for name, (signature, replacement) in self._replacements().items():
            address = real.xGetSystemCall(name)
            if not address:
                continue
            function = signature(replacement(signature(address)))
            _KEPT.append(function)
            pointer = ctypes.cast(function, ctypes.c_void_p).value
            assert pointer is not None
            assert real.xSetSystemCall(name, pointer)
        real.unregister()

    def _replacements(self) -> dict[str, tuple[Any, Callable[[Any], Any]]]:
        number, size = ctypes.c_int, ctypes.c_ssize_t
        text, data, offset = ctypes.c_char_p, ctypes.c_void_p, ctypes.c_longlong

        def signature(*types: Any) -> Any:
            return ctypes.CFUNCTYPE(*types, use_errno=True)

        reading = signature(size, number, data, ctypes.c_size_t, offset)
        if self._act is Act.READ:
            return {name: (reading, self._call("read")) for name in ("pread", "pread64")}
        unlinking = signature(number, text)
        return {
            "open": (signature(number, text, number, number), self._call("open")),
            "pwrite": (reading, self._writing),
            "pwrite64": (reading, self._writing),
            "ftruncate": (signature(number, number, offset), self._call("ftruncate")),
            "unlink": (unlinking, self._call("unlink")),
        }

    def _call(self, what: str) -> Callable[[Any], Any]:
        def replacement(real: Any) -> Any:
            def call(*arguments: Any) -> Any:
                if self.fails(f"sqlite {what}"):
                    ctypes.set_errno(self._error)
                    return -1
                return real(*arguments)

            return call

        return replacement

    def _writing(self, real: Any) -> Any:
        def call(descriptor: int, data: int, length: int, offset: int) -> int:
            half = functools.partial(real, descriptor, data, length // 2, offset)
            if self.tears("sqlite write", half):
                ctypes.set_errno(self._error)
                return -1
            return int(real(descriptor, data, length, offset))

        return call


class _FailingFile:
    """A file that is written to, as a context manager."""

    def __init__(self, file: Any, disk: DiskFaults) -> None:
        self._file = file
        self._disk = disk

    def __enter__(self) -> _FailingFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, data: bytes) -> int:
        def half() -> None:
            self._file.write(data[: len(data) // 2])
            self._file.flush()

        if self._disk.tears("write to a file", half):
            raise self._disk.error()
        return int(self._file.write(data))


class _Syncing(apsw.VFS):
    """A file system with syncs that can fail."""

    def __init__(self, disk: DiskFaults) -> None:
        self._disk = disk
        super().__init__(_SYNCING, "unix")

    def xOpen(  # noqa: N802 - SQLite's name
        self, name: str | apsw.URIFilename | None, flags: list[int]
    ) -> apsw.VFSFile:
        return _SyncedFile(name, flags, self._disk)


class _SyncedConnection(apsw.Connection):
    """With syncs that can fail, if it writes.

    What only reads asks at its end for a lock that it cannot get, and APSW would raise that too.
    """

    def __init__(
        self, path: str, flags: int = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
    ) -> None:
        vfs = _SYNCING if flags & apsw.SQLITE_OPEN_READWRITE else None
        super().__init__(path, flags=flags, vfs=vfs)


class _SyncFailed(apsw.IOError):
    extendedresult = apsw.SQLITE_IOERR_FSYNC


class _SyncedFile(apsw.VFSFile):
    def __init__(
        self, name: str | apsw.URIFilename | None, flags: list[int], disk: DiskFaults
    ) -> None:
        self._disk = disk
        super().__init__("unix", name, flags)

    def xSync(self, flags: int) -> None:  # noqa: N802 - SQLite's name
        # At a close SQLite passes over the error, and APSW would raise it nevertheless.
        closing = sys._getframe(1).f_code.co_name in ("close", "__exit__", "_fold_in")
        if not closing and self._disk.fails("sqlite sync"):
            raise _SyncFailed("disk I/O error")
        super().xSync(flags)


def _is_for_writing(path: object, flags: int, *_: object) -> bool:
    return bool(flags & (os.O_WRONLY | os.O_RDWR))
