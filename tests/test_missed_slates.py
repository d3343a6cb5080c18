"""Slates that went by without a prediction: which count as missed, from when on, and how much."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from nba.seasons import ScheduledGame, UndecidedGame, slate_over_at
from nba.silver import Silver
from nba.slate import SlateProjection
from prediction_tracking import MissedSlate, Origin, PredictionLog
from replica import Replica
from tests.silver_rows import entry
from tests.slates import (
    BOS_NYK,
    LAL_DEN,
    NOON,
    TATUM,
    TIPOFF,
    TONIGHT,
    ManualClock,
    game,
    opened,
    past,
    player,
    slate,
    tonight,
)
from tests.stores import MemoryStore

ONE_DAY = timedelta(days=1)
TOMORROW, AFTER_TOMORROW = TONIGHT + ONE_DAY, TONIGHT + 2 * ONE_DAY
LAST_TIPOFF = TIPOFF + timedelta(hours=2, minutes=30)
FIRST = game()
SECOND = game(LAL_DEN, "LAL", "DEN", tipoff=LAST_TIPOFF)
NEXT = game("0022600130", day=TOMORROW, tipoff=TIPOFF + ONE_DAY)
LATER = game("0022600140", day=AFTER_TOMORROW, tipoff=TIPOFF + 2 * ONE_DAY)
SCHEDULE = (FIRST, SECOND, NEXT, LATER)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def both(tmp_path: Path, clock: ManualClock) -> Iterator[tuple[Replica, PredictionLog]]:
    with opened(tmp_path / "state.db", MemoryStore(clock), clock) as found:
        yield found


@pytest.fixture
def replica(both: tuple[Replica, PredictionLog]) -> Replica:
    return both[0]


@pytest.fixture
def log(both: tuple[Replica, PredictionLog]) -> PredictionLog:
    return both[1]


def only(*games: ScheduledGame) -> SlateProjection:
    """A slate of these games."""
    return slate(
        [(one, 0.5) for one in games],
        [player(TATUM, games[0], games[0].home_team)],
        day=games[0].slate_date,
    )


def save(replica: Replica, log: PredictionLog, *games: ScheduledGame) -> None:
    log.log_slate(only(*games), Origin.LIVE)
    replica.sync_now()


def end_of(day: date) -> datetime:
    return slate_over_at(day)


def test_without_a_live_run_nothing_has_been_missed(
    replica: Replica, log: PredictionLog, clock: ManualClock
) -> None:
    assert log.missed_slates(SCHEDULE, end_of(AFTER_TOMORROW)) == []
    log.log_slate(past(), Origin.REPLAY)
    replica.sync_now()
    assert log.missed_slates(SCHEDULE, end_of(AFTER_TOMORROW)) == []


def test_what_an_earlier_app_has_logged_does_not_begin_the_count(
    replica: Replica, log: PredictionLog
) -> None:
    with replica.transaction() as transaction:
        transaction.execute(
            "INSERT INTO runs VALUES ('imported', '2026-11-20', 'old', 'live', NULL, 'then', '', 0,"
            " 0, 'import')"
        )
    assert log.missed_slates(SCHEDULE, end_of(AFTER_TOMORROW)) == []


def test_slates_since_the_first_live_one_are_missed_when_they_have_begun(
    replica: Replica, log: PredictionLog
) -> None:
    save(replica, log, FIRST, SECOND)
    assert log.missed_slates(SCHEDULE, end_of(TONIGHT)) == []
    before = game("0022600090", day=TONIGHT - ONE_DAY, tipoff=TIPOFF - ONE_DAY)
    schedule = (LATER, NEXT, before, FIRST, SECOND)
    assert log.missed_slates(schedule, TIPOFF + ONE_DAY - timedelta(seconds=1)) == []
    missed = MissedSlate(TOMORROW, games=1, in_time=0)
    assert log.missed_slates(schedule, TIPOFF + ONE_DAY) == [missed]
    assert log.missed_slates(schedule, end_of(AFTER_TOMORROW)) == [
        missed,
        MissedSlate(AFTER_TOMORROW, games=1, in_time=0),
    ]


def test_a_slate_is_missed_in_part_when_its_last_game_has_begun(
    replica: Replica, log: PredictionLog, clock: ManualClock
) -> None:
    clock.now = TIPOFF + timedelta(minutes=1)
    log.log_slate(tonight(), Origin.LIVE)
    replica.sync_now()
    assert log.missed_slates(SCHEDULE, LAST_TIPOFF - timedelta(seconds=1)) == []
    assert log.missed_slates(SCHEDULE, LAST_TIPOFF) == [MissedSlate(TONIGHT, 2, 1)]


def test_what_reached_the_store_after_tip_off_was_too_late(
    replica: Replica, log: PredictionLog, clock: ManualClock
) -> None:
    log.log_slate(tonight(), Origin.LIVE)
    assert log.missed_slates(SCHEDULE, LAST_TIPOFF) == [MissedSlate(TONIGHT, 2, 0)], "pending"
    clock.now = LAST_TIPOFF
    replica.sync_now()
    assert log.missed_slates(SCHEDULE, LAST_TIPOFF) == [MissedSlate(TONIGHT, 2, 0)]


def test_a_game_without_a_known_tip_off_is_missed_when_the_slate_is_over(
    replica: Replica, log: PredictionLog
) -> None:
    save(replica, log, FIRST, SECOND)
    unknown = game("0022600130", day=TOMORROW, tipoff=None)
    assert log.missed_slates([unknown], end_of(TOMORROW) - timedelta(seconds=1)) == []
    assert log.missed_slates([unknown], end_of(TOMORROW)) == [MissedSlate(TOMORROW, 1, 0)]
    known = game("0022600131", "LAL", "DEN", day=TOMORROW, tipoff=TIPOFF + ONE_DAY)
    assert log.missed_slates([unknown, known], TIPOFF + ONE_DAY) == [], "it may be to come"


def test_a_tip_off_that_became_known_after_the_game_was_logged(
    replica: Replica, log: PredictionLog
) -> None:
    save(replica, log, game(tipoff=None), SECOND)
    assert log.missed_slates(SCHEDULE, end_of(TONIGHT)) == [MissedSlate(TONIGHT, 2, 1)]
    log.learn(Silver(schedule=(entry(tipoff_utc=TIPOFF + timedelta(minutes=5)),)))
    assert log.missed_slates(SCHEDULE, end_of(TONIGHT)) == []


def test_games_that_nobody_predicts_are_not_missed(replica: Replica, log: PredictionLog) -> None:
    save(replica, log, FIRST, SECOND)
    preseason = ScheduledGame(
        "0012600001", "2026-27", "preseason", TOMORROW, TIPOFF, 1, "BOS", 2, "NYK", False, ""
    )
    undecided = UndecidedGame("0062600001", "2026-27", "cup_final", TOMORROW, "Final")
    assert log.missed_slates([preseason, undecided], end_of(TOMORROW)) == []


def test_a_game_that_was_moved_to_a_later_date_is_still_to_come(
    replica: Replica, log: PredictionLog
) -> None:
    save(replica, log, FIRST, SECOND)
    moved = game(BOS_NYK, day=AFTER_TOMORROW, tipoff=TIPOFF + 2 * ONE_DAY)
    assert log.missed_slates([moved, SECOND], end_of(TONIGHT)) == []
    # What was said of it then was said before it began.
    assert log.missed_slates([moved, SECOND], end_of(AFTER_TOMORROW)) == []


def test_a_game_that_was_moved_forward_after_it_was_logged(
    replica: Replica, log: PredictionLog, clock: ManualClock
) -> None:
    save(replica, log, FIRST, SECOND)
    earlier = NOON - timedelta(minutes=5)
    log.learn(Silver(schedule=(entry(tipoff_utc=earlier),)))
    schedule = (game(tipoff=earlier), SECOND)
    assert log.missed_slates(schedule, end_of(TONIGHT)) == [MissedSlate(TONIGHT, 2, 1)]


def test_the_moment_is_a_moment_wherever_the_clock_hangs(
    replica: Replica, log: PredictionLog
) -> None:
    save(replica, log, FIRST, SECOND)
    when = TIPOFF + ONE_DAY
    assert when.tzinfo is UTC
    there = when.astimezone()
    assert log.missed_slates(SCHEDULE, there) == log.missed_slates(SCHEDULE, when) != []
