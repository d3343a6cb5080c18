"""A week of the app and of the daily job as two processes on one bucket, behind a bad network.

The app is killed twice, once with its disk; the job begins each day with an empty one.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from random import Random
from typing import Any

import pytest

from replica.stores.s3 import S3Store
from tests.nba_server import NbaServer
from tests.proxies import FaultyProxy
from tests.season_process import Orders, SeasonProcess, season_process
from tests.season_site import (
    FIRST_DAY,
    Rows,
    at,
    bundled,
    current_runs,
    cut_bundle,
    days_between,
    league,
    own_rows,
    require_same_rows,
    stored_rows,
)
from tests.servers import s3_options

WEEK = days_between(FIRST_DAY, date(2025, 1, 21))
KILLED_WITH_ITS_DISK, KILLED = WEEK[2], WEEK[4]

SEEDS = [pytest.param(seed, marks=pytest.mark.soak, id=f"seed {seed}") for seed in range(6)]


class Week:
    """Two processes, and what was durable so far."""

    def __init__(self, orders: Orders, server: NbaServer, folder: Path, stack: ExitStack) -> None:
        self._orders = orders
        self._server = server
        self._folder = folder
        self._stack = stack
        self.durable: list[str] = []
        self.app_state = folder / "app"
        self.app = self._start()
        self.job = self._start()
        self.job_state = folder / "job"

    def _start(self) -> SeasonProcess:
        return self._stack.enter_context(season_process(self._orders, self._folder / "log"))

    def go_to(self, day: date, hour: str) -> str:
        """It is that hour in New York for everybody; the moment as text."""
        self._server.now = at(day, hour)
        moment = self._server.now.isoformat()
        self.app.do("now", moment)
        self.job.do("now", moment)
        return moment

    def open_app(self) -> None:
        self.app.do("open", str(self.app_state), self._server.now.isoformat())

    def open_job(self, day: date) -> None:
        """On a machine that has never seen anything."""
        self.job_state = self._folder / f"job-{day.isoformat()}"
        self.job.do("open", str(self.job_state), self._server.now.isoformat())

    def together(self, app: tuple[Any, ...], job: tuple[Any, ...]) -> None:
        """One command for each, at once."""
        self.app.send(*app)
        self.job.send(*job)
        for process in (self.app, self.job):
            answer = process.answer()
            assert answer is not None, (self._folder / "log").read_text()
            self.durable += answer.get("durable", [])

    def kill_app(self, *, with_its_disk: bool) -> None:
        """In the middle of a tick; then it is started again."""
        self.app.send("tick")
        self.app.kill()
        if with_its_disk:
            self.app_state = self.app_state.with_name(self.app_state.name + "-again")
        self.app = self._start()
        self.open_app()


@pytest.mark.timeout(400)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_week_of_app_and_job_on_one_bucket(
    seed: int, tmp_path: Path, moto_endpoint: str, new_bucket: Callable[[str], str]
) -> None:
    bucket = new_bucket(moto_endpoint)
    store = S3Store(s3_options(moto_endpoint, bucket))
    bundle = cut_bundle(tmp_path / "bundle")
    with ExitStack() as stack:
        server = stack.enter_context(NbaServer(league()))
        server.now = at(FIRST_DAY, "06:30")
        proxy = stack.enter_context(FaultyProxy(moto_endpoint, Random(seed), share=0.1))
        orders = Orders(
            str(bundle.data_folder), str(bundle.reference_path), (proxy.url, bucket), server.url
        )
        week = Week(orders, server, tmp_path, stack)
        week.open_app()
        for day in WEEK:
            week.go_to(day, "06:30")
            week.open_job(day)
            week.together(("tick",), ("daily",))
            week.go_to(day, "14:00")
            if day in (KILLED, KILLED_WITH_ITS_DISK):
                week.kill_app(with_its_disk=day == KILLED_WITH_ITS_DISK)
            # Each of the two logs a revision.
            note = ("out", star_of(day), day.isoformat(), f"out {day}")
            week.together(note, ("revise", day.isoformat()))
            week.go_to(day, "23:30")
            week.app.do("tick")
            if day != WEEK[-1]:
                week.job.do("close")
        week.go_to(date(2025, 1, 22), "06:30")
        proxy.pause()
        for command in (("daily",), ("settle",), ("settle",), ("close",)):
            week.together(command, command)
        assert sum(proxy.faults_done.values()) > 20
    app, job, stored = own_rows(week.app_state), own_rows(week.job_state), stored_rows(store)
    require_same_rows(app, but_for_use(stored))
    require_same_rows(job, but_for_use(stored))
    require_nothing_lost(stored, week.durable)
    require_all_results(stored)
    slates = current_runs(week.app_state)
    assert slates == current_runs(week.job_state)
    assert [slate for slate, _ in slates] == [day.isoformat() for day in [*WEEK, date(2025, 1, 22)]]


def but_for_use(rows: Rows) -> Rows:
    """The rows without those of use: each process writes its last one when it no longer reads."""
    return {table: found for table, found in rows.items() if table != "usage_days"}


def star_of(day: date) -> int:
    """Somebody who plays a lot that evening."""
    box_scores = bundled("player_games", day, day)
    return int(box_scores.sort_values("minutes").iloc[-1]["player_id"])


def require_nothing_lost(rows: Rows, durable: list[str]) -> None:
    """Notes and revisions that a process called durable, and no other."""
    assert len(durable) >= 2 * len(WEEK)
    found = {
        str(value) for table in ("runs", "availability") for row in rows[table] for value in row
    }
    assert set(durable) <= found


def require_all_results(rows: Rows) -> None:
    """Every box score of the week, once."""
    expected = {
        (row["game_id"], row["player_id"], row["pts"])
        for row in bundled("player_games", WEEK[0], WEEK[-1]).to_dict("records")
    }
    # game, player, date, team, points
    assert {(row[0], row[1], row[4]) for row in rows["player_games"]} == expected
    assert len(rows["player_games"]) == len(expected)
