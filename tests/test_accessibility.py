"""Every screen for people who cannot see it, cannot use a mouse, or hold a phone."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import argon2
import pytest

from tests.app_process import CHECKOUT
from tests.axe import findings, told
from tests.browser import OpenPage, Visitors, sidebar
from tests.screens import (
    DARK,
    DESKTOP,
    LIGHT,
    PHONE,
    SCREENS,
    Screen,
    open_menu,
    page_file,
    settle,
    wait_until_restored,
    wear,
)
from tests.season_evening import SeasonEvening, play_ten_days, running_evening
from tests.sites import Site
from ui.frame import PAGES

if TYPE_CHECKING:
    from playwright.sync_api import Page

DEVICES = {"desktop": DESKTOP, "phone": PHONE}
MAIN_SCREENS = [screen for screen in SCREENS if screen.is_main]
MOST_TABS = 400
# A window of common height: what is below its edge is reached by key as well.
WINDOW: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}}
# Streamlit draws these so that only their `alt` tells a screen reader what they are.
NAMELESS_WITHOUT_ALT = {"dataframe", "table", "altair_chart", "vega_lite_chart"}

# The functions below run in the page. Controls that the mouse can use go by a name: a rerun may
# draw one anew. A row of buttons is one: Tab leads to it and arrow keys to its parts. What has a
# tabIndex of -1 is not asked for: the field that it stands on does the same by its own keys.
NAME = """one => {
    const control = one.closest("[data-testid=stButtonGroup]") ?? one;
    const field = control.closest("[data-testid]")?.dataset.testid;
    return `${field}: ${control.getAttribute("aria-label") ?? control.textContent.slice(0, 60)}`;
}"""
CONTROLS = f"""() => {{
    const name = {NAME};
    const wanted = "a[href], button, input:not([type=file]), textarea, summary";
    return [...document.querySelector("[data-testid=stMain]").querySelectorAll(wanted)]
        .filter(one => one.checkVisibility({{visibilityProperty: true}})
            && !one.disabled && one.tabIndex >= 0)
        .map(name);
}}"""
FOCUSED = f"""() => {{
    const one = document.activeElement;
    const isOutside = !one || one === document.body || one === document.documentElement;
    return [isOutside ? "" : ({NAME})(one), isOutside];
}}"""
TABLES = """() => [...document.querySelectorAll("[data-testid=stMain] [data-testid=stDataFrame]")]
    .filter(one => one.checkVisibility())
    .map(one => one.querySelector("[role=region][aria-label]")?.getAttribute("aria-label") ?? "")
"""
CHARTS = """() => [...document.querySelectorAll("[data-testid=stVegaLiteChart]")]
    .map(one => [one, ...one.querySelectorAll("[aria-label]")]
        .map(part => part.getAttribute("aria-label") ?? "").join(" "))
