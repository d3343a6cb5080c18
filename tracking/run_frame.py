"""What one run said, as a table: the readable copy of it."""

from __future__ import annotations

from typing import Final

import apsw
import pandas as pd

from tracking.frames import frame_of
from tracking.history import name_of_player
from tracking.history_choice import STAT_ORDER
from tracking.runs import LOGGED_AT

__all__ = ["RUN_COLUMNS", "run_frame"]

RUN_COLUMNS: Final = (
    "run_id",
    "slate_date",
    "model_version",
    "origin",
    "data_as_of",
    "logged_at",
    "time_verified",
    "revision",
    "source",
    "game_id",
    "game_date",
    "tipoff_utc",
    "home_team_id",
    "home_team",
    "away_team_id",
    "away_team",
    "home_win_probability",
    "elo_home_win_probability",
    "home_points",
    "away_points",
    "player_id",
    "player_name",
    "team_id",
    "stat",
    "mean",
    "median",
    "floor",
    "ceiling",
    "from_prior",
)
"""The columns of `run_frame`, in order."""


def run_frame(connection: apsw.Connection, run_id: str, *, has_reference: bool) -> pd.DataFrame:
    """Everything a run said: one row per prediction, and one per game without any.

    Neither results nor when it was saved are in it; names are as the newest bundle spells them.
    """
    sql = f"""
    SELECT r.run_id, r.slate_date, r.model_version, r.origin, r.data_as_of, {LOGGED_AT},
      r.time_verified, r.revision, r.source, g.game_id, g.game_date, g.tipoff_utc, g.home_team_id,
      g.home_team, g.away_team_id, g.away_team, g.home_win_probability,
      g.elo_home_win_probability, g.home_points, g.away_points, p.player_id,
      CASE WHEN p.player_id IS NOT NULL THEN {name_of_player(has_reference=has_reference)} END,
      p.team_id, p.stat, p.mean, p.median, p.floor, p.ceiling, p.from_prior
    FROM main.runs AS r
    JOIN main.game_predictions AS g ON g.run_id = r.run_id
    LEFT JOIN main.predictions AS p ON p.run_id = g.run_id AND p.game_id = g.game_id
    WHERE r.run_id = ?
    ORDER BY g.game_id, p.player_id, {STAT_ORDER}
    """
    frame = frame_of(
        connection.execute(sql, (run_id,)),
        RUN_COLUMNS,
        dates=("slate_date", "data_as_of", "game_date"),
        moments=("logged_at", "tipoff_utc"),
        flags=("time_verified", "revision"),
        numbers=(
            *("home_win_probability", "elo_home_win_probability", "home_points", "away_points"),
            *("mean", "median", "floor", "ceiling"),
        ),
    )
    for name in ("home_team_id", "away_team_id", "player_id", "team_id"):
        frame[name] = frame[name].astype("Int64")
    frame["from_prior"] = frame["from_prior"].astype("boolean")
    return frame
