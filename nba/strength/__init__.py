"""Team strength from who is expected to play: win probability, expected score and total.

    model = fit_strength(history, games_of(reference.games()))      # training
    past = model.past(history, games)                               # once a day
    asked = games_of_slate(reference.slate(day))
    forecasts = model.forecast(past, asked, model.expected_lineups(past, asked))

For a backtest `past` of all seasons answers for every day at once: each game is judged by what was
known before its day.
"""

from __future__ import annotations

from nba.strength.games import Games, games_of, games_of_slate
from nba.strength.lineups import Lineups
from nba.strength.model import ScoreForecasts, StrengthModel, fit_strength
from nba.strength.past import INPUTS, Past
from nba.strength.players import RATES

__all__ = [
    "INPUTS",
    "RATES",
    "Games",
    "Lineups",
    "Past",
    "ScoreForecasts",
    "StrengthModel",
    "fit_strength",
    "games_of",
    "games_of_slate",
]
