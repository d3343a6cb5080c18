"""The pictures of the track record: errors and ranges by group, and whether chances hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import altair as alt
import pandas as pd

from nba.stats import COUNTS, Stat
from tracking.scoring_figures import GroupScore
from tracking.scoring_wins import MODEL, ReliabilityBin, WinScore
from ui.charts import BAND_OPACITY, BASELINE, BASELINE_DASH, PROJECTED
from ui.formats import percent

__all__ = [
    "calibration_chart",
    "coverage_chart",
    "date_chart",
    "error_chart",
    "error_words",
    "means_chart",
    "means_words",
    "quantiles_frame",
    "quantiles_words",
    "reliability_chart",
    "reliability_frame",
    "reliability_words",
]

Drawn = alt.LayerChart | alt.FacetChart
"""What Altair makes of layers."""

_HEIGHT: Final = 300
_ROW_PIXELS: Final = 26
_DOT_AREA: Final = 70
_MODEL, _EWMA = "the model", "EWMA 8"
_AIM: Final = 0.8
_WHO: Final[Mapping[str, str]] = {MODEL: _MODEL, "elo": "plain Elo"}


def date_chart(frame: pd.DataFrame, unit: str) -> Drawn:
    """Rows of `group_frame` by date: the model's error with its interval, the average's dashed.

    Both lines are over the rows for which the average exists; the interval is that of all rows.
    """
    lines = _both(frame, "date")
    day = alt.X("date:T", scale=alt.Scale(type="utc"), axis=alt.Axis(title=None, format="%b %-d"))
    dated = frame.assign(date=pd.to_datetime(frame["date"], utc=True))
    lines["date"] = pd.to_datetime(lines["date"], utc=True)
    area = (
        alt.Chart(dated.dropna(subset=["error_low"]))
        .mark_area(color=PROJECTED, opacity=BAND_OPACITY)
        .encode(x=day, y=alt.Y("error_low:Q", title=f"Average error, {unit}"), y2="error_high:Q")
    )
    drawn = (
        alt.Chart(lines)
        .mark_line(point=alt.OverlayMarkDef(size=40))
        .encode(
            x=day,
            y=alt.Y(
                "error:Q", title=f"Average error, {unit}", scale=alt.Scale(zero=False, padding=10)
            ),
            color=_who_colour((_MODEL, _EWMA)),
            strokeDash=_who_dash((_MODEL, _EWMA)),
            tooltip=[
                alt.Tooltip("date:T", title="From", format="%Y-%m-%d"),
                alt.Tooltip("who:N", title="Who"),
                alt.Tooltip("error:Q", title=f"Average error, {unit}", format=".2f"),
                alt.Tooltip("n:Q", title="n", format=","),
            ],
        )
    )
    return alt.layer(area, drawn).properties(height=_HEIGHT)


def error_words(frame: pd.DataFrame, by: str, unit: str) -> str:
    """The errors of `group_frame` in words; `by` says how they are grouped, such as "by date"."""
    known = frame.dropna(subset=["ewma_8_error"])
    better = int((known["error_on_these_rows"] < known["ewma_8_error"]).sum())
    return (
        f"Average error in {unit} {by}: {frame['error'].min():.2f} to {frame['error'].max():.2f}. "
        f"The model's is smaller than that of EWMA 8 in {better} of {len(known)}."
    )


def error_chart(frame: pd.DataFrame, by: str, unit: str) -> Drawn:
    """Rows of `group_frame`, one line each: the model's error and interval, a tick for EWMA 8."""
    lines = _both(frame, by)
    names = alt.Y(f"{by}:N", sort=frame[by].tolist(), title=None)
    error = alt.X("error:Q", title=f"Average error, {unit}", scale=alt.Scale(zero=False))
    rules = (
        alt.Chart(frame.dropna(subset=["error_low"]))
        .mark_rule(color=PROJECTED, opacity=0.6, strokeWidth=3)
        .encode(y=names, x=alt.X("error_low:Q", title=f"Average error, {unit}"), x2="error_high:Q")
    )
    marks = (
        alt.Chart(lines)
        .mark_point(filled=True, opacity=1, size=_DOT_AREA)
        .encode(
            y=names,
            x=error,
            color=_who_colour((_MODEL, _EWMA)),
            shape=alt.Shape(
                "who:N",
                scale=alt.Scale(domain=[_MODEL, _EWMA], range=["circle", "diamond"]),
            ),
            tooltip=[
                alt.Tooltip(f"{by}:N", title="Group"),
                alt.Tooltip("who:N", title="Who"),
                alt.Tooltip("error:Q", title=f"Average error, {unit}", format=".2f"),
                alt.Tooltip("n:Q", title="n", format=","),
            ],
        )
    )
    return alt.layer(rules, marks).properties(height=alt.Step(_ROW_PIXELS))


