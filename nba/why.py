"""Why a projection is what it is: a handful of contributions that add up to its mean.

The player's features are put in place of a newcomer's a group at a time. What a group contributes
is by how much the model's mean moves when it is put in place, so that nothing is left over.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Final

import numpy as np

from nba.features import FEATURES, FORM, LINEUPS, TEAMS, Asked, features_of
from nba.history import Floats
from nba.knowledge import Knowledge
from nba.rosters import TEAM_MINUTES, fitted_minutes
from nba.squad import Squad, SquadMember
from nba.stats import MARKETS, Market

__all__ = ["CAP", "FIT", "GROUPS", "START", "Contribution", "why"]


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one thing adds to a mean, or takes from it: minutes, or a count."""

    label: str
    amount: float


START: Final = "A newcomer to the league"
"""Where every projection begins: what the model expects of who has never played."""

CAP: Final = "The cap on his minutes"
FIT: Final = "Fitting his team to 240 minutes"

_ROLE: Final = "How much he usually plays"
_HABITS: Final = "What he usually does"
_LATEST: Final = "His latest games"
_MATES: Final = "Team-mates out or back"
_OPPONENT: Final = "Strength and pace of both teams"
_CALENDAR: Final = "Home or away, rest, time of the season"

_STRANGER: Final = -1
"""A player id that nobody has."""

_LONG: Final = 10.0
"""Averages with at least this half-life in games say what is usual, the others what is new."""


def _half_life(name: str) -> float | None:
    ending = name.rpartition("_")[2]
    return float(ending) if ending.replace(".", "").isdigit() else None


def _usual_of(name: str) -> str | None:
    """The shortest long average of the same number, for a short one; None for the others."""
    half_life = _half_life(name)
    if half_life is None or half_life >= _LONG:
        return None
    number = name.rpartition("_")[0]
    same = [one for one in FORM if one.rpartition("_")[0] == number]
    found = [(life, one) for one in same if (life := _half_life(one)) and life >= _LONG]
    return min(found)[1]


_USUAL_MINUTES: Final = "minutes_15"
_USUAL: Final = {
    **{name: usual for name in FORM if (usual := _usual_of(name)) is not None},
    "minutes_last": _USUAL_MINUTES,
    "minutes_second_last": _USUAL_MINUTES,
}
"""What stands for a number of the latest games before they are put in place."""

# What an evening is like on which nothing is out of the ordinary; the other numbers of teams and
# team-mates are 0 then, because they are differences.
_ORDINARY: Final = {
    "one_sided": 5.0,
    "home": 0.5,
    "own_rest": 2.0,
    "opponent_rest": 2.0,
    "games_in_six_days": 2.0,
    "team_game": 41.0,
    "days_off": 2.0,
    "missed": 0.0,
    "chance": 0.9,
}


def _groups() -> Iterator[tuple[str, tuple[str, ...]]]:
    start = ("league_points", "is_regular")
    role = (
        *(
            name
            for name in FORM
            if name.startswith("minutes_") and (_half_life(name) or 0) >= _LONG
        ),
        *("minutes_season", "minutes_sd", "games", "games_season", "tenure", "played_share"),
    )
    calendar = (
        *("home", "own_rest", "opponent_rest", "games_in_six_days", "team_game"),
        *("days_off", "missed", "chance"),
    )
    latest = (
        *(*_USUAL, "games_since_break", "minutes_before_break"),
        *("last_gap", "recent_gap", "recent_margin"),
    )
    placed = {*start, *role, *latest, *calendar}
    yield START, start
    yield _ROLE, role
    yield _HABITS, tuple(name for name in FORM if name not in placed)
    yield _LATEST, latest
    yield _MATES, tuple(name for name in LINEUPS if name not in placed)
    yield _OPPONENT, tuple(name for name in TEAMS if name not in placed)
    yield _CALENDAR, calendar


GROUPS: Final[Mapping[str, tuple[str, ...]]] = dict(_groups())
"""Which features each contribution puts in place, in this order."""

_PER_GAME: Final = tuple(
    name
    for name in FORM
    if _half_life(name) is not None and not name.startswith(("minutes", "plus_minus"))
)


