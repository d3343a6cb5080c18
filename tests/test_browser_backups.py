"""The Backups page as a real page: back up, plan, restore, undo, take a copy home, drill."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import apsw
import pytest

from tests.app_process import wait_for_entry
from tests.browser import OpenPage, follow, main, sidebar
from tests.sites import NOW, Site, running_site

if TYPE_CHECKING:
    from playwright.sync_api import Page

PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "is_mobile": True,
    "has_touch": True,
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, reference_path: Path) -> Iterator[Site]:
    """An app whose visitor is the owner, with tonight logged as #2 and a revision as #3."""
    with running_site(tmp_path_factory.mktemp("backups"), reference_path) as running:
        wait_for_entry(running.store, 2, running.app.log)
        yield running


def opened(site: Site, open_page: OpenPage, **context: Any) -> Page:
    from playwright.sync_api import expect

    page = open_page(f"{site.url}/backups", **context)
    expect(page.get_by_role("heading", name="Backups", exact=True)).to_be_visible()
    expect(page.get_by_role("heading", name="Restore drill")).to_be_visible()
    return page


def test_back_up_restore_and_undo(site: Site, open_page: OpenPage, tmp_path: Path) -> None:
    from playwright.sync_api import expect

    page = open_page(site.url)
    expect(main(page)).to_contain_text("saved as #2")
    page.get_by_role("button", name="Log a revision").click()
    expect(main(page)).to_contain_text("(revision) · saved as #3")
    follow(page, "Backups")
    page.get_by_role("button", name="Back up now").click()
    expect(main(page)).to_contain_text("Backed up as backups/")
    [backup] = site.store.list("backups/")

    # A file of it, to look into with any program.
    page.get_by_role("button", name="Prepare as a SQLite file").click()
    expect(main(page)).to_contain_text("is whole and ready below")
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download the SQLite file").click()
    path = tmp_path / "taken-home.db"
    waiting.value.save_as(path)
    assert waiting.value.suggested_filename.startswith("nba-daily-2026-11-20T18-")
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    assert connection.execute("SELECT count(*) FROM runs").fetchall() == [(2,)]
    connection.close()

    # Back to before the revision: the plan first.
    main(page).get_by_text("An entry of the log", exact=True).click()
    field = page.get_by_role("spinbutton", name="Entry to go back to")
    field.fill("2")
    field.press("Enter")
    page.get_by_role("button", name="Show the plan").click()
    expect(page.get_by_role("heading", name="The plan")).to_be_visible()
    expect(main(page)).to_contain_text("Back to entry 2.")
    expect(page.get_by_role("table").first).to_contain_text("predictions")
    restore = page.get_by_role("button", name="Restore now")
    expect(restore).to_be_disabled()
    main(page).get_by_text("I have seen what this undoes.").click()
    expect(restore).to_be_enabled()
    restore.click()
    expect(main(page)).to_contain_text("Restored, as entry ")
    expect(main(page)).to_contain_text("Restores so far")
    keys = [info.key for info in site.store.list("backups/")]
    assert [key for key in keys if key != backup.key and "before-restore" in key]

    # Everybody is told, in words without a key.
    follow(page, "Track Record")
    expect(page.get_by_role("heading", name="Restores")).to_be_visible()
    expect(main(page)).to_contain_text("back to entry 2, as entry ")
    expect(main(page)).not_to_contain_text("backups/")

    follow(page, "Backups")
    page.get_by_role("button", name="Undo the newest restore").click()
    expect(page.get_by_role("heading", name="The plan")).to_be_visible()
    main(page).get_by_text("I have seen what this undoes.").click()
    page.get_by_role("button", name="Restore now").click()
    expect(main(page)).to_contain_text("which undid an earlier restore, as entry")
    follow(page, "Today's Games")
    expect(main(page)).to_contain_text("(revision) · saved as #3")


def test_the_drill(site: Site, open_page: OpenPage) -> None:
    from playwright.sync_api import expect

    page = opened(site, open_page)
    page.get_by_role("button", name="Back up now").click()
    expect(main(page)).to_contain_text("Backed up as backups/")
    page.get_by_role("button", name="Run a drill now").click()
    expect(main(page)).to_contain_text("came back with the log's own rows")


@pytest.mark.parametrize(
    "context", [PHONE, PHONE | {"color_scheme": "dark"}, {"color_scheme": "dark"}], ids=str
)
def test_it_fits(site: Site, open_page: OpenPage, context: dict[str, Any]) -> None:
    page = opened(site, open_page, **context)
    widths = page.evaluate(
        "['html', '[data-testid=stMain]', '[data-testid=stMainBlockContainer]']"
        ".map(name => document.querySelector(name).scrollWidth)"
    )
    assert max(widths) <= page.viewport_size["width"]  # type: ignore[index]


def test_a_visitor_is_told_to_sign_in(
    tmp_path: Path, reference_path: Path, open_page: OpenPage
) -> None:
    from playwright.sync_api import expect

    with running_site(tmp_path, reference_path, arguments=("--now", NOW)) as site:
        # The address itself, in a process that nobody has asked for anything yet.
        page = open_page(f"{site.url}/backups")
        expect(main(page)).to_contain_text("This page is the owner's.")
        expect(main(page).get_by_role("button")).to_have_count(0)
        expect(sidebar(page).get_by_role("link", name="History")).to_be_visible()
        for name in ("Backups", "Setup"):
            expect(sidebar(page).get_by_role("link", name=name, exact=True)).to_have_count(0)
        assert str(site.store_folder) not in page.content()
