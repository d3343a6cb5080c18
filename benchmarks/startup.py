"""What a start costs, in a real process with a headless browser: `python benchmarks/startup.py`.

Seconds until a page can be used (tonight's players are on screen and can be downloaded), cold
(nothing built) and warm, and the process's peak memory through a cold start, the restore from a
bucket, tonight's slate, the download of the whole history and three visitors at once. Writes
startup.json beside this file.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parent.parent))

from replica.stores.s3 import S3Store
from tests.app_process import CHECKOUT, AppProcess, clone, running_app, wait_for_entry
from tests.browser import launched_browser, sidebar
from tests.needs import require_chromium
from tests.servers import create_bucket, moto_server, s3_options
from tests.sites import NOW, bucket_secrets, write_secrets

if TYPE_CHECKING:
    from playwright.sync_api import Browser

BUDGET_MB = 450
VISITORS = 3
REPLAYS = ("2024-01-15", "2024-11-20")


def memory_mb(app: AppProcess, what: str) -> int:
    """VmHWM (the peak so far) or VmRSS (now) of the app's process, in MB of 10^6 bytes."""
    status = Path(f"/proc/{app.process.pid}/status").read_text(encoding="utf-8")
    [line] = [line for line in status.splitlines() if line.startswith(what)]
    return round(int(line.split()[1]) * 1024 / 1e6)


def seconds_to_page(chromium: Browser, app: AppProcess, started: float) -> float:
    """Seconds from the start of the process until tonight is on screen and can be downloaded."""
    page = chromium.new_page()
    page.goto(app.url)
    page.get_by_test_id("stDownloadButton").wait_for(timeout=120_000)
    elapsed = time.monotonic() - started
    page.close()
    return round(elapsed, 1)


def measure(folder: Path) -> dict[str, object]:
    """The figures, from one life with an empty bucket, one wiped and restored, and one warm."""
    figures: dict[str, object] = {}
    peaks: dict[str, int] = {}
    with ExitStack() as stack:
        chromium = stack.enter_context(launched_browser(require_chromium()))
        endpoint = stack.enter_context(moto_server())
        create_bucket(endpoint, "startup")
        store = S3Store(s3_options(endpoint, "startup"))

        def life(name: str, use: Callable[[AppProcess], None]) -> float:
            """Start a clone of its own, or the one that is there; seconds to the first page."""
            checkout = folder / name
            if not checkout.exists():
                clone(checkout)
                write_secrets(checkout, bucket_secrets(endpoint, "startup"))
            started = time.monotonic()
            with running_app(
                checkout,
                folder / f"{name}.log",
                environment={"NBA_DAILY_TIMER_MINUTES": "5"},
                arguments=("--local-owner", "--now", NOW),
            ) as app:
                elapsed = seconds_to_page(chromium, app, started)
                use(app)
                app.terminate()
            return elapsed

        def log_replays(app: AppProcess) -> None:
            wait_for_entry(store, 2, app.log)
            page = chromium.new_page()
            for number, day in enumerate(REPLAYS, start=3):
                page.goto(f"{app.url}/?date={day}")
                page.get_by_role("button", name="Log this replay").click()
                wait_for_entry(store, number, app.log)
            page.close()
            peaks["cold start, logging and three uploads"] = memory_mb(app, "VmHWM")

        def use_everything(app: AppProcess) -> None:
            page = chromium.new_page()
            page.goto(f"{app.url}/history?origin=Replay")
            sidebar(page).get_by_text("Saved to S3 as #").wait_for(timeout=60_000)
            peaks["cold start, restore and slate"] = memory_mb(app, "VmHWM")
            button = page.get_by_test_id("stDownloadButton")
            button.wait_for()
            with page.expect_download() as waiting:
                button.get_by_role("button").click()
            rows = Path(waiting.value.path()).read_text(encoding="utf-8").count("\n") - 1
            figures["exported_rows"] = rows
            peaks["and export of the history"] = memory_mb(app, "VmHWM")
            visitors = [chromium.new_page() for _ in range(VISITORS)]
            paths = ("/", "/history", "/?date=2023-03-01")
            for visitor, path in zip(visitors, paths, strict=True):
                visitor.goto(app.url + path)
            for visitor in visitors:
                visitor.get_by_test_id("stDownloadButton").wait_for(timeout=60_000)
            peaks["and three visitors"] = memory_mb(app, "VmHWM")
            figures["resident_at_the_end_mb"] = memory_mb(app, "VmRSS")

        figures["cold_seconds"] = life("first", log_replays)
        figures["cold_with_restore_seconds"] = life("second", use_everything)
        figures["warm_seconds"] = life("second", lambda app: None)
    figures["peak_mb"] = max(peaks.values())
    figures["peak_mb_after"] = peaks
    return figures


def main() -> int:
    """Measure, print and write; 1 if the peak is above the budget."""
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(Path(folder))
    figures["budget_mb"] = BUDGET_MB
    figures["machine"] = (
        f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"
    )
    text = json.dumps(figures, indent=2)
    print(text)
    (CHECKOUT / "benchmarks" / "startup.json").write_text(text + "\n", encoding="utf-8")
    peak = max(memory for memory in [figures["peak_mb"]] if isinstance(memory, int))
    return int(peak > BUDGET_MB)


if __name__ == "__main__":
    sys.exit(main())
