"""One look for all charts: colours that both themes and all eyes can bear, and words for each.

Colour never says anything alone: what is projected is a bar or a line, what happened a dot, and a
baseline is dashed.
"""

from __future__ import annotations

from typing import Any, Final

import altair as alt
import pandas as pd
import streamlit as st

__all__ = [
    "ACTUAL",
    "BAND_OPACITY",
    "BASELINE",
    "BASELINE_DASH",
    "EXTRA",
    "GAIN",
    "PALETTE",
    "PROJECTED",
    "Drawable",
    "show_chart",
    "vega_lite",
]

PROJECTED: Final = "#2f7fd0"
"""Blue: what the model says."""

ACTUAL: Final = "#d55e00"
"""Vermilion: what happened."""

BASELINE: Final = "#7a7f87"
"""Grey: what anybody could have said, such as an average; and aids such as a diagonal."""

GAIN: Final = "#009e73"
"""Green: better than a baseline, or a part of something."""

EXTRA: Final = "#9838f8"
"""Purple: one more series."""

PALETTE: Final = (PROJECTED, ACTUAL, GAIN, EXTRA, BASELINE)
"""In the order in which series take them; `.streamlit/config.toml` has the same.

Each has a contrast of at least 3 on both themes' backgrounds, so a chart need not know which theme
it is seen in, and any two differ for those who lack red, green or blue.
"""

BAND_OPACITY: Final = 0.3
"""Of an area from floor to ceiling in the colour of its mean."""

BASELINE_DASH: Final = (4, 3)
"""The dash of a baseline's line, in pixels drawn and left out."""

_FONT_PIXELS: Final = 12

Drawable = alt.Chart | alt.LayerChart | alt.FacetChart | alt.HConcatChart | alt.VConcatChart
"""A chart of any make that Altair has."""


def show_chart(
    chart: Drawable,
    alt_text: str,
    *,
    data: pd.DataFrame | None = None,
    file_name: str = "chart.csv",
    key: str | None = None,
) -> None:
    """Draw a chart as wide as its place.

    `alt_text` says in a sentence what it shows and what is to be seen in it; screen readers read it
    in place of the drawing. `data` are the drawn numbers: they can be downloaded below the chart as
    `file_name`. Leave `data` out where a table or a download beside the chart has them already.
    """
    st.altair_chart(_dressed(chart), width="stretch", alt=alt_text, key=key)
    if data is not None:
        st.download_button(
            "Download this chart's numbers as CSV",
            lambda: data.to_csv(index=False).encode(),
            file_name=file_name,
            mime="text/csv",
            icon=":material/download:",
            on_click="ignore",
            type="tertiary",
            key=f"download_{key or file_name}",
        )


def vega_lite(chart: Drawable) -> dict[str, Any]:
    """What `show_chart` draws as a Vega-Lite specification, with its numbers in it."""
    specification: dict[str, Any] = _dressed(chart).to_dict()
    return specification


def _dressed(chart: Any) -> Any:
    """The chart with what all have alike; text and grid take the page's theme."""
    return (
        chart.configure_range(category=list(PALETTE))
        .configure_view(stroke=None)
        # The alt text stands for the whole drawing; Vega gives even an empty group of marks a role.
        .configure_mark(aria=False)
        .configure_axis(labelFontSize=_FONT_PIXELS, titleFontSize=_FONT_PIXELS, labelLimit=160)
        # Above the drawing a legend takes no width, of which a phone has little.
        .configure_legend(orient="top", title=None, labelFontSize=_FONT_PIXELS)
    )
