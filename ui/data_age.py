"""How old the data of a slate is, what is missing and why, and what was not logged in time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Final

import streamlit as st

from jobs.application import Application
from jobs.ingest import IngestReport
from nba.errors import NbaError
from nba.reference import ROSTERS_AS_OF
from nba.seasons import slate_date_of
from nba.slate import SlateProjection
from nba.sources.errors import NothingAnswered, NotPublished, SourceError
from prediction_tracking import MissedSlate
from ui.fetching import show_age_or_progress
from ui.formats import age_in_days, plain, short_date
from ui.frame import Frame

__all__ = ["missed_line", "show_data_age", "silence_of"]

_SHOWN_DAYS: Final = timedelta(days=14)
_LIVE, _STATS, _FOLDER = "nba-live", "nba-stats", "folder"


def show_data_age(frame: Frame, projection: SlateProjection) -> None:
    """The line for everybody; below it, for the owner, what the sources said in full."""
    application = frame.application
    # An evening that was over before the bundled seasons end needs nothing from any source.
    waits_for_data = projection.slate_date > application.reference.info.data_as_of
    show_age_or_progress(application, _age(projection))
    if not waits_for_data:
        return
    notes = list(_gap(application, projection))
    season = application.season
    report = None if season is None else season.last_ingest
    if report is not None:
        notes += _missing(report, application, projection.slate_date)
        notes += silence_of(report, application.settings.sources.names)
    if notes and application.missing_seasons(projection.slate_date):
        # Numbers from a season ago look like any others.
        st.warning(plain(" ".join(notes)), icon=":material/history_toggle_off:")
    elif notes:
        st.caption(plain(" ".join(notes)))
    if application.season is not None:
        today = slate_date_of(application.clock())
        if line := missed_line(application.missed_slates(), today):
            st.caption(line)


def _age(projection: SlateProjection) -> str:
    if projection.data_as_of is None:
        return "No game before this date is known: every projection is an average."
    days = (projection.slate_date - projection.data_as_of).days
    return f"Data as of {short_date(projection.data_as_of)}, {age_in_days(days)} before this slate."


def _gap(application: Application, projection: SlateProjection) -> Iterator[str]:
    gap = application.missing_seasons(projection.slate_date)
    if gap:
        yield f"Not bundled and not fetched yet: {', '.join(gap)}."
    known = projection.data_as_of
    if gap and (known is None or known < ROSTERS_AS_OF):
        yield f"Line-ups come from the rosters of {ROSTERS_AS_OF:%B %Y}."


def _missing(report: IngestReport, application: Application, slate_date: date) -> Iterator[str]:
    said = application.missing_seasons(slate_date)
    for sentence in report.missing:
        if not any(season in sentence for season in said):
            yield sentence


def silence_of(report: IngestReport, asked: tuple[str, ...]) -> Iterator[str]:
    """Which sources did not answer, in words without addresses.

    `asked` are the sources of the settings: "live", "stats", "folder".
    """
    silent = {name for failure in report.failures for name in _sources_of(failure)}
    if silent >= {_LIVE, _STATS}:
        yield "NBA's servers do not answer from here; they are asked again by themselves."
    elif _STATS in silent:
        rest = "; results come from the live feed." if "live" in asked else "."
        yield f"NBA's stats server does not answer from here{rest}"
    elif _LIVE in silent:
        rest = "; results come from the stats server." if "stats" in asked else "."
        yield f"NBA's live feed does not answer from here{rest}"
    if _FOLDER in silent:
        yield "The saved responses cannot be read."
    if report.problems:
        parts = "part" if report.problems == 1 else "parts"
        yield f"{report.problems} {parts} of the responses made no sense and are set aside."


def _sources_of(failure: NbaError) -> Iterator[str]:
    """The names of the sources behind a failure: each source's own, or one of all of them."""
    behind = failure.failures if isinstance(failure, NothingAnswered) else (failure,)
    for one in behind:
        # Who has no such thing yet has answered.
        if isinstance(one, SourceError) and not isinstance(one, NotPublished):
            yield one.source


def missed_line(missed: list[MissedSlate], today: date) -> str:
    """The slates of the last two weeks that were not logged in time; "" if there is none."""
    days = [_missed_day(slate) for slate in missed if slate.slate_date >= today - _SHOWN_DAYS]
    if not days:
        return ""
    return (
        f"Not logged in time: {', '.join(days)} (the app was asleep or could not reach its data)."
    )


def _missed_day(slate: MissedSlate) -> str:
    day = f"{slate.slate_date:%a %b} {slate.slate_date.day}"
    if not slate.in_time:
        return day
    return f"{slate.games - slate.in_time} of {slate.games} games of {day}"
