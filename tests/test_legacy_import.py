"""An earlier app's database: copied byte for byte, taken over once, and never changed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.legacy_import import EXISTING_KEY, ImportReport, import_existing_database
from nba.errors import ReferenceMissing
from prediction_tracking import (
    MIGRATIONS,
    REPLICATED_TABLES,
    ExistingDatabaseDamaged,
    HistoryFilters,
    ImportRefused,
    NotAnExistingDatabase,
    Origin,
    PredictionLog,
)
from replica import AccessDenied, PutMode, Replica, StoredObject, Transaction
from replica.stores.folder import FolderStore
from tests.slates import (
    BOS_NYK,
    BRUNSON,
    DONCIC,
    JOKIC,
    NOON,
    PAST,
    PAST_BOS_NYK,
    PAST_LAL_DEN,
    TATUM,
    TONIGHT,
    ManualClock,
    small_reference,
    tonight,
)
from tests.stores import MemoryStore, open_replica
from tracking.legacy_rows import LegacyRow, SkipReason, read_row

USUAL = (
    "id INTEGER PRIMARY KEY AUTOINCREMENT, player_id INTEGER, player_name TEXT, game_date TEXT,"
    " projected_ppg REAL, proj_floor REAL, proj_ceiling REAL, actual_ppg REAL, opponent TEXT,"
    " confidence REAL, created_at TIMESTAMP"
)
NAMES = "player_id, player_name, game_date, projected_ppg, proj_floor, proj_ceiling, actual_ppg"
COPY = "backups/2026-11-20T17-00-00Z-imported.db"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    return small_reference(tmp_path / "reference.db")


def database(
    path: Path,
    rows: Iterable[Sequence[apsw.SQLiteValue]] = (),
    *,
    columns: str = USUAL,
    names: str = NAMES,
    also: str = "",
) -> bytes:
    """The bytes of an earlier app's database with a predictions table of these rows."""
    connection = apsw.Connection(str(path))
    connection.execute("PRAGMA synchronous = OFF")
    with connection:
        connection.execute(f"CREATE TABLE predictions ({columns})")
        marks = ", ".join("?" for _ in names.split(","))
        connection.executemany(f"INSERT INTO predictions ({names}) VALUES ({marks})", rows)
        connection.execute(also)
    connection.close()
    return path.read_bytes()


GOOD = [
    (TATUM, "Jayson Tatum", "2024-11-20", 27.5, 20.0, 35.0, 30.0),
    (BRUNSON, "Jalen Brunson", "2024-11-20", 24.0, 18.0, 31.0, None),
    (JOKIC, "Nikola Jokić", "2024-11-22", 26.0, None, None, 25),
]


def first_start(
    path: Path,
    store: MemoryStore | FolderStore,
    clock: Callable[[], datetime],
    reference: Path | None = None,
    *,
    seed: int = 1,
) -> tuple[Replica, list[ImportReport | None]]:
    """Restore a replica that imports what is there; its report."""
    reports: list[ImportReport | None] = []

    def prepare(store: object, transaction: Transaction) -> None:
        imported = partial(import_existing_database, reference_path=reference)
        temp_dir = path.parent / "temp"
        reports.append(imported(store, transaction, temp_dir, clock))  # type: ignore[arg-type]
        assert not temp_dir.exists() or list(temp_dir.iterdir()) == []

    replica = open_replica(
        path,
        store,
        migrations=MIGRATIONS,
        tables=REPLICATED_TABLES,
        clock=clock,
        random=Random(seed),
        prepare_first=prepare,
    )
    try:
        replica.restore()
    except BaseException:
        replica.close(0)
        raise
    return replica, reports


def imported(
    path: Path,
    store: MemoryStore,
    clock: Callable[[], datetime],
    body: bytes,
    reference: Path | None = None,
) -> tuple[Replica, ImportReport]:
    store.put(EXISTING_KEY, body, PutMode.OVERWRITE)
    replica, reports = first_start(path, store, clock, reference)
    (report,) = reports
    assert report is not None
    return replica, report


