"""Eastern dates, seasons, and which slate is tonight's."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nba.reference import Reference
from nba.seasons import (
    EASTERN,
    ScheduledGame,
    UndecidedGame,
    season_of,
    seasons_between,
    slate_date_of,
    slate_over_at,
    tonight,
)

MOMENTS = (datetime(2000, 1, 1), datetime(2040, 1, 1))  # noqa: DTZ001


def eastern(day: date, hour: int, minute: int = 0, second: int = 0) -> datetime:
    return datetime.combine(day, time(hour, minute, second), EASTERN).astimezone(UTC)


@given(st.datetimes(*MOMENTS, timezones=st.just(UTC)))
def test_a_moment_lies_within_its_slate_date(moment: datetime) -> None:
    day = slate_date_of(moment)
    next_midnight = datetime.combine(day + timedelta(days=1), time(), EASTERN).astimezone(UTC)
    assert eastern(day, 0) <= moment < next_midnight


@given(st.datetimes(*MOMENTS, timezones=st.timezones()))
def test_the_slate_date_does_not_depend_on_the_zone_a_moment_is_told_in(moment: datetime) -> None:
    assert slate_date_of(moment) == slate_date_of(moment.astimezone(UTC))


@given(st.dates(date(2000, 1, 1), date(2040, 1, 1)))
def test_a_slate_is_over_at_six_in_the_morning(day: date) -> None:
    over = slate_over_at(day).astimezone(EASTERN)
    assert (over.date(), over.time()) == (day + timedelta(days=1), time(6))


@pytest.mark.parametrize(
    ("slate_date", "over_utc"),
    [
        (date(2026, 10, 30), datetime(2026, 10, 31, 10, tzinfo=UTC)),
        (date(2026, 10, 31), datetime(2026, 11, 1, 11, tzinfo=UTC)),  # clocks go back that night
        (date(2027, 3, 12), datetime(2027, 3, 13, 11, tzinfo=UTC)),
        (date(2027, 3, 13), datetime(2027, 3, 14, 10, tzinfo=UTC)),  # clocks go forward that night
    ],
)
def test_the_rollover_follows_daylight_saving(slate_date: date, over_utc: datetime) -> None:
    assert slate_over_at(slate_date) == over_utc


def test_a_tip_off_after_midnight_utc_belongs_to_the_evening_before(reference: Reference) -> None:
    games = [game for game in reference.schedule() if isinstance(game, ScheduledGame)]
    assert len(games) == 1220
    for game in games:
        assert game.tipoff_utc is not None
        assert slate_date_of(game.tipoff_utc) == game.slate_date


def test_a_moment_without_a_zone_is_refused(reference: Reference) -> None:
    naive = datetime(2026, 11, 20, 12)  # noqa: DTZ001
    with pytest.raises(ValueError, match="needs a time zone"):
        slate_date_of(naive)
    with pytest.raises(ValueError, match="needs a time zone"):
        tonight(reference.schedule(), naive)


@pytest.mark.parametrize(
    ("day", "season"),
    [
        (date(2026, 11, 20), "2026-27"),
        (date(2027, 6, 20), "2026-27"),
        (date(2027, 7, 31), "2026-27"),
        (date(2027, 8, 1), "2027-28"),
        (date(2020, 10, 11), "2019-20"),
        (date(2020, 12, 22), "2020-21"),
        (date(1999, 11, 2), "1999-00"),
    ],
)
def test_season_of_a_date(day: date, season: str) -> None:
    assert season_of(day) == season


def test_season_of_agrees_with_every_bundled_game(reference: Reference) -> None:
    games = reference.games()
    days = games.groupby("season")["game_date"].agg(["min", "max"])
    assert len(days) == 25
    for season, (first, last) in zip(days.index, days.to_numpy("datetime64[D]"), strict=True):
        assert season_of(first.item()) == season_of(last.item()) == season
    assert seasons_between("2024-25", "2026-27") == 2


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (eastern(date(2026, 11, 20), 12), date(2026, 11, 20)),
        (eastern(date(2026, 11, 20), 23, 59), date(2026, 11, 20)),
        (eastern(date(2026, 11, 21), 0, 1), date(2026, 11, 20)),
        (eastern(date(2026, 11, 21), 5, 59, 59), date(2026, 11, 20)),
        (eastern(date(2026, 11, 21), 6), date(2026, 11, 21)),
        (eastern(date(2026, 11, 26), 12), date(2026, 11, 27)),  # no games that night
        (eastern(date(2026, 11, 26), 5, 59), date(2026, 11, 25)),
        (eastern(date(2027, 2, 20), 12), date(2027, 2, 25)),  # the All-Star break
        (eastern(date(2026, 10, 31), 23, 59), date(2026, 10, 31)),
        (eastern(date(2026, 11, 1), 0, 1), date(2026, 10, 31)),
        (eastern(date(2026, 11, 1), 5, 59), date(2026, 10, 31)),
        (eastern(date(2026, 11, 1), 6), date(2026, 11, 1)),
        (eastern(date(2027, 3, 14), 0, 1), date(2027, 3, 13)),
        (eastern(date(2027, 3, 14), 5, 59), date(2027, 3, 13)),
        (eastern(date(2027, 3, 14), 6), date(2027, 3, 14)),
        (eastern(date(2026, 7, 1), 12), date(2026, 10, 20)),  # preseason is passed over
        (eastern(date(2026, 12, 4), 12), date(2026, 12, 4)),  # only undecided games
        (eastern(date(2027, 4, 12), 5, 59), date(2027, 4, 11)),
        (eastern(date(2027, 4, 12), 6), None),
    ],
)
def test_tonight(reference: Reference, now: datetime, expected: date | None) -> None:
    assert tonight(reference.schedule(), now) == expected


def test_tonight_is_the_same_for_a_viewer_in_sydney(reference: Reference) -> None:
    now = datetime(2026, 11, 21, 15, 30, tzinfo=ZoneInfo("Australia/Sydney"))
    assert tonight(reference.schedule(), now) == date(2026, 11, 20)


def test_a_slate_is_over_when_all_of_its_games_have_finished(reference: Reference) -> None:
    schedule, now = reference.schedule(), eastern(date(2026, 11, 20), 23, 59)
    ids = [game.game_id for game in reference.slate(date(2026, 11, 20))]
    assert tonight(schedule, now, frozenset(ids[1:])) == date(2026, 11, 20)
    assert tonight(schedule, now, frozenset(ids)) == date(2026, 11, 21)


def test_preseason_shows_when_nothing_else_is_to_come() -> None:
    game = UndecidedGame("0012600001", "2026-27", "preseason", date(2026, 10, 3), "Preseason")
    assert tonight([game], eastern(date(2026, 9, 1), 12)) == date(2026, 10, 3)
