"""What the key of a backup says: when it was made, and why."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from replica import BACKUPS
from tracking.backup_catalogue import BackupKind

__all__ = ["BackupName", "is_snapshot", "name_of"]

# A number follows where two were made within a second, a hash where two were imported.
_NAME: Final = re.compile(
    re.escape(BACKUPS)
    + r"(\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ)-([a-z0-9][a-z0-9-]*?)(?:-\d+|-[0-9a-f]{12})?"
    + r"\.(db|db\.zst)"
)

_SNAPSHOT: Final = re.compile(r"snapshots/\d{20}-[0-9a-f]{64}\.db\.zst")


@dataclass(frozen=True, slots=True)
class BackupName:
    """A key taken apart; `made_at` is UTC, `is_snapshot` False for a plain database."""

    key: str
    kind: BackupKind
    made_at: datetime
    is_snapshot: bool


def name_of(key: str) -> BackupName | None:
    """The parts of a backup's key; None for an object that no version of this app put there."""
    found = _NAME.fullmatch(key)
    if found is None:
        return None
    stamp, label, ending = found.groups()
    try:
        made_at = datetime.strptime(stamp, "%Y-%m-%dT%H-%M-%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None
    known = {kind.value: kind for kind in BackupKind}
    return BackupName(key, known.get(label, BackupKind.OTHER), made_at, ending == "db.zst")


def is_snapshot(key: str) -> bool:
    """Whether a key is that of a snapshot, which the engine makes and takes away by itself."""
    return _SNAPSHOT.fullmatch(key) is not None
