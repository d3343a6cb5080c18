"""The conflict policy, applied by the writer whose transaction came later.

An insert that meets a row merges into it: a value of ours wins, our NULL says nothing. A column
that both changed keeps our value. A delete wins over an update, whoever made which. What cannot be
applied is set aside whole. Every value that is lost on the way has a row in ``sync_conflicts``.
"""

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import apsw

from replica.changes import Shape, quoted, read_shape

__all__ = ["CONFLICTS_TABLE", "CREATE_CONFLICTS", "reapply"]

CONFLICTS_TABLE = "sync_conflicts"

# column_name is NULL where it is about the whole row. kept and lost are JSON: a value, or for a
# whole row an object of values by column; a blob is {"blob": "<hex>"}. kept is NULL if nothing was.
CREATE_CONFLICTS = f"""
CREATE TABLE {CONFLICTS_TABLE} (
    conflict_id    TEXT PRIMARY KEY NOT NULL,
    transaction_id TEXT NOT NULL,
    sequence       INTEGER NOT NULL,
    table_name     TEXT NOT NULL,
    row_key        TEXT NOT NULL,
    column_name    TEXT,
    resolution     TEXT NOT NULL,
    kept           TEXT,
    lost           TEXT
) WITHOUT ROWID"""

Value = None | int | float | str | bytes
_Values = Mapping[int, Value]
"""By position of the column."""


class _Unfit(Exception):
    """The change is not for a table of this shape."""


# UnicodeDecodeError: a text that is none, as CAST(blob AS TEXT) makes it. What concerns the disk
# is no property of the transaction and passes through.
_CANNOT_BE_APPLIED = (
    _Unfit,
    UnicodeDecodeError,
    apsw.ConstraintError,
    apsw.MismatchError,
    apsw.SQLError,
    apsw.TooBigError,
)


@dataclass(frozen=True, slots=True)
class _RowChange:
    """One row's change; ``old`` and ``new`` have only the columns that the changeset has."""

    table: str
    operation: str
    column_count: int
    key_columns: frozenset[int]
    old: _Values
    new: _Values

    @property
    def key(self) -> _Values:
        values = self.new if self.operation == "INSERT" else self.old
        return {at: values[at] for at in sorted(self.key_columns)}


def reapply(connection: apsw.Connection, intent: bytes, transaction_id: str, sequence: int) -> bool:
    """Apply a transaction once more, on content that others have changed meanwhile.

    ``sequence`` is the log entry that the content holds. The caller holds the transaction and
    records what this changes, the rows of ``sync_conflicts`` included. False: it could not be
    applied, nothing of it was, and its values are in ``sync_conflicts``.
    """
    notes = _Notes(connection, transaction_id, sequence)
    connection.execute("SAVEPOINT reapply")
    try:
        merge = _Merge(connection, notes)
        for change in _row_changes(intent):
            merge.apply(change)
    except _CANNOT_BE_APPLIED:
        connection.execute("ROLLBACK TO reapply")
        _set_aside(connection, notes, intent)
        applied = False
    else:
        applied = True
    connection.execute("RELEASE reapply")
    return applied


class _Notes:
    """Writes the rows of ``sync_conflicts`` for one transaction."""

    def __init__(self, connection: apsw.Connection, transaction_id: str, sequence: int) -> None:
        self._connection = connection
        self._about = (transaction_id, sequence)

    def add(
        self,
        table: str,
        key: Iterable[Value],
        column: str | None,
        resolution: str,
        *,
        kept: str | None,
        lost: str,
    ) -> None:
        row_key = f"[{', '.join(map(_as_json, key))}]"
        row = (*self._about, table, row_key, column, resolution, kept, lost)
        name = hashlib.sha256(json.dumps(row).encode()).hexdigest()[:32]
        self._connection.execute(
            f"INSERT INTO main.{CONFLICTS_TABLE} VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (conflict_id) DO NOTHING",
            (name, *row),
        )


