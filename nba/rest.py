"""How long teams have rested before a slate."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from nba.reference import Reference
from nba.seasons import ScheduledGame, season_of

__all__ = ["days_since_last_game"]


def days_since_last_game(
    reference: Reference, slate_date: date, team_ids: Iterable[int]
) -> dict[int, int | None]:
    """Days from each team's last game of the season to `slate_date`: 1 if it played the day before.

    A game that is only scheduled counts as played, because results may come late; the preseason is
    known for some teams only and does not count. None before the season's first game. Nothing from
    the date or after it is looked at.
    """
    season = season_of(slate_date)
    latest: dict[int, date] = {}
    for game in reference.schedule():
        if not isinstance(game, ScheduledGame) or game.season_type == "preseason":
            continue
        if game.season == season:
            # By date, so the last one to be met is the latest.
            if game.slate_date >= slate_date:
                break
            latest[game.home_team_id] = latest[game.away_team_id] = game.slate_date
    found: dict[int, int | None] = {}
    for team_id in team_ids:
        played = reference.latest_team_game(team_id, slate_date)
        known = [
            day
            for day in (latest.get(team_id), played)
            if day is not None and season_of(day) == season
        ]
        found[team_id] = (slate_date - max(known)).days if known else None
    return found
