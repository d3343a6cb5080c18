"""One walk through the past: what each game taught about players, home advantage and totals.

A team is the sum of who plays: expected margin = home players' values − away players' values +
home edge, a player's value counting by his minutes (points per 48). A value has two parts. The
first comes from his box scores (`nba.strength.players`, weighted by the model). The second is
learned from results as Elo is: after each game every player moves by

    step · (his minutes / 48) · (margin − expected margin of the line-up that played)

towards the surprise of his team, and each summer a share of it is kept. So a rating built by other
team-mates does not stay with a team that has lost them. The home edge, and teams' totals, follow
their own surprises in the same way. Games of one day do not see one another.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from nba.history import History
from nba.strength.games import DAYS, SEASONS, Games, TeamDays
from nba.strength.lineups import Lineups
from nba.strength.players import PlayerForm, weighted

__all__ = ["INPUTS", "Past", "learn"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Number = TypeVar("Number", np.float64, np.int64)

INPUTS: Final = ("lineup", "home_edge", "altitude", "rest")
"""Columns of `Past.inputs`: the first two in points, altitude 0 or 1, rest −1, 0 or 1."""

_GAME_MINUTES: Final = 48.0
_PLAYERS: Final = 5
_VALUE_STEP: Final = 0.006
_VALUE_KEPT: Final = 0.75
_EDGE_STEP: Final = 0.003
_FIRST_EDGE: Final = 2.8
_LARGEST_SURPRISE: Final = 30.0
_TOTAL_STEP: Final = 0.04
_TOTAL_KEPT: Final = 0.5
_LEVEL_STEP: Final = 0.01
_FIRST_LEVEL: Final = 200.0
_LARGEST_TOTAL_SURPRISE: Final = 40.0
_AVERAGE_STEP: Final = 0.02
# Denver and Salt Lake City: visitors lose more than elsewhere.
_HIGH: Final = (1610612743, 1610612762)


@dataclass(frozen=True, slots=True)
class Past:
    """What was known after each row, each team's game and each day; it answers for any later day.

    `value` (rows,) is a player's value after the history's row, of which `learned` carries over
    into the next season in part. `edge`, `average` and `level` belong to `days`: home edge, value
    of an average line-up and points of an average game after that day. `totals` belongs to
    `calendar.keys`: how many points a team adds to its games' totals.
    """

    history: History
    form: PlayerForm
    calendar: TeamDays
    value: Floats
    learned: Floats
    days: Integers
    edge: Floats
    average: Floats
    level: Floats
    totals: Floats

    def inputs(self, asked: Games, lineups: Lineups) -> Floats:
        """(games, len(INPUTS)), each difference home − away, from earlier days only.

        A team without anybody in `lineups` is an average one; what a team's rows there leave of
        240 minutes belongs to newcomers.
        """
        day = np.searchsorted(self.days, asked.day)
        values = np.bincount(
            lineups.place,
            lineups.minutes / _GAME_MINUTES * self.player_values(asked, lineups),
            2 * len(asked),
        )
        known = np.bincount(lineups.place, minlength=2 * len(asked)) > 0
        values = np.where(known, values, np.tile(_at(self.average, day, 0.0), 2))
        at_home = ~asked.is_neutral
        tired = self.calendar.rest(asked.team_id, np.tile(asked.day, 2)) == 1
        columns = [
            values[: len(asked)] - values[len(asked) :],
            _at(self.edge, day, _FIRST_EDGE) * at_home,
            np.isin(asked.home_team_id, _HIGH) & at_home,
            tired[len(asked) :].astype(np.float64) - tired[: len(asked)],
        ]
        return np.column_stack(columns).astype(np.float64)

    def player_values(self, asked: Games, lineups: Lineups) -> Floats:
        """Points per 48 minutes that each row of `lineups` adds to his team's margin."""
        place = lineups.place % max(len(asked), 1)
        row = _last_rows(self.history, lineups.player_id, asked.day[place])
        known = row >= 0
        passed = np.maximum(asked.season[place] - _at(self.history.season, row + 1, 0), 0)
        value, learned = _at(self.value, row + 1, 0.0), _at(self.learned, row + 1, 0.0)
        return np.where(known, value - learned * (1.0 - _VALUE_KEPT**passed), 0.0)

    def total(self, asked: Games) -> Floats:
        """Expected points of both teams together, (games,)."""
        teams = asked.team_id
        place = self.calendar.before(teams, np.tile(asked.day, 2))
        known = _at(self.calendar.keys, place, 0) // DAYS == teams
        seasons = _at(self.calendar.seasons, place, 0) % SEASONS
        passed = np.maximum(np.tile(asked.season, 2) - seasons, 0)
        added = np.where(known, _at(self.totals, place, 0.0) * _TOTAL_KEPT**passed, 0.0)
        level = _at(self.level, np.searchsorted(self.days, asked.day), _FIRST_LEVEL)
        return level + added[: len(asked)] + added[len(asked) :]


