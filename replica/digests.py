"""What a closed file holds, as hashes: two files with equal ones hold the same rows."""

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import apsw

from replica.changes import quoted
from replica.conflicts import CONFLICTS_TABLE
from replica.database import open_reader
from replica.errors import LocalCorrupt, SnapshotCorrupt
from replica.localfaults import local_faults
from replica.position import read_position

__all__ = ["ContentDigest", "TableDigest", "content_digest"]


@dataclass(frozen=True, slots=True)
class TableDigest:
    """``rows`` of one table, and the SHA-256 (hex) of them in a fixed order."""

    rows: int
    sha256: str


@dataclass(frozen=True, slots=True)
class ContentDigest:
    """The rows of a file, and its place in the log: whose, up to which entry, with which hash.

    ``tables`` are the replicated ones that are there, and what gave way to other writers.
    """

    log_id: str
    sequence: int
    entry_sha256: str
    tables: Mapping[str, TableDigest]

    @property
    def rows(self) -> int:
        return sum(table.rows for table in self.tables.values())

    @property
    def sha256(self) -> str:
        """One hash of all rows (hex)."""
        lines = [f"{name} {table.sha256}" for name, table in sorted(self.tables.items())]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def content_digest(path: Path, key: str, tables: Sequence[str]) -> ContentDigest:
    """Read every row of a closed file, after a check of its pages and indexes as a whole.

    ``key`` names where the file came from. One row is in memory at a time. Tables that the file's
    schema does not have yet are left out. Raises SnapshotCorrupt, LocalError.
    """
    try:
        with closing(open_reader(path)) as connection, local_faults("read", path):
            findings = [row[0] for row in connection.execute("PRAGMA integrity_check(3)")]
            if findings != ["ok"]:
                raise SnapshotCorrupt("verify", key, detail="; ".join(map(str, findings)))
            position = read_position(connection)
            found = {
                table: _digest(connection, table)
                for table in (*tables, CONFLICTS_TABLE)
                if _has(connection, table)
            }
    except LocalCorrupt as error:
        raise SnapshotCorrupt("verify", key, detail=error.detail) from error
    return ContentDigest(position.log_id, position.sequence, position.entry_sha256, found)


def _has(connection: apsw.Connection, table: str) -> bool:
    sql = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?"
    return connection.execute(sql, (table,)).fetchone() is not None


def _digest(connection: apsw.Connection, table: str) -> TableDigest:
    columns = [str(row[1]) for row in connection.execute(f"PRAGMA table_info({quoted(table)})")]
    digest, count = hashlib.sha256(repr(columns).encode()), 0
    # By all columns: where the first are the key, SQLite reads along it and sorts nothing.
    order = ", ".join(str(number) for number in range(1, len(columns) + 1))
    for row in connection.execute(f"SELECT * FROM {quoted(table)} ORDER BY {order}"):
        # Python's own words for a row tell 1 from 1.0 and from '1', and NULL from all of them.
        digest.update(repr(row).encode("utf-8", "surrogatepass") + b"\n")
        count += 1
    return TableDigest(count, digest.hexdigest())
