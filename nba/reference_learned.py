"""Bundled and learned rows as one: common tables that stand before a question to the reference.

They hide the tables of the same names. The connection has the state as `main` and the reference
file attached as `reference`. What the state knows of a game goes over what is bundled, value by
value. Rows that an import of earlier predictions could not find in any schedule are left out: they
have no teams. Absences are only bundled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from nba.stats import STATS

__all__ = ["BUNDLED", "LEARNED", "Tables"]

_YEAR: Final = "CAST(substr(s.game_id, 4, 2) AS INTEGER)"
# The season stands in the id: 0022600123 is a regular game of 2026-27.
_SEASON: Final = f"printf('20%02d-%02d', {_YEAR}, ({_YEAR} + 1) % 100)"
_SEASON_TYPE: Final = (
    "CASE substr(s.game_id, 1, 3) WHEN '001' THEN 'preseason' WHEN '004' THEN 'playoffs'"
    " WHEN '005' THEN 'playin' WHEN '006' THEN 'cup_final' ELSE 'regular' END"
)
_TEAM: Final = "(SELECT t.team FROM reference.teams AS t WHERE t.team_id = s.{side}_team_id)"
_HOME, _AWAY = _TEAM.format(side="home"), _TEAM.format(side="away")
_IS_GAME: Final = "s.game_id GLOB '00[0-9]*'"

_SCHEDULE: Final = f"""
schedule AS (
  SELECT game_id, season, season_type, game_date, tipoff_utc, home_team_id, home_team,
    away_team_id, away_team, is_neutral, label, arena
  FROM reference.schedule WHERE game_id NOT IN (SELECT game_id FROM main.scheduled_games)
  UNION ALL
  SELECT s.game_id, {_SEASON}, {_SEASON_TYPE}, s.game_date, s.tipoff_utc, s.home_team_id, {_HOME},
    s.away_team_id, {_AWAY}, s.is_neutral, s.label, s.arena
  FROM main.scheduled_games AS s WHERE s.status = 'scheduled'
)"""

_GAMES: Final = f"""
games AS (
  SELECT game_id, season, season_type, game_date, home_team_id, home_team, away_team_id, away_team,
    home_points, away_points, home_win, is_neutral, overtime
  FROM reference.games WHERE game_id NOT IN (SELECT game_id FROM main.games)
  UNION ALL
  SELECT s.game_id, {_SEASON}, {_SEASON_TYPE}, s.game_date, s.home_team_id, {_HOME},
    s.away_team_id, {_AWAY}, s.home_points, s.away_points, s.home_points > s.away_points,
    coalesce(b.is_neutral, k.is_neutral, p.is_neutral, 0), b.overtime
  FROM main.games AS s
  LEFT JOIN reference.games AS b ON b.game_id = s.game_id
  LEFT JOIN main.scheduled_games AS k ON k.game_id = s.game_id
  LEFT JOIN reference.schedule AS p ON p.game_id = s.game_id
  WHERE {_IS_GAME}
)"""

_MORE: Final = (
    "started",
    *("oreb", "dreb", "stl", "blk", "tov", "pf", "fgm", "fga", "fg3a", "ftm", "fta"),
    "plus_minus",
)
_VALUES: Final = (*STATS, *_MORE)

_PLAYER_GAMES: Final = f"""
player_games AS (
  SELECT b.player_id, b.game_date, b.game_id, b.season, b.season_type, b.team_id, b.opponent_id,
    b.is_home, b.won, {", ".join(f"coalesce(s.{name}, b.{name}) AS {name}" for name in _VALUES)}
  FROM reference.player_games AS b
  LEFT JOIN main.player_games AS s ON s.game_id = b.game_id AND s.player_id = b.player_id
  UNION ALL
  SELECT s.player_id, s.game_date, s.game_id, {_SEASON}, {_SEASON_TYPE}, s.team_id,
    CASE s.team_id WHEN g.home_team_id THEN g.away_team_id ELSE g.home_team_id END,
    s.team_id = g.home_team_id,
    (g.home_points > g.away_points) = (s.team_id = g.home_team_id),
    {", ".join(f"s.{name}" for name in _VALUES)}
  FROM main.player_games AS s
  JOIN main.games AS g ON g.game_id = s.game_id
  WHERE s.team_id IN (g.home_team_id, g.away_team_id) AND NOT EXISTS (
    SELECT 1 FROM reference.player_games AS b
    WHERE b.game_id = s.game_id AND b.player_id = s.player_id)
)"""

# Whose player somebody is, and since when that is known.
_ROSTERS: Final = """
rosters AS (
  SELECT player_id, team_id, known_on, position FROM main.rosters
)"""

_PLAYERS: Final = """
players AS (
  SELECT b.player_id, b.player_name, b.position, b.roster_team FROM reference.players AS b
  UNION ALL
  SELECT s.player_id, s.player_name,
    (SELECT r.position FROM main.rosters AS r WHERE r.player_id = s.player_id
      ORDER BY r.known_on DESC LIMIT 1),
    NULL
  FROM main.players AS s
  WHERE NOT EXISTS (SELECT 1 FROM reference.players AS b WHERE b.player_id = s.player_id)
)"""

_POSTPONED: Final = f"""
postponed AS (
  SELECT s.game_id, s.game_date, {_HOME} AS home_team, {_AWAY} AS away_team
  FROM main.scheduled_games AS s WHERE s.status = 'postponed'
)"""

_NOTHING_POSTPONED: Final = """
postponed AS (
  SELECT NULL AS game_id, NULL AS game_date, NULL AS home_team, NULL AS away_team WHERE FALSE
)"""

_NO_ROSTERS: Final = """
rosters AS (
  SELECT NULL AS player_id, NULL AS team_id, NULL AS known_on, NULL AS position WHERE FALSE
)"""


@dataclass(frozen=True, slots=True)
class Tables:
    """How to ask: pieces of SQL that differ with what is attached.

    Attributes:
        common: stands before every SELECT; what it does not use costs only its parsing.
        box_scores: the tables that hold box scores, by names that no common table hides.
        dates: a SELECT of `game_date`, one row or more for each date with box scores.
        latest_date: a SELECT of the newest such date before ?1, NULL if there is none.
    """

    common: str
    box_scores: tuple[str, ...]
    dates: str
    latest_date: str

    def has_box_scores(self, condition: str = "TRUE") -> str:
        """Whether a row of `games` has box scores `x` for which the condition holds.

        Asked of each file: SQLite finds no index through a common table here.
        """
        found = (
            f"EXISTS (SELECT 1 FROM {table} AS x WHERE x.game_id = games.game_id AND {condition})"
            for table in self.box_scores
        )
        return f"({' OR '.join(found)})"


def _with(*tables: str) -> str:
    return "WITH " + ", ".join(" ".join(table.split()) for table in tables)


BUNDLED: Final = Tables(
    common=_with(_NO_ROSTERS, _NOTHING_POSTPONED),
    box_scores=("player_games",),
    dates="SELECT game_date FROM player_games",
    latest_date="SELECT max(game_date) FROM player_games WHERE game_date < ?1",
)

LEARNED: Final = Tables(
    common=_with(_SCHEDULE, _GAMES, _PLAYER_GAMES, _PLAYERS, _ROSTERS, _POSTPONED),
    box_scores=("reference.player_games", "main.player_games"),
    dates=(
        "SELECT game_date FROM reference.player_games UNION SELECT game_date FROM main.games AS g"
        " WHERE EXISTS (SELECT 1 FROM main.player_games AS y WHERE y.game_id = g.game_id)"
    ),
    latest_date=(
        "SELECT max(game_date) FROM (SELECT max(game_date) AS game_date FROM reference.player_games"
        " WHERE game_date < ?1 UNION ALL SELECT max(game_date) FROM main.games AS g"
        " WHERE game_date < ?1 AND EXISTS"
        " (SELECT 1 FROM main.player_games AS y WHERE y.game_id = g.game_id))"
    ),
)
