"""Opening, migrating, checking and copying SQLite files. APSW is the only door to them."""

import hashlib
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import apsw

from replica.changes import quoted
from replica.conflicts import CREATE_CONFLICTS
from replica.errors import (
    FileOwned,
    LocalCorrupt,
    NewerSchema,
    NotADatabase,
    ReadOnlyDisk,
    SnapshotCorrupt,
)
from replica.localfaults import local_faults

__all__ = [
    "ENGINE_TABLES",
    "Migration",
    "compact_copy",
    "copy_database",
    "create_database",
    "empty_local_tables",
    "fold_in",
    "has_table",
    "in_transaction",
    "install",
    "migrate",
    "open_reader",
    "open_work_file",
    "open_writer",
    "remove_leftovers",
    "schema_version",
    "set_aside",
    "temporary_database",
    "verify_database",
]

APPLICATION_ID = 0x52504C43
_READ_WRITE = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE
_JOURNAL_LIMIT_BYTES = 1 << 20
_BUSY_TIMEOUT_MS = 5000
_TEMPORARY_MARK = ".partial-"

# What a file knows of its place in the log. All but replica_position and replica_transactions
# concern this one file only and are emptied in every snapshot.
ENGINE_TABLES = f"""
CREATE TABLE replica_position (
    only_row     INTEGER PRIMARY KEY NOT NULL CHECK (only_row = 1),
    log_id       TEXT NOT NULL,
    mode         TEXT NOT NULL,
    sequence     INTEGER NOT NULL,
    entry_sha256 TEXT NOT NULL,
    stored_at    TEXT NOT NULL
);
INSERT INTO replica_position VALUES (1, '', '', 0, '', '');
CREATE TABLE replica_transactions (
    transaction_id TEXT PRIMARY KEY NOT NULL,
    sequence       INTEGER NOT NULL,
    stored_at      TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE replica_outbox (
    position       INTEGER PRIMARY KEY NOT NULL,
    transaction_id TEXT NOT NULL UNIQUE,
    committed_at   TEXT NOT NULL,
    intent         BLOB NOT NULL,
    effect         BLOB NOT NULL
);
CREATE TABLE replica_claim (
    only_row INTEGER PRIMARY KEY NOT NULL CHECK (only_row = 1),
    sequence INTEGER NOT NULL,
    body     BLOB NOT NULL
);
CREATE TABLE replica_envelopes (
    sequence INTEGER PRIMARY KEY NOT NULL,
    body     BLOB NOT NULL
);
CREATE TABLE replica_writers (
    writer_id TEXT PRIMARY KEY NOT NULL,
    sequence  INTEGER NOT NULL,
    stored_at TEXT NOT NULL
) WITHOUT ROWID;
{CREATE_CONFLICTS};
PRAGMA application_id = {APPLICATION_ID};
"""


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema; versions are dense from 1, ``PRAGMA user_version`` holds the last."""

    version: int
    name: str
    sql: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


def open_writer(path: Path) -> apsw.Connection:
    """The connection that writes: WAL, and a commit that survives a power cut.

    synchronous=FULL costs one fsync a commit. NORMAL could lose a write that was already
    answered, and until it is published there is no other copy of it.
    """
    with local_faults("open", path):
        connection = apsw.Connection(str(path), flags=_READ_WRITE)
        try:
            connection.set_busy_timeout(_BUSY_TIMEOUT_MS)
            # One by one: a statement that returns a row ends an execute of several.
            connection.pragma("journal_mode", "wal")
            connection.pragma("synchronous", "full")
            connection.pragma("journal_size_limit", _JOURNAL_LIMIT_BYTES)
            _require_writable(connection, path)
        except BaseException:
            connection.close(True)
            raise
    return connection


def open_work_file(path: Path) -> apsw.Connection:
    """A connection to a file that nobody else has and that is synced, or dropped, as a whole."""
    with local_faults("open", path):
        connection = apsw.Connection(str(path), flags=_READ_WRITE)
        try:
            connection.execute("PRAGMA synchronous=OFF")
            # What is done to a work file is the engine's doing and must have no further effects.
            connection.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 0)
            _require_writable(connection, path)
        except BaseException:
            connection.close(True)
            raise
    return connection


def _require_writable(connection: apsw.Connection, path: Path) -> None:
    # SQLite opens for reading when opening for writing fails once, and stays with that.
    if connection.readonly("main"):
        raise ReadOnlyDisk("open", str(path))


@contextmanager
def in_transaction(connection: apsw.Connection) -> Iterator[None]:
    """All of the block's statements or none.

    After some failures SQLite ends the transaction by itself, and a ROLLBACK would hide them.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def open_reader(path: Path, attach: Mapping[str, Path] | None = None) -> apsw.Connection:
    """A connection that cannot write, neither here nor in what is attached."""
    connection = _open_read_only(path)
    try:
        for name, attached in (attach or {}).items():
            with local_faults("attach", attached):
                uri = f"{attached.absolute().as_uri()}?mode=ro"
                connection.execute(f"ATTACH ? AS {quoted(name)}", (uri,))
        # One moment for all statements of the caller, whatever is restored meanwhile.
        connection.execute("PRAGMA query_only=ON; BEGIN")
    except BaseException:
        connection.close(True)
        raise
    return connection


