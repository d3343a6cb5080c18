"""Building the reference file from the bundled Parquet files."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import apsw
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from nba.errors import BundleDamaged, BundleMissing, ReferenceDamaged, ReferenceNotWritten
from nba.reference_tables import FINISHING_SQL, INFO_SQL, SCHEMA_VERSION, TABLES, ReferenceTable

__all__ = ["build_reference", "reference_hash", "verify_reference"]

_BATCH_ROWS: Final = 8_192
_FETCH_AGAIN: Final = "Fetch the data folder again from the project's repository"


def reference_hash(data_dir: Path) -> str:
    """SHA-256, in hex, of the names and contents of the Parquet files that the reference holds.

    BundleMissing names a file that is not there.
    """
    digest = hashlib.sha256()
    for table in TABLES:
        for path in _files(data_dir, table):
            digest.update(path.name.encode())
            digest.update(hashlib.sha256(_bytes_of(path)).digest())
    return digest.hexdigest()


def build_reference(
    data_dir: Path, path: Path, progress: Callable[[float, str], None] = lambda done, text: None
) -> Path:
    """Make sure that `path` holds the reference of the Parquet files in `data_dir`; return it.

    A whole file of the same content and schema version is kept as it is. Otherwise a new one is
    built beside it, verified, and put in its place in one step, so that a reader sees the old file
    or the new one. Processes that build at the same time take turns; the second one finds the work
    done. `progress` is called with the share done (0..1) and a few words on what is being done.

    Raises BundleMissing, BundleDamaged or ReferenceNotWritten.
    """
    progress(0.0, "Checking the bundled seasons")
    content_hash = reference_hash(data_dir)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _turn(path):
            if not _is_whole(path, content_hash):
                _build(data_dir, path, content_hash, progress)
    except (OSError, apsw.FullError, apsw.IOError, apsw.ReadOnlyError, apsw.CantOpenError) as error:
        raise ReferenceNotWritten(
            "Building the reference",
            path.name,
            # Not the error's own words: they name a path of this machine.
            f"the folder cannot be written ({_reason(error)})",
            "Free about 100 MB there, or choose another folder that this user may write to; then"
            " start the app again",
        ) from error
    progress(1.0, "The bundled seasons are ready")
    return path


def _reason(error: OSError | apsw.Error) -> str:
    return getattr(error, "strerror", None) or type(error).__name__


def verify_reference(path: Path, content_hash: str | None = None) -> None:
    """Raise ReferenceDamaged unless `path` is a whole reference, of `content_hash` if given."""
    try:
        connection = apsw.Connection(f"file:{path}?mode=ro", flags=_READ_ONLY)
    except apsw.Error as error:
        raise _damaged(path, f"it cannot be opened ({error})") from error
    try:
        verdict = connection.execute("PRAGMA quick_check").fetchall()
        found = connection.execute(
            "SELECT schema_version, content_hash FROM reference_info"
        ).fetchall()
    except apsw.Error as error:
        raise _damaged(path, f"it cannot be read ({error})") from error
    finally:
        connection.close()
    if verdict != [("ok",)]:
        raise _damaged(path, f"SQLite's check says {verdict[0][0]}")
    if len(found) != 1 or found[0][0] != SCHEMA_VERSION:
        raise _damaged(path, "it belongs to another version of the app")
    if content_hash is not None and found[0][1] != content_hash:
        raise _damaged(path, "it was built from other Parquet files")


_READ_ONLY: Final = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI


def _damaged(path: Path, problem: str) -> ReferenceDamaged:
    return ReferenceDamaged(
        "Reading the reference", path.name, problem, "Start the app again: it is then built anew"
    )


def _is_whole(path: Path, content_hash: str) -> bool:
    if not path.exists():
        return False
    try:
        verify_reference(path, content_hash)
    except ReferenceDamaged:
        return False
    return True


@contextmanager
def _turn(path: Path) -> Iterator[None]:
    with path.with_name(f"{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build(
    data_dir: Path, path: Path, content_hash: str, progress: Callable[[float, str], None]
) -> None:
    unfinished = path.with_name(f"{path.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    try:
        connection = apsw.Connection(str(unfinished))
        try:
            _fill(connection, data_dir, content_hash, progress)
        finally:
            connection.close()
        progress(0.97, "Verifying")
        verify_reference(unfinished, content_hash)
        _flush(unfinished)
        unfinished.replace(path)
        _flush(path.parent)
    finally:
        unfinished.unlink(missing_ok=True)


def _fill(
    connection: apsw.Connection,
    data_dir: Path,
    content_hash: str,
    progress: Callable[[float, str], None],
) -> None:
    # The file counts only once it is whole, verified and renamed: a journal would protect nothing.
    connection.execute("PRAGMA journal_mode = OFF")
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA cache_size = -24000")
    total = sum(_row_count(path) for table in TABLES for path in _files(data_dir, table))
    written = 0
    # No rollback either: without a journal there is none, and an unfinished file is deleted.
    connection.execute("BEGIN")
    for table in TABLES:
        connection.execute(f"CREATE TABLE {table.name} ({table.declaration}) {_kind(table)}")
        for path in _files(data_dir, table):
            for rows in _rows(path, table):
                _insert(connection, table, path, rows)
                written += len(rows)
                progress(0.85 * written / max(total, 1), f"Reading {path.name}")
    for number, statement in enumerate(FINISHING_SQL):
        progress(0.85 + 0.12 * number / len(FINISHING_SQL), "Making indexes")
        connection.execute(statement)
    connection.execute(INFO_SQL)
    connection.execute(
        "INSERT INTO reference_info SELECT ?, ?, max(game_date) FROM player_games",
        (SCHEMA_VERSION, content_hash),
    )
    connection.execute("COMMIT")


def _kind(table: ReferenceTable) -> str:
    return "WITHOUT ROWID" if "PRIMARY KEY (" in table.declaration else ""


def _insert(
    connection: apsw.Connection, table: ReferenceTable, path: Path, rows: list[tuple[Any, ...]]
) -> None:
    places = ", ".join("?" for _ in table.columns)
    names = ", ".join(target for target, _ in table.columns)
    try:
        connection.executemany(f"INSERT INTO {table.name} ({names}) VALUES ({places})", rows)
    except apsw.ConstraintError as error:
        raise BundleDamaged(
            "Reading the bundled seasons",
            path.name,
            f"a row is there twice or lacks a value ({error})",
            _FETCH_AGAIN,
        ) from error


def _files(data_dir: Path, table: ReferenceTable) -> list[Path]:
    found = sorted(data_dir.glob(table.files))
    if not found:
        raise BundleMissing(
            "Reading the bundled seasons",
            table.files,
            "the file is not in the data folder",
            _FETCH_AGAIN,
        )
    return found


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BundleMissing(
            "Reading the bundled seasons", path.name, f"it cannot be read ({error})", _FETCH_AGAIN
        ) from error


def _row_count(path: Path) -> int:
    with _open(path) as file:
        return int(file.metadata.num_rows)


@contextmanager
def _open(path: Path) -> Iterator[pq.ParquetFile]:
    try:
        file = pq.ParquetFile(path)
        with file:
            yield file
    except (pa.ArrowException, OSError) as error:
        raise BundleDamaged(
            "Reading the bundled seasons",
            path.name,
            f"it is no whole Parquet file ({error})",
            _FETCH_AGAIN,
        ) from error


def _rows(path: Path, table: ReferenceTable) -> Iterator[list[tuple[Any, ...]]]:
    """A Parquet file's rows in batches, dates and times as ISO text."""
    sources = [source for _, source in table.columns]
    with _open(path) as file:
        missing = sorted(set(sources) - set(file.schema_arrow.names))
        if missing:
            raise BundleDamaged(
                "Reading the bundled seasons",
                path.name,
                f"columns are missing: {', '.join(missing)}",
                _FETCH_AGAIN,
            )
        for batch in file.iter_batches(batch_size=_BATCH_ROWS, columns=sources, use_threads=False):
            columns = [_plain(batch.column(source)).to_pylist() for source in sources]
            yield list(zip(*columns, strict=True))


def _plain(values: pa.Array) -> pa.Array:
    if pa.types.is_date(values.type):
        return values.cast(pa.string())
    if pa.types.is_timestamp(values.type):
        seconds = values.cast(pa.timestamp("s", tz="UTC"))
        return pc.strftime(seconds, format="%Y-%m-%dT%H:%M:%S+00:00")
    return values


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
