"""The Usage page as a real page, on a bucket: what was asked of it, what lies there, the bill."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.axe import findings, told
from tests.browser import OpenPage, main, sidebar
from tests.screens import DARK, DESKTOP, LIGHT, PHONE, close_menu, settle
from tests.servers import raw_client
from tests.sites import Site, bucket_secrets, running_site

if TYPE_CHECKING:
    from playwright.sync_api import Page


@pytest.fixture(scope="module")
def site(
    tmp_path_factory: pytest.TempPathFactory, reference_path: Path, ministack_endpoint: str
) -> Iterator[Site]:
    """An app whose visitor is the owner, on a bucket with versioning."""
    client, bucket = raw_client(ministack_endpoint), "bucket-of-usage"
    client.create_bucket(Bucket=bucket)
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    secrets = bucket_secrets(ministack_endpoint, bucket)
    folder = tmp_path_factory.mktemp("usage")
    with running_site(folder, reference_path, secrets=secrets) as running:
        yield running


def opened(site: Site, open_page: OpenPage, **context: Any) -> Page:
    from playwright.sync_api import expect

    page = open_page(f"{site.url}/usage", **context)
    expect(page.get_by_role("heading", name="Usage", exact=True)).to_be_visible()
    expect(sidebar(page)).to_contain_text("Saved to S3 as #")
    expect(page.get_by_role("heading", name="What is stored")).to_be_visible()
    return page


def test_the_bill_and_what_is_stored(site: Site, open_page: OpenPage, tmp_path: Path) -> None:
    from playwright.sync_api import expect

    page = opened(site, open_page)
    expect(main(page)).to_contain_text("November so far")
    expect(main(page)).to_contain_text("Counted since 20 Nov 2026")
    expect(page.get_by_role("heading", name="The bill")).to_be_visible()
    expect(main(page)).to_contain_text("another service than Amazon's")
    expect(main(page)).to_contain_text("It is listed once a day")

    page.get_by_role("button", name="List it now").click()
    expect(main(page)).to_contain_text(" objects")
    expect(main(page)).to_contain_text("Listed 20 Nov 2026")
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download this chart's numbers as CSV").click()
    path = tmp_path / "days.csv"
    waiting.value.save_as(path)
    [head, *rows] = path.read_text(encoding="utf-8").splitlines()
    assert head == "day,operation,requests"
    counts = {row.split(",")[1]: int(row.split(",")[2]) for row in rows}
    assert counts.keys() == {"PUT", "LIST", "GET", "DELETE"}
    assert counts["PUT"] > 0 < counts["GET"]
    expect(page.get_by_test_id("stException")).to_have_count(0)


@pytest.mark.parametrize("context", [PHONE | DARK, DESKTOP | LIGHT], ids=("phone", "desktop"))
def test_it_fits_and_can_be_read(site: Site, open_page: OpenPage, context: dict[str, Any]) -> None:
    page = opened(site, open_page, **context)
    close_menu(page)
    settle(page)
    widths = page.evaluate(
        "['html', '[data-testid=stMain]', '[data-testid=stMainBlockContainer]']"
        ".map(name => document.querySelector(name).scrollWidth)"
    )
    assert max(widths) <= page.viewport_size["width"]  # type: ignore[index]
    found = findings(page)
    assert not found, told(found)
