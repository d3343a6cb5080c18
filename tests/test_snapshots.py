"""Snapshots are shortcuts: when one is made, which are kept, and what happens without them."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from shutil import which

import apsw
import pytest
import zstandard

from replica import (
    AccessDenied,
    LocalCorrupt,
    ObjectInfo,
    PutMode,
    Replica,
    SnapshotRef,
    State,
    StoreUnreachable,
    write_newest,
)
from replica.log import log_key
from replica.snapshot import pack, unpack
from replica.snapshots import is_due
from tests.replica_fixtures import Opener
from tests.stores import (
    SCHEMA,
    TABLES,
    ManualClock,
    MemoryStore,
    corrupted,
    denied,
    names,
    replicated,
    truncated,
    unpacked,
    unreachable,
    write,
)

WRITES = 40
NOW = datetime(2026, 11, 20, 18, tzinfo=UTC)
KB = 1 << 10
MB = 1 << 20


def made(size_bytes: int, hours_ago: float = 0) -> SnapshotRef:
    return SnapshotRef(40, "snapshots/40", size_bytes, NOW - timedelta(hours=hours_ago))


@pytest.mark.parametrize(
    ("last", "entries", "tail_bytes", "due"),
    [
        (None, 0, 0, False),
        (None, 1, 500, True),
        (made(10 * KB), 0, 0, False),
        (made(10 * KB, hours_ago=100), 0, 0, False),
        (made(10 * KB), 1, 500, False),
        (made(10 * KB), 4, 0, True),
        (made(10 * KB), 1, 16 * KB, True),
        (made(10 * KB, hours_ago=23), 1, 500, False),
        (made(10 * KB, hours_ago=24), 1, 500, True),
        (made(40 * MB), 100, 19 * MB, False),
        (made(40 * MB), 100, 20 * MB, True),
        (made(40 * MB, hours_ago=1000), 100, 5 * MB, False),
        (SnapshotRef(40, "snapshots/40"), 1, 0, True),
    ],
)
def test_a_snapshot_is_made_when_the_tail_has_earned_it(
    last: SnapshotRef | None, entries: int, tail_bytes: int, due: bool
) -> None:
    assert is_due(last, entries, tail_bytes, NOW) is due


def test_all_snapshots_together_are_a_few_times_the_log(
    opened: Opener, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So that a short test sees the rule for large databases.
    monkeypatch.setattr("replica.snapshots._LEAST_TAIL_BYTES", 1)
    monkeypatch.setattr("replica.snapshots._ENTRY_OVERHEAD_BYTES", 0)
    replica = opened("a")
    written: list[int] = []
    put = store.put

    def counting(key: str, body: bytes, mode: PutMode) -> ObjectInfo:
        if key.startswith("snapshots/"):
            written.append(len(body))
        return put(key, body, mode)

    monkeypatch.setattr(store, "put", counting)
    random = Random(1)
    for number in range(WRITES):
        write(replica, f"{number}", random.randbytes(50).hex())
        replica.tick()
    log_bytes = sum(len(store.entry(number)) for number in store.numbers())
    assert 2 <= len(written) < WRITES / 2
    assert sum(written) < 4 * log_bytes


def test_tick_makes_one_only_when_there_is_reason(opened: Opener, store: MemoryStore) -> None:
    replica = opened("a")
    assert replica.tick() is True, "the first: everything came after no snapshot at all"
    for number in range(3):
        write(replica, f"{number}")
        replica.tick()
    assert [ref[10:30] for ref in store.keys("snapshots/")] == [f"{1:020d}"]
    write(replica, "the fourth since")
    store.requests.clear()
    assert replica.tick() is True
    assert [key[10:30] for key in store.keys("snapshots/")] == [f"{1:020d}", f"{5:020d}"]
    assert replica.status().snapshot_sequence == 5
    store.requests.clear()
    assert replica.tick() is False
    assert store.requests == [("get", log_key(6))]


def test_two_replicas_do_not_both_make_it(opened: Opener, store: MemoryStore) -> None:
    first, second = opened("a"), opened("b")
    for number in range(5):
        write(first, f"{number}")
        first.sync_now()
    second.sync_now()
    assert first.tick() is True
    assert second.tick() is False
    assert len(store.keys("snapshots/")) == 1


def test_snapshot_on_request_is_made_once_for_each_state(
    opened: Opener, store: MemoryStore
) -> None:
    replica = opened("a")
    write(replica, "one")
    ref = replica.snapshot()
    assert ref.sequence == 2, "what was pending is in it"
    assert ref.key in store.objects
    before = dict(store.objects)
    assert replica.snapshot() == ref
    assert store.objects == before
    status = replica.status()
    assert status.snapshot_sequence == 2
    assert status.snapshot_size_bytes == len(store.objects[ref.key].body)
    assert store.objects["latest.db.zst"].body == store.objects[ref.key].body
    head = json.loads(store.objects["head.json"].body)
    assert (head["sequence"], head["key"]) == (2, ref.key)


def test_the_newest_three_are_kept_and_nothing_else_is_touched(
    opened: Opener, store: MemoryStore
) -> None:
    replica = opened("a")
    fence, other = "snapshots/00000000000000000007.db.zst", "snapshots/readme.txt"
    for key in (fence, other):
        store.put(key, b"not ours", PutMode.CREATE)
    backup = replica.back_up("kept").key
    for number in range(6):
        write(replica, f"{number}")
        replica.snapshot()
    numbered = [key for key in store.keys("snapshots/") if key not in (fence, other)]
    assert [int(key[10:30]) for key in numbered] == [5, 6, 7]
    assert {fence, other, backup} <= set(store.objects)
    assert store.numbers() == [1, 2, 3, 4, 5, 6, 7]
    assert len(store.keys("bases/")) == 1


def test_pruning_that_is_refused_is_only_noted(opened: Opener, store: MemoryStore) -> None:
    replica = opened("a")
    for number in range(3):
        write(replica, f"{number}")
        replica.snapshot()
    write(replica, "more")
    store.fail("delete", "snapshots/", error=denied("delete"))
    assert replica.snapshot().sequence == 5
    assert replica.status().state is State.OK
    assert "s3:DeleteObject" in replica.status().note
    assert len(store.keys("snapshots/")) == 4
    write(replica, "even more")
    replica.snapshot()
    assert replica.status().note == ""
    assert len(store.keys("snapshots/")) == 3


@pytest.mark.parametrize("prefix", ["snapshots/", "latest", "head"])
def test_snapshot_that_fails_half_way_is_made_again(
    opened: Opener, store: MemoryStore, tmp_path: Path, prefix: str
) -> None:
    replica = opened("a")
    write(replica, "one")
    store.fail("put", prefix, error=unreachable("put"))
    with pytest.raises(StoreUnreachable):
        replica.snapshot()
    assert replica.status().state is State.OFFLINE
    ref = replica.snapshot()
    assert store.keys("snapshots/") == [ref.key]
    assert json.loads(store.objects["head.json"].body)["key"] == ref.key
    assert store.objects["latest.db.zst"].body == store.objects[ref.key].body


def test_what_is_pending_is_not_in_a_snapshot(
    opened: Opener, store: MemoryStore, tmp_path: Path
) -> None:
    first, second = opened("a"), opened("b")
    write(first, "row", "theirs")
    first.sync_now()
    second.sync_now()

    def write_late(verb: str, key: str) -> None:
        # The log has been followed; the snapshot is about to be made.
        if (verb, key) == ("get", "head.json"):
            store.before = lambda verb, key: None
            with second.transaction() as transaction:
                transaction.execute("UPDATE notes SET text = 'pending-update'")
                transaction.execute("INSERT INTO notes VALUES ('pending-row', '')")
            with second.transaction() as transaction:
                transaction.execute("DELETE FROM notes WHERE name = 'row'")

    store.before = write_late
    ref = second.snapshot()
    assert second.status().pending_transactions == 2
    with unpacked(store, ref.key, tmp_path) as connection:
        assert connection.execute("SELECT * FROM notes").fetchall() == [("row", "theirs")]
        for table in ("replica_outbox", "replica_claim", "replica_envelopes", "replica_writers"):
            assert connection.execute(f"SELECT count(*) FROM {table}").fetchall() == [(0,)]
        assert connection.execute("SELECT count(*) FROM replica_transactions").fetchall() == [(1,)]
    assert b"pending-" not in (tmp_path / "unpacked.db").read_bytes()
    assert replicated(opened("c")) == replicated(first)
    assert names(second) == ["pending-row"]


def test_what_was_deleted_does_not_linger_in_the_bytes(
    opened: Opener, store: MemoryStore, tmp_path: Path
) -> None:
    replica = opened("a")
    for number in range(50):
        write(replica, f"{number}", "the secret " * 50)
    write(replica, "kept", "in the open")
    replica.sync_now()
    with replica.transaction() as transaction:
        transaction.execute("DELETE FROM notes WHERE text LIKE 'the secret%'")
    for key in (replica.snapshot().key, replica.back_up("manual").key):
        with unpacked(store, key, tmp_path):
            content = (tmp_path / "unpacked.db").read_bytes()
        assert b"in the open" in content
        assert b"the secret" not in content


@pytest.fixture
def three(opened: Opener, store: MemoryStore) -> Replica:
    """A log with snapshots at 2, 3 and 4, and an entry 5 behind them."""
    replica = opened("first")
    for name in ("one", "two", "three"):
        write(replica, name)
        replica.snapshot()
    write(replica, "four")
    replica.sync_now()
    store.requests.clear()
    return replica


def fetched(store: MemoryStore) -> list[int]:
    """The sequences of the snapshots that were asked for."""
    keys = [key for verb, key in store.requests if verb == "get" and key.startswith("snapshots/")]
    return [int(key[10:30]) for key in keys]


def test_a_start_takes_the_newest_and_replays_the_rest(
    three: Replica, opened: Opener, store: MemoryStore
) -> None:
    replica = opened("second")
    assert fetched(store) == [4]
    assert ("list", "snapshots/") not in store.requests
    assert not any(key.startswith("bases/") for _, key in store.requests)
    assert replicated(replica) == replicated(three)


@pytest.mark.parametrize(
    "change",
    [
        lambda body: b"",
        lambda body: b"not json",
        lambda body: b"[]",
        lambda body: body.replace(b'"log_id": "', b'"log_id": "0'),
        lambda body: body.replace(b'"sequence": 4', b'"sequence": 400'),
        lambda body: body.replace(b'"key": "snapshots/', b'"key": "elsewhere/'),
        lambda body: body.replace(b'"size_bytes": ', b'"size_bytes": null, "other": '),
        None,
    ],
)
def test_hint_that_says_nothing_is_no_hint(
    three: Replica,
    opened: Opener,
    store: MemoryStore,
    change: Callable[[bytes], bytes] | None,
) -> None:
    if change:
        store.damage("head.json", change)
    else:
        del store.objects["head.json"]
    replica = opened("second")
    assert fetched(store) == [4]
    assert replicated(replica) == replicated(three)
    assert replica.status().note == ""


def test_stale_hint_only_makes_the_way_longer(
    three: Replica, opened: Opener, store: MemoryStore
) -> None:
    stale = dict(json.loads(store.objects["head.json"].body))
    [older] = [key for key in store.keys("snapshots/") if int(key[10:30]) == 2]
    stale |= {"sequence": 2, "key": older}
    store.damage("head.json", lambda _: json.dumps(stale).encode())
    replica = opened("second")
    assert fetched(store) == [2]
    assert replicated(replica) == replicated(three)


def test_hint_of_what_has_been_pruned_is_passed_over(
    three: Replica, opened: Opener, store: MemoryStore
) -> None:
    del store.objects[json.loads(store.objects["head.json"].body)["key"]]
    replica = opened("second")
    assert fetched(store) == [4, 3]
    assert replicated(replica) == replicated(three)


@pytest.mark.parametrize("change", [corrupted, truncated, lambda body: b"", lambda body: b"<html>"])
@pytest.mark.parametrize(("damaged", "used"), [(1, 3), (2, 2), (3, None)])
def test_damaged_ones_fall_back_to_the_one_before_and_to_the_beginning(
    three: Replica,
    opened: Opener,
    store: MemoryStore,
    change: Callable[[bytes], bytes],
    damaged: int,
    used: int | None,
) -> None:
    for key in store.keys("snapshots/")[-damaged:]:
        store.damage(key, change)
    replica = opened("second")
    # Each damaged one is asked for twice.
    assert fetched(store) == [
        *(number for number in (4, 3, 2)[:damaged] for _ in range(2)),
        *([used] if used else []),
    ]
    assert any(key.startswith("bases/") for _, key in store.requests) is (used is None)
    assert replicated(replica) == replicated(three)
    status = replica.status()
    assert status.state is State.OK
    for key in store.keys("snapshots/")[-damaged:]:
        assert key in status.note
    write(replica, "goes on")
    assert replica.sync_now() is True


def test_snapshot_of_another_log_is_passed_over(
    three: Replica, opened: Opener, store: MemoryStore, tmp_path: Path, clock: ManualClock
) -> None:
    other_store = MemoryStore(clock)
    (tmp_path / "elsewhere").mkdir()
    other = Opener(tmp_path / "elsewhere", clock, other_store)
    foreign = other.filled(*"abcdef").snapshot()
    other.close()
    store.objects[foreign.key] = other_store.objects[foreign.key]
    del store.objects["head.json"]
    replica = opened("second")
    assert fetched(store) == [7, 4]
    assert "another log" in replica.status().note
    assert replicated(replica) == replicated(three)


@pytest.mark.parametrize(
    "sql",
    [
        "PRAGMA application_id = 1",
        "DROP TABLE replica_position",
        "PRAGMA user_version = 0",
        "PRAGMA writable_schema = on; DELETE FROM sqlite_schema WHERE name = 'notes'",
    ],
    ids=["application", "position", "schema", "leaked pages"],
)
def test_a_snapshot_whose_hashes_agree_is_still_looked_into(
    three: Replica, opened: Opener, store: MemoryStore, tmp_path: Path, sql: str
) -> None:
    newest = store.keys("snapshots/")[-1]
    body = store.objects[newest].body
    metadata = unpack(body, newest, tmp_path / "tampered.db")
    with closing(apsw.Connection(str(tmp_path / "tampered.db"))) as connection:
        connection.execute(sql)
    forged = pack(
        tmp_path / "tampered.db",
        log_id=metadata.log_id,
        sequence=metadata.sequence,
        entry_sha256=metadata.entry_sha256,
        schema_version=metadata.schema_version,
    )
    del store.objects[newest], store.objects["head.json"]
    sha256 = hashlib.sha256(forged).hexdigest()
    store.put(f"snapshots/{4:020d}-{sha256}.db.zst", forged, PutMode.CREATE)
    replica = opened("second")
    assert fetched(store)[-1] == 3
    assert replicated(replica) == replicated(three)


def test_local_damage_is_not_shipped(
    opened: Opener, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    replica = opened.filled("one")
    before = dict(store.objects)

    def copy(path: Path, target: Path) -> None:
        target.write_bytes(path.read_bytes()[:4096] + b"\xa5" * 4096)

    monkeypatch.setattr("replica.snapshots.compact_copy", copy)
    with pytest.raises(LocalCorrupt):
        replica.snapshot()
    assert store.objects == before


def test_refused_snapshot_says_which_permission(opened: Opener, store: MemoryStore) -> None:
    replica = opened.filled("one")
    store.fail("put", "snapshots/", error=denied("put"))
    with pytest.raises(AccessDenied):
        replica.snapshot()
    assert replica.status().state is State.OFFLINE
    write(replica, "two")
    replica.sync_now()
    assert replica.status().state is State.OK


def test_a_snapshot_opens_with_everyday_tools(
    opened: Opener, store: MemoryStore, tmp_path: Path
) -> None:
    replica = opened.filled("one", "two")
    replica.snapshot()
    compressed, database = tmp_path / "latest.db.zst", tmp_path / "latest.db"
    compressed.write_bytes(store.objects["latest.db.zst"].body)
    if which("zstd"):
        subprocess.run(["zstd", "-d", "-q", compressed], check=True)
    else:
        frames = zstandard.ZstdDecompressor().decompressobj(read_across_frames=True)
        database.write_bytes(frames.decompress(compressed.read_bytes()))
    sql = "SELECT name FROM notes ORDER BY name; PRAGMA integrity_check"
    shell = ["sqlite3"] if which("sqlite3") else [sys.executable, "-m", "apsw"]
    told = subprocess.run([*shell, database, sql], capture_output=True, check=True)
    assert told.stdout.decode().split() == ["one", "two", "ok"]


def test_written_file_is_one_plain_database(
    opened: Opener, store: MemoryStore, tmp_path: Path
) -> None:
    opened.filled("one").snapshot()
    path = tmp_path / "plain.db"
    assert write_newest(store, path, SCHEMA, TABLES)
    assert sorted(file.name for file in tmp_path.glob("plain.db*")) == [
        "plain.db",
        "plain.db.lock",
    ]
    with closing(apsw.Connection(str(path))) as connection:
        assert connection.pragma("journal_mode") == "delete"
        assert connection.execute("SELECT name FROM notes").fetchall() == [("one",)]
