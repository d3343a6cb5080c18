"""Back to a backup: verified first, brought to the schema of today, and only ever a new entry."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import apsw
import pytest

from replica import (
    BackupKey,
    ForeignBackup,
    Migration,
    NewerSchema,
    NotADatabase,
    NotASnapshot,
    ObjectNotFound,
    PutMode,
    Replica,
    ReplicaError,
    SnapshotCorrupt,
    State,
)
from replica.log import log_key
from replica.snapshot import pack, read_metadata, unpack
from tests.replica_fixtures import Opener
from tests.stores import (
    NEXT_SCHEMA,
    SCHEMA,
    TABLES,
    ManualClock,
    MemoryStore,
    corrupted,
    denied,
    names,
    notes,
    open_replica,
    replicated,
    truncated,
    unreachable,
    write,
)

CATALOGUED = (
    *SCHEMA,
    Migration(
        2,
        "catalogue",
        "CREATE TABLE catalogue (name TEXT PRIMARY KEY NOT NULL)",
    ),
)


@pytest.fixture
def past(opened: Opener) -> Replica:
    """Entries 2 and 3: one, two. A backup of both; then entry 4 deletes one and 5 adds three."""
    replica = opened.filled("one", "two")
    replica.back_up("manual")
    with replica.transaction() as transaction:
        transaction.execute("DELETE FROM notes WHERE name = 'one'")
    replica.sync_now()
    write(replica, "three")
    replica.sync_now()
    return replica


def backup_in(store: MemoryStore) -> BackupKey:
    [key] = store.keys("backups/")
    return BackupKey(key)


def rewrite(store: MemoryStore, key: str, folder: Path, *statements: str, **facts: object) -> None:
    """Replace a backup by one that fits itself: another content, or other words about it."""
    path = folder / "rewritten.db"
    metadata = unpack(store.objects[key].body, key, path)
    with closing(apsw.Connection(str(path))) as connection:
        for statement in statements:
            connection.execute(statement)
        version = int(connection.pragma("user_version"))
    described = {
        "log_id": metadata.log_id,
        "sequence": metadata.sequence,
        "entry_sha256": metadata.entry_sha256,
        "schema_version": version,
    }
    store.put(key, pack(path, **(described | facts)), PutMode.OVERWRITE)  # type: ignore[arg-type]


def test_backup_comes_back_as_a_new_entry_that_others_follow(
    past: Replica, opened: Opener, store: MemoryStore
) -> None:
    other = opened("other")
    assert past.restore_to(backup_in(store)) == 6
    assert names(past) == ["one", "two"]
    assert past.status().state is State.OK
    other.sync_now()
    assert replicated(other) == replicated(past) == replicated(opened("new"))
    assert past.restore_to(5) == 7
    assert names(past) == ["three", "two"]


def test_backup_of_what_is_there_changes_nothing(past: Replica, store: MemoryStore) -> None:
    key = past.back_up("again").key
    assert past.restore_to(BackupKey(key)) is None
    assert store.numbers()[-1] == 5


def test_snapshot_is_as_good_as_a_backup(past: Replica, store: MemoryStore) -> None:
    key = past.snapshot().key
    write(past, "late")
    assert past.restore_to(BackupKey(key)) == 7
    assert names(past) == ["three", "two"]


def test_backup_of_an_earlier_schema_is_migrated_first(
    past: Replica, opened: Opener, store: MemoryStore
) -> None:
    past.close(0)
    new = opened("first", migrations=NEXT_SCHEMA)
    with new.transaction() as transaction:
        transaction.execute("UPDATE notes SET stars = 5")
    backup = backup_in(store)
    assert read_metadata(store.objects[backup.key].body, backup.key).schema_version == 1
    assert new.restore_to(backup) == 8
    with new.read() as connection:
        rows = connection.execute("SELECT name, stars FROM notes ORDER BY name").fetchall()
    assert rows == [("one", None), ("two", None)]
    # In a file of its own: the backup itself is as it was.
    assert read_metadata(store.objects[backup.key].body, backup.key).schema_version == 1


@pytest.mark.parametrize("limit", [4 << 20, 1])
def test_only_the_tables_that_are_named_are_restored(
    opened: Opener, store: MemoryStore, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    monkeypatch.setattr("replica.rewind._LARGEST_ENTRY_BYTES", limit)
    tables = {"migrations": CATALOGUED, "tables": (*TABLES, "catalogue")}
    replica = opened("first", **tables)
    write(replica, "one")
    key = replica.back_up("manual").key
    with replica.transaction() as transaction:
        transaction.execute("INSERT INTO catalogue VALUES ('stays')")
        transaction.execute("DELETE FROM notes")
    replica.restore_to(BackupKey(key), tables=TABLES)
    other = opened("other", **tables)
    for each in (replica, other):
        assert names(each) == ["one"]
        with each.read() as connection:
            assert connection.execute("SELECT name FROM catalogue").fetchall() == [("stays",)]
    with pytest.raises(ValueError, match="elsewhere"):
        replica.restore_to(BackupKey(key), tables=["elsewhere"])
    with pytest.raises(ValueError, match="sync_conflicts"):
        replica.restore_to(BackupKey(key), tables=["sync_conflicts"])


def test_conflicts_stay_as_they_are(opened: Opener, store: MemoryStore) -> None:
    first, second = opened.filled("one"), opened("second")
    key = first.back_up("manual").key
    for replica, text in ((first, "mine"), (second, "theirs")):
        with replica.transaction() as transaction:
            transaction.execute("UPDATE notes SET text = ?", (text,))
    first.sync_now()
    second.sync_now()
    before = replicated(second)["sync_conflicts"]
    assert before
    second.restore_to(BackupKey(key))
    assert notes(second) == [("one", "")]
    assert replicated(second)["sync_conflicts"] == before


@pytest.mark.parametrize("limit", [4 << 20, 1])
def test_what_was_pending_in_a_copy_set_aside_comes_back(
    opened: Opener, store: MemoryStore, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    monkeypatch.setattr("replica.rewind._LARGEST_ENTRY_BYTES", limit)
    first = opened.filled("one")
    write(first, "only here")
    first.take_over_from_store()
    assert names(first) == ["one"]
    aside = backup_in(store)
    assert "set-aside" in aside.key
    assert first.plan_restore(aside).sequence == 2
    first.restore_to(aside)
    assert names(first) == ["one", "only here"]
    assert first.status().pending_transactions == 0
    assert replicated(opened("other")) == replicated(first)


def test_backup_of_what_the_log_has_lost_comes_back(
    opened: Opener, store: MemoryStore, clock: ManualClock
) -> None:
    """A bucket that was rolled back keeps its backups: they are what is left of the rest."""
    first = opened.filled("one", "two")
    key = first.back_up("manual").key
    first.close(0)
    del store.objects[log_key(3)]
    other = opened("other")
    write(other, "since")
    other.sync_now()
    plan = other.plan_restore(BackupKey(key))
    assert (plan.sequence, plan.undone, plan.as_of) == (None, (), 3)
    assert other.restore_to(BackupKey(key)) == 4
    assert names(other) == ["one", "two"]


def damage_by(change: Callable[[bytes], bytes]) -> Callable[[MemoryStore, str, Path], None]:
    return lambda store, key, _: store.damage(key, change)


def of_another_program(store: MemoryStore, key: str, folder: Path) -> None:
    store.put(key, b"SQLite format 3\x00" + b"\x00" * 4096, PutMode.OVERWRITE)


def of_another_engine(store: MemoryStore, key: str, folder: Path) -> None:
    rewrite(store, key, folder, "PRAGMA application_id = 7")


def of_another_log(store: MemoryStore, key: str, folder: Path) -> None:
    rewrite(store, key, folder, log_id="5" * 32)


def of_a_newer_schema(store: MemoryStore, key: str, folder: Path) -> None:
    rewrite(store, key, folder, "PRAGMA user_version = 9")


def with_another_table(store: MemoryStore, key: str, folder: Path) -> None:
    rewrite(store, key, folder, "ALTER TABLE notes ADD COLUMN surprise")


def without_a_table(store: MemoryStore, key: str, folder: Path) -> None:
    rewrite(store, key, folder, "DROP TABLE notes")


def that_cannot_be_migrated(store: MemoryStore, key: str, folder: Path) -> None:
    rewrite(store, key, folder, "PRAGMA user_version = 0")


def that_is_gone(store: MemoryStore, key: str, folder: Path) -> None:
    del store.objects[key]


BAD: dict[str, tuple[Callable[[MemoryStore, str, Path], None], type[ReplicaError]]] = {
    "one bit": (damage_by(corrupted), SnapshotCorrupt),
    "cut short": (damage_by(truncated), SnapshotCorrupt),
    "nearly whole": (damage_by(lambda body: body[:-1]), SnapshotCorrupt),
    "one byte more": (damage_by(lambda body: body + b"!"), SnapshotCorrupt),
    "empty": (damage_by(lambda body: b""), NotASnapshot),
    "head only": (damage_by(lambda body: body[:6]), NotASnapshot),
    "another program's": (of_another_program, NotASnapshot),
    "another engine's": (of_another_engine, NotADatabase),
    "of another log": (of_another_log, ForeignBackup),
    "of a newer schema": (of_a_newer_schema, NewerSchema),
    "with another table": (with_another_table, NotADatabase),
    "without a table": (without_a_table, NotADatabase),
    "that cannot be migrated": (that_cannot_be_migrated, NotADatabase),
    "that is gone": (that_is_gone, ObjectNotFound),
}


@pytest.mark.parametrize("call", ["plan_restore", "restore_to"])
@pytest.mark.parametrize("name", BAD)
def test_bad_backups_are_refused_and_nothing_is_lost(
    past: Replica, opened: Opener, store: MemoryStore, tmp_path: Path, name: str, call: str
) -> None:
    spoil, expected = BAD[name]
    backup = backup_in(store)
    spoil(store, backup.key, tmp_path)
    before, files = dict(store.objects), {path.name for path in tmp_path.iterdir()}
    with pytest.raises(expected) as caught:
        getattr(past, call)(backup)
    assert (caught.value.key, bool(caught.value.remedy)) == (backup.key, True)
    assert store.objects == before
    assert {path.name for path in tmp_path.iterdir()} == files
    assert names(past) == ["three", "two"]
    # What is wrong with a backup is no reason to stop anything.
    assert (past.status().state, past.status().last_error) == (State.OK, None)
    write(past, "goes on")
    past.sync_now()
    assert replicated(opened("new")) == replicated(past)


def test_forged_backup_is_told_by_the_hash_that_was_noted(
    past: Replica, store: MemoryStore, tmp_path: Path
) -> None:
    """A backup that fits itself can only be told by what was written down elsewhere."""
    backup = backup_in(store)
    sha256 = read_metadata(store.objects[backup.key].body, backup.key).sha256
    noted = replace(backup, sha256=sha256)
    rewrite(store, backup.key, tmp_path, "UPDATE notes SET text = 'forged'")
    with pytest.raises(SnapshotCorrupt, match="noted"):
        past.restore_to(noted)
    assert names(past) == ["three", "two"]
    past.restore_to(backup)
    assert ("two", "forged") in notes(past)


@pytest.mark.parametrize("key", ["bases/x.db.zst", log_key(2), "latest.db.zst", "", "../backups/x"])
def test_only_what_is_kept_as_a_backup_is_one(past: Replica, store: MemoryStore, key: str) -> None:
    with pytest.raises(NotASnapshot):
        past.restore_to(BackupKey(key))
    assert store.numbers()[-1] == 5


@pytest.mark.parametrize("change", [truncated, corrupted])
def test_damage_on_the_way_is_not_damage_of_the_backup(
    past: Replica, store: MemoryStore, change: Callable[[bytes], bytes]
) -> None:
    store.fail("get", "backups/", change=change)
    assert past.restore_to(backup_in(store)) == 6
    assert not store.faults


@pytest.mark.parametrize("error", [unreachable("get"), denied("get")])
def test_backup_that_cannot_be_read_now_is_said_and_tried_again(
    past: Replica, store: MemoryStore, error: ReplicaError
) -> None:
    store.fail("get", "backups/", error=error)
    with pytest.raises(type(error)):
        past.restore_to(backup_in(store))
    assert past.status().state is State.OFFLINE
    assert type(past.status().last_error) is type(error)
    assert past.restore_to(backup_in(store)) == 6
    assert past.status().state is State.OK


def test_lost_race_is_computed_anew_and_the_backup_read_once(
    past: Replica, opened: Opener, store: MemoryStore
) -> None:
    other = opened("other")

    def be_first(verb: str, key: str) -> None:
        if (verb, key) == ("put", log_key(6)):
            store.before = lambda verb, key: None
            write(other, "came first")
            other.sync_now()

    store.before = be_first
    store.requests.clear()
    assert past.restore_to(backup_in(store)) == 7
    assert names(past) == ["one", "two"]
    assert sum(key.startswith("backups/") for _, key in store.requests) == 1
    other.sync_now()
    assert replicated(other) == replicated(past)


def test_writing_and_publishing_go_on_while_a_backup_is_read(
    past: Replica, opened: Opener, store: MemoryStore
) -> None:
    backup = backup_in(store)

    def meanwhile(verb: str, key: str) -> None:
        if key == backup.key:
            store.before = lambda verb, key: None
            write(past, "meanwhile")
            # From another thread it would wait if the exchange were held up.
            past.sync_now()

    store.before = meanwhile
    assert past.restore_to(backup) == 7
    assert names(past) == ["one", "two"]
    past.restore_to(6)
    assert names(past) == ["meanwhile", "three", "two"]


SMALL_DISK = """
import resource, sys
from pathlib import Path
from random import Random
from replica import BackupKey, DiskFull
from tests.stores import ManualClock, MemoryStore, names, open_replica, write
store = MemoryStore(ManualClock())
replica = open_replica(Path(sys.argv[1]), store, fetch_workers=1)
replica.restore()
write(replica, "one", Random(1).randbytes(200_000).hex())
key = replica.back_up("manual").key
with replica.transaction() as transaction:
    transaction.execute("DELETE FROM notes")
