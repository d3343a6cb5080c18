"""Every operation on the store and the disk fails once, or is the process's last.

After each the files are whole, what was acknowledged is there, and the run, begun again, ends with
the right content. In `make test` every so many places, in `make soak` all.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from replica import StoreError
from tests.crash_faults import Act, FailingStore, Faults
from tests.crash_process import Outcome
from tests.crash_scenario import (
    Ledger,
    Run,
    check_in_place,
    check_new_machines,
    check_whole,
)
from tests.stores import ManualClock, MemoryStore

CHECKOUT = Path(__file__).resolve().parent.parent
ALL = [pytest.mark.soak, pytest.mark.timeout(1800)]


@pytest.fixture
def folder() -> Iterator[Path]:
    """In memory, if there is any to be had as a folder: each commit is synced."""
    in_memory = Path("/dev/shm")
    parent = in_memory if os.access(in_memory, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="crash-loop-", dir=parent) as name:
        yield Path(name)


@pytest.mark.parametrize(
    "stride", [pytest.param(5, id="some"), pytest.param(1, id="all", marks=ALL)]
)
@pytest.mark.parametrize("after_effect", [False, True], ids=["before", "after"])
def test_any_request_fails(folder: Path, after_effect: bool, stride: int) -> None:
    _, total = _with_failing_store(folder / "0", Faults(0), after_effect=after_effect)
    # Errors before and after the effect take turns where some are left out.
    places = range(1 + after_effect * (stride - 1), total + 1, stride)
    told = Counter(
        _with_failing_store(folder / str(n), Faults(n), after_effect=after_effect)[0]
        for n in places
    )
    print(f"{total} requests, {len(places)} of them failed; told: {dict(told)}")
    assert total >= 80
    # Nothing is told where something else says what was asked: our own object, an older snapshot.
    assert set(told) <= {"StoreUnreachable", "nothing"}
    assert told["StoreUnreachable"] > len(places) / 3


@pytest.mark.parametrize(
    ("act", "stride", "least"),
    [
        pytest.param(Act.BROKEN, 59, 800, id="broken"),
        pytest.param(Act.STAYS_FULL, 97, 800, id="full"),
        pytest.param(Act.DEATH, 53, 900, id="death"),
        pytest.param(Act.READ, 47, 400, id="read"),
        pytest.param(Act.SYNC, 5, 50, id="sync"),
        *(pytest.param(act, 1, 50, id=f"{act.value}-all", marks=ALL) for act in Act),
    ],
)
@pytest.mark.skipif(sys.platform != "linux", reason="the system calls are those of Linux")
def test_any_disk_operation_fails(folder: Path, act: Act, stride: int, least: int) -> None:
    # In a process of its own: what fails there must not fail here, and its children are forked.
    run = subprocess.run(
        [sys.executable, "-m", "tests.crash_process", act.value, str(stride), str(folder / "x")],
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    outcomes = [Outcome(**json.loads(line)) for line in run.stdout.splitlines()]
    told = Counter(each.told or "nothing" for each in outcomes)
    places = Counter(each.place for each in outcomes)
    last = outcomes[-1].n
    print(f"{act.value}: {last} operations or a few more, {len(outcomes) - 1} of them failed;")
    print(f"  told: {dict(told)}\n  at: {dict(places)}")
    problems = [each for each in outcomes if each.problem]
    assert not problems, "\n".join(f"{each.n}, {each.place}: {each.problem}" for each in problems)
    assert last + stride > least
    assert told["died"] == (len(outcomes) - 1 if act is Act.DEATH else 0)


def _with_failing_store(folder: Path, faults: Faults, *, after_effect: bool) -> tuple[str, int]:
    """Interrupt a run by one failing request and go on from there.

    What the caller was told, and how many requests there were until then.
    """
    folder.mkdir()
    store, ledger, told = MemoryStore(ManualClock()), Ledger(), "nothing"
    failing = FailingStore(store, faults, after_effect=after_effect)
    run = Run(folder, failing, ledger)
    try:
        run.go()
    except StoreError as error:
        told = type(error).__name__
    faults.disarm()
    check_in_place(run)
    run = Run(folder, store, ledger)
    check_whole(run, ledger)
    run.go()
    check_new_machines(run)
    run.close()
    return told, len(faults.seen)
