"""The catalogue of exports: what was shared, until when it is kept, and what became of it.

Here the catalogue is the truth: an object below `exports/` that no row knows belongs to nobody. No
link is in it, for whoever has one can read.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import apsw

from replica import Transaction
from tracking.frames import moment_of, moment_text

__all__ = [
    "Export",
    "Standing",
    "drop_exports",
    "exports",
    "note_links_until",
    "note_removed",
    "note_revoked",
    "write_export",
]


class Standing(enum.StrEnum):
    """What can be had of an export.

    SHARED: a link that was given may still work. KEPT: no link is known to work, and new ones can
    be made. EXPIRED and REVOKED: nothing any more. REVOKING: revoked, and not all of its objects
    are known to be gone, so that links may still work.
    """

    SHARED = "shared"
    KEPT = "kept"
    EXPIRED = "expired"
    REVOKED = "revoked"
    REVOKING = "revoking"


@dataclass(frozen=True, slots=True)
class Export:
    """One export. All times are UTC by the store's clock.

    Attributes:
        export_id: a UUID; the objects lie below `exports/<export_id>/`.
        view, format: the values of `exports.draft`'s View and Format.
        title: what it shows, for people.
        file_name: the one file's name; "" for a tree of partitions.
        place: which store its objects lie in, as `jobs.export_store.place_of` says it.
        made_at, expires_at: from when until when it is kept.
        file_count, row_count, size_bytes: of all its files.
        links_until: when the last link that was given ends; None if none was.
        revoked_at: when the owner took it back.
        removed_at: when its objects were gone.
    """

    export_id: str
    view: str
    title: str
    format: str
    file_name: str
    place: str
    made_at: datetime
    expires_at: datetime
    file_count: int
    row_count: int
    size_bytes: int
    links_until: datetime | None = None
    revoked_at: datetime | None = None
    removed_at: datetime | None = None

    def standing(self, now: datetime) -> Standing:
        """What can be had of it at a moment."""
        if self.revoked_at is not None:
            return Standing.REVOKING if self.removed_at is None else Standing.REVOKED
        if self.removed_at is not None or self.expires_at <= now:
            return Standing.EXPIRED
        is_shared = self.links_until is not None and self.links_until > now
        return Standing.SHARED if is_shared else Standing.KEPT

    def is_to_be_removed(self, now: datetime) -> bool:
        """Whether its objects have no business in the store any more, and may be there."""
        return self.removed_at is None and (self.revoked_at is not None or self.expires_at <= now)


def exports(connection: apsw.Connection) -> list[Export]:
    """Every export of the catalogue, the newest first."""
    rows = connection.execute(
        "SELECT export_id, view, title, format, file_name, place, made_at, expires_at, file_count,"
        " row_count, size_bytes, links_until, revoked_at, removed_at FROM main.s3_exports"
        " ORDER BY made_at DESC, export_id"
    )
    return [_export(row) for row in rows]


def write_export(transaction: Transaction, export: Export) -> None:
    """Put a new export into the catalogue."""
    transaction.execute(
        "INSERT INTO s3_exports (export_id, view, title, format, file_name, place, made_at,"
        " expires_at, file_count, row_count, size_bytes, links_until, revoked_at, removed_at)"
        " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
        (
            export.export_id,
            export.view,
            export.title,
            export.format,
            export.file_name,
            export.place,
            moment_text(export.made_at),
            moment_text(export.expires_at),
            export.file_count,
            export.row_count,
            export.size_bytes,
            None if export.links_until is None else moment_text(export.links_until),
            None if export.revoked_at is None else moment_text(export.revoked_at),
            None if export.removed_at is None else moment_text(export.removed_at),
        ),
    )


def note_links_until(transaction: Transaction, export_id: str, ends_at: datetime) -> None:
    """Note that a link was given that ends then, unless one that ends later is noted.

    Noted here, that is: where two machines give links at once, the one noted later in the log
    stays.
    """
    text = moment_text(ends_at)
    transaction.execute(
        "UPDATE s3_exports SET links_until = ?"
        " WHERE export_id = ? AND (links_until IS NULL OR links_until < ?)",
        (text, export_id, text),
    )


def note_revoked(transaction: Transaction, export_id: str, at: datetime) -> None:
    """Note that the owner took it back; the first time counts."""
    transaction.execute(
        "UPDATE s3_exports SET revoked_at = ? WHERE export_id = ? AND revoked_at IS NULL",
        (moment_text(at), export_id),
    )


def note_removed(transaction: Transaction, export_ids: Iterable[str], at: datetime) -> None:
    """Note that the objects of exports are gone; the first time counts."""
    transaction.executemany(
        "UPDATE s3_exports SET removed_at = ? WHERE export_id = ? AND removed_at IS NULL",
        [(moment_text(at), export_id) for export_id in export_ids],
    )


def drop_exports(transaction: Transaction, export_ids: Iterable[str]) -> None:
    """Take exports out of the catalogue; ids that are not in it are fine."""
    transaction.executemany(
        "DELETE FROM s3_exports WHERE export_id = ?", [(one,) for one in export_ids]
    )


def _export(row: Sequence[apsw.SQLiteValue]) -> Export:
    texts = [str(value) for value in row[:8]]
    export_id, view, title, format_, file_name, place, made_at, expires_at = texts
    file_count, row_count, size_bytes = (int(str(value)) for value in row[8:11])
    links_until, revoked_at, removed_at = (
        None if value is None else moment_of(str(value)) for value in row[11:]
    )
    return Export(
        export_id=export_id,
        view=view,
        title=title,
        format=format_,
        file_name=file_name,
        place=place,
        made_at=moment_of(made_at),
        expires_at=moment_of(expires_at),
        file_count=file_count,
        row_count=row_count,
        size_bytes=size_bytes,
        links_until=links_until,
        revoked_at=revoked_at,
        removed_at=removed_at,
    )
