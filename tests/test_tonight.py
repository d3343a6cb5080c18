"""Tonight logs itself: the right slate, once, at any hour of any day."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from jobs.errors import NotReady
from jobs.tonight import log_replay, log_tonight, revise, tonights_date
from nba.errors import UnknownSlate
from nba.reference import Reference
from nba.slate import SlateProjection, project_slate
from prediction_tracking import MIGRATIONS, REPLICATED_TABLES, Origin, OriginMismatch, PredictionLog
from replica.stores.folder import FolderStore
from tests.app_process import CHECKOUT
from tests.stores import ManualClock, MemoryStore, open_replica

EASTERN = ZoneInfo("America/New_York")
SYDNEY = ZoneInfo("Australia/Sydney")
Project = Callable[[date], SlateProjection]


def eastern(text: str) -> datetime:
    """The moment, in UTC, that a clock in New York shows."""
    return datetime.fromisoformat(text).replace(tzinfo=EASTERN).astimezone(UTC)


@pytest.fixture(scope="module")
def project(reference: Reference) -> Project:
    """Projects each slate once for all of these tests."""
    made: dict[date, SlateProjection] = {}

    def cached(slate_date: date) -> SlateProjection:
        if slate_date not in made:
            made[slate_date] = project_slate(reference, slate_date)
        return made[slate_date]

    return cached


@contextmanager
def log_at(path: Path, clock: ManualClock) -> Iterator[PredictionLog]:
    replica = open_replica(
        path,
        MemoryStore(clock),
        migrations=MIGRATIONS,
        tables=REPLICATED_TABLES,
        clock=clock,
    )
    try:
        replica.restore()
        yield PredictionLog(replica, None, clock=clock)
    finally:
        replica.close(0)


EVENINGS = [
    # When, which slate is on show, and which is logged then.
    ("2026-10-19T12:00", "2026-10-20", None),
    ("2026-10-20T00:01", "2026-10-20", "2026-10-20"),
    ("2026-11-20T15:00", "2026-11-20", "2026-11-20"),
    ("2026-11-20T23:59", "2026-11-20", "2026-11-20"),
    ("2026-11-21T00:01", "2026-11-20", "2026-11-20"),
    ("2026-11-21T05:59", "2026-11-20", "2026-11-20"),
    ("2026-11-21T06:00", "2026-11-21", "2026-11-21"),
    # No games on Thanksgiving, nor in the break.
    ("2026-11-26T05:59", "2026-11-25", "2026-11-25"),
    ("2026-11-26T06:00", "2026-11-27", None),
    ("2026-11-26T20:00", "2026-11-27", None),
    ("2026-11-26T23:59", "2026-11-27", None),
    ("2026-11-27T00:01", "2026-11-27", "2026-11-27"),
    ("2027-02-20T20:00", "2027-02-25", None),
    ("2027-02-25T00:00", "2027-02-25", "2027-02-25"),
    # Clocks go back: this Sunday has 25 hours.
    ("2026-11-01T00:01", "2026-10-31", "2026-10-31"),
    ("2026-11-01T05:59", "2026-10-31", "2026-10-31"),
    ("2026-11-01T06:00", "2026-11-01", "2026-11-01"),
    ("2026-11-01T23:59", "2026-11-01", "2026-11-01"),
    ("2026-11-02T05:59", "2026-11-01", "2026-11-01"),
    # Clocks go forward: this one has 23.
    ("2027-03-14T00:01", "2027-03-13", "2027-03-13"),
    ("2027-03-14T05:59", "2027-03-13", "2027-03-13"),
    ("2027-03-14T06:00", "2027-03-14", "2027-03-14"),
    ("2027-03-15T05:59", "2027-03-14", "2027-03-14"),
    # The last evening, and afterwards.
    ("2027-04-11T20:00", "2027-04-11", "2027-04-11"),
    ("2027-04-12T05:59", "2027-04-11", "2027-04-11"),
    ("2027-04-12T06:00", None, None),
    ("2027-07-01T12:00", None, None),
]


@pytest.mark.parametrize(("moment", "shown", "logged"), EVENINGS)
def test_the_right_slate_is_shown_and_logged_once(
    moment: str,
    shown: str | None,
    logged: str | None,
    reference: Reference,
    project: Project,
    tmp_path: Path,
) -> None:
    clock = ManualClock(eastern(moment))
    slate_date = tonights_date(reference, clock())
    assert slate_date == (None if shown is None else date.fromisoformat(shown))
    with log_at(tmp_path / "a.db", clock) as log:
        run = log_tonight(log, reference, project, clock())
        again = log_tonight(log, reference, project, clock())
        if logged is None:
            assert run is None
            assert again is None
            assert log.runs() == []
        else:
            assert run is not None
            assert (run.slate_date, run.origin) == (date.fromisoformat(logged), Origin.LIVE)
            assert run.time_verified
            assert not run.revision
            assert run.predictions > 100
            assert again == run
            assert log.runs() == [run]


@pytest.mark.parametrize("zone", [UTC, SYDNEY])
def test_where_somebody_looks_from_changes_nothing(zone: ZoneInfo, reference: Reference) -> None:
    # In Sydney it is the afternoon of the 21st.
    moment = eastern("2026-11-20T23:30").astimezone(zone)
    assert tonights_date(reference, moment) == date(2026, 11, 20)


def test_each_evening_is_logged_in_its_turn(
    reference: Reference, project: Project, tmp_path: Path
) -> None:
    clock = ManualClock(eastern("2026-11-24T12:00"))
    with log_at(tmp_path / "a.db", clock) as log:
        while clock() < eastern("2026-11-28T00:00"):
            log_tonight(log, reference, project, clock())
            clock.now += timedelta(hours=1)
        assert [run.slate_date.day for run in log.runs()] == [27, 25, 24]


def test_an_evening_that_was_slept_through_is_not_made_up(
    reference: Reference, project: Project, tmp_path: Path
) -> None:
    clock = ManualClock(eastern("2026-11-23T06:00"))
    with log_at(tmp_path / "a.db", clock) as log:
        run = log_tonight(log, reference, project, clock())
        assert run is not None
        assert [run.slate_date for run in log.runs()] == [date(2026, 11, 23)]


def test_a_slate_whose_teams_are_all_undecided_is_not_logged(
    reference: Reference, project: Project, tmp_path: Path
) -> None:
    clock = ManualClock(eastern("2026-11-20T12:00"))
    whole = project(date(2026, 11, 20))
    undecided = SlateProjection(
        slate_date=whole.slate_date,
        model_version=whole.model_version,
        data_as_of=whole.data_as_of,
        games=(),
        players=(),
        undecided_games=2,
    )
    with log_at(tmp_path / "a.db", clock) as log:
        assert log_tonight(log, reference, lambda _: undecided, clock()) is None
        with pytest.raises(NotReady, match="no game to project"):
            revise(log, reference, lambda _: undecided, whole.slate_date, clock())
        assert log.runs() == []


def test_a_revision_is_tonights_only(
    reference: Reference, project: Project, tmp_path: Path
) -> None:
    clock = ManualClock(eastern("2026-11-20T15:00"))
    with log_at(tmp_path / "a.db", clock) as log:
        automatic = log_tonight(log, reference, project, clock())
        assert automatic is not None
        clock.advance(minutes=10)
        revision = revise(log, reference, project, date(2026, 11, 20), clock())
        assert revision.revision
        assert revision.run_id != automatic.run_id
        for other in (date(2026, 11, 19), date(2026, 11, 21), date(2024, 11, 20)):
            with pytest.raises(NotReady, match="Only tonight's slate"):
                revise(log, reference, project, other, clock())
        # The timer leaves a revision as it is.
        assert log_tonight(log, reference, project, clock()) == revision
        assert {run.run_id for run in log.runs()} == {automatic.run_id, revision.run_id}


def one_more_is_known(projection: SlateProjection) -> SlateProjection:
    """As after a box score that came late: the same data by its date, another figure."""
    first, *others = projection.games
    chance = first.home_win_probability / 2
    return replace(projection, games=(replace(first, home_win_probability=chance), *others))


def a_tipoff_is_unknown(projection: SlateProjection) -> SlateProjection:
    first, *others = projection.games
    game = replace(first.game, tipoff_utc=None)
    return replace(projection, games=(replace(first, game=game), *others))


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        pytest.param(lambda whole: whole, one_more_is_known, id="a late box score"),
        pytest.param(a_tipoff_is_unknown, lambda whole: whole, id="a late tip-off time"),
        pytest.param(
            lambda whole: replace(whole, games=whole.games[1:], players=()),
            lambda whole: whole,
            id="one more game",
        ),
    ],
)
def test_what_becomes_known_before_the_first_tip_off_is_logged_anew(
    earlier: Callable[[SlateProjection], SlateProjection],
    later: Callable[[SlateProjection], SlateProjection],
    reference: Reference,
    project: Project,
    tmp_path: Path,
) -> None:
    clock = ManualClock(eastern("2026-11-20T06:30"))
    whole = project(date(2026, 11, 20))
    with log_at(tmp_path / "a.db", clock) as log:
        first = log_tonight(log, reference, lambda _: earlier(whole), clock())
        clock.now = eastern("2026-11-20T11:00")
        again = log_tonight(log, reference, lambda _: later(whole), clock())
        assert first is not None
        assert again is not None
        assert again.run_id != first.run_id
        assert again.data_as_of == first.data_as_of
        clock.advance(minutes=5)
        assert log_tonight(log, reference, lambda _: later(whole), clock()) == again
        assert log.runs() == [again, first]


def test_what_becomes_known_after_the_first_tip_off_is_not_logged(
    reference: Reference, project: Project, tmp_path: Path
) -> None:
    clock = ManualClock(eastern("2026-11-20T06:30"))
    whole = project(date(2026, 11, 20))
    with log_at(tmp_path / "a.db", clock) as log:
        run = log_tonight(log, reference, lambda _: whole, clock())
        clock.now = eastern("2026-11-20T23:00")
        assert log_tonight(log, reference, lambda _: one_more_is_known(whole), clock()) == run
        assert log.runs() == [run]


def test_there_is_no_revision_after_the_season(
    reference: Reference, project: Project, tmp_path: Path
) -> None:
    clock = ManualClock(eastern("2027-04-12T12:00"))
    with log_at(tmp_path / "a.db", clock) as log, pytest.raises(NotReady):
        revise(log, reference, project, date(2027, 4, 11), clock())


def test_a_replay_is_of_the_past_only(
    reference: Reference, project: Project, tmp_path: Path
) -> None:
    clock = ManualClock(eastern("2026-11-20T15:00"))
    with log_at(tmp_path / "a.db", clock) as log:
        run = log_replay(log, project, date(2024, 11, 20))
        assert (run.origin, run.time_verified) == (Origin.REPLAY, False)
        assert log_replay(log, project, date(2024, 11, 20)) == run
        with pytest.raises(OriginMismatch):
            log_replay(log, project, date(2026, 11, 20))
        with pytest.raises(NotReady, match="Choose another date"):
            log_replay(log, project, date(2024, 11, 28))
        with pytest.raises(UnknownSlate):
            log_replay(log, project, date(1999, 1, 1))
        assert log.runs() == [run]


def test_threads_that_log_at_once_end_in_one_run(
    reference: Reference, project: Project, tmp_path: Path
) -> None:
    clock = ManualClock(eastern("2026-11-20T15:00"))
    project(date(2026, 11, 20))
    together = threading.Barrier(4)
    found: list[object] = []
    with log_at(tmp_path / "a.db", clock) as log:

        def attempt() -> None:
            together.wait(10)
            found.append(log_tonight(log, reference, project, clock()))

        threads = [threading.Thread(target=attempt) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        [run] = log.runs()
        assert [getattr(each, "run_id", None) for each in found] == [run.run_id] * 4


ANOTHER_PROCESS = """
import sys
from pathlib import Path
from random import Random
from tests.applications import running, settings_for
state, reference, store = map(Path, sys.argv[1:])
with running(settings_for(state, reference, store)) as application:
    print("ready", flush=True)
    sys.stdin.readline()
    application.tick()
    status = application.saved_state().status
    runs = [run.run_id for run in application.predictions.runs()]
    print(status.state.value, *runs, flush=True)
