"""One measured process of `benchmarks/state.py`: `python -m benchmarks.state_worker ENGINE FILE`.

Reads commands as lines of JSON, such as {"do": "write", "count": 20}, and answers each with a line
of JSON. A process of its own shows how much memory the engine takes, and shares no lock with the
servers. FILE is the reference database of the bundled seasons.
"""

from __future__ import annotations

import json
import resource
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from random import Random
from typing import Any, Protocol, cast

import apsw

from benchmarks.state_rows import Slates, evening_clock
from prediction_tracking import MIGRATIONS, REPLICATED_TABLES, Origin, PredictionLog
from replica import Replica
from replica.stores.s3 import S3Options, S3Store

__all__ = ["ENGINES", "main"]

WAIT_SECONDS = 300.0
COUNTED_TABLES = ("runs", "game_predictions", "predictions")


class Database(Protocol):
    """What PredictionLog needs of a replica."""

    @property
    def path(self) -> Path: ...

    def transaction(self) -> AbstractContextManager[Any]: ...

    def read(
        self, attach: Mapping[str, Path] | None = None
    ) -> AbstractContextManager[apsw.Connection]: ...


class Stopwatch:
    """Passes everything on, and keeps how long each transaction took, in milliseconds."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.commits_ms: list[float] = []
        self.last_id = ""

    @property
    def path(self) -> Path:
        return self._database.path

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        started = time.perf_counter()
        with self._database.transaction() as transaction:
            yield transaction
        self.commits_ms.append((time.perf_counter() - started) * 1000)
        self.last_id = transaction.id

    def read(
        self, attach: Mapping[str, Path] | None = None
    ) -> AbstractContextManager[apsw.Connection]:
        return self._database.read(attach)


class Engine:
    """Writes runs to a database through PredictionLog; how it reaches a store is a subclass's."""

    def __init__(self, reference: Path) -> None:
        self._reference = reference
        self._slates: Slates | None = None

    def use(self, database: Database) -> None:
        """Writes to this database from now on."""
        self._stopwatch = Stopwatch(database)
        log_on = cast(Replica, self._stopwatch)
        self._log = PredictionLog(log_on, self._reference, clock=evening_clock)

    @property
    def slates(self) -> Slates:
        if self._slates is None:
            self._slates = Slates(self._reference, Random(1))
        return self._slates

    def make_durable(self, transaction_id: str) -> None:
        """Returns when the write is in the store."""
        raise NotImplementedError

    def prepare(self) -> None:
        """Projects the slate that later writes vary."""
        _ = self.slates

    def write(self, count: int, full: bool = False, wait: bool = True) -> dict[str, list[float]]:
        """Writes `count` runs, each a small one or a full slate.

        `commit_ms` is the local transaction; `durable_ms`, with `wait`, is from before the write
        until it is in the store.
        """
        durable_ms = []
        self._stopwatch.commits_ms.clear()
        for _ in range(count):
            projection = self.slates.full() if full else self.slates.small()
            started = time.perf_counter()
            self._log.log_slate(projection, Origin.LIVE, revision=True)
            if wait:
                self.make_durable(self._stopwatch.last_id)
                durable_ms.append((time.perf_counter() - started) * 1000)
        return {"commit_ms": self._stopwatch.commits_ms, "durable_ms": durable_ms}

    def rows(self) -> dict[str, int]:
        """Rows of the tables that a write adds to."""
        with self._stopwatch.read() as connection:
            return {
                table: connection.execute(f"SELECT count(*) FROM main.{table}").get
                for table in COUNTED_TABLES
            }

    def peak(self) -> float:
        """The process's largest resident memory so far, in MB of 10^6 bytes."""
        status = Path("/proc/self/status")
        if status.exists():
            # Linux inherits ru_maxrss from the process that started this one.
            lines = status.read_text(encoding="utf-8").splitlines()
            [line] = [line for line in lines if line.startswith("VmHWM")]
            return int(line.split()[1]) * 1024 / 1e6
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