def rows(replica: Replica, sql: str) -> list[tuple[apsw.SQLiteValue, ...]]:
    with replica.read() as connection:
        return connection.execute(sql).fetchall()


def test_predictions_become_live_runs_whose_time_is_not_verified(
    tmp_path: Path, store: MemoryStore, clock: ManualClock, reference: Path
) -> None:
    body = database(tmp_path / "old.db", GOOD)
    clock.now = NOON - timedelta(days=3)
    store.put(EXISTING_KEY, body, PutMode.CREATE)
    clock.now = NOON
    replica, reports = first_start(tmp_path / "state.db", store, clock, reference)
    try:
        (report,) = reports
        assert report is not None
        assert (report.rows_read, report.rows_imported, report.runs) == (3, 3, 2)
        assert report.skipped == {}
        log = PredictionLog(replica, reference, clock=clock)
        runs = log.runs()
        assert [run.slate_date for run in runs] == [date(2024, 11, 22), PAST]
        for run in runs:
            assert run.origin is Origin.LIVE
            assert not run.time_verified
            assert run.source == "imported"
            assert run.logged_at == NOON - timedelta(days=3)
            assert run.stored_at is not None
        history = log.history(HistoryFilters(), limit=None)
        assert not history["in_track_record"].any()
        assert set(history["stat"]) == {"points"}
        tatum = history[history["player_id"] == TATUM].iloc[0]
        assert (tatum["mean"], tatum["floor"], tatum["ceiling"]) == (27.5, 20, 35)
        assert (tatum["game_id"], tatum["team"], tatum["actual"]) == (PAST_BOS_NYK, "BOS", 30)
        jokic = history[history["player_id"] == JOKIC].iloc[0]
        # No game on that date is in the reference, and the band was never known.
        assert jokic["game_id"] == f"legacy-2024-11-22-{JOKIC}"
        assert jokic[["floor", "ceiling"]].isna().all()
        assert jokic["actual"] == 25
        assert log.accuracy().stats["points"].n == 0
        assert log.current_run(PAST) is None
        sql = "SELECT player_id, points, minutes, source FROM player_games ORDER BY player_id"
        assert rows(replica, sql) == [
            (JOKIC, 25, None, "imported"),
            (TATUM, 30, None, "imported"),
        ]
    finally:
        replica.close(0)


def test_the_original_stays_and_the_copy_is_exact(
    tmp_path: Path, store: MemoryStore, clock: ManualClock
) -> None:
    body = database(tmp_path / "old.db", GOOD)
    replica, report = imported(tmp_path / "state.db", store, clock, body)
    replica.close(0)
    assert store.get(EXISTING_KEY).body == body
    assert report.copy_key == COPY
    assert store.get(COPY).body == body
    assert store.numbers() == [1], "what was imported is what the log begins with"


def test_the_report_is_kept(tmp_path: Path, store: MemoryStore, clock: ManualClock) -> None:
    body = database(
        tmp_path / "old.db",
        GOOD,
        also="CREATE TABLE users (email TEXT); INSERT INTO users VALUES ('a'), ('b');"
        "CREATE TABLE empty_one (x); CREATE VIEW seen AS SELECT * FROM users;"
        "CREATE VIEW broken AS SELECT * FROM nowhere",
    )
    replica, report = imported(tmp_path / "state.db", store, clock, body)
    with replica.read() as connection:
        ((key, when, number, kept),) = connection.execute(
            "SELECT source_key, imported_at, rows, report FROM imports"
        )
    (record,) = PredictionLog(replica, None, clock=clock).imports()
    replica.close(0)
    assert (record.rows_read, record.rows_imported) == (3, 3)
    assert record.copy_key == COPY
    assert record.unknown_tables == {"broken": None, "empty_one": 0, "seen": 2, "users": 2}
    assert (key, number) == (EXISTING_KEY, 3)
    assert str(when).startswith("2026-11-20T17:00:00")
    assert kept == report.to_json()
    fields = json.loads(str(kept))
    assert fields["unknown_tables"] == {"broken": None, "empty_one": 0, "seen": 2, "users": 2}
    assert set(fields["ignored_columns"]) == {"id", "confidence"}
    assert fields["copy_key"] == COPY


