"""Every error that the prediction log raises."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = [
    "EmptySlate",
    "ExistingDatabaseDamaged",
    "ImportRefused",
    "NotAnExistingDatabase",
    "OriginMismatch",
    "ResultsRejected",
    "RowProblem",
    "RowProblemKind",
    "SlateRejected",
    "TrackingError",
    "UnknownPlace",
    "UnknownRun",
]

_PROBLEMS_SHOWN = 10


class TrackingError(Exception):
    """Something about the prediction log could not be done; nothing was written.

    `operation` says what was tried, `key` on what (a date, a run, a file), `problem` what was
    found and `remedy` what a person can do about it.
    """

    def __init__(self, operation: str, key: str, problem: str, remedy: str) -> None:
        super().__init__(operation, key, problem, remedy)
        self.operation = operation
        self.key = key
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.operation} failed for {self.key}: {self.problem}. {self.remedy}"


class OriginMismatch(TrackingError):
    """A slate cannot be logged under this origin: live is for open slates, replay for past ones."""


class EmptySlate(TrackingError):
    """A slate without a projected game: there is nothing to log."""


class SlateRejected(TrackingError):
    """A projection contradicts itself, for example by a floor above its ceiling."""


class UnknownRun(TrackingError):
    """No run with this id is in the log."""


class UnknownPlace(TrackingError):
    """No logged prediction is at the place where a page of the history should begin."""


class ImportRefused(TrackingError):
    """An earlier app's database was not imported; the original is untouched."""


class NotAnExistingDatabase(ImportRefused):
    """The object is no SQLite database."""


class ExistingDatabaseDamaged(ImportRefused):
    """The object is a SQLite database, but not a whole one."""


class RowProblemKind(enum.Enum):
    """What is wrong with a row, or with the whole file, of imported results."""

    MISSING_COLUMN = "missing column"
    REPEATED_COLUMN = "repeated column"
    TOO_MANY_ROWS = "too many rows"
    NO_ROWS = "no rows"
    BAD_DATE = "bad date"
    FUTURE_DATE = "future date"
    BAD_VALUE = "bad value"
    UNKNOWN_PLAYER = "unknown player"
    AMBIGUOUS_PLAYER = "ambiguous player"
    NO_GAME = "no game"
    AMBIGUOUS_GAME = "ambiguous game"
    CONFLICT = "conflicting rows"


@dataclass(frozen=True, slots=True)
class RowProblem:
    """One finding. `row` counts as a spreadsheet does: the header is row 1; None = whole file."""

    row: int | None
    kind: RowProblemKind
    detail: str

    def __str__(self) -> str:
        return self.detail if self.row is None else f"row {self.row}: {self.detail}"


class ResultsRejected(TrackingError):
    """A file of results was not imported. `problems` names every finding, in the file's order."""

    what = "import of results"

    def __init__(self, key: str, problems: Iterable[RowProblem], remedy: str) -> None:
        self.problems = tuple(problems)
        shown = "; ".join(str(problem) for problem in self.problems[:_PROBLEMS_SHOWN])
        unshown = len(self.problems) - _PROBLEMS_SHOWN
        if unshown > 0:
            shown += f"; and {unshown} more"
        super().__init__(self.what, key, shown, remedy)
        # Pickling calls the class with args: they must match the signature.
        self.args = (key, self.problems, remedy)
