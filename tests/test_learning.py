"""Learning: what the sources said comes into the state once; a person's word has its place."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from nba.silver import (
    GameStatus,
    Silver,
    combined,
)
from prediction_tracking import (
    CATALOGUE_TABLES,
    MIGRATIONS,
    REPLICATED_TABLES,
    LearnReport,
    Origin,
    PredictionLog,
)
from replica import Replica
from tests.silver_rows import (
    AFTER,
    LATER,
    OTHER_STATS,
    doubt,
    entry,
    evening,
    final,
    line,
    lines,
    listed,
)
from tests.slates import (
    BOS_NYK,
    BRUNSON,
    NEWCOMER,
    NOON,
    PAST,
    PAST_BOS_NYK,
    TATUM,
    TEAMS,
    TIPOFF,
    TONIGHT,
    ManualClock,
    opened,
    small_reference,
    tonight,
)
from tests.stores import MemoryStore, open_replica


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


def rows(replica: Replica, table: str) -> list[dict[str, Any]]:
    with replica.read() as connection:
        cursor = connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2")
        return [
            dict(zip([name for name, _ in cursor.getdescription()], row, strict=True))
            for row in cursor
        ]


def everything(replica: Replica) -> dict[str, list[tuple[Any, ...]]]:
    with replica.read() as connection:
        return {
            table: sorted(connection.execute(f"SELECT * FROM {table}").fetchall(), key=repr)
            for table in (*REPLICATED_TABLES, "sync_conflicts")
        }


def corrections(replica: Replica) -> list[tuple[str, Any, Any]]:
    """(stat, old, new) in the order in which they became known."""
    with replica.read() as connection:
        return list(
            connection.execute(
                "SELECT stat, old_value, new_value FROM result_corrections"
                " ORDER BY corrected_at, stat"
            )
        )


def points(log: PredictionLog, player_id: int = TATUM, game_id: str = BOS_NYK) -> int | None:
    return log.learned_results(TONIGHT).get((game_id, player_id), {}).get("points")


def record(log: PredictionLog, points: int) -> None:
    """What a person enters of Tatum's game tonight."""
    frame = pd.DataFrame(
        [(TONIGHT, TATUM, points, 8, 5, 3, 36)],
        columns=["date", "player_id", "pts", "reb", "ast", "fg3m", "min"],
    )
    log.record_results(frame, "by hand.csv")


def pending(replica: Replica) -> int:
    return replica.status().pending_transactions


def test_everything_comes_into_its_table(replica: Replica, log: PredictionLog) -> None:
    report = log.learn(evening())
    assert report == LearnReport(1, 2, 0, 1, 1, 1, 1)
    assert pending(replica) == 1, "in one transaction"
    [game] = rows(replica, "games")
    assert game == {
        "game_id": BOS_NYK,
        "game_date": "2026-11-20",
        "home_team_id": TEAMS["BOS"],
        "away_team_id": TEAMS["NYK"],
        "home_points": 111,
        "away_points": 104,
        "source": "nba-live",
        "recorded_at": "2026-11-21T00:00:00.000000Z",
    }
    tatum, newcomer = rows(replica, "player_games")
    assert tatum == {
        "game_id": BOS_NYK,
        "player_id": TATUM,
        "game_date": "2026-11-20",
        "team_id": TEAMS["BOS"],
        "points": 31,
        "rebounds": 8,
        "assists": 5,
        "threes": 3,
        "minutes": 36,
        "started": 1,
        "plus_minus": 7,
        **dict.fromkeys(OTHER_STATS, 2),
        "source": "nba-live",
        "recorded_at": "2026-11-21T00:00:00.000000Z",
    }
    assert (newcomer["player_id"], newcomer["started"]) == (NEWCOMER, 0)
    [scheduled] = rows(replica, "scheduled_games")
    assert scheduled["tipoff_utc"] == "2026-11-21T01:00:00+00:00"
    assert rows(replica, "rosters") == [
        {
            "player_id": BRUNSON,
            "known_on": "2026-11-20",
            "team_id": TEAMS["LAL"],
            "position": "G",
        }
    ]
    assert rows(replica, "players") == [
        {"player_id": NEWCOMER, "player_name": f"Player {NEWCOMER}"}
    ], "others have names in the bundle"
    [kept] = log.quarantine().to_dict("records")
    assert kept["reason"] == "Points are not what the shots give."
    assert (kept["known_on"], kept["game_date"]) == (TONIGHT, TONIGHT)


def test_twice_is_once_and_writes_nothing(
    replica: Replica, log: PredictionLog, store: MemoryStore
) -> None:
    log.learn(evening())
    replica.sync_now()
    entries, before = store.numbers(), everything(replica)
    for silver in (evening(), evening(at=AFTER + timedelta(hours=3)), Silver()):
        report = log.learn(silver)
        assert report.is_empty
        assert pending(replica) == 0
    replica.sync_now()
    assert store.numbers() == entries
    assert everything(replica) == before


