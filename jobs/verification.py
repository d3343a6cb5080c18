"""Everything that is saved, read from the store and checked; nothing there is changed."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from jobs.clock import system_clock
from jobs.entries_read import EntriesRead
from jobs.state import LATEST_KEY
from jobs.store_view import LOG, SNAPSHOTS, StoreView, entry_number, snapshot_number
from jobs.work_folders import temporary_folder
from prediction_tracking import MIGRATIONS, REPLICATED_TABLES
from replica import (
    Diverged,
    EntryRefused,
    Forked,
    MigrationMismatch,
    MomentUnknown,
    ObjectNotFound,
    ObjectStore,
    Replica,
    SnapshotError,
    write_as_of,
    write_newest,
)
from s3_storage import S3PredictionStorage

__all__ = ["Verification", "verify_saved"]

_DAMAGE = (Diverged, EntryRefused, Forked, MigrationMismatch, MomentUnknown, SnapshotError)
_LOG_SHARE = 0.7

Progress = Callable[[float, str], None]


@dataclass(frozen=True, slots=True)
class Verification:
    """What was found.

    Attributes:
        entries: the number of the last log entry, 0 where nothing is saved.
        sound_until: up to which entry every hash, and the chain of them, is right.
        snapshots: how many snapshots were checked.
        problems: what is damaged, one sentence each, with the remedy.
        notes: what could not be checked, and why; no damage.
    """

    entries: int
    sound_until: int
    snapshots: int
    problems: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def is_sound(self) -> bool:
        """Whether all is as it was written."""
        return not self.problems


def verify_saved(storage: S3PredictionStorage, progress: Progress) -> Verification:
    """Read the whole log and every snapshot into a temporary folder, and check them.

    The log is played from its first entry to its last without any snapshot. Each snapshot is
    checked by its hashes and against the log entry that it names, and the rest of the log is
    played from it: the rows must come out the same.

    Raises StoreError when the store does not answer, NewerSchema when this program is too old to
    read it, LocalError when the temporary folder fails.
    """
    with temporary_folder("verify in") as folder:
        return _Reading(storage.store, folder, progress).run()


class _Reading:
    """One verification, step by step."""

    def __init__(self, store: ObjectStore, folder: Path, progress: Progress) -> None:
        self._store = store
        self._folder = folder
        self._progress = progress
        self._problems: list[str] = []
        self._notes: list[str] = []
        # The newest copy first: whoever makes a snapshot writes it before the copy, and entries
        # before both, so nothing that comes meanwhile looks as if it were missing.
        self._latest = self._latest_sha256()
        self._snapshots = [
            info.key for info in store.list(SNAPSHOTS) if snapshot_number(info.key) is not None
        ]
        self._until = max(
            filter(None, (entry_number(one.key) for one in store.list(LOG))), default=0
        )

    def run(self) -> Verification:
        played = self._folder / "log.db"
        sound_until = self._play_log(played) if self._until else 0
        checked = 0
        for number, key in enumerate(self._snapshots):
            share = _LOG_SHARE + (1 - _LOG_SHARE) * number / len(self._snapshots)
            self._progress(share, f"Checking snapshot {number + 1} of {len(self._snapshots)}")
            checked += self._check_snapshot(key, sound_until, played)
        self._check_latest()
        self._progress(1.0, "Checked")
        return Verification(
            entries=self._until,
            sound_until=sound_until,
            snapshots=checked,
            problems=tuple(self._problems),
            notes=tuple(dict.fromkeys(self._notes)),
        )

    def _play_log(self, target: Path) -> int:
        """Play the log from its beginning; the number of the last entry that is sound."""
        read = EntriesRead()

        def on_read(number: int) -> None:
            done = read.note(number)
            words = f"Reading log entry {done:,} of {self._until:,}"
            self._progress(_LOG_SHARE * done / self._until, words)

        view = StoreView(self._store, until=self._until, on_read=on_read)
        try:
            write_newest(view, target, MIGRATIONS, REPLICATED_TABLES)
        except _DAMAGE as error:
            self._problems.append(str(error))
            damaged = entry_number(error.key)
            return damaged - 1 if damaged else 0
        return self._until

    def _check_snapshot(self, key: str, sound_until: int, played: Path) -> bool:
        """Check one snapshot as far as the log allows; False: it is gone.

        Others prune old snapshots meanwhile, which is no damage.
        """
        number = snapshot_number(key) or 0
        if number > self._until:
            self._problems.append(
                f"{key}: it goes up to #{number}, and the log ends at #{self._until}. Bring the "
                "missing log entries back with `python cli.py doctor --repair`."
            )
            return True
        try:
            body = self._store.get(key).body
        except ObjectNotFound:
            return False
        if hashlib.sha256(body).hexdigest() not in key:
            self._damaged(key, "its content is not what its name says")
        elif number > sound_until:
            self._notes.append(
                f"Snapshots beyond #{sound_until} were checked by their hashes only."
            )
        elif not self._starts_from(key, number):
            self._damaged(key, "it is damaged, or does not fit the log entry that it names")
        elif sound_until == self._until:
            self._compare(key, played)
        return True

    def _starts_from(self, key: str, number: int) -> bool:
        """Whether the content at an entry can be had from this snapshot alone."""
        # Without bases there is nothing else to start from, and the engine cannot go around it.
        view = StoreView(self._store, until=number, snapshots={key}, with_bases=False)
        target = self._folder / f"start-{number}.db"
        try:
            write_as_of(view, target, MIGRATIONS, REPLICATED_TABLES, number)
        except _DAMAGE:
            return False
        return True

    def _compare(self, key: str, played: Path) -> None:
        """Play the log on from a snapshot, and compare with the log played as a whole."""
        target = self._folder / f"from-{snapshot_number(key)}.db"
        view = StoreView(self._store, until=self._until, snapshots={key})
        write_newest(view, target, MIGRATIONS, REPLICATED_TABLES)
        tables = _differing_tables(target, played, view)
        if tables is None:
            self._notes.append(
                "Rows were not compared: the saved history has the schema of an earlier version. "
                "Start the app once, then verify again."
            )
        elif tables:
            self._damaged(key, f"the log goes on from it to other rows in {', '.join(tables)}")

    def _check_latest(self) -> None:
        if not self._snapshots:
            return
        if self._latest is None:
            self._damaged(LATEST_KEY, "it is missing")
        elif not any(self._latest in key for key in self._snapshots):
            self._damaged(LATEST_KEY, "it is none of the snapshots")

    def _damaged(self, key: str, problem: str) -> None:
        self._problems.append(
            f"{key}: {problem}. A start goes around it, and newer ones replace it in time."
        )

    def _latest_sha256(self) -> str | None:
        try:
            return hashlib.sha256(self._store.get(LATEST_KEY).body).hexdigest()
        except ObjectNotFound:
            return None


def _differing_tables(path: Path, other: Path, store: ObjectStore) -> list[str] | None:
    """Replicated tables whose rows differ between two files; None if they cannot be read here."""
    replica = Replica(
        path,
        store,
        MIGRATIONS,
        tables=REPLICATED_TABLES,
        clock=system_clock,
        random=random.Random(),
    )
    try:
        if not replica.has_database:
            return None
        with replica.read({"other": other}) as connection:
            return [table for table in REPLICATED_TABLES if _differs(connection.execute, table)]
    finally:
        replica.close(0.0)


def _differs(execute: Callable[[str], Iterable[object]], table: str) -> bool:
    one_way = f"SELECT * FROM main.{table} EXCEPT SELECT * FROM other.{table}"
    other_way = f"SELECT * FROM other.{table} EXCEPT SELECT * FROM main.{table}"
    return any(list(execute(f"{sql} LIMIT 1")) for sql in (one_way, other_way))
