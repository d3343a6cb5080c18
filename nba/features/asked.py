"""Which player-games features are asked for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nba.history import Floats, History, Integers

__all__ = ["Asked", "asked_of"]


@dataclass(frozen=True, slots=True)
class Asked:
    """Player-games, one element each: who, for whom and against whom, on which day.

    `day` counts as in `History.day`; nothing of that day or later is looked at. `home` is 1 for the
    home team, 0 for the other, 0.5 for both on neutral ground.
    """

    player_id: Integers
    team_id: Integers
    opponent_id: Integers
    day: Integers
    season: Integers
    home: Floats
    is_regular: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.player_id)


def asked_of(rows: History) -> Asked:
    """The player-games of a history, without a look at what happened in them."""
    return Asked(
        player_id=rows.player_id,
        team_id=rows.team_id,
        opponent_id=rows.opponent_id,
        day=rows.day,
        season=rows.season,
        home=rows.is_home.astype(np.float32),
        is_regular=rows.is_regular,
    )
