"""Who is expected to play, and minutes that add up."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from nba.rosters import fit_minutes, fitted_minutes, rotation


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


def test_without_a_projection_nobody_is_expected() -> None:
    assert rotation(np.full(3, np.nan)).tolist() == []


def test_minutes_can_be_fitted_to_what_is_left_of_the_240() -> None:
    minutes = np.array([34.0, 30.0, 26.0, 22.0, 18.0, 14.0])
    fitted = fitted_minutes(minutes, fit_minutes(minutes, 150.0))
    assert fitted.sum() == pytest.approx(150.0)
    assert (np.diff(fitted) < 0).all()
