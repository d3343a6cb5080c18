"""The shelf of raw responses in the bucket: what is kept is never changed and never deleted."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime

from nba.bronze import Document, DocumentName, decode, encode, key_of, name_of
from nba.sources.wanted import Wanted
from replica import ObjectExists, ObjectStore, PutMode

__all__ = ["BronzeShelf"]

_PREFIX = "bronze/"
_READERS = 16
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class BronzeShelf:
    """Documents below `bronze/`; every method may raise a StoreError.

    What is there is listed once, at the first question. What other processes add later is not
    seen; at worst the same response is then kept twice.
    """

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._names: dict[str, DocumentName] | None = None
        self._seen: dict[Wanted, datetime] = {}

    def keep(self, document: Document) -> bool:
        """Store a document, unless the newest answer to this question has the very same bytes."""
        names, key, name = self._known(), key_of(document), _name_of(document)
        earlier = [
            one
            for one in names.values()
            if (one.source, one.endpoint, one.parameters)
            == (name.source, name.endpoint, name.parameters)
        ]
        if earlier and max(earlier, key=_retrieved_at).sha12 == name.sha12:
            self._seen[document.wanted] = document.retrieved_at
            return False
        # Another process may have kept the same bytes in the same second.
        with contextlib.suppress(ObjectExists):
            self._store.put(key, encode(document), PutMode.CREATE)
        names[key] = name
        self._seen[document.wanted] = document.retrieved_at
        return True

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

    def documents(self, since: date | None = None) -> Iterator[Document]:
        """Every document, or those retrieved on a US Eastern date or later, oldest first.

        Raises BronzeDamaged for an object that is not what was kept.
        """
        wanted = sorted(
            (
                (name.retrieved_at, key)
                for key, name in self._known().items()
                if since is None or name.date >= since
            ),
        )
        with ThreadPoolExecutor(_READERS, thread_name_prefix="nba-daily-bronze") as readers:
            bodies = readers.map(lambda one: self._store.get(one[1]).body, wanted)
            for (_, key), body in zip(wanted, bodies, strict=True):
                yield decode(body, key)

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
