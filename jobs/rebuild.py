"""Silver built anew from all of bronze, beside what the state holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from jobs.bronze import BronzeShelf
from jobs.ingest import Progress, team_names
from nba.reference import Reference
from nba.silver import Silver, combined, silver_of
from prediction_tracking import PredictionLog

__all__ = ["RebuildReport", "rebuild"]


@dataclass(frozen=True, slots=True)
class RebuildReport:
    """What building silver anew gave.

    Attributes:
        documents: how many responses were read.
        differences: what the state has otherwise, in sentences.
    """

    documents: int
    differences: tuple[str, ...]

    @property
    def equal(self) -> bool:
        """Whether the state says the same as the responses."""
        return not self.differences


def rebuild(
    shelf: BronzeShelf, log: PredictionLog, reference: Reference, progress: Progress
) -> RebuildReport:
    """Compare what the state has learned with what all kept responses say; nothing is written.

    Raises BronzeDamaged, StoreError.
    """
    total = shelf.count()
    teams = team_names(reference)

    def parts() -> Iterator[Silver]:
        for number, document in enumerate(shelf.documents()):
            progress(0.8 * number / max(total, 1), f"Reading response {number + 1:,} of {total:,}")
            yield silver_of([document], teams)

    silver = combined(parts())
    progress(0.8, "Comparing")
    return RebuildReport(total, tuple(log.differences(silver)))
