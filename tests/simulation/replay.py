"""The log read by somebody else than the engine: what each entry changed, and the state after it.

Shares with the engine the envelope's format and nothing more; the content is SQLite's, in memory.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import apsw
import zstandard

from replica.envelope import Entry, Kind, unpack_entry
from replica.errors import ReplicaError
from tests.simulation.bucket import LOG, Bucket, log_key
from tests.simulation.model import MIGRATIONS, Key, Row, RowKey, Value, key_columns, tables_of
from tests.simulation.violations import Violation

__all__ = [
    "CONFLICTS",
    "Effect",
    "Link",
    "Replay",
    "State",
    "open_content",
    "read_log",
    "read_state",
]

CONFLICTS = "sync_conflicts"

State = dict[str, list[tuple[Value, ...]]]
"""All rows of the replicated tables, sorted, by table."""

_FRAME = struct.Struct("<II")


@dataclass(frozen=True, slots=True)
class Link:
    """One entry of the log as it lies in the bucket."""

    entry: Entry
    body: bytes
    sha256: str


@dataclass(frozen=True, slots=True)
class Effect:
    """What one transaction's changeset did: rows before and after it, and conflicts it noted."""

    transaction_id: str
    rows: dict[RowKey, tuple[Row | None, Row | None]]
    conflicts: list[Row]


def read_log(bucket: Bucket) -> list[Link]:
    """All entries from the first on; Violation where the chain is broken."""
    links: list[Link] = []
    numbered = {key: stored for key, stored in bucket.objects.items() if key.startswith(LOG)}
    for sequence in range(1, len(numbered) + 1):
        key = log_key(sequence)
        if key not in numbered:
            raise Violation("I3", f"{key} is missing, others follow")
        stored = numbered[key]
        try:
            entry = unpack_entry(stored.body, key)
        except ReplicaError as error:
            raise Violation("I3", f"{key} cannot be read: {error}") from error
        parent = links[-1].sha256 if links else "0" * 64
        same_log = not links or entry.log_id == links[0].entry.log_id
        if entry.sequence != sequence or entry.parent_sha256 != parent or not same_log:
            raise Violation("I3", f"{key} does not follow the entry before it")
        sha256 = hashlib.sha256(stored.body).hexdigest()
        links.append(Link(entry, stored.body, sha256))
    return links


def open_content(body: bytes, key: str) -> apsw.Connection:
    """The database in a snapshot, in memory."""
    magic, length = _FRAME.unpack_from(body)
    if magic != 0x184D2A50:
        raise Violation("I4", f"{key} is no snapshot")
    database = bytearray(zstandard.ZstdDecompressor().decompress(body[_FRAME.size + length :]))
    # A database in memory has no write-ahead log.
    database[18:20] = b"\x01\x01"
    connection = apsw.Connection(":memory:")
    connection.deserialize("main", bytes(database))
    found = [row[0] for row in connection.execute("PRAGMA integrity_check(3)")]
    if found != ["ok"]:
        raise Violation("I4", f"{key}: {found}")
    return connection


def described(body: bytes) -> dict[str, Any]:
    """What a snapshot says of itself."""
    _, length = _FRAME.unpack_from(body)
    text, _, _ = body[_FRAME.size : _FRAME.size + length].partition(b"\n")
    description: dict[str, Any] = json.loads(text)
    return description


def read_state(connection: apsw.Connection) -> State:
    """All rows of the replicated tables that there are."""
    version = int(connection.pragma("user_version"))
    return {table: _rows(connection, table) for table in (*tables_of(version), CONFLICTS)}


def _rows(connection: apsw.Connection, table: str) -> list[tuple[Value, ...]]:
    return sorted(connection.execute(f"SELECT * FROM {table}"), key=repr)


