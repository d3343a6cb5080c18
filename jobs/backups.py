"""Backups: made, listed, forgotten, pruned, and found again from the bucket alone.

The log is never pruned, and any moment can be restored from it. A backup is the second copy: whole,
read back after it was stored, of use without the log. To forget one is to mark it; only a prune
deletes objects, and never any but backups.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from jobs.authority import Actor, require_owner
from jobs.backup_names import name_of
from jobs.backup_reading import (
    Progress,
    find_backups,
    missing_from,
    read_backup,
    write_plain_file,
)
from jobs.backup_reports import (
    BackupCheckFailed,
    Forgetting,
    Listed,
    Pruning,
    Rebuilding,
    UnknownBackup,
)
from jobs.backup_rounds import (
    Round,
    catalogue_of,
    day_of,
    delete_objects,
    do_round,
    is_due,
    is_settled_by_another,
    log_of,
    write_catalogue,
)
from jobs.clock import Clock
from jobs.configuration import Settings
from jobs.errors import NotBackedUp
from jobs.retention import Verdict, decide
from jobs.state import State
from replica import ObjectInfo, ObjectNotFound, ReplicaError, SnapshotError
from tracking.backup_catalogue import Backup, BackupKind

__all__ = [
    "Backup",
    "BackupCheckFailed",
    "BackupKind",
    "Backups",
    "Forgetting",
    "Listed",
    "Pruning",
    "Rebuilding",
    "UnknownBackup",
]


class Backups:
    """The backups of one open state. Any thread may use it; what writes does so one at a time.

    `state` gives the open state for an operation in words, or raises NotReady. Every method may
    raise that and a ReplicaError; those with an `actor` NotPermitted too.
    """

    def __init__(self, settings: Settings, clock: Clock, state: Callable[[str], State]) -> None:
        self._settings = settings
        self._clock = clock
        self._state = state
        self._working = threading.Lock()
        self._last: Round | None = None

    # What the owner does ------------------------------------------------------------------------

    def make(self, actor: Actor) -> Backup:
        """Publish what is pending, keep a copy, read it back, and put it into the catalogue.

        Raises SnapshotError if what came back is not what was stored.
        """
        self._require_owner(actor, "back up")
        return self._make(BackupKind.MANUAL)

    def make_before(self, kind: BackupKind) -> Backup:
        """As `make`, for another job that has asked who is acting and is about to risk something.

        What fails here keeps that job from beginning.
        """
        return self._make(kind)

    def make_before_import(self, source: str) -> None:
        """As `make_before`; a failure is told as that of importing `source`. Raises NotBackedUp."""
        try:
            self.make_before(BackupKind.BEFORE_IMPORT)
        except ReplicaError as error:
            # What it says of trying again is true of what waits, and not of an import.
            raise NotBackedUp(
                "import results",
                source,
                f"The backup that comes before it could not be made: {error.summary}.",
                "Nothing was imported. Sync says what is wrong; import it again after that.",
            ) from error

    def listed(self, actor: Actor) -> tuple[Listed, ...]:
        """The catalogue, newest first; no request."""
        self._require_owner(actor, "list the backups")
        state = self._state("list the backups")
        catalogue = catalogue_of(state)
        verdict = self._decide(state, catalogue)
        reasons = {kept.backup.key: kept.reasons for kept in verdict.kept}
        return tuple(Listed(one, reasons.get(one.key, ())) for one in reversed(catalogue))

    def forget(
        self, actor: Actor, keys: Collection[str] = (), *, dry_run: bool = False
    ) -> Forgetting:
        """Mark what the rules do not keep, or just the named ones; a prune will delete them.

        Rules forget only what the schedule keeps; what a person keeps has to be named, and so has
        a damaged object that never came into the catalogue. `dry_run` only says what would be
        marked. Raises UnknownBackup.
        """
        self._require_owner(actor, "forget backups")
        state = self._state("forget backups")
        with self._working:
            catalogue = catalogue_of(state)
            catalogue += _strangers(state, set(keys) - {one.key for one in catalogue})
            now = self._now(state)
            named = {one.key for one in _named(catalogue, keys)}
            verdict = self._decide(state, [one for one in catalogue if one.key not in named])
            # Whoever names some means these, and not what the rules say besides.
            chosen = named or {one.key for one in verdict.forgotten}
            forgotten = [one for one in catalogue if one.key in chosen and not one.is_forgotten]
            if not dry_run:
                marked = [replace(one, forgotten_at=now) for one in forgotten]
                write_catalogue(state, written=marked)
        return Forgetting(verdict.kept, tuple(forgotten))

    def prune(self, actor: Actor) -> Pruning:
        """Delete every forgotten backup, and check that all the others are there.

        First the newest that is kept is read whole: if that one is not sound nothing is deleted.
        Raises AccessDenied if the key in use may not delete: nothing is gone from the catalogue
        then that is still in the bucket.
        """
        self._require_owner(actor, "delete forgotten backups")
        state = self._state("delete forgotten backups")
        with self._working:
            # Others have to know that it is forgotten, or they would say that it vanished.
            state.replica.sync_now()
            catalogue = catalogue_of(state)
            doomed = [one for one in catalogue if one.is_forgotten]
            kept = [one for one in catalogue if not one.is_forgotten]
            problems = self._wrong_with_newest(state, kept)
            if problems and doomed:
                stopped = "So nothing was deleted: bring that one back, or forget it as well."
                return Pruning((), 0, (*problems, stopped))
            deleted, failure = delete_objects(state, doomed)
            write_catalogue(state, deleted=deleted)
            if failure is not None:
                raise failure
            problems += missing_from(state.storage.list_backups(), kept).problems
            if not problems:
                self._last = None
        freed = sum(one.size_bytes for one in doomed if one.key in deleted)
        return Pruning(tuple(deleted), freed, tuple(dict.fromkeys(problems)))

    def rebuild(self, actor: Actor, progress: Progress = lambda share, words: None) -> Rebuilding:
        """Make the catalogue anew from the objects below `backups/` alone; each is read.

        That something is forgotten stays as the catalogue has it, if it has. Where the content is
        not the one that was noted the note stays: it was made when the backup was.
        """
        self._require_owner(actor, "rebuild the catalogue")
        state = self._state("rebuild the catalogue")
        with self._working:
            state.replica.sync_now()
            # In this order: whoever makes a backup stores it before it is in the catalogue, so
            # what the catalogue has by now and the listing has not is gone.
            known = {one.key: one for one in catalogue_of(state)}
            found = find_backups(
                state.storage.store, self._settings.state_folder, progress=progress
            )
            altered = {
                one.key: f"{one.key}: its content is not the one that was noted. Put an older "
                "version of the object back, or forget it; do not restore from it."
                for one in found.backups
                if one.key in known and _has_another_content(one, known[one.key])
            }
            fresh = {
                one.key: replace(one, forgotten_at=known[one.key].forgotten_at)
                if one.key in known
                else one
                for one in found.backups
                if one.key not in altered
            }
            damaged = found.damaged | altered
            added = [one for key, one in fresh.items() if key not in known]
            changed = [one for key, one in fresh.items() if key in known and known[key] != one]
            removed = [
                # Some may have gone between the listing and the reading.
                key
                for key in known
                if key not in found.listed or (key not in fresh and key not in damaged)
            ]
            write_catalogue(state, written=[*added, *changed], deleted=removed)
            if not damaged:
                self._last = None
            total = len(known) + len(added) - len(removed)
        return Rebuilding(
            backups=total,
            added=tuple(one.key for one in added),
            removed=tuple(removed),
            changed=tuple(one.key for one in changed),
            damaged=tuple(damaged.values()),
            unknown=found.unknown,
        )

    def download(self, actor: Actor, key: str, to: Path) -> None:
        """Write a backup as a plain SQLite file, with the schema that it has.

        Raises UnknownBackup, and SnapshotError for one that is damaged or not the one noted.
        """
        self._require_owner(actor, "download a backup")
        state = self._state("download a backup")
        [backup] = _named(catalogue_of(state), [key])
        write_plain_file(state.storage.store, key, to, sha256=backup.sha256)

    # What happens by itself ---------------------------------------------------------------------

    def is_due(self) -> bool:
        """Whether it is time for the backup of the day; no request.

        A day turns when the evening's games are over. The first one is made the day after the
        first write, and none while only the catalogue has changed since the last.
        """
        if not self._settings.backups.daily:
            return False
        state = self._state("back up")
        return is_due(state, self._now(state))

    def keep_daily(self) -> Backup | None:
        """If it is due, make the backup of the day, forget what the rules do not keep, and prune.

        One that was stored today and not catalogued is taken for the day's. Only what was forgotten
        on an earlier day is deleted. All that changes in the catalogue is one transaction, but for
        backups that were left without a row. None if it is not due. Raises what `make` raises; what
        is wrong besides is raised by each call until a round, here or on another machine, a prune
        or a rebuild finds it mended, with the backup made.
        """
        state, made = self._state("back up"), None
        if self._may_begin():
            with self._working:
                # Another machine may have made it since the last look.
                state.replica.sync_now()
                if self._may_begin():
                    self._last = self._round(state)
                    made = self._last.made
        last = self._last
        if last is not None and last.trouble is not None:
            if not is_settled_by_another(state, last):
                raise last.trouble()
            self._last = None
        return made

    def _may_begin(self) -> bool:
        """Whether a round is due, and none of today was in vain."""
        if not self.is_due():
            return False
        last = self._last
        if last is None or last.made is not None:
            return True
        return day_of(last.at) != day_of(self._now(self._state("back up")))

    def _round(self, state: State) -> Round:
        return do_round(
            state,
            self._settings.backups.keep,
            lambda: self._now(state),
            folder=self._settings.state_folder,
        )

    def _make(self, kind: BackupKind) -> Backup:
        state = self._state("back up")
        with self._working:
            info = state.replica.back_up(kind.value)
            made = read_backup(state.storage.store, info, self._settings.state_folder)
            write_catalogue(state, written=[made])
            # Should that fail, the replica tells, and sends the catalogue's row later.
            with contextlib.suppress(ReplicaError):
                state.replica.sync_now()
        return made

    def _wrong_with_newest(self, state: State, kept: Sequence[Backup]) -> tuple[str, ...]:
        """What is wrong with the newest of the backups, of this log's if there are any."""
        log_id = log_of(state)
        named = [one for one in kept if name_of(one.key) is not None]
        own = [one for one in named if one.log_id == log_id]
        for newest in (own or named)[-1:]:
            info = ObjectInfo(newest.key, newest.size_bytes, newest.made_at)
            try:
                read = read_backup(state.storage.store, info, self._settings.state_folder)
            except ObjectNotFound:
                return missing_from((), [newest]).problems
            except SnapshotError as error:
                return (str(error),)
            if replace(read, forgotten_at=newest.forgotten_at) != newest:
                return (f"{newest.key}: its content is not what the catalogue says.",)
        return ()

    def _decide(self, state: State, catalogue: Iterable[Backup]) -> Verdict:
        keep, log_id = self._settings.backups.keep, log_of(state)
        return decide(catalogue, keep, log_id=log_id, now=self._now(state))

    def _now(self, state: State) -> datetime:
        """The store's time, by which backups are named: a wrong clock would make one each tick."""
        offset_seconds = state.replica.status().clock_offset_seconds or 0.0
        return self._clock() + timedelta(seconds=offset_seconds)

    def _require_owner(self, actor: Actor, action: str) -> None:
        require_owner(actor, action, self._settings.owner)


