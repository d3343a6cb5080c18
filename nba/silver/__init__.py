"""Silver: what the responses say, as rows. `silver_of` builds it from bronze documents."""

from __future__ import annotations

from nba.silver.build import combined, silver_of
from nba.silver.rows import (
    Game,
    GameStatus,
    PlayerGame,
    Problem,
    RosterEntry,
    ScheduleEntry,
    Silver,
)

__all__ = [
    "Game",
    "GameStatus",
    "PlayerGame",
    "Problem",
    "RosterEntry",
    "ScheduleEntry",
    "Silver",
    "combined",
    "silver_of",
]
