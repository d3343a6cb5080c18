"""Figures of one market: errors, bands and baselines, all over the same rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.backtest.rows import FULL_HISTORY_GAMES, scored
from nba import evaluation

__all__ = [
    "BOOTSTRAP_SEED",
    "GROUPS",
    "difference",
    "line_figures",
    "market_figures",
    "with_negative_binomial",
]

Floats = NDArray[np.float64]
Figures = dict[str, Any]

BOOTSTRAP_SEED: Final = 20_221_018
FLOOR_LEVEL: Final = 0.1
CEILING_LEVEL: Final = 0.9
_IDLE_DAYS: Final = 14
_FIRST_GAMES: Final = 10
_CLEAR_DIFFERENCE: Final = 1.0

GROUPS: Final = (
    "under 12 minutes",
    "12–20 minutes",
    "20–28 minutes",
    "28 minutes and more",
    "team's first ten games",
    "player's first ten games",
    "two weeks without a game",
)
"""The groups whose bands are looked at; minutes are the projected ones."""


def market_figures(frame: pd.DataFrame) -> Figures:
    """What is said of one market's rows; of no rows everything is None but `n`.

    The median is judged by absolute error, the mean by bias and squared error, the floor and the
    ceiling by coverage and pinball loss. Differences are model − rival, below zero where the model
    is better, with 95% intervals from a bootstrap by date.
    """
    rows = frame[scored(frame)]
    error = _errors(rows)
    averages = {name: _mae(rows, name) for name in evaluation.AVERAGES}
    some = len(rows) > 0
    best = min(averages, key=lambda name: averages[name] or 0.0) if some else None
    return {
        "n": len(rows),
        "n_newcomers": int((frame["earlier_games"] < FULL_HISTORY_GAMES).sum()),
        "mae": _mae(rows, "median"),
        "mae_of_mean": _mae(rows, "mean"),
        "rmse": evaluation.rmse(rows["actual"], rows["mean"]) if some else None,
        "bias": evaluation.bias(rows["actual"], rows["mean"]) if some else None,
        "median_bias": evaluation.bias(rows["actual"], rows["median"]) if some else None,
        "coverage_80": _coverage(rows),
        "pinball": float(_band_loss(rows, "floor", "ceiling").mean()) if some else None,
        "baselines": averages,
        "differences": {
            name: difference(error - np.abs(rows["actual"] - rows[name]), rows["day"])
            for name in evaluation.AVERAGES
        },
        "best_average": best,
        "negative_binomial": _negative_binomial(rows),
        "groups": {name: _group(rows[inside]) for name, inside in _groups(rows).items()},
        "newcomers": _group(
            frame[(frame["earlier_games"] < FULL_HISTORY_GAMES) & frame["actual"].notna()]
        ),
        "line_rows": line_figures(frame),
    }


def difference(values: pd.Series[float], days: pd.Series[int]) -> Figures:
    """The mean of paired differences and its 95% interval; None of each without rows."""
    if len(values) == 0:
        return {"difference": None, "low": None, "high": None}
    random = np.random.default_rng(BOOTSTRAP_SEED)
    interval = evaluation.bootstrap_interval(values.to_numpy(), days.to_numpy(), random)
    return {"difference": float(values.mean()), "low": interval.low, "high": interval.high}


def with_negative_binomial(
    frame: pd.DataFrame, earlier: pd.DataFrame | None, season: str | None
) -> pd.DataFrame:
    """The frame with rival bands: columns nb_floor, nb_ceiling, nb_dispersion, nb_season.

    The rival is a negative binomial around the same means, whose variance in units of the mean is
    that of `earlier`, the rows of the season before; NaN without such rows. A model may have been
    trained on that season, so its errors there can be a little too small.
    """
    filled = frame.assign(nb_floor=np.nan, nb_ceiling=np.nan, nb_dispersion=np.nan, nb_season=None)
    known = None if earlier is None else earlier[scored(earlier)]
    if known is None or known.empty or not (known["mean"] > 0).any() or frame["mean"].isna().all():
        return filled
    dispersion = evaluation.fit_dispersion(known["actual"], known["mean"])
    has_mean = frame["mean"].notna()
    means = frame.loc[has_mean, "mean"]
    for name, level in (("nb_floor", FLOOR_LEVEL), ("nb_ceiling", CEILING_LEVEL)):
        filled.loc[has_mean, name] = evaluation.negative_binomial_quantile(means, dispersion, level)
    return filled.assign(nb_dispersion=dispersion, nb_season=season)


def line_figures(frame: pd.DataFrame) -> Figures:
    """The model beside a market's line, over the rows with a line and one earlier game.

    `gap_closed` is the share of the way from the average with half-life 12 to the line. A side is
    taken where median and line differ; results on the line itself are pushes and do not count.
    """
    lines = frame["line"] if "line" in frame else pd.Series(np.nan, frame.index)
    rows = frame[lines.notna() & frame["actual"].notna() & frame["ewma_12"].notna()]
    mae, average = _mae(rows, "median"), _mae(rows, "ewma_12")
    line = _mae(rows, "line") if len(rows) else None
    gap = None
    if mae is not None and line is not None and average is not None and average > line:
        gap = (average - mae) / (average - line)
    none = difference(pd.Series(dtype=float), pd.Series(dtype=int))
    return {
        "n": len(rows),
        "mae": mae,
        "line_mae": line,
        "ewma_12_mae": average,
        "gap_closed": gap,
        "beside_line": (
            difference(_errors(rows) - np.abs(rows["actual"] - rows["line"]), rows["day"])
            if len(rows)
            else none
        ),
        "record": _record(rows, 0.0),
        "record_apart": _record(rows, _CLEAR_DIFFERENCE),
    }


def _record(rows: pd.DataFrame, apart: float) -> Figures:
    """Over/under results of the model's side where it differs from the line by more than this."""
    if rows.empty:
        return {
            "n": 0,
            "wins": 0,
            "pushes": 0,
            "overs": 0,
            "share": None,
            "low": None,
            "high": None,
        }
    side = rows["median"] - rows["line"]
    taken = side.abs() > apart
    result = rows["actual"] - rows["line"]
    decided = taken & (result != 0)
    wins = int((decided & (np.sign(side) == np.sign(result))).sum())
    n = int(decided.sum())
    interval = evaluation.wilson_interval(wins, n)
    return {
        "n": n,
        "wins": wins,
        "pushes": int((taken & (result == 0)).sum()),
        "overs": int((decided & (side > 0)).sum()),
        "share": wins / n if n else None,
        "low": interval.low,
        "high": interval.high,
    }


