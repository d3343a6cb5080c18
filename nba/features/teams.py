"""The two teams: how well and how fast they play, and how rested they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nba.features.asked import Asked
from nba.features.roles import ROLES
from nba.features.windows import DAYS, Timeline, weighted, weights
from nba.history import Floats, History, Integers

__all__ = ["TEAMS", "TeamGames", "team_games_of", "team_results", "teams_of"]

Doubles = NDArray[np.float64]

_WINDOW: Final = 40
_LEAGUE_GAMES: Final = 1_200
_PRIOR_GAMES: Final = 3.0
_HOME_POINTS: Final = 2.2
"""Points that playing at home adds to a net rating; it only orders games by how close they are."""
_LONGEST_REST: Final = 10
_TEAM_MINUTES: Final = 240.0

TEAMS: Final = (
    *("opponent_defence", "opponent_offence", "own_offence", "own_defence"),
    *("opponent_pace", "own_pace", "pace", "league_points"),
    *("opponent_rebounds", "opponent_assists", "opponent_threes", "opponent_role_points"),
    *("margin", "one_sided", "home", "own_rest", "opponent_rest", "games_in_six_days"),
    *("team_game", "is_regular"),
)
"""The columns of `teams_of`. Ratings are points per 100 possessions above the league's average."""


@dataclass(frozen=True, slots=True)
class TeamGames:
    """Games of teams by team and day: sums of box scores, and those of the other side.

    `own` and `other` map names to arrays with one element a row; rates are per 100 possessions and
    pace is possessions in 48 minutes, NaN where the source has no shots.
    """

    timeline: Timeline
    day: Integers
    season: Integers
    own: dict[str, Doubles]
    other: dict[str, Doubles]


def team_games_of(history: History, roles: Integers) -> TeamGames:
    """What the teams of a history did, game by game; `roles` are those of its rows."""
    # Team ids are one number apart from 1610612737 on, so their last two digits tell them apart.
    key = history.game * 100 + history.team_id % 100
    keys, first, place = np.unique(key, return_index=True, return_inverse=True)

    def total(values: Floats) -> Doubles:
        return np.bincount(place, np.nan_to_num(values), len(keys)).astype(np.float64)

    column = history.column
    possessions = total(
        column("fga") + np.float32(0.44) * column("fta") - column("oreb") + column("tov")
    )
    unknown = np.bincount(place, np.isnan(column("fga")), len(keys)) > 0
    possessions[unknown | (possessions <= 0)] = np.nan
    own = {name: total(column(name)) for name in ("points", "rebounds", "assists", "threes")}
    own["rating"] = 100.0 * own["points"] / possessions
    own["pace"] = 240.0 * possessions / np.maximum(total(column("minutes")), 1.0)
    for number in range(ROLES):
        own[f"points_{number}"] = total(np.where(roles == number, column("points"), 0.0))
    opposite = history.game[first] * 100 + history.opponent_id[first] % 100
    found = np.minimum(np.searchsorted(keys, opposite), max(len(keys) - 1, 0))
    is_there = keys[found] == opposite if len(keys) else np.zeros(0, np.bool_)
    other = {name: np.where(is_there, values[found], np.nan) for name, values in own.items()}
    team, day = history.team_id[first], history.day[first]
    order = np.lexsort((history.game[first], day, team))
    return TeamGames(
        timeline=Timeline.of(team[order], day[order]),
        day=day[order],
        season=history.season[first][order],
        own={name: values[order] for name, values in own.items()},
        other={name: values[order] for name, values in other.items()},
    )


def team_results(history: History) -> tuple[Floats, Floats]:
    """By how many points each row's team won, and its minutes over those of a game, (rows,).

    Points are those of the box scores, NaN where the other side has none; with overtime minutes are
    more than once a game's.
    """
    key = history.game * 100 + history.team_id % 100
    keys, place = np.unique(key, return_inverse=True)
    points = np.bincount(place, np.nan_to_num(history.column("points")), len(keys))
    minutes = np.bincount(place, np.nan_to_num(history.column("minutes")), len(keys))
    opposite = history.game * 100 + history.opponent_id % 100
    found = np.minimum(np.searchsorted(keys, opposite), max(len(keys) - 1, 0))
    margin = np.where(keys[found] == opposite, points[place] - points[found], np.nan)
    return margin.astype(np.float32), (minutes[place] / _TEAM_MINUTES).astype(np.float32)


