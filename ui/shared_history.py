"""The history as what can be shared: every row that fits, or a report of the newest ones."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Final

from exports.draft import Draft, Format, Progress, View
from exports.report import MOST_ROWS, Report
from jobs.history_export import HISTORY_FORMATS, history_draft
from prediction_tracking import HistoryFilters, Origin, PredictionLog
from ui.filter_fields import ORIGINS
from ui.frame import Frame
from ui.history_table import history_table
from ui.share import share_box
from ui.shared_files import Part, facts, table_of, write_report
from ui.tables import STAT_LABELS

__all__ = ["share_history"]

_FORMATS: Final = (*HISTORY_FORMATS, Format.HTML)
_REPLAYS: Final = (
    "Replays are past dates played as if they were that evening. They are in no track record."
)


def share_history(frame: Frame, log: PredictionLog, filters: HistoryFilters) -> None:
    """The owner's box below the history: what fits `filters`, on all of its pages."""
    share_box(frame, View.HISTORY, _FORMATS, partial(_draft, frame, log, filters))


def _draft(frame: Frame, log: PredictionLog, filters: HistoryFilters, chosen: Format) -> Draft:
    is_replay = filters.origin is not None and filters.origin.value == Origin.REPLAY.value
    named = _filters(filters)
    title = "Logged replays" if is_replay else "Logged predictions"
    narrowed = [value for label, value in named if label != "Origin" and value]
    title = ": ".join([title, *([", ".join(narrowed)] if narrowed else [])])
    stem = "nba-daily-replays" if is_replay else "nba-daily-history"
    if chosen != Format.HTML:
        return history_draft(log, filters, chosen, title=title, name=stem)
    name = f"{stem}.{chosen}"

    def write(folder: Path, progress: Progress) -> int:
        progress(0.0, "Counting the predictions")
        rows = log.history_count(filters)
        newest = log.history(filters, limit=MOST_ROWS)
        table = table_of(
            history_table(newest, frame.zone),
            "Logged predictions, newest slate first",
            places={"Actual": 0},
            rows_in_all=rows,
        )
        words = (
            "Projected is the mean, floor and ceiling the 10th and the 90th percentile. Counts: in "
            "the track record, which takes what was in the store before the tip-off."
        )
        part = Part(
            "Predictions", f"{words}\n\n{_REPLAYS}" if is_replay else words, tables=(table,)
        )
        report = Report(
            title=title,
            made_at=frame.application.clock(),
            shows=facts(named),
            facts=facts([("Predictions", f"{rows:,}")]),
        )
        return write_report(report, [part], folder / name, progress)

    return Draft(View.HISTORY, title, chosen, name, write)


def _filters(filters: HistoryFilters) -> list[tuple[str, str]]:
    """What is chosen, in the order of the fields; "" for what is not."""
    since, until = filters.since, filters.until
    return [
        ("Origin", ORIGINS[filters.origin.value] if filters.origin is not None else "all"),
        ("Player", filters.player or ""),
        ("Team", filters.team or ""),
        ("Stat", "" if filters.stat is None else STAT_LABELS[filters.stat]),
        ("From", "" if since is None else f"from {since.isoformat()}"),
        ("Until", "" if until is None else f"until {until.isoformat()}"),
        ("Model version", filters.model_version or ""),
        ("Runs", "" if filters.only_current else "replaced runs too"),
    ]
