"""What to ask the sources for, as functions of what is known and of the time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Final

from nba.seasons import ScheduledGame, slate_date_of, slate_over_at
from nba.sources.wanted import Wanted

__all__ = [
    "CORRECTION_DAYS",
    "DAILY",
    "MANY_GAMES",
    "SEASON_TYPES",
    "begun",
    "correction_logs",
    "is_due",
    "log_wants",
    "next_ingest_at",
]

DAILY: Final = timedelta(hours=20)
"""How old the newest answer may be to a question that is asked once a day."""

CORRECTION_DAYS: Final = 3
"""For so many days after a game its box score is looked at again."""

MANY_GAMES: Final = 30
"""From so many outstanding games on, one game log replaces as many box scores."""

SEASON_TYPES: Final = {"002": "Regular Season", "004": "Playoffs", "005": "PlayIn"}
"""The NBA's name of a kind of season, by the first three characters of a game's id."""

_LONGEST_GAME: Final = timedelta(hours=2, minutes=15)
_IMPATIENT: Final = timedelta(minutes=20)
_PATIENT: Final = timedelta(hours=4)
# Between two days of games this far apart, two short logs are less to send than a long one.
_LOG_GAP: Final = timedelta(days=10)


def is_due(last: datetime | None, now: datetime, every: timedelta = DAILY) -> bool:
    """Whether something last answered at `last` (None: never) is to be asked for again."""
    return last is None or now - last >= every


def begun(games: Iterable[ScheduledGame], now: datetime) -> list[ScheduledGame]:
    """The games that should be over by now; those without a tip-off when their date is over."""
    return [
        game
        for game in games
        if game.season_type != "preseason"
        and (
            now >= game.tipoff_utc + _LONGEST_GAME
            if game.tipoff_utc is not None
            else now >= slate_over_at(game.slate_date)
        )
    ]


def log_wants(games: Sequence[ScheduledGame]) -> list[Wanted]:
    """The game logs that hold these games: one a season and kind for each stretch of dates."""
    days: dict[tuple[str, str], set[date]] = defaultdict(set)
    for game in games:
        kind = SEASON_TYPES.get(game.game_id[:3])
        if kind is not None:
            days[game.season, kind].add(game.slate_date)
    wants = []
    for (season, kind), dates in sorted(days.items()):
        ordered = sorted(dates)
        begins = [ordered[0], *(b for a, b in pairwise(ordered) if b - a > _LOG_GAP)]
        ends = [*(a for a, b in pairwise(ordered) if b - a > _LOG_GAP), ordered[-1]]
        for since, until in zip(begins, ends, strict=True):
            wants.append(Wanted.game_log(season, kind, since, until))
    return wants


def correction_logs(played: Sequence[tuple[str, str, date]], now: datetime) -> list[Wanted]:
    """The logs of the last days, for what was corrected since; `played` are (id, season, date)."""
    today = slate_date_of(now)
    since = today - timedelta(days=CORRECTION_DAYS)
    kinds = {
        (season, SEASON_TYPES[game_id[:3]])
        for game_id, season, day in played
        if since <= day < today and game_id[:3] in SEASON_TYPES
    }
    until = today - timedelta(days=1)
    return [Wanted.game_log(season, kind, since, until) for season, kind in sorted(kinds)]


def next_ingest_at(
    last: datetime | None, games: Iterable[ScheduledGame], now: datetime
) -> datetime:
    """When to ask the sources next, after `last` (None: not yet by this process).

    Every twenty minutes while a game that should be over has no result, and once after the
    rollover of a slate; else every four hours. `games` are those without a final score.
    """
    if last is None:
        return now
    rollover = slate_over_at(slate_date_of(now) - timedelta(days=1))
    if last < rollover <= now:
        return now
    # A game of last week will not be published in the next minutes.
    recent = now - timedelta(days=1)
    waiting = any(game.tipoff_utc and game.tipoff_utc > recent for game in begun(games, now))
    return last + (_IMPATIENT if waiting else _PATIENT)
