"""Reading the log: each entry verified, and verified to follow the one before."""

import itertools
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from replica.database import temporary_database
from replica.envelope import NO_PARENT, Entry, Kind, unpack_entry
from replica.errors import EntryRefused, ObjectNotFound, ReplicaError, SnapshotError
from replica.log import Log, log_key
from replica.position import Fetched, Position
from replica.snapshots import fetch_base
from replica.store import ObjectStore, StoredObject

__all__ = ["LogReader", "ReadAhead", "require_dense"]

_BATCH = 256
_BATCH_BYTES = 16 << 20
_MOST_AHEAD = 2 * _BATCH
_MOST_EARLY = 4096
# Further behind than this it is quicker to ask once what there is and to get it side by side.
_ONE_BY_ONE = 8

# Takes an entry and the one after it, None for the last, and says whether the first still counts.
Within = Callable[[Fetched, Fetched | None], bool]


class ReadAhead:
    """Gets the entries after a snapshot while the snapshot itself is being downloaded."""

    def __init__(self, log: Log, workers: int) -> None:
        self._log = log
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="replica-ahead")
        self._found: dict[int, Future[StoredObject]] = {}
        self._lock = threading.Lock()

    def begin(self, sequence: int) -> None:
        """Start with the entry after this one; returns at once."""
        self._pool.submit(self._get_after, sequence)

    def take(self, sequence: int) -> StoredObject | None:
        """An entry that was got early; None if it has to be asked for."""
        with self._lock:
            found = self._found.pop(sequence, None)
        if found is None:
            return None
        try:
            return found.result()
        except ReplicaError:
            # What failed early is asked for again, and fails then if it still does.
            return None

    def end(self) -> None:
        """Let go of what nobody took."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _get_after(self, sequence: int) -> None:
        for following in self._log.list_after(sequence)[:_MOST_EARLY]:
            with self._lock:
                self._found[following] = self._pool.submit(self._log.fetch, following)


class LogReader:
    """Reads one log. ``workers`` GETs run side by side; with 1 there are no threads."""

    def __init__(
        self,
        store: ObjectStore,
        log: Log,
        *,
        known_schema: int,
        workers: int,
        ahead: ReadAhead | None = None,
    ) -> None:
        self._store = store
        self._log = log
        self._ahead = ahead
        self._known_schema = known_schema
        self._workers = workers

    def genesis(self) -> Fetched:
        """The first entry. Raises ObjectNotFound, EntryRefused."""
        return self._verified(self._log.fetch(1), Position(entry_sha256=NO_PARENT))

    def batches(
        self,
        position: Position,
        beside: Path,
        *,
        listing: bool,
        within: Within | None = None,
    ) -> Iterator[Sequence[Fetched]]:
        """The entries after ``position``, in lots that are to be applied one after the other.

        ``listing`` asks first what there is (at a start); else the next is read until there is
        none, which is one GET when there is no news. What was read before an error is yielded
        before the error is raised. Raises EntryRefused when an entry is damaged, missing in the
        middle or does not follow; StoreError.
        """
        batch: list[Fetched] = []
        size = 0
        try:
            entries = self._entries(position, listing=listing)
            for fetched in _until(entries, within) if within else entries:
                if fetched.entry.kind is Kind.CHANGES:
                    batch.append(fetched)
                    size += sum(len(change.changeset) for change in fetched.entry.changes)
                full = len(batch) == _BATCH or size >= _BATCH_BYTES
                if batch and (full or fetched.entry.kind is not Kind.CHANGES):
                    yield batch
                    batch, size = [], 0
                if fetched.entry.kind is not Kind.CHANGES:
                    with self.with_base(fetched, beside) as item:
                        yield [item]
        except ReplicaError:
            if batch:
                yield batch
            raise
        if batch:
            yield batch

    @contextmanager
    def with_base(self, fetched: Fetched, beside: Path) -> Iterator[Fetched]:
        """The entry with the content that it names, if it names one."""
        if fetched.entry.kind is not Kind.BASE:
            yield fetched
            return
        with temporary_database(beside) as path:
            key = str(fetched.entry.description["base"])
            try:
                fetch_base(self._store, key, path, known_schema=self._known_schema)
            except SnapshotError as error:
                entry = log_key(fetched.entry.sequence)
                raise EntryRefused("read", entry, error.remedy, str(error)) from error
            yield replace(fetched, base=path)

    def entries(self, sequences: Sequence[int]) -> Iterator[Entry]:
        """Single entries, in the order asked for, each sound in itself and of its number.

        Whether they follow one another is not looked at. Raises EntryRefused, StoreError.
        """
        if not sequences:
            return
        found = self._side_by_side(sequences)
        for sequence, stored in zip(sequences, found, strict=True):
            try:
                yield _numbered(stored, sequence)
            except EntryRefused:
                # It may have been damaged on its way.
                yield _numbered(self._log.fetch(sequence), sequence)

    def _entries(self, position: Position, *, listing: bool) -> Iterator[Fetched]:
        objects = self._listed(position.sequence) if listing else self._next(position.sequence)
        for stored in objects:
            fetched = self._verified(stored, position)
            position = fetched.position_after(position.mode)
            yield fetched

    def _next(self, sequence: int) -> Iterator[StoredObject]:
        for following in range(sequence + 1, sequence + 1 + _ONE_BY_ONE):
            try:
                yield self._log.fetch(following)
            except ObjectNotFound:
                return
        yield from self._listed(sequence + _ONE_BY_ONE)

    def _listed(self, sequence: int) -> Iterator[StoredObject]:
        found = self._log.list_after(sequence)
        require_dense(found, sequence)
        yield from self._side_by_side(found)

    def _side_by_side(self, sequences: Sequence[int]) -> Iterator[StoredObject]:
        """In order; what comes next is already under way while one is being applied."""
        if self._workers == 1 or len(sequences) == 1:
            yield from map(self._fetch, sequences)
            return
        waiting = iter(sequences)
        with ThreadPoolExecutor(self._workers, thread_name_prefix="replica-fetch") as pool:
            ahead = deque(
                pool.submit(self._fetch, sequence)
                for sequence in itertools.islice(waiting, _MOST_AHEAD)
            )
            try:
                while ahead:
                    yield ahead.popleft().result()
                    for sequence in itertools.islice(waiting, 1):
                        ahead.append(pool.submit(self._fetch, sequence))
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def _fetch(self, sequence: int) -> StoredObject:
        early = self._ahead.take(sequence) if self._ahead else None
        return early or self._log.fetch(sequence)

    def _verified(self, stored: StoredObject, position: Position) -> Fetched:
        try:
            return _fetched(stored, position)
        except EntryRefused:
            # It may have been damaged on its way.
            return _fetched(self._log.fetch(position.sequence + 1), position)


def require_dense(found: Sequence[int], after: int) -> None:
    """Raise EntryRefused if an entry is missing among those listed after a sequence."""
    for expected, listed in zip(itertools.count(after + 1), found, strict=False):
        if listed != expected:
            missing = "it is missing, and later entries are there"
            raise EntryRefused("read", log_key(expected), detail=missing)


def _until(entries: Iterator[Fetched], within: Within) -> Iterator[Fetched]:
    """The entries that count; the one after tells when each was stored."""
    last: Fetched | None = None
    for fetched in entries:
        if last is not None:
            if not within(last, fetched):
                return
            yield last
        last = fetched
    if last is not None and within(last, None):
        yield last


def _numbered(stored: StoredObject, sequence: int) -> Entry:
    entry = unpack_entry(stored.body, stored.info.key)
    if entry.sequence != sequence:
        raise EntryRefused("read", stored.info.key, detail=f"it is entry {entry.sequence}")
    return entry


def _fetched(stored: StoredObject, position: Position) -> Fetched:
    key = stored.info.key
    entry = unpack_entry(stored.body, key)
    problem = _why_not_next(entry, position)
    if problem:
        raise EntryRefused("read", key, detail=problem)
    return Fetched(entry, stored.body, stored.info.modified_at)


def _why_not_next(entry: Entry, position: Position) -> str:
    if position.log_id and entry.log_id != position.log_id:
        return "it belongs to another log"
    if entry.sequence != position.sequence + 1:
        return f"it is entry {entry.sequence}"
    if entry.parent_sha256 != position.entry_sha256:
        return "it follows another entry than the one before it"
    if (entry.kind is Kind.GENESIS) != (entry.sequence == 1):
        return "a log begins once, with its first entry"
    return ""
