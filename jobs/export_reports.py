"""How the jobs about exports fail."""

from __future__ import annotations

from jobs.errors import JobError

__all__ = [
    "ExportElsewhere",
    "ExportEnded",
    "ExportUnderWay",
    "NotShareable",
    "UnknownExport",
]


class UnknownExport(JobError):
    """The catalogue has no export with this id."""


class ExportEnded(JobError):
    """The export has expired or was revoked: nothing of it can be had any more."""


class ExportElsewhere(JobError):
    """The export's objects lie in another bucket than the one that is set now."""


class ExportUnderWay(JobError):
    """Another export is being made; one is made at a time."""


class NotShareable(JobError):
    """No link can be given: the store has none, or what would sign it ends at once."""
