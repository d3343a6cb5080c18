"""The predictions built again from their readable copies alone."""

from __future__ import annotations

import gc
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import apsw
import pytest

from jobs.csv_rebuild import CsvRebuild, Progress, add_runs, rebuild_predictions
from nba.slate import SlateProjection
from prediction_tracking import MIGRATIONS, REPLICATED_TABLES, Origin, PredictionLog
from replica import ObjectStore, PutMode
from replica.stores.folder import FolderStore
from replica.stores.s3 import S3Store
from s3_storage import S3PredictionStorage
from tests.backup_machines import machine
from tests.servers import s3_options
from tests.slates import PAST, ManualClock, opened, past, small_reference, tonight
from tests.stores import MemoryStore, open_replica
from tracking.backup_catalogue import followed_log
from tracking.csv_runs import CopiedRun, CopyDamaged, read_copy

SAID = ("runs", "game_predictions", "predictions")
REBUILT_AT = datetime(2031, 4, 5, 6, tzinfo=UTC)
Rows = dict[str, list[tuple[Any, ...]]]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def storage_of(store: ObjectStore) -> S3PredictionStorage:
    return S3PredictionStorage(store, migrations=MIGRATIONS, tables=REPLICATED_TABLES)


def rebuild(
    storage: S3PredictionStorage, to: Path, progress: Progress = lambda share, words: None
) -> CsvRebuild:
    """Some years later."""
    return rebuild_predictions(
        storage, to, progress, clock=ManualClock(REBUILT_AT), generator=Random(7)
    )


def rows_in(connection: apsw.Connection) -> Rows:
    return {
        table: connection.execute(f"SELECT * FROM main.{table} ORDER BY 1, 2, 3, 4").fetchall()
        for table in SAID
    }


def rows_of(path: Path) -> Rows:
    with closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return rows_in(connection)


def odd(projection: SlateProjection) -> SlateProjection:
    """With what is hard to write down: an unknown tip-off, long fractions, no player in a game."""
    first, second = projection.games
    games = (
        replace(first, game=replace(first.game, tipoff_utc=None), home_win_probability=1 / 3),
        replace(second, home_points=1e-17, away_points=1e22),
    )
    players = tuple(one for one in projection.players if one.game_id == first.game.game_id)
    return replace(projection, games=games, players=players, data_as_of=None)


def log_everything(log: PredictionLog, clock: ManualClock) -> None:
    """An evening with two revisions, a replay, and an odd one."""
    log.log_slate(tonight(), Origin.LIVE)
    clock.advance(minutes=10)
    log.log_slate(tonight(), Origin.LIVE, revision=True)
    clock.now += timedelta(microseconds=123_456)
    log.log_slate(odd(tonight()), Origin.LIVE, revision=True)
    log.log_slate(past(), Origin.REPLAY)


@pytest.fixture
def saved(tmp_path: Path, store: MemoryStore, clock: ManualClock) -> tuple[Rows, MemoryStore]:
    """What was logged, and a store that has nothing left but the copies."""
    reference = small_reference(tmp_path / "reference.db")
    with opened(tmp_path / "state.db", store, clock, reference=reference) as (replica, log):
        log_everything(log, clock)
        copies = MemoryStore(clock)
        for run in log.runs():
            storage_of(copies).backup_predictions_csv(log.run_frame(run.run_id))
        with replica.read() as connection:
            rows = rows_in(connection)
    assert len(rows["runs"]) == 4
    return rows, copies


def test_the_copies_alone_give_the_same_predictions(
    saved: tuple[Rows, MemoryStore], tmp_path: Path
) -> None:
    rows, copies = saved
    assert all(key.startswith("csv/") for key in copies.objects)
    copies.requests.clear()
    answer = rebuild(storage_of(copies), tmp_path / "built.db")
    assert rows_of(tmp_path / "built.db") == rows
    assert (answer.files, answer.runs, answer.predictions, answer.problems) == (
        4,
        4,
        len(rows["predictions"]),
        [],
    )
    assert {verb for verb, _ in copies.requests} == {"list", "get"}, "only reads"
    assert all(key.startswith("csv/") for _, key in copies.requests)


def test_done_again_it_is_the_same_and_nothing_is_there_twice(
    saved: tuple[Rows, MemoryStore], tmp_path: Path
) -> None:
    rows, copies = saved
    for name in ("one.db", "two.db", "three.db"):
        rebuild(storage_of(copies), tmp_path / name)
        assert rows_of(tmp_path / name) == rows


