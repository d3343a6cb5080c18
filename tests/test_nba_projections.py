"""ewma-1: averages, bands, priors, and minutes that add up."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from nba.projections import (
    WINDOW_GAMES,
    Priors,
    histories_of,
    priors_of,
    project,
    weighted_average,
)
from nba.reference import Reference, build_reference
from nba.rosters import fit_minutes, fitted_minutes, rotation
from nba.stats import STATS
from tests.nba_bundle import played, small_bundle

POINTS, THREES, MINUTES = (STATS.index(stat) for stat in ("points", "threes", "minutes"))
NO_PRIORS = Priors({}, {}, {})


def box_scores(points: list[float], player_id: int = 1) -> pd.DataFrame:
    """One player's games in order; every stat but points is 1."""
    frame = pd.DataFrame({"player_id": player_id, "points": points})
    for stat in STATS[1:]:
        frame[stat] = 1.0
    return frame


def newcomers(points: list[float], position: str = "G") -> pd.DataFrame:
    return box_scores(points).assign(position=position)


def test_the_average_by_hand() -> None:
    windows = np.array([[30.0, 20.0, 10.0]])  # newest first
    # weights 1, 0.5^(1/8) = 0.917004, 0.5^(2/8) = 0.840896
    assert weighted_average(windows, 8.0)[0] == pytest.approx(56.749046 / 2.757900, abs=1e-5)
    # weights 1, 0.5, 0.25
    assert weighted_average(windows, 1.0)[0] == pytest.approx(42.5 / 1.75)


def test_a_missing_number_keeps_its_place_in_the_order() -> None:
    # weights 1 and 0.25: the game between them has no number, but it was played
    assert weighted_average(np.array([[8.0, np.nan, 4.0]]), 1.0)[0] == pytest.approx(9 / 1.25)
    assert np.isnan(weighted_average(np.full((1, 3), np.nan), 1.0)[0])


def test_the_mean_uses_each_stats_half_life() -> None:
    history = box_scores([10.0, 20.0, 30.0])
    history["minutes"] = [10.0, 20.0, 30.0]
    projected = project(histories_of(history, [1]), ["G"], NO_PRIORS)
    assert projected.mean[0, POINTS] == pytest.approx(20.57690, abs=1e-4)
    # half-life 2.5: weights 1, 0.757858, 0.574349
    assert projected.mean[0, MINUTES] == pytest.approx(50.900658 / 2.332207, abs=1e-4)


def test_only_the_latest_games_are_looked_at_and_each_player_keeps_to_his_own() -> None:
    long = box_scores([99.0] * 5 + [7.0] * WINDOW_GAMES, player_id=3)
    short = box_scores([1.0, 2.0], player_id=8)
    histories = histories_of(pd.concat([long, short]), [8, 5, 3])
    assert histories.games.tolist() == [2, 0, WINDOW_GAMES]
    assert histories.windows[0, :3, POINTS].tolist()[:2] == [2.0, 1.0]
    assert np.isnan(histories.windows[0, 2:]).all()
    assert np.isnan(histories.windows[1]).all()
    assert project(histories, ["G"] * 3, NO_PRIORS).mean[2, POINTS] == pytest.approx(7.0)


def test_a_steady_player_has_a_narrow_band_and_a_wild_one_a_wide_one() -> None:
    steady = box_scores([20.0] * 40, player_id=1)
    wild = box_scores([0.0, 40.0] * 20, player_id=2)
    projected = project(histories_of(pd.concat([steady, wild]), [1, 2]), ["G", "G"], NO_PRIORS)
    assert projected.floor[0, POINTS] == pytest.approx(20.0)
    assert projected.ceiling[0, POINTS] == pytest.approx(20.0)
    assert projected.floor[1, POINTS] == pytest.approx(0.0)
    assert projected.ceiling[1, POINTS] == pytest.approx(40.0, rel=0.1)


def test_the_band_follows_a_new_level_by_its_square_root() -> None:
    history = box_scores([10.0] * 60 + [40.0] * 20)
    projected = project(histories_of(history, [1]), ["G"], NO_PRIORS)
    window = np.array([[40.0] * 20 + [10.0] * 60])
    stretch = np.sqrt(weighted_average(window, 8.0) / weighted_average(window, 30.0))[0]
    assert stretch > 1.1
    assert projected.ceiling[0, POINTS] == pytest.approx(40.0 * stretch)
    assert projected.floor[0, POINTS] == pytest.approx(10.0 * stretch)


@given(
    arrays.arrays(
        np.float64, st.tuples(st.integers(1, 30), st.just(len(STATS))), elements=st.integers(0, 60)
    )
)
def test_the_mean_lies_within_the_band_and_nothing_is_negative(values: np.ndarray) -> None:
    history = pd.DataFrame(values, columns=list(STATS)).assign(player_id=1)
    projected = project(
        histories_of(history, [1]), ["F-C"], priors_of(newcomers([2.0, 4.0, 9.0], "F"))
    )
    assert (projected.floor >= 0).all()
    assert (projected.floor <= projected.mean).all()
    assert (projected.mean <= projected.ceiling).all()


