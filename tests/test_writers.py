"""Several processes write to one store at once, and some are killed in the middle of it.

Each has a database file of its own. A killed one starts again on an empty disk and goes on after
the last write that it had reported as durable.
"""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest

from benchmarks.network import Proxy
from replica import ObjectStore
from replica.envelope import unpack_entry
from tests.proxies import Fault, FaultyProxy
from tests.writer_process import Orders, content, open_writer, store_of

CHECKOUT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Extent:
    """How many processes write how much, and how many of them are killed once."""

    writers: int
    writes: int
    kills: int
    limit_seconds: float


SHORT = Extent(writers=4, writes=15, kills=1, limit_seconds=100)
FULL = Extent(writers=8, writes=200, kills=2, limit_seconds=1500)
FULL_MARKS = [pytest.mark.soak, pytest.mark.timeout(1600)]
EXTENTS = [pytest.param(SHORT, id="short"), pytest.param(FULL, id="full", marks=FULL_MARKS)]


@dataclass
class Reported:
    """What the processes have said: durable notes by id, and the content each ended with."""

    notes: dict[str, str] = field(default_factory=dict)
    transactions: list[str] = field(default_factory=list)
    contents: dict[str, str] = field(default_factory=dict)
    kills: int = 0


class Writers:
    """Runs the processes and listens to each in a thread of its own."""

    def __init__(
        self, folder: Path, place: tuple[str, ...], extent: Extent, randomness: Random
    ) -> None:
        self._folder = folder
        self._place = place
        self._extent = extent
        self._names = [f"writer{number}" for number in range(extent.writers)]
        self._victims = {
            # After how many of its writes each is killed, and how much later, in seconds.
            name: (randomness.randrange(1, extent.writes), randomness.uniform(0, 0.03))
            for name in randomness.sample(self._names, extent.kills)
        }
        self._together = threading.Barrier(extent.writers)
        self._lock = threading.Lock()
        self._running: list[subprocess.Popen[str]] = []
        self._failure: BaseException | None = None
        self.reported = Reported()

    def run(self) -> Reported:
        """Returns when all have written everything and caught up with each other."""
        watch = threading.Timer(self._extent.limit_seconds, self._end)
        watch.start()
        try:
            with ThreadPoolExecutor(len(self._names)) as threads:
                for name in self._names:
                    threads.submit(self._live, name)
        finally:
            watch.cancel()
            self._end()
        if self._failure is not None:
            raise self._failure
        return self.reported

    def _live(self, name: str) -> None:
        try:
            first = self._write(name, 0, self._victims.get(name))
            if first is not None:
                again = self._write(name, first, None)
                assert again is None
        except BaseException as error:
            with self._lock:
                # Those that follow are its consequences.
                self._failure = self._failure or error
            self._end()
            raise

    def _write(self, name: str, first: int, death: tuple[int, float] | None) -> int | None:
        """One process's life; after a death, the number of the first note not reported."""
        path = self._folder / f"{name}-from-{first}.db"
        orders = Orders(
            name=name,
            path=str(path),
            place=self._place,
            first=first,
            last=self._extent.writes,
            tick_every=10 if name == self._names[0] else 0,
        )
        process = self._start(orders)
        assert process.stdin is not None
        assert process.stdout is not None
        reached = first
        for line in process.stdout:
            word, *rest = line.split()
            # A killed process can leave half a line.
            if word == "durable" and line.endswith("\n"):
                self._durable(*rest)
                reached += 1
                if death is not None and reached == death[0]:
                    threading.Event().wait(death[1])
                    process.kill()
            elif word == "done" and death is None:
                self._together.wait()
                process.stdin.write("finish\n")
                process.stdin.flush()
            elif word == "content":
                with self._lock:
                    self.reported.contents[name] = " ".join(rest)
        code = process.wait(timeout=30)
        if death is None:
            assert code == 0, f"{name} ended with {code}"
            return None
        assert code == -9, f"{name} was to be killed and ended with {code}"
        with self._lock:
            self.reported.kills += 1
        return reached

    def _durable(self, transaction_id: str, note_id: str, key: str) -> None:
        with self._lock:
            self.reported.transactions.append(transaction_id)
            self.reported.notes[note_id] = key

    def _start(self, orders: Orders) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.writer_process", json.dumps(dataclasses.asdict(orders))],
            cwd=CHECKOUT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        with self._lock:
            self._running.append(process)
        return process

    def _end(self) -> None:
        self._together.abort()
        with self._lock:
            running, self._running = self._running, []
        for process in running:
            process.kill()
            process.communicate(timeout=30)


