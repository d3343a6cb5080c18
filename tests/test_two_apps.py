"""Two copies of the app on one store, a visitor before each: what one logs, the other shows.

A store that is away, or a proxy that holds requests back, makes sure that both have logged before
either can know of the other.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import apsw
import pytest

from benchmarks.network import Answer, Proxy, Request
from prediction_tracking import REPLICATED_TABLES
from replica.log import log_key
from replica.stores.folder import FolderStore
from replica.stores.s3 import S3Store
from tests.app_process import wait_for_entry
from tests.browser import OpenPage, follow, main, sidebar
from tests.servers import s3_options
from tests.sites import Site, bucket_secrets, running_site
from tracking.runs import CURRENT_RUNS

if TYPE_CHECKING:
    from playwright.sync_api import Page

    Rows = list[tuple[apsw.SQLiteValue, ...]]

TOGETHER_SECONDS = 25.0
"""Less than the app waits for an answer."""


class MeetingPlace(Proxy):
    """Lets claims of one sequence through once two different ones have come."""

    def __init__(self, upstream_url: str) -> None:
        super().__init__(upstream_url)
        self._sequence = 0
        self._claims: set[bytes] = set()
        self._changed = threading.Condition()

    def __enter__(self) -> MeetingPlace:
        super().__enter__()
        return self

    def meet_at(self, sequence: int) -> None:
        """Hold back claims of `sequence` from now on, and of no other."""
        with self._changed:
            self._sequence = sequence
            self._claims.clear()

    @property
    def have_met(self) -> bool:
        """True if two have claimed the sequence, and so neither knew of the other."""
        with self._changed:
            return len(self._claims) == 2

    def respond(self, request: Request) -> Answer | None:
        path = urlsplit(request.target).path
        with self._changed:
            if request.method == "PUT" and path.endswith("/" + log_key(self._sequence)):
                # A claim that is sent again has the same bytes.
                self._claims.add(request.body)
                self._changed.notify_all()
                self._changed.wait_for(lambda: len(self._claims) >= 2, TOGETHER_SECONDS)
        return self.forward(request)


def connected(site: Site) -> apsw.Connection:
    """The working copy of an app that has ended."""
    [path] = (site.checkout.parent / "state").rglob("nba_stats.db")
    return apsw.Connection(str(path), apsw.SQLITE_OPEN_READONLY)


def content(site: Site, entries: int) -> dict[str, Rows]:
    """Every row that the first entries of the log bring to everybody.

    What follows in a bucket is what each app has used of it, written as it ends.
    """
    with closing(connected(site)) as connection:
        rows = {
            table: connection.execute(f"SELECT * FROM {table}").fetchall()
            for table in (*REPLICATED_TABLES, "sync_conflicts")
            if table != "usage_days"
        }
        rows["replica_transactions"] = connection.execute(
            "SELECT transaction_id, sequence FROM replica_transactions WHERE sequence <= ?",
            (entries,),
        ).fetchall()
    return {table: sorted(found, key=repr) for table, found in rows.items()}


def current_runs(site: Site) -> Rows:
    """Run and log entry of what each slate shows."""
    sql = f"""
    WITH {CURRENT_RUNS}
    SELECT c.run_id, min(t.sequence) FROM current_runs AS c
    JOIN run_transactions AS l ON l.run_id = c.run_id
    JOIN replica_transactions AS t ON t.transaction_id = l.transaction_id
    GROUP BY c.run_id
    """
    with closing(connected(site)) as connection:
        return connection.execute(sql).fetchall()


def require_equal(sites: Sequence[Site], *, entries: int) -> dict[str, Rows]:
    """What both hold, row by row, which is all of a log of so many entries."""
    first, second = (content(site, entries) for site in sites)
    assert first == second
    assert first["sync_conflicts"] == []
    sequences = {sequence for _, sequence in first["replica_transactions"]}
    # The first entry begins the log and has no transaction.
    assert sequences == set(range(2, entries + 1))
    runs, predictions = first["runs"], first["predictions"]
    assert len(predictions) > 500 * len(runs), "every run is whole"
    return first


def require_one_current(sites: Sequence[Site], *, sequence: int) -> None:
    """The one slate shows the same run everywhere: the one that came last."""
    first, second = (current_runs(site) for site in sites)
    assert first == second
    assert [found for _, found in first] == [sequence]


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name).click()


def ask_for_news(page: Page) -> None:
    """Press the button on Sync, and return to today's games."""
    from playwright.sync_api import expect

    follow(page, "Sync")
    press(page, "Sync now")
    expect(main(page)).to_contain_text(re.compile("Sent or taken|Nothing was new"))
    follow(page, "Today's Games")
    expect(page.get_by_role("heading", name="Today's Games")).to_be_visible()


