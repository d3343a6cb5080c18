"""What lies in the bucket now, and in those beside it: one listing of each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime

from jobs.configuration import Settings
from jobs.side_stores import side_store
from replica import AccessDenied, ObjectStore, StoreError, StoreRejected
from replica.stores.s3_versions import VersionedStore
from usage.counting import part_of
from usage.storage import Storage, StoredObject, storage_of

__all__ = ["list_stock"]


def list_stock(settings: Settings, own: ObjectStore, now: datetime) -> Storage:
    """List all of the state's `own` store, and what is kept beside it; `now` is UTC.

    A bucket beside it that cannot be listed is named in what is found. Raises StoreError for the
    state's own.
    """
    objects, has_older = _objects_of(own, "")
    unlisted = []
    for store, prefix in _places_beside(settings, own):
        try:
            found, with_older = _objects_of(store, prefix)
        except StoreError:
            unlisted.append(part_of(prefix))
            continue
        objects += found
        has_older = has_older and with_older
    return storage_of(objects, now, has_older=has_older, unlisted=tuple(unlisted))


def _places_beside(settings: Settings, own: ObjectStore) -> Iterator[tuple[ObjectStore, str]]:
    """Buckets of their own, and all that the key may see of each."""
    for name, prefix in ((settings.export_bucket, "exports/"), (settings.image_bucket, "images/")):
        store = side_store(settings, own, name)
        if store is not own:
            yield store, prefix


def _objects_of(store: ObjectStore, prefix: str) -> tuple[list[StoredObject], bool]:
    """Everything below a prefix, and whether older versions are among it."""
    if isinstance(store, VersionedStore):
        # Not every service knows versions, and an older policy may not allow to list them.
        with suppress(AccessDenied, StoreRejected):
            kept = store.kept_versions(prefix)
            if kept:
                return [StoredObject(one.key, one.size_bytes, one.is_current) for one in kept], True
            # So do services that pass over the question, and answer with another listing.
            current = _current(store, prefix)
            return current, not current
    return _current(store, prefix), False


def _current(store: ObjectStore, prefix: str) -> list[StoredObject]:
    return [StoredObject(info.key, info.size_bytes) for info in store.list(prefix)]
