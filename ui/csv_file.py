"""An uploaded CSV file as a table of texts."""

from __future__ import annotations

import io

import pandas as pd

__all__ = ["count", "read_csv"]


def read_csv(content: bytes, most_rows: int) -> pd.DataFrame | None:
    """The rows as text, at most one more than `most_rows`; None for what is no CSV in UTF-8."""
    try:
        return pd.read_csv(
            io.BytesIO(content),
            dtype=str,
            keep_default_na=False,
            encoding="utf-8-sig",
            # A comma too many would otherwise shift every column by one.
            index_col=False,
            # One more than is accepted, so that a longer file is still refused.
            nrows=most_rows + 1,
        )
    except (UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError):
        return None


def count(number: int, noun: str) -> str:
    """1 row, 1,200 rows."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
