"""A look at the sources: how far it has come, and the owner's button that begins one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import streamlit as st

from jobs.application import Application
from jobs.errors import EXPLAINED
from jobs.ingest import IngestReport
from prediction_tracking import LearnReport
from ui.csv_file import count
from ui.formats import moment, plain
from ui.frame import Frame
from ui.runtime import get_application

__all__ = ["fetch_button", "outcome_of_fetch", "show_age_or_progress", "show_last_fetch"]

_POLL_SECONDS: Final = 2.0
_BAR_PIXELS: Final = 80
# A look that is over before the second poll is not worth a bar.
_LONG_WORK_POLLS: Final = 2
_POLLS: Final = "fetch_polls"
_ERROR: Final = "fetch_error"


@dataclass(slots=True)
class _Page:
    """What the page around the line was drawn with, and whether its own run is past the line."""

    last_fetch: datetime | None
    is_drawn: bool = False


def show_age_or_progress(application: Application, age: str) -> None:
    """One line: how old the data is, with a bar beside it while a long look goes on.

    It looks again by itself. When a look has ended, whoever began it, the page is drawn anew.
    """
    page = _Page(_last_fetch(application))
    _draw_line(application, age, page)
    page.is_drawn = True


@st.fragment(run_every=_POLL_SECONDS)
def _draw_line(application: Application, age: str, page: _Page) -> None:
    season = application.season
    progress = None if season is None else season.progress
    polls = 0 if progress is None else st.session_state.get(_POLLS, 0) + 1
    was_long = st.session_state.get(_POLLS, 0) >= _LONG_WORK_POLLS
    st.session_state[_POLLS] = polls
    with st.container(horizontal=True, wrap=False, vertical_alignment="center", gap="small"):
        if progress is not None and polls >= _LONG_WORK_POLLS:
            share, words = progress
            st.progress(min(max(share, 0.0), 1.0), width=_BAR_PIXELS)
            st.caption(f"{age.split(',')[0].rstrip('.')}. {plain(words)} …")
        else:
            st.caption(age, help="Times are in your browser's zone, else US Eastern.")
    if not page.is_drawn or get_application() is not application:
        return
    if _last_fetch(application) != page.last_fetch or (was_long and progress is None):
        st.rerun()


def _last_fetch(application: Application) -> datetime | None:
    season = application.season
    report = None if season is None else season.last_ingest
    return None if report is None else report.finished_at


def fetch_button(frame: Frame) -> bool:
    """The owner's button; True if it was pressed. Nothing where there is no source to ask."""
    season = frame.application.season
    if not frame.actor.is_owner or season is None or not season.has_sources:
        return False
    return st.button(
        "Fetch now",
        icon=":material/cloud_download:",
        help="Asks the sources for games and results. It happens by itself as well.",
    )


def show_last_fetch(frame: Frame, *, fetch: bool) -> None:
    """What the last look gave; with `fetch` look now first, with a bar."""
    application = frame.application
    season = application.season
    if not frame.actor.is_owner or season is None or not season.has_sources:
        return
    if fetch:
        st.session_state.pop(_ERROR, None)
        bar = st.progress(0.0, text="Fetching")
        try:
            application.ingest(frame.actor, lambda share, words: _move(bar, share, words))
        except EXPLAINED as error:
            st.session_state[_ERROR] = str(error)
        # The page above was drawn before.
        st.rerun()
    if (text := st.session_state.get(_ERROR)) is not None:
        st.error(plain(text))
    report = season.last_ingest
    if report is not None:
        at = moment(report.finished_at, frame.zone)
        st.caption(plain(f"Last fetched {at}: {outcome_of_fetch(report)}"))
        _show_details(report)


def _move(bar: st.delta_generator.DeltaGenerator, share: float, words: str) -> None:
    bar.progress(min(max(share, 0.0), 1.0), text=plain(words))


def outcome_of_fetch(report: IngestReport) -> str:
    """One sentence: what came, what was new, what failed."""
    parts = [f"{count(report.documents, 'response')} read", _learned(report.learned)]
    if report.failures:
        parts.append(f"{count(len(report.failures), 'request')} without an answer")
    if report.problems:
        parts.append(f"{count(report.problems, 'part')} set aside")
    return f"{', '.join(parts)}."


def _learned(learned: LearnReport) -> str:
    if learned.is_empty:
        return "nothing new"
    numbers = (
        (learned.games, "result"),
        (learned.player_games, "box score line"),
        (learned.corrected, "correction"),
        (learned.scheduled, "change of the schedule"),
        (learned.roster_moves, "roster move"),
        (learned.players, "new player"),
    )
    return ", ".join(count(number, noun) for number, noun in numbers if number)


def _show_details(report: IngestReport) -> None:
    """Each different failure with its remedy in full, which may name addresses."""
    said = list(dict.fromkeys(str(failure) for failure in report.failures))
    if not said and not report.problems:
        return
    with st.expander("What the sources said", icon=":material/info:"):
        for text in said:
            st.caption(plain(text))
        if report.problems:
            st.caption("What was set aside, and why, is on Sync under Quarantine.")
