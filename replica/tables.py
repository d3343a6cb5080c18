"""Which tables can be replicated without losing changes, checked before anything is recorded."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import apsw

from replica.errors import UnfitTables

__all__ = ["lint"]

_RESERVED_PREFIXES = ("replica_", "sqlite_")

_TOKEN = re.compile(
    r"""--[^\n]* | /\*.*?(?:\*/|\Z)
    | (?P<text>'(?:[^']|'')*')
    | (?P<name>"(?:[^"]|"")*" | `(?:[^`]|``)*` | \[[^\]]*\])
    | (?P<word>\w[\w$]*)
    | (?P<sign>\S)""",
    re.DOTALL | re.VERBOSE,
)


def lint(connection: apsw.Connection, tables: Sequence[str], path: Path) -> None:
    """Raises UnfitTables with everything that stands in the way of replicating ``tables``.

    Of a key that is a single INTEGER no schema tells who gives it: a program that has its ids from
    elsewhere, or SQLite, which would give the same one to rows of two writers. NOT NULL written
    out is the program's word that each INSERT names the id; whether it does is not checked.
    """
    findings = [f"{table}: {finding}" for table in tables for finding in _check(connection, table)]
    if findings:
        raise UnfitTables("open", str(path), detail="; ".join(findings))


def _check(connection: apsw.Connection, table: str) -> Iterator[str]:
    if table.casefold().startswith(_RESERVED_PREFIXES):
        yield "its name is reserved"
    kind = connection.execute(
        "SELECT type FROM pragma_table_list WHERE schema = 'main' AND name = ?", (table,)
    ).fetchone()
    if kind is None:
        # A session compares names as they are written.
        yield "there is no such table"
    elif kind[0] != "table":
        yield f"it is no ordinary table but a {kind[0]}"
    else:
        yield from _check_columns(connection, table)
        yield from _check_surroundings(connection, table)
        yield from _check_statement(connection, table)


def _check_columns(connection: apsw.Connection, table: str) -> Iterator[str]:
    columns = _columns(connection, table)
    if not any(column.in_key for column in columns):
        yield "it has no primary key"
    for column in columns:
        if column.in_key and not column.not_null:
            # A session passes over rows with a NULL key.
            yield f"key column {column.name} may be NULL{_counted(connection, table)}"
        if column.hidden:
            yield f"column {column.name} is generated"
        if connection.column_metadata("main", table, column.name)[4]:
            yield f"column {column.name} is AUTOINCREMENT, and two writers would count alike"
    for name, collation in _collations(connection, table):
        if collation.upper() != "BINARY":
            # Where changes are applied or compared, SQLite would take one text for the other.
            yield f"column {name} is compared as {collation}; put that into an index or a query"


def _counted(connection: apsw.Connection, table: str) -> str:
    """What to think of where SQLite would give the ids: in a key that stands for the rowid."""
    keys = [
        kind.casefold()
        for (kind,) in connection.execute(
            "SELECT type FROM pragma_table_xinfo(?, 'main') WHERE pk > 0", (table,)
        )
    ]
    if keys != ["integer"]:
        return ""
    return ", and two writers would count alike where an INSERT does not name it"


def _check_surroundings(connection: apsw.Connection, table: str) -> Iterator[str]:
    indexes = connection.execute(
        "SELECT name FROM pragma_index_list(?, 'main')"
        " WHERE \"unique\" AND origin <> 'pk' ORDER BY name",
        (table,),
    )
    for (index,) in indexes.fetchall():
        covered = ", ".join(name for name, _ in _index_columns(connection, str(index)))
        yield f"UNIQUE ({covered}) besides the primary key"
    parents = connection.execute(
        "SELECT DISTINCT \"table\" FROM pragma_foreign_key_list(?, 'main') ORDER BY 1", (table,)
    )
    yield from [f"foreign key to {parent}" for (parent,) in parents]
    triggers = connection.execute(
        "SELECT name FROM main.sqlite_schema WHERE type = 'trigger'"
        " AND tbl_name = ? COLLATE NOCASE ORDER BY name",
        (table,),
    )
    yield from [f"trigger {name}" for (name,) in triggers]


def _check_statement(connection: apsw.Connection, table: str) -> Iterator[str]:
    """What SQLite tells only in the words of the CREATE TABLE."""
    (sql,) = connection.execute(
        "SELECT sql FROM main.sqlite_schema WHERE type = 'table' AND name = ?", (table,)
    ).fetchall()[0]
    columns = {column.name.casefold(): column.name for column in _columns(connection, table)}
    tokens = list(_tokens(str(sql)))
    for at, token in enumerate(tokens):
        match tokens[at : at + 3]:
            case ["on", "conflict", answer] if answer != "abort":
                # Changes are applied with plain INSERTs, whose refusal shows a divergence.
                yield f"ON CONFLICT {answer.upper()} would hide that two writers differ"
        if token == "check":
            named = _names_within(tokens[at + 1 :])
            checked = [name for folded, name in columns.items() if folded in named]
            if len(checked) > 1:
                yield f"CHECK over several columns ({', '.join(checked)})"


@dataclass(frozen=True, slots=True)
class _Column:
    name: str
    not_null: bool
    in_key: bool
    hidden: bool


def _columns(connection: apsw.Connection, table: str) -> list[_Column]:
    rows = connection.execute(
        "SELECT name, \"notnull\", pk, hidden FROM pragma_table_xinfo(?, 'main') ORDER BY cid",
        (table,),
    )
    return [_Column(name, *map(bool, facts)) for name, *facts in rows]


def _collations(connection: apsw.Connection, table: str) -> list[tuple[str, str]]:
    """Each column with its collation; one of the key can have another one there."""
    pairs = [
        (column.name, connection.column_metadata("main", table, column.name)[1])
        for column in _columns(connection, table)
    ]
    keys = connection.execute(
        "SELECT name FROM pragma_index_list(?, 'main') WHERE origin = 'pk'", (table,)
    )
    for (index,) in keys.fetchall():
        pairs += _index_columns(connection, str(index))
    return list(dict.fromkeys(pairs))


def _index_columns(connection: apsw.Connection, index: str) -> list[tuple[str, str]]:
    """The columns that an index orders by, with their collations."""
    rows = connection.execute(
        "SELECT coalesce(name, 'an expression'), coll FROM pragma_index_xinfo(?, 'main')"
        " WHERE key ORDER BY seqno",
        (index,),
    )
    return [(name, collation) for name, collation in rows]


def _tokens(sql: str) -> Iterator[str]:
    """Words and signs without regard to case; a name in quotes has one quote before it."""
    for token in _TOKEN.finditer(sql):
        if token["name"]:
            quote = token["name"][-1]
            yield '"' + token["name"][1:-1].replace(quote * 2, quote).casefold()
        elif token.lastgroup:
            yield token[0].casefold()


def _names_within(tokens: Sequence[str]) -> set[str]:
    """What may be a column's name in the parentheses with which ``tokens`` begin."""
    names, depth = set(), 0
    for before, token, after in zip(["", *tokens], tokens, [*tokens[1:], ""], strict=False):
        depth += (token == "(") - (token == ")")
        if depth == 0:
            break
        if token.startswith('"'):
            names.add(token[1:])
        elif before not in {"as", "collate"} and after != "(":
            # Neither a type, nor a collation, nor a function.
            names.add(token)
    return names
