"""Results from a CSV: whose they are, of which game, and that a bad file changes nothing."""

from __future__ import annotations

import io
import math
import pickle
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import apsw
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prediction_tracking import (
    MAX_ROWS,
    Origin,
    PredictionLog,
    ResultsRejected,
    RowProblemKind,
)
from replica import DiskFull, Replica, Transaction
from tests.slates import (
    BOS_NYK,
    BROWN,
    BRUNSON,
    DONCIC,
    NEWCOMER,
    PAST,
    PAST_BOS_NYK,
    TATUM,
    TEAMS,
    TIPOFF,
    TONIGHT,
    ManualClock,
    game,
    opened,
    player,
    slate,
    small_reference,
    tonight,
)
from tests.stores import MemoryStore
from tracking.errors import RowProblem
from tracking.results_file import parse_results

THE_DAY_AFTER = TIPOFF + timedelta(days=1)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    return small_reference(tmp_path / "reference.db")


def csv(text: str) -> pd.DataFrame:
    return pd.read_csv(io.StringIO(text))


HEADER = "game_date,player_id,player_name,points,rebounds,assists,threes,minutes,game_id,team\n"
TATUM_31 = f"2026-11-20,{TATUM},Jayson Tatum,31,9,4,4,37,{BOS_NYK},BOS\n"


def stored(replica: Replica, sql: str = "SELECT * FROM player_games") -> list[tuple[object, ...]]:
    with replica.read() as connection:
        return [tuple(row) for row in connection.execute(sql)]


def results(replica: Replica) -> dict[tuple[object, object], tuple[object, ...]]:
    sql = "SELECT game_id, player_id, points, rebounds, assists, threes, minutes FROM player_games"
    return {(row[0], row[1]): row[2:] for row in stored(replica, sql)}


def rejected(log: PredictionLog, replica: Replica, frame: pd.DataFrame) -> ResultsRejected:
    """The rejection, after making sure that nothing was written."""
    before = stored(replica), replica.status().pending_transactions
    with pytest.raises(ResultsRejected) as caught:
        log.record_results(frame, "results.csv")
    assert (stored(replica), replica.status().pending_transactions) == before
    assert "results.csv" in str(caught.value)
    assert caught.value.remedy in str(caught.value)
    return caught.value


def test_results_are_recorded_once(
    tmp_path: Path, store: MemoryStore, clock: ManualClock, reference: Path
) -> None:
    with opened(tmp_path / "state.db", store, clock, reference=reference) as (replica, log):
        log.log_slate(tonight(), Origin.LIVE)
        replica.sync_now()
        clock.now = THE_DAY_AFTER
        report = log.record_results(csv(HEADER + TATUM_31), "results.csv")
        assert (report.rows, report.recorded, report.corrected, report.unchanged) == (1, 1, 0, 0)
        assert report.dates == (TONIGHT,)
        assert results(replica) == {(BOS_NYK, TATUM): (31, 9, 4, 4, 37)}
        ((*_, team_id, source, recorded_at),) = stored(
            replica, "SELECT team_id, source, recorded_at FROM player_games"
        )
        assert (team_id, source) == (TEAMS["BOS"], "results.csv")
        assert str(recorded_at).startswith("2026-11-22T00:30:00")
        replica.sync_now()
        again = log.record_results(csv(HEADER + TATUM_31), "results.csv")
        assert (again.recorded, again.unchanged) == (0, 1)
        assert replica.status().pending_transactions == 0


def test_a_changed_value_replaces_and_the_old_one_is_kept(
    tmp_path: Path, store: MemoryStore, clock: ManualClock, reference: Path
) -> None:
    with opened(tmp_path / "state.db", store, clock, reference=reference) as (replica, log):
        clock.now = THE_DAY_AFTER
        log.record_results(csv(HEADER + TATUM_31), "first")
        clock.now += timedelta(days=2)
        report = log.record_results(csv(HEADER + TATUM_31.replace(",31,9,", ",30,8,")), "second")
        assert (report.corrected, report.recorded, report.unchanged) == (1, 0, 0)
        assert results(replica) == {(BOS_NYK, TATUM): (30, 8, 4, 4, 37)}
        kept = stored(
            replica,
            "SELECT game_id, player_id, stat, old_value, new_value FROM result_corrections"
            " ORDER BY stat",
        )
        assert kept == [
            (BOS_NYK, TATUM, "points", 31, 30),
            (BOS_NYK, TATUM, "rebounds", 9, 8),
        ]


