"""The track record of win probabilities on screen."""

from __future__ import annotations

import streamlit as st

from tracking.scoring_wins import WinScore
from ui.charts import show_chart
from ui.record_charts import reliability_chart, reliability_frame, reliability_words
from ui.record_downloads import download_button
from ui.record_tables import wins_table

__all__ = ["show_winners"]


def show_winners(wins: WinScore) -> None:
    """Scores beside Elo and simpler ones, and whether the chances hold."""
    st.header("Winners")
    if wins.n == 0:
        st.caption("No game of these has a result yet.")
        return
    table = wins_table(wins)
    st.dataframe(
        table,
        alt="Log loss of the model beside Elo, a coin and the home rate",
        hide_index=True,
        width="stretch",
        placeholder="–",
    )
    st.caption(
        f"Log loss (in nats) and Brier score of the home team's chance over {wins.n:,} games, "
        "lower is better. Favourites right: share of games that the likelier side won."
    )
    download_button("Download the winners' figures as CSV", table, "winners.csv")
    bins = reliability_frame(wins.reliability)
    st.markdown("**Do seventy per cent win seven times in ten?**")
    words = reliability_words(wins)
    show_chart(reliability_chart(bins), words, data=bins, file_name="reliability.csv")
    st.caption(words)
