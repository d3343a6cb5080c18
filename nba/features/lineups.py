"""Who has been playing beside a player, and who is expected to tonight.

What counts is the difference: minutes, shots and rebounds of team-mates who played in his recent
games and are not expected tonight are free for him, and those of a returning team-mate are taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nba.features.asked import Asked
from nba.features.squads import MISSED_GAMES, Squad, Squads, chances_of, recent_form
from nba.features.windows import DAYS, weights
from nba.history import Floats, History, Integers

__all__ = ["LINEUPS", "lineups_of"]

LINEUPS: Final = (
    *("free_minutes", "free_minutes_of_role", "free_shots", "free_rebounds", "free_assists"),
    *("team_minutes", "missed", "played_share", "rank", "chance"),
)
"""The columns of `lineups_of`: minutes, shots (with turnovers and free throws), rebounds and
assists per game that are free for him; expected minutes of his team-mates; games he missed since
his last, share of the latest games he played, how many team-mates are expected to play more, and
the chance (0..1) to play that his absences alone gave him."""

_TEAM_HALF_LIFE: Final = 6.0
# Of who has not played for this team lately nothing is known but that he is asked for.
_STRANGERS_CHANCE: Final = 0.5


def lineups_of(
    history: History,
    asked: Asked,
    roles: Integers,
    asked_roles: Integers,
    chances: NDArray[np.float64] | None,
    known: Mapping[tuple[int, int], float] | None = None,
) -> Floats:
    """The columns LINEUPS for each asked row, float32.

    `roles` are those after each row of the history, `asked_roles` those of the asked rows.
    `chances` are the coefficients of `fit_chances`; None if everybody here is to play. `known` has
    (day, player id) of whom more is known: the chance (0..1) that he plays, or with a cap on
    minutes the share of his usual minutes.
    """
    squads = Squads(history)
    keys = asked.team_id * DAYS + asked.day
    pairs, pair = np.unique(keys, return_inverse=True)
    order = np.argsort(pair, kind="stable")
    bounds = np.searchsorted(pair[order], np.arange(len(pairs) + 1))
    found = [squads.of(*divmod(int(one), DAYS)) for one in pairs]
    form = recent_form(history, found)
    result = np.zeros((len(asked), len(LINEUPS)), np.float32)
    result[:, LINEUPS.index("missed")] = MISSED_GAMES
    result[:, LINEUPS.index("chance")] = _STRANGERS_CHANCE
    for number, squad in enumerate(found):
        rows = order[bounds[number] : bounds[number + 1]]
        if squad is not None:
            usual = (
                np.ones(len(squad.player_id), np.float32)
                if chances is None
                else chances_of(history, squad, form, chances)
            )
            result[rows] = _beside(
                squad,
                form[squad.last],
                usual,
                _expected(squad, int(pairs[number] % DAYS), usual, known or {}),
                roles[squad.last],
                asked.player_id[rows],
                asked_roles[rows],
            )
    return result


def _expected(
    squad: Squad, day: int, chance: Floats, known: Mapping[tuple[int, int], float]
) -> Floats:
    """The chances with what is known beyond them, 0 for who has left."""
    if known:
        told = [known.get((day, int(one)), np.nan) for one in squad.player_id]
        chance = np.where(np.isnan(told), chance, np.asarray(told, np.float32))
    return np.where(squad.is_here, chance, np.float32(0.0))


def _beside(
    squad: Squad,
    form: Floats,
    usual_chance: Floats,
    chance: Floats,
    roles: Integers,
    player_ids: Integers,
    own_roles: Integers,
) -> Floats:
    """The columns LINEUPS for players of one team on one day."""
    form = form * squad.is_here[:, None]
    weight = weights(squad.played.shape[1], _TEAM_HALF_LIFE)[::-1]
    usual = weight / weight.sum()
    place = np.minimum(np.searchsorted(squad.player_id, player_ids), len(squad.player_id) - 1)
    is_in = squad.player_id[place] == player_ids
    # How often each team-mate took part in the games in which he did (in all, if in none).
    own = np.where(is_in[:, None], squad.played[place] * weight, usual)
    own = own / own.sum(axis=1, keepdims=True)
    # Sums over the last axis: a row's last bit does not depend on who else is asked for.
    together = (own[:, None, :] * squad.played).sum(axis=2)
    free = together - chance
    free[np.flatnonzero(is_in), place[is_in]] = 0.0
    expected = chance * form[:, 0]
    own_minutes = np.where(is_in, form[place, 0], 0.0)
    same_role = roles[None, :] == own_roles[:, None]
    return np.column_stack(
        [
            (free * form[:, 0]).sum(axis=1),
            (free * same_role * form[:, 0]).sum(axis=1),
            *((free * form[:, column]).sum(axis=1) for column in (1, 2, 3)),
            expected.sum() - np.where(is_in, expected[place], 0.0),
            np.where(is_in, squad.missed[place], MISSED_GAMES),
            np.where(is_in, squad.played[place].mean(axis=1), 0.0),
            (expected[None, :] > own_minutes[:, None]).sum(axis=1),
            np.where(is_in, usual_chance[place], _STRANGERS_CHANCE),
        ]
    ).astype(np.float32)
