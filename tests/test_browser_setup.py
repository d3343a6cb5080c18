"""The Setup page as a real page: examine a bucket, mend what is wrong, take the policy home."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.iam_policy import policy_document
from replica.stores.s3 import S3Options
from tests.browser import OpenPage, main, sidebar
from tests.servers import REGION, raw_client
from tests.sites import NOW, bucket_secrets, running_site


@pytest.mark.usefixtures("no_ambient_aws")
def test_examine_mend_and_examine_again(
    tmp_path: Path,
    reference_path: Path,
    open_page: OpenPage,
    ministack_endpoint: str,
    new_bucket: Callable[[str], str],
) -> None:
    from playwright.sync_api import expect

    bucket = new_bucket(ministack_endpoint)
    secrets = bucket_secrets(ministack_endpoint, bucket)
    with running_site(tmp_path, reference_path, secrets=secrets) as site:
        page = open_page(f"{site.url}/setup")
        expect(page.get_by_role("heading", name="Setup", exact=True)).to_be_visible()
        expect(sidebar(page)).to_contain_text("Saved to S3 as #")
        expect(main(page)).to_contain_text(f"the bucket {bucket}")

        page.get_by_role("button", name="Examine").click()
        expect(main(page)).to_contain_text("Versioning is off")
        expect(main(page)).to_contain_text("To mend it: Enable Bucket Versioning")
        expect(page.get_by_role("table").last).to_contain_text("Creating only once")

        raw_client(ministack_endpoint).put_bucket_versioning(
            Bucket=bucket, VersioningConfiguration={"Status": "Enabled"}
        )
        page.get_by_role("button", name="Examine").click()
        expect(main(page)).not_to_contain_text("Versioning is off")
        expect(page.get_by_role("table").last).to_contain_text("can be had back")

        with page.expect_download() as waiting:
            page.get_by_role("button", name="Download the policy").click()
        path = tmp_path / "policy.json"
        waiting.value.save_as(path)
        options = S3Options(bucket, REGION, endpoint_url=ministack_endpoint)
        assert json.loads(path.read_text()) == policy_document(options)
        expect(page.get_by_test_id("stException")).to_have_count(0)


def test_a_visitor_sees_nothing_of_the_settings(
    tmp_path: Path, reference_path: Path, open_page: OpenPage
) -> None:
    from playwright.sync_api import expect

    with running_site(tmp_path, reference_path, arguments=("--now", NOW)) as site:
        page = open_page(f"{site.url}/setup")
        expect(main(page)).to_contain_text("This page is the owner's.")
        expect(main(page).get_by_role("button")).to_have_count(0)
        expect(main(page).get_by_role("table")).to_have_count(0)
        assert str(site.store_folder) not in page.content()