def coverage_chart(frame: pd.DataFrame, by: str, stat: Stat) -> Drawn:
    """Rows of `group_frame`: the share within floor and ceiling, and where 80% lies.

    Of COUNTS a group that is just right lies somewhere above 80%, so nothing is drawn there.
    """
    shown = frame.dropna(subset=["in_range"])
    names = alt.Y(f"{by}:N", sort=shown[by].tolist(), title=None)
    title = "Share of actuals in range"
    share = alt.X("in_range:Q", title=title, axis=alt.Axis(format="%"), scale=alt.Scale(zero=False))
    rules = (
        alt.Chart(shown.dropna(subset=["in_range_low"]))
        .mark_rule(color=PROJECTED, opacity=0.6, strokeWidth=3)
        .encode(y=names, x=alt.X("in_range_low:Q", title=title), x2="in_range_high:Q")
    )
    dots = (
        alt.Chart(shown)
        .mark_point(color=PROJECTED, filled=True, opacity=1, size=_DOT_AREA)
        .encode(
            y=names,
            x=share,
            tooltip=[
                alt.Tooltip(f"{by}:N", title="Group"),
                alt.Tooltip("in_range:Q", title="In range", format=".1%"),
                alt.Tooltip("n_bands:Q", title="n", format=","),
            ],
        )
    )
    aim = (
        alt.Chart(pd.DataFrame({"aim": [_AIM]}))
        .mark_rule(color=BASELINE, strokeDash=list(BASELINE_DASH))
        .encode(x=alt.X("aim:Q", title=title))
    )
    layers = [rules, dots] if stat in COUNTS else [aim, rules, dots]
    return alt.layer(*layers).properties(height=alt.Step(_ROW_PIXELS))


def quantiles_frame(score: GroupScore, stat: Stat) -> pd.DataFrame:
    """How often a result fell below floor, median and ceiling, and how often it should have.

    One row each with `bound`, "" or what `should_be` (a share from 0 to 1) is at most or at least,
    and `n`: floor and ceiling are over the results with a range. Empty without one. Floor and
    ceiling of COUNTS are the whole numbers at which the share is reached, so it is a bound there.
    Their median has no row: so many results equal it that no share can be expected below it.
    """
    rows: list[tuple[str, str, float, float, int]] = []
    if score.below is not None and score.coverage is not None:
        is_count = stat in COUNTS
        rows = [
            ("below the floor", "at most" if is_count else "", 0.1, score.below, score.n_bands),
            ("below the median", "", 0.5, score.under, score.n),
            (
                "up to the ceiling",
                "at least" if is_count else "",
                0.9,
                score.below + score.coverage.value,
                score.n_bands,
            ),
        ]
        if is_count:
            del rows[1]
    return pd.DataFrame(rows, columns=["result", "bound", "should_be", "was", "n"])


def quantiles_words(frame: pd.DataFrame) -> str:
    """The rows of `quantiles_frame` in a sentence, with how many results each is of."""
    parts = []
    for n, rows in frame.groupby("n", sort=False):
        shares = [
            f"{percent(was)} fell {result} ({f'{bound} {percent(should_be)}'.strip()} is the aim)"
            for result, bound, should_be, was in zip(
                rows["result"], rows["bound"], rows["should_be"], rows["was"], strict=True
            )
        ]
        parts.append(f"of {n:,} results {', '.join(shares)}")
    text = "; ".join(parts)
    if frame["bound"].any():
        text += ". Results that equal floor or ceiling, which are whole numbers, count as inside"
    return f"{text[:1].upper()}{text[1:]}."


def calibration_chart(frame: pd.DataFrame) -> Drawn:
    """`quantiles_frame` beside the diagonal on which both are equal."""
    dots = (
        alt.Chart(frame)
        .mark_point(color=PROJECTED, filled=True, size=2 * _DOT_AREA, opacity=1)
        .encode(
            x=alt.X("should_be:Q", title="Share that should be below", axis=alt.Axis(format="%")),
            y=alt.Y("was:Q", title="Share that was", axis=alt.Axis(format="%")),
            tooltip=[
                alt.Tooltip("result:N", title="Result"),
                alt.Tooltip("should_be:Q", title="Should be", format=".0%"),
                alt.Tooltip("was:Q", title="Was", format=".1%"),
                alt.Tooltip("n:Q", title="n", format=","),
            ],
        )
    )
    return alt.layer(_diagonal(0.0, 1.0, "should_be", "was"), dots).properties(height=_HEIGHT)


