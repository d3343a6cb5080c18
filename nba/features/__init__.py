"""What is known before a game of a player, his team-mates and both teams, as numbers.

Every feature of an asked row follows from games of earlier days alone. One slate and ten seasons go
through the same functions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nba.features.asked import Asked, asked_of
from nba.features.form import FORM, NEWCOMER_GAMES, form_of, newcomers_of
from nba.features.lineups import LINEUPS, lineups_of
from nba.features.roles import roles_after, roles_of
from nba.features.squads import MISSED_GAMES, fit_chances
from nba.features.teams import TEAMS, team_games_of, team_results, teams_of
from nba.history import BOX_SCORE, Floats, History, history_of

__all__ = [
    "FEATURES",
    "FORM",
    "LINEUPS",
    "MISSED_GAMES",
    "NEWCOMER_GAMES",
    "TEAMS",
    "Asked",
    "asked_of",
    "features_of",
    "fit_chances",
    "newcomers_of",
]

FEATURES: Final = (*FORM, *TEAMS, *LINEUPS)
"""The columns of `features_of`."""

# Where nothing has happened yet, places of earlier games still have to point somewhere.
_NOBODYS_GAME: Final = history_of(
    [(-1, "1970-01-01", "0", "1969-70", "", -1, -1, 0, *[0.0] * len(BOX_SCORE))]
)


def features_of(
    history: History,
    asked: Asked,
    *,
    newcomers: Floats,
    chances: NDArray[np.float64] | None,
    known: Mapping[tuple[int, int], float] | None = None,
) -> Floats:
    """The columns FEATURES for each asked row, float32, NaN where nothing is known.

    `newcomers` is as `newcomers_of` gives it, `chances` as `fit_chances` does, None if everybody is
    to play. `known` says by day and player id who is more or less likely to play than his absences
    alone say; see `lineups_of`.
    """
    if not len(history):
        history = _NOBODYS_GAME
    roles = roles_after(history)
    own = roles_of(history, roles, asked.player_id, asked.day)
    return np.concatenate(
        [
            form_of(history, asked, newcomers, *team_results(history)),
            teams_of(team_games_of(history, roles), asked, own),
            lineups_of(history, asked, roles, own, chances, known),
        ],
        axis=1,
    )
