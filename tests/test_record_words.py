"""What the track record claims: no aim that a good model misses, no gain that nobody can tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from nba.evaluation.intervals import Interval
from nba.model.distribution import count_quantiles
from nba.stats import COUNTS, STATS, Stat
from tests.test_record_line import POINTS
from tracking.scoring_figures import BaselineScore, StatScore
from tracking.scoring_intervals import Estimate
from tracking.scoring_wins import WinBaselineScore, WinScore
from ui.player_seasons import _in_words
from ui.player_tables import PlayerRecord
from ui.record_charts import coverage_chart, quantiles_frame, quantiles_words
from ui.record_tables import (
    best_baseline,
    gain_words,
    stats_columns,
    stats_table,
    wins_table,
)
from ui.record_words import aim_sentence

WHOLE = "count as inside"
CLEAR = Interval(0.1, 0.5)


def beside(gain: Estimate | None, n: int = 1_204, name: str = "ewma_8") -> BaselineScore:
    return BaselineScore(name, n, 4.93, 4.62, gain)


# What should lie in range ------------------------------------------------------------------------


def test_a_model_that_is_just_right_has_more_than_80_percent_of_its_counts_in_range() -> None:
    """Why the aim of COUNTS is a bound, and why counting half of the ends would not mend it."""
    random = np.random.default_rng(1)
    means = np.exp(random.uniform(np.log(0.2), np.log(8.0), 20_000))
    ratio = 1.4
    # A negative binomial of that mean, whose variance is `ratio` times it.
    happened = random.negative_binomial(means / (ratio - 1.0), 1.0 / ratio)
    ratios = np.full_like(means, ratio)
    floor, ceiling = (count_quantiles(means, ratios, level) for level in (0.1, 0.9))
    inside = (floor <= happened) & (happened <= ceiling)
    ends = (happened == floor) | (happened == ceiling)
    assert inside.mean() > 0.88
    assert (inside - 0.5 * (inside & ends)).mean() < 0.75
    assert (happened < floor).mean() < 0.05


@pytest.mark.parametrize("stat", STATS)
def test_the_aim_of_whole_numbers_is_at_least_80_percent(stat: Stat) -> None:
    is_count = stat in COUNTS
    aim = "At least 80%" if is_count else "80%"
    assert aim_sentence(stat).startswith(f"{aim} is the aim")
    assert (WHOLE in aim_sentence(stat)) is is_count
    assert (WHOLE in quantiles_words(quantiles_frame(POINTS, stat))) is is_count


def test_floor_and_ceiling_of_whole_numbers_are_bounds_and_not_aims() -> None:
    words = quantiles_words(quantiles_frame(POINTS, "assists"))
    assert words == (
        "Of 1,204 results 10% fell below the floor (at most 10% is the aim), 90% fell up to the "
        "ceiling (at least 90% is the aim). Results that equal floor or ceiling, which are whole "
        "numbers, count as inside."
    )


def layers(stat: Stat) -> int:
    shares = {"in_range": 0.9, "in_range_low": 0.88, "in_range_high": 0.92, "n_bands": 50}
    frame = pd.DataFrame([{"team": "ATL", **shares}])
    return len(coverage_chart(frame, "team", stat).to_dict()["layer"])


def test_no_aim_is_drawn_where_a_good_model_lies_above_it() -> None:
    assert [layers(stat) for stat in ("points", "minutes")] == [3, 3]
    assert [layers(stat) for stat in COUNTS] == [2, 2, 2]


def calibration(stat: Stat) -> AppTest:
    def page(stat: str) -> None:
        from typing import cast

        import pandas as pd

        from tests.test_record_line import POINTS
        from ui.record_calibration import show_calibration

        values = pd.DataFrame([{"value": "0", "projected": 4.0, "actual": 4.1, "n": 9}])
        show_calibration(values, cast("Stat", stat), POINTS)

    test = AppTest.from_function(page, kwargs={"stat": stat}, default_timeout=30.0).run()
    assert not test.exception
    return test


@pytest.mark.parametrize(
    ("stat", "heading", "pictures"),
    [
        ("points", "**Do floor, median and ceiling hold?**", 2),
        ("threes", "**Do floor and ceiling hold?**", 1),
    ],
)
def test_the_page_draws_no_diagonal_for_whole_numbers(
    stat: Stat, heading: str, pictures: int
) -> None:
    test = calibration(stat)
    assert test.markdown[0].value == heading
    drawn = [*test.get("arrow_vega_lite_chart"), *test.get("vega_lite_chart")]
    assert len(drawn) == pictures
    assert "fell below the floor" in test.caption[0].value


def test_a_tables_heading_explains_both_aims() -> None:
    told = str(stats_columns()["In range"])
    assert "80% is the aim, at least 80% for rebounds, assists and threes" in told


def test_a_players_page_says_the_same() -> None:
    record = PlayerRecord(30, 2.0, 0, None, None, 27, 30, Interval(0.74, 0.97))
    told = _in_words(record, "rebounds").replace("\\", "")
    assert told == (
        "At least 80% is the aim, because whole numbers at the ends count as inside. With so many "
        "games the share within the range may lie anywhere from 74% to 97% (95% interval)."
    )
    assert _in_words(record, "points").startswith("80% is the aim.")


# Each share with its own rows --------------------------------------------------------------------


def test_shares_of_other_rows_say_of_how_many() -> None:
    assert quantiles_words(quantiles_frame(POINTS, "points")) == (
        "Of 1,204 results 10% fell below the floor (10% is the aim), 50% fell below the median "
        "(50% is the aim), 90% fell up to the ceiling (90% is the aim)."
    )
    some = quantiles_frame(replace(POINTS, n_bands=800), "points")
    assert quantiles_words(some) == (
        "Of 800 results 10% fell below the floor (10% is the aim), 90% fell up to the ceiling "
        "(90% is the aim); of 1,204 results 50% fell below the median (50% is the aim)."
    )
    assert list(some["n"]) == [800, 1_204, 800]


# Better, worse, or nobody can tell ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("gain", "n", "words"),
    [
        (Estimate(0.31, CLEAR), 1_204, "0.31 better than EWMA 8"),
        (Estimate(-0.31, Interval(-0.5, -0.1)), 1_204, "0.31 worse than EWMA 8"),
        (Estimate(0.02, Interval(-0.1, 0.2)), 1_204, "level with EWMA 8 (0.02)"),
        (
            Estimate(0.31, None),
            1_204,
            "0.31 better than EWMA 8 so far, too few evenings to tell",
        ),
        (Estimate(0.31, CLEAR), 1_047, "0.31 better than EWMA 8 on 1,047 of them"),
        (Estimate(0.02, Interval(-0.1, 0.2)), 47, "level with EWMA 8 (0.02) on 47 of them"),
        (
            Estimate(0.31, None),
            47,
            "0.31 better than EWMA 8 on 47 of them so far, too few evenings to tell",
        ),
        (None, 0, ""),
    ],
)
def test_a_gain_is_claimed_for_its_rows_and_where_it_can_be_told(
    gain: Estimate | None, n: int, words: str
) -> None:
    assert gain_words(beside(gain, n), 1_204) == words


def test_winners_are_compared_with_plain_elo_in_the_same_words() -> None:
    elo = WinBaselineScore("elo", 47, 0.66, 0.23, 0.6, 0.65, Estimate(0.01, None))
    assert gain_words(elo, 60, places=3) == (
        "0.010 better than plain Elo on 47 of them so far, too few evenings to tell"
    )
    score = Estimate(0.65, None)
    wins = WinScore(60, 4, score, score, score, (elo,), {})
    # There the baseline's own n stands in the row.
    assert wins_table(wins)["Model beside it"].tolist() == [
        "–",
        "0.010 better than plain Elo so far, too few evenings to tell",
    ]


def baselines(**gains: tuple[int, float, float]) -> Mapping[str, BaselineScore]:
    """By name: over how many rows, the baseline's error there, and the model's gain."""
    return {
        name: BaselineScore(name, n, mae, mae - gain, Estimate(gain, CLEAR))
        for name, (n, mae, gain) in gains.items()
    }


def test_the_hardest_baseline_is_the_one_that_is_beaten_by_least_on_its_own_rows() -> None:
    # Few and easy rows make the smallest error; on them the model is better by far.
    score = replace(
        POINTS, baselines=baselines(season_average=(40, 2.0, 0.9), ewma_8=(1_204, 4.93, 0.31))
    )
    best = best_baseline(score)
    assert best is not None
    assert best.name == "ewma_8"
    table = stats_table([StatScore("points", 12, score)])
    assert list(table["Beside the best of them"]) == ["0.31 better than EWMA 8"]
    nothing = {"last_5": BaselineScore("last_5", 0, None, None, None)}
    assert best_baseline(replace(POINTS, baselines=nothing)) is None
