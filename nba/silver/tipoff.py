"""When a scheduled game is, and whether it is still on: the same words in feed and schedule."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Final

from nba.seasons import EASTERN, slate_date_of
from nba.silver.rows import GameStatus

__all__ = ["status_of", "when"]

_TO_BE_DECIDED: Final = "tbd"
# Before it there was no league, only an empty field: the years 1 and 1900.
_FIRST_YEAR: Final = 1946
_OFF: Final = ("ppd", "postponed", "cancel")


def when(tipoff_utc: datetime, eastern_date: date, text: str) -> tuple[date, datetime | None]:
    """A game's US Eastern date and its tip-off in UTC, None while unknown.

    `eastern_date` is what the response says beside it, for a game without tip-off; `text` is the
    state of the game in words.
    """
    is_year = tipoff_utc.year >= _FIRST_YEAR
    # Midnight in New York is the league's placeholder.
    is_known = is_year and tipoff_utc.astimezone(EASTERN).time() != time(0)
    if not is_known or _TO_BE_DECIDED in text.lower():
        return eastern_date, None
    return slate_date_of(tipoff_utc), tipoff_utc


def status_of(text: str) -> GameStatus:
    """Whether a game is on, from its state in words: "7:30 pm ET", "Final", "PPD"."""
    return GameStatus.POSTPONED if text.lower().startswith(_OFF) else GameStatus.SCHEDULED
