"""Backups as files: uploaded beside the work, made before a migration, downloaded plain."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from replica import (
    AccessDenied,
    BackupKey,
    FileOwned,
    NewerSchema,
    NotASnapshot,
    PendingChanges,
    Replica,
    ReplicaError,
    SnapshotCorrupt,
    write_backup,
)
from replica.snapshot import read_metadata
from tests.replica_fixtures import Opener
from tests.stores import (
    NEXT_SCHEMA,
    MemoryStore,
    corrupted,
    denied,
    names,
    notes,
    truncated,
    write,
)


@pytest.fixture
def past(opened: Opener) -> Replica:
    """Entries 2 and 3: one, two. A backup of both; then entry 4 adds three."""
    replica = opened.filled("one", "two")
    replica.back_up("manual")
    write(replica, "three")
    replica.sync_now()
    return replica


def backup_in(store: MemoryStore) -> BackupKey:
    [key] = store.keys("backups/")
    return BackupKey(key)


def test_publishing_does_not_wait_for_the_upload_of_a_backup(
    opened: Opener, store: MemoryStore
) -> None:
    replica = opened.filled("one")

    def meanwhile(verb: str, key: str) -> None:
        if key.startswith("backups/"):
            store.before = lambda verb, key: None
            write(replica, "meanwhile")
            assert _in_another_thread(replica.sync_now)

    store.before = meanwhile
    key = replica.back_up("manual").key
    assert store.numbers()[-1] == 3
    assert read_metadata(store.objects[key].body, key).sequence == 2


def _in_another_thread(call: Callable[[], bool]) -> bool:
    found: list[bool] = []
    # One that waits for ever must not keep the test from ending.
    thread = threading.Thread(target=lambda: found.append(call()), daemon=True)
    thread.start()
    thread.join(10)
    return found == [True]


def test_migration_keeps_a_backup_first(opened: Opener, store: MemoryStore) -> None:
    opened.filled("one").close(0)
    assert store.keys("backups/") == []
    new = opened("first", migrations=NEXT_SCHEMA, backs_up_before_migrating=True)
    backup = backup_in(store)
    assert backup.key == "backups/2026-11-20T18-00-00Z-before-migration.db.zst"
    metadata = read_metadata(store.objects[backup.key].body, backup.key)
    assert (metadata.schema_version, metadata.sequence) == (1, 2)
    with new.transaction() as transaction:
        transaction.execute("UPDATE notes SET text = 'since'")
    new.restore_to(backup)
    assert notes(new) == [("one", "")]
    opened("other", migrations=NEXT_SCHEMA, backs_up_before_migrating=True)
    assert len(store.keys("backups/")) == 1


def test_no_migration_without_its_backup(opened: Opener, store: MemoryStore) -> None:
    opened.filled("one").close(0)
    store.fail("put", "backups/", error=denied("put"))
    new = opened.bare("first", migrations=NEXT_SCHEMA, backs_up_before_migrating=True)
    with pytest.raises(AccessDenied):
        new.restore()
    assert store.numbers()[-1] == 2
    new.restore()
    assert store.numbers()[-1] == 3


def test_backup_becomes_a_plain_file(past: Replica, store: MemoryStore, tmp_path: Path) -> None:
    backup, path = backup_in(store), tmp_path / "plain.db"
    metadata = write_backup(store, backup, path, known_schema=1)
    assert (metadata.sequence, metadata.schema_version) == (3, 1)
    with closing(
        apsw.Connection(
            f"file:{path}?immutable=1", apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
        )
    ) as plain:
        assert plain.execute("SELECT name FROM notes").fetchall() == [("one",), ("two",)]
    assert names(past) == ["one", "three", "two"]
    # Once more over itself, and over something that is not ours.
    write_backup(store, backup, path, known_schema=1)
    path.write_text("somebody's letter")
    write_backup(store, backup, path, known_schema=1)
    [aside] = tmp_path.glob("plain.db.damaged*")
    assert aside.read_text() == "somebody's letter"


def test_plain_file_never_replaces_what_is_in_use_or_unsaved(
    past: Replica, store: MemoryStore
) -> None:
    backup = backup_in(store)
    with pytest.raises(FileOwned):
        write_backup(store, backup, past.path, known_schema=1)
    write(past, "unsaved")
    past.close(0)
    with pytest.raises(PendingChanges):
        write_backup(store, backup, past.path, known_schema=1)


DAMAGE: dict[str, tuple[Callable[[bytes], bytes], type[ReplicaError]]] = {
    "one bit": (corrupted, SnapshotCorrupt),
    "cut short": (truncated, SnapshotCorrupt),
    "another program's": (lambda body: b"holiday.jpg" * 9, NotASnapshot),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_bad_backup_becomes_no_file(
    past: Replica, store: MemoryStore, tmp_path: Path, name: str
) -> None:
    change, expected = DAMAGE[name]
    backup, path = backup_in(store), tmp_path / "plain.db"
    write_backup(store, backup, path, known_schema=1)
    before = path.read_bytes()
    store.damage(backup.key, change)
    for target in (path, tmp_path / "other.db"):
        with pytest.raises(expected):
            write_backup(store, backup, target, known_schema=1)
    assert path.read_bytes() == before
    assert not (tmp_path / "other.db").exists()


def test_backup_of_a_newer_schema_becomes_no_file(
    opened: Opener, store: MemoryStore, tmp_path: Path
) -> None:
    replica = opened("first", migrations=NEXT_SCHEMA)
    key = replica.back_up("manual").key
    with pytest.raises(NewerSchema):
        write_backup(store, BackupKey(key), tmp_path / "plain.db", known_schema=1)
