"""What some tests need from the machine: a browser, npm, a database server, command line tools.

`require_chromium()` and its like return the program's path. Where it is missing the test is skipped
and the install line is printed once at the end of the run. Where `CI` is set, a skipped test has
failed: nobody reads a green run for the tests it left out.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter

__all__ = [
    "pytest_make_collect_report",
    "pytest_runtest_makereport",
    "pytest_terminal_summary",
    "require_chromium",
    "require_npm",
    "require_postgres",
    "require_sqlite_shell",
    "require_zstd",
]

MARK = "needs "


def require_chromium() -> Path:
    """Path of a Chromium or Chrome: `CHROMIUM` if set, else the first known name on the path."""
    named = os.environ.get("CHROMIUM", "")
    if named:
        if not Path(named).is_file():
            pytest.fail(f"CHROMIUM names {named}, where there is no file")
        return Path(named)
    return _require(
        "Chromium",
        ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"],
        ["/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"],
        debian="chromium",
        macos="--cask google-chrome",
    )


def require_npm() -> Path:
    """Path of npm."""
    return _require("npm", ["npm"], [], debian="npm", macos="node")


def require_postgres() -> Path:
    """Path of PostgreSQL's `postgres`, which Debian keeps off the path."""
    installed = [str(path) for path in sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))]
    return _require(
        "PostgreSQL", ["postgres"], installed[::-1], debian="postgresql", macos="postgresql"
    )


def require_sqlite_shell() -> Path:
    """Path of SQLite's command line tool."""
    return _require("sqlite3", ["sqlite3"], [], debian="sqlite3", macos="sqlite")


def require_zstd() -> Path:
    """Path of zstd."""
    return _require("zstd", ["zstd"], [], debian="zstd", macos="zstd")


def _require(title: str, names: list[str], places: list[str], *, debian: str, macos: str) -> Path:
    for name in names:
        found = shutil.which(name)
        if found:
            return Path(found)
    for place in places:
        if Path(place).is_file():
            return Path(place)
    pytest.skip(
        f"{MARK}{title}: sudo apt-get install {debian} (Debian), brew install {macos} (macOS)"
    )


def runs_in_ci() -> bool:
    """True where `CI` is set to anything but nothing, 0 or false."""
    return os.environ.get("CI", "").lower() not in {"", "0", "false"}


def _skip_reason(longrepr: object) -> str:
    if isinstance(longrepr, tuple) and len(longrepr) == 3:
        return str(longrepr[2]).removeprefix("Skipped: ")
    return str(longrepr)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skipped test into a failed one where `CI` is set."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and runs_in_ci():
        report.outcome = "failed"
        report.longrepr = f"Skipped, which CI does not accept: {_skip_reason(report.longrepr)}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Turn a skipped module into a failed one where `CI` is set."""
    report = yield
    if report.outcome == "skipped" and runs_in_ci():
        report.outcome = "failed"
        report.longrepr = f"Skipped, which CI does not accept: {_skip_reason(report.longrepr)}"
    return report


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """Print each install line once, with the number of tests that wait for it."""
    waiting: dict[str, int] = {}
    for report in terminalreporter.stats.get("skipped", []):
        reason = _skip_reason(report.longrepr)
        if reason.startswith(MARK):
            waiting[reason] = waiting.get(reason, 0) + 1
    if waiting:
        terminalreporter.section("skipped here")
        for reason, tests in sorted(waiting.items()):
            terminalreporter.write_line(f"{tests} skipped, {reason}")
