"""A deployment with nothing but a bucket: the first stranger's visit is enough."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from replica.log import log_key
from replica.stores.s3 import S3Store
from tests.app_process import wait_for, wait_for_entry
from tests.browser import OpenPage, main, sidebar
from tests.servers import SECRET_ACCESS_KEY, s3_options
from tests.sites import NOW, bucket_secrets, running_site


def test_a_strangers_visit_before_tipoff_leaves_tonight_in_the_bucket(
    tmp_path: Path,
    reference_path: Path,
    moto_endpoint: str,
    new_bucket: Callable[[str], str],
    open_page: OpenPage,
) -> None:
    from playwright.sync_api import expect

    bucket = new_bucket(moto_endpoint)
    store = S3Store(s3_options(moto_endpoint, bucket))
    secrets = bucket_secrets(moto_endpoint, bucket)
    with running_site(tmp_path, reference_path, arguments=("--now", NOW), secrets=secrets) as site:
        page = open_page(site.url)
        wait_for_entry(store, 2, site.app.log)
        expect(main(page)).to_contain_text("(automatic) · saved as #2")
        expect(sidebar(page)).to_contain_text("Saved to S3 as #2")
        wait_for(lambda: store.list("csv/game_date=2026-11-20/"), what="the readable copy")

        # What the visitor's browser was sent, on each page, says nothing of the place.
        for path, last in (
            ("/", page.get_by_test_id("stDownloadButton").first),
            ("/history", page.get_by_test_id("stDownloadButton").first),
            ("/sync", main(page).get_by_text("The log was last reached on")),
        ):
            page.goto(site.url + path)
            expect(last).to_be_visible()
            sidebar(page).get_by_text("Owner", exact=True).click()
            expect(sidebar(page)).to_contain_text("No owner is configured")
            sent = page.content()
            for hidden in (bucket, urlsplit(moto_endpoint).netloc, str(tmp_path)):
                assert hidden not in sent
            assert f'"{SECRET_ACCESS_KEY}"' not in sent
        assert bucket not in site.app.log()
    [csv] = store.list("csv/")
    text = store.get(csv.key).body.decode()
    assert text.count("\n") > 500
    # The slate, and what the app says in the end of its use of the bucket.
    assert [info.key for info in store.list("log/")] == [log_key(number) for number in (1, 2, 3)]
    assert not (tmp_path / "store").joinpath("log").exists(), "the folder is not used"