def _open_read_only(path: Path) -> apsw.Connection:
    with local_faults("open", path):
        flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
        connection = apsw.Connection(str(path), flags=flags)
        connection.set_busy_timeout(_BUSY_TIMEOUT_MS)
    return connection


def schema_version(connection: apsw.Connection) -> int:
    return int(connection.pragma("user_version"))


def create_database(path: Path, migrations: Sequence[Migration]) -> None:
    """A new database with the engine's tables and the whole schema."""
    with closing(open_writer(path)) as connection:
        with local_faults("create", path), in_transaction(connection):
            connection.execute(ENGINE_TABLES)
        migrate(connection, path, migrations)


def migrate(connection: apsw.Connection, path: Path, migrations: Sequence[Migration]) -> None:
    """Bring the schema up to date, one transaction a step.

    Raises NewerSchema when the file is ahead of ``migrations``.
    """
    with local_faults("migrate", path):
        current = schema_version(connection)
    if current > len(migrations):
        raise NewerSchema("open", str(path), detail=f"schema {current}, known {len(migrations)}")
    for migration in migrations[current:]:
        with local_faults(f"migrate to {migration.name} in", path), in_transaction(connection):
            # A statement that returns a row ends an execute unless its rows are taken.
            for _ in connection.execute(migration.sql):
                pass
            connection.pragma("user_version", migration.version)


def verify_database(
    path: Path, key: str, engine_table: str = "replica_position", *, foreign_keys: bool = True
) -> int:
    """Check a closed file as a whole; returns its schema version.

    ``key`` names where it came from, ``engine_table`` is what this version of the engine has in
    each file. ``foreign_keys`` are checked where local tables are empty: others may have deleted
    what a local row refers to. Raises NotADatabase or SnapshotCorrupt; a failing disk is no damage
    and raises a LocalError.
    """
    try:
        with closing(_open_read_only(path)) as connection, local_faults("verify", path):
            if connection.pragma("application_id") != APPLICATION_ID:
                raise NotADatabase("verify", key)
            findings = [row[0] for row in connection.execute("PRAGMA quick_check(3)")]
            if findings != ["ok"]:
                raise SnapshotCorrupt("verify", key, detail="; ".join(map(str, findings)))
            check = "PRAGMA foreign_key_check" if foreign_keys else "SELECT 1 WHERE FALSE"
            for table, *_ in connection.execute(check):
                raise SnapshotCorrupt("verify", key, detail=f"foreign keys of {table}")
            connection.execute(f"SELECT * FROM {engine_table}, replica_transactions LIMIT 0")
            return schema_version(connection)
    except apsw.SQLError as error:
        raise NotADatabase("verify", key, detail=str(error)) from error
    except LocalCorrupt as error:
        if isinstance(error.__cause__, apsw.NotADBError):
            raise NotADatabase("verify", key) from error
        raise SnapshotCorrupt("verify", key, detail=error.detail) from error


