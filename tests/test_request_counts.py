"""How many requests things take, counted on the way to a real server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks.network import Proxy
from replica import Replica
from tests.writer_process import open_writer, store_of


@dataclass(frozen=True)
class Counted:
    """A replica that has caught up, and the proxy that counts what it asks."""

    replica: Replica
    proxy: Proxy

    def requests(self, action: Callable[[], object]) -> dict[str, int]:
        """The requests that an action took, by operation."""
        self.proxy.forget()
        action()
        return dict(self.proxy.traffic().requests)

    def write(self, *keys: str) -> None:
        with self.replica.transaction() as transaction:
            for key in keys:
                transaction.execute("INSERT INTO notes VALUES (?, ?)", (f"note {key}", key))


@pytest.fixture
def counted(
    tmp_path: Path, moto_endpoint: str, new_bucket: Callable[[str], str]
) -> Iterator[Counted]:
    bucket = new_bucket(moto_endpoint)
    with Proxy(moto_endpoint) as proxy:
        replica = open_writer(tmp_path / "state.db", store_of((proxy.url, bucket)))
        replica.restore()
        try:
            yield Counted(replica, proxy)
        finally:
            replica.close(0)


def test_a_write_is_one_put_and_an_idle_tick_one_get(counted: Counted) -> None:
    counted.write("first")
    counted.replica.tick()
    for number in range(3):
        counted.write(f"one {number}")
        assert counted.requests(counted.replica.sync_now) == {"PUT": 1}
    counted.replica.tick()
    for _ in range(3):
        assert counted.requests(counted.replica.tick) == {"GET": 1}


def test_writes_that_wait_travel_together(counted: Counted) -> None:
    counted.write("first")
    counted.replica.sync_now()
    for number in range(20):
        counted.write(f"one {number}")
    assert counted.requests(counted.replica.sync_now) == {"PUT": 1}
    [put] = counted.proxy.exchanges()
    assert "/log/" in put.key


def test_taking_over_what_others_wrote_is_one_get_for_each_entry_and_one_for_the_end(
    counted: Counted, tmp_path: Path, moto_endpoint: str
) -> None:
    bucket = counted.replica.status().location.removeprefix("s3://").partition("/")[0]
    other = open_writer(tmp_path / "other.db", store_of((moto_endpoint, bucket)))
    other.restore()
    for number in range(3):
        with other.transaction() as transaction:
            transaction.execute("INSERT INTO notes VALUES (?, 'other')", (str(number),))
        other.sync_now()
    other.close(0)
    assert counted.requests(counted.replica.sync_now) == {"GET": 4}


def test_the_size_of_a_write_follows_the_write(counted: Counted) -> None:
    sizes: list[int] = []
    for count in (1, 1, 200):
        counted.write(*(f"{len(sizes)}-{number}" for number in range(count)))
        counted.requests(counted.replica.sync_now)
        sizes.append(counted.proxy.traffic().request_body_bytes)
    counted.write("last")
    counted.requests(counted.replica.sync_now)
    assert sizes[0] < 600
    assert abs(counted.proxy.traffic().request_body_bytes - sizes[0]) < 20
    assert sizes[2] > 2 * sizes[0]
