"""What every page has around it: title, navigation, the saved line, sign-in, preparation.

Each page opens its own frame instead of relying on the router: a deep link into a fresh process
runs the page's file without `streamlit_app.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo

import streamlit as st

from jobs.application import Application
from jobs.authority import Actor
from jobs.errors import ConfigurationError
from jobs.saved import describe
from ui.addresses import forget_other_page
from ui.formats import plain, viewer_zone
from ui.identity import current_actor, sign_in_box
from ui.runtime import get_application
from ui.status_line import status_line

__all__ = ["FIELD_PIXELS", "OWNERS_PAGES", "PAGES", "Frame", "open_page"]

FIELD_PIXELS = 168
"""The width of a field that stands beside others: on a phone there is room for two."""

PAGES = (
    ("pages/todays_games.py", "Today's Games", ":material/sports_basketball:"),
    ("pages/player.py", "Player", ":material/person:"),
    ("pages/track_record.py", "Track Record", ":material/query_stats:"),
    ("pages/history.py", "History", ":material/history:"),
    ("pages/lines.py", "Your Lines", ":material/balance:"),
    ("pages/sync.py", "Sync", ":material/cloud_sync:"),
    ("pages/backups.py", "Backups", ":material/settings_backup_restore:"),
    ("pages/sharing.py", "Sharing", ":material/share:"),
    ("pages/usage.py", "Usage", ":material/payments:"),
    ("pages/setup.py", "Setup", ":material/settings:"),
)
OWNERS_PAGES = frozenset(
    {"pages/backups.py", "pages/sharing.py", "pages/usage.py", "pages/setup.py"}
)
"""Not in a visitor's list; whoever opens one by its address is told to sign in."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What a page works with.

    Attributes:
        application: the process's one application, with past seasons ready.
        actor: who is looking.
        zone: the viewer's time zone.
    """

    application: Application
    actor: Actor
    zone: ZoneInfo


def open_page(title: str) -> Frame:
    """Draw the frame of a page; stops the script while past seasons are being prepared."""
    st.set_page_config(page_title=f"{title} · NBA Daily", page_icon="🏀", layout="wide")
    try:
        application = get_application()
    except ConfigurationError as error:
        st.title(title)
        st.error(plain(str(error)))
        st.stop()
    forget_other_page(title)
    application.wake()
    actor = current_actor(application)
    with st.sidebar:
        st.header("NBA Daily", anchor=False)
        for path, label, icon in PAGES:
            if actor.is_owner or path not in OWNERS_PAGES:
                st.page_link(path, label=label, icon=icon)
        status_line(application, actor)
        sign_in_box(application, actor)
    st.title(title)
    if not application.preparation.reference_ready:
        _show_preparation(application, actor)
        st.stop()
    return Frame(application, actor, viewer_zone())


@st.fragment(run_every=0.5)
def _show_preparation(application: Application, actor: Actor) -> None:
    now = application.preparation
    if now.reference_ready or get_application() is not application:
        st.rerun()
    if now.reference_error is not None:
        line = describe(application.saved_state())
        st.error(plain(" ".join(line.remedies if actor.is_owner else line.advice)))
        return
    st.progress(now.fraction, text=f"{now.text} (only at the first start)")
