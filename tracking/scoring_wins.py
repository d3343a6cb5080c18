"""The track record of win probabilities: log loss and reliability, beside Elo and simpler ones."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

import apsw
import numpy as np
from numpy.typing import NDArray

from nba import evaluation
from nba.evaluation import Interval, sidak_confidence, wilson_interval
from tracking.accuracy import COIN, ELO, HOME_RATE, Choice
from tracking.scoring_figures import where_of
from tracking.scoring_intervals import Estimate, differences_of, ratios_of

__all__ = [
    "MODEL",
    "ReliabilityBin",
    "WinBaselineScore",
    "WinScore",
    "WinVersion",
    "win_score",
    "win_versions",
]

Floats = NDArray[np.float64]

MODEL: Final = "model"
_BINS: Final = 10
_SMALLEST_PROBABILITY: Final = 1e-12


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Games whose home win probability lies in low..high, `high` excluded but for 1.

    `given` is their mean probability, `happened` the share that the home team won, `band` Wilson's
    interval of that share, at the confidence with which all bins' bands hold at once (95%).
    """

    low: float
    high: float
    n: int
    given: float
    happened: float
    band: Interval


@dataclass(frozen=True, slots=True)
class WinBaselineScore:
    """A baseline over the `n` games for which it exists: coin, home_rate or elo.

    `model_log_loss` is the model's over these very games, `gain` the baseline's log loss less the
    model's (nats): above zero the model is better. None without a game.
    """

    name: str
    n: int
    log_loss: float | None
    brier: float | None
    accuracy: float | None
    model_log_loss: float | None
    gain: Estimate | None


@dataclass(frozen=True, slots=True)
class WinScore:
    """The home win probability over `n` finished games of `dates` slates; None without a game.

    `log_loss` in nats, `accuracy` is the share (0..1) of favourites that won. `reliability` has the
    bins of "model", and of "elo" where it was logged.
    """

    n: int
    dates: int
    log_loss: Estimate | None
    brier: Estimate | None
    accuracy: Estimate | None
    baselines: tuple[WinBaselineScore, ...]
    reliability: dict[str, tuple[ReliabilityBin, ...]]


@dataclass(frozen=True, slots=True)
class WinVersion:
    """One model version's games, and Elo's log loss over those of them that have it."""

    version: str
    first_date: date
    last_date: date
    n: int
    log_loss: float
    n_elo: int
    elo_log_loss: float | None
    elo_model_log_loss: float | None


@dataclass(frozen=True, slots=True)
class _Games:
    """One place per game: place of its slate, version, and what was said; NaN where it was not."""

    slate: NDArray[np.int64]
    days: list[str]
    version: NDArray[np.str_]
    won: Floats
    given: dict[str, Floats]

    def per_slate(self, values: Floats) -> Floats:
        """Sums by slate as one column."""
        summed: Floats = np.bincount(self.slate, values, len(self.days)).astype(np.float64)[:, None]
        return summed


def win_score(cache: apsw.Connection, choice: Choice) -> WinScore:
    """The scores of the choice's games."""
    games = _read(cache, choice)
    baselines = tuple(_baseline(games, name) for name in (COIN, HOME_RATE, ELO))
    if not len(games.won):
        return WinScore(0, 0, None, None, None, baselines, {})
    model = games.given[MODEL]
    right = np.where(model == 0.5, 0.5, ((model > 0.5) == (games.won > 0.5)).astype(np.float64))
    ones = games.per_slate(np.ones(len(model)))
    log_loss, brier, accuracy = (
        ratios_of(games.per_slate(values), ones)[0]
        for values in (_loss(games.won, model), (model - games.won) ** 2, right)
    )
    reliability = {
        name: bins for name in (MODEL, ELO) if (bins := _reliability(games.won, games.given[name]))
    }
    return WinScore(len(model), len(games.days), log_loss, brier, accuracy, baselines, reliability)


