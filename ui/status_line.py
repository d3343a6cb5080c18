"""The sidebar's line: is the history saved? It updates by itself, and the page with it."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from jobs.application import Application
from jobs.authority import Actor
from jobs.saved import Level, SavedLine, SavedState, describe
from ui.formats import moment, plain, viewer_zone
from ui.runtime import get_application

__all__ = ["look_again_seconds", "show_headline", "status_line"]

_ICONS = {
    Level.SAVED.value: ":material/cloud_done:",
    Level.WORKING.value: ":material/sync:",
    Level.WARNING.value: ":material/warning:",
    Level.PROBLEM.value: ":material/cloud_off:",
}
_SYNC_PAGE = "pages/sync.py"

WORKING_SECONDS = 1.0
QUIET_SECONDS = 5.0


def status_line(application: Application, actor: Actor) -> None:
    """One line for everybody, with a remedy where something is wrong, and the way to Sync.

    It looks again every few seconds. When the history has come, or a write has reached the store,
    or another application has taken this one's place, the whole page is drawn anew: it says which
    runs are saved, and must not contradict this line.
    """
    saved = application.saved_state()
    page = _Page(_what_pages_show(saved))
    draw = st.fragment(_draw, run_every=look_again_seconds(describe(saved)))
    draw(application, actor, page)
    page.is_drawn = True


def look_again_seconds(line: SavedLine) -> float:
    """After which time what a screen says of the state is out of date."""
    return WORKING_SECONDS if line.level.value == Level.WORKING.value else QUIET_SECONDS


def show_headline(line: SavedLine) -> None:
    """The state in one short line, in a box that says how much to worry."""
    icon = _ICONS[line.level.value]
    match line.level.value:
        case Level.SAVED.value:
            st.success(line.headline, icon=icon)
        case Level.WORKING.value:
            st.info(line.headline, icon=icon)
        case Level.WARNING.value:
            st.warning(line.headline, icon=icon)
        case _:
            st.error(line.headline, icon=icon)


@dataclass(slots=True)
class _Page:
    """What the page around the line was drawn with, and whether its own run is past the line."""

    shows: tuple[object, ...]
    is_drawn: bool = False


def _draw(application: Application, actor: Actor, page: _Page) -> None:
    saved = application.saved_state()
    line = describe(saved)
    show_headline(line)
    if saved.status is not None and saved.status.last_success_at is not None:
        st.caption(f"Last reached {moment(saved.status.last_success_at, viewer_zone())}")
    for words in line.remedies if actor.is_owner else line.advice:
        st.caption(plain(words))
    # Named otherwise than the page: "Sync" is there already, among the pages.
    st.page_link(_SYNC_PAGE, label="Details of saving", icon=":material/info:")
    # Not in a run of the whole page, which may have a pressed button still to handle.
    if page.is_drawn:
        replaced = get_application() is not application
        if replaced or _what_pages_show(saved) != page.shows:
            st.rerun()


def _what_pages_show(saved: SavedState) -> tuple[object, ...]:
    status = saved.status
    if status is None or not saved.preparation.state_ready:
        return ()
    return (status.sequence, status.pending_transactions)
