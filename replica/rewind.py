"""Restoring the content to an earlier moment: a new entry, for history is never rewritten.

The difference between then and now is computed against one position of the log. Whoever loses the
race for the next sequence computes it anew: rebased, it would undo what nobody chose to undo.
"""

from collections.abc import Sequence
from random import Random
from uuid import UUID

from replica.backups import Earlier
from replica.content import Archive
from replica.envelope import Change, Entry, Kind, unpack_entry
from replica.errors import Contended, ForeignBackup, RestoreOutdated
from replica.exchange import Exchange
from replica.live import LiveDatabase
from replica.log import log_key
from replica.position import read_claim, read_sequence_of
from replica.restore_plan import RestorePlan, changes_between, count_changes, require_current
from replica.snapshots import content_copy, pack_content, put_base
from replica.store import ObjectStore

__all__ = ["may_come_about", "restore_to"]

_LARGEST_ENTRY_BYTES = 4 << 20
# About as many rows make an entry of that size. A changeset is in memory, several times over.
_MOST_ROWS = 20_000
_ATTEMPTS = 20


def restore_to(
    exchange: Exchange,
    live: LiveDatabase,
    earlier: Earlier,
    *,
    archive: Archive,
    store: ObjectStore,
    tables: Sequence[str],
    randomness: Random,
    planned: RestorePlan | None,
    transaction_id: str,
) -> int | None:
    """Give ``tables`` the content that they had earlier; the sequence that does it.

    None if nothing differs. Conflicts, the log's own notes and all other tables stay as they are.
    Large differences travel as a content of their own. Before each claim it is made sure that it
    does what is ``planned``. ``transaction_id`` names the change, "" for any name: what the log
    has under it already is not done again.

    Raises RestoreOutdated, Contended, ForeignBackup when another log is followed since, StoreError,
    LocalError.
    """
    name = transaction_id or str(UUID(int=randomness.getrandbits(128), version=4))
    for _ in range(_ATTEMPTS):
        exchange.synchronise(live)
        done = _sequence_of(live, name)
        if done is not None:
            return done
        if planned is not None:
            require_current(planned, live, archive, tables)
        entry = _entry(exchange, live, earlier, store, tables, name, planned)
        if entry is None:
            return None
        sequence = exchange.publish_entry(live, entry)
        if sequence is not None:
            return sequence
    raise Contended("restore", str(live.path))


def may_come_about(live: LiveDatabase, transaction_id: str) -> bool:
    """Whether the log has a restore, or may yet get it from a claim whose outcome is not known."""
    with live.read() as connection:
        if read_sequence_of(connection, transaction_id) is not None:
            return True
        claim = read_claim(connection)
    if claim is None:
        return False
    entry = unpack_entry(claim[1], log_key(claim[0]))
    return transaction_id in (*entry.transaction_ids, *entry.description.get("transactions", ()))


def _sequence_of(live: LiveDatabase, transaction_id: str) -> int | None:
    with live.read() as connection:
        return read_sequence_of(connection, transaction_id)


def _entry(
    exchange: Exchange,
    live: LiveDatabase,
    earlier: Earlier,
    store: ObjectStore,
    tables: Sequence[str],
    name: str,
    planned: RestorePlan | None,
) -> Entry | None:
    """The entry that leads back; None if nothing differs."""
    if live.position.log_id != earlier.log_id:
        raise ForeignBackup("restore", str(earlier.source))
    with content_copy(live.path, live.replicated) as (now, _):
        counted = count_changes(earlier, now, tables)
        if planned is not None and counted != planned.tables:
            raise RestoreOutdated("restore", str(earlier.source), detail="other rows would change")
        if not counted:
            return None
        is_large = sum(change.rows for change in counted) > _MOST_ROWS
        changeset = b"" if is_large else changes_between(earlier, now, tables)
    if not is_large and len(changeset) <= _LARGEST_ENTRY_BYTES:
        return exchange.next_entry(live, Kind.CHANGES, changes=(Change(name, changeset),))
    base = put_base(store, pack_content(earlier.path, tables))
    description = {"base": base, "tables": list(tables), "transactions": [name]}
    return exchange.next_entry(live, Kind.BASE, description)
