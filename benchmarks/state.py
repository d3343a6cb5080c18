"""What a write and a restore cost: `python benchmarks/state.py` (`make bench-state`).

Three ways to keep a SQLite database in a bucket, on states of 10 thousand, 100 thousand and 1
million predictions: the engine in `replica/`, boto3's `upload_file` of the whole database after
each write, and Litestream if the environment's LITESTREAM names its binary. The state is made by
PredictionLog itself: one full slate after another, each a run with its own UUID. A write is 13
rows through PredictionLog: a run, two games, and all five stats of one player in each.

Bytes and requests are counted at a proxy in front of MiniStack. Times until durable and restores
are taken over a round trip of 30 ms and 50 Mbit/s, commits while every request takes 2 s. Restores
are cold: a new process, an empty disk, boto3 not loaded yet. Prints a table and writes state.json
beside this file.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.litestream import Litestream
from benchmarks.network import Proxy
from benchmarks.state_rows import WRITE_ROWS
from benchmarks.state_site import CHECKOUT, Site
from nba.reference import build_reference
from replica.snapshots import SnapshotRef, is_due
from tests.servers import ministack_server

Figures = dict[str, str | float | None]


@dataclass(frozen=True)
class Extent:
    """How often things are measured; `rows` are predictions."""

    rows: tuple[int, ...] = (10_000, 100_000, 1_000_000)
    writes: int = 20
    slates: int = 3
    slow_commits: int = 100
    slow_request_seconds: float = 2.0
    tail: int = 1000
    ticks: int = 10
    restores: int = 3
    uploads: int = 3


QUICK = Extent(
    (3000,),
    writes=3,
    slates=1,
    slow_commits=5,
    slow_request_seconds=0.2,
    tail=20,
    ticks=2,
    restores=1,
    uploads=1,
)

COLUMNS = (
    ("engine", "engine"),
    ("rows", "predictions"),
    ("bytes_per_write", "bytes per write"),
    ("requests_per_write", "requests"),
    ("header_bytes_per_write", "headers"),
    ("snapshot_bytes_per_write", "snapshots' share"),
    ("slate_bytes", "bytes per slate"),
    ("commit_ms", "commit, ms"),
    ("durable_ms", "durable, ms"),
    ("restore_s", "restore, s"),
    ("restore_with_tail_s", "with tail, s"),
    ("idle_requests_per_tick", "idle requests"),
    ("peak_mb", "peak, MB"),
)


def measure_replica(site: Site, extent: Extent, rows: int, plain: Path) -> Figures:
    """The engine in `replica/`; leaves the built state as a plain file behind."""
    endpoint, bucket = site.proxy.url, site.make_bucket(f"replica-{rows}")

    def where(name: str) -> dict[str, str]:
        return {"path": str(site.folder / f"{name}.db"), "endpoint": endpoint, "bucket": bucket}

    def restored(name: str) -> tuple[list[float], list[float]]:
        seconds, peaks = [], []
        for number in range(extent.restores):
            with site.distance(), site.worker("replica") as worker:
                seconds.append(worker.do("open", **where(f"{name}-{number}")))
                if worker.do("rows") != expected:
                    raise RuntimeError(
                        "a restored state has other rows than the one that was built"
                    )
            peaks.append(worker.peak_mb)
        return seconds, peaks

    with site.worker("replica") as builder:
        builder.do("open", **where("built"))
        with site.counting() as built:
            predictions = builder.do("build", predictions=rows)
        with site.counting() as snapshot:
            builder.do("snapshot")
        sizes = [one.request_body_bytes for one in site.proxy.exchanges()]
        expected = builder.do("rows")
    restores, restore_peaks = restored("cold")
    # As restored: a file that was written to also keeps its newest log entries.
    shutil.copyfile(site.folder / "cold-0.db", plain)

    with site.worker("replica") as writer:
        writer.do("open", **where("writer"))
        # The first request of a process asks who is there; that is no part of a write.
        writer.do("write", count=1)
        with site.counting() as small:
            writer.do("write", count=extent.writes)
        with site.counting() as full:
            writer.do("write", count=extent.slates, full=True)
        writer.do("tick", count=1)
        with site.counting() as idle:
            writer.do("tick", count=extent.ticks)
        writer.do("publish")
        with site.distance(extent.slow_request_seconds, None):
            commits = writer.do("write", count=extent.slow_commits, wait=False)["commit_ms"]
        writer.do("sync")
        with site.distance():
            durable = writer.do("write", count=extent.writes)["durable_ms"]
        writer.do("snapshot")
    with site.worker("replica") as writer:
        writer.do("open", **where("writer"))
        with site.counting() as tail:
            writer.do("write", count=extent.tail)
        expected = writer.do("rows")
    tail_restores, tail_peaks = restored("tail")

    bytes_per_write = small[0].request_body_bytes / extent.writes
    snapshot_every = writes_until_due(max(sizes), bytes_per_write)
    return {
        "engine": "replica",
        "rows": predictions,
        "bytes_per_write": bytes_per_write,
        "requests_per_write": small[0].total_requests / extent.writes,
        "commit_ms": median(commits),
        "durable_ms": median(durable),
        "restore_s": median(restores),
        "restore_with_tail_s": median(tail_restores),
        "idle_requests_per_tick": idle[0].total_requests / extent.ticks,
        "peak_mb": max(builder.peak_mb, writer.peak_mb, *restore_peaks, *tail_peaks),
        "header_bytes_per_write": small[0].request_header_bytes / extent.writes,
        "slate_bytes": full[0].request_body_bytes / extent.slates,
        "slate_requests": full[0].total_requests / extent.slates,
        "tail_entries": extent.tail,
        "tail_bytes_per_write": tail[0].request_body_bytes / extent.tail,
        "tail_requests_per_write": tail[0].total_requests / extent.tail,
        "snapshot_bytes": max(sizes),
        "writes_per_snapshot": snapshot_every,
        "snapshot_bytes_per_write": snapshot[0].request_body_bytes / snapshot_every,
        "snapshot_requests_per_write": snapshot[0].total_requests / snapshot_every,
        "build_bytes": built[0].request_body_bytes,
        "peak_restore_mb": max(restore_peaks),
    }


def writes_until_due(snapshot_bytes: int, bytes_per_write: float) -> int:
    """After how many writes the engine makes the next snapshot, by its own rule."""
    made_at = datetime.now(UTC)
    last = SnapshotRef(1, "", snapshot_bytes, made_at)
    writes = itertools.count(1)
    return next(n for n in writes if is_due(last, n, round(n * bytes_per_write), made_at))


def measure_upload_file(site: Site, extent: Extent, plain: Path) -> Figures:
    """boto3's upload_file of the whole database after each write."""
    endpoint, bucket = site.proxy.url, site.make_bucket(f"upload-{plain.stem}")
    with site.worker("upload_file") as writer:
        writer.do("open", path=str(plain))
        predictions = writer.do("rows")["predictions"]
        writer.do("connect", endpoint=endpoint, bucket=bucket)
        commits = writer.do("write", count=extent.writes, wait=False)["commit_ms"]
        with site.distance(), site.counting() as counted:
            durable = writer.do("write", count=extent.uploads)["durable_ms"]
    restores, peaks = [], []
    for number in range(extent.uploads):
        with site.worker("upload_file") as reader:
            path = site.folder / f"downloaded-{number}.db"
            with site.distance():
                restores.append(
                    reader.do("download", path=str(path), endpoint=endpoint, bucket=bucket)
                )
            reader.do("open", path=str(path))
        peaks.append(reader.peak_mb)
    return {
        "engine": "upload_file",
        "rows": predictions,
        "bytes_per_write": counted[0].request_body_bytes / extent.uploads,
        "requests_per_write": counted[0].total_requests / extent.uploads,
        "commit_ms": median(commits),
        "durable_ms": median(durable),
        "restore_s": median(restores),
        "restore_with_tail_s": None,
        "idle_requests_per_tick": None,
        "peak_mb": max(writer.peak_mb, *peaks),
        "header_bytes_per_write": counted[0].request_header_bytes / extent.uploads,
        "peak_restore_mb": max(peaks),
    }


