"""Two copies of the app on one bucket, and somebody before each."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path

import apsw

from prediction_tracking import REPLICATED_TABLES
from replica.stores.s3 import S3Store
from tests.app_process import wait_for, wait_for_entry
from tests.browser import OpenPage, main, sidebar
from tests.servers import s3_options
from tests.sites import Site, bucket_secrets, running_site

# A tick every three seconds.
OFTEN = {"NBA_DAILY_TIMER_MINUTES": "0.05"}


def content(site: Site) -> dict[str, list[tuple[apsw.SQLiteValue, ...]]]:
    """Every row that must be the same in both.

    What each has used of the bucket it writes as it ends; the other has ended by then, or not.
    """
    [path] = site.store_folder.parent.rglob("nba_stats.db")
    tables = (*(set(REPLICATED_TABLES) - {"usage_days"}), "sync_conflicts")
    with closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)) as connection:
        return {
            table: sorted(connection.execute(f"SELECT * FROM {table}").fetchall(), key=repr)
            for table in tables
        }


def test_what_one_logs_the_other_shows_and_what_both_log_is_merged(
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
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
    with ExitStack() as running:
        sites, pages = [], []
        for folder in folders:
            # The second begins when the first has published its run: had both logged it by
            # themselves, there would be one more entry.
            site = running.enter_context(
                running_site(folder, reference_path, secrets=secrets, environment=OFTEN)
            )
            page = open_page(site.url)
            expect(main(page)).to_contain_text("(automatic) · saved as #2")
            sites.append(site)
            pages.append(page)
        one, two = sites

        pages[0].get_by_role("button", name="Log a revision").click()
        for page in pages:
            expect(main(page)).to_contain_text("(revision) · saved as #3")
            expect(sidebar(page)).to_contain_text("Saved to S3 as #3")

        # Neither waits for what the other does.
        for page in pages:
            page.get_by_role("button", name="Log a revision").click()
        for page in pages:
            expect(main(page)).to_contain_text("(revision) · saved as #5")
            expect(sidebar(page)).to_contain_text("Saved to S3 as #5")
            expect(page.get_by_test_id("stException")).to_have_count(0)
        wait_for_entry(store, 5)
        wait_for(lambda: len(store.list("csv/")) == 4, what="a readable copy of each run")
    rows = content(one)
    assert rows == content(two)
    assert len(rows["runs"]) == 4
    assert rows["sync_conflicts"] == []
    assert len(store.list("log/")) == 5 + 2, "one entry for each run, and one as each app ends"