def test_added_to_a_database_again_and_again_changes_nothing(
    saved: tuple[Rows, MemoryStore], tmp_path: Path, clock: ManualClock
) -> None:
    rows, copies = saved
    runs = [read_copy(copies.objects[key].body, key) for key in copies.keys("csv/")]
    replica = open_replica(
        tmp_path / "target.db",
        MemoryStore(clock),
        migrations=MIGRATIONS,
        tables=REPLICATED_TABLES,
        clock=clock,
    )
    try:
        replica.restore()
        for time in range(3):
            report = CsvRebuild()
            with replica.transaction() as transaction:
                add_runs(transaction, iter(runs), report)
            replica.sync_now()
            assert report.runs == (4 if time == 0 else 0)
            with replica.read() as connection:
                assert rows_in(connection) == rows
        assert replica.status().sequence == 2, "nothing new is no entry of the log"
    finally:
        replica.close(0)


def test_a_copy_of_a_copy_is_not_another_run(
    saved: tuple[Rows, MemoryStore], tmp_path: Path
) -> None:
    rows, copies = saved
    for key in copies.keys("csv/"):
        copies.put(key.replace(".csv", " (1).csv"), copies.objects[key].body, PutMode.CREATE)
    answer = rebuild(storage_of(copies), tmp_path / "built.db")
    assert rows_of(tmp_path / "built.db") == rows
    assert (answer.files, answer.runs, answer.problems) == (8, 4, [])


def test_a_copy_under_another_name_is_taken_if_it_is_the_only_one(
    saved: tuple[Rows, MemoryStore], tmp_path: Path
) -> None:
    rows, copies = saved
    for key in copies.keys("csv/"):
        copies.put(key.replace(".csv", "-kept.csv"), copies.objects[key].body, PutMode.CREATE)
        copies.delete(key)
    rebuild(storage_of(copies), tmp_path / "built.db")
    assert rows_of(tmp_path / "built.db") == rows


def test_of_two_that_differ_the_one_with_the_runs_name_is_taken(
    saved: tuple[Rows, MemoryStore], tmp_path: Path
) -> None:
    rows, copies = saved
    key = copies.keys("csv/")[0]
    other = copies.objects[key].body.replace(b"0.6", b"0.7", 1)
    assert other != copies.objects[key].body
    # It comes first in the listing.
    name = key.rsplit("/", 1)[0] + "/0.csv"
    copies.put(name, other, PutMode.CREATE)
    answer = rebuild(storage_of(copies), tmp_path / "built.db")
    assert rows_of(tmp_path / "built.db") == rows
    assert [name in problem for problem in answer.problems] == [True]


def copy_of(body: bytes, number: int) -> tuple[str, bytes]:
    """Another run that says the same; its key and its text."""
    run_id, other = body.splitlines()[1].split(b",")[0], f"{number:08d}-0000-4000-8000-000000000000"
    return f"csv/game_date=2026-11-20/{other}.csv", body.replace(run_id, other.encode())


def test_of_a_long_history_only_a_few_runs_are_in_memory(
    saved: tuple[Rows, MemoryStore], tmp_path: Path
) -> None:
    """Neither the runs themselves, nor the copies of copies that wait for them."""
    _, copies = saved
    body = copies.objects[copies.keys("csv/")[0]].body
    for number in range(120):
        key, text = copy_of(body, number)
        copies.put(key, text, PutMode.CREATE)
        copies.put(key.replace(".csv", " (1).csv"), text, PutMode.CREATE)
    most = 0

    def count(share: float, words: str) -> None:
        nonlocal most
        gc.collect()
        most = max(most, sum(type(one) is CopiedRun for one in gc.get_objects()))

    answer = rebuild(storage_of(copies), tmp_path / "built.db", count)
    assert (answer.runs, answer.problems) == (124, [])
    assert 0 < most <= 20


def test_what_a_restore_took_away_comes_back_from_its_copy(
    store: MemoryStore, clock: ManualClock, tmp_path: Path
) -> None:
    """As the command says: the copies are of what was logged, not of what the history is."""
    with machine(tmp_path / "one", store, clock) as one:
        one.write("g1")
        run = one.log.log_slate(tonight(), Origin.LIVE)
        one.replica.sync_now()
        one.state.storage.backup_predictions_csv(one.log.run_frame(run.run_id))
        one.replica.restore_to(2)
        assert one.log.runs() == []
    rebuild(storage_of(store), tmp_path / "built.db")
    assert [row[0] for row in rows_of(tmp_path / "built.db")["runs"]] == [run.run_id]


def cut_in_a_line(body: bytes) -> bytes:
    return body[: len(body) - 7]


def without_a_column(body: bytes) -> bytes:
    return body.replace(b",mean,", b",average,", 1)


def of_two_runs(body: bytes) -> bytes:
    lines = body.splitlines(keepends=True)
    return b"".join([*lines[:-1], lines[-1].replace(lines[-1][:36], b"another-run", 1)])


def with_a_repeated_row(body: bytes) -> bytes:
    return body + body.splitlines(keepends=True)[-1]


