"""What a process leaves on its disk when it dies, and the places where it can die there.

The engine's files are looked at from outside, never through it: a copy of the folder at the moment
of a crash is what the next process finds. Reading SQLite's files past SQLite drops its locks; here
nobody else waits for them.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import apsw

from tests.simulation.violations import Violation

__all__ = [
    "BEFORE_COMMIT",
    "DATABASE",
    "Image",
    "check_whole",
    "local_seams",
    "read_image",
    "write_image",
]

DATABASE = "state.db"
BEFORE_COMMIT = "before a commit"

Image = dict[str, bytes]
"""Content by file name."""

_NOT_ON_DISK = ("-shm", ".lock")


def read_image(folder: Path) -> Image:
    """What a crash at this moment leaves."""
    return {
        path.name: path.read_bytes()
        for path in sorted(folder.iterdir())
        if not path.name.endswith(_NOT_ON_DISK)
    }


def write_image(image: Image, folder: Path) -> None:
    """A new folder with these files."""
    folder.mkdir(parents=True)
    for name, body in image.items():
        (folder / name).write_bytes(body)


def check_whole(image: Image, scratch: Path) -> None:
    """I4: whatever the moment, what is on the disk is a whole database, or none."""
    for name in image:
        if ".damaged" in name:
            raise Violation("I4", f"the engine found its own file damaged: {name}")
    if DATABASE not in image:
        return
    write_image({n: b for n, b in image.items() if n.startswith(DATABASE)}, scratch)
    try:
        with closing(apsw.Connection(str(scratch / DATABASE))) as connection:
            found = [row[0] for row in connection.execute("PRAGMA integrity_check(3)")]
    except apsw.Error as error:
        found = [str(error)]
    finally:
        shutil.rmtree(scratch)
    if found != ["ok"]:
        raise Violation("I4", "; ".join(map(str, found)))


@dataclass
class _Seams:
    """``reached(path, what)`` is called before and after each local step below ``folder``."""

    folder: str
    reached: Callable[[str, str], None]

    def opened(self, connection: apsw.Connection) -> None:
        filename = connection.filename
        if not filename.startswith(self.folder):
            return

        def commits() -> bool:
            self.reached(filename, BEFORE_COMMIT)
            return False

        connection.set_commit_hook(commits, id="simulation")


@contextmanager
def local_seams(folder: Path, reached: Callable[[str, str], None]) -> Iterator[None]:
    """Have every commit, rename and fsync below ``folder`` announced to ``reached``."""
    seams = _Seams(f"{folder}{os.sep}", reached)
    real_replace = os.replace

    def replace(source: str | Path, target: str | Path) -> None:
        watched = str(target).startswith(seams.folder)
        if watched:
            reached(str(target), "before a rename")
        real_replace(source, target)
        if watched:
            reached(str(target), "after a rename")

    apsw.connection_hooks.append(seams.opened)
    os.replace = replace  # type: ignore[assignment]
    try:
        yield
    finally:
        os.replace = real_replace
        apsw.connection_hooks.remove(seams.opened)
