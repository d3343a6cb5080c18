"""The state: bucket, replica and prediction log, opened from the settings as one thing."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable
from pathlib import Path

from jobs.clock import Clock
from jobs.configuration import FolderSettings, Settings
from jobs.errors import ConfigurationError
from jobs.legacy_import import EXISTING_KEY, import_existing_database
from jobs.work_folders import remove_leftovers, work_folder
from prediction_tracking import MIGRATIONS, REPLICATED_TABLES, PredictionLog
from replica import Moment, ObjectStore, Replica, Transaction, local_faults
from s3_storage import S3PredictionStorage

__all__ = ["LATEST_KEY", "Moment", "State", "has_history", "open_state", "open_storage"]

LATEST_KEY = "nba_stats.db.zst"
"""The newest snapshot under a name that people find."""


def open_storage(settings: Settings) -> S3PredictionStorage:
    """The bucket or folder that the settings name.

    Raises:
        ConfigurationError: the settings do not say where the state lives.
    """
    match settings.store:
        case ConfigurationError() as error:
            raise error
        case FolderSettings(path=path):
            return S3PredictionStorage.from_folder(
                path, migrations=MIGRATIONS, tables=REPLICATED_TABLES
            )
        case options:
            return S3PredictionStorage.from_options(
                options, migrations=MIGRATIONS, tables=REPLICATED_TABLES
            )


def has_history(settings: Settings) -> bool:
    """Whether this machine or the store holds anything to go on from; only looks.

    Raises:
        ConfigurationError: the settings do not say where the state lives.
        StoreError: the store cannot be asked.
    """
    store = open_storage(settings).store
    prefixes = ("log/", "snapshots/", EXISTING_KEY)
    return settings.database_path.exists() or any(store.list(prefix) for prefix in prefixes)


class State:
    """The open state of this process.

    Attributes:
        storage: the bucket's public face.
        replica: the local database and its place in the bucket.
        predictions: the log in it.
    """

    def __init__(
        self, storage: S3PredictionStorage, replica: Replica, predictions: PredictionLog
    ) -> None:
        self.storage = storage
        self.replica = replica
        self.predictions = predictions

    def close(self, flush_timeout_seconds: float) -> None:
        """Publish what is pending within the time given, then let go of the file."""
        self.replica.close(flush_timeout_seconds)


def open_state(
    settings: Settings,
    reference_path: Path | None,
    *,
    clock: Clock,
    generator: random.Random,
    on_logged: Callable[[str], None],
) -> State:
    """Open the local side of the state; nothing waits for the network.

    `on_logged` is called with the run's id after each successful log, when the upload has been
    asked for.

    Raises:
        ConfigurationError: the settings do not say where the state lives.
        LocalError: the working copy cannot be opened (disk, owner, damage).
    """
    storage = open_storage(settings)

    def import_first(store: ObjectStore, transaction: Transaction) -> None:
        with work_folder(settings.state_folder) as folder:
            import_existing_database(
                store, transaction, folder, clock=clock, reference_path=reference_path
            )

    path = settings.database_path
    with local_faults("open", path):
        path.parent.mkdir(parents=True, exist_ok=True)
    # What a killed process had unpacked can be the room that is missing now.
    for place in (settings.state_folder, Path(tempfile.gettempdir())):
        remove_leftovers(place)
    replica = Replica(
        path,
        storage.store,
        MIGRATIONS,
        tables=REPLICATED_TABLES,
        clock=clock,
        random=generator,
        latest_key=LATEST_KEY,
        prepare_first=import_first,
        backs_up_before_migrating=True,
    )
    storage.attach(replica)

    def logged(run_id: str) -> None:
        replica.request_sync()
        on_logged(run_id)

    predictions = PredictionLog(replica, reference_path, clock=clock, on_logged=logged)
    return State(storage, replica, predictions)
