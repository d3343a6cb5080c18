"""What the sources are asked for, and when."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from jobs.ingest_plan import begun, correction_logs, is_due, log_wants, next_ingest_at
from nba.seasons import ScheduledGame
from nba.sources.wanted import Wanted
from tests.nba_bundle import AWAY, HOME

TIPOFF = datetime(2026, 11, 21, 0, 30, tzinfo=UTC)
GAME = ScheduledGame(
    game_id="0022600123",
    season="2026-27",
    season_type="regular",
    slate_date=date(2026, 11, 20),
    tipoff_utc=TIPOFF,
    home_team_id=HOME,
    home_team="BOS",
    away_team_id=AWAY,
    away_team="NYK",
    is_neutral=False,
    label="",
)
HOUR = timedelta(hours=1)


def on(day: date, game_id: str = "0022600123") -> ScheduledGame:
    return replace(GAME, slate_date=day, game_id=game_id)


def test_a_game_should_be_over_some_time_after_its_tipoff() -> None:
    assert begun([GAME], TIPOFF + 2 * HOUR) == []
    assert begun([GAME], TIPOFF + 2.25 * HOUR) == [GAME]


def test_a_game_without_tipoff_is_waited_for_until_its_date_is_over() -> None:
    game = replace(GAME, tipoff_utc=None)
    assert begun([game], datetime(2026, 11, 21, 10, 59, tzinfo=UTC)) == []
    assert begun([game], datetime(2026, 11, 21, 11, tzinfo=UTC)) == [game]


def test_results_of_the_preseason_are_not_wanted() -> None:
    assert begun([replace(GAME, season_type="preseason")], TIPOFF + 24 * HOUR) == []


def test_one_log_holds_the_games_of_neighbouring_dates() -> None:
    games = [on(date(2026, 11, day)) for day in (20, 12, 16)]
    assert log_wants(games) == [
        Wanted.game_log("2026-27", "Regular Season", date(2026, 11, 12), date(2026, 11, 20))
    ]


def test_games_far_apart_or_of_another_kind_have_logs_of_their_own() -> None:
    early, late = on(date(2026, 10, 25)), on(date(2026, 11, 20))
    playin = on(date(2027, 4, 14), "0052600101")
    assert log_wants([late, playin, early]) == [
        Wanted.game_log("2026-27", "PlayIn", date(2027, 4, 14), date(2027, 4, 14)),
        Wanted.game_log("2026-27", "Regular Season", date(2026, 10, 25), date(2026, 10, 25)),
        Wanted.game_log("2026-27", "Regular Season", date(2026, 11, 20), date(2026, 11, 20)),
    ]


def test_the_cup_final_stands_in_no_log() -> None:
    assert log_wants([on(date(2026, 12, 15), "0062600001")]) == []


def test_the_last_three_days_are_looked_at_again() -> None:
    now = datetime(2026, 11, 21, 12, tzinfo=UTC)
    played = [("0022600123", "2026-27", date(2026, 11, day)) for day in (17, 18, 20, 21)]
    assert correction_logs(played, now) == [
        Wanted.game_log("2026-27", "Regular Season", date(2026, 11, 18), date(2026, 11, 20))
    ]
    assert correction_logs(played[:1], now) == []


def test_what_is_asked_once_a_day_is_asked_again_after_twenty_hours() -> None:
    now = datetime(2026, 11, 21, 12, tzinfo=UTC)
    assert is_due(None, now)
    assert not is_due(now - 19 * HOUR, now)
    assert is_due(now - 20 * HOUR, now)


@pytest.mark.parametrize(
    ("last", "games", "now", "expected"),
    [
        pytest.param(None, [], TIPOFF, TIPOFF, id="a process asks at once"),
        pytest.param(TIPOFF - HOUR, [], TIPOFF, TIPOFF + 3 * HOUR, id="then it is patient"),
        pytest.param(
            TIPOFF + 3 * HOUR,
            [GAME],
            TIPOFF + 3.1 * HOUR,
            TIPOFF + 3 * HOUR + timedelta(minutes=20),
            id="but not while a result is awaited",
        ),
        pytest.param(
            TIPOFF + 72 * HOUR,
            [GAME],
            TIPOFF + 73 * HOUR,
            TIPOFF + 76 * HOUR,
            id="a result that stays away for days is asked for patiently",
        ),
        pytest.param(
            datetime(2026, 11, 21, 10, 50, tzinfo=UTC),
            [],
            datetime(2026, 11, 21, 11, 5, tzinfo=UTC),
            datetime(2026, 11, 21, 11, 5, tzinfo=UTC),
            id="the rollover of a slate is a reason of its own",
        ),
    ],
)
def test_when_to_ask_next(
    last: datetime | None, games: list[ScheduledGame], now: datetime, expected: datetime
) -> None:
    assert next_ingest_at(last, games, now) == expected