def learn(
    history: History, form: PlayerForm, games: Games, newcomer: Floats, weights: Floats
) -> Past:
    """Walk through `games` with a final score, day by day.

    `newcomer` and `weights` (len(RATES),) are the rates that players are compared with, and what a
    rate adds to a margin. Games without box scores teach nothing about players and the home edge.
    """
    games = games.take(~np.isnan(games.home_points + games.away_points))
    games = games.take(np.lexsort((games.game, games.day)))
    days = np.unique(games.day)
    box = weighted(form.rates(newcomer), weights)
    walk = _PlayerWalk(history, games, days, box)
    calendar = TeamDays.of(games)
    totals = _TotalWalk(games, calendar)
    first = np.searchsorted(games.day, np.append(days, DAYS))
    daily = np.empty((3, len(days)))
    for number in range(len(days)):
        today = slice(first[number], first[number + 1])
        walk.play(number, today)
        totals.play(today)
        daily[:, number] = walk.edge, walk.average, totals.level
    return Past(
        history,
        form,
        calendar,
        value=box + walk.learned,
        learned=walk.learned,
        days=days,
        edge=daily[0],
        average=daily[1],
        level=daily[2],
        totals=totals.after,
    )


class _PlayerWalk:
    """Learned parts of players' values and the home edge, a day at a time."""

    def __init__(self, history: History, games: Games, days: Integers, box: Floats) -> None:
        by_day = np.argsort(history.day, kind="stable")
        place = np.empty(len(history) + 1, np.int64)
        place[by_day] = np.arange(len(history))
        place[-1] = len(history)
        previous = _last_rows(history, history.player_id, history.day)
        newcomer = previous < 0
        before = np.where(newcomer, 0.0, box[previous] if len(box) else 0.0)
        passed = np.where(newcomer, 0, history.season - _at(history.season, previous + 1, 0))
        game = _find(games.game, history.game)
        unmatched = (game < 0) | (_at(games.day, game + 1, -1) != history.day)
        home = history.team_id == _at(games.home_team_id, game + 1, -1)
        away = history.team_id == _at(games.away_team_id, game + 1, -1)
        minutes = np.nan_to_num(history.column("minutes")).astype(np.float64) / _GAME_MINUTES
        share = np.where(unmatched, 0.0, minutes * (home.astype(np.float64) - away))

        self._previous = place[np.where(newcomer, len(history), previous)][by_day]
        self._kept = (_VALUE_KEPT ** np.maximum(passed, 0))[by_day]
        self._before = before[by_day]
        self._share = share[by_day]
        self._game = np.where(unmatched, 0, game)[by_day]
        self._first = np.searchsorted(history.day[by_day], days)
        self._last = np.searchsorted(history.day[by_day], days, side="right")
        self._after = np.zeros(len(history) + 1)
        self._place = place[:-1]
        box_scores = [
            np.bincount(game[rows], minlength=len(games)) > 0 for rows in (share > 0, share < 0)
        ]
        self._counted = box_scores[0] & box_scores[1]
        self._margin = games.home_points - games.away_points
        self._home = (~games.is_neutral).astype(np.float64)
        self.edge = _FIRST_EDGE
        self.average = 0.0

    @property
    def learned(self) -> Floats:
        """The learned part after each row, in the history's order."""
        return self._after[self._place]

    def play(self, number: int, games: slice) -> None:
        """Learn from the games of one day, all of them at once."""
        rows = slice(self._first[number], self._last[number])
        if rows.start == rows.stop:
            return
        share = self._share[rows]
        game = np.where(share == 0.0, 0, self._game[rows] - games.start)
        learned = self._after[self._previous[rows]] * self._kept[rows]
        worth = share * (self._before[rows] + learned)
        home = self._home[games]
        expected = np.bincount(game, worth, len(home)) + self.edge * home
        surprise = (self._margin[games] - expected) * self._counted[games]
        surprise = np.minimum(np.maximum(surprise, -_LARGEST_SURPRISE), _LARGEST_SURPRISE)
        self._after[rows] = learned + _VALUE_STEP * share * surprise[game]
        self.edge += _EDGE_STEP * float((surprise * home).sum())
        played = float(np.abs(share).sum())
        if played > 0.0:
            average = _PLAYERS * float((np.sign(share) * worth).sum()) / played
            self.average += (1.0 - (1.0 - _AVERAGE_STEP) ** len(home)) * (average - self.average)


