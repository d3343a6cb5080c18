"""What an ingest and a daily job did, in sentences and for other programs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

from jobs.daily import DailyReport
from jobs.ingest import IngestReport
from prediction_tracking import LearnReport, MissedSlate, PredictionLog, Run

__all__ = ["daily_facts", "daily_lines", "ingest_facts", "ingest_lines", "quarantine_reasons"]

_NOUNS = {
    "games": ("game", "games"),
    "player_games": ("box score line", "box score lines"),
    "corrected": ("corrected value", "corrected values"),
    "scheduled": ("change of the schedule", "changes of the schedule"),
    "roster_moves": ("roster move", "roster moves"),
    "players": ("new player", "new players"),
}
_QUARANTINE_SHOWN = 10


def quarantine_reasons(log: PredictionLog, report: IngestReport | None) -> list[str]:
    """Why what this ingest put into quarantine is there, the newest ten."""
    if report is None or not report.problems:
        return []
    found = log.quarantine(min(report.problems, _QUARANTINE_SHOWN)).to_dict("records")
    return [f"{row['endpoint']} {row['parameters']}: {row['reason']}" for row in found]


def ingest_lines(report: IngestReport, quarantined: Sequence[str]) -> Iterator[str]:
    """What came, what it changed, and what could not be had; with `quarantine_reasons`."""
    came = _count(report.documents, "response", "responses")
    learned = ", ".join(_learned(report.learned)) or "nothing new"
    yield f"Fetched {came}; learned {learned}."
    yield from _gaps(report, quarantined)


def daily_lines(report: DailyReport, quarantined: Sequence[str]) -> Iterator[str]:
    """What the day needed, and what could not be had; with `quarantine_reasons`."""
    if report.ingest is None:
        yield "No source of results is switched on."
    else:
        yield from ingest_lines(report.ingest, quarantined)
    yield _run_line(report.run)
    snapshot = "a new snapshot too" if report.snapshot else "no new snapshot was needed"
    yield f"{_count(report.copied, 'CSV copy', 'CSV copies')} made, {snapshot}."
    if report.backup is not None:
        yield f"Backup of the day: {report.backup.key}."
    for slate in report.missed:
        yield f"Missed: {slate.slate_date.isoformat()}, {_missed_words(slate)}."


def ingest_facts(report: IngestReport, quarantined: Sequence[str]) -> dict[str, object]:
    """The same for other programs; times in UTC."""
    return {
        "is_complete": report.is_complete,
        "finished_at": report.finished_at.isoformat(),
        "documents": report.documents,
        "learned": {name: getattr(report.learned, name) for name in _NOUNS},
        "problems": report.problems,
        "quarantined": list(quarantined),
        "failures": [str(error) for error in report.failures],
        "missing": list(report.missing),
    }


def daily_facts(report: DailyReport, quarantined: Sequence[str]) -> dict[str, object]:
    """The same for other programs; `ingest` is null where there is no source."""
    run = report.run
    return {
        "is_complete": report.is_complete,
        "ingest": None if report.ingest is None else ingest_facts(report.ingest, quarantined),
        "run": run
        and {
            "run_id": run.run_id,
            "slate_date": run.slate_date.isoformat(),
            "data_as_of": run.data_as_of and run.data_as_of.isoformat(),
            "games": run.games,
            "predictions": run.predictions,
            "sequence": run.sequence,
            "pending": run.pending,
        },
        "missed": [_missed_facts(slate) for slate in report.missed],
        "copied": report.copied,
        "snapshot": report.snapshot,
        "backup": report.backup and report.backup.key,
    }


def _learned(learned: LearnReport) -> Iterator[str]:
    for name, (one, many) in _NOUNS.items():
        number = int(getattr(learned, name))
        if number:
            yield _count(number, one, many)


def _gaps(report: IngestReport, quarantined: Sequence[str]) -> Iterator[str]:
    if report.problems:
        count = _count(report.problems, "response or part of one is", "responses or parts are")
        yield f"{count} in quarantine: kept as it came, and not taken over."
        yield from (f"  {reason}" for reason in quarantined)
    yield from report.missing
    for error in report.failures:
        yield f"Not answered: {error}"


def _run_line(run: Run | None) -> str:
    if run is None:
        return (
            "Tonight is not logged yet: there is no game, or last night's results are waited for."
        )
    saved = "waits to be saved" if run.pending else f"is saved as #{run.sequence}"
    return (
        f"Tonight ({run.slate_date.isoformat()}) {saved}: {_count(run.games, 'game', 'games')}, "
        f"{_count(run.predictions, 'prediction', 'predictions')}."
    )


def _missed_words(slate: MissedSlate) -> str:
    games = _count(slate.games, "game", "games")
    return f"{slate.in_time} of {games} logged before tip-off"


def _missed_facts(slate: MissedSlate) -> dict[str, object]:
    facts = dataclasses.asdict(slate)
    return facts | {"slate_date": slate.slate_date.isoformat()}


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"
