"""The numbered objects of the log, for many writers and for one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from replica.envelope import NO_PARENT, Change, Entry, Kind, pack_entry
from replica.errors import (
    AccessDenied,
    EntryRefused,
    Forked,
    LeaseHeld,
    ObjectExists,
    ObjectNotFound,
    StoreUnreachable,
)
from replica.log import (
    LEASE_KEY,
    LEASE_SECONDS,
    SharedLog,
    SingleWriterLog,
    find_log,
    log_key,
    log_sequence,
    make_log,
)
from replica.probe import StoreMode
from replica.store import ObjectStore, PutMode
from replica.stores.folder import FolderStore
from replica.stores.s3 import S3Store
from tests.servers import s3_options
from tests.stores import ManualClock, MemoryStore, denied, unreachable

pytestmark = pytest.mark.usefixtures("no_ambient_aws", "shared_service_descriptions")

FIRST, SECOND = "0123456789abcdef", "fedcba9876543210"


@pytest.fixture(params=["moto", "ministack", "folder"])
def real_store(
    request: pytest.FixtureRequest, tmp_path: Path, new_bucket: Callable[[str], str]
) -> ObjectStore:
    if request.param == "folder":
        return FolderStore(tmp_path / "store")
    url = request.getfixturevalue(f"{request.param}_endpoint")
    return S3Store(s3_options(url, new_bucket(url)))


@pytest.mark.parametrize(
    ("sequence", "writer_id", "key"),
    [
        (1, None, "log/00000000000000000001"),
        (10**19, None, "log/10000000000000000000"),
        (40, FIRST, f"log/00000000000000000040-{FIRST}"),
    ],
)
def test_a_key_says_its_sequence(sequence: int, writer_id: str | None, key: str) -> None:
    assert log_key(sequence, writer_id) == key
    assert log_sequence(key) == sequence


@pytest.mark.parametrize(
    "key",
    [
        "log/",
        "log/1",
        "log/00000000000000000000",
        "log/0000000000000000000x",
        "log/000000000000000000001",
        "log/00000000000000000001-",
        "log/00000000000000000001-0123",
        "log/00000000000000000001-0123456789ABCDEF",
        "log/00000000000000000001.tmp",
        f"log/{chr(0x661) * 20}",
        "snapshots/00000000000000000001",
        "00000000000000000001",
        "backups/log/00000000000000000001",
    ],
)
def test_what_is_no_entry_has_no_sequence(key: str) -> None:
    assert log_sequence(key) is None


@pytest.mark.parametrize("mode", StoreMode)
def test_entries_are_claimed_read_and_listed(
    real_store: ObjectStore, mode: StoreMode, clock: ManualClock
) -> None:
    log = make_log(real_store, mode, clock)
    assert log.mode is mode
    assert log.list_after(0) == []
    for sequence in range(1, 12):
        claimed = log.claim(sequence, f"entry {sequence}".encode(), FIRST)
        assert log_sequence(claimed.key) == sequence
        assert log.fetch(sequence).body == f"entry {sequence}".encode()
        assert log.fetch(sequence).info.key == claimed.key
    assert log.list_after(0) == list(range(1, 12))
    assert log.list_after(9) == [10, 11]
    assert log.list_after(11) == []
    with pytest.raises(ObjectNotFound):
        log.fetch(12)
    log.release()
    found = find_log(real_store, clock)
    assert found is not None
    assert found.mode is mode


@pytest.mark.parametrize("writer_id", [FIRST, SECOND])
@pytest.mark.parametrize("mode", StoreMode)
def test_a_taken_sequence_stays_as_it_is(
    real_store: ObjectStore, mode: StoreMode, writer_id: str, clock: ManualClock
) -> None:
    log = make_log(real_store, mode, clock)
    log.claim(1, b"first", FIRST)
    log.release()
    before = log.fetch(1)
    with pytest.raises(ObjectExists):
        make_log(real_store, mode, clock).claim(1, b"second", writer_id)
    assert log.fetch(1) == before
    assert [info.key for info in real_store.list("log/")] == [before.info.key]


@pytest.mark.parametrize("mode", StoreMode)
def test_a_refusal_is_not_the_end_of_the_log(
    store: MemoryStore, mode: StoreMode, clock: ManualClock
) -> None:
    log = make_log(store, mode, clock)
    log.claim(1, b"first", FIRST)
    for sequence in (1, 2):
        verb = "get" if mode is StoreMode.MULTI_WRITER else "list"
        store.fail(verb, error=denied(verb))
        with pytest.raises(AccessDenied):
            log.fetch(sequence)


@pytest.mark.parametrize("mode", StoreMode)
def test_the_tail_takes_one_listing_of_what_is_new(
    store: MemoryStore, mode: StoreMode, clock: ManualClock
) -> None:
    log = make_log(store, mode, clock)
    for sequence in (1, 2, 3):
        log.claim(sequence, b"entry", FIRST)
    store.requests.clear()
    assert log.list_after(1) == [2, 3]
    assert store.requests == [("list", "log/")]


def test_what_else_lies_in_the_log_is_not_listed(store: MemoryStore, clock: ManualClock) -> None:
    for key in (log_key(1), log_key(2, FIRST), "log/readme", log_key(3), log_key(4, FIRST)):
        store.put(key, b"", PutMode.CREATE)
    assert SharedLog(store).list_after(0) == [1, 3]
    assert SingleWriterLog(store, clock).list_after(0) == [1, 2, 3, 4]
    assert SingleWriterLog(store, clock).list_after(2) == [3, 4]


def test_reading_what_is_next_takes_one_request(store: MemoryStore, clock: ManualClock) -> None:
    for log in (SharedLog(store), SingleWriterLog(store, clock)):
        store.requests.clear()
        with pytest.raises(ObjectNotFound):
            log.fetch(2)
        assert len(store.requests) == 1


def test_a_store_without_entries_has_no_log(store: MemoryStore, clock: ManualClock) -> None:
    for key in ("head.json", "snapshots/00000000000000000001.db.zst", "log/readme", "probe/1"):
        store.put(key, b"", PutMode.CREATE)
    assert find_log(store, clock) is None


@pytest.mark.parametrize("key", [log_key(2), log_key(7, FIRST)])
def test_a_log_that_lost_its_beginning_is_not_a_new_one(
    store: MemoryStore, clock: ManualClock, key: str
) -> None:
    store.put(key, b"", PutMode.CREATE)
    with pytest.raises(EntryRefused, match=r"00001: .*later entries are there"):
        find_log(store, clock)


def test_a_log_that_begins_between_two_questions_is_found(
    store: MemoryStore, clock: ManualClock
) -> None:
    def begin(verb: str, key: str) -> None:
        if verb == "list":
            store.before = lambda verb, key: None
            store.put(log_key(1), b"genesis", PutMode.CREATE)

    store.before = begin
    assert isinstance(find_log(store, clock), SharedLog)


def test_looking_for_a_log_passes_refusals_on(store: MemoryStore, clock: ManualClock) -> None:
    for verb in ("get", "list"):
        store.fail(verb, error=denied(verb))
        with pytest.raises(AccessDenied):
            find_log(store, clock)


def test_finding_a_log_for_many_takes_one_request(store: MemoryStore, clock: ManualClock) -> None:
    SharedLog(store).claim(1, b"genesis", FIRST)
    store.requests.clear()
    find_log(store, clock)
    assert store.requests == [("get", log_key(1))]


# One writer only: the store's creates cannot be trusted, and nothing here relies on them.


@pytest.fixture
def single(store: MemoryStore, clock: ManualClock) -> SingleWriterLog:
    return SingleWriterLog(store, clock)


def between(store: MemoryStore, verb: str, prefix: str, do: Callable[[], object]) -> None:
    """Do something just before the next such request has its effect."""

    def hook(asked: str, key: str) -> None:
        if asked == verb and key.startswith(prefix):
            store.before = lambda verb, key: None
            do()

    store.before = hook


def test_two_that_write_at_once_are_a_fork_and_both_are_kept(
    store: MemoryStore, single: SingleWriterLog
) -> None:
    other = log_key(1, SECOND)
    between(store, "put", "log/", lambda: store.put(other, b"second", PutMode.OVERWRITE))
    with pytest.raises(Forked, match=SECOND):
        single.claim(1, b"first", FIRST)
    assert [store.get(key).body for key in (log_key(1, FIRST), other)] == [b"first", b"second"]
    with pytest.raises(Forked, match=FIRST):
        single.fetch(1)
    with pytest.raises(Forked):
        single.claim(1, b"third", FIRST)
    assert single.list_after(0) == [1]


def test_who_took_the_store_for_a_shared_one_is_a_second_writer(
    store: MemoryStore, single: SingleWriterLog
) -> None:
    between(store, "put", log_key(2), lambda: SharedLog(store).claim(2, b"second", SECOND))
    SharedLog(store).claim(1, b"genesis", SECOND)
    with pytest.raises(ObjectExists):
        single.claim(1, b"genesis too", FIRST)
    with pytest.raises(Forked):
        single.claim(2, b"first", FIRST)
    with pytest.raises(Forked):
        single.fetch(2)


def test_a_claim_that_arrived_without_an_answer_is_settled_by_reading(
    store: MemoryStore, single: SingleWriterLog, clock: ManualClock
) -> None:
    store.fail("put", "log/", error=unreachable("put"), after_effect=True)
    with pytest.raises(StoreUnreachable):
        single.claim(1, b"first", FIRST)
    arrived_at = clock.now
    clock.advance(minutes=1)
    with pytest.raises(ObjectExists):
        single.claim(1, b"first", FIRST)
    assert single.fetch(1).body == b"first"
    assert single.fetch(1).info.modified_at == arrived_at, "its time is not moved"


def test_a_second_writer_waits_for_the_lease(
    store: MemoryStore, single: SingleWriterLog, clock: ManualClock
) -> None:
    single.claim(1, b"first", FIRST)
    second = SingleWriterLog(store, clock)
    for _ in range(2):
        with pytest.raises(LeaseHeld, match=f"{FIRST}.*2026-11-20 18:10:00 UTC"):
            second.claim(2, b"second", SECOND)
        clock.advance(seconds=LEASE_SECONDS - 1 if clock.now.minute == 0 else 0)
    clock.advance(seconds=1)
    second.claim(2, b"second", SECOND)
    assert single.fetch(2).body == b"second"
    with pytest.raises(LeaseHeld, match=SECOND):
        SingleWriterLog(store, clock).claim(3, b"third", FIRST)


def test_a_released_lease_is_free_at_once(
    store: MemoryStore, single: SingleWriterLog, clock: ManualClock
) -> None:
    single.claim(1, b"first", FIRST)
    single.release()
    SingleWriterLog(store, clock).claim(2, b"second", SECOND)
    # Released once; what another holds by now is not touched.
    before = store.get(LEASE_KEY)
    single.release()
    assert store.get(LEASE_KEY) == before


def test_a_lease_that_was_taken_over_is_not_released(
    store: MemoryStore, single: SingleWriterLog, clock: ManualClock
) -> None:
    single.claim(1, b"first", FIRST)
    clock.advance(seconds=LEASE_SECONDS)
    SingleWriterLog(store, clock).claim(2, b"second", SECOND)
    before = store.get(LEASE_KEY)
    single.release()
    assert store.get(LEASE_KEY) == before


def test_a_writer_that_starts_again_keeps_its_lease(
    store: MemoryStore, single: SingleWriterLog, clock: ManualClock
) -> None:
    single.claim(1, b"first", FIRST)
    SingleWriterLog(store, clock).claim(2, b"second", FIRST)


def test_a_lease_is_renewed_before_it_ends_and_not_at_each_write(
    store: MemoryStore, single: SingleWriterLog, clock: ManualClock
) -> None:
    written: list[timedelta] = []
    began = clock.now
    for sequence in range(1, 16):
        store.requests.clear()
        single.claim(sequence, b"entry", FIRST)
        if ("put", LEASE_KEY) in store.requests:
            written.append(clock.now - began)
        else:
            assert [verb for verb, _ in store.requests] == ["list", "put", "list"]
        clock.advance(minutes=1)
    assert written == [timedelta(minutes=minutes) for minutes in (0, 5, 10)]


def test_the_lease_goes_by_the_stores_clock(clock: ManualClock) -> None:
    class Ahead(MemoryStore):
        clock_offset_seconds = 3600.0

    ahead = Ahead(lambda: clock.now + timedelta(hours=1))
    SingleWriterLog(ahead, clock).claim(1, b"first", FIRST)
    clock.advance(seconds=LEASE_SECONDS - 1)
    with pytest.raises(LeaseHeld):
        SingleWriterLog(ahead, clock).claim(2, b"second", SECOND)
    clock.advance(seconds=1)
    SingleWriterLog(ahead, clock).claim(2, b"second", SECOND)


@pytest.mark.parametrize("content", [b"", b"\xff", b"[]", b"{}", b'{"writer_id": 7}'])
def test_a_lease_that_cannot_be_read_keeps_nobody_out(
    store: MemoryStore, single: SingleWriterLog, content: bytes
) -> None:
    store.put(LEASE_KEY, content, PutMode.OVERWRITE)
    single.claim(1, b"first", FIRST)
    assert single.fetch(1).body == b"first"


def test_without_the_lease_nothing_is_written(store: MemoryStore, single: SingleWriterLog) -> None:
    for verb in ("get", "put"):
        store.fail(verb, LEASE_KEY, error=denied(verb))
        with pytest.raises(AccessDenied):
            single.claim(1, b"first", FIRST)
    assert single.list_after(0) == []


def test_a_store_that_is_away_lets_the_lease_run_out(
    store: MemoryStore, single: SingleWriterLog, clock: ManualClock
) -> None:
    single.claim(1, b"first", FIRST)
    store.away = True
    single.release()
    store.away = False
    with pytest.raises(LeaseHeld):
        SingleWriterLog(store, clock).claim(2, b"second", SECOND)


def entry(sequence: int, writer_id: str) -> bytes:
    change = Change("0" * 31 + "1", b"a changeset")
    parent = NO_PARENT if sequence == 1 else "1" * 64
    return pack_entry(
        Entry(Kind.CHANGES, "a" * 32, sequence, parent, 0, writer_id, 1, (change,)),
    )


@pytest.mark.parametrize("mode", StoreMode)
def test_an_entry_is_put_back_at_its_own_key(
    store: MemoryStore, mode: StoreMode, clock: ManualClock
) -> None:
    log = make_log(store, mode, clock)
    claimed = log.claim(2, b"damaged", FIRST)
    with pytest.raises(ObjectExists):
        log.put_back(2, entry(2, FIRST), PutMode.CREATE)
    assert log.fetch(2).body == b"damaged"
    log.put_back(2, entry(2, FIRST))
    assert log.fetch(2).body == entry(2, FIRST)
    store.delete(claimed.key)
    log.put_back(2, entry(2, FIRST), PutMode.CREATE)
    assert (log.fetch(2).info.key, log.fetch(2).body) == (claimed.key, entry(2, FIRST))


def test_nothing_is_put_back_beside_another_writers_entry(
    store: MemoryStore, single: SingleWriterLog
) -> None:
    single.claim(2, b"damaged", FIRST)
    with pytest.raises(Forked):
        single.put_back(2, entry(2, SECOND))
    assert [info.key for info in store.list("log/")] == [log_key(2, FIRST)]
