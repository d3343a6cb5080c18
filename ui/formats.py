"""How moments, ages and numbers are written, everywhere the same."""

from __future__ import annotations

import re
from datetime import date, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st

from nba.seasons import EASTERN

__all__ = [
    "age_in_days",
    "clock_time",
    "full_date",
    "kilobytes",
    "moment",
    "percent",
    "plain",
    "short_date",
    "viewer_zone",
]


_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+!|~$:])")


def viewer_zone() -> ZoneInfo:
    """The zone of the viewer's browser; Eastern time where it does not say."""
    return zone_named(st.context.timezone)


def zone_named(name: str | None) -> ZoneInfo:
    """The named zone, or Eastern time if there is none of this name."""
    try:
        return ZoneInfo(name) if name else EASTERN
    except (ZoneInfoNotFoundError, ValueError):
        return EASTERN


def full_date(day: date) -> str:
    """Friday 20 November 2026."""
    return f"{day:%A} {day.day} {day:%B %Y}"


def short_date(day: date) -> str:
    """20 Nov 2026."""
    return f"{day.day} {day:%b %Y}"


def clock_time(at: datetime, zone: ZoneInfo, slate_date: date) -> str:
    """A tip-off for a viewer: 7:30 PM EST, with the weekday where it is another day than the slate.

    Sydney sees Friday's evening games on Saturday.
    """
    local = at.astimezone(zone)
    text = f"{_twelve_hours(local)} {local:%Z}"
    return text if local.date() == slate_date else f"{local:%a} {text}"


def moment(at: datetime, zone: ZoneInfo) -> str:
    """20 Nov 2026, 7:30 PM EST."""
    local = at.astimezone(zone)
    return f"{short_date(local.date())}, {_twelve_hours(local)} {local:%Z}"


def age_in_days(days: int) -> str:
    """1 day, 516 days."""
    return "1 day" if days == 1 else f"{days} days"


def kilobytes(size_bytes: int) -> str:
    """1,234 kB, of a thousand bytes each."""
    return f"{size_bytes / 1000:,.0f} kB"


def percent(share: float, places: int = 0) -> str:
    """0.634 as 63%, or as 63.4%; never a certainty that rounding made."""
    least = 10.0**-places
    if 0 < share < 0.005 * least:
        return f"<{least:g}%"
    if 1 - 0.005 * least < share < 1:
        return f">{100 - least:g}%"
    return f"{share:.{places}%}"


def plain(text: str) -> str:
    """Text that Streamlit's Markdown shows as it is: file names, table names and errors.

    A picture's address in a file name would make the owner's browser fetch it.
    """
    return _MARKDOWN.sub(r"\\\1", text)


def _twelve_hours(local: datetime) -> str:
    return f"{local.hour % 12 or 12}:{local:%M} {local:%p}"
