"""The shelf of raw responses in the bucket: what is kept is never changed and never deleted."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime
from itertools import chain

from nba.bronze import BronzeDamaged, Document, DocumentName, decode, encode, key_of, name_of
from nba.sources.wanted import Wanted
from replica import ObjectExists, ObjectNotFound, ObjectStore, PutMode

__all__ = ["BronzeShelf"]

_PREFIX = "bronze/"
_READERS = 16
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class BronzeShelf:
    """Documents below `bronze/`; every method may raise a StoreError.

    All that is there is listed at the first question, and what other processes have added since at
    each `refresh`.
    """

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._names: dict[str, DocumentName] | None = None
        self._seen: dict[Wanted, datetime] = {}

    def refresh(self, since: date) -> None:
        """Look at what has been added from a US Eastern date on: one request for each source."""
        names = self._known()
        for source in sorted({name.source for name in names.values()}):
            prefix = f"{_PREFIX}source={source}/"
            for info in self._store.list(prefix, start_after=f"{prefix}date={since.isoformat()}"):
                name = name_of(info.key)
                if name is not None:
                    names[info.key] = name

    def keep(self, document: Document) -> Document:
        """Store a document; what comes back says when this answer was first given.

        The newest answer to a question is not stored again while it stays the same. It is as old
        as it was then: a box score that another source has corrected since is no correction of the
        correction.
        """
        names, key, name = self._known(), key_of(document), _name_of(document)
        earlier = [
            one
            for one in names.values()
            if (one.source, one.endpoint, one.parameters)
            == (name.source, name.endpoint, name.parameters)
        ]
        newest = max(earlier, key=_retrieved_at, default=None)
        if newest is not None and newest.sha12 == name.sha12:
            self._seen[document.wanted] = document.retrieved_at
            return replace(document, retrieved_at=newest.retrieved_at)
        # Another process may have kept the same bytes in the same second.
        with contextlib.suppress(ObjectExists):
            self._store.put(key, encode(document), PutMode.CREATE)
        names[key] = name
        self._seen[document.wanted] = document.retrieved_at
        return document

    def answered(self, wanted: Wanted, moment: datetime) -> None:
        """A question was answered at `moment` (UTC), if only by: there is no such thing yet."""
        self._seen[wanted] = moment

    def last_answered(self, wanted: Wanted) -> datetime | None:
        """When a question was last answered, in UTC: the same answer again counts too.

        Of what other processes asked only the answers that were new are known.
        """
        asked = _name_of(Document("", wanted, _EPOCH, b""))
        moments = [
            one.retrieved_at
            for one in self._known().values()
            if (one.endpoint, one.parameters) == (asked.endpoint, asked.parameters)
        ]
        seen = self._seen.get(wanted)
        return max([*moments, *([] if seen is None else [seen])], default=None)

    def documents(
        self,
        since: date | None = None,
        on_damage: Callable[[BronzeDamaged], None] | None = None,
    ) -> Iterator[Document]:
        """Every document, or those retrieved on a US Eastern date or later, oldest first.

        Raises BronzeDamaged for an object that is gone or is not what was kept; with `on_damage`
        that is told, and the others go on.
        """
        wanted = sorted(
            (
                (name.retrieved_at, key)
                for key, name in self._known().items()
                if since is None or name.date >= since
            ),
        )
        with ThreadPoolExecutor(_READERS, thread_name_prefix="nba-daily-bronze") as readers:
            # A window at a time: a schedule has megabytes, and there is one for each day.
            windows = (wanted[at : at + _READERS] for at in range(0, len(wanted), _READERS))
            read = (readers.map(lambda one: self._read(one[1]), window) for window in windows)
            for found in chain.from_iterable(read):
                if isinstance(found, Document):
                    yield found
                elif on_damage is None:
                    raise found
                else:
                    on_damage(found)

    def _read(self, key: str) -> Document | BronzeDamaged:
        try:
            return decode(self._store.get(key).body, key)
        except ObjectNotFound:
            return BronzeDamaged(
                "Reading a kept response",
                key,
                "it is not in the store any more",
                "Bring it back from a copy of the bucket; until then it is missing from a rebuild",
            )
        except BronzeDamaged as error:
            return error

    def count(self) -> int:
        """How many documents there are."""
        return len(self._known())

    def _known(self) -> dict[str, DocumentName]:
        if self._names is None:
            named = ((info.key, name_of(info.key)) for info in self._store.list(_PREFIX))
            self._names = {key: name for key, name in named if name is not None}
        return self._names


def _name_of(document: Document) -> DocumentName:
    name = name_of(key_of(document))
    if name is None:
        raise AssertionError(f"a key that cannot be read back: {key_of(document)}")
    return name


def _retrieved_at(name: DocumentName) -> datetime:
    return name.retrieved_at
