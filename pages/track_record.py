"""Track Record: how good the predictions were, beside baselines on the same rows."""

from __future__ import annotations

import streamlit as st

from ui.frame import open_page
from ui.missing_history import show_missing_history
from ui.restores_list import show_restores
from ui.track_record import show_track_record

frame = open_page("Track Record")
log = frame.application.predictions
if log is None:
    show_missing_history(frame.application, "The track record")
    st.stop()
show_track_record(frame, log.scoring)
show_restores(log.restores(), frame.zone)