MESSY: list[tuple[tuple[apsw.SQLiteValue, ...], SkipReason | None]] = [
    ((TATUM, "Jayson Tatum", "2024-11-20 19:30:00", "27.5", "20", "35", "30"), None),
    ((None, "luka doncic", "2024-11-20", 28, 20, 36, ""), None),
    ((TATUM, "Jayson Tatum", None, 27.5, 20.0, 35.0, None), SkipReason.NO_DATE),
    ((TATUM, "Jayson Tatum", "20/11/2024", 27.5, 20.0, 35.0, None), SkipReason.NO_DATE),
    ((TATUM, "Jayson Tatum", "2024-13-20", 27.5, 20.0, 35.0, None), SkipReason.NO_DATE),
    ((TATUM, "Jayson Tatum", "2024-11-20x", 27.5, 20.0, 35.0, None), SkipReason.NO_DATE),
    ((TATUM, "Jayson Tatum", 1732060800, 27.5, 20.0, 35.0, None), SkipReason.NO_DATE),
    ((TATUM, "Jayson Tatum", "2024-11-21", "many", 20.0, 35.0, 1), SkipReason.NO_PROJECTION),
    ((TATUM, "Jayson Tatum", "2024-11-21", None, 20.0, 35.0, 1), SkipReason.NO_PROJECTION),
    ((TATUM, "Jayson Tatum", "2024-11-21", "nan", 20.0, 35.0, 1), SkipReason.NO_PROJECTION),
    ((TATUM, "Jayson Tatum", "2024-11-21", b"\xff", 20.0, 35.0, 1), SkipReason.NO_PROJECTION),
    ((TATUM, "Jayson Tatum", "2024-11-21", -3, 20.0, 35.0, 1), SkipReason.IMPOSSIBLE_PROJECTION),
    ((TATUM, "Jayson Tatum", "2024-11-21", 27, 35.0, 20.0, 1), SkipReason.FLOOR_ABOVE_CEILING),
    ((TATUM, "Jayson Tatum", "2024-11-21", 27, "low", 20.0, 1), SkipReason.BAD_BAND),
    ((None, "Nobody Known", "2024-11-21", 27, 20.0, 35.0, 1), SkipReason.NO_PLAYER),
    (("x", None, "2024-11-21", 27, 20.0, 35.0, 1), SkipReason.NO_PLAYER),
    ((None, "Chris Johnson", "2024-11-21", 27, 20.0, 35.0, 1), SkipReason.AMBIGUOUS_PLAYER),
    ((JOKIC, "Nikola Jokić", "2024-11-20", 27, 20.0, 35.0, 24.5), SkipReason.BAD_ACTUAL),
    ((BRUNSON, "Jalen Brunson", "2024-11-20", 24, 20, 35, 99), SkipReason.ACTUAL_DIFFERS),
]


def test_what_cannot_be_read_is_counted_by_reason(
    tmp_path: Path, store: MemoryStore, clock: ManualClock, reference: Path
) -> None:
    body = database(tmp_path / "old.db", [row for row, _ in MESSY])
    replica, report = imported(tmp_path / "state.db", store, clock, body, reference)
    expected: dict[str, list[int]] = {}
    for number, (_, reason) in enumerate(MESSY, start=1):
        if reason is not None:
            expected.setdefault(reason.value, []).append(number)
    assert report.skipped == {reason: len(numbers) for reason, numbers in expected.items()}
    assert report.examples == {reason: tuple(n[:5]) for reason, n in expected.items()}
    assert report.rows_imported == 4
    sql = "SELECT player_id, game_id, mean FROM predictions ORDER BY player_id"
    assert rows(replica, sql) == [
        (JOKIC, PAST_LAL_DEN, 27),
        (TATUM, PAST_BOS_NYK, 27.5),
        (BRUNSON, PAST_BOS_NYK, 24),
        (DONCIC, PAST_LAL_DEN, 28),
    ]
    # The official box score stays; an actual that cannot be is not invented.
    assert rows(replica, "SELECT player_id, points FROM player_games") == [(TATUM, 30)]
    replica.close(0)


