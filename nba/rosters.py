"""Who is expected to play, and how a team's 240 minutes are shared among them.

For dates before the bundled rosters a team's candidates are the players whose latest game before
the date was for that team, and who appeared in one of its last three games (in one of its last
twenty on the first evening after a summer). From the rosters' day on they are the newest roster, a
player counting for the team for which he has played since; and once three games of the season are
known, of these only who appeared in one of the last three, or has lately come from another team. Of
the candidates
the ten with the most projected minutes are expected to play: on average 10.6 do, and each further
name costs every projection of minutes more than it adds (see `docs/model.md`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
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
    "fit_minutes",
    "fitted_minutes",
    "rotation",
]

Floats = NDArray[np.float64]

ROTATION_PLAYERS: Final = 10
TEAM_MINUTES: Final = 240.0
GAME_MINUTES: Final = 48.0

_RECENT_TEAM_GAMES: Final = 3
_RECENT_TEAM_GAMES_AFTER_A_SUMMER: Final = 20
_SUMMER_DAYS: Final = 60
# A trade is made known some days before the first game for the new team.
_ARRIVAL: Final = timedelta(days=21)
_SHORTEST_SHARE: Final = 1e-3
# The curve is fixed at a whole game, so the longest projections start just below it.
_LONGEST_SHARE: Final = 0.99
_STEEPEST_EXPONENT: Final = 200.0


def candidates(
    reference: Reference,
    team_id: int,
    slate_date: date,
    availability: Mapping[int, Availability],
) -> pd.DataFrame:
    """Who may play for a team on a date: player_id, player_name, position, by player_id.

    Nothing from that date or after it is looked at but for `availability`, by player id.
    """
    if slate_date < ROSTERS_AS_OF:
        players = _recent_players(reference, team_id, slate_date)
    else:
        players = _listed_players(reference, team_id, slate_date, availability)
    unexpected = {one for one, word in availability.items() if not is_expected(word)}
    expected = players[~players["player_id"].isin(unexpected)]
    return expected[["player_id", "player_name", "position"]].reset_index(drop=True)


def _listed_players(
    reference: Reference,
    team_id: int,
    slate_date: date,
    availability: Mapping[int, Availability],
) -> pd.DataFrame:
    roster = reference.roster(team_id, slate_date)
    season_begin = date(int(season_of(slate_date)[:4]), 8, 1)
    if reference.games_played(team_id, season_begin, slate_date) >= _RECENT_TEAM_GAMES:
        recent = reference.recent_players(team_id, slate_date, _RECENT_TEAM_GAMES)
        arrived = (
            roster["latest_game"].notna()
            & (roster["latest_team_id"] != team_id)
            & (roster["latest_game"] >= (slate_date - _ARRIVAL).isoformat())
        )
        seen = {*recent["player_id"], *availability}
        roster = roster[roster["player_id"].isin(seen) | arrived]
    return roster


def _recent_players(reference: Reference, team_id: int, slate_date: date) -> pd.DataFrame:
    latest = reference.latest_team_game(team_id, slate_date)
    if latest is None:
        return reference.recent_players(team_id, slate_date, 0)
    rested = (slate_date - latest).days >= _SUMMER_DAYS
    window = _RECENT_TEAM_GAMES_AFTER_A_SUMMER if rested else _RECENT_TEAM_GAMES
    return reference.recent_players(team_id, slate_date, window)


def rotation(minutes: Floats) -> NDArray[np.int64]:
    """The places of the players expected to play, most projected minutes first.

    `minutes` (players,) are projections of one team's candidates; NaN is never chosen.
    """
    order = np.argsort(-np.nan_to_num(minutes, nan=-1.0), kind="stable")
    return order[~np.isnan(minutes[order])][:ROTATION_PLAYERS]


def fit_minutes(minutes: Floats, total: float = TEAM_MINUTES) -> float:
    """The exponent a with which 48·(m/48)^a adds up to a team's 240 minutes, or to `total`.

    Any such curve stays within 0..48 minutes, so nothing needs to be capped and redistributed, and
    it takes from (or gives to) the bench before the starters. Five players get 48 minutes each;
    fewer than five cannot fill 240 and get 48 each too.
    """
    low, high = 0.0, _STEEPEST_EXPONENT
    for _ in range(100):
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
