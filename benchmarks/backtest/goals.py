"""What the model was built to reach and whether it does, each on the seasons set for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import pandas as pd

from benchmarks.backtest.figures import market_figures
from benchmarks.backtest.lineups import out_figures
from benchmarks.backtest.season import Played
from benchmarks.backtest.wins import win_figures
from nba.stats import MARKETS

__all__ = ["goal_figures"]

Figures = dict[str, Any]

_JUDGED: Final = ("2023-24", "2024-25")
_OUT: Final = ("2023-24",)
_SIX: Final = ("2019-20", "2020-21", "2021-22", "2022-23", "2023-24", "2024-25")
_LEAST_BELOW_AVERAGE: Final = -0.04
_LEAST_GAP_CLOSED: Final = 0.65
_BAND: Final = (0.79, 0.82)
_GROUP_BAND: Final = (0.77, 0.84)
_LARGEST_BIAS: Final = 0.15
_ABOVE_CLOSING_LINE: Final = 0.016
_SLOPE: Final = (0.9, 1.1)
_COUNTED: Final = ("rebounds", "assists", "threes", "minutes")


def goal_figures(played: Sequence[Played], averages: Sequence[Figures]) -> list[Figures]:
    """One entry for each goal whose seasons have all been played; `averages` are of home wins.

    Each has goal (a few words), seasons, n, found, low and high (a 95% interval, None without one),
    wanted (words) and holds. Where a yardstick of it is missing there is no entry.
    """
    found: list[Figures] = []
    judged = _of(played, _JUDGED)
    if judged:
        markets: Figures = {
            market: market_figures(
                pd.concat([one.markets[market] for one in judged], ignore_index=True)
            )
            for market in MARKETS
        }
        found += _with(_JUDGED, [*_points(markets["points"]), *_counted(markets)])
    for average in averages:
        found += _average(average)
    six = _of(played, _SIX)
    if six:
        games = pd.concat([one.games for one in six], ignore_index=True)
        found += _with(_SIX, _calibrated(win_figures(games)))
    for one in _of(played, _OUT):
        out = out_figures(one.replay.players, one.replay.informed, one.inactive, dict(one.markets))
        if out is not None:
            found += _with(_OUT, _out(out))
    return found


def _of(played: Sequence[Played], seasons: Sequence[str]) -> list[Played]:
    chosen = [one for one in played if one.season in seasons]
    return chosen if len(chosen) == len(seasons) else []


def _with(seasons: Sequence[str], goals: Sequence[Figures] | Iterator[Figures]) -> list[Figures]:
    return [{"goal": one["goal"], "seasons": list(seasons), **one} for one in goals]


def _goal(
    goal: str, n: int, found: float, wanted: str, *, holds: bool, beside: Figures | None = None
) -> Figures:
    interval = beside or {}
    return {
        "goal": goal,
        "n": n,
        "found": found,
        "low": interval.get("low"),
        "high": interval.get("high"),
        "wanted": wanted,
        "holds": holds,
    }


def _points(points: Figures) -> Iterator[Figures]:
    if not points["n"]:
        return
    share = points["mae"] / points["baselines"]["ewma_8"] - 1.0
    holds = share <= _LEAST_BELOW_AVERAGE
    yield _goal(
        "points, MAE beside EWMA 8, as a share", points["n"], share, "at most -0.04", holds=holds
    )
    lines = points["line_rows"]
    if lines["gap_closed"] is not None:
        yield _goal(
            "points, gap from EWMA 12 to the line closed",
            lines["n"],
            lines["gap_closed"],
            "at least 0.65, aim 0.85",
            holds=lines["gap_closed"] >= _LEAST_GAP_CLOSED,
        )
    yield _within("points, in band", points["n"], points["coverage_80"], _BAND)
    for name, group in points["groups"].items():
        if group["n"]:
            yield _within(f"points, in band, {name}", group["n"], group["coverage_80"], _GROUP_BAND)
    holds = abs(points["bias"]) < _LARGEST_BIAS
    yield _goal("points, bias of mean", points["n"], points["bias"], "within 0.15", holds=holds)


def _within(goal: str, n: int, found: float, bounds: tuple[float, float]) -> Figures:
    low, high = bounds
    return _goal(goal, n, found, f"{low} to {high}", holds=low <= found <= high)


def _counted(markets: Figures) -> Iterator[Figures]:
    for name in _COUNTED:
        market = markets[name]
        if not market["n"]:
            continue
        best = market["best_average"]
        beside = market["differences"][best]
        yield _goal(
            f"{name}, MAE beside {best}, the best average",
            market["n"],
            beside["difference"],
            "interval below 0",
            holds=beside["high"] < 0.0,
            beside=beside,
        )
        rival = market["negative_binomial"]
        if rival is not None:
            yield _goal(
                f"{name}, pinball beside a negative binomial",
                rival["n"],
                rival["difference"],
                "at most 0",
                holds=rival["difference"] <= 0.0,
                beside=rival,
            )


def _average(average: Figures) -> Iterator[Figures]:
    """The goal of an average over seasons, if it is one that a goal is set for."""
    limits = {
        ("fivethirtyeight", _SIX[:3]): (0.0, "at most 0"),
        ("closing_line", _SIX[3:]): (_ABOVE_CLOSING_LINE, "at most 0.016"),
    }
    limit = limits.get((average["against"], tuple(average["seasons"])))
    if limit is not None:
        most, wanted = limit
        yield {
            **_goal(
                f"home win, log loss beside {average['against']}, average of seasons",
                average["n"],
                average["difference"],
                wanted,
                holds=average["difference"] <= most,
            ),
            "seasons": average["seasons"],
        }


def _calibrated(wins: Figures) -> Iterator[Figures]:
    bins = wins["reliability"]
    outside = sum(not one["holds_diagonal"] for one in bins)
    yield _goal(
        f"home win, of {len(bins)} bands without the diagonal",
        wins["n"],
        outside,
        "0",
        holds=outside == 0,
    )
    slope = wins["calibration"]
    if slope is not None:
        low, high = _SLOPE
        yield _goal(
            "home win, calibration slope",
            wins["n"],
            slope["slope"],
            f"{low} to {high}",
            holds=low <= slope["slope"] <= high,
            beside=slope["interval"],
        )


def _out(out: Figures) -> Iterator[Figures]:
    for name in MARKETS:
        market = out["markets"][name]
        if market["n"]:
            yield _goal(
                f"{name}, MAE of team-mates with the inactive list beside without",
                market["n"],
                market["difference"],
                "below 0",
                holds=market["difference"] < 0.0,
                beside=market,
            )
    sums = out["team_minutes"]
    if sums["n"]:
        apart = max(abs(sums["least"] - 240.0), abs(sums["most"] - 240.0))
        yield _goal(
            "minutes of a team, farthest from 240", sums["n"], apart, "0", holds=apart < 1e-6
        )
