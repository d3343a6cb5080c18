"""Back to a backup and to a moment, by plan, on the stores that people use."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from replica import BackupKey, ObjectStore, Replica, SnapshotCorrupt, write_backup
from replica.stores.folder import FolderStore
from replica.stores.s3 import S3Store
from tests.servers import s3_options
from tests.stores import names, open_replica, replicated, write

OpenStore = Callable[[], ObjectStore]


@pytest.fixture(params=["a folder", "moto", "MiniStack"])
def open_store(
    request: pytest.FixtureRequest, tmp_path: Path, new_bucket: Callable[[str], str]
) -> OpenStore:
    """Each call gives a client of its own of one store."""
    if request.param == "a folder":
        return lambda: FolderStore(tmp_path / "store")
    endpoint = request.getfixturevalue(f"{request.param.lower()}_endpoint")
    options = s3_options(endpoint, new_bucket(endpoint))
    return lambda: S3Store(options)


@pytest.fixture
def both(open_store: OpenStore, tmp_path: Path) -> Iterator[tuple[Replica, Replica]]:
    """Two processes' replicas of one store."""
    opened = [
        open_replica(tmp_path / f"{number}.db", open_store(), random=Random(number))
        for number in (1, 2)
    ]
    for replica in opened:
        replica.restore()
    yield opened[0], opened[1]
    for replica in opened:
        replica.close(0)


def test_plan_restore_follow_and_undo(
    both: tuple[Replica, Replica], open_store: OpenStore, tmp_path: Path
) -> None:
    first, second = both
    for row in ("one", "two"):
        write(first, row)
        first.sync_now()
    backup = BackupKey(first.back_up("manual").key)
    second.sync_now()
    with second.transaction() as transaction:
        transaction.execute("DELETE FROM notes WHERE name = 'one'")
    second.sync_now()
    write(second, "three")
    second.sync_now()

    plan = first.plan_restore(backup)
    [change] = plan.tables
    assert (change.rows_added, change.rows_removed, change.rows_changed) == (1, 1, 0)
    assert [entry.sequence for entry in plan.undone] == [4, 5]
    assert (plan.sequence, plan.as_of) == (3, 5)
    assert first.plan_restore(3).tables == plan.tables
    assert first.restore_to(backup) == 6
    second.sync_now()
    assert names(second) == ["one", "two"]

    assert second.restore_to(5) == 7
    first.sync_now()
    assert names(first) == ["three", "two"]
    assert replicated(first) == replicated(second)
    assert write_backup(open_store(), backup, tmp_path / "plain.db", known_schema=1).sequence == 3
    with pytest.raises(SnapshotCorrupt, match="noted"):
        first.restore_to(BackupKey(backup.key, sha256="0" * 64))
