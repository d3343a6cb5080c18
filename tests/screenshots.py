"""Pictures of every screen, with a fixed clock: `python -m tests.screenshots FOLDER`.

Each is taken whole, as desktop and phone, light and dark, named like `history-phone-dark.png`. With
`--readme` only the three that README shows are taken, as high as a window.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser import launched_browser, main
from tests.needs import require_chromium
from tests.screens import (
    DARK,
    DESKTOP,
    LIGHT,
    PHONE,
    SCREENS,
    Screen,
    settle,
    still,
    wait_until_restored,
    wear,
)
from tests.season_evening import play_ten_days, running_evening
from tests.sites import Site

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

DEVICES = {"desktop": DESKTOP, "phone": PHONE}
THEMES = {"light": LIGHT, "dark": DARK}
# Beyond that a page is a list, and its end looks like its middle.
HIGHEST_PIXELS = 6000


@dataclass(frozen=True, slots=True)
class ReadmePicture:
    """One picture of README: its file, and what it shows."""

    name: str
    screen: str
    device: str
    theme: str


README_PICTURES = (
    ReadmePicture("todays-games.png", "todays-games", "desktop", "light"),
    ReadmePicture("player.png", "player-rebounds", "desktop", "dark"),
    ReadmePicture("track-record.png", "track-record", "desktop", "light"),
)


def take_all(folder: Path, chromium: Browser, site: Site) -> Iterator[Path]:
    """Write every picture; yields each path once it is there."""
    for screen in SCREENS:
        for device, settings in DEVICES.items():
            page = _opened(chromium, site, screen, settings)
            for theme, worn in THEMES.items():
                wear(page, worn)
                _grow(page, settings)
                path = folder / f"{screen.name}-{device}-{theme}.png"
                path.write_bytes(still(page, path.name))
                yield path
            page.close()


def take_readmes(folder: Path, chromium: Browser, site: Site) -> Iterator[Path]:
    """Write the pictures of README; yields each path once it is there."""
    screens = {screen.name: screen for screen in SCREENS}
    for picture in README_PICTURES:
        settings = DEVICES[picture.device] | THEMES[picture.theme]
        page = _opened(chromium, site, screens[picture.screen], settings)
        path = folder / picture.name
        path.write_bytes(still(page, path.name))
        yield path
        page.close()


def _opened(chromium: Browser, site: Site, screen: Screen, settings: dict[str, Any]) -> Page:
    page = chromium.new_page(
        timezone_id="America/New_York", locale="en-US", reduced_motion="reduce", **settings
    )
    page.goto(site.url + screen.path)
    settle(page)
    screen.prepare(page)
    settle(page)
    return page


def _grow(page: Page, settings: dict[str, Any]) -> None:
    """Make the window as high as what is in it: a page scrolls inside itself."""
    width, least = settings["viewport"]["width"], settings["viewport"]["height"]
    height = int(main(page).evaluate("element => element.scrollHeight"))
    page.set_viewport_size({"width": width, "height": min(max(height, least), HIGHEST_PIXELS)})
    settle(page)


def run(arguments: Sequence[str]) -> int:
    """Take the pictures into the folder that is named; 0 done, 1 no browser, 2 wrong usage."""
    parser = argparse.ArgumentParser(prog="python -m tests.screenshots", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--readme", action="store_true", help="only the pictures of README")
    wanted = parser.parse_args(arguments)
    try:
        executable = require_chromium()
    except pytest.skip.Exception as reason:
        print(reason, file=sys.stderr)
        return 1
    wanted.folder.mkdir(parents=True, exist_ok=True)
    take = take_readmes if wanted.readme else take_all
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        evening = play_ten_days(scratch / "evening")
        toolbar = {"STREAMLIT_CLIENT_TOOLBAR_MODE": "minimal"}
        site = stack.enter_context(running_evening(scratch / "site", evening, environment=toolbar))
        chromium = stack.enter_context(launched_browser(executable))
        wait_until_restored(chromium, site.url)
        for path in take(wanted.folder, chromium, site):
            print(f"{path} ({path.stat().st_size // 1000} kB)", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
