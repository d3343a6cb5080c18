"""Results that the state has learned since the bundled seasons."""

from __future__ import annotations

from datetime import date

import apsw

from nba.stats import STATS, Stat

__all__ = ["learned_on"]


def learned_on(
    connection: apsw.Connection, slate_date: date
) -> dict[tuple[str, int], dict[Stat, int]]:
    """Stats by (game id, player id) of one US Eastern date; a stat that is unknown is left out."""
    rows = connection.execute(
        f"SELECT game_id, player_id, {', '.join(STATS)} FROM main.player_games WHERE game_date = ?",
        (slate_date.isoformat(),),
    )
    return {
        (str(game_id), int(player_id)): {
            stat: int(value) for stat, value in zip(STATS, values, strict=True) if value is not None
        }
        for game_id, player_id, *values in rows
    }
