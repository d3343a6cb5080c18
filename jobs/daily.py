"""What one day needs, done once: results, tonight's slate, copies, a backup, a snapshot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from jobs.copies import RunCopies
from jobs.ingest import IngestReport, Progress
from jobs.live_season import LiveSeason
from jobs.state import State
from prediction_tracking import MissedSlate, Run
from tracking.backup_catalogue import Backup

__all__ = ["DailyReport", "do_day"]


@dataclass(frozen=True, slots=True)
class DailyReport:
    """What the daily job did.

    Attributes:
        ingest: what the sources gave, None where there are none.
        run: tonight's current run, None if there is nothing to log yet.
        missed: slates with games for which nothing was logged in time.
        copied: readable copies that were made.
        snapshot: whether a new snapshot was made.
        backup: the backup of the day, None if it was not due.
    """

    ingest: IngestReport | None
    run: Run | None
    missed: tuple[MissedSlate, ...]
    copied: int
    snapshot: bool
    backup: Backup | None = None

    @property
    def is_complete(self) -> bool:
        """Whether the sources gave all that was asked of them."""
        return self.ingest is None or self.ingest.is_complete


class _LogTonight(Protocol):
    def __call__(self, *, may_wait: bool = True) -> Run | None: ...


def do_day(
    state: State,
    season: LiveSeason,
    copies: RunCopies,
    *,
    exchange: Callable[[], None],
    log_tonight: _LogTonight,
    missed_slates: Callable[[], list[MissedSlate]],
    keep_backups: Callable[[], Backup | None],
    end_exports: Callable[[], None],
    progress: Progress,
) -> DailyReport:
    """Do it, while nothing else ticks. Raises what each of them raises."""
    exchange()
    log_tonight()
    report = season.ingest(progress) if season.has_sources else None
    # Nobody may come back before the tip-off: what is late by now is not waited for.
    run = log_tonight(may_wait=False)
    before = state.replica.status().snapshot_sequence
    state.replica.sync_now()
    run = run and state.predictions.run(run.run_id)
    copied = copies.make(state)
    try:
        try:
            backup = keep_backups()
        finally:
            # The app may sleep: its links end by themselves, a public address does not.
            end_exports()
    finally:
        # The catalogues' rows are in it too, so that doing it all again changes nothing.
        snapshot = state.replica.snapshot()
    return DailyReport(
        ingest=report,
        run=run,
        missed=tuple(missed_slates()),
        copied=copied,
        snapshot=snapshot.sequence != before,
        backup=backup,
    )
