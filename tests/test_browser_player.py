"""Player in the real page: search by keyboard, what the address keeps, and a phone's width."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser import OpenPage, cells, choose_by_keyboard, download, main, table
from tests.sites import Site, running_site

PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
DONCIC = 1629029


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, reference_path: Path) -> Iterator[Site]:
    with running_site(tmp_path_factory.mktemp("site"), reference_path) as running:
        yield running


def test_a_player_is_found_by_typing_and_his_address_can_be_shared(
    site: Site, open_page: OpenPage
) -> None:
    from playwright.sync_api import expect

    page = open_page(f"{site.url}/player")
    expect(main(page)).to_contain_text("Choose a player")
    heading = main(page).get_by_role("heading", name="Luka Dončić")
    choose_by_keyboard(page, "Player", "luka doncic", shows=heading)
    expect(page).to_have_url(re.compile(rf"player={DONCIC}\b"))
    expect(main(page)).to_contain_text("Next game")
    page.get_by_role("radio", name="REB").click()
    expect(page).to_have_url(re.compile(r"stat=REB\b"))
    line = page.get_by_role("spinbutton")
    line.fill("9.5")
    line.press("Enter")
    expect(main(page)).to_contain_text("More than 9.5 rebounds")
    expect(page).to_have_url(re.compile(r"line=9\.5\b"))
    shared = open_page(page.url)
    expect(main(shared).get_by_role("heading", level=2)).to_have_text("Luka Dončić")
    expect(main(shared)).to_contain_text("More than 9.5 rebounds")
    expect(main(shared)).to_contain_text("Projected REB")
    expect(shared.get_by_test_id("stException")).to_have_count(0)


def test_another_player_asks_for_no_line_and_warns_of_nothing(
    site: Site, open_page: OpenPage
) -> None:
    from playwright.sync_api import expect

    page = open_page(f"{site.url}/player?player={DONCIC}&season=2019-20&line=40.5")
    expect(main(page)).to_contain_text("More than 40.5 points")
    heading = main(page).get_by_role("heading", name="Victor Wembanyama")
    choose_by_keyboard(page, "Player", "victor wembanyama", shows=heading)
    expect(main(page)).not_to_contain_text("More than 40.5")
    expect(page).not_to_have_url(re.compile("line="))
    expect(page.get_by_test_id("stAlert").filter(has_text="in the address")).to_have_count(0)


def test_the_charts_have_words_and_the_log_can_be_had_as_a_file(
    site: Site, open_page: OpenPage
) -> None:
    from playwright.sync_api import expect

    page = open_page(f"{site.url}/player?player={DONCIC}&season=2023-24")
    chart = re.compile(r"Luka Dončić's points game by game in 2023-24: 92 played")
    expect(page.get_by_label(chart).first).to_be_visible()
    expect(
        page.get_by_label(re.compile("The chance of each number of points")).first
    ).to_be_visible()
    button = page.get_by_role("button", name="Download 2023-24 as CSV")
    rows = download(page, button.click)
    assert len(rows) == 92
    newest = cells(table(page, "Against"))[0]
    assert newest["Date"] == rows[-1]["game_date"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_it_without_scrolling_sideways(
    site: Site, open_page: OpenPage, scheme: str
) -> None:
    from playwright.sync_api import expect

    page = open_page(f"{site.url}/player?player={DONCIC}", color_scheme=scheme, **PHONE)
    expect(main(page).get_by_role("heading", level=2)).to_have_text("Luka Dončić")
    expect(page.get_by_test_id("stDownloadButton")).to_be_visible()
    widths: list[int] = page.evaluate(
        "() => [document.querySelector('[data-testid=stMain]').scrollWidth, innerWidth]"
    )
    assert widths[0] <= widths[1]


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("player=abc", "not a player's number"),
        ("player=999999999", "nobody who is known here"),
        (f"player={DONCIC}&season=1850-51", "The season in the address is not there"),
        (f"player={DONCIC}&line=nan", "The line in the address is not there"),
        (f"player={DONCIC}&stat=dunks", "The stat in the address is not there"),
    ],
)
def test_a_tampered_address_is_answered(
    site: Site, open_page: OpenPage, address: str, words: str
) -> None:
    from playwright.sync_api import expect

    page = open_page(f"{site.url}/player?{address}")
    expect(page.get_by_test_id("stAlert").filter(has_text=words)).to_be_visible()
    expect(page.get_by_test_id("stException")).to_have_count(0)
