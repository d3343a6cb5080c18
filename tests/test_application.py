"""The app of one process: it prepares, logs, saves and recovers by itself."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random

import apsw
import pandas as pd
import pytest

from jobs.application import Application
from jobs.authority import OWNER, VISITOR
from jobs.errors import ConfigurationError, NotPermitted, NotReady
from jobs.preparation import PreparationBoard
from jobs.saved import Level
from jobs.timer import Timer
from nba.errors import BundleMissing
from nba.reference import Reference
from nba.slate import SlateProjection
from prediction_tracking import MIGRATIONS, HistoryFilters, Origin, Run
from replica import (
    FileOwned,
    LogNotEmpty,
    ObjectExists,
    PutMode,
    State,
    StoreUnreachable,
)
from replica.log import log_key
from replica.stores.folder import FolderStore
from replica.stores.s3 import S3Options
from tests.app_process import free_port, wait_for
from tests.applications import (
    AFTERNOON,
    SwitchedStore,
    count_rows,
    line_of,
    log_of,
    published,
    running,
    runs_of,
    settings_for,
    status_of,
    use_store,
)
from tests.servers import s3_options
from tests.stores import ManualClock

TONIGHT = date(2026, 11, 20)
BUNDLED = date(2025, 1, 15)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(AFTERNOON)


@pytest.fixture
def store(clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> SwitchedStore:
    """A store in memory that every application of the test uses."""
    store = SwitchedStore(clock)
    use_store(monkeypatch, store)
    return store


def wait_until_logged(application: Application) -> None:
    wait_for(
        lambda: application.predictions is not None and runs_of(application),
        what="a run",
        timeout_seconds=20,
    )


# By itself ----------------------------------------------------------------------------------------


def test_it_logs_tonight_and_saves_it_unasked(reference_path: Path, tmp_path: Path) -> None:
    with running(settings_for(tmp_path / "state", reference_path)) as application:
        published(application)
        [run] = runs_of(application)
        assert (run.slate_date, run.origin, run.sequence) == (TONIGHT, Origin.LIVE, 2)
        assert line_of(application).headline == "Saved to a folder on this machine as #2"
        assert application.tonights_date() == TONIGHT
    keys = [info.key for info in FolderStore(tmp_path / "store").list("")]
    snapshots = [key for key in keys if key.startswith("snapshots/")]
    assert snapshots
    assert keys[0].startswith("bases/")
    assert keys[1:] == [
        f"csv/game_date=2026-11-20/{run.run_id}.csv",
        "head.json",
        log_key(1),
        log_key(2),
        "nba_stats.db.zst",
        *snapshots,
    ]


def test_the_readable_copy_holds_every_prediction(reference_path: Path, tmp_path: Path) -> None:
    with running(settings_for(tmp_path / "state", reference_path)) as application:
        published(application)
        [run] = runs_of(application)
    copy = tmp_path / "store" / "csv" / "game_date=2026-11-20" / f"{run.run_id}.csv"
    frame = pd.read_csv(copy)
    assert len(frame) == run.predictions
    assert set(frame["run_id"]) == {run.run_id}


def test_a_wiped_disk_is_restored_and_nothing_is_logged_twice(
    reference_path: Path, tmp_path: Path
) -> None:
    with running(settings_for(tmp_path / "first", reference_path)) as application:
        published(application)
        before = log_of(application).history(HistoryFilters(), limit=None)
    second = settings_for(tmp_path / "second", reference_path, tmp_path / "store")
    with running(second) as application:
        after = log_of(application).history(HistoryFilters(), limit=None)
        application.tick()
        assert status_of(application).sequence == 2
    pd.testing.assert_frame_equal(after, before)


def test_the_timer_logs_the_next_evening(
    reference_path: Path, tmp_path: Path, clock: ManualClock, store: SwitchedStore
) -> None:
    settings = replace(settings_for(tmp_path / "state", reference_path), timer_minutes=0.001)
    with running(settings, clock) as application:
        published(application)
        clock.advance(days=1)
        wait_for(
            lambda: store.numbers() == [1, 2, 3], what="the second evening", timeout_seconds=20
        )
        assert [run.slate_date.day for run in runs_of(application)] == [21, 20]


def test_what_another_copy_of_the_app_logged_is_not_logged_again(
    reference_path: Path, tmp_path: Path, clock: ManualClock, store: SwitchedStore
) -> None:
    with (
        running(settings_for(tmp_path / "a", reference_path), clock) as first,
        running(settings_for(tmp_path / "b", reference_path), clock) as second,
    ):
        # Both start at once, so both may have logged the first evening.
        published(first)
        published(second)
        before = store.numbers()
        clock.advance(days=1)
        for application in (first, second):
            application.tick()
            published(application)
        assert store.numbers() == [*before, before[-1] + 1]
        assert len(runs_of(first)) == 2
        assert status_of(second).state is State.OK
        assert runs_of(first) == runs_of(second)


def test_nothing_is_logged_where_ticks_are_left_out(reference_path: Path, tmp_path: Path) -> None:
    settings = replace(settings_for(tmp_path / "state", reference_path), timer_minutes=0.001)
    with running(settings, ticks=False) as application:
        assert application.preparation.state_ready
        assert runs_of(application) == []
        application.tick()
        assert len(runs_of(application)) == 1


# The store is away --------------------------------------------------------------------------------


def test_without_store_and_disk_projections_work_and_nothing_is_logged_until_it_is_back(
    reference_path: Path, tmp_path: Path, clock: ManualClock, store: SwitchedStore
) -> None:
    store.away = True
    with running(settings_for(tmp_path / "state", reference_path), clock) as application:
        line = line_of(application)
        assert (line.level, line.headline) == (
            Level.PROBLEM,
            "Not saved: the history cannot be reached",
        )
        assert "tried again by itself" in line.advice[0]
        assert application.predictions is None
        assert len(application.projection(TONIGHT).games) == 9
        assert application.outcome(BUNDLED).scores
        with pytest.raises(NotReady, match="the store cannot be reached"):
            application.revise(OWNER, TONIGHT)
        application.tick()
        assert not list((tmp_path / "state").rglob("nba_stats.db"))
        assert store.objects == {}

        store.away = False
        published(application)
        assert [run.slate_date for run in runs_of(application)] == [TONIGHT]
        assert application.preparation.state_error is None
        assert line_of(application).level is Level.SAVED


def test_with_a_local_copy_it_goes_on_and_catches_up_later(
    reference_path: Path, tmp_path: Path, clock: ManualClock, store: SwitchedStore
) -> None:
    bucket = s3_options(None, "bucket")
    settings = settings_for(tmp_path / "state", reference_path, bucket)
    with running(settings, clock) as application:
        published(application)
    clock.advance(days=1)
    store.away = True
    with running(settings, clock) as application:
        assert application.preparation.state_ready
        wait_until_logged(application)
        wait_for(lambda: len(runs_of(application)) == 2, what="tonight", timeout_seconds=20)
        assert runs_of(application)[0].pending
        wait_for(
            lambda: status_of(application).pending_transactions == 1,
            what="the waiting run to be seen",
            timeout_seconds=20,
        )
        line = line_of(application)
        assert line.level is Level.PROBLEM
        assert line.headline == "Not saved yet: 1 write waiting, S3 does not answer now"
        assert len(line.advice) == 1, "one trouble is told once"
        # The third is what the first start has used of the bucket.
        assert store.numbers() == [1, 2, 3]

        store.away = False
        # The publisher needs no tick for it.
        wait_for(lambda: store.numbers() == [1, 2, 3, 4], what="the upload", timeout_seconds=20)
        application.tick()
        published(application)
        assert line_of(application).headline == "Saved to S3 as #4"
        assert len([key for key in store.objects if key.startswith("csv/")]) == 2


def test_a_bucket_that_answers_only_later_is_found(
    reference_path: Path,
    tmp_path: Path,
    no_ambient_aws: None,
    shared_service_descriptions: None,
) -> None:
    """A real server on a port on which nothing listens at first."""
    from moto.server import ThreadedMotoServer

    from tests.servers import create_bucket

    port = free_port()
    options = s3_options(f"http://127.0.0.1:{port}", "late-bucket", read_attempts=1)
    with running(settings_for(tmp_path / "state", reference_path, options)) as application:
        assert isinstance(application.preparation.state_error, StoreUnreachable)
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
        server.start()
        try:
            create_bucket(f"http://127.0.0.1:{port}", "late-bucket")
            published(application)
            assert runs_of(application)[0].sequence == 2
        finally:
            server.stop()


def test_what_a_killed_process_left_pending_is_published_by_the_next(
    reference_path: Path, tmp_path: Path, clock: ManualClock, store: SwitchedStore
) -> None:
    settings = settings_for(tmp_path / "state", reference_path)
    with running(settings, clock, ticks=False) as application:
        store.away = True
        application.tick()
        assert status_of(application).pending_transactions == 1
        application.close(0.0)
    assert store.numbers() == [1]
    store.away = False
    with running(settings, clock) as application:
        published(application)
        [run] = runs_of(application)
    assert store.numbers() == [1, 2]
    assert f"csv/game_date=2026-11-20/{run.run_id}.csv" in store.objects


def test_a_tick_recovers_after_a_failure(
    reference_path: Path, tmp_path: Path, clock: ManualClock, store: SwitchedStore
) -> None:
    with running(settings_for(tmp_path / "state", reference_path), clock) as application:
        published(application)
        store.broken = StoreUnreachable
        application.tick()
        assert status_of(application).state is State.OFFLINE
        assert line_of(application).level is Level.WARNING
        store.broken = None
        application.tick()
        assert status_of(application).state is State.OK
        assert line_of(application).level is Level.SAVED


def test_the_first_secrets_begin_in_the_bucket_and_leave_the_folders_history_alone(
    reference_path: Path,
    tmp_path: Path,
    moto_endpoint: str,
    new_bucket: Callable[[str], str],
    no_ambient_aws: None,
    shared_service_descriptions: None,
) -> None:
    def start(store: S3Options | Path) -> tuple[str, list[Run]]:
        with running(settings_for(tmp_path / "state", reference_path, store)) as application:
            published(application)
            return line_of(application).headline, runs_of(application)

    options = s3_options(moto_endpoint, new_bucket(moto_endpoint))
    folder = start(tmp_path / "store")
    assert folder[0] == "Saved to a folder on this machine as #2"
    bucket = start(options)
    assert bucket[0] == "Saved to S3 as #2"
    # Back and forth, each goes on where it was.
    assert start(tmp_path / "store") == folder
    # What the first start used of the bucket has become an entry, too.
    assert start(options) == ("Saved to S3 as #3", bucket[1])
    # Another bucket may be a mistake: what was saved before is missed.
    elsewhere = s3_options(moto_endpoint, new_bucket(moto_endpoint))
    with running(settings_for(tmp_path / "state", reference_path, elsewhere)) as application:
        assert status_of(application).state is State.ROLLED_BACK
        assert line_of(application).level is Level.PROBLEM
        assert runs_of(application)


# Readable copies ----------------------------------------------------------------------------------


def test_a_copy_that_a_killed_process_owed_is_made_by_the_next(
    reference_path: Path, tmp_path: Path, clock: ManualClock, store: SwitchedStore
) -> None:
    with running(settings_for(tmp_path / "a", reference_path), clock) as application:
        published(application)
    [copy] = [key for key in store.objects if key.startswith("csv/")]
    body = store.objects.pop(copy).body
    with running(settings_for(tmp_path / "b", reference_path), clock) as application:
        published(application)
    assert store.objects[copy].body == body


def test_a_revision_is_copied_too(
    reference_path: Path, tmp_path: Path, clock: ManualClock, store: SwitchedStore
) -> None:
    with running(settings_for(tmp_path / "a", reference_path), clock) as application:
        published(application)
        revision = application.revise(OWNER, TONIGHT)
        replay = application.log_replay(OWNER, BUNDLED)
        application.tick()
        published(application)
    assert f"csv/game_date=2026-11-20/{revision.run_id}.csv" in store.objects
    assert f"csv/game_date=2025-01-15/{replay.run_id}.csv" in store.objects


def test_a_run_that_is_not_saved_is_not_copied(
    reference_path: Path,
    tmp_path: Path,
    clock: ManualClock,
    store: SwitchedStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A readable copy of what is not in the log yet would say too much."""
    answer = threading.Event()

    def hang_on_entries(verb: str, key: str) -> None:
        if verb == "put" and key.startswith("log/"):
            answer.wait(60)

    with running(settings_for(tmp_path / "a", reference_path), clock, ticks=False) as application:
        store.before = hang_on_entries
        with monkeypatch.context() as patched:
            patched.setattr(application, "_exchange", lambda: None)
            application.tick()
            assert status_of(application).pending_transactions == 1
            assert [key for key in store.objects if key.startswith("csv/")] == []
        answer.set()
        application.tick()
        published(application)
        assert len([key for key in store.objects if key.startswith("csv/")]) == 1


