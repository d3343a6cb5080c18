"""Everything that can go wrong between replicas and a bucket, from seeds; see tests/simulation/.

The seeds run in processes of their own: side by side, and without coverage's tracing, which
greenlets would confuse and which says nothing about a protocol.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.simulation.broken import VARIANTS
from tests.simulation.claims import FLOOR, FLOORS

ROOT = Path(__file__).resolve().parent.parent
SEEDS = 500
CHUNK = 125

# Where a defect that needs many seeds was found last: with these the search begins. They move with
# the engine's requests, and cost a little time when they are out of date.
FOUND_LAST = {
    "backups-are-taken-at-their-word": 41,
    "damaged-entries-are-accepted": 93,
    "denied-is-the-end-of-the-log": 53,
    "drills-believe-any-copy": 13,
    "drills-do-not-compare": 13,
    "drills-leave-the-catalogue-out": 151,
    "no-parent-hash": 371,
    "outbox-after-the-commit": 119,
    "refusal-is-a-lost-race": 13,
    "restores-are-not-computed-anew": 41,
    "restores-without-an-answer-are-given-up": 124,
    "sent-is-durable": 16,
}


def simulate(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("COVERAGE")}
    return subprocess.run(
        [sys.executable, "-m", "tests.simulation", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def chunk(first: int) -> subprocess.CompletedProcess[str]:
    return simulate("--first", str(first), "--seeds", str(CHUNK), "--json")


@pytest.mark.timeout(600)
def test_the_invariants_hold_and_everything_that_should_happen_does() -> None:
    with ThreadPoolExecutor(2) as pool:
        runs = list(pool.map(chunk, range(0, SEEDS, CHUNK)))
    failed = [run.stdout + run.stderr for run in runs if run.returncode]
    assert not failed, failed[0]
    counts: Counter[str] = sum((Counter(json.loads(run.stdout)) for run in runs), Counter())
    print(*(f"{counts[name]:6} {name}" for name in sorted(counts)), sep="\n")
    assert {name: counts[name] for name in FLOORS if counts[name] < FLOOR} == {}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", VARIANTS)
def test_a_deliberate_defect_is_found(name: str) -> None:
    run = simulate("--variant", name, "--first", str(FOUND_LAST.get(name, 0)), "--seeds", "5")
    if run.returncode != 0:
        run = simulate("--variant", name, "--seeds", str(SEEDS))
    assert run.returncode == 0, run.stdout + run.stderr
    print(run.stdout)


def test_a_seed_is_replayed_exactly() -> None:
    # One with a crash, a lost race and a late create, so that all that is drawn matters.
    first, second = (simulate("--seed", "3", "--trace") for _ in range(2))
    told = [line for line in first.stdout.splitlines() if " ms each" not in line]
    assert len(told) > 100
    assert told == [line for line in second.stdout.splitlines() if " ms each" not in line]


def test_a_failing_seed_tells_how_to_see_its_story() -> None:
    run = simulate("--variant", "conflicts-leave-no-row", "--seeds", "100", "--trace")
    assert "commits" in run.stdout
    assert "found by seed" in run.stdout