def test_of_repeated_rows_the_last_is_taken_and_the_others_are_counted(
    tmp_path: Path, store: MemoryStore, clock: ManualClock
) -> None:
    same = (TATUM, "Jayson Tatum", "2024-11-20", 27.5, 20.0, 35.0)
    body = database(
        tmp_path / "old.db", [(*same, 30), (*same, None), (*same[:3], 28.5, 21.0, 36.0, None)]
    )
    replica, report = imported(tmp_path / "state.db", store, clock, body)
    assert report.skipped == {SkipReason.REPEATED.value: 1, SkipReason.REPLACED.value: 1}
    assert report.rows_read == report.rows_imported + 2
    assert rows(replica, "SELECT mean FROM predictions") == [(28.5,)]
    # What an earlier row knew of the game is still known.
    assert rows(replica, "SELECT points FROM player_games") == [(30,)]
    replica.close(0)


def test_columns_of_other_names_are_understood(
    tmp_path: Path, store: MemoryStore, clock: ManualClock, reference: Path
) -> None:
    body = database(
        tmp_path / "old.db",
        [("Jayson Tatum", "2026-11-20", 27.5, "NYK", "my-model", "2026-11-20T23:00:00")],
        columns="Player TEXT, Date TEXT, Predicted_Points REAL, Opponent TEXT, Model TEXT,"
        " Created_At TEXT",
        names="player, date, predicted_points, opponent, model, created_at",
    )
    replica, report = imported(tmp_path / "state.db", store, clock, body, reference)
    assert report.rows_imported == 1
    log = PredictionLog(replica, reference, clock=clock)
    (run,) = log.runs()
    assert run.model_version == "my-model"
    assert run.logged_at == datetime(2026, 11, 20, 23, tzinfo=UTC)
    row = log.history(HistoryFilters(), limit=1).iloc[0]
    assert (row["game_id"], row["team"], row["player_id"]) == (BOS_NYK, "BOS", TATUM)
    # The store has it before tip-off, but when it was predicted nobody knows.
    assert row["saved"]
    assert row["stored_at"] < row["tipoff_utc"]
    assert not row["in_track_record"]
    # An import never stands in for the app's own run of tonight, whatever time it claims.
    assert log.current_run(TONIGHT) is None
    own = log.log_slate(tonight(), Origin.LIVE)
    assert log.current_run(TONIGHT) == own
    replica.sync_now()
    current = log.history(HistoryFilters(only_current=True), limit=None)
    assert set(current["run_id"]) == {own.run_id}
    replica.close(0)


def test_without_the_reference_it_was_told_to_use_nothing_is_imported(
    tmp_path: Path, store: MemoryStore, clock: ManualClock
) -> None:
    store.put(EXISTING_KEY, database(tmp_path / "old.db", GOOD), PutMode.CREATE)
    with pytest.raises(ReferenceMissing):
        first_start(tmp_path / "state.db", store, clock, tmp_path / "not-built.db")
    assert list(store.objects) == [EXISTING_KEY]


def test_which_of_two_games_is_not_guessed(
    tmp_path: Path, store: MemoryStore, clock: ManualClock, reference: Path
) -> None:
    body = database(tmp_path / "old.db", [(TATUM, "Jayson Tatum", "2026-11-18", 27, 20, 35, 31)])
    replica, report = imported(tmp_path / "state.db", store, clock, body, reference)
    assert report.rows_imported == 1
    assert rows(replica, "SELECT game_id FROM predictions") == [(f"legacy-2026-11-18-{TATUM}",)]
    replica.close(0)


