"""Errors of exports. Each says which operation, on what, and what to do about it."""

from __future__ import annotations

__all__ = ["DrawingFailed", "ExportError", "NothingToExport"]


class ExportError(Exception):
    """A part of an export could not be made.

    Attributes:
        operation: what was attempted, in words.
        key: what it was attempted on (a chart, a file).
        remedy: what a person can do about it, a full sentence.
    """

    def __init__(self, operation: str, key: str, problem: str, remedy: str) -> None:
        super().__init__(f"{operation} ({key}): {problem} {remedy}")
        self.operation = operation
        self.key = key
        self.problem = problem
        self.remedy = remedy


class DrawingFailed(ExportError):
    """A chart could not be drawn: its specification is wrong, or time or memory ran out."""


class NothingToExport(ExportError):
    """What was chosen has no rows, and the format has no way to say so."""
