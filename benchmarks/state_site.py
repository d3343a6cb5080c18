"""Where `benchmarks/state.py` measures: a server, a network before it, and processes that work."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.network import Proxy, Traffic
from tests.servers import create_bucket

__all__ = ["CHECKOUT", "Site", "Worker"]

CHECKOUT = Path(__file__).resolve().parent.parent

ROUND_TRIP_SECONDS = 0.03
BITS_PER_SECOND = 50e6


@dataclass(frozen=True)
class Site:
    """A proxy before a server, the address of that server, and a folder for files."""

    proxy: Proxy
    server_url: str
    folder: Path
    reference: Path

    def make_bucket(self, name: str) -> str:
        """Creates a bucket; not counted."""
        create_bucket(self.server_url, name)
        return name

    @contextmanager
    def distance(
        self, round_trip_seconds: float = ROUND_TRIP_SECONDS, bits: float | None = BITS_PER_SECOND
    ) -> Iterator[None]:
        """The store is this far away within the block, and next door again after it."""
        self.proxy.latency_seconds = round_trip_seconds
        self.proxy.set_bandwidth(bits)
        try:
            yield
        finally:
            self.proxy.latency_seconds = 0.0
            self.proxy.set_bandwidth(None)

    @contextmanager
    def counting(self) -> Iterator[list[Traffic]]:
        """Gives a list that holds the block's traffic when the block is over."""
        counted: list[Traffic] = []
        self.proxy.forget()
        yield counted
        counted.append(self.proxy.traffic())

    @contextmanager
    def worker(self, engine: str) -> Iterator[Worker]:
        """A new process; its peak of memory is in `peak_mb` when the block is over."""
        worker = Worker(engine, self.reference)
        try:
            yield worker
            worker.finish()
        finally:
            worker.end()


class Worker:
    """A process that runs `benchmarks.state_worker`."""

    def __init__(self, engine: str, reference: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.state_worker", engine, str(reference)],
            cwd=CHECKOUT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.peak_mb = 0.0

    def do(self, command: str, **arguments: Any) -> Any:
        """What the process answers to one command; RuntimeError if it ended instead."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": command, **arguments}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the measured process ended in the middle of {command!r}")
        return json.loads(line)

    def finish(self) -> None:
        """Closes the database and notes how much memory the process took."""
        self.do("close")
        self.peak_mb = self.do("peak")

    def end(self) -> None:
        """Ends the process, whatever it is doing."""
        self._process.kill()
        self._process.communicate(timeout=30)
