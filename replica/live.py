"""The local file while it is in use: one writer, many readers, an outbox, a place in the log."""

import random
import threading
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import apsw

from replica.advance import advance
from replica.changes import recording
from replica.conflicts import CONFLICTS_TABLE
from replica.database import (
    Migration,
    copy_database,
    in_transaction,
    open_reader,
    open_work_file,
    open_writer,
    schema_version,
)
from replica.envelope import Change, Entry, Kind, pack_entry
from replica.errors import ReplicaClosed, SchemaChanged, TransactionTooLarge
from replica.localfaults import local_faults, sqlite_faults
from replica.position import (
    Fetched,
    Position,
    Writer,
    as_text,
    forget_log,
    read_claim,
    read_envelopes,
    read_position,
    read_writers,
    seconds_of,
    write_position,
)
from replica.transaction import Transaction, guarding

__all__ = ["LiveDatabase", "LiveFacts"]

MAX_TRANSACTION_BYTES = 16 << 20
"""Of one changeset, before compression.

Applied again on another writer's changes it can become six times as large, when every value is
noted among the conflicts, and still fits an entry.
"""
_ENTRY_BYTES = 4 << 20
_ENTRY_TRANSACTIONS = 1000

NO_POSITION = Position()


@dataclass(frozen=True, slots=True)
class LiveFacts:
    """What a status says of a file; see ``Status``. ``oldest_pending_at`` is by the local clock."""

    position: Position = NO_POSITION
    pending: int = 0
    pending_bytes: int = 0
    oldest_pending_at: datetime | None = None
    writers: tuple[Writer, ...] = ()
    conflicts: int = 0


