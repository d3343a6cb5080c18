"""What the commands stand on: the settings, and the app prepared without a browser."""

from __future__ import annotations

import os
import random
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jobs.application import Application
from jobs.clock import system_clock
from jobs.configuration import CHECKOUT, Settings, read_settings
from jobs.errors import ConfigurationError, NotReady
from jobs.preparation import Preparation
from nba.progress import ProgressBar
from prediction_tracking import PredictionLog

__all__ = ["NOTHING_SAVED", "log_of", "prepared", "read_settings_here"]

PREPARATION_SECONDS = 600.0
_LOOK_SECONDS = 0.2

NOTHING_SAVED = "Nothing has been saved yet"


def read_settings_here() -> Settings:
    """Settings from `.streamlit/secrets.toml` and the environment, as for the app.

    What is wrong with them is in `Settings.store`.
    """
    secrets: dict[str, Any] | ConfigurationError
    try:
        secrets = _secrets()
    except (OSError, ValueError):
        secrets = ConfigurationError(
            "read the secrets",
            "secrets.toml",
            "The file cannot be read or is not valid TOML.",
            "Compare it with .streamlit/secrets.example.toml.",
        )
    # Whoever can run this has the keys: the shell's user is the owner.
    return read_settings(secrets, os.environ, ["--local-owner"])


@contextmanager
def prepared(settings: Settings, bar: ProgressBar) -> Iterator[Application]:
    """The app with its history restored; what is pending is published when the block ends.

    Opens the working copy, and begins a history where there is none. Raises what keeps the app
    from being ready (JobError, NbaError, ReplicaError).
    """
    application = Application(settings, clock=system_clock, generator=random.Random())
    application.start(ticks=False)
    try:
        now = _wait(application, bar)
        if not now.state_ready:
            raise (
                now.reference_error
                or now.state_error
                or NotReady(
                    "prepare",
                    "state",
                    "It took longer than ten minutes.",
                    "Look at the network and disk.",
                )
            )
        yield application
    finally:
        bar.clear()
        application.close()


def log_of(application: Application) -> PredictionLog:
    """The prediction log of a prepared app. Raises NotReady."""
    log = application.predictions
    if log is None:
        raise NotReady("read the history", "state", "It is not here.", "Try again.")
    return log


def _wait(application: Application, bar: ProgressBar) -> Preparation:
    deadline = time.monotonic() + PREPARATION_SECONDS
    while True:
        remaining = deadline - time.monotonic()
        now = application.wait_until_prepared(
            timeout_seconds=min(max(remaining, 0.0), _LOOK_SECONDS)
        )
        failed = now.reference_error is not None or now.state_error is not None
        if now.state_ready or failed or remaining <= 0:
            return now
        if now.reference_ready:
            bar.preparing(1.0, "Restoring the history")
        else:
            bar.preparing(now.fraction, now.text)


def _secrets() -> dict[str, Any]:
    """What Streamlit would find: the home folder's file, overlaid by the checkout's."""
    secrets: dict[str, Any] = {}
    for folder in (Path.home(), CHECKOUT):
        path = folder / ".streamlit" / "secrets.toml"
        if path.exists():
            secrets |= tomllib.loads(path.read_text(encoding="utf-8"))
    # Streamlit makes environment variables of what stands outside of tables.
    os.environ.update({name: word for name, word in secrets.items() if isinstance(word, str)})
    return secrets
