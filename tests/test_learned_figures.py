"""Figures of learned games: what the sources said counts as bundled results do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from nba.silver import Silver
from prediction_tracking import (
    HistoryFilters,
    Origin,
    PredictionLog,
)
from replica import Replica
from tests.silver_rows import (
    AFTER,
    LATER,
    entry,
    evening,
    final,
    line,
    lines,
)
from tests.slates import (
    BOS_NYK,
    TATUM,
    TONIGHT,
    ManualClock,
    opened,
    small_reference,
    tonight,
)
from tests.stores import MemoryStore


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    return small_reference(tmp_path / "reference.db")


@pytest.fixture
def both(
    tmp_path: Path, store: MemoryStore, clock: ManualClock, reference: Path
) -> Iterator[tuple[Replica, PredictionLog]]:
    with opened(tmp_path / "state.db", store, clock, reference=reference) as found:
        yield found


@pytest.fixture
def replica(both: tuple[Replica, PredictionLog]) -> Replica:
    return both[0]


@pytest.fixture
def log(both: tuple[Replica, PredictionLog]) -> PredictionLog:
    return both[1]


def test_learned_games_feed_the_baselines(
    replica: Replica, log: PredictionLog, clock: ManualClock
) -> None:
    log.log_slate(tonight(25), Origin.LIVE)
    replica.sync_now()
    clock.now = AFTER
    log.learn(replace(evening(), schedule=()))
    figures = log.accuracy()
    season = figures.stats["points"].baselines[0]
    assert season.n == 0, "Tatum has not played this season before"
    yesterday = TONIGHT - timedelta(days=1)
    log.learn(lines(line(points=21, game_id="0022600100", day=yesterday)))
    season = log.accuracy().stats["points"].baselines[0]
    assert (season.n, season.mae) == (1, 10)


def test_learned_games_feed_the_home_rate_but_for_those_at_neutral_sites(
    replica: Replica, log: PredictionLog, clock: ManualClock
) -> None:
    log.log_slate(tonight(25), Origin.LIVE)
    replica.sync_now()
    clock.now = AFTER
    log.learn(Silver(games=(final(),)))

    def home_rate_loss() -> float | None:
        coin, home, _ = log.accuracy().wins.baselines
        assert (coin.name, home.name) == ("coin", "home_rate")
        return home.brier

    # Of eleven bundled games the home team has won all but one.
    assert home_rate_loss() == pytest.approx((1 - 10 / 11) ** 2)
    lost = final("0022600100", (90, 100), game_date=TONIGHT - timedelta(days=1))
    log.learn(Silver(games=(lost,)))
    assert home_rate_loss() == pytest.approx((1 - 10 / 12) ** 2)
    abroad = replace(lost, game_id="0022600099")
    there = entry(game_id="0022600099", game_date=abroad.game_date, is_neutral=True)
    log.learn(Silver(games=(abroad,), schedule=(there,)))
    assert home_rate_loss() == pytest.approx((1 - 10 / 12) ** 2)


@pytest.mark.parametrize("has_reference", [True, False])
def test_accuracy_of_learned_games_with_and_without_a_bundle(
    tmp_path: Path, store: MemoryStore, clock: ManualClock, reference: Path, has_reference: bool
) -> None:
    chosen = reference if has_reference else None
    with opened(tmp_path / "state.db", store, clock, reference=chosen) as (replica, log):
        log.log_slate(tonight(25), Origin.LIVE)
        replica.sync_now()
        clock.now = AFTER
        log.learn(evening())
        figures = log.accuracy()
        assert (figures.stats["points"].mae, figures.stats["minutes"].mae) == (6, 0)
        assert figures.wins.brier == pytest.approx(0.4**2)


def test_a_correction_keeps_the_old_value_and_every_figure_follows(
    replica: Replica, log: PredictionLog, clock: ManualClock
) -> None:
    log.log_slate(tonight(25), Origin.LIVE)
    replica.sync_now()
    clock.now = AFTER
    log.learn(replace(evening(), schedule=()))
    before = log.accuracy()
    assert before.stats["points"].n == 1
    assert before.stats["points"].mae == 6
    assert before.wins.n == 1
    report = log.learn(lines(line(points=27, at=LATER)))
    assert (report.player_games, report.corrected, report.games) == (1, 1, 0)
    [correction] = log.result_corrections().to_dict("records")
    assert (correction["stat"], correction["old_value"]) == ("points", 31)
    assert log.learned_results(TONIGHT)[BOS_NYK, TATUM]["points"] == 27
    actual = log.history(HistoryFilters(), limit=None).set_index(["player_id", "stat"])["actual"]
    assert actual[TATUM, "points"] == 27
    assert log.accuracy().stats["points"].mae == 2
    assert log.accuracy().stats["rebounds"] == before.stats["rebounds"]
