"""Slates that went by without a prediction in the store."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime

import apsw

from nba.seasons import ScheduledGame, UndecidedGame, slate_over_at
from tracking.runs import track_record_of

__all__ = ["MissedSlate", "missed_slates"]


@dataclass(frozen=True, slots=True)
class MissedSlate:
    """A slate of `games` games, of which `in_time` had a live prediction before tip-off."""

    slate_date: date
    games: int
    in_time: int


def missed_slates(
    connection: apsw.Connection,
    schedule: Iterable[ScheduledGame | UndecidedGame],
    now: datetime,
) -> list[MissedSlate]:
    """Slates since the first live one whose games have all begun, some without a prediction.

    A slate counts when its last game has tipped off by `now` (UTC), or when it is over. Preseason
    games are not logged and do not count.
    """
    [(first,)] = connection.execute(
        "SELECT min(slate_date) FROM main.runs WHERE origin = 'live' AND time_verified = 1"
    ).fetchall()
    if first is None:
        return []
    since = date.fromisoformat(str(first))
    by_day: dict[date, list[ScheduledGame]] = defaultdict(list)
    for game in schedule:
        if not isinstance(game, ScheduledGame) or game.season_type == "preseason":
            continue
        if game.slate_date >= since:
            by_day[game.slate_date].append(game)
    begun = {day: games for day, games in by_day.items() if _has_begun(day, games, now)}
    asked = json.dumps([game.game_id for games in begun.values() for game in games])
    of_these = track_record_of("SELECT value FROM json_each(?)")
    logged = {
        game_id
        for (game_id,) in connection.execute(
            f"WITH {of_these} SELECT game_id FROM track_record", (asked,)
        )
    }
    found = []
    for day, games in sorted(begun.items()):
        in_time = sum(game.game_id in logged for game in games)
        if in_time < len(games):
            found.append(MissedSlate(day, len(games), in_time))
    return found


def _has_begun(day: date, games: Iterable[ScheduledGame], now: datetime) -> bool:
    tipoffs = [game.tipoff_utc for game in games]
    known = [tipoff for tipoff in tipoffs if tipoff is not None]
    return now >= slate_over_at(day) or (len(known) == len(tipoffs) and now >= max(known))
