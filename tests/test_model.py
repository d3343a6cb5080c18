"""The model's parts: trees, lines through them, and the chances of a line."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nba.features import FEATURES
from nba.model import shipped_model
from nba.model.distribution import LEVELS, Count, Spread, count_quantiles, fit_shape
from nba.model.linear import Shift, fit_linear, fit_shift
from nba.model.trees import Trees
from nba.stats import COUNTS, MARKETS

LINES = st.floats(min_value=-3, max_value=80, allow_nan=False)
ANCHORS = [0, *(LEVELS.index(one) for one in (0.1, 0.5, 0.9)), len(LEVELS) - 1]
NORMAL_SHAPE = np.interp(np.arange(len(LEVELS)), ANCHORS, [-2.2, -1.0, 0.0, 1.0, 2.2])


def test_trees_send_rows_left_up_to_the_threshold_and_add_up() -> None:
    stump = Trees(
        base=np.array([1.0], np.float32),
        feature=np.array([[1, 0, 0]] * 2, np.int16),
        threshold=np.array([[2.0, 0, 0]] * 2, np.float32),
        left=np.array([[1, 1, 2]] * 2, np.int16),
        right=np.array([[2, 1, 2]] * 2, np.int16),
        value=np.array([[0.0, 10.0, 20.0]] * 2, np.float32),
        depth=np.array([1], np.int16),
    )
    inputs = np.array([[9, 1.0], [9, 2.0], [9, 2.5]], np.float32)
    assert stump.predict(inputs).tolist() == [21.0, 21.0, 41.0]


def test_least_squares_finds_a_line_and_fills_what_is_missing() -> None:
    generator = np.random.default_rng(1)
    inputs = generator.normal(size=(20_000, 2)).astype(np.float32)
    target = (3 + 2 * inputs[:, 0] - inputs[:, 1]).astype(np.float32)
    line = fit_linear(inputs, target)
    asked = line.filled(np.array([[1.0, 1.0], [np.nan, 1.0]], np.float32))
    assert line.predict(asked) == pytest.approx([4.0, 2.0], abs=0.05)


def test_a_shift_follows_the_forecast() -> None:
    forecast = np.repeat([1.0, 10.0], 1_000)
    left = np.concatenate([np.linspace(-1, 1, 1_000), np.linspace(-5, 5, 1_000)])
    shift = fit_shift(forecast, left, lambda values: float(np.quantile(values, 0.9)), groups=2)
    assert shift.apply(np.array([1.0, 10.0, 99.0])) == pytest.approx([1.8, 14.0, 103.0], abs=0.01)


@given(LINES, LINES)
def test_the_chance_of_more_falls_with_the_line(one: float, other: float) -> None:
    low, high = sorted((one, other))
    for distribution in (Spread(4.0, 11.0, 20.0, NORMAL_SHAPE), Count(3.4, 1.4)):
        assert 0.0 <= distribution.over(high) <= distribution.over(low) <= 1.0


def test_the_chances_of_all_whole_numbers_add_up() -> None:
    for distribution in (Spread(0.0, 6.0, 15.0, NORMAL_SHAPE), Count(7.5, 1.4), Count(0.02, 1.1)):
        assert sum(distribution.exactly(number) for number in range(120)) == pytest.approx(1.0)
        assert distribution.exactly(3) + distribution.over(3) == pytest.approx(distribution.over(2))
        assert distribution.over(2.5) == pytest.approx(distribution.over(2))
        assert distribution.exactly(2.5) == 0.0
        assert distribution.over(-1) == pytest.approx(1.0)


def test_no_line_is_out_of_reach() -> None:
    """Beyond the outermost levels chances go on falling, without a jump and without an end."""
    spread = Spread(4.0, 11.0, 20.0, NORMAL_SHAPE)
    lines = range(-1, 81)
    chances = np.array([spread.over(line) for line in lines])
    assert (np.diff(chances) < 0.0).all()
    assert chances[-1] > 0.0
    assert spread.over(40) == pytest.approx(0.0005, abs=0.0005)
    far = Spread(30.0, 40.0, 50.0, NORMAL_SHAPE)
    assert 0.0 < far.exactly(1) < far.exactly(5) < 0.005
    for step in (NORMAL_SHAPE[0], NORMAL_SHAPE[-1]):
        width = 7.0 if step < 0 else 9.0
        edge = round(11.0 + step * width)
        assert abs(spread.over(edge - 1) - spread.over(edge)) < 0.01
    # A shape whose outermost levels fall together still has tails.
    flat = NORMAL_SHAPE.copy()
    flat[:2], flat[-2:] = flat[1], flat[-2]
    assert 0.0 < Spread(30.0, 40.0, 50.0, flat).over(64) < 0.005


def test_a_spread_says_of_its_own_quantiles_what_they_are() -> None:
    spread = Spread(9.5, 20.5, 30.5, NORMAL_SHAPE)
    assert [spread.over(line) for line in (9, 20, 30)] == pytest.approx([0.9, 0.5, 0.1])


def test_a_shape_is_anchored_at_the_three_quantiles() -> None:
    actual = np.random.default_rng(2).normal(20, 8, 50_000)
    rows = np.ones((50_000, 1)) * np.array([[9.0, 21.0, 31.0]])
    shape = fit_shape(rows, actual)
    assert shape[[LEVELS.index(one) for one in (0.1, 0.5, 0.9)]].tolist() == [-1.0, 0.0, 1.0]
    assert (np.diff(shape) >= 0).all()


def test_quantiles_of_counts_are_those_of_a_negative_binomial() -> None:
    mean, ratio = 4.0, 1.5
    size, chance = mean / (ratio - 1), 1 / ratio
    draws = np.random.default_rng(4).negative_binomial(size, chance, 200_000)
    for level in (0.1, 0.5, 0.9):
        found = count_quantiles(np.array([mean]), np.array([ratio]), level)
        assert found[0] == np.quantile(draws, level)
    assert Count(mean, ratio).over(6.5) == pytest.approx((draws > 6).mean(), abs=0.005)


def test_the_shipped_model_gives_bands_in_order_and_a_sum_that_adds_up() -> None:
    model = shipped_model()
    features = np.zeros((3, len(FEATURES)), np.float32)
    features[:, [FEATURES.index(f"minutes_{one}") for one in ("1", "2.5", "6", "15", "40")]] = 30
    features[1] = np.nan
    features[2] = 1e6
    found = model.players.forecast(features)
    assert (found.floor <= found.ceiling).all()
    assert (found.floor >= 0).all()
    for column, market in enumerate(MARKETS):
        if market not in COUNTS:
            assert (found.floor[:, column] <= found.middle[:, column]).all()
    assert found.mean[:, MARKETS.index("pra")] == pytest.approx(
        sum(found.mean[:, MARKETS.index(one)] for one in ("points", "rebounds", "assists"))
    )
    assert (found.mean[:, MARKETS.index("minutes")] <= 48).all()


def test_a_cap_on_minutes_takes_points_with_it() -> None:
    model = shipped_model()
    features = np.full((1, len(FEATURES)), np.nan, np.float32)
    free = model.players.forecast(features)
    capped = model.players.forecast(features, np.array([5.0], np.float32))
    assert capped.mean[0, MARKETS.index("minutes")] == 5.0
    assert capped.mean[0, MARKETS.index("points")] < free.mean[0, MARKETS.index("points")]


def test_shift_beyond_its_ends_stays() -> None:
    assert Shift(np.array([1.0, 2.0]), np.array([5.0, 7.0])).of(np.array([0.0, 3.0])).tolist() == [
        5.0,
        7.0,
    ]
