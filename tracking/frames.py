"""Rows to frames, moments to text, names to what people type."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Final

import apsw
import pandas as pd

__all__ = [
    "escape_like",
    "fold",
    "frame_of",
    "moment_of",
    "moment_text",
    "name_key",
    "use_fold",
]

# Letters that Unicode does not take apart into a base letter and an accent.
_WHOLE_LETTERS: Final = str.maketrans(
    {"đ": "d", "ø": "o", "ł": "l", "\N{LATIN SMALL LETTER DOTLESS I}": "i", "æ": "ae", "œ": "oe"}
)


def frame_of(
    rows: Iterable[tuple[apsw.SQLiteValue, ...]],
    columns: Sequence[str],
    *,
    dates: Sequence[str] = (),
    moments: Sequence[str] = (),
    flags: Sequence[str] = (),
    numbers: Sequence[str] = (),
) -> pd.DataFrame:
    """A frame of SQLite rows, with the same column types whether it has rows or not.

    `dates` become `datetime.date` (None where unknown), `moments` UTC timestamps, `flags` bool and
    `numbers` float64 (NaN where unknown); other columns stay as they are.
    """
    frame = pd.DataFrame.from_records(list(rows), columns=list(columns))
    for name in dates:
        # A long history has few different dates.
        known = {t: date.fromisoformat(t) for t in frame[name].unique() if isinstance(t, str)}
        frame[name] = pd.Series(
            [known.get(text) for text in frame[name]], index=frame.index, dtype=object
        )
    for name in moments:
        moments_found = pd.to_datetime(frame[name], utc=True, format="ISO8601")
        # Without rows pandas would choose another unit.
        frame[name] = moments_found.astype("datetime64[us, UTC]")
    for name in flags:
        frame[name] = frame[name].astype(bool)
    for name in numbers:
        frame[name] = frame[name].astype("float64")
    return frame


def moment_text(moment: datetime) -> str:
    """An aware moment as UTC text of fixed width, which sorts as time; ValueError for a naive one.

    The form is `2026-11-20T18:00:00.000000Z`.
    """
    if moment.tzinfo is None:
        raise ValueError(f"a moment needs a time zone, {moment.isoformat()} has none")
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def moment_of(text: str) -> datetime:
    """The aware UTC moment that `moment_text`, or another ISO writer, wrote."""
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


@lru_cache(maxsize=8192)
def fold(text: str) -> str:
    """`text` without accents, case and surplus spaces: what a person types for a name."""
    apart = unicodedata.normalize("NFKD", text.casefold().translate(_WHOLE_LETTERS))
    return " ".join("".join(c for c in apart if not unicodedata.combining(c)).split())


def name_key(name: str) -> str:
    """`fold` without punctuation: two spellings of one name that mean the same player."""
    return " ".join("".join(c for c in fold(name) if c.isalnum() or c == " ").split())


def escape_like(text: str) -> str:
    """`text` for a LIKE with ESCAPE '\\', so that % and _ stand for themselves."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def use_fold(connection: apsw.Connection) -> None:
    """Give SQL on `connection` the function `fold(text)`."""
    connection.create_scalar_function("fold", _fold_value, 1, deterministic=True)


def _fold_value(*values: apsw.SQLiteValue) -> str | None:
    (value,) = values
    return fold(value) if isinstance(value, str) else None
