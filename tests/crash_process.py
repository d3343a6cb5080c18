"""Runs a scenario again and again in processes of its own, and fails or kills each at one place.

``python -m tests.crash_process ACT STRIDE FOLDER`` prints one JSON line for each place. The store
lives in the process that forks the others, so that it survives their deaths.
"""

from __future__ import annotations

import builtins
import json
import os
import shutil
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from replica import ObjectInfo, PutMode, ReplicaError, StoredObject, StoreError
from tests.crash_faults import EXIT_CODE, Act, DiskFaults, Faults
from tests.crash_scenario import Ledger, Run, check_in_place, check_new_machines, check_whole
from tests.stores import ManualClock, MemoryStore

__all__ = ["Outcome"]


@dataclass
class Outcome:
    """What came of one place: where it was, what the caller was told, and what was wrong."""

    n: int
    place: str = ""
    told: str = ""
    problem: str = ""


@dataclass
class _Report:
    """What a child says at its end, if it reaches it."""

    told: str = ""
    problem: str = ""
    seen: tuple[str, ...] = ()


# Of a kind of operation that there are no more of, none is left out.
_RARE = 8


class _Far:
    """Store and notebook of a child; each request goes to the parent.

    ``before`` is told of each request to the store before it is sent.
    """

    location = "memory"

    def __init__(self, channel: Connection, before: Callable[[str], object]) -> None:
        self._channel = channel
        self._before = before

    def get(self, key: str) -> StoredObject:
        stored: StoredObject = self._request("get", key)
        return stored

    def put(self, key: str, body: bytes, mode: PutMode) -> ObjectInfo:
        info: ObjectInfo = self._request("put", key, body, mode)
        return info

    def list(self, prefix: str, *, start_after: str = "") -> builtins.list[ObjectInfo]:
        found: builtins.list[ObjectInfo] = self._request("list", prefix, start_after=start_after)
        return found

    def delete(self, key: str) -> None:
        self._request("delete", key)

    def begin(self) -> tuple[int, int]:
        number, version = self._ask("begin")
        return number, version

    def deploy(self, version: int) -> None:
        self._ask("deploy", version)

    def commit(self, replica: str, transaction_id: str) -> None:
        self._ask("commit", replica, transaction_id)

    def publish(self, replica: str) -> None:
        self._ask("publish", replica)

    def _request(self, verb: str, *arguments: Any, **named: Any) -> Any:
        self._before(verb)
        return self._ask(verb, *arguments, **named)

    def _ask(self, verb: str, *arguments: Any, **named: Any) -> Any:
        self._channel.send((verb, arguments, named))
        answer = self._channel.recv()
        if isinstance(answer, StoreError):
            raise answer
        return answer


def main(act: Act, stride: int, folder: Path) -> Iterator[Outcome]:
    """Without a fault first, then with one at every ``stride``-th place, and at all rare ones."""
    seen, outcome = _one(act, Outcome(0, "nowhere"), folder)
    yield outcome
    often = Counter(seen)
    for n, place in enumerate(seen, 1):
        if n % stride == 1 % stride or often[place] <= _RARE:
            yield _one(act, Outcome(n, place), folder)[1]


def _one(act: Act, outcome: Outcome, folder: Path) -> tuple[tuple[str, ...], Outcome]:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    store, ledger = MemoryStore(ManualClock()), Ledger()
    report = _in_a_child(act, outcome.n, folder, store, ledger)
    outcome.told, outcome.problem = report.told, report.problem
    run = Run(folder, store, ledger)
    try:
        check_whole(run, ledger)
        run.go()
        check_new_machines(run)
    except Exception:  # noqa: BLE001 - whatever it is, it is told
        outcome.problem += f"in a new process:\n{traceback.format_exc()}"
    run.close()
    return report.seen, outcome


def _in_a_child(act: Act, n: int, folder: Path, store: MemoryStore, ledger: Ledger) -> _Report:
    ours, theirs = Pipe()
    child = os.fork()
    if child == 0:
        ours.close()
        try:
            theirs.send(("report", (_interrupted(act, n, folder, theirs),), {}))
        finally:
            os._exit(0)
    theirs.close()
    with ours:
        report = _serve(ours, store, ledger)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    if report is None:
        died = code == EXIT_CODE
        report = _Report("died" if died else "", "" if died else f"it ended with {code}\n")
    return report


def _serve(channel: Connection, store: MemoryStore, ledger: Ledger) -> _Report | None:
    """Answer a child until it ends; its report, unless it died."""
    report: _Report | None = None
    while True:
        try:
            verb, arguments, named = channel.recv()
        except EOFError:
            return report
        if verb == "report":
            (report,) = arguments
            continue
        target: object = store if hasattr(store, verb) else ledger
        try:
            answer = getattr(target, verb)(*arguments, **named)
        except StoreError as error:
            answer = error
        channel.send(answer)


def _interrupted(act: Act, n: int, folder: Path, channel: Connection) -> _Report:
    faults = Faults(n, lasting=act is Act.STAYS_FULL)
    disk = DiskFaults(act, faults)
    disk.install()
    # A request that fails is another test's; here the process may be gone before it is sent.
    far = _Far(channel, disk.fails if act is Act.DEATH else lambda _: None)
    run, report = Run(folder, far, far), _Report()
    try:
        run.go()
    except ReplicaError as error:
        report.told = type(error).__name__
    except Exception:  # noqa: BLE001 - whatever it is, it is told
        report.problem = f"not an error of the engine's:\n{traceback.format_exc()}"
    faults.disarm()
    report.seen = tuple(faults.seen)
    try:
        check_in_place(run)
    except Exception:  # noqa: BLE001 - whatever it is, it is told
        report.problem += f"in the same process:\n{traceback.format_exc()}"
    return report


if __name__ == "__main__":
    for each in main(Act(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])):
        print(json.dumps(asdict(each)), flush=True)