def test_two_replicas_learn_the_same_at_once(
    tmp_path: Path, store: MemoryStore, reference: Path
) -> None:
    with ExitStack() as stack:
        writers = []
        for number in (1, 2):
            clock = ManualClock(AFTER + timedelta(minutes=number))
            path = tmp_path / f"{number}.db"
            writer = opened(path, store, clock, reference=reference, seed=number)
            writers.append(stack.enter_context(writer))
        # Whoever comes first the second time came last the first time.
        corrected = lines(line(points=33, at=LATER))
        for silver, order in ((evening(), writers), (corrected, writers[::-1])):
            for _, log in order:
                assert not log.learn(silver).is_empty
            for replica, _ in (*order, *order):
                replica.sync_now()
        first, second = (everything(replica) for replica, _ in writers)
        assert first == second
        assert first["sync_conflicts"] == []
        assert len(first["player_games"]) == 2
        assert len(first["result_corrections"]) == 1
        assert [pending(replica) for replica, _ in writers] == [0, 0]


def test_who_learns_late_and_all_at_once_says_the_same(
    tmp_path: Path, store: MemoryStore, reference: Path
) -> None:
    parts = [evening(), lines(line(points=33, at=LATER))]
    with ExitStack() as stack:
        replicas = []
        for number, learned in ((1, parts), (2, [combined(parts)])):
            path = tmp_path / f"{number}.db"
            replica, log = stack.enter_context(
                opened(path, store, ManualClock(LATER), reference=reference, seed=number)
            )
            for silver in learned:
                log.learn(silver)
            replicas.append(replica)
        for replica in (*replicas, *replicas):
            replica.sync_now()
        first, second = (everything(replica) for replica in replicas)
        assert first == second
        assert first["sync_conflicts"] == []
        assert len(first["result_corrections"]) == 1


def test_rows_hold_no_clock_of_the_machine(
    tmp_path: Path, clock: ManualClock, reference: Path
) -> None:
    found = []
    for number, now in enumerate((NOON, NOON + timedelta(days=400))):
        path, own_store = tmp_path / f"{number}.db", MemoryStore(clock)
        with opened(path, own_store, ManualClock(now), reference=reference, seed=number) as (
            replica,
            log,
        ):
            log.learn(evening())
            log.learn(lines(line(points=33, at=LATER)))
            found.append(everything(replica))
    assert found[0] == found[1]


def test_bundled_results_are_not_written_again(replica: Replica, log: PredictionLog) -> None:
    bundled = line(BRUNSON, 22, game_id=PAST_BOS_NYK, team="NYK", day=PAST, started=None)
    unsaid: dict[str, Any] = dict.fromkeys((*OTHER_STATS, "plus_minus"))
    silver = Silver(
        games=(final(PAST_BOS_NYK, game_date=PAST),),
        player_games=(replace(bundled, **unsaid),),
        rosters=(listed(TATUM, "BOS"), listed(NEWCOMER, None)),
    )
    assert log.learn(silver).is_empty
    assert pending(replica) == 0


def test_a_bundled_result_that_is_corrected_shows_the_new_value(
    replica: Replica, log: PredictionLog
) -> None:
    corrected = line(BRUNSON, 24, game_id=PAST_BOS_NYK, team="NYK", day=PAST)
    assert log.learn(lines(corrected)).corrected == 1
    assert corrections(replica) == [("points", 22, 24)]
    [shown] = log.result_corrections().to_dict("records")
    assert (shown["player_name"], shown["game_date"]) == ("Jalen Brunson", PAST)
    assert (shown["old_value"], shown["new_value"]) == (22, 24)
    assert shown["corrected_at"] == pd.Timestamp("2026-11-21", tz="UTC")
    assert log.learn(lines(corrected)).is_empty


def test_several_stats_of_one_row_are_one_corrected_row(
    replica: Replica, log: PredictionLog
) -> None:
    log.learn(lines(line()))
    report = log.learn(lines(line(points=28, at=LATER, threes=2, fg3a=9)))
    assert report.corrected == 1
    assert corrections(replica) == [("points", 31, 28), ("threes", 3, 2)]


def test_there_and_back_again_are_two_corrections(replica: Replica, log: PredictionLog) -> None:
    log.learn(lines(line(points=31)))
    for number, value in enumerate((33, 31, 33), start=1):
        assert log.learn(lines(line(points=value, at=AFTER + timedelta(days=number)))).corrected
    assert corrections(replica) == [
        ("points", 31, 33),
        ("points", 33, 31),
        ("points", 31, 33),
    ]
    assert points(log) == 33


