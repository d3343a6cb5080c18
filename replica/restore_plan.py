"""What a restore would do, before anybody decides: rows of each table, and writes undone."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from replica.backups import Earlier, Source
from replica.changes import count_differences, difference, touched_tables
from replica.content import Archive
from replica.database import open_reader, open_work_file
from replica.envelope import Entry, Kind, unpack_entry
from replica.errors import ForeignBackup, RestoreOutdated
from replica.live import LiveDatabase
from replica.localfaults import local_faults
from replica.log import log_key
from replica.snapshots import content_copy

__all__ = [
    "RestorePlan",
    "TableChange",
    "UndoneEntry",
    "changes_between",
    "count_changes",
    "plan_restore",
    "require_current",
]


@dataclass(frozen=True, slots=True)
class TableChange:
    """How many rows of one table a restore would add, remove and change."""

    table: str
    rows_added: int
    rows_removed: int
    rows_changed: int

    @property
    def rows(self) -> int:
        """All of them."""
        return self.rows_added + self.rows_removed + self.rows_changed


@dataclass(frozen=True, slots=True)
class UndoneEntry:
    """A later log entry that changed what is to be restored; ``stored_at`` is UTC.

    ``transactions`` are those of its transactions that did, by id.
    """

    sequence: int
    stored_at: datetime
    writer_id: str
    transactions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RestorePlan:
    """What going back to ``target`` would do to a log that has reached ``as_of``.

    ``as_of_sha256`` is the hash of that entry: another log may have one of the same number.

    ``sequence`` is the target's place in the log, None for a backup of what the log does not hold
    (any more): which entries came later cannot be told then, and ``undone`` is empty. ``tables``
    are those that would change, ``undone`` the later entries that changed them, oldest first; an
    entry that another one has taken back already is among them.
    """

    target: Source
    sequence: int | None
    as_of: int
    as_of_sha256: str
    tables: tuple[TableChange, ...]
    undone: tuple[UndoneEntry, ...]

    @property
    def changes_nothing(self) -> bool:
        return not self.tables

    @property
    def rows_added(self) -> int:
        return sum(change.rows_added for change in self.tables)

    @property
    def rows_removed(self) -> int:
        return sum(change.rows_removed for change in self.tables)

    @property
    def rows_changed(self) -> int:
        return sum(change.rows_changed for change in self.tables)


def plan_restore(
    earlier: Earlier, live: LiveDatabase, archive: Archive, tables: Sequence[str]
) -> RestorePlan:
    """Compare an earlier content with the newest that is in the log; changes nothing.

    What the file no longer keeps of later entries is asked of the store. Raises ForeignBackup when
    another log is followed since, EntryRefused, LocalError, StoreError.
    """
    with content_copy(live.path, live.replicated) as (now, position):
        if position.log_id != earlier.log_id:
            raise ForeignBackup("restore", str(earlier.source))
        changes = count_changes(earlier, now, tables)
        later = {} if earlier.sequence is None else _times_after(earlier.sequence, now)
    undone = _undone(later, live.envelopes(), archive, frozenset(tables))
    return RestorePlan(
        target=earlier.source,
        sequence=earlier.sequence,
        as_of=position.sequence,
        as_of_sha256=position.entry_sha256,
        tables=changes,
        undone=tuple(undone),
    )


def require_current(
    planned: RestorePlan, live: LiveDatabase, archive: Archive, tables: Sequence[str]
) -> None:
    """Make sure that since a plan the log has only gained entries that leave ``tables`` alone.

    Raises RestoreOutdated, EntryRefused, LocalError, StoreError.
    """
    target = str(planned.target)
    if not archive.holds(planned.as_of, planned.as_of_sha256):
        raise RestoreOutdated("restore", target, detail="the log is another one since")
    later = _times_after(planned.as_of, live.path)
    if not later:
        return
    first = next(_undone(later, live.envelopes(), archive, frozenset(tables)), None)
    if first is not None:
        raise RestoreOutdated("restore", target, detail=f"entry {first.sequence}")


def count_changes(earlier: Earlier, now: Path, tables: Sequence[str]) -> tuple[TableChange, ...]:
    """What ``changes_between`` would change, table by table; those without a change are left out.

    Takes no memory for the rows.
    """
    then = earlier.path
    with closing(open_work_file(then)) as connection, local_faults("compare", then):
        connection.execute("ATTACH ? AS now", (str(now),))
        counted = ((table, *count_differences(connection, "now", table)) for table in tables)
        return tuple(TableChange(*each) for each in counted if any(each[1:]))


def changes_between(earlier: Earlier, now: Path, tables: Sequence[str]) -> bytes:
    """The changeset that leads from the tables in ``now`` back to what they held earlier."""
    then = earlier.path
    with closing(open_work_file(then)) as connection, local_faults("compare", then):
        connection.execute("ATTACH ? AS now", (str(now),))
        return difference(connection, "now", tables)


def _times_after(sequence: int, now: Path) -> dict[int, datetime]:
    """When each later entry with transactions was stored, in their order."""
    sql = (
        "SELECT sequence, min(stored_at) FROM replica_transactions WHERE sequence > ?"
        " GROUP BY sequence ORDER BY sequence"
    )
    with closing(open_reader(now)) as connection, local_faults("read", now):
        rows = connection.execute(sql, (sequence,))
        return {int(number): datetime.fromisoformat(text) for number, text in rows}


def _undone(
    later: Mapping[int, datetime],
    kept: Mapping[int, bytes],
    archive: Archive,
    tables: frozenset[str],
) -> Iterator[UndoneEntry]:
    fetched = archive.reader.entries([sequence for sequence in later if sequence not in kept])
    for sequence, stored_at in later.items():
        if sequence in kept:
            entry = unpack_entry(kept[sequence], log_key(sequence))
        else:
            entry = next(fetched)
        transactions = _transactions_in(entry, tables)
        if transactions:
            yield UndoneEntry(sequence, stored_at, entry.writer_id, transactions)


def _transactions_in(entry: Entry, tables: frozenset[str]) -> tuple[str, ...]:
    """The transactions of an entry that changed any of the tables."""
    if entry.kind is Kind.BASE:
        touches = not tables.isdisjoint(entry.description["tables"])
        return tuple(map(str, entry.description["transactions"])) if touches else ()
    return tuple(
        change.transaction_id
        for change in entry.changes
        if not tables.isdisjoint(touched_tables(change.changeset))
    )
