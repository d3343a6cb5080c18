"""How good projections were: errors, bands, probabilities, honest intervals, and baselines.

Scores take arrays of equal length and raise ValueError when these are empty, differ in length or
hold a NaN: a figure over other rows than the ones asked about would be no comparison.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from nba.projections import gather_windows, weighted_average
from nba.stats import Stat

__all__ = [
    "BASELINES",
    "BASELINE_HALF_LIFE_GAMES",
    "Interval",
    "accuracy",
    "baselines",
    "bias",
    "bootstrap_interval",
    "brier",
    "coverage",
    "log_loss",
    "mae",
    "pinball",
    "wilson_interval",
]

Floats = NDArray[np.float64]

BASELINES: Final = ("season_average", "last_5", "ewma_8")
BASELINE_HALF_LIFE_GAMES: Final = 8.0

_LAST_GAMES: Final = 5
_SMALLEST_PROBABILITY: Final = 1e-12
_DAYS_PER_PLAYER: Final = 100_000


@dataclass(frozen=True, slots=True)
class Interval:
    """A lower and an upper bound in the unit of the figure they belong to."""

    low: float
    high: float


def mae(actual: ArrayLike, projected: ArrayLike) -> float:
    """Mean absolute error, in the unit of the stat."""
    truth, guess = _rows(actual, projected)
    return float(np.abs(truth - guess).mean())


def bias(actual: ArrayLike, projected: ArrayLike) -> float:
    """Mean of projected − actual: above zero when projections are too high."""
    truth, guess = _rows(actual, projected)
    return float((guess - truth).mean())


def coverage(actual: ArrayLike, floor: ArrayLike, ceiling: ArrayLike) -> float:
    """Share (0..1) of actuals within their band, both ends included."""
    truth, low, high = _rows(actual, floor, ceiling)
    return float(((low <= truth) & (truth <= high)).mean())


def pinball(actual: ArrayLike, quantile: ArrayLike, level: float) -> float:
    """Mean pinball loss of projected quantiles at `level` (0..1), in the unit of the stat."""
    truth, guess = _rows(actual, quantile)
    above = truth - guess
    return float(np.maximum(level * above, (level - 1.0) * above).mean())


def log_loss(won: ArrayLike, probability: ArrayLike) -> float:
    """Mean negative natural logarithm of the probability given to what happened (0 or 1)."""
    outcome, given = _rows(won, probability)
    safe = np.clip(given, _SMALLEST_PROBABILITY, 1.0 - _SMALLEST_PROBABILITY)
    return float(-np.log(np.where(outcome > 0.5, safe, 1.0 - safe)).mean())


def brier(won: ArrayLike, probability: ArrayLike) -> float:
    """Mean squared difference of probability and outcome (0 or 1)."""
    outcome, given = _rows(won, probability)
    return float(((given - outcome) ** 2).mean())


def accuracy(won: ArrayLike, probability: ArrayLike) -> float:
    """Share (0..1) of games whose favourite won; a probability of one half counts half."""
    outcome, given = _rows(won, probability)
    right = np.where(given == 0.5, 0.5, (given > 0.5) == (outcome > 0.5))
    return float(right.mean())


def wilson_interval(successes: int, trials: int, confidence: float = 0.95) -> Interval:
    """Wilson's score interval of a share (Wilson 1927); 0..1 without trials.

    ValueError unless 0 ≤ successes ≤ trials and 0 < confidence < 1.
    """
    if not 0 <= successes <= trials:
        raise ValueError(f"{successes} successes in {trials} trials")
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    if trials == 0:
        return Interval(0.0, 1.0)
    share = successes / trials
    scale = 1.0 + z * z / trials
    centre = (share + z * z / (2 * trials)) / scale
    half = z * sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials)) / scale
    return Interval(
        0.0 if successes == 0 else centre - half, 1.0 if successes == trials else centre + half
    )


def bootstrap_interval(
    values: ArrayLike,
    dates: ArrayLike,
    random: np.random.Generator,
    *,
    confidence: float = 0.95,
    draws: int = 1000,
) -> Interval:
    """Percentile bootstrap interval of the mean of `values`, drawing whole dates.

    Rows of one evening are no independent observations, so dates are drawn with replacement and
    all rows of a drawn date count. ValueError for empty or NaN values.
    """
    (numbers,) = _rows(values)
    codes, unique = pd.factorize(np.asarray(dates))
    sums = np.bincount(codes, weights=numbers, minlength=len(unique))
    counts = np.bincount(codes, minlength=len(unique)).astype(np.float64)
    drawn = random.multinomial(len(unique), np.full(len(unique), 1 / len(unique)), size=draws)
    means = (drawn @ sums) / (drawn @ counts)
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(low), float(high))


def baselines(
    history: pd.DataFrame,
    rows: pd.DataFrame,
    stat: Stat,
    half_life_games: float = BASELINE_HALF_LIFE_GAMES,
) -> pd.DataFrame:
    """What simple averages of earlier games would have said about `rows`.

    `history` has player_id, game_date (timestamps), game_id, season and the stat, one row per game
    played; `rows` has player_id, game_date and season, in any order. The result has the index of
    `rows` and the columns `BASELINES`: average of the season so far, of the last five games, and
    weighted average with the given half-life. NaN where a player has no earlier game (or none of
    that season). Only games of earlier dates count.
    """
    days = _days(history["game_date"])
    owners = history["player_id"].to_numpy(dtype=np.int64)
    order = np.lexsort((history["game_id"].to_numpy(str), days, owners))
    owners, days = owners[order], days[order]
    values = history[stat].to_numpy(dtype=np.float64, na_value=np.nan)[order]
    by_date = owners * _DAYS_PER_PLAYER + days
    by_season = owners * _DAYS_PER_PLAYER + _first_years(history["season"])[order]

    asked = rows["player_id"].to_numpy(dtype=np.int64)
    ends = np.searchsorted(by_date, asked * _DAYS_PER_PLAYER + _days(rows["game_date"]))
    starts = np.searchsorted(owners, asked)
    season_starts = np.searchsorted(
        by_season, asked * _DAYS_PER_PLAYER + _first_years(rows["season"])
    )
    return pd.DataFrame(
        {
            "season_average": _average(values, season_starts, ends),
            "last_5": _average(values, np.maximum(starts, ends - _LAST_GAMES), ends),
            "ewma_8": _ewma(values, starts, ends, half_life_games),
        },
        index=rows.index,
    )


def _rows(*columns: ArrayLike) -> tuple[Floats, ...]:
    arrays = tuple(np.asarray(column, dtype=np.float64) for column in columns)
    if len({len(array) for array in arrays}) != 1 or len(arrays[0]) == 0:
        raise ValueError(f"needs rows of equal length, has {[len(array) for array in arrays]}")
    if any(np.isnan(array).any() for array in arrays):
        raise ValueError("a value is missing (NaN)")
    return arrays


def _days(dates: pd.Series[pd.Timestamp]) -> NDArray[np.int64]:
    return dates.to_numpy(dtype="datetime64[D]").astype(np.int64)


def _first_years(seasons: pd.Series[str]) -> NDArray[np.int64]:
    return seasons.str[:4].to_numpy(dtype=np.int64)


def _average(values: Floats, starts: NDArray[np.int64], ends: NDArray[np.int64]) -> Floats:
    """Average of values[start:end] without NaN, NaN where nothing is left."""
    known = ~np.isnan(values)
    summed = np.concatenate(([0.0], np.where(known, values, 0.0).cumsum()))
    counted = np.concatenate(([0], known.cumsum()))
    number = counted[ends] - counted[np.minimum(starts, ends)]
    total = summed[ends] - summed[np.minimum(starts, ends)]
    average: Floats = np.divide(total, number, out=np.full(len(ends), np.nan), where=number > 0)
    return average


def _ewma(
    values: Floats, starts: NDArray[np.int64], ends: NDArray[np.int64], half_life_games: float
) -> Floats:
    result = np.full(len(ends), np.nan)
    if len(values):
        for first in range(0, len(ends), 20_000):
            part = slice(first, first + 20_000)
            windows = gather_windows(values[:, None], ends[part], starts[part])
            result[part] = weighted_average(windows[:, :, 0], half_life_games)
    return result
