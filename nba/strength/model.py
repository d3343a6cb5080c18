"""Home win probability and expected score from who is expected to play."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nba.history import History
from nba.strength.games import Games, TeamDays
from nba.strength.lineups import (
    Candidates,
    Lineups,
    candidates_of,
    expected_lineups,
    fit_chances,
)
from nba.strength.past import INPUTS, Past, learn
from nba.strength.players import RATES, PlayerForm, newcomer_rates, player_form, weighted

__all__ = ["ScoreForecasts", "StrengthModel", "fit_strength"]

Floats = NDArray[np.float64]

_WEIGHT_RIDGE: Final = 200.0
_OTHER_RIDGE: Final = 1.0
_COEFFICIENT_RIDGE: Final = 5.0
_STEPS: Final = 25
_SEASONS_OF_SCALE: Final = 3
_DECIMALS: Final = 9
_GAME_MINUTES: Final = 48.0


@dataclass(frozen=True, slots=True)
class ScoreForecasts:
    """One element a game: probability (0..1) that the home team wins, and expected points.

    The probability is above one half exactly where the home team is expected to score more.
    """

    home_win_probability: Floats
    home_points: Floats
    away_points: Floats


@dataclass(frozen=True, slots=True)
class StrengthModel:
    """What training found; plain arrays of float64.

    `newcomer` and `weights` (len(RATES),): a newcomer's rates per 48 minutes, and what a rate above
    them adds to a margin. `chances`: coefficients of the chance to play. `coefficients`
    (len(INPUTS),): points of margin for each input. `scale` (1,): logits for a point of margin.
    """

    newcomer: Floats
    weights: Floats
    chances: Floats
    coefficients: Floats
    scale: Floats

    def arrays(self) -> dict[str, Floats]:
        """The arrays by name, for an .npz file."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.float64]]) -> StrengthModel:
        """The model of `arrays()`; KeyError names an array that is missing."""
        return cls(**{field.name: np.asarray(arrays[field.name]) for field in fields(cls)})

    def past(self, history: History, games: Games) -> Past:
        """What the given games teach; make it once a day and ask it as often as you like."""
        return learn(history, player_form(history), games, self.newcomer, self.weights)

    def expected_lineups(
        self,
        past: Past,
        asked: Games,
        *,
        teams: Mapping[int, int] | None = None,
        known: Mapping[tuple[int, int], float] | None = None,
        shares: Mapping[tuple[int, int], float] | None = None,
    ) -> Lineups:
        """Who is expected to play in the asked games, from earlier days and what is said here.

        `teams` says by player id to which team everybody belongs, None: for which he played last.
        By day and player id `known` has chances (0..1) to play that are known better than from
        absences, and `shares` what caps leave of minutes (0..1).
        """
        candidates = candidates_of(past.history, past.calendar, asked, teams)
        return expected_lineups(
            past.history,
            past.form,
            candidates,
            asked,
            self.chances,
            known,
            shares,
            are_listed=teams is not None,
        )

    def forecast(self, past: Past, asked: Games, lineups: Lineups) -> ScoreForecasts:
        """Forecasts in the order of `asked`; nothing of their day or later is looked at."""
        margin = weighted(past.inputs(asked, lineups), self.coefficients)
        total = past.total(asked)
        return ScoreForecasts(
            home_win_probability=1.0 / (1.0 + np.exp(-self.scale[0] * margin)),
            home_points=(total + margin) / 2.0,
            away_points=(total - margin) / 2.0,
        )


def fit_strength(history: History, games: Games) -> StrengthModel:
    """Train on the regular-season games with a final score, from the history's first day on.

    First the weights of box scores, by ridge regression of margins on both line-ups' rates beside
    what results alone teach about the same players; then, with these weights, the coefficients of
    the inputs; last the scale, by logistic regression on the last three seasons. Every game's
    inputs see earlier days only. The same rows in any order of games give the same arrays, bit for
    bit. ValueError without games that have box scores.
    """
    asked = games.take(games.is_regular & np.isin(games.game, history.game))
    asked = asked.take(~np.isnan(asked.home_points + asked.away_points))
    if not len(asked):
        raise ValueError("no regular-season games with a final score and box scores")
    asked = asked.take(np.lexsort((asked.game, asked.day)))
    games = games.take(games.day >= history.day.min())
    form = player_form(history)
    newcomer = newcomer_rates(history)
    candidates = candidates_of(history, TeamDays.of(games), asked)
    chances = _rounded(fit_chances(history, form, candidates, asked))
    lineups = expected_lineups(history, form, candidates, asked, chances)
    margin = asked.home_points - asked.away_points

    results_only = learn(history, form, games, newcomer, np.zeros(len(RATES)))
    rates = _rate_differences(form, newcomer, candidates, lineups, asked)
    columns = np.column_stack([rates, results_only.inputs(asked, lineups)])
    ridge = np.full(columns.shape[1], _OTHER_RIDGE)
    ridge[: len(RATES)] = _WEIGHT_RIDGE
    weights = _fit_margin(columns, margin, ridge)[: len(RATES)]

    past = learn(history, form, games, newcomer, weights)
    inputs = past.inputs(asked, lineups)
    coefficients = _fit_margin(inputs, margin, np.full(len(INPUTS), _COEFFICIENT_RIDGE))
    # Margins have grown wider over the years: a point of margin is worth less than it was.
    late = asked.season > asked.season.max() - _SEASONS_OF_SCALE
    scale = _fit_scale(weighted(inputs, coefficients)[late], margin[late] > 0.0)
    return StrengthModel(newcomer, weights, chances, coefficients, np.array([scale]))


def _rate_differences(
    form: PlayerForm, newcomer: Floats, candidates: Candidates, lineups: Lineups, asked: Games
) -> Floats:
    """Home − away sums of the line-ups' rates, (games, len(RATES)): a margin if weighted."""
    rates = form.rates(newcomer)
    share = lineups.minutes / _GAME_MINUTES
    sums = np.empty((2 * len(asked), len(RATES)))
    for column in range(len(RATES)):
        adds = share * rates[candidates.row, column]
        sums[:, column] = np.bincount(lineups.place, adds, len(sums))
    return sums[: len(asked)] - sums[len(asked) :]


def _fit_margin(inputs: Floats, margin: Floats, ridge: Floats) -> Floats:
    """Ridge regression without a constant, its penalty on inputs in their standard deviations."""
    deviation = inputs.std(axis=0)
    spread = np.where(deviation == 0.0, 1.0, deviation)
    scaled = inputs / spread
    fitted = np.linalg.solve(scaled.T @ scaled + np.diag(ridge), scaled.T @ margin)
    return _rounded(fitted / spread)


def _rounded(coefficients: Floats) -> Floats:
    """Without the last digits, in which linear algebra on one thread and on two may differ."""
    rounded: Floats = np.asarray(coefficients, np.float64).round(_DECIMALS)
    return rounded


def _fit_scale(margin: Floats, won: NDArray[np.bool_]) -> float:
    """The logit of winning for one expected point, by Newton's method."""
    scale = 0.1
    for _ in range(_STEPS):
        given = 1.0 / (1.0 + np.exp(-scale * margin))
        curvature = float((given * (1.0 - given) * margin**2).sum())
        if curvature == 0.0:
            break
        scale += float(((won - given) * margin).sum()) / curvature
    return round(scale, _DECIMALS)