def why(squad: Squad, game_id: str, player_id: int) -> Mapping[Market, tuple[Contribution, ...]]:
    """What makes a player's means in a game: for each market contributions that add up to it.

    The first one is START, what the others are added to. What adds up is what `squad` projects.
    Empty for who is not expected to play in that game.
    """
    member = squad.member(game_id, player_id)
    return {} if member is None else _contributions(squad.knowledge, member)


def _contributions(
    known: Knowledge, member: SquadMember
) -> Mapping[Market, tuple[Contribution, ...]]:
    rows = _rows(known, member)
    caps = np.full(len(rows), np.inf, np.float32)
    # The cap comes last, on the features that are all in place.
    caps[-1] = member.most_minutes
    means = known.model.players.forecast(rows, caps).mean
    labels = [*GROUPS, CAP]
    is_capped = member.most_minutes < np.inf
    found: dict[Market, tuple[Contribution, ...]] = {}
    for column, market in enumerate(MARKETS):
        steps = means[:, column].tolist()
        parts = [Contribution(START, steps[0])]
        for label, before, after in zip(labels[1:], steps[:-1], steps[1:], strict=True):
            if label != CAP or is_capped:
                parts.append(Contribution(label, after - before))
        if market == "minutes":
            fitted = float(fitted_minutes(means[-1:, column], member.exponent)[0])
            parts.append(Contribution(FIT, fitted - steps[-1]))
        found[market] = tuple(parts)
    return found


def _rows(known: Knowledge, member: SquadMember) -> Floats:
    """Features group by group in place, the last row once more for the cap."""
    stranger, among_all = _neutral(known, member)
    actual = _Row(member.features[0])

    first = _Row(stranger.values.copy())
    for name in (*TEAMS, *LINEUPS):
        if name not in (*GROUPS[_ROLE], "rank"):
            first[name] = 0.0
    for name, value in _ORDINARY.items():
        first[name] = value
    first.take(GROUPS[START], actual)
    first["team_minutes"] = TEAM_MINUTES - first[_USUAL_MINUTES]

    # A newcomer who plays as much as he does, and does as much in a minute as newcomers do.
    role = first.copy()
    role.take(GROUPS[_ROLE], actual)
    role["rank"] = among_all["rank"]
    role["team_minutes"] = TEAM_MINUTES - role[_USUAL_MINUTES]
    for name, usual in _USUAL.items():
        if usual == _USUAL_MINUTES:
            role[name] = actual[usual]
    for name in _PER_GAME:
        role[name] *= actual[_USUAL_MINUTES] / max(stranger[_USUAL_MINUTES], 1.0)

    habits = role.copy()
    habits.take(GROUPS[_HABITS], actual)
    for name, usual in _USUAL.items():
        habits[name] = actual[usual]

    rows = [first, role, habits]
    for label in (_LATEST, _MATES, _OPPONENT):
        row = rows[-1].copy()
        row.take(GROUPS[label], actual)
        rows.append(row)
    return np.stack([row.values for row in (*rows, actual, actual)])


class _Row:
    """The features of one player in one game, by name."""

    def __init__(self, values: Floats) -> None:
        self.values = values

    def __getitem__(self, name: str) -> float:
        return float(self.values[FEATURES.index(name)])

    def __setitem__(self, name: str, value: float) -> None:
        self.values[FEATURES.index(name)] = value

    def copy(self) -> _Row:
        return _Row(self.values.copy())

    def take(self, names: Iterable[str], other: _Row) -> None:
        for name in names:
            self[name] = other[name]


def _neutral(known: Knowledge, member: SquadMember) -> tuple[_Row, _Row]:
    """The features of who has never played, and the player's own if everybody were to play."""
    alone = member.asked
    twice = Asked(*(np.repeat(getattr(alone, one.name), 2) for one in fields(Asked)))
    found = features_of(
        known.history,
        replace(twice, player_id=np.array([_STRANGER, int(alone.player_id[0])], np.int64)),
        newcomers=known.model.newcomers,
        chances=None,
    )
    return _Row(found[0]), _Row(found[1])
