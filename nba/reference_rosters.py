"""Whose player somebody is: rosters as they were known on a date, and who has appeared for whom."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, Final

from nba.reference_learned import Tables

__all__ = [
    "ROSTERS_AS_OF",
    "Ask",
    "appeared",
    "last_games",
    "latest_appearance",
    "roster_rows",
]

ROSTERS_AS_OF: Final = date(2026, 8, 1)
"""The date of the bundled rosters."""

Ask = Callable[[str, Sequence[object]], list[tuple[Any, ...]]]
"""Runs one SELECT with its bindings on the tables of the reference; its rows."""

# Of every player the newest roster that was known: ?1 is the date asked for, ?2 the date of the
# bundled rosters.
_LISTED: Final = """
  SELECT player_id, team_id, max(known_on) FROM (
    SELECT player_id, team_id, known_on FROM rosters WHERE known_on <= ?1
    UNION ALL
    SELECT b.player_id, t.team_id, ?2 FROM players AS b JOIN teams AS t ON t.team = b.roster_team
  ) GROUP BY player_id
"""
# Whoever has appeared within about a month may be somebody whom no roster names yet.
_UNLISTED_GAMES: Final = 15


def roster_rows(
    ask: Ask, tables: Tables, team_ids: Iterable[int], on: date
) -> dict[int, list[tuple[int, int | None, str | None]]]:
    """By team its players on a date: (player, team of his latest game before it, its date), by id.

    The newest roster known on the date decides, or the team for which he has played since.
    """
    listed = {
        player_id: (listed_team, known_on)
        for player_id, listed_team, known_on in ask(
            _LISTED, (on.isoformat(), ROSTERS_AS_OF.isoformat())
        )
    }
    return {team_id: _players_of(ask, tables, team_id, on, listed) for team_id in team_ids}


def _players_of(
    ask: Ask,
    tables: Tables,
    team_id: int,
    on: date,
    listed: Mapping[int, tuple[int, str]],
) -> list[tuple[int, int | None, str | None]]:
    mine = {one for one, (listed_team, _) in listed.items() if listed_team == team_id}
    mine |= appeared(ask, last_games(ask, tables, team_id, on, _UNLISTED_GAMES), team_id)
    rows = []
    for player_id in sorted(mine):
        listed_team, known_on = listed.get(player_id, (0, ROSTERS_AS_OF.isoformat()))
        day, played_for = latest_appearance(ask, player_id, on)
        if (played_for if day is not None and day >= known_on else listed_team) == team_id:
            rows.append((player_id, played_for, day))
    return rows


def last_games(
    ask: Ask, tables: Tables, team_id: int, before: date, limit: int
) -> list[tuple[str, str]]:
    """(id, date) of a team's last games with its box scores before a date, newest first."""
    rows: list[tuple[str, str]] = []
    # Nearly always the games of the last year are enough, and there is an index on dates.
    for since in (before - timedelta(days=min(366, before.toordinal() - 1)), date.min):
        rows = ask(
            "SELECT game_id, game_date FROM games WHERE ?1 IN (home_team_id, away_team_id)"
            f" AND game_date >= ?2 AND game_date < ?3 AND {tables.has_box_scores('x.team_id = ?1')}"
            " ORDER BY game_date DESC, game_id DESC LIMIT ?4",
            (team_id, since.isoformat(), before.isoformat(), limit),
        )
        if len(rows) >= limit:
            break
    return rows


def appeared(ask: Ask, games: Sequence[tuple[str, str]], team_id: int) -> set[int]:
    """The ids of those who played for a team in these games, given as (id, date)."""
    rows = (
        ask("SELECT player_id FROM player_games WHERE game_id = ? AND team_id = ?", (one, team_id))
        for one, _ in games
    )
    return {int(player_id) for found in rows for (player_id,) in found}


def latest_appearance(ask: Ask, player_id: int, before: date) -> tuple[str | None, int | None]:
    """(date, team) of a player's last game before a date, (None, None) without one."""
    rows = ask(
        "SELECT game_date, team_id FROM player_games WHERE player_id = ? AND game_date < ?"
        " ORDER BY game_date DESC, game_id DESC LIMIT 1",
        (player_id, before.isoformat()),
    )
    return rows[0] if rows else (None, None)
