"""Figures as charts, in one page that a browser shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import altair as alt
import pandas as pd

from nba.evaluation import AVERAGES
from nba.stats import MARKETS

__all__ = ["save_plots"]

Figures = dict[str, Any]


def save_plots(figures: Figures, path: Path, title: str) -> None:
    """Write the charts of a season, or of several together, as HTML."""
    charts = [_errors(figures["markets"]), _groups(figures["markets"]["points"])]
    if figures["wins"]["reliability"]:
        charts.append(_reliability(figures["wins"]))
    page = alt.vconcat(*charts).resolve_scale(color="independent").properties(title=title)
    page.save(str(path), format="html")


def _errors(markets: Figures) -> Any:
    rows = []
    for market in MARKETS:
        one = markets[market]
        if one["n"] == 0:
            continue
        usual = one["baselines"]["ewma_8"]
        named = {"model": one["mae"], **{name: one["baselines"][name] for name in AVERAGES}}
        rows += [
            {"market": market, "forecast": name, "error": mae, "ratio": mae / usual if usual else 1}
            for name, mae in named.items()
        ]
    return (
        alt.Chart(
            pd.DataFrame(rows, columns=["market", "forecast", "error", "ratio"]),
            title="Absolute error, as a share of the average with half-life 8",
        )
        .mark_point(filled=True, size=70)
        .encode(
            x=alt.X("ratio:Q", scale=alt.Scale(zero=False), title="MAE / MAE of EWMA 8"),
            y=alt.Y("market:N", sort=list(MARKETS), title=None),
            color=alt.Color("forecast:N", sort=["model", *AVERAGES], title=None),
            tooltip=["market", "forecast", alt.Tooltip("error:Q", format=".3f")],
        )
        .properties(width=560, height=200)
    )


def _groups(points: Figures) -> Any:
    rows = [
        {"group": name, "n": one["n"], "in band": one["coverage_80"]}
        for name, one in points["groups"].items()
        if one["n"]
    ]
    frame = pd.DataFrame(rows, columns=["group", "n", "in band"])
    target = alt.Chart(pd.DataFrame({"low": [0.77], "high": [0.84]})).mark_rect(opacity=0.2)
    found = (
        alt.Chart(frame, title="Points between the 10th and the 90th percentile")
        .mark_point(filled=True, size=70)
        .encode(
            x=alt.X("in band:Q", scale=alt.Scale(domain=[0.7, 0.95]), axis=alt.Axis(format="%")),
            y=alt.Y("group:N", sort=list(frame["group"]), title=None),
            tooltip=["group", "n", alt.Tooltip("in band:Q", format=".1%")],
        )
    )
    layered = target.encode(x=alt.X("low:Q", title="in band"), x2="high:Q") + found
    return layered.properties(width=560, height=200)


def _reliability(wins: Figures) -> Any:
    frame = pd.DataFrame(
        {
            "given": one["given"],
            "happened": one["happened"],
            "low": one["band"]["low"],
            "high": one["band"]["high"],
            "n": one["n"],
        }
        for one in wins["reliability"]
    )
    share = alt.Scale(domain=[0, 1])
    diagonal = (
        alt.Chart(pd.DataFrame({"given": [0.0, 1.0], "happened": [0.0, 1.0]}))
        .mark_line(strokeDash=[4, 4], color="grey")
        .encode(x=alt.X("given:Q", scale=share), y=alt.Y("happened:Q", scale=share))
    )
    bands = alt.Chart(frame).mark_rule().encode(x="given:Q", y="low:Q", y2="high:Q")
    points = (
        alt.Chart(frame, title="Home wins: given and happened, bands that hold for all bins at 95%")
        .mark_point(filled=True, size=70)
        .encode(
            x=alt.X("given:Q", title="probability given", axis=alt.Axis(format="%")),
            y=alt.Y("happened:Q", title="share won", axis=alt.Axis(format="%")),
            tooltip=[
                "n",
                alt.Tooltip("given:Q", format=".1%"),
                alt.Tooltip("happened:Q", format=".1%"),
            ],
        )
    )
    return (diagonal + bands + points).properties(width=360, height=360)