def _negative_binomial(rows: pd.DataFrame) -> Figures | None:
    if rows.empty or "nb_floor" not in rows or rows["nb_floor"].isna().any():
        return None
    own = _band_loss(rows, "floor", "ceiling")
    rival = _band_loss(rows, "nb_floor", "nb_ceiling")
    return {
        "n": len(rows),
        "pinball": float(rival.mean()),
        "dispersion": float(rows["nb_dispersion"].mean()),
        "fitted_on": ", ".join(sorted(set(rows["nb_season"].astype(str)))),
        **difference(own - rival, rows["day"]),
    }


def _groups(rows: pd.DataFrame) -> Mapping[str, pd.Series[bool]]:
    minutes = rows["minutes"]
    inside = (
        minutes < 12,
        (minutes >= 12) & (minutes < 20),
        (minutes >= 20) & (minutes < 28),
        minutes >= 28,
        rows["team_game"] <= _FIRST_GAMES,
        rows["player_game"] <= _FIRST_GAMES,
        rows["idle_days"] >= _IDLE_DAYS,
    )
    return dict(zip(GROUPS, inside, strict=True))


def _group(rows: pd.DataFrame) -> Figures:
    known = rows[rows["mean"].notna()]
    some = len(known) > 0
    return {
        "n": len(known),
        "mae": _mae(known, "median"),
        "bias": evaluation.bias(known["actual"], known["mean"]) if some else None,
        "coverage_80": _coverage(known),
    }


def _errors(rows: pd.DataFrame) -> pd.Series[float]:
    errors: pd.Series[float] = (rows["actual"] - rows["median"]).abs()
    return errors


def _mae(rows: pd.DataFrame, name: str) -> float | None:
    return evaluation.mae(rows["actual"], rows[name]) if len(rows) else None


def _coverage(rows: pd.DataFrame) -> float | None:
    if rows.empty:
        return None
    return evaluation.coverage(rows["actual"], rows["floor"], rows["ceiling"])


def _band_loss(rows: pd.DataFrame, floor: str, ceiling: str) -> pd.Series[float]:
    """Pinball loss of the 10th and 90th percentile together, one number a row."""
    total: pd.Series[float] = pd.Series(0.0, rows.index)
    for name, level in ((floor, FLOOR_LEVEL), (ceiling, CEILING_LEVEL)):
        above = rows["actual"] - rows[name]
        total = total + np.maximum(level * above, (level - 1.0) * above)
    return total
