"""Which backups the schedule keeps, and why: functions of values.

As restic's rules: the last few, and then the newest of each day, of each week and of each month,
for so many days, weeks and months that have a backup. Days, weeks (Monday to Sunday) and months
are UTC. A backup that any rule keeps is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from tracking.backup_catalogue import Backup, KeptBy

__all__ = ["BY_PERSON", "OF_ANOTHER_LOG", "TOO_NEW", "Kept", "Retention", "Verdict", "decide"]

BY_PERSON: Final = "until a person forgets it"
"""Why a backup is kept that no rule is asked about."""

OF_ANOTHER_LOG: Final = "of another history, until a person forgets it"
"""It may be the only copy of what an earlier log held; nor does it stand for a day of this one."""

TOO_NEW: Final = "dated in the future"
"""Made by a wrong clock: the rules wait until its time has come, and go by the others."""

# The store's clock is known to a second or two, and a machine may not have asked it yet.
_UNSURE: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Retention:
    """How many backups each rule keeps; 0 switches a rule off."""

    keep_last: int = 3
    keep_daily: int = 7
    keep_weekly: int = 4
    keep_monthly: int = 12


@dataclass(frozen=True, slots=True)
class Kept:
    """A backup that is kept, with a reason for each rule that keeps it."""

    backup: Backup
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the rules say, oldest first."""

    kept: tuple[Kept, ...]
    forgotten: tuple[Backup, ...]


@dataclass(frozen=True, slots=True)
class _Rule:
    """The newest backup of each of so many periods; `name_of` names a moment's period."""

    word: str
    count: int
    name_of: Callable[[datetime], str]


def decide(
    backups: Iterable[Backup], retention: Retention, *, log_id: str, now: datetime
) -> Verdict:
    """Which backups of the log `log_id` are kept and which are forgotten from `now` (UTC) on.

    What is forgotten already has no say and is in neither list. Whatever the numbers, the newest
    backup of the schedule is kept: rules that keep nothing are a slip of the pen.
    """
    ordered = sorted(
        (backup for backup in backups if not backup.is_forgotten),
        # Of one second the one that holds more is the newer.
        key=lambda backup: (backup.made_at, backup.sequence, backup.key),
    )
    exempt = {
        backup.key: reason
        for backup in ordered
        if (reason := _exemption(backup, log_id, now)) is not None
    }
    reasons = _reasons([one for one in ordered if one.key not in exempt], retention)
    kept: list[Kept] = []
    forgotten: list[Backup] = []
    for backup in ordered:
        if backup.key in exempt:
            kept.append(Kept(backup, (exempt[backup.key],)))
        elif backup.key in reasons:
            kept.append(Kept(backup, tuple(reasons[backup.key])))
        else:
            forgotten.append(backup)
    return Verdict(tuple(kept), tuple(forgotten))


def _exemption(backup: Backup, log_id: str, now: datetime) -> str | None:
    """Why the rules are not asked about a backup; None if they are."""
    if backup.kept_by is KeptBy.PERSON:
        return BY_PERSON
    if backup.log_id != log_id:
        return OF_ANOTHER_LOG
    return TOO_NEW if backup.made_at > now + _UNSURE else None


def _reasons(scheduled: Sequence[Backup], retention: Retention) -> dict[str, list[str]]:
    """Why each backup is kept, by key; `scheduled` is oldest first."""
    reasons: dict[str, list[str]] = {}
    newest_first = scheduled[::-1]
    last = max(retention.keep_last, 1)
    for place, backup in enumerate(newest_first[:last], start=1):
        words = "the newest" if place == 1 else f"{place} of the last {last}"
        reasons.setdefault(backup.key, []).append(words)
    for rule in _rules(retention):
        periods: set[str] = set()
        for backup in newest_first:
            period = rule.name_of(backup.made_at.astimezone(UTC))
            if period in periods:
                continue
            if len(periods) == rule.count:
                break
            periods.add(period)
            reasons.setdefault(backup.key, []).append(f"{rule.word} {period}")
    return reasons


def _rules(retention: Retention) -> tuple[_Rule, ...]:
    return (
        _Rule("daily", retention.keep_daily, lambda at: at.strftime("%Y-%m-%d")),
        _Rule("weekly", retention.keep_weekly, lambda at: at.strftime("%G-W%V")),
        _Rule("monthly", retention.keep_monthly, lambda at: at.strftime("%Y-%m")),
    )
