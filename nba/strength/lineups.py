"""Who is expected to play, from earlier games only, and for how many minutes."""

from __future__ import annotations

from collections.abc import Mapping
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
    """Who may play for the teams of asked games, and his last game before.

    `row` is that last game's place in the history and `place` as in `Lineups`. `missed` counts the
    asked team's games since, of this season only; `is_new_season` marks who has not played in it
    and may have left over the summer.
    """

    place: Integers
    row: Integers
    missed: Integers
    is_new_season: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.row)


def candidates_of(
    history: History, played: TeamDays, asked: Games, teams: Mapping[int, int] | None = None
) -> Candidates:
    """Who may play for the teams of the asked games, from the rows of earlier days.

    `teams` says by player id to which team everybody belongs, and nobody else may play. Without it
    everybody belongs to the team for which he played last.
    """
    if teams is None:
        place, row = _by_last_team(history, asked)
    else:
        place, row = _by_roster(history, asked, teams)
    team, day = asked.team_id[place], np.tile(asked.day, 2)[place]
    since = played.before(team, day) - played.before(team, history.day[row] + 1)
    near = since <= _LONGEST_ABSENCE
    place, row, team, day, since = place[near], row[near], team[near], day[near], since[near]
    season = np.tile(asked.season, 2)[place]
    new_season = history.season[row] != season
    missed = np.where(new_season, played.of_season(team, season, day), since)
    # Rosters say who has left. Of first fifteen games, 2019-20 to 2022-23: log loss .6347 for
    # .6350, and .6380 without rosters.
    may_have_left = new_season & (teams is None)
    return Candidates(place, row, missed, may_have_left)


def _by_last_team(history: History, asked: Games) -> tuple[Integers, Integers]:
    """Places of asked teams and of the last rows of who played for them last."""
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
    return place, row


def _by_roster(
    history: History, asked: Games, teams: Mapping[int, int]
) -> tuple[Integers, Integers]:
    """Places of asked teams and of the last rows of who is on their rosters."""
    players = np.array(sorted(teams), np.int64)
    belongs = np.array([teams[int(one)] for one in players], np.int64)
    place, number = np.nonzero(asked.team_id[:, None] == belongs)
    player, day = players[number], np.tile(asked.day, 2)[place]
    row = np.searchsorted(history.player_id * DAYS + history.day, player * DAYS + day) - 1
    known = np.zeros(len(row), np.bool_)
    known[row >= 0] = history.player_id[row[row >= 0]] == player[row >= 0]
    return place[known], row[known]


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
    known: Mapping[tuple[int, int], float] | None = None,
    shares: Mapping[tuple[int, int], float] | None = None,
    *,
    are_listed: bool = False,
) -> Lineups:
    """Chance to play times recent minutes, scaled to 240 a team and cut at 48 a player.

    `chances` are the coefficients of `fit_chances`. Where the candidates `are_listed`, all others
    on the rosters are newcomers: minutes are scaled down to 240 a team but not up, which is better
    in first fifteen games of 2019-20 to 2022-23 too (log loss .6341 for .6347).

    By day and player id `known` has the chance (0..1) of whom more is known, and `shares` the share
    (0..1) that a cap leaves of his minutes. What they take from a player goes to newcomers, for
    whoever is the next to play is mostly worth what a newcomer is: with the official inactive lists
    of 2019-20 to 2022-23 that forecasts better than minutes for his team-mates (log loss .6252 for
    .6262). What they give to a player comes from newcomers first, then from his team-mates in
    proportion.
    """
    chance = np.concatenate(
        [
            _logistic(weighted(_describe(form, candidates, _part(first)), chances))
            for first in range(0, len(candidates), _ROWS_AT_A_TIME)
        ]
        or [np.empty(0)]
    )
    fast, slow = form.fast_minutes[candidates.row], form.slow_minutes[candidates.row]
    recent = _FAST_SHARE * fast + (1.0 - _FAST_SHARE) * slow
    place, player_id = candidates.place, history.player_id[candidates.row]
    teams = np.bincount(place, chance * recent, 2 * len(asked))
    fewest = TEAM_MINUTES if are_listed else 0.0
    scale = (TEAM_MINUTES / np.where(teams > fewest, teams, TEAM_MINUTES))[place]
    if not known and not shares:
        return Lineups(place, player_id, np.minimum(chance * recent * scale, _GAME_MINUTES))
    day = np.tile(asked.day, 2)[place]
    told, left = _told(known or {}, day, player_id), _told(shares or {}, day, player_id)
    chance = np.where(np.isnan(told), chance, told) * np.where(np.isnan(left), 1.0, left)
    minutes = np.minimum(chance * recent * scale, _GAME_MINUTES)
    teams = np.bincount(place, minutes, 2 * len(asked))
    too_many = TEAM_MINUTES / np.maximum(teams, TEAM_MINUTES)
    return Lineups(place, player_id, minutes * too_many[place])


def _told(values: Mapping[tuple[int, int], float], day: Integers, player_id: Integers) -> Floats:
    """What is said of each player on each day, NaN without a word."""
    keys = zip(day.tolist(), player_id.tolist(), strict=True)
    return np.array([values.get(key, np.nan) for key in keys], np.float64)


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
