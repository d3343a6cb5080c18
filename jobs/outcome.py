"""What happened on a date: final scores and box scores, as far as they are known."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from datetime import date
from math import isnan
from typing import Any

from nba.reference import Reference
from nba.stats import STATS, Stat
from prediction_tracking import PredictionLog

__all__ = ["Outcome", "outcome_of"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """Results of one slate.

    Attributes:
        scores: (home, away) points by game id.
        actuals: stats by (game id, player id); a player who did not play is not in
            it, nor is a stat that is unknown.
    """

    scores: Mapping[str, tuple[int, int]]
    actuals: Mapping[tuple[str, int], Mapping[Stat, int]]


def outcome_of(reference: Reference, log: PredictionLog | None, slate_date: date) -> Outcome:
    """Bundled results, overlaid with those that the state has learned since."""
    games = reference.games(on=slate_date)
    scores = {
        str(row["game_id"]): (int(row["home_points"]), int(row["away_points"]))
        for row in games.to_dict("records")
    }
    box_scores = reference.player_games(on=slate_date)
    actuals: dict[tuple[str, int], Mapping[Stat, int]] = {
        (str(row["game_id"]), int(row["player_id"])): _known(row)
        for row in box_scores.to_dict("records")
    }
    if log is not None:
        for key, learned in log.learned_results(slate_date).items():
            actuals[key] = {**actuals.get(key, {}), **learned}
    return Outcome(scores, actuals)


def _known(row: Mapping[Hashable, Any]) -> dict[Stat, int]:
    # Some box scores lack a stat: those of 2018-05-01 have no threes.
    return {stat: int(row[stat]) for stat in STATS if not isnan(row[stat])}
