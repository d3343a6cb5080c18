"""Logged predictions as people read them, one row each."""

from __future__ import annotations

from typing import Final
from zoneinfo import ZoneInfo

import pandas as pd

from ui.tables import STAT_LABELS

__all__ = ["history_table"]

_SHOWN: Final = {
    "slate_date": "Date",
    "player_name": "Player",
    "team": "Team",
    "opponent": "Against",
    "stat": "Stat",
    "mean": "Projected",
    "floor": "Floor",
    "ceiling": "Ceiling",
    "actual": "Actual",
    "in_track_record": "Counts",
    "saved": "Saved",
    "logged_at": "Logged",
    "model_version": "Model",
}


def history_table(frame: pd.DataFrame, zone: ZoneInfo) -> pd.DataFrame:
    """Some columns of HISTORY_COLUMNS under their headings; Logged is a text in `zone`."""
    table = frame[list(_SHOWN)].rename(columns=_SHOWN)
    table["Stat"] = table["Stat"].map(STAT_LABELS)
    logged = pd.to_datetime(table["Logged"], utc=True).dt.tz_convert(zone)
    table["Logged"] = logged.dt.strftime("%Y-%m-%d %H:%M %Z")
    return table
