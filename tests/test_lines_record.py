"""Lines beside forecasts: whose they are, which side is leaned to, and an honest record."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import NormalDist

import numpy as np
import pandas as pd
import pytest

from nba.evaluation import wilson_interval
from nba.lines import (
    TOO_FEW,
    WARNING,
    BandDistribution,
    CountOfBand,
    Evening,
    ForecastOrigin,
    JoinedLine,
    Line,
    LineRecord,
    LinesReport,
    Market,
    MarketForecast,
    Reason,
    Result,
    Side,
    compare_lines,
    join_lines,
    match_lines,
    read_lines,
    record_of,
)
from nba.lines.odds import break_even, no_vig_over, profit_if_won
from nba.lines.tables import (
    LINE_COLUMNS,
    counts_line,
    facts_of,
    line_table,
    lines_csv,
    record_notes,
    record_table,
    standing_line,
)
from nba.model.distribution import Count, count_quantiles
from tracking.frames import name_key

DAY = date(2018, 11, 20)
TATUM, DONCIC, HARDAWAY, YOUNGER, ELDER = 1, 2, 3, 71, 72
PEOPLE = {
    TATUM: "Jayson Tatum",
    DONCIC: "Luka Dončić",
    HARDAWAY: "Tim Hardaway Jr.",
    YOUNGER: "Chris Johnson",
    ELDER: "Chris Johnson",
}
Forecasts = dict[tuple[int, Market], MarketForecast]
LIVE, REPLAY = ForecastOrigin.LIVE, ForecastOrigin.REPLAY


@dataclass(frozen=True)
class Normal:
    """Whole numbers around a mean, as a stand-in for a model's distribution."""

    mean: float
    width: float = 5.0

    def over(self, line: float) -> float:
        return 1 - NormalDist(self.mean, self.width).cdf(int(line) + 0.5)

    def exactly(self, line: float) -> float:
        if line != int(line):
            return 0.0
        return self.over(line - 1) - self.over(line)


def forecast(mean: float, origin: ForecastOrigin = REPLAY) -> MarketForecast:
    return MarketForecast(mean, mean - 0.5, Normal(mean), origin)


def evening(
    forecasts: Mapping[tuple[int, Market], MarketForecast] | None = None,
    actuals: Mapping[tuple[int, Market], float] | None = None,
    settled: set[int] | None = None,
    two_games: set[int] | None = None,
    has_games: bool = True,
    in_season: bool = True,
) -> Evening:
    known = actuals or {}
    return Evening(
        forecasts or {},
        known,
        settled if settled is not None else {player for player, _ in known},
        two_games or set(),
        has_games,
        in_season,
    )


def line(
    value: float,
    player_id: int = TATUM,
    market: Market = "points",
    day: date = DAY,
    row: int = 2,
    prices: tuple[float | None, float | None] = (None, None),
) -> Line:
    return Line(row, day, player_id, PEOPLE[player_id], market, value, *prices)


def silent(share: float, words: str) -> None:
    assert 0 <= share <= 1
    assert words


def join_one(one: Line, on: Evening) -> JoinedLine:
    [joined], left_out = join_lines([one], lambda _: on, silent)
    assert left_out == ()
    return joined


def compared(text: str, evening_of: Callable[[date], Evening]) -> LinesReport:
    return compare_lines(
        text.encode(),
        "lines.csv",
        people=PEOPLE,
        name_key=name_key,
        evening_of=lambda day: (
            evening_of(day) if day.year == DAY.year else evening(has_games=False, in_season=False)
        ),
        progress=silent,
    )


# Whose line it is ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "player_id"),
    [
        ("jayson TATUM,", TATUM),
        ("Luka Doncic,", DONCIC),
        ("LUKA DONČIĆ,", DONCIC),
        ("Tim Hardaway,", HARDAWAY),
        ("tim hardaway jr,", HARDAWAY),
        ("Jayson Tatum III,", TATUM),
        (f",{DONCIC}", DONCIC),
        (f"Chris Johnson,{ELDER}", ELDER),
        (f"Somebody Else,{DONCIC}", DONCIC),
    ],
)
def test_a_player_is_found(cells: str, player_id: int) -> None:
    rows = read_lines(f"date,player,player_id,market,line\n2018-11-20,{cells},PTS,20.5\n".encode())
    matched = match_lines(rows, PEOPLE, name_key)
    assert [(one.player_id, one.player_name) for one in matched.lines] == [
        (player_id, PEOPLE[player_id])
    ]