def test_minutes_that_are_missing_leave_known_ones_alone(
    tmp_path: Path, store: MemoryStore, clock: ManualClock, reference: Path
) -> None:
    with opened(tmp_path / "state.db", store, clock, reference=reference) as (replica, log):
        clock.now = THE_DAY_AFTER
        without = TATUM_31.replace(",37,", ",,")
        assert log.record_results(csv(HEADER + without), "a").recorded == 1
        assert results(replica)[BOS_NYK, TATUM][-1] is None
        # Learning the minutes corrects nothing: there was no value before.
        assert log.record_results(csv(HEADER + TATUM_31), "b").recorded == 1
        assert log.record_results(csv(HEADER + without), "c").unchanged == 1
        assert results(replica)[BOS_NYK, TATUM][-1] == 37
        assert stored(replica, "SELECT * FROM result_corrections") == []
        assert log.record_results(csv(HEADER + without.replace(",31,", ",30,")), "d").corrected == 1
        assert results(replica)[BOS_NYK, TATUM] == (30, 9, 4, 4, 37)


def test_a_bundled_result_is_known_and_can_be_corrected(
    tmp_path: Path, store: MemoryStore, clock: ManualClock, reference: Path
) -> None:
    known = "date,player,pts,reb,ast,3pm\n2024-11-20,jayson tatum,30,8,5,3\n"
    with opened(tmp_path / "state.db", store, clock, reference=reference) as (replica, log):
        assert log.record_results(csv(known), "a").unchanged == 1
        assert stored(replica) == []
        assert log.record_results(csv(known.replace(",30,", ",29,")), "b").corrected == 1
        assert results(replica) == {(PAST_BOS_NYK, TATUM): (29, 8, 5, 3, None)}
        assert stored(replica, "SELECT old_value, new_value FROM result_corrections") == [(30, 29)]


@pytest.mark.parametrize(
    "header",
    [
        "game_date,player_id,points,rebounds,assists,threes,minutes",
        "DATE,Player_ID,PTS,REB,AST,FG3M,MIN",
        " Game Date , player id ,Points,TRB,Ast,3PM,MP",
    ],
)
def test_columns_may_have_the_usual_names(
    tmp_path: Path, store: MemoryStore, clock: ManualClock, reference: Path, header: str
) -> None:
    with opened(tmp_path / "state.db", store, clock, reference=reference) as (replica, log):
        clock.now = THE_DAY_AFTER
        frame = csv(f"{header},fouls\n2026-11-20,{TATUM},31,9,4,4,37,2\n")
        assert log.record_results(frame, "a").ignored_columns == ("fouls",)
        assert results(replica) == {(BOS_NYK, TATUM): (31, 9, 4, 4, 37)}


def test_a_player_is_found_by_any_spelling_of_his_name(
    tmp_path: Path, store: MemoryStore, clock: ManualClock, reference: Path
) -> None:
    with opened(tmp_path / "state.db", store, clock, reference=reference) as (replica, log):
        clock.now = THE_DAY_AFTER
        frame = csv("date,player,pts,reb,ast,3pm\n2026-11-20,LUKA DONCIC,31,9,4,4\n")
        log.record_results(frame, "a")
        assert [key[1] for key in results(replica)] == [DONCIC]


def test_the_game_comes_from_the_logged_predictions_without_a_reference(
    tmp_path: Path, store: MemoryStore, clock: ManualClock
) -> None:
    match = game()
    projection = slate([(match, 0.5)], [player(NEWCOMER, match, "BOS", name="New Comer")])
    with opened(tmp_path / "state.db", store, clock) as (replica, log):
        log.log_slate(projection, Origin.LIVE)
        clock.now = THE_DAY_AFTER
        frame = csv("date,player,pts,reb,ast,3pm\n2026-11-20,New Comer,31,9,4,4\n")
        log.record_results(frame, "a")
        assert list(results(replica)) == [(BOS_NYK, NEWCOMER)]


