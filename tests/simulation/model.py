"""What was written, by whom, on top of what they saw: the truth that the checker compares with.

Every value that a run writes is written once and by nobody else, so wherever it turns up it names
its transaction; and wherever it is gone, something has to account for it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from random import Random

from replica import Migration, RestorePlan, Transaction
from replica.backups import Source

__all__ = [
    "CATALOGUE",
    "MIGRATIONS",
    "Asked",
    "Cell",
    "Change",
    "Key",
    "Model",
    "Row",
    "RowKey",
    "Value",
    "Written",
    "is_own_value",
    "note_backup",
    "tables_of",
    "values_in",
    "write_something",
]

Value = None | int | float | str | bytes
Row = dict[str, Value]
Key = tuple[Value, ...]
RowKey = tuple[str, Key]
"""Table and values of the key columns."""
Cell = tuple[str, Key, str]

CATALOGUE = "s3_data_backups"
"""As the program calls it: drills look there for the hashes of earlier backups."""

MIGRATIONS = (
    Migration(
        1,
        "first",
        """
        CREATE TABLE items (item_id TEXT PRIMARY KEY NOT NULL, a, b, c) WITHOUT ROWID;
        CREATE TABLE pairs (
            left_id INTEGER NOT NULL, right_id TEXT NOT NULL, a, b,
            PRIMARY KEY (right_id, left_id)
        );
        CREATE TABLE numbers (number INTEGER PRIMARY KEY NOT NULL, a, b);
        CREATE TABLE ballast (name TEXT PRIMARY KEY NOT NULL, body) WITHOUT ROWID;
        CREATE TABLE local_notes (name TEXT PRIMARY KEY NOT NULL, text);
        CREATE TABLE s3_data_backups (
            backup_key TEXT PRIMARY KEY NOT NULL, sha256 TEXT NOT NULL, noted
        ) WITHOUT ROWID;
        """,
    ),
    Migration(
        2,
        "second",
        """
        ALTER TABLE items ADD COLUMN d DEFAULT 'none yet';
        ALTER TABLE pairs ADD COLUMN c;
        CREATE TABLE extras (extra_id TEXT PRIMARY KEY NOT NULL, a, b) WITHOUT ROWID;
        INSERT INTO extras VALUES ('made by the migration', NULL, NULL);
        """,
    ),
)

_KEY_COLUMNS = {
    "items": ("item_id",),
    "pairs": ("right_id", "left_id"),
    "numbers": ("number",),
    "extras": ("extra_id",),
    "ballast": ("name",),
    CATALOGUE: ("backup_key",),
}
_FIRST_TABLES = ("items", "pairs", "numbers", "ballast", CATALOGUE)
_SHARED_KEYS: Mapping[str, tuple[Key, ...]] = {
    "items": tuple((name,) for name in ("ada", "ben", "cyd", "dot")),
    "pairs": (("x", 1), ("x", 2), ("y", 1)),
    "numbers": ((1,), (7,)),
    "extras": (("one",), ("two",)),
}
_MARK = "w:"


def tables_of(version: int) -> tuple[str, ...]:
    """The replicated tables that a program with this many migrations names."""
    return _FIRST_TABLES if version < 2 else (*_FIRST_TABLES, "extras")


def key_columns(table: str) -> tuple[str, ...]:
    return _KEY_COLUMNS[table]


def is_own_value(value: Value) -> bool:
    """True for a value that some transaction of the run has written, and only it."""
    if isinstance(value, bytes):
        return value.startswith(_MARK.encode())
    return isinstance(value, str) and value.startswith(_MARK)


def values_in(text: str | None) -> Iterator[Value]:
    """All values in the JSON of a conflict."""
    waiting = [json.loads(text)] if text is not None else []
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict) and set(value) == {"blob"}:
            yield bytes.fromhex(value["blob"])
        elif isinstance(value, dict):
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
        else:
            yield value


@dataclass(frozen=True, slots=True)
class Change:
    """One row before and after a transaction; None where it was not there."""

    before: Row | None
    after: Row | None

    @property
    def size(self) -> int:
        return sum(
            len(value) if isinstance(value, str | bytes) else 8
            for row in (self.before, self.after)
            for value in (row or {}).values()
        )


@dataclass(frozen=True, slots=True)
class Written:
    """A transaction as its writer saw it."""

    transaction_id: str
    actor: str
    changes: Mapping[RowKey, Change]

    @property
    def size(self) -> int:
        return sum(change.size + 64 for change in self.changes.values())

    def describe(self) -> str:
        """For the trace."""
        rows = [
            f"{table} {key}: {_short(change.before)} -> {_short(change.after)}"
            for (table, key), change in self.changes.items()
        ]
        return f"{self.transaction_id[:8]} {'; '.join(rows) or 'nothing'}"

    def set_values(self) -> Iterator[tuple[Cell, Value]]:
        """The cells to which it gave a value of its own, or one that it moved."""
        for (table, key), change in self.changes.items():
            before = change.before or {}
            for column, value in (change.after or {}).items():
                if is_own_value(value) and before.get(column) != value:
                    yield (table, key, column), value

    def saw(self, cell: Cell, value: Value) -> bool:
        """Whether it had this value before it when it changed the row."""
        table, key, column = cell
        change = self.changes.get((table, key))
        return change is not None and (change.before or {}).get(column) == value


@dataclass(frozen=True, slots=True)
class Asked:
    """A restore: to where, of which tables, and the plan that it was held to."""

    source: Source
    tables: tuple[str, ...]
    planned: RestorePlan | None


@dataclass
class Model:
    """All transactions of a run; ids in the order of their commits."""

    written: dict[str, Written] = field(default_factory=dict)
    acknowledged: set[str] = field(default_factory=set)
    durable: dict[str, int] = field(default_factory=dict)
    set_aside: set[str] = field(default_factory=set)
    given_up: set[str] = field(default_factory=set)
    """Kept in a backup when their replica took over from the store."""
    taken_away: set[str] = field(default_factory=set)
    """In entries that the bucket's owner took away, for a while or for good."""
    restores: dict[str, Asked] = field(default_factory=dict)
    """By their transactions' ids."""
    given_up_restores: set[str] = field(default_factory=set)
    """Restores of which the replica said, when they failed, that they will not come about."""
    _values: int = 0

    def new_value(self, random: Random, *, large: bool = False) -> Value:
        """A value that was never used before."""
        self._values += 1
        text = f"{_MARK}{self._values}"
        if large:
            text += f" {random.randbytes(1000).hex()}"
        return text.encode() if random.random() < 0.1 else text


