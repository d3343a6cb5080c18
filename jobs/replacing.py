"""Replacing a small file of this machine's as a whole."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from replica import local_faults

__all__ = ["replace_file"]


def replace_file(path: Path, body: bytes) -> None:
    """Write a file in place of what is there; a crash leaves the old one or the new one.

    Its folder is made if it is missing. Raises LocalError.
    """
    # Of its own for each process: the command line may write beside the app.
    partial = path.with_name(f"{path.name}.partial-{os.getpid()}")
    with local_faults("write", path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with partial.open("wb") as file:
                file.write(body)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        except BaseException:
            # What stays is overwritten by the next one.
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)
            raise