@pytest.mark.parametrize(
    ("columns", "missing"),
    [
        ("name TEXT, pts REAL", "game_date, projected_ppg"),
        ("game_date, projected_ppg", "player_id"),
    ],
)
def test_a_predictions_table_of_another_kind_stays_in_the_copy(
    tmp_path: Path, store: MemoryStore, clock: ManualClock, columns: str, missing: str
) -> None:
    names = ", ".join(column.split()[0] for column in columns.split(", "))
    body = database(tmp_path / "old.db", [("x", 1)], columns=columns, names=names)
    replica, report = imported(tmp_path / "state.db", store, clock, body)
    assert report.rows_imported == 0
    assert report.unknown_tables == {"predictions": 1}
    assert any(missing in note for note in report.notes)
    assert store.get(COPY).body == body
    assert rows(replica, "SELECT count(*) FROM imports") == [(1,)]
    replica.close(0)


def test_a_database_without_predictions_is_kept_and_reported(
    tmp_path: Path, store: MemoryStore, clock: ManualClock
) -> None:
    body = database(tmp_path / "old.db", also="ALTER TABLE predictions RENAME TO forecasts")
    replica, report = imported(tmp_path / "state.db", store, clock, body)
    replica.close(0)
    assert report.unknown_tables == {"forecasts": 0}
    assert store.get(COPY).body == body


def test_without_rowid_and_in_utf_16_and_wal(
    tmp_path: Path, store: MemoryStore, clock: ManualClock, reference: Path
) -> None:
    path = tmp_path / "old.db"
    connection = apsw.Connection(str(path))
    connection.execute(
        "PRAGMA encoding = 'UTF-16le'; PRAGMA journal_mode = WAL;"
        "CREATE TABLE predictions (player_name TEXT, game_date TEXT, projected_ppg REAL,"
        " PRIMARY KEY (player_name, game_date)) WITHOUT ROWID;"
        "INSERT INTO predictions VALUES ('Luka Dončić', '2024-11-20', 28)"
    ).fetchall()
    connection.close()
    replica, report = imported(tmp_path / "state.db", store, clock, path.read_bytes(), reference)
    assert report.skipped == {}
    assert rows(replica, "SELECT player_id FROM predictions") == [(DONCIC,)]
    assert any("-wal" in note for note in report.notes)
    replica.close(0)


def test_text_that_is_no_text_fails_its_row_only(
    tmp_path: Path, store: MemoryStore, clock: ManualClock
) -> None:
    body = database(
        tmp_path / "old.db",
        GOOD,
        also="INSERT INTO predictions (player_id, game_date, projected_ppg)"
        " VALUES (7, CAST(x'ff2d31' AS TEXT), 20)",
    )
    replica, report = imported(tmp_path / "state.db", store, clock, body)
    replica.close(0)
    assert report.rows_imported == 3
    assert report.skipped == {SkipReason.NO_DATE.value: 1}


def test_nothing_there_is_nothing_to_do(
    tmp_path: Path, store: MemoryStore, clock: ManualClock
) -> None:
    replica, reports = first_start(tmp_path / "state.db", store, clock)
    assert reports == [None]
    assert store.numbers() == [1]
    assert store.keys("backups/") == []
    assert rows(replica, "SELECT * FROM imports") == []
    replica.close(0)


def damaged(path: Path) -> bytes:
    body = bytearray(
        database(path, [(i, f"P{i}", "2024-11-20", 20, 10, 30, None) for i in range(500)])
    )
    body[4096 + 8 : 4096 + 3000] = bytes(2992)
    return bytes(body)


