"""What was logged of one player, and the tables, figures and pictures that are made of it."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest

from jobs.player import bundled_scores, people, team_names
from nba.reference import Reference
from nba.slate import SlateProjection
from nba.stats import STATS, Stat
from prediction_tracking import Origin, OriginMismatch, PredictionLog
from replica import Replica
from tests.slates import (
    BOS_NYK,
    BRUNSON,
    DONCIC,
    JOKIC,
    MODEL_VERSION,
    NOON,
    PAST,
    PAST_BOS_NYK,
    TATUM,
    TIPOFF,
    TONIGHT,
    ManualClock,
    band,
    game,
    opened,
    past,
    player,
    slate,
    small_reference,
    tonight,
)
from tests.stores import MemoryStore
from tracking.player_season import PLAYER_COLUMNS, player_predictions
from ui.player_charts import (
    chance_table,
    distribution_alt,
    distribution_chart,
    distribution_frame,
    season_alt,
    season_chart,
    season_frame,
)
from ui.player_tables import (
    game_log,
    game_rows,
    log_csv,
    record_of,
    seasons_of,
    splits_table,
)

STRANGER = 999


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def reference_file(tmp_path: Path) -> Path:
    return small_reference(tmp_path / "reference.db")


@pytest.fixture
def logged(
    tmp_path: Path, clock: ManualClock, reference_file: Path
) -> Iterator[tuple[Replica, PredictionLog]]:
    with opened(
        tmp_path / "state.db", MemoryStore(clock), clock, reference=reference_file
    ) as found:
        yield found


def of(log: PredictionLog, player_id: int, origin: Origin = Origin.LIVE) -> pd.DataFrame:
    frame = player_predictions(log.query, player_id, origin)
    assert tuple(frame.columns) == PLAYER_COLUMNS
    return frame


def rows_of(
    log: PredictionLog, reference: Reference, player_id: int, origin: Origin = Origin.LIVE
) -> pd.DataFrame:
    return game_rows(
        reference.player_games(player_ids=[player_id]),
        of(log, player_id, origin),
        bundled_scores(reference),
        team_names(reference),
    )


def test_nothing_logged_has_the_same_columns(logged: tuple[Replica, PredictionLog]) -> None:
    replica, log = logged
    empty = of(log, TATUM)
    assert empty.empty
    log.log_slate(tonight(), Origin.LIVE)
    replica.sync_now()
    full = of(log, TATUM)
    for name in ("slate_date", "tipoff_utc", "counted", "mean", "stored_at", "sequence"):
        assert empty[name].dtype == full[name].dtype, name
    assert of(log, STRANGER).empty


def test_each_stat_of_a_game_is_one_row(logged: tuple[Replica, PredictionLog]) -> None:
    replica, log = logged
    log.log_slate(tonight(), Origin.LIVE)
    pending = of(log, TATUM)
    assert list(pending["stat"]) == list(STATS)
    assert not pending["counted"].any(), "what no store has seen cannot count"
    assert pending["stored_at"].isna().all()
    replica.sync_now()
    found = of(log, TATUM)
    assert found["counted"].all()
    first = found.iloc[0]
    assert (first["game_id"], first["slate_date"]) == (BOS_NYK, TONIGHT)
    assert (first["team"], first["opponent"], first["is_home"]) == ("BOS", "NYK", True)
    assert (first["mean"], first["floor"], first["ceiling"]) == (25.0, 23.0, 27.0)
    assert first["tipoff_utc"] == pd.Timestamp(TIPOFF)
    assert first["stored_at"] == pd.Timestamp(NOON)
    assert first["model_version"] == MODEL_VERSION
    assert math.isnan(first["learned"])
    away = of(log, BRUNSON).iloc[0]
    assert (away["team"], away["opponent"], away["is_home"]) == ("NYK", "BOS", False)


def test_the_run_that_counts_goes_before_a_later_one(
    logged: tuple[Replica, PredictionLog], clock: ManualClock
) -> None:
    replica, log = logged
    log.log_slate(tonight(25.0), Origin.LIVE)
    replica.sync_now()
    clock.now = TIPOFF + timedelta(minutes=5)
    log.log_slate(tonight(31.0), Origin.LIVE, revision=True)
    replica.sync_now()
    points = of(log, TATUM).set_index("stat").loc["points"]
    assert (points["mean"], points["counted"]) == (25.0, True)
    # The other game had not begun.
    later = of(log, DONCIC).set_index("stat").loc["points"]
    assert (later["mean"], later["counted"]) == (31.0, True)


def test_a_run_that_came_too_late_is_shown_and_does_not_count(
    logged: tuple[Replica, PredictionLog], clock: ManualClock
) -> None:
    replica, log = logged
    clock.now = TIPOFF + timedelta(minutes=5)
    log.log_slate(tonight(), Origin.LIVE)
    replica.sync_now()
    assert not of(log, TATUM)["counted"].any()
    assert of(log, DONCIC)["counted"].all()


def test_origins_are_never_mixed(logged: tuple[Replica, PredictionLog]) -> None:
    replica, log = logged
    log.log_slate(tonight(), Origin.LIVE)
    log.log_slate(past(30.0), Origin.REPLAY)
    replica.sync_now()
    assert set(of(log, TATUM)["game_id"]) == {BOS_NYK}
    assert set(of(log, TATUM, Origin.REPLAY)["game_id"]) == {PAST_BOS_NYK}
    assert of(log, JOKIC, Origin.REPLAY).empty
    with pytest.raises(OriginMismatch):
        player_predictions(log.query, TATUM, Origin.BACKTEST)


def test_everybody_has_the_team_of_his_roster(reference_file: Path) -> None:
    everybody = people(Reference(reference_file), None, TONIGHT)
    tatum = everybody[TATUM]
    assert (tatum.name, tatum.team, tatum.position) == ("Jayson Tatum", "BOS", "F")
    assert everybody[DONCIC].team == "LAL"
    assert STRANGER not in everybody


def test_projections_stand_beside_what_he_did(
    logged: tuple[Replica, PredictionLog], reference_file: Path
) -> None:
    replica, log = logged
    log.log_slate(past(29.0), Origin.REPLAY)
    replica.sync_now()
    rows = rows_of(log, Reference(reference_file), TATUM, Origin.REPLAY)
    assert len(rows) == 10
    assert rows["game_date"].is_monotonic_increasing
    assert list(rows["points"]) == [*range(10, 19), 30]
    assert list(rows["points_mean"].notna()) == [False] * 9 + [True]
    last = rows.iloc[-1]
    assert (last["team"], last["opponent"], last["season"]) == ("BOS", "NYK", "2024-25")
    assert (last["team_points"], last["opponent_points"]) == (111, 104)
    assert (last["points_floor"], last["points_ceiling"], last["counted"]) == (27.0, 31.0, True)
    assert last["pra"] == 30 + 8 + 5
    assert math.isnan(rows["rest_days"].iloc[0])
    assert list(rows["rest_days"])[1:] == [1.0] * 8 + [2.0]
    assert seasons_of(rows) == ["2024-25"]


def test_a_game_to_come_has_no_numbers_of_his(
    logged: tuple[Replica, PredictionLog], reference_file: Path
) -> None:
    _, log = logged
    log.log_slate(tonight(), Origin.LIVE)
    rows = rows_of(log, Reference(reference_file), TATUM)
    assert seasons_of(rows) == ["2026-27", "2024-25"]
    coming = rows.iloc[-1]
    assert (coming["team"], coming["opponent"], coming["played"]) == ("BOS", "NYK", False)
    table = game_log(rows, "points", TONIGHT)
    assert table.iloc[0]["Date"] == TONIGHT
    assert table.iloc[0]["In range"] == "to come"
    later = game_log(rows, "points", TONIGHT + timedelta(days=1))
    assert later.iloc[0]["In range"] == "not known", "nobody has learned its result"
    assert (table.iloc[0]["Saved"], table.iloc[0]["Counts"]) == ("not yet", "no")
    assert pd.isna(table.iloc[0]["PTS"])


def test_who_did_not_play_is_said(
    logged: tuple[Replica, PredictionLog], reference_file: Path
) -> None:
    replica, log = logged
    log.log_slate(past(), Origin.REPLAY)
    replica.sync_now()
    # That game is over, and he has no box score in it.
    rows = rows_of(log, Reference(reference_file), DONCIC, Origin.REPLAY)
    table = game_log(rows, "points", TONIGHT)
    assert list(table["In range"]) == ["DNP"]
    assert list(table["Result"]) == ["L 99–120"]
    record = record_of(rows, "points")
    assert (record.n, record.mae, record.banded) == (0, None, 0)
    assert (record.share.low, record.share.high) == (0.0, 1.0)


def test_the_record_is_beside_the_average_of_the_season(
    logged: tuple[Replica, PredictionLog], reference_file: Path
) -> None:
    replica, log = logged
    log.log_slate(past(27.5), Origin.REPLAY)
    replica.sync_now()
    rows = rows_of(log, Reference(reference_file), TATUM, Origin.REPLAY)
    record = record_of(rows, "points")
    assert (record.n, record.mae, record.inside, record.banded) == (1, 2.5, 0, 1)
    # 10 to 18 before it: 14 on average, and he had 30.
    assert (record.baseline_n, record.baseline_mae, record.baseline_model_mae) == (1, 16.0, 2.5)
    assert game_log(rows, "points", TONIGHT).iloc[0]["In range"] == "above"


def test_what_does_not_count_is_not_judged(
    logged: tuple[Replica, PredictionLog], clock: ManualClock, reference_file: Path
) -> None:
    replica, log = logged
    clock.now = TIPOFF + timedelta(minutes=5)
    log.log_slate(tonight(), Origin.LIVE)
    replica.sync_now()
    clock.now = TIPOFF + timedelta(hours=12)
    log.record_results(results(TONIGHT, BOS_NYK, TATUM, 26), "by hand")
    rows = rows_of(log, Reference(reference_file), TATUM)
    assert rows.iloc[-1]["points"] == 26, "what the state has learned is shown"
    assert rows.iloc[-1]["played"]
    assert record_of(rows, "points").n == 0


def results(day: date, game_id: str, player_id: int, points: int) -> pd.DataFrame:
    numbers: dict[Stat, int] = {"points": points, "rebounds": 9, "assists": 4, "threes": 2}
    row = {"game_date": day.isoformat(), "game_id": game_id, "player_id": player_id}
    return pd.DataFrame([row | numbers])


def test_splits_leave_out_what_may_be_going_on(reference_file: Path) -> None:
    rows = career_rows(reference_file)
    table = splits_table(rows, rows, "NYK", TONIGHT)
    assert table.loc["Season", "Games"] == "10"
    assert table.loc["Season", "PTS"] == "15.6"
    assert table.loc["Last 5", "PTS"] == f"{(15 + 16 + 17 + 18 + 30) / 5:.1f}"
    assert "Last 10" not in table.index
    assert "Away" not in table.index
    assert table.loc["At home", "Games"] == "10"
    assert table.loc["1 day of rest", "Games"] == "8"
    assert table.loc["Against NYK, all seasons", "Games"] == "10"
    unfinished = rows.assign(final=False)
    assert splits_table(unfinished, unfinished, "", PAST).loc["Season", "Games"] == "9"
    assert splits_table(rows.iloc[:0], rows, "", TONIGHT).empty


def test_rest_of_more_than_a_week_is_rest_too(reference_file: Path) -> None:
    reference = Reference(reference_file)
    career = reference.player_games(player_ids=[TATUM])
    long_ago = career["game_date"] < career["game_date"].iloc[-1]
    career["game_date"] = career["game_date"].where(
        ~long_ago, career["game_date"] - timedelta(days=20)
    )
    nothing = pd.DataFrame(columns=list(PLAYER_COLUMNS))
    rows = game_rows(career, nothing, bundled_scores(reference), team_names(reference))
    assert list(rows["rest_days"])[1:] == [1.0] * 8 + [22.0]
    table = splits_table(rows, rows, "", TONIGHT)
    assert table.loc["2 days of rest or more", "Games"] == "1"
    assert table.loc["2 days of rest or more", "PTS"] == "30.0"


def career_rows(reference_file: Path, player_id: int = TATUM) -> pd.DataFrame:
    reference = Reference(reference_file)
    return game_rows(
        reference.player_games(player_ids=[player_id]),
        pd.DataFrame(columns=list(PLAYER_COLUMNS)),
        bundled_scores(reference),
        team_names(reference),
    )


def test_who_has_no_game_has_empty_tables(reference_file: Path) -> None:
    rows = career_rows(reference_file, 73)
    assert rows.empty
    assert seasons_of(rows) == []
    assert game_log(rows, "points", TONIGHT).empty
    assert splits_table(rows, rows, "BOS", TONIGHT).empty
    assert record_of(rows, "points").n == 0


def test_the_csv_has_every_band(
    logged: tuple[Replica, PredictionLog], reference_file: Path
) -> None:
    replica, log = logged
    log.log_slate(past(29.0), Origin.REPLAY)
    replica.sync_now()
    rows = rows_of(log, Reference(reference_file), TATUM, Origin.REPLAY)
    told = list(csv.DictReader(io.StringIO(log_csv(rows).decode())))
    assert len(told) == len(rows)
    assert told[-1]["game_date"] == PAST.isoformat()
    for stat in STATS:
        assert float(told[-1][f"{stat}_mean"]) == rows.iloc[-1][f"{stat}_mean"]
    assert told[-1]["opponent"] == "NYK"
    assert float(told[-1]["points"]) == 30


def test_pra_has_no_logged_range(reference_file: Path) -> None:
    rows = career_rows(reference_file)
    assert "Range" not in game_log(rows, "pra", TONIGHT)
    frame = season_frame(rows, "pra")
    assert frame["floor"].isna().all()
    assert list(frame["actual"]) == list(rows["pra"])


def test_the_season_chart_says_in_shapes_what_colours_say(
    logged: tuple[Replica, PredictionLog], reference_file: Path
) -> None:
    replica, log = logged
    log.log_slate(past(29.0), Origin.REPLAY)
    replica.sync_now()
    rows = rows_of(log, Reference(reference_file), TATUM, Origin.REPLAY)
    frame = season_frame(rows, "points")
    assert list(frame["where"]) == ["no projection"] * 9 + ["within the range"]
    assert frame["day"].iloc[-1] == PAST.isoformat()
    drawn = season_chart(frame, "points").to_dict()
    shape = drawn["layer"][3]["encoding"]["shape"]
    assert shape["scale"]["domain"] == ["within the range", "outside the range"]
    assert shape["scale"]["range"] == ["circle", "diamond"]
    assert not drawn["layer"][2]["mark"]["filled"]
    words = season_alt(frame, "Jayson Tatum", "2024-25", "points")
    assert words == (
        "Jayson Tatum's points game by game in 2024-25: 10 played, from 10 to 30, 15.6 on "
        "average. 1 with a projected range; 1 of 1 fell within it."
    )


def test_a_season_of_games_to_come_can_be_drawn(logged: tuple[Replica, PredictionLog]) -> None:
    _, log = logged
    log.log_slate(tonight(), Origin.LIVE)
    rows = game_rows(no_games(), of(log, TATUM), {}, {})
    frame = season_frame(rows, "points")
    assert len(season_chart(frame, "points").to_dict()["layer"]) == 3
    assert season_alt(frame, "A", "2026-27", "points").endswith(
        "0 played. 1 with a projected range."
    )


def no_games() -> pd.DataFrame:
    columns = ("player_id", "game_date", "game_id", "season", "season_type", "team_id")
    return pd.DataFrame(columns=[*columns, "opponent_id", "is_home", *STATS])


def test_the_distribution_is_whole_and_split_at_the_line() -> None:
    spread = band(25.0, 19.0, 33.0).distribution
    frame = distribution_frame(spread, 24.5)
    assert frame["number"].is_monotonic_increasing
    assert 0.97 < frame["chance"].sum() <= 1.0
    assert list(frame["over"]) == [number > 24.5 for number in frame["number"]]
    over = frame.loc[frame["over"], "chance"].sum()
    assert over == pytest.approx(spread.over(24.5), abs=0.02)
    assert len(distribution_chart(frame, 24.5, "points").to_dict()["layer"]) == 3
    words = distribution_alt(frame, "Jayson Tatum", 24.5, spread.over(24.5), "points")
    assert "more than 24.5 has a chance of" in words


def test_chances_fall_from_floor_to_ceiling() -> None:
    table = chance_table(band(25.0, 19.0, 33.0).distribution, 19.0, 33.0)
    assert len(table) <= 7
    assert table.index[0] == "19"
    shares = [float(text.strip("<>%")) for text in table["Chance"]]
    assert shares == sorted(shares, reverse=True)
    few = chance_table(band(0.2, 0.0, 1.0).distribution, 0.0, 1.0)
    assert list(few.index) == ["1", "2"]


def test_a_game_that_moved_is_said_once(
    logged: tuple[Replica, PredictionLog], clock: ManualClock
) -> None:
    replica, log = logged

    def alone(day: date, points: float) -> SlateProjection:
        match = game(day=day, tipoff=TIPOFF + (day - TONIGHT))
        return slate([(match, 0.5)], [player(TATUM, match, "BOS", points)], day=day)

    log.log_slate(alone(TONIGHT, 20.0), Origin.LIVE)
    log.log_slate(alone(TONIGHT + timedelta(days=3), 22.0), Origin.LIVE)
    found = of(log, TATUM)
    assert list(found["stat"]) == list(STATS)
    assert found.iloc[0]["mean"] == 22.0
    replica.sync_now()
    assert len(of(log, TATUM)) == len(STATS)
