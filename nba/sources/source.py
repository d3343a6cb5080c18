"""One small protocol for all sources, and the order in which they are asked."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from nba.bronze import Document
from nba.sources.circuit import CircuitBreaker
from nba.sources.errors import (
    FileUnreadable,
    NothingAnswered,
    NotPublished,
    SourceError,
    SourcePaused,
)
from nba.sources.wanted import Wanted

__all__ = ["Source", "SourceChain"]


class Source(Protocol):
    """Something that can be asked."""

    @property
    def name(self) -> str:
        """ "nba-live", "nba-stats" or "folder"."""

    def offers(self, wanted: Wanted) -> bool:
        """Whether this source has such things at all."""

    def fetch(self, wanted: Wanted) -> Document:
        """Ask for it; raises SourceError."""


class SourceChain:
    """Several sources, asked in order until one answers; those that keep failing are left alone.

    Threads take turns: one request at a time.
    """

    def __init__(self, sources: Sequence[Source], clock: Callable[[], datetime]) -> None:
        self._sources = tuple(sources)
        self._circuits = {source.name: CircuitBreaker(clock) for source in self._sources}
        self._turn = threading.Lock()
        # Replaced and never changed, so that other threads may read it at any time.
        self._failures: Mapping[str, SourceError] = {}

    @property
    def failures(self) -> Mapping[str, SourceError]:
        """Why each source that does not work now failed last, by its name."""
        return self._failures

    def fetch(self, wanted: Wanted) -> Document:
        """What the first source that has it answers.

        Raises:
            NotPublished: sources work, and none has it yet.
            NothingAnswered: no source offers it, or at least one of them failed.
        """
        failures: list[SourceError] = []
        missing: NotPublished | None = None
        with self._turn:
            for source in self._sources:
                if not source.offers(wanted):
                    continue
                try:
                    return self._ask(source, wanted)
                except NotPublished as error:
                    missing = error
                except SourceError as error:
                    failures.append(error)
        if missing is not None and not failures:
            raise missing
        raise NothingAnswered(wanted, failures) from (failures[-1] if failures else None)

    def _ask(self, source: Source, wanted: Wanted) -> Document:
        circuit, last = self._circuits[source.name], self._failures.get(source.name)
        until = circuit.open_until
        if until is not None and last is not None:
            raise SourcePaused(wanted, until, last)
        try:
            document = source.fetch(wanted)
        except NotPublished:
            self._works(source)
            raise
        except SourceError as error:
            self._failures = {**self._failures, source.name: error}
            # A broken file says nothing about the others.
            if not isinstance(error, FileUnreadable):
                circuit.failed(error.wait)
            raise
        self._works(source)
        return document

    def _works(self, source: Source) -> None:
        self._circuits[source.name].succeeded()
        self._failures = {
            name: error for name, error in self._failures.items() if name != source.name
        }
