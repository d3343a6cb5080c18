"""The whole app without a browser, on a store of the test's choice and a clock set by hand."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest

from jobs.application import Application
from jobs.clock import Clock
from jobs.configuration import FolderSettings, OwnerSettings, Settings
from jobs.saved import SavedLine, describe
from prediction_tracking import MIGRATIONS, REPLICATED_TABLES, PredictionLog, Run
from replica import ObjectStore, Status, StoreError
from replica.stores.s3 import S3Options
from s3_storage import S3PredictionStorage
from tests.app_process import wait_for
from tests.nba_bundle import DATA
from tests.stores import MemoryStore

__all__ = [
    "AFTERNOON",
    "COUNTED_TABLES",
    "PREPARATION_SECONDS",
    "SwitchedStore",
    "count_rows",
    "line_of",
    "log_of",
    "published",
    "running",
    "runs_of",
    "settings_for",
    "status_of",
    "use_store",
]

AFTERNOON = datetime(2026, 11, 20, 20, tzinfo=UTC)
PREPARATION_SECONDS = 60.0

COUNTED_TABLES = ("runs", "game_predictions", "predictions", "player_games", "imports")


class SwitchedStore(MemoryStore):
    """In memory; `broken` makes every request fail with that error until it is taken away."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.broken: type[StoreError] | None = None
        self.before = self._refuse

    def _refuse(self, verb: str, key: str) -> None:
        if self.broken is not None:
            raise self.broken(verb, key)


def settings_for(
    state_folder: Path,
    reference_path: Path | None,
    store: FolderSettings | S3Options | Path | None = None,
) -> Settings:
    """Settings of a process with one local owner and no timer; the reference is there already.

    `store` None is the folder "store" beside the state folder.
    """
    if store is None or isinstance(store, Path):
        store = FolderSettings(store or state_folder.parent / "store")
    if reference_path is not None:
        state_folder.mkdir(parents=True, exist_ok=True)
        linked = state_folder / "reference.db"
        if not linked.exists():
            os.link(reference_path, linked)
    return Settings(
        store=store,
        owner=OwnerSettings(local=True),
        image_bucket=None,
        export_bucket=None,
        timer_minutes=0,
        state_folder=state_folder,
        data_folder=DATA,
        start_at=None,
    )


def use_store(monkeypatch: pytest.MonkeyPatch, store: ObjectStore) -> None:
    """Lead every application to this store, whatever its settings say."""
    monkeypatch.setattr(
        "jobs.state.open_storage",
        lambda _: S3PredictionStorage(store, migrations=MIGRATIONS, tables=REPLICATED_TABLES),
    )


@contextmanager
def running(
    settings: Settings, clock: Clock = lambda: AFTERNOON, *, ticks: bool = True
) -> Iterator[Application]:
    """An application that has prepared itself, or failed to; closed when the block ends."""
    # Not seeded: two writers with equal ids would take each other's writes for their own.
    application = Application(replace(settings), clock=clock, generator=Random())
    application.start(ticks=ticks)
    try:
        application.wait_until_prepared(timeout_seconds=PREPARATION_SECONDS)
        yield application
    finally:
        application.close(5.0)


def line_of(application: Application) -> SavedLine:
    """What the sidebar says now."""
    return describe(application.saved_state())


def status_of(application: Application) -> Status:
    """The replica's own account; there must be one."""
    status = application.saved_state().status
    assert status is not None
    return status


def log_of(application: Application) -> PredictionLog:
    """The prediction log; the history must be here."""
    assert application.predictions is not None
    return application.predictions


def runs_of(application: Application) -> list[Run]:
    """Every logged run, newest first."""
    return log_of(application).runs()


def count_rows(application: Application, table: str) -> int:
    """How many rows the local database has."""
    assert table in COUNTED_TABLES
    assert application._state is not None
    with application._state.replica.read() as connection:
        [(count,)] = connection.execute(f"SELECT count(*) FROM {table}").fetchall()
    assert isinstance(count, int)
    return count


def published(application: Application) -> None:
    """Wait until everything is in the store, and the readable copies of the runs too."""

    def is_saved() -> bool:
        status = application.saved_state().status
        assert application._state is not None
        return bool(
            status is not None
            and status.sequence
            and not status.pending_transactions
            and application._copies.is_done
        )

    wait_for(is_saved, what="everything to be saved", timeout_seconds=20)
