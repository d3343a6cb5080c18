"""A store from before the log: everything comes along, and the earlier version stops writing."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import apsw
import pytest
import zstandard

from replica import (
    AccessDenied,
    ObjectInfo,
    ObjectStore,
    Replica,
    SnapshotCorrupt,
    State,
    StoredObject,
    StoreUnreachable,
    Transaction,
    write_as_of,
)
from replica.envelope import Kind, unpack_entry
from replica.log import log_key
from replica.snapshot import read_frame
from tests.replica_fixtures import Opener
from tests.stores import (
    NEXT_SCHEMA,
    SCHEMA,
    TABLES,
    ManualClock,
    MemoryStore,
    corrupted,
    denied,
    insert,
    names,
    notes,
    replicated,
    truncated,
    unreachable,
    write,
)

BUCKET = Path(__file__).parent / "data" / "earlier_bucket"
SAVED_AT = datetime(2026, 11, 20, 18, tzinfo=UTC)
ROWS = [(name, f"{name}'s text") for name in ("four", "one", "three", "two")]
TRANSACTIONS = [
    ("1027c4d1-c386-4bc4-8d61-3e30d8f16adf", 0, "2026-11-20T18:00:00+00:00"),
    ("612e7696-a6ce-4c1b-b8e5-10617311d8a3", 0, "2026-11-20T18:01:00+00:00"),
    ("63ca828d-d5f4-43b2-a4b0-6ce60741c7a8", 0, "2026-11-20T18:02:00+00:00"),
    ("7ce42c82-1807-4e8c-b5bf-992dc9e9c616", 0, "2026-11-20T18:02:00+00:00"),
]


def earlier_key(number: int) -> str:
    return f"snapshots/{number:020d}.db.zst"


def earlier_body(number: int) -> bytes:
    return (BUCKET / f"snapshot-{number}.zst").read_bytes()


def place(store: MemoryStore, number: int, body: bytes | None = None) -> None:
    """Put an object there as the earlier version did, at its time."""
    content = earlier_body(number) if body is None else body
    saved_at = SAVED_AT + timedelta(minutes=number - 1)
    info = ObjectInfo(earlier_key(number), len(content), saved_at)
    store.objects[info.key] = StoredObject(info, content)


@pytest.fixture
def store(clock: ManualClock) -> MemoryStore:
    """A bucket that the earlier version has written."""
    clock.advance(days=1)
    store = MemoryStore(clock)
    for number in (1, 2, 3):
        place(store, number)
    return store


def earlier_format(body: bytes) -> int:
    """What the earlier version finds first in a snapshot; above 1 it asks for an update.

    It checks the magic number, the length and the hash of the description before it believes it.
    """
    magic, length = struct.unpack_from("<II", body)
    frame = body[8 : 8 + length]
    text, digest = frame[:-65], frame[-64:]
    assert magic == 0x184D2A50
    assert len(frame) == length
    assert hashlib.sha256(text).hexdigest().encode() == digest
    return int(json.loads(text)["format"])


def transactions(replica: Replica) -> list[tuple[object, ...]]:
    with replica.read() as connection:
        sql = "SELECT * FROM replica_transactions ORDER BY transaction_id"
        return list(connection.execute(sql))


def earlier_file(number: int, path: Path) -> None:
    """The local file that the earlier version had at one of its snapshots."""
    _, compressed = read_frame(earlier_body(number), "")
    path.write_bytes(zstandard.ZstdDecompressor().decompress(compressed))


def test_every_row_is_there_and_every_time_is_kept(opened: Opener, store: MemoryStore) -> None:
    replica = opened("a")
    assert notes(replica) == ROWS
    assert transactions(replica) == TRANSACTIONS
    assert (replica.status().state, replica.status().sequence) == (State.OK, 1)
    genesis = unpack_entry(store.entry(1), log_key(1))
    assert genesis.kind is Kind.GENESIS
    for name, *_ in TRANSACTIONS:
        replica.wait_until_durable(str(name), 0)
    write(replica, "five")
    replica.sync_now()
    other = opened("b")
    assert replicated(other) == replicated(replica)
    assert set(TRANSACTIONS) < set(transactions(other))
    assert transactions(other) == transactions(replica)


def test_times_stay_as_the_log_goes_on(
    opened: Opener, store: MemoryStore, clock: ManualClock
) -> None:
    replica = opened("a")
    for number in range(5):
        clock.advance(hours=1)
        write(replica, f"{number}")
        replica.tick()
    for each in (replica, opened("b")):
        assert [row for row in transactions(each) if row[1] == 0] == TRANSACTIONS


def test_nothing_of_the_earlier_version_is_changed_or_deleted(
    opened: Opener, store: MemoryStore
) -> None:
    before = dict(store.objects)
    replica = opened("a")
    for number in range(5):
        write(replica, f"{number}")
        replica.snapshot()
    assert before.items() <= store.objects.items()
    assert len([key for key in store.keys("snapshots/") if "-" in key]) == 3


def test_earlier_version_is_kept_from_saving_where_nobody_looks(
    opened: Opener, store: MemoryStore
) -> None:
    assert [earlier_format(earlier_body(number)) for number in (1, 2, 3)] == [1, 1, 1]
    opened("a")
    numbered = [key for key in store.keys("snapshots/") if "-" not in key]
    assert numbered == [earlier_key(number) for number in (1, 2, 3, 4)]
    assert earlier_format(store.objects[earlier_key(4)].body) == 2


def test_the_fence_comes_before_the_content_is_read(opened: Opener, store: MemoryStore) -> None:
    """What the earlier version saves until the fence stands is taken along."""
    late = earlier_body(3)
    for key in (earlier_key(2), earlier_key(3)):
        del store.objects[key]

    def save_late(verb: str, key: str) -> None:
        if (verb, key) == ("put", earlier_key(2)):
            store.before = lambda verb, key: None
            place(store, 2, late)

    store.before = save_late
    replica = opened("a")
    assert notes(replica) == ROWS
    assert store.objects[earlier_key(2)].body == late
    assert earlier_format(store.objects[earlier_key(3)].body) == 2


@pytest.mark.parametrize("verb", ["get", "put", "list"])
@pytest.mark.parametrize("prefix", ["snapshots/", "log/", "bases/"])
@pytest.mark.parametrize("after_effect", [False, True])
def test_adoption_that_is_interrupted_is_done_again(
    opened: Opener, store: MemoryStore, verb: str, prefix: str, after_effect: bool
) -> None:
    replica = opened.bare("a")
    store.fail(verb, prefix, error=unreachable(verb), after_effect=after_effect)
    try:
        replica.restore()
    except StoreUnreachable:
        assert not replica.path.exists()
        replica.restore()
    assert notes(replica) == ROWS
    assert transactions(replica) == TRANSACTIONS
    assert store.numbers() == [1]
    assert [key for key in store.keys("snapshots/") if "-" not in key] == [
        earlier_key(number) for number in (1, 2, 3, 4)
    ]


def test_adoption_without_the_permission_to_write_leaves_all_as_it_is(
    opened: Opener, store: MemoryStore
) -> None:
    before = dict(store.objects)
    replica = opened.bare("a")
    store.fail("put", error=denied("put"))
    with pytest.raises(AccessDenied):
        replica.restore()
    assert store.objects == before


@pytest.mark.parametrize("meeting", [earlier_key(4), "bases/", log_key(1)])
def test_two_that_adopt_at_once_share_one_log(
    opened: Opener, store: MemoryStore, meeting: str
) -> None:
    first, second = opened.bare("a"), opened.bare("b")

    def meet(verb: str, key: str) -> None:
        if verb == "put" and key.startswith(meeting):
            store.before = lambda verb, key: None
            second.restore()

    store.before = meet
    first.restore()
    assert store.numbers() == [1]
    assert notes(first) == ROWS
    write(first, "five")
    write(second, "six")
    first.sync_now()
    second.sync_now()
    first.sync_now()
    assert len(names(first)) == 6
    assert replicated(first) == replicated(second)


@pytest.mark.parametrize("change", [corrupted, truncated, lambda body: b"", lambda body: b"<html>"])
def test_damaged_newest_falls_back_to_the_one_before_and_says_so(
    opened: Opener, store: MemoryStore, change: Callable[[bytes], bytes]
) -> None:
    store.damage(earlier_key(3), change)
    replica = opened("a")
    assert names(replica) == ["one", "two"]
    assert transactions(replica) == TRANSACTIONS[:2]
    assert earlier_key(3) in replica.status().note
    assert earlier_format(store.objects[earlier_key(4)].body) == 2


@pytest.mark.parametrize("change", [corrupted, truncated, lambda body: b""])
def test_damage_on_the_way_does_not_leave_the_newest_behind(
    opened: Opener, store: MemoryStore, change: Callable[[bytes], bytes]
) -> None:
    # Once it is asked whether it is the fence, once for its content.
    for _ in range(2):
        store.fail("get", earlier_key(3), change=change)
    replica = opened.bare("a")
    try:
        replica.restore()
    except StoreUnreachable:
        assert store.numbers() == []
        replica.restore()
    assert notes(replica) == ROWS


def test_store_with_nothing_sound_is_not_begun_anew(opened: Opener, store: MemoryStore) -> None:
    for number in (1, 2, 3):
        store.damage(earlier_key(number), corrupted)
    replica = opened.bare("a")
    with pytest.raises(SnapshotCorrupt, match=earlier_key(3)):
        replica.restore()
    assert store.numbers() == []
    assert not replica.path.exists()


def test_earlier_content_comes_before_what_would_be_imported(
    opened: Opener, store: MemoryStore
) -> None:
    def prepare(given: ObjectStore, transaction: Transaction) -> None:
        insert(transaction, "imported")

    assert notes(opened("a", prepare_first=prepare)) == ROWS


def test_adoption_and_a_new_schema_in_one_step(opened: Opener, store: MemoryStore) -> None:
    replica = opened("a", migrations=NEXT_SCHEMA)
    with replica.read() as connection:
        rows = connection.execute("SELECT * FROM notes ORDER BY name").fetchall()
    assert rows == [(*row, None) for row in ROWS]
    entries = [unpack_entry(store.entry(number), log_key(number)) for number in store.numbers()]
    assert [entry.kind for entry in entries] == [Kind.GENESIS, Kind.MIGRATION]


def test_local_file_of_the_earlier_version_is_kept_aside_with_a_note(
    opened: Opener, store: MemoryStore, tmp_path: Path
) -> None:
    earlier_file(2, tmp_path / "a.db")
    content = (tmp_path / "a.db").read_bytes()
    replica = opened("a")
    assert notes(replica) == ROWS
    aside = tmp_path / "a.db.before-the-log-2026-11-21T18-00-00Z"
    assert aside.read_bytes() == content
    assert aside.name in replica.status().note
    replica.close(0)
    again = opened("a")
    assert again.status().note == ""
    assert notes(again) == ROWS


def test_unsaved_changes_of_an_earlier_local_file_stay_readable(
    opened: Opener, store: MemoryStore, tmp_path: Path
) -> None:
    earlier_file(3, tmp_path / "a.db")
    with closing(apsw.Connection(str(tmp_path / "a.db"))) as connection:
        connection.pragma("journal_mode", "wal")
        connection.execute("INSERT INTO notes VALUES ('unsaved', '')")
        # As after a kill: the change is in the write-ahead log alone.
        for end in ("", "-wal"):
            source = tmp_path / f"a.db{end}"
            (tmp_path / f"killed.db{end}").write_bytes(source.read_bytes())
    replica = opened("killed")
    assert notes(replica) == ROWS
    [aside] = list(tmp_path.glob("killed.db.before-the-log-*Z"))
    with closing(apsw.Connection(str(aside))) as connection:
        rows = connection.execute("SELECT name FROM notes").fetchall()
    assert ("unsaved",) in rows


def test_content_before_the_log_is_what_the_log_begins_with(
    opened: Opener, store: MemoryStore, tmp_path: Path
) -> None:
    replica = opened("a")
    write(replica, "five")
    replica.sync_now()
    assert replica.restore_to(1) == 3
    assert notes(replica) == ROWS
    assert write_as_of(store, tmp_path / "then.db", SCHEMA, TABLES, 1)
    assert notes(opened("then")) == ROWS
