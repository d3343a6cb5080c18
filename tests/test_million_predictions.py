"""Every page with a million predictions behind it: all of it is there, and found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from benchmarks.screens import View, prepared, served, views
from jobs.application import Application
from prediction_tracking import MOST_COUNTED, HistoryFilters
from tests.app_process import CHECKOUT
from tests.applications import log_of
from ui.frame import PAGES

MILLION = 1_000_000
PAGE_SECONDS = 120.0

# Writing so many predictions and their readable copies takes minutes.
pytestmark = [pytest.mark.soak, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    place = prepared(tmp_path_factory.mktemp("million"), MILLION)
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


def test_a_file_of_the_whole_history_is_whole(application: Application) -> None:
    log = log_of(application)
    lines = log.history_csv(HistoryFilters()).count(b"\n")
    assert lines == 1 + log.history_count(HistoryFilters())
