"""The parts of the backtest's figures, on rows that can be worked out by hand."""

from __future__ import annotations

from datetime import date
from math import log
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchmarks.backtest.figures import GROUPS, line_figures, market_figures, with_negative_binomial
from benchmarks.backtest.lineups import out_figures
from benchmarks.backtest.projector import RowForecasts, without_results
from benchmarks.backtest.rows import market_frames, scored, season_rows
from benchmarks.backtest.wins import game_frame, win_figures
from nba import evaluation
from nba.evaluation import AVERAGES
from nba.history import BOX_SCORE, HISTORY_COLUMNS, History, history_of
from nba.model.training import market_values
from nba.stats import MARKETS


def frame(**columns: object) -> pd.DataFrame:
    """Rows of one market: whatever is not named is that of an ordinary row."""
    rows = pd.DataFrame(columns)
    usual: dict[str, Any] = {
        "day": np.arange(len(rows)),
        "game": np.arange(len(rows)),
        "player_id": 1,
        "team_id": 1,
        "earlier_games": 50,
        "player_game": 30,
        "team_game": 30,
        "idle_days": 2,
        "minutes": 25.0,
        "mean": 10.0,
        "median": 10.0,
        "floor": 5.0,
        "ceiling": 15.0,
        **dict.fromkeys(AVERAGES, 10.0),
    }
    return rows.assign(**{name: value for name, value in usual.items() if name not in rows})


def test_figures_of_a_market_by_hand() -> None:
    rows = frame(actual=[4.0, 12.0, 20.0, 10.0], mean=11.0, last_5=12.0)
    figures = market_figures(rows)
    assert (figures["n"], figures["mae"], figures["bias"]) == (4, 4.5, -0.5)
    assert figures["rmse"] == pytest.approx(np.sqrt((49 + 1 + 81 + 1) / 4))
    assert figures["coverage_80"] == 0.5
    floor = np.mean([0.9 * 1, 0.1 * 7, 0.1 * 15, 0.1 * 5])
    ceiling = np.mean([0.1 * 11, 0.1 * 3, 0.9 * 5, 0.1 * 5])
    assert figures["pinball"] == pytest.approx(floor + ceiling)
    assert figures["baselines"]["last_5"] == 4.5
    assert figures["differences"]["ewma_8"] == {"difference": 0.0, "low": 0.0, "high": 0.0}
    assert figures["negative_binomial"] is None


def test_a_row_without_a_baseline_counts_in_no_figure() -> None:
    rows = frame(
        actual=[4.0, 12.0, np.nan, 30.0],
        season_mean=[10.0, np.nan, 10.0, 10.0],
        earlier_games=[10, 50, 50, 9],
    )
    figures = market_figures(rows)
    assert (figures["n"], figures["mae"], figures["newcomers"]["n"]) == (1, 6.0, 1)
    assert set(figures["baselines"].values()) == {6.0}


def test_no_rows_give_no_figures() -> None:
    figures = market_figures(frame(actual=[1.0], earlier_games=3))
    assert figures["n"] == 0
    assert figures["mae"] is figures["pinball"] is figures["coverage_80"] is None
    assert set(figures["baselines"].values()) == {None}


def test_groups() -> None:
    rows = frame(
        actual=10.0,
        minutes=[8.0, 12.0, 20.0, 28.0, 30.0],
        team_game=[10, 11, 9, 40, 40],
        player_game=[10, 11, 11, 40, 40],
        idle_days=[13, 14, 2, 2, 2],
    )
    counts = [market_figures(rows)["groups"][name]["n"] for name in GROUPS]
    assert counts == [1, 1, 1, 2, 2, 1, 1]


def test_the_rival_band_is_fitted_on_the_season_before() -> None:
    earlier = frame(actual=[4.0, 16.0] * 20)  # variance 36 around a mean of 10
    rows = with_negative_binomial(frame(actual=[4.0, 16.0, 10.0]), earlier, "2021-22")
    assert rows["nb_dispersion"].tolist() == [3.6] * 3
    assert rows["nb_floor"].iloc[0] == evaluation.negative_binomial_quantile([10.0], 3.6, 0.1)[0]
    rival = market_figures(rows)["negative_binomial"]
    assert (rival["n"], rival["fitted_on"]) == (3, "2021-22")
    assert rival["difference"] == pytest.approx(market_figures(rows)["pinball"] - rival["pinball"])
    assert with_negative_binomial(rows, None, None)["nb_floor"].isna().all()


