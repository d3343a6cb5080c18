"""elo-1: home win probability from Elo ratings with margin of victory.

The update follows FiveThirtyEight's published NBA Elo
(https://fivethirtyeight.com/features/how-we-calculate-nba-elo-ratings/): with d the rating
difference from the winner's side, home advantage included, the winner takes

    K · (|margin| + 3)^0.8 / (7.5 + 0.006 · d) · (1 − probability it was given)

points from the loser, and between seasons ratings move towards 1505. Ours differ in the constants
(K 18 for 20, carry-over 0.6 for 0.75) and in home advantage, which is no constant 100: it starts
there in 2000 and after each game that is not on neutral ground moves by (home win − probability).
So it follows its fall over the years without ever looking ahead. A missing season counts: ratings
carry over once for each season that has passed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nba.seasons import seasons_between

__all__ = ["AVERAGE_RATING", "EloOptions", "Ratings", "rate", "walk_forward"]

AVERAGE_RATING: Final = 1505.0


@dataclass(frozen=True, slots=True)
class EloOptions:
    """Constants of the ratings, in rating points except `season_carry_over` (a share)."""

    k: float = 18.0
    season_carry_over: float = 0.6
    first_home_advantage: float = 100.0
    home_advantage_step: float = 1.0


@dataclass(frozen=True, slots=True)
class Ratings:
    """Ratings by team id after the last game that was seen, and the season of that game.

    `season` is "" as long as no game has been seen.
    """

    by_team: Mapping[int, float]
    home_advantage: float
    season: str
    options: EloOptions

    def in_season(self, season: str) -> Ratings:
        """The ratings at the start of `season`, or unchanged if that is the current one."""
        passed = seasons_between(self.season, season) if self.season else 0
        if passed <= 0:
            return self
        kept = self.options.season_carry_over**passed
        carried = {
            team: AVERAGE_RATING + kept * (rating - AVERAGE_RATING)
            for team, rating in self.by_team.items()
        }
        return Ratings(carried, self.home_advantage, season, self.options)

    def home_win_probability(self, home_team_id: int, away_team_id: int, is_neutral: bool) -> float:
        """Probability (0..1) that the home team wins; an unseen team is rated average."""
        home = self.by_team.get(home_team_id, AVERAGE_RATING)
        away = self.by_team.get(away_team_id, AVERAGE_RATING)
        edge = 0.0 if is_neutral else self.home_advantage
        return _probability(home - away + edge)


def rate(games: pd.DataFrame, options: EloOptions | None = None) -> Ratings:
    """Ratings after all of `games`, in order of dates.

    Columns: game_date, game_id, season, home_team_id, away_team_id, home_points, away_points,
    is_neutral, as `Reference.games` gives them.
    """
    return _run(games, options or EloOptions())[0]


def walk_forward(games: pd.DataFrame, options: EloOptions | None = None) -> pd.Series[float]:
    """The home win probability of each game from the games of earlier dates, index as `games`."""
    _, probabilities, order = _run(games, options or EloOptions())
    return pd.Series(probabilities, index=games.index[order]).reindex(games.index)


def _probability(difference: float) -> float:
    return float(1.0 / (1.0 + 10.0 ** (-difference / 400.0)))


def _run(
    games: pd.DataFrame, options: EloOptions
) -> tuple[Ratings, NDArray[np.float64], NDArray[np.int64]]:
    """Ratings after the last game, probabilities before each, and the order they are in."""
    dates = games["game_date"].to_numpy("datetime64[D]").astype(np.int64)
    order = np.lexsort((games["game_id"].to_numpy(str), dates))
    ordered = games.iloc[order]
    ratings: dict[int, float] = {}
    state = Ratings(ratings, options.first_home_advantage, "", options)
    home_advantage = options.first_home_advantage
    probabilities = np.empty(len(ordered))
    season, day = "", None
    unsettled: list[tuple[int, int, float, float]] = []
    margins = (ordered["home_points"].astype(int) - ordered["away_points"].astype(int)).tolist()
    rows = zip(
        ordered["season"].tolist(),
        dates[order].tolist(),
        ordered["home_team_id"].tolist(),
        ordered["away_team_id"].tolist(),
        ordered["is_neutral"].tolist(),
        margins,
        strict=True,
    )
    for number, (game_season, game_day, home, away, is_neutral, margin) in enumerate(rows):
        if game_day != day:
            # Games of one date do not see one another, so a date's settle when it is over.
            for one, other, points, home_points in unsettled:
                ratings[one] += points
                ratings[other] -= points
                home_advantage += home_points
            unsettled.clear()
            day = game_day
        if game_season != season:
            state = Ratings(ratings, home_advantage, season, options).in_season(game_season)
            ratings, season = dict(state.by_team), game_season
        home_rating = ratings.setdefault(home, AVERAGE_RATING)
        away_rating = ratings.setdefault(away, AVERAGE_RATING)
        edge = 0.0 if is_neutral else home_advantage
        difference = home_rating - away_rating + edge
        probability = _probability(difference)
        probabilities[number] = probability
        won = 1.0 if margin > 0 else 0.0
        from_winner = difference if margin > 0 else -difference
        multiplier = (abs(margin) + 3.0) ** 0.8 / (7.5 + 0.006 * from_winner)
        surprise = won - probability
        step = 0.0 if is_neutral else options.home_advantage_step * surprise
        unsettled.append((home, away, options.k * multiplier * surprise, step))
    for one, other, points, home_points in unsettled:
        ratings[one] += points
        ratings[other] -= points
        home_advantage += home_points
    return Ratings(ratings, home_advantage, season, options), probabilities, order
