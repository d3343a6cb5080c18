"""Restoring the content to an earlier moment: a new entry, for history is never rewritten.

The difference between then and now is computed against one position of the log. Whoever loses the
race for the next sequence computes it anew: rebased, it would undo what nobody chose to undo.
"""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from random import Random
from uuid import UUID

from replica.changes import difference
from replica.content import Moment
from replica.database import Migration, migrate, open_work_file
from replica.envelope import Change, Entry, Kind
from replica.errors import Contended
from replica.exchange import Exchange
from replica.live import LiveDatabase
from replica.localfaults import local_faults
from replica.snapshots import content_copy, pack_content, put_base
from replica.store import ObjectStore

__all__ = ["restore_to"]

_LARGEST_ENTRY_BYTES = 4 << 20
_ATTEMPTS = 20


def restore_to(
    exchange: Exchange,
    live: LiveDatabase,
    moment: Moment,
    *,
    store: ObjectStore,
    migrations: Sequence[Migration],
    tables: Sequence[str],
    randomness: Random,
) -> int:
    """Give ``tables`` the content that they had at a moment; the sequence that does it.

    The current one if nothing differs. Conflicts and the log's own notes stay as they are. Large
    differences travel as a content of their own. Raises MomentUnknown, Contended, StoreError.
    """
    for _ in range(_ATTEMPTS):
        exchange.synchronise(live)
        entry = _entry(exchange, live, moment, store, migrations, tables, randomness)
        if entry is None:
            return live.position.sequence
        sequence = exchange.publish_entry(live, entry)
        if sequence is not None:
            return sequence
    raise Contended("restore", str(live.path))


def _entry(
    exchange: Exchange,
    live: LiveDatabase,
    moment: Moment,
    store: ObjectStore,
    migrations: Sequence[Migration],
    tables: Sequence[str],
    randomness: Random,
) -> Entry | None:
    """The entry that leads back; None if nothing differs."""
    name = str(UUID(int=randomness.getrandbits(128), version=4))
    with exchange.archive(live).content_at(live.path, moment) as then:
        with closing(open_work_file(then)) as connection:
            migrate(connection, then, migrations)
        with content_copy(live.path, tables) as (now, _):
            changeset = _difference(then, now, tables)
        if not changeset:
            return None
        if len(changeset) <= _LARGEST_ENTRY_BYTES:
            return exchange.next_entry(live, Kind.CHANGES, changes=(Change(name, changeset),))
        base = put_base(store, pack_content(then, tables))
    description = {"base": base, "tables": list(tables), "transactions": [name]}
    return exchange.next_entry(live, Kind.BASE, description)


def _difference(then: Path, now: Path, tables: Sequence[str]) -> bytes:
    with closing(open_work_file(then)) as connection, local_faults("compare", then):
        connection.execute("ATTACH ? AS now", (str(now),))
        return difference(connection, "now", tables)
