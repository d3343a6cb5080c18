"""A slate's projection as CSV."""

from __future__ import annotations

import pandas as pd

from nba.slate import SlateProjection
from nba.stats import STATS

__all__ = ["slate_csv"]


def slate_csv(projection: SlateProjection) -> bytes:
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
