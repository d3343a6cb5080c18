"""Exports that have ended, and what broken-off ones have left: each deleted in spite of the others.

What cannot be deleted is returned, so that the rest goes all the same and nothing is passed over in
silence.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from jobs import export_store
from jobs.export_reports import ExportElsewhere
from jobs.state import State
from replica import ObjectStore, StoreError
from tracking.export_catalogue import Export, drop_exports, exports, note_removed

__all__ = ["forget", "remove", "remove_left_over"]

# How long the catalogue remembers what has ended.
_REMEMBERS: Final = timedelta(days=90)


def remove(
    state: State, store: ObjectStore, doomed: Iterable[Export], now: datetime
) -> list[Exception]:
    """Delete the objects of exports and note those that are gone; what kept the others."""
    gone: list[str] = []
    failures: list[Exception] = []
    try:
        for export in doomed:
            try:
                export_store.remove(store, export)
            except (ExportElsewhere, StoreError) as error:
                failures.append(error)
            else:
                gone.append(export.export_id)
    finally:
        if gone:
            with state.replica.transaction() as transaction:
                note_removed(transaction, gone, now)
    return failures


def remove_left_over(state: State, store: ObjectStore, before: datetime) -> list[Exception]:
    """Delete objects stored before a moment that no row of what is still there knows.

    What could not be deleted. Raises StoreError where they cannot be listed.
    """
    # What another machine has made since the last look has a row by now.
    state.replica.sync_now()
    with state.replica.read() as connection:
        known = {one.export_id for one in exports(connection) if one.removed_at is None}
    failures: list[Exception] = []
    for info in export_store.left_over(store, known.__contains__, before):
        try:
            store.delete(info.key)
        except StoreError as error:
            failures.append(error)
    return failures


def forget(state: State, store: ObjectStore, known: Sequence[Export], now: datetime) -> None:
    """Take rows out of the catalogue that say nothing any more.

    Those are of what was removed long ago, or ended long ago in a bucket that is not set any more:
    there the bucket's own rules have removed it.
    """
    place, long_ago = export_store.place_of(store), now - _REMEMBERS
    old = [
        one.export_id
        for one in known
        if (one.removed_at is not None and one.removed_at < long_ago)
        or (one.place != place and one.expires_at < long_ago)
    ]
    if old:
        with state.replica.transaction() as transaction:
            drop_exports(transaction, old)
