"""A season of use, played by the app itself against an S3 server that counts: see season_cost.py.

Two writers share one versioned bucket. The app is awake around the clock, looks at the store every
five minutes and starts on an empty disk once a day, as after a redeploy; the daily job runs twice a
day, on an empty disk each time. The owner revises each slate once; backups and drills are made as
they fall due. The NBA's servers and the clock are the tests' own; the games are those of 2024-25.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from nba_api.stats.endpoints import ScheduleLeagueV2

from jobs import projecting
from jobs.application import Application
from jobs.authority import OWNER
from jobs.backup_settings import BackupSettings
from jobs.configuration import Settings
from nba.bronze import Document
from nba.silver import Silver, build
from replica.stores.s3 import S3Options, S3Store
from replica.stores.s3_requests import S3Request
from tests.applications import PREPARATION_SECONDS, published, use_store
from tests.nba_responses import League
from tests.nba_server import NbaServer
from tests.season_counts import (
    BUCKET,
    DatedStore,
    Day,
    Season,
    counting_server,
    expire_old_versions,
    stored_versions,
)
from tests.season_site import Evenings, at, cut_bundle, days_between, hurry, league, live_settings
from tests.servers import s3_options
from usage.cost import Operation
from usage.days import UsageDay

__all__ = ["play_season", "whole_season"]

FIRST_NIGHT = date(2024, 10, 22)
LAST_NIGHT = date(2025, 4, 13)
EXTRA_DAYS = 8
LOOK_MINUTES = 5

_DAYS_BETWEEN_LISTINGS = 10
_DOCUMENTS_REMEMBERED = 200


@dataclass
class Writer:
    """One copy of the app; `restart` begins anew on an empty disk."""

    name: str
    folder: Path
    settings: Callable[[Path], Settings]
    clock: Callable[[], datetime]
    application: Application | None = field(default=None, init=False)
    _starts: int = field(default=0, init=False)

    @property
    def app(self) -> Application:
        assert self.application is not None
        return self.application

    def restart(self) -> None:
        self.stop()
        self._starts += 1
        folder = self.folder / f"{self.name}-{self._starts}"
        self.application = Application(self.settings(folder), clock=self.clock, generator=Random())
        self.application.start(ticks=False)
        prepared = self.application.wait_until_prepared(timeout_seconds=PREPARATION_SECONDS)
        if not prepared.state_ready:
            raise RuntimeError(f"{self.name} is not ready: {prepared}")

    def stop(self) -> None:
        if self.application is not None:
            self.application.close(5.0)
            self.application = None
            shutil.rmtree(self.folder / f"{self.name}-{self._starts}")

    def tick(self) -> None:
        """What the timer does; anything that fails ends the season."""
        self.app.tick()
        published(self.app)
        self.app.safekeeping.run()
        published(self.app)
        error = self.app.saved_state().job_error or self.app.safekeeping.error
        if error is not None:
            raise error

    def look(self) -> None:
        """What is left of a tick when nothing is due."""
        assert self.app._state is not None
        self.app._state.replica.tick()


def whole_season() -> League:
    """2024-25, and its last eight days once more: a regular season has 163 nights only."""
    played = league(FIRST_NIGHT, LAST_NIGHT)
    games = dict(played.games)
    since = LAST_NIGHT - timedelta(days=EXTRA_DAYS - 1)
    for game_id, game in played.games.items():
        if game.game_date >= since:
            again = game_id[:5] + str(int(game_id[5:]) + 5000).rjust(5, "0")
            later = game.tipoff_utc + timedelta(days=EXTRA_DAYS)
            games[again] = replace(game, game_id=again, tipoff_utc=later)
    return replace(played, games=games)


def play_season(
    folder: Path,
    nights: int,
    *,
    every_look: bool = True,
    told: Callable[[str], None] = lambda words: None,
) -> Season:
    """Play so many nights from the season's first one on.

    Without `every_look` only those ticks happen at which something may be due. `told` is called
    after each day.
    """
    games = whole_season()
    dates = sorted({game.game_date for game in games.games.values()})[:nights]
    with (
        pytest.MonkeyPatch.context() as patch,
        NbaServer(games) as nba,
        counting_server(folder) as (url, log),
    ):
        hurry(patch)
        _spare_the_processor(patch)
        bundle = cut_bundle(folder / "bundle", FIRST_NIGHT)
        evenings = Evenings(nba, at(FIRST_NIGHT, "04:00"))
        options = s3_options(url, BUCKET)

        def count(request: S3Request) -> None:
            """The daily job's, while it runs: the app has nothing to do then."""
            asking = (job.application or app.app).settings.store
            assert isinstance(asking, S3Options)
            assert asking.on_request is not None
            asking.on_request(request)

        store = DatedStore(S3Store(replace(options, on_request=count)), evenings.clock)
        use_store(patch, store)

        def settings(state: Path) -> Settings:
            found = live_settings(state, bundle, nba.url, store=options)
            return replace(found, backups=BackupSettings(daily=True))

        app, job = (Writer(name, folder, settings, evenings.clock) for name in ("app", "job"))
        days: list[Day] = []

        def note(day: date) -> None:
            requests = log.read()
            asked = len(days) % _DAYS_BETWEEN_LISTINGS == _DAYS_BETWEEN_LISTINGS - 1
            if asked or day == dates[-1]:
                expire_old_versions(url, store.changes, evenings.clock.now)
            stored = stored_versions(url) if asked or day == dates[-1] else {}
            log.pass_over()
            now = evenings.clock.now
            calls = dict(store.calls)
            days.append(Day(day, now, requests, left_out, calls, store.bytes_read, stored))

        left_out = 0
        counted: Sequence[UsageDay] = ()
        try:
            app.restart()
            for day in days_between(dates[0], dates[-1]):
                looks = _play_day(day, day in dates, evenings, app, job, every_look=every_look)
                left_out += looks
                if day == dates[-1]:
                    counted = app.app.meter.account(OWNER).days
                    app.stop()
                note(day)
                told(f"{day} {dict(days[-1].requests)}")
        finally:
            app.stop()
            job.stop()
        usage = Counter({one.value: 0 for one in Operation})
        for one in counted:
            usage.update({kind.value: one.counts.requests(kind) for kind in Operation})
        return Season(len(dates), days, list(store.changes), usage)


