"""Accuracy: figures that can be checked by hand, beside baselines on the same rows."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest

from nba import evaluation
from nba.slate import SlateProjection
from nba.stats import STATS
from prediction_tracking import Accuracy, Origin, PredictionLog
from replica import Replica
from tests.slates import (
    BOS_NYK,
    BRUNSON,
    DONCIC,
    LAL_DEN,
    PAST,
    PAST_BOS_NYK,
    PAST_LAL_DEN,
    TATUM,
    TEAMS,
    TIPOFF,
    ManualClock,
    opened,
    past,
    small_reference,
    tonight,
)
from tests.stores import MemoryStore

COLUMNS = (
    "game_id, player_id, game_date, team_id, points, rebounds, assists, threes, minutes,"
    " source, recorded_at"
)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    return small_reference(tmp_path / "reference.db")


def results(*rows: tuple[str, int, int]) -> pd.DataFrame:
    """Rows of (date, player, points); the rest as projected by the small slates."""
    columns = ["date", "player_id", "pts", "reb", "ast", "fg3m", "min"]
    return pd.DataFrame([(*row, 8, 5, 3, 36) for row in rows], columns=columns)


def finish(replica: Replica, game_id: str, home_points: int, away_points: int) -> None:
    with replica.transaction() as transaction:
        transaction.execute(
            "INSERT INTO games VALUES (?, '2026-11-20', ?, ?, ?, ?, 'test', 'now')",
            (game_id, TEAMS["BOS"], TEAMS["NYK"], home_points, away_points),
        )


def nothing(figures: Accuracy) -> None:
    assert set(figures.stats) == set(STATS)
    for stat in figures.stats.values():
        assert (stat.n, stat.mae, stat.bias, stat.coverage_80) == (0, None, None, None)
        assert [b.name for b in stat.baselines] == list(evaluation.BASELINES)
        assert all((b.n, b.mae, b.model_mae) == (0, None, None) for b in stat.baselines)
    wins = figures.wins
    assert (wins.n, wins.log_loss, wins.brier, wins.accuracy) == (0, None, None, None)
    assert all((b.n, b.log_loss, b.brier) == (0, None, None) for b in wins.baselines)
    assert figures.first_date is None
    assert figures.last_date is None


@pytest.mark.parametrize("with_reference", [True, False])
def test_without_rows_there_is_no_figure(
    tmp_path: Path, store: MemoryStore, clock: ManualClock, reference: Path, with_reference: bool
) -> None:
    chosen = reference if with_reference else None
    with opened(tmp_path / "state.db", store, clock, reference=chosen) as (replica, log):
        nothing(log.accuracy())
        log.log_slate(tonight(), Origin.LIVE)
        replica.sync_now()
        nothing(log.accuracy())
        nothing(log.accuracy(origin=Origin.REPLAY))


def test_figures_by_hand(
    tmp_path: Path, store: MemoryStore, clock: ManualClock, reference: Path
) -> None:
    with opened(tmp_path / "state.db", store, clock, reference=reference) as (_, log):
        # Tatum 30, Brunson 22, both projected at 25 with the band 23 to 27; Dončić did not play.
        log.log_slate(past(25), Origin.REPLAY)
        figures = log.accuracy(origin=Origin.REPLAY)
        points = figures.stats["points"]
        assert points.n == 2
        assert points.mae == pytest.approx((5 + 3) / 2)
        assert points.bias == pytest.approx((-5 + 3) / 2)
        assert (points.n_bands, points.coverage_80) == (2, 0)
        rebounds = figures.stats["rebounds"]
        assert (rebounds.mae, rebounds.bias, rebounds.coverage_80) == (0, 0, 1)
        assert figures.first_date == figures.last_date == PAST

        # Tatum's nine games before: 10, 11, … 18; Brunson's always 20.
        season, last_5, ewma = points.baselines
        assert season.name == "season_average"
        assert season.mae == pytest.approx((abs(30 - 14) + abs(22 - 20)) / 2)
        assert last_5.mae == pytest.approx((abs(30 - 16) + abs(22 - 20)) / 2)
        weights = [0.5 ** (age / 8) for age in range(9)]
        average = sum(w * (18 - age) for age, w in enumerate(weights)) / sum(weights)
        assert ewma.mae == pytest.approx(((30 - average) + 2) / 2)
        for baseline in points.baselines:
            assert baseline.n == 2
            assert baseline.model_mae == points.mae

        # BOS won at home, LAL lost at home; both had a home win probability of 0.6.
        wins = figures.wins
        assert wins.n == 2
        assert wins.brier == pytest.approx((0.4**2 + 0.6**2) / 2)
        assert wins.log_loss == pytest.approx(-(math.log(0.6) + math.log(0.4)) / 2)
        assert wins.accuracy == 0.5
        coin, home, elo = wins.baselines
        assert (coin.name, coin.n, coin.brier, coin.accuracy) == ("coin", 2, 0.25, 0.5)
        # Home teams had won all nine games before that date.
        assert (home.name, home.n, home.brier) == ("home_rate", 2, 0.5)
        assert home.model_brier == wins.brier
        assert (elo.name, elo.n, elo.log_loss, elo.model_log_loss) == (
            *("elo", 2),
            *(wins.log_loss, wins.log_loss),
        )


def with_median(projection: SlateProjection, median: float) -> SlateProjection:
    """The same with another median of points, which neither mean nor band follow."""
    players = [
        replace(one, bands={**one.bands, "points": replace(one.bands["points"], median=median)})
        for one in projection.players
    ]
    return replace(projection, players=tuple(players))


def test_the_error_is_the_medians_and_the_bias_the_means(
    tmp_path: Path, store: MemoryStore, clock: ManualClock, reference: Path
) -> None:
    with opened(tmp_path / "state.db", store, clock, reference=reference) as (replica, log):
        log.log_slate(with_median(past(25), 20), Origin.REPLAY)
        points = log.accuracy(origin=Origin.REPLAY).stats["points"]
        assert points.mae == pytest.approx((10 + 2) / 2)
        assert points.bias == pytest.approx((-5 + 3) / 2)
        assert {one.model_mae for one in points.baselines} == {points.mae}
        # As if the run of one of them had been logged before there were medians.
        with replica.transaction() as transaction:
            transaction.execute(
                "UPDATE predictions SET median = NULL WHERE player_id = ?", (TATUM,)
            )
        points = log.accuracy(origin=Origin.REPLAY).stats["points"]
        assert points.mae == pytest.approx((5 + 2) / 2)
        assert {one.model_mae for one in points.baselines} == {points.mae}


def test_elo_is_compared_on_the_games_that_have_it(
    tmp_path: Path, store: MemoryStore, clock: ManualClock, reference: Path
) -> None:
    with opened(tmp_path / "state.db", store, clock, reference=reference) as (replica, log):
        usual = past(25, home_win_probability=0.6)
        games = [replace(one, elo_home_win_probability=0.7) for one in usual.games]
        log.log_slate(replace(usual, games=tuple(games)), Origin.REPLAY)
        wins = log.accuracy(origin=Origin.REPLAY).wins
        elo = wins.baselines[2]
        assert elo.n == wins.n == 2
        assert elo.log_loss == pytest.approx(-(math.log(0.7) + math.log(0.3)) / 2)
        assert elo.model_log_loss == wins.log_loss
        with replica.transaction() as transaction:
            transaction.execute(
                "UPDATE game_predictions SET elo_home_win_probability = NULL WHERE game_id = ?",
                (PAST_LAL_DEN,),
            )
        wins = log.accuracy(origin=Origin.REPLAY).wins
        elo = wins.baselines[2]
        assert (wins.n, elo.n) == (2, 1)
        # BOS won at home.
        assert elo.log_loss == pytest.approx(-math.log(0.7))
        assert elo.model_log_loss == pytest.approx(-math.log(0.6))


def test_a_baseline_sees_no_game_of_its_own_date_or_later(
    tmp_path: Path, store: MemoryStore, clock: ManualClock, reference: Path
) -> None:
    with opened(tmp_path / "state.db", store, clock, reference=reference) as (replica, log):
        log.log_slate(past(25), Origin.REPLAY)
        before = log.accuracy(origin=Origin.REPLAY)
        with replica.transaction() as transaction:
            for number, day in enumerate(("2024-11-20", "2024-11-21", "2025-01-01")):
                transaction.execute(
                    f"INSERT INTO player_games ({COLUMNS})"
                    " VALUES (?, ?, ?, ?, 60, 9, 9, 9, 40, 'test', 'now')",
                    (f"later-{number}", TATUM, day, TEAMS["BOS"]),
                )
                transaction.execute(
                    "INSERT INTO games VALUES (?, ?, 1, 2, 50, 150, 'test', 'now')",
                    (f"later-{number}", day),
                )
        assert log.accuracy(origin=Origin.REPLAY) == before
        with replica.transaction() as transaction:
            transaction.execute(
                f"INSERT INTO player_games ({COLUMNS})"
                " VALUES ('early', ?, '2024-11-19', 1, 60, 9, 9, 9, 40,"
                " 'test', 'now')",
                (TATUM,),
            )
            transaction.execute(
                "INSERT INTO games VALUES ('early', '2024-11-19', 1, 2, 50, 150, 'test', 'now')"
            )
        after = log.accuracy(origin=Origin.REPLAY)
        assert after.stats["points"].mae == before.stats["points"].mae
        assert after.stats["points"].baselines != before.stats["points"].baselines
        assert after.wins.baselines[1] != before.wins.baselines[1]


def test_a_correction_reaches_figures_and_baselines(
    tmp_path: Path, store: MemoryStore, clock: ManualClock, reference: Path
) -> None:
    with opened(tmp_path / "state.db", store, clock, reference=reference) as (_, log):
        log.log_slate(past(25), Origin.REPLAY)
        log.record_results(results(("2024-11-20", TATUM, 25), ("2024-11-17", TATUM, 27)), "test")
        points = log.accuracy(origin=Origin.REPLAY).stats["points"]
        assert points.n == 2
        assert points.mae == pytest.approx((0 + 3) / 2)
        assert points.baselines[0].mae == pytest.approx((abs(25 - 15) + 2) / 2)


def test_origins_are_never_mixed(
    tmp_path: Path, store: MemoryStore, clock: ManualClock, reference: Path
) -> None:
    with opened(tmp_path / "state.db", store, clock, reference=reference) as (replica, log):
        log.log_slate(past(25), Origin.REPLAY)
        log.log_slate(tonight(20), Origin.LIVE)
        replica.sync_now()
        clock.now = TIPOFF + timedelta(days=1)
        log.record_results(results(("2026-11-20", TATUM, 24)), "test")
        live = log.accuracy()
        assert live.origin is Origin.LIVE
        assert (live.stats["points"].n, live.stats["points"].mae) == (1, 4)
        replay = log.accuracy(origin=Origin.REPLAY)
        assert replay.stats["points"].n == 2
        nothing(replace(log.accuracy(since=date(2026, 11, 21))))
        nothing(log.accuracy(until=date(2026, 11, 19)))
        nothing(log.accuracy(model_version="other"))
        assert log.accuracy(since=date(2026, 11, 20), until=date(2026, 11, 20)) == live


def test_live_counts_the_last_run_the_store_had_before_tip_off(
    tmp_path: Path, store: MemoryStore, clock: ManualClock
) -> None:
    local = ManualClock(clock.now)
    with opened(tmp_path / "state.db", store, local) as (replica, log):
        log.log_slate(tonight(20), Origin.LIVE)
        replica.sync_now()
        log.log_slate(tonight(22), Origin.LIVE, revision=True)
        clock.now = TIPOFF - timedelta(minutes=1)
        replica.sync_now()
        log.log_slate(tonight(24), Origin.LIVE, revision=True)
        clock.now = TIPOFF + timedelta(minutes=1)
        replica.sync_now()
        # Logged by a clock that says it is early, never published.
        log.log_slate(tonight(99), Origin.LIVE, revision=True)
        finish(replica, BOS_NYK, 100, 90)
        finish(replica, LAL_DEN, 100, 90)
        local.now = TIPOFF + timedelta(days=1)
        log.record_results(results(("2026-11-20", TATUM, 20), ("2026-11-20", DONCIC, 20)), "test")
        figures = log.accuracy()
        # The first game counts by the run of 22 points, the second, which began later, by 24.
        assert figures.stats["points"].n == 2
        assert figures.stats["points"].bias == pytest.approx((2 + 4) / 2)
        assert figures.wins.n == 2
        assert figures.wins.brier == pytest.approx((0.4**2 + 0.55**2) / 2)


def test_a_run_published_after_tip_off_is_in_no_figure(
    tmp_path: Path, store: MemoryStore, clock: ManualClock
) -> None:
    local = ManualClock(clock.now)
    with opened(tmp_path / "state.db", store, local) as (replica, log):
        log.log_slate(tonight(20), Origin.LIVE)
        clock.now = TIPOFF + timedelta(hours=12)
        replica.sync_now()
        finish(replica, BOS_NYK, 100, 90)
        local.now = clock.now
        log.record_results(results(("2026-11-20", TATUM, 20)), "test")
        nothing(log.accuracy())


def test_of_several_replays_the_last_counts(
    tmp_path: Path, store: MemoryStore, clock: ManualClock, reference: Path
) -> None:
    with opened(tmp_path / "state.db", store, clock, reference=reference) as (replica, log):
        log.log_slate(past(25), Origin.REPLAY)
        replica.sync_now()
        clock.now += timedelta(minutes=1)
        newer = replace(past(30), model_version="other-1")
        log.log_slate(newer, Origin.REPLAY)
        points = log.accuracy(origin=Origin.REPLAY).stats["points"]
        assert points.n == 2
        assert points.mae == pytest.approx((0 + 8) / 2)
        other = log.accuracy(origin=Origin.REPLAY, model_version="other-1")
        assert other.stats["points"] == points


def test_a_newcomer_has_no_baseline_and_is_in_no_comparison(
    tmp_path: Path, store: MemoryStore, clock: ManualClock
) -> None:
    with opened(tmp_path / "state.db", store, clock) as (_, log):
        log.log_slate(past(25), Origin.REPLAY)
        log.record_results(
            results(
                ("2024-11-20", TATUM, 30), ("2024-11-20", BRUNSON, 22), ("2024-11-20", DONCIC, 25)
            ),
            "test",
        )
        with_nothing_before = log.accuracy(origin=Origin.REPLAY).stats["points"]
        assert with_nothing_before.n == 3
        assert all(b.n == 0 and b.mae is None for b in with_nothing_before.baselines)


def test_a_baseline_of_some_rows_is_compared_on_those_rows(
    tmp_path: Path, store: MemoryStore, clock: ManualClock, reference: Path
) -> None:
    with opened(tmp_path / "state.db", store, clock, reference=reference) as (_, log):
        log.log_slate(past(25), Origin.REPLAY)
        # Dončić, who has no game in the small reference, played after all.
        log.record_results(results(("2024-11-20", DONCIC, 55)), "test")
        points = log.accuracy(origin=Origin.REPLAY).stats["points"]
        assert points.n == 3
        assert points.mae == pytest.approx((5 + 3 + 30) / 3)
        for baseline in points.baselines:
            assert baseline.n == 2
            assert baseline.model_mae == pytest.approx(4)


def test_figures_equal_a_direct_computation(
    tmp_path: Path, store: MemoryStore, clock: ManualClock, reference: Path
) -> None:
    with opened(tmp_path / "state.db", store, clock, reference=reference) as (_, log):
        run = log.log_slate(past(23.5), Origin.REPLAY)
        frame = _with_actuals(log, run.run_id)
        figures = log.accuracy(origin=Origin.REPLAY)
        for stat in STATS:
            rows = frame[frame["stat"] == stat]
            assert figures.stats[stat].n == len(rows)
            assert figures.stats[stat].mae == pytest.approx(
                (rows["median"] - rows["actual"]).abs().mean()
            )
        assert PAST_BOS_NYK in set(frame["game_id"])


def _with_actuals(log: PredictionLog, run_id: str) -> pd.DataFrame:
    from prediction_tracking import HistoryFilters

    frame = log.history(HistoryFilters(), limit=None)
    return frame[(frame["run_id"] == run_id) & frame["actual"].notna()]