def test_a_traded_player_is_found_by_the_team_he_played_for(
    tmp_path: Path, store: MemoryStore, clock: ManualClock, reference: Path
) -> None:
    with opened(tmp_path / "state.db", store, clock, reference=reference) as (replica, log):
        log.log_slate(tonight(), Origin.LIVE)
        clock.now = THE_DAY_AFTER
        # Predicted for LAL, played for NYK.
        row = f"2026-11-20,{DONCIC},31,9,4,4,nyk\n"
        log.record_results(csv("date,player_id,pts,reb,ast,3pm,team\n" + row), "a")
        assert list(results(replica)) == [(BOS_NYK, DONCIC)]
        assert stored(replica, "SELECT team_id FROM player_games") == [(TEAMS["NYK"],)]


def test_two_games_of_one_team_on_a_date_need_the_game_id(
    tmp_path: Path, store: MemoryStore, clock: ManualClock, reference: Path
) -> None:
    header = "date,player_id,pts,reb,ast,3pm,game_id\n"
    with opened(tmp_path / "state.db", store, clock, reference=reference) as (replica, log):
        error = rejected(log, replica, csv(f"{header}2026-11-18,{TATUM},31,9,4,4,\n"))
        assert [p.kind for p in error.problems] == [RowProblemKind.AMBIGUOUS_GAME]
        assert "0022600101 or 0022600102" in str(error)
        # Read as a number, the id has lost its leading zeros.
        log.record_results(csv(f"{header}2026-11-18,{TATUM},31,9,4,4,22600102\n"), "a")
        assert list(results(replica)) == [("0022600102", TATUM)]


def test_namesakes_are_told_apart_by_who_had_a_game(
    tmp_path: Path, store: MemoryStore, clock: ManualClock, reference: Path
) -> None:
    header = "date,player,pts,reb,ast,3pm\n"
    match = game()
    with opened(tmp_path / "state.db", store, clock, reference=reference) as (replica, log):
        log.log_slate(slate([(match, 0.5)], [player(71, match, "BOS")]), Origin.LIVE)
        clock.now = THE_DAY_AFTER
        # Both Johnsons' teams play each other that evening.
        error = rejected(log, replica, csv(header + "2026-11-20,Chris Johnson,31,9,4,4\n"))
        assert [p.kind for p in error.problems] == [RowProblemKind.AMBIGUOUS_PLAYER]
        assert "71 or 72" in str(error)
        with_team = csv("date,player,pts,reb,ast,3pm,team\n2026-11-20,Pete Smith,31,9,4,4,BOS\n")
        unclear = with_team.assign(team="")
        assert rejected(log, replica, unclear).problems[0].kind is RowProblemKind.AMBIGUOUS_PLAYER
        log.record_results(with_team, "a")
        assert [key[1] for key in results(replica)] == [73]
        by_id = csv("date,player_id,player,pts,reb,ast,3pm\n2026-11-20,72,Chris Johnson,31,9,4,4\n")
        log.record_results(by_id, "a")
        assert {key[1] for key in results(replica)} == {72, 73}


def test_every_bad_row_is_named_and_none_is_recorded(
    tmp_path: Path, store: MemoryStore, clock: ManualClock, reference: Path
) -> None:
    rows = [
        f"2026-11-20,{TATUM},Jayson Tatum,31,9,4,4,37,,",
        "2026-11-20,,Nobody Known,31,9,4,4,37,,",
        "2026-11-20,424242,,31,9,4,4,37,,",
        f"2026-11-19,{TATUM},,31,9,4,4,37,,",
        f"20.11.2026,{TATUM},,31,9,4,4,37,,",
        f"2026-02-30,{TATUM},,31,9,4,4,37,,",
        f"2027-01-01,{TATUM},,31,9,4,4,37,,",
        f"2026-11-20,{TATUM},,-1,9,4,0,37,,",
        f"2026-11-20,{TATUM},,31.5,9,4,4,37,,",
        f"2026-11-20,{TATUM},,121,9,4,4,37,,",
        f"2026-11-20,{TATUM},,31,many,4,4,37,,",
        f"2026-11-20,{TATUM},,31,9,,4,37,,",
        f"2026-11-20,{TATUM},,31,9,4,11,37,,",
        f"2026-11-20,{TATUM},,31,9,4,4,71,,",
        f"2026-11-20,{TATUM},,31,9,4,4,-0.4,,",
        f"2026-11-20,{TATUM},,31,9,4,4,37,0022609999,",
        f"2026-11-20,{TATUM},Luka Doncic,31,9,4,4,37,,",
        "2026-11-20,,,31,9,4,4,37,,",
        f",{TATUM},,31,9,4,4,37,,",
    ]
    kinds = [
        RowProblemKind.UNKNOWN_PLAYER,
        RowProblemKind.UNKNOWN_PLAYER,
        RowProblemKind.NO_GAME,
        RowProblemKind.BAD_DATE,
        RowProblemKind.BAD_DATE,
        RowProblemKind.FUTURE_DATE,
        *[RowProblemKind.BAD_VALUE] * 8,
        RowProblemKind.NO_GAME,
        RowProblemKind.AMBIGUOUS_PLAYER,
        RowProblemKind.UNKNOWN_PLAYER,
        RowProblemKind.BAD_DATE,
    ]
    with opened(tmp_path / "state.db", store, clock, reference=reference) as (replica, log):
        clock.now = THE_DAY_AFTER
        error = rejected(log, replica, csv(HEADER + "\n".join(rows) + "\n"))
        # The header is row 1 and the good row is row 2.
        assert [p.row for p in error.problems] == list(range(3, 3 + len(kinds)))
        assert [p.kind for p in error.problems] == kinds
        assert "row 3: no player is called 'Nobody Known'" in str(error)
        assert "and 8 more" in str(error)
        assert pickle.loads(pickle.dumps(error)).problems == error.problems


