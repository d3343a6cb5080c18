"""The local file while it is in use: one writer, many readers, and its place in the store."""

import random
import threading
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from pathlib import Path

import apsw

from replica.database import copy_database, open_reader, open_work_file, open_writer
from replica.errors import LocalCorrupt, ReplicaClosed, SchemaChanged
from replica.localfaults import local_faults, sqlite_faults

__all__ = [
    "Base",
    "LiveDatabase",
    "Transaction",
    "as_text",
    "mark_stored",
    "pending_ids",
    "read_base",
]


Value = None | int | float | str | bytes
Bindings = Sequence[Value] | Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Base:
    """The snapshot that the local content is based on; the columns of ``replica_base``.

    The next claim is ``tip`` + 1. It is above ``sequence`` only after a claim met damaged
    snapshots, whose numbers stay taken; until a claim needs that, they may still be mended.
    ``stored_at`` is UTC text by the store's clock.
    """

    sequence: int = 0
    tip: int = 0
    object_sha256: str = ""
    lineage: str = ""
    stored_at: str = ""


class Transaction:
    """What ``Replica.transaction()`` yields; ``id`` names it in waits and in other tables."""

    def __init__(self, connection: apsw.Connection, transaction_id: str) -> None:
        self.id = transaction_id
        self._connection = connection
        self._cursors: list[apsw.Cursor] = []
        self._ended = False

    def execute(self, sql: str, bindings: Bindings | None = None) -> apsw.Cursor:
        """Run statements; take the rows from the cursor before the transaction ends."""
        return self._cursor().execute(sql, bindings)

    def executemany(self, sql: str, rows: Iterable[Bindings]) -> None:
        """Run a statement once for each row of bindings."""
        self._cursor().executemany(sql, rows)

    def end(self) -> None:
        """Close the cursors: one that was left half read would keep the file busy."""
        self._ended = True
        for cursor in self._cursors:
            cursor.close(True)

    def _cursor(self) -> apsw.Cursor:
        if self._ended:
            raise RuntimeError("the transaction has ended")
        cursor = self._connection.cursor()
        self._cursors.append(cursor)
        return cursor


