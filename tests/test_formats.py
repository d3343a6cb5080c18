"""How moments, numbers and other people's words are written."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from nba.seasons import EASTERN
from ui.formats import clock_time, kilobytes, moment, percent, plain, zone_named

FRIDAY = date(2026, 11, 20)
TIPOFF = datetime(2026, 11, 21, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "text"),
    [
        ("America/New_York", "7:30 PM EST"),
        ("America/Los_Angeles", "4:30 PM PST"),
        ("Australia/Sydney", "Sat 11:30 AM AEDT"),
    ],
)
def test_a_tipoff_is_in_the_viewers_zone_and_names_another_day(zone: str, text: str) -> None:
    assert clock_time(TIPOFF, ZoneInfo(zone), FRIDAY) == text


@pytest.mark.parametrize("name", [None, "", "Mars/Olympus", "../../etc/passwd"])
def test_without_a_known_zone_it_is_eastern_time(name: str | None) -> None:
    assert zone_named(name) is EASTERN


def test_midnight_and_noon_are_twelve() -> None:
    assert moment(datetime(2026, 11, 20, 5, tzinfo=UTC), EASTERN) == "20 Nov 2026, 12:00 AM EST"
    assert moment(datetime(2026, 11, 20, 17, tzinfo=UTC), EASTERN) == "20 Nov 2026, 12:00 PM EST"


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.634, "63%"), (0.0, "0%"), (0.001, "<1%"), (0.999, ">99%"), (1.0, "100%")],
)
def test_rounding_makes_no_certainty(share: float, text: str) -> None:
    assert percent(share) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.8129, "81.3%"), (0.0004, "<0.1%"), (0.9996, ">99.9%"), (0.9991, "99.9%"), (0.0, "0.0%")],
)
def test_a_finer_figure_makes_no_certainty_either(share: float, text: str) -> None:
    assert percent(share, places=1) == text


def test_other_peoples_words_are_not_read_as_markdown() -> None:
    assert plain("![x](https://example.com/a.png)") == (r"\!\[x\]\(https\://example.com/a.png\)")
    assert plain("results 2026-11-20.csv") == "results 2026-11-20.csv"


def test_sizes_are_in_thousands_of_bytes() -> None:
    assert [kilobytes(size) for size in (0, 1_499, 1_234_567)] == ["0 kB", "1 kB", "1,235 kB"]
