"""Going through a whole log and putting back what is damaged, missing or cut off."""

from collections.abc import Iterator, Mapping, Sequence

from replica.envelope import NO_PARENT, Entry, entry_sha256, unpack_entry
from replica.errors import EntryRefused, ObjectNotFound
from replica.log import Log, log_key
from replica.repair import Repair, repair_entry
from replica.store import ObjectStore, PutMode

__all__ = ["repair_log"]


def repair_log(store: ObjectStore, log: Log, kept: Mapping[int, bytes]) -> tuple[Repair, ...]:
    """Read every entry and mend those that are damaged, missing or not the ones that belong there.

    ``kept`` are exact copies of entries by sequence. Entries that were cut off the end are put
    back if they are kept: a store that was rolled back has its log again, unless somebody else has
    gone on writing. Returns one item for each mended entry. Raises EntryRefused for the first
    whose original bytes are nowhere; those before it stay mended.
    """
    last = max(log.list_after(0), default=0)
    sound = (_look(log, sequence) for sequence in range(1, last + 1))
    log_id = next((entry.log_id for entry, _ in filter(None, sound)), None)
    if log_id is None:
        raise EntryRefused("repair", log_key(1), detail="no entry of the log is sound")
    repairs: list[Repair] = []
    parent_sha256 = NO_PARENT
    for sequence in range(1, last + 1):
        found = _look(log, sequence)
        if found is None or not _follows(found[0], log_id, sequence, parent_sha256):
            # A sound entry that names another parent accuses its parent first.
            suspects = [sequence] if found is None or sequence == 1 else [sequence - 1, sequence]
            repairs.append(_repair_first(store, log, suspects, log_id, kept))
            found = _look(log, sequence)
        parent_sha256 = found[1] if found else ""
    repairs.extend(_put_back_end(log, kept, last + 1, log_id, parent_sha256))
    return tuple(repairs)


def _look(log: Log, sequence: int) -> tuple[Entry, str] | None:
    """What stands at a sequence and its hash; None if it is missing or no sound entry."""
    try:
        body = log.fetch(sequence).body
        return unpack_entry(body, log_key(sequence)), entry_sha256(body)
    except (ObjectNotFound, EntryRefused):
        return None


def _follows(entry: Entry, log_id: str, sequence: int, parent_sha256: str) -> bool:
    expected = (log_id, sequence, parent_sha256)
    return (entry.log_id, entry.sequence, entry.parent_sha256) == expected


def _repair_first(
    store: ObjectStore,
    log: Log,
    suspects: Sequence[int],
    log_id: str,
    kept: Mapping[int, bytes],
) -> Repair:
    """Mend the first of these that can be proved to be wrong."""
    refused: EntryRefused | None = None
    for suspect in suspects:
        try:
            repair = repair_entry(
                store,
                log,
                sequence=suspect,
                log_id=log_id,
                parent_sha256=None,
                expected_sha256=None,
                kept=[kept[suspect]] if suspect in kept else [],
            )
        except EntryRefused as error:
            refused = error
            continue
        if repair.source != "intact":
            return repair
    raise refused or EntryRefused("repair", log_key(suspects[-1]))


def _put_back_end(
    log: Log, kept: Mapping[int, bytes], sequence: int, log_id: str, parent_sha256: str
) -> Iterator[Repair]:
    while sequence in kept:
        body = kept[sequence]
        if not _follows(unpack_entry(body, log_key(sequence)), log_id, sequence, parent_sha256):
            return
        log.put_back(sequence, body, PutMode.CREATE)
        yield Repair(sequence, "kept copy")
        sequence, parent_sha256 = sequence + 1, entry_sha256(body)
