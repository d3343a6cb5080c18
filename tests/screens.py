"""Every screen of the app, as pictures and the tests of accessibility open it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.app_process import wait_for
from tests.browser import main, sidebar
from tests.season_evening import LAST_DAY, PLAYER, REPLAYED

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

__all__ = [
    "DARK",
    "DESKTOP",
    "LIGHT",
    "PHONE",
    "SCREENS",
    "Screen",
    "close_menu",
    "open_menu",
    "page_file",
    "settle",
    "still",
    "wait_until_restored",
    "wear",
]

DESKTOP: dict[str, Any] = {"viewport": {"width": 1280, "height": 1200}}
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 2,
    "is_mobile": True,
    "has_touch": True,
}
# As .streamlit/config.toml has them.
BACKGROUNDS = {"light": "rgb(255, 255, 255)", "dark": "rgb(22, 24, 29)"}
LIGHT: dict[str, Any] = {"color_scheme": "light"}
DARK: dict[str, Any] = {"color_scheme": "dark"}


def _do_nothing(page: Page) -> None:
    """The screen is as it opens."""


def _compare_lines(page: Page) -> None:
    close_menu(page)
    page.get_by_role("textbox", name="Or paste the lines").fill(
        "date,player,market,line,over_price,under_price\n"
        f"{LAST_DAY},Tyrese Maxey,points,26.5,-110,-110\n"
        f"{LAST_DAY},Donovan Mitchell,threes,3.5,+105,-125\n"
        f"{LAST_DAY},Nobody Atall,points,20.5,,\n"
    )
    page.get_by_role("button", name="Compare", exact=True).click()
    main(page).get_by_role("heading", name="Line by line").wait_for()


def close_menu(page: Page) -> None:
    """On a phone the menu lies over the page, and on a slow machine it begins open there."""
    menu = page.get_by_test_id("stSidebar")
    if page.evaluate("innerWidth") < 768 and menu.get_attribute("data-collapsed") == "false":
        page.get_by_test_id("stSidebarCollapseButton").get_by_role("button").click()


def open_menu(page: Page) -> None:
    # On a desktop it is open already.
    menu = page.get_by_test_id("stExpandSidebarButton")
    if menu.is_visible():
        menu.click()
    page.get_by_test_id("stSidebarCollapseButton").wait_for(state="attached")


def _plan_a_restore(page: Page) -> None:
    main(page).get_by_text("An entry of the log", exact=True).click()
    page.get_by_role("spinbutton", name="Entry to go back to").fill("2")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Show the plan").click()
    main(page).get_by_role("heading", name="The plan").wait_for()
    # The button that was pressed is gone: whoever goes by keys begins at the top again.
    main(page).get_by_role("heading", level=1).click()


def _open_share(page: Page) -> None:
    close_menu(page)
    main(page).get_by_text("Share", exact=True).click()
    page.get_by_role("button", name="Share it").wait_for()


def _examine(page: Page) -> None:
    close_menu(page)
    page.get_by_role("button", name="Examine").click()
    main(page).get_by_text("Creating only once").wait_for()


@dataclass(frozen=True, slots=True)
class Screen:
    """One screen in one state.

    Attributes:
        name: what its pictures are called.
        path: its address behind the site's.
        prepare: what a visitor does once it is drawn.
        is_main: the screen as it ordinarily is; the others are its refusals and further states.
    """

    name: str
    path: str
    prepare: Callable[[Page], None] = field(default=_do_nothing)
    is_main: bool = False


SCREENS = (
    Screen("todays-games", "/", is_main=True),
    Screen("todays-games-menu", "/", open_menu),
    Screen("todays-games-played", f"/?date={LAST_DAY}"),
    Screen("todays-games-replay", f"/?date={REPLAYED}"),
    Screen("todays-games-none", "/?date=2024-12-24"),
    Screen("todays-games-tampered", "/?date=%3Cscript%3E"),
    Screen("player-search", "/player"),
    Screen("player", f"/player?player={PLAYER}", is_main=True),
    Screen("player-rebounds", f"/player?player={PLAYER}&stat=REB"),
    Screen("player-unknown", "/player?player=999999999"),
    Screen("track-record", "/track_record", is_main=True),
    Screen("track-record-replay", "/track_record?origin=Replay"),
    Screen("history", "/history", is_main=True),
    Screen("history-share", "/history", _open_share),
    Screen("history-replay", "/history?origin=Replay"),
    Screen("history-empty", "/history?player=nobody+at+all"),
    Screen("lines", "/lines", is_main=True),
    Screen("lines-compared", "/lines", _compare_lines),
    Screen("sync", "/sync", is_main=True),
    Screen("backups", "/backups", is_main=True),
    Screen("backups-plan", "/backups", _plan_a_restore),
    Screen("sharing", "/sharing", is_main=True),
    Screen("usage", "/usage", is_main=True),
    Screen("setup", "/setup", is_main=True),
    Screen("setup-examined", "/setup", _examine),
)


def page_file(screen: Screen, default: str) -> str:
    """The file that draws a screen, as `ui.frame.PAGES` names it; `default` is the first page's."""
    name = screen.path.split("?")[0].strip("/")
    return f"pages/{name}.py" if name else default


def wait_until_restored(chromium: Browser, url: str) -> None:
    """Wait until a site that has just begun has its history: its pages are drawn anew then."""
    from playwright.sync_api import expect

    page = chromium.new_page()
    page.goto(url)
    expect(main(page)).to_contain_text(re.compile(r"saved as #\d"))
    page.close()


def settle(page: Page) -> None:
    """Wait until the page is drawn and nothing of it is on its way."""
    from playwright.sync_api import expect

    app = page.get_by_test_id("stApp")
    expect(main(page).get_by_role("heading", level=1)).to_be_visible()
    expect(sidebar(page)).to_contain_text(re.compile("Saved to "))
    expect(app).to_have_attribute("data-test-script-state", "notRunning")
    expect(page.get_by_test_id("stSkeleton")).to_have_count(0)
    expect(page.locator("[data-stale=true]")).to_have_count(0)
    for chart in page.get_by_test_id("stVegaLiteChart").all():
        expect(chart.locator("canvas, svg").first).to_be_attached()


def wear(page: Page, theme: dict[str, Any]) -> None:
    """Let the visitor's system be light or dark, and wait until the page is."""
    from playwright.sync_api import expect

    page.emulate_media(color_scheme=theme["color_scheme"])
    expect(page.get_by_test_id("stApp")).to_have_css(
        "background-color", BACKGROUNDS[theme["color_scheme"]]
    )
    settle(page)


def still(page: Page, what: str) -> bytes:
    """The picture of the page once two in a row are alike; fails if it never stands still."""
    shots = [page.screenshot()]

    def is_still() -> bool:
        shots.append(page.screenshot())
        return shots[-1] == shots[-2]

    wait_for(is_still, what=f"{what} to stand still")
    return shots[-1]