def teams_of(games: TeamGames, asked: Asked, roles: Integers) -> Floats:
    """The columns TEAMS for each asked row, float32; `roles` are those of the asked players."""
    # Most rows share their team and day with others: each pair is looked at once.
    sides = np.concatenate([asked.team_id, asked.opponent_id]) * DAYS
    pairs, place = np.unique(sides + np.tile(asked.day, 2), return_inverse=True)
    team, day = np.divmod(pairs, DAYS)
    own, opponent = place[: len(asked)], place[len(asked) :]
    league = _LeagueBefore(games, day)

    def style(values: Doubles, half_life_games: float) -> Doubles:
        return _above_league(games.timeline, values, team, day, half_life_games, league.of(values))

    offence, defence = style(games.own["rating"], 15.0), style(games.other["rating"], 15.0)
    pace = style(games.own["pace"], 12.0)
    allowed = {name: style(games.other[name], 20.0) for name in ("rebounds", "assists", "threes")}
    by_role = np.column_stack(
        [style(games.other[f"points_{number}"], 20.0) for number in range(ROLES)]
    )
    rest, in_six_days = _calendar(games, team, day, day - 6)
    margin = (
        (offence - defence)[own]
        - (offence - defence)[opponent]
        + (2.0 * asked.home - 1.0) * _HOME_POINTS
    )
    columns = {
        "opponent_defence": defence[opponent],
        "opponent_offence": offence[opponent],
        "own_offence": offence[own],
        "own_defence": defence[own],
        "opponent_pace": pace[opponent],
        "own_pace": pace[own],
        "pace": pace[own] + pace[opponent],
        "league_points": league.of(games.own["points"])[own],
        **{f"opponent_{name}": values[opponent] for name, values in allowed.items()},
        "opponent_role_points": by_role[opponent, roles],
        "margin": margin,
        "one_sided": np.abs(margin),
        "home": asked.home,
        "own_rest": rest[own],
        "opponent_rest": rest[opponent],
        "games_in_six_days": in_six_days[own],
        "team_game": _games_of_season(games, asked),
        "is_regular": asked.is_regular,
    }
    return np.column_stack([columns[name] for name in TEAMS]).astype(np.float32)


class _LeagueBefore:
    """Averages of the league's last games before each of some days."""

    def __init__(self, games: TeamGames, day: Integers) -> None:
        self._order = np.argsort(games.day, kind="stable")
        self._end = np.searchsorted(games.day[self._order], day)
        self._start = np.maximum(self._end - _LEAGUE_GAMES, 0)

    def of(self, values: Doubles) -> Doubles:
        ordered = values[self._order].astype(np.float64)
        known = ~np.isnan(ordered)
        summed = np.concatenate([[0.0], np.where(known, ordered, 0.0).cumsum()])
        counted = np.concatenate([[0], known.cumsum()])
        number = counted[self._end] - counted[self._start]
        total = summed[self._end] - summed[self._start]
        none = np.full(len(number), np.nan)
        found: Doubles = np.divide(total, number, out=none, where=number > 0)
        return found


def _above_league(
    timeline: Timeline,
    values: Doubles,
    team: Integers,
    day: Integers,
    half_life_games: float,
    league: Doubles,
) -> Doubles:
    """A team's average above the league's, shrunk by some games of the league's average."""
    result = np.zeros(len(team))
    weight = weights(_WINDOW, half_life_games)
    for part, place, known in timeline.windows(team, day, _WINDOW):
        if not len(values):
            continue
        above = values[place] - league[part, None]
        counts = known & ~np.isnan(above)
        total = weighted(np.where(counts, above, 0.0), weight)
        result[part] = total / (weighted(counts, weight) + _PRIOR_GAMES)
    return result


def _calendar(
    games: TeamGames, team: Integers, day: Integers, since: Integers
) -> tuple[Integers, Integers]:
    """Days since each team's last game (at most 10), and its games from `since` on."""
    end, first = games.timeline.end(team, day), games.timeline.first(team)
    has_played = end > first
    last = games.day[np.maximum(end - 1, 0)] if len(games.day) else np.zeros(len(end), np.int64)
    rest = np.where(has_played, np.minimum(day - last, _LONGEST_REST), _LONGEST_REST)
    return rest, end - games.timeline.end(team, since)


def _games_of_season(games: TeamGames, asked: Asked) -> Integers:
    """How many games of the asked season each team has played."""
    seasons = games.timeline.owner * DAYS + games.season
    begin = np.searchsorted(seasons, asked.team_id * DAYS + asked.season)
    played: Integers = np.maximum(games.timeline.end(asked.team_id, asked.day) - begin, 0)
    return played
