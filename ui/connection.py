"""The state as a Streamlit connection, for pages that want to ask it something of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st
from streamlit.connections import BaseConnection

from jobs.application import Application
from jobs.errors import NotReady
from jobs.saved import SavedState
from prediction_tracking import PredictionLog
from ui.runtime import get_application

__all__ = ["ReplicaConnection"]

_KEPT_RESULTS = 64


class ReplicaConnection(BaseConnection[Application]):
    """`st.connection("nba_state", type=ReplicaConnection)`.

    It joins the process's one application, whose replica owns the file, and opens nothing itself:
    a second owner would be refused. So "Clear cache" lets go of nothing that others use, and after
    a reload of the code or of the secrets the next call finds the application that is there then.
    """

    def predictions(self) -> PredictionLog:
        """The prediction log. Raises NotReady while the history is being restored."""
        log = self._current().predictions
        if log is None:
            raise NotReady("read", "history", "It is not here yet.", "Try again in a moment.")
        return log

    def query(self, sql: str, parameters: Sequence[str | int | float | None] = ()) -> pd.DataFrame:
        """The rows of one reading statement; see `PredictionLog.query`.

        A result is kept until the state changes, so it needs no time to live. Raises NotReady,
        ReplicaError, and apsw.Error for a mistake in the statement.
        """
        application = self._current()
        status = application.saved_state().status
        content = None if status is None else (status.sequence, status.pending_transactions)

        @st.cache_data(show_spinner=False, max_entries=_KEPT_RESULTS)
        def ask(sql: str, parameters: tuple[object, ...], content: object) -> pd.DataFrame:
            return self.predictions().query(sql, parameters)  # type: ignore[arg-type]

        return ask(sql, tuple(parameters), (id(application), content))

    def saved_state(self) -> SavedState:
        """How safe the history is now; never waits for the network."""
        return self._current().saved_state()

    def _connect(self, **kwargs: Any) -> Application:
        if kwargs:
            raise TypeError(f"nothing can be set here: {', '.join(kwargs)}")
        return get_application()

    def _current(self) -> Application:
        if self._instance is not get_application():
            self.reset()
        return self._instance
