"""The fields of a player's page that stand in its address, and what they forget when."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Final

import streamlit as st

from nba.stats import MARKETS, Market
from ui.addresses import asked_choices, read_or_warn
from ui.frame import Frame
from ui.player_next import LINE
from ui.tables import MARKET_LABELS

__all__ = [
    "bound_choice",
    "content_of",
    "forget_line",
    "market_field",
    "season_field",
]

_STAT: Final = "stat"
_SEASON: Final = "season"


def content_of(frame: Frame) -> Hashable:
    """Changes whenever what is known may have changed."""
    season = frame.application.season
    return id(frame.application), None if season is None else season.content()


def forget_line() -> None:
    """Another number or player has another line that is of interest."""
    if LINE in st.session_state:
        st.session_state[LINE] = None


def market_field() -> Market:
    """The number that the page is about; it stands in the address as `?stat=REB`."""
    options = {MARKET_LABELS[market]: market for market in MARKETS}
    label = bound_choice("Stat", _STAT, list(options), on_change=forget_line)
    return options[label]


def bound_choice(
    label: str, key: str, options: Sequence[str], *, on_change: Callable[[], None] | None = None
) -> str:
    """One of a few words, the first unless the address or the visitor says otherwise."""
    if key not in st.session_state:
        read_or_warn(lambda: asked_choices(options, key=key))
    chosen: str | None = st.segmented_control(
        label,
        options,
        default=options[0],
        required=True,
        key=key,
        on_change=on_change,
        bind="query-params",
    )
    return chosen or options[0]


def season_field(seasons: Sequence[str], usual: str) -> str:
    """The season to show, `usual` unless asked otherwise; in the address as `?season=2024-25`."""
    # Another player has other seasons, which is nobody's mistake.
    if _SEASON not in st.session_state:
        read_or_warn(lambda: asked_choices(seasons, key=_SEASON))
    return st.selectbox(
        "Season", seasons, index=seasons.index(usual), key=_SEASON, bind="query-params"
    )