@pytest.mark.parametrize(
    ("header", "missing"),
    [
        ("game,player,goals", ["game_date", "points", "rebounds", "assists", "threes"]),
        ("date,pts,reb,ast,3pm", ["player_id or player_name"]),
        ("date,player,pts,reb,ast", ["threes"]),
    ],
)
def test_other_columns_are_refused_by_name(
    tmp_path: Path, store: MemoryStore, clock: ManualClock, header: str, missing: list[str]
) -> None:
    with opened(tmp_path / "state.db", store, clock) as (replica, log):
        values = ",".join("1" for _ in header.split(","))
        error = rejected(log, replica, csv(f"{header}\n{values}\n"))
        assert [p.kind for p in error.problems] == [RowProblemKind.MISSING_COLUMN]
        assert error.problems[0].row is None
        for name in [*missing, *header.split(",")]:
            assert name in error.problems[0].detail
        assert "player_id or player_name" in error.remedy


def test_two_columns_of_one_meaning_are_refused(
    tmp_path: Path, store: MemoryStore, clock: ManualClock
) -> None:
    with opened(tmp_path / "state.db", store, clock) as (replica, log):
        frame = csv(f"date,player_id,pts,points,reb,ast,3pm\n2026-11-18,{TATUM},1,2,3,4,0\n")
        error = rejected(log, replica, frame)
        assert [p.kind for p in error.problems] == [RowProblemKind.REPEATED_COLUMN]


def test_a_file_without_rows_or_with_too_many_is_refused(
    tmp_path: Path, store: MemoryStore, clock: ManualClock
) -> None:
    with opened(tmp_path / "state.db", store, clock) as (replica, log):
        error = rejected(log, replica, csv(HEADER))
        assert [p.kind for p in error.problems] == [RowProblemKind.NO_ROWS]
        row = csv(HEADER + TATUM_31)
        long = pd.concat([row] * (MAX_ROWS + 1), ignore_index=True)
        error = rejected(log, replica, long)
        assert [p.kind for p in error.problems] == [RowProblemKind.TOO_MANY_ROWS]
        assert "50,001" in str(error)
        assert "50,000" in str(error)


def test_a_repeated_row_counts_once_a_contradicting_one_is_refused(
    tmp_path: Path, store: MemoryStore, clock: ManualClock, reference: Path
) -> None:
    with opened(tmp_path / "state.db", store, clock, reference=reference) as (replica, log):
        clock.now = THE_DAY_AFTER
        # The same player, once by id and once by name.
        by_name = "2026-11-20,,Jayson Tatum,31,9,4,4,37,,\n"
        error = rejected(log, replica, csv(HEADER + TATUM_31 + by_name.replace(",31,", ",32,")))
        assert [p.kind for p in error.problems] == [RowProblemKind.CONFLICT]
        assert "rows 2 and 3" in str(error)
        report = log.record_results(csv(HEADER + TATUM_31 + by_name + TATUM_31), "a")
        assert (report.rows, report.recorded, report.duplicates) == (3, 1, 2)
        assert len(stored(replica)) == 1


