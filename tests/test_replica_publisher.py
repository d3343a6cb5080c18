"""The background publisher: woken, held up, mended, closed; never silent and never twice."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from replica import DurabilityTimeout, Replica, ReplicaError, State, StoreUnreachable
from replica.log import log_key
from replica.publisher import THREAD_NAME, Publisher, backoff_seconds
from tests.stores import (
    ManualClock,
    MemoryStore,
    corrupted,
    in_store,
    names,
    open_replica,
    unreachable,
    write,
)

PATIENCE_SECONDS = 10


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore(ManualClock())


@pytest.fixture
def replica(tmp_path: Path, store: MemoryStore) -> Iterator[Replica]:
    replica = open_replica(
        tmp_path / "a.db", store, backoff_base_seconds=0.001, backoff_cap_seconds=0.002
    )
    yield replica
    replica.close(0)


def until(replica: Replica, condition: Callable[[], bool]) -> None:
    """Wait, on the replica's own announcements, for something to become true."""
    with replica._progress:
        assert replica._progress.wait_for(condition, PATIENCE_SECONDS)


def publishers() -> int:
    return sum(thread.name == THREAD_NAME for thread in threading.enumerate())


def test_request_is_carried_out_in_the_background(replica: Replica, store: MemoryStore) -> None:
    replica.restore()
    replica.start_publisher()
    replica.start_publisher()
    assert publishers() == 1
    transaction_id = write(replica, "one")
    replica.request_sync()
    replica.wait_until_durable(transaction_id, PATIENCE_SECONDS)
    assert store.numbers() == [1, 2]


def test_what_was_pending_at_start_is_published_unasked(
    replica: Replica, store: MemoryStore
) -> None:
    replica.restore()
    write(replica, "one")
    replica.start_publisher()
    until(replica, lambda: replica.status().state is State.OK)
    assert store.numbers() == [1, 2]


def test_outage_is_shown_and_ends_by_itself(replica: Replica, store: MemoryStore) -> None:
    replica.restore()
    replica.start_publisher()
    store.away = True
    transaction_id = write(replica, "one")
    replica.request_sync()
    until(replica, lambda: replica.status().state is State.OFFLINE)
    assert replica.status().pending_transactions == 1
    assert isinstance(replica.status().last_error, StoreUnreachable)
    write(replica, "two")
    assert names(replica) == ["one", "two"]
    store.away = False
    until(replica, lambda: replica.status().state is State.OK)
    replica.wait_until_durable(transaction_id, 0)


def test_start_without_the_store_is_made_up_for(
    replica: Replica, store: MemoryStore, tmp_path: Path
) -> None:
    other = open_replica(tmp_path / "other.db", store)
    other.restore()
    write(other, "one")
    other.close(PATIENCE_SECONDS)
    store.away = True
    with pytest.raises(StoreUnreachable):
        replica.restore()
    assert replica.status().state is State.OFFLINE
    replica.start_publisher()
    store.away = False
    until(replica, lambda: replica.status().state is State.OK)
    assert names(replica) == ["one"]


def test_defect_is_shown_and_survived(replica: Replica, store: MemoryStore) -> None:
    replica.restore()
    replica.start_publisher()
    defects = [ZeroDivisionError("odd"), ZeroDivisionError("odd")]

    def fail(verb: str, key: str) -> None:
        if defects:
            raise defects.pop()

    store.before = fail
    seen: list[ReplicaError | None] = []
    report = replica._publisher._report

    def observe(error: ReplicaError) -> None:
        seen.append(error)
        report(error)

    replica._publisher._report = observe
    transaction_id = write(replica, "one")
    replica.wait_until_durable(transaction_id, PATIENCE_SECONDS)
    assert [str(error).count("ZeroDivisionError") for error in seen] == [1, 1]
    assert all(error and error.remedy for error in seen)
    assert publishers() == 1


def test_lost_race_is_made_up_for_in_the_background(
    replica: Replica, store: MemoryStore, tmp_path: Path
) -> None:
    replica.restore()
    other = open_replica(tmp_path / "other.db", store)
    other.restore()
    write(other, "theirs")
    other.close(PATIENCE_SECONDS)
    replica.start_publisher()
    mine = write(replica, "mine")
    replica.wait_until_durable(mine, PATIENCE_SECONDS)
    assert names(replica) == ["mine", "theirs"]
    assert in_store(store, tmp_path / "check") == ["mine", "theirs"]


