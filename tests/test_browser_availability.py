"""Who is out in the real page: the owner's editor, and what everybody sees of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.app_process import wait_for
from tests.browser import OpenPage, cells, download, main, sidebar, table
from tests.sites import NOW, Site, running_site

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

ROW_PIXELS = 35
OWNERS = re.compile("^(Save who is out|Save the file's list|Fetch now|Template for this slate)$")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, reference_path: Path) -> Iterator[Site]:
    with running_site(tmp_path_factory.mktemp("site"), reference_path) as running:
        yield running


def open_editor(page: Page) -> Locator:
    """Unfold the owner's list; its grid."""
    from playwright.sync_api import expect

    expect(main(page)).to_contain_text("(automatic) · saved as #2")
    page.get_by_text("Who is out", exact=True).click()
    grid = page.get_by_test_id("stDataFrame").filter(has=page.locator("th", has_text="Until"))
    expect(grid).to_be_visible()
    return grid


def set_status(page: Page, grid: Locator, row: int, status: str) -> None:
    """Choose a status with the keyboard, as the grid offers it."""
    from playwright.sync_api import expect

    def cell(column: int) -> Locator:
        return grid.get_by_test_id(f"glide-cell-{column}-{row}")

    grid.click(position={"x": 30, "y": ROW_PIXELS * (row + 1.5)})
    expect(cell(0)).to_have_attribute("aria-selected", "true")
    for column in (1, 2):
        page.keyboard.press("ArrowRight")
        expect(cell(column)).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Enter")
    expect(page.locator("#portal").get_by_role("combobox")).to_be_focused()
    page.keyboard.type(status)
    page.keyboard.press("Enter")
    expect(cell(2)).to_have_text(status)


def projected(page: Page) -> set[str]:
    rows = download(page, page.get_by_role("button", name="Download this slate").click)
    return {row["player_name"] for row in rows}


def test_the_owner_says_who_is_out_and_everything_follows(site: Site, open_page: OpenPage) -> None:
    from playwright.sync_api import expect

    page = open_page(site.url)
    before = projected(page)
    grid = open_editor(page)
    rows = cells(table(page, "Until"))
    row, name = next((at, one["Player"]) for at, one in enumerate(rows) if one["Player"] in before)
    set_status(page, grid, row, "out")
    page.get_by_role("button", name="Save who is out").click()
    expect(main(page)).to_contain_text("1 player saved.")
    expect(main(page)).to_contain_text("a revision was logged")
    expect(main(page)).to_contain_text(f"Out: {name} (")
    # The list is one write, the revision another.
    expect(sidebar(page)).to_contain_text("Saved to a folder on this machine as #4")
    expect(main(page)).to_contain_text("(revision) · saved as #4")
    wait_for(lambda: name not in projected(page), what=f"{name} to be left out")

    # What was saved is not an edit any more: saving again changes nothing.
    page.get_by_role("button", name="Save who is out").click()
    expect(main(page)).to_contain_text("Nothing was changed.")


def test_a_file_that_names_nobody_says_so(site: Site, open_page: OpenPage) -> None:
    from playwright.sync_api import expect

    page = open_page(site.url)
    expect(main(page)).to_contain_text("Logged 20 Nov 2026")
    page.get_by_text("Who is out", exact=True).click()
    page.locator("input[type=file]").set_input_files(
        {
            "name": "out.csv",
            "mimeType": "text/csv",
            "buffer": b"player_name,status\nNobody At All,out\n",
        }
    )
    page.get_by_text("out.csv", exact=True).first.wait_for()
    page.get_by_role("button", name="Save the file's list").click()
    expect(main(page)).to_contain_text("Nobody At All")
    expect(page.get_by_test_id("stException")).to_have_count(0)


def test_the_editor_fits_a_phone(site: Site, open_page: OpenPage) -> None:
    from playwright.sync_api import expect

    page = open_page(
        site.url, viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True
    )
    expect(main(page)).to_contain_text("Logged 20 Nov 2026")
    page.get_by_text("Who is out", exact=True).tap()
    expect(page.get_by_role("button", name="Save who is out")).to_be_visible()
    widths = page.evaluate(
        "['html', 'body', '[data-testid=stMain]', '[data-testid=stMainBlockContainer]']"
        ".map(name => document.querySelector(name).scrollWidth)"
    )
    assert max(widths) <= 390


def test_a_visitor_finds_neither_editor_nor_button(
    tmp_path: Path, reference_path: Path, open_page: OpenPage
) -> None:
    from playwright.sync_api import expect

    with running_site(tmp_path, reference_path, arguments=("--now", NOW)) as deployed:
        page = open_page(deployed.url)
        expect(main(page)).to_contain_text("saved as #2")
        expect(sidebar(page)).to_contain_text("Saved to a folder on this machine as #2")
        expect(page.get_by_role("button", name=OWNERS)).to_have_count(0)
        expect(page.get_by_text("Who is out", exact=True)).to_have_count(0)
        expect(page.locator("input[type=file]")).to_have_count(0)
