"""Backups and the way back: plans, restores, what is forgotten, and whether it could be restored.

Plans and restores are the engine's, retention and drills are the jobs' own. What was asked for is
noted in the model, for the checker to compare with what the log says in the end.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch
from uuid import UUID

import apsw

from jobs import rehearsal, retention
from jobs.backup_names import BackupName, name_of
from replica import (
    BackupKey,
    Diverged,
    ObjectInfo,
    ObjectStore,
    ReplicaError,
    RestoreOutdated,
    RestorePlan,
    SnapshotError,
)
from replica.backups import Source
from replica.envelope import entry_sha256
from replica.snapshot import pack, read_metadata, unpack
from tests.simulation.actor import Actor, Process, Surroundings
from tests.simulation.bucket import LOG, log_key
from tests.simulation.model import CATALOGUE, MIGRATIONS, Asked, tables_of
from tests.simulation.reader import Reader
from tests.simulation.replay import described
from tests.simulation.violations import Violation
from tracking.backup_catalogue import Backup

__all__ = ["RETENTION", "Planned", "Safekeeping"]

RETENTION = retention.Retention(keep_last=2, keep_daily=2, keep_weekly=1, keep_monthly=1)

_BACKUPS = "backups/"
# Clocks run differently here: which backups are of a later time is not what is looked at.
_MUCH_LATER = datetime(9000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan, by whom, and the entry that the log had reached for it."""

    name: str
    plan: RestorePlan
    tables: tuple[str, ...]
    entry_sha256: str


