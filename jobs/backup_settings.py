"""The table [backups]: whether one is made each day, and how many are kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from jobs.errors import ConfigurationError
from jobs.retention import Retention
from jobs.secret_tables import table_of

__all__ = ["BackupSettings", "backup_settings"]

_KEEPING = tuple(one.name for one in fields(Retention))
_MOST_KEPT = 1000


@dataclass(frozen=True, slots=True)
class BackupSettings:
    """What the app does about backups by itself.

    Attributes:
        daily: make one each day, forget and delete old ones.
        keep: how many of those that the schedule keeps.
    """

    daily: bool = False
    keep: Retention = field(default_factory=Retention)


def backup_settings(tables: Mapping[str, Any], environment: Mapping[str, str]) -> BackupSettings:
    """Read the table, else the environment. ConfigurationError for what cannot be meant."""
    table = table_of(tables, "backups", ("daily", *_KEEPING)) or {}
    daily = table.get("daily")
    if daily is None:
        daily = _from_environment(environment.get("NBA_DAILY_BACKUPS", "daily"))
    if not isinstance(daily, bool):
        raise ConfigurationError(
            "read the secrets",
            "[backups] daily",
            "It is neither true nor false.",
            "Write daily = true or daily = false.",
        )
    standard = Retention()
    kept = {name: _number(table, name, getattr(standard, name)) for name in _KEEPING}
    return BackupSettings(daily=daily, keep=Retention(**kept))


def _from_environment(word: str) -> bool:
    match word.strip().lower():
        case "daily":
            return True
        case "none":
            return False
    raise ConfigurationError(
        "read the environment",
        "NBA_DAILY_BACKUPS",
        f"{word!r} is not known.",
        'Set it to "daily" or "none", or leave it out.',
    )


def _number(table: Mapping[str, Any], name: str, standard: int) -> int:
    value = table.get(name, standard)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MOST_KEPT:
        raise ConfigurationError(
            "read the secrets",
            f"[backups] {name}",
            f"It is not a number from 0 to {_MOST_KEPT}.",
            f"Write {name} = {standard}, or leave it out.",
        )
    return value
