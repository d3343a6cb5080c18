"""The content of a log as a file: the newest, or as it was at any moment."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from random import Random

from replica.database import (
    Migration,
    fold_in,
    in_transaction,
    install,
    open_reader,
    open_work_file,
    remove_leftovers,
    set_aside,
    temporary_database,
    verify_database,
)
from replica.envelope import entry_sha256
from replica.errors import (
    MomentUnknown,
    ObjectNotFound,
    PendingChanges,
    ReplicaError,
    SnapshotError,
)
from replica.live import LiveDatabase
from replica.localfaults import local_faults
from replica.log import Log, find_log, log_key
from replica.opening import is_usable, set_aside_unusable
from replica.ownership import FileOwnership
from replica.position import (
    Fetched,
    Position,
    as_text,
    moment_of,
    read_envelopes,
    read_position,
    write_position,
)
from replica.reading import LogReader, ReadAhead, Within
from replica.snapshots import DAMAGE, SnapshotRef, candidates, fetch_base, fetch_snapshot
from replica.store import ObjectStore

__all__ = [
    "Archive",
    "Moment",
    "Restored",
    "kept_envelopes_of",
    "position_of",
    "prepare_replacing",
    "replace_file",
    "require_zone",
    "write_as_of",
    "write_newest",
]

Moment = int | datetime
"""A sequence, or an aware time by the store's clock."""


@dataclass(frozen=True, slots=True)
class Restored:
    """A verified file, the snapshot it came from, and what was found damaged on the way."""

    path: Path
    snapshot: SnapshotRef | None
    damaged: tuple[ReplicaError, ...]


class Archive:
    """What one log has become, read from its store and written to files."""

    def __init__(
        self,
        store: ObjectStore,
        log: Log,
        migrations: Sequence[Migration],
        tables: Sequence[str],
        *,
        workers: int,
        ahead: ReadAhead | None = None,
    ) -> None:
        self._store = store
        self._log = log
        self._ahead = ahead
        self._migrations = migrations
        self._tables = tables
        self.reader = LogReader(
            store, log, known_schema=len(migrations), workers=workers, ahead=ahead
        )

    @contextmanager
    def shortcut(
        self, beside: Path, until: Moment | None = None, *, in_log: bool = False
    ) -> Iterator[Restored]:
        """The newest good snapshot not later than a moment, or the content the log began with.

        ``in_log`` passes over snapshots of what the log does not hold (any more).

        The entries after it are still to be applied. Raises NewerSchema; SnapshotError if nothing
        in the store is sound.
        """
        genesis = self.reader.genesis()
        damaged: list[ReplicaError] = []
        with temporary_database(beside) as path:
            for ref in candidates(self._store, genesis.entry.log_id, until):
                problem = self._try(ref, genesis, path, until, in_log=in_log)
                if problem is None:
                    _keep_genesis(path, genesis)
                    yield Restored(path, ref, tuple(damaged))
                    return
                damaged.append(problem)
            self._begin_at_genesis(genesis, path)
            yield Restored(path, None, tuple(damaged))

    @contextmanager
    def content_at(self, beside: Path, until: Moment | None = None) -> Iterator[Path]:
        """The content at a moment, None for the newest, with the schema that it had then.

        Raises MomentUnknown for a sequence after the last entry or a time before the first.
        """
        with self.shortcut(beside, until, in_log=True) as restored:
            position = self._play(restored.path, until)
            is_first = restored.snapshot is None and position.sequence == 1
            before = (
                is_first and isinstance(until, datetime) and as_text(until) < position.stored_at
            )
            if before or (isinstance(until, int) and until != position.sequence):
                raise MomentUnknown("restore", str(until), detail=f"found {position.sequence}")
            yield restored.path

    def _try(
        self, ref: SnapshotRef, genesis: Fetched, path: Path, until: Moment | None, *, in_log: bool
    ) -> ReplicaError | None:
        """Fetch one snapshot; why it cannot be used, if so."""
        if self._ahead is not None:
            self._ahead.begin(ref.sequence)
        known = len(self._migrations)
        try:
            metadata = fetch_snapshot(self._store, ref.key, path, known_schema=known)
        except (*DAMAGE, ObjectNotFound) as error:
            return error
        if (metadata.log_id, metadata.sequence) != (genesis.entry.log_id, ref.sequence):
            return SnapshotError("restore", ref.key, detail="it is of another log")
        if in_log and not self.holds(ref.sequence, metadata.entry_sha256):
            return SnapshotError("restore", ref.key, detail="the log does not hold what it does")
        if isinstance(until, datetime) and position_of(path).stored_at > as_text(until):
            # The store's clock went back after its entries and before the snapshot itself.
            return SnapshotError("restore", ref.key, detail="it holds what was stored later")
        return None

    def holds(self, sequence: int, sha256: str) -> bool:
        """Whether the log has this very entry (one GET)."""
        try:
            return entry_sha256(self._log.fetch(sequence).body) == sha256
        except ObjectNotFound:
            return False

    def _begin_at_genesis(self, genesis: Fetched, path: Path) -> None:
        key = str(genesis.entry.description["base"])
        fetch_base(self._store, key, path, known_schema=len(self._migrations))
        position = genesis.position_after(str(genesis.entry.description["mode"]))
        with (
            closing(open_work_file(path)) as connection,
            local_faults("restore", path),
            in_transaction(connection),
        ):
            write_position(connection, position)
            # What was put in before the log began is as old as the log.
            sql = "UPDATE replica_transactions SET stored_at = ? WHERE stored_at = ''"
            connection.execute(sql, (position.stored_at,))
        _keep_genesis(path, genesis)

    def _play(self, path: Path, until: Moment | None) -> Position:
        live = LiveDatabase(
            path, self._migrations, self._tables, clock=_no_clock, randomness=Random(0)
        )
        with closing(live):
            within = _within(until)
            for batch in self.reader.batches(live.position, path, listing=True, within=within):
                live.advance(batch)
            position = live.position
        with closing(open_work_file(path)) as connection, local_faults("restore", path):
            # One plain file, whoever opens it.
            connection.pragma("journal_mode", "delete")
        return position