@pytest.mark.parametrize(
    ("cells", "reason", "words"),
    [
        ("2018-11-20,Nobody Known,,PTS,20.5", Reason.UNKNOWN_PLAYER, "'Nobody Known'"),
        ("2018-11-20,=cmd|' /C calc'!A0,,PTS,20.5", Reason.UNKNOWN_PLAYER, "=cmd"),
        ("2018-11-20,...,,PTS,20.5", Reason.UNKNOWN_PLAYER, "'...'"),
        ("2018-11-20,,999,PTS,20.5", Reason.UNKNOWN_PLAYER, "999"),
        ("2018-11-20,Chris Johnson,,PTS,20.5", Reason.AMBIGUOUS_PLAYER, "71 or 72"),
        ("2018-11-20,Luka Dončić,1,PTS,20.5", Reason.AMBIGUOUS_PLAYER, "id 1 is Jayson Tatum"),
        ("2018-11-20,Luka Dončić,,steals,1.5", Reason.UNKNOWN_MARKET, "'steals'"),
        ("1999-11-20,Luka Dončić,,PTS,20.5", Reason.OUTSIDE_SEASONS, "1999-11-20"),
    ],
)
def test_a_row_that_cannot_be_placed_is_listed_and_the_rest_goes_on(
    cells: str, reason: Reason, words: str
) -> None:
    text = f"date,player,player_id,market,line\n{cells}\n2018-11-20,Jayson Tatum,,PTS,20.5\n"
    report = compared(text, lambda _: evening({(TATUM, "points"): forecast(22)}))
    [left_out] = report.left_out
    assert (left_out.row, left_out.reason) == (2, reason)
    assert words in left_out.detail
    assert [one.line.row for one in report.joined] == [3]
    assert counts_line(report) == "2 rows read, 1 line compared, 1 row left out."


def test_repeated_rows_count_once() -> None:
    text = (
        "date,player,market,line,over_price\n"
        "2018-11-20,Luka Doncic,PTS,20.5,-110\n"
        "2018-11-20,LUKA DONČIĆ,points,20.50,-110\n"
        "2018-11-20,Luka Doncic,PTS,20.5,-120\n"
        "2018-11-20,Luka Doncic,PTS,21.5,-110\n"
    )
    report = compared(text, lambda _: evening({(DONCIC, "points"): forecast(22)}))
    assert [one.line.row for one in report.joined] == [2, 5]
    assert [(one.row, one.first_row, one.other_prices) for one in report.repeated] == [
        (3, 2, False),
        (4, 2, True),
    ]
    assert counts_line(report) == "4 rows read, 2 lines compared, 2 repeated rows counted once."


# One line beside the model ------------------------------------------------------------------------


def test_the_side_and_what_became_of_it() -> None:
    forecasts: Forecasts = {(TATUM, "points"): forecast(22.0)}
    for value, actual, lean, result in (
        (19.5, 25, Side.OVER, Result.WON),
        (19.5, 19, Side.OVER, Result.LOST),
        (24.5, 20, Side.UNDER, Result.WON),
        (24.5, 25, Side.UNDER, Result.LOST),
        (20.0, 20, Side.OVER, Result.PUSH),
        (22.0, 30, None, Result.NO_LEAN),
    ):
        joined = join_one(line(value), evening(forecasts, {(TATUM, "points"): actual}))
        assert (joined.lean, joined.result, joined.actual) == (lean, result, actual)
        assert joined.origin is REPLAY
        assert (joined.mean, joined.median) == (22.0, 21.5)


def test_chances_and_the_push_of_a_whole_number() -> None:
    forecasts: Forecasts = {(TATUM, "points"): forecast(22.0)}
    half = join_one(line(24.5), evening(forecasts))
    assert half.over == pytest.approx(1 - NormalDist(22, 5).cdf(24.5))
    assert half.push == 0
    whole = join_one(line(24), evening(forecasts))
    assert whole.over == half.over
    assert whole.push is not None
    assert whole.push > 0.05
    assert sum((whole.over or 0, whole.push, whole.under or 0)) == pytest.approx(1)


def test_why_there_is_nothing_to_say() -> None:
    only: Forecasts = {(TATUM, "points"): forecast(22.0)}
    assert join_one(line(20.5), evening(only)).result is Result.NOT_KNOWN_YET
    assert join_one(line(20.5), evening(only, settled={TATUM})).result is Result.DID_NOT_PLAY
    pra = join_one(line(30.5, market="pra"), evening(only, {(TATUM, "pra"): 40}))
    assert (pra.result, pra.actual, pra.mean) == (Result.NOT_PROJECTED, 40, None)
    absent = join_one(line(20.5, DONCIC), evening(only, {(DONCIC, "points"): 31}))
    assert (absent.result, absent.actual, absent.origin) == (Result.NOT_EXPECTED, 31, None)


