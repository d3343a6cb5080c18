"""Whether what the predictions promise holds: floor, median and ceiling, and high projections."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from nba.stats import COUNTS, Stat
from tracking.scoring_figures import GroupScore
from ui.charts import show_chart
from ui.record_charts import (
    calibration_chart,
    means_chart,
    means_words,
    quantiles_frame,
    quantiles_words,
)
from ui.tables import UNITS

__all__ = ["show_calibration"]


def show_calibration(values: pd.DataFrame, stat: Stat, score: GroupScore) -> None:
    """Whether floor, median, ceiling and mean hold; `values` is `group_frame` by value."""
    unit = UNITS[stat]
    st.subheader(f"Calibration of {unit}")
    first, second = st.columns(2)
    quantiles = quantiles_frame(score, stat)
    with first:
        if not quantiles.empty:
            _show_quantiles(quantiles, stat)
    with second:
        st.markdown("**Are high projections too high?**")
        words = means_words(score, unit)
        show_chart(means_chart(values, unit), words, data=values, file_name="means.csv")
        st.caption(words)


def _show_quantiles(quantiles: pd.DataFrame, stat: Stat) -> None:
    words = quantiles_words(quantiles)
    if stat in COUNTS:
        # Their shares have bounds and no aims: a diagonal would call a good one bad.
        st.markdown("**Do floor and ceiling hold?**")
    else:
        st.markdown("**Do floor, median and ceiling hold?**")
        show_chart(calibration_chart(quantiles), words, data=quantiles, file_name="calibration.csv")
    st.caption(words)
