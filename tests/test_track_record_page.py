"""Track Record on screen: live, replay, nothing to show, and addresses that are no good."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from jobs.application import Application
from nba.stats import STATS, Stat
from prediction_tracking import MIGRATIONS, REPLICATED_TABLES
from replica.stores.folder import FolderStore
from tests.app_process import CHECKOUT
from tests.applications import log_of, running, settings_for
from tests.browser import OpenPage, choose, download, main, sidebar
from tests.scored_seasons import FIRST_DAY, fill_season
from tests.sites import running_site
from tests.stores import ManualClock, open_replica
from ui.runtime import install_application
from ui.tables import STAT_LABELS, UNITS

APP_SECONDS = 60.0


@pytest.fixture
def application(tmp_path: Path, reference_path: Path) -> Iterator[Application]:
    """A prepared app that pages find."""
    with running(settings_for(tmp_path / "state", reference_path), ticks=False) as application:
        install_application(application)
        yield application
        install_application(None)


def replayed(application: Application, slates: int, **chosen: Any) -> None:
    """Put replays into the state, and score them."""
    assert application._state is not None
    fill_season(application._state.replica, slates, origin="replay", **chosen)
    log_of(application).scoring.update()


def opened(**query: str) -> AppTest:
    """The page by way of the router, with this in the address."""
    test = AppTest.from_file(str(CHECKOUT / "streamlit_app.py"), default_timeout=APP_SECONDS)
    test.switch_page("pages/track_record.py")
    for name, value in query.items():
        test.query_params[name] = value
    return require_page(test.run())


def require_page(test: AppTest) -> AppTest:
    assert not test.exception
    assert [title.value for title in test.title] == ["Track Record"]
    return test


def texts(elements: Any) -> str:
    return "\n".join(str(element.value) for element in elements)


def headers(test: AppTest) -> list[str]:
    return [found.value for found in test.main.header]


def subheaders(test: AppTest) -> list[str]:
    return [found.value for found in test.main.subheader]


def test_an_empty_record_says_when_there_will_be_one(application: Application) -> None:
    test = opened()
    assert "counts once it was saved before tip-off" in texts(test.main.info)
    assert [one.label for one in test.main.expander] == ["How we score ourselves"]
    assert "No replay" in texts(opened(origin="Replay").main.info)
    assert headers(test) == []


def test_figures_stand_beside_baselines(application: Application) -> None:
    replayed(application, 12)
    test = opened(origin="Replay")
    assert "is no track record" in texts(test.main.warning)
    assert headers(test) == [
        "Every stat beside simple averages",
        "One stat in detail",
        "Winners",
        "Model versions",
    ]
    assert subheaders(test) == ["Calibration of points", "Best calls and worst misses of points"]
    assert [metric.label.split(" · ")[0] for metric in test.main.metric] == [
        "Points, average error",
        "Points in range",
        "Winners, log loss",
    ]
    stats, best, worst, winners, versions = (found.value for found in test.main.dataframe)
    assert list(stats["Stat"]) == ["PTS", "REB", "AST", "3PM", "MIN"]
    assert {"n", "Error", "Season average", "Last five", "EWMA 8"} <= set(stats)
    assert stats["Error, 95% interval"].str.contains(" to ").all()
    assert list(winners["Who"]) == ["The model", "Coin", "Home rate", "Plain Elo"]
    assert list(versions["Model"]) == ["trees-00000001"]
    assert len(best) == len(worst) == 10
    assert list(worst["Off by"]) == sorted(worst["Off by"], reverse=True)
    # Live is the default, and knows nothing of replays.
    assert "counts once it was saved" in texts(opened().main.info)


def _stat_of(label: str) -> Stat:
    return next(stat for stat, text in STAT_LABELS.items() if text == label)


def test_a_view_can_be_shared_by_its_address(application: Application) -> None:
    replayed(application, 3)
    views = (
        ("Date", "PTS", "Error by slate"),
        ("Team", "REB", "Error by the player's team"),
        ("Role", "3PM", "Error by projected minutes"),
        ("Projected value", "MIN", "Error by the projected mean"),
    )
    for by, stat, heading in views:
        test = opened(origin="Replay", by=by, stat=stat, since=FIRST_DAY.isoformat())
        assert not test.main.info
        assert heading in texts(test.main.markdown)
        assert f"Calibration of {UNITS[_stat_of(stat)]}" in subheaders(test)
        assert not [one for one in test.main.warning if "address" in one.value]


def test_a_bad_address_is_answered(application: Application) -> None:
    replayed(application, 1)
    for query, words in (
        ({"origin": "Backtest"}, ["origin in the address"]),
        (
            {"since": "yesterday", "until": "1802-01-01", "stat": "PRA"},
            [
                "since in the address is not a date",
                "until in the address is outside",
                "stat in the address",
            ],
        ),
        (
            {"by": "<script>", "model": "'; DROP TABLE runs"},
            ["by in the address", "model in the address"],
        ),
    ):
        test = opened(**{"origin": "Replay", **query})
        found = texts(test.main.warning).replace("\\", "")
        for one in words:
            assert one in found


def test_few_evenings_claim_nothing(application: Application) -> None:
    replayed(application, 3, games=5)
    test = opened(origin="Replay")
    assert "Too few evenings to tell better from worse" in texts(test.main.caption)
    gains = [test.main.metric[0].delta, test.main.metric[2].delta]
    assert all("so far, too few evenings to tell" in words for words in gains)
    assert all(" of them" in words for words in gains), "some rows have no average, some no Elo"


def test_whole_numbers_have_a_bound_and_no_aim(application: Application) -> None:
    replayed(application, 12)
    test = opened(origin="Replay", stat="AST", by="Team")
    assert "Too few evenings" not in texts(test.main.caption)
    assert "At least 80% is the aim, because whole numbers" in texts(test.main.caption)
    assert "**Do floor and ceiling hold?**" in [one.value for one in test.main.markdown]
    words = next(one.value for one in test.main.caption if "below the floor" in one.value)
    assert "at most 10% is the aim" in words


def test_dates_without_predictions_say_what_to_do(application: Application) -> None:
    replayed(application, 1)
    test = opened(origin="Replay", until="2019-01-01")
    assert "Widen the dates" in texts(test.main.info)
    assert headers(test) == []


def test_figures_of_a_little_earlier_stay_while_new_ones_are_computed(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    replayed(application, 2)
    scoring = log_of(application).scoring
    before = opened(origin="Replay").main.dataframe[0].value
    assert application._state is not None
    later = FIRST_DAY + timedelta(days=2)
    fill_season(application._state.replica, 1, origin="replay", first=later)
    monkeypatch.setattr(scoring, "begin_update", lambda: None)
    monkeypatch.setattr(scoring, "wait", lambda _: False)
    test = opened(origin="Replay")
    assert test.main.dataframe[0].value.equals(before)
    monkeypatch.undo()
    scoring.begin_update()
    assert scoring.wait(60.0)
    assert not opened(origin="Replay").main.dataframe[0].value.equals(before)


def stored_replays(folder: Path) -> Path:
    """A store with replays of twelve slates."""
    clock = ManualClock(datetime(2025, 10, 1, 12, tzinfo=UTC))
    replica = open_replica(
        folder / "state.db",
        FolderStore(folder / "store"),
        migrations=MIGRATIONS,
        tables=REPLICATED_TABLES,
        clock=clock,
        random=Random(),
    )
    try:
        replica.restore()
        fill_season(replica, 12, origin="replay")
        replica.sync_now()
    finally:
        replica.close(0)
    return folder / "store"


def test_a_new_process_is_first_asked_for_this_page(
    tmp_path: Path, reference_path: Path, open_page: OpenPage
) -> None:
    from playwright.sync_api import expect

    (tmp_path / "before").mkdir()
    stored = stored_replays(tmp_path / "before")
    with running_site(tmp_path, reference_path, stored=stored) as site:
        page = open_page(f"{site.url}/track_record?origin=Replay")
        expect(page.get_by_role("heading", name="Track Record")).to_be_visible()
        expect(main(page)).to_contain_text("is no track record")
        expect(page.get_by_role("heading", name="Winners")).to_be_visible()
        rows = download(
            page, lambda: page.get_by_role("button", name="Download these figures").click()
        )
        assert {row["stat"] for row in rows} == set(STATS)
        # Tonight is logged by itself, which draws the page anew and closes an open list.
        expect(sidebar(page)).to_contain_text("as #3")
        app = page.get_by_test_id("stApp")
        expect(app).to_have_attribute("data-test-script-state", "notRunning")
        choose(page, "By", "Role")
        expect(main(page)).to_contain_text("Error by projected minutes")
        for part in ("origin=Replay", "by=Role"):
            expect(page).to_have_url(re.compile(rf"/track_record\?(.*&)?{part}(&|$)"))
        expect(page.get_by_test_id("stException")).to_have_count(0)
