"""What passes between a local file and the store: publishing, catching up, backing up.

Nothing here is held back by a lock of the local file while a request runs; the caller makes sure
that only one exchange runs at a time.
"""

import hashlib
import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

from replica.database import Migration, create_database, temporary_database, verify_database
from replica.errors import (
    AccessDenied,
    BucketMissing,
    ClockSkewed,
    Diverged,
    ForeignSnapshot,
    InvalidCredentials,
    LocalCorrupt,
    ObjectExists,
    ObjectNotFound,
    ReplicaError,
    RolledBack,
    SnapshotError,
    StoreError,
    WrongRegion,
)
from replica.history import DAMAGE, fetch, list_snapshots, newest_good, require_lineage
from replica.live import Base, LiveDatabase, Transaction, as_text, pending_ids
from replica.localfaults import local_faults
from replica.snapshot import BACKUPS, pack, snapshot_key, unpack, unpack_metadata
from replica.store import ObjectInfo, ObjectStore, PutMode

__all__ = ["REFUSALS", "Exchange", "PrepareFirst"]

PrepareFirst = Callable[[ObjectStore, Transaction], None]

# Answers that mean the request was not carried out, and that only a person can change.
REFUSALS = (AccessDenied, BucketMissing, ClockSkewed, InvalidCredentials, WrongRegion)

_LABEL = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_TAKE_OVER_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Claim:
    """The exact bytes for one number, kept until it is known whose they are."""

    sequence: int
    body: bytes
    lineage: str
    transaction_ids: frozenset[str]

    @property
    def key(self) -> str:
        return snapshot_key(self.sequence)