class _Merge:
    """Applies row changes under the policy."""

    def __init__(self, connection: apsw.Connection, notes: _Notes) -> None:
        self._connection = connection
        self._notes = notes
        self._shapes: dict[str, Shape | None] = {}

    def apply(self, change: _RowChange) -> None:
        shape = self._shape(change)
        current = self._read(change, shape)
        match change.operation, current:
            case "INSERT", None:
                self._insert(change, shape)
            case "UPDATE", None:
                lost = _as_json_object(shape.names, change.new)
                self._note(change, None, "deleted", kept=None, lost=lost)
            case "DELETE", None:
                pass
            case "INSERT", tuple():
                # NULL stands for what nobody said.
                said = {at: value for at, value in change.new.items() if value is not None}
                self._overwrite(change, shape, current, said)
            case "UPDATE", tuple():
                self._overwrite(change, shape, current, change.new)
            case "DELETE", tuple():
                self._delete(change, shape, current)

    def _shape(self, change: _RowChange) -> Shape:
        if change.table not in self._shapes:
            self._shapes[change.table] = read_shape(self._connection, change.table)
        shape = self._shapes[change.table]
        if shape is None or shape.key != change.key_columns:
            raise _Unfit(change.table)
        # A table may have gained columns since, at its end; those are left alone.
        if len(shape.names) < change.column_count:
            raise _Unfit(change.table)
        return shape

    def _read(self, change: _RowChange, shape: Shape) -> tuple[Value, ...] | None:
        return self._execute("SELECT * FROM", change, shape).fetchone()

    def _insert(self, change: _RowChange, shape: Shape) -> None:
        columns = ", ".join(quoted(shape.names[at]) for at in change.new)
        places = ", ".join("?" * len(change.new))
        self._connection.execute(
            f"INSERT INTO main.{quoted(change.table)} ({columns}) VALUES ({places})",
            tuple(change.new.values()),
        )

    def _overwrite(
        self, change: _RowChange, shape: Shape, current: tuple[Value, ...], ours: _Values
    ) -> None:
        differing = {at: value for at, value in ours.items() if not _same(value, current[at])}
        if not differing:
            return
        for at, value in differing.items():
            # What we saw when we wrote was ours to replace.
            if at not in change.old or not _same(change.old[at], current[at]):
                lost = _as_json(current[at])
                self._note(change, shape.names[at], "overwritten", kept=_as_json(value), lost=lost)
        columns = ", ".join(f"{quoted(shape.names[at])} = ?" for at in differing)
        sql = f"UPDATE main.{quoted(change.table)} SET {columns} WHERE {_where(change, shape)}"
        self._connection.execute(sql, (*differing.values(), *change.key.values()))

    def _delete(self, change: _RowChange, shape: Shape, current: tuple[Value, ...]) -> None:
        unseen = {
            at: current[at] for at, value in change.old.items() if not _same(value, current[at])
        } | self._gained(change, shape, current)
        if unseen:
            lost = _as_json_object(shape.names, unseen)
            self._note(change, None, "deleted", kept=None, lost=lost)
        self._execute("DELETE FROM", change, shape)

    def _gained(
        self, change: _RowChange, shape: Shape, current: tuple[Value, ...]
    ) -> dict[int, Value]:
        """Values in columns that the table did not have when the change was made."""
        gained = range(change.column_count, len(shape.names))
        if not gained:
            return {}
        tests = (f"{quoted(shape.names[at])} IS NOT ({shape.defaults[at]})" for at in gained)
        differ = next(self._execute(f"SELECT {', '.join(tests)} FROM", change, shape))
        return {at: current[at] for at, set_since in zip(gained, differ, strict=True) if set_since}

    def _execute(self, verb: str, change: _RowChange, shape: Shape) -> apsw.Cursor:
        sql = f"{verb} main.{quoted(change.table)} WHERE {_where(change, shape)}"
        return self._connection.execute(sql, tuple(change.key.values()))

    def _note(
        self,
        change: _RowChange,
        column: str | None,
        resolution: str,
        *,
        kept: str | None,
        lost: str,
    ) -> None:
        key = change.key.values()
        self._notes.add(change.table, key, column, resolution, kept=kept, lost=lost)


def _where(change: _RowChange, shape: Shape) -> str:
    return " AND ".join(f"{quoted(shape.names[at])} = ?" for at in change.key)


def _set_aside(connection: apsw.Connection, notes: _Notes, intent: bytes) -> None:
    """Note what a transaction would have changed, row by row; a deleted row's values are null."""
    try:
        changes = list(_row_changes(intent))
    except UnicodeDecodeError:
        # Nothing that JSON could hold; as bytes it is whole.
        notes.add("", (), None, "set_aside", kept=None, lost=_as_json(intent))
        return
    for change in changes:
        shape = read_shape(connection, change.table)
        known = shape.names if shape else ()
        # The table may be gone, or have other columns.
        unknown = (f"column {at + 1}" for at in range(len(known), change.column_count))
        names = (*known, *unknown)
        lost = "null" if change.operation == "DELETE" else _as_json_object(names, change.new)
        notes.add(change.table, change.key.values(), None, "set_aside", kept=None, lost=lost)


def _row_changes(changeset: bytes) -> Iterator[_RowChange]:
    for change in apsw.Changeset.iter(changeset):
        yield _RowChange(
            change.name,
            change.op,
            change.column_count,
            frozenset(change.pk_columns),
            _present(change.old),
            _present(change.new),
        )


def _present(values: tuple[Any, ...] | None) -> _Values:
    return {at: value for at, value in enumerate(values or ()) if value is not apsw.no_change}


def _same(one: Value, other: Value) -> bool:
    """Whether SQLite stores the same: to Python, 1 and 1.0 are equal."""
    return type(one) is type(other) and one == other


def _as_json(value: Value) -> str:
    match value:
        case bytes():
            return json.dumps({"blob": value.hex()})
        case float() if math.isinf(value):
            # JSON has no infinity, but every reader takes this for one.
            return "9e999" if value > 0 else "-9e999"
        case _:
            return json.dumps(value, ensure_ascii=False)


def _as_json_object(names: Sequence[str], values: _Values) -> str:
    members = (f"{_as_json(names[at])}: {_as_json(value)}" for at, value in values.items())
    return f"{{{', '.join(members)}}}"
