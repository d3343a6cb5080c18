"""Rows of silver for small evenings and whole seasons, as if responses had brought them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow.parquet as pq

from nba.seasons import slate_date_of
from nba.silver import (
    Game,
    GameStatus,
    PlayerGame,
    Problem,
    RosterEntry,
    ScheduleEntry,
    Silver,
)
from tests.nba_bundle import DATA
from tests.slates import BOS_NYK, BRUNSON, NEWCOMER, TATUM, TEAMS, TIPOFF, TONIGHT

__all__ = [
    "AFTER",
    "LATER",
    "OTHER_STATS",
    "bundled_schedule",
    "doubt",
    "entry",
    "evening",
    "final",
    "line",
    "lines",
    "listed",
    "season_silver",
]

AFTER = TIPOFF + timedelta(hours=12)
"""The morning after tonight's games."""
LATER = AFTER + timedelta(days=2)
OTHER_STATS = ("oreb", "dreb", "stl", "blk", "tov", "pf", "fgm", "fga", "fg3a", "ftm", "fta")


def line(
    player_id: int = TATUM,
    points: int = 31,
    at: datetime = AFTER,
    *,
    game_id: str = BOS_NYK,
    team: str = "BOS",
    day: date = TONIGHT,
    **values: Any,
) -> PlayerGame:
    """A box score row of tonight's first game, as a response of that moment gives it."""
    usual = PlayerGame(
        game_id=game_id,
        player_id=player_id,
        player_name=f"Player {player_id}",
        game_date=day,
        team_id=TEAMS[team],
        minutes=36,
        points=points,
        rebounds=8,
        assists=5,
        threes=3,
        started=True,
        **dict.fromkeys(OTHER_STATS, 2),
        plus_minus=7,
        known_on=slate_date_of(at),
        retrieved_at=at,
        source="nba-live",
    )
    return replace(usual, **values)


def final(
    game_id: str = BOS_NYK, score: tuple[int, int] = (111, 104), at: datetime = AFTER, **values: Any
) -> Game:
    usual = Game(
        game_id=game_id,
        game_date=TONIGHT,
        home_team_id=TEAMS["BOS"],
        away_team_id=TEAMS["NYK"],
        home_points=score[0],
        away_points=score[1],
        known_on=slate_date_of(at),
        retrieved_at=at,
        source="nba-live",
    )
    return replace(usual, **values)


def entry(**values: Any) -> ScheduleEntry:
    """Tonight's first game as the league schedules it, and as the small reference has it."""
    usual = ScheduleEntry(
        game_id=BOS_NYK,
        game_date=TONIGHT,
        tipoff_utc=TIPOFF,
        status=GameStatus.SCHEDULED,
        home_team_id=TEAMS["BOS"],
        away_team_id=TEAMS["NYK"],
        is_neutral=False,
        label="",
        arena="",
        known_on=TONIGHT,
    )
    return replace(usual, **values)


def listed(player_id: int, team: str | None, day: date = TONIGHT) -> RosterEntry:
    team_id = None if team is None else TEAMS[team]
    return RosterEntry(player_id, f"Player {player_id}", "G", team_id, day)


def doubt(place: str = "game 1", sha256: str = "a" * 64) -> Problem:
    return Problem(
        sha256=sha256,
        place=place,
        source="nba-live",
        endpoint="box_score",
        parameters=f"game_id={BOS_NYK}",
        reason="Points are not what the shots give.",
        game_id=BOS_NYK,
        game_date=TONIGHT,
        known_on=TONIGHT,
    )


def evening(at: datetime = AFTER) -> Silver:
    """Something for every table."""
    return Silver(
        schedule=(entry(tipoff_utc=TIPOFF + timedelta(minutes=30)),),
        games=(final(at=at),),
        player_games=(line(TATUM, at=at), line(NEWCOMER, 4, at, started=False)),
        rosters=(listed(BRUNSON, "LAL"),),
        problems=(doubt(),),
    )


def lines(*rows: PlayerGame) -> Silver:
    return Silver(player_games=rows)


def season_silver(season: str, at: datetime) -> Silver:
    """A bundled season as if a game log had brought it at that moment."""
    known: dict[str, Any] = {
        "known_on": slate_date_of(at),
        "retrieved_at": at,
        "source": "nba-stats",
    }
    same = ("game_id", "player_id", "player_name", "game_date", "team_id", "minutes")
    table = pq.read_table(DATA / "player_games.parquet", filters=[("season", "=", season)])
    player_games = [
        PlayerGame(
            **{name: row[name] for name in same},
            **{name: row[name] for name in (*OTHER_STATS, "plus_minus")},
            points=row["pts"],
            rebounds=row["reb"],
            assists=row["ast"],
            threes=row["fg3m"],
            started=None,
            **known,
        )
        for row in table.to_pylist()
    ]
    names = ("game_id", "game_date", "home_team_id", "away_team_id", "home_points", "away_points")
    table = pq.read_table(DATA / "games.parquet", filters=[("season", "=", season)])
    games = [Game(**{name: row[name] for name in names}, **known) for row in table.to_pylist()]
    return Silver(games=tuple(games), player_games=tuple(player_games))


def bundled_schedule() -> tuple[ScheduleEntry, ...]:
    """The bundled schedule of decided games, as if the league had said it again."""
    names = ("game_id", "game_date", "home_team_id", "away_team_id", "is_neutral", "label", "arena")
    return tuple(
        ScheduleEntry(
            **{name: row[name] for name in names},
            tipoff_utc=row["tipoff_utc"].astimezone(UTC),
            status=GameStatus.SCHEDULED,
            known_on=TONIGHT,
        )
        for row in pq.read_table(DATA / "schedule_2026_27.parquet").to_pylist()
        if row["home_team_id"] is not None and row["away_team_id"] is not None
    )
