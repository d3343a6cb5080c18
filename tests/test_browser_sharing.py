"""Sharing as real pages, on a bucket: a slate is shared, its link downloads, and is ended."""

from __future__ import annotations

import csv
import io
import re
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.browser import OpenPage, choose, main, sidebar, wait_until_drawn
from tests.sites import NOW, bucket_secrets, running_site

SIGNED = re.compile("X-Amz-Signature=")


def fetch(address: str) -> tuple[int, dict[str, str], str]:
    """Status, headers and text of a plain GET, as anybody's program sends it."""
    try:
        with urllib.request.urlopen(address, timeout=10) as answer:
            return answer.status, dict(answer.headers), answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, {}, ""


@pytest.mark.usefixtures("no_ambient_aws")
def test_share_a_slate_read_it_by_its_link_and_revoke_it(
    tmp_path: Path,
    reference_path: Path,
    open_page: OpenPage,
    ministack_endpoint: str,
    new_bucket: Callable[[str], str],
) -> None:
    from playwright.sync_api import expect

    secrets = bucket_secrets(ministack_endpoint, new_bucket(ministack_endpoint))
    # By the real time, which a signature bears; so a slate of the past, which is there on any day.
    arguments = ("--local-owner",)
    with running_site(tmp_path, reference_path, secrets=secrets, arguments=arguments) as site:
        page = open_page(f"{site.url}/?date=2024-01-15")
        expect(sidebar(page)).to_contain_text("Saved to S3 as #")
        main(page).get_by_text("Share", exact=True).click()
        choose(page, "Format", "CSV")
        choose(page, "The link works for", "6 hours")
        page.get_by_role("button", name="Share it").click()
        expect(main(page)).to_contain_text("Made: Replay of 15 Jan 2024 (CSV): ")
        expect(main(page)).to_contain_text("can download the file until")
        link = main(page).get_by_test_id("stCode").filter(has_text=SIGNED)
        expect(link).to_have_count(1)
        address = link.inner_text().strip()
        assert "X-Amz-Expires=21" in address
        assert SIGNED.search(page.url) is None

        status, headers, text = fetch(address)
        assert status == 200
        assert 'filename="nba-daily-replay-2024-01-15.csv"' in headers["Content-Disposition"]
        rows = list(csv.DictReader(io.StringIO(text)))
        assert {row["slate_date"] for row in rows} == {"2024-01-15"}
        assert len({row["player_id"] for row in rows}) == len(rows) > 100
        assert fetch(address.replace("15.csv", "16.csv"))[0] == 403

        page.get_by_role("link", name="All that was made: Sharing").click()
        expect(page.get_by_role("heading", name="Sharing", exact=True)).to_be_visible()
        expect(main(page)).to_contain_text("In the store now: 1 export, together ")
        # Another visit, or page, knows nothing of a link that was given.
        expect(link).to_have_count(0)
        choose(page, "The link works for", "1 hour")
        page.get_by_role("button", name="New link").click()
        expect(link).to_have_count(1)
        second = link.inner_text().strip()
        assert fetch(second)[0] == 200

        revoke = page.get_by_role("button", name="Revoke")
        expect(revoke).to_be_disabled()
        main(page).get_by_text("Delete it from the store").click()
        expect(revoke).to_be_enabled()
        revoke.click()
        expect(main(page)).to_contain_text("Revoked: Replay of 15 Jan 2024.")
        expect(link).to_have_count(0)
        expect(main(page)).to_contain_text("In the store now: 0 exports")
        assert fetch(address)[0] == fetch(second)[0] == 404
        wait_until_drawn(page)
        expect(page.get_by_test_id("stException")).to_have_count(0)
    assert "X-Amz-Signature" not in site.app.log()


def test_a_visitor_is_told_to_sign_in(
    tmp_path: Path, reference_path: Path, open_page: OpenPage
) -> None:
    from playwright.sync_api import expect

    with running_site(tmp_path, reference_path, arguments=("--now", NOW)) as site:
        # The address itself, in a process that nobody has asked for anything yet.
        page = open_page(f"{site.url}/sharing")
        expect(main(page)).to_contain_text("This page is the owner's.")
        expect(main(page).get_by_role("button")).to_have_count(0)
        expect(sidebar(page).get_by_role("link", name="Sharing", exact=True)).to_have_count(0)