def means_chart(frame: pd.DataFrame, unit: str) -> Drawn:
    """Rows of `group_frame` by value: the average projection beside the average result."""
    most = float(frame[["projected", "actual"]].to_numpy().max())
    dots = (
        alt.Chart(frame)
        .mark_point(color=PROJECTED, filled=True, opacity=1)
        .encode(
            x=alt.X("projected:Q", title=f"Average projection, {unit}"),
            y=alt.Y("actual:Q", title=f"Average result, {unit}"),
            size=alt.Size("n:Q", legend=None, scale=alt.Scale(range=[40, 300])),
            tooltip=[
                alt.Tooltip("value:N", title="Projected"),
                alt.Tooltip("projected:Q", title="On average", format=".2f"),
                alt.Tooltip("actual:Q", title="Result on average", format=".2f"),
                alt.Tooltip("n:Q", title="n", format=","),
            ],
        )
    )
    return alt.layer(_diagonal(0.0, most, "projected", "actual"), dots).properties(height=_HEIGHT)


def means_words(score: GroupScore, unit: str) -> str:
    """What `means_chart` shows, over all rows."""
    return (
        f"On average {score.mean:.2f} {unit} were projected and {score.actual:.2f} came "
        f"({score.bias:+.2f})."
    )


def reliability_frame(bins: Mapping[str, Sequence[ReliabilityBin]]) -> pd.DataFrame:
    """One row a bin of the model and of Elo; shares from 0 to 1."""
    rows = [
        {
            "who": _WHO[name],
            "from": one.low,
            "to": one.high,
            "n": one.n,
            "given": one.given,
            "happened": one.happened,
            "low": one.band.low,
            "high": one.band.high,
        }
        for name, all_bins in bins.items()
        for one in all_bins
    ]
    return pd.DataFrame(rows)


def reliability_chart(frame: pd.DataFrame) -> Drawn:
    """`reliability_frame` beside the diagonal; the rules are the bands of the model's shares."""
    who = [name for name in _WHO.values() if (frame["who"] == name).any()]
    share = alt.Axis(format="%")
    given = alt.X("given:Q", title="Chance given to the home team", axis=share)
    rules = (
        alt.Chart(frame[frame["who"] == _MODEL])
        .mark_rule(color=PROJECTED, opacity=0.6, strokeWidth=2)
        .encode(x=given, y=alt.Y("low:Q", title="Home teams that won"), y2="high:Q")
    )
    dots = (
        alt.Chart(frame)
        .mark_point(filled=True, opacity=1, size=_DOT_AREA)
        .encode(
            x=given,
            y=alt.Y("happened:Q", title="Home teams that won", axis=share),
            color=_who_colour(who),
            shape=alt.Shape(
                "who:N", scale=alt.Scale(domain=who, range=["circle", "diamond"][: len(who)])
            ),
            tooltip=[
                alt.Tooltip("who:N", title="Who"),
                alt.Tooltip("given:Q", title="Chance given", format=".1%"),
                alt.Tooltip("happened:Q", title="Home teams that won", format=".1%"),
                alt.Tooltip("n:Q", title="Games", format=","),
            ],
        )
    )
    return alt.layer(_diagonal(0.0, 1.0, "given", "happened"), rules, dots).properties(
        height=_HEIGHT
    )


def reliability_words(wins: WinScore) -> str:
    """What `reliability_chart` shows of the model."""
    bins = wins.reliability["model"]
    holds = sum(one.band.low <= one.given <= one.band.high for one in bins)
    return (
        f"The model's chances lie within what chance alone would do in {holds} of {len(bins)} "
        f"groups, over {wins.n:,} games."
    )


def _both(frame: pd.DataFrame, by: str) -> pd.DataFrame:
    """Two rows a group, the model's and EWMA 8's, over the rows for which both exist."""
    known = frame.dropna(subset=["ewma_8_error"])
    parts = [
        pd.DataFrame({by: known[by], "who": who, "error": known[column], "n": known["ewma_8_n"]})
        for who, column in ((_MODEL, "error_on_these_rows"), (_EWMA, "ewma_8_error"))
    ]
    return pd.concat(parts, ignore_index=True)


def _who_colour(who: Sequence[str]) -> alt.Color:
    colours = [PROJECTED if name == _MODEL else BASELINE for name in who]
    return alt.Color("who:N", scale=alt.Scale(domain=list(who), range=colours))


def _who_dash(who: Sequence[str]) -> alt.StrokeDash:
    dashes = [[1, 0] if name == _MODEL else list(BASELINE_DASH) for name in who]
    return alt.StrokeDash("who:N", scale=alt.Scale(domain=list(who), range=dashes))


def _diagonal(low: float, high: float, x: str, y: str) -> alt.Chart:
    """Where what was said and what happened are equal."""
    ends = pd.DataFrame({x: [low, high], y: [low, high]})
    line = alt.Chart(ends).mark_line(color=BASELINE, strokeDash=list(BASELINE_DASH))
    found: alt.Chart = line.encode(x=f"{x}:Q", y=f"{y}:Q")
    return found
