"""The players' game log of a season or of some dates, as the stats endpoint has it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final

from nba.silver.checks import (
    Found,
    Impossible,
    Origin,
    Parts,
    check_game_id,
    check_season,
    check_teams,
    is_all_star,
    is_game_id,
    is_preseason,
)
from nba.silver.finished import final_game, player_game
from nba.silver.record import Record, shown
from nba.silver.rows import Game, PlayerGame
from nba.silver.table import rows_of

__all__ = ["read_game_log"]

_TABLE: Final = "LeagueGameLog"
_COUNTS: Final = {
    "points": "PTS",
    "rebounds": "REB",
    "assists": "AST",
    "threes": "FG3M",
    "minutes": "MIN",
    "oreb": "OREB",
    "dreb": "DREB",
    "stl": "STL",
    "blk": "BLK",
    "tov": "TOV",
    "pf": "PF",
    "fgm": "FGM",
    "fga": "FGA",
    "fg3a": "FG3A",
    "ftm": "FTM",
    "fta": "FTA",
    "plus_minus": "PLUS_MINUS",
}
_COLUMNS: Final = (
    *("PLAYER_ID", "PLAYER_NAME", "TEAM_ID", "GAME_ID", "GAME_DATE", "MATCHUP", "WL"),
    *_COUNTS.values(),
)
_HOME, _AWAY = " vs. ", " @ "


def read_game_log(body: object, origin: Origin, teams: Mapping[int, str]) -> Found:
    """Final scores, and everyone who played, of the games that are there as a whole.

    Raises Malformed for another shape.
    """
    by_game: dict[str, list[Record]] = defaultdict(list)
    for row in rows_of(body, _TABLE, _COLUMNS):
        by_game[row.text("GAME_ID")].append(row)
    found, parts = Found(), Parts()
    for game_id, rows in by_game.items():
        if is_preseason(game_id) or is_all_star(game_id):
            continue
        known_id = game_id if is_game_id(game_id) else None
        place = f"game {known_id or shown(game_id)}"
        with parts.part(place, known_id, rows[0].day_or_none("GAME_DATE")):
            check_game_id(game_id)
            day = rows[0].day("GAME_DATE")
            check_season(game_id, day)
            final, players = _finished(game_id, day, rows, origin, teams)
            found.games.append(final)
            found.player_games.extend(players)
    found.doubts = parts.doubts()
    return found


def _finished(
    game_id: str, day: date, rows: Sequence[Record], origin: Origin, teams: Mapping[int, str]
) -> tuple[Game, list[PlayerGame]]:
    sides: dict[str, set[int]] = {_HOME: set(), _AWAY: set()}
    claims: set[tuple[int, str]] = set()
    players = []
    for row in rows:
        if row.day("GAME_DATE") != day:
            raise Impossible("Its players have different dates.")
        team_id = row.identity("TEAM_ID")
        sides[_side(row)].add(team_id)
        claims.add((team_id, row.text_or_none("WL")))
        counts = {ours: row.whole(theirs) for ours, theirs in _COUNTS.items()}
        who = row.identity("PLAYER_ID"), row.text("PLAYER_NAME")
        players.append(player_game(origin, game_id, day, team_id, who, counts, None))
    home, away = (sorted(sides[side]) for side in (_HOME, _AWAY))
    if len(home) != 1 or len(away) != 1:
        raise Impossible(
            f"It takes one team at home and one away, not {len(home)} and {len(away)}."
        )
    check_teams(home[0], away[0], teams)
    final = final_game(origin, game_id, day, home[0], away[0], players)
    home_won = final.home_points > final.away_points
    if claims != {(home[0], "W" if home_won else "L"), (away[0], "L" if home_won else "W")}:
        raise Impossible(
            f"The players' points make {final.home_points} to {final.away_points}, and the column"
            " WL says otherwise or nothing: the game is not complete."
        )
    return final, players


def _side(row: Record) -> str:
    matchup = row.text("MATCHUP")
    for side in (_HOME, _AWAY):
        if side in matchup:
            return side
    raise Impossible(f"{shown(matchup)} says neither home nor away.")
