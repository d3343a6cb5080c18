"""Why a player's projection is what it is, and the chance of more than a line."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date
from typing import Final

import pandas as pd
import streamlit as st

from jobs.errors import EXPLAINED
from nba.model import Distribution
from nba.slate import PlayerProjection
from nba.stats import MARKETS, Market
from nba.why import Contribution
from ui.addresses import player_address
from ui.errors import show_error
from ui.formats import percent, plain
from ui.frame import Frame
from ui.tables import UNITS

__all__ = ["chances", "contributions_table", "show_why"]

_HIGHEST_LINE: Final = 150.0


def show_why(
    frame: Frame, slate_date: date, player: PlayerProjection, selected: Market | None = None
) -> None:
    """What makes one player's mean, and the chance of any line; `selected` is shown first."""
    with st.container(border=True):
        heading = st.container()
        market = st.selectbox(
            "Number to explain",
            MARKETS,
            index=0 if selected is None else MARKETS.index(selected),
            format_func=UNITS.__getitem__,
            # Another number that is selected is another field, which begins with it.
            key=f"why_{player.game_id}_{player.player_id}_{selected}",
        )
        unit, band = UNITS[market], player.bands[market]
        heading.subheader(f"Why {band.mean:.1f} {unit} · {plain(player.player_name)}")
        try:
            found = frame.application.why(slate_date, player.game_id, player.player_id)
        except EXPLAINED as error:
            show_error(frame.actor, error)
            return
        if market in found:
            st.table(
                contributions_table(found[market], band.mean, unit),
                alt=f"What makes the {unit} of {player.player_name}",
            )
            st.caption(
                "Each line puts more of what is known about him in place of a newcomer's numbers; "
                "the last number is the projection. The order matters a little: what two things "
                "do together counts with the later one."
            )
        line = st.number_input(
            f"Chance of more than a line, in {unit}",
            min_value=0.0,
            max_value=_HIGHEST_LINE,
            value=math.floor(band.median) + 0.5,
            step=0.5,
            format="%.1f",
            key=f"line_{player.game_id}_{player.player_id}_{market}",
        )
        st.markdown(chances(band.distribution, line, unit))
        path, parameters = player_address(player.player_id)
        st.page_link(
            path,
            label=f"{plain(player.player_name)}: season and games",
            icon=":material/person:",
            query_params=parameters,
        )


def contributions_table(
    contributions: Sequence[Contribution], mean: float, unit: str
) -> pd.DataFrame:
    """One row a contribution, in tenths that add up to the mean as it is shown."""
    tenths = _tenths([one.amount for one in contributions], mean)
    rows: list[tuple[str, str, str]] = []
    total = 0
    for contribution, amount in zip(contributions, tenths, strict=True):
        total += amount
        text = f"{amount / 10:+.1f}" if rows else f"{amount / 10:.1f}"
        # Nobody reads a signed zero.
        text = "0.0" if amount == 0 else text.replace("-", "−")
        rows.append((contribution.label, text, f"{total / 10:.1f}".replace("-", "−")))
    columns = ["What makes it", unit.capitalize(), "Together"]
    return pd.DataFrame(rows, columns=columns).set_index(columns[0])


def _tenths(amounts: Sequence[float], mean: float) -> list[int]:
    """Amounts in tenths, rounded so that they add up to the mean with one decimal."""
    exact = [10.0 * amount for amount in amounts]
    rounded = [math.floor(one) for one in exact]
    missing = round(10.0 * float(f"{mean:.1f}")) - sum(rounded)
    # Who has lost most by rounding down is rounded up.
    order = sorted(range(len(exact)), key=lambda place: rounded[place] - exact[place])
    for place in order[:missing]:
        rounded[place] += 1
    return rounded


def chances(distribution: Distribution, line: float, unit: str) -> str:
    """More than 27.5 points: 46%. A whole number can be hit, which is said beside."""
    over, exactly = distribution.over(line), distribution.exactly(line)
    text = f"More than {line:g} {unit}: **{percent(over)}**"
    if line == math.floor(line):
        fewer = max(1.0 - over - exactly, 0.0)
        text += f" · just {line:g}: {percent(exactly)} · fewer: {percent(fewer)}"
    return text.replace("<", "\\<").replace(">", "\\>")
