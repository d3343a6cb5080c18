"""The line on Today's Games that says how good the predictions have been."""

from __future__ import annotations

from dataclasses import replace

from nba.evaluation.intervals import Interval
from prediction_tracking import Origin
from tracking.accuracy import Choice
from tracking.scoring import TrackRecord
from tracking.scoring_figures import BaselineScore, GroupScore, StatScore
from tracking.scoring_intervals import Estimate
from tracking.scoring_wins import WinScore
from ui.record_line import record_line

POINTS = GroupScore(
    name="",
    n=1_204,
    mae=Estimate(4.62, Interval(4.41, 4.83)),
    bias=0.1,
    mean=11.0,
    actual=10.9,
    under=0.5,
    n_bands=1_204,
    coverage=Estimate(0.805, None),
    below=0.1,
    width=14.0,
    baselines={
        "last_5": BaselineScore("last_5", 1_204, 5.2, 4.62, Estimate(0.58, Interval(0.4, 0.7))),
        "ewma_8": BaselineScore("ewma_8", 1_204, 4.93, 4.62, Estimate(0.31, Interval(0.1, 0.5))),
    },
)


def record(points: GroupScore | None) -> TrackRecord:
    return TrackRecord(
        choice=Choice(Origin.LIVE, None, None, None),
        first_date=None,
        last_date=None,
        stats=(StatScore("rebounds", 9, POINTS), StatScore("points", 9, points)),
        wins=WinScore.__new__(WinScore),
        win_versions=(),
        versions=(),
    )


def test_the_figure_stands_with_its_interval_its_count_and_the_hardest_baseline() -> None:
    assert record_line(record(POINTS)) == (
        "Track record: points off by 4.62 on average (95%: 4.41 to 4.83, n = 1,204), 0.31 better "
        "than EWMA 8; 80% within their range."
    )


def test_few_evenings_have_no_interval_and_no_baseline_no_comparison() -> None:
    few = replace(POINTS, n=40, mae=Estimate(4.62, None), baselines={}, coverage=None)
    assert record_line(record(few)) == "Track record: points off by 4.62 on average (n = 40)."
    nothing = {"last_5": BaselineScore("last_5", 0, None, None, None)}
    assert record_line(record(replace(few, baselines=nothing))).endswith("(n = 40).")


def test_a_gain_that_few_evenings_show_is_not_claimed() -> None:
    ewma = BaselineScore("ewma_8", 31, 4.93, 4.62, Estimate(0.31, None))
    few = replace(POINTS, n=40, mae=Estimate(4.62, None), baselines={"ewma_8": ewma}, coverage=None)
    assert record_line(record(few)) == (
        "Track record: points off by 4.62 on average (n = 40), 0.31 better than EWMA 8 on 31 of "
        "them so far, too few evenings to tell."
    )


def test_before_the_first_result_it_says_so() -> None:
    assert record_line(record(None)) == (
        "Track record: none yet; a live prediction counts once it was saved before tip-off and the "
        "result is known."
    )
