"""What one day needs, done once: results, tonight's slate, copies, a snapshot."""

from __future__ import annotations

from dataclasses import dataclass

from jobs.ingest import IngestReport
from prediction_tracking import MissedSlate, Run

__all__ = ["DailyReport"]


@dataclass(frozen=True, slots=True)
class DailyReport:
    """What the daily job did.

    Attributes:
        ingest: what the sources gave, None where there are none.
        run: tonight's current run, None if there is nothing to log yet.
        missed: slates with games for which nothing was logged in time.
        copied: readable copies that were made.
        snapshot: whether a new snapshot was made.
    """

    ingest: IngestReport | None
    run: Run | None
    missed: tuple[MissedSlate, ...]
    copied: int
    snapshot: bool

    @property
    def is_complete(self) -> bool:
        """Whether the sources gave all that was asked of them."""
        return self.ingest is None or self.ingest.is_complete
