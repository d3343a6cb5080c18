"""The NBA's calendar: Eastern time, slates, seasons, and which slate is tonight's.

A slate is all games of one date in US Eastern time. It is over at 06:00 Eastern time of the day
after, when even a game in the west with overtimes has ended, or as soon as all of its games are
known to have finished.
"""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

__all__ = [
    "EASTERN",
    "ROLLOVER",
    "ScheduledGame",
    "UndecidedGame",
    "season_of",
    "seasons_between",
    "slate_date_of",
    "slate_over_at",
    "tonight",
]

EASTERN: Final = ZoneInfo("America/New_York")
ROLLOVER: Final = time(6)
"""The Eastern time of day at which the slate of the day before is over."""

_SEASON_BEGINS_MONTH: Final = 8
# The season of the pandemic ended on 2020-10-11, and the next one began on 2020-12-22.
_LATE_SEASON_END: Final = date(2020, 10, 31)


@dataclass(frozen=True, slots=True)
class ScheduledGame:
    """One game of a slate.

    `slate_date` is the US Eastern date; `tipoff_utc` is aware and in UTC, None where the source
    has no time (all bundled seasons). Teams are named by the abbreviations of that season.
    `season_type` is preseason, regular, playin, playoffs or cup_final. `label` is "" or the
    league's name for a special game.
    """

    game_id: str
    season: str
    season_type: str
    slate_date: date
    tipoff_utc: datetime | None
    home_team_id: int
    home_team: str
    away_team_id: int
    away_team: str
    is_neutral: bool
    label: str


@dataclass(frozen=True, slots=True)
class UndecidedGame:
    """A scheduled game whose teams the league has not named yet; its tip-off is unknown too."""

    game_id: str
    season: str
    season_type: str
    slate_date: date
    label: str


def slate_date_of(moment: datetime) -> date:
    """The US Eastern calendar date of an aware moment; ValueError for a naive one.

    This is the date of a game that tips off at `moment`. Whose slate is on show at that moment
    is another question: see `tonight`.
    """
    return _aware(moment).astimezone(EASTERN).date()


def slate_over_at(slate_date: date) -> datetime:
    """The moment (UTC) at which a slate is over whatever is known: 06:00 Eastern the day after."""
    rollover = datetime.combine(slate_date + timedelta(days=1), ROLLOVER, EASTERN)
    return rollover.astimezone(UTC)


def tonight(
    games: Iterable[ScheduledGame | UndecidedGame],
    now_utc: datetime,
    finished_game_ids: Set[str] = frozenset(),
) -> date | None:
    """The earliest slate that is not over at `now_utc`; None after the last one.

    A night without games gives the next slate. Preseason slates are passed over as long as any
    other slate is to come: teams rest their players there, and such evenings have no place in a
    track record. ValueError for a naive `now_utc`.
    """
    now = _aware(now_utc)
    open_dates: set[date] = set()
    preseason_dates: set[date] = set()
    for game in games:
        if game.game_id in finished_game_ids or slate_over_at(game.slate_date) <= now:
            continue
        where = preseason_dates if game.season_type == "preseason" else open_dates
        where.add(game.slate_date)
    return min(open_dates or preseason_dates, default=None)


def season_of(day: date) -> str:
    """The season that a date falls in, such as "2026-27"; seasons change over on 1 August."""
    first_year = day.year if day.month >= _SEASON_BEGINS_MONTH else day.year - 1
    if date(2020, _SEASON_BEGINS_MONTH, 1) <= day <= _LATE_SEASON_END:
        first_year = 2019
    return f"{first_year}-{(first_year + 1) % 100:02d}"


def seasons_between(earlier: str, later: str) -> int:
    """How many seasons `later` comes after `earlier`: 1 for the next one, 0 for the same."""
    return int(later[:4]) - int(earlier[:4])


def _aware(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError(f"a moment needs a time zone, {moment.isoformat()} has none")
    return moment
