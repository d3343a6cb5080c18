"""A slate's projection as rows, and these as CSV."""

from __future__ import annotations

import pandas as pd

from nba.frame_files import without_formulas
from nba.slate import SlateProjection
from nba.stats import MARKETS

__all__ = ["slate_csv", "slate_frame"]


def slate_csv(projection: SlateProjection) -> bytes:
    """The rows of `slate_frame` as CSV (UTF-8) with a header."""
    return without_formulas(slate_frame(projection)).to_csv(index=False).encode()


def slate_frame(projection: SlateProjection) -> pd.DataFrame:
    """One row a player: game, chances, and each market's mean, median, floor and ceiling.

    `slate_date` is a date (US Eastern). Stats are in their own units, chances from 0 to 1.
    """
    games = {forecast.game.game_id: forecast for forecast in projection.games}
    rows = []
    for player in projection.players:
        game = games[player.game_id]
        row: dict[str, object] = {
            "slate_date": projection.slate_date,
            "game_id": player.game_id,
            "player_id": player.player_id,
            "player_name": player.player_name,
            "team": player.team,
            "opponent": player.opponent,
            "is_home": player.is_home,
            "home_win_probability": round(game.home_win_probability, 4),
            "elo_home_win_probability": round(game.elo_home_win_probability, 4),
            "home_points": round(game.home_points, 1),
            "away_points": round(game.away_points, 1),
            "model_version": projection.model_version,
            "from_prior": player.from_prior,
        }
        for market in MARKETS:
            band = player.bands[market]
            row[f"{market}_mean"] = round(band.mean, 2)
            row[f"{market}_median"] = round(band.median, 2)
            row[f"{market}_floor"] = round(band.floor, 2)
            row[f"{market}_ceiling"] = round(band.ceiling, 2)
        rows.append(row)
    return pd.DataFrame(rows)
