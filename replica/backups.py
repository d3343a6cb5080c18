"""Content to go back to: what the tables held at a moment of the log, or what a backup holds.

A backup is verified in every way before anything is compared with it, and nothing that is wrong
with one says anything about the log.
"""

import itertools
import re
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import apsw

from replica.changes import read_shape
from replica.content import (
    Archive,
    Moment,
    position_of,
    prepare_replacing,
    replace_file,
)
from replica.database import (
    ENGINE_TABLES,
    Migration,
    in_transaction,
    migrate,
    open_work_file,
    temporary_database,
)
from replica.errors import (
    ForeignBackup,
    NotADatabase,
    NotASnapshot,
    ObjectExists,
    SnapshotCorrupt,
)
from replica.localfaults import local_faults
from replica.ownership import FileOwnership
from replica.snapshot import SnapshotMetadata
from replica.snapshots import BACKUPS, DAMAGE, SNAPSHOTS, require_named, unpack_verified
from replica.store import ObjectInfo, ObjectStore, PutMode

__all__ = [
    "BackupKey",
    "Earlier",
    "Source",
    "content_of",
    "fetch_backup",
    "put_backup",
    "require_label",
    "write_backup",
]

_LABEL = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")


@dataclass(frozen=True, slots=True)
class BackupKey:
    """An object below ``backups/`` or ``snapshots/``.

    ``sha256`` is that of the database in it, as somebody noted it elsewhere: a backup with another
    content is refused then, also one that fits itself. "" takes the object's own word, below
    ``snapshots/`` its name's.
    """

    key: str
    sha256: str = ""

    def __str__(self) -> str:
        return self.key


Source = Moment | BackupKey
"""What to go back to: a sequence, an aware time by the store's clock, or a backup."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """A content to go back to: a closed file with the schema of today, of the log ``log_id``.

    ``sequence`` is its place there; None for a backup of what the log does not hold (any more).
    """

    source: Source
    path: Path
    log_id: str
    sequence: int | None


@contextmanager
def content_of(
    source: Source,
    archive: Archive,
    *,
    store: ObjectStore,
    log_id: str,
    beside: Path,
    migrations: Sequence[Migration],
    tables: Sequence[str],
) -> Iterator[Earlier]:
    """The content that a source names, in a temporary file beside a database.

    ``tables`` are the replicated ones.

    Raises MomentUnknown for a moment outside the log; for a backup ObjectNotFound, ForeignBackup,
    NewerSchema and the other SnapshotErrors; LocalError, StoreError.
    """
    if isinstance(source, BackupKey):
        with temporary_database(beside) as path:
            metadata = fetch_backup(store, source, path, known_schema=len(migrations))
            if metadata.log_id != log_id:
                raise ForeignBackup("restore", source.key)
            _take_pending_for_given(path)
            try:
                _bring_up_to_date(path, migrations)
            except (apsw.SQLError, apsw.ConstraintError) as error:
                # A sound file with tables that no version of this program has made.
                raise NotADatabase("restore", source.key, detail=str(error)) from error
            _require_tables(path, source.key, migrations, tables)
            held = archive.holds(metadata.sequence, metadata.entry_sha256)
            yield Earlier(source, path, log_id, metadata.sequence if held else None)
        return
    with archive.content_at(beside, source) as path:
        position = position_of(path)
        _bring_up_to_date(path, migrations)
        yield Earlier(source, path, position.log_id, position.sequence)


def fetch_backup(
    store: ObjectStore, backup: BackupKey, target: Path, *, known_schema: int
) -> SnapshotMetadata:
    """Write a backup's database to ``target``, verified in every way, with the schema it has.

    Raises NotASnapshot, SnapshotCorrupt or NotADatabase when it arrived damaged twice or is not
    what ``backup.sha256`` says, ObjectNotFound, NewerSchema, LocalError, StoreError.
    """
    if not backup.key.startswith((BACKUPS, SNAPSHOTS)):
        found = f"backups are below {BACKUPS} and {SNAPSHOTS}"
        raise NotASnapshot("restore", backup.key, detail=found)
    try:
        return _fetch(store, backup, target, known_schema)
    except DAMAGE:
        # It may have been damaged on its way.
        return _fetch(store, backup, target, known_schema)


def require_label(label: str) -> None:
    """Raise ValueError for what cannot be part of a backup's key."""
    if not _LABEL.fullmatch(label):
        raise ValueError(f"a label is lower-case letters, digits and hyphens: {label!r}")


def put_backup(store: ObjectStore, body: bytes, label: str, moment: datetime) -> ObjectInfo:
    """Store a packed content under a UTC time and a label; no other backup is replaced."""
    require_label(label)
    stem = f"{BACKUPS}{moment:%Y-%m-%dT%H-%M-%SZ}-{label}"
    for count in itertools.count(1):
        key = f"{stem}.db.zst" if count == 1 else f"{stem}-{count}.db.zst"
        try:
            return store.put(key, body, PutMode.CREATE)
        except ObjectExists:
            continue
    raise AssertionError("unreachable")


def write_backup(
    store: ObjectStore, backup: BackupKey, path: Path, *, known_schema: int
) -> SnapshotMetadata:
    """Write a backup to a plain SQLite file that no replica has open, with the schema it has.

    What is there stays until the backup is verified; see ``write_newest``. Of any log. Raises as
    ``fetch_backup``, FileOwned and PendingChanges.
    """
    ownership = FileOwnership(path)
    try:
        usable = prepare_replacing(path)
        with temporary_database(path) as content:
            metadata = fetch_backup(store, backup, content, known_schema=known_schema)
            replace_file(content, path, usable=usable)
        return metadata
    finally:
        ownership.release()


def _fetch(
    store: ObjectStore, backup: BackupKey, target: Path, known_schema: int
) -> SnapshotMetadata:
    body = store.get(backup.key).body
    if backup.key.startswith(SNAPSHOTS):
        # Its name is the hash that somebody noted.
        require_named(body, backup.key)
    metadata = unpack_verified(body, backup.key, target, known_schema=known_schema)
    if backup.sha256 not in ("", metadata.sha256):
        found = "its content is not the one that was noted"
        raise SnapshotCorrupt("restore", backup.key, detail=found)
    return metadata


def _take_pending_for_given(path: Path) -> None:
    """Keep what was pending in a copy that was set aside as content: that is what it is for."""
    with (
        closing(open_work_file(path)) as connection,
        local_faults("restore", path),
        in_transaction(connection),
    ):
        connection.execute("DELETE FROM replica_outbox; DELETE FROM replica_claim")


def _bring_up_to_date(path: Path, migrations: Sequence[Migration]) -> None:
    with closing(open_work_file(path)) as connection:
        migrate(connection, path, migrations)


def _require_tables(
    path: Path, key: str, migrations: Sequence[Migration], tables: Sequence[str]
) -> None:
    """Refuse tables that the migrations do not make: SQLite would compare nothing, silently."""
    with (
        closing(apsw.Connection(":memory:")) as expected,
        closing(open_work_file(path)) as connection,
        local_faults("read", path),
    ):
        expected.execute(ENGINE_TABLES)
        migrate(expected, path, migrations)
        for table in tables:
            if read_shape(connection, table) != read_shape(expected, table):
                raise NotADatabase("restore", key, detail=f"its table {table} is another")