def test_lines_by_hand() -> None:
    rows = frame(
        actual=[12.0, 8.0, 11.0, 14.0, 3.0, 5.0],
        median=[11.0, 11.0, 10.4, 9.5, 9.5, 9.5],
        line=[9.5, 9.5, 9.5, 14.0, 9.5, np.nan],
        ewma_12=[12.0, 12.0, 13.0, 12.0, 12.0, 12.0],
        earlier_games=[1, 50, 50, 50, 50, 50],
    )
    figures = line_figures(rows)
    assert figures["n"] == 5
    assert figures["mae"] == pytest.approx((1 + 3 + 0.6 + 4.5 + 6.5) / 5)
    assert figures["line_mae"] == pytest.approx((2.5 + 1.5 + 1.5 + 0 + 6.5) / 5)
    assert figures["ewma_12_mae"] == pytest.approx((0 + 4 + 2 + 2 + 9) / 5)
    assert figures["gap_closed"] == pytest.approx((17 - 15.6) / (17 - 12))
    record = figures["record"]
    # Over, over, over, under (a push), and none where median and line agree.
    assert (record["n"], record["wins"], record["pushes"], record["overs"]) == (3, 2, 1, 3)
    interval = evaluation.wilson_interval(2, 3)
    assert (record["low"], record["high"]) == (interval.low, interval.high)
    assert (figures["record_apart"]["n"], figures["record_apart"]["wins"]) == (2, 1)


def test_no_gap_is_none_to_close() -> None:
    figures = line_figures(frame(actual=[10.0], line=[12.0]))
    assert (figures["ewma_12_mae"], figures["line_mae"], figures["gap_closed"]) == (0.0, 2.0, None)


def played(player_id: int, day: str, game_id: str, season: str, points: float) -> list[object]:
    identity = [player_id, day, game_id, season, "regular", 1, 2, True]
    return [*identity, *(points if name == "points" else 2.0 for name in BOX_SCORE)]


def history() -> History:
    rows = [
        played(1, "2021-04-01", "0022000900", "2020-21", 40.0),
        played(1, "2021-11-01", "0022100001", "2021-22", 10.0),
        played(1, "2021-11-03", "0022100005", "2021-22", 20.0),
        played(1, "2021-11-20", "0022100009", "2021-22", 30.0),
        played(2, "2021-11-03", "0022100005", "2021-22", 99.0),
    ]
    assert len(rows[0]) == len(HISTORY_COLUMNS)
    return history_of(rows)


def points_of(games: History) -> np.ndarray[Any, np.dtype[np.float64]]:
    return games.column("points").astype(np.float64)


def test_averages_and_places_by_hand() -> None:
    games = history()
    rows = season_rows(games, 2021)
    nothing = np.zeros((len(rows), len(MARKETS)))
    points = market_frames(games, rows, RowForecasts(nothing, nothing, nothing, nothing))["points"]
    assert points["earlier_games"].tolist() == [1, 2, 3, 0]
    assert points["player_game"].tolist() == [1, 2, 3, 1]
    assert points["team_game"].tolist() == [1, 2, 3, 2]
    assert points["idle_days"].tolist()[1:3] == [2, 17]
    last = points.iloc[2]
    assert (last["season_mean"], last["last_5"]) == (15.0, pytest.approx(70 / 3))
    weights = 0.5 ** (np.arange(3) / 2.5)
    expected = (weights * [20.0, 10.0, 40.0]).sum() / weights.sum()
    assert last["ewma_2_5"] == pytest.approx(expected)
    assert points.iloc[3][list(AVERAGES)].isna().all()


def test_values_of_the_markets_and_rows_without_results() -> None:
    values = market_values(history())
    assert values[0].tolist() == [40.0, 2.0, 2.0, 2.0, 2.0, 44.0]
    bare = without_results(history())
    assert np.isnan(bare.values).all()
    assert bare.player_id.tolist() == history().player_id.tolist()


def test_who_is_out_by_hand() -> None:
    def shown(players: dict[int, float]) -> pd.DataFrame:
        rows = pd.DataFrame({"game": 7, "player_id": list(players), "team_id": 1})
        return rows.assign(
            **{
                f"{market}_{part}": list(players.values())
                for market in MARKETS
                for part in ("mean", "median", "floor", "ceiling")
            }
        )

    rows = frame(actual=[30.0, 20.0], player_id=[1, 2], game=7, day=3)
    figures = out_figures(
        shown({1: 24.0, 2: 20.0, 3: 16.0}),
        shown({1: 31.0, 2: 21.0, 4: 8.0}),
        pd.DataFrame({"game": [7, 8], "player_id": [3, 1]}),
        dict.fromkeys(MARKETS, rows),
    )
    assert figures is not None
    assert (figures["team_games"], figures["listed_and_still_shown"]) == (1, 0)
    assert figures["team_minutes"] == {"n": 1, "least": 60.0, "most": 60.0}
    points = figures["markets"]["points"]
    assert (points["n"], points["mae_without"], points["mae_with"]) == (2, 3.0, 1.0)
    assert points["difference"] == -2.0


