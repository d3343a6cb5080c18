"""Failures of the local disk and of SQLite, as the engine's own error types."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

from replica.errors import DiskFailed, DiskFull, FileOwned, LocalCorrupt, LocalError, ReadOnlyDisk

__all__ = ["local_faults", "sqlite_faults"]

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_READ_ONLY = {errno.EROFS, errno.EACCES, errno.EPERM}
# SQLite says FULL only where write() itself says ENOSPC; elsewhere a full disk shows as these.
_FULL_IN_DISGUISE = {
    apsw.SQLITE_IOERR_WRITE,
    apsw.SQLITE_IOERR_FSYNC,
    apsw.SQLITE_IOERR_TRUNCATE,
    apsw.SQLITE_IOERR_SHMSIZE,
}


@contextmanager
def local_faults(operation: str, path: Path) -> Iterator[None]:
    """Turn failures of disk and database within the block into LocalError types.

    Mistakes in a statement (apsw.SQLError, apsw.ConstraintError …) pass unchanged.
    """
    try:
        with sqlite_faults(operation, path):
            yield
    except OSError as error:
        kind = _kind_of_os_error(error)
        raise kind(operation, str(path), detail=str(error)) from error


@contextmanager
def sqlite_faults(operation: str, path: Path, *, writing: bool = True) -> Iterator[None]:
    """As ``local_faults``, for blocks in which an OSError may be a caller's own.

    Without ``writing`` an attempt to write is a mistake in a statement.
    """
    try:
        yield
    except apsw.Error as error:
        if isinstance(error, apsw.ReadOnlyError) and not writing:
            raise
        kind = _kind_of_sqlite_error(error, path)
        if kind is None:
            raise
        raise kind(operation, str(path), detail=str(error)) from error


def _kind_of_os_error(error: OSError) -> type[LocalError]:
    if error.errno in _FULL:
        return DiskFull
    return ReadOnlyDisk if error.errno in _READ_ONLY else DiskFailed


def _kind_of_sqlite_error(error: apsw.Error, path: Path) -> type[LocalError] | None:
    if isinstance(error, apsw.FullError):
        return DiskFull
    if isinstance(error, apsw.IOError):
        return DiskFull if getattr(error, "extendedresult", 0) in _FULL_IN_DISGUISE else DiskFailed
    if isinstance(error, apsw.ReadOnlyError | apsw.PermissionsError):
        return ReadOnlyDisk
    if isinstance(error, apsw.CantOpenError):
        # SQLite does not say why; whether one may write there tells the two apart.
        writable = os.access(path if path.exists() else path.parent, os.W_OK)
        return DiskFailed if writable else ReadOnlyDisk
    if isinstance(error, apsw.CorruptError | apsw.NotADBError):
        return LocalCorrupt
    if isinstance(error, apsw.BusyError | apsw.LockedError):
        return FileOwned
    return None