class ReplicaEngine(Engine):
    """The engine in `replica/`."""

    def open(self, path: str, endpoint: str, bucket: str) -> float:
        """Opens a file and brings it to the store's newest state; how many seconds that took."""
        started = time.perf_counter()
        self._replica = Replica(
            Path(path),
            S3Store(_options(endpoint, bucket)),
            MIGRATIONS,
            tables=REPLICATED_TABLES,
            clock=evening_clock,
            random=Random(),
        )
        self._replica.restore()
        seconds = time.perf_counter() - started
        self._publishing = False
        self.use(self._replica)
        return seconds

    def build(self, predictions: int) -> int:
        """Logs full slates, each its own log entry; how many predictions they are."""
        written = 0
        while written < predictions:
            self.write(1, full=True)
            written += self.slates.predictions
        return written

    def publish(self) -> None:
        """From now on a thread publishes each write as soon as it is committed."""
        self._replica.start_publisher()
        self._publishing = True

    def make_durable(self, transaction_id: str) -> None:
        if self._publishing:
            self._replica.wait_until_durable(transaction_id, WAIT_SECONDS)
        else:
            self._replica.sync_now()

    def sync(self) -> None:
        """Returns when everything is published."""
        self._replica.sync_now()

    def tick(self, count: int) -> None:
        """What the five-minute job does."""
        for _ in range(count):
            self._replica.tick()

    def snapshot(self) -> None:
        self._replica.snapshot()

    def close(self) -> None:
        self._replica.close(WAIT_SECONDS)


class PlainTransaction:
    """Statements of one transaction of a plain connection."""

    def __init__(self, connection: apsw.Connection) -> None:
        self.id = str(uuid.uuid4())
        self.execute = connection.execute
        self.executemany = connection.executemany


class PlainDatabase:
    """A database file in WAL mode, without any engine around it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.connection = apsw.Connection(str(path))
        self.connection.set_busy_timeout(10_000)
        self.connection.execute("PRAGMA journal_mode = WAL")

    @contextmanager
    def transaction(self) -> Iterator[PlainTransaction]:
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield PlainTransaction(self.connection)
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")

    @contextmanager
    def read(self, attach: Mapping[str, Path] | None = None) -> Iterator[apsw.Connection]:
        connection = apsw.Connection(str(self.path))
        try:
            for name, path in (attach or {}).items():
                connection.execute(f"ATTACH ? AS {name}", (str(path),))
            yield connection
        finally:
            connection.close()


class PlainEngine(Engine):
    """A plain file; another process may be shipping it (Litestream)."""

    def open(self, path: str) -> None:
        """Opens a file that is there."""
        self._path = path
        self._database = PlainDatabase(Path(path))
        self.use(self._database)

    def close(self) -> None:
        self._database.connection.close()


class UploadEngine(PlainEngine):
    """boto3's upload_file after each write, and download_file at start."""

    def connect(self, endpoint: str, bucket: str) -> None:
        """Names the bucket that later writes go to."""
        self._client = _plain_client(endpoint)
        self._bucket = bucket

    def make_durable(self, transaction_id: str) -> None:
        self._database.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._client.upload_file(self._path, self._bucket, "nba_stats.db")

    def download(self, path: str, endpoint: str, bucket: str) -> float:
        """Downloads the database to a new file; how many seconds that took."""
        started = time.perf_counter()
        _plain_client(endpoint).download_file(bucket, "nba_stats.db", path)
        return time.perf_counter() - started


ENGINES: Mapping[str, type[Engine]] = {
    "replica": ReplicaEngine,
    "upload_file": UploadEngine,
    "litestream": PlainEngine,
}


def _options(endpoint: str, bucket: str) -> S3Options:
    return S3Options(
        bucket=bucket,
        region="us-east-1",
        access_key_id="test",
        secret_access_key="test",
        endpoint_url=endpoint,
    )


def _plain_client(endpoint: str) -> Any:
    """A client as boto3's documentation shows it."""
    import boto3

    return boto3.client(
        "s3",
        region_name="us-east-1",
        endpoint_url=endpoint,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


def main(engine: Engine) -> None:
    """Answers commands until the input ends."""
    for line in sys.stdin:
        command = json.loads(line)
        print(json.dumps(getattr(engine, command.pop("do"))(**command)), flush=True)


if __name__ == "__main__":
    main(ENGINES[sys.argv[1]](Path(sys.argv[2])))
