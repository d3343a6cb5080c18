"""History: every logged prediction, with filters, files to take home, and the import of results."""

from __future__ import annotations

import streamlit as st

from ui.frame import open_page
from ui.history_view import show_history
from ui.missing_history import show_missing_history
from ui.results_import import show_results_import

frame = open_page("History")
log = frame.application.predictions
if log is None:
    show_missing_history(frame.application, "The history")
    st.stop()
st.page_link(
    "pages/track_record.py",
    label="How good they were: Track Record",
    icon=":material/query_stats:",
)
show_history(frame, log)
show_results_import(frame)
