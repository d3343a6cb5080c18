"""Recording changesets, and applying and undoing them to the letter."""

from __future__ import annotations

import math
from collections import Counter
from contextlib import closing
from pathlib import Path

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replica.changes import apply, count_differences, difference, recording, undo
from replica.errors import Diverged

SCHEMA = """
CREATE TABLE words (word TEXT PRIMARY KEY NOT NULL, a, b REAL) WITHOUT ROWID;
CREATE TABLE pairs (
    one INTEGER NOT NULL, two TEXT NOT NULL, a, b REAL, PRIMARY KEY (two, one)
);
CREATE TABLE numbers (number INTEGER PRIMARY KEY NOT NULL, a, b REAL);
CREATE TABLE elsewhere (word TEXT PRIMARY KEY NOT NULL, a);
"""
TABLES = ("words", "pairs", "numbers")
KEYS = {"words": ("word",), "pairs": ("one", "two"), "numbers": ("number",)}

AWKWARD = (
    None,
    0,
    1,
    1.0,
    -1.5,
    math.inf,
    -math.inf,
    5e-324,
    2**63 - 1,
    -(2**63),
    "",
    'it\'s "quoted"',
    "before\0after",
    "Dončić 🏀",
    b"",
    b"\x00\xff'",
)

Value = None | int | float | str | bytes
State = dict[str, list[tuple[object, ...]]]


def database(script: str = "") -> apsw.Connection:
    connection = apsw.Connection(":memory:")
    connection.execute(SCHEMA + script)
    return connection


def state(connection: apsw.Connection) -> State:
    """All rows with the types of their values: to Python, 1 and 1.0 are equal."""
    return {
        table: sorted(
            (tuple((type(value), value) for value in row) for row in connection.execute(sql)),
            key=repr,
        )
        for table in TABLES
        for sql in [f"SELECT * FROM {table}"]
    }


def recorded(connection: apsw.Connection, sql: str, *bindings: Value) -> bytes:
    with recording(connection, TABLES) as changes:
        connection.execute(sql, bindings)
        return changes.changeset()


def operations(changeset: bytes) -> list[tuple[str, str]]:
    return [(change.name, change.op) for change in apsw.Changeset.iter(changeset)]


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("value", AWKWARD, ids=repr)
def test_every_value_arrives_and_goes_as_it_was(table: str, value: Value) -> None:
    key, other = ", ".join(KEYS[table]), ", ".join("2" for _ in KEYS[table])
    ones = ", ".join("1" for _ in KEYS[table])
    writer, reader = database(), database()
    with closing(writer), closing(reader):
        changes = [
            recorded(writer, sql, value)
            for sql in (
                f"INSERT INTO {table} ({key}, a) VALUES ({ones}, ?)",
                f"REPLACE INTO {table} ({key}, a) SELECT {other}, 2; UPDATE {table} SET a = ?",
                f"DELETE FROM {table} WHERE a IS ?",
            )
        ]
        assert all(changes[:2])
        assert changes[2]
        states = [state(reader)]
        for change in changes:
            apply(reader, change, TABLES, "entry")
            states.append(state(reader))
        assert states[-1] == state(writer) == states[0]
        assert (type(value), value) in states[1][table][0]
        for change, before in zip(reversed(changes), reversed(states[:-1]), strict=True):
            undo(reader, change, TABLES, "entry")
            assert state(reader) == before


VALUES = st.sampled_from(AWKWARD) | st.integers(-3, 3) | st.floats(allow_nan=False)
OPERATIONS = st.tuples(
    st.sampled_from(TABLES),
    st.sampled_from(["insert", "replace", "upsert", "update", "delete", "rename", "empty"]),
    st.integers(1, 3),
    VALUES,
    VALUES,
)
TRANSACTIONS = st.lists(st.lists(OPERATIONS, max_size=5), max_size=4)


def run(connection: apsw.Connection, operation: tuple[str, str, int, Value, Value]) -> None:
    table, verb, number, a, b = operation
    if isinstance(b, str | bytes):
        b = None
    keys = KEYS[table]
    key = dict.fromkeys(keys, number)
    where = " AND ".join(f"{name} = :{name}" for name in keys)
    names, places = ", ".join(keys), ", ".join(f":{name}" for name in keys)
    values = f"INTO {table} ({names}, a, b) VALUES ({places}, :a, :b)"
    sql = {
        "insert": f"INSERT OR IGNORE {values}",
        "replace": f"REPLACE {values}",
        "upsert": f"INSERT {values} ON CONFLICT ({names}) DO UPDATE SET b = excluded.b",
        "update": f"UPDATE {table} SET a = :a WHERE {where}",
        "delete": f"DELETE FROM {table} WHERE {where}",
        "rename": f"UPDATE OR REPLACE {table} SET {keys[0]} = 1 WHERE {where}",
        "empty": f"DELETE FROM {table}",
    }[verb]
    connection.execute(sql, {**key, "a": a, "b": b})


