"""The store's side: which snapshots there are, and getting one that can be trusted."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import apsw

from replica.database import (
    Migration,
    install,
    migrate,
    open_reader,
    open_work_file,
    remove_leftovers,
    temporary_database,
    verify_database,
)
from replica.errors import (
    Diverged,
    ForeignSnapshot,
    LocalCorrupt,
    NewerSchema,
    NotADatabase,
    NotASnapshot,
    SnapshotCorrupt,
    SnapshotError,
    StoreUnreachable,
)
from replica.live import Base, as_text, held_ids, mark_stored, pending_ids, read_base
from replica.localfaults import local_faults
from replica.ownership import FileOwnership
from replica.snapshot import SNAPSHOTS, SnapshotMetadata, snapshot_sequence, unpack
from replica.store import ObjectInfo, ObjectStore, StoredObject

__all__ = [
    "DAMAGE",
    "Fetched",
    "Restored",
    "fetch",
    "list_snapshots",
    "newest_good",
    "require_lineage",
    "write_newest",
]

DAMAGE = (NotASnapshot, SnapshotCorrupt, NotADatabase)


@dataclass(frozen=True, slots=True)
class Fetched:
    """A verified snapshot. ``base`` is what a file with its content is based on, ``pending``
    the transactions it brought into the store."""

    info: ObjectInfo
    metadata: SnapshotMetadata
    base: Base
    pending: frozenset[str]


@dataclass(frozen=True, slots=True)
class Restored:
    """A file ready for use, and what was found damaged on the way, newest first."""

    path: Path
    base: Base
    size_bytes: int
    damaged: tuple[SnapshotError, ...]
    held: frozenset[str]


def list_snapshots(store: ObjectStore) -> dict[int, ObjectInfo]:
    """All snapshots by number, ascending."""
    found = {snapshot_sequence(info.key): info for info in store.list(SNAPSHOTS)}
    return {number: found[number] for number in sorted(n for n in found if n is not None)}


def fetch(store: ObjectStore, listed: ObjectInfo, path: Path, known_schema: int) -> Fetched:
    """Write one snapshot's database to ``path`` and verify it in every way.

    Raises NotASnapshot, SnapshotCorrupt or NotADatabase only for an object that is damaged where
    it is: read twice, the same bytes came, as many as were listed. What differs was damaged on
    its way, and taking an older snapshot instead would lose the newer one's changes.
    """
    first = store.get(listed.key)
    try:
        return _verified(first, path, known_schema)
    except DAMAGE:
        second = store.get(listed.key)
        if second.body == first.body and len(first.body) == listed.size_bytes:
            raise
    try:
        return _verified(second, path, known_schema)
    except DAMAGE as error:
        raise StoreUnreachable("read", listed.key, detail="it arrived damaged twice") from error


@contextmanager
def newest_good(
    store: ObjectStore,
    candidates: Mapping[int, ObjectInfo],
    beside: Path,
    migrations: Sequence[Migration],
    lineage: str = "",
) -> Iterator[Restored]:
    """The newest undamaged candidate as a temporary file, marked as stored and migrated.

    Raises the newest one's damage if all are damaged, ForeignSnapshot if one is not of
    ``lineage`` ("" accepts any), NewerSchema if the newest good one is.
    """
    damaged: list[SnapshotError] = []
    with temporary_database(beside) as path:
        for number in sorted(candidates, reverse=True):
            try:
                fetched = fetch(store, candidates[number], path, len(migrations))
            except DAMAGE as error:
                damaged.append(error)
                continue
            require_lineage(fetched, lineage)
            with closing(open_work_file(path)) as connection, local_faults("restore", path):
                mark_stored(connection, fetched.base, fetched.pending)
                migrate(connection, path, migrations)
                held = held_ids(connection)
            yield Restored(path, fetched.base, fetched.info.size_bytes, tuple(damaged), held)
            return
    raise damaged[0]


def require_lineage(fetched: Fetched, lineage: str) -> None:
    """Raise ForeignSnapshot unless the snapshot is of this lineage; "" accepts any."""
    if lineage and fetched.metadata.lineage != lineage:
        raise ForeignSnapshot("restore", fetched.info.key)


def write_newest(store: ObjectStore, path: Path, migrations: Sequence[Migration]) -> bool:
    """Put the newest good snapshot into a file that no replica has open; False: store empty.

    The old file stays until the new one is verified. Raises FileOwned if a replica has it open.
    """
    ownership = FileOwnership(path)
    try:
        listed = list_snapshots(store)
        if not listed:
            return False
        remove_leftovers(path)
        _require_nothing_pending(path)
        with newest_good(store, listed, path, migrations) as restored:
            install(restored.path, path)
        return True
    finally:
        ownership.release()


def _require_nothing_pending(path: Path) -> None:
    """Raise Diverged for a file of this engine that holds what is in no store yet."""
    if not path.exists():
        return
    try:
        with closing(open_reader(path)) as connection:
            pending = len(pending_ids(connection))
    except (apsw.Error, LocalCorrupt):
        # No file of this engine, so there is no change of its that could be lost.
        return
    if pending:
        remedy = "Open it with the app, which saves them, or give another name."
        raise Diverged("replace", str(path), remedy, f"it holds {pending} unsaved changes")


def _verified(stored: StoredObject, path: Path, known_schema: int) -> Fetched:
    key = stored.info.key
    metadata, database = unpack(stored.body, key)
    if metadata.schema_version > known_schema:
        found = f"schema {metadata.schema_version}, known {known_schema}"
        raise NewerSchema("restore", key, detail=found)
    if metadata.sequence != snapshot_sequence(key):
        raise SnapshotCorrupt("restore", key, detail=f"it is number {metadata.sequence}")
    with local_faults("write", path):
        path.write_bytes(database)
    if verify_database(path, key) != metadata.schema_version:
        raise SnapshotCorrupt("restore", key, detail="its schema is not the one it names")
    with closing(open_work_file(path)) as connection, local_faults("read", path):
        parent, pending = read_base(connection), pending_ids(connection)
    base = Base(
        sequence=metadata.sequence,
        tip=metadata.sequence,
        object_sha256=hashlib.sha256(stored.body).hexdigest(),
        lineage=metadata.lineage,
        stored_at=max(parent.stored_at, as_text(stored.info.modified_at)),
    )
    return Fetched(stored.info, metadata, base, pending)
