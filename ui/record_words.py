"""How the predictions are scored, in plain words."""

from __future__ import annotations

from typing import Final

import streamlit as st

from nba.stats import COUNTS, Stat

__all__ = ["HOW_WE_SCORE", "WHEN_IT_COUNTS", "aim_sentence", "show_how_we_score"]

WHEN_IT_COUNTS: Final = (
    "a live prediction counts once it was saved before tip-off and the result is known"
)
"""What a record without a figure waits for."""

HOW_WE_SCORE: Final = """
**What counts.** A live prediction counts if it was in the store before its game's tip-off, by the
store's clock and not by ours. Of several the last such one counts. Predictions are only ever
added: none is changed or taken back, and a corrected box score corrects every figure here.

**What does not.** Predictions that came too late, players who did not play, games without a
result, and replays. Replays are past dates played as if they were that evening; they have figures
of their own and are never mixed with live ones.

**The error.** How far the median was from what happened, on average, in the stat's own unit. Bias
is the projected mean less what happened: above zero we promised too much.

**The baselines.** What anybody could have said: the player's average of the season so far, of his
last five games, and an average in which a game counts half as much as one eight games later (EWMA
8). They know no more than the games before that date, and are judged on the very same rows. For
winners: a coin, the share of home teams that won the last 1,230 games, and plain Elo ratings.

**The range.** Floor and ceiling are meant to hold four results of five. Above 80% in range we are
too careful, below it too bold. Rebounds, assists and threes are small whole numbers, and so are
their floors and ceilings. Results equal to one count as inside, so even a range that is just right
holds more there: 80% is the least.

**Winners.** Log loss punishes a wrong certainty most; a coin has 0.693. Brier is the squared
distance between the chance and what happened; a coin has 0.25.

**The intervals** (95%) show how far a figure may be off by luck alone. Whole evenings are drawn,
because games of one evening are no independent tries; where chance alone could explain a
difference, we call two figures level. Below ten evenings there is no interval, and nothing to tell
better from worse by.

**Best calls** are those in which we were nearer than the season average by most, **worst misses**
those in which we were farthest off. Both lists are made by the same program and nobody chooses.
"""
"""The rules in Markdown, a paragraph each; nothing of it but ** is marked."""


def aim_sentence(stat: Stat) -> str:
    """What share of results should lie from floor to ceiling: 80%, or at least 80% of COUNTS.

    Floor and ceiling of a count are whole numbers that results often equal, and these are inside.
    """
    if stat in COUNTS:
        return "At least 80% is the aim, because whole numbers at the ends count as inside."
    return "80% is the aim."


def show_how_we_score() -> None:
    """The rules, folded away."""
    with st.expander("How we score ourselves", icon=":material/rule:"):
        st.markdown(HOW_WE_SCORE)