@settings(max_examples=150, deadline=None)
@given(TRANSACTIONS)
def test_applied_elsewhere_gives_the_same_and_undone_nothing(
    transactions: list[list[tuple[str, str, int, Value, Value]]],
) -> None:
    writer, reader = database(), database()
    with closing(writer), closing(reader):
        changesets, states = [], [state(reader)]
        for operations_ in transactions:
            with recording(writer, TABLES) as changes:
                for operation in operations_:
                    run(writer, operation)
                changesets.append(changes.changeset())
            apply(reader, changesets[-1], TABLES, "entry")
            states.append(state(writer))
            assert state(reader) == states[-1]
            assert bool(changesets[-1]) == (states[-1] != states[-2])
        for changeset, before in zip(reversed(changesets), reversed(states[:-1]), strict=True):
            undo(reader, changeset, TABLES, "entry")
            assert state(reader) == before


@pytest.mark.parametrize("table", TABLES)
def test_a_cached_statement_that_empties_a_table_is_recorded(table: str) -> None:
    places = ", ".join("1" for _ in KEYS[table])
    fill, empty = f"INSERT INTO {table} VALUES ({places}, 2, 3)", f"DELETE FROM {table}"
    with closing(database()) as connection:
        # Prepared without a session, it looks at no row.
        connection.execute(fill)
        connection.execute(empty)
        connection.execute(fill)
        assert operations(recorded(connection, empty)) == [(table, "DELETE")]


def test_recording_leaves_the_authorizer_as_it_was() -> None:
    def authorizer(*_: object) -> int:
        return apsw.SQLITE_OK

    with closing(database()) as connection:
        recorded(connection, "SELECT 1")
        assert connection.authorizer is None
        connection.authorizer = authorizer
        recorded(connection, "SELECT 1")
        assert connection.authorizer is authorizer


def test_only_what_differs_in_the_end_is_recorded() -> None:
    with closing(database("INSERT INTO words VALUES ('a', 1, 1)")) as connection:
        assert not recorded(
            connection,
            "UPDATE words SET a = 2; UPDATE words SET a = 1;"
            "INSERT INTO numbers VALUES (1, 1, 1); DELETE FROM numbers",
        )
        assert not recorded(
            connection,
            "SAVEPOINT s; INSERT INTO words VALUES ('b', 1, 1); DELETE FROM words;"
            "ROLLBACK TO s; RELEASE s",
        )
        replaced = recorded(connection, "REPLACE INTO words VALUES ('a', 5, 1)")
        assert operations(replaced) == [("words", "UPDATE")]


def test_only_the_named_tables_are_recorded() -> None:
    with closing(database()) as connection:
        with recording(connection, ("words", "not there yet")) as changes:
            connection.execute(
                "INSERT INTO elsewhere VALUES ('a', 1); INSERT INTO words VALUES ('a', 1, 1)"
            )
            assert operations(changes.changeset()) == [("words", "INSERT")]
            assert operations(changes.changeset()) == [("words", "INSERT")]
        assert not recorded(connection, "INSERT INTO elsewhere VALUES ('b', 1)")


BEFORE = """
INSERT INTO words VALUES ('changed', 1, 1), ('deleted', 1, 1);
INSERT INTO numbers VALUES (1, 1, 1);
"""
CHANGE = """
UPDATE words SET a = 2 WHERE word = 'changed';
DELETE FROM words WHERE word = 'deleted';
INSERT INTO numbers VALUES (2, 2, 2);
"""


@pytest.mark.parametrize(
    ("otherwise", "detail"),
    [
        ("UPDATE words SET a = 3 WHERE word = 'changed'", "UPDATE in words: the row has other"),
        ("DELETE FROM words WHERE word = 'changed'", "UPDATE in words: the row is missing"),
        ("UPDATE words SET b = 3 WHERE word = 'deleted'", "DELETE in words: the row has other"),
        ("DELETE FROM words WHERE word = 'deleted'", "DELETE in words: the row is missing"),
        ("INSERT INTO numbers VALUES (2, 2, 2)", "INSERT in numbers: the row exists already"),
        ("DROP TABLE numbers", "numbers: there is no such table"),
        ("ALTER TABLE numbers ADD COLUMN c", "numbers: made for 3 columns, not 4"),
        ("ALTER TABLE numbers DROP COLUMN b", "numbers: made for 3 columns, not 2"),
        (
            "DROP TABLE numbers; CREATE TABLE numbers (number, a PRIMARY KEY NOT NULL, b)",
            "numbers: made for another primary key",
        ),
        (
            """DROP TABLE numbers;
            CREATE TABLE numbers (number INTEGER PRIMARY KEY NOT NULL, a CHECK (a < 2), b)""",
            "INSERT in numbers: a constraint forbids it",
        ),
        (
            """DROP TABLE numbers; PRAGMA foreign_keys = ON;
            CREATE TABLE numbers (
                number INTEGER PRIMARY KEY NOT NULL, a REFERENCES elsewhere, b)""",
            "a foreign key forbids it",
        ),
    ],
)
def test_what_does_not_fit_exactly_changes_nothing(otherwise: str, detail: str) -> None:
    writer, reader = database(BEFORE), database(BEFORE)
    with closing(writer), closing(reader):
        changeset = recorded(writer, CHANGE)
        reader.execute(otherwise)
        dump = [list(reader.execute(f"SELECT * FROM {table}")) for table in ("words", "elsewhere")]
        changes = reader.total_changes()
        with pytest.raises(Diverged, match=detail) as caught:
            apply(reader, changeset, TABLES, "entry 7")
        assert (caught.value.operation, caught.value.key) == ("apply", "entry 7")
        assert dump == [
            list(reader.execute(f"SELECT * FROM {table}")) for table in ("words", "elsewhere")
        ]
        if "table" in detail or "made for" in detail:
            # Nothing was even begun.
            assert reader.total_changes() == changes
        assert not reader.in_transaction