def has_table(path: Path, table: str) -> bool:
    """Whether a closed file has a table; False for what is no database."""
    try:
        with closing(_open_read_only(path)) as connection, local_faults("read", path):
            sql = "SELECT 1 FROM sqlite_schema WHERE name = ?"
            return connection.execute(sql, (table,)).fetchone() is not None
    except LocalCorrupt:
        return False


def compact_copy(path: Path, target: Path) -> None:
    """Write one moment of an open file to ``target``, without free pages and in one piece."""
    with local_faults("copy", path), closing(_open_read_only(path)) as connection:
        connection.execute("VACUUM INTO ?", (str(target),))


def empty_local_tables(
    connection: apsw.Connection, tables: Sequence[str], *, pending: bool = False
) -> None:
    """Delete what concerns one file only: the engine's own notes and every other local table.

    ``pending`` keeps the outbox.
    """
    kept = {*tables, "replica_position", "replica_transactions"}
    if pending:
        kept.add("replica_outbox")
    rows = connection.execute(
        "SELECT name FROM pragma_table_list WHERE schema = 'main'"
        " AND type IN ('table', 'virtual') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
    )
    for name in [str(row[0]) for row in rows]:
        if name not in kept:
            connection.execute(f"DELETE FROM {quoted(name)}")


def copy_database(source: apsw.Connection, target: apsw.Connection) -> None:
    """Replace ``target``'s content; readers of either see one state or the other, never half."""
    with target.backup("main", source, "main") as backup:
        while not backup.done:
            backup.step(-1)


@contextmanager
def temporary_database(path: Path) -> Iterator[Path]:
    """A name for a work file beside ``path``, on the same file system; gone afterwards."""
    with local_faults("write beside", path):
        descriptor, name = tempfile.mkstemp(prefix=path.name + _TEMPORARY_MARK, dir=path.parent)
        os.close(descriptor)
    temporary = Path(name)
    try:
        yield temporary
    finally:
        for leftover in (temporary, *_companions(temporary)):
            # The next start removes what stays.
            with suppress(OSError):
                leftover.unlink(missing_ok=True)


def remove_leftovers(path: Path) -> None:
    """Delete work files that a killed process left beside ``path``."""
    with local_faults("tidy up beside", path):
        for leftover in path.parent.glob(f"{path.name}{_TEMPORARY_MARK}*"):
            leftover.unlink(missing_ok=True)


def install(temporary: Path, path: Path) -> None:
    """Put a closed, verified file in its place, so that a crash leaves the old or the new one."""
    with local_faults("install", path):
        # SQLite would apply the old file's log to the new file.
        if not fold_in(path):
            raise FileOwned("replace", str(path), detail="another program has it open")
        descriptor = os.open(temporary, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(temporary, path)
        _fsync_folder(path.parent)


def fold_in(path: Path) -> bool:
    """Finish what a killed program left in a log beside a file; False if a log is still there.

    A file with a log that cannot be read is set aside.
    """
    logs = [path.with_name(path.name + end) for end in ("-wal", "-journal")]
    if any(log.exists() for log in logs):
        try:
            open_writer(path).close()
        except LocalCorrupt:
            set_aside(path, "damaged")
    return not any(log.exists() for log in logs)


def set_aside(path: Path, suffix: str) -> Path:
    """Rename a file and its write-ahead log; returns the new name, which never existed before."""
    target, count = path.with_name(f"{path.name}.{suffix}"), 1
    while target.exists():
        count += 1
        target = path.with_name(f"{path.name}.{suffix}-{count}")
    with local_faults("set aside", path):
        log, shared_memory = _companions(path)
        if log.exists():
            os.replace(log, _companions(target)[0])
        shared_memory.unlink(missing_ok=True)
        if path.exists():
            os.replace(path, target)
    return target


def _companions(path: Path) -> tuple[Path, Path]:
    return path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")


def _fsync_folder(folder: Path) -> None:
    """Make a rename in ``folder`` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
