"""A log with a few entries in the app's schema, and restore drills on its store."""

from __future__ import annotations

import tempfile
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from jobs.backup_reading import read_backup
from jobs.configuration import OwnerSettings
from jobs.drill import Drills
from prediction_tracking import MIGRATIONS, REPLICATED_TABLES
from replica import Replica
from replica.snapshot import pack, unpack
from replica.stores.s3 import S3Store
from s3_storage import S3PredictionStorage
from tests.replica_fixtures import Opener
from tests.stores import ManualClock, MemoryStore
from tracking.backup_catalogue import write_backups

__all__ = ["drills", "drills_on", "keep", "know", "packed_anew", "writer"]


@pytest.fixture
def writer(opened: Opener) -> Replica:
    """A replica of the app's schema with three players in the log, #2 to #4."""
    replica = opened("writer", migrations=MIGRATIONS, tables=REPLICATED_TABLES)
    for number in (1, 2, 3):
        know(replica, number)
    return replica


@pytest.fixture
def drills(tmp_path: Path, store: MemoryStore, clock: ManualClock) -> Drills:
    return drills_on(store, tmp_path, clock)


def drills_on(store: MemoryStore | S3Store, folder: Path, clock: ManualClock) -> Drills:
    storage = S3PredictionStorage(store, migrations=MIGRATIONS, tables=REPLICATED_TABLES)
    return Drills(lambda: storage, folder / "drill", clock, OwnerSettings())


def know(replica: Replica, player_id: int) -> None:
    with replica.transaction() as transaction:
        transaction.execute("INSERT INTO players VALUES (?, ?)", (player_id, f"Player {player_id}"))
    replica.sync_now()


def keep(replica: Replica, store: MemoryStore, label: str) -> str:
    """Make a backup and note it in the catalogue, as the app does; its key."""
    info = replica.back_up(label)
    backup = read_backup(store, info, Path(tempfile.gettempdir()))
    with replica.transaction() as transaction:
        write_backups(transaction, [backup])
    replica.sync_now()
    return info.key


def packed_anew(
    store: MemoryStore, key: str, path: Path, statement: str = "", **facts: str | int
) -> None:
    """Put other content, or other facts about it, in a backup whose own hashes are right."""
    told = unpack(store.objects[key].body, key, path)
    if statement:
        with closing(apsw.Connection(str(path))) as connection:
            connection.execute(statement)
    place = {
        "log_id": told.log_id,
        "sequence": told.sequence,
        "entry_sha256": told.entry_sha256,
        "schema_version": told.schema_version,
    }
    body = pack(path, **(place | facts))  # type: ignore[arg-type]
    store.damage(key, lambda _: body)
