"""What is wrong with a file of lines: either the whole file is refused, or a row is left out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from nba.errors import NbaError

__all__ = ["LeftOut", "LineProblem", "LinesRejected", "Reason"]

_PROBLEMS_SHOWN: Final = 10


@dataclass(frozen=True, slots=True)
class LineProblem:
    """One finding. `row` counts as a spreadsheet does, the header being row 1; None: whole file.

    `column` is the column it is about, "" where it is about the row or the file.
    """

    row: int | None
    column: str
    detail: str

    def __str__(self) -> str:
        row = "" if self.row is None else f"row {self.row}"
        place = ", ".join(part for part in (row, self.column) if part)
        return f"{place}: {self.detail}" if place else self.detail


class LinesRejected(NbaError):
    """A file of lines was not taken; `problems` names every finding, in the file's order."""

    def __init__(self, key: str, problems: Iterable[LineProblem], remedy: str) -> None:
        self.problems = tuple(problems)
        shown = "; ".join(str(problem) for problem in self.problems[:_PROBLEMS_SHOWN])
        unshown = len(self.problems) - _PROBLEMS_SHOWN
        if unshown > 0:
            shown += f"; and {unshown:,} more"
        super().__init__("Reading lines", key, shown, remedy)
        # Pickling calls the class with args: they must match the signature.
        self.args = (key, self.problems, remedy)


class Reason(StrEnum):
    """Why a readable row is left out; the other rows go on."""

    UNKNOWN_PLAYER = "unknown player"
    AMBIGUOUS_PLAYER = "ambiguous player"
    UNKNOWN_MARKET = "unknown market"
    OUTSIDE_SEASONS = "outside every season"
    NO_GAMES = "no games"
    TWO_GAMES = "two games"


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A row that is not in the figures, and why; `row` counts as in LineProblem."""

    row: int
    reason: Reason
    detail: str
