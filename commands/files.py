"""Files that a command writes for a person: new ones only."""

from __future__ import annotations

import sys
from pathlib import Path

from jobs.errors import JobError

__all__ = ["FileNotWritten", "is_free", "write_new_file"]


class FileNotWritten(JobError):
    """The file that was asked for cannot be written."""


def is_free(path: Path) -> bool:
    """Whether nothing has this name; says on standard error if something has."""
    if path.exists():
        print(f"{path} exists already. Name a new file.", file=sys.stderr)
        return False
    return True


def write_new_file(path: Path, body: bytes) -> None:
    """Write a file that was not there; half a file is taken away again. Raises FileNotWritten."""
    try:
        file = path.open("xb")
    except OSError as error:
        raise _not_written(path, error) from error
    try:
        with file:
            file.write(body)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise _not_written(path, error) from error


def _not_written(path: Path, error: OSError) -> FileNotWritten:
    return FileNotWritten(
        "write",
        str(path),
        f"{error.strerror or 'The disk refuses'}.",
        "Name a new file in a folder that this user may write to.",
    )
