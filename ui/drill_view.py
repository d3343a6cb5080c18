"""The restore drill on screen: what the last one found, and one more now."""

from __future__ import annotations

from typing import Final
from zoneinfo import ZoneInfo

import streamlit as st

from jobs.drill import Drills
from jobs.drill_record import DrillOutcome, DrillResult
from ui.answers import do_and_answer, show_answer
from ui.formats import moment, plain
from ui.frame import Frame

__all__ = ["show_drill"]

_ANSWER: Final = "drill_answer"


def show_drill(frame: Frame) -> None:
    """The last outcome, the last good one if that is another, and a button."""
    st.header("Restore drill")
    st.caption(
        "A backup is worth what comes back from it. Once a day the newest one is restored to a "
        "temporary place, and each of its rows is compared with the log's. What this machine found "
        "is kept beside its working copy only."
    )
    drills = frame.application.drills
    if st.button(
        "Run a drill now",
        icon=":material/exercise:",
        help="Reads the newest backup and the log; changes nothing.",
    ):
        do_and_answer(frame, _ANSWER, lambda: _run(frame, drills))
    show_answer(_ANSWER)
    running, record = drills.progress, drills.record
    if running is not None:
        st.caption(f"One is running: {plain(running[1])}.")
    if record.last is None:
        st.caption("None has been run on this machine yet.")
    else:
        _show_outcome(record.last, frame.zone)
        if record.last_damaged is not None and record.last_damaged != record.last:
            # A drill that came to no end does not take back what an earlier one found.
            _show_outcome(record.last_damaged, frame.zone)
        if record.last_good is not None and not record.last.is_good:
            good = f"The last good one: {moment(record.last_good.finished_at, frame.zone)}."
            st.caption(f"{good} {plain(_words(record.last_good))}")
    if record.note:
        st.warning(plain(record.note))


def _run(frame: Frame, drills: Drills) -> str:
    drills.run(frame.actor)
    # Its outcome is remembered, and stands on the page until the next one.
    return ""


def _show_outcome(outcome: DrillOutcome, zone: ZoneInfo) -> None:
    text = f"{moment(outcome.finished_at, zone)}: {_words(outcome)}"
    match outcome.result.value:
        case DrillResult.GOOD.value:
            st.success(plain(text), icon=":material/verified:")
        case DrillResult.DAMAGED.value:
            st.error(plain(text), icon=":material/error:")
        case _:
            st.warning(plain(text), icon=":material/warning:")


def _words(outcome: DrillOutcome) -> str:
    if not outcome.is_good:
        return outcome.problem
    way = "its first entry" if outcome.played_from == 1 else f"#{outcome.played_from}"
    return (
        f"{outcome.backup_key} came back with the log's own rows, {outcome.rows:,} in "
        f"{outcome.tables} tables as of #{outcome.sequence}; the log was played from {way}."
    )