class Replay:
    """Plays the log, one entry after the other; ``states[n]`` is the content at sequence n."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._connection = apsw.Connection(":memory:")
        self.states: list[State] = [{}]
        self.positions: dict[str, int] = {}
        self.transactions: dict[str, int] = {}
        self._serialized: list[bytes] = [b""]

    def play(self, link: Link) -> Iterator[Effect]:
        """Apply one entry, and tell what each of its transactions did."""
        entry = link.entry
        match entry.kind:
            case Kind.GENESIS:
                self._take_base(link)
            case Kind.BASE:
                raise Violation("I6", "no change of a run is large enough for a base")
            case Kind.MIGRATION:
                self._migrate(entry)
            case Kind.CHANGES:
                for change in entry.changes:
                    yield self._apply(change.transaction_id, change.changeset, entry)
        described_ids = entry.description.get("transactions", ())
        for name in (*entry.transaction_ids, *described_ids):
            if name in self.transactions:
                raise Violation("I1", f"{name} is in the log twice: {entry.sequence}")
            self.transactions[name] = entry.sequence
        self.states.append(read_state(self._connection))
        self._serialized.append(self._connection.serialize("main"))
        self.positions[link.sha256] = entry.sequence

    def close(self) -> None:
        self._connection.close()

    def application_state(self) -> State:
        """The content now, without conflicts."""
        return _without_conflicts(read_state(self._connection))

    def migrated_state(self, sequence: int) -> State:
        """The content at a sequence, brought to the schema of now; without conflicts."""
        if sequence >= len(self._serialized):
            return {}
        return self._migrated(self._serialized[sequence])

    def migrated_content(self, body: bytes, key: str) -> State:
        """The content of a snapshot or backup, as ``migrated_state``; pending changes included."""
        with closing(open_content(body, key)) as content:
            return self._migrated(content.serialize("main"))

    def _migrated(self, database: bytes) -> State:
        now = int(self._connection.pragma("user_version"))
        with closing(apsw.Connection(":memory:")) as connection:
            connection.deserialize("main", database)
            for migration in MIGRATIONS[int(connection.pragma("user_version")) : now]:
                connection.execute(migration.sql).fetchall()
                connection.pragma("user_version", migration.version)
            return _without_conflicts(read_state(connection))

    def row(self, row_key: RowKey) -> Row | None:
        """A row as it is now."""
        table, key = row_key
        if not self.columns(table):
            return None
        where = " AND ".join(f"{column} = ?" for column in key_columns(table))
        rows = list(self._connection.execute(f"SELECT * FROM {table} WHERE {where}", key))
        return dict(zip(self.columns(table), rows[0], strict=True)) if rows else None

    def columns(self, table: str) -> Sequence[str]:
        rows = self._connection.execute("SELECT name FROM pragma_table_info(?)", (table,))
        return [name for (name,) in rows]

    def _take_base(self, link: Link) -> None:
        key = str(link.entry.description["base"])
        stored = self._bucket.objects.get(key)
        if stored is None or hashlib.sha256(stored.body).hexdigest() not in key:
            raise Violation("I3", f"entry {link.entry.sequence} names {key}, which is not there")
        with closing(open_content(stored.body, key)) as base:
            self._connection.close()
            self._connection = apsw.Connection(":memory:")
            self._connection.deserialize("main", base.serialize("main"))
        version = int(self._connection.pragma("user_version"))
        if version != link.entry.schema_version:
            raise Violation("I2", f"{key} has schema {version}, not {link.entry.schema_version}")

    def _migrate(self, entry: Entry) -> None:
        version = int(self._connection.pragma("user_version"))
        if entry.schema_version != version or version >= len(MIGRATIONS):
            raise Violation("I2", f"entry {entry.sequence} migrates {entry.schema_version}")
        self._connection.execute(MIGRATIONS[version].sql).fetchall()
        self._connection.pragma("user_version", version + 1)

    def _apply(self, transaction_id: str, changeset: bytes, entry: Entry) -> Effect:
        version = int(self._connection.pragma("user_version"))
        if not changeset:
            raise Violation("I2", f"{transaction_id} is published without an effect")
        if entry.schema_version != version:
            raise Violation("I2", f"entry {entry.sequence} is for schema {entry.schema_version}")
        keys: list[RowKey] = []
        conflicts: list[Row] = []
        for change in apsw.Changeset.iter(changeset):
            if change.name == CONFLICTS and change.opcode == apsw.SQLITE_INSERT:
                names = self.columns(CONFLICTS)
                conflicts.append(dict(zip(names, map(_value, change.new or ()), strict=True)))
            elif change.name in tables_of(version):
                keys.append((change.name, self._key_of(change)))
            else:
                raise Violation("I5", f"{transaction_id} changes {change.name}: {change}")
        before = {row_key: self.row(row_key) for row_key in keys}
        try:
            apsw.Changeset.apply(changeset, self._connection, conflict=_refuse)
        except apsw.Error as error:
            found = f"{transaction_id} in entry {entry.sequence} does not fit: {error}"
            raise Violation("I2", found) from error
        rows = {row_key: (row, self.row(row_key)) for row_key, row in before.items()}
        return Effect(transaction_id, rows, conflicts)

    def _key_of(self, change: apsw.TableChange) -> Key:
        values = change.new if change.opcode == apsw.SQLITE_INSERT else change.old
        by_name = dict(zip(self.columns(change.name), values or (), strict=False))
        return tuple(_value(by_name[column]) for column in key_columns(change.name))


def _without_conflicts(state: State) -> State:
    return {table: rows for table, rows in state.items() if table != CONFLICTS}


def _value(value: object) -> Value:
    assert value is None or isinstance(value, int | float | str | bytes)
    return value


def _refuse(_reason: int, _change: apsw.TableChange) -> int:
    return int(apsw.SQLITE_CHANGESET_ABORT)
