"""What was logged of one player, game by game."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import Final

import pandas as pd

from nba.stats import STATS
from tracking.errors import OriginMismatch
from tracking.frames import frame_of
from tracking.history import actual_value
from tracking.runs import (
    CURRENT_RUNS,
    LAST_REPLAYS,
    LOGGED_AT,
    SEQUENCE,
    STORED_AT,
    TRACK_RECORD,
    Origin,
)

__all__ = [
    "PLAYER_COLUMNS",
    "Query",
    "learned_scores",
    "learned_teams",
    "player_predictions",
]

Query = Callable[[str, Sequence[str | int | float | None]], pd.DataFrame]
"""Runs one reading statement with its bindings on the state, as `PredictionLog.query` does."""

PLAYER_COLUMNS: Final = (
    "game_id",
    "slate_date",
    "tipoff_utc",
    "team",
    "opponent",
    "is_home",
    "stat",
    "mean",
    "median",
    "floor",
    "ceiling",
    "learned",
    "counted",
    "model_version",
    "logged_at",
    "stored_at",
    "sequence",
)
"""The columns of `player_predictions`, in order."""

_ROSTERS: Final = """
SELECT player_id, team_id, max(known_on) AS since FROM main.rosters WHERE known_on <= ?1
GROUP BY player_id
"""
_APPEARANCES: Final = """
SELECT player_id, team_id, max(game_date) AS since FROM main.player_games
WHERE team_id IS NOT NULL AND game_date < ?1
GROUP BY player_id
"""

# What counts, and beside it what the newest run says of games of which nothing counts.
_LIVE: Final = f"""{CURRENT_RUNS}, {TRACK_RECORD}, chosen AS (
  SELECT run_id, game_id, 1 AS counted FROM track_record
  UNION ALL
  SELECT c.run_id, g.game_id, 0 FROM current_runs AS c
  CROSS JOIN main.game_predictions AS g ON g.run_id = c.run_id
  WHERE c.origin = 'live' AND g.game_id NOT IN (SELECT game_id FROM track_record)
)"""
_REPLAY: Final = f"""{LAST_REPLAYS}, chosen AS (
  SELECT run_id, game_id, 1 AS counted FROM last_replays
)"""


def player_predictions(query: Query, player_id: int, origin: Origin) -> pd.DataFrame:
    """One row per game and stat, of one run a game, newest slate first: PLAYER_COLUMNS.

    Live has for each game the run that counts in the track record, and for a game in which none
    does the newest one, with `counted` False. A replay has the last one of each game, all counted.
    Origins are never mixed (OriginMismatch for a backtest, which is not in the log).

    `slate_date` is the US Eastern date for which it was logged, `tipoff_utc` and the two moments
    are UTC timestamps. `learned` is what happened as far as the state has learned it: bundled
    seasons are not in it. `stored_at` and `sequence` are empty while the run is pending, and a
    `sequence` of 0 is that of an earlier log. Numbers are in the stat's own unit.
    """
    if origin is Origin.BACKTEST:
        raise OriginMismatch(
            "reading a player's projections",
            origin.value,
            "a backtest never enters the log",
            "Ask for live or replay.",
        )
    # A player has few rows among many runs: they are found first, and what belongs to them then.
    sql = f"""
    WITH {_LIVE if origin is Origin.LIVE else _REPLAY}
    SELECT k.game_id, r.slate_date, g.tipoff_utc,
      CASE p.team_id WHEN g.home_team_id THEN g.home_team WHEN g.away_team_id THEN g.away_team END,
      CASE p.team_id WHEN g.home_team_id THEN g.away_team WHEN g.away_team_id THEN g.home_team END,
      coalesce(p.team_id = g.home_team_id, 0), p.stat, p.mean, p.median, p.floor, p.ceiling,
      {actual_value("p.stat", has_reference=False)}, k.counted, r.model_version,
      {LOGGED_AT}, {STORED_AT}, {SEQUENCE}
    FROM chosen AS k
    CROSS JOIN main.predictions AS p
      ON p.run_id = k.run_id AND p.game_id = k.game_id AND p.player_id = ?1
    CROSS JOIN main.runs AS r ON r.run_id = k.run_id
    CROSS JOIN main.game_predictions AS g ON g.run_id = k.run_id AND g.game_id = k.game_id
    LEFT JOIN main.player_games AS s ON s.game_id = p.game_id AND s.player_id = p.player_id
    """
    found = query(sql, (player_id,))
    frame = frame_of(
        found.itertuples(index=False, name=None),
        PLAYER_COLUMNS,
        dates=("slate_date",),
        moments=("tipoff_utc", "logged_at", "stored_at"),
        flags=("is_home", "counted"),
        numbers=("mean", "median", "floor", "ceiling", "learned", "sequence"),
    )
    order = {stat: place for place, stat in enumerate(STATS)}
    frame = frame.assign(place=frame["stat"].map(order))
    frame = frame.sort_values(
        ["slate_date", "game_id", "place"], ascending=[False, True, True], kind="stable"
    )
    # A game that was moved is on two slates: the newer one holds.
    frame = frame.drop_duplicates(["game_id", "stat"]).drop(columns="place")
    return frame.reset_index(drop=True)


def learned_teams(query: Query, on: date, listed_on: date) -> dict[int, int | None]:
    """Whose player somebody is on a US Eastern date, by ids, as far as the state has learned it.

    The newest roster decides, or the team for which he has played since. What is older than
    `listed_on`, the date of the bundled rosters, is left out; None is a player without a team.
    """
    newest: dict[int, tuple[str, int | None]] = {}
    # Who plays on the day on which a roster came plays for his new team.
    for sql in (_ROSTERS, _APPEARANCES):
        found = query(sql, (on.isoformat(),))
        for player_id, team_id, since in found.itertuples(index=False, name=None):
            earlier, _ = newest.get(int(player_id), (listed_on.isoformat(), None))
            if since >= earlier:
                newest[int(player_id)] = since, None if pd.isna(team_id) else int(team_id)
    return {player_id: team_id for player_id, (_, team_id) in newest.items()}


def learned_scores(query: Query) -> dict[str, tuple[int, int]]:
    """(home, away) points by game id of every final score that the state has learned."""
    found = query("SELECT game_id, home_points, away_points FROM main.games", ())
    rows = found.itertuples(index=False, name=None)
    return {str(game_id): (int(home), int(away)) for game_id, home, away in rows}
