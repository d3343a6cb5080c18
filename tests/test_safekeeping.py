"""What looks after the history by itself, and before something risky is done."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from random import Random

import pandas as pd
import pytest

from jobs.application import Application
from jobs.authority import OWNER
from jobs.backup_settings import BackupSettings
from jobs.backups import BackupKind
from jobs.configuration import Settings
from jobs.errors import NotBackedUp, NotReady
from jobs.ticking import Chores
from jobs.timer import Timer
from jobs.usage_file import read_noted, usage_file
from prediction_tracking import CATALOGUE_TABLES, MIGRATIONS, REPLICATED_TABLES
from replica import AccessDenied, Replica, StoreUnreachable
from replica.stores.s3_requests import S3Request
from tests.app_process import wait_for
from tests.applications import (
    AFTERNOON,
    SwitchedStore,
    line_of,
    published,
    running,
    runs_of,
    settings_for,
    use_store,
)
from tests.servers import s3_options
from tests.stores import ManualClock, denied, trusting, unreachable

BUNDLED = date(2025, 1, 15)


def settled(application: Application) -> None:
    """Wait until all is saved, and the turn that a start begins with is over."""
    published(application)
    application._startup.join(60)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(AFTERNOON)


@pytest.fixture
def store(clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> SwitchedStore:
    store = SwitchedStore(clock)
    use_store(monkeypatch, store)
    return store


@pytest.fixture
def settings(reference_path: Path, tmp_path: Path) -> Settings:
    """With a backup a day, and no timer."""
    settings = settings_for(tmp_path / "state", reference_path)
    return replace(settings, backups=BackupSettings(daily=True))


def kinds(application: Application) -> list[str]:
    """Of every backup in the catalogue, oldest first."""
    listed = application.backup_jobs.listed(OWNER)
    return [entry.backup.kind.value for entry in reversed(listed)]


# By itself ----------------------------------------------------------------------------------------


def test_a_backup_a_day_by_itself(
    settings: Settings, clock: ManualClock, store: SwitchedStore
) -> None:
    with running(settings, clock) as application:
        settled(application)
        application.safekeeping.run()
        assert kinds(application) == [], "the log is the first day's copy"
        for _ in range(2):
            clock.advance(days=1)
            application.tick()
            application.safekeeping.run()
            application.safekeeping.run()
        assert kinds(application) == ["daily", "daily"]
        assert len(store.keys("backups/")) == 2
        assert application.saved_state().job_error is None


def test_a_start_does_what_a_sleep_has_missed(
    settings: Settings, clock: ManualClock, store: SwitchedStore
) -> None:
    with running(settings, clock) as application:
        settled(application)
    clock.advance(days=4)
    with running(settings, clock) as application:
        settled(application)
        application.safekeeping.run()
        assert kinds(application) == ["daily"]


def test_a_store_that_is_away_is_told_once_and_the_backup_made_later(
    settings: Settings, clock: ManualClock, store: SwitchedStore
) -> None:
    with running(settings, clock) as application:
        settled(application)
        clock.advance(days=1)
        store.broken = StoreUnreachable
        application.tick()
        application.safekeeping.run()
        assert len(line_of(application).advice) == 1
        store.broken = None
        application.tick()
        application.safekeeping.run()
        assert kinds(application) == ["daily"]


def test_what_was_counted_is_in_its_file_while_the_store_is_away(
    settings: Settings, clock: ManualClock, store: SwitchedStore
) -> None:
    options = s3_options(None, "bucket")
    with running(replace(settings, store=options), clock) as application:
        settled(application)
        application.safekeeping.run()
        store.broken = StoreUnreachable
        application.tick()
        told = application.settings.store.on_request  # type: ignore[union-attr]
        assert told is not None
        told(S3Request("GetObject", "predictions/log/1", 0, 100, 0.02, 0))
        application.safekeeping.run()
        [day] = read_noted(usage_file(application.settings.database_path)).days.values()
        assert day.counts.total.requests == 1


def test_a_long_transaction_does_not_keep_the_last_upload_waiting(
    settings: Settings, clock: ManualClock, store: SwitchedStore
) -> None:
    options = s3_options(None, "bucket")
    begun, let_go = threading.Event(), threading.Event()
    with running(replace(settings, store=options), clock) as application:
        settled(application)
        assert application._state is not None
        replica = application._state.replica

        def hold() -> None:
            with replica.transaction():
                begun.set()
                let_go.wait(60)

        holding = threading.Thread(target=hold)
        holding.start()
        assert begun.wait(10)
        closing = threading.Thread(target=application.close, args=(2.0,))
        closing.start()
        try:
            wait_for(lambda: replica._closing, what="the last upload", timeout_seconds=10)
        finally:
            let_go.set()
            holding.join(20)
            closing.join(20)
        assert not closing.is_alive()


def test_what_keeps_a_backup_from_being_made_is_told(
    settings: Settings, clock: ManualClock, store: SwitchedStore
) -> None:
    with running(settings, clock) as application:
        settled(application)
        clock.advance(days=1)
        store.fail("put", "backups/", error=denied("put", "backups/x"))
        application.safekeeping.run()
        assert isinstance(application.saved_state().job_error, AccessDenied)
        assert "s3:PutObject" in " ".join(line_of(application).advice)
        # The replica itself says so too, until it has worked again.
        application.tick()
        application.safekeeping.run()
        assert application.saved_state().job_error is None
        assert kinds(application) == ["daily"]


def test_nothing_is_kept_while_the_history_is_not_here(
    settings: Settings, clock: ManualClock, store: SwitchedStore
) -> None:
    store.away = True
    with running(settings, clock) as application:
        application.safekeeping.run()
        assert application.safekeeping.error is None
        with pytest.raises(NotReady):
            application.back_up(OWNER)


def test_the_daily_job_keeps_the_days_backup_and_changes_nothing_when_done_again(
    settings: Settings, clock: ManualClock, store: SwitchedStore
) -> None:
    with running(settings, clock, ticks=False) as application:
        assert application.daily(OWNER, lambda share, words: None).backup is None
        clock.advance(days=1)
        report = application.daily(OWNER, lambda share, words: None)
        assert report.backup is not None
        assert report.backup.kind is BackupKind.DAILY
        assert report.snapshot
        numbers = store.numbers()
        again = application.daily(OWNER, lambda share, words: None)
        assert (again.backup, again.snapshot, store.numbers()) == (None, False, numbers)


# Slow jobs ----------------------------------------------------------------------------------------


def test_a_slow_job_beside_it_does_not_hold_up_the_timers_own() -> None:
    ticks: list[int] = []
    enough, slow_begun, let_go = threading.Event(), threading.Event(), threading.Event()
    slow: list[int] = []

    def tick() -> None:
        ticks.append(1)
        if slow_begun.is_set() and len(ticks) > 5:
            enough.set()

    def endless() -> None:
        slow.append(1)
        slow_begun.set()
        let_go.wait(60)

    timer = Timer(tick, minutes=0.0001, beside=(endless,))
    timer.start()
    try:
        assert enough.wait(20), "it ticks on"
        assert slow == [1], "and begins no second one beside the first"
    finally:
        let_go.set()
        timer.stop(5)


def test_tonight_is_logged_while_a_backup_hangs(
    settings: Settings, clock: ManualClock, store: SwitchedStore
) -> None:
    """The whole of it: another evening comes and is saved, while an upload does not end."""
    hanging, let_go = threading.Event(), threading.Event()

    def hang(verb: str, key: str) -> None:
        if verb == "put" and key.startswith("backups/"):
            hanging.set()
            let_go.wait(60)

    with running(settings, clock) as application:
        settled(application)
        clock.advance(days=1)
        store.before = hang
        keeping = threading.Thread(target=application.safekeeping.run)
        keeping.start()
        try:
            assert hanging.wait(20)
            application.tick()
            settled(application)
            assert [run.slate_date.day for run in runs_of(application)] == [21, 20]
            assert not runs_of(application)[0].pending
        finally:
            let_go.set()
            keeping.join(20)
        assert kinds(application) == ["daily"]


def test_one_chores_failure_does_not_keep_the_others_from_their_work() -> None:
    done: list[str] = []
    chores = Chores()

    def fails() -> None:
        raise StoreUnreachable("get", "x")

    chores.run(fails, lambda: done.append("second"))
    assert done == ["second"]
    assert isinstance(chores.error, StoreUnreachable)
    chores.run(lambda: done.append("again"))
    assert chores.error is None


def test_a_defect_is_kept_and_raised() -> None:
    chores = Chores()

    def broken() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        chores.run(broken)
    assert isinstance(chores.error, ZeroDivisionError)


# Before something risky ---------------------------------------------------------------------------


def correction(application: Application, by: int) -> pd.DataFrame:
    """One box score of a bundled evening, with other points."""
    actuals = application.outcome(BUNDLED).actuals
    (game_id, player_id), stats = min(actuals.items())
    return pd.DataFrame(
        {
            "game_date": [BUNDLED.isoformat()],
            "game_id": [game_id],
            "player_id": [player_id],
            **{stat: [stats[stat]] for stat in ("rebounds", "assists", "threes")},
            "points": [stats["points"] + by],
        }
    )


def test_an_import_is_preceded_by_a_backup_if_it_changes_anything(
    settings: Settings, clock: ManualClock, store: SwitchedStore
) -> None:
    with running(settings, clock) as application:
        settled(application)
        application.import_results(OWNER, correction(application, 0), "same.csv")
        assert kinds(application) == []
        application.import_results(OWNER, correction(application, 1), "other.csv")
        assert kinds(application) == ["before-import"]
        [entry] = application.backup_jobs.listed(OWNER)
        settled(application)
        # It holds what was there before: the import itself came later.
        assert entry.backup.sequence < store.numbers()[-1]


def test_no_backup_no_import(settings: Settings, clock: ManualClock, store: SwitchedStore) -> None:
    with running(settings, clock) as application:
        settled(application)
        frame = correction(application, 1)
        before = application.outcome(BUNDLED).actuals
        store.fail("put", "backups/", error=unreachable("put"))
        with pytest.raises(NotBackedUp, match=r"cannot be reached\. Nothing was imported") as told:
            application.import_results(OWNER, frame, "other.csv")
        # An import is not tried again by itself, whatever the store's own error says of what waits.
        assert "by itself" not in str(told.value)
        assert application.outcome(BUNDLED).actuals == before
        application.import_results(OWNER, frame, "other.csv")
        assert application.outcome(BUNDLED).actuals != before


def test_a_new_version_keeps_what_there_was_before_it_migrates(
    settings: Settings, clock: ManualClock, store: SwitchedStore, tmp_path: Path
) -> None:
    tables = [table for table in REPLICATED_TABLES if table not in CATALOGUE_TABLES]
    earlier = Replica(
        tmp_path / "earlier.db",
        store,
        MIGRATIONS[:4],
        tables=tables,
        clock=clock,
        random=Random(),
        probe=trusting,
    )
    earlier.restore()
    with earlier.transaction() as transaction:
        transaction.execute("INSERT INTO players VALUES (7, 'Seven')")
    earlier.sync_now()
    earlier.close(0)
    clock.now += timedelta(minutes=5)
    with running(settings, clock) as application:
        settled(application)
        [key] = store.keys("backups/")
        assert key == "backups/2026-11-20T20-05-00Z-before-migration.db.zst"
        # It came before the catalogue had a table: the next round finds it.
        clock.advance(days=1)
        application.tick()
        application.safekeeping.run()
        assert kinds(application) == ["before-migration", "daily"]
        [_, entry] = application.backup_jobs.listed(OWNER)
        assert (entry.backup.key, entry.backup.sequence, entry.backup.row_count) == (key, 2, 1)
    # Whoever starts later has nothing to migrate.
    with running(replace(settings, state_folder=tmp_path / "later"), clock) as application:
        settled(application)
        assert kinds(application) == ["before-migration", "daily"]
