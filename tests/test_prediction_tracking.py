"""Logging slates: one run per slate, never changed, with the store's time."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import apsw
import pandas as pd
import pytest

from nba.slate import SlateProjection
from prediction_tracking import (
    REPLICATED_TABLES,
    RUN_COLUMNS,
    EmptySlate,
    Origin,
    OriginMismatch,
    PredictionLog,
    SlateRejected,
    TrackingError,
    UnknownRun,
)
from replica import Replica
from tests.slates import (
    BOS_NYK,
    DONCIC,
    LAL_DEN,
    MODEL_VERSION,
    NEWCOMER,
    NOON,
    PAST,
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


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def rows(replica: Replica, table: str) -> list[tuple[apsw.SQLiteValue, ...]]:
    with replica.read() as connection:
        return connection.execute(f"SELECT * FROM {table}").fetchall()


def test_a_slate_is_logged_whole(tmp_path: Path, store: MemoryStore, clock: ManualClock) -> None:
    with opened(tmp_path / "state.db", store, clock) as (replica, log):
        run = log.log_slate(tonight(), Origin.LIVE)
        assert (run.slate_date, run.model_version, run.origin) == (
            TONIGHT,
            MODEL_VERSION,
            Origin.LIVE,
        )
        assert (run.games, run.predictions) == (2, 4 * 5)
        assert (run.logged_at, run.data_as_of) == (NOON, date(2025, 6, 22))
        assert run.time_verified
        assert not run.revision
        assert run.pending
        assert run.stored_at is None
        assert run.sequence is None
        assert len(rows(replica, "predictions")) == 20


def test_the_stores_time_is_the_runs_time(
    tmp_path: Path, store: MemoryStore, clock: ManualClock
) -> None:
    local = ManualClock(NOON - timedelta(days=1))
    with opened(tmp_path / "state.db", store, local) as (replica, log):
        run = log.log_slate(tonight(), Origin.LIVE)
        replica.sync_now()
        run = log.run(run.run_id)
        assert run.logged_at == NOON - timedelta(days=1)
        assert run.stored_at == NOON
        assert run.sequence == 2, "the first entry began the log"
        assert not run.pending


def test_the_same_slate_twice_is_one_run_and_writes_nothing(
    tmp_path: Path, store: MemoryStore, clock: ManualClock
) -> None:
    called: list[str] = []
    with opened(tmp_path / "state.db", store, clock, on_logged=called.append) as (replica, log):
        first = log.log_slate(tonight(), Origin.LIVE)
        replica.sync_now()
        clock.now += timedelta(hours=1)
        again = log.log_slate(tonight(points=11), Origin.LIVE)
        assert again.run_id == first.run_id
        assert again.logged_at == NOON
        assert replica.status().pending_transactions == 0
        assert called == [first.run_id]
        assert set(log.run_frame(first.run_id).query("stat == 'points'")["mean"]) == {25.0}


def test_two_processes_give_the_same_slate_the_same_run(
    tmp_path: Path, store: MemoryStore, clock: ManualClock
) -> None:
    ids = set()
    for name in ("a", "b"):
        with opened(tmp_path / f"{name}.db", MemoryStore(clock), clock) as (_, log):
            ids.add(log.log_slate(tonight(), Origin.LIVE).run_id)
    assert len(ids) == 1


@pytest.mark.parametrize(
    "other",
    [
        tonight(data_as_of=date(2026, 11, 19)),
        tonight(data_as_of=None),
        replace(tonight(), model_version="trees-89abcdef"),
        replace(tonight(), games=tonight().games[:1], players=tonight().players[:2]),
    ],
    ids=["newer data", "no data", "another model", "fewer games"],
)
def test_what_differs_in_substance_is_another_run(
    tmp_path: Path, store: MemoryStore, clock: ManualClock, other: SlateProjection
) -> None:
    with opened(tmp_path / "state.db", store, clock) as (_, log):
        first = log.log_slate(tonight(), Origin.LIVE)
        assert log.log_slate(other, Origin.LIVE).run_id != first.run_id
        assert len(log.runs()) == 2


def test_threads_that_log_at_once_make_one_run(
    tmp_path: Path, store: MemoryStore, clock: ManualClock
) -> None:
    together = threading.Barrier(4)
    ids: list[str] = []
    called: list[str] = []
    with opened(tmp_path / "state.db", store, clock, on_logged=called.append) as (_, log):

        def work() -> None:
            together.wait(10)
            ids.append(log.log_slate(tonight(), Origin.LIVE).run_id)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert len(ids) == 4
        assert len(set(ids)) == 1
        assert called == ids[:1]
        assert len(log.runs()) == 1


def test_a_run_that_appears_between_look_and_write_is_found_not_doubled(
    tmp_path: Path, store: MemoryStore, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[str] = []
    with opened(tmp_path / "state.db", store, clock) as (replica, log):
        late = PredictionLog(replica, None, clock=clock, on_logged=called.append)
        look = late._players_without_name

        def overtaken(projection: SlateProjection) -> dict[int, str]:
            log.log_slate(projection, Origin.LIVE)
            return look(projection)

        monkeypatch.setattr(late, "_players_without_name", overtaken)
        run = late.log_slate(tonight(), Origin.LIVE)
        assert [found.run_id for found in log.runs()] == [run.run_id]
        assert called == []
        assert replica.status().pending_transactions == 1


def test_a_revision_is_a_new_run_and_becomes_current(
    tmp_path: Path, store: MemoryStore, clock: ManualClock
) -> None:
    with opened(tmp_path / "state.db", store, clock) as (replica, log):
        assert log.current_run(TONIGHT) is None
        first = log.log_slate(tonight(), Origin.LIVE)
        assert log.current_run(TONIGHT) == first
        replica.sync_now()
        clock.now += timedelta(minutes=5)
        second = log.log_slate(tonight(26), Origin.LIVE, revision=True)
        third = log.log_slate(tonight(27), Origin.LIVE, revision=True)
        assert len({first.run_id, second.run_id, third.run_id}) == 3
        assert second.revision
        assert not log.run(first.run_id).revision
        clock.now += timedelta(minutes=5)
        fourth = log.log_slate(tonight(28), Origin.LIVE, revision=True)
        assert log.current_run(TONIGHT) == fourth
        replica.sync_now()
        current = log.current_run(TONIGHT)
        assert current is not None
        assert current.run_id == fourth.run_id
        assert log.runs()[0].run_id == fourth.run_id
        assert log.runs()[-1].run_id == first.run_id


def test_a_pending_run_is_newer_than_a_stored_one_whatever_the_clock_says(
    tmp_path: Path, store: MemoryStore, clock: ManualClock
) -> None:
    with opened(tmp_path / "state.db", store, clock) as (replica, log):
        log.log_slate(tonight(), Origin.LIVE)
        replica.sync_now()
        clock.now -= timedelta(days=1)
        revision = log.log_slate(tonight(26), Origin.LIVE, revision=True)
        assert log.current_run(TONIGHT) == revision


@pytest.mark.parametrize(
    ("now", "live"),
    [
        (datetime(2026, 11, 20, 3, tzinfo=UTC), True),
        (datetime(2026, 11, 21, 4, 59, tzinfo=UTC), True),
        (datetime(2026, 11, 21, 5, 1, tzinfo=UTC), True),
        (datetime(2026, 11, 21, 10, 59, tzinfo=UTC), True),
        (datetime(2026, 11, 21, 11, 0, tzinfo=UTC), False),
    ],
)
def test_live_until_six_in_the_morning_eastern_then_replay(
    tmp_path: Path, store: MemoryStore, clock: ManualClock, now: datetime, live: bool
) -> None:
    clock.now = now
    allowed, refused = (Origin.LIVE, Origin.REPLAY) if live else (Origin.REPLAY, Origin.LIVE)
    with opened(tmp_path / "state.db", store, clock) as (replica, log):
        with pytest.raises(OriginMismatch) as caught:
            log.log_slate(tonight(), refused)
        assert "2026-11-20" in str(caught.value)
        assert rows(replica, "runs") == []
        assert log.log_slate(tonight(), allowed).origin is allowed


def test_a_replay_is_not_time_verified_and_no_current_live_run(
    tmp_path: Path, store: MemoryStore, clock: ManualClock
) -> None:
    with opened(tmp_path / "state.db", store, clock) as (_, log):
        run = log.log_slate(past(), Origin.REPLAY)
        assert not run.time_verified
        assert log.current_run(PAST) is None
        assert log.current_run(PAST, Origin.REPLAY) == run
        assert log.runs(origin=Origin.LIVE) == []
        assert log.runs(origin=Origin.REPLAY, until=PAST) == [run]
        assert log.runs(since=PAST + timedelta(days=1)) == []


def test_a_backtest_never_enters_the_log(
    tmp_path: Path, store: MemoryStore, clock: ManualClock
) -> None:
    with opened(tmp_path / "state.db", store, clock) as (_, log):
        for projection in (tonight(), past()):
            with pytest.raises(OriginMismatch, match="backtest"):
                log.log_slate(projection, Origin.BACKTEST)
        with pytest.raises(OriginMismatch):
            log.accuracy(origin=Origin.BACKTEST)


def test_an_empty_slate_is_refused(tmp_path: Path, store: MemoryStore, clock: ManualClock) -> None:
    with opened(tmp_path / "state.db", store, clock) as (replica, log):
        with pytest.raises(EmptySlate) as caught:
            log.log_slate(slate([], []), Origin.LIVE)
        assert "2026-11-20" in str(caught.value)
        assert "Choose" in caught.value.remedy
        assert replica.status().pending_transactions == 0


def broken(**changes: object) -> SlateProjection:
    whole = tonight()
    players = list(whole.players)
    players[0] = replace(players[0], **changes)  # type: ignore[arg-type]
    return replace(whole, players=tuple(players))


@pytest.mark.parametrize(
    "projection",
    [
        broken(bands={"points": band(20, 25, 15)}),
        broken(bands={"points": band(float("nan"), 15, 25)}),
        broken(bands={"points": band(20, 15, float("inf"))}),
        broken(bands={"dunks": band(2, 1, 3)}),
        broken(game_id="0022600999"),
        broken(player_id=tonight().players[1].player_id),
        slate([(game(), 1.2)], []),
        slate([(game(), float("nan"))], []),
        slate([(game(), 0.5), (game(), 0.5)], []),
        slate([(game(day=PAST), 0.5)], []),
        slate([(game(tipoff=TIPOFF.replace(tzinfo=None)), 0.5)], []),
    ],
)
def test_a_projection_that_contradicts_itself_is_refused(
    tmp_path: Path, store: MemoryStore, clock: ManualClock, projection: SlateProjection
) -> None:
    with opened(tmp_path / "state.db", store, clock) as (replica, log):
        with pytest.raises(SlateRejected):
            log.log_slate(projection, Origin.LIVE)
        assert replica.status().pending_transactions == 0


def test_a_failing_callback_reaches_the_caller_and_the_run_stays(
    tmp_path: Path, store: MemoryStore, clock: ManualClock
) -> None:
    def fail(run_id: str) -> None:
        raise LookupError(run_id)

    with opened(tmp_path / "state.db", store, clock, on_logged=fail) as (_, log):
        with pytest.raises(LookupError) as caught:
            log.log_slate(tonight(), Origin.LIVE)
        assert [run.run_id for run in log.runs()] == list(caught.value.args)


def test_a_failure_in_the_middle_leaves_nothing(
    tmp_path: Path, store: MemoryStore, clock: ManualClock
) -> None:
    # More than SQLite's largest integer: the last statement of the transaction fails.
    match = game()
    huge = slate([(match, 0.5)], [player(2**70, match, "BOS", name="Huge")])
    with opened(tmp_path / "state.db", store, clock) as (replica, log):
        with pytest.raises(OverflowError):
            log.log_slate(huge, Origin.LIVE)
        for table in ("runs", "game_predictions", "predictions", "players"):
            assert rows(replica, table) == []
        assert replica.status().pending_transactions == 0


def test_only_names_that_the_reference_lacks_are_kept(
    tmp_path: Path, store: MemoryStore, clock: ManualClock
) -> None:
    match = game()
    projection = slate(
        [(match, 0.5)],
        [player(TATUM, match, "BOS"), player(NEWCOMER, match, "NYK", name="New Comer")],
    )
    reference = small_reference(tmp_path / "reference.db")
    with opened(tmp_path / "state.db", store, clock, reference=reference) as (replica, log):
        run = log.log_slate(projection, Origin.LIVE)
        assert rows(replica, "players") == [(NEWCOMER, "New Comer")]
        names = set(log.run_frame(run.run_id)["player_name"])
        assert names == {"Jayson Tatum", "New Comer"}
        clock.now += timedelta(hours=1)
        renamed = replace(projection.players[1], player_name="New Comer Jr.")
        log.log_slate(
            replace(projection, players=(projection.players[0], renamed)),
            Origin.LIVE,
            revision=True,
        )
        assert rows(replica, "players") == [(NEWCOMER, "New Comer Jr.")]


def test_run_frame_is_complete_and_never_changes(
    tmp_path: Path, store: MemoryStore, clock: ManualClock
) -> None:
    projection = replace(tonight(), players=tonight().players[:2])
    with opened(tmp_path / "state.db", store, clock) as (replica, log):
        run = log.log_slate(projection, Origin.LIVE)
        frame = log.run_frame(run.run_id)
        assert tuple(frame.columns) == RUN_COLUMNS
        # Two players with five stats, and the game that has no players.
        assert len(frame) == 11
        assert list(frame["stat"][:5]) == ["points", "rebounds", "assists", "threes", "minutes"]
        assert frame["player_id"].isna().sum() == 1
        assert set(frame["game_id"]) == {BOS_NYK, LAL_DEN}
        assert set(frame["slate_date"]) == {TONIGHT}
        assert frame["tipoff_utc"].iloc[0] == pd.Timestamp(TIPOFF)
        before = frame.to_csv(index=False)
        replica.sync_now()
        results = pd.DataFrame(
            [[TONIGHT, TATUM, 31, 9, 4, 4]],
            columns=["date", "player_id", "pts", "reb", "ast", "fg3m"],
        )
        log.record_results(results, "a test")
        assert log.run_frame(run.run_id).to_csv(index=False) == before


def test_an_unknown_run_is_said(tmp_path: Path, store: MemoryStore, clock: ManualClock) -> None:
    with opened(tmp_path / "state.db", store, clock) as (_, log):
        for read in (log.run, log.run_frame):
            with pytest.raises(UnknownRun) as caught:
                read("no-such-run")
            assert "no-such-run" in str(caught.value)
            assert isinstance(caught.value, TrackingError)


def test_the_log_survives_the_disk(tmp_path: Path, store: MemoryStore, clock: ManualClock) -> None:
    with opened(tmp_path / "first.db", store, clock) as (replica, log):
        run = log.log_slate(tonight(), Origin.LIVE)
        replica.sync_now()
        before = log.run_frame(run.run_id)
    with opened(tmp_path / "second.db", store, clock, seed=2) as (replica, log):
        pd.testing.assert_frame_equal(log.run_frame(run.run_id), before)
        assert log.run(run.run_id).stored_at == NOON
        assert DONCIC in set(before["player_id"])


def test_every_table_can_be_merged_between_writers(
    tmp_path: Path, store: MemoryStore, clock: ManualClock
) -> None:
    with opened(tmp_path / "state.db", store, clock) as (replica, _), replica.read() as connection:
        tables = connection.execute(
            "SELECT name, sql FROM sqlite_schema WHERE type = 'table'"
            " AND name NOT LIKE 'replica_%' AND name NOT LIKE 'sqlite_%'"
        ).fetchall()
        shared = {*REPLICATED_TABLES, "sync_conflicts"}
        assert {name for name, _ in tables} == shared, "none is forgotten, none stays local"
        for name, sql in tables:
            keys = [r for r in connection.execute(f"PRAGMA table_info({name})") if r[5]]
            assert keys, f"{name}: no key"
            assert all(key[3] for key in keys), f"{name}: a key may be NULL"
            origins = {r[3] for r in connection.execute(f"PRAGMA index_list({name})")}
            assert "u" not in origins, f"{name}: another UNIQUE"
            for word in ("AUTOINCREMENT", "REFERENCES", "CHECK"):
                assert word not in str(sql).upper(), f"{name}: {word}"
        triggers = "SELECT count(*) FROM sqlite_schema WHERE type = 'trigger'"
        assert connection.execute(triggers).get == 0
