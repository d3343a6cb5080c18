"""The players of a slate: their ranges as bars, all numbers as a table, and one explained."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Sequence
from typing import Final

import streamlit as st

from jobs.outcome import Outcome
from nba.slate import PlayerProjection, SlateProjection
from nba.slate_csv import slate_csv
from nba.stats import MARKETS, Market
from ui.addresses import asked_choices, read_or_warn
from ui.charts import show_chart
from ui.form import form_of
from ui.frame import Frame
from ui.range_chart import MOST_BARS, range_chart, range_words, ranges_table
from ui.tables import (
    MARKET_LABELS,
    market_of_column,
    player_columns,
    players_table,
    sorted_players,
)
from ui.why import show_why

__all__ = ["show_players"]

_STAT: Final = "stat"
_EXPLAINED: Final = "explain"

_TABLE_PIXELS: Final = 528
"""Fourteen players: what is said of the selected one stands below without much scrolling."""


def show_players(
    frame: Frame, projection: SlateProjection, game_ids: Collection[str], outcome: Outcome
) -> None:
    """Draw the players of some games of a slate."""
    st.header("Players")
    market = _chosen_market()
    players = sorted_players((one for one in projection.players if one.game_id in game_ids), market)
    if not players:
        st.info("Nobody is expected to play in these games.", icon=":material/group_off:")
        return
    ranges = ranges_table(players[:MOST_BARS], market, outcome.actuals)
    show_chart(range_chart(ranges, market), range_words(ranges, market))
    st.caption(_below_the_chart(len(players), has_actuals=bool(ranges["Actual"].notna().any())))
    selected = _show_table(frame, projection, players, market, outcome)
    st.caption(
        "PTS points, REB rebounds, AST assists, 3PM threes made, MIN minutes, PRA points + "
        "rebounds + assists: the expected value. Range: 10th to 90th percentile, so about four "
        "games of five should fall within. Select a number to see below why it is what it is. Or "
        "choose a player by name."
    )
    st.download_button(
        "Download this slate as CSV",
        slate_csv(projection),
        file_name=f"nba-daily-{projection.slate_date.isoformat()}.csv",
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
    )
    chosen = _chosen_player(players)
    if selected is not None:
        player, column = selected
        show_why(frame, projection.slate_date, player, market_of_column(column) or market)
    elif chosen is not None:
        show_why(frame, projection.slate_date, chosen, market)


def _chosen_market() -> Market:
    by_label = {MARKET_LABELS[market]: market for market in MARKETS}
    if _STAT not in st.session_state:
        read_or_warn(lambda: asked_choices(by_label, key=_STAT))
    label = st.segmented_control(
        "Stat",
        list(by_label),
        default=MARKET_LABELS["points"],
        required=True,
        key=_STAT,
        bind="query-params",
        help="What the bars show, the players are sorted by and the table begins with.",
    )
    return by_label[label]


def _below_the_chart(count: int, *, has_actuals: bool) -> str:
    text = "Bar: from floor to ceiling, the 10th to the 90th percentile. Line on it: the mean."
    if has_actuals:
        text += " Dot: what happened."
    if count > MOST_BARS:
        text += (
            f" The {MOST_BARS} highest of {count} players; the table has all of them, and a game "
            "chosen above its own."
        )
    return text


def _show_table(
    frame: Frame,
    projection: SlateProjection,
    players: Sequence[PlayerProjection],
    market: Market,
    outcome: Outcome,
) -> tuple[PlayerProjection, str] | None:
    """Draw the table; the player and the column that are selected in it."""
    names = ",".join(f"{player.game_id}/{player.player_id}" for player in players)
    table = st.dataframe(
        players_table(
            list(players), outcome.actuals, market=market, form=form_of(frame, projection) or None
        ),
        hide_index=True,
        width="stretch",
        height=min(38 + 35 * len(players), _TABLE_PIXELS),
        column_config=player_columns(market),
        placeholder="–",
        alt="Players: projected numbers and ranges",
        on_select="rerun",
        selection_mode="single-cell",
        # A selection is by a row's number: with other rows it would be another player's.
        key=f"players_{zlib.crc32(f'{market}:{names}'.encode())}",
    )
    for row, column in table.selection.cells:
        return players[row], column
    return None


def _chosen_player(players: Sequence[PlayerProjection]) -> PlayerProjection | None:
    """Chosen by name: a cell of the table cannot be selected by everybody, nor be shared."""
    by_name = {
        f"{player.player_name} ({player.team})": player
        for player in sorted(players, key=lambda player: player.player_name)
    }
    if _EXPLAINED not in st.session_state:
        read_or_warn(lambda: asked_choices(by_name, key=_EXPLAINED, name="player to explain"))
    name = st.selectbox(
        "Player to explain",
        list(by_name),
        index=None,
        placeholder="Choose a player",
        key=_EXPLAINED,
        bind="query-params",
        width=360,
    )
    return None if name is None else by_name[name]
