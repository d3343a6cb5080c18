"""The store is pulled away while somebody is looking, and comes back."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.browser import OpenPage, main, sidebar, table
from tests.servers import create_bucket, free_port
from tests.sites import bucket_secrets, running_site

Away = Callable[[], AbstractContextManager[None]]


@dataclass(frozen=True, slots=True)
class Place:
    """Where the state is kept, how it goes away for a while, and what is then said."""

    secrets: str | None
    away: Away
    name: str
    answer: str
    remedy: str


@contextmanager
def moto_on(port: int) -> Iterator[None]:
    """moto on a fixed port; what is in its buckets outlives the server within this process."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
    server.start()
    try:
        yield
    finally:
        server.stop()


@pytest.fixture(params=[pytest.param("folder", marks=pytest.mark.soak), "bucket"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A store that can be taken away."""
    if request.param == "folder":
        store, hidden = tmp_path / "store", tmp_path / "unmounted"

        @contextmanager
        def folder_away() -> Iterator[None]:
            store.rename(hidden)
            try:
                yield
            finally:
                hidden.rename(store)

        yield Place(None, folder_away, "a folder on this machine", "refuses now", "Create it")
        return
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    port = free_port()
    with contextlib.ExitStack() as servers:
        servers.enter_context(moto_on(port))
        url = f"http://127.0.0.1:{port}"
        create_bucket(url, "away")

        @contextmanager
        def server_away() -> Iterator[None]:
            servers.close()
            try:
                yield
            finally:
                servers.enter_context(moto_on(port))

        yield Place(bucket_secrets(url, "away"), server_away, "S3", "does not answer", "network")


def test_the_page_goes_on_says_so_and_recovers_by_itself(
    place: Place, tmp_path: Path, reference_path: Path, open_page: OpenPage
) -> None:
    from playwright.sync_api import expect

    with running_site(tmp_path, reference_path, secrets=place.secrets) as site:
        page = open_page(site.url)
        expect(sidebar(page)).to_contain_text(f"Saved to {place.name} as #2")
        with place.away():
            page.get_by_role("button", name="Log a revision").click()
            expect(main(page)).to_contain_text("(revision) · not saved yet")
            expect(sidebar(page)).to_contain_text(
                f"Not saved yet: 1 write waiting, {place.name} {place.answer}"
            )
            expect(sidebar(page)).to_contain_text(place.remedy)
            page.get_by_role("link", name="History").click()
            expect(page.get_by_role("heading", name="History")).to_be_visible()
            expect(table(page, "Projected")).to_be_attached()
            expect(page.get_by_test_id("stDownloadButton")).to_be_visible()
            page.get_by_role("link", name="Today's Games").click()
            expect(main(page)).to_contain_text("(revision) · not saved yet")
            expect(page.get_by_test_id("stException")).to_have_count(0)
        expect(sidebar(page)).to_contain_text(f"Saved to {place.name} as #3", timeout=40_000)
        expect(main(page)).to_contain_text("(revision) · saved as #3")
