"""What is said of a game's log: the run that counts, whether it is saved, and whether in time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from nba.seasons import EASTERN, ScheduledGame
from nba.silver import Silver
from nba.slate import GameProjection
from prediction_tracking import Origin, PredictionLog, Run
from replica import Replica
from tests import slates
from tests.silver_rows import entry
from tests.slates import BOS_NYK, LAL_DEN, ManualClock, opened, past, tonight
from tests.stores import MemoryStore
from ui.log_lines import game_line, slate_line

TIPOFF = datetime(2026, 11, 21, 0, tzinfo=UTC)
LOGGED = datetime(2026, 11, 20, 18, 2, tzinfo=UTC)

GAME = GameProjection(
    game=ScheduledGame(
        game_id="0022600001",
        season="2026-27",
        season_type="regular",
        slate_date=date(2026, 11, 20),
        tipoff_utc=TIPOFF,
        home_team_id=1,
        home_team="ATL",
        away_team_id=2,
        away_team="CHA",
        is_neutral=False,
        label="",
    ),
    home_win_probability=0.6,
    elo_home_win_probability=0.6,
    home_points=112.0,
    away_points=108.0,
)
LATER = replace(
    GAME,
    game=replace(GAME.game, game_id="0022600002", tipoff_utc=TIPOFF + timedelta(hours=3)),
)
FIRST = Run(
    run_id="first",
    slate_date=date(2026, 11, 20),
    model_version="m",
    origin=Origin.LIVE,
    data_as_of=None,
    logged_at=LOGGED,
    stored_at=LOGGED,
    sequence=2,
    time_verified=True,
    revision=False,
    source="app",
    games=2,
    predictions=100,
)
# Between the two tip-offs.
SECOND = replace(
    FIRST,
    run_id="second",
    revision=True,
    logged_at=TIPOFF + timedelta(hours=1),
    stored_at=TIPOFF + timedelta(hours=1),
    sequence=5,
)
PENDING = replace(FIRST, run_id="pending", stored_at=None, sequence=None)
REPLAY = replace(FIRST, run_id="replay", origin=Origin.REPLAY)

OF_FIRST = {GAME.game.game_id: "first", LATER.game.game_id: "first"}
OF_BOTH = {GAME.game.game_id: "first", LATER.game.game_id: "second"}


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def said(game: GameProjection, *runs: Run, counting: Mapping[str, str]) -> str:
    return game_line(game, runs, counting, 2, EASTERN)


def test_the_run_that_counts_is_named_game_by_game() -> None:
    in_time = "Logged 20 Nov 2026, 1:02 PM EST · saved as #2 · before tip-off"
    assert said(GAME, FIRST, counting=OF_FIRST) == in_time
    assert said(GAME, SECOND, FIRST, counting=OF_BOTH) == in_time, "the revision came too late"
    assert said(LATER, SECOND, FIRST, counting=OF_BOTH) == (
        "Logged 20 Nov 2026, 8:00 PM EST · saved as #5 · before tip-off"
    )
    assert said(GAME, SECOND, counting={}).endswith("saved as #5 · after tip-off")
    some = replace(FIRST, games=1)
    assert said(GAME, some, counting=OF_FIRST) == in_time, "what counts is sure to hold the game"


def test_what_is_not_saved_says_so() -> None:
    unsaved = "Logged 20 Nov 2026, 1:02 PM EST · not saved yet"
    assert said(GAME, PENDING, counting={}) == unsaved
    assert said(GAME, counting={}) == ""


def test_a_game_that_a_run_may_lack_is_not_said_to_be_in_it() -> None:
    assert said(GAME, replace(FIRST, games=1), counting={}) == ""


def test_a_replay_is_called_one() -> None:
    line = "Replay logged 20 Nov 2026, 1:02 PM EST · saved as #2"
    assert said(GAME, REPLAY, counting={}) == line


def test_a_slate_says_how_many_games_it_was_in_time_for() -> None:
    games = [GAME, LATER]
    assert slate_line(FIRST, games, OF_FIRST, EASTERN).endswith(
        "(automatic) · saved as #2 · before every tip-off"
    )
    assert slate_line(SECOND, games, OF_BOTH, EASTERN).endswith(
        "(revision) · saved as #5 · in time for 1 of 2 games, for 1 an earlier one counts"
    )
    alone = {LATER.game.game_id: "second"}
    assert slate_line(SECOND, games, alone, EASTERN).endswith(
        "in time for 1 of 2 games, the others do not count"
    )
    assert slate_line(SECOND, [GAME], {}, EASTERN).endswith(
        "in time for 0 of 1 games, so it does not count"
    )
    assert slate_line(PENDING, games, {}, EASTERN).endswith("(automatic) · not saved yet")
    assert slate_line(REPLAY, games, {}, EASTERN).startswith("Logged as a replay ")


# As the log has it -------------------------------------------------------------------------------


@pytest.fixture
def logged(tmp_path: Path, clock: ManualClock) -> Iterator[tuple[Replica, PredictionLog]]:
    with opened(tmp_path / "state.db", MemoryStore(clock), clock) as found:
        yield found


def as_moved(projection: GameProjection, tipoff: datetime) -> GameProjection:
    """What a page computes once the new tip-off is known."""
    return replace(projection, game=replace(projection.game, tipoff_utc=tipoff))


def test_a_game_moved_later_does_not_make_a_late_run_count(
    logged: tuple[Replica, PredictionLog], clock: ManualClock
) -> None:
    replica, log = logged
    clock.now = slates.TIPOFF + timedelta(minutes=5)
    log.log_slate(tonight(), Origin.LIVE)
    replica.sync_now()
    moved_to = slates.TIPOFF + timedelta(hours=1)
    log.learn(Silver(schedule=(entry(tipoff_utc=moved_to),)))
    runs = log.runs()
    counting = log.counting_runs([BOS_NYK, LAL_DEN])
    assert counting == {LAL_DEN: runs[0].run_id}
    shown = [as_moved(tonight().games[0], moved_to), tonight().games[1]]
    lines = [game_line(one, runs, counting, 2, EASTERN) for one in shown]
    assert lines[0].endswith(" · after the tip-off as planned then, so it does not count")
    assert lines[1].endswith(" · before tip-off")
    assert slate_line(runs[0], shown, counting, EASTERN).endswith(
        "in time for 1 of 2 games, the others do not count"
    )
    assert log.accuracy().wins.n == 0


def test_of_several_runs_the_last_in_time_counts_game_by_game(
    logged: tuple[Replica, PredictionLog], clock: ManualClock
) -> None:
    replica, log = logged
    assert log.counting_runs([BOS_NYK]) == {}
    first = log.log_slate(tonight(25.0), Origin.LIVE)
    assert log.counting_runs([BOS_NYK]) == {}, "no store has it yet"
    replica.sync_now()
    clock.now = slates.TIPOFF + timedelta(minutes=5)
    second = log.log_slate(tonight(31.0), Origin.LIVE, revision=True)
    log.log_slate(past(), Origin.REPLAY)
    replica.sync_now()
    every = [BOS_NYK, LAL_DEN, slates.PAST_BOS_NYK]
    assert log.counting_runs(every) == {BOS_NYK: first.run_id, LAL_DEN: second.run_id}
    assert log.counting_runs([BOS_NYK]) == {BOS_NYK: first.run_id}