def rows_out_of_order(path: Path) -> bytes:
    body = bytearray(database(path, GOOD))
    first, second = slice(4096 + 8, 4096 + 10), slice(4096 + 10, 4096 + 12)
    body[first], body[second] = body[second], body[first]
    return bytes(body)


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda path: b"", NotAnExistingDatabase),
        (lambda path: b"<html>not here</html>", NotAnExistingDatabase),
        (lambda path: b"SQLite format 3\x00", ExistingDatabaseDamaged),
        (lambda path: b"SQLite format 3\x00" + bytes(5000), ExistingDatabaseDamaged),
        (lambda path: database(path, GOOD)[:6000], ExistingDatabaseDamaged),
        (damaged, ExistingDatabaseDamaged),
        (rows_out_of_order, ExistingDatabaseDamaged),
    ],
    ids=["empty", "html", "header only", "zeros", "truncated", "damaged pages", "out of order"],
)
def test_what_is_no_whole_database_is_refused_and_stays(
    tmp_path: Path,
    store: MemoryStore,
    clock: ManualClock,
    make: Callable[[Path], bytes],
    error: type[ImportRefused],
) -> None:
    body = make(tmp_path / "old.db")
    store.put(EXISTING_KEY, body, PutMode.CREATE)
    with pytest.raises(error) as caught:
        first_start(tmp_path / "state.db", store, clock)
    assert EXISTING_KEY in str(caught.value)
    assert caught.value.remedy in str(caught.value)
    assert {key: kept.body for key, kept in store.objects.items()} == {EXISTING_KEY: body}
    # Put right, the next start takes it over.
    mended = database(tmp_path / "mended.db", GOOD)
    replica, report = imported(tmp_path / "state.db", store, clock, mended)
    assert report.rows_imported == 3
    replica.close(0)


def test_a_full_temporary_folder_is_said(
    tmp_path: Path, store: MemoryStore, clock: ManualClock
) -> None:
    store.put(EXISTING_KEY, database(tmp_path / "old.db", GOOD), PutMode.CREATE)
    blocked = tmp_path / "a-file"
    blocked.write_text("in the way")
    replica = open_replica(
        tmp_path / "state.db",
        store,
        migrations=MIGRATIONS,
        tables=REPLICATED_TABLES,
        clock=clock,
        random=Random(1),
        prepare_first=lambda s, t: _ignore(import_existing_database(s, t, blocked, clock)),
    )
    try:
        with pytest.raises(ImportRefused, match="unpacked"):
            replica.restore()
        assert list(store.objects) == [EXISTING_KEY]
    finally:
        replica.close(0)


def _ignore(report: object) -> None:
    """A preparation returns nothing."""


def test_a_refusal_of_the_store_is_never_read_as_nothing_there(
    tmp_path: Path, clock: ManualClock
) -> None:
    class Refusing(MemoryStore):
        def get(self, key: str) -> StoredObject:
            if key == EXISTING_KEY:
                raise AccessDenied("get", key, "s3:GetObject")
            return super().get(key)

    store = Refusing(clock)
    with pytest.raises(AccessDenied):
        first_start(tmp_path / "state.db", store, clock)
    assert store.objects == {}


def test_two_first_starts_import_once_and_the_same(
    tmp_path: Path, store: MemoryStore, clock: ManualClock, reference: Path
) -> None:
    body = database(tmp_path / "old.db", [row for row, _ in MESSY])
    store.put(EXISTING_KEY, body, PutMode.CREATE)
    content: list[list[tuple[apsw.SQLiteValue, ...]]] = []
    tables = ("game_predictions", "predictions", "players", "player_games")
    for seed in (1, 2):
        alone = MemoryStore(clock)
        alone.objects = dict(store.objects)
        clock.now += timedelta(hours=1)
        replica, _ = first_start(tmp_path / f"{seed}.db", alone, clock, reference, seed=seed)
        whole = [row for table in tables for row in rows(replica, f"SELECT * FROM {table}")]
        whole += rows(replica, "SELECT run_id, slate_date, model_version, logged_at FROM runs")
        whole += rows(replica, "SELECT source_sha256, rows, report FROM imports")
        content.append(whole)
        replica.close(0)
    assert content[0] == content[1]

    for seed in (3, 4):
        replica, reports = first_start(tmp_path / f"{seed}.db", store, clock, reference, seed=seed)
        assert len(reports) == (1 if seed == 3 else 0)
        assert rows(replica, "SELECT count(*) FROM imports") == [(1,)]
        assert rows(replica, "SELECT count(*) FROM predictions") == [(4,)]
        replica.close(0)
    assert sum(key.startswith("backups/") for key in store.objects) == 1