def test_an_evening_without_games_and_one_with_two() -> None:
    for on, reason in (
        (evening(has_games=False), Reason.NO_GAMES),
        (evening({(TATUM, "points"): forecast(20)}, two_games={TATUM}), Reason.TWO_GAMES),
    ):
        joined, [left_out] = join_lines([line(20.5)], {DAY: on}.__getitem__, silent)
        assert joined == ()
        assert left_out.reason is reason


def test_each_evening_is_asked_for_once_and_progress_is_shown() -> None:
    asked: list[date] = []
    told: list[tuple[float, str]] = []

    def evening_of(day: date) -> Evening:
        asked.append(day)
        return evening({(TATUM, "points"): forecast(20)})

    days = [DAY + timedelta(days=n) for n in (1, 0, 1)]
    lines = [line(20.5 + row, day=day, row=row) for row, day in enumerate(days)]
    joined, _ = join_lines(lines, evening_of, lambda share, words: told.append((share, words)))
    assert asked == [DAY, DAY + timedelta(days=1)]
    assert [one.line.row for one in joined] == [1, 0, 2]
    assert told == [
        (0.0, "Projecting evening 1 of 2"),
        (0.5, "Projecting evening 2 of 2"),
        (1.0, "Projected 2 of 2"),
    ]


def test_a_distribution_that_rounds_badly_stays_a_probability() -> None:
    @dataclass(frozen=True)
    class Careless:
        def over(self, line: float) -> float:
            return 1.0 + 1e-12

        def exactly(self, line: float) -> float:
            return 1e-12

    careless = MarketForecast(30, 30, Careless(), LIVE)
    joined = join_one(line(2), evening({(TATUM, "points"): careless}))
    assert (joined.over, joined.push, joined.under) == (1.0, 0.0, 0.0)


# Odds and bands -----------------------------------------------------------------------------------


def test_american_odds() -> None:
    assert profit_if_won(120) == 1.2
    assert profit_if_won(-110) == pytest.approx(0.90909, abs=1e-5)
    assert (profit_if_won(100), profit_if_won(-100)) == (1, 1)
    assert break_even(-110) == pytest.approx(0.52381, abs=1e-5)
    assert break_even(300) == 0.25
    assert no_vig_over(-110, -110) == 0.5
    assert no_vig_over(-150, 120) == pytest.approx(0.6 / (0.6 + 1 / 2.2))


def test_a_distribution_read_off_a_band() -> None:
    symmetric = BandDistribution(20.0, 12.0, 28.0)
    assert symmetric.median == pytest.approx(20.0)
    assert symmetric.over(27.5) == pytest.approx(0.1 + 0.013, abs=0.005)
    assert symmetric.over(11) == pytest.approx(0.9, abs=0.02)
    skewed = BandDistribution(10.0, 4.0, 18.0)
    assert 9.5 < skewed.median < 10.0


@pytest.mark.parametrize(
    "band", [(20.0, 12.0, 28.0), (1.2, 0.0, 3.0), (0.0, 0.0, 0.0), (36.0, 36.0, 36.0), (5, 0, 5)]
)
def test_a_band_makes_probabilities_that_add_up(band: tuple[float, float, float]) -> None:
    distribution = BandDistribution(*band)
    assert distribution.floor <= distribution.median <= distribution.ceiling
    whole = [distribution.exactly(value) for value in range(200)]
    assert min(whole) >= 0
    assert sum(whole) == pytest.approx(1)
    for value in (0, 3, 20):
        assert distribution.over(value) == pytest.approx(sum(whole[value + 1 :]))
        assert distribution.over(value) == distribution.over(value + 0.5)
        assert distribution.exactly(value + 0.5) == 0
    assert distribution.exactly(-1) == 0


def test_a_known_median_is_the_middle_of_the_band() -> None:
    band = BandDistribution(25.0, 14.0, 38.0, 23.0)
    assert band.median == 23
    assert band.over(13.5) == pytest.approx(0.9, abs=0.02)
    assert band.over(22.5) > 0.5 > band.over(23.5)
    assert band.over(37.5) == pytest.approx(0.1, abs=0.02)
    assert BandDistribution(3.0, 2.0, 5.0, 6.0).median == 5, "never outside the band"