class Exchange:
    """The store's side of one replica. ``notes`` are sentences for its status."""

    def __init__(
        self,
        store: ObjectStore,
        migrations: Sequence[Migration],
        clock: Callable[[], datetime],
        randomness: Random,
        latest_key: str,
        prepare_first: PrepareFirst | None,
    ) -> None:
        self._store = store
        self._migrations = migrations
        self._clock = clock
        self._random = randomness
        self._latest_key = latest_key
        self._prepare_first = prepare_first
        self._writer_id = f"{randomness.getrandbits(64):016x}"
        self._claim: Claim | None = None
        self._latest: bytes | None = None
        self._place_known = False
        self.notes: dict[str, str] = {}
        self.snapshot_size_bytes: int | None = None

    @property
    def clock_offset_seconds(self) -> float | None:
        """The store's clock minus the local one at its last answer, if the store tells."""
        offset = getattr(self._store, "clock_offset_seconds", None)
        return None if offset is None else float(offset)

    @contextmanager
    def first_file(self, path: Path) -> Iterator[tuple[Path, bool]]:
        """A closed file to begin with, and whether it came from the store.

        If the store is empty it is a new database. What ``prepare_first`` puts into that is
        published before anyone sees it: of two that start at once, one finds the other's.
        """
        while True:
            listed = list_snapshots(self._store)
            if listed:
                with newest_good(self._store, listed, path, self._migrations) as restored:
                    self._note_damage(restored.damaged, restored.base.sequence)
                    self.snapshot_size_bytes = restored.size_bytes
                    self._place_known = True
                    yield restored.path, True
                return
            with temporary_database(path) as fresh:
                if self._make_first(fresh):
                    yield fresh, False
                    return

    def reconcile(self, live: LiveDatabase) -> bool:
        """Find the file's place in the store and take what is newer; True if it changed.

        Raises RolledBack, ForeignSnapshot or Diverged where the store's history is not the
        file's, NewerSchema where it is ahead of this program.
        """
        self._place_known = False
        base = live.base
        listed = list_snapshots(self._store)
        if base.sequence:
            self._require_base(base, listed)
        changed = live.pending > 0 and self._recognise(live, _after(live, listed))
        newer = _after(live, listed)
        if newer:
            self._take(live, newer)
            changed = True
        self._place_known = True
        return changed

    def synchronise(self, live: LiveDatabase) -> bool:
        """Publish what is pending, else take what is newer; True if anything moved."""
        try:
            moved = not self._place_known and self.reconcile(live)
            if live.pending:
                while live.pending:
                    self._publish(live)
                moved = True
            elif not moved:
                moved = self._catch_up(live)
        except ReplicaError:
            self._place_known = False
            raise
        self._put_latest()
        return moved

    def back_up(self, live: LiveDatabase, label: str) -> ObjectInfo:
        """Keep a copy of the file as it is, under the store's time and a label."""
        if not _LABEL.fullmatch(label):
            raise ValueError(f"a label is lower-case letters, digits and hyphens: {label!r}")
        return self._back_up(live, label)[0]

    def take_over(self, live: LiveDatabase) -> None:
        """Replace the file by the store's newest, after a copy of it went to the backups."""
        self._claim = None
        for _ in range(_TAKE_OVER_ATTEMPTS):
            listed = list_snapshots(self._store)
            if not listed:
                raise RolledBack("take over from", self._store.location, detail="it is empty")
            _, copied = self._back_up(live, "set-aside")
            with newest_good(self._store, listed, live.path, self._migrations) as restored:
                self._note_damage(restored.damaged, restored.base.sequence)
                # A change made since the copy is in no backup: copy again.
                if live.replace_content(restored.path, known=copied):
                    self._forget_latest()
                    self.snapshot_size_bytes = restored.size_bytes
                    return
        raise Diverged("take over from", self._store.location, "Try again when nobody is writing.")

    def _make_first(self, path: Path) -> bool:
        create_database(path, self._migrations)
        with closing(LiveDatabase(path, self._clock, self._random)) as live:
            if self._prepare_first is not None:
                with live.transaction() as transaction:
                    self._prepare_first(self._store, transaction)
            try:
                while live.pending:
                    self._publish(live)
            except Diverged:
                return False
            finally:
                self._claim = None
        return True

    def _publish(self, live: LiveDatabase) -> None:
        claim, base = self._claim, live.base
        if claim is None or claim.sequence != base.tip + 1:
            claim = self._claim = self._make_claim(live)
        unconfirmed: StoreError | None = None
        try:
            self._store.put(claim.key, claim.body, PutMode.CREATE)
        except REFUSALS:
            raise
        except StoreError as error:
            unconfirmed = error
        info = self._settle(claim, unconfirmed)
        if info is None:
            # Other bytes have the number: an earlier attempt of ours, or somebody else's.
            if not self.reconcile(live):
                raise unconfirmed or Diverged("publish", claim.key)
            return
        stored_at = max(base.stored_at, as_text(info.modified_at))
        sha256 = hashlib.sha256(claim.body).hexdigest()
        live.mark_stored(
            Base(claim.sequence, claim.sequence, sha256, claim.lineage, stored_at),
            claim.transaction_ids,
        )
        self._claim, self._latest = None, claim.body
        self.snapshot_size_bytes = len(claim.body)
        self.notes.pop("damage", None)

    def _settle(self, claim: Claim, unconfirmed: StoreError | None) -> ObjectInfo | None:
        """Whose the number is: what is stored under it if that is ours, None if other bytes.

        Asked after a confirmed claim too: the time of a change has to be the one that everybody
        sees who reads the object, and the answer to a put can name another second.
        """
        try:
            stored = self._store.get(claim.key)
        except ObjectNotFound as error:
            # It may still land: the same bytes are tried again.
            raise unconfirmed or error from None
        return stored.info if stored.body == claim.body else None

    def _make_claim(self, live: LiveDatabase) -> Claim:
        base = live.base
        sequence = base.tip + 1
        lineage = base.lineage or f"{self._random.getrandbits(128):032x}"
        body, copied = self._pack(live, sequence=sequence, lineage=lineage)
        return Claim(sequence, body, lineage, copied)

    def _pack(
        self, live: LiveDatabase, *, sequence: int, lineage: str
    ) -> tuple[bytes, frozenset[str]]:
        with temporary_database(live.path) as path:
            copied = live.copy_to(path)
            try:
                schema = verify_database(path, str(live.path))
            except SnapshotError as error:
                raise LocalCorrupt("copy", str(live.path), detail=error.detail) from error
            with local_faults("read", path):
                database = path.read_bytes()
        body = pack(
            database,
            lineage=lineage,
            sequence=sequence,
            parent_sha256=live.base.object_sha256,
            schema_version=schema,
            writer_id=self._writer_id,
        )
        return body, copied

    def _recognise(self, live: LiveDatabase, newer: Mapping[int, ObjectInfo]) -> bool:
        """Mark pending changes that turn out to be in the store: a claim whose answer was lost.

        They are recognised by the transactions, never by the writer. Raises Diverged at the
        first snapshot that is somebody else's.
        """
        changed = False
        for number, info in newer.items():
            if not live.pending:
                break
            base = live.base
            with live.read() as connection:
                ours = pending_ids(connection)
            with temporary_database(live.path) as path:
                try:
                    fetched = fetch(self._store, info, path, len(self._migrations))
                except DAMAGE as error:
                    # Its number stays taken; our changes go on with the next.
                    live.mark_stored(replace(base, tip=number), ())
                    self._note_damage((error,), base.sequence)
                    changed = True
                    continue
            require_lineage(fetched, base.lineage)
            follows = fetched.metadata.parent_sha256 == base.object_sha256
            if not (follows and fetched.pending and fetched.pending <= ours):
                raise Diverged("publish", info.key)
            live.mark_stored(fetched.base, fetched.pending)
            changed = True
        return changed

    def _take(self, live: LiveDatabase, newer: Mapping[int, ObjectInfo]) -> None:
        lineage = live.base.lineage
        with newest_good(self._store, newer, live.path, self._migrations, lineage) as restored:
            # What this file holds may be in no other place: a snapshot that was damaged or removed.
            if live.held_ids() - restored.held or not live.replace_content(restored.path):
                raise Diverged("restore", snapshot_key(restored.base.sequence))
            self._forget_latest()
            self._note_damage(restored.damaged, restored.base.sequence)
            self.snapshot_size_bytes = restored.size_bytes

    def _catch_up(self, live: LiveDatabase) -> bool:
        try:
            self._store.get(snapshot_key(live.base.tip + 1))
        except ObjectNotFound:
            return False
        return self.reconcile(live)

    def _require_base(self, base: Base, listed: Mapping[int, ObjectInfo]) -> None:
        """Check that the store still holds what the file is based on."""
        gone = RolledBack("find", snapshot_key(base.sequence), detail=self._store.location)
        if not listed:
            raise gone
        number = base.sequence if base.sequence in listed else max(listed)
        key = listed[number].key
        body = self._store.get(key).body
        if hashlib.sha256(body).hexdigest() == base.object_sha256:
            return
        try:
            lineage = unpack_metadata(body, key).lineage
        except DAMAGE:
            if number == base.sequence:
                return
            raise
        if lineage != base.lineage:
            raise ForeignSnapshot("find", key, detail=self._store.location)
        if number != base.sequence:
            raise gone
        try:
            unpack(body, key)
        except DAMAGE:
            # Ours by its description, but damaged: the local copy is the better one.
            return
        raise gone

    def _put_latest(self) -> None:
        """Keep the newest snapshot under a fixed name, for people; the engine never reads it."""
        if self._latest is None:
            return
        try:
            self._store.put(self._latest_key, self._latest, PutMode.OVERWRITE)
        except StoreError as error:
            # The change itself is safe; this is tried again with the next exchange.
            self.notes["latest"] = str(error)
        else:
            self._latest = None
            self.notes.pop("latest", None)

    def _forget_latest(self) -> None:
        """Whoever published what this file has just taken has put the newer copy."""
        self._latest = None
        self.notes.pop("latest", None)

    def _back_up(self, live: LiveDatabase, label: str) -> tuple[ObjectInfo, frozenset[str]]:
        base = live.base
        body, copied = self._pack(live, sequence=base.sequence, lineage=base.lineage)
        moment = self._clock() + timedelta(seconds=self.clock_offset_seconds or 0.0)
        stem = f"{BACKUPS}{moment:%Y-%m-%dT%H-%M-%SZ}-{label}"
        for count in itertools.count(1):
            key = f"{stem}.db.zst" if count == 1 else f"{stem}-{count}.db.zst"
            try:
                return self._store.put(key, body, PutMode.CREATE), copied
            except ObjectExists:
                continue
        raise AssertionError("unreachable")

    def _note_damage(self, damaged: Sequence[SnapshotError], used: int) -> None:
        if damaged:
            found = " ".join(str(error) for error in damaged)
            self.notes["damage"] = f"{found} Number {used} is used instead."


def _after(live: LiveDatabase, listed: Mapping[int, ObjectInfo]) -> dict[int, ObjectInfo]:
    return {number: info for number, info in listed.items() if number > live.base.tip}