def test_a_table_that_is_not_replicated_is_not_touched() -> None:
    writer, reader = database(), database()
    with closing(writer), closing(reader):
        changeset = recorded(writer, "INSERT INTO words VALUES ('a', 1, 1)")
        for act, verb in ((apply, "apply"), (undo, "undo")):
            with pytest.raises(Diverged, match="words: not one of") as caught:
                act(reader, changeset, ("numbers",), "entry 7")
            assert caught.value.operation == verb
        assert not reader.execute("SELECT * FROM words").fetchall()


def test_undo_is_as_strict() -> None:
    with closing(database(BEFORE)) as connection:
        changeset = recorded(connection, CHANGE)
        connection.execute("UPDATE numbers SET b = 9 WHERE number = 2")
        before = state(connection)
        with pytest.raises(Diverged, match="DELETE in numbers: the row has other") as caught:
            undo(connection, changeset, TABLES, "pending 7")
        assert (caught.value.operation, caught.value.key) == ("undo", "pending 7")
        assert state(connection) == before


@pytest.mark.parametrize("act", [apply, undo])
def test_malformed_changesets_are_no_damage_of_the_file(act: object) -> None:
    assert callable(act)
    with closing(database()) as connection:
        sound = recorded(connection, "INSERT INTO words VALUES ('a', 1, 1)")
        for malformed in (b"junk", sound[:-1], sound[:3], sound + b"T"):
            with pytest.raises(Diverged, match="malformed"):
                act(connection, malformed, TABLES, "entry 7")
        act(connection, b"", TABLES, "entry 7")


def test_a_flipped_number_of_columns_does_not_pass_silently() -> None:
    writer, reader = database(), database()
    with closing(writer), closing(reader):
        sound = recorded(writer, "INSERT INTO words VALUES ('a', 1, 1)")
        assert sound[:2] == b"T\x03"
        for columns in range(256):
            flipped = sound[:1] + bytes([columns]) + sound[2:]
            if columns != 3:
                with pytest.raises(Diverged):
                    apply(reader, flipped, TABLES, "entry 7")
        assert not reader.execute("SELECT * FROM words").fetchall()


def test_it_belongs_to_the_callers_transaction(tmp_path: Path) -> None:
    with closing(database()) as writer, closing(apsw.Connection(str(tmp_path / "a"))) as reader:
        reader.execute(SCHEMA)
        changeset = recorded(writer, "INSERT INTO words VALUES ('a', 1, 1)")
        reader.execute("BEGIN IMMEDIATE")
        apply(reader, changeset, TABLES, "entry 7")
        assert reader.in_transaction
        reader.execute("ROLLBACK")
        assert not reader.execute("SELECT * FROM words").fetchall()


@settings(max_examples=75, deadline=None)
@given(st.lists(OPERATIONS, max_size=6), st.lists(OPERATIONS, max_size=6))
def test_difference_turns_one_database_into_the_other(
    ones: list[tuple[str, str, int, Value, Value]],
    others: list[tuple[str, str, int, Value, Value]],
) -> None:
    def without_type(operation: tuple[str, str, int, Value, Value]) -> bool:
        # The session extension compares with IS, to which 1 is 1.0 where columns have no type.
        return isinstance(operation[3], float)

    now, then = database(), database()
    with closing(now), closing(then):
        for connection, done in ((now, ones), (then, others)):
            for operation in done:
                if not without_type(operation):
                    run(connection, operation)
        then.execute("ATTACH ':memory:' AS now")
        for table in TABLES:
            (sql,) = then.execute(
                "SELECT sql FROM main.sqlite_schema WHERE name = ?", (table,)
            ).fetchall()[0]
            then.execute(str(sql).replace("CREATE TABLE ", "CREATE TABLE now.", 1))
            for row in now.execute(f"SELECT * FROM {table}"):
                then.execute(f"INSERT INTO now.{table} VALUES ({', '.join('?' * len(row))})", row)
        changeset = difference(then, "now", TABLES)
        kinds = Counter((each.name, each.op) for each in apsw.Changeset.iter(changeset))
        for table in TABLES:
            expected = tuple(kinds[table, kind] for kind in ("INSERT", "DELETE", "UPDATE"))
            assert count_differences(then, "now", table) == expected
        assert count_differences(then, "now", "nowhere") == (0, 0, 0)
        apply(now, changeset, TABLES, "restore")
        assert state(now) == state(then)
