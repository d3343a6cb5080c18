"""Which tables are refused, and what would be lost if they were not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from replica.changes import apply, difference, recording
from replica.conflicts import CONFLICTS_TABLE, CREATE_CONFLICTS
from replica.errors import Diverged, UnfitTables
from replica.tables import lint
from tracking.schema import MIGRATIONS

PATH = Path("/state/nba_stats.db")
TABLES = ("t",)

MAY_BE_COUNTED = (
    "key column id may be NULL, and two writers would count alike where an INSERT does not name it"
)


@pytest.fixture
def connection() -> Iterator[apsw.Connection]:
    with closing(apsw.Connection(":memory:")) as made:
        yield made


def findings(connection: apsw.Connection, *tables: str) -> str:
    with pytest.raises(UnfitTables) as caught:
        lint(connection, tables, PATH)
    assert caught.value.key == str(PATH)
    assert str(caught.value).startswith(f"Could not open {PATH}: ")
    return caught.value.detail


@pytest.mark.parametrize(
    "schema",
    [
        "CREATE TABLE t (id TEXT PRIMARY KEY NOT NULL)",
        "CREATE TABLE t (id TEXT PRIMARY KEY, a) WITHOUT ROWID",
        "CREATE TABLE t (id INTEGER PRIMARY KEY NOT NULL, a)",
        "CREATE TABLE t (id INT PRIMARY KEY NOT NULL, a TEXT) STRICT",
        "CREATE TABLE t (a INT NOT NULL, b TEXT NOT NULL, c, PRIMARY KEY (b, a))",
        "CREATE TABLE t (id TEXT PRIMARY KEY NOT NULL, a); CREATE INDEX i ON t (a, lower(id))",
        "CREATE TABLE t (id TEXT PRIMARY KEY NOT NULL, a);CREATE INDEX i ON t (a COLLATE NOCASE)",
        "CREATE TABLE t (id TEXT PRIMARY KEY ON CONFLICT ABORT NOT NULL, a DEFAULT 'ON CONFLICT')",
        "CREATE TABLE t (id TEXT PRIMARY KEY NOT NULL, a CHECK (a > 0 AND a < 'id'), b CHECK (b))",
        "CREATE TABLE t (id TEXT PRIMARY KEY NOT NULL, -- CHECK (id <> a)\n a /* CHECK (id, a) */)",
        "CREATE TABLE t (length INT PRIMARY KEY NOT NULL, text CHECK (length(text) < 9))",
        "CREATE TABLE t (text INT PRIMARY KEY NOT NULL, a CHECK (CAST(a AS text) <> ''))",
        'CREATE TABLE t (id TEXT PRIMARY KEY NOT NULL, [a b] CHECK ("a b" > `a b`), a, b)',
        """CREATE TABLE t (id TEXT PRIMARY KEY NOT NULL);
        CREATE TABLE local (id TEXT REFERENCES t UNIQUE);
        CREATE TRIGGER elsewhere AFTER INSERT ON local BEGIN DELETE FROM t; END""",
        'CREATE TABLE t ("check" TEXT PRIMARY KEY NOT NULL, "it\'s" CHECK ("it\'s" > 1))',
    ],
)
def test_fit(schema: str, connection: apsw.Connection) -> None:
    connection.execute(schema)
    lint(connection, TABLES, PATH)


def test_the_tables_of_the_app_and_of_the_engine_are_fit(connection: apsw.Connection) -> None:
    connection.execute(CREATE_CONFLICTS)
    for migration in MIGRATIONS:
        connection.execute(migration.sql)
    names = [str(name) for (name,) in connection.execute("SELECT name FROM pragma_table_list")]
    own = [name for name in names if not name.startswith("sqlite_")]
    assert {CONFLICTS_TABLE, "predictions", "players"} <= set(own)
    lint(connection, own, PATH)
    lint(connection, (), PATH)


KEY = "id TEXT PRIMARY KEY NOT NULL"


@pytest.mark.parametrize(
    ("schema", "finding"),
    [
        ("CREATE TABLE T (id TEXT PRIMARY KEY NOT NULL)", "there is no such table"),
        ("CREATE TEMP TABLE t (id TEXT PRIMARY KEY NOT NULL)", "there is no such table"),
        ("CREATE VIEW t AS SELECT 1", "it is no ordinary table but a view"),
        ("CREATE VIRTUAL TABLE t USING fts5(a)", "it is no ordinary table but a virtual"),
        ("CREATE TABLE t (id TEXT NOT NULL)", "it has no primary key"),
        ("CREATE TABLE t (id TEXT PRIMARY KEY)", "key column id may be NULL"),
        ("CREATE TABLE t (id INTEGER PRIMARY KEY)", MAY_BE_COUNTED),
        (
            "CREATE TABLE t (a NOT NULL, b, PRIMARY KEY (a, b))",
            "key column b may be NULL",
        ),
        (
            "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL)",
            "column id is AUTOINCREMENT, and two writers would count alike",
        ),
        (f"CREATE TABLE t ({KEY}, a UNIQUE)", "UNIQUE (a) besides the primary key"),
        (f"CREATE TABLE t ({KEY}, a, b, UNIQUE (b, a))", "UNIQUE (b, a) besides the primary key"),
        (
            f"CREATE TABLE t ({KEY}, a); CREATE UNIQUE INDEX i ON t (lower(a)) WHERE a > 1",
            "UNIQUE (an expression) besides the primary key",
        ),
        (
            f"CREATE TABLE p ({KEY}); CREATE TABLE t ({KEY}, a REFERENCES p, b REFERENCES p)",
            "foreign key to p",
        ),
        (
            f"CREATE TABLE t ({KEY});CREATE TRIGGER g AFTER INSERT ON T BEGIN DELETE FROM t; END",
            "trigger g",
        ),
        (f"CREATE TABLE t ({KEY}, a, b CHECK (A < b))", "CHECK over several columns (a, b)"),
        (
            f'CREATE TABLE t ({KEY}, [a b], /* ) */ "c""d", CHECK (`a b` IN (1, "c""d")))',
            'CHECK over several columns (a b, c"d)',
        ),
        (
            f'CREATE TABLE t ({KEY}, "a""b"); ALTER TABLE t ADD c CHECK(length(id) < c)',
            "CHECK over several columns (id, c)",
        ),
        (f"CREATE TABLE t ({KEY}, a AS (id || 'a'))", "column a is generated"),
        (f"CREATE TABLE t ({KEY}, a AS (1) STORED)", "column a is generated"),
        (
            f"CREATE TABLE t ({KEY}, a TEXT COLLATE NOCASE)",
            "column a is compared as NOCASE; put that into an index or a query",
        ),
        (
            "CREATE TABLE t (id TEXT COLLATE rtrim PRIMARY KEY NOT NULL)",
            "column id is compared as rtrim; put that into an index or a query",
        ),
        (
            "CREATE TABLE t (id TEXT NOT NULL, PRIMARY KEY (id COLLATE NOCASE)) WITHOUT ROWID",
            "column id is compared as NOCASE; put that into an index or a query",
        ),
        (
            "CREATE TABLE t (id TEXT NOT NULL PRIMARY KEY ON CONFLICT REPLACE)",
            "ON CONFLICT REPLACE would hide that two writers differ",
        ),
        (
            f"CREATE TABLE t ({KEY}, a NOT NULL /* or */ on -- a\n conflict ignore)",
            "ON CONFLICT IGNORE would hide that two writers differ",
        ),
    ],
)
def test_unfit(schema: str, finding: str, connection: apsw.Connection) -> None:
    connection.execute(schema)
    assert findings(connection, "t") == f"t: {finding}"


@pytest.mark.parametrize("name", ["replica_position", "Replica_x", "sqlite_sequence"])
def test_reserved_names(name: str, connection: apsw.Connection) -> None:
    assert f"{name}: its name is reserved" in findings(connection, name)


def test_awkward_names_are_looked_up_as_they_are(connection: apsw.Connection) -> None:
    name = 'it\'s "odd"; --'
    quoted = name.replace('"', '""')
    connection.execute(f'CREATE TABLE "{quoted}" ("a ""b" TEXT PRIMARY KEY NOT NULL)')
    lint(connection, [name], PATH)
    connection.execute(f'ALTER TABLE "{quoted}" ADD COLUMN "c\'d" COLLATE NOCASE')
    assert findings(connection, name).startswith(f"{name}: column c'd is compared as NOCASE")


def test_everything_is_said_at_once(connection: apsw.Connection) -> None:
    connection.execute(
        "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, a UNIQUE, b REFERENCES t);"
        "CREATE TABLE fit (id TEXT PRIMARY KEY NOT NULL)"
    )
    assert findings(connection, "t", "fit", "missing").split("; ") == [
        f"t: {MAY_BE_COUNTED}",
        "t: column id is AUTOINCREMENT, and two writers would count alike",
        "t: UNIQUE (a) besides the primary key",
        "t: foreign key to t",
        "missing: there is no such table",
    ]


def test_a_key_regardless_of_case_would_halt_the_others(connection: apsw.Connection) -> None:
    connection.execute(
        "CREATE TABLE t (id TEXT PRIMARY KEY COLLATE NOCASE NOT NULL); INSERT INTO t VALUES ('a')"
    )
    with closing(apsw.Connection(":memory:")) as other:
        other.deserialize("main", connection.serialize("main"))
        with recording(connection, TABLES) as changes:
            connection.execute("UPDATE t SET id = 'A'")
            with pytest.raises(Diverged):
                apply(other, changes.changeset(), TABLES, "entry 2")


def test_case_would_not_be_restored_in_a_column_without_regard_to_it(
    connection: apsw.Connection,
) -> None:
    schema = "t (id TEXT PRIMARY KEY NOT NULL, a TEXT COLLATE NOCASE)"
    connection.execute(
        f"ATTACH ':memory:' AS now; CREATE TABLE {schema}; CREATE TABLE now.{schema};"
        "INSERT INTO main.t VALUES ('x', 'then'); INSERT INTO now.t VALUES ('x', 'THEN')"
    )
    assert difference(connection, "now", TABLES) == b""


def test_on_conflict_replace_would_hide_a_divergence(connection: apsw.Connection) -> None:
    connection.execute("CREATE TABLE t (id TEXT PRIMARY KEY ON CONFLICT REPLACE NOT NULL, a)")
    with recording(connection, TABLES) as changes:
        connection.execute("INSERT INTO t VALUES ('x', 'recorded')")
        changeset = changes.changeset()
    connection.execute("UPDATE t SET a = 'another'")
    apply(connection, changeset, TABLES, "entry 2")
    assert connection.execute("SELECT a FROM t").fetchall() == [("recorded",)]


@pytest.mark.parametrize("schema", ["t (id TEXT, a)", "t (id TEXT PRIMARY KEY, a)"])
def test_without_a_key_nothing_would_be_recorded(schema: str, connection: apsw.Connection) -> None:
    connection.execute(f"CREATE TABLE {schema}")
    with recording(connection, TABLES) as changes:
        connection.execute("INSERT INTO t (a) SELECT 1")
        assert changes.changeset() == b""
