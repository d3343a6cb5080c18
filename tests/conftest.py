"""Fixtures and hooks that every test shares."""

from __future__ import annotations

from tests.browser import browser, open_page
from tests.cli_fixtures import command, command_checkout, here, saved_evening
from tests.drill_fixtures import drills, writer
from tests.nba_fixtures import reference, reference_path
from tests.needs import (
    pytest_make_collect_report,
    pytest_runtest_makereport,
    pytest_terminal_summary,
)
from tests.page_fixtures import main_module, no_application_is_left
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
    "main_module",
    "ministack_endpoint",
    "moto_endpoint",
    "new_bucket",
    "no_ambient_aws",
    "no_application_is_left",
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