@dataclass
class Safekeeping:
    """What an actor does besides writing; ``plans`` are all that were made.

    ``spoils`` has backups rot or be forged just when they are needed; ``spoiled`` are those.
    """

    around: Surroundings
    spoils: bool
    plans: list[Planned] = field(default_factory=list)
    spoiled: set[str] = field(default_factory=set)

    def some_source(self, head: int) -> Source:
        """Somewhere to go back to, at or before a sequence."""
        random, bucket = self.around.random, self.around.bucket
        keys = [info.key for info in bucket.infos(_BACKUPS)]
        keys += [info.key for info in bucket.infos("snapshots/")][-1:]
        chance = random.random()
        if keys and chance < 0.45:
            key = random.choice(keys)
            if self.spoils and random.random() < 0.7:
                self._spoil(key)
            # The catalogue notes the hash when a backup is made.
            _, body = bucket.bodies[key][0]
            return BackupKey(key, str(described(body)["sha256"]))
        sequence = random.randint(1, head)
        stored = bucket.objects.get(log_key(sequence))
        if stored is not None and chance < 0.6:
            return stored.info.modified_at
        return sequence

    def plan(self, process: Process, source: Source) -> RestorePlan:
        """Ask what going back would do."""
        return self._plan(process, source, self._some_tables(process))

    def _plan(self, process: Process, source: Source, tables: tuple[str, ...]) -> RestorePlan:
        plan = process.replica.plan_restore(source, tables=tables)
        with process.replica.read() as connection:
            sql = "SELECT sequence, entry_sha256 FROM replica_position"
            sequence, sha256 = next(connection.execute(sql))
        if sequence == plan.as_of:
            self.plans.append(Planned(process.name, plan, tables, str(sha256)))
        return plan

    def restore(self, process: Process, source: Source) -> int | None:
        """Go back, whatever others do meanwhile; half of them as planned or not at all."""
        model, random = self.around.model, self.around.random
        name = str(UUID(int=random.getrandbits(128), version=4))
        tables = self._some_tables(process)
        planned = self._plan(process, source, tables) if random.random() < 0.5 else None
        model.restores[name] = Asked(source, tables, planned)
        self.around.counts["restores of some tables"] += tables != process.tables
        self.around.counts["restores of backups"] += isinstance(source, BackupKey)
        self.around.counts["restores to a time"] += isinstance(source, datetime)
        try:
            return process.replica.restore_to(
                source, tables=tables, planned=planned, transaction_id=name
            )
        except ReplicaError as error:
            self.around.counts["restores held to their plan"] += isinstance(error, RestoreOutdated)
            if not process.replica.may_come_about(name):
                model.given_up_restores.add(name)
            raise

    def _some_tables(self, process: Process) -> tuple[str, ...]:
        """What to restore: everything, all but the catalogue as the program does, or anything."""
        random, tables = self.around.random, process.tables
        chance = random.random()
        if chance < 0.5:
            return tables
        if chance < 0.75:
            return tuple(table for table in tables if table != CATALOGUE)
        return tuple(random.sample(tables, random.randrange(1, len(tables))))

    def back_up(self, actor: Actor, label: str) -> ObjectInfo:
        """Make a backup and put it into the catalogue."""
        assert actor.process is not None
        made = actor.process.replica.back_up(label)
        _, body = self.around.bucket.bodies[made.key][-1]
        actor.note_backup(made.key, str(described(body)["sha256"]))
        return made

    def tidy_up(self, actor: Actor) -> int:
        """Back up, forget and prune what retention does not keep, look whether the rest is there.

        How many were deleted.
        """
        assert actor.process is not None
        wire, counts = actor.process.wire, self.around.counts
        for _ in range(self.around.random.choice((1, 2, 3))):
            self.back_up(actor, "daily")
        verdict = retention.decide(
            [_as_backup(name) for info in wire.list(_BACKUPS) if (name := name_of(info.key))],
            RETENTION,
            log_id="",
            now=_MUCH_LATER,
        )
        for backup in verdict.forgotten:
            wire.delete(backup.key)
            counts["backups pruned"] += 1
        left = {info.key for info in wire.list(_BACKUPS)}
        missing = {kept.backup.key for kept in verdict.kept} - left
        # Others forget as well, with what was made since in view. What went here is no excuse.
        own = {backup.key for backup in verdict.forgotten}
        gone = {*self.around.bucket.deleted} - own
        if missing - gone and wire.asked_in_generation == self.around.bucket.generation:
            raise Violation("retention", f"{sorted(missing - gone)} was to be kept, and is gone")
        return len(verdict.forgotten)

    def drill(self, actor: Actor) -> None:
        """Restore the newest backup somewhere else, and compare it with the log."""
        around, bucket = self.around, self.around.bucket
        if not bucket.infos(LOG):
            return
        # What was set aside may hold what never was in the log.
        kept = [info.key for info in bucket.infos(_BACKUPS) if "-set-aside" not in info.key]
        if not kept:
            return
        *earlier, key = sorted(kept)
        before = earlier[-1] if earlier else ""
        if self.spoils and before and around.random.random() < 0.3:
            self._spoil(before)
        if self.spoils and around.random.random() < 0.4:
            self._spoil(key, noting=before)
        is_own = self._is_own(key)
        try:
            with self._temporary_place():
                found = self._rehearsed(actor, key, before)
        except (rehearsal.BackupDiffers, ReplicaError) as error:
            around.tell(f"{actor.name}: a drill with {key} fails: {error!r:.100}")
            if is_own and self._is_of_the_log(key):
                raise Violation("drills", f"{key} is sound: {error!r}") from error
            around.counts["drills that found a fault"] += 1
            return
        around.tell(f"{actor.name}: a drill with {key} from {found.played_from} on is good")
        around.counts["drills passed"] += 1
        actor.proven = found.copy
        if not is_own:
            raise Violation("drills", f"{key} was spoiled, and the drill found nothing")
        if not self._ends_in_the_log(bucket.objects[key].body):
            raise Violation("drills", f"{key} is not of the log, and the drill found nothing")

    def _rehearsed(self, actor: Actor, key: str, before: str) -> rehearsal.Rehearsal:
        """Rehearse as the program does: from a copy if there is one, and again without it."""
        counts, chance = self.around.counts, self.around.random.random()
        storage: Any = _Storage(Reader(self.around.bucket))
        start = None
        if actor.proven is not None and chance < 0.45:
            start = actor.proven
        elif before and chance < 0.85:
            start = rehearsal.earlier_copy(storage, before)
        try:
            found = rehearsal.rehearse(storage, key, start, _in_silence)
        except (rehearsal.BackupDiffers, Diverged) as error:
            if start is None:
                raise
            self.around.tell(f"{actor.name}: from {start.sequence} on it does not: {error!r:.100}")
            counts["drills begun again"] += 1
            return rehearsal.rehearse(storage, key, None, _in_silence)
        if start is not None and found.played_from > 1:
            counts["drills from a copy"] += 1
            counts["drills from an unproved copy"] += start.unproved is not None
        elif start is not None:
            counts["drills that passed a copy over"] += 1
        return found

    def _is_own(self, key: str) -> bool:
        """Whether a backup is what somebody stored."""
        bucket = self.around.bucket
        return any(bucket.objects[key].body == body for _, body in bucket.bodies[key])

    def _is_of_the_log(self, key: str) -> bool:
        """Whether the log is whole up to the entry that a sound backup ends with."""
        body, head = self.around.bucket.objects[key].body, self.around.bucket.head()
        return int(described(body)["sequence"]) <= head and self._ends_in_the_log(body)

    def _ends_in_the_log(self, body: bytes) -> bool:
        told = described(body)
        stored = self.around.bucket.objects.get(log_key(int(told["sequence"])))
        return stored is not None and entry_sha256(stored.body) == told["entry_sha256"]

    def _spoil(self, key: str, noting: str = "") -> None:
        """A backup rots, or is replaced by one that fits itself, and perhaps one before it."""
        random, bucket = self.around.random, self.around.bucket
        if key in self.spoiled or not key.startswith(_BACKUPS):
            return
        body = bucket.objects[key].body
        forges = random.random() < 0.8
        if forges:
            noted = ("", "")
            if noting in self.spoiled and random.random() < 0.5:
                noted = noting, _sha256_of(bucket.objects[noting].body)
            body = _forged(body, self.around.folder / "forged.db", noted)
        else:
            at = random.randrange(len(body))
            body = body[:at] + bytes([body[at] ^ 1 << random.randrange(8)]) + body[at + 1 :]
        bucket.objects[key] = replace(bucket.objects[key], body=body)
        self.spoiled.add(key)
        self.around.counts["spoiled backups"] += 1
        self.around.tell(f"{key} {'is forged' if forges else 'rots'}")

    @contextmanager
    def _temporary_place(self) -> Iterator[None]:
        """Where drills of this run take place, with the run's schema."""
        place = self.around.folder / "drills"
        place.mkdir(exist_ok=True)
        newest = len(MIGRATIONS)
        with (
            patch.object(tempfile, "tempdir", str(place)),
            patch.object(rehearsal, "MIGRATIONS", MIGRATIONS),
            patch.object(rehearsal, "REPLICATED_TABLES", tables_of(newest)),
        ):
            yield