"""


def test_two_processes_that_log_at_once_end_in_one_run(
    reference_path: Path, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    processes = [
        subprocess.Popen(
            [
                sys.executable,
                "-c",
                ANOTHER_PROCESS,
                *map(str, (tmp_path / name, reference_path, store)),
            ],
            cwd=CHECKOUT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in ("first", "second")
    ]
    said: list[list[str]] = []
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        answer, _ = process.communicate("go\n", timeout=60)
        assert process.returncode == 0
        said.append(answer.split())
    # Who came first is saved; the other follows, or keeps the same run waiting and says so.
    assert "ok" in {words[0] for words in said}
    assert {words[0] for words in said} <= {"ok", "diverged"}
    assert len({run_id for words in said for run_id in words[1:]}) == 1
    with log_at_store(tmp_path / "third.db", FolderStore(store)) as log:
        assert [run.run_id for run in log.runs()] == [said[0][1]]


@contextmanager
def log_at_store(path: Path, store: FolderStore) -> Iterator[PredictionLog]:
    clock = ManualClock(eastern("2026-11-20T15:00"))
    replica = open_replica(
        path, store, migrations=MIGRATIONS, tables=REPLICATED_TABLES, clock=clock
    )
    try:
        replica.restore()
        yield PredictionLog(replica, None, clock=clock)
    finally:
        replica.close(0)
