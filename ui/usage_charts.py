"""The picture of use: requests by day and kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import altair as alt
import pandas as pd

from ui.charts import PALETTE
from ui.formats import short_date
from usage.cost import Operation
from usage.days import UsageDay

__all__ = ["days_chart", "days_frame", "days_words"]

_HEIGHT: Final = 260


def days_frame(days: Sequence[UsageDay]) -> pd.DataFrame:
    """One row for each day (UTC, as text 2026-11-20) and operation, with its number of requests."""
    rows = [
        (one.day.isoformat(), operation.value, one.counts.requests(operation))
        for one in days
        for operation in Operation
    ]
    return pd.DataFrame(rows, columns=["day", "operation", "requests"])


def days_chart(frame: pd.DataFrame) -> alt.Chart:
    """`days_frame` as a bar for each day, its kinds of requests on top of each other."""
    names = [operation.value for operation in Operation]
    chart: alt.Chart = (
        alt.Chart(frame)
        .mark_bar(width={"band": 0.8})
        .encode(
            # A day without a count is not one of zero: those that were counted stand together.
            x=alt.X(
                "day:O",
                axis=alt.Axis(
                    title=None,
                    labelAngle=0,
                    labelOverlap="greedy",
                    labelExpr="timeFormat(toDate(datum.value + 'T12:00'), '%b %-d')",
                ),
            ),
            y=alt.Y("requests:Q", title="Requests a day", axis=alt.Axis(format=",d", tickCount=5)),
            color=alt.Color(
                "operation:N", scale=alt.Scale(domain=names, range=list(PALETTE[: len(names)]))
            ),
            order=alt.Order("operation:N"),
            tooltip=[
                alt.Tooltip("day:N", title="Day (UTC)"),
                alt.Tooltip("operation:N", title="Kind"),
                alt.Tooltip("requests:Q", title="Requests", format=","),
            ],
        )
        .properties(height=_HEIGHT)
    )
    return chart


def days_words(days: Sequence[UsageDay]) -> str:
    """What `days_chart` shows, in a sentence or two; there must be a day."""
    totals = [one.counts.total.requests for one in days]
    most = max(range(len(days)), key=totals.__getitem__)
    span = short_date(days[0].day)
    if len(days) > 1:
        span += f" to {short_date(days[-1].day)}"
    kinds = ", ".join(
        f"{sum(one.counts.requests(operation) for one in days):,} {operation.value}"
        for operation in Operation
    )
    return (
        f"Requests by day and kind, {span}: {min(totals):,} to {max(totals):,} a day, most on "
        f"{short_date(days[most].day)}. Together {kinds}."
    )
