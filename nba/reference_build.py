"""Building the reference file from the bundled Parquet files."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import apsw
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from nba.errors import BundleDamaged, BundleMissing, ReferenceDamaged, ReferenceNotWritten
from nba.reference_tables import (
    DATE_COLUMNS,
    FINISHING_SQL,
    INFO_SQL,
    SCHEMA_VERSION,
    TABLES,
    ReferenceTable,
)

__all__ = ["build_reference", "reference_hash", "verify_reference"]

_Files = Mapping[ReferenceTable, list[Path]]

_BATCH_ROWS: Final = 8_192
_FETCH_AGAIN: Final = "Fetch the data folder again from the project's repository"


def reference_hash(data_dir: Path, may_lack: Collection[str] = ()) -> str:
    """SHA-256, in hex, of the names and contents of the Parquet files that the reference holds.

    BundleMissing if there is no such folder, and for a file that is not there, unless its table is
    in `may_lack`.
    """
    if not data_dir.is_dir():
        raise BundleMissing(
            "Reading the bundled seasons",
            data_dir.name,
            "there is no such folder",
            "Name a folder laid out like data/",
        )
    digest = hashlib.sha256()
    for table in TABLES:
        for path in _files(data_dir, table, may_lack):
            digest.update(path.name.encode())
            digest.update(hashlib.sha256(_bytes_of(path)).digest())
    return digest.hexdigest()


def build_reference(
    data_dir: Path,
    path: Path,
    progress: Callable[[float, str], None] = lambda done, text: None,
    may_lack: Collection[str] = (),
) -> Path:
    """Make sure that `path` holds the reference of the Parquet files in `data_dir`; return it.

    A whole file of the same content and schema version is kept as it is. Otherwise a new one is
    built beside it, verified, and put in its place in one step, so that a reader sees the old file
    or the new one. Processes that build at the same time take turns; the second one finds the work
    done. `progress` is called with the share done (0..1) and a few words on what is being done.
    A table in `may_lack` (such as `OPTIONAL_TABLES`) is left empty where the folder has no file.

    Whoever has box scores and no row in players.parquet is given one, with the name that they have.

    Raises BundleMissing, BundleDamaged or ReferenceNotWritten.
    """
    progress(0.0, "Checking the bundled seasons")
    content_hash = reference_hash(data_dir, may_lack)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _turn(path):
            if not _is_whole(path, content_hash):
                files = {table: _files(data_dir, table, may_lack) for table in TABLES}
                _build(files, path, content_hash, progress)
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
    files: _Files, path: Path, content_hash: str, progress: Callable[[float, str], None]
) -> None:
    unfinished = path.with_name(f"{path.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    try:
        connection = apsw.Connection(str(unfinished))
        try:
            _fill(connection, files, content_hash, progress)
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
    files: _Files,
    content_hash: str,
    progress: Callable[[float, str], None],
) -> None:
    # The file counts only once it is whole, verified and renamed: a journal would protect nothing.
    connection.execute("PRAGMA journal_mode = OFF")
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA cache_size = -24000")
    total = sum(_row_count(path) for paths in files.values() for path in paths)
    written = 0
    # No rollback either: without a journal there is none, and an unfinished file is deleted.
    connection.execute("BEGIN")
    for table, paths in files.items():
        connection.execute(f"CREATE TABLE {table.name} ({table.declaration}) {_kind(table)}")
        for path in paths:
            for rows in _rows(path, table):
                _insert(connection, table, path, rows)
                written += len(rows)
                progress(0.85 * written / max(total, 1), f"Reading {path.name}")
        if table.name == "player_games":
            _add_unlisted(connection, paths, progress)
    for number, statement in enumerate(FINISHING_SQL):
        progress(0.85 + 0.12 * number / len(FINISHING_SQL), "Making indexes")
        connection.execute(statement)
    [(newest,)] = connection.execute("SELECT max(game_date) FROM player_games").fetchall()
    if newest is None:
        raise BundleDamaged(
            "Reading the bundled seasons",
            "player_games.parquet",
            "there is no box score in it",
            _FETCH_AGAIN,
        )
    connection.execute(INFO_SQL)
    connection.execute(
        "INSERT INTO reference_info VALUES (?, ?, ?)", (SCHEMA_VERSION, content_hash, newest)
    )
    connection.execute("COMMIT")


def _add_unlisted(
    connection: apsw.Connection, paths: list[Path], progress: Callable[[float, str], None]
) -> None:
    """Give a row of `players` to whoever has box scores and none."""
    unlisted = {
        player_id
        for (player_id,) in connection.execute(
            "SELECT DISTINCT player_id FROM player_games"
            " WHERE player_id NOT IN (SELECT player_id FROM players)"
        )
    }
    if not unlisted:
        return
    progress(0.85, f"Adding {len(unlisted):,} players known from box scores alone")
    for path in paths:
        names = [
            (player_id, name or f"Player {player_id}")
            for rows in _columns(path, ("player_id", "player_name"))
            for player_id, name in rows
            if player_id in unlisted
        ]
        connection.executemany(
            "INSERT OR IGNORE INTO players (player_id, player_name) VALUES (?, ?)", names
        )


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


def _files(data_dir: Path, table: ReferenceTable, may_lack: Collection[str]) -> list[Path]:
    found = sorted(data_dir.glob(table.files))
    if not found and table.name not in may_lack:
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
    return _columns(path, [source for _, source in table.columns])


def _columns(path: Path, names: Sequence[str]) -> Iterator[list[tuple[Any, ...]]]:
    with _open(path) as file:
        missing = sorted(set(names) - set(file.schema_arrow.names))
        if missing:
            raise BundleDamaged(
                "Reading the bundled seasons",
                path.name,
                f"columns are missing: {', '.join(missing)}",
                _FETCH_AGAIN,
            )
        for batch in file.iter_batches(batch_size=_BATCH_ROWS, columns=names, use_threads=False):
            columns = [_plain(path, name, batch.column(name)).to_pylist() for name in names]
            yield list(zip(*columns, strict=True))


def _plain(path: Path, name: str, values: pa.Array) -> pa.Array:
    if name in DATE_COLUMNS:
        return _dates(path, name, values)
    if pa.types.is_timestamp(values.type):
        seconds = values.cast(pa.timestamp("s", tz="UTC"), safe=False)
        return pc.strftime(seconds, format="%Y-%m-%dT%H:%M:%S+00:00")
    return values


def _dates(path: Path, name: str, values: pa.Array) -> pa.Array:
    """Dates as ISO text, whatever type the file has for them.

    A date is often kept as a moment, midnight of the day: on the clock of its own zone, if it has
    one. Any other moment is no date.
    """
    if pa.types.is_timestamp(values.type):
        local = values if values.type.tz is None else pc.local_timestamp(values)
        seconds = local.cast(pa.timestamp("s"), safe=False)
        since_midnight = pc.subtract(local, pc.floor_temporal(local, unit="day"))
        if pc.any(pc.not_equal(since_midnight.cast(pa.int64()), 0)).as_py():
            raise _no_date(path, name, "times of day other than midnight")
        return seconds.cast(pa.date32()).cast(pa.string())
    try:
        return values.cast(pa.date32()).cast(pa.string())
    except pa.ArrowException as error:
        raise _no_date(path, name, f"what is no date ({error})") from error


def _no_date(path: Path, name: str, found: str) -> BundleDamaged:
    return BundleDamaged(
        "Reading the bundled seasons",
        path.name,
        f"the column {name} has {found}",
        "Give it US Eastern dates without a time, such as 2024-11-20",
    )


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
