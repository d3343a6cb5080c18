"""Secrets that are pasted while the app runs count at once; half of them write nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from replica.stores.s3 import S3Store
from tests.app_process import wait_for_entry
from tests.browser import OpenPage, main, sidebar
from tests.servers import s3_options
from tests.sites import NOW, bucket_secrets, running_site, write_secrets

HALF = '[aws]\naccess_key_id = "AKIAHALF"\nregion = "us-east-1"\n'


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
        expect(sidebar(page)).to_contain_text("Saved to S3 as #2")
        expect(main(page)).to_contain_text("(automatic) · saved as #2")
        wait_for_entry(store, 2, site.app.log)

        write_secrets(site.checkout, "[aws\n")
        expect(sidebar(page)).to_contain_text("not valid TOML")
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
