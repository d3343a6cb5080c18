"""A SQLite database whose durable home is an object store."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from random import Random
from typing import TypeVar

import apsw

from replica.database import (
    Migration,
    install,
    migrate,
    open_writer,
    remove_leftovers,
    set_aside,
    verify_database,
)
from replica.errors import (
    DurabilityTimeout,
    NewerSchema,
    NotADatabase,
    NotRestored,
    ReplicaClosed,
    ReplicaError,
    SnapshotCorrupt,
    WritesStopped,
)
from replica.exchange import REFUSALS, Exchange, PrepareFirst
from replica.live import LiveDatabase, Transaction
from replica.ownership import FileOwnership
from replica.publisher import Publisher
from replica.status import HALTED, Status, derive_state
from replica.store import ObjectInfo, ObjectStore

__all__ = ["Replica"]

Result = TypeVar("Result")


class Replica:
    """One process's SQLite file and its place among the snapshots in a store.

    Opening does local work only: it takes the file (FileOwned if another process has it),
    verifies what is there (a damaged file is set aside, never deleted) and migrates it.
    ``restore()`` then makes it the newest. All methods may be called from any thread.

    ``clock`` returns aware UTC times. ``random`` makes ids: seed it only in tests, two replicas
    with equal ids would take each other's changes for their own. ``prepare_first`` fills a new
    database when the store is empty; of several processes that start at once, one does.

    Raises FileOwned, ReadOnlyDisk, DiskFull, or NewerSchema if the local file is ahead.
    """

    def __init__(
        self,
        path: Path,
        store: ObjectStore,
        migrations: Sequence[Migration],
        *,
        clock: Callable[[], datetime],
        random: Random,
        prepare_first: PrepareFirst | None = None,
        latest_key: str = "nba_stats.db.zst",
        backoff_base_seconds: float = 1.0,
        backoff_cap_seconds: float = 300.0,
    ) -> None:
        if [migration.version for migration in migrations] != list(range(1, len(migrations) + 1)):
            raise ValueError("migrations are numbered 1, 2, 3 …")
        self._path = path.absolute()
        self._store = store
        self._migrations = tuple(migrations)
        self._clock = clock
        self._random = random
        self._exchange = Exchange(store, self._migrations, clock, random, latest_key, prepare_first)
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
        self._closing = False
        self._closed = False
        self._local_note = ""
        self._ownership = FileOwnership(self._path)
        try:
            remove_leftovers(self._path)
            self._live = self._open_local()
        except BaseException:
            self._ownership.release()
            raise

    @property
    def path(self) -> Path:
        return self._path

    @property
    def has_database(self) -> bool:
        """True if there is a local file to read: restored, new, or kept from before."""
        return self._live is not None

    def restore(self) -> bool:
        """Make the local database the newest there is; True if that brought anything.

        The store's newest good snapshot replaces the content only when it is verified and
        nothing is pending; an empty store and no local file give a new database.

        Raises StoreError, SnapshotError, LocalError; Diverged, RolledBack, ForeignSnapshot where
        the store's history is not the local one: the local file is kept as it is.
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

    def back_up(self, label: str) -> ObjectInfo:
        """Publish what is pending, then keep a copy as ``backups/<UTC time>-<label>.db.zst``."""

        def step() -> ObjectInfo:
            self._synchronise()
            return self._exchange.back_up(self._require_live("back up"), label)

        return self._exchanging(step)

    def take_over_from_store(self) -> None:
        """Give up the local changes that the store's history has no place for.

        They go to ``backups/…-set-aside.db.zst`` first; then the store's newest content replaces
        the local one.
        """
        self._exchanging(lambda: self._exchange.take_over(self._require_live("take over")))

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Change the database: all of the block's statements or, if it raises, none.

        The change is committed locally when the block ends and pending until it is published.
        Writers wait for each other, never for the store.

        Raises NotRestored, WritesStopped, SchemaChanged for DDL, DiskFull, ReadOnlyDisk.
        """
        live = self._require_live("write to")
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
            yield transaction

    @contextmanager
    def read(self, attach: Mapping[str, Path] | None = None) -> Iterator[apsw.Connection]:
        """A connection of the caller's own that cannot write; it is closed with the block.

        It sees one moment of the database throughout. ``attach`` maps schema names to SQLite
        files, which are read-only too. Never waits for the network or for a writer.
        """
        with self._require_live("read").read(attach) as connection:
            yield connection

    def wait_until_durable(self, transaction_id: str, timeout_seconds: float) -> None:
        """Return when the transaction is in the store; DurabilityTimeout when that takes longer.

        The error comes at once when waiting is in vain: the store's history has no place for
        the change, or it was set aside.
        """
        live = self._require_live("wait for")
        self._publisher.wake()
        deadline = time.monotonic() + timeout_seconds
        with self._progress:
            while True:
                stored = live.is_stored(transaction_id)
                if stored:
                    return
                error, remaining = self._last_error, deadline - time.monotonic()
                if stored is None:
                    # It was set aside, or belongs to another database.
                    remedy = "Look for it in the backups."
                    raise DurabilityTimeout("wait for", transaction_id, remedy)
                if remaining <= 0 or type(error) in HALTED:
                    remedy = error.remedy if error is not None else ""
                    raise DurabilityTimeout("wait for", transaction_id, remedy) from error
                self._progress.wait(remaining)

    def status(self) -> Status:
        """What is known now; waits for nothing."""
        self._ownership.check()
        live, error = self._live, self._last_error
        pending = live.pending if live else 0
        state = derive_state(
            closed=self._closed,
            restore_tried=self._restore_tried,
            usable=live is not None and self._refused is None,
            pending_transactions=pending,
            last_error=error,
        )
        return Status(
            state=state,
            sequence=live.base.sequence if live else 0,
            pending_transactions=pending,
            last_success_at=self._last_success_at,
            last_error=error,
            location=self._store.location,
            note=" ".join(filter(None, [self._local_note, *self._exchange.notes.values()])),
            clock_offset_seconds=self._exchange.clock_offset_seconds,
            snapshot_size_bytes=self._exchange.snapshot_size_bytes,
        )

    def close(self, flush_timeout_seconds: float) -> None:
        """Publish what is pending, for at most this long, and give the file up.

        What could not be published stays pending in the file. Harmless when repeated.
        """
        if not self._ownership.is_mine():
            return
        with self._progress:
            if self._closing:
                return
            self._closing = True
        pending = self._live is not None and self._live.pending > 0
        flush = pending and flush_timeout_seconds > 0
        self._publisher.stop(flush_timeout_seconds, flush=flush)
        with self._progress:
            self._closed = True
            live = self._live
        if live is not None:
            live.close()
        self._ownership.release()
        with self._progress:
            self._progress.notify_all()

    def _open_local(self) -> LiveDatabase | None:
        if not self._path.exists():
            return None
        try:
            verify_database(self._path, str(self._path))
        except (NotADatabase, SnapshotCorrupt) as error:
            aside = set_aside(self._path, f"damaged-{self._clock():%Y-%m-%dT%H-%M-%SZ}")
            self._local_note = f"{error} The file was kept as {aside.name}."
            return None
        with closing(open_writer(self._path)) as connection:
            migrate(connection, self._path, self._migrations)
        return LiveDatabase(self._path, self._clock, self._random)

    def _restore(self) -> bool:
        if self._live is not None:
            return self._exchange.reconcile(self._live)
        with self._exchange.first_file(self._path) as (file, downloaded), self._progress:
            # A close that happened meanwhile has given the file up.
            self._require_open("restore")
            install(file, self._path)
            self._live = LiveDatabase(self._path, self._clock, self._random)
        return downloaded

    def _synchronise(self) -> bool:
        if self._live is None:
            return self._restore()
        return self._exchange.synchronise(self._live)

    def _exchanging(self, step: Callable[[], Result]) -> Result:
        self._require_open("synchronise")
        with self._exchange_lock:
            self._require_open("synchronise")
            try:
                result = step()
            except ReplicaError as error:
                self._failed(error)
                raise
            with self._progress:
                self._restore_tried = True
                self._refused = self._last_error = None
                self._last_success_at = self._clock()
                self._progress.notify_all()
        return result

    def _failed(self, error: ReplicaError) -> None:
        with self._progress:
            self._restore_tried = True
            self._last_error = error
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
