"""Pictures in memory: what was looked at last stays, up to a number of bytes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from images.decoding import Picture

__all__ = ["TIME_TO_LIVE", "Held", "PicturesInMemory"]

TIME_TO_LIVE: Final = timedelta(days=30)
"""How long a picture counts as the newest, from when its origin gave it."""


@dataclass(frozen=True, slots=True)
class Held:
    """A picture and when its origin gave it, in UTC."""

    picture: Picture
    fetched_at: datetime

    def is_fresh(self, now: datetime) -> bool:
        """Whether its origin need not be asked again yet."""
        return now - self.fetched_at < TIME_TO_LIVE


class PicturesInMemory:
    """Some pictures by their id. Any thread may use it; nothing waits here."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._held: OrderedDict[str, Held] = OrderedDict()
        self._size_bytes = 0

    def get(self, image_id: str) -> Held | None:
        """A picture, however old; it counts as looked at now."""
        with self._lock:
            held = self._held.get(image_id)
            if held is not None:
                self._held.move_to_end(image_id)
            return held

    def put(self, image_id: str, held: Held) -> None:
        """Keep a picture in place of an older one, and let go of what was not looked at longest."""
        with self._lock:
            self._drop(image_id)
            self._held[image_id] = held
            self._size_bytes += len(held.picture.body)
            while self._size_bytes > self._most_bytes:
                self._drop(next(iter(self._held)))

    def _drop(self, image_id: str) -> None:
        dropped = self._held.pop(image_id, None)
        if dropped is not None:
            self._size_bytes -= len(dropped.picture.body)

    def __len__(self) -> int:
        return len(self._held)

    @property
    def size_bytes(self) -> int:
        """Of the pictures together."""
        return self._size_bytes
