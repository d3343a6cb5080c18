"""The history: filters, order, pages, what counts, and how fast it is found."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from nba.stats import STATS
from prediction_tracking import HISTORY_COLUMNS, HistoryFilters, Origin, PredictionLog
from replica import Replica
from tests.slates import (
    BOS_NYK,
    BRUNSON,
    DONCIC,
    LAL_DEN,
    NEWCOMER,
    NOON,
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
from tracking import history as tracking_history
from tracking.frames import escape_like, fold, name_key

EVERYTHING = HistoryFilters()
WALK = re.compile("(SCAN|SEARCH) r USING (COVERING )?INDEX runs_by_slate")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    return small_reference(tmp_path / "reference.db")


def players(log: PredictionLog, filters: HistoryFilters) -> set[str]:
    frame = log.history(filters, limit=None)
    assert log.history_count(filters) == len(frame)
    return set(frame["player_name"])


def test_an_empty_history_has_its_columns(
    tmp_path: Path, store: MemoryStore, clock: ManualClock
) -> None:
    with opened(tmp_path / "state.db", store, clock) as (_, log):
        empty = log.history(EVERYTHING, limit=10)
        assert tuple(empty.columns) == HISTORY_COLUMNS
        assert len(empty) == 0
        assert log.history_count(EVERYTHING) == 0
        log.log_slate(tonight(), Origin.LIVE)
        full = log.history(EVERYTHING, limit=10)
        same = [name for name in HISTORY_COLUMNS if name not in ("sequence", "actual")]
        # What a page may rely on: a column's type does not depend on there being rows.
        for name in ("logged_at", "stored_at", "tipoff_utc", "saved", "mean", "slate_date"):
            assert name in same
            assert empty[name].dtype == full[name].dtype, name


def test_a_row_says_what_was_predicted_and_what_happened(
    tmp_path: Path, store: MemoryStore, clock: ManualClock, reference: Path
) -> None:
    with opened(tmp_path / "state.db", store, clock, reference=reference) as (replica, log):
        run = log.log_slate(past(25), Origin.REPLAY)
        pending = log.history(HistoryFilters(player="tatum", stat="points"), limit=1).iloc[0]
        assert not pending["saved"]
        assert pd.isna(pending["stored_at"])
        replica.sync_now()
        row = log.history(HistoryFilters(player="tatum", stat="points"), limit=1).iloc[0]
        assert row["saved"]
        assert row["stored_at"] == pd.Timestamp(NOON)
        assert row["sequence"] == 2
        assert row["run_id"] == run.run_id
        assert (row["slate_date"], row["origin"]) == (PAST, "replay")
        assert (row["team"], row["opponent"], row["home_team"]) == ("BOS", "NYK", "BOS")
        assert (row["mean"], row["floor"], row["ceiling"], row["actual"]) == (25, 23, 27, 30)
        assert row["median"] == 25
        assert not row["in_track_record"]
        assert pd.isna(row["tipoff_utc"])
        # Dončić has no box score on that date: he did not play.
        absent = log.history(HistoryFilters(player="doncic"), limit=None)
        assert len(absent) == len(STATS)
        assert absent["actual"].isna().all()


def test_the_states_result_comes_before_the_bundled_one(
    tmp_path: Path, store: MemoryStore, clock: ManualClock, reference: Path
) -> None:
    with opened(tmp_path / "state.db", store, clock, reference=reference) as (_, log):
        log.log_slate(past(), Origin.REPLAY)
        corrected = pd.DataFrame(
            {
                "date": ["2024-11-20"],
                "player": ["Jayson Tatum"],
                "points": [28],
                "rebounds": [8],
                "assists": [5],
                "threes": [3],
            }
        )
        log.record_results(corrected, "a test")
        frame = log.history(HistoryFilters(player="tatum"), limit=None).set_index("stat")
        assert frame.loc["points", "actual"] == 28
        learned = {"points": 28, "rebounds": 8, "assists": 5, "threes": 3}
        assert log.learned_results(PAST) == {(PAST_BOS_NYK, TATUM): learned}
        assert log.learned_results(TONIGHT) == {}
        # Not in the file, so still the bundled value.
        assert frame.loc["minutes", "actual"] == 36


def test_filters_narrow(
    tmp_path: Path, store: MemoryStore, clock: ManualClock, reference: Path
) -> None:
    with opened(tmp_path / "state.db", store, clock, reference=reference) as (_, log):
        log.log_slate(past(), Origin.REPLAY)
        log.log_slate(tonight(), Origin.LIVE)
        other = replace(tonight(), model_version="other-1")
        log.log_slate(other, Origin.LIVE)
        assert log.history_count(EVERYTHING) == 15 + 20 + 20
        assert log.history_count(HistoryFilters(since=TONIGHT)) == 40
        assert log.history_count(HistoryFilters(until=PAST)) == 15
        assert log.history_count(HistoryFilters(since=PAST, until=PAST)) == 15
        assert log.history_count(HistoryFilters(since=TONIGHT, until=PAST)) == 0
        assert log.history_count(HistoryFilters(origin=Origin.LIVE)) == 40
        assert log.history_count(HistoryFilters(origin=Origin.BACKTEST)) == 0
        assert log.history_count(HistoryFilters(model_version="other-1")) == 20
        assert log.history_count(HistoryFilters(stat="threes")) == 11
        assert players(log, HistoryFilters(team="BOS")) == {"Jayson Tatum"}
        assert players(log, HistoryFilters(team=" den ")) == {"Nikola Jokić"}
        assert players(log, HistoryFilters(team="XXX")) == set()
        combined = HistoryFilters(
            since=TONIGHT, team="LAL", player="luka", stat="points", model_version="other-1"
        )
        assert log.history_count(combined) == 1


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("dončić", {"Luka Dončić"}),
        ("DONCIC", {"Luka Dončić"}),
        (" luka  d", {"Luka Dončić"}),
        ("j", {"Jayson Tatum", "Jalen Brunson", "Nikola Jokić"}),
        ("", {"Jayson Tatum", "Jalen Brunson", "Nikola Jokić", "Luka Dončić"}),
        ("%", set()),
        ("_", set()),
        ("Jayson_Tatum", set()),
        ("\\", set()),
        ("' OR 1=1 --", set()),
        ("nobody", set()),
    ],
)
def test_player_text_is_a_part_of_a_name_and_nothing_else(
    tmp_path: Path,
    store: MemoryStore,
    clock: ManualClock,
    reference: Path,
    text: str,
    found: set[str],
) -> None:
    with opened(tmp_path / "state.db", store, clock, reference=reference) as (_, log):
        log.log_slate(tonight(), Origin.LIVE)
        assert players(log, HistoryFilters(player=text)) == found


def test_a_player_the_reference_lacks_has_the_name_he_was_logged_with(
    tmp_path: Path, store: MemoryStore, clock: ManualClock, reference: Path
) -> None:
    match = game()
    projection = slate(
        [(match, 0.5)],
        [
            player(NEWCOMER, match, "BOS", name="Ñew 100% Comer"),
            player(NEWCOMER + 1, match, "BOS", name=" "[:0] or "Ñew Other"),
        ],
    )
    with opened(tmp_path / "state.db", store, clock, reference=reference) as (_, log):
        log.log_slate(projection, Origin.LIVE)
        assert players(log, HistoryFilters(player="new 100%")) == {"Ñew 100% Comer"}
        assert players(log, HistoryFilters(player="NEW")) == {"Ñew 100% Comer", "Ñew Other"}
    with opened(tmp_path / "other.db", MemoryStore(clock), clock) as (_, log):
        log.log_slate(projection, Origin.LIVE)
        assert players(log, HistoryFilters(player="100%")) == {"Ñew 100% Comer"}


def test_only_current_leaves_out_what_a_newer_run_replaced(
    tmp_path: Path, store: MemoryStore, clock: ManualClock
) -> None:
    with opened(tmp_path / "state.db", store, clock) as (replica, log):
        log.log_slate(past(), Origin.REPLAY)
        log.log_slate(tonight(), Origin.LIVE)
        replica.sync_now()
        clock.now += timedelta(minutes=1)
        revision = log.log_slate(tonight(30), Origin.LIVE, revision=True)
        current = log.history(HistoryFilters(only_current=True), limit=None)
        assert len(current) == 15 + 20
        assert set(current.query("origin == 'live'")["run_id"]) == {revision.run_id}
        assert log.history_count(HistoryFilters(only_current=True)) == 35
        assert log.history_count(EVERYTHING) == 55


def test_pages_are_newest_first_without_gaps_or_repeats(
    tmp_path: Path, store: MemoryStore, clock: ManualClock
) -> None:
    with opened(tmp_path / "state.db", store, clock) as (_, log):
        log.log_slate(past(), Origin.REPLAY)
        log.log_slate(tonight(), Origin.LIVE)
        # The same moment: only the run's id is left to order them.
        log.log_slate(tonight(26), Origin.LIVE, revision=True)
        log.log_slate(tonight(27), Origin.LIVE, revision=True)
        whole = log.history(EVERYTHING, limit=None)
        assert list(whole["slate_date"]) == sorted(whole["slate_date"], reverse=True)
        pages = [log.history(EVERYTHING, limit=7, offset=o) for o in range(0, len(whole), 7)]
        paged = pd.concat(pages, ignore_index=True)
        key = ["run_id", "game_id", "player_id", "stat"]
        assert paged[key].to_numpy().tolist() == whole[key].to_numpy().tolist()
        assert not whole.duplicated(key).any()
        assert list(whole["stat"][:5]) == list(STATS)
        assert len(log.history(EVERYTHING, limit=5, offset=10_000)) == 0
        assert len(log.history(EVERYTHING, limit=0)) == 0


def counting(log: PredictionLog) -> pd.DataFrame:
    frame = log.history(HistoryFilters(stat="points"), limit=None)
    return frame[frame["in_track_record"]]


def test_only_what_the_store_had_before_tip_off_counts(
    tmp_path: Path, store: MemoryStore, clock: ManualClock
) -> None:
    with opened(tmp_path / "state.db", store, clock) as (replica, log):
        log.log_slate(tonight(), Origin.LIVE)
        assert counting(log).empty
        clock.now = TIPOFF - timedelta(seconds=1)
        replica.sync_now()
        assert set(counting(log)["player_id"]) == set(
            log.history(EVERYTHING, limit=None)["player_id"]
        )


def test_a_game_counts_or_not_by_its_own_tip_off(
    tmp_path: Path, store: MemoryStore, clock: ManualClock
) -> None:
    with opened(tmp_path / "state.db", store, clock) as (replica, log):
        log.log_slate(tonight(), Origin.LIVE)
        clock.now = TIPOFF
        replica.sync_now()
        assert set(counting(log)["game_id"]) == {LAL_DEN}


def test_the_local_clock_has_no_say(tmp_path: Path, store: MemoryStore, clock: ManualClock) -> None:
    local = ManualClock(NOON)
    with opened(tmp_path / "state.db", store, local) as (replica, log):
        run = log.log_slate(tonight(), Origin.LIVE)
        # Committed before tip-off by an offline laptop, published the day after.
        clock.now = TIPOFF + timedelta(days=1)
        replica.sync_now()
        assert log.run(run.run_id).logged_at < TIPOFF
        assert counting(log).empty


def test_the_last_run_before_tip_off_counts_per_game(
    tmp_path: Path, store: MemoryStore, clock: ManualClock
) -> None:
    with opened(tmp_path / "state.db", store, clock) as (replica, log):
        first = log.log_slate(tonight(), Origin.LIVE)
        replica.sync_now()
        clock.now = TIPOFF + timedelta(minutes=1)
        second = log.log_slate(tonight(26), Origin.LIVE, revision=True)
        replica.sync_now()
        by_game = counting(log).groupby("game_id")["run_id"].agg(set).to_dict()
        assert by_game == {BOS_NYK: {first.run_id}, LAL_DEN: {second.run_id}}
        clock.now += timedelta(days=1)
        replays = log.log_slate(tonight(27), Origin.REPLAY)
        replica.sync_now()
        assert replays.run_id not in set(counting(log)["run_id"])


def test_of_two_runs_in_one_object_the_later_logged_counts(
    tmp_path: Path, store: MemoryStore, clock: ManualClock
) -> None:
    with opened(tmp_path / "state.db", store, clock) as (replica, log):
        log.log_slate(tonight(), Origin.LIVE)
        clock.now += timedelta(minutes=1)
        second = log.log_slate(tonight(26), Origin.LIVE, revision=True)
        replica.sync_now()
        assert set(counting(log)["run_id"]) == {second.run_id}


def test_a_game_without_a_tip_off_time_never_counts(
    tmp_path: Path, store: MemoryStore, clock: ManualClock
) -> None:
    match = game(tipoff=None)
    with opened(tmp_path / "state.db", store, clock) as (replica, log):
        log.log_slate(slate([(match, 0.5)], [player(TATUM, match, "BOS")]), Origin.LIVE)
        replica.sync_now()
        assert counting(log).empty


def fill(replica: Replica, runs: int, players_per_game: int = 13) -> int:
    """Live runs of ten games each, one per day, straight into the tables."""
    written = 0
    first = date(2025, 10, 21)
    with replica.transaction() as transaction:
        for number in range(runs):
            day = first + timedelta(days=number)
            run_id = f"run-{number:08d}"
            logged = datetime(day.year, day.month, day.day, 17, tzinfo=UTC)
            stamp = logged.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            transaction.execute(
                "INSERT INTO runs VALUES (?, ?, 'm-1', 'live', NULL, ?, ?, 1, 0, 'app')",
                (run_id, day.isoformat(), stamp, transaction.id),
            )
            games = [f"{number:06d}{g:04d}" for g in range(10)]
            transaction.executemany(
                "INSERT INTO game_predictions VALUES (?,?,?,?,1,2,'BOS','NYK',0.5,0.5,112,110)",
                [(run_id, g, day.isoformat(), stamp) for g in games],
            )
            rows = [
                (run_id, g, 1000 + 20 * index + p, stat, 1 + p % 2, 10.5, 5.0, 15.0, 0, 10)
                for index, g in enumerate(games)
                for p in range(2 * players_per_game)
                for stat in STATS
            ]
            transaction.executemany("INSERT INTO predictions VALUES (?,?,?,?,?,?,?,?,?,?)", rows)
            written += len(rows)
    return written


@pytest.mark.parametrize(
    "filters",
    [
        EVERYTHING,
        HistoryFilters(only_current=True),
        HistoryFilters(since=date(2025, 10, 25), until=date(2025, 11, 5), stat="points"),
        HistoryFilters(player="tatum"),
        HistoryFilters(team="BOS", origin=Origin.LIVE),
    ],
)
def test_a_page_walks_runs_from_the_newest_and_scans_no_predictions(
    tmp_path: Path,
    store: MemoryStore,
    clock: ManualClock,
    reference: Path,
    filters: HistoryFilters,
) -> None:
    with opened(tmp_path / "state.db", store, clock) as (replica, _):
        fill(replica, 3)
        with replica.read({"reference": reference}) as connection:
            plans: list[str] = []
            page: list[str] = []
            inner = connection.execute

            class Explaining:
                """Keeps the plan of each statement that is run."""

                def execute(self, sql: str, bindings: object = None) -> object:
                    found: int | None = None
                    for row in inner(f"EXPLAIN QUERY PLAN {sql}", bindings):  # type: ignore[arg-type]
                        plans.append(str(row[3]))
                        if row[3] == "MATERIALIZE page":
                            found = int(str(row[0]))
                        elif row[1] == found:
                            page.append(str(row[3]))
                    return inner(sql, bindings)  # type: ignore[arg-type]

                def create_scalar_function(self, *given: object, **named: object) -> None:
                    connection.create_scalar_function(*given, **named)  # type: ignore[arg-type]

            tracking_history.history(
                Explaining(),  # type: ignore[arg-type]
                filters,
                has_reference=True,
                limit=50,
                offset=0,
            )
        for alias in ("p", "s", "b", "t"):
            assert not any(f"{step} ".startswith(f"SCAN {alias} ") for step in plans), plans
        assert any(WALK.match(step) for step in page), plans
        # Sorting within one run is fine, sorting the whole history is not. The common tables rank
        # runs and games, which are few.
        assert "USE TEMP B-TREE FOR ORDER BY" not in page, page
        assert any(re.fullmatch(r"USE TEMP B-TREE FOR LAST \d TERMS OF ORDER BY", s) for s in page)


def test_a_page_costs_the_same_in_a_long_history(
    tmp_path: Path, store: MemoryStore, clock: ManualClock, reference: Path
) -> None:
    steps: dict[int, int] = {}
    for runs in (4, 40):
        path = tmp_path / f"{runs}.db"
        with opened(path, MemoryStore(clock), clock, reference=reference) as (replica, _):
            fill(replica, runs, players_per_game=3)
            with replica.read({"reference": reference}) as connection:
                counted = [0]

                def tick(counted: list[int] = counted) -> bool:
                    counted[0] += 1
                    return False

                connection.set_progress_handler(tick, 100)
                tracking_history.history(
                    connection, EVERYTHING, has_reference=True, limit=50, offset=0
                )
                steps[runs] = counted[0]
    # Runs are looked at one by one (few), predictions only for the page.
    assert steps[40] < 3 * steps[4], steps


def test_names_fold_to_what_people_type() -> None:
    assert fold("  Nikola   JOKIĆ ") == "nikola jokic"
    assert fold("Luka Dončić") == fold("luka doncic")
    assert fold("Dāvis Bertāns") == "davis bertans"
    assert fold("Đorđe Østby Łukasz") == "dorde ostby lukasz"
    assert name_key("P.J. Washington") == name_key("pj washington")
    assert name_key("De'Aaron Fox") == "deaaron fox"
    assert escape_like("50%_\\") == "50\\%\\_\\\\"
    assert {BRUNSON, DONCIC}
