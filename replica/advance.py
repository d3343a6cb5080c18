"""Moving a file along the log, within one local transaction.

Entries are applied to exactly the content on which they were recorded. What is pending here came
later: its effects are undone first, and its intents are applied again on top, under the conflict
policy, which gives the new effects.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace

import apsw

from replica.changes import apply, quoted, recording, undo
from replica.conflicts import CONFLICTS_TABLE, reapply
from replica.database import Migration, schema_version
from replica.envelope import Change, Entry, Kind, unpack_entry
from replica.errors import EntryRefused, MigrationMismatch, NewerSchema
from replica.position import (
    Fetched,
    Pending,
    Position,
    as_text,
    each_pending,
    moment_of,
    read_outbox,
    write_position,
)

__all__ = ["KEPT_ENVELOPES", "KEPT_ENVELOPES_BYTES", "advance", "undo_pending"]

KEPT_ENVELOPES = 256
"""How many of the newest entries a file keeps, to mend a damaged log from; the first one too."""
KEPT_ENVELOPES_BYTES = 32 << 20
"""How large these may be together; the newest is always kept."""

_KEPT_WRITERS = 20


def advance(
    writer: apsw.Connection,
    fetched: Sequence[Fetched],
    position: Position,
    migrations: Sequence[Migration],
    tables: Sequence[str],
) -> Sequence[str]:
    """Apply the entries after ``position``; the caller holds the transaction.

    Returns the pending transactions that have become without effect: others had said the same.
    Raises Diverged, EntryRefused, NewerSchema, MigrationMismatch.
    """
    remaining = list(fetched)
    while remaining and _is_next(writer, remaining[0].entry):
        # What is in the content already, in this very place: nothing has to be applied.
        position = _record(writer, remaining.pop(0), position)
    dropped: list[str] = []
    if remaining:
        _undo(writer, tables)
        for item in remaining:
            _apply(writer, item, migrations, tables)
            position = _record(writer, item, position)
        # What came first itself is out of the outbox by now.
        dropped.extend(
            pending.transaction_id
            for pending in each_pending(writer)
            if not _reapply(writer, pending, position.sequence, tables)
        )
    write_position(writer, position)
    _drop_envelopes(writer, position.sequence)
    writer.execute("DELETE FROM replica_claim WHERE sequence <= ?", (position.sequence,))
    return dropped


def undo_pending(connection: apsw.Connection, tables: Sequence[str]) -> None:
    """Take the pending changes out of the content; the caller holds the transaction."""
    _undo(connection, tables)


def _is_next(connection: apsw.Connection, entry: Entry) -> bool:
    """Whether an entry is what has waited longest here."""
    first = read_outbox(connection, len(entry.changes)) if entry.kind is Kind.CHANGES else ()
    return _is_own(entry, first)


def _is_own(entry: Entry, outbox: Sequence[Pending]) -> bool:
    first = tuple(Change(p.transaction_id, p.effect) for p in outbox[: len(entry.changes)])
    return entry.kind is Kind.CHANGES and entry.changes == first


def _undo(connection: apsw.Connection, tables: Sequence[str]) -> None:
    for pending in each_pending(connection, newest_first=True):
        undo(connection, pending.effect, tables, f"pending {pending.transaction_id}")


def _reapply(
    writer: apsw.Connection, pending: Pending, sequence: int, tables: Sequence[str]
) -> bool:
    """Apply an intent on what is there now; False if that changed nothing."""
    with recording(writer, tables) as changes:
        reapply(writer, pending.intent, pending.transaction_id, sequence)
        effect = changes.changeset()
    if effect:
        sql = "UPDATE replica_outbox SET effect = ? WHERE position = ?"
        writer.execute(sql, (effect, pending.position))
    else:
        writer.execute("DELETE FROM replica_outbox WHERE position = ?", (pending.position,))
    return bool(effect)


def _apply(
    writer: apsw.Connection,
    item: Fetched,
    migrations: Sequence[Migration],
    tables: Sequence[str],
) -> None:
    entry, key = item.entry, f"entry {item.entry.sequence}"
    current = schema_version(writer)
    if entry.schema_version != current:
        found = f"made for schema {entry.schema_version}, not {current}"
        raise EntryRefused("apply", key, detail=found)
    match entry.kind:
        case Kind.CHANGES:
            for change in entry.changes:
                apply(writer, change.changeset, tables, key)
        case Kind.MIGRATION:
            _migrate(writer, entry, current + 1, migrations, key)
        case Kind.BASE:
            names = entry.description["tables"]
            if not set(map(str, names)) <= {*tables} - {CONFLICTS_TABLE}:
                raise EntryRefused("apply", key, detail="it replaces other tables")
            _replace_tables(writer, names)
        case Kind.GENESIS:
            raise EntryRefused("apply", key, detail="a log begins only once")


def _migrate(
    writer: apsw.Connection,
    entry: Entry,
    version: int,
    migrations: Sequence[Migration],
    key: str,
) -> None:
    sql, digest = entry.description["sql"], entry.description["sha256"]
    intact = hashlib.sha256(sql.encode()).hexdigest() == digest
    if entry.description["version"] != version or not intact:
        raise EntryRefused("apply", key, detail="it is not the next migration")
    if version > len(migrations):
        found = f"schema {version}, known {len(migrations)}"
        raise NewerSchema("apply", key, detail=found)
    if migrations[version - 1].sql != sql:
        raise MigrationMismatch("apply", key, detail=f"version {version}")
    for _ in writer.execute(sql):
        pass
    writer.pragma("user_version", version)


def _replace_tables(writer: apsw.Connection, names: Iterable[str]) -> None:
    """Give tables the content of the attached base, which has the same schema."""
    for name in names:
        table = quoted(name)
        writer.execute(
            f"DELETE FROM main.{table}; INSERT INTO main.{table} SELECT * FROM base.{table}"
        )


def _record(writer: apsw.Connection, item: Fetched, position: Position) -> Position:
    """Note which transactions are in the log now, and where the content stands."""
    entry = item.entry
    settled = as_text(moment_of(entry.parent_stored_at_s))
    if settled != position.stored_at:
        # The parent's own reader may have been told another second; this one is everybody's.
        _settle(writer, position.sequence, settled)
    after = item.position_after(position.mode)
    ids = _transaction_ids(entry)
    try:
        writer.executemany(
            "INSERT INTO replica_transactions VALUES (?, ?, ?)",
            [(name, after.sequence, after.stored_at) for name in ids],
        )
    except apsw.ConstraintError as error:
        found = "the log holds one of its transactions already"
        raise EntryRefused("apply", f"entry {after.sequence}", detail=found) from error
    writer.executemany(
        "DELETE FROM replica_outbox WHERE transaction_id = ?", [(name,) for name in ids]
    )
    writer.execute(
        "INSERT OR REPLACE INTO replica_envelopes VALUES (?, ?)", (after.sequence, item.body)
    )
    writer.execute(
        "INSERT OR REPLACE INTO replica_writers VALUES (?, ?, ?)",
        (entry.writer_id, after.sequence, after.stored_at),
    )
    writer.execute(
        "DELETE FROM replica_writers WHERE sequence <"
        f" (SELECT min(sequence) FROM (SELECT sequence FROM replica_writers"
        f" ORDER BY sequence DESC LIMIT {_KEPT_WRITERS}))"
    )
    return replace(after, log_id=position.log_id)


def _settle(writer: apsw.Connection, sequence: int, stored_at: str) -> None:
    """Give an entry's transactions the time that the entry after it says."""
    kept = writer.execute("SELECT body FROM replica_envelopes WHERE sequence = ?", (sequence,))
    found = kept.fetchone()
    if found is None or sequence == 1:
        # It came with a snapshot or began the log. The look at all of them comes once a file.
        sql = "UPDATE replica_transactions SET stored_at = ? WHERE sequence = ?"
        writer.execute(sql, (stored_at, sequence))
        return
    # No index by sequence: it would make every file and snapshot larger for a rare correction.
    names = _transaction_ids(unpack_entry(found[0], f"entry {sequence}"))
    sql = "UPDATE replica_transactions SET stored_at = ? WHERE transaction_id = ? AND sequence = ?"
    writer.executemany(sql, [(stored_at, name, sequence) for name in names])


def _transaction_ids(entry: Entry) -> tuple[str, ...]:
    return entry.transaction_ids or tuple(entry.description.get("transactions", ()))


def _drop_envelopes(writer: apsw.Connection, newest: int) -> None:
    """Keep the first entry and of the others the newest, bounded in number and in bytes.

    The first is not to be had from a neighbour: nobody else has it by the time it is damaged.
    """
    writer.execute(
        "DELETE FROM replica_envelopes WHERE sequence > 1 AND sequence < ?1"
        " AND (sequence <= ?1 - ?2 OR sequence <= (SELECT max(sequence) FROM"
        " (SELECT sequence, sum(length(body)) OVER (ORDER BY sequence DESC) AS bytes"
        " FROM replica_envelopes) WHERE bytes > ?3))",
        (newest, KEPT_ENVELOPES, KEPT_ENVELOPES_BYTES),
    )