def _has_another_content(found: Backup, noted: Backup) -> bool:
    if noted.sha256 == "":
        return False
    return (found.sha256, found.size_bytes) != (noted.sha256, noted.size_bytes)


def _strangers(state: State, keys: Collection[str]) -> list[Backup]:
    """Backups that the bucket has and the catalogue has not, by name alone; they may be damaged."""
    names = {key: name for key in keys if (name := name_of(key)) is not None}
    if not names:
        return []
    return [
        Backup(
            key=info.key,
            kind=name.kind,
            made_at=name.made_at,
            sequence=0,
            log_id="",
            size_bytes=info.size_bytes,
            row_count=0,
            sha256="",
            compression="zstd" if name.is_snapshot else "none",
            kept_by=name.kind.kept_by,
        )
        for info in state.storage.list_backups()
        if (name := names.get(info.key)) is not None
    ]


def _named(catalogue: Iterable[Backup], keys: Collection[str]) -> list[Backup]:
    by_key = {one.key: one for one in catalogue}
    for key in keys:
        if key not in by_key:
            raise UnknownBackup(
                "find a backup",
                key,
                "The catalogue has none with this key.",
                "Choose one that `python cli.py backups` lists; `--rebuild` looks for others.",
            )
    return [by_key[key] for key in dict.fromkeys(keys)]
