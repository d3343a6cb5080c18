"""What the jobs about backups answer, and how they fail."""

from __future__ import annotations

from dataclasses import dataclass

from jobs.errors import JobError
from jobs.retention import Kept
from tracking.backup_catalogue import Backup

__all__ = [
    "BackupCheckFailed",
    "Forgetting",
    "Listed",
    "Pruning",
    "Rebuilding",
    "UnknownBackup",
]


class UnknownBackup(JobError):
    """There is no backup with this key."""


class BackupCheckFailed(JobError):
    """The bucket does not hold what the catalogue says, or a backup in it is damaged."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A backup and why the schedule keeps it; no reason: it is forgotten, or will be next time."""

    backup: Backup
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Forgetting:
    """What is kept, and what has been marked (or would be, of a dry run), oldest first."""

    kept: tuple[Kept, ...]
    forgotten: tuple[Backup, ...]


@dataclass(frozen=True, slots=True)
class Pruning:
    """What was deleted, and what is wrong with the rest, in sentences.

    Where the newest that is kept is not sound, nothing was deleted.
    """

    deleted: tuple[str, ...]
    freed_bytes: int
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rebuilding:
    """How the catalogue differed from the bucket.

    Attributes:
        backups: how many the catalogue has now.
        added, removed, changed: keys.
        damaged: backups that cannot be used, or have another content than the noted one, a sentence
            each; what the catalogue said of them stays.
        unknown: keys below `backups/` that are no backup's.
    """

    backups: int
    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]
    damaged: tuple[str, ...]
    unknown: tuple[str, ...]
