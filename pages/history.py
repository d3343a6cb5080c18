"""History: every logged prediction, with filters, a download, and the import of results."""

from __future__ import annotations

import streamlit as st

from ui.conflicts import show_conflicts
from ui.frame import open_page
from ui.history_view import show_history
from ui.import_report import show_imports
from ui.kept_apart import show_corrections, show_quarantine
from ui.results_import import show_results_import

frame = open_page("History")
log = frame.application.predictions
if log is None:
    st.info(
        "The history is not here yet: it is being restored, or the place where it is kept cannot "
        "be reached. The sidebar says which, and it is tried again by itself.",
        icon=":material/hourglass_top:",
    )
    st.stop()
show_history(log, frame.zone)
if frame.actor.is_owner:
    show_imports(log, frame.zone)
    show_conflicts(frame.zone)
    show_corrections(log, frame.zone)
    show_quarantine(log)
show_results_import(frame)
