"""The one application of this process, whatever the number of visitors.

It is kept in a module that is not a file: Streamlit throws away every module whose source has
changed and runs the new code, so a module global would leave the old application's timer and
publisher running beside the new one's. "Clear cache" does not concern it either.
"""

from __future__ import annotations

import os
import random
import sys
import threading
from pathlib import Path
from types import ModuleType
from typing import Any

import streamlit as st
from streamlit.errors import StreamlitSecretNotFoundError

from jobs import application as application_module
from jobs.application import Application
from jobs.clock import clock_starting_at
from jobs.configuration import read_settings
from jobs.errors import ConfigurationError

__all__ = ["close_application", "get_application", "install_application"]

_REGISTRY = "nba_daily_process"
_FLUSH_SECONDS = 8.0
# Visitors wait for this one; what is still pending stays on the disk for the next application.
_HANDOVER_SECONDS = 2.0


def get_application() -> Application:
    """The running application; made and started at the first call.

    It is made anew after a reload of the code and when the secrets have changed.

    Raises:
        ConfigurationError: a command-line flag is wrong.
    """
    registry = _registry()
    with registry.lock:
        if registry.installed:
            installed: Application = registry.application
            return installed
        secrets = _secrets()
        current: Application | None = registry.application
        if current is not None and (_is_stale(current) or secrets != registry.secrets):
            # The old publisher must have let go of the file before a new one takes it.
            registry.application = None
            current.close(_HANDOVER_SECONDS)
            current = None
        if current is None:
            settings = read_settings(
                _unreadable_secrets() if secrets is None else secrets, os.environ, sys.argv[1:]
            )
            current = Application(
                settings,
                clock=clock_starting_at(settings.start_at),
                generator=random.Random(),
            )
            current.start()
            registry.application = current
            registry.secrets = secrets
        return current


def install_application(application: Application | None) -> None:
    """Put an application in place, or take it away; whoever made it closes it."""
    registry = _registry()
    with registry.lock:
        registry.application = application
        registry.installed = application is not None


def close_application() -> None:
    """Close the running application, if there is one; the last flush of the process."""
    registry = _registry()
    with registry.lock:
        if registry.application is not None:
            registry.application.close(_FLUSH_SECONDS)
            registry.application = None


def _registry() -> Any:
    registry = ModuleType(_REGISTRY)
    registry.lock = threading.RLock()  # type: ignore[attr-defined]
    registry.application = None  # type: ignore[attr-defined]
    registry.installed = False  # type: ignore[attr-defined]
    registry.secrets = None  # type: ignore[attr-defined]
    return sys.modules.setdefault(_REGISTRY, registry)


def _is_stale(application: Application) -> bool:
    """True if the code was reloaded since.

    Asked of `sys.modules` and not of this module's own import: a script run that began before the
    reload still has the old code, and must not tear down what a newer run has built.
    """
    newest = sys.modules.get(application_module.__name__, application_module)
    return type(application) is not newest.Application


def _secrets() -> dict[str, Any] | None:
    """The secrets; empty if there is no file, None if there is one that cannot be read."""
    try:
        return st.secrets.to_dict()
    except StreamlitSecretNotFoundError:
        files = [Path(name) for name in st.get_option("secrets.files")]
        return None if any(file.exists() for file in files) else {}


def _unreadable_secrets() -> ConfigurationError:
    return ConfigurationError(
        "read the secrets",
        "secrets.toml",
        "The file is not valid TOML.",
        "Compare it with .streamlit/secrets.example.toml; until then nothing is saved.",
    )
