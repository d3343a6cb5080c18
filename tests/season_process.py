"""The app without a browser as a process of its own: `python -m tests.season_process JSON`.

The argument says where, see `Orders`. Each line of input is a command, and each is answered by a
line of JSON once it is done; what it calls durable is in the store. Commands are JSON too:

- ["open", FOLDER, MOMENT]: prepare the app with its working copy in that folder, at that moment,
- ["now", MOMENT]: the clock,
- ["tick"]: what the timer does,
- ["daily"]: the daily job,
- ["out", PLAYER_ID, DATE, NOTE]: the owner says that a player is out,
- ["revise", DATE]: the owner logs tonight's slate again,
- ["settle"]: publish and catch up until nothing is pending,
- ["close"].
"""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from random import Random
from typing import IO, Any, TypeVar

import pytest

from jobs.application import Application
from jobs.authority import OWNER
from jobs.bronze import BronzeShelf
from nba.availability import Availability
from prediction_tracking import PlayerAvailability, PredictionLog
from replica import StoreError
from tests.app_process import CHECKOUT, wait_for
from tests.season_site import Bundle, hurry, live_settings
from tests.servers import s3_options
from tests.stores import ManualClock

__all__ = ["Orders", "SeasonProcess", "season_process"]

Answer = TypeVar("Answer")

ATTEMPTS = 100
DURABLE_WITHIN_SECONDS = 60.0


@dataclass(frozen=True)
class Orders:
    """Where a process finds what.

    Attributes:
        data_folder, reference_path: the bundle, see `tests.season_site.Bundle`.
        place: a folder, or the address of a server with the bucket's name after it.
        url: the NBA's server, or a proxy before it.
        dies_at: before which of the steps that change a disk or the state it kills itself; 0 never.
    """

    data_folder: str
    reference_path: str
    place: tuple[str, ...]
    url: str
    dies_at: int = 0


class RunningClock(ManualClock):
    """Set by hand, and a little later at each look: answers do not all come at one moment."""

    def __call__(self) -> datetime:
        self.advance(milliseconds=1)
        return self.now


class Steps:
    """Counts calls that change a disk or the state, and ends the process before one of them."""

    def __init__(self, dies_at: int) -> None:
        self.done = 0
        self._dies_at = dies_at

    def watch(self) -> None:
        """From now on calls count."""
        for owner, name in (
            *((os, name) for name in ("replace", "link", "fsync")),
            (Path, "unlink"),
            (BronzeShelf, "keep"),
            (PredictionLog, "learn"),
            (PredictionLog, "log_slate"),
        ):
            setattr(owner, name, self._counted(getattr(owner, name)))

    def _counted(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            self.done += 1
            if self.done == self._dies_at:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments, **named)

        return call


class Worker:
    """Follows commands; each method is one and returns what is answered."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._clock = RunningClock()
        self._steps = Steps(orders.dies_at)
        self._application: Application | None = None

    def open(self, folder: str, moment: str) -> dict[str, object]:
        orders = self._orders
        hurry(pytest.MonkeyPatch())
        self.now(moment)
        settings = live_settings(
            Path(folder),
            Bundle(Path(orders.data_folder), Path(orders.reference_path)),
            orders.url,
            store=_store_options(orders.place),
        )
        self._application = Application(settings, clock=self._clock, generator=Random())
        self._application.start(ticks=False)

        # What the store refuses is tried again in the background.
        wait_for(
            lambda: self._app.preparation.state_ready,
            what="the app to be prepared",
            timeout_seconds=DURABLE_WITHIN_SECONDS,
            log=lambda: repr(self._app.preparation),
        )
        self._steps.watch()
        return {}

    def now(self, moment: str) -> dict[str, object]:
        self._clock.now = datetime.fromisoformat(moment)
        return {}

    def tick(self) -> dict[str, object]:
        self._app.tick()
        return {"job_error": repr(self._app.saved_state().job_error)}

    def daily(self) -> dict[str, object]:
        report = patiently(lambda: self._app.daily(OWNER, lambda share, words: None))
        assert report.ingest is not None
        return {
            "run": None if report.run is None else report.run.run_id,
            "sequence": self._state.replica.status().sequence,
            "complete": report.is_complete,
            "learned": not report.ingest.learned.is_empty,
            "steps": self._steps.done,
        }

    def out(self, player_id: int, day: str, note: str) -> dict[str, object]:
        change = PlayerAvailability(
            player_id=player_id,
            status=Availability.OUT,
            from_date=date.fromisoformat(day),
            until_date=date.fromisoformat(day),
            note=note,
        )
        run = self._app.set_availability(OWNER, [change])
        self.settle()
        return {"durable": [note, *([] if run is None else [run.run_id])]}

    def revise(self, day: str) -> dict[str, object]:
        run = self._app.revise(OWNER, date.fromisoformat(day))
        self.settle()
        return {"durable": [run.run_id]}

    def settle(self) -> dict[str, object]:
        replica = self._state.replica

        def published() -> None:
            replica.sync_now()
            status = replica.status()
            assert not status.pending_transactions
            assert status.last_error is None

        patiently(published)
        return {"sequence": replica.status().sequence}

    def close(self) -> dict[str, object]:
        self._app.close(5.0)
        self._application = None
        return {}

    @property
    def _app(self) -> Application:
        assert self._application is not None
        return self._application

    @property
    def _state(self) -> Any:
        return self._app._state


def patiently(action: Callable[[], Answer]) -> Answer:
    """Repeats what a store that fails now and then can make fail."""
    for _ in range(ATTEMPTS - 1):
        try:
            return action()
        except StoreError:
            continue
    return action()


def _store_options(place: Sequence[str]) -> Any:
    if len(place) == 1:
        return Path(place[0])
    endpoint, bucket = place
    return s3_options(endpoint, bucket, connect_timeout_seconds=2.0)


@dataclass
class SeasonProcess:
    """A running worker; `send` and `answer` stand apart so that several can be at work at once."""

    process: subprocess.Popen[str]

    @property
    def _input(self) -> IO[str]:
        assert self.process.stdin is not None
        return self.process.stdin

    def send(self, *command: object) -> None:
        """Give a command without waiting."""
        self._input.write(json.dumps(command) + "\n")
        self._input.flush()

    def answer(self) -> dict[str, Any] | None:
        """What the next command came to; None if the process has ended."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        return json.loads(line) if line else None

    def do(self, *command: object) -> dict[str, Any]:
        """Give a command and wait for it; fails if the process ends over it."""
        self.send(*command)
        answer = self.answer()
        assert answer is not None, f"ended over {command}"
        return answer

    def kill(self) -> None:
        """As if the machine had lost power."""
        self.process.kill()
        self.process.wait(20)


@contextmanager
def season_process(orders: Orders, log_path: Path) -> Iterator[SeasonProcess]:
    """Start a worker, and kill it at the end of the block if it still runs."""
    told = json.dumps(dataclasses.asdict(orders))
    with log_path.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.season_process", told],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            cwd=CHECKOUT,
        )
    worker = SeasonProcess(process)
    try:
        yield worker
    except AssertionError as error:
        error.add_note(log_path.read_text(errors="replace"))
        raise
    finally:
        if process.poll() is None:
            worker.kill()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                try:
                    stream.close()
                except BrokenPipeError:
                    continue


def main(told: dict[str, Any]) -> None:
    """Follows commands until there are no more."""
    worker = Worker(Orders(**(told | {"place": tuple(told["place"])})))
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        print(json.dumps(getattr(worker, name)(*arguments)), flush=True)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
