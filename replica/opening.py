"""Opening the local file: what is there is verified, and never deleted."""

from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from random import Random

import apsw

from replica.adoption import OLD_ENGINE_TABLE
from replica.database import (
    ENGINE_TABLES,
    Migration,
    has_table,
    migrate,
    open_reader,
    open_writer,
    schema_version,
    set_aside,
    verify_database,
)
from replica.errors import NewerSchema, NotADatabase, SnapshotCorrupt
from replica.live import LiveDatabase
from replica.localfaults import local_faults
from replica.tables import lint

__all__ = ["is_usable", "open_database", "require_fit_tables", "set_aside_unusable"]


def is_usable(path: Path) -> bool:
    """Whether a file that is there is a whole one of this version. Raises LocalError."""
    try:
        return not has_table(path, OLD_ENGINE_TABLE) and _verify(path)
    except (NotADatabase, SnapshotCorrupt):
        return False


def set_aside_unusable(path: Path, now: datetime | None = None) -> str:
    """Rename a file that cannot be used; what was wrong with it, for people, "" if nothing.

    ``now`` becomes part of its name, if given; no file is ever replaced by it.
    """
    if not path.exists():
        return ""
    moment = "" if now is None else f"-{now:%Y-%m-%dT%H-%M-%SZ}"
    try:
        if has_table(path, OLD_ENGINE_TABLE):
            unsaved = _never_saved(path)
            aside = set_aside(path, f"before-the-log{moment}")
            holds = f"; {unsaved} of its changes were never saved" if unsaved else ""
            return f"The file of an earlier version was kept as {aside.name}{holds}."
        _verify(path)
    except (NotADatabase, SnapshotCorrupt) as error:
        aside = set_aside(path, f"damaged{moment}")
        return f"{error} The file was kept as {aside.name}."
    return ""


def _verify(path: Path) -> bool:
    """True, or the error that says what is wrong."""
    try:
        verify_database(path, str(path), foreign_keys=False)
    except SnapshotCorrupt:
        # SQLite calls a read that fails once damage too.
        verify_database(path, str(path), foreign_keys=False)
    return True


def _never_saved(path: Path) -> int:
    """How many changes a file of the time before the log holds that are in no store."""
    with closing(open_reader(path)) as connection, local_faults("read", path):
        sql = "SELECT count(*) FROM replica_transactions WHERE sequence IS NULL"
        return int(next(connection.execute(sql))[0])


def require_fit_tables(path: Path, migrations: Sequence[Migration], tables: Sequence[str]) -> None:
    """Refuse a schema with tables that cannot be replicated, before it is in any log.

    Raises UnfitTables.
    """
    with closing(apsw.Connection(":memory:")) as connection:
        connection.execute(ENGINE_TABLES)
        migrate(connection, path, migrations)
        lint(connection, tables, path)


def open_database(
    path: Path,
    migrations: Sequence[Migration],
    tables: Sequence[str],
    *,
    clock: Callable[[], datetime],
    randomness: Random,
) -> LiveDatabase:
    """Open a verified file. Raises NewerSchema if it is ahead of ``migrations``."""
    with closing(open_writer(path)) as connection, local_faults("open", path):
        found, known = schema_version(connection), len(migrations)
    if found > known:
        raise NewerSchema("open", str(path), detail=f"schema {found}, known {known}")
    return LiveDatabase(path, migrations, tables, clock=clock, randomness=randomness)
