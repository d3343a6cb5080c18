"""What is said of several seasons together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import pandas as pd

from benchmarks.backtest.figures import market_figures
from benchmarks.backtest.goals import goal_figures
from benchmarks.backtest.season import Played
from benchmarks.backtest.wins import OTHERS, win_figures
from nba.stats import MARKETS

__all__ = ["together_figures"]

Figures = dict[str, Any]

_SPANS: Final = (
    ("fivethirtyeight", "2019-20", "2021-22"),
    ("closing_line", "2022-23", "2024-25"),
)
"""A yardstick of home wins, and the first and last season over which it is averaged."""


def together_figures(seasons: Sequence[Played]) -> Figures:
    """Several seasons' rows and games put together, and their win figures by season and averaged.

    `wins_by_season` has for each season n, the model's and Elo's figures over all its games, and
    under `beside` what each yardstick and the model have on the games of that yardstick.
    `wins_averages` are plain averages of such figures over seasons, each season counting the same.
    """
    ordered = sorted(seasons, key=lambda one: one.season)
    markets = {}
    for market in MARKETS:
        frame = pd.concat([one.markets[market] for one in ordered], ignore_index=True)
        markets[market] = market_figures(frame)
    games = pd.concat([one.games for one in ordered], ignore_index=True)
    by_season = {one.season: _season_wins(one.games) for one in ordered}
    averages = [_averages(by_season, name) for name in OTHERS.values()]
    averages += [_averages(by_season, name, first, last) for name, first, last in _SPANS]
    known = [one for one in averages if one["seasons"]]
    figures: Figures = {
        "seasons": [one.season for one in ordered],
        "models": [one.version for one in ordered],
        "notes": [f"{one.season}: {note}" for one in ordered for note in one.notes],
        "markets": markets,
        "wins": win_figures(games),
        "wins_by_season": by_season,
        "wins_averages": [one for at, one in enumerate(known) if one not in known[:at]],
    }
    return {**figures, "goals": goal_figures(ordered, figures["wins_averages"])}


def _season_wins(games: pd.DataFrame) -> Figures:
    figures = win_figures(games)
    names = ("n", "log_loss", "brier", "accuracy", "elo_log_loss")
    others = [f"{name}_log_loss" for name in OTHERS.values()]
    short = {name: figures[name] for name in (*names, *others)}
    parts = ("n", "model_log_loss", "log_loss")
    beside = {
        name: {part: figures["beside"][name][part] for part in parts} for name in OTHERS.values()
    }
    return {**short, "beside": beside}


def _averages(by_season: Figures, name: str, first: str = "", last: str = "9999") -> Figures:
    """The average over the seasons from first to last that the yardstick has, on its games."""
    beside = {
        season: one["beside"][name]
        for season, one in by_season.items()
        if first <= season <= last and one["beside"][name]["n"]
    }
    figures: Figures = {"against": name, "seasons": list(beside)}
    figures["n"] = sum(one["n"] for one in beside.values())
    for part in ("model_log_loss", "log_loss"):
        numbers = [one[part] for one in beside.values()]
        figures[part] = sum(numbers) / len(numbers) if numbers else None
    if beside:
        figures["difference"] = figures["model_log_loss"] - figures["log_loss"]
    return figures
