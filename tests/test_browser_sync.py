"""The Sync page as a real page: its picture, its buttons, and the line that leads to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.app_process import wait_for_entry
from tests.browser import OpenPage, follow, main, sidebar
from tests.sites import NOW, Site, running_site

PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "is_mobile": True,
    "has_touch": True,
}
DARK: dict[str, Any] = {"color_scheme": "dark"}
IN_WORDS = "This machine has the history up to entry 2; nothing waits."


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, reference_path: Path) -> Iterator[Site]:
    """An app whose visitor is the owner."""
    with running_site(tmp_path_factory.mktemp("sync"), reference_path) as running:
        wait_for_entry(running.store, 2, running.app.log)
        yield running


@pytest.mark.parametrize("context", [{}, DARK, PHONE, PHONE | DARK], ids=str)
def test_the_picture_has_words_and_fits(
    site: Site, open_page: OpenPage, context: dict[str, Any]
) -> None:
    from playwright.sync_api import expect

    page = open_page(f"{site.url}/sync", **context)
    expect(page.get_by_role("heading", name="Sync", exact=True)).to_be_visible()
    expect(main(page)).to_contain_text(IN_WORDS)
    picture = main(page).get_by_test_id("stVegaLiteChart")
    expect(picture).to_be_visible()
    assert IN_WORDS in (picture.evaluate("chart => chart.outerHTML"))
    expect(page.get_by_role("button", name="Back up now")).to_be_visible()
    expect(page.get_by_role("table").first).to_contain_text("2026-11-20")
    widths = page.evaluate(
        "['html', '[data-testid=stMain]', '[data-testid=stMainBlockContainer]']"
        ".map(name => document.querySelector(name).scrollWidth)"
    )
    assert max(widths) <= page.viewport_size["width"]  # type: ignore[index]


def test_the_line_in_the_sidebar_opens_the_page_by_keyboard(
    site: Site, open_page: OpenPage
) -> None:
    from playwright.sync_api import expect

    page = open_page(site.url)
    expect(main(page).get_by_test_id("stDownloadButton").first).to_be_visible()
    sidebar(page).get_by_role("link", name="Details of saving").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Sync", exact=True)).to_be_visible()
    page.get_by_role("button", name="Sync now").focus()
    page.keyboard.press("Enter")
    expect(main(page)).to_contain_text("Nothing was new on either side; the newest entry is #2.")
    page.get_by_role("link", name="All backups").click()
    expect(page.get_by_role("heading", name="Backups", exact=True)).to_be_visible()


def test_trouble_and_its_end_show_by_themselves(
    tmp_path: Path, reference_path: Path, open_page: OpenPage
) -> None:
    from playwright.sync_api import expect

    # A tick every two seconds finds out; nobody touches the page.
    environment = {"NBA_DAILY_TIMER_MINUTES": "0.033"}
    with running_site(tmp_path, reference_path, environment=environment) as site:
        page = open_page(f"{site.url}/sync")
        expect(main(page)).to_contain_text(IN_WORDS)
        away = site.store_folder.with_name("unmounted")
        site.store_folder.rename(away)
        expect(main(page)).to_contain_text("It does not reach the log")
        expect(sidebar(page)).to_contain_text("a folder on this machine refuses now")
        away.rename(site.store_folder)
        expect(main(page)).to_contain_text(IN_WORDS, timeout=60_000)


def test_a_visitor_finds_no_buttons_and_no_place(
    tmp_path: Path, reference_path: Path, open_page: OpenPage
) -> None:
    from playwright.sync_api import expect

    with running_site(tmp_path, reference_path, arguments=("--now", NOW)) as site:
        page = open_page(site.url)
        expect(main(page)).to_contain_text("saved as #2")
        follow(page, "Sync")
        expect(main(page)).to_contain_text("Saved to a folder on this machine as #2")
        expect(main(page)).to_contain_text("The log was last reached on 20 Nov 2026, 1:0")
        expect(main(page).get_by_role("button")).to_have_count(0)
        assert str(site.store_folder) not in page.content()