def test_a_newcomer_gets_the_prior_of_his_position() -> None:
    guards = newcomers([4.0] * 250, "G")
    centres = newcomers([float(n % 11) for n in range(330)], "C")
    few = newcomers([50.0] * 3, "F")
    priors = priors_of(pd.concat([guards, centres, few]))
    projected = project(histories_of(box_scores([]), [1, 2, 3, 4]), ["G-F", "C", "F", ""], priors)
    everyone = (250 * 4.0 + 330 * 5.0 + 3 * 50.0) / 583
    assert projected.mean[:, POINTS] == pytest.approx([4.0, 5.0, everyone, everyone])
    assert projected.floor[1, POINTS] == pytest.approx(1.0)
    assert projected.ceiling[1, POINTS] == pytest.approx(9.0)


def test_the_prior_counts_as_one_game_until_the_tenth() -> None:
    priors = priors_of(newcomers([5.0] * 200))
    for games, expected in ((1, 15.0), (4, 21.0), (9, 23.0), (10, 25.0)):
        histories = histories_of(box_scores([25.0] * games), [1])
        assert project(histories, ["G"], priors).mean[0, POINTS] == pytest.approx(expected)


def test_without_history_and_prior_nothing_is_made_up() -> None:
    projected = project(histories_of(box_scores([]), [1]), ["G"], priors_of(newcomers([])))
    assert np.isnan(projected.mean).all()
    assert rotation(projected.mean[:, MINUTES]).tolist() == []


def test_a_doubleheader_does_not_see_itself(tmp_path: Path) -> None:
    day = date(2024, 1, 15)
    rows = [
        played(1, date(2024, 1, 13), "0022300001", pts=10, minutes=30),
        played(1, day, "0022300002", pts=50, minutes=48),
        played(1, day, "0022300003", pts=60, minutes=48),
    ]
    reference = Reference(build_reference(small_bundle(tmp_path / "d", rows), tmp_path / "r.db"))
    on_the_day = reference.latest_games([1], day, WINDOW_GAMES)
    assert on_the_day["points"].tolist() == [10.0]
    afterwards = reference.latest_games([1], date(2024, 1, 16), WINDOW_GAMES)
    assert afterwards["points"].tolist() == [10.0, 50.0, 60.0]
    assert reference.latest_games([1], date(2024, 1, 16), 2)["points"].tolist() == [50.0, 60.0]


def test_newcomers_are_those_after_the_first_bundled_season(tmp_path: Path) -> None:
    veteran = [
        played(1, date(2023, 12, 1), "0022300001", pts=30) | {"season": "2022-23"},
        played(1, date(2024, 1, 1), "0022300002", pts=30),
    ]
    rookie = [
        played(2, date(2024, 1, 1 + number), f"00223001{number:02d}", pts=number)
        for number in range(12)
    ]
    path = build_reference(small_bundle(tmp_path / "d", veteran + rookie), tmp_path / "r.db")
    first = Reference(path).newcomer_games(date(2024, 2, 1))
    assert first["points"].tolist() == [float(number) for number in range(10)]
    assert set(first["position"]) == {"G"}
    assert len(Reference(path).newcomer_games(date(2024, 1, 4))) == 3


@given(arrays.arrays(np.float64, st.integers(5, 13), elements=st.floats(0.5, 48, allow_nan=False)))
def test_minutes_add_up_to_240(minutes: np.ndarray) -> None:
    fitted = fitted_minutes(minutes, fit_minutes(minutes))
    assert fitted.sum() == pytest.approx(240.0, abs=1e-6)
    assert (fitted >= 0).all()
    assert (fitted <= 48.0 + 1e-9).all()
    order = np.argsort(minutes)
    assert (np.diff(fitted[order]) >= -1e-9).all()


def test_the_bench_gives_before_the_starters_do() -> None:
    minutes = np.array([36.0] * 5 + [20.0] * 5)
    fitted = fitted_minutes(minutes, fit_minutes(minutes))
    assert fitted.sum() == pytest.approx(240.0)
    assert fitted[0] / 36.0 > 0.9 > 0.8 > fitted[9] / 20.0


def test_fewer_than_five_players_get_a_whole_game_each() -> None:
    minutes = np.array([30.0, 10.0])
    assert fitted_minutes(minutes, fit_minutes(minutes)) == pytest.approx([48.0, 48.0])


def test_the_rotation_are_the_ten_with_most_minutes() -> None:
    minutes = np.array([12.0, np.nan, 30.0, *range(11)])
    assert rotation(minutes).tolist() == [2, 0, 13, 12, 11, 10, 9, 8, 7, 6]
