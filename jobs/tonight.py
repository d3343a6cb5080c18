"""Tonight's slate logs itself; a person can add a revision."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime

from jobs.errors import NotReady
from nba.reference import Reference
from nba.seasons import slate_date_of, tonight
from nba.slate import SlateProjection
from prediction_tracking import Origin, PredictionLog, Run

__all__ = ["log_replay", "log_tonight", "revise", "tonights_date"]

Project = Callable[[date], SlateProjection]


def tonights_date(reference: Reference, now: datetime) -> date | None:
    """The slate to show at `now` (UTC): the earliest unfinished one; None after the last."""
    return tonight(reference.schedule(), now)


def log_tonight(
    log: PredictionLog, reference: Reference, project: Project, now: datetime
) -> Run | None:
    """Log tonight's slate unless that has been done; the run, or None if there is none to log.

    A slate is logged on its own Eastern date, not while an idle day or a break already shows it:
    by then more may be known. Idempotent, also between processes: an automatic run's id follows
    from what it holds.
    """
    slate_date = tonights_date(reference, now)
    if slate_date is None or slate_date > slate_date_of(now):
        return None
    run = log.current_run(slate_date)
    if run is not None:
        return run
    projection = project(slate_date)
    if not projection.games:
        return None
    return log.log_slate(projection, Origin.LIVE)


def revise(
    log: PredictionLog, reference: Reference, project: Project, slate_date: date, now: datetime
) -> Run:
    """Log tonight's slate once more, as a revision.

    Raises:
        NotReady: the date is not tonight's, or there is nothing to project.
    """
    if slate_date != tonights_date(reference, now):
        raise NotReady(
            "revise",
            slate_date.isoformat(),
            "Only tonight's slate can be revised.",
            "Open tonight's slate; a past date can be logged as a replay.",
        )
    return log.log_slate(_with_games(project(slate_date), "revise"), Origin.LIVE, revision=True)


def log_replay(log: PredictionLog, project: Project, slate_date: date) -> Run:
    """Log a past date as if it were that evening; labelled a replay wherever it shows.

    Raises:
        NotReady: there was no game on that date.
    """
    return log.log_slate(_with_games(project(slate_date), "log a replay"), Origin.REPLAY)


def _with_games(projection: SlateProjection, operation: str) -> SlateProjection:
    if not projection.games:
        raise NotReady(
            operation,
            projection.slate_date.isoformat(),
            "There is no game to project on this date.",
            "Choose another date.",
        )
    return projection
