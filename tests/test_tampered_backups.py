"""Backups that were changed so that all hashes in them fit: only the note of their hash tells."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import apsw
import pytest

import cli
from jobs.authority import OWNER
from jobs.backups import Backup
from replica import SnapshotCorrupt
from replica.snapshot import pack, unpack
from replica.stores.folder import FolderStore
from tests.applications import AFTERNOON
from tests.backup_machines import Machine, machine
from tests.stores import ManualClock, MemoryStore

Capture = pytest.CaptureFixture[str]


def forged(body: bytes, folder: Path) -> bytes:
    """The same backup with another score, packed as the engine would pack it."""
    path = folder / "forged.db"
    metadata = unpack(body, "a backup", path)
    with closing(apsw.Connection(str(path))) as connection:
        connection.execute("UPDATE games SET home_points = 7")
    return pack(
        path,
        log_id=metadata.log_id,
        sequence=metadata.sequence,
        entry_sha256=metadata.entry_sha256,
        schema_version=metadata.schema_version,
    )


@pytest.fixture
def one(tmp_path: Path, store: MemoryStore, clock: ManualClock) -> Iterator[Machine]:
    with machine(tmp_path / "one", store, clock) as opened:
        opened.write("g1")
        yield opened


@pytest.fixture
def backup(one: Machine, store: MemoryStore, tmp_path: Path) -> Backup:
    """As it was catalogued; what is in the bucket says otherwise."""
    made = one.backups.make(OWNER)
    store.damage(made.key, lambda body: forged(body, tmp_path))
    return made


def test_a_rebuild_does_not_take_another_content_for_granted(
    one: Machine, backup: Backup, tmp_path: Path
) -> None:
    for _ in range(2):
        answer = one.backups.rebuild(OWNER)
        [told] = answer.damaged
        assert told.startswith(f"{backup.key}: its content is not the one that was noted.")
        assert (answer.added, answer.changed, answer.removed) == ((), (), ())
        assert (answer.backups, one.catalogue()) == (1, [backup])
    with pytest.raises(SnapshotCorrupt):
        one.backups.download(OWNER, backup.key, tmp_path / "copy.db")


def test_nor_another_size(one: Machine, store: MemoryStore) -> None:
    """The same rows, packed by somebody else."""
    made = one.backups.make(OWNER)
    stored = store.objects[made.key]
    info = replace(stored.info, size_bytes=stored.info.size_bytes + 9)
    store.objects[made.key] = replace(stored, info=info)
    assert len(one.backups.rebuild(OWNER).damaged) == 1
    assert one.catalogue() == [made]


def test_what_a_person_forgets_of_it_is_deleted(
    one: Machine, store: MemoryStore, backup: Backup
) -> None:
    one.backups.forget(OWNER, [backup.key])
    assert one.backups.prune(OWNER).deleted == (backup.key,)
    assert one.backups.rebuild(OWNER).damaged == ()


@pytest.fixture
def bucket(here: Path) -> tuple[FolderStore, Backup]:
    """The folder that the commands look into, and a backup there that was tampered with."""
    store = FolderStore(here / "store")
    with machine(here / "other", store, ManualClock(AFTERNOON)) as other:
        other.write("g1")
        made = other.backups.make(OWNER)
        other.replica.sync_now()
    path = here / "store" / made.key
    path.write_bytes(forged(path.read_bytes(), here))
    return store, made


def test_the_command_compares_with_what_the_bucket_notes(
    bucket: tuple[FolderStore, Backup], tmp_path: Path, capsys: Capture
) -> None:
    _, made = bucket
    copy = tmp_path / "copy.db"
    assert cli.main(["backups", "--download", made.key, "--to", str(copy)]) == 1
    assert "not the one that was noted" in capsys.readouterr().err
    assert not copy.exists()


def test_without_the_log_the_command_says_that_nothing_was_compared(
    bucket: tuple[FolderStore, Backup], tmp_path: Path, capsys: Capture
) -> None:
    """For a backup that outlives its log is what backups are for."""
    store, made = bucket
    for info in store.list(""):
        if info.key != made.key:
            store.delete(info.key)
    copy = tmp_path / "copy.db"
    assert cli.main(["backups", "--download", made.key, "--to", str(copy)]) == 0
    told = capsys.readouterr()
    assert told.out == f"{copy}\n"
    assert "no noted hash was compared" in told.err
    assert copy.exists()


def test_a_damaged_log_keeps_nobody_from_a_backup(
    bucket: tuple[FolderStore, Backup], here: Path, tmp_path: Path, capsys: Capture
) -> None:
    store, made = bucket
    for info in store.list("log/"):
        (here / "store" / info.key).write_bytes(b"x")
    copy = tmp_path / "copy.db"
    assert cli.main(["backups", "--download", made.key, "--to", str(copy)]) == 0
    assert "log/" in capsys.readouterr().err
    assert copy.exists()
