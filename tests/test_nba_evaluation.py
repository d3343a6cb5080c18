"""Scores, intervals and baselines."""

from __future__ import annotations

from datetime import date
from math import log

import numpy as np
import pandas as pd
import pytest

from nba.evaluation import (
    BASELINES,
    accuracy,
    baselines,
    bias,
    bootstrap_interval,
    brier,
    coverage,
    log_loss,
    mae,
    pinball,
    wilson_interval,
)
from nba.reference import Reference


def test_errors_by_hand() -> None:
    assert mae([10, 20], [12, 17]) == 2.5
    assert bias([10, 20], [12, 17]) == -0.5
    assert coverage([1, 5, 9, 10], [1, 6, 2, 2], [3, 9, 8, 10]) == 0.5
    assert pinball([10, 10], [8, 12], 0.9) == pytest.approx((1.8 + 0.2) / 2)


def test_probabilities_by_hand() -> None:
    assert log_loss([1, 0], [0.8, 0.4]) == pytest.approx(-(log(0.8) + log(0.6)) / 2)
    assert brier([1, 0], [0.8, 0.4]) == pytest.approx((0.04 + 0.16) / 2)
    assert accuracy([1, 0, 1, 1], [0.8, 0.4, 0.3, 0.5]) == pytest.approx(2.5 / 4)
    assert log_loss([1], [0.0]) == pytest.approx(-log(1e-12))


@pytest.mark.parametrize("rows", [([], []), ([1.0], [1.0, 2.0]), ([1.0], [float("nan")])])
def test_rows_that_are_no_comparison_are_refused(rows: tuple[list[float], list[float]]) -> None:
    with pytest.raises(ValueError, match=r"rows of equal length|missing"):
        mae(*rows)


def test_wilson_interval() -> None:
    # 8 of 10: 0.4902 to 0.9433 (Newcombe 1998 and every textbook table)
    interval = wilson_interval(8, 10)
    assert (interval.low, interval.high) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert wilson_interval(0, 0) == wilson_interval(0, 0, 0.8)
    assert wilson_interval(0, 20).low == 0.0
    assert wilson_interval(20, 20).high == 1.0
    with pytest.raises(ValueError, match="3 successes in 2 trials"):
        wilson_interval(3, 2)


def test_bootstrap_draws_whole_dates() -> None:
    random = np.random.default_rng(1)
    values = np.repeat([0.0, 10.0] * 20, 50)  # each date has one value, 50 times
    dates = np.repeat(np.arange(40), 50)
    by_date = bootstrap_interval(values, dates, random)
    by_row = bootstrap_interval(values, np.arange(len(values)), random)
    assert by_date.low < 4.0 < 5.0 < 6.0 < by_date.high
    assert by_row.high - by_row.low < (by_date.high - by_date.low) / 4


def test_bootstrap_is_repeatable() -> None:
    values, dates = np.arange(30.0), np.arange(30) // 3
    first = bootstrap_interval(values, dates, np.random.default_rng(5), draws=200)
    assert first == bootstrap_interval(values, dates, np.random.default_rng(5), draws=200)
    assert first.low < values.mean() < first.high


def history() -> pd.DataFrame:
    rows = [
        (1, "2023-04-01", "a", "2022-23", 40.0),
        (1, "2023-11-01", "b", "2023-24", 10.0),
        (1, "2023-11-03", "c", "2023-24", 20.0),
        (1, "2023-11-03", "d", "2023-24", np.nan),
        (1, "2023-11-05", "e", "2023-24", 30.0),
        (2, "2023-11-02", "f", "2023-24", 99.0),
    ]
    frame = pd.DataFrame(rows, columns=["player_id", "game_date", "game_id", "season", "points"])
    frame["game_date"] = pd.to_datetime(frame["game_date"])
    return frame.sample(frac=1.0, random_state=3)


def asked(player_id: int, day: str, season: str = "2023-24") -> pd.DataFrame:
    row = {"player_id": [player_id], "game_date": pd.to_datetime([day]), "season": [season]}
    return pd.DataFrame(row, index=[42])


def test_baselines_by_hand() -> None:
    found = baselines(history(), asked(1, "2023-11-06"), "points", half_life_games=1.0)
    assert tuple(found.columns) == BASELINES
    assert found.index.tolist() == [42]
    assert found["season_average"].iloc[0] == pytest.approx(20.0)
    assert found["last_5"].iloc[0] == pytest.approx(25.0)
    weights = np.array([1.0, 0.25, 0.125, 0.0625])  # the game without a number keeps its place
    expected = (np.array([30.0, 20.0, 10.0, 40.0]) * weights).sum() / weights.sum()
    assert found["ewma_8"].iloc[0] == pytest.approx(expected)


def test_baselines_see_earlier_dates_only() -> None:
    found = baselines(history(), asked(1, "2023-11-03"), "points")
    assert found["season_average"].iloc[0] == 10.0
    assert found["last_5"].iloc[0] == 25.0
    first = baselines(history(), asked(1, "2023-11-01"), "points")
    assert np.isnan(first["season_average"].iloc[0])
    assert first["last_5"].iloc[0] == 40.0


def test_baselines_of_the_unknown_are_missing() -> None:
    for frame in (history(), history().head(0)):
        assert baselines(frame, asked(77, "2023-11-06"), "points").isna().all(axis=None)
    assert baselines(history(), asked(1, "2023-11-06").head(0), "points").empty


def test_baselines_agree_with_pandas_on_real_games(reference: Reference) -> None:
    frame = reference.player_games(before=date(2017, 1, 1))
    found = baselines(frame, frame, "rebounds")
    by_season = frame.groupby(["player_id", "season"])["rebounds"]
    expected = by_season.transform(lambda values: values.expanding().mean().shift())
    np.testing.assert_allclose(found["season_average"], expected)
    last = frame.groupby("player_id")["rebounds"].transform(
        lambda values: values.rolling(5, min_periods=1).mean().shift()
    )
    np.testing.assert_allclose(found["last_5"], last, atol=1e-9)
    weighted = frame.groupby("player_id")["rebounds"].transform(
        lambda values: values.ewm(halflife=8).mean().shift()
    )
    np.testing.assert_allclose(found["ewma_8"], weighted, rtol=2e-3)
