"""Tonight's slate logs itself; a person can add a revision."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Final

from jobs.errors import NotReady
from jobs.ingest_plan import begun
from nba.reference import Reference
from nba.seasons import slate_date_of, tonight
from nba.slate import SlateProjection
from prediction_tracking import Origin, PredictionLog, Run

__all__ = ["log_replay", "log_tonight", "revise", "revise_if_open", "tonights_date"]

Project = Callable[[date], SlateProjection]

_LATEST_LOG: Final = timedelta(hours=3)


def tonights_date(reference: Reference, now: datetime) -> date | None:
    """The slate to show at `now` (UTC): the earliest unfinished one; None after the last."""
    return tonight(reference.schedule(), now)


def log_tonight(
    log: PredictionLog,
    reference: Reference,
    project: Project,
    now: datetime,
    *,
    results_may_come: bool = False,
) -> Run | None:
    """Log tonight's slate unless that has been done; the run, or None if there is none to log.

    A slate is logged on its own Eastern date, not while an idle day or a break already shows it:
    by then more may be known. It is logged once more when more is known before the first tip-off:
    newer box scores, a late one, a trade. With `results_may_come` it waits, up to three hours
    before that tip-off, for last night's results. Idempotent, also between processes: an automatic
    run's id follows from what it holds.
    """
    slate_date = tonights_date(reference, now)
    if slate_date is None or slate_date > slate_date_of(now):
        return None
    first_tipoff = min(
        (game.tipoff_utc for game in reference.slate(slate_date) if game.tipoff_utc is not None),
        default=None,
    )
    run = log.current_run(slate_date)
    if run is not None:
        newest = reference.latest_box_score(slate_date)
        is_newer = newest is not None and (run.data_as_of is None or newest > run.data_as_of)
        if first_tipoff is None or now >= first_tipoff or (run.revision and not is_newer):
            return run
    may_wait = results_may_come and first_tipoff is not None and now < first_tipoff - _LATEST_LOG
    if may_wait and _outstanding(reference, slate_date, now):
        return run
    projection = project(slate_date)
    if not projection.games:
        return run
    return log.log_slate(projection, Origin.LIVE, anew=run is not None)


def _outstanding(reference: Reference, slate_date: date, now: datetime) -> bool:
    """Whether a game of the last evening should be over and has no result yet."""
    yesterday = slate_date - timedelta(days=1)
    games = begun(reference.unfinished(yesterday), now)
    return any(game.slate_date == yesterday for game in games)


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


def revise_if_open(
    log: PredictionLog, reference: Reference, project: Project, now: datetime
) -> Run | None:
    """Log tonight once more if it has been logged, and a game of it has not begun."""
    slate_date = tonights_date(reference, now)
    if slate_date is None or log.current_run(slate_date) is None:
        return None
    still_open = any(
        forecast.game.tipoff_utc is not None and now < forecast.game.tipoff_utc
        for forecast in project(slate_date).games
    )
    return revise(log, reference, project, slate_date, now) if still_open else None


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
