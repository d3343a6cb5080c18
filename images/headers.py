"""Type and size of a picture by its first bytes, before any decoder gets to see it.

Some decoders take the room for all pixels while they open a file, so the size is read here.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final

__all__ = ["Header", "ImageType", "read_header"]

_PNG: Final = b"\x89PNG\r\n\x1a\n"
# JPEG: frames that carry the size; markers that stand alone.
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_ALONE: Final = frozenset({0x01, *range(0xD0, 0xD8)})


class ImageType(enum.Enum):
    """What is taken; the value is Pillow's name."""

    PNG = "PNG"
    JPEG = "JPEG"
    WEBP = "WEBP"


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says of itself."""

    image_type: ImageType
    width_pixels: int
    height_pixels: int
    is_animated: bool = False


def read_header(body: bytes) -> Header | None:
    """Type and size; None for anything that is not one of the three types."""
    if body.startswith(_PNG):
        return _png(body)
    if body.startswith(b"\xff\xd8\xff"):
        return _jpeg(body)
    if body[:4] == b"RIFF" and body[8:12] == b"WEBP":
        return _webp(body)
    return None


def _png(body: bytes) -> Header | None:
    if body[12:16] != b"IHDR" or len(body) < 33:
        return None
    width, height = int.from_bytes(body[16:20], "big"), int.from_bytes(body[20:24], "big")
    return Header(ImageType.PNG, width, height, _has_chunk_before_data(body))


def _has_chunk_before_data(body: bytes) -> bool:
    """Whether acTL, which makes a PNG move, comes before its pixels, as it has to."""
    at = len(_PNG)
    while at + 8 <= len(body):
        length, kind = int.from_bytes(body[at : at + 4], "big"), body[at + 4 : at + 8]
        if kind in (b"acTL", b"IDAT"):
            return kind == b"acTL"
        at += 12 + length
    return False


def _jpeg(body: bytes) -> Header | None:
    at = 2
    while at + 4 <= len(body):
        if body[at] != 0xFF:
            return None
        marker = body[at + 1]
        if marker == 0xFF or marker in _ALONE:
            at += 1 if marker == 0xFF else 2
        elif marker in _FRAMES:
            if at + 9 > len(body):
                return None
            height = int.from_bytes(body[at + 5 : at + 7], "big")
            width = int.from_bytes(body[at + 7 : at + 9], "big")
            return Header(ImageType.JPEG, width, height)
        else:
            at += 2 + int.from_bytes(body[at + 2 : at + 4], "big")
    return None


def _webp(body: bytes) -> Header | None:
    if len(body) < 30:
        return None
    kind = body[12:16]
    if kind == b"VP8X":
        width = int.from_bytes(body[24:27], "little") + 1
        height = int.from_bytes(body[27:30], "little") + 1
        return Header(ImageType.WEBP, width, height, bool(body[20] & 0x02))
    if kind == b"VP8L" and body[20] == 0x2F:
        bits = int.from_bytes(body[21:25], "little")
        return Header(ImageType.WEBP, (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    if kind == b"VP8 " and body[23:26] == b"\x9d\x01\x2a":
        width = int.from_bytes(body[26:28], "little") & 0x3FFF
        height = int.from_bytes(body[28:30], "little") & 0x3FFF
        return Header(ImageType.WEBP, width, height)
    return None
