"""Who is expected to play, and how a team's 240 minutes are shared among them.

For dates before the bundled rosters a team's candidates are the players whose latest game before
the date was for that team, and who appeared in one of its last three games (in one of its last
twenty on the first evening after a summer). From the rosters' day on they are the newest roster, a
player counting for the team for which he has played since; and once three games of the season are
known, of these only who appeared in one of the last three, or has lately come from another team.
Whoever the owner says may play is a candidate too, however long ago he did; and where too few are
left to fill a game, the team's next players are.
Of the candidates
the ten with the most projected minutes are expected to play: on average 10.6 do, and each further
name costs every projection of minutes more than it adds (see `docs/model.md`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import date, timedelta
from math import inf, log
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nba.availability import Availability, is_expected
from nba.reference import ROSTERS_AS_OF, Reference
from nba.seasons import season_of

__all__ = [
    "GAME_MINUTES",
    "ROTATION_PLAYERS",
    "TEAM_MINUTES",
    "candidates",
    "exponent_to",
    "fit_minutes",
    "fitted_minutes",
    "rosters_of",
    "rotation",
    "shared_minutes",
]

Floats = NDArray[np.float64]

ROTATION_PLAYERS: Final = 10
TEAM_MINUTES: Final = 240.0
GAME_MINUTES: Final = 48.0

_RECENT_TEAM_GAMES: Final = 3
_RECENT_TEAM_GAMES_AFTER_A_SUMMER: Final = 20
_RECENT_TEAM_GAMES_OF_A_SEASON: Final = 100
# What a player stands evening by evening.
_LONG_MINUTES: Final = 40.0
_SUMMER_DAYS: Final = 60
# The league wants eight men in uniform.
_FEWEST_PLAYERS: Final = 8
# Whoever has not played for longer has no form to speak of; `nba.strength` says a hundred games.
_LONGEST_ABSENCE: Final = timedelta(days=400)
# A trade is made known some days before the first game for the new team.
_ARRIVAL: Final = timedelta(days=21)
_SHORTEST_SHARE: Final = 1e-3
# The curve is fixed at a whole game, so the longest projections start just below it.
_LONGEST_SHARE: Final = 0.99
_STEEPEST_EXPONENT: Final = 200.0
# Halves of 200 until they are below what a double tells apart.
_HALVINGS: Final = 60


def rosters_of(
    reference: Reference, team_ids: Collection[int], slate_date: date
) -> dict[int, pd.DataFrame] | None:
    """The teams' rosters that were known on a date, as `Reference.roster` gives them, by team id.

    None for a date before the bundled rosters.
    """
    if slate_date < ROSTERS_AS_OF:
        return None
    return reference.rosters(team_ids, slate_date)


def candidates(
    reference: Reference,
    team_id: int,
    slate_date: date,
    availability: Mapping[int, Availability],
    most_minutes: Mapping[int, float] | None = None,
    rosters: Mapping[int, pd.DataFrame] | None = None,
) -> pd.DataFrame:
    """Who may play for a team on a date: player_id, player_name, position, by player_id.

    Nothing from that date or after it is looked at but for `availability` and the caps
    `most_minutes`, both by player id. `rosters` are those of `rosters_of`, looked up if they are
    not at hand. Where those who are left cannot fill 240 minutes, or are fewer than eight, the
    team's next players are among them, as far as there are any.
    """
    if rosters is None:
        rosters = rosters_of(reference, [team_id], slate_date)
    if rosters is None:
        wider = _recent_players(reference, team_id, slate_date, availability)
    else:
        wider = _listed_players(reference, rosters[team_id], team_id, slate_date, availability)
    unexpected = {one for one, word in availability.items() if not is_expected(word)}
    columns = ["player_id", "player_name", "position"]
    expected = pd.DataFrame(columns=columns)
    for players in wider:
        # Each step on a frame takes half a millisecond, and there are thirty teams.
        ids = players["player_id"].tolist()
        stays = [one not in unexpected for one in ids]
        expected = players if all(stays) else players[stays]
        most = np.array([(most_minutes or {}).get(one, np.inf) for one in expected["player_id"]])
        if len(expected) >= _FEWEST_PLAYERS and _fills_a_game(most):
            break
    return expected[columns].reset_index(drop=True)


def _listed_players(
    reference: Reference,
    roster: pd.DataFrame,
    team_id: int,
    slate_date: date,
    availability: Mapping[int, Availability],
) -> Iterator[pd.DataFrame]:
    """Who of a roster may play, then the whole of it."""
    season_begin = date(int(season_of(slate_date)[:4]), 8, 1)
    if reference.games_played(team_id, season_begin, slate_date) >= _RECENT_TEAM_GAMES:
        recent = reference.recent_players(team_id, slate_date, _RECENT_TEAM_GAMES)
        arrived = (
            roster["latest_game"].notna()
            & (roster["latest_team_id"] != team_id)
            & (roster["latest_game"] >= (slate_date - _ARRIVAL).isoformat())
        )
        seen = {*recent["player_id"], *availability}
        yield roster[roster["player_id"].isin(seen) | arrived]
    yield roster


def _recent_players(
    reference: Reference,
    team_id: int,
    slate_date: date,
    availability: Mapping[int, Availability],
) -> Iterator[pd.DataFrame]:
    """Who has played for a team of late and whom the owner names, then whoever did before."""
    latest = reference.latest_team_game(team_id, slate_date)
    if latest is None:
        yield reference.recent_players(team_id, slate_date, 0)
        return
    named = _named(reference, team_id, slate_date, availability)
    everybody: pd.DataFrame | None = None
    rested = (slate_date - latest).days >= _SUMMER_DAYS
    windows = (_RECENT_TEAM_GAMES_AFTER_A_SUMMER, _RECENT_TEAM_GAMES_OF_A_SEASON)
    for window in windows if rested else (_RECENT_TEAM_GAMES, *windows):
        recent = reference.recent_players(team_id, slate_date, window)
        if named - set(recent["player_id"]):
            if everybody is None:
                everybody = reference.recent_players(
                    team_id, slate_date, _RECENT_TEAM_GAMES_OF_A_SEASON
                )
            chosen = {*recent["player_id"], *named}
            recent = everybody[everybody["player_id"].isin(chosen)]
        yield recent


def _named(
    reference: Reference,
    team_id: int,
    slate_date: date,
    availability: Mapping[int, Availability],
) -> set[int]:
    """Whom the owner expects, of those whose latest game was for this team."""
    expected = sorted(one for one, word in availability.items() if is_expected(word))
    if not expected:
        return set()
    games = reference.player_games(
        player_ids=expected, since=slate_date - _LONGEST_ABSENCE, before=slate_date
    )
    latest = games.groupby("player_id")["team_id"].last()
    return {int(player) for player in latest.index[latest == team_id]}


def rotation(minutes: Floats, most: Floats | None = None) -> NDArray[np.int64]:
    """The places of the players expected to play, most projected minutes first.

    `minutes` (players,) are projections of one team's candidates; NaN is never chosen. `most`
    (players,) caps their minutes: where ten cannot fill 240, as many more are expected as can.
    """
    order = np.argsort(-np.nan_to_num(minutes, nan=-1.0), kind="stable")
    order = order[~np.isnan(minutes[order])]
    number = min(ROTATION_PLAYERS, len(order))
    while most is not None and number < len(order) and not _fills_a_game(most[order[:number]]):
        number += 1
    return order[:number]


def _fills_a_game(most: Floats) -> bool:
    """Whether players with these caps can play a team's 240 minutes without hardship."""
    return float(np.minimum(most, _LONG_MINUTES).sum()) >= TEAM_MINUTES