def measured(site: Site, extent: Extent, litestream: Litestream | None) -> Iterator[Figures]:
    """The figures of each engine on each size of state."""
    for rows in extent.rows:
        plain = site.folder / f"{rows}.db"
        yield measure_replica(site, extent, rows, plain)
        yield measure_upload_file(site, extent, plain)
        if litestream is not None:
            yield litestream.measure(site, plain, extent.writes, extent.uploads)
        for file in site.folder.iterdir():
            file.unlink()


def cell(value: str | float | None) -> str:
    """A figure as the table shows it."""
    if value is None:
        return "–"
    if isinstance(value, str):
        return value
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"


def table(figures: Sequence[Figures]) -> str:
    """The figures in Markdown."""
    lines = ["| " + " | ".join(title for _, title in COLUMNS) + " |"]
    lines.append(
        "|" + "|".join(" --- " if name == "engine" else " ---: " for name, _ in COLUMNS) + "|"
    )
    for line in figures:
        lines.append("| " + " | ".join(cell(line.get(name)) for name, _ in COLUMNS) + " |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description="What a write and a restore cost.")
    parser.add_argument("--quick", action="store_true", help="a small state, to see that it runs")
    parser.add_argument("--rows", type=int, nargs="+", help="predictions in the state")
    parser.add_argument("--json", type=Path, default=CHECKOUT / "benchmarks" / "state.json")
    chosen = parser.parse_args(arguments)
    extent = QUICK if chosen.quick else Extent()
    if chosen.rows:
        extent = Extent(tuple(chosen.rows))
    litestream = Litestream.named()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        reference = build_reference(CHECKOUT / "data", folder / "reference.db")
        work = folder / "work"
        work.mkdir()
        with ministack_server(folder / "server.log") as url, Proxy(url) as proxy:
            figures = []
            for line in measured(Site(proxy, url, work, reference), extent, litestream):
                print(table([line]).splitlines()[-1], flush=True)
                figures.append(line)
    print()
    print(table(figures))
    print(f"\nA write is {WRITE_ROWS} rows; a tail, {extent.tail:,} writes.", end=" ")
    print(f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}.")
    if litestream is None:
        print("Litestream was left out: LITESTREAM names no binary.")
    chosen.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
