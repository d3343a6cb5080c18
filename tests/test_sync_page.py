"""The Sync page without a browser: what the owner sees and does, and what a visitor does not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from jobs.application import Application
from jobs.authority import OWNER
from jobs.configuration import OwnerSettings
from jobs.errors import ConfigurationError
from replica import AccessDenied, StoreUnreachable
from tests.app_process import CHECKOUT
from tests.applications import (
    AFTERNOON,
    SwitchedStore,
    log_of,
    published,
    running,
    settings_for,
    status_of,
    use_store,
)
from tests.stores import ManualClock
from ui.runtime import install_application

pytestmark = pytest.mark.usefixtures("no_application_is_left")

APP_SECONDS = 30.0
TONIGHT = date(2026, 11, 20)
OWNERS_LABELS = {"Sync now", "Back up now"}
NOTHING_APART = "Nothing gave way to another writer"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(AFTERNOON)


@pytest.fixture
def store(clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> SwitchedStore:
    store = SwitchedStore(clock)
    use_store(monkeypatch, store)
    return store


@pytest.fixture
def application(
    tmp_path: Path, reference_path: Path, clock: ManualClock, store: SwitchedStore
) -> Iterator[Application]:
    """A prepared application with tonight logged and stored, that pages find."""
    with running(settings_for(tmp_path / "a", reference_path), clock) as application:
        published(application)
        install_application(application)
        yield application


def opened() -> AppTest:
    test = AppTest.from_file(str(CHECKOUT / "streamlit_app.py"), default_timeout=APP_SECONDS).run()
    return require_page(test.switch_page("pages/sync.py").run())


def require_page(test: AppTest) -> AppTest:
    assert not test.exception
    assert [title.value for title in test.title] == ["Sync"]
    return test


def press(test: AppTest, label: str) -> AppTest:
    [button] = [one for one in test.main.button if one.label == label]
    return require_page(button.click().run())


def labels(test: AppTest) -> set[str]:
    return {button.label for button in test.main.button}


def words(test: AppTest) -> str:
    """All that the page says outside boxes and tables, as it is read."""
    told = "\n".join(one.value for one in (*test.main.markdown, *test.main.caption))
    return told.replace("\\", "")


def look_as_a_visitor(application: Application) -> None:
    application.settings = replace(application.settings, owner=OwnerSettings())


def results(points: int) -> pd.DataFrame:
    header = ["game_date", "player_name", "points", "rebounds", "assists", "threes"]
    return pd.DataFrame([["2025-01-15", "Jayson Tatum", points, 8, 5, 3]], columns=header)


def test_the_owner_sees_what_went_where(application: Application) -> None:
    test = opened()
    assert [one.value for one in test.main.success] == ["Saved to a folder on this machine as #2"]
    assert [one.value for one in test.main.header] == [
        *("Last uploads", "Writers seen lately", "Kept apart")
    ]
    uploads, writers = (table.value for table in test.main.table)
    assert uploads.to_dict("records") == [
        {
            "Entry": "#2",
            "Saved": "20 Nov 2026, 3:00 PM EST",
            "Writes": 1,
            "Projections of": "2026-11-20",
        }
    ]
    assert list(writers["Its newest entry"]) == ["#2"]
    text = words(test)
    assert "This machine has the history up to entry 2; nothing waits." in text
    assert "- Log: #2" in text
    assert "- Last reached: 20 Nov 2026, 3:00 PM EST" in text
    assert NOTHING_APART in text
    assert labels(test) == OWNERS_LABELS


def test_a_visitor_reads_saved_and_what_that_means(application: Application) -> None:
    look_as_a_visitor(application)
    test = opened()
    assert [one.value for one in test.main.warning] == ["Saved to a folder on this machine as #2"]
    text = words(test)
    assert "Every projection is written to a numbered log" in text
    assert "The number above is the newest entry's." in text
    assert "The history lives in a folder and will be lost with this machine." in text
    assert "The log was last reached on 20 Nov 2026, 3:00 PM EST." in text
    assert not labels(test)
    assert not test.main.table
    assert NOTHING_APART not in text
    assert status_of(application).location not in str(test)


def test_without_a_number_nothing_is_said_of_one(
    application: Application, store: SwitchedStore
) -> None:
    look_as_a_visitor(application)
    store.broken = StoreUnreachable
    application.tick()
    test = opened()
    assert "#" not in test.main.warning[0].value
    text = words(test)
    assert "is written to a numbered log. A projection counts" in text, "a folder is no other place"
    assert "The number above" not in text


def test_the_backup_is_named_and_the_others_are_a_link_away(
    application: Application, store: SwitchedStore, clock: ManualClock
) -> None:
    test = opened()
    [link] = [one.proto for one in test.main.get("page_link")]
    assert (link.page, link.label) == ("backups", "All backups, and the way back to any moment")
    clock.advance(minutes=5)
    test = press(test, "Back up now")
    [info] = store.list("backups/")
    # Beside it the headline may still say that the catalogue's new row is being saved.
    answers = [one.value.replace("\\", "") for one in test.main.info]
    told = f"20 Nov 2026, 3:05 PM EST: Backed up as {info.key}, "
    assert any(answer.startswith(told) for answer in answers)


def test_sync_says_whether_anything_moved(application: Application, clock: ManualClock) -> None:
    test = press(opened(), "Sync now")
    [answer] = [one.value for one in test.main.info]
    assert "Nothing was new on either side; the newest entry is \\#2." in answer
    application.import_results(OWNER, results(41), "x.csv")
    test = press(test, "Sync now")
    # The backup before an import has an entry of its own.
    assert [one.value for one in test.main.success] == ["Saved to a folder on this machine as #4"]
    assert status_of(application).pending_transactions == 0
    [uploads, _] = [table.value for table in test.main.table]
    assert list(uploads["Entry"]) == ["#4", "#3", "#2"]
    assert list(uploads["Projections of"]) == ["–", "–", "2026-11-20"]


def test_a_failure_is_told_with_its_remedy(application: Application, store: SwitchedStore) -> None:
    store.broken = StoreUnreachable
    test = press(opened(), "Back up now")
    [answer] = [one.value for one in test.main.error]
    assert StoreUnreachable.standard_remedy.split(".")[0] in answer.replace("\\", "")
    assert "Saved, but" in test.main.warning[0].value
    store.broken = None
    test = press(test, "Sync now")
    assert not test.main.error
    assert [one.value for one in test.main.success] == ["Saved to a folder on this machine as #2"]


@pytest.mark.parametrize("is_owner", [True, False])
def test_a_refusal_shows_a_remedy_to_everybody_and_the_key_to_the_owner(
    application: Application, store: SwitchedStore, is_owner: bool
) -> None:
    store.before = refuse
    application.tick()
    if not is_owner:
        look_as_a_visitor(application)
    test = opened()
    [headline] = [one.value for one in test.main.warning]
    assert headline == "Saved, but a folder on this machine refuses now"
    text = words(test)
    assert "s3:GetObject" in text
    assert ("log/" in text) is is_owner


def refuse(verb: str, key: str) -> None:
    raise AccessDenied(verb, key, "s3:GetObject")


def test_settings_that_cannot_be_used_leave_the_buttons_off(
    tmp_path: Path, reference_path: Path, clock: ManualClock
) -> None:
    settings = settings_for(tmp_path / "a", reference_path)
    problem = ConfigurationError("read the secrets", "[aws]", "Missing: region.", "Fill it in.")
    with running(replace(settings, store=problem), clock) as application:
        install_application(application)
        test = opened()
        assert [one.value for one in test.main.error] == ["Not saved: the settings are incomplete"]
        assert "Missing: region." in words(test)
        assert {button.label: button.disabled for button in test.main.button} == {
            "Sync now": True,
            "Back up now": True,
        }
        assert not test.main.table


def test_values_that_were_corrected_are_kept_apart(application: Application) -> None:
    for points in (31, 33):
        application.import_results(OWNER, results(points), "x.csv")
    test = opened()
    [box] = test.main.expander
    assert box.label.startswith("Corrected results: ")
    assert NOTHING_APART not in words(test)


def test_uploads_name_the_slates_and_count_the_writes(application: Application) -> None:
    log = log_of(application)
    application.revise(OWNER, TONIGHT)
    application.import_results(OWNER, results(41), "x.csv")
    application.log_replay(OWNER, date(2024, 1, 15))
    application.sync_now(OWNER)
    frame = log.uploads()
    assert list(frame["sequence"]) == sorted(frame["sequence"], reverse=True)
    # The automatic run, the revision, the backup before the import, the import and the replay.
    assert frame["transactions"].sum() == 5
    assert set(", ".join(frame["slates"]).split(", ")) - {""} == {"2024-01-15", "2026-11-20"}
    assert str(frame["stored_at"].dtype) == "datetime64[us, UTC]"
    assert len(log.uploads(1)) == 1
    assert log.uploads(1)["sequence"][0] == status_of(application).sequence


def test_the_sidebars_line_leads_here(application: Application) -> None:
    test = AppTest.from_file(str(CHECKOUT / "streamlit_app.py"), default_timeout=APP_SECONDS).run()
    assert not test.exception
    links = [one.proto for one in test.sidebar.get("page_link")]
    assert [link.label for link in links][-1] == "Details of saving"
    assert {link.page for link in links if link.label in {"Sync", "Details of saving"}} == {"sync"}
    assert not [button for button in test.sidebar.button if button.label in OWNERS_LABELS]