class LiveDatabase:
    """An open database file. Methods may be called from any thread; none uses the network.

    ``tables`` are the replicated ones: only what changes in them is recorded.
    """

    def __init__(
        self,
        path: Path,
        migrations: Sequence[Migration],
        tables: Sequence[str],
        *,
        clock: Callable[[], datetime],
        randomness: random.Random,
    ) -> None:
        self.path = path
        self.replicated = tuple(tables)
        self._migrations = migrations
        self._tables = (*tables, CONFLICTS_TABLE)
        self._clock = clock
        self._random = randomness
        self._write_lock = threading.RLock()
        self._without_effect: deque[str] = deque(maxlen=1000)
        self._closed = False
        self._transaction_thread: int | None = None
        self._writer = open_writer(path)
        try:
            self._refresh()
        except BaseException:
            self._writer.close(True)
            raise

    @property
    def position(self) -> Position:
        return self._position

    @property
    def pending(self) -> int:
        """How many transactions are not in the log."""
        return self._pending

    @property
    def schema_version(self) -> int:
        """The version of the content's schema."""
        return self._schema_version

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """All of the block's statements or, if it raises, none; other writers wait.

        Raises SchemaChanged for DDL and TransactionTooLarge. The engine's own tables cannot be
        written to, nor the transaction be ended, by a statement of the block (apsw.AuthError).
        """
        with self._writing() as writer:
            transaction = Transaction(writer, self._new_id())
            with sqlite_faults("write to", self.path), in_transaction(writer):
                schema = writer.pragma("schema_version")
                with recording(writer, self._tables) as changes, guarding(writer):
                    self._transaction_thread = threading.get_ident()
                    try:
                        yield transaction
                    finally:
                        self._transaction_thread = None
                        transaction.end()
                    if writer.pragma("schema_version") != schema:
                        raise SchemaChanged("write to", str(self.path))
                    changeset = changes.changeset()
                self._add_to_outbox(transaction.id, changeset)
            self._count(transaction.id, changeset)

    @contextmanager
    def read(self, attach: Mapping[str, Path] | None = None) -> Iterator[apsw.Connection]:
        """A connection of the caller's own that cannot write and sees one moment."""
        if self._closed:
            raise ReplicaClosed("read", str(self.path))
        with (
            closing(open_reader(self.path, attach)) as connection,
            sqlite_faults("read", self.path, writing=False),
        ):
            yield connection

    def is_stored(self, transaction_id: str) -> bool | None:
        """Whether the log has a transaction; None for one that this file knows nothing of.

        A transaction without effect, because nothing changed or others had said the same, counts
        as stored.
        """
        with self.read() as connection:
            for table, stored in (("replica_transactions", True), ("replica_outbox", False)):
                sql = f"SELECT 1 FROM {table} WHERE transaction_id = ?"
                if connection.execute(sql, (transaction_id,)).fetchone():
                    return stored
        return True if transaction_id in self._without_effect else None

    def was_set_aside(self, transaction_id: str) -> bool:
        """Whether a transaction could not be applied after another writer's."""
        with self.read() as connection:
            sql = (
                f"SELECT 1 FROM {CONFLICTS_TABLE}"
                " WHERE transaction_id = ? AND resolution = 'set_aside' LIMIT 1"
            )
            return connection.execute(sql, (transaction_id,)).fetchone() is not None

    def claim(self, writer_id: str) -> tuple[int, bytes] | None:
        """The next sequence and the exact bytes to claim it with; None if nothing is pending.

        They are kept in the file until it is known whose that sequence is: a claim that may have
        reached the store can only be repeated unchanged.
        """
        with self._writing() as writer, local_faults("write to", self.path):
            claim = read_claim(writer)
            if claim is None and self._pending:
                position = self._position
                changes = tuple(_first_changes(writer))
                entry = Entry(
                    kind=Kind.CHANGES,
                    log_id=position.log_id,
                    sequence=position.sequence + 1,
                    parent_sha256=position.entry_sha256,
                    parent_stored_at_s=seconds_of(position.stored_at),
                    writer_id=writer_id,
                    schema_version=int(writer.pragma("user_version")),
                    changes=changes,
                )
                claim = self._keep_claim(entry)
        return claim

    def keep_claim(self, entry: Entry) -> tuple[int, bytes]:
        """Keep the bytes of an entry that is not made from the outbox, as ``claim`` does."""
        with self._writing(), local_faults("write to", self.path):
            return self._keep_claim(entry)

    def drop_claim(self) -> None:
        """Forget a claim that is known not to have reached the store."""
        with self._writing() as writer, local_faults("write to", self.path):
            writer.execute("DELETE FROM replica_claim")

    def has_claim(self) -> bool:
        """Whether a claim is kept whose outcome is not known."""
        with self.read() as connection:
            return read_claim(connection) is not None

    def advance(self, fetched: Sequence[Fetched]) -> None:
        """Apply the entries that follow, in one transaction, with pending changes on top.

        Raises Diverged, EntryRefused, NewerSchema and MigrationMismatch; nothing has changed then.
        """
        with (
            self._writing() as writer,
            local_faults("apply the log to", self.path),
            _attached(writer, fetched),
        ):
            try:
                with in_transaction(writer):
                    dropped = advance(
                        writer, fetched, self._position, self._migrations, self._tables
                    )
                self._without_effect.extend(dropped)
            finally:
                self._refresh()

    def stand_at(self, position: Position, genesis: bytes) -> None:
        """Make the content the beginning of another log; pending changes stay pending.

        ``genesis`` is that log's first entry.

        Sequences of transactions belonged to the log before, so they become 0.
        """
        with (
            self._writing() as writer,
            local_faults("write to", self.path),
            in_transaction(writer),
        ):
            writer.execute(
                "DELETE FROM replica_claim; DELETE FROM replica_envelopes;"
                "DELETE FROM replica_writers"
            )
            forget_log(writer)
            write_position(writer, position)
            writer.execute("INSERT INTO replica_envelopes VALUES (1, ?)", (genesis,))
            self._refresh()

    def replace_content(self, source: Path, known: frozenset[str]) -> bool:
        """Take over another file's content, in one step for readers.

        False, and nothing done, when a transaction is pending that is not ``known``.
        """
        with self._writing() as writer, local_faults("replace", self.path):
            if self._pending_ids() - known:
                return False
            with closing(open_work_file(source)) as content:
                copy_database(content, writer)
            self._refresh()
            # A write-ahead log as large as the database is not worth keeping.
            writer.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        return True

    def tail_bytes(self, entries: int) -> int:
        """About how large the newest entries are together; only some of them are kept."""
        with self.read() as connection:
            sql = (
                "SELECT count(*), coalesce(sum(length(body)), 0) FROM"
                " (SELECT body FROM replica_envelopes ORDER BY sequence DESC LIMIT ?)"
            )
            kept, size = next(connection.execute(sql, (entries,)))
        return size * entries // kept if kept else 0

    def envelopes(self) -> dict[int, bytes]:
        """The first and the newest entries' exact bytes by sequence, as far as they are kept."""
        with self.read() as connection:
            return read_envelopes(connection)

    def facts(self) -> LiveFacts:
        """What a status says of this file, as of one moment."""
        with self.read() as connection:
            execute = connection.execute
            pending, size, oldest = next(
                execute(
                    "SELECT count(*), coalesce(sum(length(effect)), 0), min(committed_at)"
                    " FROM replica_outbox"
                )
            )
            return LiveFacts(
                position=read_position(connection),
                pending=pending,
                pending_bytes=size,
                oldest_pending_at=datetime.fromisoformat(oldest) if oldest else None,
                writers=read_writers(connection),
                conflicts=int(next(execute(f"SELECT count(*) FROM {CONFLICTS_TABLE}"))[0]),
            )

    def pending_ids(self) -> frozenset[str]:
        """The transactions that are not in the log."""
        with self._write_lock:
            return self._pending_ids()

    def refuse_within_transaction(self) -> None:
        """Raise RuntimeError within a transaction of this thread, which others may wait for."""
        if self._transaction_thread == threading.get_ident():
            raise RuntimeError("not possible within a transaction of this thread")

    def wait_until_idle(self, timeout_seconds: float) -> None:
        """Wait for the transaction that is running, for at most so long."""
        if self._write_lock.acquire(timeout=timeout_seconds):
            self._write_lock.release()

    def close(self) -> None:
        """Wait for the transaction that is running, however long, then close.

        Harmless when repeated.
        """
        with self._write_lock:
            self._closed = True
            self._writer.close()

    def _add_to_outbox(self, transaction_id: str, changeset: bytes) -> None:
        if not changeset:
            return
        if len(changeset) > MAX_TRANSACTION_BYTES:
            size = f"{len(changeset):,} bytes"
            raise TransactionTooLarge("write to", str(self.path), detail=size)
        self._writer.execute(
            "INSERT INTO replica_outbox (transaction_id, committed_at, intent, effect)"
            " VALUES (?, ?, ?3, ?3)",
            (transaction_id, as_text(self._clock()), changeset),
        )

    def _count(self, transaction_id: str, changeset: bytes) -> None:
        if changeset:
            self._pending += 1
        else:
            self._without_effect.append(transaction_id)

    def _keep_claim(self, entry: Entry) -> tuple[int, bytes]:
        claim = entry.sequence, pack_entry(entry)
        self._writer.execute("INSERT INTO replica_claim VALUES (1, ?, ?)", claim)
        return claim

    @contextmanager
    def _writing(self) -> Iterator[apsw.Connection]:
        with self._write_lock:
            if self._closed:
                raise ReplicaClosed("write to", str(self.path))
            if self._writer.in_transaction:
                raise RuntimeError("not possible within another transaction of this thread")
            yield self._writer

    def _pending_ids(self) -> frozenset[str]:
        rows = self._writer.execute("SELECT transaction_id FROM replica_outbox")
        return frozenset(row[0] for row in rows)

    def _refresh(self) -> None:
        with local_faults("read", self.path):
            self._position = read_position(self._writer)
            self._schema_version = schema_version(self._writer)
            self._pending = len(self._pending_ids())

    def _new_id(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))


def _first_changes(connection: apsw.Connection) -> Iterator[Change]:
    """What goes into the next entry: the oldest pending changes, at least one."""
    rows = connection.execute(
        "SELECT transaction_id, effect FROM replica_outbox ORDER BY position LIMIT ?",
        (_ENTRY_TRANSACTIONS,),
    )
    size = 0
    for transaction_id, effect in rows:
        size += len(effect)
        if size > len(effect) and size > _ENTRY_BYTES:
            break
        yield Change(transaction_id, effect)


@contextmanager
def _attached(writer: apsw.Connection, fetched: Sequence[Fetched]) -> Iterator[None]:
    """The content that an entry names, as schema ``base``: attaching needs no transaction open."""
    bases = [item.base for item in fetched if item.base is not None]
    if not bases:
        yield
        return
    # At most one: an entry that names a base is applied alone.
    (base,) = bases
    writer.execute("ATTACH ? AS base", (str(base),))
    try:
        yield
    finally:
        writer.execute("DETACH base")