def test_a_copy_that_is_there_is_used_and_another_one_is_not_overwritten(
    tmp_path: Path, store: MemoryStore, clock: ManualClock
) -> None:
    body = database(tmp_path / "old.db", GOOD)
    store.put(COPY, body, PutMode.CREATE)
    replica, report = imported(tmp_path / "a.db", store, clock, body)
    replica.close(0)
    assert report.copy_key == COPY

    other = MemoryStore(clock)
    other.put(COPY, b"something else", PutMode.CREATE)
    replica, report = imported(tmp_path / "b.db", other, clock, body)
    replica.close(0)
    assert report.copy_key != COPY
    assert other.get(COPY).body == b"something else"
    assert other.get(report.copy_key).body == body


def test_from_a_real_folder(tmp_path: Path, clock: ManualClock, reference: Path) -> None:
    body = database(tmp_path / "old.db", GOOD)
    folder = tmp_path / "store"
    store = FolderStore(folder)
    (folder / EXISTING_KEY).write_bytes(body)
    replica, reports = first_start(tmp_path / "state.db", store, clock, reference)
    replica.close(0)
    (report,) = reports
    assert report is not None
    assert (folder / report.copy_key).read_bytes() == body
    assert (folder / EXISTING_KEY).read_bytes() == body
    again, reports = first_start(tmp_path / "other.db", store, clock, reference, seed=2)
    assert reports == []
    assert rows(again, "SELECT count(*) FROM predictions") == [(3,)]
    again.close(0)


cell = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=8),
    st.binary(max_size=8),
    st.sampled_from([TATUM, DONCIC, 20, 25.5, "30", "2024-11-20", "2026-11-20", "Luka Dončić"]),
)
a_date = st.one_of(cell, st.sampled_from(["2024-11-20", "2024-11-20 10:00", "2024-11-22"]))
a_player = st.one_of(cell, st.sampled_from([TATUM, BRUNSON, DONCIC, str(JOKIC), 71.0]))
a_number = st.one_of(cell, st.integers(0, 60), st.floats(0, 60), st.sampled_from(["12", "7.5"]))


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(a_player, cell, a_date, a_number, a_number, a_number, a_number), max_size=12)
)
def test_no_row_is_lost_without_a_reason(
    tmp_path_factory: pytest.TempPathFactory,
    messy: list[tuple[apsw.SQLiteValue, ...]],
) -> None:
    folder = tmp_path_factory.mktemp("messy")
    clock = ManualClock()
    columns = (
        "player_id, player_name, game_date, projected_ppg, proj_floor, proj_ceiling, actual_ppg"
    )
    body = database(folder / "old.db", messy, columns=columns)
    reference = small_reference(folder / "reference.db")
    replica, report = imported(folder / "state.db", MemoryStore(clock), clock, body, reference)
    try:
        kept_anyway = {SkipReason.BAD_ACTUAL.value, SkipReason.ACTUAL_DIFFERS.value}
        left_out = sum(n for reason, n in report.skipped.items() if reason not in kept_anyway)
        assert report.rows_read == len(messy)
        assert report.rows_imported + left_out == len(messy)
        assert rows(replica, "SELECT count(*) FROM predictions") == [(report.rows_imported,)]
        bad = "mean IS NULL OR mean < 0 OR mean > 120 OR floor > ceiling"
        assert rows(replica, f"SELECT * FROM predictions WHERE {bad}") == []
        assert (
            len(
                PredictionLog(replica, reference, clock=clock).history(HistoryFilters(), limit=None)
            )
            == report.rows_imported
        )
    finally:
        replica.close(0)


@given(st.dictionaries(st.sampled_from(["game_date", "player_id", "projected", "floor"]), cell))
def test_any_values_make_a_row_or_a_reason(values: dict[str, object]) -> None:
    assert isinstance(read_row(1, values), LegacyRow | SkipReason)
