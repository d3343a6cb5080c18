"""Many evenings projected in a row, beside what the app keeps for tonight."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date

from nba.availability import Availability
from nba.knowledge import Knowledge, knowledge_of
from nba.model import shipped_model
from nba.reference import Reference
from nba.seasons import season_of
from nba.slate import SlateProjection, project_slate

__all__ = ["Evenings"]

Listed = Callable[[date], Mapping[int, Availability]]
"""Who is listed as out for a date, by player id."""


class Evenings:
    """Projects dates, in ascending order; what a season is projected from is loaded once.

    It takes 50 MB, so one season is kept at a time: a file may name every season there is. Nothing
    is shared between threads: use one for each caller.
    """

    def __init__(self, reference: Reference, listed: Listed | None = None) -> None:
        self._reference, self._listed = reference, listed
        self._season = ""
        self._first: date | None = None
        self._known: Knowledge | None = None

    def projection(self, day: date) -> SlateProjection:
        """One slate (US Eastern). Raises NotReady, UnknownSlate, ModelDamaged."""
        listed = None if self._listed is None else self._listed(day)
        return project_slate(self._reference, day, listed, knowledge=self._knowledge(day))

    def _knowledge(self, day: date) -> Knowledge | None:
        if not self._reference.slate(day) and not self._reference.covers(day):
            # Nothing is loaded for a date outside every season, which is refused.
            return None
        season = season_of(day)
        is_kept = self._season == season and self._first is not None and self._first <= day
        if self._known is None or not is_kept:
            # First room, then the new: memory is short while something is loaded.
            self._known = None
            self._known = knowledge_of(self._reference, shipped_model(), day, _end_of(season))
            self._season, self._first = season, day
        return self._known


def _end_of(season: str) -> date:
    """A date after every game of a season: the pandemic's ended in October 2020."""
    return date(int(season[:4]) + 1, 11, 1)
