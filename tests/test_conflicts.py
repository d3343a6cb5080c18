"""What becomes of a transaction that is applied after somebody else's."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replica.changes import apply, recording, undo
from replica.conflicts import CONFLICTS_TABLE, CREATE_CONFLICTS, reapply

Value = None | int | float | str | bytes
Cell = tuple[type, Value]
"""A value with its type: to Python, 1 and 1.0 are equal."""
Row = dict[str, Cell]
Content = dict[tuple[str, tuple[Cell, ...]], Row]
"""Rows by table and key."""

SCHEMA = f"""
CREATE TABLE words (word TEXT PRIMARY KEY NOT NULL, a, b REAL, c TEXT) WITHOUT ROWID;
CREATE TABLE pairs (
    one INTEGER NOT NULL, a, two TEXT NOT NULL, b REAL, c TEXT, PRIMARY KEY (two, one)
);
CREATE TABLE numbers (a, number INTEGER PRIMARY KEY NOT NULL, b REAL, c TEXT);
{CREATE_CONFLICTS};
"""
KEYS = {"words": ("word",), "pairs": ("one", "two"), "numbers": ("number",)}
TABLES = (*KEYS, CONFLICTS_TABLE)
START = "INSERT INTO words VALUES ('x', 1, 1.0, 'one');"


@dataclass(frozen=True)
class Conflict:
    transaction_id: str
    sequence: int
    table: str
    key: str
    column: str | None
    resolution: str
    kept: str | None
    lost: str | None


@dataclass
class Writer:
    """A database, and the changes in it that are not shared: intents and effects."""

    connection: apsw.Connection
    intents: list[bytes] = field(default_factory=list)
    effects: list[bytes] = field(default_factory=list)

    def write(self, sql: str, bindings: Sequence[Value] | dict[str, Value] = ()) -> None:
        with recording(self.connection, TABLES) as changes:
            self.connection.execute(sql, bindings)
            self.keep(changes.changeset())

    def keep(self, changeset: bytes) -> None:
        self.intents.append(changeset)
        self.effects.append(changeset)

    def rebase(self, theirs: Sequence[bytes], sequence: int = 7) -> list[bool]:
        """Undo what is pending, apply what came first, apply the intents again."""
        for effect in reversed(self.effects):
            undo(self.connection, effect, TABLES, "pending")
        for changeset in theirs:
            apply(self.connection, changeset, TABLES, "entry")
        self.effects, answers = [], []
        for number, intent in enumerate(self.intents):
            with recording(self.connection, TABLES) as changes:
                answers.append(reapply(self.connection, intent, f"t{number}", sequence))
                self.effects.append(changes.changeset())
        return answers

    def follow(self, theirs: Sequence[bytes]) -> None:
        for changeset in theirs:
            apply(self.connection, changeset, TABLES, "entry")

    def rows(self, table: str = "words") -> list[tuple[Value, ...]]:
        return list(self.connection.execute(f"SELECT * FROM {table} ORDER BY 1"))

    def conflicts(self) -> list[Conflict]:
        return [
            Conflict(*row)
            for row in self.connection.execute(
                "SELECT transaction_id, sequence, table_name, row_key, column_name, resolution,"
                f" kept, lost FROM {CONFLICTS_TABLE} ORDER BY 1, 3, 4, 5, 6"
            )
        ]


def writer(script: str = START) -> Writer:
    connection = apsw.Connection(":memory:")
    connection.execute(SCHEMA + script)
    return Writer(connection)


@pytest.fixture
def pair() -> Iterator[tuple[Writer, Writer]]:
    """The one whose changes come first, and the one who is late."""
    first, late = writer(), writer()
    yield first, late
    first.connection.close()
    late.connection.close()


def content(connection: apsw.Connection) -> Content:
    found: Content = {}
    for table, keys in KEYS.items():
        cursor = connection.execute(f"SELECT * FROM {table}")
        for values in cursor:
            names = [name for name, _ in cursor.get_description()]
            row = {name: (type(value), value) for name, value in zip(names, values, strict=True)}
            found[table, tuple(row.pop(name) for name in keys)] = row
    return found


def everything(connection: apsw.Connection) -> tuple[Content, list[tuple[Value, ...]]]:
    notes = connection.execute(f"SELECT * FROM {CONFLICTS_TABLE} ORDER BY 1")
    return content(connection), list(notes)


def about(resolution: str, column: str | None, kept: str | None, lost: str | None) -> Conflict:
    return Conflict("t0", 7, "words", '["x"]', column, resolution, kept, lost)


@pytest.mark.parametrize(
    ("theirs", "ours", "rows", "conflicts"),
    [
        pytest.param(
            "INSERT INTO words VALUES ('y', 1, NULL, 'same')",
            "INSERT INTO words VALUES ('y', NULL, 2, 'same')",
            [("x", 1, 1.0, "one"), ("y", 1, 2.0, "same")],
            [Conflict("t0", 7, "words", '["y"]', "b", "overwritten", "2.0", "null")],
            id="inserts of one row merge",
        ),
        pytest.param(
            "INSERT INTO words VALUES ('y', 1, 2, 'theirs')",
            "INSERT INTO words VALUES ('y', 1.0, 2, 'ours')",
            [("x", 1, 1.0, "one"), ("y", 1.0, 2.0, "ours")],
            [
                Conflict("t0", 7, "words", '["y"]', "a", "overwritten", "1.0", "1"),
                Conflict("t0", 7, "words", '["y"]', "c", "overwritten", '"ours"', '"theirs"'),
            ],
            id="the later insert's values win",
        ),
        pytest.param(
            "INSERT INTO words VALUES ('y', 1, 2, 'same')",
            "INSERT INTO words VALUES ('y', 1, 2, 'same')",
            [("x", 1, 1.0, "one"), ("y", 1, 2.0, "same")],
            [],
            id="the same row twice is one row",
        ),
        pytest.param(
            "UPDATE words SET a = 2",
            "UPDATE words SET b = 3",
            [("x", 2, 3.0, "one")],
            [],
            id="other columns are left alone",
        ),
        pytest.param(
            "UPDATE words SET a = 2, b = 2",
            "UPDATE words SET a = 3, b = 2",
            [("x", 3, 2.0, "one")],
            [about("overwritten", "a", "3", "2")],
            id="the later update of a column wins",
        ),
        pytest.param(
            "UPDATE words SET a = NULL",
            "UPDATE words SET a = x'00ff'",
            [("x", b"\x00\xff", 1.0, "one")],
            [about("overwritten", "a", '{"blob": "00ff"}', "null")],
            id="in an update, NULL is a value that can be lost",
        ),
        pytest.param(
            "UPDATE words SET a = 9e999",
            "UPDATE words SET a = NULL",
            [("x", None, 1.0, "one")],
            [about("overwritten", "a", "null", "9e999")],
            id="and one that can win",
        ),
        pytest.param(
            "DELETE FROM words",
            "UPDATE words SET a = 'Dončić', b = -9e999",
            [],
            [about("deleted", None, None, '{"a": "Dončić", "b": -9e999}')],
            id="a delete that was not seen wins over an update",
        ),
        pytest.param(
            "UPDATE words SET a = 'theirs'",
            "DELETE FROM words",
            [],
            [about("deleted", None, None, '{"a": "theirs"}')],
            id="a delete wins over an update that it did not see",
        ),
        pytest.param(
            "DELETE FROM words",
            "DELETE FROM words",
            [],
            [],
            id="what is deleted twice is gone once",
        ),
        pytest.param(
            "INSERT INTO words VALUES ('y', 1, 1, 'y')",
            "DELETE FROM words",
            [("y", 1, 1.0, "y")],
            [],
            id="a delete concerns the rows that it saw",
        ),
    ],
)
def test_the_policy(
    theirs: str,
    ours: str,
    rows: list[tuple[Value, ...]],
    conflicts: list[Conflict],
    pair: tuple[Writer, Writer],
) -> None:
    first, late = pair
    first.write(theirs)
    late.write(ours)
    assert late.rebase(first.effects) == [True]
    assert (late.rows(), late.conflicts()) == (rows, conflicts)
    first.follow(late.effects)
    assert everything(first.connection) == everything(late.connection)


def test_our_own_earlier_changes_are_no_conflict(pair: tuple[Writer, Writer]) -> None:
    first, late = pair
    first.write("UPDATE words SET a = 'theirs'")
    for value in (2, 3, 4):
        late.write("UPDATE words SET a = ?", (value,))
    late.write("DELETE FROM words")
    late.write("INSERT INTO words VALUES ('x', 5, NULL, NULL)")
    assert late.rebase(first.effects) == [True] * 5
    assert late.rows() == [("x", 5, None, None)]
    assert late.conflicts() == [about("overwritten", "a", "2", '"theirs"')]


def test_what_has_no_effect_any_more_has_an_empty_one(pair: tuple[Writer, Writer]) -> None:
    first, late = pair
    for each in pair:
        each.write("UPDATE words SET a = 2; INSERT INTO numbers VALUES (1, 1, 1, 'same')")
    assert late.rebase(first.effects) == [True]
    assert late.effects == [b""]


def test_undoing_with_the_intent_would_delete_the_other_writers_row(
    pair: tuple[Writer, Writer],
) -> None:
    first, late = pair
    for each in pair:
        each.write("INSERT INTO words VALUES ('y', 1, 1, 'y')")
    late.rebase(first.effects)
    undo(late.connection, late.effects[0], TABLES, "pending")
    assert [row[0] for row in late.rows()] == ["x", "y"]
    undo(late.connection, late.intents[0], TABLES, "pending")
    assert [row[0] for row in late.rows()] == ["x"]


def test_conflicts_are_those_of_the_last_rebase(pair: tuple[Writer, Writer]) -> None:
    first, late = pair
    late.write("UPDATE words SET a = 'ours'")
    first.write("UPDATE words SET a = 'early'")
    late.rebase(first.effects)
    first.write("UPDATE words SET a = 'later'")
    late.rebase(first.effects[1:], sequence=8)
    assert [(note.sequence, note.lost) for note in late.conflicts()] == [(8, '"later"')]
    first.follow(late.effects)
    assert everything(first.connection) == everything(late.connection)


def test_the_same_rebase_gives_the_same_changeset_again(
    pair: tuple[Writer, Writer],
) -> None:
    first, late = pair
    late.write("UPDATE words SET a = 'ours'")
    with closing(writer().connection) as connection:
        twin = Writer(connection)
        twin.follow(late.effects)
        twin.keep(late.effects[0])
        first.write("UPDATE words SET a = 'theirs'")
        late.rebase(first.effects)
        twin.rebase(first.effects)
        assert twin.effects == late.effects
        assert everything(connection) == everything(late.connection)


def test_the_same_note_twice_is_one_note(pair: tuple[Writer, Writer]) -> None:
    _, late = pair
    late.write("UPDATE words SET a = 'ours'")
    for _ in range(2):
        late.connection.execute("UPDATE words SET a = 'theirs'")
        assert reapply(late.connection, late.intents[0], "t0", 7)
    assert late.rows() == [("x", "ours", 1.0, "one")]
    assert late.conflicts() == [about("overwritten", "a", '"ours"', '"theirs"')]


GAINED = "ALTER TABLE words ADD COLUMN d INTEGER NOT NULL DEFAULT '0';"


def test_columns_gained_since_are_left_alone(pair: tuple[Writer, Writer]) -> None:
    first, late = pair
    first.connection.execute("INSERT INTO words VALUES ('y', 1, 1, 'y')")
    late.connection.execute("INSERT INTO words VALUES ('y', 1, 1, 'y')")
    late.write("INSERT INTO words VALUES ('z', 1, NULL, 'ours')")
    late.write("UPDATE words SET a = 2 WHERE word = 'x'")
    late.write("DELETE FROM words WHERE word = 'y'")
    for effect in reversed(late.effects):
        undo(late.connection, effect, TABLES, "pending")
    late.effects.clear()
    for each in pair:
        each.connection.execute(GAINED)
    assert late.rebase([]) == [True] * 3
    assert late.rows() == [("x", 2, 1.0, "one", 0), ("z", 1, None, "ours", 0)]
    assert late.conflicts() == []

    first.write("INSERT INTO words VALUES ('z', 1, 5, 'theirs', 6)")
    first.write("UPDATE words SET d = 7 WHERE word IN ('x', 'y')")
    assert late.rebase(first.effects) == [True] * 3
    assert late.rows() == [("x", 2, 1.0, "one", 7), ("z", 1, 5.0, "ours", 6)]
    assert late.conflicts() == [
        Conflict("t0", 7, "words", '["z"]', "c", "overwritten", '"ours"', '"theirs"'),
        Conflict("t2", 7, "words", '["y"]', None, "deleted", None, '{"d": 7}'),
    ]
    first.follow(late.effects)
    assert everything(first.connection) == everything(late.connection)


def other_numbers(columns: str) -> str:
    return f"DROP TABLE numbers; CREATE TABLE numbers ({columns})"


INTENT = """
UPDATE words SET a = 2 WHERE word = 'x';
DELETE FROM words WHERE word = 'gone';
INSERT INTO numbers (number, a, c) VALUES (1, x'ff', NULL);
"""
NUMBER = '{"a": {"blob": "ff"}, "number": 1, "b": null, "c": null}'


@pytest.mark.parametrize(
    ("otherwise", "lost"),
    [
        (
            "DROP TABLE numbers",
            '{"column 1": {"blob": "ff"}, "column 2": 1, "column 3": null, "column 4": null}',
        ),
        (
            "ALTER TABLE numbers DROP COLUMN b",
            '{"a": {"blob": "ff"}, "number": 1, "c": null, "column 4": null}',
        ),
        (other_numbers("a PRIMARY KEY NOT NULL, number, b, c"), NUMBER),
        (
            other_numbers("a CHECK (a > 1 AND a < 2), number INTEGER PRIMARY KEY NOT NULL, b, c"),
            NUMBER,
        ),
        (other_numbers("a, number INTEGER PRIMARY KEY NOT NULL, b, c NOT NULL"), NUMBER),
        ("INSERT INTO numbers (number, c) VALUES (1, CAST(x'ff' AS TEXT))", NUMBER),
    ],
)
def test_what_cannot_be_applied_is_set_aside_whole(otherwise: str, lost: str) -> None:
    late = writer(START + "INSERT INTO words (word) VALUES ('gone');")
    with closing(late.connection) as connection:
        late.write(INTENT)
        undo(connection, late.effects.pop(), TABLES, "pending")
        connection.execute(otherwise)
        connection.execute("BEGIN IMMEDIATE")
        before = late.rows()
        with recording(connection, TABLES) as changes:
            assert reapply(connection, late.intents[0], "t0", 7) is False
            effect = changes.changeset()
        assert connection.in_transaction
        assert late.rows() == before
        assert {change.name for change in apsw.Changeset.iter(effect)} == {CONFLICTS_TABLE}
        assert late.conflicts() == [
            Conflict("t0", 7, table, key, None, "set_aside", None, values)
            for table, key, values in (
                ("numbers", "[1]", lost),
                ("words", '["gone"]', "null"),
                ("words", '["x"]', '{"a": 2}'),
            )
        ]


def test_a_text_that_is_none_is_set_aside_as_bytes(pair: tuple[Writer, Writer]) -> None:
    first, late = pair
    late.write("UPDATE words SET a = 2, c = CAST(x'ff' AS TEXT)")
    assert late.rebase(first.effects) == [False]
    (note,) = late.conflicts()
    assert (note.table, note.key, note.resolution) == ("", "[]", "set_aside")
    assert bytes.fromhex(json.loads(str(note.lost))["blob"]) == late.intents[0]
    assert late.rows() == [("x", 1, 1.0, "one")]


def test_one_that_is_set_aside_does_not_take_the_others_with_it() -> None:
    late = writer()
    with closing(late.connection):
        late.write("INSERT INTO numbers VALUES (1, 1, 1, 'one')")
        late.write("UPDATE words SET a = 2")
        for effect in reversed(late.effects):
            undo(late.connection, effect, TABLES, "pending")
        late.effects.clear()
        late.connection.execute("DROP TABLE numbers")
        assert late.rebase([]) == [False, True]
        assert late.rows() == [("x", 2, 1.0, "one")]


def test_a_failing_disk_sets_nothing_aside(pair: tuple[Writer, Writer]) -> None:
    _, late = pair
    late.write("INSERT INTO words VALUES ('large', zeroblob(100000), 1, 'y')")
    undo(late.connection, late.effects.pop(), TABLES, "pending")
    late.connection.execute("VACUUM")
    late.connection.pragma("max_page_count", late.connection.pragma("page_count"))
    late.connection.execute("BEGIN IMMEDIATE")
    with pytest.raises(apsw.FullError):
        reapply(late.connection, late.intents[0], "t0", 7)


@pytest.mark.parametrize(
    "value",
    [None, 0, 1.0, math.inf, -math.inf, 5e-324, 2**63 - 1, 'it\'s "so"\0', "🏀", b"", b"\0'"],
    ids=repr,
)
def test_lost_values_can_be_read_back(value: Value, pair: tuple[Writer, Writer]) -> None:
    first, late = pair
    first.write("UPDATE words SET a = ?", (value,))
    late.write("UPDATE words SET a = 'ours'")
    late.rebase(first.effects)
    (note,) = late.conflicts()
    assert note.lost is not None
    lost = from_json(note.lost)
    assert (type(lost), lost) == (type(value), value)
    (valid,) = late.connection.execute("SELECT json_valid(?)", (note.lost,))
    assert valid == (1,)


def from_json(text: str) -> Value:
    value = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    return bytes.fromhex(value["blob"]) if isinstance(value, dict) else value


# Random transactions: each has the table, what is done, the key, and three values.
VALUES = st.sampled_from([None, 0, 1, 1.0, math.inf, 2**63 - 1, "a", "it's\0", b"", b"\0\xff"])
Operation = tuple[str, str, int, Value, float | None, str | None]
OPERATIONS = st.tuples(
    st.sampled_from(list(KEYS)),
    st.sampled_from(["insert", "replace", "set a", "set b and c", "delete"]),
    st.integers(1, 2),
    VALUES,
    st.sampled_from([None, 0.0, 1.0, -math.inf]),
    st.sampled_from([None, "one", "two"]),
)
TRANSACTIONS = st.lists(st.lists(OPERATIONS, min_size=1, max_size=3), max_size=3)


def perform(made: Writer, operations: Sequence[Operation]) -> None:
    with recording(made.connection, TABLES) as changes:
        for table, verb, number, a, b, c in operations:
            keys = KEYS[table]
            where = " AND ".join(f"{name} = :{name}" for name in keys)
            places = ", ".join(f":{name}" for name in keys)
            values = f"INTO {table} ({', '.join(keys)}, a, b, c) VALUES ({places}, :a, :b, :c)"
            sql = {
                "insert": f"INSERT OR IGNORE {values}",
                "replace": f"REPLACE {values}",
                "set a": f"UPDATE {table} SET a = :a WHERE {where}",
                "set b and c": f"UPDATE {table} SET b = :b, c = :c WHERE {where}",
                "delete": f"DELETE FROM {table} WHERE {where}",
            }[verb]
            bindings = dict.fromkeys(keys, number) | {"a": a, "b": b, "c": c}
            made.connection.execute(sql, bindings)
        made.keep(changes.changeset())


@settings(max_examples=250, deadline=None)
@given(TRANSACTIONS, TRANSACTIONS, TRANSACTIONS, TRANSACTIONS)
def test_both_end_equal_and_no_value_is_lost_without_a_note(
    before: list[list[Operation]],
    ours: list[list[Operation]],
    theirs: list[list[Operation]],
    theirs_after: list[list[Operation]],
) -> None:
    first, late = writer(), writer()
    with closing(first.connection), closing(late.connection):
        for operations in before:
            perform(first, operations)
        late.follow(first.effects)
        seen = [content(late.connection)]
        for operations in ours:
            perform(late, operations)
            seen.append(content(late.connection))
        for sequence, news in ((7, theirs), (8, theirs_after)):
            first.effects.clear()
            for operations in news:
                perform(first, operations)
            assert late.rebase(first.effects, sequence) == [True] * len(ours)
            check(seen, content(first.connection), late)
            published = everything(first.connection)
            first.follow(late.effects)
            assert everything(first.connection) == everything(late.connection)
            # Lost the race once more: what was published so far stands without ours.
            for effect in reversed(late.effects):
                undo(first.connection, effect, TABLES, "pending")
            assert everything(first.connection) == published


def check(seen: Sequence[Content], theirs: Content, late: Writer) -> None:
    """Compare with what each of the two had: ``seen`` is ours after each transaction."""
    base, ours, final = seen[0], seen[-1], content(late.connection)
    notes = noted(late)
    for row in {*base, *ours, *theirs, *final}:
        for column in ("a", "b", "c"):
            here = row, column
            values = {cell(state, here) for state in seen}
            touched = len(values) > 1
            was, mine, other, now = (cell(state, here) for state in (base, ours, theirs, final))
            if not touched and row in final and row in ours:
                assert now == other, f"{here} is theirs alone"
            if now != mine and touched and mine is not None:
                merged = mine == (type(None), None) and row not in base
                assert merged or mine in notes.get(here, ()), f"our {mine} in {here} is lost"
            if now != other and other is not None and other != was and other not in values:
                assert other in notes.get(here, ()), f"their {other} in {here} is lost"
            if other == was:
                assert here not in notes, f"nobody else changed {here}"


def cell(state: Content, here: tuple[tuple[str, tuple[Cell, ...]], str]) -> Cell | None:
    """None where there is no such row."""
    row, column = here
    return state[row][column] if row in state else None


def noted(late: Writer) -> dict[tuple[tuple[str, tuple[Cell, ...]], str], set[Cell]]:
    """All lost values by row and column."""
    found: dict[tuple[tuple[str, tuple[Cell, ...]], str], set[Cell]] = {}
    for note in late.conflicts():
        row = note.table, tuple((type(value), value) for value in json.loads(note.key))
        assert note.lost is not None
        lost = {note.column: json.loads(note.lost)} if note.column else json.loads(note.lost)
        for column, value in lost.items():
            plain = bytes.fromhex(value["blob"]) if isinstance(value, dict) else value
            found.setdefault((row, column), set()).add((type(plain), plain))
    return found
