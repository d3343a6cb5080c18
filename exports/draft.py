"""An export before it is made: what it shows, in which format, and how its files are written."""

from __future__ import annotations

import enum
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["Draft", "Format", "Progress", "View"]

Progress = Callable[[float, str], None]
"""Told the share that is done, from 0 to 1, and what is being done, in words for people."""

_FILE_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,119}")


class View(enum.StrEnum):
    """The screen that an export was made on; the value is what the catalogue holds."""

    SLATE = "slate"
    TRACK_RECORD = "track_record"
    HISTORY = "history"
    PLAYER = "player"


class Format(enum.StrEnum):
    """What the files are; the value is what the catalogue holds.

    All but PARTITIONS are one file. PARTITIONS is a tree of Parquet files below folders such as
    `season=2024-25/month=2025-01`.
    """

    CSV = "csv"
    CSV_GZ = "csv.gz"
    PARQUET = "parquet"
    HTML = "html"
    PARTITIONS = "partitions"


@dataclass(frozen=True, slots=True)
class Draft:
    """An export that can be made.

    Attributes:
        view: the screen that it shows.
        title: what it shows, for people: "Projections for 20 November 2026".
        format: what its files are.
        file_name: the one file's name, of letters without accents, digits and `.`, `_`, `-`; ""
            for PARTITIONS.
        write: writes into an empty folder and returns the number of rows. Makes exactly
            `folder / file_name`, or for PARTITIONS any tree of files.
    """

    view: View
    title: str
    format: Format
    file_name: str
    write: Callable[[Path, Progress], int]

    def __post_init__(self) -> None:
        if self.format == Format.PARTITIONS:
            if self.file_name:
                raise ValueError(f"partitions have no one file, and {self.file_name!r} names one")
        elif not _FILE_NAME.fullmatch(self.file_name):
            raise ValueError(f"{self.file_name!r} cannot name a file everywhere")
