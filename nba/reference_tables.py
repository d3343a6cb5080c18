"""The tables of the reference file, and which Parquet column goes where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from nba.stats import BUNDLE_COLUMNS, STATS

__all__ = [
    "DATE_COLUMNS",
    "FINISHING_SQL",
    "INFO_SQL",
    "OPTIONAL_TABLES",
    "SCHEMA_VERSION",
    "TABLES",
    "ReferenceTable",
]

SCHEMA_VERSION: Final = 3
"""Raised with every change to the tables; a file of another version is built anew."""

OPTIONAL_TABLES: Final = ("schedule", "absences")
"""What a folder of games may lack: the app needs it, training and measuring do not."""

DATE_COLUMNS: Final = frozenset({"game_date", "birth_date", "first_game", "last_game"})
"""The columns of Parquet files that hold dates, of whatever type."""


@dataclass(frozen=True, slots=True)
class ReferenceTable:
    """One table: the Parquet files it comes from (a glob) and (target, source) column pairs."""

    name: str
    files: str
    declaration: str
    columns: tuple[tuple[str, str], ...]


def _same(*names: str) -> tuple[tuple[str, str], ...]:
    return tuple((name, name) for name in names)


TABLES: Final = (
    ReferenceTable(
        "teams",
        "teams.parquet",
        "team_id INTEGER PRIMARY KEY, team TEXT NOT NULL, team_name TEXT NOT NULL",
        _same("team_id", "team", "team_name"),
    ),
    ReferenceTable(
        "players",
        "players.parquet",
        "player_id INTEGER PRIMARY KEY, player_name TEXT NOT NULL, position TEXT, height_in REAL,"
        " birth_date TEXT, first_game TEXT, last_game TEXT, games INTEGER, last_team TEXT,"
        " roster_team TEXT",
        (
            *_same("player_id", "player_name", "position", "height_in", "birth_date"),
            *_same("first_game", "last_game", "games", "last_team"),
            ("roster_team", "roster_team_2026_08"),
        ),
    ),
    ReferenceTable(
        "games",
        "games.parquet",
        "game_id TEXT PRIMARY KEY, season TEXT NOT NULL, season_type TEXT NOT NULL,"
        " game_date TEXT NOT NULL, home_team_id INTEGER NOT NULL, home_team TEXT NOT NULL,"
        " away_team_id INTEGER NOT NULL, away_team TEXT NOT NULL, home_points INTEGER NOT NULL,"
        " away_points INTEGER NOT NULL, home_win INTEGER NOT NULL, is_neutral INTEGER NOT NULL,"
        " overtime INTEGER",
        (
            *_same("game_id", "season", "season_type", "game_date", "home_team_id", "home_team"),
            *_same("away_team_id", "away_team", "home_points", "away_points", "home_win"),
            *_same("is_neutral", "overtime"),
        ),
    ),
    ReferenceTable(
        "player_games",
        "player_games.parquet",
        "player_id INTEGER NOT NULL, game_date TEXT NOT NULL, game_id TEXT NOT NULL,"
        " season TEXT NOT NULL, season_type TEXT NOT NULL, team_id INTEGER NOT NULL,"
        " opponent_id INTEGER NOT NULL, is_home INTEGER NOT NULL, won INTEGER NOT NULL,"
        " started INTEGER, minutes INTEGER, points INTEGER NOT NULL,"
        " rebounds INTEGER NOT NULL, assists INTEGER NOT NULL, threes INTEGER, oreb INTEGER,"
        " dreb INTEGER, stl INTEGER, blk INTEGER, tov INTEGER, pf INTEGER, fgm INTEGER,"
        " fga INTEGER, fg3a INTEGER, ftm INTEGER, fta INTEGER, plus_minus INTEGER,"
        " PRIMARY KEY (player_id, game_date, game_id)",
        (
            *_same("player_id", "game_date", "game_id", "season", "season_type", "team_id"),
            *_same("opponent_id", "is_home", "won", "started"),
            *((stat, BUNDLE_COLUMNS[stat]) for stat in STATS),
            *_same("oreb", "dreb", "stl", "blk", "tov", "pf", "fgm", "fga", "fg3a", "ftm", "fta"),
            *_same("plus_minus"),
        ),
    ),
    ReferenceTable(
        "schedule",
        "schedule_*.parquet",
        "game_id TEXT PRIMARY KEY, season TEXT NOT NULL, season_type TEXT NOT NULL,"
        " game_date TEXT NOT NULL, tipoff_utc TEXT, home_team_id INTEGER, home_team TEXT,"
        " away_team_id INTEGER, away_team TEXT, is_neutral INTEGER NOT NULL, label TEXT,"
        " arena TEXT",
        (
            *_same("game_id", "season", "season_type", "game_date", "tipoff_utc", "home_team_id"),
            *_same("home_team", "away_team_id", "away_team", "is_neutral", "label", "arena"),
        ),
    ),
    ReferenceTable(
        "absences",
        "player_absences.parquet",
        "game_id TEXT NOT NULL, player_id INTEGER NOT NULL, game_date TEXT NOT NULL,"
        " team_id INTEGER NOT NULL, status TEXT NOT NULL, PRIMARY KEY (game_id, player_id)",
        _same("game_id", "player_id", "game_date", "team_id", "status"),
    ),
)

INFO_SQL: Final = (
    "CREATE TABLE reference_info (schema_version INTEGER NOT NULL, content_hash TEXT NOT NULL,"
    " data_as_of TEXT NOT NULL)"
)

FINISHING_SQL: Final = (
    # The league publishes midnight as the tip-off of games whose teams it has not decided.
    "UPDATE schedule SET tipoff_utc = NULL WHERE home_team_id IS NULL OR away_team_id IS NULL",
    "CREATE INDEX games_by_date ON games (game_date)",
    "CREATE INDEX schedule_by_date ON schedule (game_date)",
    "CREATE INDEX player_games_by_game ON player_games (game_id, player_id)",
    "CREATE INDEX player_games_by_date ON player_games (game_date, team_id)",
    "ANALYZE",
)
"""What makes a whole reference of the filled tables, in order."""
