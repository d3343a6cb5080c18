"""The shelf of pictures in the bucket: what is there is listed once, and nothing large is read."""

from __future__ import annotations

from typing import Final

from images.decoding import MOST_BYTES
from images.errors import ImageRejected
from replica import ObjectNotFound, ObjectStore, PutMode, StoredObject

__all__ = ["IMAGES", "PictureShelf"]

IMAGES: Final = "images/"
"""Where pictures are in the bucket; each under its id."""


class PictureShelf:
    """Objects below `images/`; every method may raise a StoreError.

    What other processes add after the first look is not seen: it comes from its origin once more.
    One thread at a time may use it.
    """

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._sizes_bytes: dict[str, int] | None = None

    def get(self, image_id: str) -> StoredObject | None:
        """A picture's bytes, not decoded; None if it is not there. ImageRejected if too large."""
        key = f"{IMAGES}{image_id}"
        size_bytes = self._known().get(key)
        if size_bytes is None:
            return None
        if size_bytes > MOST_BYTES:
            raise ImageRejected(
                "read a picture",
                key,
                f"It is larger than {MOST_BYTES:,} bytes.",
                "It is fetched from its origin again.",
            )
        try:
            return self._store.get(key)
        except ObjectNotFound:
            # A lifecycle rule has taken it away since.
            del self._known()[key]
            return None

    def put(self, image_id: str, body: bytes) -> None:
        """Keep a picture in place of an older one."""
        key = f"{IMAGES}{image_id}"
        self._store.put(key, body, PutMode.OVERWRITE)
        if self._sizes_bytes is not None:
            self._sizes_bytes[key] = len(body)

    def _known(self) -> dict[str, int]:
        if self._sizes_bytes is None:
            listed = self._store.list(IMAGES)
            self._sizes_bytes = {info.key: info.size_bytes for info in listed}
        return self._sizes_bytes