def write_newest(
    store: ObjectStore, path: Path, migrations: Sequence[Migration], tables: Sequence[str]
) -> bool:
    """Put the newest content into a file that no replica has open; False: nothing is stored.

    A file of this log that is there stays until the new one is verified; any other file, also a
    damaged one, is renamed and never deleted. Raises FileOwned if a replica has it open,
    PendingChanges if it holds what is in no store, LocalError if it cannot be read.
    """
    return _write(store, path, migrations, tables, None)


def write_as_of(
    store: ObjectStore,
    path: Path,
    migrations: Sequence[Migration],
    tables: Sequence[str],
    moment: Moment,
) -> bool:
    """As ``write_newest``, as the content was at a moment.

    Raises MomentUnknown too, and ValueError for a time without a zone.
    """
    require_zone(moment)
    return _write(store, path, migrations, tables, moment)


def kept_envelopes_of(path: Path) -> dict[int, bytes]:
    """The first and the newest log entries' exact bytes that a replica's file keeps, by sequence.

    For ``Replica.repair``, from a file that another replica may have open. Raises LocalError.
    """
    with closing(open_reader(path)) as connection, local_faults("read", path):
        return read_envelopes(connection)


def _write(
    store: ObjectStore,
    path: Path,
    migrations: Sequence[Migration],
    tables: Sequence[str],
    moment: Moment | None,
    workers: int = 32,
) -> bool:
    ownership = FileOwnership(path)
    try:
        log = find_log(store, _no_clock)
        if log is None:
            return False
        usable = prepare_replacing(path)
        archive = Archive(store, log, migrations, tables, workers=workers)
        with archive.content_at(path, moment) as content:
            verify_database(content, log_key(1))
            replace_file(content, path, usable=usable)
        return True
    finally:
        ownership.release()


def prepare_replacing(path: Path) -> bool:
    """Tidy up where a file is to be replaced; whether there is a whole one of this engine.

    The caller owns the path. Raises PendingChanges if the file holds what is in no store yet.
    """
    remove_leftovers(path)
    fold_in(path)
    usable = path.exists() and is_usable(path)
    if usable:
        _require_nothing_pending(path)
    return usable


def replace_file(content: Path, path: Path, *, usable: bool) -> None:
    """Put a closed, verified file in a place for which ``prepare_replacing`` said ``usable``.

    What is damaged there, or of another log, is renamed and never deleted.
    """
    if not usable:
        set_aside_unusable(path)
    elif position_of(path).log_id != position_of(content).log_id:
        # Perhaps the only copy of what that log held.
        set_aside(path, "of-another-log")
    install(content, path)


def _require_nothing_pending(path: Path) -> None:
    """Refuse to replace a file of this engine that holds what is in no store yet."""
    with closing(open_reader(path)) as connection, local_faults("read", path):
        (pending,) = next(connection.execute("SELECT count(*) FROM replica_outbox"))
    if pending:
        raise PendingChanges("replace", str(path), detail=f"{pending} unsaved")


def position_of(path: Path) -> Position:
    """Where the content of a closed file stands. Raises LocalError."""
    with closing(open_reader(path)) as connection, local_faults("read", path):
        return read_position(connection)


def _keep_genesis(path: Path, genesis: Fetched) -> None:
    """Keep the first entry's bytes in a new file: it is the one that no newcomer can do without."""
    with closing(open_work_file(path)) as connection, local_faults("restore", path):
        sql = "INSERT OR REPLACE INTO replica_envelopes VALUES (1, ?)"
        connection.execute(sql, (genesis.body,))


def require_zone(moment: object) -> None:
    """Raise ValueError for a time without a zone: it could mean any."""
    if isinstance(moment, datetime) and moment.tzinfo is None:
        raise ValueError(f"{moment} has no time zone")


def _within(until: Moment | None) -> Within | None:
    match until:
        case None:
            return None
        case datetime():
            last = as_text(until)
            return lambda fetched, following: _stored_at(fetched, following) <= last
        case _:
            return lambda fetched, _: fetched.entry.sequence <= until


def _stored_at(fetched: Fetched, following: Fetched | None) -> str:
    """When an entry was stored: the next one says so, whatever became of the object since."""
    if following is None:
        return fetched.position_after("").stored_at
    return as_text(moment_of(following.entry.parent_stored_at_s))


def _no_clock() -> datetime:
    raise AssertionError("reading a log needs no clock")
