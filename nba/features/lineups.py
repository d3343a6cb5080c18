"""Who has been playing beside a player, and who is expected to tonight.

What counts is the difference: minutes, shots and rebounds of team-mates who played in his recent
games and are not expected tonight are free for him, and those of a returning team-mate are taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nba.features.asked import Asked
from nba.features.windows import DAYS, Timeline, average, weights
from nba.history import Floats, History, Integers

__all__ = ["LINEUPS", "MISSED_GAMES", "lineups_of", "play_chances"]

MISSED_GAMES: Final = 15
"""How many of a team's latest games are looked at."""

LINEUPS: Final = (
    *("free_minutes", "free_minutes_of_role", "free_shots", "free_rebounds", "free_assists"),
    *("team_minutes", "missed", "played_share", "rank"),
)
"""The columns of `lineups_of`: minutes, shots (with turnovers and free throws), rebounds and
assists per game that are free for him; expected minutes of his team-mates; games he missed since
his last, share of the latest games he played, and how many team-mates are expected to play more."""

_FORM_WINDOW: Final = 30
_FORM_HALF_LIFE: Final = 6.0
_TEAM_HALF_LIFE: Final = 6.0


@dataclass(frozen=True, slots=True)
class _Squad:
    """Who played for a team in its latest games before a day.

    `last` (players,) is the place of each one's latest game in the history, `played` (players,
    games) says in which of the team's games he took part, oldest first; `is_here` is False for who
    has played for another team since.
    """

    player_id: Integers
    last: Integers
    played: NDArray[np.bool_]
    is_here: NDArray[np.bool_]

    @property
    def missed(self) -> Integers:
        """How many of the team's games each has missed since his latest one."""
        missed: Integers = np.argmax(self.played[:, ::-1], axis=1)
        return missed


class _Squads:
    """The squads of a history's teams on any day."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._players = Timeline.of(history.player_id, history.day)
        self._order = np.lexsort((history.game, history.day, history.team_id))
        team, game = history.team_id[self._order], history.game[self._order]
        is_first = np.ones(len(team), np.bool_)
        is_first[1:] = (game[1:] != game[:-1]) | (team[1:] != team[:-1])
        self._begin = np.flatnonzero(is_first)
        self._number = np.cumsum(is_first) - 1
        begins = self._order[self._begin]
        self._games = Timeline.of(history.team_id[begins], history.day[begins])

    def of(self, team: int, day: int) -> _Squad | None:
        """The squad of a team before a day; None before its first game."""
        teams, days = np.array([team]), np.array([day])
        end = int(self._games.end(teams, days)[0])
        start = max(int(self._games.first(teams)[0]), end - MISSED_GAMES)
        if start >= end:
            return None
        stop = self._begin[end] if end < len(self._begin) else len(self._order)
        places = slice(self._begin[start], stop)
        rows = self._order[places]
        took_part = self._history.values[rows, 0] > 0
        rows, number = rows[took_part], self._number[places][took_part] - start
        player_id, place = np.unique(self._history.player_id[rows], return_inverse=True)
        played = np.zeros((len(player_id), end - start), np.bool_)
        played[place, number] = True
        last = self._players.end(player_id, np.full(len(player_id), day)) - 1
        return _Squad(player_id, last, played, self._history.team_id[last] == team)


def lineups_of(
    history: History,
    asked: Asked,
    roles: Integers,
    asked_roles: Integers,
    chances: Floats,
    known: Mapping[tuple[int, int], float] | None = None,
) -> Floats:
    """The columns LINEUPS for each asked row, float32.

    `roles` are those after each row of the history, `asked_roles` those of the asked rows.
    `chances` (MISSED_GAMES + 1,) is the chance (0..1) to play of who has missed so many games
    of his team since his last. `known` has (day, player id) of whom more is known: the chance
    (0..1) that he plays, or with a cap on minutes the share of his usual minutes.
    """
    squads = _Squads(history)
    pairs, pair = np.unique(asked.team_id * DAYS + asked.day, return_inverse=True)
    order = np.argsort(pair, kind="stable")
    bounds = np.searchsorted(pair[order], np.arange(len(pairs) + 1))
    found = [squads.of(*divmod(int(one), DAYS)) for one in pairs]
    form = _form_after(history, found)
    result = np.zeros((len(asked), len(LINEUPS)), np.float32)
    result[:, LINEUPS.index("missed")] = MISSED_GAMES
    for number, squad in enumerate(found):
        rows = order[bounds[number] : bounds[number + 1]]
        if squad is not None:
            chance = _chances(squad, int(pairs[number] % DAYS), chances, known or {})
            result[rows] = _beside(
                squad,
                form[squad.last],
                chance,
                roles[squad.last],
                asked.player_id[rows],
                asked_roles[rows],
            )
    return result


def play_chances(history: History) -> Floats:
    """How often who has missed so many games of his team since his last one played the next.

    The shape is (MISSED_GAMES + 1,); from every game of the history whose team played before. Where
    nothing was seen the chance is 0.
    """
    squads = _Squads(history)
    played, counted = np.zeros(MISSED_GAMES + 1), np.zeros(MISSED_GAMES + 1)
    keys = history.game * 100 + history.team_id % 100
    order = np.argsort(keys, kind="stable")
    begins = np.flatnonzero(np.r_[True, keys[order][1:] != keys[order][:-1]])
    for rows in np.split(order, begins[1:]):
        first = rows[0]
        squad = squads.of(int(history.team_id[first]), int(history.day[first]))
        if squad is not None:
            here = squad.is_here
            took_part = np.isin(squad.player_id[here], history.player_id[rows])
            np.add.at(counted, squad.missed[here], 1.0)
            np.add.at(played, squad.missed[here], took_part)
    return (played / np.maximum(counted, 1.0)).astype(np.float32)


def _chances(
    squad: _Squad, day: int, chances: Floats, known: Mapping[tuple[int, int], float]
) -> Floats:
    chance = chances[squad.missed].astype(np.float32)
    if known:
        told = [known.get((day, int(one)), np.nan) for one in squad.player_id]
        chance = np.where(np.isnan(told), chance, np.asarray(told, np.float32))
    return np.where(squad.is_here, chance, np.float32(0.0))


def _form_after(history: History, squads: list[_Squad | None]) -> Floats:
    """Minutes, shots, rebounds and assists per game after each row that is some squad's latest."""
    result = np.zeros((len(history), 4), np.float32)
    places = [squad.last for squad in squads if squad is not None]
    if not places:
        return result
    rows = np.unique(np.concatenate(places))
    shots = history.column("fga") + np.float32(0.44) * history.column("fta") + history.column("tov")
    columns = (history.column("minutes"), shots, history.column("rebounds"))
    values = np.stack([*columns, history.column("assists")], axis=1)
    timeline = Timeline.of(history.player_id, history.day)
    weight = weights(_FORM_WINDOW, _FORM_HALF_LIFE)
    owner, next_day = history.player_id[rows], history.day[rows] + 1
    for part, place, known in timeline.windows(owner, next_day, _FORM_WINDOW):
        window = np.where(known[:, :, None], values[place], np.float32(np.nan))
        for column in range(values.shape[1]):
            result[rows[part], column] = np.nan_to_num(average(window[:, :, column], weight))
    return result


def _beside(
    squad: _Squad,
    form: Floats,
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
        ]
    ).astype(np.float32)
