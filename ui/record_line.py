"""One line on how good the predictions have been; it leads to the track record."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from jobs.errors import EXPLAINED
from prediction_tracking import Origin
from tracking.accuracy import Choice
from tracking.scoring import Scoring, TrackRecord
from ui.formats import percent, plain
from ui.frame import Frame
from ui.record_tables import best_baseline, gain_words, interval_words
from ui.record_words import WHEN_IT_COUNTS

__all__ = ["record_line", "show_record_line"]

_PAGE = "pages/track_record.py"
_PATIENCE_SECONDS = 0.1
_LOOK_SECONDS = 0.5
_ALL_LIVE = Choice(Origin.LIVE, None, None, None)


def show_record_line(frame: Frame) -> None:
    """Draw the line; nothing while the history is not here."""
    log = frame.application.predictions
    if log is None:
        return
    text: str | None
    try:
        text = _line_of(log.scoring)
    except EXPLAINED:
        # The page that it leads to says what is wrong.
        text = "Track record: it cannot be read at the moment."
    if text is None:
        page = _Page()
        st.fragment(_wait_for, run_every=_LOOK_SECONDS)(log.scoring, page)
        page.is_drawn = True
    else:
        # As text, because a link's label is cut off where it is wider than a phone.
        st.markdown(f":material/monitoring: {plain(text)}")
    st.page_link(_PAGE, label="More on Track Record", icon=":material/query_stats:")


@dataclass(slots=True)
class _Page:
    """Whether the page's own run is past the line: that one is not broken off."""

    is_drawn: bool = False


def _wait_for(scoring: Scoring, page: _Page) -> None:
    st.markdown(":material/monitoring: Track record: it is being added up.")
    if not page.is_drawn:
        return
    try:
        is_there = scoring.wait(0.0)
    except EXPLAINED:
        # The page that the line leads to says what is wrong.
        is_there = False
    if is_there:
        st.rerun()


def _line_of(scoring: Scoring) -> str | None:
    """The line, None while there is nothing to say it of."""
    if not scoring.is_current():
        # Nobody waits long for it here; what is a little old is shown meanwhile.
        scoring.begin_update()
        try:
            scoring.wait(_PATIENCE_SECONDS)
        except EXPLAINED:
            # The page that it leads to says what is wrong, above the same older figures.
            if not scoring.is_ready():
                raise
    if not scoring.is_ready():
        return None
    return record_line(scoring.track_record(_ALL_LIVE))


def record_line(record: TrackRecord) -> str:
    """Track record: points off by 4.62 (95%: 4.41 to 4.83, n = 1,204), 0.31 better than EWMA 8."""
    [points] = [one.score for one in record.stats if one.stat == "points"]
    if points is None:
        return f"Track record: none yet; {WHEN_IT_COUNTS}."
    words = [f"n = {points.n:,}"]
    if points.mae.interval is not None:
        words.insert(0, f"95%: {interval_words(points.mae)}")
    text = f"Track record: points off by {points.mae.value:.2f} on average ({', '.join(words)})"
    best = best_baseline(points)
    if best is not None:
        text += f", {gain_words(best, points.n)}"
    if points.coverage is not None:
        text += f"; {percent(points.coverage.value)} within their range"
    return f"{text}."