def test_wins_beside_yardsticks_by_hand() -> None:
    games = pd.DataFrame(
        {
            "game": [1, 2, 3],
            "day": [1, 1, 2],
            "season": "2021-22",
            "given": [0.8, 0.4, 0.5],
            "elo": 0.5,
            "home_expected": [110.0, 100.0, 100.0],
            "away_expected": [100.0, 105.0, 100.0],
        }
    )
    results = pd.DataFrame(
        {
            "season": ["2020-21", "2020-21", "2021-22", "2021-22", "2021-22"],
            "is_regular": [True, False, True, True, True],
            "home_points": [100.0, 100.0, 120.0, 90.0, 100.0],
            "away_points": [90.0, 90.0, 100.0, 100.0, 90.0],
            "home_won": [1.0, 1.0, 1.0, 0.0, 1.0],
        },
        index=[-1, 0, 1, 2, 3],
    )
    others = pd.DataFrame(
        {
            "closing": [0.9, 0.3],
            "fivethirtyeight": np.nan,
            "closing_spread": [12.0, -8.0],
            "closing_total": [200.0, 200.0],
        },
        index=[1, 2],
    )
    figures = win_figures(game_frame(games, results, others))
    assert figures["n"] == 3
    assert figures["log_loss"] == pytest.approx(-(log(0.8) + log(0.6) + log(0.5)) / 3)
    assert figures["closing_line_log_loss"] == pytest.approx(-(log(0.9) + log(0.7)) / 2)
    assert figures["beside"]["closing_line"]["n"] == 2
    assert figures["beside"]["closing_line"]["model_log_loss"] == pytest.approx(
        -(log(0.8) + log(0.6)) / 2
    )
    assert figures["fivethirtyeight_log_loss"] is None
    assert figures["score"]["n"] == 2
    assert figures["score"]["margin_mae"] == pytest.approx((10 + 5) / 2)
    assert figures["score"]["closing_margin_mae"] == pytest.approx((8 + 2) / 2)
    assert win_figures(game_frame(games.head(0), results, None))["n"] == 0


def test_reliability_on_known_data() -> None:
    given = np.repeat([0.05, 0.55, 0.95], [20, 40, 20])
    happened = np.concatenate([np.zeros(20), np.tile([1.0, 0.0], 20), np.zeros(20)])
    bins = evaluation.reliability(happened, given)
    assert [(one.low, one.n, one.happened) for one in bins] == [
        (0.0, 20, 0.0),
        (0.5, 40, 0.5),
        (0.9, 20, 0.0),
    ]
    assert [one.holds_diagonal for one in bins] == [True, True, False]
    # Three bands that hold together at 95% are each at the cube root of it.
    assert evaluation.sidak_confidence(3) == pytest.approx(0.95 ** (1 / 3))
    expected = evaluation.binomial_interval(20, 40, 0.95 ** (1 / 3))
    assert bins[1].band == expected
    assert evaluation.reliability([1.0], [1.0])[0].high == 1.0
    with pytest.raises(ValueError, match="0 intervals"):
        evaluation.sidak_confidence(0)


def test_the_exact_binomial_interval() -> None:
    # 8 of 10: 0.4439 to 0.9748 (Clopper and Pearson, in every textbook table)
    interval = evaluation.binomial_interval(8, 10)
    assert (interval.low, interval.high) == pytest.approx((0.4439, 0.9748), abs=1e-4)
    none = evaluation.binomial_interval(0, 20)
    assert (none.low, none.high) == pytest.approx((0.0, 1 - 0.025 ** (1 / 20)))
    all_of_them = evaluation.binomial_interval(20, 20)
    assert (all_of_them.low, all_of_them.high) == pytest.approx((0.025 ** (1 / 20), 1.0))
    empty = evaluation.binomial_interval(0, 0)
    assert (empty.low, empty.high) == (0.0, 1.0)
    for wrong in ((3, 2, 0.95), (1, 2, 1.0)):
        with pytest.raises(ValueError, match=r"3 successes|not between"):
            evaluation.binomial_interval(*wrong)


