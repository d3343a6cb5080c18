"""An evening in mid-season with ten dates behind it, as a store that a site is started on.

Each of the ten slates was logged before its first tip-off, played and learned, all by the app
itself; the eleventh is tonight's, logged and shared, and one past date is logged as a replay.
Games, results and players are the bundle's own of January 2025, whose seasons the model has seen:
what the pages say of its accuracy there is an example, no claim.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path

import pytest

from exports.draft import Draft, Format, Progress, View
from jobs.application import Application
from jobs.authority import OWNER
from nba.slate_csv import slate_csv
from replica import ObjectInfo, PutMode
from replica.stores.folder import FolderStore
from tests.applications import published, running, use_store
from tests.nba_server import NbaServer
from tests.season_site import (
    FIRST_DAY,
    LAST_DAY,
    NEXT_DAY,
    Bundle,
    Evenings,
    at,
    cut_bundle,
    days_between,
    hurry,
    league,
    live_settings,
)
from tests.sites import Site, running_site

__all__ = [
    "LAST_DAY",
    "NOW",
    "PLAYER",
    "REPLAYED",
    "SeasonEvening",
    "play_ten_days",
    "running_evening",
]

NOW = at(NEXT_DAY, "12:00")
"""Noon in New York, before every tip-off."""
REPLAYED = date(2024, 1, 15)
PLAYER = 203999
"""Nikola Jokić, who has played on some of the ten dates, and plays tonight."""


@dataclass(frozen=True, slots=True)
class SeasonEvening:
    """What a site is started on.

    Attributes:
        bundle: past seasons as they were on the first of the ten dates.
        store_folder: the app's store. Its times are those of its files: copy them along.
    """

    bundle: Bundle
    store_folder: Path


class DatedFolder(FolderStore):
    """A folder whose clock is not the machine's: what arrives after a tip-off does not count."""

    def __init__(self, path: Path, clock: Callable[[], datetime]) -> None:
        super().__init__(path)
        self._root = path
        self._clock = clock

    def put(self, key: str, body: bytes, mode: PutMode) -> ObjectInfo:
        info = super().put(key, body, mode)
        now = self._clock()
        os.utime(self._root / key, (now.timestamp(), now.timestamp()))
        return replace(info, modified_at=now)


def play_ten_days(folder: Path) -> SeasonEvening:
    """Live through the ten dates below `folder`; takes about as long as a page does, ten times."""
    bundle = cut_bundle(folder / "bundle")
    evening = SeasonEvening(bundle, folder / "store")
    with pytest.MonkeyPatch.context() as patch, NbaServer(league()) as server:
        hurry(patch)
        evenings = Evenings(server, at(FIRST_DAY, "06:30"))
        use_store(patch, DatedFolder(evening.store_folder, evenings.clock))
        settings = live_settings(folder / "state", bundle, server.url, store=evening.store_folder)
        with running(settings, evenings.clock, ticks=False) as application:
            # The next morning brings an evening's results, before the day's first tip-off.
            for day in days_between(FIRST_DAY, LAST_DAY):
                evenings.go_to(at(day, "10:00"))
                evenings.tick(application, published)
            evenings.go_to(NOW)
            evenings.tick(application, published)
            application.log_replay(OWNER, REPLAYED)
            _share_tonight(application)
            evenings.tick(application, published)
    return evening


def _share_tonight(application: Application) -> None:
    def write(folder: Path, progress: Progress) -> int:
        projection = application.projection(NEXT_DAY)
        (folder / name).write_bytes(slate_csv(projection))
        return len(projection.players)

    name = f"nba-daily-{NEXT_DAY.isoformat()}.csv"
    draft = Draft(View.SLATE, "Projections for 25 Jan 2025", Format.CSV, name, write)
    application.sharing.make(OWNER, draft, keep_days=7)


@contextmanager
def running_evening(
    folder: Path,
    evening: SeasonEvening,
    *,
    arguments: Sequence[str] = ("--local-owner",),
    environment: Mapping[str, str] | None = None,
    secrets: str | None = None,
) -> Iterator[Site]:
    """Serve the evening below `folder` until the block ends, from a copy of its store.

    `arguments` make the visitor the owner unless told otherwise.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with running_site(
        folder,
        evening.bundle.reference_path,
        arguments=(*arguments, "--now", NOW.isoformat()),
        environment=environment,
        secrets=secrets,
        data_folder=evening.bundle.data_folder,
        stored=evening.store_folder,
    ) as site:
        yield site
