"""What an examination finds: each thing with how much it matters, and what mends it."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass

from exports.errors import ExportError
from images.errors import ImageError
from jobs.errors import JobError
from nba.errors import NbaError
from prediction_tracking import TrackingError
from replica import ReplicaError

__all__ = ["Examination", "Finding", "FindingLevel", "Subject", "problem_of", "warning_of"]

Explained = JobError | TrackingError | NbaError | ReplicaError | ExportError | ImageError
"""What jobs.errors.EXPLAINED lists, as a type."""


class FindingLevel(enum.Enum):
    """How much a finding matters."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


class Subject(enum.Enum):
    """What a finding is about, in the words that people read."""

    SETTINGS = "Settings"
    OWNER = "Owner"
    TIMER = "Timer"
    REACH = "Reaching the store"
    LISTING = "Listing"
    READING = "Reading"
    WRITING = "Writing"
    CREATING = "Creating only once"
    OLDER_VERSIONS = "Reading older versions"
    DELETING = "Deleting old copies"
    CLOCK = "Clock"
    VERSIONING = "Versioning"
    ENCRYPTION = "Encryption"
    PUBLIC_ACCESS = "Public access"
    LIFECYCLE = "Lifecycle rules"
    LOG = "Log"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        subject: what was looked at.
        level: how much it matters.
        says: what was found, full sentences. May name the bucket, never a credential.
        fix: what mends it, full sentences; empty where nothing has to be mended.
    """

    subject: Subject
    level: FindingLevel
    says: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Examination:
    """All that was found, in the order in which it was looked at."""

    findings: tuple[Finding, ...]

    @property
    def is_healthy(self) -> bool:
        """Whether there is no problem; warnings are none."""
        return not self.of(FindingLevel.PROBLEM)

    @property
    def creates_once(self) -> bool | None:
        """Whether the store keeps what exists from being created again; None: not found out."""
        known = {FindingLevel.OK.value: True, FindingLevel.WARNING.value: False}
        found = [one for one in self.findings if one.subject.value == Subject.CREATING.value]
        return known.get(found[0].level.value) if found else None

    def is_a_problem(self, subject: Subject) -> bool:
        """Whether anything about this is one."""
        return any(one.subject.value == subject.value for one in self.of(FindingLevel.PROBLEM))

    def of(self, level: FindingLevel) -> tuple[Finding, ...]:
        """The findings of one level."""
        # By value: a reload of the code makes new members of the same meaning.
        return tuple(one for one in self.findings if one.level.value == level.value)

    def joined(self, more: Iterable[Finding]) -> Examination:
        """These findings and more."""
        return Examination((*self.findings, *more))


def problem_of(subject: Subject, error: Explained) -> Finding:
    """An error as a problem, its remedy as the fix."""
    return Finding(subject, FindingLevel.PROBLEM, _said(error), error.remedy)


def warning_of(subject: Subject, error: Explained, meaning: str = "") -> Finding:
    """An error as a warning; `meaning` is what follows from it, a full sentence."""
    says = f"{_said(error)} {meaning}".rstrip()
    return Finding(subject, FindingLevel.WARNING, says, error.remedy)


def _said(error: Explained) -> str:
    """What an error says without its remedy."""
    if not isinstance(error, ReplicaError):
        return f"{error.key}: {error.problem.removesuffix('.')}."
    detail = f" ({error.detail})" if error.detail else ""
    return f"Could not {error.operation} {error.key}: {error.summary}{detail}."
