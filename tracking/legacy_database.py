"""The file of an earlier app's database: verified, opened privately, and read."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import apsw

from tracking.errors import ExistingDatabaseDamaged, ImportRefused, NotAnExistingDatabase
from tracking.legacy_rows import LegacyRow, SkipReason, columns_of, missing_columns, read_row

__all__ = ["Reading", "read_database"]

_OPERATION: Final = "import of the existing database"
_MAGIC: Final = b"SQLite format 3\x00"
_READ_VERSION: Final = 19
_WAL_FORMAT: Final = 2


@dataclass(slots=True)
class Reading:
    """What was read of the predictions table, and what was left out why."""

    rows: list[LegacyRow] = field(default_factory=list)
    rows_read: int = 0
    skipped: dict[SkipReason, list[int]] = field(default_factory=dict)
    unknown_tables: dict[str, int | None] = field(default_factory=dict)
    ignored_columns: tuple[str, ...] = ()
    notes: list[str] = field(default_factory=list)

    def skip(self, number: int, reason: SkipReason) -> None:
        """Note a row, by its number, that is left out."""
        self.skipped.setdefault(reason, []).append(number)


def read_database(body: bytes, key: str, temp_dir: Path) -> Reading:
    """Verify `body`, the object under `key`, and read its predictions.

    Raises NotAnExistingDatabase, ExistingDatabaseDamaged, or ImportRefused when `temp_dir` has no
    room for it.
    """
    with _opened(body, key, temp_dir) as connection:
        reading = _read(connection)
    if body[_READ_VERSION] == _WAL_FORMAT:
        reading.notes.append(
            "The database used a write-ahead log; what was only in its -wal file is not here."
        )
    return reading


@contextmanager
def _opened(body: bytes, key: str, temp_dir: Path) -> Iterator[apsw.Connection]:
    """A verified, read-only connection to a private copy."""
    if not body.startswith(_MAGIC):
        raise NotAnExistingDatabase(
            _OPERATION,
            key,
            "the object is no SQLite database; nothing was imported",
            "Move the object to another key, or put the right database in its place.",
        )
    try:
        temp_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="import-", dir=temp_dir) as folder:
            path = Path(folder, "existing.db")
            path.write_bytes(body)
            # The file is ours alone: without locks and companions even one in WAL mode opens
            # read-only.
            uri = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
            flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
            with closing(apsw.Connection(uri, flags=flags)) as connection:
                # Somebody else's schema may call functions from views and generated columns.
                connection.execute("PRAGMA query_only=ON; PRAGMA trusted_schema=OFF")
                findings = [row[0] for row in connection.execute("PRAGMA quick_check(3)")]
                if findings != ["ok"]:
                    raise _damaged(key, "; ".join(str(finding) for finding in findings))
                yield connection
    except apsw.Error as error:
        raise _damaged(key, str(error)) from error
    except OSError as error:
        raise ImportRefused(
            _OPERATION,
            key,
            f"it could not be unpacked on this machine ({error.strerror})",
            "Free some space in the temporary folder and start again.",
        ) from error


def _damaged(key: str, finding: str) -> ExistingDatabaseDamaged:
    return ExistingDatabaseDamaged(
        _OPERATION,
        key,
        f"the database is damaged ({finding}); nothing was imported",
        "Put an undamaged version of the object in its place, or move it to another key.",
    )


def _read(connection: apsw.Connection) -> Reading:
    reading = Reading()
    columns: dict[str, str] = {}
    sql = "SELECT name, type, wr FROM pragma_table_list WHERE schema = 'main' ORDER BY name"
    predictions = ""
    without_rowid = False
    for listed, kind, is_without_rowid in connection.execute(sql).fetchall():
        name = str(listed)
        if name.startswith("sqlite_") or kind == "shadow":
            continue
        if name.lower() == "predictions" and kind == "table":
            names = [row[1] for row in connection.execute(f"PRAGMA table_xinfo({_quoted(name)})")]
            columns = columns_of(names)
            missing = missing_columns(columns)
            if not missing:
                predictions, without_rowid = name, bool(is_without_rowid)
                used = set(columns.values())
                reading.ignored_columns = tuple(n for n in names if n not in used)
                continue
            reading.notes.append(f"The table {name} was not read: no column {', '.join(missing)}.")
        reading.unknown_tables[name] = _count(connection, name)
    if not predictions:
        reading.notes.append("There is no table of predictions to import.")
        return reading
    encoding = str(connection.pragma("encoding"))
    # Text is fetched as bytes, so that what is no valid text fails its row and not the import.
    picked = ", ".join(
        f"typeof({_quoted(c)}), CASE typeof({_quoted(c)}) WHEN 'text'"
        f" THEN CAST({_quoted(c)} AS BLOB) ELSE {_quoted(c)} END"
        for c in columns.values()
    )
    order = "" if without_rowid else " ORDER BY _rowid_"
    rows = connection.execute(f"SELECT {picked} FROM {_quoted(predictions)}{order}")
    for number, row in enumerate(rows, start=1):
        reading.rows_read += 1
        values = {
            meaning: _value(row[2 * i], row[2 * i + 1], encoding)
            for i, meaning in enumerate(columns)
        }
        found = read_row(number, values)
        if isinstance(found, LegacyRow):
            reading.rows.append(found)
        else:
            reading.skip(number, found)
    return reading


def _value(kind: object, value: object, encoding: str) -> object:
    if kind != "text" or not isinstance(value, bytes):
        return value
    try:
        return value.decode(encoding)
    except UnicodeDecodeError:
        return value


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _count(connection: apsw.Connection, table: str) -> int | None:
    try:
        return int(str(connection.execute(f"SELECT count(*) FROM {_quoted(table)}").get))
    except apsw.SQLError:
        # A view or virtual table that only its own app can read.
        return None
