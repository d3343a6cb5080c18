"""Today's Games in the real page: what a visitor sees, chooses and takes along."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from replica.log import log_key
from tests.browser import (
    OpenPage,
    cells,
    choose_by_keyboard,
    download,
    main,
    row_count,
    sidebar,
    table,
    wait_for_cells,
)
from tests.sites import OWNER, Site, running_site

STAT_OF_LABEL = {
    "PTS": "points",
    "REB": "rebounds",
    "AST": "assists",
    "3PM": "threes",
    "MIN": "minutes",
}
DARK_BACKGROUND = "rgb(22, 24, 29)"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, reference_path: Path) -> Iterator[Site]:
    """An app whose state no test here changes, so that their order does not matter."""
    with running_site(tmp_path_factory.mktemp("site"), reference_path) as running:
        yield running


def test_the_first_start_shows_its_progress_then_logs_and_saves_by_itself(
    tmp_path: Path, open_page: OpenPage
) -> None:
    from playwright.sync_api import expect

    with running_site(tmp_path, None) as site:
        page = open_page(site.url)
        expect(page.get_by_role("heading", name="Today's Games")).to_be_visible()
        expect(page.get_by_role("progressbar")).to_be_visible()
        expect(main(page)).to_contain_text("only at the first start")

        expect(main(page)).to_contain_text("Tonight · Friday 20 November 2026")
        # Nobody reloads the page: it follows what happens in the background.
        expect(main(page)).to_contain_text(re.compile(r"Logged 20 Nov 2026, 1:0\d PM EST"))
        expect(main(page)).to_contain_text("(automatic) · saved as #2")
        expect(sidebar(page)).to_contain_text("Saved to a folder on this machine as #2")
        assert [info.key for info in site.store.list("log/")] == [log_key(1), log_key(2)]


def test_tonights_games_with_their_chances(site: Site, open_page: OpenPage) -> None:
    from playwright.sync_api import expect

    page = open_page(f"{site.url}/?games_table=true")
    expect(main(page)).to_contain_text("saved as #2")
    expect(main(page)).to_contain_text("Data as of 22 Jun 2025, 516 days before this slate.")
    expect(main(page)).to_contain_text("Not bundled and not fetched yet: 2025-26")
    games = table(page, "Home wins")
    expect(games).to_have_attribute("aria-rowcount", "10")
    first = cells(games)[0]
    assert (first["Away"], first["Home"]) == ("CHA", "ATL")
    assert first["Tip-off"] == "7:00 PM EST"
    chances = [int(first[name].rstrip("%")) for name in ("Away wins", "Home wins")]
    assert sum(chances) == 100
    assert "Final" not in first
    # The same on a card, for who hears the page as well.
    expect(page.get_by_role("heading", name="CHA @ ATL")).to_be_visible()
    card = page.get_by_role("img", name=re.compile("Chance to win: Charlotte Hornets"))
    expect(card).to_have_attribute(
        "alt",
        f"Chance to win: Charlotte Hornets {first['Away wins']}, "
        f"Atlanta Hawks {first['Home wins']}",
    )
    # The store's clock is today's, whatever the app's is.
    expect(main(page)).to_contain_text(re.compile("saved as #2 · (before|after) tip-off"))


def test_every_choice_stands_in_the_address_and_can_be_shared(
    site: Site, open_page: OpenPage
) -> None:
    from playwright.sync_api import expect

    page = open_page(site.url)
    expect(table(page, "PTS")).to_be_attached()
    page.get_by_role("button", name="CHA @ ATL").click()
    expect(page).to_have_url(re.compile(r"game=CHA"))
    page.get_by_role("radio", name="REB").click()
    expect(page).to_have_url(re.compile(r"stat=REB"))
    expect(table(page, "REB lately")).to_be_attached()
    why = page.get_by_role("heading", name=re.compile(r"^Why [0-9.]+ rebounds · "))
    choose_by_keyboard(page, "Player to explain", shows=why)
    expect(page).to_have_url(re.compile(r"explain="))
    told = why.inner_text()

    other = open_page(page.url, color_scheme="dark")
    expect(other.get_by_role("heading", name=told)).to_be_visible()
    expect(other.get_by_role("heading", name=re.compile(" @ "))).to_have_count(1)
    expect(main(other)).not_to_contain_text("in the address")


def test_another_date_takes_no_game_along(site: Site, open_page: OpenPage) -> None:
    from playwright.sync_api import expect

    page = open_page(site.url)
    expect(table(page, "PTS")).to_be_attached()
    page.get_by_role("button", name="CHA @ ATL").click()
    expect(page.get_by_role("heading", name=re.compile(" @ "))).to_have_count(1)
    page.get_by_role("spinbutton", name="year, Date").click()
    page.keyboard.type("20230301", delay=30)
    page.get_by_role("heading", name="Today's Games").click()
    expect(main(page)).to_contain_text("Replay · Wednesday 1 March 2023")
    expect(page.get_by_role("heading", name=re.compile(" @ "))).to_have_count(9)
    expect(main(page)).not_to_contain_text("in the address")


def test_the_download_has_the_rows_of_the_table(site: Site, open_page: OpenPage) -> None:
    from playwright.sync_api import expect

    page = open_page(site.url)
    players = table(page, "PTS")
    expect(players).to_be_attached()
    rows = download(page, page.get_by_role("button", name="Download this slate").click)
    assert len(rows) == row_count(players) > 100
    by_name = {row["player_name"]: row for row in rows}
    assert len(by_name) == len(rows)
    in_view = cells(players)
    assert len(in_view) > 5
    for shown in in_view:
        row = by_name[shown["Player"]]
        assert row["team"] == shown["Team"]
        labels = [label for label in STAT_OF_LABEL if label in shown]
        assert {"MIN", "PTS"} <= set(labels)
        for label in labels:
            mean = float(row[f"{STAT_OF_LABEL[label]}_mean"])
            assert float(shown[label]) == pytest.approx(mean, abs=0.0051)


def test_players_of_the_chosen_games_only(site: Site, open_page: OpenPage) -> None:
    from playwright.sync_api import expect

    page = open_page(site.url)
    players = table(page, "PTS")
    expect(players).to_be_attached()
    everybody = download(page, page.get_by_role("button", name="Download this slate").click)
    wanted = [row for row in everybody if row["team"] in {"CHA", "ATL"}]
    page.get_by_role("button", name="CHA @ ATL").click()
    expect(players).to_have_attribute("aria-rowcount", str(len(wanted) + 1))
    wait_for_cells(players, "Team", {"CHA", "ATL"})
    page.get_by_role("button", name="CHA @ ATL").click()
    expect(players).to_have_attribute("aria-rowcount", str(len(everybody) + 1))


def test_a_tap_on_a_number_says_why_on_a_phone(site: Site, open_page: OpenPage) -> None:
    from playwright.sync_api import expect

    page = open_page(
        site.url, viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True
    )
    players = table(page, "PTS")
    expect(players).to_be_attached()
    [first, *_] = cells(players)
    assert {"Player", "Team", "PTS", "PTS range"} <= set(first), "without moving it sideways"
    grid = page.get_by_test_id("stDataFrame").filter(has_text="PTS range")
    grid.scroll_into_view_if_needed()
    place = grid.bounding_box()
    assert place is not None
    # The header is as high as a row; points come after the name (pinned) and the team.
    page.touchscreen.tap(place["x"] + 240, place["y"] + 36 + 17)
    why = main(page).get_by_role("heading", name=f"Why {float(first['PTS']):.1f} points")
    expect(why).to_contain_text(first["Player"])
    expect(main(page)).to_contain_text("More than")


def test_a_date_in_the_address_is_replayed_with_what_happened(
    site: Site, open_page: OpenPage
) -> None:
    from playwright.sync_api import expect

    page = open_page(f"{site.url}/?date=2024-01-15&games_table=true")
    expect(main(page)).to_contain_text("Replay · Monday 15 January 2024")
    expect(main(page)).to_contain_text("Data as of 14 Jan 2024, 1 day before this slate.")
    expect(main(page)).to_contain_text("computed from what was known before this date, not logged")
    expect(table(page, "Final")).to_be_attached()
    finals = {row["Home"]: row["Final"] for row in cells(table(page, "Final"))}
    assert finals["PHI"] == "115 – 124"
    assert len(finals) == 11
    players = table(page, "PTS actual")
    expect(players).to_be_attached()
    actual = {row["Player"]: row["PTS actual"] for row in cells(players)}
    assert actual["Kyrie Irving"] == "42"
    assert actual["Luka Dončić"] == "", "he did not play"


def test_a_typed_date_is_shown_and_stands_in_the_address(site: Site, open_page: OpenPage) -> None:
    from playwright.sync_api import expect

    page = open_page(site.url)
    expect(main(page)).to_contain_text("Tonight")
    page.get_by_role("spinbutton", name="year, Date").click()
    page.keyboard.type("20230301", delay=30)
    page.get_by_role("heading", name="Today's Games").click()
    expect(main(page)).to_contain_text("Replay · Wednesday 1 March 2023")
    expect(page).to_have_url(f"{site.url}/?date=2023-03-01")
    page.reload()
    expect(main(page)).to_contain_text("Replay · Wednesday 1 March 2023")


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("nonsense", "The date in the address is not a date; write it as 2026-11-20."),
        ("%3Cscript%3E", "is not a date"),
        ("2035-01-01", "outside what is known: Tuesday 27 October 2015 to Sunday 11 April 2027"),
    ],
)
def test_a_tampered_date_is_answered_and_tonight_shown(
    site: Site, open_page: OpenPage, text: str, answer: str
) -> None:
    from playwright.sync_api import expect

    page = open_page(f"{site.url}/?date={text}")
    expect(main(page)).to_contain_text("Tonight · Friday 20 November 2026")
    expect(main(page)).to_contain_text(answer)
    expect(table(page, "PTS")).to_be_attached()
    expect(page.get_by_test_id("stException")).to_have_count(0)


@pytest.mark.parametrize(
    ("day", "heading", "answer"),
    [
        ("2026-11-26", "Coming up · Thursday 26 November 2026", "There is no game on this date."),
        ("2024-07-20", "Replay · Saturday 20 July 2024", "outside every season that is known."),
    ],
)
def test_a_date_without_games_says_so(
    site: Site, open_page: OpenPage, day: str, heading: str, answer: str
) -> None:
    from playwright.sync_api import expect

    page = open_page(f"{site.url}/?date={day}")
    expect(main(page)).to_contain_text(heading)
    expect(main(page)).to_contain_text(answer)
    expect(page.get_by_role("button", name=re.compile("^Log "))).to_have_count(0)
    expect(page.get_by_test_id("stException")).to_have_count(0)


@pytest.mark.parametrize(
    ("zone", "tipoff", "logged"),
    [
        ("Australia/Sydney", "Sat 11:00 AM AEDT", "Logged 21 Nov 2026, 5:0"),
        ("America/New_York", "7:00 PM EST", "Logged 20 Nov 2026, 1:0"),
    ],
)
def test_times_are_the_viewers_and_the_slate_is_eastern(
    site: Site, open_page: OpenPage, zone: str, tipoff: str, logged: str
) -> None:
    from playwright.sync_api import expect

    page = open_page(site.url, timezone_id=zone)
    expect(main(page)).to_contain_text("Tonight · Friday 20 November 2026")
    expect(main(page)).to_contain_text(logged)
    expect(main(page)).to_contain_text(tipoff)


def test_a_phone_is_wide_enough(site: Site, open_page: OpenPage) -> None:
    from playwright.sync_api import expect

    page = open_page(
        site.url, viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True
    )
    for path in ("/", "/?date=2024-01-15", "/history"):
        page.goto(site.url + path)
        expect(page.get_by_test_id("stDownloadButton")).to_be_visible()
        widths = page.evaluate(
            "['html', 'body', '[data-testid=stMain]', '[data-testid=stMainBlockContainer]']"
            ".map(name => document.querySelector(name).scrollWidth)"
        )
        assert max(widths) <= 390, path
        expect(sidebar(page)).not_to_be_in_viewport()
    # The sidebar is folded away, and can be had.
    page.get_by_test_id("stExpandSidebarButton").tap()
    expect(sidebar(page)).to_contain_text("Saved to a folder on this machine")
    page.get_by_role("link", name="Today's Games").tap()
    expect(page.get_by_role("heading", name="Today's Games")).to_be_visible()


def test_who_prefers_dark_gets_dark(site: Site, open_page: OpenPage) -> None:
    from playwright.sync_api import expect

    page = open_page(site.url, color_scheme="dark")
    expect(main(page)).to_contain_text("saved as #2")
    expect(page.get_by_test_id("stApp")).to_have_css("background-color", DARK_BACKGROUND)


def test_a_wrong_flag_is_explained_on_every_page(tmp_path: Path, open_page: OpenPage) -> None:
    from playwright.sync_api import expect

    with running_site(tmp_path, None, arguments=(*OWNER, "--nwo")) as site:
        for path, heading in (("/", "Today's Games"), ("/history", "History")):
            page = open_page(site.url + path)
            expect(page.get_by_role("heading", name=heading)).to_be_visible()
            expect(main(page)).to_contain_text("This flag is not known.")
