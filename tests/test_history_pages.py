"""Paging through the history by places: forwards, backwards, from an address, and how it scales."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest

from prediction_tracking import (
    HistoryFilters,
    HistoryPlace,
    Origin,
    PredictionLog,
    UnknownPlace,
    place_of,
)
from tests.slates import ManualClock, opened, past, small_reference, tonight
from tests.stores import MemoryStore
from tests.test_history import fill
from tracking import history as tracking_history

EVERYTHING = HistoryFilters()
KEY = ["run_id", "game_id", "player_id", "stat"]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    return small_reference(tmp_path / "reference.db")


def log_several(log: PredictionLog) -> None:
    """A replay and three runs of one slate, logged in the same moment."""
    log.log_slate(past(), Origin.REPLAY)
    log.log_slate(tonight(), Origin.LIVE)
    for points in (26, 27):
        log.log_slate(tonight(points), Origin.LIVE, revision=True)


def keys(frame: pd.DataFrame) -> list[list[object]]:
    found: list[list[object]] = frame[KEY].to_numpy().tolist()
    return found


FILTERS = (
    EVERYTHING,
    HistoryFilters(only_current=True),
    HistoryFilters(stat="points"),
    HistoryFilters(team="BOS"),
    HistoryFilters(player="j", origin=Origin.LIVE),
)


@pytest.mark.parametrize("filters", FILTERS)
@pytest.mark.parametrize("limit", [1, 7, 20, 1000])
def test_pages_in_a_row_are_the_whole(
    tmp_path: Path, store: MemoryStore, clock: ManualClock, filters: HistoryFilters, limit: int
) -> None:
    with opened(tmp_path / "state.db", store, clock) as (_, log):
        log_several(log)
        whole = keys(log.history(filters, limit=None))
        read: list[list[object]] = []
        after: HistoryPlace | None = None
        starts: list[HistoryPlace | None] = []
        while True:
            starts.append(after)
            page = log.history_page(filters, limit=limit, after=after)
            assert page.rows_before == len(read)
            assert page.rows == len(whole)
            read += keys(page.frame)
            if page.last is None:
                break
            assert len(page.frame) == limit
            after = place_of(str(page.last))
            assert after == page.last
        assert read == whole
        # And back again, each page as it was.
        while len(starts) > 1:
            assert log.history_back(filters, starts.pop(), limit) == starts[-1]


def test_the_last_page_is_found_from_the_end(
    tmp_path: Path, store: MemoryStore, clock: ManualClock
) -> None:
    with opened(tmp_path / "state.db", store, clock) as (_, log):
        assert log.history_back(EVERYTHING, None, 7) is None
        log_several(log)
        whole = log.history(EVERYTHING, limit=None)
        place = log.history_back(EVERYTHING, None, 7)
        page = log.history_page(EVERYTHING, limit=7, after=place)
        assert keys(page.frame) == keys(whole.tail(7))
        assert page.last is None
        assert (page.rows_before, page.rows) == (len(whole) - 7, len(whole))
        assert log.history_back(EVERYTHING, None, len(whole)) is None


def test_what_is_logged_meanwhile_moves_no_page(
    tmp_path: Path, store: MemoryStore, clock: ManualClock
) -> None:
    with opened(tmp_path / "state.db", store, clock) as (_, log):
        log_several(log)
        first = log.history_page(EVERYTHING, limit=30)
        second = log.history_page(EVERYTHING, limit=30, after=first.last)
        clock.now += timedelta(minutes=1)
        log.log_slate(tonight(31), Origin.LIVE, revision=True)
        again = log.history_page(EVERYTHING, limit=30, after=first.last)
        assert keys(again.frame) == keys(second.frame)
        assert (again.rows_before, again.rows) == (30 + 20, 75 + 20)


def test_a_place_under_other_filters_is_the_same_place(
    tmp_path: Path, store: MemoryStore, clock: ManualClock
) -> None:
    with opened(tmp_path / "state.db", store, clock) as (_, log):
        log_several(log)
        place = log.history_page(EVERYTHING, limit=33).last
        narrow = HistoryFilters(stat="assists")
        rest = log.history(EVERYTHING, limit=None).iloc[33:]
        page = log.history_page(narrow, limit=1000, after=place)
        assert keys(page.frame) == keys(rest[rest["stat"] == "assists"])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "~~~",
        "run~game~1",
        "run~game~x~points",
        "run~game~-1~points",
        "run~game~\u0661~points",
        "run~game~1~steals",
        "run~game~1~points~",
        "run~game~" + "9" * 400 + "~points",
        "run~game~1~points'; DROP TABLE runs --",
    ],
)
def test_an_address_that_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(UnknownPlace) as caught:
        place_of(text)
    assert caught.value.remedy == "Begin with the newest rows."
    assert text not in str(caught.value) or len(text) < 2


def test_a_place_in_a_run_that_is_not_there_is_refused(
    tmp_path: Path, store: MemoryStore, clock: ManualClock
) -> None:
    nowhere = place_of("no-such-run~0022600123~1~points")
    with opened(tmp_path / "state.db", store, clock) as (_, log):
        log_several(log)
        with pytest.raises(UnknownPlace):
            log.history_page(EVERYTHING, limit=10, after=nowhere)
        with pytest.raises(UnknownPlace):
            log.history_back(EVERYTHING, nowhere, 10)


def test_beyond_some_rows_nothing_is_counted(
    tmp_path: Path, store: MemoryStore, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(tmp_path / "state.db", store, clock) as (_, log):
        log_several(log)
        for most, counted in ((75, 75), (74, None)):
            monkeypatch.setattr(tracking_history, "MOST_COUNTED", most)
            page = log.history_page(EVERYTHING, limit=30)
            assert (page.rows_before, page.rows) == (0, counted)
        monkeypatch.setattr(tracking_history, "MOST_COUNTED", 29)
        page = log.history_page(EVERYTHING, limit=30, after=page.last)
        assert (page.rows_before, page.rows) == (None, None)
        assert log.history_count(EVERYTHING) == 75


def test_model_versions_are_those_of_the_runs(
    tmp_path: Path, store: MemoryStore, clock: ManualClock
) -> None:
    with opened(tmp_path / "state.db", store, clock) as (_, log):
        assert log.model_versions() == []
        log_several(log)
        assert log.model_versions() == ["trees-0123abcd"]


def test_a_page_far_back_costs_what_the_first_one_costs(
    tmp_path: Path, clock: ManualClock, reference: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Counting stops at this many rows, which is what it costs beside the page.
    monkeypatch.setattr(tracking_history, "MOST_COUNTED", 100)
    steps: dict[tuple[int, str], int] = {}
    for runs in (4, 40):
        path = tmp_path / f"{runs}.db"
        with opened(path, MemoryStore(clock), clock, reference=reference) as (replica, log):
            fill(replica, runs, players_per_game=3)
            oldest = log.history_back(EVERYTHING, None, 50)
            with replica.read({"reference": reference}) as connection:
                counted = [0]

                def tick(counted: list[int] = counted) -> bool:
                    counted[0] += 1
                    return False

                connection.set_progress_handler(tick, 100)
                for name, filters, after in (
                    ("first", EVERYTHING, None),
                    ("last", EVERYTHING, oldest),
                    ("no such team", HistoryFilters(team="XXX"), None),
                ):
                    counted[0] = 0
                    page = tracking_history.page(
                        connection, filters, has_reference=True, limit=50, after=after
                    )
                    assert len(page.frame) == (0 if filters.team else 50)
                    steps[runs, name] = counted[0]
    # Runs and games are looked at one by one (few), predictions only for the page.
    assert steps[40, "first"] < 3 * steps[4, "first"], steps
    assert steps[40, "last"] < 2 * steps[40, "first"], steps
    assert steps[40, "no such team"] < steps[40, "first"], steps