def shared_minutes(minutes: Floats, most: Floats) -> tuple[Floats, float]:
    """A team's 240 minutes on the curve of `fit_minutes`, nobody above his cap; and its exponent.

    `minutes` (players,) are what they would play without a cap, `most` (players,) the caps,
    infinity without one. The minutes add up to less only where the caps leave no more.
    """
    shared = np.minimum(most, GAME_MINUTES).astype(np.float64)
    is_free = np.ones(len(minutes), np.bool_)
    exponent = 1.0
    while is_free.any():
        exponent = fit_minutes(minutes[is_free], TEAM_MINUTES - float(shared[~is_free].sum()))
        curve = fitted_minutes(minutes[is_free], exponent)
        too_long = curve > most[is_free]
        if not too_long.any():
            shared[is_free] = curve
            break
        # Who is at his cap stays there, and what he leaves may bring others to theirs.
        is_free[np.flatnonzero(is_free)[too_long]] = False
    return shared, exponent


def fit_minutes(minutes: Floats, total: float = TEAM_MINUTES) -> float:
    """The exponent a with which 48·(m/48)^a adds up to a team's 240 minutes, or to `total`.

    Any such curve stays within 0..48 minutes, so nothing needs to be capped and redistributed, and
    it takes from (or gives to) the bench before the starters. Five players get 48 minutes each;
    fewer than five cannot fill 240 and get 48 each too.
    """
    low, high = 0.0, _STEEPEST_EXPONENT
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if fitted_minutes(minutes, middle).sum() > total:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def fitted_minutes(minutes: Floats, exponent: float) -> Floats:
    """Minutes on the curve of `fit_minutes`; what is longer than 47.5 counts as 47.5."""
    share = np.clip(minutes / GAME_MINUTES, _SHORTEST_SHARE, _LONGEST_SHARE)
    fitted: Floats = GAME_MINUTES * share**exponent
    return fitted


def exponent_to(minutes: float, fitted: float) -> float:
    """The exponent of the curve of `fit_minutes` that leads from `minutes` to `fitted`."""
    if fitted <= 0.0:
        return inf
    share = min(max(minutes / GAME_MINUTES, _SHORTEST_SHARE), _LONGEST_SHARE)
    return log(fitted / GAME_MINUTES) / log(share)
