"""The pictures of a player: a season's projections beside what he did, and what may happen next."""

from __future__ import annotations

import math
from typing import Final

import altair as alt
import pandas as pd

from nba.model import Distribution
from nba.stats import Market
from ui.charts import ACTUAL, BAND_OPACITY, BASELINE, BASELINE_DASH, PROJECTED
from ui.formats import percent, short_date

__all__ = [
    "chance_table",
    "distribution_alt",
    "distribution_chart",
    "distribution_frame",
    "season_alt",
    "season_chart",
    "season_frame",
]

_INSIDE, _OUTSIDE, _ALONE = "within the range", "outside the range", "no projection"
_SHAPES: Final = {_INSIDE: "circle", _OUTSIDE: "diamond"}
_HEIGHT: Final = 300
# A date such as 2024-11-20 is read as midnight UTC; the browser's zone must not move it.
_DAY: Final = "utcFormat(toDate(datum.value), '%b %-d')"
_HIGHEST_NUMBER: Final = 150
_RAREST: Final = 0.002


def season_frame(rows: pd.DataFrame, market: Market) -> pd.DataFrame:
    """What `season_chart` draws of `game_rows`: one row a game, numbers in the market's unit.

    Columns: day (such as 2024-11-20, US Eastern), date, against, actual, mean, floor, ceiling,
    range and where. PRA has no band.
    """
    frame = pd.DataFrame(
        {
            "day": rows["game_date"].dt.strftime("%Y-%m-%d"),
            "date": [short_date(day.date()) for day in rows["game_date"]],
            "against": [
                f"{'vs' if is_home else '@'} {opponent}"
                for is_home, opponent in zip(rows["is_home"], rows["opponent"], strict=True)
            ],
            "actual": rows[market],
        }
    )
    for name in ("mean", "floor", "ceiling"):
        column = f"{market}_{name}"
        frame[name] = rows.get(column, math.nan)
    bands = zip(frame["floor"], frame["ceiling"], strict=True)
    frame["range"] = ["–" if pd.isna(low) else f"{low:.0f}–{high:.0f}" for low, high in bands]
    frame["where"] = _ALONE
    judged = frame[["actual", "floor", "ceiling"]].dropna()
    inside = judged["actual"].between(judged["floor"], judged["ceiling"])
    frame.loc[judged.index, "where"] = inside.map({True: _INSIDE, False: _OUTSIDE})
    return frame.reset_index(drop=True)


def season_chart(frame: pd.DataFrame, unit: str) -> alt.LayerChart | alt.FacetChart:
    """`season_frame` drawn: a bar from floor to ceiling, a tick at the mean, a mark for the actual.

    The mark's shape says whether the range held, for those to whom colours say nothing; it is
    hollow where nothing was projected.
    """
    # Game beside game: as wide as there is room, on a phone too, and without the days between.
    day = alt.X("day:O", axis=alt.Axis(title=None, labelExpr=_DAY, labelOverlap=True, labelAngle=0))
    tooltip = [
        alt.Tooltip("date:N", title="Date"),
        alt.Tooltip("against:N", title="Against"),
        alt.Tooltip("actual:Q", title="Actual", format=".0f"),
        alt.Tooltip("mean:Q", title="Projected", format=".1f"),
        alt.Tooltip("range:N", title="Range"),
    ]
    told, played = frame.dropna(subset=["floor", "ceiling"]), frame.dropna(subset=["actual"])
    actual = alt.Y("actual:Q", title=unit)
    band = (
        alt.Chart(told)
        .mark_bar(color=PROJECTED, opacity=BAND_OPACITY, cornerRadius=2)
        .encode(x=day, y=alt.Y("floor:Q", title=unit), y2="ceiling:Q", tooltip=tooltip)
    )
    mean = (
        alt.Chart(told)
        .mark_tick(color=PROJECTED, thickness=2, orient="horizontal")
        .encode(x=day, y=alt.Y("mean:Q", title=unit), tooltip=tooltip)
    )
    alone = (
        alt.Chart(played[played["where"] == _ALONE])
        .mark_point(color=ACTUAL, filled=False, size=25, opacity=0.8)
        .encode(x=day, y=actual, tooltip=tooltip)
    )
    judged = played[played["where"] != _ALONE]
    layers = [band, mean, alone]
    if len(judged):
        shape = alt.Shape(
            "where:N",
            scale=alt.Scale(domain=list(_SHAPES), range=list(_SHAPES.values())),
            legend=alt.Legend(symbolFillColor=ACTUAL, symbolStrokeColor=ACTUAL),
        )
        marked = alt.Chart(judged).mark_point(color=ACTUAL, filled=True, size=55, opacity=1)
        layers.append(marked.encode(x=day, y=actual, shape=shape, tooltip=tooltip))
    return alt.layer(*layers).properties(height=_HEIGHT)