def test_a_run_that_two_copies_of_the_app_logged_at_once_has_one_copy(
    reference_path: Path, tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    near, far = SwitchedStore(clock), SwitchedStore(clock)
    far.objects = near.objects
    with ExitStack() as stack:
        applications: list[Application] = []
        for name, its_store in (("near", near), ("far", far)):
            use_store(monkeypatch, its_store)
            settings = settings_for(tmp_path / name, reference_path)
            own_clock = ManualClock(clock.now + timedelta(minutes=len(applications)))
            applications.append(stack.enter_context(running(settings, own_clock, ticks=False)))
        first, second = applications
        near.away = True
        first.tick()
        assert status_of(first).pending_transactions == 1
        second.tick()
        published(second)
        [key] = [key for key in near.objects if key.startswith("csv/")]
        copy = near.objects[key].body
        near.away = False
        for application in (first, second, first):
            application.tick()
            published(application)
            assert application.saved_state().job_error is None
        [run] = runs_of(first)
        assert runs_of(second) == [run]
        assert near.numbers() == [1, 2, 3]
        assert log_of(first).conflicts().empty
    # A third one finds the copy there, and would make the same.
    with running(settings_for(tmp_path / "third", reference_path), clock) as application:
        published(application)
        application._copies.add(run.run_id)
        application.tick()
        assert application.saved_state().job_error is None
        assert application._copies.is_done
    assert [name for name in near.objects if name.startswith("csv/")] == [key]
    assert near.objects[key].body == copy


def test_a_copy_of_other_content_is_kept_and_told(
    reference_path: Path, tmp_path: Path, clock: ManualClock, store: SwitchedStore
) -> None:
    with running(settings_for(tmp_path / "a", reference_path), clock, ticks=False) as application:
        run = log_of(application).log_slate(application.projection(TONIGHT), Origin.LIVE)
        key = f"csv/game_date=2026-11-20/{run.run_id}.csv"
        store.put(key, b"somebody else's", PutMode.CREATE)
        application._copies._is_compared = True
        application.tick()
        line = line_of(application)
        assert line.level is Level.WARNING
        assert isinstance(application.saved_state().job_error, ObjectExists)
        assert key in line.remedies[0]
        assert store.objects[key].body == b"somebody else's"


# Beginning and end --------------------------------------------------------------------------------


def test_closing_is_harmless_before_the_start_and_when_repeated(
    reference_path: Path, tmp_path: Path, store: SwitchedStore
) -> None:
    settings = replace(settings_for(tmp_path / "state", reference_path), timer_minutes=5)
    Application(settings, clock=ManualClock(), generator=Random(1)).close()
    with running(settings) as application:
        published(application)
        application.close()
        application.close()
        assert line_of(application).headline == "Restarting"
        application.wake()
        application.tick()
    # The file is free again.
    with running(settings) as application:
        assert application.preparation.state_ready


def test_closing_publishes_what_is_pending(
    reference_path: Path, tmp_path: Path, clock: ManualClock, store: SwitchedStore
) -> None:
    with running(settings_for(tmp_path / "state", reference_path), clock) as application:
        published(application)
        store.away = True
        application.revise(OWNER, TONIGHT)
        store.away = False
    assert store.numbers() == [1, 2, 3]


@pytest.fixture
def hanging(store: SwitchedStore) -> Iterator[threading.Event]:
    """Let every request to the store hang until the event is set."""
    answer = threading.Event()

    def hang(verb: str, key: str) -> None:
        answer.wait(60)

    store.before = hang
    yield answer
    answer.set()


def test_closing_does_not_wait_for_a_start_that_hangs(
    reference_path: Path, tmp_path: Path, store: SwitchedStore, hanging: threading.Event
) -> None:
    settings = settings_for(tmp_path / "state", reference_path)
    application = Application(settings, clock=ManualClock(AFTERNOON), generator=Random(1))
    application.start()
    wait_for(lambda: application._state, what="the store to be asked", timeout_seconds=20)
    began = time.monotonic()
    application.close(0.2)
    assert time.monotonic() - began < 5
    hanging.set()
    application._startup.join(20)
    assert not application._startup._thread.is_alive()
    assert isinstance(application.preparation.state_error, Exception)
    assert store.numbers() in ([], [1]), "at most a log that holds nothing was begun"


def test_closing_does_not_wait_for_a_tick_that_hangs(
    reference_path: Path, tmp_path: Path, store: SwitchedStore
) -> None:
    asked, answer = threading.Event(), threading.Event()

    def hang(verb: str, key: str) -> None:
        asked.set()
        answer.wait(60)

    settings = replace(settings_for(tmp_path / "state", reference_path), timer_minutes=0.001)
    with running(settings, ManualClock(AFTERNOON)) as application:
        published(application)
        store.before = hang
        assert asked.wait(20)
        began = time.monotonic()
        application.close(0.2)
        assert time.monotonic() - began < 5
        answer.set()


def test_a_state_that_opens_after_the_close_is_closed_again(
    reference_path: Path,
    tmp_path: Path,
    store: SwitchedStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = settings_for(tmp_path / "state", reference_path)
    application = Application(settings, clock=ManualClock(AFTERNOON), generator=Random(1))
    reached, go_on = threading.Event(), threading.Event()
    opened = application._startup._open_state

    def slowly(reference: Reference) -> object:
        reached.set()
        go_on.wait(60)
        return opened(reference)

    monkeypatch.setattr(application._startup, "_open_state", slowly)
    application.start()
    assert reached.wait(20)
    application.close(0.1)
    go_on.set()
    application._startup.join(20)
    with running(settings) as successor:
        assert successor.preparation.state_ready


def test_a_file_that_another_process_still_owns_is_waited_for(
    reference_path: Path, tmp_path: Path, clock: ManualClock, store: SwitchedStore
) -> None:
    settings = settings_for(tmp_path / "state", reference_path)
    with running(settings, clock) as first:
        published(first)
        with running(settings, clock) as second:
            assert isinstance(second.preparation.state_error, FileOwned)
            assert "Stop that process" in line_of(second).remedies[0]
            first.close()
            wait_for(lambda: second.preparation.state_ready, what="the file", timeout_seconds=20)
            assert len(runs_of(second)) == 1


def test_settings_that_cannot_be_used_write_nothing(reference_path: Path, tmp_path: Path) -> None:
    problem = ConfigurationError("read the secrets", "[aws]", "Missing: region.", "Fill it in.")
    settings = replace(settings_for(tmp_path / "state", reference_path), store=problem)
    with running(settings) as application:
        assert line_of(application).headline == "Not saved: the settings are incomplete"
        assert line_of(application).advice == (str(problem),)
        assert application.projection(TONIGHT).games
        application.tick()
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == [
        "reference.db",
        "reference.db.lock",
    ]


def test_missing_seasons_are_told_and_stop_the_start(tmp_path: Path, store: SwitchedStore) -> None:
    settings = replace(settings_for(tmp_path / "state", None), data_folder=tmp_path / "nowhere")
    with running(settings) as application:
        assert isinstance(application.preparation.reference_error, BundleMissing)
        assert line_of(application).headline == "Past seasons cannot be read"
        assert line_of(application).remedies
        with pytest.raises(NotReady):
            application.reference  # noqa: B018
        with pytest.raises(NotReady):
            application.projection(TONIGHT)
    assert store.requests == []


def test_nobody_waits_for_a_state_that_is_never_begun() -> None:
    board = PreparationBoard()
    board.update(reference_error=BundleMissing("Reading", "games.parquet", "not there", "Fetch it"))
    began = time.monotonic()
    assert board.wait(timeout_seconds=30, state=True).reference_error is not None
    assert time.monotonic() - began < 10


def test_a_defect_in_a_tick_is_seen_and_the_next_tick_runs(
    reference_path: Path,
    tmp_path: Path,
    clock: ManualClock,
    store: SwitchedStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("a defect")

    with running(settings_for(tmp_path / "state", reference_path), clock) as application:
        published(application)
        with monkeypatch.context() as patched:
            patched.setattr("jobs.application.log_tonight", fail)
            with pytest.raises(RuntimeError, match="a defect"):
                application.tick()
        assert line_of(application).level is Level.WARNING
        assert "a background job failed" in line_of(application).advice[0].lower()
        application.tick()
        assert line_of(application).level is Level.SAVED


# The timer ----------------------------------------------------------------------------------------


def test_an_overdue_tick_runs_when_somebody_looks() -> None:
    ticked = threading.Event()
    timer = Timer(ticked.set, minutes=60)
    timer.start()
    try:
        timer.wake()
        job = timer._scheduler.get_jobs()[0]
        job._modify(next_run_time=datetime.now(UTC) - timedelta(minutes=1))
        timer._scheduler._lookup_jobstore("default").update_job(job)
        assert not ticked.is_set()
        timer.wake()
        assert ticked.wait(20)
    finally:
        timer.stop(5)


def test_ticks_never_overlap() -> None:
    running_now: list[int] = []
    most: list[int] = []
    enough = threading.Event()

    def tick() -> None:
        running_now.append(1)
        most.append(len(running_now))
        # Longer than several intervals.
        enough.wait(0.05)
        running_now.pop()
        if len(most) >= 5:
            enough.set()

    timer = Timer(tick, minutes=0.0001)
    timer.start()
    assert enough.wait(20)
    timer.stop(5)
    timer.stop(5)
    assert max(most) == 1


# What can be asked for ----------------------------------------------------------------------------


def test_a_projection_is_computed_once(
    reference_path: Path,
    tmp_path: Path,
    store: SwitchedStore,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[date] = []

    def project(_: object, slate_date: date, *__: object, **___: object) -> SlateProjection:
        asked.append(slate_date)
        return SlateProjection(slate_date, "none", None, (), (), 0)

    settings = settings_for(tmp_path / "state", reference_path)
    with running(settings, ticks=False) as application:
        monkeypatch.setattr("jobs.projecting.project_slate", project)
        days = [TONIGHT + timedelta(days=number) for number in range(8)]
        for day in [*days, *days]:
            application.projection(day)
        assert asked == days
        # A ninth takes the place of the one that was longest unused.
        application.projection(days[0])
        application.projection(TONIGHT - timedelta(days=1))
        application.projection(days[0])
        application.projection(days[1])
        assert asked[8:] == [TONIGHT - timedelta(days=1), days[1]]


@pytest.fixture(scope="module")
def prepared(
    reference_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Application]:
    folder = tmp_path_factory.mktemp("prepared")
    with running(settings_for(folder / "state", reference_path)) as application:
        published(application)
        yield application


def test_it_knows_what_it_knows(prepared: Application) -> None:
    first, last = prepared.known_dates()
    assert (first, last) == (date(2015, 10, 27), date(2027, 4, 11))
    assert prepared.missing_seasons(TONIGHT) == ("2025-26",)
    assert prepared.missing_seasons(BUNDLED) == ()
    assert prepared.reference.data_as_of() < TONIGHT


def test_results_that_were_learned_come_before_bundled_ones(prepared: Application) -> None:
    before = prepared.outcome(BUNDLED)
    (game_id, player_id), stats = next(iter(before.actuals.items()))
    frame = pd.DataFrame(
        {
            "game_date": [BUNDLED.isoformat()],
            "player_id": [str(player_id)],
            "game_id": [game_id],
            **{str(stat): [str(value)] for stat, value in stats.items()},
            "points": [str(stats["points"] + 1)],
        }
    )
    report = prepared.import_results(OWNER, frame, "correction.csv")
    assert (report.rows, report.corrected) == (1, 1)
    after = prepared.outcome(BUNDLED)
    assert after.actuals[game_id, player_id]["points"] == stats["points"] + 1
    assert after.scores == before.scores
    published(prepared)


def test_the_owner_backs_up_and_synchronises(prepared: Application) -> None:
    backup = prepared.back_up(OWNER)
    assert backup.key.startswith("backups/2026-11-20T20-00-00Z-manual")
    assert prepared._state is not None
    sizes = {info.key: info.size_bytes for info in prepared._state.storage.list_backups()}
    assert sizes[backup.key] == backup.size_bytes
    published(prepared)
    assert prepared.sync_now(OWNER) is False


def test_two_copies_of_the_app_that_write_at_once_are_merged(
    reference_path: Path, tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    near, far = SwitchedStore(clock), SwitchedStore(clock)
    far.objects = near.objects
    with ExitStack() as stack:
        use_store(monkeypatch, near)
        settings = settings_for(tmp_path / "a", reference_path)
        first = stack.enter_context(running(settings, clock))
        published(first)
        use_store(monkeypatch, far)
        settings = settings_for(tmp_path / "b", reference_path)
        second = stack.enter_context(running(settings, clock))
        near.away = True
        mine = first.revise(OWNER, TONIGHT)
        theirs = second.revise(OWNER, TONIGHT)
        second.tick()
        published(second)
        near.away = False
        for application in (first, second):
            application.tick()
            published(application)
        assert near.numbers() == [1, 2, 3, 4]
        assert runs_of(first) == runs_of(second)
        assert [run.run_id for run in runs_of(first)][:2] == [mine.run_id, theirs.run_id]
        for application in (first, second):
            assert line_of(application).level is Level.SAVED
            assert log_of(application).conflicts().empty
            assert "Writers seen lately: 2" in line_of(application).details
        for run in (mine, theirs):
            assert f"csv/game_date=2026-11-20/{run.run_id}.csv" in near.objects


def test_the_owner_follows_another_history(
    reference_path: Path, tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, elsewhere = SwitchedStore(clock), SwitchedStore(clock)
    with ExitStack() as stack:
        use_store(monkeypatch, here)
        settings = settings_for(tmp_path / "a", reference_path)
        first = stack.enter_context(running(settings, clock))
        published(first)
        use_store(monkeypatch, elsewhere)
        settings = settings_for(tmp_path / "b", reference_path)
        second = stack.enter_context(running(settings, clock))
        second.revise(OWNER, TONIGHT)
        second.tick()
        published(second)

        here.objects.clear()
        here.objects.update(elsewhere.objects)
        before = dict(here.objects)
        clock.advance(minutes=2)
        mine = first.revise(OWNER, TONIGHT)
        first.tick()
        line = line_of(first)
        assert status_of(first).state is State.FOREIGN_LOG
        assert line.headline == "Not saved: the store holds another history"
        assert line.can_follow_store
        assert not line.can_start_anew
        assert mine.run_id in [run.run_id for run in runs_of(first)]
        with pytest.raises(LogNotEmpty):
            first.start_new_log(OWNER)
        assert here.objects == before, "nothing is written over another history"

        first.take_over_from_store(OWNER)
        first.tick()
        published(first)
        assert runs_of(first) == runs_of(second)
        [aside] = [key for key in here.objects if key.startswith("backups/")]
        assert aside.endswith("-set-aside.db.zst")
        assert not [key for key in here.objects if mine.run_id in key], "its copy would mislead"


def test_the_owner_saves_the_history_anew_in_an_emptied_store(
    reference_path: Path, tmp_path: Path, clock: ManualClock, store: SwitchedStore
) -> None:
    with running(settings_for(tmp_path / "a", reference_path), clock) as application:
        published(application)
        store.objects.clear()
        clock.advance(minutes=2)
        application.revise(OWNER, TONIGHT)
        application.tick()
        line = line_of(application)
        assert status_of(application).state is State.ROLLED_BACK
        assert line.headline == "Not saved: the store lost what was saved before"
        assert line.can_start_anew
        assert store.numbers() == []
        with pytest.raises(NotPermitted):
            application.start_new_log(VISITOR)

        application.start_new_log(OWNER)
        application.tick()
        published(application)
        assert line_of(application).level is Level.SAVED
        before = runs_of(application)
        assert len(before) == 2
        times = {run.stored_at for run in before}
        assert times == {AFTERNOON, AFTERNOON + timedelta(minutes=2)}, "each keeps its own"
    with running(settings_for(tmp_path / "b", reference_path), clock) as application:
        assert runs_of(application) == before


def test_a_tick_without_news_is_one_request(
    reference_path: Path, tmp_path: Path, clock: ManualClock, store: SwitchedStore
) -> None:
    with running(settings_for(tmp_path / "a", reference_path), clock) as application:
        published(application)
        application.tick()
        store.requests.clear()
        for _ in range(3):
            application.tick()
        assert store.requests == [("get", log_key(3))] * 3


# An earlier app's database ------------------------------------------------------------------------


def earlier_database(path: Path) -> bytes:
    connection = apsw.Connection(str(path))
    connection.execute(
        "CREATE TABLE predictions (player_id INTEGER, player_name TEXT, game_date TEXT,"
        " projected_ppg REAL, proj_floor REAL, proj_ceiling REAL, actual_ppg REAL);"
        "INSERT INTO predictions VALUES"
        " (1628369, 'Jayson Tatum', '2025-01-15', 27.5, 20.0, 35.0, NULL),"
        " (1628369, 'Jayson Tatum', '2025-01-17', 27.0, 20.0, 35.0, NULL),"
        " (1, 'Nobody', 'some day', 27.0, 20.0, 35.0, NULL);"
        "CREATE TABLE users (name TEXT);"
        "INSERT INTO users VALUES ('me')"
    )
    connection.close()
    return path.read_bytes()


def test_an_earlier_apps_database_is_taken_over_at_the_first_start_only(
    reference_path: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "store"
    folder.mkdir()
    body = earlier_database(folder / "nba_stats.db")
    for machine in ("first", "second"):
        with running(settings_for(tmp_path / machine, reference_path, folder)) as application:
            published(application)
            assert count_rows(application, "imports") == 1
            imported = [run for run in runs_of(application) if run.source == "imported"]
            assert [run.slate_date.day for run in imported] == [17, 15]
            assert not any(run.time_verified for run in imported)
            assert application._state is not None
            with application._state.replica.read() as connection:
                [(text,)] = connection.execute("SELECT report FROM imports").fetchall()
    assert isinstance(text, str)
    report = json.loads(text)
    assert (report["rows_read"], report["rows_imported"], report["runs"]) == (3, 2, 2)
    assert report["unknown_tables"] == {"users": 1}
    assert (folder / "nba_stats.db").read_bytes() == body
    [copy] = FolderStore(folder).list("backups/")
    assert copy.key.endswith("-imported.db")
    assert (folder / copy.key).read_bytes() == body
    # Its own evening has a readable copy, the imported ones are in the copy of the database.
    assert [path.name for path in (folder / "csv").iterdir()] == ["game_date=2026-11-20"]


def test_migrations_are_the_state_that_is_downloaded(reference_path: Path, tmp_path: Path) -> None:
    with running(settings_for(tmp_path / "state", reference_path)) as application:
        published(application)
        assert application._state is not None
        copy = tmp_path / "copy.db"
        assert application._state.storage.download_database(copy)
    connection = apsw.Connection(str(copy), flags=apsw.SQLITE_OPEN_READONLY)
    assert connection.execute("SELECT count(*) FROM runs").fetchone() == (1,)
    assert connection.pragma("user_version") == len(MIGRATIONS)
    connection.close()
