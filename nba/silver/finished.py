"""Finished games: whether a player's numbers can be, and whether a game is there as a whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final

from nba.silver.checks import Impossible, Origin
from nba.silver.record import shown
from nba.silver.rows import Game, PlayerGame

__all__ = ["final_game", "player_game"]

_LARGEST: Final = 120
_MOST_MINUTES: Final = 70
_FEWEST_PLAYERS: Final = 5
# Five players times 48 minutes, less what rounding each to whole minutes can take away.
_FEWEST_TEAM_MINUTES: Final = 230
_PARTS: Final = (("fgm", "fga"), ("threes", "fg3a"), ("ftm", "fta"), ("threes", "fgm"))


def player_game(
    origin: Origin,
    game_id: str,
    game_date: date,
    team_id: int,
    player: tuple[int, str],
    counts: Mapping[str, int],
    started: bool | None,
) -> PlayerGame:
    """A player's row of the numbers in `counts` (all of a row's, by its names), as they can be.

    `player` is his id and name. Raises Impossible.
    """
    player_id, name = player
    row = PlayerGame(
        game_id=game_id,
        player_id=player_id,
        player_name=name,
        game_date=game_date,
        team_id=team_id,
        started=started,
        known_on=origin.known_on,
        retrieved_at=origin.retrieved_at,
        source=origin.source,
        **counts,
    )
    _check_counts(name or str(player_id), counts)
    return row


def final_game(
    origin: Origin,
    game_id: str,
    game_date: date,
    home_team_id: int,
    away_team_id: int,
    rows: Sequence[PlayerGame],
) -> Game:
    """The final score that the players' points make; Impossible for half a game."""
    seen: set[int] = set()
    for row in rows:
        if row.player_id in seen:
            raise Impossible(f"{row.player_name} is there twice.")
        seen.add(row.player_id)
    points = []
    for team_id in (home_team_id, away_team_id):
        own = [row for row in rows if row.team_id == team_id]
        minutes = sum(row.minutes for row in own)
        if len(own) < _FEWEST_PLAYERS:
            raise Impossible(f"Team {team_id} has {len(own)} players: the game is not complete.")
        if minutes < _FEWEST_TEAM_MINUTES:
            raise Impossible(f"Team {team_id} has {minutes} minutes: the game is not complete.")
        points.append(sum(row.points for row in own))
    home_points, away_points = points
    if home_points == away_points:
        raise Impossible(f"The final score is a tie at {home_points}.")
    return Game(
        game_id=game_id,
        game_date=game_date,
        home_team_id=home_team_id,
        away_team_id=away_team_id,
        home_points=home_points,
        away_points=away_points,
        known_on=origin.known_on,
        retrieved_at=origin.retrieved_at,
        source=origin.source,
    )


def _check_counts(name: str, counts: Mapping[str, int]) -> None:
    for stat, number in counts.items():
        least = -_LARGEST if stat == "plus_minus" else 0
        most = _MOST_MINUTES if stat == "minutes" else _LARGEST
        if not least <= number <= most:
            raise Impossible(f"{name} has {shown(number)} {stat}.")
    for made, attempted in _PARTS:
        if counts[made] > counts[attempted]:
            raise Impossible(f"{name} has more {made} than {attempted}.")
    if counts["rebounds"] != counts["oreb"] + counts["dreb"]:
        raise Impossible(f"{name} has {counts['rebounds']} rebounds, other than both kinds make.")
    points = 2 * counts["fgm"] + counts["threes"] + counts["ftm"]
    if counts["points"] != points:
        raise Impossible(f"{name} has {counts['points']} points, but his shots make {points}.")
