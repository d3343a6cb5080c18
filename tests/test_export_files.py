"""The files of exports: every row, in files that other programs read for what they say."""

from __future__ import annotations

import csv
import importlib.util
import io
import uuid
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from exports.draft import Format
from exports.errors import NothingToExport
from jobs import export_store
from jobs.export_links import Link, duckdb_query
from jobs.history_export import HISTORY_FORMATS, history_draft
from nba.frame_files import without_formulas, write_csv, write_parquet
from prediction_tracking import HISTORY_COLUMNS, HistoryFilters, Origin, PredictionLog
from replica.stores.s3 import S3Store
from replica.stores.s3_links import S3Links
from tests.servers import ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY, raw_client, s3_options
from tests.slates import (
    NEWCOMER,
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
from tracking import history_files
from tracking.history_files import PARQUET_SCHEMA
from tracking.history_partitions import partition_of

SLICE_ROWS = 7
EVERYTHING = HistoryFilters()
FORMULA = "=HYPERLINK(1)"
TREE = {
    "season=2024-25/month=2024-11/part-0.parquet": 15,
    "season=2024-25/month=2024-12/part-0.parquet": 5,
    "season=2026-27/month=2026-11/part-0.parquet": 20,
}
ROWS = sum(TREE.values())


def read_tree(folder: Path) -> dict[str, int]:
    """Rows by file."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    # Without the folders' names as columns.
    return {
        path.relative_to(folder).as_posix(): pq.ParquetFile(path).metadata.num_rows
        for path in files
    }


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PredictionLog]:
    """Slates in three months of two seasons; slices end within a month, and months in a slice."""
    monkeypatch.setattr(history_files, "_SLICE_ROWS", SLICE_ROWS)
    clock = ManualClock()
    reference = small_reference(tmp_path / "reference.db")
    december = game("0022400300", day=date(2024, 12, 3), tipoff=None)
    newcomer = player(NEWCOMER, december, "BOS", name=FORMULA)
    with opened(tmp_path / "state.db", MemoryStore(clock), clock, reference=reference) as (_, log):
        log.log_slate(past(), Origin.REPLAY)
        log.log_slate(slate([(december, 0.5)], [newcomer], day=december.slate_date), Origin.REPLAY)
        log.log_slate(tonight(), Origin.LIVE)
        yield log


def test_text_that_would_be_computed_gets_an_apostrophe_and_numbers_do_not() -> None:
    texts = [
        "=1+1",
        "+1 (3) 4",
        "-cmd",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "\n=1",
        "-3.5",
        "+12%",
        "Luka",
        "",
    ]
    frame = pd.DataFrame({"name": pd.Series(texts, dtype=object), "points": -1.5})
    safe = without_formulas(frame)
    kept = [*(f"'{text}" for text in texts[:7]), *texts[7:]]
    assert safe["name"].tolist() == kept
    for kind in ("category", "str", pd.ArrowDtype(pa.string())):
        assert without_formulas(frame.astype({"name": kind}))["name"].tolist() == kept
    assert safe["points"].tolist() == [-1.5] * len(texts)
    assert frame["name"].tolist() == texts, "the frame itself stays as it is"
    without_text = frame[["points"]]
    assert without_formulas(without_text) is without_text


def test_a_frame_without_rows_is_a_file_with_a_header(tmp_path: Path) -> None:
    frame = pd.DataFrame({"name": pd.Series([], dtype="str"), "points": pd.Series([], dtype=float)})
    file = io.BytesIO()
    assert write_csv([frame], list(frame.columns), file) == 0
    assert file.getvalue() == b"name,points\n"
    packed = io.BytesIO()
    assert write_parquet([frame], None, packed) == 0
    assert pq.read_table(packed).column_names == ["name", "points"]


@pytest.mark.parametrize("wanted", HISTORY_FORMATS)
def test_an_export_has_every_row_and_tells_how_far_it_is(
    log: PredictionLog, tmp_path: Path, wanted: Format
) -> None:
    folder = tmp_path / "export"
    folder.mkdir()
    told: list[tuple[float, str]] = []
    draft = history_draft(log, EVERYTHING, wanted, title="All", name="history")
    rows = draft.write(folder, lambda share, words: told.append((share, words)))
    assert rows == log.history_count(EVERYTHING) == ROWS

    shares = [share for share, _ in told]
    assert shares == [0.0, *(min(i * SLICE_ROWS, ROWS) / ROWS for i in range(1, 7))]
    assert told[-1][1] == f"Writing predictions: {ROWS} of {ROWS}"

    written = [path.relative_to(folder).as_posix() for path in folder.rglob("*.*")]
    if wanted is Format.PARTITIONS:
        assert draft.file_name == ""
        assert sorted(written) == list(TREE)
    else:
        assert written == [draft.file_name] == [f"history.{wanted.value}"]


def test_no_name_in_the_csv_can_be_a_formula(log: PredictionLog) -> None:
    named = log.history(EVERYTHING, limit=None)["player_name"].tolist()
    assert named.count(FORMULA) == 5
    rows = list(csv.DictReader(io.StringIO(log.history_csv(EVERYTHING).decode())))
    assert [row["player_name"] for row in rows] == [
        f"'{name}" if name == FORMULA else name for name in named
    ]


def test_the_history_is_not_written_as_a_page(log: PredictionLog) -> None:
    with pytest.raises(ValueError, match="'html'"):
        history_draft(log, EVERYTHING, Format.HTML, title="All", name="history")


@pytest.mark.parametrize(
    ("day", "folder"),
    [
        ("2024-10-22", "season=2024-25/month=2024-10"),
        ("2025-06-22", "season=2024-25/month=2025-06"),
        ("2020-10-11", "season=2019-20/month=2020-10"),
        ("2020-12-22", "season=2020-21/month=2020-12"),
        ("1999-11-02", "season=1999-00/month=1999-11"),
    ],
)
def test_a_slate_is_in_the_folder_of_its_season_and_month(day: str, folder: str) -> None:
    assert partition_of(date.fromisoformat(day)) == folder


def test_each_row_is_in_the_file_of_its_month(log: PredictionLog, tmp_path: Path) -> None:
    assert log.write_history_partitions(EVERYTHING, tmp_path / "tree") == ROWS
    assert read_tree(tmp_path / "tree") == TREE
    together = []
    for path in sorted((tmp_path / "tree").rglob("*.parquet"), reverse=True):
        table = pq.ParquetFile(path).read()
        assert table.schema.equals(PARQUET_SCHEMA)
        folders = {partition_of(day) for day in table["slate_date"].to_pylist()}
        assert folders == {path.parent.relative_to(tmp_path / "tree").as_posix()}
        together += table.to_pylist()
    assert together == pq.read_table(io.BytesIO(log.history_parquet(EVERYTHING))).to_pylist()


def test_without_rows_there_are_no_partitions(log: PredictionLog, tmp_path: Path) -> None:
    nobody = HistoryFilters(team="XXX")
    assert log.write_history_partitions(nobody, tmp_path / "tree") == 0
    assert not (tmp_path / "tree").exists()
    draft = history_draft(log, nobody, Format.PARTITIONS, title="Nobody", name="history")
    with pytest.raises(NothingToExport):
        draft.write(tmp_path, lambda share, words: None)


# DuckDB as an analyst has it ----------------------------------------------------------------------

DUCKDB_TYPES = {
    "date32[day]": "DATE",
    "timestamp[us, tz=UTC]": "TIMESTAMP WITH TIME ZONE",
    "bool": "BOOLEAN",
    "double": "DOUBLE",
    "int64": "BIGINT",
    "string": "VARCHAR",
}


@pytest.fixture
def analyst(ministack_endpoint: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """DuckDB with its own S3 reader, which asks no network for it, and the bucket's key."""
    found = importlib.util.find_spec("duckdb_extension_httpfs")
    assert found is not None
    assert found.submodule_search_locations is not None
    [folder] = found.submodule_search_locations
    reader = Path(folder) / "extensions" / f"v{duckdb.__version__}" / "httpfs.duckdb_extension"
    with duckdb.connect() as connection:
        connection.execute(f"LOAD '{reader}'")
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(
            f"CREATE SECRET (TYPE s3, KEY_ID '{ACCESS_KEY_ID}', SECRET '{SECRET_ACCESS_KEY}', "
            f"REGION '{REGION}', ENDPOINT '{ministack_endpoint.removeprefix('http://')}', "
            "URL_STYLE 'path', USE_SSL false)"
        )
        yield connection


@pytest.fixture
def store(ministack_endpoint: str, new_bucket: Callable[[str], str]) -> S3Store:
    return S3Store(s3_options(ministack_endpoint, new_bucket(ministack_endpoint)))


def exported(log: PredictionLog, store: S3Store, folder: Path) -> str:
    """The id of an export of the whole history, which is in the store."""
    export_id = str(uuid.uuid4())
    log.write_history_partitions(EVERYTHING, folder)
    files, _ = export_store.upload(store, export_id, folder, lambda _: None)
    assert files == len(TREE)
    return export_id


def test_duckdb_reads_the_partitions_where_they_are(
    log: PredictionLog, store: S3Store, analyst: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    export_id = exported(log, store, tmp_path / "tree")
    files = f"{store.location}exports/{export_id}/**/*.parquet"
    analyst.execute(f"CREATE VIEW history AS FROM read_parquet('{files}', hive_partitioning=true)")

    types = {name: kind for name, kind, *_ in analyst.execute("DESCRIBE history").fetchall()}
    assert types == {
        **{field.name: DUCKDB_TYPES[str(field.type)] for field in PARQUET_SCHEMA},
        "month": "VARCHAR",
        "season": "VARCHAR",
    }
    columns = ", ".join(HISTORY_COLUMNS)
    order = "ORDER BY run_id, game_id, player_id, stat"
    read = analyst.execute(f"SELECT {columns} FROM history {order}").to_arrow_table().to_pylist()
    said = pq.read_table(io.BytesIO(log.history_parquet(EVERYTHING))).to_pylist()
    said.sort(key=lambda row: [row[name] for name in ("run_id", "game_id", "player_id", "stat")])
    assert read == said
    counted = "SELECT season, month, count(*) FROM history GROUP BY ALL ORDER BY ALL"
    assert analyst.execute(counted).fetchall() == [
        ("2024-25", "2024-11", 15),
        ("2024-25", "2024-12", 5),
        ("2026-27", "2026-11", 20),
    ]


def test_a_question_about_one_month_reads_one_file(
    log: PredictionLog,
    store: S3Store,
    analyst: duckdb.DuckDBPyConnection,
    ministack_endpoint: str,
    tmp_path: Path,
) -> None:
    export_id = exported(log, store, tmp_path / "tree")
    _, bucket, prefix = store.location.removesuffix("/").rsplit("/", 2)
    for path in list(TREE)[1:]:
        # Whoever opened these would fail.
        key = f"{prefix}/{export_store.key_of(export_id, path)}"
        raw_client(ministack_endpoint).put_object(Bucket=bucket, Key=key, Body=b"no Parquet")
    files = f"{store.location}exports/{export_id}/**/*.parquet"
    asked = f"SELECT count(*) FROM read_parquet('{files}', hive_partitioning=true)"
    assert analyst.execute(f"{asked} WHERE month = '2024-11'").fetchall() == [(15,)]
    with pytest.raises(duckdb.Error, match="too small to be a Parquet"):
        analyst.execute(f"{asked} WHERE month = '2024-12' AND stat = 'points'").fetchall()


def test_the_query_of_links_reads_them_without_a_key(
    log: PredictionLog,
    store: S3Store,
    analyst: duckdb.DuckDBPyConnection,
    ministack_endpoint: str,
    tmp_path: Path,
) -> None:
    export_id = exported(log, store, tmp_path / "tree")
    _, bucket, _ = store.location.removesuffix("/").rsplit("/", 2)
    signer = S3Links(s3_options(ministack_endpoint, bucket))
    lasts = timedelta(hours=1)
    links = [
        Link(
            path,
            signer.link(
                export_store.key_of(export_id, path),
                lasts=lasts,
                media_type=export_store.media_type_of(path),
            ),
            ManualClock()() + lasts,
        )
        for path in TREE
    ]
    query = duckdb_query(links).removesuffix(";")
    counted = f"SELECT season, month, count(*) FROM ({query}) GROUP BY ALL ORDER BY ALL"
    assert analyst.execute(counted).fetchall() == [
        ("2024-25", "2024-11", 15),
        ("2024-25", "2024-12", 5),
        ("2026-27", "2026-11", 20),
    ]
