"""What this machine has counted and not yet handed on, kept in a file beside the state."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

from jobs.replacing import replace_file
from replica import local_faults
from usage.days import UnreadableFigures, WriterDay

__all__ = ["Noted", "read_noted", "usage_file", "write_noted"]

_FORMAT: Final = 1
_ASIDE: Final = "usage.json.damaged"


@dataclass(frozen=True, slots=True)
class Noted:
    """What the file says.

    Attributes:
        writer_id: under which this machine's rows are kept; a new disk gets a new one.
        written_at: when the last row was written (UTC), None before the first.
        days: what was counted, by UTC day.
        remark: what became of an earlier file that could not be read, "" if nothing did.
    """

    writer_id: str
    written_at: datetime | None = None
    days: Mapping[date, WriterDay] = field(default_factory=dict)
    remark: str = ""


def usage_file(database_path: Path) -> Path:
    """Where the file is."""
    return database_path.with_name("usage.json")


def read_noted(path: Path) -> Noted:
    """What the file says; a new writer without one.

    A file that cannot be understood is put aside. Its rows stay what they were, because another
    writer begins. Raises LocalError.
    """
    with local_faults("read", path):
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return Noted(uuid.uuid4().hex)
        except UnicodeDecodeError:
            return _begin_anew(path)
    try:
        return _noted_of(json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError):
        return _begin_anew(path)


def write_noted(path: Path, noted: Noted) -> None:
    """Replace the file; a crash leaves the old or the new one. Raises LocalError."""
    document = {
        "format": _FORMAT,
        "writer_id": noted.writer_id,
        "written_at": None if noted.written_at is None else noted.written_at.isoformat(),
        "days": {day.isoformat(): one.document() for day, one in sorted(noted.days.items())},
    }
    replace_file(path, json.dumps(document, separators=(",", ":")).encode())


def _begin_anew(path: Path) -> Noted:
    aside = path.with_name(_ASIDE)
    with local_faults("set aside", path):
        path.replace(aside)
    remark = (
        f"What this machine had counted could not be read and was kept as {aside.name}: up to six "
        "hours are missing."
    )
    return Noted(uuid.uuid4().hex, remark=remark)


def _noted_of(document: Mapping[str, Any]) -> Noted:
    if document["format"] != _FORMAT:
        raise UnreadableFigures(f"format {document['format']!r}")
    written_at = document["written_at"]
    return Noted(
        writer_id=uuid.UUID(document["writer_id"]).hex,
        written_at=None if written_at is None else _moment(written_at),
        days={
            date.fromisoformat(day): WriterDay.of_document(one)
            for day, one in document["days"].items()
        },
    )


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no time zone")
    return moment.astimezone(UTC)
