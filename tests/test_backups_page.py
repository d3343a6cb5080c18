"""The Backups page without a browser: copies, the way back with its plan, and the drill."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from jobs.application import Application
from jobs.authority import OWNER
from jobs.backup_settings import BackupSettings
from jobs.configuration import OwnerSettings
from jobs.restoring import from_sequence
from jobs.retention import Retention
from replica import StoreUnreachable
from tests.app_process import CHECKOUT
from tests.applications import (
    AFTERNOON,
    SwitchedStore,
    published,
    running,
    settings_for,
    status_of,
    use_store,
)
from tests.stores import ManualClock, corrupted
from ui.frame import OWNERS_PAGES, PAGES
from ui.runtime import install_application

pytestmark = pytest.mark.usefixtures("no_application_is_left")

APP_SECONDS = 30.0
HEADER = ["game_date", "player_name", "points", "rebounds", "assists", "threes"]


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
    """A prepared application with tonight logged as #2, that pages find."""
    settings = replace(
        settings_for(tmp_path / "a", reference_path),
        backups=BackupSettings(keep=Retention(1, 0, 0, 0)),
    )
    with running(settings, clock) as application:
        published(application)
        install_application(application)
        yield application


def opened(page: str = "backups", title: str = "Backups") -> AppTest:
    test = AppTest.from_file(str(CHECKOUT / "streamlit_app.py"), default_timeout=APP_SECONDS).run()
    return require_page(test.switch_page(f"pages/{page}.py").run(), title)


def require_page(test: AppTest, title: str = "Backups") -> AppTest:
    assert not test.exception
    assert [one.value for one in test.title] == [title]
    return test


def press(test: AppTest, label: str) -> AppTest:
    [button] = [one for one in test.main.button if one.label == label]
    assert not button.disabled
    return require_page(button.click().run())


def tick(test: AppTest, label: str) -> AppTest:
    [box] = [one for one in test.main.checkbox if one.label.startswith(label)]
    return require_page(box.check().run())


def choose(test: AppTest, kind: str) -> AppTest:
    [radio] = test.main.radio
    return require_page(radio.set_value(kind).run())


def labels(test: AppTest) -> set[str]:
    return {button.label for button in test.main.button}


def words(test: AppTest) -> str:
    told = [
        one.value
        for kind in ("markdown", "caption", "info", "error", "success", "warning")
        for one in getattr(test.main, kind)
    ]
    return "\n".join(told).replace("\\", "")


def learn(application: Application, points: int) -> None:
    row = ["2025-01-15", "Jayson Tatum", points, 8, 5, 3]
    application.import_results(OWNER, pd.DataFrame([row], columns=HEADER), "x.csv")
    application.sync_now(OWNER)


def points(application: Application) -> list[object]:
    assert application._state is not None
    with application._state.replica.read() as connection:
        return [row[0] for row in connection.execute("SELECT points FROM player_games")]


