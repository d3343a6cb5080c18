"""Medians, Elo and expected scores in the log, and runs from before there were any."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from nba.slate import SlateProjection
from nba.stats import STATS
from prediction_tracking import (
    CATALOGUE_TABLES,
    MIGRATIONS,
    REPLICATED_TABLES,
    HistoryFilters,
    Origin,
    PredictionLog,
    SlateRejected,
)
from replica import Replica
from tests.slates import (
    BOS_NYK,
    BRUNSON,
    NOON,
    PAST_BOS_NYK,
    TATUM,
    TEAMS,
    TIPOFF,
    ManualClock,
    opened,
    past,
    small_reference,
    tonight,
)
from tests.stores import MemoryStore, open_replica

EVERYTHING = HistoryFilters()
OLD_RUN = "0d9f2f6e-3a52-5e0c-8a59-5f5cf1c3a001"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    return small_reference(tmp_path / "reference.db")


def of_first_player(projection: SlateProjection, **changes: Any) -> SlateProjection:
    """The same with other figures of the first player's points."""
    [first, *others] = projection.players
    bands = {**first.bands, "points": replace(first.bands["points"], **changes)}
    return replace(projection, players=(replace(first, bands=bands), *others))


def of_first_game(projection: SlateProjection, **changes: Any) -> SlateProjection:
    """The same with other figures of the first game."""
    [first, *others] = projection.games
    return replace(projection, games=(replace(first, **changes), *others))


OTHERS = [
    of_first_player(tonight(), median=25.0 + 1e-12),
    of_first_game(tonight(), elo_home_win_probability=0.61),
    of_first_game(tonight(), home_points=112.5),
    of_first_game(tonight(), away_points=109.5),
]


def test_all_that_is_said_is_logged(
    tmp_path: Path, store: MemoryStore, clock: ManualClock, reference: Path
) -> None:
    said = of_first_game(
        of_first_player(tonight(), median=24.0),
        elo_home_win_probability=0.55,
        home_points=113.5,
        away_points=108.25,
    )
    with opened(tmp_path / "state.db", store, clock, reference=reference) as (_, log):
        run = log.log_slate(said, Origin.LIVE)
        frame = log.run_frame(run.run_id)
        game = frame[frame["game_id"] == BOS_NYK].iloc[0]
        names = ["home_win_probability", "elo_home_win_probability", "home_points", "away_points"]
        assert list(game[names]) == [0.6, 0.55, 113.5, 108.25]
        row = frame[(frame["player_id"] == TATUM) & (frame["stat"] == "points")].iloc[0]
        assert (row["mean"], row["median"], row["floor"], row["ceiling"]) == (25, 24, 23, 27)
        # pra is projected and not logged.
        assert "pra" in said.players[0].bands
        assert list(frame["stat"].unique()) == list(STATS)
        history = log.history(HistoryFilters(player="tatum", stat="points"), limit=1)
        assert history["median"].iloc[0] == 24
        header, first, *_ = log.history_csv(EVERYTHING).decode().splitlines()
        cells = dict(zip(header.split(","), first.split(","), strict=True))
        assert (cells["mean"], cells["median"]) == ("25.0", "24.0")


@pytest.mark.parametrize("other", OTHERS)
def test_another_figure_makes_another_automatic_run(
    tmp_path: Path, store: MemoryStore, clock: ManualClock, other: SlateProjection
) -> None:
    with opened(tmp_path / "state.db", store, clock) as (_, log):
        first = log.log_slate(tonight(), Origin.LIVE)
        assert log.log_slate(other, Origin.LIVE).run_id == first.run_id, "once for the same data"
        assert log.log_slate(other, Origin.LIVE, anew=True).run_id != first.run_id
        assert log.log_slate(tonight(), Origin.LIVE, anew=True).run_id == first.run_id


@pytest.mark.parametrize("other", OTHERS)
def test_two_processes_with_other_figures_make_two_runs(
    tmp_path: Path, store: MemoryStore, clock: ManualClock, other: SlateProjection
) -> None:
    with (
        opened(tmp_path / "a.db", store, clock, seed=1) as (one, first),
        opened(tmp_path / "b.db", store, clock, seed=2) as (two, second),
    ):
        said = {
            first.log_slate(tonight(), Origin.LIVE).run_id: tonight(),
            second.log_slate(other, Origin.LIVE).run_id: other,
        }
        assert len(said) == 2
        for _ in range(2):
            one.sync_now()
            two.sync_now()
        for run_id, projection in said.items():
            for log in (first, second):
                frame = log.run_frame(run_id)
                points = frame[(frame["player_id"] == TATUM) & (frame["stat"] == "points")]
                assert points["median"].iloc[0] == projection.players[0].bands["points"].median
                game = projection.games[0]
                assert points["home_points"].iloc[0] == game.home_points
                assert points["away_points"].iloc[0] == game.away_points
            pd.testing.assert_frame_equal(first.run_frame(run_id), second.run_frame(run_id))
        assert one.status().conflicts == two.status().conflicts == 0


@pytest.mark.parametrize(
    "broken",
    [
        of_first_player(tonight(), median=float("nan")),
        of_first_game(tonight(), elo_home_win_probability=1.01),
        of_first_game(tonight(), elo_home_win_probability=float("nan")),
        of_first_game(tonight(), home_points=float("nan")),
        of_first_game(tonight(), away_points=float("inf")),
    ],
)
def test_what_is_no_number_is_refused(
    tmp_path: Path, store: MemoryStore, clock: ManualClock, broken: SlateProjection
) -> None:
    with opened(tmp_path / "state.db", store, clock) as (replica, log):
        with pytest.raises(SlateRejected):
            log.log_slate(broken, Origin.LIVE)
        assert replica.status().pending_transactions == 0


