"""Who may not play: day by day, as a list with names, and from a table with mistakes in it."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import date, timedelta
from io import StringIO
from pathlib import Path

import pandas as pd
import pytest

from nba.availability import Availability, PlayerAvailability, is_expected
from nba.silver import Silver
from prediction_tracking import (
    AVAILABILITY_COLUMNS,
    AvailabilityRejected,
    PredictionLog,
    ResultsRejected,
    RowProblemKind,
)
from replica import Replica
from tests.silver_rows import line, lines, listed
from tests.slates import (
    BROWN,
    BRUNSON,
    DONCIC,
    JOKIC,
    NEWCOMER,
    TATUM,
    TONIGHT,
    ManualClock,
    opened,
    small_reference,
)
from tests.stores import MemoryStore

OUT, DOUBTFUL = Availability.OUT, Availability.DOUBTFUL
QUESTIONABLE, AVAILABLE = Availability.QUESTIONABLE, Availability.AVAILABLE
TOMORROW, YESTERDAY = TONIGHT + timedelta(days=1), TONIGHT - timedelta(days=1)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    return small_reference(tmp_path / "reference.db")


@pytest.fixture
def both(
    tmp_path: Path, store: MemoryStore, clock: ManualClock, reference: Path
) -> Iterator[tuple[Replica, PredictionLog]]:
    with opened(tmp_path / "state.db", store, clock, reference=reference) as found:
        yield found


@pytest.fixture
def replica(both: tuple[Replica, PredictionLog]) -> Replica:
    return both[0]


@pytest.fixture
def log(both: tuple[Replica, PredictionLog]) -> PredictionLog:
    return both[1]


def said(
    player_id: int = TATUM,
    status: Availability = OUT,
    since: date = TONIGHT,
    until: date | None = None,
    note: str = "",
) -> PlayerAvailability:
    return PlayerAvailability(player_id, status, since, until, note)


def table(text: str) -> pd.DataFrame:
    """A CSV file as the app reads it: text only."""
    return pd.read_csv(StringIO(text), dtype=str, keep_default_na=False)


def problems(log: PredictionLog, text: str) -> list[tuple[int | None, RowProblemKind]]:
    with pytest.raises(AvailabilityRejected) as caught:
        log.parse_availability(table(text))
    return [(problem.row, problem.kind) for problem in caught.value.problems]


def test_who_is_expected_to_play() -> None:
    assert [status.value for status in Availability if not is_expected(status)] == [
        "doubtful",
        "out",
    ]


def test_the_latest_word_counts_until_its_last_day(log: PredictionLog) -> None:
    change = said(until=TOMORROW, note="ankle")
    assert log.set_availability([change]) == 1
    assert log.availability(YESTERDAY) == {}
    assert log.availability(TONIGHT) == {TATUM: change}
    assert log.availability(TOMORROW) == {TATUM: change}
    assert log.availability(TOMORROW + timedelta(days=1)) == {}
    again = said(status=QUESTIONABLE, since=TOMORROW)
    assert log.set_availability([again]) == 1
    assert log.availability(TONIGHT) == {TATUM: change}, "what was said for other days stays"
    assert log.availability(TOMORROW + timedelta(days=30)) == {TATUM: again}


def test_a_word_for_a_few_days_covers_an_earlier_one_only_until_they_are_over(
    log: PredictionLog,
) -> None:
    long = said(since=YESTERDAY, note="surgery")
    brief = said(status=DOUBTFUL, until=TONIGHT)
    log.set_availability([long])
    log.set_availability([brief])
    assert log.availability(TONIGHT) == {TATUM: brief}
    assert log.availability(TOMORROW) == {TATUM: long}


def test_saying_the_same_again_writes_nothing(replica: Replica, log: PredictionLog) -> None:
    changes = [said(), said(JOKIC, DOUBTFUL)]
    assert log.set_availability(changes) == 2
    assert log.set_availability(changes) == 0
    assert log.set_availability([]) == 0
    assert replica.status().pending_transactions == 1
    assert log.set_availability([said(), said(JOKIC, QUESTIONABLE)]) == 1
    assert log.availability(TONIGHT)[JOKIC].status is QUESTIONABLE


def test_a_word_is_taken_back(log: PredictionLog) -> None:
    log.set_availability([said(since=YESTERDAY)])
    log.set_availability([said(status=AVAILABLE)])
    assert log.availability(TONIGHT)[TATUM].status is AVAILABLE
    assert log.availability_list(TONIGHT).empty
    assert list(log.availability_list(YESTERDAY)["player_id"]) == [TATUM]


def test_the_list_has_names_and_the_worst_first(log: PredictionLog) -> None:
    log.set_availability(
        [
            said(JOKIC, QUESTIONABLE, note="illness"),
            said(TATUM, OUT, YESTERDAY, TOMORROW, "knee"),
            said(BRUNSON, DOUBTFUL),
            said(BROWN, OUT),
            said(DONCIC, AVAILABLE),
        ]
    )
    found = log.availability_list(TONIGHT)
    assert tuple(found.columns) == AVAILABILITY_COLUMNS
    assert found[["player_name", "team", "status"]].to_numpy().tolist() == [
        ["Jaylen Brown", "BOS", "out"],
        ["Jayson Tatum", "BOS", "out"],
        ["Jalen Brunson", "NYK", "doubtful"],
        ["Nikola Jokić", "DEN", "questionable"],
    ]
    tatum = found.iloc[1]
    assert (tatum["from_date"], tatum["until_date"], tatum["note"]) == (YESTERDAY, TOMORROW, "knee")
    assert found.iloc[0]["until_date"] is None
    assert tuple(log.availability_list(TONIGHT - timedelta(days=9)).columns) == AVAILABILITY_COLUMNS


def test_the_list_names_the_team_of_a_traded_and_of_a_new_player(log: PredictionLog) -> None:
    log.learn(lines(line(NEWCOMER, team="NYK")))
    log.learn(Silver(rosters=(listed(TATUM, "LAL", TOMORROW), listed(NEWCOMER, "NYK"))))
    log.learn(Silver(rosters=(listed(BROWN, None),)))
    log.set_availability([said(TATUM), said(NEWCOMER), said(BROWN)])

    def teams(day: date) -> dict[int, str | None]:
        found = log.availability_list(day)
        known = zip(found["player_id"], found["team"], strict=True)
        return {player_id: None if pd.isna(team) else team for player_id, team in known}

    assert teams(TONIGHT) == {TATUM: "BOS", NEWCOMER: "NYK", BROWN: None}
    assert teams(TOMORROW) == {TATUM: "LAL", NEWCOMER: "NYK", BROWN: None}
    [name] = log.availability_list(TONIGHT).query("player_id == @NEWCOMER")["player_name"]
    assert name == f"Player {NEWCOMER}"


def test_without_a_bundle_there_are_learned_names(
    tmp_path: Path, store: MemoryStore, clock: ManualClock
) -> None:
    with opened(tmp_path / "bare.db", store, clock) as (_, log):
        log.learn(lines(line(TATUM)))
        [change] = log.parse_availability(table(f"player,status\nplayer {TATUM},Out\n"))
        assert change == said()
        log.set_availability([change])
        [row] = log.availability_list(TONIGHT).to_dict("records")
        assert (row["player_name"], row["team"]) == (f"Player {TATUM}", None)


def test_two_owners_that_say_the_same_do_not_contradict_each_other(
    tmp_path: Path, store: MemoryStore, clock: ManualClock, reference: Path
) -> None:
    with ExitStack() as stack:
        both = []
        for number in (1, 2):
            path = tmp_path / f"{number}.db"
            both.append(
                stack.enter_context(opened(path, store, clock, reference=reference, seed=number))
            )
        for _, log in both:
            log.set_availability([said(note="ankle"), said(JOKIC, DOUBTFUL)])
        for replica, _ in (*both, *both):
            replica.sync_now()
        for _, log in both:
            assert len(log.availability(TONIGHT)) == 2
            assert log.conflicts().empty


def test_a_table_is_read(log: PredictionLog) -> None:
    rows = table(
        "Player,Player ID,Team,Status,From,Until,Note,Source\n"
        "jayson tatum,,,OUT,,2026-11-25, sore knee ,x\n"
        f",{JOKIC}.0,,questionable,2026-11-21,,,\n"
        "Luka Doncic,,LAL,Doubtful,,,,\n"
        f"Jalen Brunson,{BRUNSON},BOS,available,2026-11-19 00:00:00,,,\n"
        "Jayson Tatum,,,out,,2026-11-25,sore knee,again\n"
    )
    assert log.parse_availability(rows) == [
        said(TATUM, OUT, until=date(2026, 11, 25), note="sore knee"),
        said(JOKIC, QUESTIONABLE, TOMORROW),
        said(DONCIC, DOUBTFUL),
        said(BRUNSON, AVAILABLE, YESTERDAY),
    ]
    assert log.availability(TONIGHT) == {}, "reading saves nothing"


def test_a_table_with_numbers_and_gaps_as_pandas_reads_them(log: PredictionLog) -> None:
    cells: dict[str, list[object]] = {
        "player_id": [float(TATUM), None],
        "player_name": [None, "Nikola Jokic"],
        "status": ["out", "out"],
        "note": [None, float("nan")],
        "until": [pd.NaT, pd.NA],
    }
    frame = pd.DataFrame(cells, dtype=object)
    assert log.parse_availability(frame) == [said(TATUM), said(JOKIC)]


def test_namesakes_are_told_apart_by_team_or_id(log: PredictionLog) -> None:
    head = "player_name,team,player_id,status\n"
    [by_team] = log.parse_availability(table(f"{head}Chris Johnson,nyk,,out\n"))
    [by_id] = log.parse_availability(table(f"{head}Chris Johnson,,71,out\n"))
    assert (by_team.player_id, by_id.player_id) == (72, 71)
    ambiguous = (2, RowProblemKind.AMBIGUOUS_PLAYER)
    assert problems(log, f"{head}Chris Johnson,,,out\n") == [ambiguous]
    assert problems(log, f"{head}Chris Johnson,LAL,,out\n") == [ambiguous]
    # He of New York is traded; the team of tonight counts.
    log.learn(Silver(rosters=(listed(72, "LAL"),)))
    [traded] = log.parse_availability(table(f"{head}Chris Johnson,LAL,,out\n"))
    assert traded.player_id == 72
    log.learn(Silver(rosters=(listed(72, None, TOMORROW),)))
    assert problems(log, f"{head}Chris Johnson,,,out\n") == [ambiguous], "he is on a roster today"


def test_of_namesakes_who_is_on_a_roster_is_meant(log: PredictionLog) -> None:
    log.learn(Silver(rosters=(listed(72, None),)))
    [only] = log.parse_availability(table("player_name,status\nChris Johnson,out\n"))
    assert only.player_id == 71


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        ("Nobody Known,,out,,", RowProblemKind.UNKNOWN_PLAYER),
        (",,out,,", RowProblemKind.UNKNOWN_PLAYER),
        (",12345,out,,", RowProblemKind.UNKNOWN_PLAYER),
        (",Tatum,out,,", RowProblemKind.UNKNOWN_PLAYER),
        (f"Jaylen Brown,{TATUM},out,,", RowProblemKind.AMBIGUOUS_PLAYER),
        ("Jayson Tatum,,injured,,", RowProblemKind.BAD_VALUE),
        ("Jayson Tatum,,,,", RowProblemKind.BAD_VALUE),
        ("Jayson Tatum,,out,tomorrow,", RowProblemKind.BAD_DATE),
        ("Jayson Tatum,,out,,2026-13-01", RowProblemKind.BAD_DATE),
        ("Jayson Tatum,,out,11/20/2026,", RowProblemKind.BAD_DATE),
        ("Jayson Tatum,,out,,2026-11-19", RowProblemKind.BAD_DATE),
    ],
)
def test_a_bad_row_is_named_and_nothing_is_taken(
    log: PredictionLog, row: str, kind: RowProblemKind
) -> None:
    text = f"player_name,player_id,status,from,until\nNikola Jokic,,out,,\n{row}\n"
    assert problems(log, text) == [(3, kind)]


def test_every_bad_row_is_named_at_once(log: PredictionLog) -> None:
    text = "player,status,note\nJayson Tatum,out,\nNobody,out,\nNikola Jokic,no,\n"
    text += f"Luka Doncic,out,{'x' * 201}\nJayson Tatum,doubtful,\n"
    assert problems(log, text) == [
        (3, RowProblemKind.UNKNOWN_PLAYER),
        (4, RowProblemKind.BAD_VALUE),
        (5, RowProblemKind.BAD_VALUE),
        (6, RowProblemKind.CONFLICT),
    ]


@pytest.mark.parametrize("text", ["player,team\nJayson Tatum,BOS\n", "status,team\nout,BOS\n"])
def test_a_table_without_the_columns_that_it_needs(log: PredictionLog, text: str) -> None:
    assert problems(log, text) == [(None, RowProblemKind.MISSING_COLUMN)]


def test_a_table_without_rows(log: PredictionLog) -> None:
    assert problems(log, "player,status\n") == [(None, RowProblemKind.NO_ROWS)]


def test_a_refusal_says_what_to_do_and_travels_between_processes(log: PredictionLog) -> None:
    with pytest.raises(AvailabilityRejected) as caught:
        log.parse_availability(table("player,status\nNobody,out\n"))
    error = caught.value
    assert isinstance(error, ResultsRejected)
    assert "Nobody" in str(error)
    assert "import the file again" in str(error)
    assert "results" not in str(error), "it is no file of results"
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.problems) == (str(error), error.problems)


def test_until_alone_may_change(log: PredictionLog) -> None:
    log.set_availability([said()])
    assert log.set_availability([replace(said(), until_date=TOMORROW)]) == 1
    assert log.availability(TOMORROW + timedelta(days=1)) == {}
