"""The tables of a slate: what was projected and, after the games, what happened."""

from __future__ import annotations

from collections.abc import Mapping
from zoneinfo import ZoneInfo

import pandas as pd
import streamlit as st
from streamlit.elements.lib.column_types import ColumnConfig

from nba.slate import PlayerProjection, SlateProjection
from nba.stats import STATS, Stat
from ui.formats import clock_time, percent

__all__ = [
    "STAT_LABELS",
    "games_table",
    "player_columns",
    "players_table",
    "projection_csv",
]

STAT_LABELS: Mapping[Stat, str] = {
    "points": "PTS",
    "rebounds": "REB",
    "assists": "AST",
    "threes": "3PM",
    "minutes": "MIN",
}

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
        if scores:
            home_points, away_points = scores.get(game.game_id, (None, None))
            row["Final"] = None if home_points is None else f"{away_points} – {home_points}"
        if any(other.game.label for other in projection.games):
            row["Event"] = game.label
        rows.append(row)
    return pd.DataFrame(rows)


def players_table(
    players: list[PlayerProjection], actuals: Mapping[tuple[str, int], Mapping[Stat, int]]
) -> pd.DataFrame:
    """One row a player, most points first; each stat's actual beside its mean where known."""
    rows = []
    for player in sorted(players, key=lambda player: -player.bands["points"].mean):
        row: dict[str, object] = {
            "Player": player.player_name,
            "Team": player.team,
            "Against": ("vs " if player.is_home else "@ ") + player.opponent,
            "Position": player.position or "–",
        }
        actual = actuals.get((player.game_id, player.player_id))
        for stat in ("minutes", "points", "rebounds", "assists", "threes"):
            band, label = player.bands[stat], STAT_LABELS[stat]
            row[label] = band.mean
            if actuals:
                row[f"{label} actual"] = None if actual is None else actual.get(stat)
            row[f"{label} range"] = f"{band.floor:.0f}–{band.ceiling:.0f}"
        row["Note"] = PRIOR_NOTE if player.from_prior else ""
        rows.append(row)
    return pd.DataFrame(rows)


def player_columns() -> dict[str, ColumnConfig]:
    """How the columns of `players_table` are drawn."""
    columns: dict[str, ColumnConfig] = {"Player": st.column_config.TextColumn(pinned=True)}
    for label in STAT_LABELS.values():
        columns[label] = st.column_config.NumberColumn(format="%.1f", help="projected mean")
        columns[f"{label} range"] = st.column_config.TextColumn(
            help="10th to 90th percentile: four games of five should fall within"
        )
    return columns


def projection_csv(projection: SlateProjection) -> bytes:
    """The slate as CSV (UTF-8): one row a player, mean, floor and ceiling of each stat."""
    probabilities = {
        forecast.game.game_id: forecast.home_win_probability for forecast in projection.games
    }
    rows = []
    for player in projection.players:
        row: dict[str, object] = {
            "slate_date": projection.slate_date.isoformat(),
            "game_id": player.game_id,
            "player_id": player.player_id,
            "player_name": player.player_name,
            "team": player.team,
            "opponent": player.opponent,
            "is_home": player.is_home,
            "home_win_probability": round(probabilities[player.game_id], 4),
            "model_version": projection.model_version,
            "from_prior": player.from_prior,
        }
        for stat in STATS:
            band = player.bands[stat]
            row[f"{stat}_mean"] = round(band.mean, 2)
            row[f"{stat}_floor"] = round(band.floor, 2)
            row[f"{stat}_ceiling"] = round(band.ceiling, 2)
        rows.append(row)
    return pd.DataFrame(rows).to_csv(index=False).encode()