# A state of version 3 -----------------------------------------------------------------------------


def third_version(path: Path, store: MemoryStore, clock: ManualClock) -> Replica:
    tables = [table for table in REPLICATED_TABLES if table not in CATALOGUE_TABLES]
    replica = open_replica(path, store, migrations=MIGRATIONS[:3], tables=tables, clock=clock)
    replica.restore()
    return replica


def log_as_before(replica: Replica) -> None:
    """A replay of the small reference's evening, as version 3 wrote it."""
    with replica.transaction() as transaction:
        transaction.execute(
            "INSERT INTO runs VALUES (?, '2024-11-20', 'ewma-1+elo-1', 'replay', '2024-11-17',"
            " '2024-11-17', '', 0, 0, 'app')",
            (OLD_RUN,),
        )
        transaction.execute(
            "INSERT INTO run_transactions VALUES (?, ?, '2026-11-20T17:00:00.000000Z')",
            (OLD_RUN, transaction.id),
        )
        transaction.execute(
            "INSERT INTO game_predictions VALUES (?, ?, '2024-11-20', NULL, ?, ?, 'BOS', 'NYK',"
            " 0.75)",
            (OLD_RUN, PAST_BOS_NYK, TEAMS["BOS"], TEAMS["NYK"]),
        )
        transaction.executemany(
            "INSERT INTO predictions VALUES (?, ?, ?, 'points', ?, 26.5, 20, 33, 0)",
            [
                (OLD_RUN, PAST_BOS_NYK, TATUM, TEAMS["BOS"]),
                (OLD_RUN, PAST_BOS_NYK, BRUNSON, TEAMS["NYK"]),
            ],
        )


def old_run_is_whole(log: PredictionLog) -> None:
    """Nothing was changed, and nothing is told that was not known."""
    frame = log.run_frame(OLD_RUN)
    assert list(frame["mean"]) == [26.5, 26.5]
    assert set(frame["home_win_probability"]) == {0.75}
    told = ["median", "elo_home_win_probability", "home_points", "away_points"]
    assert frame[told].isna().all(axis=None)
    version = HistoryFilters(model_version="ewma-1+elo-1")
    history = log.history(version, limit=None)
    assert list(history["actual"]) == [30, 22]
    assert history["median"].isna().all()


def old_run_counts(log: PredictionLog) -> None:
    """The figures of version 3, as long as there is no newer run."""
    figures = log.accuracy(origin=Origin.REPLAY)
    # Without a median the mean is judged: Tatum had 30, Brunson 22.
    assert figures.stats["points"].mae == pytest.approx((3.5 + 4.5) / 2)
    assert figures.wins.n == 1
    assert [one.n for one in figures.wins.baselines] == [1, 1, 0]


@pytest.mark.parametrize("is_published", [True, False])
def test_a_state_of_version_3_is_taken_over(
    tmp_path: Path, store: MemoryStore, clock: ManualClock, reference: Path, is_published: bool
) -> None:
    old = third_version(tmp_path / "old.db", store, clock)
    try:
        log_as_before(old)
        if is_published:
            old.sync_now()
    finally:
        old.close(0)
    for name in ("old", "fresh"):
        with opened(tmp_path / f"{name}.db", store, clock, reference=reference) as (replica, log):
            [version] = log.query("PRAGMA user_version")["user_version"]
            assert version == len(MIGRATIONS), name
            old_run_is_whole(log)
            old_run_counts(log)
            replica.sync_now()


def test_a_snapshot_of_version_3_is_taken_over(
    tmp_path: Path, store: MemoryStore, clock: ManualClock, reference: Path
) -> None:
    old = third_version(tmp_path / "old.db", store, clock)
    try:
        log_as_before(old)
        old.sync_now()
        old.snapshot()
    finally:
        old.close(0)
    with opened(tmp_path / "fresh.db", store, clock, reference=reference) as (_, log):
        old_run_is_whole(log)
        old_run_counts(log)


def test_old_and_new_runs_stand_side_by_side_in_both_replicas(
    tmp_path: Path, store: MemoryStore, clock: ManualClock, reference: Path
) -> None:
    old = third_version(tmp_path / "a.db", store, clock)
    try:
        log_as_before(old)
        old.sync_now()
    finally:
        old.close(0)
    with (
        opened(tmp_path / "a.db", store, clock, reference=reference, seed=1) as (one, first),
        opened(tmp_path / "b.db", store, clock, reference=reference, seed=2) as (two, second),
    ):
        clock.now = NOON + timedelta(minutes=1)
        first.log_slate(of_first_player(past(25), median=24.0), Origin.REPLAY)
        second.log_slate(tonight(), Origin.LIVE)
        for _ in range(2):
            one.sync_now()
            two.sync_now()
        clock.now = TIPOFF + timedelta(days=1)
        for log in (first, second):
            old_run_is_whole(log)
            # The newer run is the one that counts: Tatum's median of 24, Brunson's of 25.
            figures = log.accuracy(origin=Origin.REPLAY)
            assert figures.stats["points"].mae == pytest.approx((6 + 3) / 2)
            assert [baseline.n for baseline in figures.wins.baselines] == [2, 2, 2]
        pd.testing.assert_frame_equal(
            first.history(EVERYTHING, limit=None), second.history(EVERYTHING, limit=None)
        )
        assert first.history_csv(EVERYTHING) == second.history_csv(EVERYTHING)
