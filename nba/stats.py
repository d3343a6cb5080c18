"""The numbers that are projected for a player, and what they are called where."""

from __future__ import annotations

from typing import Final, Literal

__all__ = ["BUNDLE_COLUMNS", "COUNTS", "MARKETS", "STATS", "SUMMED", "Market", "Stat"]

Stat = Literal["points", "rebounds", "assists", "threes", "minutes"]

STATS: Final[tuple[Stat, ...]] = ("points", "rebounds", "assists", "threes", "minutes")
"""Every stat, in the order of screens, files and arrays."""

Market = Literal["points", "rebounds", "assists", "threes", "minutes", "pra"]

MARKETS: Final[tuple[Market, ...]] = (*STATS, "pra")
"""What is forecast of a player: the stats, and points + rebounds + assists."""

SUMMED: Final[tuple[Stat, ...]] = ("points", "rebounds", "assists")
"""The stats whose sum is pra."""

COUNTS: Final[tuple[Stat, ...]] = ("rebounds", "assists", "threes")
"""Stats that are small whole numbers."""

BUNDLE_COLUMNS: Final[dict[Stat, str]] = {
    "points": "pts",
    "rebounds": "reb",
    "assists": "ast",
    "threes": "fg3m",
    "minutes": "minutes",
}
"""The column of `player_games.parquet` that holds a stat; the reference uses the stat's name."""
