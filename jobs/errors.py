"""Errors of the jobs. Each says which operation, on what, and what to do about it."""

from __future__ import annotations

from exports.errors import ExportError
from images.errors import ImageError
from nba.errors import NbaError
from prediction_tracking import TrackingError
from replica import ReplicaError

__all__ = [
    "EXPLAINED",
    "ConfigurationError",
    "JobError",
    "NotBackedUp",
    "NotPermitted",
    "NotReady",
    "TooManyAttempts",
]


class JobError(Exception):
    """A job could not be done.

    Attributes:
        operation: what was attempted, in words.
        key: what it was attempted on (a setting, a date, an action).
        remedy: what a person can do about it, a full sentence.
    """

    def __init__(self, operation: str, key: str, problem: str, remedy: str) -> None:
        super().__init__(f"{operation} ({key}): {problem} {remedy}")
        self.operation = operation
        self.key = key
        self.problem = problem
        self.remedy = remedy


class ConfigurationError(JobError):
    """The settings are incomplete or contradict each other; nothing is written until mended."""


class NotPermitted(JobError):
    """The action is the owner's, and the person asking is not known to be the owner."""


class NotReady(JobError):
    """The app is still preparing, or cannot reach what the action needs."""


class NotBackedUp(JobError):
    """The backup that comes first could not be made, so the job did not begin."""


class TooManyAttempts(JobError):
    """Too many wrong passwords in a short time; sign-in is paused."""


EXPLAINED = (JobError, TrackingError, NbaError, ReplicaError, ExportError, ImageError)
"""Every error that says operation, key and remedy: what a screen may show as it is."""