class LiveDatabase:
    """An open database file. Methods may be called from any thread; none uses the network."""

    def __init__(
        self, path: Path, clock: Callable[[], datetime], randomness: random.Random
    ) -> None:
        self.path = path
        self._clock = clock
        self._random = randomness
        self._write_lock = threading.RLock()
        self._unchanged: deque[str] = deque(maxlen=1000)
        self._closed = False
        self._writer = open_writer(path)
        try:
            self._refresh()
        except BaseException:
            self._writer.close(True)
            raise

    @property
    def base(self) -> Base:
        return self._base

    @property
    def pending(self) -> int:
        """How many transactions are not in the store."""
        return self._pending

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """All of the block's statements or, if it raises, none; other writers wait.

        A block that changes nothing leaves no trace. Raises SchemaChanged for DDL.
        """
        with self._writing() as writer:
            transaction = Transaction(writer, self._new_id())
            try:
                with sqlite_faults("write to", self.path):
                    writer.execute("BEGIN IMMEDIATE")
                    schema = writer.pragma("schema_version")
                    # First, so that no statement of the block can be committed without it.
                    writer.execute(
                        "INSERT INTO replica_transactions (transaction_id, committed_at)"
                        " VALUES (?, ?)",
                        (transaction.id, as_text(self._clock())),
                    )
                    changes = writer.total_changes()
                    yield transaction
                    transaction.end()
                    if writer.pragma("schema_version") != schema:
                        raise SchemaChanged("write to", str(self.path))
                    if writer.total_changes() == changes:
                        self._unchanged.append(transaction.id)
                    else:
                        writer.execute("COMMIT")
            finally:
                transaction.end()
                _roll_back(writer)
                self._refresh()

    @contextmanager
    def read(self, attach: Mapping[str, Path] | None = None) -> Iterator[apsw.Connection]:
        """A connection of the caller's own that cannot write and sees one moment."""
        if self._closed:
            raise ReplicaClosed("read", str(self.path))
        with closing(open_reader(self.path, attach)) as connection:
            try:
                yield connection
            except (apsw.CorruptError, apsw.NotADBError) as error:
                raise LocalCorrupt("read", str(self.path), detail=str(error)) from error

    def is_stored(self, transaction_id: str) -> bool | None:
        """Whether a transaction is in the store; None for one that this file does not hold."""
        with self.read() as connection:
            row = connection.execute(
                "SELECT sequence IS NOT NULL FROM replica_transactions WHERE transaction_id = ?",
                (transaction_id,),
            ).fetchone()
        if row is None:
            return True if transaction_id in self._unchanged else None
        return bool(row[0])

    def held_ids(self) -> frozenset[str]:
        """All transactions that this file holds."""
        with self.read() as connection:
            return held_ids(connection)

    def copy_to(self, target: Path) -> frozenset[str]:
        """A consistent copy of this moment; returns the transactions pending in it."""
        with (
            local_faults("copy", self.path),
            self.read() as source,
            closing(open_work_file(target)) as copy,
        ):
            copy_database(source, copy)
            # The copy is one plain file, whoever opens it.
            copy.execute("PRAGMA journal_mode=DELETE")
            return pending_ids(copy)

    def mark_stored(self, base: Base, transaction_ids: Iterable[str]) -> None:
        """Record that these transactions are in the store as part of ``base``."""
        with self._writing() as writer, local_faults("write to", self.path):
            mark_stored(writer, base, transaction_ids)
            self._refresh()

    def replace_content(self, source: Path, known: frozenset[str] = frozenset()) -> bool:
        """Take over another file's content, in one step for readers.

        False, and nothing done, when a transaction is pending that is not ``known``.
        """
        with self._writing() as writer, local_faults("replace", self.path):
            if pending_ids(writer) - known:
                return False
            with closing(open_work_file(source)) as content:
                copy_database(content, writer)
            self._refresh()
            # A write-ahead log as large as the database is not worth keeping.
            writer.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        return True

    def close(self) -> None:
        """Wait for the transaction that is running, then close; harmless when repeated."""
        with self._write_lock:
            self._closed = True
            self._writer.close()

    @contextmanager
    def _writing(self) -> Iterator[apsw.Connection]:
        with self._write_lock:
            if self._closed:
                raise ReplicaClosed("write to", str(self.path))
            if self._writer.in_transaction:
                raise RuntimeError("not possible within another transaction of this thread")
            yield self._writer

    def _refresh(self) -> None:
        with local_faults("read", self.path):
            self._base = read_base(self._writer)
            self._pending = len(pending_ids(self._writer))

    def _new_id(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))


def _roll_back(writer: apsw.Connection) -> None:
    if writer.in_transaction:
        writer.execute("ROLLBACK")


def held_ids(connection: apsw.Connection) -> frozenset[str]:
    """All transactions of a file, whether in the store or not."""
    rows = connection.execute("SELECT transaction_id FROM replica_transactions")
    return frozenset(row[0] for row in rows)


def pending_ids(connection: apsw.Connection) -> frozenset[str]:
    """The transactions that are not in the store."""
    rows = connection.execute(
        "SELECT transaction_id FROM replica_transactions WHERE sequence IS NULL"
    )
    return frozenset(row[0] for row in rows)


def read_base(connection: apsw.Connection) -> Base:
    """What a file says it is based on."""
    rows = connection.execute(
        "SELECT sequence, tip, object_sha256, lineage, stored_at FROM replica_base"
    )
    return Base(*next(rows))


def mark_stored(connection: apsw.Connection, base: Base, transaction_ids: Iterable[str]) -> None:
    """Note in one transaction that the file holds ``base`` and that these are part of it."""
    with connection:
        connection.executemany(
            "UPDATE replica_transactions SET sequence = ?, stored_at = ?"
            " WHERE transaction_id = ? AND sequence IS NULL",
            [(base.sequence, base.stored_at, name) for name in transaction_ids],
        )
        connection.execute(
            "UPDATE replica_base SET"
            " (sequence, tip, object_sha256, lineage, stored_at) = (?, ?, ?, ?, ?)",
            astuple(base),
        )


def as_text(moment: datetime) -> str:
    """UTC text whose order is the order of time."""
    return moment.astimezone(UTC).isoformat(timespec="seconds")
