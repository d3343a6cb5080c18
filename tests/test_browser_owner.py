"""Who may act in the real page, and what the owner's buttons do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import argon2
import pytest

from tests.browser import OpenPage, follow, main, sidebar
from tests.sites import NOW, Site, running_site

if TYPE_CHECKING:
    from playwright.sync_api import Page

DEPLOYED = ("--now", NOW)
OWNERS_BUTTONS = re.compile("^(Log a revision|Log this replay|Sync now|Back up now|Import)$")
PASSWORD = "a long enough password"


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory, reference_path: Path) -> Iterator[Site]:
    """An app as a platform runs it, whose secrets know the owner's password."""
    # As weak as the library allows: the strength of a hash is not what is tested.
    password_hash = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    with running_site(
        tmp_path_factory.mktemp("deployed"),
        reference_path,
        arguments=DEPLOYED,
        secrets=f'[owner]\npassword_hash = "{password_hash}"\n',
    ) as running:
        yield running


def sign_in(page: Page, password: str) -> None:
    owner = sidebar(page).get_by_text("Owner", exact=True)
    field = sidebar(page).get_by_label("Owner's password")
    if not field.is_visible():
        owner.click()
    field.fill(password)
    sidebar(page).get_by_role("button", name="Sign in").click()


def test_the_owner_revises_and_backs_up(
    tmp_path: Path, reference_path: Path, open_page: OpenPage
) -> None:
    from playwright.sync_api import expect

    with running_site(tmp_path, reference_path) as site:
        page = open_page(site.url)
        expect(main(page)).to_contain_text("(automatic) · saved as #2")
        page.get_by_role("button", name="Log a revision").click()
        expect(main(page)).to_contain_text("(revision) · saved as #3")
        expect(sidebar(page)).to_contain_text("as #3")
        follow(page, "Details of saving", to="Sync")
        expect(page.get_by_role("heading", name="Sync", exact=True)).to_be_visible()
        page.get_by_role("button", name="Back up now").click()
        expect(main(page)).to_contain_text("Backed up as backups/")
        [backup] = site.store.list("backups/")
        assert backup.key.endswith("-manual.db.zst")
        expect(main(page)).to_contain_text(backup.key)
        expect(main(page)).to_contain_text(f"Store: folder {site.store_folder}")
        expect(main(page)).to_contain_text("Waiting: 0 writes")
        # The beginning, tonight, the revision, and the backup's row in the catalogue.
        assert len(site.store.list("log/")) == 4


@pytest.mark.parametrize("path", ["/?date=2024-01-15", "/history"])
def test_a_visitor_looks_and_downloads_and_finds_no_owners_button(
    deployed: Site, open_page: OpenPage, path: str
) -> None:
    from playwright.sync_api import expect

    page = open_page(deployed.url + path)
    expect(page.get_by_test_id("stDownloadButton")).to_be_visible()
    expect(sidebar(page)).to_contain_text("Saved to a folder on this machine as #")
    expect(sidebar(page)).to_contain_text("will be lost with this machine. Set up a bucket")
    expect(page.get_by_role("button", name=OWNERS_BUTTONS)).to_have_count(0)
    expect(page.locator("body")).not_to_contain_text(str(deployed.store_folder))
    if path == "/history":
        page.get_by_text("Import results from CSV").click()
        expect(main(page)).to_contain_text("Importing results is the owner's.")
        expect(page.locator("input[type=file]")).to_have_count(0)


def test_without_an_owner_the_remedy_is_shown(
    tmp_path: Path, reference_path: Path, open_page: OpenPage
) -> None:
    from playwright.sync_api import expect

    with running_site(tmp_path, reference_path, arguments=DEPLOYED) as site:
        page = open_page(site.url)
        expect(page.get_by_test_id("stDownloadButton")).to_be_visible()
        sidebar(page).get_by_text("Owner", exact=True).click()
        expect(sidebar(page)).to_contain_text(
            "No owner is configured: set [owner] emails with [auth], or [owner] password_hash"
        )
        expect(page.get_by_role("button", name=OWNERS_BUTTONS)).to_have_count(0)
        expect(page.get_by_role("button", name="Sign in")).to_have_count(0)


def test_the_password_opens_one_session_until_sign_out(deployed: Site, open_page: OpenPage) -> None:
    from playwright.sync_api import expect

    page = open_page(deployed.url)
    expect(page.get_by_test_id("stDownloadButton")).to_be_visible()
    sign_in(page, "a wrong password")
    expect(sidebar(page)).to_contain_text("That is not the owner's password.")
    expect(page.get_by_role("button", name=OWNERS_BUTTONS)).to_have_count(0)

    sign_in(page, PASSWORD)
    expect(page.get_by_role("button", name="Log a revision")).to_be_visible()
    follow(page, "Sync")
    expect(page.get_by_role("heading", name="Sync", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Back up now")).to_be_visible()

    stranger = open_page(deployed.url)
    expect(stranger.get_by_test_id("stDownloadButton")).to_be_visible()
    expect(stranger.get_by_role("button", name=OWNERS_BUTTONS)).to_have_count(0)

    if not sidebar(page).get_by_role("button", name="Sign out").is_visible():
        sidebar(page).get_by_text("Owner", exact=True).click()
    sidebar(page).get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("button", name="Back up now")).to_have_count(0)
    page.reload()
    expect(page.get_by_role("heading", name="Sync", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name=OWNERS_BUTTONS)).to_have_count(0)
