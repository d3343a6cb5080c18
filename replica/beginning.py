"""How a log begins: with an empty database, with an existing one, or with an earlier version's."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from random import Random
from uuid import UUID

from replica.adoption import earlier_content
from replica.database import (
    Migration,
    create_database,
    in_transaction,
    open_writer,
    temporary_database,
)
from replica.envelope import NO_PARENT, Entry, Kind, pack_entry
from replica.errors import ObjectExists, ReplicaError, StoreError
from replica.localfaults import local_faults
from replica.log import make_log
from replica.probe import ProbeResult, StoreMode
from replica.snapshot import read_metadata
from replica.snapshots import pack_first_content, put_base
from replica.store import ObjectStore
from replica.transaction import Transaction

__all__ = ["Beginning", "PrepareFirst"]

PrepareFirst = Callable[[ObjectStore, Transaction], None]


@dataclass(frozen=True, slots=True)
class Beginning:
    """Makes the first entry of a log."""

    store: ObjectStore
    migrations: Sequence[Migration]
    tables: Sequence[str]
    prepare_first: PrepareFirst | None
    probe: Callable[[ObjectStore, Random], ProbeResult]
    clock: Callable[[], datetime]
    randomness: Random
    writer_id: str

    def begin(self, beside: Path) -> tuple[tuple[str, ...], tuple[ReplicaError, ...]]:
        """Begin a log in a store without one; what the probe found, and what was damaged.

        Another process may begin it at the same time: then its log is the one there is, and what
        was prepared here is dropped. Raises StoreError when it is open whether a log has begun.
        """
        damaged: list[ReplicaError] = []
        with self._first_content(beside, damaged) as path:
            body = pack_first_content(path, self.tables)
        first, found = self.first_entry(body)
        self.claim(first, found.mode)
        return found.findings, tuple(damaged)

    def first_entry(self, content: bytes) -> tuple[bytes, ProbeResult]:
        """The exact bytes of an entry that begins a log with a packed database, not yet claimed.

        What the probe found decides for which mode.
        """
        found = self.probe(self.store, self.randomness)
        base = put_base(self.store, content)
        genesis = Entry(
            kind=Kind.GENESIS,
            log_id=f"{self.randomness.getrandbits(128):032x}",
            sequence=1,
            parent_sha256=NO_PARENT,
            parent_stored_at_s=0,
            writer_id=self.writer_id,
            schema_version=read_metadata(content, base).schema_version,
            description={"base": base, "mode": found.mode.value},
        )
        return pack_entry(genesis), found

    def claim(self, body: bytes, mode: StoreMode) -> None:
        """Have a first entry in the log, these bytes or what somebody else put there.

        Raises StoreError when it is open whether there is one.
        """
        log = make_log(self.store, mode, self.clock)
        unconfirmed: StoreError
        try:
            log.claim(1, body, self.writer_id)
            return
        except ObjectExists:
            return
        except StoreError as error:
            unconfirmed = error
        try:
            # The answer may have been lost, and not the request.
            log.fetch(1)
        except StoreError:
            raise unconfirmed from None

    @contextmanager
    def _first_content(self, beside: Path, damaged: list[ReplicaError]) -> Iterator[Path]:
        with earlier_content(self.store, beside, damaged) as earlier:
            if earlier is not None:
                yield earlier
                return
        with temporary_database(beside) as path:
            create_database(path, self.migrations)
            if self.prepare_first is not None:
                self._prepare(path, self.prepare_first)
            yield path

    def _prepare(self, path: Path, prepare_first: PrepareFirst) -> None:
        name = str(UUID(int=self.randomness.getrandbits(128), version=4))
        with closing(open_writer(path)) as connection:
            transaction = Transaction(connection, name)
            with local_faults("prepare", path), in_transaction(connection):
                changes = connection.total_changes()
                prepare_first(self.store, transaction)
                transaction.end()
                if connection.total_changes() != changes:
                    # Its time is the first entry's, which only the store can tell.
                    sql = "INSERT INTO replica_transactions VALUES (?, 1, '')"
                    connection.execute(sql, (name,))
