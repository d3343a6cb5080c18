"""Pictures of every screen, with a fixed clock: `python -m tests.screenshots FOLDER`.

`todays-games.png` is the one that README shows.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from nba.reference import build_reference
from replica import ObjectInfo, PutMode
from replica.stores.folder import FolderStore
from tests.app_process import CHECKOUT, wait_for, wait_for_entry
from tests.applications import published, running, settings_for, use_store
from tests.browser import launched_browser, main, sidebar
from tests.needs import require_chromium
from tests.sites import NOW, Site, running_site

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

DESKTOP: dict[str, Any] = {"viewport": {"width": 1280, "height": 1200}}
TALL: dict[str, Any] = {"viewport": {"width": 1280, "height": 1500}}
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 2,
    "is_mobile": True,
    "has_touch": True,
}
DARK: dict[str, Any] = {"color_scheme": "dark"}
REPLAYED = "2024-01-15"
EVENING = datetime.fromisoformat(NOW)


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture: which address, in which kind of browser, and whether the menu is opened."""

    name: str
    path: str
    context: dict[str, Any] = field(default_factory=dict)
    with_sidebar: bool = False


PICTURES = (
    Picture("todays-games", "/", DESKTOP),
    Picture("todays-games-dark", "/", DESKTOP | DARK),
    Picture("todays-games-phone", "/", PHONE),
    Picture("todays-games-phone-sidebar", "/", PHONE | DARK, with_sidebar=True),
    Picture("replay", f"/?date={REPLAYED}", TALL),
    Picture("no-games", "/?date=2026-11-26", DESKTOP),
    Picture("history", "/history", DESKTOP),
    Picture("history-replay", "/history?origin=Replay", TALL),
    Picture("history-replay-dark", "/history?origin=Replay", DESKTOP | DARK),
    Picture("lines", "/lines", DESKTOP),
    Picture("lines-phone", "/lines", PHONE | DARK),
    Picture("history-phone", "/history?origin=Replay", PHONE | DARK),
)


class EveningStore(FolderStore):
    """A folder whose clock stands at the pictures' time; every file of it is as old as that."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._path_of_files = path

    def put(self, key: str, body: bytes, mode: PutMode) -> ObjectInfo:
        info = super().put(key, body, mode)
        os.utime(self._path_of_files / key, (EVENING.timestamp(), EVENING.timestamp()))
        return replace(info, modified_at=EVENING)


def log_tonight(store: Path, reference: Path, scratch: Path) -> None:
    """Log tonight's slate as the app does, and as if it had been that evening.

    The store's clock is today's otherwise, and what is stored after the tip-off does not count.
    """
    settings = settings_for(scratch, reference, store)
    with pytest.MonkeyPatch.context() as patched:
        use_store(patched, EveningStore(store))
        with running(settings, lambda: EVENING) as application:
            published(application)


def take(folder: Path, chromium: Browser, reference: Path, scratch: Path) -> list[Path]:
    """Run the app and write the pictures; their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    store = scratch / "store"
    log_tonight(store, reference, scratch / "logging")
    # Another machine, which restores.
    settings = {"STREAMLIT_CLIENT_TOOLBAR_MODE": "minimal", "NBA_DAILY_STORE_DIR": str(store)}
    with running_site(scratch / "site", reference, environment=settings) as site:
        page = chromium.new_page()
        page.goto(f"{site.url}/?date={REPLAYED}")
        page.get_by_role("button", name="Log this replay").click()
        wait_for_entry(FolderStore(store), 3)
        page.close()
        return [_take_one(folder, chromium, site, picture) for picture in PICTURES]


def _take_one(folder: Path, chromium: Browser, site: Site, picture: Picture) -> Path:
    page = chromium.new_page(timezone_id="America/New_York", locale="en-US", **picture.context)
    page.goto(site.url + picture.path)
    _settle(page)
    if picture.with_sidebar:
        page.get_by_test_id("stExpandSidebarButton").tap()
        page.get_by_test_id("stSidebarCollapseButton").wait_for()
    path = folder / f"{picture.name}.png"
    # Nothing on screen moves any more once two pictures in a row are alike.
    shots = [page.screenshot()]

    def is_still() -> bool:
        shots.append(page.screenshot())
        return shots[-1] == shots[-2]

    wait_for(is_still, what=f"{picture.name} to stand still")
    path.write_bytes(shots[-1])
    page.close()
    return path


def _settle(page: Page) -> None:
    sidebar(page).get_by_text("Saved to a folder on this machine as #3").wait_for(state="attached")
    main(page).get_by_role("heading", level=1).wait_for()
    # The last thing that a page draws, or the reason why there is nothing more.
    main(page).locator("[data-testid=stDownloadButton], [data-testid=stAlert]").first.wait_for()
    page.locator("[data-testid=stSkeleton]").first.wait_for(state="detached")


def run(arguments: Sequence[str]) -> int:
    """Take the pictures into the folder that is named; 0 done, 1 no browser, 2 wrong usage."""
    if len(arguments) != 1:
        print("Usage: python -m tests.screenshots FOLDER", file=sys.stderr)
        return 2
    try:
        executable = require_chromium()
    except pytest.skip.Exception as reason:
        print(reason, file=sys.stderr)
        return 1
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        reference = build_reference(CHECKOUT / "data", scratch / "reference.db")
        chromium = stack.enter_context(launched_browser(executable))
        for path in take(Path(arguments[0]), chromium, reference, scratch):
            print(f"{path} ({path.stat().st_size // 1000} kB)")
    return 0


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
