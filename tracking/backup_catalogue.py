"""The catalogue: which backups are in the bucket, and which restores there were.

The bucket is the truth about backups: each row follows from its object, so that the catalogue can
be made anew from the objects alone. Only that a backup is forgotten is the catalogue's own word.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import apsw

from replica import Transaction, local_faults
from tracking.frames import moment_of, moment_text
from tracking.schema import CATALOGUE_TABLES, REPLICATED_TABLES

__all__ = [
    "Backup",
    "BackupKind",
    "KeptBy",
    "RestoreRecord",
    "backups",
    "count_rows",
    "delete_backups",
    "drop_restore",
    "first_saved_at",
    "followed_log",
    "noted_sha256",
    "restores",
    "transactions_after",
    "write_backups",
    "write_restore",
]


class BackupKind(enum.Enum):
    """Why a backup was made; the value is the label in its key.

    SET_ASIDE is what a machine held when it gave up its own history, changes that no log has among
    it. IMPORTED is an earlier app's database, byte for byte. OTHER is a label of another version.
    """

    MANUAL = "manual"
    DAILY = "daily"
    BEFORE_MIGRATION = "before-migration"
    BEFORE_RESTORE = "before-restore"
    BEFORE_IMPORT = "before-import"
    SET_ASIDE = "set-aside"
    IMPORTED = "imported"
    OTHER = "other"

    @property
    def kept_by(self) -> KeptBy:
        """Who says when a backup of this kind may go."""
        return KeptBy.SCHEDULE if self in _BY_ITSELF else KeptBy.PERSON


class KeptBy(enum.Enum):
    """SCHEDULE: the retention rules forget it. PERSON: nobody does, unless a person names it."""

    SCHEDULE = "schedule"
    PERSON = "person"


_BY_ITSELF: Final = frozenset(
    {
        BackupKind.DAILY,
        BackupKind.BEFORE_MIGRATION,
        BackupKind.BEFORE_RESTORE,
        BackupKind.BEFORE_IMPORT,
    }
)


@dataclass(frozen=True, slots=True)
class Backup:
    """One object below `backups/`.

    Attributes:
        key: its key in the store.
        kind: why it was made.
        made_at: when, in UTC by the store's clock, as its key says.
        sequence: the log entry up to which it goes; 0 for content that is of no log.
        log_id: that log's, "" for none (or not known): a bucket may hold an earlier log's backups.
        size_bytes: of the object.
        row_count: rows in the state's data tables; 0 for another app's database.
        sha256: of the database in it, in hex; "" where it is not known.
        compression: "zstd" or "none".
        kept_by: who says when it may go.
        forgotten_at: since when it may be deleted (UTC), None while it is kept.
    """

    key: str
    kind: BackupKind
    made_at: datetime
    sequence: int
    log_id: str
    size_bytes: int
    row_count: int
    sha256: str
    compression: str
    kept_by: KeptBy
    forgotten_at: datetime | None = None

    @property
    def is_forgotten(self) -> bool:
        """Whether the next prune deletes it."""
        return self.forgotten_at is not None


@dataclass(frozen=True, slots=True)
class RestoreRecord:
    """One restore of the data to what it was before.

    Attributes:
        restore_id: a UUID.
        restored_at: when, in UTC.
        sequence: the log entry that it became; None if it was begun, and the log does not have it.
        source: what it was restored from, "backup", "snapshot", "sequence", "time" or "undo".
        moment: which one, in words for everybody: a number of the log or an ISO time, never a key.
        is_of_this_log: whether the numbers count in the log that is followed, and not in one that
            was lost and begun anew since.
        rows_added, rows_removed, rows_changed: what it did to the data tables.
    """

    restore_id: str
    restored_at: datetime
    sequence: int | None
    source: str
    moment: str
    rows_added: int
    rows_removed: int
    rows_changed: int
    is_of_this_log: bool = True


def backups(connection: apsw.Connection) -> list[Backup]:
    """Every backup of the catalogue, oldest first, forgotten ones among them."""
    rows = connection.execute(
        "SELECT backup_key, kind, made_at, sequence, log_id, size_bytes, row_count, sha256,"
        " compression, kept_by, forgotten_at FROM main.s3_data_backups"
        " ORDER BY made_at, sequence, backup_key"
    )
    return [_backup(row) for row in rows]


def write_backups(transaction: Transaction, written: Iterable[Backup]) -> None:
    """Put backups into the catalogue, in place of what it says of the same keys."""
    transaction.executemany(
        "INSERT INTO s3_data_backups (backup_key, kind, made_at, sequence, log_id, size_bytes,"
        " row_count, sha256, compression, kept_by, forgotten_at) VALUES (?,?,?,?,?,?,?,?,?,?,?)"
        " ON CONFLICT (backup_key) DO UPDATE SET kind = excluded.kind, made_at = excluded.made_at,"
        " sequence = excluded.sequence, log_id = excluded.log_id,"
        " size_bytes = excluded.size_bytes,"
        " row_count = excluded.row_count, sha256 = excluded.sha256,"
        " compression = excluded.compression, kept_by = excluded.kept_by,"
        " forgotten_at = excluded.forgotten_at",
        [
            (
                backup.key,
                backup.kind.value,
                moment_text(backup.made_at),
                backup.sequence,
                backup.log_id,
                backup.size_bytes,
                backup.row_count,
                backup.sha256,
                backup.compression,
                backup.kept_by.value,
                None if backup.forgotten_at is None else moment_text(backup.forgotten_at),
            )
            for backup in written
        ],
    )


def delete_backups(transaction: Transaction, keys: Iterable[str]) -> None:
    """Take backups out of the catalogue; keys that are not in it are fine."""
    transaction.executemany(
        "DELETE FROM s3_data_backups WHERE backup_key = ?", [(key,) for key in keys]
    )


def restores(connection: apsw.Connection) -> list[RestoreRecord]:
    """Every restore, the newest first.

    One whose answer was lost is finished as soon as the log has its entry, which bears its id.
    """
    rows = connection.execute(
        "SELECT restore_id, restored_at, coalesce(r.sequence, nullif(t.sequence, 0)), source,"
        " moment, rows_added, rows_removed, rows_changed, r.log_id = p.log_id"
        " FROM main.replica_position AS p, main.restores AS r"
        " LEFT JOIN main.replica_transactions AS t ON t.transaction_id = r.restore_id"
        " ORDER BY restored_at DESC, restore_id"
    )
    return [_restore(row) for row in rows]


def write_restore(transaction: Transaction, record: RestoreRecord) -> None:
    """Note a restore in the log that is followed, or what has become of one already noted."""
    transaction.execute(
        "INSERT INTO restores (log_id, restore_id, restored_at, sequence, source, moment,"
        " rows_added, rows_removed, rows_changed)"
        " VALUES ((SELECT log_id FROM main.replica_position),?,?,?,?,?,?,?,?)"
        " ON CONFLICT (restore_id) DO UPDATE SET restored_at = excluded.restored_at,"
        " sequence = excluded.sequence, source = excluded.source, moment = excluded.moment,"
        " rows_added = excluded.rows_added, rows_removed = excluded.rows_removed,"
        " rows_changed = excluded.rows_changed",
        (
            record.restore_id,
            moment_text(record.restored_at),
            record.sequence,
            record.source,
            record.moment,
            record.rows_added,
            record.rows_removed,
            record.rows_changed,
        ),
    )


def drop_restore(transaction: Transaction, restore_id: str) -> None:
    """Take back the note of a restore that was begun and did nothing."""
    transaction.execute("DELETE FROM restores WHERE restore_id = ?", (restore_id,))


def first_saved_at(connection: apsw.Connection) -> datetime | None:
    """When the first transaction that is still known reached the store; None before that."""
    rows = connection.execute(
        "SELECT min(stored_at) FROM main.replica_transactions WHERE stored_at <> ''"
    )
    [(stored_at,)] = rows.fetchall()
    return None if stored_at is None else moment_of(str(stored_at))


def followed_log(connection: apsw.Connection) -> str:
    """The id of the log that the database follows; "" before there is one."""
    rows = connection.execute("SELECT log_id FROM main.replica_position")
    return str(rows.fetchall()[0][0])


def transactions_after(connection: apsw.Connection, sequence: int) -> set[str]:
    """The transactions that the log has after an entry. Those that are pending are not in it."""
    rows = connection.execute(
        "SELECT transaction_id FROM main.replica_transactions WHERE sequence > ?", (sequence,)
    )
    return {str(transaction_id) for (transaction_id,) in rows}


def pending_transactions(connection: apsw.Connection) -> set[str]:
    """The transactions that are not in the log yet."""
    rows = connection.execute("SELECT transaction_id FROM main.replica_outbox")
    return {str(transaction_id) for (transaction_id,) in rows}


def count_rows(path: Path) -> int:
    """How many rows the data tables of a closed file have, as far as the file has these tables.

    Raises LocalError.
    """
    with _reading(path) as connection:
        there = _tables_of(connection)
        tables = [t for t in REPLICATED_TABLES if t in there and t not in CATALOGUE_TABLES]
        counts = [connection.execute(f"SELECT count(*) FROM {table}") for table in tables]
        return sum(int(str(rows.fetchall()[0][0])) for rows in counts)


def noted_sha256(path: Path, key: str) -> str:
    """What the catalogue in a closed file notes of a backup's content; "" if it does not.

    Raises LocalError.
    """
    with _reading(path) as connection:
        if "s3_data_backups" not in _tables_of(connection):
            return ""
        sql = "SELECT sha256 FROM s3_data_backups WHERE backup_key = ?"
        row = connection.execute(sql, (key,)).fetchone()
        return "" if row is None else str(row[0])


@contextmanager
def _reading(path: Path) -> Iterator[apsw.Connection]:
    """A closed file, opened for the block. Raises LocalError."""
    with (
        local_faults("read", path),
        closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)) as connection,
    ):
        yield connection


def _tables_of(connection: apsw.Connection) -> set[str]:
    return {str(name) for (name,) in connection.execute("SELECT name FROM sqlite_schema")}


def _backup(row: Sequence[apsw.SQLiteValue]) -> Backup:
    key, kind, made_at, sequence, log_id, size_bytes, row_count, *others = row
    sha256, compression, kept_by, forgotten_at = others
    known = {one.value: one for one in BackupKind}
    return Backup(
        key=str(key),
        kind=known.get(str(kind), BackupKind.OTHER),
        made_at=moment_of(str(made_at)),
        sequence=int(str(sequence)),
        log_id=str(log_id),
        size_bytes=int(str(size_bytes)),
        row_count=int(str(row_count)),
        sha256=str(sha256),
        compression=str(compression),
        # What is not understood is nothing for a schedule to delete.
        kept_by=KeptBy.SCHEDULE if kept_by == KeptBy.SCHEDULE.value else KeptBy.PERSON,
        forgotten_at=None if forgotten_at is None else moment_of(str(forgotten_at)),
    )


def _restore(row: Sequence[apsw.SQLiteValue]) -> RestoreRecord:
    restore_id, restored_at, sequence, source, moment, added, removed, changed, is_here = row
    return RestoreRecord(
        restore_id=str(restore_id),
        restored_at=moment_of(str(restored_at)),
        sequence=None if sequence is None else int(str(sequence)),
        source=str(source),
        moment=str(moment),
        rows_added=int(str(added or 0)),
        rows_removed=int(str(removed or 0)),
        rows_changed=int(str(changed)),
        is_of_this_log=bool(is_here),
    )
