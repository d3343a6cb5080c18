"""The sidebar's line: is the history saved? It updates by itself, and the page with it."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from jobs.application import Application
from jobs.authority import Actor
from jobs.errors import EXPLAINED
from jobs.saved import Level, SavedLine, SavedState, describe
from ui.formats import moment, plain, viewer_zone
from ui.runtime import get_application

__all__ = ["status_line"]

_ICONS = {
    Level.SAVED.value: ":material/cloud_done:",
    Level.WORKING.value: ":material/sync:",
    Level.WARNING.value: ":material/warning:",
    Level.PROBLEM.value: ":material/cloud_off:",
}


WORKING_SECONDS = 1.0
QUIET_SECONDS = 5.0


def status_line(application: Application, actor: Actor) -> None:
    """One line for everybody; facts, remedies and buttons for the owner.

    It looks again every few seconds. When the history has come, or a write has reached the store,
    or another application has taken this one's place, the whole page is drawn anew: it says which
    runs are saved, and must not contradict this line.
    """
    saved = application.saved_state()
    working = describe(saved).level.value == Level.WORKING.value
    page = _Page(_what_pages_show(saved))
    draw = st.fragment(_draw, run_every=WORKING_SECONDS if working else QUIET_SECONDS)
    draw(application, actor, page)
    page.is_drawn = True


@dataclass(slots=True)
class _Page:
    """What the page around the line was drawn with, and whether its own run is past the line."""

    shows: tuple[object, ...]
    is_drawn: bool = False


def _draw(application: Application, actor: Actor, page: _Page) -> None:
    saved = application.saved_state()
    line = describe(saved)
    _headline(line)
    if saved.status is not None and saved.status.last_success_at is not None:
        st.caption(f"Last reached {moment(saved.status.last_success_at, viewer_zone())}")
    acted = False
    if actor.is_owner:
        for remedy in line.remedies:
            st.caption(plain(remedy))
        if line.details:
            with st.expander("Details", icon=":material/info:"):
                for detail in line.details:
                    st.caption(plain(detail))
        acted = _buttons(application, actor, line)
    else:
        for advice in line.advice:
            st.caption(plain(advice))
    # Not in a run of the whole page, which may have a pressed button still to handle; and not in
    # the one that handled a button here, because what it has to say would be gone at once.
    if page.is_drawn and not acted:
        replaced = get_application() is not application
        if replaced or _what_pages_show(saved) != page.shows:
            st.rerun()


def _what_pages_show(saved: SavedState) -> tuple[object, ...]:
    status = saved.status
    if status is None or not saved.preparation.state_ready:
        return ()
    return (status.sequence, status.pending_transactions)


def _headline(line: SavedLine) -> None:
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


def _buttons(application: Application, actor: Actor, line: SavedLine) -> bool:
    """Draw the owner's buttons; True if one was pressed."""
    acted = False
    try:
        if st.button("Back up now", icon=":material/backup:", width="stretch"):
            acted = True
            with st.spinner("Backing up"):
                backup = application.back_up(actor)
            st.toast(f"Backed up as {plain(backup.key)}", icon=":material/check:")
        if line.can_follow_store and st.button(
            "Keep as backup, follow the store",
            help="This machine's history is put into backups/ first, then the store's newest one "
            "is taken.",
            width="stretch",
        ):
            acted = True
            application.take_over_from_store(actor)
            st.rerun()
        if line.can_start_anew and st.button(
            "Save this history anew",
            help="The store has lost its history: this machine's becomes the beginning of a new "
            "one. Refused if the store still has one.",
            width="stretch",
        ):
            acted = True
            application.start_new_log(actor)
            st.rerun()
    except EXPLAINED as error:
        st.error(plain(str(error)))
    return acted
