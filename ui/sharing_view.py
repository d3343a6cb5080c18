"""What was shared: the list, new links, the file itself, and the end of one."""

from __future__ import annotations

import mimetypes
import threading
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import pandas as pd
import streamlit as st

from exports.draft import View
from jobs.authority import sign_in_remedy
from jobs.errors import EXPLAINED
from jobs.sharing import Export, Standing
from jobs.work_folders import temporary_folder
from ui.answers import do_and_answer, show_answer
from ui.csv_file import count
from ui.formats import kilobytes, moment, plain
from ui.frame import Frame
from ui.share_links import FORMAT_LABELS, Given, export_words, give, life_field, show_given

__all__ = ["show_sharing"]

_ANSWER: Final = "sharing_answer"
_GIVEN: Final = "sharing_given"
"""The newest links of this session; of one export at a time."""
_FILE: Final = "sharing_file"
"""The export whose file is there and can be downloaded."""
_SURE: Final = "sharing_sure"
"""With an export's id behind it: who is sure of one is not sure of another."""
_TURN: Final = threading.Lock()
"""Held while a file is read: a large one takes some hundred megabytes."""
_FIELD_PIXELS: Final = 176

_VIEW_LABELS: Final[Mapping[str, str]] = {
    View.SLATE.value: "Today's Games",
    View.TRACK_RECORD.value: "Track Record",
    View.HISTORY.value: "History",
    View.PLAYER.value: "Player",
}
_STATES: Final[Mapping[str, str]] = {
    Standing.SHARED.value: "shared",
    Standing.KEPT.value: "kept",
    Standing.EXPIRED.value: "expired",
    Standing.REVOKED.value: "revoked",
    Standing.REVOKING.value: "revoked, not all of it is deleted yet",
}
_COLUMN_SETTINGS: Final = {
    # No wider, so that a phone has room for a column beside it.
    "Shows": st.column_config.TextColumn(pinned=True, width="medium"),
    "State": st.column_config.TextColumn(
        help="Shared: a link that was given may still work. Kept: no link is known to work."
    ),
    "Rows": st.column_config.NumberColumn(format="localized"),
}


def show_sharing(frame: Frame) -> None:
    """The whole page, for the owner; anybody else reads whose it is."""
    if not frame.actor.is_owner:
        st.info(
            f"This page is the owner's. {plain(sign_in_remedy(frame.application.settings.owner))}"
        )
        return
    if frame.application.predictions is None:
        st.info(
            "The history is not here yet, and with it the list of what was shared. The sidebar "
            "says why, and it is tried again by itself.",
            icon=":material/hourglass_top:",
        )
        return
    try:
        exports = frame.application.sharing.exports(frame.actor)
        now = frame.application.sharing.now()
    except EXPLAINED as error:
        st.error(plain(str(error)))
        return
    st.caption(
        "What was made with the box Share at the end of Today's Games, Player, Track Record and "
        "History. Whoever has a link can download the file, without signing in, until the link "
        "ends. A link is in no list: make another one here."
    )
    show_answer(_ANSWER)
    if not exports:
        st.info(
            "Nothing was shared yet. Open the box Share at the end of one of those pages.",
            icon=":material/share:",
        )
        return
    _show_list(frame, exports, now)
    there = [one for one in exports if _state(one, now) in _THERE]
    if there:
        _show_one(frame, there, now)


_THERE: Final = frozenset({Standing.SHARED.value, Standing.KEPT.value, Standing.REVOKING.value})
"""The states in which there is something to open or to delete."""


def _state(export: Export, now: datetime) -> str:
    return export.standing(now).value


def _show_list(frame: Frame, exports: Sequence[Export], now: datetime) -> None:
    st.header("Exports")
    st.dataframe(
        _table(frame, exports, now),
        alt="The exports, newest first: what they show, how large they are, and until when",
        hide_index=True,
        width="stretch",
        column_config=_COLUMN_SETTINGS,
    )
    stored = [one for one in exports if one.removed_at is None]
    size = kilobytes(sum(one.size_bytes for one in stored))
    st.caption(
        f"In the store now: {count(len(stored), 'export')}, together {size}. What has expired is "
        "deleted by itself; what ended long ago leaves this list."
    )


def _table(frame: Frame, exports: Sequence[Export], now: datetime) -> pd.DataFrame:
    zone = frame.zone
    return pd.DataFrame(
        {
            "Shows": [one.title for one in exports],
            # A phone has room for few of them: what may still be had comes first.
            "State": [_STATES[_state(one, now)] for one in exports],
            "Format": [FORMAT_LABELS.get(one.format, one.format) for one in exports],
            "Size": [kilobytes(one.size_bytes) for one in exports],
            "Age": [_age(now - one.made_at) for one in exports],
            "Links end": [
                "–" if one.links_until is None else moment(one.links_until, zone) for one in exports
            ],
            "Kept until": [moment(one.expires_at, zone) for one in exports],
            "Rows": [one.row_count for one in exports],
            "Page": [_VIEW_LABELS.get(one.view, one.view) for one in exports],
            "Made": [moment(one.made_at, zone) for one in exports],
        }
    )