def restored_content(folder: Path, store: ObjectStore) -> tuple[str, dict[str, str]]:
    """What a machine with an empty disk gets: sequence and hash, and the notes."""
    folder.mkdir()
    replica = open_writer(folder / "fresh.db", store)
    try:
        replica.restore()
        with replica.read() as connection:
            found = f"{replica.status().sequence} {content(connection)}"
            return found, dict(connection.execute("SELECT note_id, key FROM notes"))
    finally:
        replica.close(0)


def check(folder: Path, store: ObjectStore, extent: Extent, reported: Reported) -> None:
    """Nothing that was reported is missing or there twice, and all replicas are equal."""
    assert reported.kills == extent.kills
    assert len(reported.notes) == len(reported.transactions) == extent.writers * extent.writes
    assert len(reported.contents) == extent.writers

    in_log = Counter(
        transaction_id
        for info in store.list("log/")
        for transaction_id in unpack_entry(store.get(info.key).body, info.key).transaction_ids
    )
    assert set(in_log.values()) == {1}
    assert set(reported.transactions) <= set(in_log)

    fresh, notes = restored_content(folder / "fresh", store)
    assert set(reported.contents.values()) == {fresh}
    assert reported.notes.items() <= notes.items()
    # What a process had written and not reported when it was killed may be there or not.
    assert len(notes) - len(reported.notes) <= reported.kills
    assert len(in_log) == len(notes)

    # From the beginning of the log it is the same as from the newest snapshot.
    for snapshot in store.list("snapshots/"):
        store.delete(snapshot.key)
    assert restored_content(folder / "replayed", store)[0] == fresh


def write_together(folder: Path, place: tuple[str, ...], extent: Extent, seed: int) -> Reported:
    return Writers(folder, place, extent, Random(seed)).run()


@pytest.mark.parametrize("extent", EXTENTS)
def test_writers_share_a_folder(tmp_path: Path, extent: Extent) -> None:
    place = (str(tmp_path / "store"),)
    reported = write_together(tmp_path, place, extent, seed=1)
    check(tmp_path, store_of(place), extent, reported)


@pytest.mark.parametrize("extent", EXTENTS)
def test_writers_share_a_bucket_of_moto(
    tmp_path: Path, moto_endpoint: str, new_bucket: Callable[[str], str], extent: Extent
) -> None:
    place = (moto_endpoint, new_bucket(moto_endpoint))
    reported = write_together(tmp_path, place, extent, seed=2)
    check(tmp_path, store_of(place), extent, reported)


@pytest.mark.parametrize("extent", EXTENTS[1:])
def test_writers_share_a_bucket_of_ministack(
    tmp_path: Path, ministack_endpoint: str, new_bucket: Callable[[str], str], extent: Extent
) -> None:
    bucket = new_bucket(ministack_endpoint)
    # MiniStack stores half a body when the client is killed in the middle of it, which no S3 does;
    # the proxy passes on whole requests only.
    with Proxy(ministack_endpoint) as proxy:
        reported = write_together(tmp_path, (proxy.url, bucket), extent, seed=3)
    check(tmp_path, store_of((ministack_endpoint, bucket)), extent, reported)


FAULTY_SHORT = Extent(writers=3, writes=5, kills=1, limit_seconds=100)
FAULTY_EXTENTS = [pytest.param(FAULTY_SHORT, id="short", marks=pytest.mark.soak), EXTENTS[1]]


@pytest.mark.parametrize("extent", FAULTY_EXTENTS)
def test_writers_share_a_bucket_over_a_network_that_fails(
    tmp_path: Path, ministack_endpoint: str, new_bucket: Callable[[str], str], extent: Extent
) -> None:
    bucket = new_bucket(ministack_endpoint)
    with FaultyProxy(ministack_endpoint, Random(4), share=0.15) as proxy:
        reported = write_together(tmp_path, (proxy.url, bucket), extent, seed=4)
        proxy.pause()
        # Each kind of fault was met, or the test says less than its name.
        assert extent is FAULTY_SHORT or set(proxy.faults_done) == set(Fault)
        assert proxy.faults_done.total() >= extent.writers * extent.writes / 10
    check(tmp_path, store_of((ministack_endpoint, bucket)), extent, reported)
