"""What a page says while the history is not here."""

from __future__ import annotations

import streamlit as st

from jobs.application import Application
from jobs.errors import ConfigurationError

__all__ = ["has_incomplete_settings", "show_missing_history"]


def has_incomplete_settings(application: Application) -> bool:
    """Whether no waiting helps: the place where the history is kept is not set up."""
    return isinstance(application.preparation.state_error, ConfigurationError)


def show_missing_history(application: Application, what: str) -> None:
    """Say why `what` is not here, and what will change it."""
    if has_incomplete_settings(application):
        st.info(
            f"{what} is not here: the settings of the place where it is kept are incomplete. The "
            "sidebar says what is missing.",
            icon=":material/settings_alert:",
        )
        return
    st.info(
        f"{what} is not here yet: it is being restored, or the place where it is kept cannot be "
        "reached. The sidebar says which, and it is tried again by itself.",
        icon=":material/hourglass_top:",
    )
