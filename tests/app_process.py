"""The app as a real server process, started the way `make run` starts it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from replica import ObjectInfo, ObjectStore
from replica.log import log_key

__all__ = [
    "CHECKOUT",
    "AppProcess",
    "clone",
    "free_port",
    "running_app",
    "wait_for",
    "wait_for_entry",
]

Answer = TypeVar("Answer")

CHECKOUT = Path(__file__).resolve().parent.parent
START_SECONDS = 60.0
# Long, because a machine that has swapped a process out takes its time to end it.
ENDING_SECONDS = 120.0

# A stand-in for what `git clone` leaves: the files of the app, nothing a run has made.
_APP = (
    "streamlit_app.py",
    "s3_storage.py",
    "prediction_tracking.py",
    "cli.py",
    "commands",
    "exports",
    "images",
    "usage",
    "pages",
    "ui",
    "jobs",
    "tracking",
    "nba",
    "replica",
    "data",
    ".streamlit/config.toml",
)


@dataclass
class AppProcess:
    """A running app; `state_folder` holds its working copy."""

    process: subprocess.Popen[bytes]
    url: str
    state_folder: Path
    log_path: Path

    def log(self) -> str:
        """What the process has printed."""
        return self.log_path.read_text(errors="replace")

    def kill(self) -> None:
        """As if the machine had lost power."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(timeout=ENDING_SECONDS)

    def terminate(self) -> None:
        """As a platform stops it, and wait until it has ended."""
        self.process.terminate()
        self.process.wait(timeout=ENDING_SECONDS)


def clone(target: Path) -> Path:
    """A checkout of the app under `target`, readable and writable by every user."""
    for name in _APP:
        source, copy = CHECKOUT / name, target / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, copy)
    for path in [target, *target.rglob("*")]:
        path.chmod(0o777 if path.is_dir() else 0o666)
    return target


def free_port() -> int:
    """A port of 127.0.0.1 that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running_app(
    checkout: Path,
    log_path: Path,
    *,
    environment: Mapping[str, str],
    arguments: Sequence[str] = ("--local-owner",),
    as_another_user: bool = False,
) -> Iterator[AppProcess]:
    """Serve `checkout` on 127.0.0.1 until the block ends; killed then if it still runs.

    `environment` is added to a bare one. `as_another_user` gives up root for an account that owns
    nothing; where that is not possible the process only has another home.
    """
    port = free_port()
    command = _another_user() if as_another_user else []
    command += [sys.executable, "-m", "streamlit", "run", "streamlit_app.py"]
    command += ["--server.address", "127.0.0.1", "--server.port", str(port)]
    command += ["--server.headless", "true", "--", *arguments]
    bare = {
        "PATH": os.environ["PATH"],
        # No test asks the NBA; those that ask a server of their own say so.
        "NBA_DAILY_SOURCES": "none",
        # A backup moves the numbers of what comes after it; whoever tests backups says so.
        "NBA_DAILY_BACKUPS": "none",
        "HOME": str(checkout),
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "NBA_DAILY_TIMER_MINUTES": "0",
    }
    kept = {name: os.environ[name] for name in ("COVERAGE_PROCESS_START",) if name in os.environ}
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=checkout,
            env={**bare, **kept, **environment},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    state = environment.get("NBA_DAILY_STATE_DIR")
    app = AppProcess(
        process,
        f"http://127.0.0.1:{port}",
        Path(state) if state else checkout / ".state",
        log_path,
    )
    try:
        wait_for(lambda: _is_healthy(app), what="the app to answer", log=app.log)
        yield app
    finally:
        if process.poll() is None:
            app.kill()


def _another_user() -> list[str]:
    """Words that run a command as nobody, who may read everything: Python may be root's own."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        return []
    return [
        "setpriv",
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
        "--inh-caps=+dac_read_search",
        "--ambient-caps=+dac_read_search",
    ]


def _is_healthy(app: AppProcess) -> bool:
    if app.process.poll() is not None:
        raise AssertionError(f"the app ended with {app.process.returncode}:\n{app.log()}")
    try:
        with urllib.request.urlopen(f"{app.url}/_stcore/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


def wait_for(
    condition: Callable[[], Answer],
    *,
    what: str,
    timeout_seconds: float = START_SECONDS,
    log: Callable[[], str] = str,
) -> Answer:
    """Ask until the answer is true, and return it; fails when that takes too long."""
    deadline = time.monotonic() + timeout_seconds
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout_seconds:.0f} s in vain for {what}\n{log()}")
        time.sleep(0.05)


def wait_for_entry(store: ObjectStore, number: int, log: Callable[[], str] = str) -> ObjectInfo:
    """Wait until the store holds entry `number` of the log; 1 begins it, 2 is the first write."""

    def look() -> ObjectInfo | None:
        entries = {info.key: info for info in store.list("log/")}
        return entries.get(log_key(number))

    found = wait_for(look, what=f"entry {number}", log=log)
    assert found is not None
    return found
