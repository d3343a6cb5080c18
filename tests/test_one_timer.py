"""One timer and one publisher in the process, whatever visitors, cache and code do."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.app_process import wait_for
from tests.browser import OpenPage, main, sidebar
from tests.sites import Site, running_site

# Looked at from outside: the process itself only writes down what its threads are doing.
WRITES_STACKS = """
import faulthandler, os, signal
faulthandler.register(signal.SIGUSR1, file=open(os.environ["STACKS"], "a"), all_threads=True)
"""
TIMER = re.compile(r'File ".*apscheduler/schedulers/blocking\.py", line \d+ in _main_loop')
PUBLISHER = re.compile(r'File ".*/replica/publisher\.py", line \d+ in _run$')


@dataclass(frozen=True, slots=True)
class Watched:
    """A running app whose threads can be counted."""

    site: Site
    stacks: Path

    def loops(self) -> tuple[int, int]:
        """How many threads are in the timer's loop and in the publisher's."""
        before = self.stacks.stat().st_size
        os.kill(self.site.app.process.pid, signal.SIGUSR1)

        def written() -> str:
            # The main thread comes last, and this is where it began.
            text = self.stacks.read_bytes()[before:].decode()
            return text if text.rstrip().endswith("in _run_module_as_main") else ""

        text = wait_for(written, what="the stacks", log=self.stacks.read_text)
        lines = text.splitlines()
        return (
            sum(bool(TIMER.search(line)) for line in lines),
            sum(bool(PUBLISHER.search(line)) for line in lines),
        )


@pytest.fixture
def watched(tmp_path: Path, reference_path: Path) -> Iterator[Watched]:
    """An app with its timer on."""
    startup = tmp_path / "startup"
    startup.mkdir()
    (startup / "sitecustomize.py").write_text(WRITES_STACKS)
    stacks = tmp_path / "stacks.txt"
    stacks.touch()
    with running_site(
        tmp_path,
        reference_path,
        environment={
            "PYTHONPATH": str(startup),
            "STACKS": str(stacks),
            "NBA_DAILY_TIMER_MINUTES": "5",
            "STREAMLIT_SERVER_RUN_ON_SAVE": "true",
        },
    ) as site:
        yield Watched(site, stacks)


def push_code(checkout: Path, module: str, button: str) -> None:
    """Change a module as an update does, and what a page says, so that its rerun can be seen."""
    path = checkout / module
    path.write_text(f"{path.read_text()}\n# {button}\n")
    view = checkout / "ui" / "slate_players.py"
    view.write_text(re.sub(r'"Download [^"]*"', f'"Download {button}"', view.read_text()))


@pytest.mark.soak
@pytest.mark.timeout(400)
def test_visitors_a_cleared_cache_and_new_code_leave_one_of_each(
    watched: Watched, open_page: OpenPage
) -> None:
    from playwright.sync_api import expect

    site = watched.site
    pages = [open_page(site.url + path) for path in ("/", "/?date=2024-01-15", "/?date=2023-03-01")]
    for page in pages:
        expect(page.get_by_test_id("stDownloadButton")).to_be_visible()
        expect(sidebar(page)).to_contain_text("as #2")
    assert watched.loops() == (1, 1)

    first = pages[0]
    first.get_by_test_id("stMainMenu").click()
    first.get_by_text("Clear cache").click()
    first.get_by_role("dialog").get_by_role("button", name="Clear caches").click()
    expect(first.get_by_role("dialog")).to_have_count(0)
    first.get_by_role("button", name="Log a revision").click()
    expect(main(first)).to_contain_text("(revision) · saved as #3")
    assert watched.loops() == (1, 1)

    for module in ("nba/seasons.py", "ui/runtime.py"):
        push_code(site.checkout, module, f"after {module}")
        for page in pages:
            expect(page.get_by_test_id("stDownloadButton")).to_have_text(
                re.compile(f"after {module}")
            )
            expect(sidebar(page)).to_contain_text("Saved to a folder on this machine as #3")
            expect(page.get_by_test_id("stException")).to_have_count(0)
        assert watched.loops() == (1, 1), f"after a change of {module}"
    first.get_by_role("button", name="Log a revision").click()
    expect(main(first)).to_contain_text("(revision) · saved as #4")