"""
# In Chromium's measure: the share of the window that moved, times how far.
SHIFTS_OVER_TWO_RUNS = """() => new Promise(done => {
    const shifts = [];
    new PerformanceObserver(list => shifts.push(...list.getEntries().map(one => one.value)))
        .observe({type: "layout-shift"});
    const app = document.querySelector("[data-testid=stApp]");
    let runs = 0;
    new MutationObserver(() => {
        if (app.dataset.testScriptState !== "notRunning" || ++runs < 2) return;
        requestAnimationFrame(() => requestAnimationFrame(() => done(shifts)));
    }).observe(app, {attributeFilter: ["data-test-script-state"]});
})"""


@pytest.fixture(scope="module")
def evening(tmp_path_factory: pytest.TempPathFactory) -> SeasonEvening:
    return play_ten_days(tmp_path_factory.mktemp("evening"))


@pytest.fixture(scope="module")
def site(
    tmp_path_factory: pytest.TempPathFactory, evening: SeasonEvening, browser: Visitors
) -> Iterator[Site]:
    """The owner's own machine, so that the owner's parts are looked at as well."""
    with running_evening(tmp_path_factory.mktemp("site"), evening) as running:
        wait_until_restored(browser.chromium, running.url)
        yield running


@pytest.fixture(scope="module")
def visited_site(
    tmp_path_factory: pytest.TempPathFactory, evening: SeasonEvening, browser: Visitors
) -> Iterator[Site]:
    """As it is deployed: an owner is configured, and who looks is not signed in."""
    password_hash = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("x" * 8)
    secrets = f'[owner]\npassword_hash = "{password_hash}"\n'
    folder = tmp_path_factory.mktemp("visited")
    with running_evening(folder, evening, arguments=(), secrets=secrets) as running:
        wait_until_restored(browser.chromium, running.url)
        yield running


def by_name(screens: list[Screen] | tuple[Screen, ...]) -> list[Any]:
    return [pytest.param(screen, id=screen.name) for screen in screens]


def opened(open_page: OpenPage, site: Site, screen: Screen, settings: dict[str, Any]) -> Page:
    from playwright.sync_api import expect

    page = open_page(site.url + screen.path, **settings)
    settle(page)
    screen.prepare(page)
    settle(page)
    expect(page.get_by_test_id("stException")).to_have_count(0)
    return page


def test_every_page_has_its_screens() -> None:
    files = {path for path, _, _ in PAGES}
    assert {page_file(screen, PAGES[0][0]) for screen in SCREENS} == files
    assert {page_file(screen, PAGES[0][0]) for screen in MAIN_SCREENS} == files
    assert len({screen.name for screen in SCREENS}) == len(SCREENS)


def test_a_defect_that_was_put_there_is_found(browser: Visitors) -> None:
    page = browser.chromium.new_page()
    page.set_content("<h1>Defects</h1><button></button><p style='color: #aaa'>Too pale</p>")
    found = {finding.rule: finding for finding in findings(page)}
    assert {"button-name", "color-contrast", "html-has-lang"} <= found.keys()
    assert found["button-name"].html == "<button></button>"
    assert "button-name (critical): " in told(list(found.values()))
    page.close()


def test_tables_and_charts_are_named_where_they_are_drawn() -> None:
    nameless = [
        f"{path.relative_to(CHECKOUT)}:{call.lineno}: {call.func.attr}"
        for room in ("pages", "ui")
        for path in sorted((CHECKOUT / room).glob("*.py"))
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr in NAMELESS_WITHOUT_ALT
        and "alt" not in {keyword.arg for keyword in call.keywords}
    ]
    assert nameless == []


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("screen", by_name(SCREENS))
def test_nothing_serious_bars_anybody(
    site: Site, open_page: OpenPage, screen: Screen, device: str
) -> None:
    page = opened(open_page, site, screen, DEVICES[device])
    for theme in (LIGHT, DARK):
        wear(page, theme)
        found = findings(page)
        assert not found, f"{theme['color_scheme']}\n{told(found)}"
    width = DEVICES[device]["viewport"]["width"]
    widths = page.evaluate(
        "['html', 'body', '[data-testid=stMain]', '[data-testid=stMainBlockContainer]']"
        ".map(name => document.querySelector(name).scrollWidth)"
    )
    assert max(widths) <= width, "nothing moves sideways but tables"


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("path", ["/", "/sync"])
def test_a_visitor_who_may_sign_in_is_barred_by_nothing_either(
    visited_site: Site, open_page: OpenPage, path: str, device: str
) -> None:
    page = open_page(visited_site.url + path, **DEVICES[device])
    settle(page)
    open_menu(page)
    sidebar(page).get_by_text("Owner", exact=True).click()
    sidebar(page).get_by_label("Owner's password").wait_for()
    for theme in (LIGHT, DARK):
        wear(page, theme)
        found = findings(page)
        assert not found, f"{theme['color_scheme']}\n{told(found)}"


@pytest.mark.parametrize("screen", by_name(SCREENS))
def test_everything_is_reached_by_key_and_told_in_words(
    site: Site, open_page: OpenPage, screen: Screen
) -> None:
    page = opened(open_page, site, screen, WINDOW)
    controls: list[str] = page.evaluate(CONTROLS)
    reached = walk(page)
    assert [name for name in controls if name not in reached] == []

    # What is on a canvas is had as text by a button that stands before it and bears its name.
    downloads = {name.removeprefix("stBaseButton-elementToolbar: ") for name in controls}
    for table in page.evaluate(TABLES):
        # One that can be written in takes no name.
        assert (f"Download as CSV: {table}" if table else "Download as CSV") in downloads
    for chart in page.evaluate(CHARTS):
        assert len(chart.split()) >= 5, f"a chart without a description: {chart!r}"


@pytest.mark.parametrize("screen", by_name(MAIN_SCREENS))
def test_a_refresh_moves_nothing(site: Site, open_page: OpenPage, screen: Screen) -> None:
    page = opened(open_page, site, screen, DESKTOP)
    # The line in the sidebar draws itself anew every few seconds.
    assert page.evaluate(SHIFTS_OVER_TWO_RUNS) == []


def walk(page: Page) -> set[str]:
    """Press Tab until the focus has come round twice; the names of what had it.

    Fails if it never comes round: then something holds it.
    """
    # What was pressed to get here has the focus: the first way round begins in the middle.
    reached: set[str] = set()
    rounds = 0
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        name, is_outside = page.evaluate(FOCUSED)
        rounds += is_outside
        if rounds == 2:
            return reached
        reached.add(name)
    raise AssertionError(f"{MOST_TABS} times Tab did not come round; now {page.evaluate(FOCUSED)}")