class _TotalWalk:
    """What teams add to a game's total, and the league's level, a day at a time."""

    def __init__(self, games: Games, calendar: TeamDays) -> None:
        keys = games.team_id * DAYS + np.tile(games.day, 2)
        previous = np.searchsorted(calendar.keys, keys) - 1
        # Two games of a team on one day share the place of the later one.
        place = np.searchsorted(calendar.keys, keys, side="right") - 1
        known = _at(calendar.keys, previous + 1, 0) // DAYS == games.team_id
        seasons = _at(calendar.seasons, previous + 1, 0) % SEASONS
        passed = np.where(known, np.tile(games.season, 2) - seasons, 0)
        kept = np.where(known, _TOTAL_KEPT ** np.maximum(passed, 0), 0.0)
        self._previous, self._place = previous.reshape(2, -1), place.reshape(2, -1)
        self._kept = kept.reshape(2, -1)
        self._total = games.home_points + games.away_points
        self.after = np.zeros(len(calendar.keys))
        self.level = _FIRST_LEVEL

    def play(self, games: slice) -> None:
        """Learn from the games of one day, all of them at once."""
        before = self.after[self._previous[:, games]] * self._kept[:, games]
        surprise = self._total[games] - self.level - before.sum(axis=0)
        surprise = np.clip(surprise, -_LARGEST_TOTAL_SURPRISE, _LARGEST_TOTAL_SURPRISE)
        self.after[self._place[:, games]] = before + _TOTAL_STEP * surprise
        self.level += _LEVEL_STEP * float(surprise.sum())


def _last_rows(history: History, player_id: Integers, day: Integers) -> Integers:
    """The place of each player's last row of an earlier day, −1 where he has none."""
    keys = history.player_id * DAYS + history.day
    row = np.searchsorted(keys, player_id * DAYS + day) - 1
    return np.where(_at(history.player_id, row + 1, -1) == player_id, row, -1)


def _find(values: Integers, wanted: Integers) -> Integers:
    """The place of each wanted one in `values`, −1 where it is not there."""
    order = np.argsort(values, kind="stable")
    found = np.searchsorted(values[order], wanted)
    place = np.append(order, -1)[np.minimum(found, len(order))]
    return np.where(_at(values, place + 1, -1) == wanted, place, -1)


def _at(values: NDArray[Number], place: Integers, otherwise: float) -> NDArray[Number]:
    """values[place − 1], and `otherwise` at place 0."""
    return np.concatenate((np.array([otherwise], values.dtype), values))[place]