def test_the_calibration_slope() -> None:
    given = np.repeat([0.2, 0.5, 0.8], 100)
    as_said = np.concatenate([np.arange(100) < share for share in (20, 50, 80)]).astype(float)
    found = evaluation.calibration_slope(as_said, given)
    assert found is not None
    assert (found.slope, found.intercept) == pytest.approx((1.0, 0.0), abs=1e-8)
    assert found.interval.low < 0.9 < 1.1 < found.interval.high
    bolder = np.repeat([0.2**2 / (0.2**2 + 0.8**2), 0.5, 0.8**2 / (0.2**2 + 0.8**2)], 100)
    half = evaluation.calibration_slope(as_said, bolder)
    assert half is not None
    assert half.slope == pytest.approx(0.5)
    assert evaluation.calibration_slope([1.0, 0.0], [0.5, 0.5]) is None
    assert evaluation.calibration_slope([1.0, 0.0], [0.9, 0.1]) is None


def test_the_negative_binomial() -> None:
    # Poisson with mean 3: 4.98% for 0, 19.9% up to 1, 81.5% up to 4, 91.6% up to 5.
    assert evaluation.negative_binomial_quantile([3.0, 0.0], 1.0, 0.1).tolist() == [1.0, 0.0]
    assert evaluation.negative_binomial_quantile([3.0], 1.0, 0.9).tolist() == [5.0]
    # With variance twice the mean and a mean of 1 it is geometric: 1/2, 1/4, 1/8, …
    for level, quantile in ((0.49, 0.0), (0.74, 1.0), (0.76, 2.0), (0.9, 3.0)):
        assert evaluation.negative_binomial_quantile([1.0], 2.0, level).tolist() == [quantile]
    assert evaluation.fit_dispersion([1.0, 5.0], [3.0, 3.0]) == pytest.approx(8 / 6)
    assert evaluation.fit_dispersion([3.0, 3.0], [3.0, 3.0]) == 1.0
    with pytest.raises(ValueError, match="no projected mean"):
        evaluation.fit_dispersion([1.0], [-1.0])
    with pytest.raises(ValueError, match="a dispersion of"):
        evaluation.negative_binomial_quantile([1.0], 0.5, 0.5)


def test_averages_see_earlier_dates_only() -> None:
    games = history()
    before = games.before(date(2021, 11, 20))
    assert len(before) == len(games) - 1
    earlier = evaluation.earlier_games(games, games)
    assert earlier.games.tolist() == [0, 1, 2, 3, 0]
    assert earlier.season_games.tolist() == [0, 0, 1, 2, 0]
    known = evaluation.simple_averages(points_of(games), earlier)
    assert set(known) == set(AVERAGES)
    assert known["last_5"][3] == pytest.approx(70 / 3)


def test_before_a_seasons_first_game_the_mean_is_that_of_the_latest_season() -> None:
    games = history_of(
        [
            played(1, "2019-11-01", "0021900001", "2019-20", 90.0),
            played(1, "2021-04-01", "0022000900", "2020-21", 40.0),
            played(1, "2021-04-03", "0022000910", "2020-21", 20.0),
            played(1, "2022-11-01", "0022200001", "2022-23", 10.0),  # a season was missed
            played(1, "2022-11-03", "0022200009", "2022-23", 16.0),
        ]
    )
    earlier = evaluation.earlier_games(games, games)
    means = evaluation.simple_averages(points_of(games), earlier)["season_mean"]
    np.testing.assert_array_equal(means, [np.nan, 90.0, 40.0, 30.0, 10.0])


def test_openers_of_a_season_count() -> None:
    days = [f"2021-01-{number:02}" for number in range(1, 12)] + ["2021-11-01"]
    games = history_of(
        [
            played(1, day, f"00220000{number:02}", "2020-21" if number < 11 else "2021-22", 10.0)
            for number, day in enumerate(days)
        ]
    )
    rows = season_rows(games, 2021)
    nothing = np.zeros((len(rows), len(MARKETS)))
    points = market_frames(games, rows, RowForecasts(nothing, nothing, nothing, nothing))["points"]
    assert scored(points).tolist() == [True]


def test_games_without_a_number_are_reached_past() -> None:
    days = [f"2021-01-{number:02}" for number in range(1, 8)]
    games = history_of([played(1, day, f"00220000{day[-2:]}", "2020-21", 10.0) for day in days])
    values = np.array([40.0, *[np.nan] * 5, 10.0])
    averages = evaluation.simple_averages(values, evaluation.earlier_games(games, games))
    for name in AVERAGES:
        np.testing.assert_allclose(averages[name], [np.nan, *[40.0] * 6])
