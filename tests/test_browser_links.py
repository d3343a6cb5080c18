"""From page to page by the links of the sidebar: each begins with its own address."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from tests.browser import OpenPage, choose, main, sidebar
from tests.screens import settle
from tests.sites import running_site
from tests.test_track_record_page import stored_replays
from ui.frame import PAGES

if TYPE_CHECKING:
    from playwright.sync_api import Page


def go(page: Page, title: str) -> None:
    from playwright.sync_api import expect

    sidebar(page).get_by_role("link", name=title, exact=True).first.click()
    expect(main(page).get_by_role("heading", level=1)).to_have_text(title)
    settle(page)
    expect(page.get_by_test_id("stException")).to_have_count(0)
    expect(main(page)).not_to_contain_text("in the address")


def test_no_page_takes_what_another_page_was_asked(
    tmp_path: Path, reference_path: Path, open_page: OpenPage
) -> None:
    from playwright.sync_api import expect

    (tmp_path / "before").mkdir()
    stored = stored_replays(tmp_path / "before")
    with running_site(tmp_path, reference_path, stored=stored) as site:
        page = open_page(f"{site.url}/track_record?origin=Replay&stat=REB")
        expect(main(page)).to_contain_text("Calibration of rebounds")
        settle(page)
        for title in (name for _, name, _ in PAGES):
            go(page, title)
            assert "?" not in page.url, "nothing was asked of this page"
        # What is chosen in one word on one page is another word on the next.
        go(page, "Today's Games")
        main(page).get_by_role("radio", name="PRA").click()
        expect(page).to_have_url(re.compile("stat=PRA"))
        for title in ("History", "Track Record", "Player", "Track Record"):
            go(page, title)
            assert "stat=" not in page.url
        choose(page, "Origin", "Replay")
        expect(main(page)).to_contain_text("Calibration of points")
        go(page, "History")
        assert "origin=" not in page.url
