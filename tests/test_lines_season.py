"""Lines beside what the app knows: logged before the tip-off, replayed, or yet to come."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from io import StringIO
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

import jobs.lines
from jobs.application import Application
from jobs.lines import compare_with, forecasts_of, lines_beside_the_model
from jobs.outcome import Outcome, outcome_of
from nba.lines import BandDistribution, ForecastOrigin, JoinedLine, LinesReport, Reason, Result
from nba.model.distribution import Count
from nba.reference import Reference
from nba.slate import Band, SlateProjection, project_slate
from prediction_tracking import Origin, PredictionLog
from tests.applications import running, settings_for
from tests.slates import (
    BOS_NYK,
    BRUNSON,
    DONCIC,
    JOKIC,
    LAL_DEN,
    PAST,
    PAST_BOS_NYK,
    TATUM,
    TIPOFF,
    TONIGHT,
    ManualClock,
    game,
    opened,
    past,
    player,
    slate,
    small_reference,
    tonight,
)
from tests.stores import MemoryStore


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def trained_until(monkeypatch: pytest.MonkeyPatch, until: date) -> None:
    """As if the model that comes with the app had seen no game after this date."""
    monkeypatch.setattr(jobs.lines, "shipped_model", lambda: SimpleNamespace(trained_until=until))


HEADER = "date,player,market,line\n"
THE_DAY_AFTER = TIPOFF + timedelta(days=1)
RESULTS = (
    "game_date,player_id,points,rebounds,assists,threes,minutes,game_id,team\n"
    f"2026-11-20,{TATUM},31,9,4,4,37,{BOS_NYK},BOS\n"
    f"2026-11-20,{BRUNSON},12,3,9,1,35,{BOS_NYK},NYK\n"
)


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    return small_reference(tmp_path / "reference.db")


@contextmanager
def logged_evening(
    folder: Path, clock: ManualClock, reference: Path, projection: SlateProjection
) -> Iterator[PredictionLog]:
    """A log whose live run of tonight was in the store at noon."""
    with opened(folder / "state.db", MemoryStore(clock), clock, reference=reference) as found:
        replica, log = found
        log.log_slate(projection, Origin.LIVE)
        replica.sync_now()
        yield log


def compared(
    text: str,
    reference: Path,
    slates: Mapping[date, SlateProjection],
    log: PredictionLog | None = None,
    now: datetime = THE_DAY_AFTER,
) -> LinesReport:
    known = Reference(reference)
    return compare_with(
        (HEADER + text).encode(),
        "lines.csv",
        reference=known,
        log=log,
        project=lambda day: slates[day] if day in slates else project_slate(known, day),
        now=now,
        progress=lambda share, words: None,
    )


def by_row(report: LinesReport) -> dict[int, JoinedLine]:
    return {one.line.row: one for one in report.joined}


def test_a_past_date_is_a_replay(reference: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained_until(monkeypatch, date(2023, 6, 30))
    text = (
        "2024-11-20,jayson tatum,points,24.5\n"
        "2024-11-20,Jayson Tatum,PRA,37.5\n"
        "2024-11-20,Luka Doncic,points,24.5\n"
        "2024-11-20,Jaylen Brown,points,20.5\n"
        "2024-11-20,Jalen Brunson,threes,2.5\n"
    )
    report = compared(text, reference, {PAST: past()})
    found = by_row(report)
    assert found[2].origin is ForecastOrigin.REPLAY
    assert (found[2].mean, found[2].actual, found[2].result) == (25, 30, Result.WON)
    assert (found[3].mean, found[3].actual, found[3].result) == (38, 43, Result.WON)
    assert (found[3].over, found[3].push) == (
        past().players[0].bands["pra"].distribution.over(37.5),
        0,
    )
    # Of that game there are no box scores, so that he may have played.
    assert found[4].result is Result.NOT_KNOWN_YET
    assert found[5].result is Result.NOT_EXPECTED
    assert found[6].actual == 3
    assert {one.origin for one in report.records} == {ForecastOrigin.REPLAY}


def test_who_did_not_play(reference: Path) -> None:
    first = game(PAST_BOS_NYK, day=PAST, tipoff=None)
    everybody = slate([(first, 0.6)], [player(JOKIC, first, "BOS")], day=PAST)
    report = compared("2024-11-20,Nikola Jokic,points,24.5\n", reference, {PAST: everybody})
    assert by_row(report)[2].result is Result.DID_NOT_PLAY
    assert report.records == ()


def test_what_was_logged_before_the_tip_off_stands(
    tmp_path: Path, reference: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained_until(monkeypatch, date(2023, 6, 30))
    text = (
        "2026-11-20,Jayson Tatum,points,26.5\n"
        "2024-11-20,Jayson Tatum,points,26.5\n"
        "2026-11-20,Nikola Jokić,points,26.5\n"
        "2026-11-20,Nikola Jokić,PRA,26.5\n"
    )
    # The model of today would say 40.
    slates = {TONIGHT: tonight(40.0), PAST: past(40.0)}
    with logged_evening(tmp_path, clock, reference, tonight(25.0)) as log:
        clock.now = THE_DAY_AFTER
        log.record_results(pd.read_csv(StringIO(RESULTS)), "results.csv")
        found = by_row(report := compared(text, reference, slates, log))
    assert (found[2].origin, found[2].mean) == (ForecastOrigin.LIVE, 25)
    assert (found[2].actual, found[2].result) == (31, Result.LOST)
    assert (found[3].origin, found[3].mean) == (ForecastOrigin.REPLAY, 40)
    assert (found[4].origin, found[4].result) == (ForecastOrigin.LIVE, Result.NOT_KNOWN_YET)
    # What is not logged is computed anew, and not called live.
    assert (found[5].origin, found[5].mean) == (ForecastOrigin.REPLAY, 53)
    record = {one.origin: (one.n, one.won, one.lost) for one in report.records}
    assert record == {ForecastOrigin.LIVE: (1, 0, 1), ForecastOrigin.REPLAY: (1, 1, 0)}


def test_a_logged_median_stands_and_its_band_makes_the_chances(
    tmp_path: Path, reference: Path, clock: ManualClock
) -> None:
    first = game()
    tatum = player(TATUM, first, "BOS")
    assists = Count(5.0, 1.3)
    told = {
        **tatum.bands,
        "points": replace(tatum.bands["points"], floor=14.0, ceiling=38.0, median=23.0),
        "assists": Band(5.0, 2.0, 8.0, 5.0, assists),
    }
    said = slate([(first, 0.6)], [replace(tatum, bands=told)])
    text = "2026-11-20,Jayson Tatum,points,22.5\n2026-11-20,Jayson Tatum,assists,5.5\n"
    with logged_evening(tmp_path, clock, reference, said) as log:
        clock.now = THE_DAY_AFTER
        log.record_results(pd.read_csv(StringIO(RESULTS)), "results.csv")
        found = by_row(report := compared(text, reference, {TONIGHT: tonight()}, log))
    points, helped = found[2], found[3]
    assert {points.origin, helped.origin} == {ForecastOrigin.LIVE}
    assert (points.mean, points.median) == (25, 23)
    assert points.over == BandDistribution(25, 14, 38, 23).over(22.5)
    assert helped.over == pytest.approx(assists.over(5.5), abs=0.02)
    [errors] = [one.errors for one in report.records if one.market == "points"]
    assert errors is not None
    assert errors.model == 31 - 23


def test_a_run_without_medians_tells_them_from_its_bands(
    tmp_path: Path, reference: Path, clock: ManualClock
) -> None:
    text = "2026-11-20,Jayson Tatum,points,24.5\n2026-11-20,Jayson Tatum,assists,5.5\n"
    store = MemoryStore(clock)
    with opened(tmp_path / "state.db", store, clock, reference=reference) as (replica, log):
        log.log_slate(tonight(25.0), Origin.LIVE)
        with replica.transaction() as transaction:
            transaction.execute("UPDATE predictions SET median = NULL, ceiling = ceiling + 4")
        replica.sync_now()
        found = by_row(compared(text, reference, {TONIGHT: tonight()}, log))
    for row, mean in ((2, 25), (3, 5)):
        band = BandDistribution(mean, mean - 2, mean + 6)
        assert found[row].origin is ForecastOrigin.LIVE
        assert (found[row].mean, found[row].median) == (mean, band.median)
        assert found[row].over == band.over(mean - 0.5 if row == 2 else 5.5)


def test_what_was_logged_too_late_does_not(
    tmp_path: Path, reference: Path, clock: ManualClock
) -> None:
    clock.now = TIPOFF + timedelta(minutes=1)
    text = "2026-11-20,Jayson Tatum,points,26.5\n2026-11-20,Nikola Jokić,points,26.5\n"
    with logged_evening(tmp_path, clock, reference, tonight(25.0)) as log:
        found = by_row(compared(text, reference, {TONIGHT: tonight(40.0)}, log))
    assert (found[2].origin, found[2].mean) == (ForecastOrigin.REPLAY, 40)
    # The later game had not begun.
    assert (found[3].origin, found[3].mean) == (ForecastOrigin.LIVE, 25)


def test_a_replay_does_not_add_players_whom_the_logged_run_left_out(
    tmp_path: Path, reference: Path, clock: ManualClock
) -> None:
    first = game()
    without_brunson = slate([(first, 0.6)], [player(TATUM, first, "BOS")])
    text = "2026-11-20,Jalen Brunson,points,26.5\n2026-11-20,Luka Dončić,points,26.5\n"
    with logged_evening(tmp_path, clock, reference, without_brunson) as log:
        found = by_row(compared(text, reference, {TONIGHT: tonight(40.0)}, log))
    assert (found[2].result, found[2].origin) == (Result.NOT_EXPECTED, None)
    assert found[3].origin is ForecastOrigin.REPLAY


def test_a_game_to_come_is_not_called_live(reference: Path) -> None:
    text = "2026-11-20,Jayson Tatum,points,24.5\n"
    report = compared(text, reference, {TONIGHT: tonight()}, now=datetime(2026, 11, 20, tzinfo=UTC))
    assert by_row(report)[2].origin is ForecastOrigin.COMING
    assert report.records == ()


def test_a_game_that_is_over_before_the_slate_is_a_replay() -> None:
    outcome = Outcome({BOS_NYK: (100, 90)}, {(BOS_NYK, TATUM): {"points": 20}})
    evening = forecasts_of(tonight(), outcome, {}, is_over=False)
    assert evening.forecasts[TATUM, "points"].origin is ForecastOrigin.REPLAY
    assert evening.forecasts[JOKIC, "points"].origin is ForecastOrigin.COMING
    assert evening.settled == {TATUM, BRUNSON}
    assert (TATUM, "pra") not in evening.actuals, "rebounds and assists are not known"


def test_a_replay_of_a_training_season_is_marked(
    reference: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "2024-11-20,Jayson Tatum,points,24.5\n"
    for until, origin in (
        (PAST, ForecastOrigin.TRAINING),
        (PAST - timedelta(days=1), ForecastOrigin.REPLAY),
    ):
        trained_until(monkeypatch, until)
        report = compared(text, reference, {PAST: past()})
        assert by_row(report)[2].origin is origin


def test_two_games_of_one_player_on_a_date_are_left_out(reference: Path) -> None:
    first, second = game(), game(LAL_DEN, tipoff=TIPOFF + timedelta(hours=4))
    double = slate(
        [(first, 0.6), (second, 0.6)],
        [player(TATUM, first, "BOS"), player(TATUM, second, "BOS"), player(BRUNSON, first, "NYK")],
    )
    text = "2026-11-20,Jayson Tatum,points,24.5\n2026-11-20,Jalen Brunson,points,24.5\n"
    report = compared(text, reference, {TONIGHT: double})
    assert [(one.row, one.reason) for one in report.left_out] == [(2, Reason.TWO_GAMES)]
    assert [one.line.player_id for one in report.joined] == [BRUNSON]


def test_dates_without_games_and_outside_every_season(reference: Path) -> None:
    idle = PAST - timedelta(days=1)
    text = (
        f"{idle.isoformat()},Jayson Tatum,points,24.5\n"
        "1950-01-01,Jayson Tatum,points,24.5\n"
        "2099-01-01,Jayson Tatum,points,24.5\n"
        "2024-11-20,Chris Johnson,points,24.5\n"
        "2024-11-20,Jayson Tatum,points,24.5\n"
    )
    slates = {idle: slate([], [], day=idle), PAST: past()}
    report = compared(text, reference, slates)
    assert [(one.row, one.reason) for one in report.left_out] == [
        (2, Reason.NO_GAMES),
        (3, Reason.OUTSIDE_SEASONS),
        (4, Reason.OUTSIDE_SEASONS),
        (5, Reason.AMBIGUOUS_PLAYER),
    ]
    assert [one.line.row for one in report.joined] == [6]


def test_the_whole_app_compares_and_keeps_nothing(tmp_path: Path, reference_path: Path) -> None:
    told: list[str] = []
    text = (
        f"{HEADER}2018-11-19,Kemba Walker,points,24.5\n2018-11-20,Nobody,points,1.5\n"
        "2018-11-21,Luka Doncic,rebounds,6.5\n"
    )
    with running(settings_for(tmp_path / "state", reference_path), ticks=False) as application:
        before = _content(application)
        report = lines_beside_the_model(
            application, text.encode(), "lines.csv", lambda share, words: told.append(words)
        )
        assert _content(application) == before
    assert told == [
        "Projecting evening 1 of 2",
        "Projecting evening 2 of 2",
        "Projected 2 of 2",
    ]
    assert [one.line.player_id for one in report.joined] == [202689, DONCIC]
    # The model that comes with the app has learned from that season.
    assert all(one.origin is ForecastOrigin.TRAINING for one in report.joined)
    assert all(one.actual is not None for one in report.joined)
    assert [one.row for one in report.left_out] == [3]
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or b"Nobody,points" not in path.read_bytes()


def _content(application: Application) -> tuple[int, int]:
    status = application.saved_state().status
    assert status is not None
    return status.sequence, status.pending_transactions


def test_a_source_without_threes_leaves_the_other_markets(reference: Path) -> None:
    outcome = Outcome({}, {(BOS_NYK, TATUM): {"points": 20, "rebounds": 5, "assists": 6}})
    evening = forecasts_of(replace(tonight(), slate_date=PAST), outcome, {}, is_over=True)
    assert evening.actuals[TATUM, "pra"] == 31
    assert (TATUM, "threes") not in evening.actuals


def test_box_scores_without_threes_have_the_other_stats(reference_path: Path) -> None:
    outcome = outcome_of(Reference(reference_path), None, date(2018, 5, 1))
    james = outcome.actuals["0041700201", 2544]
    assert james == {"points": 26, "rebounds": 11, "assists": 13, "minutes": 47}
