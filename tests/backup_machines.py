"""A machine with an open state and its backups, without the rest of the app."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random

from jobs.backup_settings import BackupSettings
from jobs.backups import Backup, Backups
from jobs.clock import Clock
from jobs.configuration import Settings
from jobs.retention import Retention
from jobs.state import State
from prediction_tracking import MIGRATIONS, REPLICATED_TABLES, PredictionLog
from replica import ObjectStore, Replica
from s3_storage import S3PredictionStorage
from tests.applications import settings_for
from tests.stores import trusting
from tracking.backup_catalogue import backups

__all__ = ["Machine", "machine"]


class Machine:
    """Its disk, its place in the log, and the jobs about backups."""

    def __init__(self, folder: Path, store: ObjectStore, clock: Clock, settings: Settings) -> None:
        storage = S3PredictionStorage(store, migrations=MIGRATIONS, tables=REPLICATED_TABLES)
        self.replica = Replica(
            folder / "nba_stats.db",
            store,
            MIGRATIONS,
            tables=REPLICATED_TABLES,
            clock=clock,
            random=Random(),
            probe=trusting,
        )
        storage.attach(self.replica)
        self.log = PredictionLog(self.replica, None, clock=clock)
        self.state = State(storage, self.replica, self.log)
        self.backups = Backups(settings, clock, lambda operation: self.state)

    def write(self, game_id: str, points: int = 100) -> None:
        """Learn the result of a game, and publish it."""
        with self.replica.transaction() as transaction:
            transaction.execute(
                "INSERT INTO games VALUES (?, '2026-11-20', 1, 2, ?, 99, 'test', '')"
                " ON CONFLICT (game_id) DO UPDATE SET home_points = excluded.home_points",
                (game_id, points),
            )
        self.replica.sync_now()

    def catalogue(self) -> list[Backup]:
        """What this machine's catalogue has, oldest first."""
        with self.replica.read() as connection:
            return backups(connection)

    def games(self) -> list[str]:
        """The games whose results are known."""
        with self.replica.read() as connection:
            return [str(one) for (one,) in connection.execute("SELECT game_id FROM games")]


@contextmanager
def machine(
    folder: Path,
    store: ObjectStore,
    clock: Clock,
    *,
    daily: bool = True,
    keep: Retention | None = None,
) -> Iterator[Machine]:
    """A machine that has restored itself; closed when the block ends."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = replace(
        settings_for(folder, None), backups=BackupSettings(daily, keep or Retention())
    )
    one = Machine(folder, store, clock, settings)
    try:
        one.replica.restore()
        yield one
    finally:
        one.replica.close(0)
