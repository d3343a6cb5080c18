"""Fixtures and hooks that every test shares."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from tests.browser import browser, open_page
from tests.cli_fixtures import command, command_checkout, here, saved_evening
from tests.drill_fixtures import drills, writer
from tests.nba_fixtures import reference, reference_path
from tests.needs import (
    pytest_make_collect_report,
    pytest_runtest_makereport,
    pytest_terminal_summary,
)
from tests.replica_fixtures import clock, opened, store
from tests.store_fixtures import (
    ministack_endpoint,
    moto_endpoint,
    new_bucket,
    no_ambient_aws,
    shared_service_descriptions,
)

__all__ = [
    "browser",
    "clock",
    "command",
    "command_checkout",
    "drills",
    "here",
    "ministack_endpoint",
    "moto_endpoint",
    "new_bucket",
    "no_ambient_aws",
    "open_page",
    "opened",
    "pytest_make_collect_report",
    "pytest_runtest_makereport",
    "pytest_terminal_summary",
    "reference",
    "reference_path",
    "saved_evening",
    "shared_service_descriptions",
    "store",
    "writer",
]


@pytest.fixture(autouse=True)
def main_module() -> Iterator[None]:
    """A page that ran here stays Python's main module, and spawned processes would run it first."""
    main = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = main
