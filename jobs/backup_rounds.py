"""The backup of the day: whether it is due, and one round of making, forgetting and deleting."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

from jobs.backup_names import name_of
from jobs.backup_reading import Found, find_backups, missing_from, read_backup
from jobs.backup_reports import BackupCheckFailed
from jobs.retention import Retention, decide
from jobs.state import State
from nba.seasons import slate_date_of
from replica import StoreError
from tracking.backup_catalogue import (
    Backup,
    BackupKind,
    backups,
    delete_backups,
    first_saved_at,
    followed_log,
    pending_transactions,
    transactions_after,
    write_backups,
)
from tracking.usage_catalogue import usage_transactions

__all__ = [
    "Round",
    "catalogue_of",
    "day_of",
    "delete_objects",
    "do_round",
    "is_due",
    "is_settled_by_another",
    "log_of",
    "write_catalogue",
]

# When the evening's games are over and most results are in: 06:00 Eastern time.
_DAY_TURNS: Final = timedelta(hours=6)

_NO_STATE: Final = (BackupKind.IMPORTED, BackupKind.SET_ASIDE)

# In one error; the rest is counted.
_MOST_PROBLEMS: Final = 5


@dataclass(frozen=True, slots=True)
class Round:
    """What a round has come to.

    Attributes:
        at: when it was done, in UTC by the store's clock.
        made: the backup of the day; None if what was stored today comes back damaged.
        trouble: makes the error that says what is wrong, a new one each time; None if nothing is.
    """

    at: datetime
    made: Backup | None
    trouble: Callable[[], Exception] | None


def day_of(moment: datetime) -> date:
    """The day of backups that a moment is in."""
    return slate_date_of(moment - _DAY_TURNS)


def catalogue_of(state: State) -> list[Backup]:
    """Every backup that is catalogued, oldest first."""
    with state.replica.read() as connection:
        return backups(connection)


def log_of(state: State) -> str:
    """The id of the log that the state follows."""
    with state.replica.read() as connection:
        return followed_log(connection)


def is_due(state: State, now: datetime) -> bool:
    """Whether it is time for the backup of the day; no request.

    Only backups of the log that is followed count, and none that is dated later than today.
    """
    today = day_of(now)
    with state.replica.read() as connection:
        log_id = followed_log(connection)
        own = [
            one
            for one in backups(connection)
            if one.log_id == log_id and one.kind not in _NO_STATE and day_of(one.made_at) <= today
        ]
        if not own:
            begun_at = first_saved_at(connection)
            return begun_at is not None and day_of(begun_at) < today
        newest = own[-1]
        if day_of(newest.made_at) == today:
            return False
        # What was used of the bucket is written down day and night, and is nothing to keep. Its
        # days may be dated by a clock that is a little behind.
        since = newest.made_at.date() - timedelta(days=1)
        later = transactions_after(connection, newest.sequence) | pending_transactions(connection)
        later -= usage_transactions(connection, since)
    # Each backup's own row is one of them; two machines may have made one at once.
    rows = sum(one.sequence >= newest.sequence for one in own)
    return len(later) > rows


def is_settled_by_another(state: State, last: Round) -> bool:
    """Whether another machine has done a round since, and looked at what was wrong here."""
    with state.replica.read() as connection:
        log_id = followed_log(connection)
        return any(
            one.kind is BackupKind.DAILY and one.log_id == log_id and one.made_at > last.at
            for one in backups(connection)
        )


def do_round(state: State, keep: Retention, now: Callable[[], datetime], *, folder: Path) -> Round:
    """Make the backup of the day, forget what the rules do not keep, delete what was forgotten.

    Only what was forgotten on an earlier day is deleted, and nothing of another log: of that it
    may be the last copy. All that changes in the catalogue is one transaction, but for backups
    that were left without a row. `now` is UTC by the store's clock; temporary files go into
    `folder`. Raises what making and reading a backup raise.
    """
    storage, known, log_id = state.storage, catalogue_of(state), log_of(state)
    # Before anything is stored: what cannot be read back would be stored again at every tick.
    found = find_backups(storage.store, folder, but={one.key for one in known})
    made = _left_today(found, log_id, day_of(now()))
    if made is None and _spoilt_today(found, day_of(now())):
        return Round(now(), None, partial(_check_failed, tuple(found.damaged.values())))
    # One by one, and before another is made: `is_due` takes each row for a change of its own.
    for left in found.backups:
        if left is not made:
            write_catalogue(state, written=[left])
    if made is None:
        info = state.replica.back_up(BackupKind.DAILY.value)
        made = read_backup(storage.store, info, folder)
    gone = [one.key for one in known if one.key not in found.listed]
    fresh = {one.key: one for one in (*found.backups, made)}
    catalogue = [*(one for one in known if one.key not in gone), *fresh.values()]
    at = now()
    # A machine that was away may bring the row of one back that others have let go and deleted.
    former = decide([*known, *fresh.values()], keep, log_id=log_id, now=at).forgotten
    let_go = {one.key for one in former}.intersection(gone)
    # What nobody forgot should be there as it was made.
    expected = [one for one in known if not one.is_forgotten and one.key not in let_go]
    problems = (*found.damaged.values(), *missing_from(found.listed.values(), expected).problems)
    verdict = decide(catalogue, keep, log_id=log_id, now=at)
    marked = {one.key: replace(one, forgotten_at=at) for one in verdict.forgotten}
    doomed = [
        one
        for one in catalogue
        if one.forgotten_at is not None
        and day_of(one.forgotten_at) < day_of(at)
        and one.log_id in ("", log_id)
    ]
    deleted, failure = delete_objects(state, doomed)
    write_catalogue(state, written=list((fresh | marked).values()), deleted=[*gone, *deleted])
    if deleted:
        kept = [one for one in catalogue if one.key not in deleted]
        problems += missing_from(storage.list_backups(), kept).problems
    if failure is not None:
        # Without the way it came: each time it is told it gets another.
        return Round(at, made, partial(copy.copy, copy.copy(failure)))
    told = tuple(dict.fromkeys(problems))
    return Round(at, made, partial(_check_failed, told) if told else None)


def delete_objects(state: State, doomed: Iterable[Backup]) -> tuple[list[str], StoreError | None]:
    """Delete backups until one cannot be; the keys of those that are gone, and what failed."""
    deleted: list[str] = []
    for one in doomed:
        if name_of(one.key) is None:
            # Whatever the catalogue says: nothing but a backup is ever deleted.
            continue
        try:
            state.storage.store.delete(one.key)
        except StoreError as error:
            return deleted, error
        deleted.append(one.key)
    return deleted, None


def write_catalogue(
    state: State, *, written: Sequence[Backup] = (), deleted: Collection[str] = ()
) -> None:
    """Change the catalogue in one transaction, if there is anything to change."""
    if not written and not deleted:
        return
    with state.replica.transaction() as transaction:
        write_backups(transaction, written)
        delete_backups(transaction, deleted)


def _left_today(found: Found, log_id: str, today: date) -> Backup | None:
    """The newest daily backup of today that nobody catalogued: its machine came no further."""
    left = [
        one
        for one in found.backups
        if one.kind is BackupKind.DAILY and one.log_id == log_id and day_of(one.made_at) == today
    ]
    return max(left, key=lambda one: (one.sequence, one.key), default=None)


def _spoilt_today(found: Found, today: date) -> bool:
    """Whether a daily backup of today is there that cannot be read: another would be no better."""
    names = [name for key in found.damaged if (name := name_of(key)) is not None]
    return any(one.kind is BackupKind.DAILY and day_of(one.made_at) == today for one in names)


def _check_failed(problems: Sequence[str]) -> BackupCheckFailed:
    shown = [*problems[:_MOST_PROBLEMS]]
    if len(problems) > len(shown):
        shown.append(f"And {len(problems) - len(shown)} more.")
    return BackupCheckFailed(
        "check the backups",
        "backups/",
        " ".join(shown),
        "`python cli.py backups --rebuild` looks at each; `forget` with its key and `prune` take a "
        "damaged one away. The history itself is in the log, which no backup is needed for.",
    )