@dataclass(frozen=True, slots=True)
class _Storage:
    """What a drill needs of the bucket's public face."""

    store: ObjectStore

    def list_backups(self) -> list[ObjectInfo]:
        return self.store.list(_BACKUPS)


def _as_backup(name: BackupName) -> Backup:
    """What retention looks at; all of it is in the key."""
    return Backup(
        key=name.key,
        kind=name.kind,
        made_at=name.made_at,
        sequence=0,
        log_id="",
        size_bytes=0,
        row_count=0,
        sha256="",
        compression="zstd",
        kept_by=name.kind.kept_by,
    )


def _in_silence(_share: float, _words: str) -> None:
    """Nobody watches a drill."""


def _sha256_of(body: bytes) -> str:
    """What a backup says of its content; "" if it says nothing any more."""
    try:
        return read_metadata(body, "a backup").sha256
    except SnapshotError:
        return ""


def _forged(body: bytes, path: Path, noted: tuple[str, str]) -> bytes:
    """The same backup with other rows, one in the catalogue, and all hashes in it made to fit."""
    metadata = read_metadata(body, "a backup")
    unpack(body, "a backup", path)
    with closing(apsw.Connection(str(path))) as connection:
        connection.execute("UPDATE ballast SET body = 'forged' WHERE name = 'ballast 7'")
        connection.execute("INSERT OR IGNORE INTO items (item_id) VALUES ('forged')")
        sql = f"UPDATE {CATALOGUE} SET sha256 = ? WHERE backup_key = ?"
        connection.execute(sql, (noted[1], noted[0]))
    forged = pack(
        path,
        log_id=metadata.log_id,
        sequence=metadata.sequence,
        entry_sha256=metadata.entry_sha256,
        schema_version=metadata.schema_version,
    )
    path.unlink()
    return forged
