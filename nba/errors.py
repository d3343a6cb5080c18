"""Every error that the basketball side raises."""

from __future__ import annotations

__all__ = [
    "BundleDamaged",
    "BundleMissing",
    "ModelDamaged",
    "ModelNotWritten",
    "NbaError",
    "ReferenceDamaged",
    "ReferenceMissing",
    "ReferenceNotWritten",
    "TooFewSeasons",
    "UnknownSlate",
]


class NbaError(Exception):
    """Something on the basketball side could not be done.

    `operation` says what was tried, `key` on what (a file name, a date), `problem` what was found
    and `remedy` what a person can do about it.
    """

    def __init__(self, operation: str, key: str, problem: str, remedy: str) -> None:
        super().__init__(operation, key, problem, remedy)
        self.operation = operation
        self.key = key
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        remedy = self.remedy.removesuffix(".")
        return f"{self.operation} failed for {self.key}: {self.problem}. {remedy}."


class BundleMissing(NbaError):
    """A Parquet file of the bundled seasons is not there."""


class BundleDamaged(NbaError):
    """A Parquet file of the bundled seasons cannot be read or lacks columns."""


class ReferenceMissing(NbaError):
    """The reference file has not been built."""


class ReferenceDamaged(NbaError):
    """The reference file is no whole reference of this version."""


class ReferenceNotWritten(NbaError):
    """The reference file could not be written: disk full, read-only, or no permission."""


class UnknownSlate(NbaError):
    """A date outside every bundled season and outside the schedule."""


class ModelDamaged(NbaError):
    """The trained model's file is missing, cannot be read, or is of another version."""


class ModelNotWritten(NbaError):
    """The trained model's file could not be written: disk full, read-only, or no permission."""


class TooFewSeasons(NbaError):
    """The data has box scores of too few seasons to learn from."""
