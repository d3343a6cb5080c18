"""A file that is sent, and tells how far it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO

__all__ = ["WatchedFile"]


class WatchedFile:
    """Reads a file, and tells `on_read` the bytes that have been read so far, the most ever.

    What sends it may go back: to repeat a request, or to sign the content before it is sent.
    """

    def __init__(self, file: BinaryIO, on_read: Callable[[int], None]) -> None:
        self._file = file
        self._on_read = on_read
        self._furthest_bytes = 0

    def read(self, size: int = -1) -> bytes:
        block = self._file.read(size)
        place = self._file.tell()
        if place > self._furthest_bytes:
            self._furthest_bytes = place
            self._on_read(place)
        return block

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()