def without_import_backups(application: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the copies that an import makes, which are not what is looked at here."""
    monkeypatch.setattr(application.backup_jobs, "make_before_import", lambda source: None)


def test_a_visitor_is_told_whose_page_it_is(application: Application) -> None:
    application.back_up(OWNER)
    application.settings = replace(application.settings, owner=OwnerSettings())
    test = opened()
    [told] = [one.value for one in test.main.info]
    assert told.startswith("This page is the owner's. ")
    assert not labels(test)
    assert not test.main.dataframe
    assert "backups/" not in words(test)
    links = {one.proto.page for one in test.sidebar.get("page_link")}
    assert "history" in links
    assert links.isdisjoint({"backups", "setup"})


def test_the_owner_finds_the_pages_in_the_list(application: Application) -> None:
    links = {one.proto.page for one in opened().sidebar.get("page_link")}
    assert {"backups", "setup"} <= links
    assert {path for path, _, _ in PAGES} > OWNERS_PAGES
    test = opened("setup", "Setup")
    assert [one.value for one in test.main.header]


def test_before_there_is_any(application: Application) -> None:
    test = opened()
    text = words(test)
    assert "There is none yet. Back up now makes one." in text
    assert "None is made by itself each day" in text
    assert "None has been run on this machine yet." in text
    assert labels(test) == {"Back up now", "Run a drill now"}
    test = press(test, "Run a drill now")
    assert "There is no backup yet." in words(test)


def test_a_copy_is_made_listed_and_taken_home(
    application: Application, store: SwitchedStore
) -> None:
    test = press(opened(), "Back up now")
    [info] = store.list("backups/")
    assert f"Backed up as {info.key}, " in words(test)
    [table] = [one.value for one in test.main.dataframe]
    [row] = table.to_dict("records")
    assert row["Rows"] > 500
    assert row["Object"] == info.key
    assert (row["Made"], row["Why"], row["Goes up to"], row["Kept"]) == (
        *("20 Nov 2026, 3:00 PM EST", "by hand", "#2"),
        "until a person forgets it",
    )
    assert not test.main.get("download_button")
    test = press(test, "Prepare as a SQLite file")
    assert "is whole and ready below" in words(test)
    # The session keeps no database: the file is made when it is asked for.
    assert test.session_state["backups_file"] == info.key
    [button] = test.main.get("download_button")
    assert button.proto.label == "Download the SQLite file"
    assert button.proto.deferred_file_id


def test_a_damaged_copy_is_not_handed_out(application: Application, store: SwitchedStore) -> None:
    key = application.back_up(OWNER).key
    store.damage(key, corrupted)
    test = press(opened(), "Prepare as a SQLite file")
    [told] = [one.value.replace("\\", "") for one in test.main.error]
    assert key in told
    assert "damaged" in told
    assert not test.main.get("download_button")


def test_what_the_rules_do_not_keep_is_forgotten_then_deleted(
    application: Application, store: SwitchedStore, clock: ManualClock
) -> None:
    for points in (31, 33):
        learn(application, points)
        clock.advance(minutes=5)
    older, newer = store.keys("backups/")
    test = opened()
    assert "The rules keep no longer: 20 Nov 2026, 3:00 PM EST, before an import" in words(test)
    test = press(test, "Forget them")
    assert "Nothing is deleted yet." in words(test)
    assert store.keys("backups/") == [older, newer]
    [table] = [one.value for one in test.main.dataframe]
    newest, oldest = table["Kept"]
    assert "forgotten" not in newest
    assert oldest == "forgotten: the next deletion takes it"
    [button] = [one for one in test.main.button if one.label == "Delete what is forgotten"]
    assert button.disabled
    test = press(tick(test, "Delete them from the store"), "Delete what is forgotten")
    assert "1 deleted, " in words(test)
    assert store.keys("backups/") == [newer]


def test_one_is_forgotten_by_name(application: Application, clock: ManualClock) -> None:
    first = application.back_up(OWNER)
    clock.advance(minutes=5)
    application.back_up(OWNER)
    test = opened()
    [box] = [one for one in test.main.selectbox if one.label == "Backup"]
    test = require_page(box.set_value(first.key).run())
    test = press(test, "Forget this one")
    assert "Forgotten: 20 Nov 2026, 3:00 PM EST, by hand, up to #2." in words(test)
    assert "Forget this one" not in labels(test), "it is forgotten already"


def test_plan_confirm_result_and_undo(
    application: Application, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_import_backups(application, monkeypatch)
    application.back_up(OWNER)
    learn(application, 31)
    clock.advance(minutes=5)
    test = press(opened(), "Show the plan")
    assert points(application) == [31], "nothing is changed by a plan"
    assert "Back to 20 Nov 2026, 3:00 PM EST (backup), which is entry 2 of the log." in words(test)
    tables = [one.value for one in test.main.table]
    changes = tables[0].set_index("Table")
    assert changes.loc["player games"].to_dict() == {
        "Rows added": "0",
        "Removed": "1",
        "Changed": "0",
    }
    assert "s3 data backups" not in changes.index
    newest = f"#{status_of(application).sequence}"
    assert list(tables[1]["Entry"]) == [newest]
    assert "It undoes what 1 later entry wrote:" in words(test)
    [button] = [one for one in test.main.button if one.label == "Restore now"]
    assert button.disabled
    assert "Show the plan" not in labels(test)

    test = press(tick(test, "I have seen"), "Restore now")
    assert points(application) == []
    text = words(test)
    assert "Restored, as entry " in text
    assert "before-restore" in text
    assert "20 Nov 2026, 3:05 PM EST: back to the backup of 20 Nov 2026, 3:00 PM EST, as" in text
    assert len(application.restoring.done(OWNER)) == 1

    test = press(test, "Undo the newest restore")
    assert points(application) == []
    test = press(tick(test, "I have seen"), "Restore now")
    assert points(application) == [31]
    assert len(application.restoring.done(OWNER)) == 2


def test_a_plan_can_be_left(application: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    without_import_backups(application, monkeypatch)
    learn(application, 31)
    test = choose(opened(), "An entry of the log")
    [number] = test.main.number_input
    assert number.value == 2
    test = press(test, "Show the plan")
    assert "Back to entry 2" in words(test)
    test = press(test, "Leave everything as it is")
    assert "Show the plan" in labels(test)
    assert points(application) == [31]
    assert application.restoring.done(OWNER) == []


def test_to_a_snapshot(application: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    without_import_backups(application, monkeypatch)
    assert application._state is not None
    application._state.replica.snapshot()
    learn(application, 31)
    test = choose(opened(), "A snapshot")
    test = press(test, "List the snapshots")
    test = press(test, "Show the plan")
    assert "(snapshot), which is entry 2 of the log." in words(test)


def test_to_a_time(
    application: Application, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_import_backups(application, monkeypatch)
    clock.advance(hours=2)
    learn(application, 31)
    # An hour ago is what stands in the field.
    test = choose(opened(), "A time")
    test = press(test, "Show the plan")
    assert "Back to 20 Nov 2026, 4:00 PM EST (time), which is entry 2 of the log." in words(test)


def test_a_time_before_the_log_began_is_explained(application: Application) -> None:
    test = choose(opened(), "A time")
    test = press(test, "Show the plan")
    assert "the log does not reach that moment" in words(test)
    assert "Show the plan" in labels(test)


def test_where_nothing_differs_there_is_no_plan(application: Application) -> None:
    application.back_up(OWNER)
    test = press(opened(), "Show the plan")
    assert "there is nothing to restore" in words(test)
    assert "Restore now" not in labels(test)


def test_a_plan_that_has_aged_is_not_carried_out(
    application: Application, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_import_backups(application, monkeypatch)
    application.back_up(OWNER)
    learn(application, 31)
    test = tick(press(opened(), "Show the plan"), "I have seen")
    row = ["2025-01-15", "Derrick White", 12, 8, 5, 3]
    application.import_results(OWNER, pd.DataFrame([row], columns=HEADER), "y.csv")
    test = press(test, "Restore now")
    assert "Somebody has written since the plan." in words(test)
    assert sorted(points(application), key=str) == [12, 31]
    assert "Show the plan" in labels(test), "the next one shows it all"


def test_a_failure_is_told_with_its_remedy(application: Application, store: SwitchedStore) -> None:
    application.back_up(OWNER)
    test = opened()
    store.broken = StoreUnreachable
    for label in ("Back up now", "Show the plan", "Run a drill now"):
        test = press(test, label)
        assert StoreUnreachable.standard_remedy in words(test)
    store.broken = None
    test = press(test, "Run a drill now")
    assert "came back with the log's own rows" in words(test)


def test_the_drill_says_what_it_found(
    application: Application, store: SwitchedStore, clock: ManualClock
) -> None:
    key = application.back_up(OWNER).key
    test = press(opened(), "Run a drill now")
    [good] = [one.value.replace("\\", "") for one in test.main.success]
    assert good.startswith(f"20 Nov 2026, 3:00 PM EST: {key} came back with the log's own rows")
    clock.advance(hours=1)
    store.damage(key, corrupted)
    test = press(test, "Run a drill now")
    text = words(test)
    assert "The last good one: 20 Nov 2026, 3:00 PM EST." in text
    assert any(key in one.value.replace("\\", "") for one in test.main.error)
    [line] = [one.value for one in test.sidebar.warning]
    assert line.startswith("Saved to ")
    told = "\n".join(one.value for one in test.sidebar.caption).replace("\\", "")
    assert "The newest backup did not pass its restore drill" in told

    # One that comes to no end takes nothing back.
    clock.advance(hours=1)
    store.broken = StoreUnreachable
    test = press(test, "Run a drill now")
    store.broken = None
    [damaged] = [one.value.replace("\\", "") for one in test.main.error]
    assert damaged.startswith("20 Nov 2026, 4:00 PM EST: ")
    [not_done] = [one.value.replace("\\", "") for one in test.main.warning]
    assert not_done.startswith("20 Nov 2026, 5:00 PM EST: ")


def test_everybody_reads_of_a_restore_on_the_track_record(
    application: Application, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_import_backups(application, monkeypatch)
    learn(application, 31)
    clock.advance(minutes=5)
    application.settings = replace(application.settings, owner=OwnerSettings())
    test = opened("track_record", "Track Record")
    assert "Restores" not in [one.value for one in test.main.header]
    planned = application.restoring.plan(OWNER, from_sequence(2))
    record = application.restoring.restore(OWNER, planned).record
    test = opened("track_record", "Track Record")
    assert [one.value for one in test.main.header][-1] == "Restores"
    [line] = [one.value for one in test.main.markdown if one.value.startswith("- ")]
    assert line == (
        f"- 20 Nov 2026, 3:05 PM EST: back to entry 2, as entry {record.sequence}. 0 rows added, "
        f"{record.rows_removed} removed, 0 changed."
    )
    assert "backups/" not in words(test)
