"""How safe the history is: for everybody in a sentence, for the owner with all that is known."""

from __future__ import annotations

from typing import Final
from zoneinfo import ZoneInfo

import pandas as pd
import streamlit as st

from jobs.configuration import FolderSettings
from jobs.saved import SavedLine, SavedState, describe
from prediction_tracking import PredictionLog
from replica import Status
from ui.answers import do_and_answer, show_answer
from ui.charts import show_chart
from ui.formats import kilobytes, moment, plain
from ui.frame import Frame
from ui.status_line import look_again_seconds, show_headline
from ui.sync_picture import drawn, picture_of

__all__ = ["show_sync"]

UPLOAD_ROWS: Final = 20

_ANSWER: Final = "sync_answer"

_MEANING: Final = """\
Every projection is written to a numbered log{place}.{number} A projection counts in the track
record only if its entry was there before the game's tip-off, by the clock of the place where the
log is kept."""
_OUTSIDE: Final = " outside this machine, whose disk may be wiped at any time"
_NUMBER: Final = " The number above is the newest entry's."


def show_sync(frame: Frame) -> None:
    """The state, which updates by itself; below it the owner finds what went where."""
    line = describe(frame.application.saved_state())
    st.fragment(_watch, run_every=look_again_seconds(line))(frame)
    if not frame.actor.is_owner:
        return
    log = frame.application.predictions
    status = frame.application.saved_state().status
    if log is None or status is None:
        return
    _show_uploads(log, frame.zone)
    _show_writers(status, frame.zone)
    st.page_link(
        "pages/backups.py",
        label="All backups, and the way back to any moment",
        icon=":material/settings_backup_restore:",
    )


def _watch(frame: Frame) -> None:
    # The state is told after a button has done its work, but stands above it.
    told = st.container()
    if frame.actor.is_owner:
        _show_buttons(frame)
    saved = frame.application.saved_state()
    line = describe(saved)
    with told:
        show_headline(line)
        for words in line.remedies if frame.actor.is_owner else line.advice:
            st.markdown(plain(words))
        if frame.actor.is_owner:
            _show_picture(saved, line, frame.zone)
        else:
            number = _NUMBER if _names_entry(saved, line) else ""
            is_outside = not isinstance(frame.application.settings.store, FolderSettings)
            st.markdown(_MEANING.format(number=number, place=_OUTSIDE if is_outside else ""))
            if saved.status is not None and saved.status.last_success_at is not None:
                at = moment(saved.status.last_success_at, frame.zone)
                st.caption(f"The log was last reached on {at}.")


def _names_entry(saved: SavedState, line: SavedLine) -> bool:
    """Whether the headline has a number: nothing may be in the log yet, or it cannot be read."""
    return saved.status is not None and f"#{saved.status.sequence}" in line.headline


def _show_picture(saved: SavedState, line: SavedLine, zone: ZoneInfo) -> None:
    picture = picture_of(saved)
    show_chart(drawn(picture), picture.words, key="sync_picture")
    st.caption(plain(picture.words))
    facts = [plain(detail) for detail in line.details]
    status = saved.status
    if status is not None and status.last_success_at is not None:
        facts.append(f"Last reached: {plain(moment(status.last_success_at, zone))}")
    if facts:
        st.markdown("\n".join(f"- {fact}" for fact in facts))


# What the owner does ------------------------------------------------------------------------------


def _show_buttons(frame: Frame) -> None:
    application, line = frame.application, describe(frame.application.saved_state())
    is_here = application.preparation.state_ready
    wait = None if is_here else "The history is not here yet; see above."
    with st.container(horizontal=True):
        if st.button(
            "Sync now",
            icon=":material/sync:",
            help=wait or "Send what waits, and take what other copies of the app have written.",
            disabled=not is_here,
        ):
            do_and_answer(frame, _ANSWER, lambda: _sync(frame))
        if st.button(
            "Back up now",
            icon=":material/backup:",
            help=wait or "Keep a copy of the whole history as it is now, beside the log.",
            disabled=not is_here,
        ):
            do_and_answer(frame, _ANSWER, lambda: _back_up(frame))
        if line.can_follow_store and st.button(
            "Keep as backup, follow the store",
            icon=":material/cloud_download:",
            help="This machine's history is put into backups/ first, then the store's newest one "
            "is taken.",
        ):
            do_and_answer(frame, _ANSWER, lambda: _follow(frame))
        if line.can_start_anew and st.button(
            "Save this history anew",
            icon=":material/cloud_upload:",
            help="The store has lost its history: this machine's becomes the beginning of a new "
            "one. Refused if the store still has one.",
        ):
            do_and_answer(frame, _ANSWER, lambda: _start_anew(frame))
    show_answer(_ANSWER)


def _newest(frame: Frame) -> str:
    status = frame.application.saved_state().status
    return "the log is empty" if status is None else f"the newest entry is #{status.sequence}"


def _sync(frame: Frame) -> str:
    moved = frame.application.sync_now(frame.actor)
    return f"{'Sent or taken' if moved else 'Nothing was new on either side'}; {_newest(frame)}."


def _back_up(frame: Frame) -> str:
    backup = frame.application.back_up(frame.actor)
    return f"Backed up as {backup.key}, {kilobytes(backup.size_bytes)}."


def _follow(frame: Frame) -> str:
    frame.application.take_over_from_store(frame.actor)
    return f"The store's history has been taken; {_newest(frame)}. What was here is in backups/."


def _start_anew(frame: Frame) -> str:
    frame.application.start_new_log(frame.actor)
    return "This history is being saved as the beginning of a new log."


# What went where ----------------------------------------------------------------------------------


def _show_uploads(log: PredictionLog, zone: ZoneInfo) -> None:
    st.header("Last uploads")
    found = log.uploads(UPLOAD_ROWS)
    if found.empty:
        st.caption("Nothing is in the log yet. What is logged or learned first begins it.")
        return
    table = pd.DataFrame(
        {
            "Entry": [f"#{sequence}" for sequence in found["sequence"]],
            "Saved": [
                "before this log began" if pd.isna(at) else moment(at.to_pydatetime(), zone)
                for at in found["stored_at"]
            ],
            "Writes": found["transactions"],
            "Projections of": [text or "–" for text in found["slates"]],
        }
    )
    st.table(table, border="horizontal", hide_index=True, alt="The newest entries of the log")
    st.caption(
        "Times are the store's. A write is one logged slate, one import or one look at the sources."
    )


def _show_writers(status: Status, zone: ZoneInfo) -> None:
    if not status.writers:
        return
    st.header("Writers seen lately")
    table = pd.DataFrame(
        {
            "Writer": [writer.writer_id for writer in status.writers],
            "Its newest entry": [f"#{writer.sequence}" for writer in status.writers],
            "Saved": [moment(writer.stored_at, zone) for writer in status.writers],
        }
    )
    st.table(table, border="horizontal", hide_index=True, alt="Who wrote to the log lately")
    st.caption(
        "Each start of the app is a writer of its own, under a random name. Several may write to "
        "one log at the same time."
        if status.mode != "single_writer"
        else "Each start of the app is a writer of its own, under a random name. This store is "
        "safe for one at a time."
    )
