"""Every page can be the first that a new process shows, opened by its own address."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from jobs.application import Application
from jobs.clock import clock_starting_at
from jobs.configuration import OwnerSettings
from tests.app_process import CHECKOUT, wait_for
from tests.applications import running, settings_for
from tests.browser import OpenPage, follow, main, sidebar
from tests.sites import running_site
from ui.runtime import install_application

NOW = datetime(2026, 11, 20, 18, tzinfo=UTC)
APP_SECONDS = 30.0


@pytest.mark.parametrize(
    ("path", "heading", "text"),
    [
        ("/", "Today's Games", "Tonight · Friday 20 November 2026"),
        ("/todays_games?date=2024-01-15", "Today's Games", "Replay · Monday 15 January 2024"),
        ("/history", "History", "Rows 1 to 200 of"),
        ("/sync", "Sync", "Last uploads"),
        ("/backups", "Backups", "Restore drill"),
    ],
)
def test_a_new_process_is_first_asked_for_this_page(
    tmp_path: Path, reference_path: Path, open_page: OpenPage, path: str, heading: str, text: str
) -> None:
    from playwright.sync_api import expect

    with running_site(tmp_path, reference_path) as site:
        page = open_page(site.url + path)
        expect(page.get_by_role("heading", name=heading)).to_be_visible()
        expect(main(page)).to_contain_text(text)
        expect(sidebar(page)).to_contain_text("Saved to a folder on this machine as #2")
        # And on to the other page and back.
        for name in ("History", "Today's Games"):
            follow(page, name)
            expect(page.get_by_role("heading", name=name)).to_be_visible()
            expect(page.get_by_test_id("stDownloadButton")).to_be_visible()
        expect(page.get_by_test_id("stException")).to_have_count(0)


@pytest.fixture
def application(tmp_path: Path, reference_path: Path) -> Iterator[Application]:
    """A prepared application, in this process, that pages find."""
    settings = settings_for(tmp_path / "state", reference_path)
    with running(settings, clock_starting_at(NOW)) as application:
        assert application.preparation.state_ready
        install_application(application)
        yield application
        install_application(None)


@pytest.mark.parametrize(
    ("page", "heading", "subheading"),
    [
        ("pages/todays_games.py", "Today's Games", "Tonight · Friday 20 November 2026"),
        ("pages/history.py", "History", None),
        ("pages/sync.py", "Sync", "Last uploads"),
        ("pages/backups.py", "Backups", "Restore drill"),
    ],
)
def test_the_router_draws_each_page(
    application: Application, page: str, heading: str, subheading: str | None
) -> None:
    wait_for(lambda: is_saved(application), what="tonight's slate to be saved")
    test = AppTest.from_file(str(CHECKOUT / "streamlit_app.py"), default_timeout=APP_SECONDS).run()
    assert not test.exception
    assert [title.value for title in test.title] == ["Today's Games"], "the default page"
    test.switch_page(page).run()
    assert not test.exception
    assert [title.value for title in test.title] == [heading]
    if subheading is not None:
        assert subheading in [found.value for found in test.main.header]
    assert [found.value for found in test.sidebar.success] == [
        "Saved to a folder on this machine as #2"
    ]


def is_saved(application: Application) -> bool:
    status = application.saved_state().status
    return status is not None and status.sequence == 2


def test_owners_addresses_without_a_provider_are_explained(application: Application) -> None:
    owner = OwnerSettings(emails=frozenset({"me@example.com"}))
    application.settings = replace(application.settings, owner=owner)
    test = AppTest.from_file(str(CHECKOUT / "streamlit_app.py"), default_timeout=APP_SECONDS).run()
    assert not test.exception
    [sign_in] = [button for button in test.sidebar.button if button.label == "Sign in"]
    sign_in.click().run()
    assert not test.exception
    assert "no complete [auth] table" in test.sidebar.error[0].value
