"""The History page without a browser: filters from the address, pages, files, and refusals."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from jobs.application import Application
from prediction_tracking import HistoryFilters
from tests.app_process import CHECKOUT
from tests.applications import log_of, published, running, settings_for
from ui import history_view
from ui.runtime import install_application

APP_SECONDS = 30.0
TONIGHT = date(2026, 11, 20)


@pytest.fixture(scope="module")
def application(
    tmp_path_factory: pytest.TempPathFactory, reference_path: Path
) -> Iterator[Application]:
    """An app that has logged tonight's slate."""
    folder = tmp_path_factory.mktemp("history")
    with running(settings_for(folder / "state", reference_path)) as application:
        published(application)
        install_application(application)
        yield application
        install_application(None)


def opened(application: Application, **query: str) -> AppTest:
    """The page by way of the router, as the first one of a visitor, with this in the address."""
    assert application.predictions is not None
    test = AppTest.from_file(str(CHECKOUT / "streamlit_app.py"), default_timeout=APP_SECONDS)
    test.switch_page("pages/history.py")
    for name, value in query.items():
        test.query_params[name] = value
    return drawn(test.run())


def drawn(test: AppTest) -> AppTest:
    assert not test.exception
    assert [title.value for title in test.title] == ["History"]
    return test


def line(test: AppTest) -> str:
    """What stands above the table."""
    [found] = [one.value for one in test.main.caption if " newest slate first: " in one.value]
    return found


def press(test: AppTest, label: str) -> AppTest:
    [button] = [button for button in test.main.button if button.label == label]
    assert not button.disabled
    return drawn(button.click().run())


def disabled(test: AppTest) -> set[str]:
    return {button.label for button in test.main.button if button.disabled}


def warnings(test: AppTest) -> str:
    return "\n".join(warning.value for warning in test.main.warning)


def download_label(test: AppTest) -> str:
    [button] = test.get("download_button")
    return str(button.proto.label)


def logged(application: Application) -> int:
    return log_of(application).history_count(HistoryFilters())


def test_pages_follow_each_other_and_stand_in_the_address(application: Application) -> None:
    total = logged(application)
    assert total > 600
    test = opened(application)
    assert line(test).startswith(f"Rows 1 to 200 of {total:,}, newest slate first: 20 Nov 2026.")
    assert disabled(test) == {"Newest", "Newer"}
    first = test.main.dataframe[0].value
    assert len(first) == 200
    press(test, "Older")
    assert line(test).startswith(f"Rows 201 to 400 of {total:,}")
    second = test.main.dataframe[0].value
    assert not second.equals(first)
    address = test.query_params["after"]
    press(test, "Older")
    press(test, "Newer")
    assert test.query_params["after"] == address
    assert test.main.dataframe[0].value.equals(second)
    press(test, "Newer")
    assert "after" not in test.query_params
    assert test.main.dataframe[0].value.equals(first)
    press(test, "Oldest")
    assert line(test).startswith(f"Rows {total - 199:,} to {total:,} of {total:,}")
    assert disabled(test) == {"Older", "Oldest"}
    press(test, "Newest")
    assert line(test).startswith("Rows 1 to 200")

    [shared] = address if isinstance(address, list) else [address]
    other = opened(application, after=shared)
    assert other.main.dataframe[0].value.equals(second)


def test_another_filter_begins_with_the_newest_rows(application: Application) -> None:
    test = press(opened(application), "Older")
    assert "after" in test.query_params
    [player] = [field for field in test.main.text_input if field.label == "Player"]
    drawn(player.set_value("gilgeous").run())
    assert "after" not in test.query_params
    assert line(test).startswith("Rows 1 to 5 of 5,")
    # All rows are on this page, so there is nothing to turn.
    assert not [button for button in test.main.button if button.label == "Older"]
    assert download_label(test) == "Download all 5 rows as CSV"


def test_filters_from_the_address(application: Application) -> None:
    test = opened(
        application,
        player="gilgeous",
        stat="PTS",
        team="okc",
        since="2026-11-20",
        until="2026-11-20",
        file="Parquet",
    )
    assert not test.main.warning
    [row] = test.main.dataframe[0].value.to_dict("records")
    assert (row["Date"], row["Stat"], row["Team"]) == (TONIGHT, "PTS", "OKC")
    assert download_label(test) == "Download this row as Parquet"


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        ({"origin": "backtest"}, "The origin in the address is not there; choose one of Live"),
        ({"stat": "steals"}, "The stat in the address is not there; choose one of PTS, REB"),
        ({"model": "x' OR 1=1"}, "The model in the address is not there; choose one of "),
        ({"replaced": "x"}, "The replaced in the address is not there"),
        ({"since": "yesterday"}, "The since in the address is not a date; write it as"),
        ({"until": "1850-01-01"}, "The until in the address is outside what is known"),
        ({"file": "xlsx"}, "The file in the address is not there; choose one of CSV, Parquet"),
        ({"after": "yesterday"}, "The page in the address is not there; these are the newest"),
        ({"after": "no-run~0022600001~1~points"}, "The page in the address is not there"),
        ({"after": "~" * 5000}, "The page in the address is not there"),
    ],
)
def test_a_tampered_address_is_answered_and_shows_the_newest_rows(
    application: Application, query: dict[str, str], answer: str
) -> None:
    test = opened(application, **query)
    assert answer in warnings(test)
    assert line(test).startswith("Rows 1 to 200 of")
    # The next run has the address that is shown.
    drawn(test.run())
    assert line(test).startswith("Rows 1 to 200 of")


def test_dates_the_wrong_way_round_are_answered(application: Application) -> None:
    test = opened(application, since="2026-11-21", until="2026-11-19")
    assert "No date is both" in warnings(test)
    assert not test.main.dataframe


def test_what_nobody_logged_is_answered(application: Application) -> None:
    test = opened(application, team="XYZ")
    [answer] = test.main.info
    assert "Nothing is logged that fits. Widen the filters" in answer.value
    assert "such as BOS" in answer.value
    replays = opened(application, origin="Replay")
    assert "logged as a replay on Today's Games" in replays.main.info[0].value
    assert "BOS" not in replays.main.info[0].value


def test_a_page_after_the_last_row_leads_back(application: Application) -> None:
    test = opened(application)
    whole = log_of(application).history(HistoryFilters(), limit=None).iloc[-1]
    end = "~".join(str(whole[name]) for name in ("run_id", "game_id", "player_id", "stat"))
    test = opened(application, after=end)
    assert [answer.value for answer in test.main.info] == ["Nothing older fits."]
    press(test, "Newest")
    assert line(test).startswith("Rows 1 to 200 of")


def test_a_long_history_is_not_counted_and_its_csv_is_packed(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    total = logged(application)
    monkeypatch.setattr("tracking.history.MOST_COUNTED", 300)
    monkeypatch.setattr(history_view, "MOST_COUNTED", 300)
    test = opened(application)
    assert line(test).startswith("Rows 1 to 200 of more than 300,")
    assert download_label(test) == "Download all rows as CSV, packed"
    press(test, "Oldest")
    assert line(test).startswith("200 rows of more than 300,")
    [kind] = [field for field in test.main.selectbox if field.label == "File"]
    drawn(kind.set_value("Parquet").run())
    assert download_label(test) == "Download all rows as Parquet"
    assert logged(application) == total
