"""From somebody's bytes to a picture of our own: checked, decoded, made small, written anew.

Nothing of what came is passed on: no metadata, no profile, not one of its bytes.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass, field
from typing import Final

from PIL import Image

from images.errors import ImageRejected
from images.headers import Header, ImageType, read_header

__all__ = ["MEDIA_TYPE", "MOST_BYTES", "MOST_PIXELS", "MOST_SIDE_PIXELS", "Picture", "redraw"]

MOST_BYTES: Final = 2_000_000
"""Of a file as it comes."""
MOST_PIXELS: Final = 4_000_000
"""Of a picture as it comes; each takes four bytes decoded, and eight while it is converted."""
MOST_SIDE_PIXELS: Final = 512
"""Of either side of a picture as it is kept."""
MEDIA_TYPE: Final = "image/webp"

_QUALITY: Final = 85
# Each scan of a JPEG goes over all its pixels, and an empty one takes but a few bytes.
_SCAN: Final = b"\xff\xda"
_MOST_SCANS: Final = 64
# Decoders give these; all else (palettes, CMYK, 16 bits) is converted.
_OPAQUE: Final = frozenset({"1", "L", "RGB", "CMYK", "YCbCr", "I", "I;16", "I;16B", "F", "LAB"})


@dataclass(frozen=True, slots=True)
class Picture:
    """A still picture that was written here.

    Attributes:
        body: the file's bytes, of MEDIA_TYPE.
        width_pixels, height_pixels: neither above MOST_SIDE_PIXELS.
        sha256: of the bytes, in hex.
    """

    body: bytes = field(repr=False)
    width_pixels: int
    height_pixels: int
    sha256: str


def redraw(body: bytes, origin: str, *, most_side_pixels: int = MOST_SIDE_PIXELS) -> Picture:
    """Decode a PNG, JPEG or WebP file and write it anew, no side longer than `most_side_pixels`.

    `origin` is where the bytes are from, for the error. Raises ImageRejected.
    """
    header = _checked(body, origin)
    try:
        with Image.open(io.BytesIO(body), formats=(header.image_type.value,)) as opened:
            if opened.size != (header.width_pixels, header.height_pixels):
                raise _rejected(origin, "Its size is another than it says.")
            if getattr(opened, "n_frames", 1) != 1:
                raise _rejected(origin, "It has several pictures in one.")
            return _written(opened, most_side_pixels)
    except ImageRejected:
        raise
    except Exception as error:
        # Nobody can list all that hostile bytes make a decoder raise.
        raise _rejected(origin, "It cannot be decoded: damaged or cut short.") from error


def _checked(body: bytes, origin: str) -> Header:
    if len(body) > MOST_BYTES:
        raise _rejected(origin, f"It is larger than {MOST_BYTES:,} bytes.")
    header = read_header(body)
    if header is None:
        raise _rejected(origin, f"It is {_kind_of(body)}.")
    if header.is_animated:
        raise _rejected(origin, "It moves: only still pictures are shown.")
    width, height = header.width_pixels, header.height_pixels
    if not (width and height):
        raise _rejected(origin, "It has no pixels.")
    if width * height > MOST_PIXELS:
        raise _rejected(
            origin, f"It has {width} × {height} pixels, which is more than {MOST_PIXELS:,}."
        )
    if header.image_type is ImageType.JPEG and body.count(_SCAN) > _MOST_SCANS:
        raise _rejected(origin, "It has more layers than any picture.")
    return header


def _kind_of(body: bytes) -> str:
    """What it is instead, in words."""
    start = body[:512].lstrip().lower()
    if not start:
        return "empty"
    if start.startswith(b"gif8"):
        return "a GIF; PNG, JPEG and WebP are taken"
    if b"<svg" in start:
        return "an SVG, which can hold programs; PNG, JPEG and WebP are taken"
    if start.startswith((b"<!doctype", b"<html", b"<?xml", b"<head", b"<!--")):
        return "a web page and no picture"
    kinds = ", ".join(one.value for one in ImageType)
    return f"no picture of a type that is taken ({kinds})"


def _written(opened: Image.Image, most_side_pixels: int) -> Picture:
    opened.load()
    mode = "RGB" if opened.mode in _OPAQUE and "transparency" not in opened.info else "RGBA"
    with opened.convert(mode) as decoded:
        decoded.thumbnail((most_side_pixels, most_side_pixels), Image.Resampling.LANCZOS)
        file = io.BytesIO()
        # Whatever the library takes along by itself, now or in another version.
        nothing = {"exif": b"", "icc_profile": b"", "xmp": b""}
        decoded.save(file, "WEBP", quality=_QUALITY, method=4, **nothing)
        body = file.getvalue()
        width, height = decoded.size
    return Picture(body, width, height, hashlib.sha256(body).hexdigest())


def _rejected(origin: str, problem: str) -> ImageRejected:
    return ImageRejected("read a picture", origin, problem, "A drawn badge is shown in its place.")
