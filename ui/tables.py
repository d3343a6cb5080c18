"""The tables of a slate: what was projected and, after the games, what happened."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final
from zoneinfo import ZoneInfo

import pandas as pd
import streamlit as st
from streamlit.elements.lib.column_types import ColumnConfig

from nba.availability import Availability
from nba.slate import GameProjection, PlayerProjection, SlateProjection
from nba.stats import MARKETS, SUMMED, Market, Stat
from ui.charts import PROJECTED
from ui.formats import clock_time, percent

__all__ = [
    "FORM",
    "MARKET_LABELS",
    "STAT_LABELS",
    "UNITS",
    "actual_of",
    "expected_score",
    "games_columns",
    "games_table",
    "market_of_column",
    "player_columns",
    "players_table",
    "sorted_players",
    "spread",
]

STAT_LABELS: Mapping[Stat, str] = {
    "points": "PTS",
    "rebounds": "REB",
    "assists": "AST",
    "threes": "3PM",
    "minutes": "MIN",
}

MARKET_LABELS: Mapping[Market, str] = {
    market: "PRA" if market == "pra" else STAT_LABELS[market] for market in MARKETS
}
"""The stats, and points + rebounds + assists."""

UNITS: Final[Mapping[Market, str]] = {
    "points": "points",
    "rebounds": "rebounds",
    "assists": "assists",
    "threes": "threes made",
    "minutes": "minutes",
    "pra": "points + rebounds + assists",
}

# Points and minutes come first: there is no room beside the name for more than some columns.
_SHOWN: tuple[Market, ...] = ("points", "minutes", "rebounds", "assists", "threes", "pra")

FORM: Final = "Last games"
"""The column with the numbers of a player's last games."""

PRIOR_NOTE = "fewer than ten NBA games: blended with his position's average"


def games_table(
    projection: SlateProjection, zone: ZoneInfo, scores: Mapping[str, tuple[int, int]]
) -> pd.DataFrame:
    """One row a game. `scores` has (home, away) points by game id where they are known."""
    rows = []
    for forecast in projection.games:
        game = forecast.game
        row: dict[str, object] = {}
        if any(other.game.tipoff_utc for other in projection.games):
            row["Tip-off"] = game.tipoff_utc and clock_time(game.tipoff_utc, zone, game.slate_date)
        row["Away"] = game.away_team
        row["Home"] = game.home_team + (" (neutral court)" if game.is_neutral else "")
        row["Away wins"] = percent(1 - forecast.home_win_probability)
        row["Home wins"] = percent(forecast.home_win_probability)
        row["Expected score"] = expected_score(forecast)
        row["Spread"] = spread(forecast)
        row["Elo"] = percent(forecast.elo_home_win_probability)
        if scores:
            home_points, away_points = scores.get(game.game_id, (None, None))
            row["Final"] = None if home_points is None else f"{away_points} – {home_points}"
        if any(other.game.label for other in projection.games):
            row["Event"] = game.label
        rows.append(row)
    return pd.DataFrame(rows)


def expected_score(forecast: GameProjection) -> str:
    """108 – 112: the away team's points come first, as in the table of games."""
    return f"{forecast.away_points:.0f} – {forecast.home_points:.0f}"


def spread(forecast: GameProjection) -> str:
    """ATL by 4.5: who is expected to have more points, and how many; Even."""
    margin = forecast.home_points - forecast.away_points
    text = f"{abs(margin):.1f}"
    if text == "0.0":
        return "Even"
    return f"{forecast.game.home_team if margin > 0 else forecast.game.away_team} by {text}"


def games_columns() -> dict[str, ColumnConfig]:
    """How the columns of `games_table` are drawn."""
    return {
        "Expected score": st.column_config.TextColumn(help="points of the away and the home team"),
        "Spread": st.column_config.TextColumn(help="the expected margin, in points"),
        "Elo": st.column_config.TextColumn(
            "Home by Elo",
            help="the home team's chance by plain Elo ratings, which know results only",
        ),
    }


def players_table(
    players: list[PlayerProjection],
    actuals: Mapping[tuple[str, int], Mapping[Stat, int]],
    *,
    market: Market = "points",
    form: Mapping[tuple[int, Market], list[float]] | None = None,
) -> pd.DataFrame:
    """One row a player, most of `market` first; each stat's actual beside its mean where known.

    `market` stands next to the name, and with `form` (numbers of the last games by player id and
    market) its last games after it. Who is questionable is marked, in a column that is there only
    if somebody is.
    """
    questionable = {
        player.player_id for player in players if player.availability == Availability.QUESTIONABLE
    }
    rows = []
    for player in sorted_players(players, market):
        row: dict[str, object] = {"Player": player.player_name}
        if questionable:
            listed = player.player_id in questionable
            row["Listed"] = Availability.QUESTIONABLE.value if listed else ""
        row["Team"] = player.team
        actual = actuals.get((player.game_id, player.player_id))
        for shown in (market, *(other for other in _SHOWN if other != market)):
            band, label = player.bands[shown], MARKET_LABELS[shown]
            row[label] = band.mean
            if actuals:
                row[f"{label} actual"] = None if actual is None else actual_of(actual, shown)
            row[f"{label} range"] = f"{band.floor:.0f}–{band.ceiling:.0f}"
            if shown == market and form is not None:
                row[FORM] = form.get((player.player_id, market), [])
        row["Against"] = ("vs " if player.is_home else "@ ") + player.opponent
        row["Position"] = player.position or "–"
        row["Note"] = PRIOR_NOTE if player.from_prior else ""
        rows.append(row)
    return pd.DataFrame(rows)


def sorted_players(
    players: Iterable[PlayerProjection], market: Market = "points"
) -> list[PlayerProjection]:
    """In the order of `players_table`."""
    return sorted(players, key=lambda player: -player.bands[market].mean)


def market_of_column(name: str) -> Market | None:
    """The market of a column of `players_table`: REB, REB actual and REB range are rebounds."""
    label = name.removesuffix(" actual").removesuffix(" range")
    return next((market for market, text in MARKET_LABELS.items() if text == label), None)


def actual_of(actual: Mapping[Stat, int], market: Market) -> int | None:
    """What a player did in a market, None where it is not known."""
    if market != "pra":
        return actual.get(market)
    parts = [actual.get(stat) for stat in SUMMED]
    return None if None in parts else sum(part for part in parts if part is not None)


def player_columns(market: Market = "points") -> dict[str, ColumnConfig]:
    """How the columns of `players_table` are drawn."""
    columns: dict[str, ColumnConfig] = {"Player": st.column_config.TextColumn(pinned=True)}
    for label in MARKET_LABELS.values():
        columns[label] = st.column_config.NumberColumn(format="%.1f", help="projected mean")
        columns[f"{label} range"] = st.column_config.TextColumn(
            help="10th to 90th percentile: four games of five should fall within"
        )
    columns[FORM] = st.column_config.LineChartColumn(
        f"{MARKET_LABELS[market]} lately",
        help=f"{UNITS[market]} in the last ten games, the newest on the right",
        y_min=0,
        color=PROJECTED,
    )
    return columns