def test_there_and_back_again_within_a_day_are_two_corrections(
    replica: Replica, log: PredictionLog
) -> None:
    for hour, value in enumerate((31, 33, 31, 33)):
        log.learn(lines(line(points=value, at=AFTER + timedelta(hours=hour))))
    assert len(corrections(replica)) == 3
    assert points(log) == 33


def test_a_persons_value_stands_over_older_responses_and_yields_to_later_ones(
    replica: Replica, log: PredictionLog, clock: ManualClock
) -> None:
    log.log_slate(tonight(), Origin.LIVE)
    clock.now = AFTER
    record(log, 40)
    earlier = lines(line(points=31, at=AFTER - timedelta(minutes=1)))
    log.learn(earlier)
    assert points(log) == 40
    assert corrections(replica) == []
    [row] = rows(replica, "player_games")
    assert row["source"] == "by hand.csv"
    assert log.learn(lines(line(points=31, at=AFTER + timedelta(minutes=1)))).corrected == 1
    assert points(log) == 31
    assert corrections(replica) == [("points", 40, 31)]
    [row] = rows(replica, "player_games")
    assert row["source"] == "nba-live"


def test_a_person_may_correct_what_was_learned(
    replica: Replica, log: PredictionLog, clock: ManualClock
) -> None:
    clock.now = AFTER + timedelta(hours=1)
    log.learn(lines(line(points=31)))
    record(log, 30)
    assert points(log) == 30
    assert corrections(replica) == [("points", 31, 30)]
    # The very response that was there before comes again.
    log.learn(lines(line(points=31)))
    assert points(log) == 30


def test_older_responses_do_not_take_back_what_later_ones_said(
    replica: Replica, log: PredictionLog
) -> None:
    log.learn(Silver(games=(final(score=(113, 104), at=LATER),), player_games=(line(at=LATER),)))
    replica.sync_now()
    older = Silver(games=(final(),), player_games=(line(points=29),))
    assert log.learn(older).is_empty
    assert points(log) == 31
    assert corrections(replica) == []
    assert pending(replica) == 0
    assert log.differences(older), "who builds everything anew is told"


def test_a_later_game_log_leaves_what_only_the_box_score_says(
    replica: Replica, log: PredictionLog
) -> None:
    log.learn(lines(line(started=True)))
    log_row = line(at=LATER, started=None, source="nba-stats")
    assert log.learn(lines(log_row)).is_empty
    assert log.learn(lines(replace(log_row, points=33))).corrected == 1
    [row] = rows(replica, "player_games")
    assert (row["points"], row["started"], row["source"]) == (33, 1, "nba-stats")


def test_a_postponed_game_and_one_moved_to_another_date(
    replica: Replica, log: PredictionLog
) -> None:
    postponed = entry(status=GameStatus.POSTPONED, tipoff_utc=None)
    assert log.learn(Silver(schedule=(postponed,))).scheduled == 1
    [row] = rows(replica, "scheduled_games")
    assert (row["status"], row["tipoff_utc"]) == ("postponed", None)
    moved = entry(
        game_date=date(2027, 1, 5), tipoff_utc=datetime(2027, 1, 6, 0, tzinfo=UTC), label="Moved"
    )
    assert log.learn(Silver(schedule=(moved,))).scheduled == 1
    [row] = rows(replica, "scheduled_games")
    assert (row["status"], row["game_date"]) == ("scheduled", "2027-01-05")
    assert row["tipoff_utc"] == "2027-01-06T00:00:00+00:00"
    assert log.learn(Silver(schedule=(moved,))).is_empty


def test_a_scoreboard_that_says_nothing_of_arenas_changes_none(
    replica: Replica, log: PredictionLog
) -> None:
    full = entry(arena="TD Garden", label="NBA Cup", is_neutral=True)
    log.learn(Silver(schedule=(full,)))
    unsaid = replace(full, arena=None, label=None, is_neutral=None)
    assert log.learn(Silver(schedule=(unsaid,))).is_empty
    log.learn(Silver(schedule=(replace(unsaid, tipoff_utc=TIPOFF + timedelta(hours=1)),)))
    [row] = rows(replica, "scheduled_games")
    assert (row["arena"], row["label"], row["is_neutral"]) == ("TD Garden", "NBA Cup", 1)


def test_undecided_teams_become_known(replica: Replica, log: PredictionLog) -> None:
    undecided = entry(
        game_id="0062600001", home_team_id=None, away_team_id=None, tipoff_utc=None, label="Final"
    )
    log.learn(Silver(schedule=(undecided,)))
    log.learn(Silver(schedule=(replace(undecided, home_team_id=TEAMS["BOS"]),)))
    [row] = rows(replica, "scheduled_games")
    assert (row["home_team_id"], row["away_team_id"]) == (TEAMS["BOS"], None)