def test_a_write_that_fails_leaves_nothing(
    tmp_path: Path, store: MemoryStore, clock: ManualClock, reference: Path
) -> None:
    with opened(tmp_path / "state.db", store, clock, reference=reference) as (replica, log):
        clock.now = THE_DAY_AFTER
        two = HEADER + TATUM_31 + f"2026-11-20,{BROWN},,20,5,4,2,35,,\n"
        log.record_results(csv(two), "a")
        before = results(replica)

        changed = csv(two.replace(",31,9", ",30,9").replace(",20,5", ",21,5"))
        # The box scores are written, then the corrections fail.
        original = _Failing(replica)
        broken = PredictionLog(original, reference, clock=clock)  # type: ignore[arg-type]
        with pytest.raises(DiskFull):
            broken.record_results(changed, "b")
        assert results(replica) == before
        assert stored(replica, "SELECT * FROM result_corrections") == []


class _Failing:
    """A replica whose second statement of each transaction fails."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica
        self.read = replica.read
        self.path = replica.path

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        with self._replica.transaction() as transaction:
            whole = transaction.executemany
            calls: list[str] = []

            def executemany(sql: str, rows: Iterable[Sequence[str | int | None]]) -> None:
                calls.append(sql)
                if len(calls) == 2:
                    raise apsw.FullError(sql)
                whole(sql, rows)

            transaction.executemany = executemany  # type: ignore[method-assign, assignment]
            yield transaction


def test_values_are_read_as_people_write_them() -> None:
    today = TONIGHT
    frame = pd.DataFrame(
        {
            "date": ["2026-11-18", PAST, pd.Timestamp("2026-11-18"), "2026-11-18 00:00:00"],
            "player_id": ["71", 71, 71.0, " 71 "],
            "pts": ["31", 31, 31.0, "31.0"],
            "reb": [9, 9, 9, 9],
            "ast": [4, 4, 4, 4],
            "3pm": [4, 4, 4, 4],
            "min": ["34:30", "34.4", 34.5, None],
            "game_id": [22600101, 22600101.0, "0022600101", math.nan],
        },
        dtype=object,
    )
    parsed = parse_results(frame, today)
    assert parsed.problems == ()
    assert [row.values["minutes"] for row in parsed.rows] == [35, 34, 35, None]
    assert {row.player_id for row in parsed.rows} == {71}
    assert {row.values["points"] for row in parsed.rows} == {31}
    assert [row.game_id for row in parsed.rows] == ["0022600101"] * 3 + [""]


anything = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=12),
    st.dates(),
    st.datetimes(timezones=st.just(UTC)),
    st.sampled_from(["", "1e3", "1_0", "٣", "34:61", "0x10", "inf", "nan", "-0", pd.NaT, pd.NA]),
)


@given(st.lists(st.tuples(*[anything] * 8), min_size=1, max_size=5))
def test_no_cell_breaks_the_reading(cells: list[tuple[object, ...]]) -> None:
    columns = ["date", "player_id", "player", "pts", "reb", "ast", "3pm", "min"]
    frame = pd.DataFrame(cells, columns=columns, dtype=object)
    parsed = parse_results(frame, TONIGHT)
    readable = {row.row for row in parsed.rows}
    complained: set[int | None] = {problem.row for problem in parsed.problems}
    # Each row is either read or complained about, never both and never neither.
    assert readable | complained == set(range(2, 2 + len(cells)))
    assert not readable & complained
    for row in parsed.rows:
        assert row.game_date <= TONIGHT
        for value in row.values.values():
            assert value is None or 0 <= value <= 120
    for problem in parsed.problems:
        assert isinstance(problem, RowProblem)
        assert str(problem.row) in str(problem)


def test_fifty_thousand_rows_are_read_within_the_limit(
    tmp_path: Path, store: MemoryStore, clock: ManualClock, reference: Path
) -> None:
    clock.now = datetime(2026, 11, 22, 17, tzinfo=UTC)
    frame = pd.concat([csv(HEADER + TATUM_31)] * 10_000, ignore_index=True)
    with opened(tmp_path / "state.db", store, clock, reference=reference) as (replica, log):
        report = log.record_results(frame, "a")
        assert (report.recorded, report.duplicates) == (1, 9_999)
        assert list(results(replica)) == [(BOS_NYK, TATUM)]
        assert BRUNSON not in {key[1] for key in results(replica)}
