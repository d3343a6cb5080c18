"""A SQLite database whose durable home is an object store."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from random import Random
from typing import TypeVar

import apsw

from replica.backups import BackupKey, Earlier, Source, content_of, put_backup, require_label
from replica.beginning import PrepareFirst
from replica.content import Archive, require_zone
from replica.database import Migration, install, remove_leftovers
from replica.errors import (
    DurabilityTimeout,
    ForeignBackup,
    LocalCorrupt,
    LogNotEmpty,
    MomentUnknown,
    NewerSchema,
    NotRestored,
    ObjectNotFound,
    PendingChanges,
    ReplicaClosed,
    ReplicaError,
    RestoreOutdated,
    SnapshotError,
    TransactionSetAside,
    WritesStopped,
)
from replica.exchange import REFUSALS, Exchange, ExchangeOptions
from replica.live import LiveDatabase, LiveFacts
from replica.log import find_log, make_log
from replica.mending import repair_log
from replica.opening import open_database, require_fit_tables, set_aside_unusable
from replica.ownership import FileOwnership
from replica.probe import ProbeResult, StoreMode, probe_store
from replica.publisher import Publisher
from replica.repair import Repair
from replica.restore_plan import RestorePlan, plan_restore, require_current
from replica.rewind import may_come_about, restore_to
from replica.snapshots import SnapshotRef, pack_content
from replica.status import HALTED, Status, derive_state
from replica.store import ObjectInfo, ObjectStore
from replica.transaction import Transaction

__all__ = ["Replica"]

Result = TypeVar("Result")

# What a call cannot do, and no fact about the replica.
_ANSWERS = (ForeignBackup, LogNotEmpty, MomentUnknown, PendingChanges, RestoreOutdated)
_FAULTS_OF_A_BACKUP = (SnapshotError, NewerSchema, ObjectNotFound)


class Replica:
    """One process's SQLite file and its place in the log that a store holds.

    Opening does local work only: it takes the file (FileOwned if another process has it) and
    verifies what is there (a damaged file is set aside, never deleted). ``restore()`` then makes
    it the newest. All methods may be called from any thread.

    ``tables`` are the replicated ones; others stay on this machine. ``clock`` returns aware UTC
    times. ``random`` makes ids: seed it only in tests, two replicas with equal ids would take each
    other's changes for their own. ``prepare_first`` fills a new database when the store is empty;
    of several processes that start at once, the content of one becomes everybody's. ``probe``
    finds out, before a log begins, whether the store's conditional writes can be trusted.
    ``latest_key`` names the newest snapshot for people and other programs. ``fetch_workers`` GETs
    run side by side at a start; 1 uses no threads. ``backs_up_before_migrating`` keeps a backup of
    the content before a migration of this program enters the log.

    Raises FileOwned, ReadOnlyDisk, DiskFull, UnfitTables, or NewerSchema if the local file is
    ahead.
    """

    def __init__(
        self,
        path: Path,
        store: ObjectStore,
        migrations: Sequence[Migration],
        *,
        tables: Sequence[str],
        clock: Callable[[], datetime],
        random: Random,
        prepare_first: PrepareFirst | None = None,
        latest_key: str = "latest.db.zst",
        probe: Callable[[ObjectStore, Random], ProbeResult] = probe_store,
        fetch_workers: int = 32,
        backs_up_before_migrating: bool = False,
        backoff_base_seconds: float = 1.0,
        backoff_cap_seconds: float = 300.0,
    ) -> None:
        if [migration.version for migration in migrations] != list(range(1, len(migrations) + 1)):
            raise ValueError("migrations are numbered 1, 2, 3 …")
        self._path = path.absolute()
        self._store = store
        self._migrations = tuple(migrations)
        self._tables = tuple(tables)
        self._clock = clock
        self._random = random
        options = ExchangeOptions(
            store=store,
            migrations=self._migrations,
            tables=self._tables,
            clock=clock,
            randomness=random,
            latest_key=latest_key,
            prepare_first=prepare_first,
            probe=probe,
            workers=fetch_workers,
            backs_up_before_migrating=backs_up_before_migrating,
        )
        self._exchange = Exchange(options)
        self._publisher = Publisher(
            self.sync_now,
            self._failed,
            random,
            base_seconds=backoff_base_seconds,
            cap_seconds=backoff_cap_seconds,
        )
        # One exchange at a time; held across requests, so nothing that a screen needs takes it.
        self._exchange_lock = threading.RLock()
        # Guards the fields below and announces progress; held for moments only.
        self._progress = threading.Condition()
        self._restore_tried = False
        self._refused: ReplicaError | None = None
        self._last_error: ReplicaError | None = None
        self._last_success_at: datetime | None = None
        self._attempts = 0
        self._closing = False
        self._closed = False
        require_fit_tables(self._path, self._migrations, self._tables)
        self._ownership = FileOwnership(self._path)
        try:
            remove_leftovers(self._path)
            self._local_note = set_aside_unusable(self._path, clock())
            self._live = self._open_local() if self._path.exists() else None
        except BaseException:
            self._ownership.release()
            raise

    @property
    def path(self) -> Path:
        return self._path

    @property
    def has_database(self) -> bool:
        """True if there is a local database of this program's schema to read."""
        live = self._live
        return live is not None and live.schema_version == len(self._migrations)

    def restore(self) -> bool:
        """Make the local database the newest there is; True if that brought anything.

        A file that is there follows the log. Without one the newest good snapshot, verified, and
        the entries after it make one; a store without a log gets a log and a new database.

        Raises StoreError, SnapshotError, LocalError; ForeignLog, RolledBack, EntryRefused, Diverged
        where the log cannot be followed: the local file is kept as it is.
        """
        return self._exchanging(self._restore)

    def start_publisher(self) -> None:
        """Start publishing in the background; harmless when repeated."""
        self._require_open("publish")
        self._publisher.start()
        if self._live is None or self._live.pending:
            self._publisher.wake()

    def request_sync(self) -> None:
        """Ask the publisher for an exchange with the store; returns at once."""
        self._require_open("publish")
        self._publisher.wake()

    def sync_now(self) -> bool:
        """Publish what is pending, else take what is newer; True if anything moved.

        Runs in this thread and waits for an exchange that is under way. Raises as ``restore()``.
        """
        return self._exchanging(self._synchronise)

    def tick(self) -> bool:
        """What is due from time to time: ``sync_now``, and a snapshot if the log has grown enough.

        A tick without news costs one request.
        """

        def copy() -> bool:
            made = self._exchange.make_snapshot(self._require_live("copy"), only_if_due=True)
            return made is not None

        # Two exchanges: where no snapshot may be stored, the log can still be read and written.
        moved = self._exchanging(self._synchronise)
        return self._exchanging(copy) or moved

    def snapshot(self) -> SnapshotRef:
        """Publish what is pending, and have a snapshot in the store of all that is in the log."""

        def step() -> SnapshotRef:
            self._synchronise()
            made = self._exchange.make_snapshot(self._require_live("copy"), only_if_due=False)
            if made is None:
                raise AssertionError("a snapshot that is asked for is always due")
            return made

        return self._exchanging(step)

    def plan_restore(self, source: Source, *, tables: Sequence[str] | None = None) -> RestorePlan:
        """What ``restore_to`` would do now; publishes what is pending, and changes nothing.

        Raises as ``restore_to``.
        """
        chosen = self._chosen(tables)
        with self._earlier(source) as (earlier, archive), self._noting():
            return plan_restore(earlier, self._require_live("restore"), archive, chosen)

    def require_current(self, planned: RestorePlan, *, tables: Sequence[str] | None = None) -> None:
        """Raise RestoreOutdated if somebody has written since a plan what it would undo unseen.

        Publishes what is pending, and changes nothing. ``tables`` are those of the plan.
        """
        chosen = self._chosen(tables)

        def step() -> None:
            self._synchronise()
            live = self._require_live("restore")
            require_current(planned, live, self._exchange.archive(live), chosen)

        self._exchanging(step)

    def may_come_about(self, transaction_id: str) -> bool:
        """Whether a restore is in the log, or may yet be: its claim has had no answer."""
        return may_come_about(self._require_live("restore"), transaction_id)

    def restore_to(
        self,
        source: Source,
        *,
        tables: Sequence[str] | None = None,
        planned: RestorePlan | None = None,
        transaction_id: str = "",
    ) -> int | None:
        """Give replicated tables the content of a sequence, a time or a backup.

        Without ``tables`` all of them. A backup of an earlier schema is migrated first, in a file
        of its own. History stays: this is a new entry, whose sequence is returned (None if nothing
        differs), and another one can take it back.

        With ``planned`` it does what that plan says, or nothing: it raises RestoreOutdated before
        anything is claimed if an entry has touched ``tables`` since. Who names the change by a
        ``transaction_id``, a UUID of its own for each restore, can look for it afterwards, whatever
        became of the answer.

        Raises MomentUnknown; for a backup ObjectNotFound, ForeignBackup, NewerSchema and the other
        SnapshotErrors, none of which stops this replica; ValueError for a time without a zone or
        other tables; and what ``sync_now`` raises.
        """
        chosen = self._chosen(tables)
        with self._earlier(source) as (earlier, archive):
            return self._exchanging(
                lambda: restore_to(
                    self._exchange,
                    self._require_live("restore"),
                    earlier,
                    archive=archive,
                    store=self._store,
                    tables=chosen,
                    randomness=self._random,
                    planned=planned,
                    transaction_id=transaction_id,
                )
            )

    def repair(self, kept: Mapping[int, bytes] | None = None) -> tuple[Repair, ...]:
        """Put damaged or missing log entries back; what was done, one a mended entry.

        The original bytes come from this file, from ``kept`` (those of another replica, by
        sequence) or from an older version of the object. Nothing is ever skipped: raises
        EntryRefused for an entry whose original bytes are nowhere.
        """
        self._require_open("repair")
        mode = self._live.position.mode if self._live else ""
        if mode:
            log = make_log(self._store, StoreMode(mode), self._clock)
        else:
            found = find_log(self._store, self._clock)
            if found is None:
                return ()
            log = found
        return repair_log(self._store, log, {**(kept or {}), **self.kept_envelopes()})

    def kept_envelopes(self) -> dict[int, bytes]:
        """The exact bytes of the newest entries, by sequence, as far as this file keeps them."""
        return {} if self._live is None else self._live.envelopes()

    def start_new_log(self) -> None:
        """Begin a new log with the local content, in a store that has lost its log.

        Raises LogNotEmpty where there is one.
        """

        def step() -> None:
            live = self._require_live("publish")
            self._exchange.start_new_log(live)
            self._migrated(live)

        self._exchanging(step)

    def back_up(self, label: str) -> ObjectInfo:
        """Publish what is pending, then keep a copy as ``backups/<UTC time>-<label>.db.zst``.

        What is written while the copy is uploaded can be published meanwhile.
        """
        require_label(label)

        def step() -> bytes:
            self._synchronise()
            return pack_content(self._require_live("back up").path, self._tables)

        body = self._exchanging(step)
        with self._noting():
            return put_backup(self._store, body, label, self._exchange.store_time())

    def take_over_from_store(self) -> None:
        """Follow the store's log, whatever the local file is based on.

        The local content, pending changes included, goes to ``backups/…-set-aside.db.zst`` first;
        then the store's newest content replaces it.
        """

        def step() -> None:
            live = self._require_live("take over")
            self._exchange.take_over(live)
            self._migrated(live)

        self._exchanging(step)

    @contextmanager
    def transaction(self, *, wait_seconds: float | None = None) -> Iterator[Transaction]:
        """Change the database: all of the block's statements or, if it raises, none.

        The change is committed locally when the block ends, and pending until it is in the log;
        the publisher is woken. With ``wait_seconds`` the call returns when it is durable, see
        ``wait_until_durable``. Writers wait for each other, never for the store.

        Raises NotRestored, WritesStopped, SchemaChanged for DDL, TransactionTooLarge, DiskFull,
        ReadOnlyDisk.
        """
        live = self._require_content("write to")
        if self._closing:
            # The last publication may be over: this change would go with the disk.
            raise ReplicaClosed("write to", str(self._path))
        if not self._restore_tried:
            # A change on top of an old copy could only diverge.
            raise NotRestored("write to", str(self._path))
        refused = self._refused
        if refused is not None:
            raise WritesStopped("write to", str(self._path), detail=str(refused)) from refused
        with live.transaction() as transaction:
            if self._closing:
                # It waited for another writer, while the last publication was prepared.
                raise ReplicaClosed("write to", str(self._path))
            yield transaction
        self._publisher.wake()
        if wait_seconds is not None:
            self.wait_until_durable(transaction.id, wait_seconds)

    @contextmanager
    def read(self, attach: Mapping[str, Path] | None = None) -> Iterator[apsw.Connection]:
        """A connection of the caller's own that cannot write; it is closed with the block.

        It sees one moment of the database throughout. ``attach`` maps schema names to SQLite
        files, which are read-only too. Never waits for the network or for a writer.
        """
        with self._require_content("read").read(attach) as connection:
            yield connection

    def wait_until_durable(self, transaction_id: str, timeout_seconds: float) -> None:
        """Return when the transaction is in the log; DurabilityTimeout when that takes longer.

        The error comes at once when waiting is in vain. Raises TransactionSetAside when another
        writer's changes came first and this one could not be applied on top of them.
        """
        live = self._require_live("wait for")
        live.refuse_within_transaction()
        deadline = time.monotonic() + timeout_seconds
        with self._progress:
            before = self._attempts
            self._publisher.wake()
            while True:
                stored = live.is_stored(transaction_id)
                if stored and live.was_set_aside(transaction_id):
                    raise TransactionSetAside("publish", transaction_id)
                if stored:
                    return
                error, remaining = self._last_error, deadline - time.monotonic()
                if stored is None:
                    # It was set aside, or belongs to another database.
                    remedy = "Look for it in the backups."
                    raise DurabilityTimeout("wait for", transaction_id, remedy)
                # What was wrong before may have been mended: the publisher is just looking.
                current = self._attempts > before or not self._publisher.is_running
                if remaining <= 0 or (type(error) in HALTED and current):
                    remedy = error.remedy if error is not None else ""
                    raise DurabilityTimeout("wait for", transaction_id, remedy) from error
                self._progress.wait(remaining)

    def status(self) -> Status:
        """What is known now; waits for nothing."""
        self._ownership.check()
        with self._progress:
            live, error, closed = self._live, self._last_error, self._closed
            refused, tried = self._refused, self._restore_tried
            succeeded_at, snapshot = self._last_success_at, self._exchange.snapshot
        facts = LiveFacts()
        if live is not None and not closed:
            try:
                facts = live.facts()
            except ReplicaError as failure:
                error = failure
            except apsw.Error as failure:
                # Another program has emptied or replaced the file.
                error = LocalCorrupt("read", str(self._path), detail=str(failure))
        state = derive_state(
            closed=closed,
            restore_tried=tried,
            usable=live is not None and refused is None,
            pending_transactions=facts.pending,
            single_writer=facts.position.mode == StoreMode.SINGLE_WRITER,
            last_error=error,
        )
        oldest_at = facts.oldest_pending_at
        waiting = (self._clock() - oldest_at).total_seconds() if oldest_at else 0.0
        return Status(
            state=state,
            sequence=facts.position.sequence,
            pending_transactions=facts.pending,
            pending_bytes=facts.pending_bytes,
            lag_seconds=max(0.0, waiting),
            last_success_at=succeeded_at,
            last_error=error,
            location=self._store.location,
            mode=facts.position.mode,
            note=" ".join(filter(None, [self._local_note, *self._exchange.notes.values()])),
            clock_offset_seconds=self._exchange.clock_offset_seconds,
            snapshot_sequence=snapshot.sequence if snapshot else None,
            snapshot_size_bytes=snapshot.size_bytes if snapshot else None,
            writers=facts.writers,
            conflicts=facts.conflicts,
        )

    def close(self, flush_timeout_seconds: float) -> None:
        """Publish what is pending, for at most this long, and give the file up.

        What could not be published stays pending in the file. A block of another thread that is
        still running then is waited for. Harmless when repeated. Raises RuntimeError within a
        transaction of this thread.
        """
        if not self._ownership.is_mine():
            return
        if self._live is not None:
            self._live.refuse_within_transaction()
        with self._progress:
            if self._closing:
                return
            self._closing = True
        deadline = time.monotonic() + flush_timeout_seconds
        if self._live is not None:
            # A block that is running was let in before: its change is flushed too.
            self._live.wait_until_idle(flush_timeout_seconds)
        pending = self._live is not None and self._live.pending > 0
        flush = pending and flush_timeout_seconds > 0
        self._publisher.stop(
            max(0.0, deadline - time.monotonic()),
            flush=flush,
            last=self._release_lease if self._exchange.may_hold_lease else None,
        )
        with self._progress:
            self._closed = True
            live = self._live
        if live is not None:
            live.close()
        self._ownership.release()
        with self._progress:
            self._progress.notify_all()

    def _release_lease(self) -> None:
        """Another writer need not wait for a lease to end."""
        if self._last_error is None:
            self._exchange.release()

    def _open_local(self) -> LiveDatabase:
        return open_database(
            self._path,
            self._migrations,
            self._tables,
            clock=self._clock,
            randomness=self._random,
        )

    def _restore(self) -> bool:
        live, downloaded = self._live, False
        if live is None:
            with self._exchange.first_file(self._path) as (file, downloaded), self._progress:
                # A close that happened meanwhile has given the file up.
                self._require_open("restore")
                install(file, self._path)
                live = self._live = self._open_local()
        moved = self._exchange.find_place(live)
        return self._migrated(live) or moved or downloaded

    def _migrated(self, live: LiveDatabase) -> bool:
        """Make sure that this program can read the content; True if that changed anything."""
        behind = live.schema_version < len(self._migrations)
        return behind and self._exchange.synchronise(live)

    def _synchronise(self) -> bool:
        if self._live is None:
            return self._restore()
        return self._exchange.synchronise(self._live)

    @contextmanager
    def _earlier(self, source: Source) -> Iterator[tuple[Earlier, Archive]]:
        """What a source names, as a file of today's schema.

        It is read without holding up an exchange: that can take as long as a start does.
        """
        require_zone(source)

        def step() -> Archive:
            self._synchronise()
            return self._exchange.archive(self._require_live("restore"))

        archive = self._exchanging(step)
        live = self._require_live("restore")
        with ExitStack() as stack:
            # What is wrong with a backup says nothing about the log.
            answers = _FAULTS_OF_A_BACKUP if isinstance(source, BackupKey) else ()
            with self._noting(*answers):
                content = content_of(
                    source,
                    archive,
                    store=self._store,
                    log_id=live.position.log_id,
                    beside=self._path,
                    migrations=self._migrations,
                    tables=self._tables,
                )
                earlier = stack.enter_context(content)
            yield earlier, archive

    def _chosen(self, tables: Sequence[str] | None) -> tuple[str, ...]:
        chosen = self._tables if tables is None else tuple(tables)
        if not {*chosen} <= {*self._tables}:
            raise ValueError(f"not replicated: {sorted({*chosen} - {*self._tables})}")
        return chosen

    @contextmanager
    def _noting(self, *answers: type[ReplicaError]) -> Iterator[None]:
        """Have the status say what goes wrong, unless it is only an answer."""
        try:
            yield
        except ReplicaError as error:
            self._exchange.forget_place()
            if not isinstance(error, (*_ANSWERS, *answers)):
                self._failed(error)
            raise

    def _exchanging(self, step: Callable[[], Result]) -> Result:
        self._require_open("synchronise")
        if self._live is not None:
            self._live.refuse_within_transaction()
        with self._exchange_lock:
            self._require_open("synchronise")
            with self._noting():
                result = step()
            with self._progress:
                self._restore_tried = True
                self._refused = self._last_error = None
                self._last_success_at = self._clock()
                self._attempts += 1
                self._progress.notify_all()
        return result

    def _failed(self, error: ReplicaError) -> None:
        with self._progress:
            self._restore_tried = True
            self._last_error = error
            self._attempts += 1
            # Once it has worked, a refusal may pass, and changes made meanwhile are worth keeping;
            # from the start it is a configuration that never reaches the right store.
            if isinstance(error, NewerSchema) or (
                isinstance(error, REFUSALS) and self._last_success_at is None
            ):
                self._refused = error
            self._progress.notify_all()

    def _require_open(self, operation: str) -> None:
        self._ownership.check()
        if self._closed:
            raise ReplicaClosed(operation, str(self._path))

    def _require_live(self, operation: str) -> LiveDatabase:
        self._require_open(operation)
        if self._live is None:
            raise NotRestored(operation, str(self._path))
        return self._live

    def _require_content(self, operation: str) -> LiveDatabase:
        live = self._require_live(operation)
        if live.schema_version != len(self._migrations):
            detail = f"its schema is version {live.schema_version} of {len(self._migrations)}"
            raise NotRestored(operation, str(self._path), detail=detail)
        return live
