"""What the owner sees when two writers met, and can choose when the store lost its history."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from jobs.application import Application
from jobs.authority import OWNER
from jobs.configuration import OwnerSettings
from replica import State
from tests.app_process import CHECKOUT
from tests.applications import (
    AFTERNOON,
    SwitchedStore,
    published,
    running,
    runs_of,
    settings_for,
    status_of,
    use_store,
)
from tests.stores import ManualClock
from ui.runtime import install_application

pytestmark = pytest.mark.usefixtures("no_application_is_left")

APP_SECONDS = 30.0
BUNDLED = date(2025, 1, 15)
REPLACED = "Values replaced by another writer's: "


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(AFTERNOON)


def opened(application: Application, page: str) -> AppTest:
    install_application(application)
    test = AppTest.from_file(str(CHECKOUT / "streamlit_app.py"), default_timeout=APP_SECONDS).run()
    test.switch_page(page).run()
    assert not test.exception
    return test


def results(points: int) -> pd.DataFrame:
    header = ["game_date", "player_name", "points", "rebounds", "assists", "threes"]
    return pd.DataFrame([[BUNDLED.isoformat(), "Jayson Tatum", points, 8, 5, 3]], columns=header)


def test_values_that_gave_way_are_shown_to_the_owner(
    reference_path: Path, tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    near, far = SwitchedStore(clock), SwitchedStore(clock)
    far.objects = near.objects
    with ExitStack() as stack:
        use_store(monkeypatch, near)
        settings = settings_for(tmp_path / "a", reference_path)
        first = stack.enter_context(running(settings, clock))
        published(first)
        assert REPLACED not in str(opened(first, "pages/sync.py").main)
        use_store(monkeypatch, far)
        settings = settings_for(tmp_path / "b", reference_path)
        second = stack.enter_context(running(settings, clock))
        # Without the copies that an import makes before it begins: one store is away.
        for each in (first, second):
            monkeypatch.setattr(each.backup_jobs, "make_before_import", lambda source: None)
        near.away = True
        first.import_results(OWNER, results(41), "first.csv")
        second.import_results(OWNER, results(42), "second.csv")
        second.sync_now(OWNER)
        near.away = False
        first.tick()

        test = opened(first, "pages/sync.py")
        assert [title.value for title in test.title] == ["Sync"]
        [shown] = [found for found in test.main.expander if found.label.startswith(REPLACED)]
        frame = shown.dataframe[0].value
        [line] = frame[frame["column_name"] == "points"].to_dict("records")
        assert (line["table_name"], line["resolution"]) == ("player_games", "A later value stands")
        assert (line["kept"], line["lost"]) == ("41", "42")
        assert "Jayson Tatum" not in str(frame), "rows are named by their keys"

        # A visitor finds nothing of it.
        first.settings = replace(first.settings, owner=OwnerSettings())
        test = opened(first, "pages/sync.py")
        assert not [found for found in test.main.expander if found.label.startswith(REPLACED)]


def test_the_history_is_saved_anew_at_the_press_of_a_button(
    reference_path: Path, tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = SwitchedStore(clock)
    use_store(monkeypatch, store)
    with running(settings_for(tmp_path / "a", reference_path), clock) as application:
        published(application)
        before = runs_of(application)
        labels = {button.label for button in opened(application, "pages/sync.py").main.button}
        assert "Back up now" in labels
        assert labels.isdisjoint({"Save this history anew", "Keep as backup, follow the store"})

        store.objects.clear()
        clock.advance(minutes=2)
        application.import_results(OWNER, results(41), "first.csv")
        application.tick()
        assert status_of(application).state is State.ROLLED_BACK
        test = opened(application, "pages/sync.py")
        assert [found.value for found in test.sidebar.error] == [
            "Not saved: the store lost what was saved before"
        ]
        [button] = [found for found in test.main.button if found.label.startswith("Save this")]
        button.click().run()
        assert not test.exception
        application.tick()
        test.run()
        assert status_of(application).state is State.OK
        assert [found.value for found in test.sidebar.success] == [
            "Saved to a folder on this machine as #2"
        ]
        # The imported result is news for tonight, so that is logged once more.
        kept = [run.run_id for run in runs_of(application)]
        assert kept[1:] == [run.run_id for run in before]
