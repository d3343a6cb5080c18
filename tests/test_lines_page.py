"""Your Lines on screen: what it says first, what becomes of a file, and that nothing is kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from jobs.application import Application
from nba.lines import EXAMPLE, WARNING
from tests.app_process import CHECKOUT
from tests.applications import running, settings_for
from tests.browser import OpenPage, follow, main
from tests.sites import running_site
from ui.runtime import install_application

APP_SECONDS = 60.0
LINES = (
    "date,player,market,line,over_price,under_price\n"
    "2018-11-19,Kemba Walker,points,24.5,-110,-110\n"
    "2018-11-21,Luka Doncic,rebounds,6.5,,\n"
    "2018-11-21,Nobody Known,rebounds,6.5,,\n"
    "2018-11-21,Luka Doncic,REB,6.5,+100,\n"
)


@pytest.fixture
def application(tmp_path: Path, reference_path: Path) -> Iterator[Application]:
    """A prepared app that pages find."""
    with running(settings_for(tmp_path / "state", reference_path), ticks=False) as application:
        install_application(application)
        yield application
        install_application(None)


def opened() -> AppTest:
    """The page, by way of the router."""
    test = AppTest.from_file(str(CHECKOUT / "streamlit_app.py"), default_timeout=APP_SECONDS).run()
    assert [title.value for title in test.title] == ["Today's Games"], "the default page"
    return require_page(test.switch_page("pages/lines.py").run())


def require_page(test: AppTest) -> AppTest:
    assert not test.exception
    assert [title.value for title in test.title] == ["Your Lines"]
    return test


def paste(test: AppTest, text: str) -> None:
    test.text_area[0].set_value(text)
    press(test, "Compare")


def press(test: AppTest, label: str) -> None:
    [button] = [button for button in test.main.button if button.label == label]
    require_page(button.click().run())


def headers(test: AppTest) -> list[str]:
    return [found.value for found in test.main.header]


def test_an_empty_page_says_what_to_do(application: Application) -> None:
    test = opened()
    [info] = test.main.info
    assert "Choose a CSV file or paste lines" in info.value
    assert [code.value for code in test.main.code] == [EXAMPLE.strip()]
    assert [found.label for found in test.main.file_uploader] == ["CSV file"]
    assert test.main.text_area[0].label == "Or paste the lines, with the header"
    assert headers(test) == []


def test_lines_are_compared_and_forgotten(application: Application) -> None:
    test = opened()
    paste(test, LINES)
    assert headers(test) == [
        "Record",
        "Line by line",
        "Rows left out",
        "Repeated rows, counted once",
    ]
    assert [warning.value for warning in test.main.warning] == [WARNING]
    record, joined, left_out, repeated = (found.value for found in test.main.dataframe)
    assert list(record["Note"]) == ["too few to say anything"] * 3
    assert list(record)[:3] == ["Market", "n", "Note"], "what a narrow screen shows"
    assert set(record["Origin"]) == {"replay, in training"}
    assert list(joined["Player"]) == ["Kemba Walker", "Luka Dončić"]
    assert list(joined)[:5] == ["Player", "Market", "Line", "Median", "Over"]
    assert list(left_out["Row"]) == [4]
    assert list(repeated["Same as row"]) == [3]
    captions = "\n".join(caption.value for caption in test.main.caption)
    assert "The pasted lines\\: 4 rows read, 2 lines compared" in captions

    press(test, "Forget these lines")
    assert headers(test) == []
    assert test.main.text_area[0].value in ("", None)
    assert "lines_answer" not in test.session_state


def test_the_example_can_be_compared_as_it_stands(application: Application) -> None:
    test = opened()
    paste(test, EXAMPLE)
    assert headers(test) == ["Record", "Line by line"]
    _, joined = (found.value for found in test.main.dataframe)
    assert joined["Median"].notna().all(), "who has no game on the date has no projection"
    assert list(joined["Actual"].notna()) == [True, True, True, False]


def test_a_file_is_compared(application: Application) -> None:
    test = opened()
    test.main.file_uploader[0].upload("mine.csv", LINES.encode(), "text/csv")
    press(test, "Compare")
    assert "mine" in test.main.caption[2].value
    assert "Record" in headers(test)
    test.text_area[0].set_value(LINES)
    press(test, "Compare")
    assert "not both" in test.main.error[0].value


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "Choose a file or paste lines first"),
        ("<html><body>Sign in</body></html>", "web page"),
        ("date,player,market,line\n2018-11-19,Kemba Walker,points,NaN\n", "row 2, line"),
        ("a,b\n![x](http://example.com/x.png),1\n", "missing columns"),
        ("![x](http://example.com/x.png),b\n1,2\n", "missing columns"),
    ],
)
def test_a_refusal_is_shown(application: Application, text: str, words: str) -> None:
    test = opened()
    paste(test, text)
    [error] = test.main.error
    assert words in error.value.replace("\\", "")
    assert "![" not in error.value
    assert headers(test) == []


def test_lines_without_a_result_show_the_warning_too(application: Application) -> None:
    test = opened()
    paste(test, "date,player,market,line\n2018-11-20,Nobody,points,20.5\n")
    assert headers(test) == ["Record", "Rows left out"]
    assert [warning.value for warning in test.main.warning] == [WARNING]


def test_many_lines_show_their_first_rows(application: Application) -> None:
    test = opened()
    rows = [f"2018-11-19,Kemba Walker,points,{value / 10}\n" for value in range(5, 605)]
    paste(test, "date,player,market,line\n" + "".join(rows))
    captions = "\n".join(caption.value for caption in test.main.caption)
    assert "The first 500 of 600" in captions
    assert "too narrow" in captions


def test_a_new_process_is_first_asked_for_this_page(
    tmp_path: Path, reference_path: Path, open_page: OpenPage
) -> None:
    from playwright.sync_api import expect

    with running_site(tmp_path, reference_path) as site:
        page = open_page(f"{site.url}/lines")
        expect(page.get_by_role("heading", name="Your Lines")).to_be_visible()
        page.get_by_label("Or paste the lines, with the header").fill(LINES)
        page.get_by_role("button", name="Compare").click()
        expect(page.get_by_role("heading", name="Record")).to_be_visible()
        expect(main(page)).to_contain_text("no advice to bet")
        expect(page.get_by_test_id("stException")).to_have_count(0)
        follow(page, "Today's Games")
        expect(page.get_by_role("heading", name="Today's Games")).to_be_visible()
        expect(page.get_by_test_id("stDownloadButton")).to_be_visible()
