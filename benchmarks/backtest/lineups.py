"""Figures of whole slates: who was shown, minutes that add up to 240, and who was known out."""

from __future__ import annotations

from typing import Any

import pandas as pd

from benchmarks.backtest.figures import difference
from nba import evaluation
from nba.stats import MARKETS

__all__ = ["out_figures", "shown_figures"]

Figures = dict[str, Any]

_KEY = ["game", "player_id"]


def shown_figures(players: pd.DataFrame, markets: dict[str, pd.DataFrame]) -> Figures:
    """The expected players as the app shows them: those of them who played, and how they did.

    `players` is a replay's; `markets` are frames of all who played. `share_of_player_games` and
    `share_of_minutes` say how much of what was played had been shown. `apart` is the largest
    difference between the mean of a row and the mean shown for it, where he played for the team for
    which he was shown: zero to six digits but for minutes, which are fitted to 240.
    """
    played = markets["minutes"]
    joined = played.merge(players, how="left", on=_KEY, suffixes=("", "_shown"))
    was_shown = joined["minutes_mean"].notna()
    total = float(played["actual"].sum())
    figures: Figures = {
        "n_shown": len(players),
        "n_played": len(played),
        "n_shown_and_played": int(was_shown.sum()),
        "share_of_player_games": float(was_shown.mean()) if len(played) else None,
        "share_of_minutes": float(joined["actual"][was_shown].sum()) / total if total else None,
        "team_minutes": _team_minutes(players),
        "markets": {},
    }
    for market in MARKETS:
        rows = markets[market].merge(players, on=_KEY, suffixes=("", "_shown"))
        rows = rows[rows[f"{market}_mean"].notna() & rows["actual"].notna()]
        figures["markets"][market] = _shown_market(rows, market)
    return figures


def out_figures(
    players: pd.DataFrame,
    informed: pd.DataFrame | None,
    inactive: pd.DataFrame | None,
    markets: dict[str, pd.DataFrame],
) -> Figures | None:
    """What knowing the inactive list does for the team-mates who stay; None without a list.

    Rows are players shown both ways who played, in team-games where the list takes away somebody
    who had been expected; `inactive` has game and player_id. Differences are informed − uninformed,
    below zero where the list helps, with 95% intervals from a bootstrap by date.
    """
    if informed is None or inactive is None:
        return None
    away = players.merge(inactive, on=_KEY)[["game", "team_id"]].drop_duplicates()
    both = players.merge(informed, on=[*_KEY, "team_id"], suffixes=("", "_informed"))
    both = both.merge(away, on=["game", "team_id"])
    still_shown = informed.merge(inactive, on=_KEY)
    figures: Figures = {
        "team_games": len(away),
        "team_minutes": _team_minutes(informed),
        "listed_and_still_shown": len(still_shown),
        "markets": {},
    }
    for market in MARKETS:
        rows = markets[market].merge(both, on=_KEY, suffixes=("_row", ""))
        needed = [f"{market}_mean", f"{market}_mean_informed", "actual"]
        rows = rows[rows[needed].notna().all(axis=1)]
        figures["markets"][market] = _out_market(rows, market)
    return figures


def _shown_market(rows: pd.DataFrame, market: str) -> Figures:
    if rows.empty:
        return {"n": 0, **dict.fromkeys(("mae", "bias", "coverage_80", "row_mae", "apart"))}
    guess = rows[f"{market}_median"]
    same = rows[rows["team_id"] == rows["team_id_shown"]]
    return {
        "n": len(rows),
        "mae": evaluation.mae(rows["actual"], guess),
        "bias": evaluation.bias(rows["actual"], rows[f"{market}_mean"]),
        "coverage_80": evaluation.coverage(
            rows["actual"], rows[f"{market}_floor"], rows[f"{market}_ceiling"]
        ),
        "row_mae": evaluation.mae(rows["actual"], rows["median"]),
        "apart": float((same["mean"] - same[f"{market}_mean"]).abs().max()) if len(same) else None,
    }


def _out_market(rows: pd.DataFrame, market: str) -> Figures:
    if rows.empty:
        none = dict.fromkeys(("mae_without", "mae_with"))
        return {"n": 0, **none, **difference(rows["actual"], rows["day"])}
    before, after = (rows[f"{market}_median{suffix}"] for suffix in ("", "_informed"))
    return {
        "n": len(rows),
        "mae_without": evaluation.mae(rows["actual"], before),
        "mae_with": evaluation.mae(rows["actual"], after),
        **difference((rows["actual"] - after).abs() - (rows["actual"] - before).abs(), rows["day"]),
    }


def _team_minutes(players: pd.DataFrame) -> Figures:
    """How many minutes the players of a team have together: the least and the most."""
    sums = players.groupby(["game", "team_id"])["minutes_mean"].sum()
    if sums.empty:
        return {"n": 0, "least": None, "most": None}
    return {"n": len(sums), "least": float(sums.min()), "most": float(sums.max())}