def _age(since: timedelta) -> str:
    """2 days, 3 hours or 5 minutes."""
    minutes = max(0, int(since.total_seconds())) // 60
    if minutes >= 48 * 60:
        return f"{minutes // (24 * 60)} days"
    if minutes >= 2 * 60:
        return f"{minutes // 60} hours"
    return "1 minute" if minutes == 1 else f"{minutes} minutes"


def _show_one(frame: Frame, there: Sequence[Export], now: datetime) -> None:
    """New links to one export, its file, or the end of it."""
    st.header("One export")
    names = {one.export_id: _name(frame, one) for one in there}
    chosen_id = st.selectbox(
        "Export",
        list(names),
        format_func=lambda export_id: names.get(export_id, export_id),
        key="sharing_one",
    )
    chosen = next((one for one in there if one.export_id == chosen_id), there[0])
    st.caption(
        plain(f"{export_words(frame, chosen)} In the store below exports/{chosen.export_id}/.")
    )
    if _state(chosen, now) != Standing.REVOKING.value:
        if frame.application.sharing.gives_links:
            _show_links(frame, chosen, now)
        else:
            _show_file(frame, chosen)
    _show_revoking(frame, chosen)


def _show_links(frame: Frame, chosen: Export, now: datetime) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        lasts = life_field("sharing_life", _FIELD_PIXELS)
        wants_link = st.button("New link", icon=":material/link:")
    if wants_link:
        do_and_answer(frame, _ANSWER, lambda: _give(frame, chosen, lasts))
    given: Given | None = st.session_state.get(_GIVEN)
    if given is not None and given.export_id == chosen.export_id:
        show_given(frame, given, now)


def _show_file(frame: Frame, chosen: Export) -> None:
    st.caption("The store is a folder on this machine, which has no links: hand on the file.")
    if st.button(
        "Prepare the file",
        icon=":material/draft:",
        help="Looks whether it is in the store; then it can be downloaded.",
    ):
        do_and_answer(frame, _ANSWER, lambda: _prepare(frame, chosen))
    if st.session_state.get(_FILE) == chosen.export_id:
        name = chosen.file_name or "nba-daily-history.zip"
        st.download_button(
            "Download the file",
            # Made when it is asked for: what a session is given it keeps.
            lambda: _content(frame, chosen),
            file_name=name,
            mime=mimetypes.guess_type(name)[0] or "application/octet-stream",
            icon=":material/download:",
            on_click="ignore",
        )


def _show_revoking(frame: Frame, chosen: Export) -> None:
    sure = "Delete it from the store: every link to it ends, and it cannot be taken back."
    if frame.application.settings.exports.public_address is not None:
        sure += " Copies behind the public address live on for up to five minutes."
    is_sure = st.checkbox(sure, key=_sure_key(chosen))
    if st.button("Revoke", icon=":material/link_off:", disabled=not is_sure):
        do_and_answer(frame, _ANSWER, lambda: _revoke(frame, chosen))


# What the buttons do ------------------------------------------------------------------------------


def _give(frame: Frame, chosen: Export, lasts: timedelta) -> str:
    st.session_state[_GIVEN] = give(frame, chosen, lasts)
    # It stands below the button that made it.
    return ""


def _prepare(frame: Frame, chosen: Export) -> str:
    st.session_state.pop(_FILE, None)
    size_bytes = frame.application.sharing.size(frame.actor, chosen.export_id)
    st.session_state[_FILE] = chosen.export_id
    return f"{chosen.title} is ready below, {kilobytes(size_bytes)}."


def _content(frame: Frame, chosen: Export) -> bytes:
    """The file, one at a time, however many ask: memory is short."""
    with _TURN, temporary_folder("download to") as folder:
        path: Path = frame.application.sharing.download(frame.actor, chosen.export_id, folder)
        return path.read_bytes()


def _revoke(frame: Frame, chosen: Export) -> str:
    for key in (_sure_key(chosen), _GIVEN, _FILE):
        st.session_state.pop(key, None)
    frame.application.sharing.revoke(frame.actor, chosen.export_id)
    return f"Revoked: {chosen.title}. Its files are deleted, and every link to them has ended."


def _sure_key(chosen: Export) -> str:
    return f"{_SURE}_{chosen.export_id}"


# Words --------------------------------------------------------------------------------------------


def _name(frame: Frame, export: Export) -> str:
    """No two alike: the list tells its entries apart by their words."""
    kind = FORMAT_LABELS.get(export.format, export.format)
    made = moment(export.made_at, frame.zone)
    return f"{export.title}, {kind}, {made} ({export.export_id[:8]})"