@pytest.mark.parametrize(
    "harm",
    [
        cut_in_a_line,
        without_a_column,
        of_two_runs,
        with_a_repeated_row,
        lambda body: b"",
        lambda body: body.splitlines(keepends=True)[0],
        lambda body: b"\xff\xfe" + body,
        lambda body: body.replace(b"true", b"yes"),
        lambda body: body.replace(b"2026-11-20", b"the 20th"),
        lambda body: b"<html>not found</html>\n",
    ],
)
def test_a_damaged_copy_is_named_and_the_others_are_taken(
    saved: tuple[Rows, MemoryStore], tmp_path: Path, harm: Callable[[bytes], bytes]
) -> None:
    rows, copies = saved
    key = next(key for key in copies.keys("csv/") if "2026-11-20" in key)
    run_id = key.rsplit("/", 1)[1].removesuffix(".csv")
    copies.damage(key, harm)
    with pytest.raises(CopyDamaged, match=r"csv/game_date=2026-11-20"):
        read_copy(copies.objects[key].body, key)
    answer = rebuild(storage_of(copies), tmp_path / "built.db")
    assert [key in problem for problem in answer.problems] == [True]
    assert rows_of(tmp_path / "built.db") == {
        table: [row for row in rows[table] if row[0] != run_id] for table in SAID
    }


def test_copies_of_earlier_versions_have_fewer_columns(
    saved: tuple[Rows, MemoryStore], tmp_path: Path
) -> None:
    """Before there were medians, Elo and expected scores."""
    rows, copies = saved
    later = ("median", "elo_home_win_probability", "home_points", "away_points")
    for key in copies.keys("csv/"):
        lines = [line.split(",") for line in copies.objects[key].body.decode().splitlines()]
        kept = [place for place, name in enumerate(lines[0]) if name not in later]
        text = "".join(",".join(line[place] for place in kept) + "\n" for line in lines)
        copies.damage(key, lambda _, text=text: text.encode())  # type: ignore[misc]
    rebuild(storage_of(copies), tmp_path / "built.db")
    found = rows_of(tmp_path / "built.db")
    assert found["runs"] == rows["runs"]
    assert [row[:9] for row in found["predictions"]] == [row[:9] for row in rows["predictions"]]
    assert {row[9:] for row in found["predictions"]} == {(None,)}
    assert {row[9:] for row in found["game_predictions"]} == {(None, None, None)}


def test_names_are_in_it_and_no_run_claims_to_have_been_in_time(
    saved: tuple[Rows, MemoryStore], tmp_path: Path
) -> None:
    _, copies = saved
    rebuild(storage_of(copies), tmp_path / "built.db")
    with closing(apsw.Connection(str(tmp_path / "built.db"))) as connection:
        names = connection.execute("SELECT player_id, player_name FROM players").fetchall()
        assert (1628369, "Jayson Tatum") in names
        # All were saved when the file was made, by the real clock of this machine's disk.
        [(saved_at,)] = connection.execute(
            "SELECT DISTINCT t.stored_at"
            " FROM run_transactions AS l JOIN replica_transactions AS t USING (transaction_id)"
        ).fetchall()
    assert abs(datetime.now(UTC) - datetime.fromisoformat(str(saved_at))) < timedelta(hours=1)


def test_the_same_chance_gives_the_same_history(
    saved: tuple[Rows, MemoryStore], tmp_path: Path
) -> None:
    """Clock and chance are given: nothing in it is this run's own."""
    _, copies = saved
    logs = set()
    for name in ("one.db", "two.db"):
        rebuild(storage_of(copies), tmp_path / name)
        with closing(apsw.Connection(str(tmp_path / name))) as connection:
            logs.add(followed_log(connection))
    assert len(logs) == 1


def test_without_copies_no_file_is_written(store: MemoryStore, tmp_path: Path) -> None:
    answer = rebuild(storage_of(store), tmp_path / "built.db")
    assert answer == CsvRebuild()
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_left_beside_the_file(saved: tuple[Rows, MemoryStore], tmp_path: Path) -> None:
    _, copies = saved
    folder = tmp_path / "there"
    folder.mkdir()
    rebuild(storage_of(copies), folder / "built.db")
    assert {path.name for path in folder.iterdir()} <= {"built.db", "built.db.lock"}


@pytest.mark.parametrize("server", ["moto", "ministack", "folder"])
def test_from_real_stores(
    server: str,
    request: pytest.FixtureRequest,
    saved: tuple[Rows, MemoryStore],
    new_bucket: Callable[[str], str],
    tmp_path: Path,
    no_ambient_aws: None,
    shared_service_descriptions: None,
) -> None:
    rows, copies = saved
    real: ObjectStore
    if server == "folder":
        real = FolderStore(tmp_path / "bucket")
    else:
        url = request.getfixturevalue(f"{server}_endpoint")
        real = S3Store(s3_options(url, new_bucket(url)))
    for key in copies.keys("csv/"):
        real.put(key, copies.objects[key].body, PutMode.CREATE)
    rebuild(storage_of(real), tmp_path / "built.db")
    assert rows_of(tmp_path / "built.db") == rows
    assert PAST.isoformat() in str(rows["runs"])
