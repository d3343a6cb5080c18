"""Who is expected to play, from earlier games only, and for how many minutes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nba.history import History
from nba.strength.games import DAYS, Games, TeamDays
from nba.strength.players import PlayerForm, weighted

__all__ = [
    "TEAM_MINUTES",
    "Candidates",
    "Lineups",
    "candidates_of",
    "expected_lineups",
    "fit_chances",
    "lineups_of",
]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

TEAM_MINUTES: Final = 240.0
_GAME_MINUTES: Final = 48.0
_FAST_SHARE: Final = 0.8
# Whoever has missed more of his team's games than this is not expected back.
_LONGEST_ABSENCE: Final = 100
_RIDGE: Final = 1.0
_STEPS: Final = 12
_ROWS_AT_A_TIME: Final = 50_000


@dataclass(frozen=True, slots=True)
class Lineups:
    """Expected minutes of players in asked games.

    `place` is the game's place among those asked for a home team's player, and the number of games
    more for an away team's. Rows are in any order; what is missing to 240 minutes
    goes to newcomers.
    """

    place: Integers
    player_id: Integers
    minutes: Floats


@dataclass(frozen=True, slots=True)
class Candidates:
    """Players whose last game before an asked game was for one of its teams.

    `row` is that last game's place in the history and `place` as in `Lineups`. `missed` counts the
    team's games since, of this season only; `is_new_season` marks who has not played in it.
    """

    place: Integers
    row: Integers
    missed: Integers
    is_new_season: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.row)


def candidates_of(history: History, played: TeamDays, asked: Games) -> Candidates:
    """Who may play for the teams of the asked games, from the rows of earlier days."""
    teams, days = asked.team_id, np.tile(asked.day, 2)
    keys = teams * DAYS + days
    order = np.argsort(keys, kind="stable")
    # A row is a player's last one for all days after it, until the day of his next.
    later = np.full(len(history), DAYS - 1, np.int64)
    same = np.flatnonzero(history.player_id[1:] == history.player_id[:-1])
    later[same] = history.day[same + 1]
    starts = np.searchsorted(keys[order], history.team_id * DAYS + history.day, side="right")
    ends = np.searchsorted(keys[order], history.team_id * DAYS + later, side="right")
    counts = np.maximum(ends - starts, 0)
    row = np.repeat(np.arange(len(history)), counts)
    first = np.cumsum(counts) - counts
    place = order[np.repeat(starts - first, counts) + np.arange(len(row))]

    since = played.before(teams[place], days[place]) - played.before(
        history.team_id[row], history.day[row] + 1
    )
    near = since <= _LONGEST_ABSENCE
    place, row, since = place[near], row[near], since[near]
    seasons = np.tile(asked.season, 2)
    new_season = history.season[row] != seasons[place]
    begun = played.of_season(teams, seasons, days)
    return Candidates(place, row, np.where(new_season, begun[place], since), new_season)


def fit_chances(history: History, form: PlayerForm, candidates: Candidates, asked: Games) -> Floats:
    """Coefficients of the chance to play, by logistic regression with a small ridge.

    The asked games must be in the history: whoever has a row for the team on the day has played.
    """
    played = _has_played(history, candidates, asked)
    width = _describe(form, candidates, slice(0, 0)).shape[1]
    coefficients = np.zeros(width)
    for _ in range(_STEPS):
        curvature, slope = _RIDGE * np.eye(width), -_RIDGE * coefficients
        for first in range(0, len(candidates), _ROWS_AT_A_TIME):
            part = _part(first)
            described = _describe(form, candidates, part)
            chance = _logistic(described @ coefficients)
            slope = slope + described.T @ (played[part] - chance)
            curvature += (described * (chance * (1.0 - chance))[:, None]).T @ described
        coefficients = coefficients + np.linalg.solve(curvature, slope)
    return coefficients


def expected_lineups(
    history: History,
    form: PlayerForm,
    candidates: Candidates,
    asked: Games,
    chances: Floats,
    out: Collection[tuple[int, int]] = (),
) -> Lineups:
    """Chance to play times recent minutes, scaled to 240 a team and cut at 48 a player.

    `chances` are the coefficients of `fit_chances`. `out` names who will not play, as pairs of day
    and player id: their minutes go to their team-mates in proportion.
    """
    chance = np.concatenate(
        [
            _logistic(weighted(_describe(form, candidates, _part(first)), chances))
            for first in range(0, len(candidates), _ROWS_AT_A_TIME)
        ]
        or [np.empty(0)]
    )
    fast, slow = form.fast_minutes[candidates.row], form.slow_minutes[candidates.row]
    minutes = chance * (_FAST_SHARE * fast + (1.0 - _FAST_SHARE) * slow)
    player_id = history.player_id[candidates.row]
    if len(out):
        missing = np.array([player * DAYS + day for day, player in sorted(out)], np.int64)
        day = np.tile(asked.day, 2)[candidates.place]
        minutes[np.isin(player_id * DAYS + day, missing)] = 0.0
    teams = np.bincount(candidates.place, minutes, 2 * len(asked))
    scale = TEAM_MINUTES / np.where(teams > 0.0, teams, TEAM_MINUTES)
    return Lineups(
        candidates.place,
        player_id,
        np.minimum(minutes * scale[candidates.place], _GAME_MINUTES),
    )


def lineups_of(asked: Games, minutes: Mapping[int, Mapping[int, float]]) -> Lineups:
    """The same for every game of a team: minutes by team id and player id."""
    rows = [
        (place, player, player_minutes)
        for place, team in enumerate(asked.team_id.tolist())
        for player, player_minutes in minutes.get(team, {}).items()
    ]
    return Lineups(
        np.array([row[0] for row in rows], np.int64),
        np.array([row[1] for row in rows], np.int64),
        np.array([row[2] for row in rows], np.float64),
    )


def _describe(form: PlayerForm, candidates: Candidates, part: slice) -> Floats:
    """What the chance to play depends on: games missed, the new season, and minutes."""
    row = candidates.row[part]
    new = candidates.is_new_season[part].astype(np.float64)
    old = 1.0 - new
    missed = candidates.missed[part]
    absent = (missed > 0).astype(np.float64)
    longer = np.log1p(missed)
    fast, slow = form.fast_minutes[row] / 10.0, form.slow_minutes[row] / 10.0
    return np.column_stack(
        [
            *(old, old * absent, old * longer),
            *(old * fast, old * fast**2, old * slow, old * longer * fast, old * absent * slow),
            *(new, new * absent, new * longer, new * slow, new * longer * slow),
        ]
    )


def _has_played(history: History, candidates: Candidates, asked: Games) -> Floats:
    keys = history.player_id * DAYS + history.day
    day = np.tile(asked.day, 2)[candidates.place]
    wanted = history.player_id[candidates.row] * DAYS + day
    found = np.minimum(np.searchsorted(keys, wanted), max(len(keys) - 1, 0))
    there: NDArray[np.bool_] = (keys[found] == wanted) & (
        history.team_id[found] == asked.team_id[candidates.place]
    )
    return there.astype(np.float64)


def _part(first: int) -> slice:
    return slice(first, first + _ROWS_AT_A_TIME)


def _logistic(values: Floats) -> Floats:
    chance: Floats = 1.0 / (1.0 + np.exp(-values))
    return chance
