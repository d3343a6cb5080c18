"""What a slate is projected from: loaded once, asked for as many slates as one likes."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Final

import pandas as pd

from nba.history import History, day_number
from nba.model import Model
from nba.ratings import Ratings, rate
from nba.reference import Reference
from nba.seasons import season_of
from nba.strength import Games, games_of
from nba.strength.past import Past

__all__ = ["Knowledge", "knowledge_of"]

_SEASONS: Final = 4
"""How many seasons before that of the first slate are looked at."""


@dataclass(frozen=True, slots=True)
class Knowledge:
    """Games of several seasons, and what the teams' results say.

    It may hold games on and after the date that is asked about: nothing of them is looked at.
    """

    model: Model
    history: History
    past: Past
    scores: pd.DataFrame
    _ratings: dict[date, Ratings] = field(default_factory=dict, repr=False, compare=False)

    def ratings(self, before: date) -> Ratings:
        """Plain Elo after the games of earlier dates."""
        if before not in self._ratings:
            earlier = self.scores["game_date"] < pd.Timestamp(before)
            self._ratings[before] = rate(self.scores[earlier])
        return self._ratings[before]


def knowledge_of(
    reference: Reference, model: Model, first: date, last: date | None = None
) -> Knowledge:
    """What is known for slates from `first` to `last` (US Eastern), by default for one.

    `last` is for backtests: what happened until then is in it, for the slates after. All slates of
    a season look back equally far, whether they are asked for together or one by one.
    """
    since = date(int(season_of(first)[:4]) - _SEASONS, 8, 1)
    before = first if last is None else last
    history = reference.history(since, before)
    scores = reference.games(before=before)
    recent = scores["game_date"] >= pd.Timestamp(since)
    games: Games = games_of(scores[recent])
    games = games.take(games.day < day_number(before))
    past = model.strength.past(history, games)
    return Knowledge(model, history, past, scores)
