"""The live feed's box score of one game."""

from __future__ import annotations

import re
from collections.abc import Mapping
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
    is_preseason,
)
from nba.silver.finished import final_game, player_game
from nba.silver.record import Malformed, Record, shown
from nba.silver.rows import Game, PlayerGame
from nba.silver.scoreboard import code_date
from nba.silver.tipoff import when

__all__ = ["read_box_score"]

_FINAL: Final = 3
_DURATION: Final = re.compile(r"PT(\d{1,3})M(\d{1,2})(?:\.(\d{1,3}))?S", re.ASCII)
_COUNTS: Final = {
    "points": "points",
    "rebounds": "reboundsTotal",
    "assists": "assists",
    "threes": "threePointersMade",
    "oreb": "reboundsOffensive",
    "dreb": "reboundsDefensive",
    "stl": "steals",
    "blk": "blocks",
    "tov": "turnovers",
    "pf": "foulsPersonal",
    "fgm": "fieldGoalsMade",
    "fga": "fieldGoalsAttempted",
    "fg3a": "threePointersAttempted",
    "ftm": "freeThrowsMade",
    "fta": "freeThrowsAttempted",
    "plus_minus": "plusMinusPoints",
}


def read_box_score(body: object, origin: Origin, teams: Mapping[int, str], asked: str) -> Found:
    """The final score and everyone who played in game `asked`; nothing before the final buzzer.

    Raises Malformed for another shape.
    """
    game = Record.of("The response", body).record("game")
    game_id = game.text("gameId")
    found, parts = Found(), Parts()
    if is_preseason(game_id) or is_all_star(game_id) or game.whole("gameStatus") != _FINAL:
        return found
    with parts.part(f"game {asked}", asked, code_date(game)):
        if game_id != asked:
            raise Impossible(f"Asked for game {shown(asked)}, told of {shown(game_id)}.")
        check_game_id(game_id)
        day, _ = when(game.moment("gameTimeUTC"), code_date(game), game.text("gameStatusText"))
        check_season(game_id, day)
        final, rows = _finished(game, day, origin, teams)
        found.games.append(final)
        found.player_games.extend(rows)
    found.doubts = parts.doubts()
    return found


def _finished(
    game: Record, day: date, origin: Origin, teams: Mapping[int, str]
) -> tuple[Game, list[PlayerGame]]:
    home, away = game.record("homeTeam"), game.record("awayTeam")
    home_id, away_id = home.identity("teamId"), away.identity("teamId")
    check_teams(home_id, away_id, teams)
    game_id = game.text("gameId")
    rows = []
    for team, team_id in ((home, home_id), (away, away_id)):
        for value in team.entries("players"):
            row = _player_game(Record.of("a player", value), game_id, day, team_id, origin)
            if row is not None:
                rows.append(row)
    final = final_game(origin, game_id, day, home_id, away_id, rows)
    scores = home.whole("score"), away.whole("score")
    if scores != (final.home_points, final.away_points):
        raise Impossible(
            f"The score is {shown(scores[0])} to {shown(scores[1])}, but the players' points make"
            f" {final.home_points} to {final.away_points}."
        )
    return final, rows


def _player_game(
    player: Record, game_id: str, day: date, team_id: int, origin: Origin
) -> PlayerGame | None:
    """None for who did not play."""
    if not player.digit("played"):
        return None
    who = player.identity("personId"), player.text("name")
    said = Record.of(f"statistics of {who[1]}", player.value("statistics"))
    counts = {ours: said.whole(theirs) for ours, theirs in _COUNTS.items()}
    milliseconds = _milliseconds(said)
    if milliseconds == 0 and not any(counts.values()):
        return None
    # Half a minute and more is a whole one: so the league's own tables have it.
    counts["minutes"] = (milliseconds + 30_000) // 60_000
    return player_game(origin, game_id, day, team_id, who, counts, player.digit("starter"))


def _milliseconds(statistics: Record) -> int:
    """Playing time: PT25M01.00S."""
    text = statistics.text("minutes")
    match = _DURATION.fullmatch(text)
    if match is None:
        raise Malformed(f"minutes of {statistics.name} is {shown(text)}, not a playing time.")
    minutes, seconds, fraction = match.groups()
    return int(minutes) * 60_000 + int(seconds) * 1_000 + int(f"{fraction or 0:0<3}")