def write_something(
    model: Model, random: Random, transaction: Transaction, own_name: str
) -> dict[RowKey, Change]:
    """Run random statements on keys that others use too; returns what they came to."""
    tables = [table for table in _SHARED_KEYS if _exists(transaction, table)]
    before: dict[RowKey, Row | None] = {}
    large = random.random() < 0.03

    def touch(table: str, key: Key) -> Row | None:
        row = _row(transaction, table, key)
        before.setdefault((table, key), row)
        return row

    for _ in range(random.choice((1, 1, 1, 2, 3, 12 if large else 5))):
        table = random.choice(tables)
        key: Key = random.choice(_SHARED_KEYS[table])
        if random.random() < 0.15 and table != "numbers":
            key = (f"{own_name}-{random.randrange(100)}", *key[1:])
        row = touch(table, key)
        columns = _value_columns(transaction, table)
        if row is None:
            _insert(model, random, transaction, table, key, columns, large=large)
        elif (chance := random.random()) < 0.2:
            _delete(transaction, table, key)
        elif chance < 0.23:
            for other in _keys(transaction, table):
                touch(table, other)
            transaction.execute(f"DELETE FROM {table}")
        elif chance < 0.31:
            target: Key = random.choice(_SHARED_KEYS[table])
            if touch(table, target) is None:
                _move(transaction, table, key, target)
        else:
            _update(model, random, transaction, table, key, columns)
    found = {rk: Change(row, _row(transaction, *rk)) for rk, row in before.items()}
    return {rk: change for rk, change in found.items() if change.before != change.after}


def note_backup(
    model: Model, random: Random, transaction: Transaction, key: str, sha256: str
) -> dict[RowKey, Change]:
    """Put a backup into the catalogue; returns what that came to."""
    before = _row(transaction, CATALOGUE, (key,))
    transaction.execute(
        f"INSERT OR REPLACE INTO {CATALOGUE} VALUES (?, ?, ?)",
        (key, sha256, model.new_value(random)),
    )
    return {(CATALOGUE, (key,)): Change(before, _row(transaction, CATALOGUE, (key,)))}


def _short(row: Row | None) -> str:
    if row is None:
        return "none"
    return "{" + ", ".join(f"{name}={str(value)[:12]}" for name, value in row.items()) + "}"


def _exists(transaction: Transaction, table: str) -> bool:
    sql = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?"
    return transaction.execute(sql, (table,)).fetchone() is not None


def _value_columns(transaction: Transaction, table: str) -> list[str]:
    rows = transaction.execute("SELECT name FROM pragma_table_info(?)", (table,))
    return [name for (name,) in rows if name not in _KEY_COLUMNS[table]]


def _where(table: str) -> str:
    return " AND ".join(f"{column} = ?" for column in _KEY_COLUMNS[table])


def _row(transaction: Transaction, table: str, key: Key) -> Row | None:
    cursor = transaction.execute(f"SELECT * FROM {table} WHERE {_where(table)}", key)
    for values in cursor:
        names = [name for name, *_ in cursor.get_description()]
        return dict(zip(names, values, strict=True))
    return None


def _keys(transaction: Transaction, table: str) -> list[Key]:
    return list(transaction.execute(f"SELECT {', '.join(_KEY_COLUMNS[table])} FROM {table}"))


def _insert(
    model: Model,
    random: Random,
    transaction: Transaction,
    table: str,
    key: Key,
    columns: list[str],
    *,
    large: bool,
) -> None:
    chosen = [column for column in columns if random.random() < 0.7]
    names = ", ".join([*_KEY_COLUMNS[table], *chosen])
    values = [*key, *(model.new_value(random, large=large) for _ in chosen)]
    marks = ", ".join("?" * len(values))
    transaction.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", values)


def _update(
    model: Model,
    random: Random,
    transaction: Transaction,
    table: str,
    key: Key,
    columns: list[str],
) -> None:
    chosen = random.sample(columns, random.randint(1, 2))
    values = [None if random.random() < 0.1 else model.new_value(random) for _ in chosen]
    assignments = ", ".join(f"{column} = ?" for column in chosen)
    sql = f"UPDATE {table} SET {assignments} WHERE {_where(table)}"
    transaction.execute(sql, [*values, *key])


def _delete(transaction: Transaction, table: str, key: Key) -> None:
    transaction.execute(f"DELETE FROM {table} WHERE {_where(table)}", key)


def _move(transaction: Transaction, table: str, key: Key, target: Key) -> None:
    assignments = ", ".join(f"{column} = ?" for column in _KEY_COLUMNS[table])
    sql = f"UPDATE {table} SET {assignments} WHERE {_where(table)}"
    transaction.execute(sql, [*target, *key])
