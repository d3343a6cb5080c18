"""Litestream in `benchmarks/state.py`: the same writes to a plain file that it replicates."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.network import Exchange
from benchmarks.state_site import Site, Worker

__all__ = ["Litestream"]

WAIT_SECONDS = 300.0


@dataclass(frozen=True)
class Litestream:
    """A Litestream binary, versions 0.3 and 0.5, with its settings as they come."""

    binary: str

    @classmethod
    def named(cls) -> Litestream | None:
        """The one that LITESTREAM names; None without. SystemExit if it cannot be run."""
        name = os.environ.get("LITESTREAM")
        if not name:
            return None
        found = shutil.which(name)
        if found is None:
            raise SystemExit(f"LITESTREAM names {name}, which cannot be run.")
        return cls(found)

    def measure(
        self, site: Site, plain: Path, writes: int, restores: int
    ) -> dict[str, str | float | None]:
        """Bytes and requests of writes that follow each other, each waited for."""
        bucket = site.make_bucket(f"litestream-{plain.stem}")
        settings = self._settings(site, plain, bucket)
        with site.worker("litestream") as writer:
            writer.do("open", path=str(plain))
            predictions = writer.do("rows")["predictions"]
            site.proxy.forget()
            with self._replicating(settings):
                # Its first snapshot, and the first change after it.
                self._wait_for_put(site, 0)
                self._write(site, writer)
                with site.counting() as counted:
                    for _ in range(writes):
                        self._write(site, writer)
                with site.distance():
                    made = [self._write(site, writer) for _ in range(writes)]
        seconds = []
        for number in range(restores):
            target = site.folder / f"litestream-{number}.db"
            started = time.perf_counter()
            with site.distance():
                self._run("restore", "-config", str(settings), "-o", str(target), str(plain))
            seconds.append(time.perf_counter() - started)
        return {
            "engine": "litestream",
            "rows": predictions,
            "bytes_per_write": counted[0].request_body_bytes / writes,
            "requests_per_write": counted[0].total_requests / writes,
            "commit_ms": median(commit for commit, _ in made),
            "durable_ms": median(durable for _, durable in made),
            "restore_s": median(seconds),
            "restore_with_tail_s": None,
            "idle_requests_per_tick": None,
            "peak_mb": None,
            "header_bytes_per_write": counted[0].request_header_bytes / writes,
        }

    def _settings(self, site: Site, plain: Path, bucket: str) -> Path:
        # JSON is YAML too, and quotes what a path may hold.
        replica = {
            "type": "s3",
            "bucket": bucket,
            "path": "state",
            "endpoint": site.proxy.url,
            "region": "us-east-1",
            "access-key-id": "test",
            "secret-access-key": "test",
            "force-path-style": True,
        }
        path = site.folder / "litestream.yml"
        settings = {"dbs": [{"path": str(plain), "replicas": [replica]}]}
        path.write_text(json.dumps(settings, indent=2), encoding="utf-8")
        return path

    @contextmanager
    def _replicating(self, settings: Path) -> Iterator[None]:
        with settings.with_suffix(".log").open("wb") as log:
            process = subprocess.Popen(
                [self.binary, "replicate", "-config", str(settings)],
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            yield
        finally:
            process.terminate()
            process.wait(timeout=60)

    def _run(self, *arguments: str) -> None:
        subprocess.run([self.binary, *arguments], check=True, timeout=WAIT_SECONDS)

    def _write(self, site: Site, writer: Worker) -> tuple[float, float]:
        """One write; milliseconds of its commit, and until the next PUT was answered."""
        puts = _puts(site.proxy.exchanges())
        started = time.perf_counter()
        [commit_ms] = writer.do("write", count=1, wait=False)["commit_ms"]
        self._wait_for_put(site, puts)
        return commit_ms, (time.perf_counter() - started) * 1000

    def _wait_for_put(self, site: Site, before: int) -> None:
        if not site.proxy.wait_for(lambda seen: _puts(seen) > before, WAIT_SECONDS):
            log = (site.folder / "litestream.log").read_text(encoding="utf-8", errors="replace")
            raise RuntimeError(f"Litestream sent nothing:\n{log}")


def _puts(exchanges: Sequence[Exchange]) -> int:
    return sum(one.method in ("PUT", "POST") and one.status == 200 for one in exchanges)