@pytest.mark.parametrize(("mean", "ratio"), [(0.3, 1.2), (1.6, 1.2), (4.4, 1.4), (9.7, 1.6)])
def test_a_count_is_found_again_from_its_mean_and_band(mean: float, ratio: float) -> None:
    said = Count(mean, ratio)
    floor, ceiling = (
        float(count_quantiles(np.array([mean]), np.array([ratio]), level)[0])
        for level in (0.1, 0.9)
    )
    found = CountOfBand(mean, floor, ceiling)
    for line in (0.5, round(mean) + 0.5, round(mean) + 2.5):
        assert found.over(line) == pytest.approx(said.over(line), abs=0.06)
    whole = [found.exactly(value) for value in range(61)]
    assert sum(whole) == pytest.approx(1)
    assert found.over(2) == pytest.approx(sum(whole[3:]))
    assert found.exactly(2.5) == 0


def test_a_band_upside_down_is_an_error() -> None:
    with pytest.raises(ValueError, match="above a ceiling"):
        BandDistribution(5, 9, 3)


# The record ---------------------------------------------------------------------------------------


def settled(
    actuals: Sequence[float],
    *,
    origin: ForecastOrigin = REPLAY,
    market: Market = "points",
    mean: float = 22.0,
    value: float = 20.5,
    prices: tuple[float | None, float | None] = (None, None),
) -> list[JoinedLine]:
    """One line an evening."""
    return [
        join_one(
            line(value, market=market, day=DAY + timedelta(days=row), row=row, prices=prices),
            evening({(TATUM, market): forecast(mean, origin)}, {(TATUM, market): actual}),
        )
        for row, actual in enumerate(actuals)
    ]


def test_a_record_with_n_and_intervals() -> None:
    joined = settled([25] * 24 + [15] * 16, prices=(-110, 100))
    [record] = record_of(joined)
    assert (record.origin, record.market) == (REPLAY, "points")
    assert (record.n, record.won, record.lost, record.pushes) == (40, 24, 16, 0)
    assert (record.share_won, record.interval) == (0.6, wilson_interval(24, 40))
    assert not record.is_too_few
    assert (record.dates, record.again) == (40, 0)
    assert record.errors is not None
    assert (record.errors.n, record.errors.line) == (40, (24 * 4.5 + 16 * 5.5) / 40)
    assert record.errors.model == pytest.approx((24 * 3.5 + 16 * 6.5) / 40)
    priced = record.priced
    assert priced is not None
    assert (priced.n, priced.share_won) == (40, 0.6)
    assert priced.break_even == pytest.approx(11 / 21)
    assert priced.profit == pytest.approx((24 * 10 / 11 - 16) / 40)
    assert priced.interval is not None
    assert priced.interval.low < 0 < priced.profit < priced.interval.high
    assert record_of(joined) == (record,), "looking again gives the same interval"


def test_live_and_replay_are_never_in_one_figure() -> None:
    joined = [
        *settled([25, 25], origin=LIVE),
        *settled([15], origin=REPLAY),
        *settled([8], market="assists", mean=6, value=4.5),
        *settled([30], origin=ForecastOrigin.TRAINING),
    ]
    found = [(one.origin, one.market, one.n, one.won) for one in record_of(joined)]
    assert found == [
        (LIVE, "points", 2, 2),
        (REPLAY, "points", 1, 0),
        (REPLAY, "assists", 1, 1),
        (REPLAY, None, 2, 1),
        (ForecastOrigin.TRAINING, "points", 1, 1),
    ]
    together = record_of(joined)[3]
    assert together.errors is None, "points and assists have no common unit"
    assert any("flatters" in note for note in record_notes(record_of(joined)))


def test_pushes_are_neither_won_nor_lost() -> None:
    [record] = record_of(settled([25, 20, 10, 20], value=20.0, prices=(-200, None)))
    assert (record.n, record.won, record.lost, record.pushes) == (4, 1, 1, 2)
    assert record.share_won == 0.5
    assert record.priced is not None
    assert (record.priced.n, record.priced.profit) == (4, (0.5 - 1) / 4)
    assert record.priced.break_even == pytest.approx(2 / 3)
    [only] = record_of(settled([20], value=20.0, prices=(-110, -110)))
    assert (only.share_won, only.interval) == (None, None)
    assert only.priced is not None
    assert (only.priced.share_won, only.priced.break_even, only.priced.profit) == (None, None, 0)


