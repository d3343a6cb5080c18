"""Figures of home win probabilities, beside Elo and what others said of the same games."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final

import numpy as np
import pandas as pd

from benchmarks.backtest.figures import difference
from nba import evaluation

__all__ = ["OTHERS", "game_frame", "win_figures"]

Figures = dict[str, Any]

OTHERS: Final = {"closing": "closing_line", "fivethirtyeight": "fivethirtyeight"}
"""The yardsticks of a home win, by the column that holds them."""

_USUAL_SHARE_GAMES: Final = 3 * 1230
_SMALLEST_PROBABILITY: Final = 1e-12


def game_frame(
    games: pd.DataFrame, results: pd.DataFrame, forecasts: pd.DataFrame | None
) -> pd.DataFrame:
    """The projected games that were played, with results, yardsticks and the usual home share.

    `games` is a replay's, `results` as `replay.result_table` gives them, `forecasts` as in
    `sources.Yardsticks`. Adds home_points, away_points, home_won, the columns of the forecasts (NaN
    where unknown) and home_share: how often home teams had won in the three seasons before.
    """
    known = results[["home_points", "away_points", "home_won"]]
    frame = games.join(known, on="game", how="inner").reset_index(drop=True)
    columns = ["closing", "fivethirtyeight", "closing_spread", "closing_total"]
    if forecasts is None:
        frame = frame.assign(**dict.fromkeys(columns, np.nan))
    else:
        frame = frame.join(forecasts[columns], on="game")
    first = frame["season"].min() if len(frame) else ""
    earlier = results[results["is_regular"] & (results["season"] < first)]["home_won"]
    usual = earlier.tail(_USUAL_SHARE_GAMES).mean() if len(earlier) else 0.5
    return frame.assign(home_share=usual)


def win_figures(frame: pd.DataFrame) -> Figures:
    """What is said of home win probabilities; of no games everything is None but `n`.

    The top level is over all games. Each other opinion is also compared on the games that it has:
    `beside` has n, its log loss, the model's there, and the difference with a 95% interval from a
    bootstrap by date, below zero where the model is better.
    """
    some = len(frame) > 0
    won, given = frame["home_won"], frame["given"]
    slope = evaluation.calibration_slope(won, given) if some else None
    figures: Figures = {
        "n": len(frame),
        "log_loss": evaluation.log_loss(won, given) if some else None,
        "brier": evaluation.brier(won, given) if some else None,
        "accuracy": evaluation.accuracy(won, given) if some else None,
        "elo_log_loss": evaluation.log_loss(won, frame["elo"]) if some else None,
        "home_share_log_loss": evaluation.log_loss(won, frame["home_share"]) if some else None,
    }
    figures["beside"] = {"elo": _beside(frame, "elo")}
    for column, name in OTHERS.items():
        beside = _beside(frame, column)
        figures[f"{name}_log_loss"] = beside["log_loss"]
        figures["beside"][name] = beside
    figures["calibration"] = None if slope is None else asdict(slope)
    figures["reliability"] = [
        {**asdict(one), "holds_diagonal": one.holds_diagonal}
        for one in (evaluation.reliability(won, given) if some else ())
    ]
    figures["score"] = _score(frame)
    return figures


def _beside(frame: pd.DataFrame, column: str) -> Figures:
    rows = frame[frame[column].notna()]
    if rows.empty:
        none = dict.fromkeys(("log_loss", "brier", "accuracy", "model_log_loss"))
        return {"n": 0, **none, **difference(rows["given"], rows["day"])}
    own, other = (_losses(rows["home_won"], rows[name]) for name in ("given", column))
    return {
        "n": len(rows),
        "log_loss": evaluation.log_loss(rows["home_won"], rows[column]),
        "brier": evaluation.brier(rows["home_won"], rows[column]),
        "accuracy": evaluation.accuracy(rows["home_won"], rows[column]),
        "model_log_loss": evaluation.log_loss(rows["home_won"], rows["given"]),
        **difference(own - other, rows["day"]),
    }


def _losses(won: pd.Series[float], given: pd.Series[float]) -> pd.Series[float]:
    happened = given.where(won > 0.5, 1.0 - given)
    safe = happened.clip(lower=_SMALLEST_PROBABILITY)
    return pd.Series(-np.log(safe.to_numpy()), safe.index)


def _score(frame: pd.DataFrame) -> Figures:
    """Absolute errors of the expected margin and total, on games with closing numbers too."""
    needed = ["home_expected", "away_expected", "closing_spread", "closing_total"]
    rows = frame[frame[needed].notna().all(axis=1)]
    names = ("margin_mae", "closing_margin_mae", "total_mae", "closing_total_mae")
    if rows.empty:
        return {"n": 0, **dict.fromkeys(names)}
    margin = rows["home_points"] - rows["away_points"]
    total = rows["home_points"] + rows["away_points"]
    guesses = (
        (margin, rows["home_expected"] - rows["away_expected"]),
        (margin, rows["closing_spread"]),
        (total, rows["home_expected"] + rows["away_expected"]),
        (total, rows["closing_total"]),
    )
    errors = (evaluation.mae(actual, guess) for actual, guess in guesses)
    return {"n": len(rows), **dict(zip(names, errors, strict=True))}
