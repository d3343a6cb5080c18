"""The owner's box that puts what a page shows into the store and gives a link to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final

import streamlit as st

from exports.draft import Draft, Format, View
from jobs.errors import EXPLAINED, NotReady
from jobs.sharing import KEEP_DAYS
from ui.formats import plain
from ui.frame import Frame
from ui.share_links import (
    FORMAT_LABELS,
    Given,
    give,
    how_it_ended,
    life_field,
    show_given,
)

__all__ = ["share_box"]

_FIELD_PIXELS: Final = 176


def share_box(
    frame: Frame, view: View, formats: Sequence[Format], draft: Callable[[Format], Draft]
) -> None:
    """Fields, a button, and what it last came to; nothing for anybody but the owner.

    `draft` says how the export of a format is made. It is asked when the button is pressed, so
    that a page that nobody shares computes nothing for it.
    """
    if not frame.actor.is_owner or frame.application.predictions is None:
        return
    with st.expander("Share", icon=":material/share:", key=f"share_box_{view.value}"):
        gives_links = frame.application.sharing.gives_links
        st.caption(
            "Puts what this page shows into the store as a file"
            + (", and gives a link to it that ends. " if gives_links else ", to be handed on. ")
            + "The page Sharing lists what was made."
        )
        with st.container(horizontal=True, vertical_alignment="bottom"):
            # Values, not members: after an update of the code a session has those of the old one.
            chosen = st.selectbox(
                "Format",
                [one.value for one in formats],
                format_func=FORMAT_LABELS.__getitem__,
                key=f"share_format_{view.value}",
                width=_FIELD_PIXELS,
            )
            keep_days = st.selectbox(
                "Keep the file for",
                KEEP_DAYS,
                format_func="{} days".format,
                key=f"share_keep_{view.value}",
                help="Then it is deleted from the store, and every link to it ends.",
                width=_FIELD_PIXELS,
            )
            lasts = timedelta()
            if gives_links:
                lasts = life_field(f"share_life_{view.value}", _FIELD_PIXELS)
        place = f"share_given_{view.value}"
        if st.button("Share it", icon=":material/link:", key=f"share_{view.value}"):
            st.session_state.pop(place, None)
            st.session_state[place] = _share(frame, draft, Format(chosen), keep_days, lasts)
        given: Given | None = st.session_state.get(place)
        if given is not None:
            _show(frame, given)


def _share(
    frame: Frame,
    draft: Callable[[Format], Draft],
    chosen: Format,
    keep_days: int,
    lasts: timedelta,
) -> Given:
    bar = st.progress(0.0, text="Preparing")

    def progress(share: float, words: str) -> None:
        # Whoever goes elsewhere meanwhile ends it here, and nothing of it is left.
        text = f"{plain(words)}. Stay on this page until it is done."
        bar.progress(min(max(share, 0.0), 1.0), text=text)

    sharing = frame.application.sharing
    try:
        export = sharing.make(frame.actor, draft(chosen), keep_days=keep_days, progress=progress)
    except EXPLAINED as error:
        return Given("", "", problem=str(error))
    finally:
        bar.empty()
    return give(frame, export, lasts)


def _show(frame: Frame, given: Given) -> None:
    try:
        now = frame.application.sharing.now()
        has_ended = bool(how_it_ended(frame, given, now))
    except NotReady as error:
        st.error(plain(str(error)))
        return
    if given.about and not has_ended:
        st.success(plain(f"Made: {given.about}"), icon=":material/check:")
    show_given(frame, given, now)
    st.page_link("pages/sharing.py", label="All that was made: Sharing", icon=":material/share:")