def test_what_only_a_person_can_mend_is_not_tried_over_and_over(
    replica: Replica, store: MemoryStore
) -> None:
    replica.restore()
    write(replica, "one")
    replica.sync_now()
    store.damage(log_key(2), corrupted)
    store.fail("put", error=unreachable("put"))
    replica.start_publisher()
    transaction_id = write(replica, "two")
    until(replica, lambda: replica.status().state is State.HALTED)
    store.requests.clear()
    with pytest.raises(DurabilityTimeout, match="doctor --repair"):
        replica.wait_until_durable(transaction_id, PATIENCE_SECONDS)
    # The wait asked once more; nothing else does.
    assert replica._publisher.stop(PATIENCE_SECONDS, flush=False) is True
    look = [("get", log_key(1)), ("get", log_key(2)), ("get", log_key(2))]
    assert store.requests in ([], look)


def test_closing_publishes_what_is_pending(
    replica: Replica, store: MemoryStore, tmp_path: Path
) -> None:
    replica.restore()
    replica.start_publisher()
    write(replica, "one")
    replica.close(PATIENCE_SECONDS)
    assert publishers() == 0
    assert in_store(store, tmp_path / "check") == ["one"]


def test_closing_without_a_publisher_publishes_too(
    replica: Replica, store: MemoryStore, tmp_path: Path
) -> None:
    replica.restore()
    write(replica, "one")
    replica.close(PATIENCE_SECONDS)
    assert in_store(store, tmp_path / "check") == ["one"]


def test_closing_does_not_wait_for_a_store_that_hangs(
    replica: Replica, store: MemoryStore, tmp_path: Path
) -> None:
    replica.restore()
    replica.start_publisher()
    in_request, answer = threading.Event(), threading.Event()

    def hang(verb: str, key: str) -> None:
        in_request.set()
        assert answer.wait(PATIENCE_SECONDS)

    store.before = hang
    write(replica, "one")
    replica.request_sync()
    assert in_request.wait(PATIENCE_SECONDS)
    started = time.monotonic()
    replica.close(0.05)
    assert time.monotonic() - started < 5
    assert replica.status().state is State.CLOSED
    # The file is free although the thread still waits; what it finds out later changes nothing.
    again = open_replica(tmp_path / "a.db", store)
    store.before = lambda verb, key: None
    thread = replica._publisher._thread
    answer.set()
    assert thread is not None
    thread.join(PATIENCE_SECONDS)
    assert not thread.is_alive()
    again.restore()
    again.sync_now()
    assert names(again) == ["one"]
    assert store.numbers() == [1, 2]
    again.close(0)


def test_wakes_during_an_exchange_become_one_more(store: MemoryStore) -> None:
    running, go_on, finished = threading.Event(), threading.Event(), threading.Semaphore(0)
    count: list[int] = []

    def exchange() -> None:
        count.append(1)
        running.set()
        assert go_on.wait(PATIENCE_SECONDS)
        finished.release()

    publisher = Publisher(exchange, count.append, Random(1), base_seconds=1, cap_seconds=1)  # type: ignore[arg-type]
    publisher.start()
    publisher.wake()
    assert running.wait(PATIENCE_SECONDS)
    for _ in range(5):
        publisher.wake()
    go_on.set()
    for _ in range(2):
        assert finished.acquire(timeout=PATIENCE_SECONDS)
    assert publisher.stop(PATIENCE_SECONDS, flush=False) is True
    assert len(count) == 2


def test_request_cuts_a_long_pause_short(tmp_path: Path, store: MemoryStore) -> None:
    replica = open_replica(
        tmp_path / "b.db", store, backoff_base_seconds=3600, backoff_cap_seconds=3600
    )
    replica.restore()
    replica.start_publisher()
    store.fail("put", error=unreachable("put"))
    transaction_id = write(replica, "one")
    replica.request_sync()
    until(replica, lambda: replica.status().state is State.OFFLINE)
    replica.request_sync()
    replica.wait_until_durable(transaction_id, PATIENCE_SECONDS)
    replica.close(0)


def test_backoff_doubles_up_to_a_cap_and_is_spread_from_zero() -> None:
    class Widest(Random):
        def uniform(self, a: float, b: float) -> float:
            assert a == 0
            return b

    def ceiling(failures: int) -> float:
        return backoff_seconds(failures, Widest(), base_seconds=1, cap_seconds=300)

    assert [ceiling(failures) for failures in (1, 2, 3, 9, 10, 5000)] == [1, 2, 4, 256, 300, 300]
    spread: list[Any] = [
        backoff_seconds(3, Random(seed), base_seconds=1, cap_seconds=300) for seed in range(50)
    ]
    assert min(spread) < 0.5
    assert max(spread) > 3.5
