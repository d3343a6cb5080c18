"""The Usage page without a browser: a bucket's bill, a folder's, and who may look."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from jobs.application import Application
from jobs.configuration import OwnerSettings
from jobs.image_settings import ImageSettings
from replica import StoreUnreachable
from replica.stores.s3_requests import S3Request
from tests.app_process import CHECKOUT
from tests.applications import AFTERNOON, SwitchedStore, published, running, settings_for, use_store
from tests.servers import s3_options
from tests.stores import ManualClock
from tracking.image_catalogue import write_image_day
from tracking.usage_catalogue import UsageRow, write_usage
from ui.frame import OWNERS_PAGES, PAGES
from ui.runtime import install_application
from ui.usage_charts import days_chart, days_frame, days_words
from usage.cost import Operation
from usage.counting import Counts
from usage.days import UsageDay, WriterDay

APP_SECONDS = 30.0


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(AFTERNOON)


@pytest.fixture
def store(clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> SwitchedStore:
    store = SwitchedStore(clock)
    use_store(monkeypatch, store)
    return store


@pytest.fixture(autouse=True)
def no_application_is_left() -> Iterator[None]:
    yield
    install_application(None)
    st.cache_resource.clear()
    st.cache_data.clear()


@pytest.fixture
def application(
    tmp_path: Path, reference_path: Path, clock: ManualClock, store: SwitchedStore
) -> Iterator[Application]:
    """With a bucket in its settings; what the tests say that it was asked is what is counted."""
    options = s3_options(None, "bucket", region="eu-central-1")
    with running(settings_for(tmp_path / "a", reference_path, options), clock) as application:
        published(application)
        install_application(application)
        yield application


def send(application: Application, operation: str, key: str, times: int) -> None:
    told: Callable[[S3Request], None] | None = application.settings.store.on_request  # type: ignore[union-attr]
    assert told is not None
    for _ in range(times):
        told(S3Request(operation, f"predictions/{key}", 100, 2000, 0.03, 200))


def opened() -> AppTest:
    test = AppTest.from_file(str(CHECKOUT / "streamlit_app.py"), default_timeout=APP_SECONDS).run()
    return require_page(test.switch_page("pages/usage.py").run())


def require_page(test: AppTest) -> AppTest:
    assert not test.exception
    assert [one.value for one in test.title] == ["Usage"]
    return test


def words(test: AppTest) -> str:
    told = [
        one.value
        for kind in ("markdown", "caption", "info", "error", "warning")
        for one in getattr(test.main, kind)
    ]
    return "\n".join(told).replace("\\", "")


def metrics(test: AppTest) -> dict[str, str]:
    return {one.label: one.value for one in test.main.metric}


def heads(test: AppTest) -> list[str]:
    return [one.value for one in test.main.header]


def test_the_bill_of_this_month(application: Application, clock: ManualClock) -> None:
    send(application, "PutObject", "log/1", 1000)
    send(application, "GetObject", "log/1", 5000)
    send(application, "ListObjectsV2", "bronze/", 10)
    test = opened()
    assert metrics(test) == {
        "November so far": "$0.0070",
        "All of November": "–",
        "Requests so far": "6,010",
        "Stored": "not listed yet",
    }
    assert heads(test) == [
        *("The bill", "What costs how much", "Requests by day", "How long answers take"),
        *("What is stored", "Prices"),
    ]
    bill, parts = (one.value for one in test.main.dataframe)
    assert dict(zip(bill["What"], bill["Cost"], strict=True)) == {
        "PUT": "$0.0050",
        "LIST": "$0.0001",
        "GET": "$0.0020",
        "DELETE": "$0.0000",
        "storage": "$0.0000",
        "traffic out": "$0.0000",
    }
    assert parts["Part"].tolist() == ["log", "bronze"]
    assert parts["GET"].tolist() == [5000, 0]
    [times] = (one.value for one in test.main.table)
    assert times["Kind"].tolist() == ["PUT", "LIST", "GET"]
    assert set(times["95% within"]) == {"33 ms"}
    assert "Counted since 20 Nov 2026, 8:00 PM UTC." in words(test)
    assert "as of 1 Nov 2026, without tax. The first 100 GB a month that go out are free" in words(
        test
    )
    assert "Your bucket is in eu-central-1" in words(test)

    assert application._state is not None
    with application._state.replica.transaction() as transaction:
        write_usage(transaction, [UsageRow(date(2026, 11, 19), "f" * 32, '{"format":2}')])
    clock.advance(days=5)
    test = require_page(test.run())
    # Five days have gone, five and four hours are to come.
    assert metrics(test)["All of November"] == "$0.0143"
    assert "1 row was written by a later version" in words(test)


def test_the_bucket_is_listed_by_a_button(application: Application, store: SwitchedStore) -> None:
    test = opened()
    assert "It is listed once a day" in words(test)
    [button] = [one for one in test.main.button if one.label == "List it now"]
    entries = len(store.list("log/"))
    test = require_page(button.click().run())
    listed = test.main.dataframe[-1].value
    assert dict(zip(listed["Part"], listed["Objects"], strict=True))["log"] == entries
    assert "Older versions could not be listed" in words(test)
    assert metrics(test)["Stored"].endswith("kB")

    store.broken = StoreUnreachable
    [button] = [one for one in test.main.button if one.label == "List it now"]
    test = require_page(button.click().run())
    assert "the store cannot be reached" in words(test)
    assert test.main.dataframe[-1].value.equals(listed), "what was found before stays"
    assert "could not be listed: what lies there" not in words(test)


def test_the_months_pictures_where_they_are_on(
    tmp_path: Path, reference_path: Path, clock: ManualClock, store: SwitchedStore
) -> None:
    images = ImageSettings(("cdn.example.com",), "https://cdn.example.com/{player_id}.png", None)
    settings = settings_for(tmp_path / "a", reference_path, s3_options(None, "bucket"))
    with running(replace(settings, images=images), clock) as application:
        published(application)
        install_application(application)
        assert application._state is not None
        with application._state.replica.transaction() as transaction:
            for day, shown in ((date(2026, 11, 2), 1200), (date(2026, 10, 31), 9)):
                figures = {"shown": shown, "drawn": 3, "fetched": 2, "failed": 1}
                write_image_day(transaction, day, "f" * 32, figures)
        told = "Pictures in November: 1,200 shown, 3 drawn in their place, 2 fetched, 1 failed."
        assert told in words(opened())


def test_a_folder_costs_nothing(
    tmp_path: Path, reference_path: Path, clock: ManualClock, store: SwitchedStore
) -> None:
    with running(settings_for(tmp_path / "a", reference_path), clock) as application:
        install_application(application)
        test = opened()
        assert "a folder of this machine, which costs nothing" in words(test)
        assert heads(test) == ["Prices"]
        assert not test.main.button


def test_a_visitor_is_told_to_sign_in(
    tmp_path: Path, reference_path: Path, clock: ManualClock, store: SwitchedStore
) -> None:
    settings = replace(
        settings_for(tmp_path / "a", reference_path, s3_options(None, "bucket")),
        owner=OwnerSettings(),
    )
    with running(settings, clock) as application:
        install_application(application)
        test = opened()
        assert "This page is the owner's." in words(test)
        assert not test.main.metric
        assert not test.main.dataframe
    assert "pages/usage.py" in OWNERS_PAGES
    assert "pages/usage.py" in [path for path, _, _ in PAGES]


def test_the_chart_has_a_bar_for_each_day_and_words() -> None:
    days = []
    for number, requests in ((19, 5), (20, 7)):
        day = WriterDay(datetime(2026, 11, number, tzinfo=UTC), Counts())
        for _ in range(requests):
            day.counts.add(
                "log",
                Operation.GET,
                sent_bytes=0,
                received_bytes=0,
                seconds=0.1,
                status=200,
            )
        days.append(UsageDay(date(2026, 11, number), day.since, day.counts))
    frame = days_frame(days)
    assert frame[frame["operation"] == "GET"]["requests"].tolist() == [5, 7]
    drawn = days_chart(frame).to_dict()
    assert drawn["encoding"]["color"]["scale"]["domain"] == ["PUT", "LIST", "GET", "DELETE"]
    assert days_words(days) == (
        "Requests by day and kind, 19 Nov 2026 to 20 Nov 2026: 5 to 7 a day, most on 20 Nov 2026. "
        "Together 0 PUT, 0 LIST, 12 GET, 0 DELETE."
    )
