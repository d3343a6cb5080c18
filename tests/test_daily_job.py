"""The daily job by real processes: again, two at once, and killed at any moment.

Whatever happens, the rows that processes share are those of one undisturbed job.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from random import Random
from typing import Any

import pytest

from replica.stores.folder import FolderStore
from tests.app_process import CHECKOUT
from tests.nba_server import NbaServer
from tests.season_process import Orders, SeasonProcess, season_process
from tests.season_site import (
    FIRST_DAY,
    Bundle,
    Rows,
    at,
    bundled,
    by_anybody,
    cut_bundle,
    entries,
    league,
    own_rows,
    require_same_rows,
    stored_rows,
)

# `python cli.py daily --json` at another moment and with another bundle than this machine's.
CLI = """
import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path
import cli, commands.opening, commands.season
now, data = datetime.fromisoformat(sys.argv[1]), Path(sys.argv[2])
commands.opening.system_clock = lambda: now
commands.opening._secrets = dict
settings = commands.season.read_settings_here()
commands.season.read_settings_here = lambda: replace(settings, data_folder=data)
sys.exit(cli.main(["daily", "--json", "--strict"]))
"""

SECOND_DAY = date(2025, 1, 16)
# Results can be waited for in the morning; late in the afternoon the slate is logged first.
HOURS = ("06:30", "17:00")


@dataclass(frozen=True)
class Morning:
    """What each job begins with: a store in which the first day's job has been done.

    Attributes:
        rows: what the store holds after an undisturbed job, by the hour of the second day.
        steps: how many steps it took.
    """

    bundle: Bundle
    server: NbaServer
    store: Path
    rows: dict[str, Rows]
    steps: dict[str, int]

    def begin(self, folder: Path, hour: str) -> Orders:
        """Orders for a job at that hour with a store of its own in `folder`."""
        self.server.now = at(SECOND_DAY, hour)
        shutil.copytree(self.store, folder / "store", dirs_exist_ok=True)
        return self.orders(folder / "store")

    def orders(self, store: Path, dies_at: int = 0) -> Orders:
        return Orders(
            str(self.bundle.data_folder),
            str(self.bundle.reference_path),
            (str(store),),
            self.server.url,
            dies_at,
        )


@pytest.fixture(scope="module")
def morning(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Morning]:
    folder = tmp_path_factory.mktemp("daily_job")
    bundle = cut_bundle(folder / "bundle")
    store = folder / "store"
    with NbaServer(league()) as server:
        made = Morning(bundle, server, store, {}, {})
        server.now = at(FIRST_DAY, "06:30")
        with season_process(made.orders(store), folder / "log") as job:
            job.do("open", str(folder / "first"), server.now.isoformat())
            job.do("daily")
            job.do("close")
            for hour in HOURS:
                undisturbed = folder / hour
                made.begin(undisturbed, hour)
                with season_process(made.orders(undisturbed / "store"), folder / "log") as second:
                    second.do("open", str(undisturbed / "state"), server.now.isoformat())
                    made.steps[hour] = second.do("daily")["steps"]
                    second.do("close")
                made.rows[hour] = stored_rows(FolderStore(undisturbed / "store"))
        yield made


def require_the_same(found: Rows, expected: Rows) -> None:
    """The same rows, whoever logged what; and nobody has overruled anybody."""
    assert found["sync_conflicts"] == []
    require_same_rows(by_anybody(found), by_anybody(expected))


@pytest.mark.parametrize("hour", HOURS)
def test_an_undisturbed_job_has_done_the_day(morning: Morning, hour: str) -> None:
    rows = morning.rows[hour]
    box_scores = bundled("player_games", FIRST_DAY, FIRST_DAY)
    assert {(row[0], row[1]) for row in rows["player_games"]} == {
        (row["game_id"], row["player_id"]) for row in box_scores.to_dict("records")
    }
    slates = [str(row[1]) for row in rows["runs"]]
    # In the afternoon first with what is known, then with last night's results.
    again = ["2025-01-16"] if hour == "17:00" else []
    assert sorted(slates) == ["2025-01-15", "2025-01-16", *again]


def test_twice_in_the_same_process_and_once_more_elsewhere(
    morning: Morning, tmp_path: Path
) -> None:
    orders = morning.begin(tmp_path, "06:30")
    store, now = FolderStore(tmp_path / "store"), morning.server.now.isoformat()
    with ExitStack() as running:
        one, two = (
            running.enter_context(season_process(orders, tmp_path / "log")) for _ in range(2)
        )
        one.do("open", str(tmp_path / "one"), now)
        first = one.do("daily")
        written = entries(store)
        assert first["learned"]
        assert first["complete"]
        second = one.do("daily")
        two.do("open", str(tmp_path / "two"), now)
        third = two.do("daily")
        assert not second["learned"]
        assert not third["learned"]
        assert {one["run"] for one in (first, second, third)} == {first["run"]}
        # Nothing was to be said, so nothing was written.
        assert entries(store) == written
        for process in (one, two):
            process.do("close")
    for folder in (tmp_path / "one", tmp_path / "two"):
        require_the_same(own_rows(folder), morning.rows["06:30"])
    require_the_same(stored_rows(FolderStore(tmp_path / "store")), morning.rows["06:30"])


@pytest.mark.parametrize("hour", HOURS)
def test_from_two_processes_at_once(morning: Morning, tmp_path: Path, hour: str) -> None:
    orders = morning.begin(tmp_path, hour)
    names = ("one", "two")
    with ExitStack() as running:
        jobs: list[SeasonProcess] = [
            running.enter_context(season_process(orders, tmp_path / "log")) for _ in names
        ]
        for command in (("open",), ("daily",), ("settle",), ("settle",), ("close",)):
            for name, job in zip(names, jobs, strict=True):
                where = (str(tmp_path / name), morning.server.now.isoformat())
                job.send(*command, *(where if command == ("open",) else ()))
            for job in jobs:
                assert job.answer() is not None, (tmp_path / "log").read_text()
    for name in names:
        require_the_same(own_rows(tmp_path / name), morning.rows[hour])
    require_the_same(stored_rows(FolderStore(tmp_path / "store")), morning.rows[hour])


def command_line(morning: Morning, folder: Path, name: str) -> subprocess.Popen[str]:
    """Start the job as the workflow does, with a working copy of its own."""
    state = folder / name
    state.mkdir()
    os.link(morning.bundle.reference_path, state / "reference.db")
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "NBA_DAILY_STATE_DIR": str(state),
        "NBA_DAILY_STORE_DIR": str(folder / "store"),
        "NBA_DAILY_SOURCES": "live,stats",
        "NBA_DAILY_LIVE_URL": morning.server.url,
        "NBA_DAILY_STATS_URL": morning.server.url,
    }
    words = [morning.server.now.isoformat(), str(morning.bundle.data_folder)]
    return subprocess.Popen(
        [sys.executable, "-c", CLI, *words],
        env=environment,
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_command_from_two_places_at_once_and_once_more(
    morning: Morning, tmp_path: Path
) -> None:
    morning.begin(tmp_path, "06:30")
    told: list[dict[str, Any]] = []
    for names in (("one", "two"), ("three",)):
        jobs = [command_line(morning, tmp_path, name) for name in names]
        for job in jobs:
            output, complaints = job.communicate(timeout=60)
            assert job.returncode == 0, complaints
            told.append(json.loads(output))
    *_, third = told
    assert len({one["run"]["run_id"] for one in told}) == 1
    assert not any(third["ingest"]["learned"].values())
    require_the_same(own_rows(tmp_path / "three"), morning.rows["06:30"])
    require_the_same(stored_rows(FolderStore(tmp_path / "store")), morning.rows["06:30"])


DEATHS = [
    pytest.param(seed, marks=[] if seed < 3 else pytest.mark.soak, id=f"seed {seed}")
    for seed in range(40)
]


@pytest.mark.parametrize("seed", DEATHS)
def test_killed_at_any_moment_and_run_again(morning: Morning, tmp_path: Path, seed: int) -> None:
    randomness = Random(seed)
    hour = HOURS[seed % 2]
    morning.begin(tmp_path, hour)
    now = morning.server.now.isoformat()
    dies_at = randomness.randint(1, morning.steps[hour])
    keeps_disk = randomness.random() < 0.5
    state = tmp_path / "state"
    doomed = morning.orders(tmp_path / "store", dies_at)
    with season_process(doomed, tmp_path / "log") as job:
        job.do("open", str(state), now)
        job.send("daily")
        died = job.answer() is None
        job.kill()
    # The threads of another run may take one step fewer.
    assert died or dies_at > 0.9 * morning.steps[hour]
    if not keeps_disk:
        shutil.rmtree(state)
    with season_process(morning.orders(tmp_path / "store"), tmp_path / "log") as job:
        job.do("open", str(state), now)
        assert job.do("daily")["complete"]
        job.do("close")
    require_the_same(own_rows(state), morning.rows[hour])
    require_the_same(stored_rows(FolderStore(tmp_path / "store")), morning.rows[hour])