def season_alt(frame: pd.DataFrame, name: str, season: str, unit: str) -> str:
    """The season chart in words."""
    played = frame.dropna(subset=["actual"])
    told = frame.dropna(subset=["floor", "ceiling"])
    judged = played.dropna(subset=["floor", "ceiling"])
    text = f"{name}'s {unit} game by game in {season}: {len(played)} played"
    if len(played):
        low, high = played["actual"].min(), played["actual"].max()
        text += f", from {low:.0f} to {high:.0f}, {played['actual'].mean():.1f} on average"
    text += f". {len(told)} with a projected range"
    if len(judged):
        text += f"; {int((judged['where'] == _INSIDE).sum())} of {len(judged)} fell within it"
    return f"{text}."


def distribution_frame(distribution: Distribution, line: float) -> pd.DataFrame:
    """The chance (0..1) of each whole number, from the first to the last that is not very rare.

    Columns: number, chance, over (more than `line`), and left, right and base, the
    sides and the foot of its bar.
    """
    chances: list[tuple[int, float]] = []
    for number in range(_HIGHEST_NUMBER + 1):
        chances.append((number, distribution.exactly(number)))
        if distribution.over(number) < _RAREST:
            break
    likely = [number for number, chance in chances if chance >= _RAREST]
    first, last = (min(likely), max(likely)) if likely else (0, 0)
    rows = [
        (number, chance, number > line, number - 0.45, number + 0.45, 0.0)
        for number, chance in chances[first : last + 1]
    ]
    return pd.DataFrame(rows, columns=["number", "chance", "over", "left", "right", "base"])


def distribution_chart(
    frame: pd.DataFrame, line: float, unit: str
) -> alt.LayerChart | alt.FacetChart:
    """`distribution_frame` drawn, with a rule at the line; what lies above it is filled."""
    tooltip = [
        alt.Tooltip("number:Q", title=unit.capitalize(), format=".0f"),
        alt.Tooltip("chance:Q", title="Chance", format=".1%"),
    ]
    chance = alt.Y("chance:Q", title="chance", axis=alt.Axis(format="%"))
    ends = [min(frame["left"].min(), line), max(frame["right"].max(), line)]
    number = alt.X(
        "left:Q",
        title=unit,
        scale=alt.Scale(domain=ends, nice=False),
        axis=alt.Axis(format="d", tickMinStep=1),
    )
    bars = alt.Chart(frame).encode(x=number, x2="right:Q", y=chance, y2="base:Q", tooltip=tooltip)
    under = bars.transform_filter("!datum.over").mark_bar(color=PROJECTED, opacity=BAND_OPACITY)
    over = bars.transform_filter("datum.over").mark_bar(color=PROJECTED)
    rule = (
        alt.Chart(pd.DataFrame({"line": [line]}))
        .mark_rule(color=BASELINE, strokeDash=list(BASELINE_DASH), strokeWidth=2)
        .encode(x="line:Q")
    )
    return alt.layer(under, over, rule).properties(height=_HEIGHT - 60)


def distribution_alt(frame: pd.DataFrame, name: str, line: float, over: float, unit: str) -> str:
    """The distribution in words; `over` is the chance (0..1) of more than the line."""
    likeliest = frame.sort_values("chance").iloc[-1]
    return (
        f"The chance of each number of {unit} for {name}: the likeliest is "
        f"{likeliest['number']:.0f} ({percent(likeliest['chance'])}), and more than {line:g} has "
        f"a chance of {percent(over)}."
    )


def chance_table(distribution: Distribution, floor: float, ceiling: float) -> pd.DataFrame:
    """The chance of reaching some numbers from floor to ceiling, at most seven of them."""
    first, last = max(math.floor(floor), 1), max(math.ceil(ceiling), 2)
    step = max(1, math.ceil((last - first) / 6))
    numbers = range(first, last + step, step)
    return pd.DataFrame(
        {
            "At least": [f"{number}" for number in numbers],
            "Chance": [percent(distribution.over(number - 0.5)) for number in numbers],
        }
    ).set_index("At least")
