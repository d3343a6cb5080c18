"""Projections of an application: each is computed once for what is known."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from datetime import date
from typing import Final, TypeVar

from jobs.live_season import LiveSeason
from nba.availability import Availability
from nba.knowledge import Knowledge, knowledge_of
from nba.model import shipped_model
from nba.reference import Reference
from nba.slate import SlateProjection, project_slate
from nba.squad import Squad, squad_of
from nba.stats import Market
from nba.why import Contribution, why

__all__ = ["Projecting", "Whys"]

_KEPT_PROJECTIONS: Final = 8
# What a slate is projected from takes 50 MB; what is loaded anew takes a second.
_KEPT_KNOWLEDGE: Final = 1
_KEPT_SQUADS: Final = 1

Whys = Mapping[Market, tuple[Contribution, ...]]
"""By market, what adds up to a mean; empty for who is not projected."""

_Key = tuple[Hashable, ...]
_Kept = TypeVar("_Kept")


class Projecting:
    """Projects slates from what is known at the moment, one caller at a time.

    `reference` and `season` give what is known now: the season is None while the history is not
    here. Each method raises NotReady, UnknownSlate, ModelDamaged.
    """

    def __init__(
        self, reference: Callable[[], Reference], season: Callable[[], LiveSeason | None]
    ) -> None:
        self._reference, self._season = reference, season
        self._projections: OrderedDict[_Key, SlateProjection] = OrderedDict()
        self._knowledge: OrderedDict[_Key, Knowledge] = OrderedDict()
        self._squads: OrderedDict[_Key, Squad | None] = OrderedDict()
        self._lock = threading.Lock()

    def projection(self, slate_date: date) -> SlateProjection:
        """The projection of one slate, with who is listed as out."""
        with self._lock:
            key = self._key(slate_date)
            return _kept(
                self._projections,
                key,
                _KEPT_PROJECTIONS,
                lambda: self._project(key, slate_date, {}, {}),
            )

    def what_if(
        self,
        slate_date: date,
        availability: Mapping[int, Availability],
        most_minutes: Mapping[int, float],
    ) -> SlateProjection:
        """The projection if these words, by player id, held beside the list's, and these caps."""
        with self._lock:
            return self._project(self._key(slate_date), slate_date, availability, most_minutes)

    def why(self, slate_date: date, game_id: str, player_id: int) -> Whys:
        """What makes a player's means in `projection`; empty for who is not in it."""
        with self._lock:
            key = self._key(slate_date)
            squad = _kept(self._squads, key, _KEPT_SQUADS, lambda: self._squad(key, slate_date))
            return {} if squad is None else why(squad, game_id, player_id)

    def _project(
        self,
        key: _Key,
        slate_date: date,
        availability: Mapping[int, Availability],
        most_minutes: Mapping[int, float],
    ) -> SlateProjection:
        return project_slate(
            self._reference(),
            slate_date,
            {**self._listed(slate_date), **availability},
            most_minutes=most_minutes,
            knowledge=self._known(key, slate_date),
        )

    def _squad(self, key: _Key, slate_date: date) -> Squad | None:
        reference, known = self._reference(), self._known(key, slate_date)
        if known is None:
            return None
        games = reference.slate(slate_date)
        return squad_of(reference, known, slate_date, games, self._listed(slate_date), {})

    def _key(self, slate_date: date) -> _Key:
        season = self._season()
        return slate_date, None if season is None else season.content()

    def _listed(self, slate_date: date) -> Mapping[int, Availability]:
        season = self._season()
        return {} if season is None else season.availability(slate_date)

    def _known(self, key: _Key, slate_date: date) -> Knowledge | None:
        """None for a date without games, for which nothing need be loaded."""
        reference = self._reference()
        if not reference.slate(slate_date):
            return None
        if key not in self._knowledge:
            # They would keep what they were made from.
            self._squads.clear()
        return _kept(
            self._knowledge,
            key,
            _KEPT_KNOWLEDGE,
            lambda: knowledge_of(reference, shipped_model(), slate_date),
        )


def _kept(
    shelf: OrderedDict[_Key, _Kept], key: _Key, most: int, make: Callable[[], _Kept]
) -> _Kept:
    """What is on the shelf, or is made and put there in place of what was used longest ago."""
    if key not in shelf:
        # First room, then the new: memory is short while something is loaded.
        while len(shelf) >= most:
            shelf.popitem(last=False)
        shelf[key] = make()
    shelf.move_to_end(key)
    return shelf[key]
