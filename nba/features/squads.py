"""Who has been playing for a team, and how likely each one is to play its next game."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nba.features.windows import Timeline, average, weights
from nba.history import Floats, History, Integers

__all__ = ["MISSED_GAMES", "Squad", "Squads", "chances_of", "fit_chances", "recent_form"]

MISSED_GAMES: Final = 15
"""How many of a team's latest games are looked at."""

Doubles = NDArray[np.float64]

_FORM_WINDOW: Final = 30
_FORM_HALF_LIFE: Final = 6.0
_SHARE_HALF_LIFE: Final = 4.0
_MOST_DAYS_MISSED: Final = 30
_RIDGE: Final = 1.0
_STEPS: Final = 12
_DECIMALS: Final = 9


@dataclass(frozen=True, slots=True)
class Squad:
    """Who played for a team in its latest games before a day.

    `last` (players,) is the place of each one's latest game in the history, `played` (players,
    games) says in which of the team's games he took part, oldest first; `is_here` is False for who
    has played for another team since. `days_missed` counts days from his latest game to the team's,
    `days_off` from the team's latest game to the day.
    """

    player_id: Integers
    last: Integers
    played: NDArray[np.bool_]
    is_here: NDArray[np.bool_]
    days_missed: Integers
    days_off: int

    @property
    def missed(self) -> Integers:
        """How many of the team's games each has missed since his latest one."""
        missed: Integers = np.argmax(self.played[:, ::-1], axis=1)
        return missed

    @property
    def in_a_row(self) -> Integers:
        """How many of the team's games each played in a row up to his latest one."""
        newest_first = self.played[:, ::-1]
        later = np.arange(newest_first.shape[1]) < self.missed[:, None]
        broken = ~(newest_first | later)
        length = newest_first.shape[1]
        found = np.where(broken.any(axis=1), np.argmax(broken, axis=1), length) - self.missed
        return np.asarray(found, np.int64)


class Squads:
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

    def of(self, team: int, day: int) -> Squad | None:
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
        newest = int(self._history.day[self._order[stop - 1]])
        last = self._players.end(player_id, np.full(len(player_id), day)) - 1
        return Squad(
            player_id=player_id,
            last=last,
            played=played,
            is_here=self._history.team_id[last] == team,
            days_missed=np.maximum(newest - self._history.day[last], 0),
            days_off=day - newest,
        )


def recent_form(history: History, squads: list[Squad | None]) -> Floats:
    """Minutes, shots, rebounds and assists per game after each row that is some squad's latest.

    The shape is (rows of the history, 4), 0 elsewhere.
    """
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


def fit_chances(history: History) -> Doubles:
    """Coefficients of the chance to play a team's next game: logistic regression, a small ridge.

    From every game of the history whose team played before; zeros where there is none.
    """
    squads = Squads(history)
    keys = history.game * 100 + history.team_id % 100
    order = np.argsort(keys, kind="stable")
    begins = np.flatnonzero(np.r_[True, keys[order][1:] != keys[order][:-1]])
    games = [rows for rows in np.split(order, begins[1:]) if len(rows)]
    first = [rows[0] for rows in games]
    found = [squads.of(int(history.team_id[at]), int(history.day[at])) for at in first]
    form = recent_form(history, found)
    described: list[Doubles] = [np.zeros((0, _WIDTH))]
    played: list[NDArray[np.bool_]] = [np.zeros(0, np.bool_)]
    for squad, rows in zip(found, games, strict=True):
        if squad is not None:
            here = squad.is_here
            described.append(_describe(history, squad, form)[here])
            played.append(np.isin(squad.player_id[here], history.player_id[rows]))
    return _logistic_regression(np.concatenate(described), np.concatenate(played))


def chances_of(history: History, squad: Squad, form: Floats, coefficients: Doubles) -> Floats:
    """The chance (0..1) of each player of a squad to play, (players,); `form` of `recent_form`."""
    described = _describe(history, squad, form)
    # Added up column by column, so that one player's chance does not depend on who is beside him.
    total = np.zeros(len(described))
    for column, coefficient in enumerate(coefficients):
        total += described[:, column] * coefficient
    chance: Floats = (1.0 / (1.0 + np.exp(-total))).astype(np.float32)
    return chance


def _describe(history: History, squad: Squad, form: Floats) -> Doubles:
    """What the chance depends on: games missed and played, minutes, and rest."""
    missed = squad.missed
    # Days without games of the team, a summer among them, say nothing of a player.
    days_missed = np.minimum(squad.days_missed, _MOST_DAYS_MISSED)
    absent, longer = (missed > 0).astype(np.float64), np.log1p(missed)
    minutes = form[squad.last, 0].astype(np.float64) / 10.0
    latest = np.nan_to_num(history.values[squad.last, 0]).astype(np.float64) / 10.0
    weight = weights(squad.played.shape[1], _SHARE_HALF_LIFE)[::-1]
    share = (squad.played * weight).sum(axis=1) / weight.sum()
    in_a_row = np.log1p(squad.in_a_row)
    return np.column_stack(
        [
            *(np.ones(len(missed)), absent, longer),
            *(minutes, minutes**2, longer * minutes, absent * minutes),
            *(share * minutes, np.log1p(days_missed), in_a_row, absent * in_a_row),
            *(latest, absent * latest, float(squad.days_off == 1) * minutes),
        ]
    )


_WIDTH: Final = 14
"""The columns of `_describe`."""


def _logistic_regression(described: Doubles, happened: Doubles) -> Doubles:
    coefficients = np.zeros(_WIDTH)
    for _ in range(_STEPS):
        chance = 1.0 / (1.0 + np.exp(-described @ coefficients))
        slope = described.T @ (happened - chance) - _RIDGE * coefficients
        scaled = described * (chance * (1.0 - chance))[:, None]
        curvature = scaled.T @ described + _RIDGE * np.eye(_WIDTH)
        coefficients = coefficients + np.linalg.solve(curvature, slope)
    return coefficients.round(_DECIMALS)
