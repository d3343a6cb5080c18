"""The schedule of a season, as the stats endpoint `scheduleleaguev2` has it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import timedelta

from nba.silver.checks import (
    Doubt,
    Found,
    Impossible,
    Origin,
    Parts,
    check_game_id,
    check_season,
    check_teams,
    is_all_star,
    is_preseason,
    named_game,
)
from nba.silver.record import Record
from nba.silver.rows import GameStatus, ScheduleEntry
from nba.silver.tipoff import status_of, when

__all__ = ["read_schedule"]


def read_schedule(body: object, origin: Origin, teams: Mapping[int, str]) -> Found:
    """Schedule entries; Malformed for another shape.

    Left out are the games of the stars and those of the preseason against teams of other leagues.
    """
    parts = Parts()
    entries: dict[str, list[ScheduleEntry]] = defaultdict(list)
    season = Record.of("The response", body).record("leagueSchedule")
    for number, day in enumerate(season.entries("gameDates"), start=1):
        for value in Record.of(f"date {number}", day).entries("games"):
            game_id = named_game(value)
            place = f"game {game_id or f'on date {number}'}"
            with parts.part(place, game_id):
                entry = _entry(Record.of(place, value), origin, teams)
                if entry is not None:
                    entries[entry.game_id].append(entry)
    found = Found(doubts=parts.doubts())
    for game_id, said in entries.items():
        try:
            found.schedule.append(_one_of(said))
        except Impossible as error:
            found.doubts.append(Doubt(f"game {game_id}", str(error), game_id, said[0].game_date))
    return found


def _entry(game: Record, origin: Origin, teams: Mapping[int, str]) -> ScheduleEntry | None:
    game_id = game.text("gameId")
    check_game_id(game_id)
    if is_all_star(game_id):
        return None
    home = game.record("homeTeam").identity_or_none("teamId")
    away = game.record("awayTeam").identity_or_none("teamId")
    if is_preseason(game_id) and any(one is not None and one not in teams for one in (home, away)):
        return None
    # `gameDateTimeEst` is New York's time with a Z at the end: only its date can be used.
    text = game.text("gameStatusText")
    eastern_date = game.day("gameDateEst")
    day, tipoff = when(game.moment("gameDateTimeUTC"), eastern_date, text)
    if abs(eastern_date - day) > timedelta(days=1):
        raise Impossible(f"It is on {day.isoformat()} and on {eastern_date.isoformat()}.")
    check_season(game_id, day)
    check_teams(home, away, teams)
    is_off = game.text_or_none("postponedStatus") == "Y"
    return ScheduleEntry(
        game_id=game_id,
        game_date=day,
        tipoff_utc=tipoff,
        status=GameStatus.POSTPONED if is_off else status_of(text),
        home_team_id=home,
        away_team_id=away,
        is_neutral=game.flag("isNeutral"),
        label=game.text_or_none("gameLabel"),
        arena=game.text_or_none("arenaName"),
        known_on=origin.known_on,
    )


def _one_of(said: Sequence[ScheduleEntry]) -> ScheduleEntry:
    """A game moved to another date may still stand, postponed, on the old one."""
    on = {entry for entry in said if entry.status is GameStatus.SCHEDULED}
    if len(on) > 1:
        raise Impossible("The game is on the schedule twice.")
    return on.pop() if on else said[-1]
