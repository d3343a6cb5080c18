"""What passes between a local file and the store: publishing, catching up, migrating, copying.

Nothing here is held back by a lock of the local file while a request runs; the caller makes sure
that only one exchange runs at a time.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from types import MappingProxyType

from replica.backups import put_backup
from replica.beginning import Beginning, PrepareFirst
from replica.content import Archive
from replica.database import Migration
from replica.envelope import Change, Entry, Kind, entry_sha256, unpack_entry
from replica.errors import (
    AccessDenied,
    BucketMissing,
    ClockSkewed,
    Contended,
    EntryRefused,
    ForeignLog,
    InvalidCredentials,
    LogNotEmpty,
    ObjectNotFound,
    PendingChanges,
    ReplicaError,
    RolledBack,
    StoreError,
    StoreUnreachable,
    WrongRegion,
)
from replica.live import LiveDatabase
from replica.log import Log, find_log, log_key, make_log
from replica.position import Fetched, Position, seconds_of
from replica.probe import ProbeResult, StoreMode
from replica.reading import LogReader, ReadAhead, require_dense
from replica.snapshots import (
    SnapshotRef,
    is_due,
    pack_content,
    pack_first_content,
    prune,
    put_snapshot,
    read_head,
)
from replica.store import ObjectInfo, ObjectStore

__all__ = ["BEFORE_MIGRATION", "REFUSALS", "Exchange", "ExchangeOptions"]

BEFORE_MIGRATION = "before-migration"
"""The label of the backup that is made before the log's schema changes."""

# Answers that mean the request was not carried out, and that only a person can change.
REFUSALS = (AccessDenied, BucketMissing, ClockSkewed, InvalidCredentials, WrongRegion)

_TAKE_OVER_ATTEMPTS = 5
_MOST_LOST_RACES = 100

# A store that is emptied or rolled back gives no sign: a claim would succeed above a hole. So the
# place is looked at again before anything is written, at the price of a LIST and one or two GETs
# a minute.
_PLACE_HOLDS = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class ExchangeOptions:
    """What an exchange needs besides a file: see ``Replica`` for the meaning of each."""

    store: ObjectStore
    migrations: Sequence[Migration]
    tables: Sequence[str]
    clock: Callable[[], datetime]
    randomness: Random
    latest_key: str
    prepare_first: PrepareFirst | None
    probe: Callable[[ObjectStore, Random], ProbeResult]
    workers: int
    backs_up_before_migrating: bool


@dataclass(frozen=True, slots=True)
class _Settled:
    """Whose a sequence is: our entry as it is stored, or None if other bytes are there.

    ``created`` if it was not there before.
    """

    ours: Fetched | None
    created: bool


