"""Changesets: recording what a transaction changes, and applying it to exactly that content.

A changeset is SQLite's own format (its session extension): whole rows for inserts and deletes, the
key and the changed columns for updates, tables and columns by name and position.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass

import apsw

from replica.errors import Diverged

__all__ = [
    "Recording",
    "Shape",
    "apply",
    "count_differences",
    "difference",
    "quoted",
    "read_shape",
    "recording",
    "touched_tables",
    "undo",
]

_MALFORMED = "its changeset is malformed"
_REASONS = {
    apsw.SQLITE_CHANGESET_DATA: "the row has other values",
    apsw.SQLITE_CHANGESET_NOTFOUND: "the row is missing",
    apsw.SQLITE_CHANGESET_CONFLICT: "the row exists already",
    apsw.SQLITE_CHANGESET_CONSTRAINT: "a constraint forbids it",
    apsw.SQLITE_CHANGESET_FOREIGN_KEY: "a foreign key forbids it",
}


@dataclass(frozen=True, slots=True)
class Shape:
    """A table's columns in their order, their defaults as SQL, and the positions of its key."""

    names: tuple[str, ...]
    defaults: tuple[str, ...]
    key: frozenset[int]


class Recording:
    """What has changed since ``recording`` began."""

    def __init__(self, session: apsw.Session) -> None:
        self._session = session

    def changeset(self) -> bytes:
        """What differs by now; empty if nothing does, even if something did in between."""
        return self._session.changeset()


@contextmanager
def recording(connection: apsw.Connection, tables: Sequence[str]) -> Iterator[Recording]:
    """Record what the block changes in ``tables``; a table that does not exist changes nothing."""
    with closing(apsw.Session(connection, "main")) as session:
        for table in tables:
            session.attach(table)
        _forget_prepared(connection)
        yield Recording(session)


def apply(connection: apsw.Connection, changeset: bytes, tables: Sequence[str], key: str) -> None:
    """Apply a changeset to the content on which it was recorded; the caller holds the transaction.

    ``key`` names it in errors. Raises Diverged, with nothing changed, if anything does not fit.
    """
    _apply(connection, changeset, tables, "apply", key)


def undo(connection: apsw.Connection, changeset: bytes, tables: Sequence[str], key: str) -> None:
    """Take a changeset back, as strictly as ``apply`` applies it."""
    with _refusing_damage("undo", key):
        inverse = apsw.Changeset.invert(changeset)
    _apply(connection, inverse, tables, "undo", key)


def difference(connection: apsw.Connection, from_schema: str, tables: Sequence[str]) -> bytes:
    """The changeset that turns the tables of an attached database into those of main."""
    with closing(apsw.Session(connection, "main")) as session:
        for table in tables:
            session.attach(table)
            session.diff(from_schema, table)
        return session.changeset()


def touched_tables(changeset: bytes) -> frozenset[str]:
    """The tables in which a changeset changes anything."""
    return frozenset(change.name for change in apsw.Changeset.iter(changeset))


def count_differences(
    connection: apsw.Connection, from_schema: str, table: str
) -> tuple[int, int, int]:
    """How many rows ``difference`` would insert, delete and update in one table.

    Counted by SQLite: a changeset holds every row of it in memory, and that can be all of them.
    """
    shape = read_shape(connection, table)
    if shape is None:
        return 0, 0, 0
    columns = [quoted(name) for name in shape.names]
    same = " AND ".join(f"wanted.{columns[at]} = found.{columns[at]}" for at in sorted(shape.key))
    differs = " OR ".join(f"wanted.{column} IS NOT found.{column}" for column in columns)
    wanted, found = f"main.{quoted(table)}", f"{quoted(from_schema)}.{quoted(table)}"
    sql = (
        f"SELECT (SELECT count(*) FROM {wanted}), (SELECT count(*) FROM {found}), count(*),"
        f" coalesce(sum({differs}), 0) FROM {wanted} AS wanted JOIN {found} AS found ON {same}"
    )
    rows_wanted, rows_found, common, changed = map(int, next(connection.execute(sql)))
    return rows_wanted - common, rows_found - common, changed


def read_shape(connection: apsw.Connection, table: str) -> Shape | None:
    """A table's columns and key; None if there is no such table."""
    rows = connection.execute(
        "SELECT name, coalesce(dflt_value, 'NULL'), pk FROM pragma_table_xinfo(?, 'main')"
        " WHERE hidden = 0 ORDER BY cid",
        (table,),
    ).fetchall()
    if not rows:
        return None
    names, defaults, positions = zip(*rows, strict=True)
    return Shape(names, defaults, frozenset(at for at, pk in enumerate(positions) if pk))


def quoted(name: str) -> str:
    """A table's or column's name as SQL."""
    return f'"{name.replace(chr(34), chr(34) * 2)}"'


def _forget_prepared(connection: apsw.Connection) -> None:
    """Have every statement prepared anew.

    SQLite empties a table for a DELETE without WHERE without looking at its rows, unless a session
    was there when the statement was prepared; a cached one would change what nobody records.
    """
    before = connection.authorizer
    connection.authorizer = _allow
    connection.authorizer = before


def _allow(*_: object) -> int:
    return apsw.SQLITE_OK


def _apply(
    connection: apsw.Connection,
    changeset: bytes,
    tables: Sequence[str],
    operation: str,
    key: str,
) -> None:
    conflicts: list[str] = []

    def refuse(reason: int, change: apsw.TableChange) -> int:
        conflicts.append(f"{change.op} in {change.name}: {_REASONS.get(reason, reason)}")
        return apsw.SQLITE_CHANGESET_ABORT

    # SQLite passes over a table that is missing or has another shape, without an error.
    with _refusing_damage(operation, key):
        touched = {
            (change.name, change.column_count, frozenset(change.pk_columns))
            for change in apsw.Changeset.iter(changeset)
        }
    if changeset and not touched:
        # Nothing like that is ever recorded, and SQLite would take it for no change.
        raise Diverged(operation, key, detail=_MALFORMED)
    for table, columns, key_columns in sorted(touched, key=repr):
        problem = _why_unfit(connection, table, columns, key_columns, tables)
        if problem:
            raise Diverged(operation, key, detail=f"{table}: {problem}")
    try:
        apsw.Changeset.apply(changeset, connection, conflict=refuse)
    except (apsw.AbortError, apsw.ConstraintError) as error:
        raise Diverged(operation, key, detail="; ".join(conflicts) or str(error)) from error


def _why_unfit(
    connection: apsw.Connection,
    table: str,
    columns: int,
    key_columns: frozenset[int],
    tables: Sequence[str],
) -> str:
    if table not in tables:
        return "not one of the replicated tables"
    shape = read_shape(connection, table)
    if shape is None:
        return "there is no such table"
    if len(shape.names) != columns:
        return f"made for {columns} columns, not {len(shape.names)}"
    if shape.key != key_columns:
        return "made for another primary key"
    return ""


@contextmanager
def _refusing_damage(operation: str, key: str) -> Iterator[None]:
    """No database is read in the block: what is malformed is the changeset."""
    try:
        yield
    except apsw.CorruptError as error:
        raise Diverged(operation, key, detail=_MALFORMED) from error