@pytest.mark.parametrize(("number", "too_few"), [(TOO_FEW - 1, True), (TOO_FEW, False)])
def test_too_few_lines_are_said_to_be_too_few(number: int, too_few: bool) -> None:
    [record] = record_of(settled([25] * number))
    assert record.is_too_few is too_few
    [note] = record_table([record])["Note"]
    assert note == ("too few to say anything" if too_few else "")


def test_without_the_price_of_its_side_only_the_record_is_given() -> None:
    [record] = record_of(settled([25] * 3, prices=(None, -110)))
    assert record.priced is None
    assert not {"n priced", "Break-even"} & set(record_table([record]).columns)


def test_a_few_evenings_give_no_interval_of_the_profit() -> None:
    [record] = record_of(settled([25] * 9, prices=(-110, -110)))
    assert record.priced is not None
    assert record.priced.interval is None
    assert any("ten evenings" in note for note in record_notes([record]))


def test_several_lines_of_one_evening_are_said() -> None:
    on = evening({(TATUM, "points"): forecast(22)}, {(TATUM, "points"): 25})
    joined = [join_one(line(value), on) for value in (18.5, 19.5, 20.5)]
    [record] = record_of(joined)
    assert (record.n, record.again, record.dates) == (3, 2, 1)
    assert any("too narrow" in note for note in record_notes([record]))


def test_lines_without_a_result_are_in_no_record() -> None:
    joined = [join_one(line(20.5), evening({(TATUM, "points"): forecast(22)}))]
    assert record_of(joined) == ()
    assert record_notes(()) == ["No line has a result, so there is no record."]
    assert record_table(()).empty


def test_a_coin_wins_half(random_lines: list[LineRecord]) -> None:
    [record] = random_lines
    assert record.interval is not None
    assert record.interval.low < 0.5 < record.interval.high
    assert record.priced is not None
    assert record.priced.interval is not None
    assert record.priced.interval.high < 0.06, "the margin is paid"


@pytest.fixture
def random_lines() -> list[LineRecord]:
    random = np.random.default_rng(5)
    actuals = np.where(random.random(1000) < 0.5, 25.0, 15.0)
    return list(record_of(settled(actuals.tolist(), prices=(-115, -115))))


# Tables -------------------------------------------------------------------------------------------


def report_of(joined: Sequence[JoinedLine]) -> LinesReport:
    return LinesReport(len(joined), tuple(joined), (), (), record_of(joined))


def test_tables_of_a_report() -> None:
    absent = join_one(line(3.5, DONCIC), evening())
    joined = [*settled([25] * 40, prices=(-110, -110)), absent]
    table = line_table(joined)
    assert tuple(table.columns) == LINE_COLUMNS
    assert table["no_vig_over"].iloc[0] == 0.5
    assert pd.isna(table["mean"].iloc[-1])
    [row] = record_table(record_of(joined)).to_dict("records")
    assert row["Won–lost–push"] == "40–0–0"
    assert row["Share won (95%)"] == "100.0% (91.2 to 100.0) of 40"
    assert row["n priced"] == "40"
    assert row["Break-even"] == "52.4%"
    told = facts_of(report_of(joined))
    assert told["warning"] == WARNING
    again = json.loads(json.dumps(told, allow_nan=False))
    assert again["lines"][-1]["result"] == "no game, or not expected to play"
    assert again["record"][0]["interval"]["low"] == pytest.approx(0.912, abs=1e-3)


def test_it_is_said_how_many_lines_are_in_the_record() -> None:
    absent = join_one(line(3.5, DONCIC), evening())
    told = standing_line(report_of([*settled([25, 15, 20], value=20.0), absent, absent]))
    assert told == "In the record: 3 lines. Not in it: 2 no game, or not expected to play."
    assert standing_line(report_of(settled([25]))) == "In the record: 1 line."


def test_a_report_without_a_single_line() -> None:
    empty = report_of([])
    assert tuple(line_table(()).columns) == LINE_COLUMNS
    assert lines_csv(empty).decode().strip() == ",".join(LINE_COLUMNS)
    assert json.loads(json.dumps(facts_of(empty)))["lines"] == []


def test_no_text_of_the_csv_can_be_a_formula() -> None:
    one = Line(2, DAY, 9, "=cmd|' /C calc'!A0", "points", 20.5, -110, None)
    text = lines_csv(report_of([join_one(one, evening())])).decode()
    assert "'=cmd" in text
    assert ",=cmd" not in text


def test_the_warning_is_plain() -> None:
    for word in ("past", "on paper", "limits", "margin", "move", "late news", "no advice"):
        assert word in WARNING