def _play_day(
    day: date, has_games: bool, evenings: Evenings, app: Writer, job: Writer, *, every_look: bool
) -> int:
    """From 04:00 Eastern to 04:00 of the next day; how many looks were left out."""
    left_out = 0
    moment, end = at(day, "04:00"), at(day + timedelta(days=1), "04:00")
    redeployed_at, revised_at = at(day, "06:00"), at(day, "16:00")
    daily_at = {at(day, "07:15"), at(day, "14:15")}
    evening = at(day, "21:00")
    while moment < end:
        evenings.go_to(moment)
        if moment in daily_at:
            job.restart()
            job.app.daily(OWNER, lambda share, words: None)
            job.stop()
        if moment == redeployed_at:
            app.restart()
        if moment == redeployed_at or _may_be_due(moment, evening):
            app.tick()
        elif every_look:
            app.look()
        else:
            left_out += 1
        if moment == revised_at and has_games:
            app.app.revise(OWNER, day)
            app.tick()
        moment += timedelta(minutes=LOOK_MINUTES)
    return left_out


def _spare_the_processor(patch: pytest.MonkeyPatch) -> None:
    """What changes no request and no object's size is done once and not again and again."""
    # nba_api would look through all games for each game, for seconds; the app takes the bytes.
    patch.setattr(ScheduleLeagueV2, "load_response", lambda endpoint: None)
    for name in ("project_slate", "knowledge_of"):
        patch.setattr(projecting, name, _once_a_date(getattr(projecting, name)))
    read = build._silver
    last_read: dict[tuple[datetime, str], Silver] = {}

    def read_once(document: Document, sha256: str, teams: Any) -> Silver:
        # Each start reads again what came since yesterday.
        key = document.retrieved_at, sha256
        if key not in last_read:
            if len(last_read) > _DOCUMENTS_REMEMBERED:
                last_read.clear()
            last_read[key] = read(document, sha256, teams)
        return last_read[key]

    patch.setattr(build, "_silver", read_once)


def _once_a_date(function: Callable[..., Any]) -> Callable[..., Any]:
    """Gives the first answer for a date again: another process would say as much of it."""
    last: dict[date, Any] = {}

    def remembering(*given: Any, **named: Any) -> Any:
        day = next(one for one in given if isinstance(one, date))
        if day not in last:
            last.clear()
            last[day] = function(*given, **named)
        return last[day]

    return remembering


def _may_be_due(moment: datetime, evening: datetime) -> bool:
    """Whether the app may ask its sources then: each two hours, and often while games end."""
    every = 20 if evening <= moment < evening + timedelta(hours=5) else 120
    return (moment - evening) % timedelta(minutes=every) == timedelta(0)
