"""What `benchmarks/state.py` writes: runs of tonight's real slate, each with other numbers.

The slate is a full one of the 2026-27 schedule with 15 games, projected from the bundled seasons.
Each run scales every number of it by a seeded factor, so that no two runs hold the same ones and
all have the full precision that the app's own projections have.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Final

from nba.reference import Reference
from nba.slate import Band, PlayerProjection, SlateProjection, project_slate
from nba.stats import STATS

__all__ = ["SLATE_DATE", "WRITE_ROWS", "Slates", "evening_clock"]

SLATE_DATE: Final = date(2026, 11, 2)
WRITE_ROWS: Final = 13
"""A small write: one run, two games, and all five stats of one player in each."""

_NOON: Final = datetime(2026, 11, 2, 17, tzinfo=UTC)


class Slates:
    """Seeded runs of one slate."""

    def __init__(self, reference_path: Path, randomness: Random) -> None:
        self._slate = project_slate(Reference(reference_path), SLATE_DATE)
        self._random = randomness

    @property
    def predictions(self) -> int:
        """Rows of `predictions` in a full slate."""
        return len(STATS) * len(self._slate.players)

    def full(self) -> SlateProjection:
        """All games and players."""
        return self._scaled(self._slate)

    def small(self) -> SlateProjection:
        """What makes WRITE_ROWS rows."""
        games = self._random.sample(self._slate.games, 2)
        by_game = [
            [one for one in self._slate.players if one.game_id == game.game.game_id]
            for game in games
        ]
        players = tuple(self._random.choice(candidates) for candidates in by_game)
        return self._scaled(replace(self._slate, games=tuple(games), players=players))

    def _scaled(self, slate: SlateProjection) -> SlateProjection:
        return replace(
            slate,
            games=tuple(
                replace(game, home_win_probability=game.home_win_probability * self._factor())
                for game in slate.games
            ),
            players=tuple(self._scaled_player(player) for player in slate.players),
        )

    def _scaled_player(self, player: PlayerProjection) -> PlayerProjection:
        bands = {}
        for stat, band in player.bands.items():
            floor, mean, ceiling = sorted(
                value * self._factor() for value in (band.floor, band.mean, band.ceiling)
            )
            bands[stat] = Band(mean, floor, ceiling, mean, band.distribution)
        return replace(player, bands=bands)

    def _factor(self) -> float:
        return self._random.uniform(0.9, 1.0)


def evening_clock() -> datetime:
    """This machine's time of day, on the day of the slate before its first tip-off."""
    now = datetime.now(UTC)
    return _NOON + timedelta(minutes=now.minute, seconds=now.second, microseconds=now.microsecond)
