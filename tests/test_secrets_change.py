"""Secrets that are pasted while the app runs count at once; half of them write nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from replica.stores.s3 import S3Store
from tests.app_process import wait_for, wait_for_entry
from tests.browser import OpenPage, main, sidebar
from tests.servers import s3_options
from tests.sites import NOW, bucket_secrets, running_site, write_secrets

if TYPE_CHECKING:
    from playwright.sync_api import Page

HALF = '[aws]\naccess_key_id = "AKIAHALF"\nregion = "us-east-1"\n'


def wait_for_line(page: Page, text: str) -> None:
    """Wait until the sidebar says something; a page that has gone blank is loaded anew.

    In Streamlit 1.67 a refresh of the sidebar that overtakes a change of the whole page can leave
    nothing of the page.
    """
    from playwright.sync_api import TimeoutError as NotInTime

    def is_said() -> bool:
        try:
            sidebar(page).get_by_text(text).first.wait_for(timeout=20_000)
        except NotInTime:
            if not main(page).count():
                page.reload()
            return False
        return True

    wait_for(is_said, what=text)


def test_half_secrets_stop_writing_and_whole_ones_are_taken_up_without_a_restart(
    tmp_path: Path,
    reference_path: Path,
    moto_endpoint: str,
    new_bucket: Callable[[str], str],
    open_page: OpenPage,
) -> None:
    from playwright.sync_api import expect

    bucket = new_bucket(moto_endpoint)
    store = S3Store(s3_options(moto_endpoint, bucket))
    with running_site(tmp_path, reference_path, arguments=("--now", NOW), secrets=HALF) as site:
        page = open_page(site.url)
        expect(main(page)).to_contain_text("Tonight · Friday 20 November 2026")
        expect(main(page)).to_contain_text("Not logged: ")
        expect(sidebar(page)).to_contain_text("Not saved: the settings are incomplete")
        expect(sidebar(page)).to_contain_text("Missing: bucket_name, secret_access_key.")
        expect(page.locator("body")).not_to_contain_text("AKIAHALF")
        assert store.list("") == []
        assert not any(site.store_folder.iterdir()), "the folder is no way out"

        # Nobody touches the page.
        write_secrets(site.checkout, bucket_secrets(moto_endpoint, bucket))
        wait_for_line(page, "Saved to S3 as #2")
        expect(main(page)).to_contain_text("(automatic) · saved as #2")
        wait_for_entry(store, 2, site.app.log)

        write_secrets(site.checkout, "[aws\n")
        wait_for_line(page, "not valid TOML")
        expect(main(page)).to_contain_text("Not logged: ")


@pytest.mark.soak
def test_the_first_secrets_file_is_noticed(
    tmp_path: Path,
    reference_path: Path,
    moto_endpoint: str,
    new_bucket: Callable[[str], str],
    open_page: OpenPage,
) -> None:
    from playwright.sync_api import expect

    bucket = new_bucket(moto_endpoint)
    with running_site(tmp_path, reference_path, arguments=("--now", NOW)) as site:
        page = open_page(site.url)
        expect(sidebar(page)).to_contain_text("Saved to a folder on this machine as #2")
        write_secrets(site.checkout, bucket_secrets(moto_endpoint, bucket))
        expect(sidebar(page)).to_contain_text("Saved to S3")
        expect(sidebar(page)).not_to_contain_text("will be lost with this machine")
