"""Who is expected to play, and minutes that add up."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from nba.rosters import exponent_to, fit_minutes, fitted_minutes, rotation, shared_minutes


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


CAPS = st.one_of(st.just(np.inf), st.floats(1.0, 48.0))


@given(
    arrays.arrays(np.float64, 9, elements=st.floats(0.5, 40, allow_nan=False)),
    arrays.arrays(np.float64, 9, elements=CAPS),
)
def test_caps_hold_while_minutes_add_up_to_240(minutes: np.ndarray, most: np.ndarray) -> None:
    shared, exponent = shared_minutes(minutes, most)
    room = float(np.minimum(most, 48.0).sum())
    assert shared.sum() == pytest.approx(min(240.0, room), abs=1e-6)
    assert (shared <= most + 1e-9).all()
    assert (shared <= 48.0 + 1e-9).all()
    free = shared < most - 1e-6
    assert shared[free] == pytest.approx(fitted_minutes(minutes[free], exponent))


def test_what_one_leaves_does_not_lift_another_above_his_cap() -> None:
    minutes = np.array([36.0, 30.0, 30.0, 25.0, 25.0, 20.0, 20.0, 15.0, 15.0, 10.0])
    most = np.array([10.0, 32.0, *[np.inf] * 8])
    usual = fitted_minutes(minutes, fit_minutes(minutes))
    assert usual[1] < most[1], "the second cap binds only because of the first"
    shared, _ = shared_minutes(minutes, most)
    assert shared[:2].tolist() == [10.0, 32.0]
    assert shared.sum() == pytest.approx(240.0)
    assert (shared[2:] > usual[2:]).all()


def test_the_curve_to_given_minutes() -> None:
    for own, fitted in ((30.0, 24.0), (20.0, 26.0), (0.0, 5.0), (48.0, 48.0), (12.0, 0.0)):
        reached = fitted_minutes(np.array([own]), exponent_to(own, fitted))
        assert reached == pytest.approx([fitted])


def test_more_than_ten_are_expected_where_ten_are_capped() -> None:
    minutes = np.array([*np.linspace(34.0, 12.0, 10), 8.0, 7.0, 6.0, 5.0, 4.0])
    free = np.full(15, np.inf)
    assert len(rotation(minutes, free)) == 10
    capped = np.where(np.arange(15) < 10, 12.0, np.inf)
    # 120 minutes are left, and nobody stands more than 40 of them evening by evening.
    assert rotation(minutes, capped).tolist() == list(range(13))
    assert len(rotation(minutes, np.full(15, 12.0))) == 15, "as many as there are"
