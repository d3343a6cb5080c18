"""The live feed's scoreboard: tonight's games and their tip-offs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime

from nba.silver.checks import (
    Found,
    Origin,
    Parts,
    check_game_id,
    check_season,
    check_teams,
    is_all_star,
    is_preseason,
    named_game,
)
from nba.silver.record import Malformed, Record, shown
from nba.silver.rows import ScheduleEntry
from nba.silver.tipoff import status_of, when

__all__ = ["code_date", "read_scoreboard"]


def read_scoreboard(body: object, origin: Origin, teams: Mapping[int, str]) -> Found:
    """Schedule entries; the scores are not final enough to be results.

    Raises Malformed for another shape.
    """
    found, parts = Found(), Parts()
    board = Record.of("The response", body).record("scoreboard")
    for number, value in enumerate(board.entries("games"), start=1):
        game_id = named_game(value)
        with parts.part(f"game {game_id or number}", game_id):
            game = Record.of(f"game {number}", value)
            entry = _entry(game, origin, teams)
            if entry is not None:
                found.schedule.append(entry)
    found.doubts = parts.doubts()
    return found


def _entry(game: Record, origin: Origin, teams: Mapping[int, str]) -> ScheduleEntry | None:
    game_id = game.text("gameId")
    check_game_id(game_id)
    if is_all_star(game_id):
        return None
    # `gameEt` is New York's time with a Z at the end, so it is left alone.
    text = game.text("gameStatusText")
    day, tipoff = when(game.moment("gameTimeUTC"), code_date(game), text)
    home = game.record("homeTeam").identity_or_none("teamId")
    away = game.record("awayTeam").identity_or_none("teamId")
    if is_preseason(game_id) and any(one is not None and one not in teams for one in (home, away)):
        return None
    check_season(game_id, day)
    check_teams(home, away, teams)
    return ScheduleEntry(
        game_id=game_id,
        game_date=day,
        tipoff_utc=tipoff,
        status=status_of(text),
        home_team_id=home,
        away_team_id=away,
        is_neutral=game.flag("isNeutral") if "isNeutral" in game else None,
        label=game.text_or_none("gameLabel") if "gameLabel" in game else None,
        arena=None,
        known_on=origin.known_on,
    )


def code_date(game: Record) -> date:
    """The US Eastern date that a game's code begins with: 20250115/NYKPHI."""
    code = game.text("gameCode")
    try:
        return datetime.strptime(code[:8], "%Y%m%d").date()  # noqa: DTZ007
    except ValueError as error:
        raise Malformed(f"gameCode of {game.name} is {shown(code)}, not a date.") from error