@pytest.mark.soak
def test_both_start_on_an_empty_bucket_and_log_tonight_at_once(
    tmp_path: Path,
    reference_path: Path,
    moto_endpoint: str,
    new_bucket: Callable[[str], str],
    open_page: OpenPage,
) -> None:
    from playwright.sync_api import expect

    bucket = new_bucket(moto_endpoint)
    store = S3Store(s3_options(moto_endpoint, bucket))
    with MeetingPlace(moto_endpoint) as proxy:
        proxy.meet_at(2)
        secrets = bucket_secrets(proxy.url, bucket)
        with (
            running_site(tmp_path / "one", reference_path, secrets=secrets) as one,
            running_site(tmp_path / "two", reference_path, secrets=secrets) as two,
        ):
            pages = [open_page(site.url) for site in (one, two)]
            for page in pages:
                expect(main(page)).to_contain_text("(automatic) · saved as #2")
                expect(sidebar(page)).to_contain_text(re.compile("Saved to S3 as #[23]"))
            wait_for_entry(store, 3)
            assert proxy.have_met

            # There is no timer here: nothing but the button asks the store for news.
            press(pages[0], "Log a revision")
            expect(main(pages[0])).to_contain_text("(revision) · saved as #4")
            expect(main(pages[1])).to_contain_text("(automatic) · saved as #2")
            ask_for_news(pages[1])
            expect(main(pages[1])).to_contain_text("(revision) · saved as #4")
            expect(sidebar(pages[1])).to_contain_text("Saved to S3 as #4")

            proxy.meet_at(5)
            for page in pages:
                press(page, "Log a revision")
            wait_for_entry(store, 6)
            assert proxy.have_met
            for page in pages:
                expect(main(page)).to_contain_text(re.compile(r"\(revision\) · saved as #[56]"))
                expect(sidebar(page)).to_contain_text(re.compile("Saved to S3 as #[56]"))
            for page in pages:
                ask_for_news(page)
            for page in pages:
                expect(main(page)).to_contain_text("(revision) · saved as #6")
                expect(sidebar(page)).to_contain_text("Saved to S3 as #6")
                expect(page.get_by_test_id("stException")).to_have_count(0)
    sites = (one, two)
    rows = require_equal(sites, entries=6)
    # Both have logged the same automatic run; each of the three revisions is one of its own.
    assert (len(rows["runs"]), len(rows["run_transactions"])) == (4, 5)
    require_one_current(sites, sequence=6)


@pytest.mark.soak
def test_both_revise_while_the_folder_is_away(
    tmp_path: Path, reference_path: Path, open_page: OpenPage
) -> None:
    from playwright.sync_api import expect

    shared, hidden = tmp_path / "shared", tmp_path / "unmounted"
    shared.mkdir()
    store = FolderStore(shared)
    # A tick every three seconds; nobody touches the pages to make them follow.
    environment = {"NBA_DAILY_STORE_DIR": str(shared), "NBA_DAILY_TIMER_MINUTES": "0.05"}
    with ExitStack() as running:
        sites = []
        for name in ("one", "two"):
            folder = tmp_path / name
            sites.append(
                running.enter_context(running_site(folder, reference_path, environment=environment))
            )
            # The second one finds tonight logged.
            wait_for_entry(store, 2, sites[0].app.log)
        pages = [open_page(site.url) for site in sites]
        for page in pages:
            expect(main(page)).to_contain_text("(automatic) · saved as #2")
        press(pages[0], "Log a revision")
        for page in pages:
            expect(main(page)).to_contain_text("(revision) · saved as #3")
            expect(sidebar(page)).to_contain_text("Saved to a folder on this machine as #3")
        assert [info.key for info in store.list("log/")] == [log_key(n) for n in (1, 2, 3)]

        shared.rename(hidden)
        for page in pages:
            press(page, "Log a revision")
        for page in pages:
            expect(main(page)).to_contain_text("(revision) · not saved yet")
        hidden.rename(shared)
        wait_for_entry(store, 5)
        for page in pages:
            expect(main(page)).to_contain_text("(revision) · saved as #5")
            expect(sidebar(page)).to_contain_text("Saved to a folder on this machine as #5")
            expect(page.get_by_test_id("stException")).to_have_count(0)
    rows = require_equal(sites, entries=5)
    assert len(rows["runs"]) == len(rows["run_transactions"]) == 4
    require_one_current(sites, sequence=5)