def test_a_roster_has_a_row_for_every_move_and_none_beside(
    replica: Replica, log: PredictionLog
) -> None:
    def learn(day: date, *entries: tuple[int, str | None]) -> int:
        rosters = tuple(listed(player_id, team, day) for player_id, team in entries)
        return log.learn(Silver(rosters=rosters)).roster_moves

    first, second, third = (TONIGHT + timedelta(days=number) for number in range(3))
    assert learn(first, (TATUM, "BOS"), (NEWCOMER, "BOS")) == 1
    assert learn(second, (TATUM, "BOS"), (NEWCOMER, "BOS")) == 0
    assert learn(second, (TATUM, "LAL")) == 1
    assert learn(third, (TATUM, "LAL"), (NEWCOMER, None)) == 1
    moves = [
        (row["player_id"], row["known_on"], row["team_id"]) for row in rows(replica, "rosters")
    ]
    assert moves == [
        (TATUM, second.isoformat(), TEAMS["LAL"]),
        (NEWCOMER, first.isoformat(), TEAMS["BOS"]),
        (NEWCOMER, third.isoformat(), None),
    ]


def test_a_player_traded_twice_on_one_date_is_where_he_was_last(
    replica: Replica, log: PredictionLog
) -> None:
    log.learn(Silver(rosters=(listed(TATUM, "LAL"),)))
    log.learn(Silver(rosters=(listed(TATUM, "DEN"),)))
    [row] = rows(replica, "rosters")
    assert row["team_id"] == TEAMS["DEN"]


def test_a_problem_is_told_once(replica: Replica, log: PredictionLog) -> None:
    assert log.learn(Silver(problems=(doubt(), doubt("game 2")))).problems == 2
    assert log.learn(Silver(problems=(doubt(), doubt("game 2")))).is_empty
    assert log.learn(Silver(problems=(doubt(sha256="b" * 64),))).problems == 1
    assert len(log.quarantine(2)) == 2


def test_what_is_learned_equals_what_all_responses_say(
    replica: Replica, log: PredictionLog
) -> None:
    parts = [
        evening(),
        lines(line(points=33, at=LATER)),
        Silver(rosters=(listed(BRUNSON, "NYK", TONIGHT + timedelta(days=9)),)),
    ]
    for part in parts:
        log.learn(part)
    whole = combined(parts)
    assert log.differences(whole) == []
    assert log.learn(whole).is_empty
    [said] = log.differences(replace(whole, games=()))
    assert BOS_NYK in said
    [said] = log.differences(replace(whole, player_games=whole.player_games[:1]))
    assert str(whole.player_games[1].player_id) in said


@pytest.mark.parametrize("writer", ["same", "other"])
def test_a_thread_that_was_faster_leaves_nothing_to_write(
    both: tuple[Replica, PredictionLog],
    clock: ManualClock,
    reference: Path,
    monkeypatch: pytest.MonkeyPatch,
    writer: str,
) -> None:
    replica, log = both
    late = PredictionLog(replica, reference, clock=clock)
    begin = replica.transaction
    faster = evening() if writer == "same" else lines(line(points=20, at=AFTER))

    def overtaken(**options: Any) -> Any:
        monkeypatch.setattr(replica, "transaction", begin)
        log.learn(faster)
        return begin(**options)

    monkeypatch.setattr(replica, "transaction", overtaken)
    report = late.learn(evening())
    assert points(log) == 31
    if writer == "same":
        assert report.is_empty
        assert pending(replica) == 1
    else:
        assert report.corrected == 1
        assert corrections(replica) == [("points", 20, 31)]


def test_a_state_of_an_earlier_version_keeps_its_rows(
    tmp_path: Path, store: MemoryStore, clock: ManualClock
) -> None:
    second = MIGRATIONS[:2]
    later = {"scheduled_games", "rosters", "availability", "quarantine", *CATALOGUE_TABLES}
    before = set(REPLICATED_TABLES) - later
    old = open_replica(
        tmp_path / "old.db", store, migrations=second, tables=tuple(before), clock=clock
    )
    try:
        old.restore()
        with old.transaction() as transaction:
            transaction.execute(
                "INSERT INTO player_games VALUES"
                " ('1', 2, '2026-11-20', 3, 4, 5, 6, 7, 8, 'me', 'then')"
            )
        old.sync_now()
    finally:
        old.close(0)
    for name, path in (("taken over", tmp_path / "old.db"), ("fresh", tmp_path / "new.db")):
        with opened(path, store, clock) as (replica, log):
            [version] = log.query("PRAGMA user_version")["user_version"]
            assert version == len(MIGRATIONS), name
            [row] = rows(replica, "player_games")
            assert (row["points"], row["source"], row["started"]) == (4, "me", None), name
            if name == "fresh":
                log.learn(evening())
                assert len(rows(replica, "player_games")) == 3
