"""The state as a Streamlit connection, for pages that want to ask it something of their own."""

from __future__ import annotations

import importlib
import sys
import weakref
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import pandas as pd
import streamlit as st
from streamlit.connections import BaseConnection

from jobs.application import Application
from jobs.errors import NotReady
from jobs.saved import SavedState
from prediction_tracking import PredictionLog

__all__ = ["ReplicaConnection"]

_KEPT_RESULTS = 64
_REGISTRY = "nba_daily_connections"


class ReplicaConnection(BaseConnection[Callable[[], Application]]):
    """`st.connection("nba_state", type=ReplicaConnection)`.

    It joins the process's one application, whose replica owns the file, and opens nothing itself:
    a second owner would be refused. It keeps nothing of it either: "Clear cache" lets go of nothing
    that others use, and after a reload of the code or of the secrets the next call finds the
    application that is there then.
    """

    def __init__(self, connection_name: str, **kwargs: Any) -> None:
        super().__init__(connection_name, **kwargs)
        _connections().add(self)

    def predictions(self) -> PredictionLog:
        """The prediction log. Raises NotReady while the history is being restored."""
        log = self._instance().predictions
        if log is None:
            raise NotReady("read", "history", "It is not here yet.", "Try again in a moment.")
        return log

    def query(self, sql: str, parameters: Sequence[str | int | float | None] = ()) -> pd.DataFrame:
        """The rows of one reading statement; see `PredictionLog.query`.

        A result is kept until the state changes, so it needs no time to live. Raises NotReady,
        ReplicaError, and apsw.Error for a mistake in the statement.
        """
        application = self._instance()
        status = application.saved_state().status
        content = None if status is None else (status.sequence, status.pending_transactions)

        @st.cache_data(show_spinner=False, max_entries=_KEPT_RESULTS)
        def ask(sql: str, parameters: tuple[object, ...], content: object) -> pd.DataFrame:
            return self.predictions().query(sql, parameters)  # type: ignore[arg-type]

        return ask(sql, tuple(parameters), (id(application), content))

    def saved_state(self) -> SavedState:
        """How safe the history is now; never waits for the network."""
        return self._instance().saved_state()

    def _connect(self, **kwargs: Any) -> Callable[[], Application]:
        if kwargs:
            raise TypeError(f"nothing can be set here: {', '.join(kwargs)}")
        return _current_application


def _current_application() -> Application:
    # Asked for by name: what this module imported may be older than the code that runs now.
    application: Application = importlib.import_module("ui.runtime").get_application()
    return application


def _connections() -> weakref.WeakSet[Any]:
    """The connections that Streamlit keeps, in a module that no reload of the code throws away."""
    registry = ModuleType(_REGISTRY)
    registry.connections = weakref.WeakSet()  # type: ignore[attr-defined]
    kept = sys.modules.setdefault(_REGISTRY, registry)
    found: weakref.WeakSet[Any] = kept.connections
    return found


# Streamlit tells classes apart by their names, so after a reload it gives out connections of the
# old class. They go on as ones of the new.
for _connection in list(_connections()):
    _connection.__class__ = ReplicaConnection
    _connection.reset()
