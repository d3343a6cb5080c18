"""Pictures as they come: what is not a small still PNG, JPEG or WebP is refused, with a reason."""

from __future__ import annotations

import gzip
import io
import struct
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
from PIL import Image, PngImagePlugin

from images.decoding import MOST_BYTES, redraw
from images.errors import ImageRejected
from images.headers import ImageType, read_header
from tests.image_server import drawn

ORIGIN = "https://cdn.example.com/1.png"


def png_saying(width: int, height: int) -> bytes:
    """A sound beginning of a PNG of that size, with hardly any pixels: a bomb."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    pixels = zlib.compress(b"\0" * 100_000, 9)
    end = chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + end


def webp_saying(width: int, height: int) -> bytes:
    """A sound small WebP whose canvas says that it is of another size."""
    body = bytearray(drawn((8, 8), "WEBP", xmp=b"x"))
    assert body[12:16] == b"VP8X"
    body[24:27], body[27:30] = (width - 1).to_bytes(3, "little"), (height - 1).to_bytes(3, "little")
    return bytes(body)


def animated(kind: str) -> bytes:
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "blue")]
    file = io.BytesIO()
    frames[0].save(file, kind, save_all=True, append_images=frames[1:], duration=100)
    return file.getvalue()


def png_with_two_headers() -> bytes:
    """Small by its first header, large by its second, which the decoder believes."""
    body, large = drawn((16, 16)), png_saying(5000, 5000)
    return body[:33] + large[8:33] + body[33:]


def jpeg_with_two_headers() -> bytes:
    body = drawn((16, 16), "JPEG", "RGB")
    at = body.index(b"\xff\xc0")
    end = at + 2 + int.from_bytes(body[at + 2 : at + 4], "big")
    second = bytearray(body[at:end])
    second[5:9] = struct.pack(">HH", 5000, 5000)
    return body[:end] + bytes(second) + body[end:]


def jpeg_saying(width: int, height: int) -> bytes:
    body = bytearray(drawn((16, 16), "JPEG", "RGB"))
    at = body.index(b"\xff\xc0")
    body[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(body)


@pytest.mark.parametrize(
    "body",
    [
        drawn(kind="PNG"),
        drawn(kind="PNG", mode="P"),
        drawn(kind="PNG", mode="LA"),
        drawn(kind="PNG", mode="1"),
        drawn(kind="JPEG", mode="RGB"),
        drawn(kind="JPEG", mode="RGB", progressive=True),
        drawn(kind="JPEG", mode="CMYK"),
        drawn(kind="WEBP"),
        drawn(kind="WEBP", lossless=True),
        drawn(kind="WEBP", mode="RGB"),
    ],
)
def test_a_picture_is_written_anew(body: bytes) -> None:
    picture = redraw(body, ORIGIN)
    header = read_header(picture.body)
    assert header is not None
    assert (header.image_type, header.width_pixels, header.height_pixels) == (
        ImageType.WEBP,
        260,
        190,
    )
    assert (picture.width_pixels, picture.height_pixels) == (260, 190)


def test_what_is_large_becomes_small_and_keeps_its_shape() -> None:
    picture = redraw(drawn((2000, 1000)), ORIGIN)
    assert (picture.width_pixels, picture.height_pixels) == (512, 256)
    picture = redraw(drawn((1040, 760)), ORIGIN, most_side_pixels=128)
    assert (picture.width_pixels, picture.height_pixels) == (128, 94)


def test_the_ground_of_a_cut_out_stays_clear() -> None:
    file = io.BytesIO()
    Image.new("RGBA", (40, 40), (200, 10, 10, 0)).save(file, "PNG")
    with Image.open(io.BytesIO(redraw(file.getvalue(), ORIGIN).body)) as opened:
        assert opened.convert("RGBA").getpixel((20, 20))[3] == 0  # type: ignore[index]


def test_nothing_but_pixels_is_passed_on() -> None:
    secret = b"where-it-was-taken"
    told = PngImagePlugin.PngInfo()
    told.add_text("Comment", secret.decode())
    bodies = [
        drawn(kind="JPEG", mode="RGB", exif=b"Exif\0\0" + secret, icc_profile=secret),
        drawn(kind="PNG", pnginfo=told, icc_profile=secret),
        drawn(kind="WEBP", exif=b"Exif\0\0" + secret, icc_profile=secret, xmp=secret),
        drawn() + secret,
    ]
    for body in bodies:
        assert secret not in redraw(body, ORIGIN).body


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"<!DOCTYPE html><html><body>Not found</body></html>", "a web page"),
        (b"\n <html>", "a web page"),
        (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', "an SVG"),
        (b"<svg onload='alert(1)'/>", "an SVG"),
        (b"", "It is empty"),
        (b"%PDF-1.7", "no picture of a type that is taken"),
        (gzip.compress(drawn()), "no picture of a type that is taken"),
        (drawn((20, 20), "GIF", "P"), "a GIF"),
        (drawn((20, 20), "TIFF", "RGB"), "no picture of a type that is taken"),
        (drawn((20, 20), "BMP", "RGB"), "no picture of a type that is taken"),
        (animated("GIF"), "a GIF"),
        (animated("PNG"), "It moves"),
        (animated("WEBP"), "It moves"),
        (animated("MPO"), "several pictures in one"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * MOST_BYTES, "larger than 2,000,000 bytes"),
        (png_saying(50_000, 50_000), "50000 × 50000 pixels"),
        (png_saying(0, 10), "no pixels"),
        (png_saying(2000, 2000), "cannot be decoded"),
        (jpeg_saying(65_000, 65_000), "65000 × 65000 pixels"),
        (webp_saying(16_383, 16_383), "16383 × 16383 pixels"),
        (webp_saying(20, 20), "cannot be decoded"),
        (png_with_two_headers(), "size is another than it says"),
        (jpeg_with_two_headers(), "size is another than it says"),
        (drawn()[:300], "cannot be decoded"),
        (drawn(kind="JPEG", mode="RGB")[:700], "cannot be decoded"),
        (drawn(kind="WEBP")[:60], "cannot be decoded"),
        (drawn()[:20], "no picture of a type that is taken"),
        (b"\xff\xd8\xff", "no picture of a type that is taken"),
        (b"RIFF\0\0\0\0WEBP", "no picture of a type that is taken"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_refused_and_why(body: bytes, reason: str) -> None:
    with pytest.raises(ImageRejected) as rejected:
        redraw(body, ORIGIN)
    assert reason in rejected.value.problem
    assert ORIGIN in str(rejected.value)


@pytest.mark.parametrize("bomb", [png_saying, jpeg_saying, webp_saying])
def test_a_bomb_takes_no_room(bomb: Callable[[int, int], bytes]) -> None:
    body = bomb(16_000, 16_000)
    tracemalloc.start()
    try:
        with pytest.raises(ImageRejected, match="more than 4,000,000"):
            redraw(body, ORIGIN)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_a_jpeg_of_countless_layers_is_not_decoded() -> None:
    body = drawn((2000, 2000), "JPEG", "RGB", progressive=True)
    end = body.rindex(b"\xff\xd9")
    empty = bytes.fromhex("ffda 0008 01 01 00 00 3f 00".replace(" ", ""))
    with pytest.raises(ImageRejected, match="more layers than any picture"):
        redraw(body[:end] + empty * 2000 + body[end:], ORIGIN)


def test_any_cut_and_any_flipped_byte_is_a_picture_or_refused() -> None:
    for body in (drawn((16, 16)), drawn((16, 16), "JPEG", "RGB"), drawn((16, 16), "WEBP")):
        for at in range(len(body)):
            for damaged in (body[:at], body[:at] + bytes([body[at] ^ 0x55]) + body[at + 1 :]):
                try:
                    picture = redraw(damaged, ORIGIN)
                except ImageRejected:
                    continue
                assert max(picture.width_pixels, picture.height_pixels) <= 512
