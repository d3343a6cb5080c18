"""The whole app at awkward moments: what it shows, what it logs, what it says of its data."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from jobs.clock import clock_starting_at
from tests.app_process import CHECKOUT
from tests.applications import running, settings_for
from ui.runtime import install_application

APP_SECONDS = 30.0


@pytest.mark.parametrize(
    ("moment", "heading", "logged", "days_old"),
    [
        ("2026-11-20T15:00-05:00", "Tonight · Friday 20 November 2026", ["2026-11-20"], 516),
        ("2026-11-20T23:59-05:00", "Tonight · Friday 20 November 2026", ["2026-11-20"], 516),
        ("2026-11-21T00:01-05:00", "Tonight · Friday 20 November 2026", ["2026-11-20"], 516),
        ("2026-11-26T18:00-05:00", "Next games · Friday 27 November 2026", [], 523),
        ("2027-02-20T12:00-05:00", "Next games · Thursday 25 February 2027", [], 613),
        # An hour is repeated, and one is left out.
        ("2026-11-01T01:30-04:00", "Tonight · Saturday 31 October 2026", ["2026-10-31"], 496),
        ("2026-11-01T12:00-05:00", "Tonight · Sunday 1 November 2026", ["2026-11-01"], 497),
        ("2027-03-14T03:30-04:00", "Tonight · Saturday 13 March 2027", ["2027-03-13"], 629),
        ("2027-03-14T12:00-04:00", "Tonight · Sunday 14 March 2027", ["2027-03-14"], 630),
    ],
)
def test_start_slate_log_and_the_age_of_the_data(
    tmp_path: Path,
    reference_path: Path,
    moment: str,
    heading: str,
    logged: list[str],
    days_old: int,
) -> None:
    now = datetime.fromisoformat(moment).astimezone(UTC)
    settings = settings_for(tmp_path / "state", reference_path)
    with running(settings, clock_starting_at(now), ticks=False) as application:
        application.tick()
        log = application.predictions
        assert log is not None
        assert [run.slate_date.isoformat() for run in log.runs()] == logged
        install_application(application)
        try:
            entry = str(CHECKOUT / "streamlit_app.py")
            page = AppTest.from_file(entry, default_timeout=APP_SECONDS).run()
        finally:
            install_application(None)
        assert not page.exception
        assert page.main.header[0].value == heading
        age = f"Data as of 22 Jun 2025, {days_old} days before this slate."
        assert any(found.value.startswith(age) for found in page.main.caption)