class Exchange:
    """The store's side of one replica. ``notes`` are sentences for its status."""

    def __init__(self, options: ExchangeOptions) -> None:
        self._options = options
        self._store = options.store
        self.writer_id = f"{options.randomness.getrandbits(64):016x}"
        self._log: Log | None = None
        self._place_seen_at: datetime | None = None
        # The file's newest entry when the place was last looked at.
        self._place = Position()
        # The first entry of a log that was being begun, and the position that it was made at.
        self._begun: tuple[Position, bytes] | None = None
        self.snapshot: SnapshotRef | None = None
        self._damaged: set[str] = set()
        self._ahead: ReadAhead | None = None
        self.notes: dict[str, str] = {}

    @property
    def clock_offset_seconds(self) -> float | None:
        """The store's clock minus the local one at its last answer, if the store tells."""
        offset = getattr(self._store, "clock_offset_seconds", None)
        return None if offset is None else float(offset)

    @contextmanager
    def first_file(self, path: Path) -> Iterator[tuple[Path, bool]]:
        """A closed, verified file to begin with, and whether its content came from the store.

        A store without a log gets one: of several processes that start at once, one makes it and
        all begin with what it made.
        """
        log = find_log(self._store, self._options.clock)
        existed = log is not None
        if log is None:
            findings, damaged = self._beginning().begin(path)
            self._note_findings(findings)
            self._note_damage(damaged)
            log = find_log(self._store, self._options.clock)
            if log is None:
                raise StoreUnreachable("find", log_key(1), detail="the log that was just begun")
        if self._options.workers > 1:
            self._ahead = ReadAhead(log, self._options.workers)
        try:
            with self._archive(log).shortcut(path) as restored:
                self._note_damage(restored.damaged)
                self.snapshot = restored.snapshot
                yield restored.path, existed
        except BaseException:
            self._end_ahead()
            raise

    def find_place(self, live: LiveDatabase) -> bool:
        """Make sure that the log is the file's and take what is newer; True if it changed.

        Raises RolledBack or ForeignLog where the log is not the one the file is part of,
        EntryRefused, Diverged, NewerSchema or MigrationMismatch where it cannot be followed.
        """
        try:
            self._require_place(live.position, listing=False)
            if self.snapshot is None:
                self.snapshot = self._read_head(live)
            return self._catch_up(live, listing=True)
        finally:
            self._end_ahead()

    def _end_ahead(self) -> None:
        if self._ahead is not None:
            self._ahead.end()
            self._ahead = None

    def forget_place(self) -> None:
        """After an error: the store may not be the one that it was."""
        self._place_seen_at = None

    def synchronise(self, live: LiveDatabase) -> bool:
        """Publish what is pending, else take what is newer; True if anything moved."""
        publishing = live.pending > 0 or live.has_claim()
        if publishing or self._place_seen_at is None:
            self._require_fresh_place(live.position)
        moved = self._publish(live) if publishing else self._catch_up(live, listing=False)
        return self._migrate(live) or moved

    def make_snapshot(self, live: LiveDatabase, *, only_if_due: bool) -> SnapshotRef | None:
        """Store a snapshot of what is in the log, for quicker restores; None if none is due.

        Raises StoreError, LocalError.
        """
        if only_if_due and not self._is_due(live):
            return None
        if self.snapshot is None or self.snapshot.sequence < live.position.sequence:
            # Somebody else may have made one since.
            self.snapshot = self._read_head(live) or self.snapshot
            if only_if_due and not self._is_due(live):
                return None
        if self.snapshot is None or self.snapshot.sequence < live.position.sequence:
            self._require_fresh_place(live.position)
            body = pack_content(live.path, self._options.tables)
            self.snapshot = put_snapshot(self._store, body, self._options.latest_key)
            self._prune()
        return self.snapshot

    def back_up(self, live: LiveDatabase, label: str, *, pending: bool = False) -> ObjectInfo:
        """Keep a copy of the content under the store's time and a label.

        ``pending`` includes what is not in the log.
        """
        body = pack_content(live.path, self._options.tables, pending=pending)
        return put_backup(self._store, body, label, self.store_time())

    def take_over(self, live: LiveDatabase) -> None:
        """Replace the file by the store's newest, after a copy of it went to the backups."""
        log = find_log(self._store, self._options.clock)
        if log is None:
            raise RolledBack("take over from", self._store.location, detail="it is empty")
        for _ in range(_TAKE_OVER_ATTEMPTS):
            known = live.pending_ids()
            self.back_up(live, "set-aside", pending=True)
            with self._archive(log).shortcut(live.path, in_log=True) as restored:
                self._note_damage(restored.damaged)
                # A change made since the copy is in no backup: copy again.
                if live.replace_content(restored.path, known):
                    self._log, self.snapshot = log, restored.snapshot
                    self.find_place(live)
                    return
        remedy = "Try again when nobody is writing."
        raise PendingChanges("take over from", self._store.location, remedy)

    def start_new_log(self, live: LiveDatabase) -> None:
        """Begin a log with the file's content, in a store that has none.

        Called again after an unknown outcome it goes on with the log that it began. Raises
        LogNotEmpty if there is another one. What is pending stays pending, for the new log.
        """
        log = find_log(self._store, self._options.clock)
        if log is None:
            content = pack_first_content(live.path, self._options.tables)
            body, found = self._beginning().first_entry(content)
            self._begun = live.position, body
            self._beginning().claim(body, found.mode)
            self._note_findings(found.findings)
            log = find_log(self._store, self._options.clock)
        if log is None:
            raise StoreUnreachable("find", log_key(1), detail="the log that was just begun")
        genesis = self._archive(log).reader.genesis()
        if self._begun != (live.position, genesis.body):
            raise LogNotEmpty("begin a log in", self._store.location)
        position = genesis.position_after(str(genesis.entry.description["mode"]))
        live.stand_at(position, genesis.body)
        self._log, self.snapshot, self._begun = log, None, None

    @property
    def may_hold_lease(self) -> bool:
        """Whether ``release`` may have to ask the store."""
        return self._log is not None and self._log.mode is StoreMode.SINGLE_WRITER

    def release(self) -> None:
        """Let go of what tells other processes that this one is writing."""
        if self._log is not None:
            self._log.release()

    def publish_entry(self, live: LiveDatabase, entry: Entry) -> int | None:
        """Claim the next sequence for an entry that is not made from the outbox, and apply it.

        Its sequence; None if the race was lost: the file has caught up then, and whoever made
        the entry has to decide anew. Nothing may be pending in a claim.
        """
        # What fails before the request must leave no claim behind, for anybody to repeat.
        self._require_fresh_place(live.position)
        sequence, body = live.keep_claim(entry)
        # A refused one was not carried out, and must not be later, when nobody asks for it.
        settled = self._settle(live.position, sequence, body, live.drop_claim)
        if settled.ours is None:
            self._catch_up_to(live, sequence)
            return None
        self._take(live, settled.ours)
        return sequence

    def next_entry(
        self,
        live: LiveDatabase,
        kind: Kind,
        description: Mapping[str, object] = MappingProxyType({}),
        changes: tuple[Change, ...] = (),
    ) -> Entry:
        """An entry that follows the file's position."""
        position = live.position
        return Entry(
            kind=kind,
            log_id=position.log_id,
            sequence=position.sequence + 1,
            parent_sha256=position.entry_sha256,
            parent_stored_at_s=seconds_of(position.stored_at),
            writer_id=self.writer_id,
            schema_version=live.schema_version,
            description=description,
            changes=changes,
        )

    def archive(self, live: LiveDatabase) -> Archive:
        """The log that the file is part of, to restore from."""
        self._require_fresh_place(live.position)
        return self._archive(self._log_of(live.position))

    def _publish(self, live: LiveDatabase) -> bool:
        """Publish all that is pending; True if anything moved."""
        moved = False
        for _ in range(_MOST_LOST_RACES):
            claim = live.claim(self.writer_id)
            if claim is None:
                return moved
            moved = True
            settled = self._settle(live.position, *claim)
            if settled.ours is None:
                self._catch_up_to(live, claim[0])
                continue
            self._take(live, settled.ours)
            if not settled.created:
                # Only an entry that was just created is known to be the last.
                self._catch_up(live, listing=False)
        raise Contended("publish", self._store.location)

    def _settle(
        self,
        position: Position,
        sequence: int,
        body: bytes,
        on_refused: Callable[[], None] = lambda: None,
    ) -> _Settled:
        """Whose a sequence is.

        ``on_refused`` is called when the claim itself is refused. Where only the look at what is
        there is refused, the claim may have been carried out.

        A refusal or an error can follow upon our own success, when an answer was lost: what is
        there decides. Raises the error if nothing is there; the same bytes are tried again then.
        """
        log, key = self._current_log(), log_key(sequence)
        entry = unpack_entry(body, key)
        self._require_fresh_place(position)
        unconfirmed: StoreError
        try:
            info = log.claim(sequence, body, entry.writer_id)
            return _Settled(Fetched(entry, body, info.modified_at), created=True)
        except REFUSALS:
            on_refused()
            raise
        except StoreError as error:
            unconfirmed = error
        try:
            stored = log.fetch(sequence)
        except ObjectNotFound:
            raise unconfirmed from None
        if stored.body != body:
            return _Settled(None, created=False)
        # It may have landed long ago, and the store been rolled back since.
        self._require_place(position)
        return _Settled(Fetched(entry, body, stored.info.modified_at), created=False)

    def _catch_up_to(self, live: LiveDatabase, sequence: int) -> None:
        """Apply what came first at a sequence that was claimed."""
        self._catch_up(live, listing=False)
        if live.position.sequence < sequence:
            raise StoreUnreachable("read", log_key(sequence), detail="it was there a moment ago")

    def _catch_up(self, live: LiveDatabase, *, listing: bool) -> bool:
        moved = False
        reader = self._reader(self._log_of(live.position))
        for batch in reader.batches(live.position, live.path, listing=listing):
            live.advance(batch)
            moved = True
        return moved

    def _take(self, live: LiveDatabase, published: Fetched) -> None:
        with self._reader(self._current_log()).with_base(published, live.path) as item:
            live.advance([item])

    def _migrate(self, live: LiveDatabase) -> bool:
        """Bring the log's schema up to this program's; True if that was needed."""
        moved = backed_up = False
        for _ in range(_MOST_LOST_RACES):
            current = live.schema_version
            if current == len(self._options.migrations):
                return moved
            moved = True
            # What is pending was made for the schema as it is.
            self._publish(live)
            if self._options.backs_up_before_migrating and not backed_up:
                self.back_up(live, BEFORE_MIGRATION)
                backed_up = True
            migration = self._options.migrations[current]
            description: dict[str, object] = {
                "version": migration.version,
                "name": migration.name,
                "sql": migration.sql,
                "sha256": migration.sha256,
            }
            self.publish_entry(live, self.next_entry(live, Kind.MIGRATION, description))
        raise Contended("migrate", self._store.location)

    def _require_place(self, position: Position, *, listing: bool = True) -> None:
        """Check that the log is the one that the file is part of, and whole since the last look.

        The file's newest entry has to be there, with the same hash. It is also when what lies below
        it was lost before it was written: so the entry that was the newest at the last look is
        looked at too, and that none is missing since. ``listing`` is for who does not list next.
        """
        seen = self._place
        if seen.log_id != position.log_id or seen.sequence >= position.sequence:
            seen = position
        else:
            self._require_entry(seen)
            listing = True
        self._require_entry(position)
        if listing:
            require_dense(self._log_of(position).list_after(seen.sequence), seen.sequence)
        self._place, self._place_seen_at = position, self._options.clock()

    def _require_entry(self, position: Position) -> None:
        log = self._log_of(position)
        try:
            body = log.fetch(position.sequence).body
            if entry_sha256(body) != position.entry_sha256:
                # It may have been damaged on its way.
                body = log.fetch(position.sequence).body
        except ObjectNotFound:
            raise self._why_gone(log, position) from None
        if entry_sha256(body) != position.entry_sha256:
            key = log_key(position.sequence)
            raise self._not_ours(unpack_entry(body, key), position)

    def _require_fresh_place(self, position: Position) -> None:
        seen_at = self._place_seen_at
        if seen_at is None or abs(self._options.clock() - seen_at) >= _PLACE_HOLDS:
            self._require_place(position)

    def _why_gone(self, log: Log, position: Position) -> ReplicaError:
        key = log_key(position.sequence)
        if log.list_after(position.sequence):
            return EntryRefused("find", key, detail="it is missing, and later entries are there")
        found = find_log(self._store, self._options.clock)
        if found is None:
            return RolledBack("find", key, detail=f"{self._store.location} is empty")
        return self._not_ours(self._reader(found).genesis().entry, position)

    def _not_ours(self, there: Entry, position: Position) -> ReplicaError:
        kind = RolledBack if there.log_id == position.log_id else ForeignLog
        return kind("find", log_key(position.sequence), detail=self._store.location)

    def _is_due(self, live: LiveDatabase) -> bool:
        last = self.snapshot
        since = last.sequence if last else 0
        entries = live.position.sequence - since
        tail_bytes = live.tail_bytes(entries) if entries > 0 else 0
        return is_due(last, entries, tail_bytes, self.store_time())

    def _read_head(self, live: LiveDatabase) -> SnapshotRef | None:
        position = live.position
        found = read_head(self._store, position.log_id)
        if found is None or found.key in self._damaged:
            return None
        other = found.sequence == position.sequence and found.entry_sha256 != position.entry_sha256
        # It holds a history that the log has lost since.
        return None if other else found

    def _prune(self) -> None:
        try:
            prune(self._store)
        except StoreError as error:
            # The snapshot is made; old ones cost a little until the next one tries again.
            self.notes["prune"] = str(error)
        else:
            self.notes.pop("prune", None)

    def _beginning(self) -> Beginning:
        options = self._options
        return Beginning(
            store=options.store,
            migrations=options.migrations,
            tables=options.tables,
            prepare_first=options.prepare_first,
            probe=options.probe,
            clock=options.clock,
            randomness=options.randomness,
            writer_id=self.writer_id,
        )

    def _archive(self, log: Log) -> Archive:
        options = self._options
        return Archive(
            options.store,
            log,
            options.migrations,
            options.tables,
            workers=options.workers,
            ahead=self._ahead,
        )

    def _reader(self, log: Log) -> LogReader:
        options = self._options
        return LogReader(
            options.store,
            log,
            known_schema=len(options.migrations),
            workers=options.workers,
            ahead=self._ahead,
        )

    def _log_of(self, position: Position) -> Log:
        if self._log is None or self._log.mode != position.mode:
            self._log = make_log(self._store, StoreMode(position.mode), self._options.clock)
        return self._log

    def _current_log(self) -> Log:
        if self._log is None:
            raise AssertionError("a claim comes after finding the place in the log")
        return self._log

    def store_time(self) -> datetime:
        """UTC by the store's clock, as far as it is known."""
        return self._options.clock() + timedelta(seconds=self.clock_offset_seconds or 0.0)

    def _note_findings(self, findings: Sequence[str]) -> None:
        if findings:
            self.notes["probe"] = " ".join(findings)

    def _note_damage(self, damaged: Sequence[ReplicaError]) -> None:
        self._damaged.update(error.key for error in damaged)
        if damaged:
            found = " ".join(str(error) for error in damaged)
            self.notes["damage"] = f"{found} What came before it was used instead."
