"""The benchmark of the state runs, and the figures that need no large state already show."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parent.parent


# What it says of requests and sizes, test_request_counts.py says in each run.
@pytest.mark.soak
def test_the_benchmark_of_the_state_runs(tmp_path: Path) -> None:
    target = tmp_path / "state.json"
    run = subprocess.run(
        [sys.executable, "benchmarks/state.py", "--quick", "--json", str(target)],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    assert run.returncode == 0, run.stderr
    figures = {line["engine"]: line for line in json.loads(target.read_text(encoding="utf-8"))}
    assert {"replica", "upload_file"} <= set(figures)
    replica, upload = figures["replica"], figures["upload_file"]
    names = {
        "rows",
        "bytes_per_write",
        "requests_per_write",
        "commit_ms",
        "durable_ms",
        "restore_s",
        "restore_with_tail_s",
        "idle_requests_per_tick",
        "peak_mb",
    }
    assert all(names <= set(line) for line in figures.values())
    assert replica["requests_per_write"] == 1
    assert replica["idle_requests_per_tick"] == 1
    assert replica["bytes_per_write"] <= 1100
    assert replica["rows"] == upload["rows"] >= 3000
    assert upload["bytes_per_write"] > 100 * replica["bytes_per_write"]
    assert "| replica |" in run.stdout


@pytest.mark.soak
def test_the_benchmark_of_the_pages_runs(tmp_path: Path) -> None:
    target = tmp_path / "screens.json"
    words = ["--sizes", "5000", "10000", "--reruns", "2", "--folder", str(tmp_path / "histories")]
    for _ in range(2):
        run = subprocess.run(
            [sys.executable, "-m", "benchmarks.screens", *words, "--json", str(target)],
            cwd=CHECKOUT,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        # 1 is a bar that was missed, as a busy machine may.
        assert run.returncode in (0, 1), run.stderr
    assert "predictions written" not in run.stderr, "the second time the histories are there"
    figures = json.loads(target.read_text(encoding="utf-8"))
    assert {"Today", "History", "History, oldest page"} <= set(figures["views"])
    for by_size in figures["views"].values():
        assert set(by_size) == {"5000", "10000"}
        assert all(found["median_ms"] > 0 for found in by_size.values())
    assert "| History |" in run.stdout