replica.sync_now()
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), hard))
for call in (replica.plan_restore, replica.restore_to):
    for source in (BackupKey(key), 2):
        try:
            call(source)
        except DiskFull as error:
            print("full:", error.remedy)
print(store.numbers()[-1], names(replica))
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
print(sorted(path.name for path in Path(sys.argv[1]).parent.iterdir() if "partial" in path.name))
replica.restore_to(BackupKey(key))
print(store.numbers()[-1], names(replica))
replica.close(0)
"""


def test_full_disk_leaves_everything_as_it_was(tmp_path: Path) -> None:
    code = [sys.executable, "-c", SMALL_DISK, str(tmp_path / "a.db"), "100000"]
    run = subprocess.run(code, capture_output=True, text=True, check=False)
    assert run.stdout.splitlines() == [
        *["full: Free some space; nothing was changed."] * 4,
        "3 []",
        "[]",
        "4 ['one']",
    ], run.stderr


def test_backup_copied_from_another_prefix_is_refused(
    past: Replica, store: MemoryStore, clock: ManualClock, tmp_path: Path
) -> None:
    """The same program with another prefix: its backups are not ours."""
    elsewhere = MemoryStore(clock)
    stranger = open_replica(tmp_path / "stranger.db", elsewhere, fetch_workers=1)
    stranger.restore()
    write(stranger, "theirs")
    key = stranger.back_up("manual").key
    stranger.close(0)
    store.put("backups/copied.db.zst", elsewhere.objects[key].body, PutMode.CREATE)
    with pytest.raises(ForeignBackup):
        past.restore_to(BackupKey("backups/copied.db.zst"))
    assert names(past) == ["three", "two"]
