"""Fixtures for tests of the engine: a store in memory and replicas that share it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from replica import Replica
from tests.stores import ManualClock, MemoryStore, open_replica, write

__all__ = ["Opener", "clock", "opened", "store"]


class Opener:
    """Opens replicas by name, each a file of its own, and closes them all at the end."""

    def __init__(self, folder: Path, clock: ManualClock, store: MemoryStore) -> None:
        self._folder = folder
        self._clock = clock
        self._store = store
        self._replicas: list[Replica] = []

    def __call__(self, name: str, **options: Any) -> Replica:
        """A replica that has been restored."""
        replica = self.bare(name, **options)
        replica.restore()
        return replica

    def bare(self, name: str, **options: Any) -> Replica:
        """A replica that has only been opened."""
        settings = {"clock": self._clock, "fetch_workers": 1} | options
        replica = open_replica(self._folder / f"{name}.db", self._store, **settings)
        self._replicas.append(replica)
        return replica

    def filled(self, *rows: str) -> Replica:
        """A replica "first" that has published an entry for each row: 2, 3, …"""
        replica = self("first")
        for row in rows:
            write(replica, row)
            replica.sync_now()
        return replica

    def close(self) -> None:
        for replica in self._replicas:
            replica.close(0)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def store(clock: ManualClock) -> MemoryStore:
    return MemoryStore(clock)


@pytest.fixture
def opened(tmp_path: Path, clock: ManualClock, store: MemoryStore) -> Iterator[Opener]:
    opener = Opener(tmp_path, clock, store)
    yield opener
    opener.close()
