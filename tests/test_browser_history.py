"""History in the real page: filters, pages, downloads, and the import of results."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest

from tests.app_process import wait_for
from tests.browser import (
    OpenPage,
    Visitors,
    cells,
    choose,
    download,
    follow,
    main,
    row_count,
    table,
    wait_for_cells,
)
from tests.sites import Site, running_site

if TYPE_CHECKING:
    from playwright.sync_api import Page

REPLAYED = "2024-01-15"
HEADER = "game_date,player_name,points,rebounds,assists,threes,minutes\n"
GILGEOUS_ALEXANDER = "2026-11-20,Shai Gilgeous-Alexander,31,5,6,2,35\n"


@pytest.fixture(scope="module")
def site(
    tmp_path_factory: pytest.TempPathFactory, reference_path: Path, browser: Visitors
) -> Iterator[Site]:
    """An app with tonight's slate logged by itself, and a replay by its owner's button."""
    from playwright.sync_api import expect

    with running_site(tmp_path_factory.mktemp("site"), reference_path) as running:
        page = browser.chromium.new_page()
        page.goto(f"{running.url}/?date={REPLAYED}")
        page.get_by_role("button", name="Log this replay").click()
        expect(main(page)).to_contain_text("Logged as a replay")
        # The store has it soon, and the page says so by itself.
        expect(main(page)).to_contain_text(re.compile(r"Logged as a replay .* saved as #\d"))
        expect(page.get_by_role("button", name="Log this replay")).to_have_count(0)
        page.close()
        yield running


def total_rows(page: Page) -> int:
    """What the line above the table says."""
    from playwright.sync_api import expect

    line = main(page).get_by_text(re.compile(r"^Rows [\d,]+ to [\d,]+ of [\d,]+"))
    expect(line).to_be_visible()
    return int(line.inner_text().split(" of ")[1].split(",")[0].replace(",", ""))


def test_tonight_is_in_the_history_and_the_download_has_every_row(
    site: Site, open_page: OpenPage
) -> None:
    from playwright.sync_api import expect

    page = open_page(f"{site.url}/history")
    shown = table(page, "Projected")
    expect(shown).to_have_attribute("aria-rowcount", "201")
    assert {row["Date"] for row in cells(shown)} == {"2026-11-20"}
    button = page.get_by_test_id("stDownloadButton").get_by_role("button")
    rows = download(page, button.click)
    assert len(rows) > 500
    expect(button).to_have_text(re.compile(f"Download all {len(rows):,} rows"))
    assert {row["origin"] for row in rows} == {"live"}
    first = cells(shown)[0]
    assert first["Player"] == rows[0]["player_name"]
    assert float(first["Projected"]) == pytest.approx(float(rows[0]["mean"]), abs=0.001)


def test_pages_follow_each_other_and_stand_in_the_address(site: Site, open_page: OpenPage) -> None:
    from playwright.sync_api import expect

    page = open_page(f"{site.url}/history")
    expect(main(page)).to_contain_text("Rows 1 to 200 of")
    expect(page.get_by_role("button", name="Newer")).to_be_disabled()
    page.get_by_role("button", name="Older").click()
    expect(main(page)).to_contain_text("Rows 201 to 400 of")
    expect(page).to_have_url(re.compile(r"/history\?after="))
    shared = open_page(page.url)
    expect(main(shared)).to_contain_text("Rows 201 to 400 of")
    # A grid is drawn a little later than what stands above it.
    wait_for(
        lambda: cells(table(shared, "Projected")) == cells(table(page, "Projected")),
        what="the shared address to show the same rows",
    )
    # By key: a page can be turned without a pointer.
    page.get_by_role("button", name="Oldest").press("Enter")
    expect(page.get_by_role("button", name="Older")).to_be_disabled()
    total = total_rows(page)
    expect(main(page)).to_contain_text(f"Rows {total - 199:,} to {total:,} of {total:,}")
    page.get_by_role("button", name="Newer").click()
    expect(main(page)).to_contain_text(f"Rows {total - 399:,} to {total - 200:,} of {total:,}")
    choose(page, "Stat", "AST")
    expect(main(page)).to_contain_text("Rows 1 to")
    expect(page).to_have_url(f"{site.url}/history?stat=AST")
    expect(page.get_by_test_id("stException")).to_have_count(0)
    wait_for_cells(table(page, "Projected"), "Stat", {"AST"})


def test_the_history_as_parquet_has_the_rows_of_the_table(site: Site, open_page: OpenPage) -> None:
    from playwright.sync_api import expect

    page = open_page(f"{site.url}/history?player=gilgeous&file=Parquet")
    shown = table(page, "Projected")
    expect(shown).to_have_attribute("aria-rowcount", "6")
    button = page.get_by_test_id("stDownloadButton").get_by_role("button")
    expect(button).to_have_text(re.compile("Download all 5 rows as Parquet"))
    with page.expect_download() as waiting:
        button.press("Enter")
    assert waiting.value.suggested_filename == "nba-daily-history.parquet"
    rows = pq.read_table(waiting.value.path()).to_pylist()
    assert [row["player_name"] for row in rows] == [row["Player"] for row in cells(shown)]
    assert [row["mean"] for row in rows] == pytest.approx(
        [float(row["Projected"]) for row in cells(shown)], abs=0.001
    )


def test_filters_narrow_together_and_stand_in_the_address(site: Site, open_page: OpenPage) -> None:
    from playwright.sync_api import expect

    page = open_page(f"{site.url}/history")
    choose(page, "Origin", "Replay")
    expect(page).to_have_url(f"{site.url}/history?origin=Replay")
    player = page.get_by_role("textbox", name="Player")
    player.fill("davis")
    player.press("Enter")
    shown = table(page, "Projected")
    # Anthony Davis and one whose name begins like his, five stats each.
    expect(shown).to_have_attribute("aria-rowcount", "11")
    wait_for_cells(shown, "Date", {REPLAYED})
    team = page.get_by_role("textbox", name="Team")
    team.fill("lal")
    team.press("Enter")
    expect(shown).to_have_attribute("aria-rowcount", "6")
    wait_for_cells(shown, "Player", {"Anthony Davis"})
    points = next(row for row in cells(shown) if row["Stat"] == "PTS")
    assert points["Actual"] == "27"
    expect(page).to_have_url(f"{site.url}/history?origin=Replay&player=davis&team=lal")

    again = open_page(f"{page.url}&since=2024-01-16")
    expect(main(again)).to_contain_text("Nothing is logged that fits.")
    again.goto(f"{page.url}&since={REPLAYED}&until={REPLAYED}")
    expect(table(again, "Projected")).to_have_attribute("aria-rowcount", "6")


def test_a_tampered_address_is_answered_and_shows_the_newest_rows(
    site: Site, open_page: OpenPage
) -> None:
    from playwright.sync_api import expect

    page = open_page(
        f"{site.url}/history?origin=backtest&stat=steals&since=yesterday&until=0&replaced=x&after=0"
    )
    expect(main(page)).to_contain_text("Rows 1 to 200 of")
    for answer in (
        "The origin in the address is not there",
        "The stat in the address is not there",
        "The since in the address is not a date",
        "The until in the address is not a date",
        "The page in the address is not there",
    ):
        expect(main(page)).to_contain_text(answer)
    expect(page.get_by_test_id("stException")).to_have_count(0)
    expect(page).to_have_url(f"{site.url}/history")


def press_import(page: Page) -> None:
    """By key: while the box unfolds, the button moves away below a pointer."""
    from playwright.sync_api import expect

    button = page.get_by_role("button", name="Import", exact=True)
    # It is not while a file is on its way.
    expect(button).to_be_enabled()
    button.press("Enter")


def import_results(page: Page, name: str, content: bytes) -> None:
    box = page.get_by_test_id("stExpander").filter(has_text="Import results from CSV")
    if box.locator("details[open]").count() == 0:
        box.get_by_text("Import results from CSV").click()
    page.locator("input[type=file]").set_input_files(
        {"name": name, "mimeType": "text/csv", "buffer": content}
    )
    box.get_by_text(name, exact=True).first.wait_for()
    press_import(page)


def test_imported_results_stand_beside_their_projections(site: Site, open_page: OpenPage) -> None:
    from playwright.sync_api import expect

    page = open_page(f"{site.url}/history?player=gilgeous")
    shown = table(page, "Projected")
    expect(shown).to_have_attribute("aria-rowcount", "6")
    text = HEADER.replace("\n", ",remark\n") + GILGEOUS_ALEXANDER.replace("\n", ",good\n")
    import_results(page, "results.csv", text.encode("utf-8-sig"))
    expect(main(page)).to_contain_text("results.csv: 1 row read: ")
    expect(main(page)).to_contain_text("Columns not used: remark.")
    # The table is drawn anew after the import.
    wait_for_cells(shown, "Actual", {"31", "5", "6", "2", "35"})

    import_results(page, "again.csv", (HEADER + GILGEOUS_ALEXANDER * 2).encode())
    expect(main(page)).to_contain_text("again.csv: 2 rows read: 0 recorded, 0 corrected, 1 known")
    expect(main(page)).to_contain_text("Counted once: 1 repeated row.")


UNUSABLE = (
    ("other.csv", b"a,b\n1,2\n", "missing columns: player_id or player_name"),
    (
        "twice.csv",
        (HEADER + GILGEOUS_ALEXANDER + GILGEOUS_ALEXANDER.replace("31", "40")).encode(),
        "row 3: rows 2 and 3 give different results of Shai Gilgeous-Alexander",
    ),
    (
        "nobody.csv",
        (HEADER + "2026-11-20,Nobody Atall,9,1,1,1,20\n").encode(),
        "row 2: no player is called 'Nobody Atall'",
    ),
    ("picture.csv", b"\x89PNG\r\n\x1a\n\x00\xff\xfe", "picture.csv is not CSV text in UTF-8"),
    ("empty.csv", b"", "empty.csv is not CSV text in UTF-8"),
)


def test_files_that_cannot_be_taken_are_explained_and_change_nothing(
    site: Site, open_page: OpenPage
) -> None:
    from playwright.sync_api import expect

    page = open_page(f"{site.url}/history?player=gilgeous&stat=PTS")
    expect(table(page, "Projected")).to_have_attribute("aria-rowcount", "2")
    before = cells(table(page, "Projected"))
    for name, content, answer in UNUSABLE:
        import_results(page, name, content)
        expect(main(page)).to_contain_text(answer)
        expect(page.get_by_test_id("stException")).to_have_count(0)
    assert cells(table(page, "Projected")) == before


def test_importing_without_a_file_asks_for_one(site: Site, open_page: OpenPage) -> None:
    from playwright.sync_api import expect

    page = open_page(f"{site.url}/history")
    expect(table(page, "Projected")).to_be_attached()
    page.get_by_text("Import results from CSV").click()
    press_import(page)
    expect(main(page)).to_contain_text("Choose a file first.")
    assert row_count(table(page, "Projected")) == min(200, total_rows(page))


def test_what_was_chosen_on_another_page_does_not_narrow_the_history(
    site: Site, open_page: OpenPage
) -> None:
    from playwright.sync_api import expect

    page = open_page(site.url)
    expect(page.get_by_role("heading", name="Today's Games")).to_be_visible()
    expect(page.get_by_test_id("stDownloadButton").first).to_be_visible()
    follow(page, "History")
    expect(main(page)).to_contain_text("Rows 1 to 200 of")
    total = total_rows(page)
    page.get_by_role("button", name="Older").click()
    expect(main(page)).to_contain_text(f"Rows 201 to 400 of {total:,}")
