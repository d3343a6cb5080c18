"""Two processes with a log of their own each: what both say, and which of it counts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import apsw
import pandas as pd
import pytest

from nba.slate import SlateProjection
from prediction_tracking import (
    REPLICATED_TABLES,
    Accuracy,
    HistoryFilters,
    Origin,
    PredictionLog,
    Run,
)
from replica import Replica
from s3_storage import S3PredictionStorage
from tests.slates import (
    BOS_NYK,
    BRUNSON,
    LAL_DEN,
    NOON,
    TATUM,
    TIPOFF,
    TONIGHT,
    ManualClock,
    opened,
    past,
    small_reference,
    tonight,
)
from tests.stores import MemoryStore

EVERYTHING = HistoryFilters()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@dataclass(frozen=True, slots=True)
class Writer:
    """One process; its clock is its own."""

    replica: Replica
    log: PredictionLog
    clock: ManualClock

    def rows(self) -> dict[str, list[tuple[apsw.SQLiteValue, ...]]]:
        """All that must be the same everywhere."""
        tables = (*REPLICATED_TABLES, "sync_conflicts", "replica_transactions")
        with self.replica.read() as connection:
            return {
                table: sorted(connection.execute(f"SELECT * FROM {table}").fetchall(), key=repr)
                for table in tables
            }

    def counting(self) -> pd.DataFrame:
        """The predictions in the track record."""
        frame = self.log.history(EVERYTHING, limit=None)
        return frame[frame["in_track_record"]]

    def log_live(self, projection: SlateProjection, *, revision: bool = False) -> Run:
        return self.log.log_slate(projection, Origin.LIVE, revision=revision)


@pytest.fixture
def store_clock() -> ManualClock:
    return ManualClock(NOON)


@pytest.fixture
def store(store_clock: ManualClock) -> MemoryStore:
    return MemoryStore(store_clock)


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    return small_reference(tmp_path / "reference.db")


@pytest.fixture
def writers(tmp_path: Path, store: MemoryStore, reference: Path) -> Iterator[tuple[Writer, Writer]]:
    """Two that have both taken what the store held."""
    with ExitStack() as stack:
        found = []
        for number in (1, 2):
            clock = ManualClock(NOON + timedelta(minutes=number))
            path = tmp_path / f"{number}.db"
            replica, log = stack.enter_context(
                opened(path, store, clock, reference=reference, seed=number)
            )
            found.append(Writer(replica, log, clock))
        first, second = found
        yield first, second


def settle(*writers: Writer) -> None:
    """Everybody publishes in this order, and then takes what came later."""
    for _ in range(2):
        for writer in writers:
            writer.replica.sync_now()
    assert len({repr(writer.rows()) for writer in writers}) == 1


def figures_of(writer: Writer) -> Accuracy:
    """The track record after results that differ from every projection became known."""
    writer.clock.now = TIPOFF + timedelta(days=1)
    both = pd.concat([results(31), results(19, "Jalen Brunson")])
    writer.log.record_results(both, "box.csv")
    return writer.log.accuracy()


def other_figures() -> SlateProjection:
    """The same games and data, on a machine that rounds otherwise."""
    usual = tonight()
    [first, *others] = usual.players
    bands = {
        stat: replace(band, mean=band.mean + 1e-12) if stat == "points" else band
        for stat, band in first.bands.items()
    }
    return replace(usual, players=(replace(first, bands=bands), *others))


def test_the_same_slate_logged_at_once_is_one_run(writers: tuple[Writer, Writer]) -> None:
    first, second = writers
    runs = [writer.log_live(tonight()) for writer in writers]
    assert runs[0].run_id == runs[1].run_id
    settle(first, second)
    for writer in writers:
        [run] = writer.log.runs()
        assert writer.log.current_run(TONIGHT) == run
        assert (run.stored_at, run.sequence, run.predictions) == (NOON, 2, 20)
        assert run.logged_at == NOON + timedelta(minutes=1), "by the clock of who was first"
        assert writer.log.conflicts().empty
        assert writer.replica.status().conflicts == 0
        assert len(writer.rows()["run_transactions"]) == 2


@pytest.mark.parametrize("late", [0, 1])
def test_a_late_copy_does_not_push_a_run_out_of_the_track_record(
    writers: tuple[Writer, Writer], store: MemoryStore, store_clock: ManualClock, late: int
) -> None:
    laptop, app = writers[late], writers[1 - late]
    laptop.log_live(tonight())
    run = app.log_live(tonight())
    app.replica.sync_now()
    assert len(app.counting()) == 20
    storage = S3PredictionStorage(store)
    key = storage.backup_predictions_csv(app.log.run_frame(run.run_id))
    copy = store.objects[key].body
    # Committed before tip-off by an offline laptop, published the day after.
    store_clock.now = TIPOFF + timedelta(days=1)
    settle(laptop, app)
    for writer in writers:
        assert writer.log.run(run.run_id).stored_at == NOON
        assert len(writer.counting()) == 20
        assert writer.log.conflicts().empty
        # Other bytes would be refused.
        assert storage.backup_predictions_csv(writer.log.run_frame(run.run_id)) == key
        assert store.objects[key].body == copy
    points = figures_of(app).stats["points"]
    assert (points.n, points.mae) == (2, 6)


def test_what_reaches_the_log_after_tip_off_does_not_count(
    writers: tuple[Writer, Writer], store_clock: ManualClock
) -> None:
    laptop, app = writers
    late = laptop.log_live(tonight(30.0), revision=True)
    assert late.logged_at < TIPOFF
    store_clock.now = TIPOFF + timedelta(minutes=1)
    settle(laptop, app)
    for writer in writers:
        run = writer.log.run(late.run_id)
        assert run.logged_at < TIPOFF
        assert run.stored_at == TIPOFF + timedelta(minutes=1)
        assert set(writer.counting()["game_id"]) == {LAL_DEN}, "only the later game is open"
    assert figures_of(app).stats["points"].n == 0, "both players are of the earlier game"


def test_a_late_copy_with_other_figures_changes_nothing_that_counts(
    writers: tuple[Writer, Writer], store_clock: ManualClock
) -> None:
    app, laptop = writers
    late = laptop.log_live(other_figures())
    run = app.log_live(tonight())
    app.replica.sync_now()
    counted = app.counting()
    store_clock.now = TIPOFF + timedelta(days=1)
    settle(app, laptop)
    for writer in writers:
        assert {found.run_id for found in writer.log.runs()} == {run.run_id, late.run_id}
        pd.testing.assert_frame_equal(
            writer.counting().reset_index(drop=True), counted.reset_index(drop=True)
        )
        assert set(writer.counting()["run_id"]) == {run.run_id}
        assert writer.log.conflicts().empty
        # Whoever is asked again finds a run of this slate and logs no third one.
        writer.log_live(other_figures())
        assert len(writer.log.runs()) == 2


def test_who_was_cut_off_does_not_unseat_who_knew_more(
    writers: tuple[Writer, Writer], store_clock: ManualClock
) -> None:
    knew, cut_off = writers
    run = knew.log_live(tonight(data_as_of=TONIGHT - timedelta(days=1)))
    knew.replica.sync_now()
    cut_off.log_live(tonight(30.0, data_as_of=TONIGHT - timedelta(days=2)))
    # Still before the first tip-off.
    store_clock.now = NOON + timedelta(hours=2)
    settle(cut_off, knew)
    for writer in writers:
        assert len(writer.log.runs()) == 2
        current = writer.log.current_run(TONIGHT)
        assert current is not None
        assert current.run_id == run.run_id
        assert set(writer.counting()["run_id"]) == {run.run_id}


def test_of_two_revisions_the_later_entry_is_current(writers: tuple[Writer, Writer]) -> None:
    first, second = writers
    # The clock that is ahead belongs to who is first.
    first.clock.now = NOON + timedelta(hours=1)
    ahead = first.log_live(tonight(26.0), revision=True)
    behind = second.log_live(tonight(27.0), revision=True)
    settle(first, second)
    for writer in writers:
        assert writer.log.run(ahead.run_id).stored_at == writer.log.run(behind.run_id).stored_at
        current = writer.log.current_run(TONIGHT)
        assert current is not None
        assert current.run_id == behind.run_id
        assert set(writer.counting()["run_id"]) == {behind.run_id}


def test_another_slate_of_each_is_kept(writers: tuple[Writer, Writer]) -> None:
    first, second = writers
    live = first.log_live(tonight())
    replay = second.log.log_slate(past(), Origin.REPLAY)
    settle(first, second)
    for writer in writers:
        assert {run.run_id for run in writer.log.runs()} == {live.run_id, replay.run_id}
        assert writer.log.conflicts().empty


def results(points: int, player_name: str = "Jayson Tatum") -> pd.DataFrame:
    return pd.DataFrame(
        [[TONIGHT.isoformat(), player_name, points, 8, 5, 3]],
        columns=["game_date", "player_name", "points", "rebounds", "assists", "threes"],
    )


def test_the_same_results_from_two_people_are_no_conflict_of_figures(
    writers: tuple[Writer, Writer],
) -> None:
    first, second = writers
    first.log_live(tonight())
    settle(first, second)
    for writer in writers:
        writer.log.record_results(results(31), "box.csv")
    settle(first, second)
    for writer in writers:
        found = writer.log.history(HistoryFilters(player="tatum", stat="points"), limit=None)
        assert found["actual"].tolist() == [31]
        # Each was recorded at a time of its own, and nothing else differs.
        assert set(writer.log.conflicts()["column_name"]) <= {"recorded_at"}


def test_results_that_differ_leave_the_later_and_show_the_other(
    writers: tuple[Writer, Writer],
) -> None:
    first, second = writers
    first.log_live(tonight())
    settle(first, second)
    first.log.record_results(results(31), "box.csv")
    second.log.record_results(results(32), "box.csv")
    settle(first, second)
    for writer in writers:
        found = writer.log.history(HistoryFilters(player="tatum", stat="points"), limit=None)
        assert found["actual"].tolist() == [32]
        shown = writer.log.conflicts()
        [line] = shown[shown["column_name"] == "points"].to_dict("records")
        assert (line["table_name"], line["resolution"]) == ("player_games", "overwritten")
        assert (line["kept"], line["lost"]) == ("32", "31")
        assert str(TATUM) in line["row_key"]
        assert BOS_NYK in line["row_key"]


def test_different_players_of_one_evening_are_merged(writers: tuple[Writer, Writer]) -> None:
    first, second = writers
    first.log_live(tonight())
    settle(first, second)
    first.log.record_results(results(31), "box.csv")
    second.log.record_results(results(19, "Jalen Brunson"), "other.csv")
    settle(first, second)
    for writer in writers:
        found = writer.log.history(HistoryFilters(stat="points"), limit=None)
        known = found[found["actual"].notna()]
        assert dict(zip(known["player_id"], known["actual"], strict=True)) == {
            TATUM: 31,
            BRUNSON: 19,
        }
        assert writer.log.conflicts().empty
