"""Every page with a million predictions behind it: all of it is there, and found."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from streamlit.testing.v1 import AppTest

from benchmarks.screens import View, prepared, served, views
from exports.draft import Format
from jobs.application import Application
from prediction_tracking import MOST_COUNTED, HistoryFilters
from tests.app_process import CHECKOUT
from tests.applications import log_of
from tests.export_process import Orders, export_in_a_process
from tests.servers import raw_client
from ui.frame import PAGES

MILLION = 1_000_000
PAGE_SECONDS = 120.0
MOST_MB = 450

# Writing so many predictions and their readable copies takes minutes.
pytestmark = [pytest.mark.soak, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepared(tmp_path_factory.mktemp("million"), MILLION)


@pytest.fixture(scope="module")
def application(place: Path) -> Iterator[Application]:
    with served(place) as running:
        yield running


def opened(view: View) -> AppTest:
    test = AppTest.from_file(str(CHECKOUT / "streamlit_app.py"), default_timeout=PAGE_SECONDS)
    test.switch_page(view.file)
    for name, value in view.query.items():
        test.query_params[name] = value
    test.run()
    assert not test.exception
    assert [title.value for title in test.main.title] == [view.heading]
    return test


def test_every_page_opens(application: Application) -> None:
    for path, heading, _ in PAGES:
        opened(View(heading, path, heading))


def test_every_view_of_the_benchmark_opens(application: Application) -> None:
    for view in views(application):
        opened(view)


def test_the_oldest_page_has_the_first_prediction(application: Application) -> None:
    log = log_of(application)
    assert log.history_count(HistoryFilters()) > MILLION
    newest = log.history_page(HistoryFilters(), limit=200)
    assert (newest.rows_before, newest.rows) == (0, None), f"more than {MOST_COUNTED:,}"
    [oldest] = [view for view in views(application) if view.name == "History, oldest page"]
    [table] = [found.value for found in opened(oldest).main.dataframe if "Floor" in found.value]
    first = min(run.slate_date for run in log.runs())
    assert table["Date"].tolist()[-1] == first


def test_the_track_record_counts_them_all(application: Application) -> None:
    log = log_of(application)
    everything = View("Track record", "pages/track_record.py", "Track Record")
    [stats] = [found.value for found in opened(everything).main.dataframe if "Bias" in found.value]
    tonight = application.tonights_date()
    assert tonight is not None
    points = HistoryFilters(stat="points")
    played = log.history_count(points) - log.history_count(replace(points, since=tonight))
    assert dict(zip(stats["Stat"], stats["n"], strict=True))["PTS"] == played > MILLION // 6


def test_an_export_takes_little_memory_and_shows_how_far_it_is(
    place: Path,
    application: Application,
    moto_endpoint: str,
    new_bucket: Callable[[str], str],
    tmp_path: Path,
) -> None:
    # As after a redeploy: restored from the bucket by a process of its own, which then exports.
    # MiniStack would put such a file together from its pieces for minutes.
    bucket = new_bucket(moto_endpoint)
    client = raw_client(moto_endpoint)
    store = place / "store"
    for path in store.rglob("*"):
        if path.is_file():
            key = path.relative_to(store).as_posix()
            client.put_object(Bucket=bucket, Key=key, Body=path.read_bytes())
    formats = (Format.CSV, Format.PARQUET, Format.PARTITIONS)
    orders = Orders(
        str(tmp_path / "state"),
        str(place / "reference.db"),
        moto_endpoint,
        bucket,
        tuple(one.value for one in formats),
    )
    rows = log_of(application).history_count(HistoryFilters())
    made = export_in_a_process(orders)
    print({one.format: (one.size_bytes, one.peak_mb) for one in made})

    assert [one.format for one in made] == list(orders.formats)
    for one in made:
        assert one.rows == rows > MILLION
        assert one.peak_mb < MOST_MB
        assert list(one.shares) == sorted(one.shares)
        assert (one.shares[0], one.shares[-1]) == (0.0, 1.0)
        steps = [later - earlier for earlier, later in itertools.pairwise(one.shares)]
        assert len([step for step in steps if step > 0]) > rows / 25_000, "a step every moment"

    csv, parquet, partitions = (f"exports/{one.export_id}/" for one in made)
    content = client.get_object(Bucket=bucket, Key=f"{csv}history.csv")["Body"]
    assert sum(chunk.count(b"\n") for chunk in content.iter_chunks(1 << 20)) == 1 + rows

    def rows_of(key: str) -> int:
        body = client.get_object(Bucket=bucket, Key=key)["Body"].read()
        return int(pq.ParquetFile(io.BytesIO(body)).metadata.num_rows)

    assert rows_of(f"{parquet}history.parquet") == rows
    listed = client.list_objects_v2(Bucket=bucket, Prefix=partitions)["Contents"]
    assert sum(rows_of(one["Key"]) for one in listed) == rows
    assert len(listed) > 50, "a file a month"
