"""The catalogue of pictures: which are in the bucket, and how often pictures were asked for.

An image's id is the SHA-256 of its address, in hex: the log remembers no address.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

import apsw

from replica import Transaction
from tracking.frames import moment_of, moment_text

__all__ = [
    "StoredImage",
    "forget_image_days",
    "image_days",
    "stored_image",
    "write_image_day",
    "write_images",
]

# Not a count: which transactions wrote the row, see `usage_transactions`.
_TRANSACTIONS: Final = "transactions"


@dataclass(frozen=True, slots=True)
class StoredImage:
    """One object below `images/`.

    Attributes:
        image_id: its name there.
        sha256: of the object's bytes, in hex.
        media_type: such as "image/webp".
        size_bytes: of the object.
        width_pixels, height_pixels: of the picture in it.
        fetched_at: when its origin gave it, in UTC.
    """

    image_id: str
    sha256: str
    media_type: str
    size_bytes: int
    width_pixels: int
    height_pixels: int
    fetched_at: datetime


def stored_image(connection: apsw.Connection, image_id: str) -> StoredImage | None:
    """What the catalogue says of an image; None if it has none of that id."""
    row = connection.execute(
        "SELECT sha256, media_type, size_bytes, width_pixels, height_pixels, fetched_at"
        " FROM main.s3_image_cache WHERE image_id = ?",
        (image_id,),
    ).fetchone()
    if row is None:
        return None
    sha256, media_type, size_bytes, width_pixels, height_pixels, fetched_at = row
    return StoredImage(
        image_id=image_id,
        sha256=str(sha256),
        media_type=str(media_type),
        size_bytes=int(str(size_bytes)),
        width_pixels=int(str(width_pixels)),
        height_pixels=int(str(height_pixels)),
        fetched_at=moment_of(str(fetched_at)),
    )


def write_images(transaction: Transaction, images: Iterable[StoredImage]) -> None:
    """Put images into the catalogue, in place of what it says of the same ids."""
    transaction.executemany(
        "INSERT INTO s3_image_cache (image_id, sha256, media_type, size_bytes, width_pixels,"
        " height_pixels, fetched_at) VALUES (?,?,?,?,?,?,?)"
        " ON CONFLICT (image_id) DO UPDATE SET sha256 = excluded.sha256,"
        " media_type = excluded.media_type, size_bytes = excluded.size_bytes,"
        " width_pixels = excluded.width_pixels, height_pixels = excluded.height_pixels,"
        " fetched_at = excluded.fetched_at",
        [
            (
                one.image_id,
                one.sha256,
                one.media_type,
                one.size_bytes,
                one.width_pixels,
                one.height_pixels,
                moment_text(one.fetched_at),
            )
            for one in images
        ],
    )


def image_days(
    connection: apsw.Connection, since: date, *, but: Collection[tuple[date, str]] = ()
) -> dict[date, dict[str, int]]:
    """What all processes together have counted of each UTC date from `since` on, by name.

    Rows of a date and writer in `but` are left out.
    """
    rows = connection.execute(
        "SELECT day, writer_id, figures FROM main.image_days WHERE day >= ?"
        " ORDER BY day, writer_id",
        (since.isoformat(),),
    )
    days: dict[date, dict[str, int]] = {}
    for text, writer_id, figures in rows:
        day = date.fromisoformat(str(text))
        if (day, str(writer_id)) in but:
            continue
        total = days.setdefault(day, {})
        for name, count in json.loads(str(figures)).items():
            if name != _TRANSACTIONS:
                total[str(name)] = total.get(str(name), 0) + int(count)
    return days


def write_image_day(
    transaction: Transaction, day: date, writer_id: str, figures: Mapping[str, int]
) -> None:
    """Put one process's counts of a UTC date in place of its earlier ones of that date.

    The row names the transactions that wrote it: what was seen is nothing to back up.
    """
    written = transaction.execute(
        "SELECT transactions.value FROM image_days AS d,"
        " json_each(d.figures, '$.transactions') AS transactions"
        " WHERE d.day = ? AND d.writer_id = ?",
        (day.isoformat(), writer_id),
    ).fetchall()
    named = {_TRANSACTIONS: [*(str(one) for (one,) in written), transaction.id]}
    transaction.execute(
        "INSERT INTO image_days (day, writer_id, figures) VALUES (?,?,?)"
        " ON CONFLICT (day, writer_id) DO UPDATE SET figures = excluded.figures",
        (day.isoformat(), writer_id, json.dumps({**figures, **named}, sort_keys=True)),
    )


def forget_image_days(transaction: Transaction, before: date) -> None:
    """Let go of all counts of the dates before one."""
    transaction.execute("DELETE FROM image_days WHERE day < ?", (before.isoformat(),))
