"""Small data folders in the layout of `data/`, for tests that change what is in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

DATA = Path(__file__).parent.parent / "data"
HOME, AWAY = 1610612738, 1610612752
TEAMS = {HOME: "BOS", AWAY: "NYK"}

Rows = Sequence[Mapping[str, Any]]


def write_bundle(folder: Path, **tables: Rows) -> Path:
    """A data folder with the given rows; columns that a row does not name are null or zero."""
    folder.mkdir(parents=True, exist_ok=True)
    for source in sorted(DATA.glob("*.parquet")):
        schema = pq.read_schema(source)
        rows = tables.get(source.stem, [])
        columns = [
            pa.array([row.get(field.name, _blank(field)) for row in rows], field.type)
            for field in schema
        ]
        pq.write_table(pa.Table.from_arrays(columns, schema=schema), folder / source.name)
    return folder


def small_bundle(folder: Path, player_games: Rows = (), games: Rows = ()) -> Path:
    """Two teams, the players of `player_games`, and those games."""
    people = {int(row["player_id"]): row.get("position", "G") for row in player_games}
    return write_bundle(
        folder,
        teams=[{"team_id": key, "team": name, "team_name": name} for key, name in TEAMS.items()],
        players=[
            {"player_id": key, "player_name": f"Player {key}", "position": position}
            for key, position in people.items()
        ],
        player_games=player_games,
        games=games,
    )


def played(
    player_id: int, day: date, game_id: str, team_id: int = HOME, **stats: int
) -> dict[str, Any]:
    """One box score row; stats by the bundle's names (pts, reb, ast, fg3m, minutes)."""
    return {
        "season": "2023-24",
        "season_type": "regular",
        "game_date": day,
        "game_id": game_id,
        "player_id": player_id,
        "team_id": team_id,
        "opponent_id": AWAY if team_id == HOME else HOME,
        "is_home": team_id == HOME,
        "fg3m": 0,
        **stats,
    }


def final_score(
    game_id: str, day: date, home_points: int, away_points: int, season: str = "2023-24"
) -> dict[str, Any]:
    """One game of Boston at home against New York."""
    return {
        "game_id": game_id,
        "season": season,
        "season_type": "regular",
        "game_date": day,
        "home_team_id": HOME,
        "home_team": "BOS",
        "away_team_id": AWAY,
        "away_team": "NYK",
        "home_points": home_points,
        "away_points": away_points,
        "home_win": home_points > away_points,
    }


def _blank(field: pa.Field) -> Any:
    nullable = {"home_team_id", "away_team_id", "fg3m", "started", "overtime"}
    if field.name in nullable:
        return None
    if pa.types.is_integer(field.type):
        return 0
    if pa.types.is_boolean(field.type):
        return False
    return None
