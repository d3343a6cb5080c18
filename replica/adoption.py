"""Taking over a store that holds numbered snapshots of the whole database, from before the log.

The newest sound one becomes the content that the log begins with. An older version of the
application that is still running must not go on saving where nobody looks any more: the next
number is taken first, by an object that it understands as written by a newer version.
"""

import hashlib
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import zstandard

from replica.database import (
    ENGINE_TABLES,
    in_transaction,
    open_work_file,
    temporary_database,
    verify_database,
)
from replica.errors import (
    NotASnapshot,
    ObjectExists,
    ReplicaError,
    SnapshotCorrupt,
    SnapshotError,
    StoreUnreachable,
)
from replica.localfaults import local_faults
from replica.position import as_text
from replica.snapshot import read_frame, write_frame
from replica.snapshots import DAMAGE, SNAPSHOTS
from replica.store import ObjectStore, PutMode, StoredObject

__all__ = ["OLD_ENGINE_TABLE", "earlier_content"]

OLD_ENGINE_TABLE = "replica_base"
"""What tells a file of the time before the log."""

_NUMBERED = re.compile(re.escape(SNAPSHOTS) + r"(\d{20})\.db\.zst")
_FORMAT = 1
_FENCE = {"format": 2, "fence": "a log has taken over; update the application"}

_CONVERT = f"""
ALTER TABLE replica_transactions RENAME TO replica_old_transactions;
DROP INDEX replica_pending;
DROP TABLE {OLD_ENGINE_TABLE};
{ENGINE_TABLES}
INSERT INTO replica_transactions
  SELECT transaction_id, 0, coalesce(stored_at, :stored_at) FROM replica_old_transactions;
DROP TABLE replica_old_transactions;
"""


@contextmanager
def earlier_content(
    store: ObjectStore, beside: Path, damaged: list[ReplicaError]
) -> Iterator[Path | None]:
    """The newest sound snapshot from before the log, as a file of today; None if there is none.

    Afterwards no older version of the application can add another. What was found damaged goes to
    ``damaged``. Raises the newest one's SnapshotError if all are, StoreUnreachable when one that
    is sound in the store arrived damaged.
    """
    numbers = _numbers(store)
    if not numbers:
        yield None
        return
    while not _fence(store, numbers[-1]):
        numbers = _numbers(store)
    with temporary_database(beside) as path:
        damaged.extend(_newest_sound(store, numbers, path))
        yield path


def _numbers(store: ObjectStore) -> list[int]:
    found = (_NUMBERED.fullmatch(info.key) for info in store.list(SNAPSHOTS))
    return sorted(int(match[1]) for match in found if match)


def _key(number: int) -> str:
    return f"{SNAPSHOTS}{number:020d}.db.zst"


def _fence(store: ObjectStore, newest: int) -> bool:
    """Take the number after the newest; False if an older version has just used it."""
    if _is_fence(store.get(_key(newest))):
        return True
    try:
        store.put(_key(newest + 1), write_frame(_FENCE), PutMode.CREATE)
    except ObjectExists:
        return _is_fence(store.get(_key(newest + 1)))
    return True


def _is_fence(stored: StoredObject) -> bool:
    try:
        description, _ = read_frame(stored.body, stored.info.key)
    except SnapshotError:
        return False
    return bool(description == _FENCE)


def _newest_sound(store: ObjectStore, numbers: list[int], path: Path) -> list[SnapshotError]:
    """Write it to ``path``; what was found damaged on the way."""
    damage: list[SnapshotError] = []
    for number in reversed(numbers):
        stored = store.get(_key(number))
        if _is_fence(stored):
            continue
        try:
            _unpack_surely(store, stored, path)
        except DAMAGE as error:
            damage.append(error)
            continue
        with (
            closing(open_work_file(path)) as connection,
            local_faults("convert", path),
            in_transaction(connection),
        ):
            connection.execute(_CONVERT, {"stored_at": as_text(stored.info.modified_at)})
        return damage
    if not damage:
        raise NotASnapshot("adopt", SNAPSHOTS, detail="there is only the fence of an adoption")
    raise damage[0]


def _unpack_surely(store: ObjectStore, stored: StoredObject, path: Path) -> None:
    """Unpack what may have been damaged on its way.

    Only what comes the same twice is damaged in the store: taking an older one instead would lose
    what this one alone holds. Raises DAMAGE, StoreUnreachable.
    """
    try:
        _unpack(stored, path)
        return
    except DAMAGE:
        again = store.get(stored.info.key)
        if again.body == stored.body:
            raise
    try:
        _unpack(again, path)
    except DAMAGE as error:
        detail = "it arrived damaged twice"
        raise StoreUnreachable("read", stored.info.key, detail=detail) from error


def _unpack(stored: StoredObject, path: Path) -> None:
    key = stored.info.key
    description, compressed = read_frame(stored.body, key)
    if description.get("format") != _FORMAT:
        raise NotASnapshot("adopt", key, detail="another format")
    try:
        declared = zstandard.frame_content_size(compressed)
        if declared != description.get("size_bytes"):
            raise SnapshotCorrupt("adopt", key, detail="the sizes do not agree")
        database = zstandard.ZstdDecompressor().decompress(compressed, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise SnapshotCorrupt("adopt", key, detail=str(error)) from error
    if hashlib.sha256(database).hexdigest() != description.get("sha256"):
        raise SnapshotCorrupt("adopt", key, detail="the hash does not agree")
    with local_faults("write", path):
        path.write_bytes(database)
    verify_database(path, key, OLD_ENGINE_TABLE)