def win_versions(cache: apsw.Connection, choice: Choice) -> tuple[WinVersion, ...]:
    """Each model version's games, the one with the newest slate first."""
    games = _read(cache, choice)
    found = []
    for version in np.unique(games.version):
        mask = games.version == version
        won, model, elo = games.won[mask], games.given[MODEL][mask], games.given[ELO][mask]
        known = ~np.isnan(elo)
        some = bool(known.any())
        found.append(
            WinVersion(
                version=str(version),
                first_date=date.fromisoformat(games.days[int(games.slate[mask].min())]),
                last_date=date.fromisoformat(games.days[int(games.slate[mask].max())]),
                n=int(mask.sum()),
                log_loss=evaluation.log_loss(won, model),
                n_elo=int(known.sum()),
                elo_log_loss=evaluation.log_loss(won[known], elo[known]) if some else None,
                elo_model_log_loss=evaluation.log_loss(won[known], model[known]) if some else None,
            )
        )
    return tuple(sorted(found, key=lambda one: (one.last_date, one.first_date), reverse=True))


def _read(cache: apsw.Connection, choice: Choice) -> _Games:
    where, bindings = where_of(choice)
    sql = f"""
    SELECT slate_date, model_version, home_won, probability, home_rate, elo FROM games
    WHERE {where} ORDER BY slate_date, game_id
    """
    rows = cache.execute(sql, bindings).fetchall()
    days = sorted({str(row[0]) for row in rows})
    place = {day: number for number, day in enumerate(days)}
    numbers = np.array([row[2:] for row in rows], np.float64).reshape(len(rows), 4)
    return _Games(
        slate=np.array([place[str(row[0])] for row in rows], np.int64),
        days=days,
        version=np.array([row[1] for row in rows], str),
        won=numbers[:, 0],
        given={
            MODEL: numbers[:, 1],
            COIN: np.full(len(rows), 0.5),
            HOME_RATE: numbers[:, 2],
            ELO: numbers[:, 3],
        },
    )


def _baseline(games: _Games, name: str) -> WinBaselineScore:
    given, model = games.given[name], games.given[MODEL]
    known = ~np.isnan(given)
    if not known.any():
        return WinBaselineScore(name, 0, None, None, None, None, None)
    won = games.won[known]
    counted = games.per_slate(known.astype(np.float64))
    losses = [
        games.per_slate(np.where(known, _loss(games.won, np.where(known, one, 0.5)), 0.0))
        for one in (given, model)
    ]
    return WinBaselineScore(
        name=name,
        n=int(known.sum()),
        log_loss=evaluation.log_loss(won, given[known]),
        brier=evaluation.brier(won, given[known]),
        accuracy=evaluation.accuracy(won, given[known]),
        model_log_loss=evaluation.log_loss(won, model[known]),
        gain=differences_of([(loss, counted) for loss in losses])[0],
    )


def _loss(won: Floats, given: Floats) -> Floats:
    """Each game's log loss, as `evaluation.log_loss` averages it."""
    safe = np.clip(given, _SMALLEST_PROBABILITY, 1.0 - _SMALLEST_PROBABILITY)
    loss: Floats = -np.log(np.where(won > 0.5, safe, 1.0 - safe))
    return loss


def _reliability(won: Floats, given: Floats) -> tuple[ReliabilityBin, ...]:
    known = ~np.isnan(given)
    outcome, probability = won[known], given[known]
    places = np.clip((probability * _BINS).astype(np.int64), 0, _BINS - 1)
    counts = np.bincount(places, minlength=_BINS)
    filled = [int(place) for place in np.flatnonzero(counts)]
    if not filled:
        return ()
    wins = np.bincount(places, outcome, _BINS)
    sums = np.bincount(places, probability, _BINS)
    # The exact interval takes a second over a few seasons; at such numbers they hardly differ.
    confidence = sidak_confidence(len(filled))
    return tuple(
        ReliabilityBin(
            low=place / _BINS,
            high=(place + 1) / _BINS,
            n=int(counts[place]),
            given=float(sums[place] / counts[place]),
            happened=float(wins[place] / counts[place]),
            band=wilson_interval(int(wins[place]), int(counts[place]), confidence),
        )
        for place in filled
    )
