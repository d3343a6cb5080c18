"""Real pages in headless Chromium, as fixtures and questions to a page."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

import pytest

from tests.app_process import wait_for
from tests.needs import require_chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Locator, Page

__all__ = [
    "OpenPage",
    "Visitors",
    "browser",
    "cells",
    "choose",
    "choose_by_keyboard",
    "download",
    "follow",
    "launched_browser",
    "main",
    "open_page",
    "row_count",
    "sidebar",
    "table",
    "wait_for_cells",
    "wait_until_drawn",
]

# The driver is imported only by the tests that ask for a browser.

CHROMIUM_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
# Nobody waits this long where all is well; a machine with other work to do takes its time.
PATIENCE_MILLISECONDS = 45_000


class OpenPage(Protocol):
    """Opens an address as another visitor; `context` are Playwright's settings of a profile."""

    def __call__(self, url: str, **context: Any) -> Page: ...


@contextmanager
def launched_browser(executable: Path) -> Iterator[Browser]:
    """Chromium until the block ends."""
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE_MILLISECONDS)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=executable, args=list(CHROMIUM_ARGUMENTS)
        )
        try:
            yield chromium
        finally:
            chromium.close()


@dataclass
class Visitors:
    """Browser profiles by their settings. Pages of one profile share a cache, nothing else here."""

    chromium: Browser
    profiles: dict[str, BrowserContext] = field(default_factory=dict)

    def profile(self, settings: dict[str, Any]) -> BrowserContext:
        key = repr(sorted(settings.items()))
        if key not in self.profiles:
            profile = self.profiles[key] = self.chromium.new_context(**settings)
            profile.set_default_timeout(PATIENCE_MILLISECONDS)
        return self.profiles[key]


@pytest.fixture(scope="module")
def browser() -> Iterator[Visitors]:
    """One Chromium for a module's tests.

    Not for the whole session: while the driver lives, its event loop is this thread's running one,
    and tests elsewhere start loops of their own.
    """
    with launched_browser(require_chromium()) as chromium:
        yield Visitors(chromium)


@pytest.fixture
def open_page(browser: Visitors) -> Iterator[OpenPage]:
    """A function that opens an address; each call is another visitor, in New York unless told.

    A page that fails in the browser or asks anybody but its own server for something fails the
    test.
    """
    pages: list[Page] = []
    foreign: list[str] = []
    failures: list[str] = []

    def open_one(url: str, **context: Any) -> Page:
        settings = {
            "timezone_id": "America/New_York",
            "locale": "en-US",
            "viewport": {"width": 1280, "height": 1000},
            "reduced_motion": "reduce",
            **context,
        }
        page = browser.profile(settings).new_page()
        pages.append(page)
        host = urlsplit(url).netloc

        def note_request(asked: str) -> None:
            parts = urlsplit(asked)
            if parts.scheme in {"http", "https", "ws", "wss"} and parts.netloc != host:
                foreign.append(asked)

        page.on("request", lambda request: note_request(request.url))
        page.on("websocket", lambda socket: note_request(socket.url))
        page.on("pageerror", lambda error: failures.append(str(error)))
        page.goto(url)
        return page

    yield open_one
    for page in pages:
        page.close()
    assert failures == []
    assert foreign == [], "a visitor's browser is sent to nobody else"


def main(page: Page) -> Locator:
    """The page beside the sidebar."""
    return page.get_by_test_id("stMain")


def sidebar(page: Page) -> Locator:
    return page.get_by_test_id("stSidebar")


def wait_until_drawn(page: Page) -> None:
    """Wait until the app is not drawing anything."""
    from playwright.sync_api import expect

    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")


def follow(page: Page, name: str, *, to: str = "") -> None:
    """Follow a link of the sidebar to the page of its name, or another; again if the page stays.

    The line in the sidebar draws the whole page anew when it changes, and a run of the page that
    is left may answer into the one that is opened.
    """
    from playwright.sync_api import TimeoutError as NotInTime

    heading = main(page).get_by_role("heading", name=to or name, level=1)

    def is_there() -> bool:
        wait_until_drawn(page)
        page.get_by_role("link", name=name).click()
        try:
            heading.wait_for(timeout=10_000)
        except NotInTime:
            return False
        return True

    wait_for(is_there, what=f"the page {name}")


def table(page: Page, column: str) -> Locator:
    """The data grid that has a column of this name, as assistive technology sees it."""
    header = page.locator("th", has_text=re.compile(f"^{re.escape(column)}$"))
    return page.locator("[data-testid=stDataFrame] canvas table").filter(has=header)


def row_count(grid: Locator) -> int:
    """Rows of a grid, its header not counted."""
    return int(grid.get_attribute("aria-rowcount") or 0) - 1


def cells(grid: Locator) -> list[dict[str, str]]:
    """Text by column name, of the rows and columns that are in view."""
    rows: list[dict[str, str]] = grid.evaluate(
        """grid => {
            const names = {};
            for (const th of grid.querySelectorAll("th"))
                names[th.getAttribute("aria-colindex")] = th.textContent;
            return [...grid.querySelectorAll("tbody tr")].map(row => Object.fromEntries(
                [...row.querySelectorAll("td")].map(
                    td => [names[td.getAttribute("aria-colindex")], td.textContent])));
        }"""
    )
    return rows


def wait_for_cells(grid: Locator, column: str, wanted: set[str]) -> None:
    """Wait until the rows in view have just these texts in a column."""
    wait_for(lambda: {row[column] for row in cells(grid)} == wanted, what=f"{wanted} in {column}")


def choose(page: Page, label: str, option: str) -> None:
    """Choose from a select box; a page that is drawn anew meanwhile closes its list."""
    from playwright.sync_api import TimeoutError as NotInTime

    field = page.get_by_role("combobox", name=label, exact=True)
    wanted = page.get_by_role("option", name=option, exact=True)

    def is_chosen() -> bool:
        if not wanted.is_visible():
            field.click()
        try:
            wanted.click(timeout=3_000)
        except NotInTime:
            return False
        return True

    wait_for(is_chosen, what=f"{option} to be chosen")


def choose_by_keyboard(page: Page, label: str, words: str = "", *, shows: Locator) -> None:
    """Choose the first option that fits the words, until the page shows what it then shows.

    A page that is drawn anew meanwhile closes its list, and a key that comes then chooses nothing.
    """
    from playwright.sync_api import TimeoutError as NotInTime

    field = page.get_by_role("combobox", name=label)

    def is_chosen() -> bool:
        wait_until_drawn(page)
        field.fill("")
        field.press_sequentially(words)
        field.press("ArrowDown")
        try:
            page.get_by_role("option").first.wait_for(timeout=3_000)
            field.press("Enter")
            shows.wait_for(timeout=10_000)
        except NotInTime:
            return False
        return True

    wait_for(is_chosen, what=f"{label} to be chosen")


def download(page: Page, press: Callable[[], None]) -> list[dict[str, str]]:
    """The rows of the CSV file that pressing something downloads.

    A page that is drawn anew with other figures withdraws the file that it offered before. Who
    pressed in that moment gets nothing, sees the browser say so, and presses again.
    """

    def text() -> str | None:
        wait_until_drawn(page)
        with page.expect_download() as waiting:
            press()
        failure = waiting.value.failure()
        if failure == "canceled":
            return None
        assert failure is None, failure
        return Path(waiting.value.path()).read_text(encoding="utf-8")

    return list(csv.DictReader(io.StringIO(wait_for(text, what="a file to download"))))
