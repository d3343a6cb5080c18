"""The command line, as a process of its own and in this one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.app_process import clone
from tests.applications import AFTERNOON, published, running, settings_for
from tests.stores import ManualClock

__all__ = [
    "Command",
    "bare_environment",
    "command",
    "command_checkout",
    "here",
    "saved_evening",
    "write_secrets",
]

Command = Callable[..., "subprocess.CompletedProcess[str]"]


def bare_environment(folder: Path) -> dict[str, str]:
    """An environment in which nothing is configured but folders below this one."""
    kept = {name: os.environ[name] for name in ("COVERAGE_PROCESS_START",) if name in os.environ}
    return {
        **kept,
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONWARNINGS": "error",
        "AWS_EC2_METADATA_DISABLED": "true",
        # No test asks the NBA.
        "NBA_DAILY_SOURCES": "none",
        # A backup moves the numbers of what comes after it; whoever tests backups says so.
        "NBA_DAILY_BACKUPS": "none",
        "NBA_DAILY_STATE_DIR": str(folder / "state"),
        "NBA_DAILY_STORE_DIR": str(folder / "store"),
    }


def write_secrets(folder: Path, text: str) -> None:
    """The secrets file of a checkout or a home folder."""
    (folder / ".streamlit").mkdir(parents=True, exist_ok=True)
    (folder / ".streamlit" / "secrets.toml").write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def command_checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone, so that no secrets of the person who runs the tests are found."""
    return clone(tmp_path_factory.mktemp("checkout"))


@pytest.fixture
def command(command_checkout: Path, tmp_path: Path, reference_path: Path) -> Command:
    """Runs `python cli.py` with these words as a process of its own."""
    settings_for(tmp_path / "state", reference_path)

    def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "cli.py", *words],
            cwd=command_checkout,
            env=bare_environment(tmp_path) | environment,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )

    return run


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, reference_path: Path) -> Path:
    """This process as if it were the command line's, with nothing configured; its folder.

    It is the afternoon of a game day.
    """
    monkeypatch.setattr("os.environ", bare_environment(tmp_path))
    monkeypatch.setattr("commands.opening.CHECKOUT", tmp_path / "checkout")
    for module in ("doctor", "drill", "opening", "season"):
        monkeypatch.setattr(f"commands.{module}.system_clock", ManualClock(AFTERNOON))
    settings_for(tmp_path / "state", reference_path)
    return tmp_path


@pytest.fixture
def saved_evening(reference_path: Path, tmp_path: Path) -> Path:
    """A store that another machine has put one evening into."""
    folder = tmp_path / "store"
    with running(settings_for(tmp_path / "other", reference_path, folder)) as application:
        published(application)
    return folder
