"""Sync: is the history saved, and for the owner what went where and what gave way."""

from __future__ import annotations

import streamlit as st

from ui.conflicts import show_conflicts
from ui.frame import open_page
from ui.import_report import show_imports
from ui.kept_apart import show_corrections, show_quarantine
from ui.sync_view import show_sync

frame = open_page("Sync")
show_sync(frame)
log = frame.application.predictions
if frame.actor.is_owner and log is not None:
    st.header("Kept apart")
    shown = [
        show_conflicts(frame.zone),
        show_corrections(log, frame.zone),
        show_quarantine(log),
        show_imports(log, frame.zone),
    ]
    if not any(shown):
        st.caption(
            "Nothing gave way to another writer, no result was corrected, and every response of "
            "the sources was believed."
        )
