"""What a season costs: the counting can be trusted, and a month stays below five cents."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from benchmarks.season_cost import NotTheSame, figures_of, require_same, table
from replica import PutMode
from replica.stores.s3 import S3Store
from tests.season_counts import (
    BUCKET,
    OLD_VERSIONS,
    Change,
    DatedStore,
    Day,
    Season,
    ServerLog,
    StoredVersions,
    counting_server,
    expire_old_versions,
    paid_versions,
    stored_versions,
)
from tests.season_of_use import play_season, whole_season
from tests.servers import s3_options
from tests.stores import ManualClock
from usage.cost import GIGABYTE, Operation, Usage, bill_of
from usage.cost_estimate import REQUESTS, Deed, Habits, Sizes, expected_usage

FIGURES = Path(__file__).resolve().parent.parent / "benchmarks" / "season_cost.json"
MOST_USD = 0.05
BEGIN = datetime(2026, 11, 1, tzinfo=UTC)
DAY = timedelta(days=1)


# The figures that were measured ------------------------------------------------------------------


@pytest.fixture(scope="module")
def figures() -> dict[str, Any]:
    found = json.loads(FIGURES.read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def test_the_measured_season_was_a_whole_one(figures: dict[str, Any]) -> None:
    assert figures["nights"] == 170
    assert figures["days"] > 170
    assert figures["looks_left_out"] == 0, "every request was sent and counted"
    assert {"log", "backups", "snapshots", "csv", "bronze"} <= figures["stored_at_the_end"].keys()


def test_a_month_cost_less_than_five_cents(figures: dict[str, Any]) -> None:
    for month in figures["months"]:
        server = {Operation(name): count for name, count in month["server"].items()}
        used = Usage(server, month["stored_mb"] / 1000 * GIGABYTE, round(month["sent_mb"] * 1e6))
        assert bill_of(used).total_usd == pytest.approx(month["usd"], abs=1e-4)
        assert month["usd"] < MOST_USD
        assert month["usd_estimate"] < MOST_USD


def test_the_estimate_was_about_right(figures: dict[str, Any]) -> None:
    season = figures["season"]
    for name in ("PUT", "LIST", "GET"):
        assert season["estimate"][name] == pytest.approx(season["server"][name], rel=0.1)
    for month in figures["months"]:
        # Weeks with few games are a part of each season.
        assert month["usd_estimate"] == pytest.approx(month["usd"], rel=0.15)


def test_the_app_counts_what_the_server_counts(figures: dict[str, Any]) -> None:
    season = figures["season"]
    for name in ("PUT", "GET", "DELETE"):
        assert season["app"][name] == season["server"][name]
    # Listings of more than a thousand objects are several requests.
    assert season["app"]["LIST"] <= season["server"]["LIST"] <= 1.25 * season["app"]["LIST"]


# The estimate ------------------------------------------------------------------------------------


def test_the_estimate_is_the_sum_of_what_is_done() -> None:
    habits = Habits({Deed.LOOK: 288, Deed.ENTRY: 10}, None)
    found = expected_usage(habits, Sizes(entry=1000), 1, 30)
    assert found.requests == {Operation.GET: 30 * 298, Operation.PUT: 300, Operation.LIST: 300}
    # An entry a tenth of the way through is stored for nine tenths.
    assert found.stored_byte_months == pytest.approx(10_000 * sum(range(1, 31)) / 30)
    assert found.sent_bytes == 0


def test_old_versions_are_paid_for_as_long_as_they_are_kept() -> None:
    def stored(days: int | None) -> float:
        habits = Habits({Deed.SNAPSHOT: 1}, days)
        return expected_usage(habits, Sizes(), 151, 180).stored_byte_months

    assert 0 < stored(1) < stored(30) < stored(None)


def test_a_season_is_expected_to_stay_below_five_cents_a_month() -> None:
    for first in range(1, 153):
        used = expected_usage(Habits(), Sizes(), first, first + 29)
        assert bill_of(used).total_usd < MOST_USD


def test_every_deed_has_its_requests() -> None:
    assert REQUESTS.keys() == set(Deed) == Habits().deeds.keys()


@pytest.mark.parametrize(("first", "last"), [(0, 3), (5, 4)])
def test_days_before_the_season_are_refused(first: int, last: int) -> None:
    with pytest.raises(ValueError, match="not days of a season"):
        expected_usage(Habits(), Sizes(), first, last)


# How it is counted -------------------------------------------------------------------------------


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, ServerLog]]:
    with counting_server(tmp_path) as found:
        yield found


def test_the_servers_log_tells_every_request_once(server: tuple[str, ServerLog]) -> None:
    url, log = server
    store = DatedStore(S3Store(s3_options(url, BUCKET)), ManualClock(BEGIN))
    assert log.read() == {}
    store.put("log/1", b"one", PutMode.CREATE)
    store.get("log/1")
    store.list("log/")
    store.delete("log/1")
    expected = {"PUT": 1, "GET": 1, "LIST": 1, "DELETE": 1}
    assert log.read() == expected
    stored_versions(url)
    log.pass_over()
    assert log.read() == expected
    assert {verb: count for (verb, _), count in store.calls.items()} == expected


def test_a_long_listing_is_several_requests(server: tuple[str, ServerLog]) -> None:
    url, log = server
    store = DatedStore(S3Store(s3_options(url, BUCKET)), ManualClock(BEGIN))
    for number in range(1001):
        store.put(f"bronze/{number:04}", b"", PutMode.OVERWRITE)
    assert len(store.list("bronze/")) == 1001
    assert log.read()["LIST"] == 2
    assert store.calls["LIST", "bronze"] == 1


def test_times_are_the_seasons_and_not_the_machines(server: tuple[str, ServerLog]) -> None:
    clock = ManualClock(BEGIN)
    store = DatedStore(S3Store(s3_options(server[0], BUCKET)), clock)
    assert store.put("log/1", b"one", PutMode.CREATE).modified_at == BEGIN
    clock.advance(days=100)
    assert store.get("log/1").info.modified_at == BEGIN
    assert [info.modified_at for info in store.list("")] == [BEGIN]


def test_the_rules_remove_old_versions_and_nothing_of_the_log(
    server: tuple[str, ServerLog],
) -> None:
    url, _ = server
    clock = ManualClock(BEGIN)
    store = DatedStore(S3Store(s3_options(url, BUCKET)), clock)
    for key in ("head.json", "snapshots/1", "log/1"):
        store.put(key, b"old", PutMode.OVERWRITE)
        store.put(key, b"newer", PutMode.OVERWRITE)
    store.delete("snapshots/1")
    clock.now += OLD_VERSIONS / 2
    store.put("head.json", b"newest!", PutMode.OVERWRITE)
    clock.now += OLD_VERSIONS / 2
    expire_old_versions(url, store.changes, clock.now)
    assert stored_versions(url) == {
        "head.json": StoredVersions(7, 1, 5, 1),
        "log": StoredVersions(5, 1, 3, 1),
    }
    listed = sum(
        version.size_bytes
        for version in paid_versions(store.changes)
        if version.until is None or version.until > clock.now
    )
    assert listed == 7 + 5 + 5 + 3
    assert sum(one.size_bytes for one in paid_versions(store.changes, rules=False)) == 31


def made_up_season(days: int) -> Season:
    """Each day one snapshot of a megabyte over the one before, and a hundred GETs."""
    changes = [Change(BEGIN + number * DAY, "head.json", 10**6) for number in range(days)]
    counts = [
        Day(
            day=date(2026, 11, 1) + number * DAY,
            ended_at=BEGIN + (number + 1) * DAY,
            requests={"GET": 100 * (number + 1)},
            looks_left_out=0,
            calls={("GET", "log"): 100 * (number + 1)},
            bytes_read=0,
            stored={},
        )
        for number in range(days)
    ]
    older = min(days - 1, 29)
    stored = {"head.json": StoredVersions(10**6, 1, older * 10**6, older)}
    counts[-1] = replace(counts[-1], stored=stored)
    return Season(days, counts, changes)


def test_months_are_brought_to_thirty_days() -> None:
    found = figures_of(made_up_season(90))
    assert [month["server"]["GET"] for month in found["months"]] == [3000, 3000, 3000]
    assert [month["stored_mb"] for month in found["months"]] == [15.5, 31, 31]
    assert found["months"][2]["stored_mb_without_rules"] == 75.5
    assert found["season"]["server"]["GET"] == 9000
    assert figures_of(made_up_season(31))["months"][0]["server"]["GET"] == 3000
    assert table(found).count("\n") == 4


def test_a_look_that_was_left_out_is_counted() -> None:
    season = made_up_season(30)
    last = replace(season.days[-1], looks_left_out=600)
    found = figures_of(replace(season, days=[*season.days[:-1], last]))
    assert found["months"][0]["server"]["GET"] == 3600


def test_a_count_that_the_servers_listing_contradicts_is_refused() -> None:
    season = made_up_season(20)
    more = [*season.changes, Change(BEGIN + DAY, "csv/x", 1)]
    with pytest.raises(NotTheSame):
        require_same(replace(season, changes=more))


# The season itself -------------------------------------------------------------------------------


def test_the_season_has_170_slates_and_more() -> None:
    games = whole_season().games.values()
    assert len({game.game_date for game in games}) == 170
    assert len(games) > 1230


def daily(season: Season, verb: str) -> float:
    """Requests a day by the server's count, looks that were left out included; not the first."""
    first, last = season.days[0], season.days[-1]
    count = last.requests[verb] - first.requests[verb]
    if verb == "GET":
        count += last.looks_left_out - first.looks_left_out
    return count / (len(season.days) - 1)


def require_counted(season: Season) -> None:
    """The Usage page has what the server has: by kind, and so in dollars."""
    served = season.days[-1].requests
    assert sum(season.usage.values()) == pytest.approx(sum(served.values()), rel=0.02)
    costs = [
        bill_of(Usage({Operation(verb): count for verb, count in found.items()})).total_usd
        for found in (season.usage, served)
    ]
    assert costs[0] == pytest.approx(costs[1], rel=0.02)


@pytest.mark.timeout(300)
def test_two_nights_are_played_by_two_writers(tmp_path: Path) -> None:
    season = play_season(tmp_path, 2, every_look=False)
    require_same(season)
    end = season.days[-1]
    by_verb: dict[str, int] = {}
    for (verb, _), count in end.calls.items():
        by_verb[verb] = by_verb.get(verb, 0) + count
    assert end.requests == by_verb
    groups = {change.key.partition("/")[0] for change in season.changes}
    assert {"log", "snapshots", "backups", "csv", "bronze", "head.json"} <= groups
    # Each slate is logged and revised; a backup is made each day and read by a drill.
    assert len(paid_versions(one for one in season.changes if one.key.startswith("csv/"))) == 4
    assert end.calls["PUT", "backups"] == 2
    assert end.calls["GET", "backups"] >= 4
    require_counted(season)


@pytest.mark.soak
@pytest.mark.timeout(1700)
def test_ten_nights_take_the_requests_that_are_expected(tmp_path: Path) -> None:
    season = play_season(tmp_path, 10)
    require_same(season)
    require_counted(season)
    assert season.days[-1].looks_left_out == 0
    expected = expected_usage(Habits(), Sizes(), 2, len(season.days)).requests
    for verb in ("PUT", "LIST", "GET"):
        per_day = expected[Operation(verb)] / (len(season.days) - 1)
        assert daily(season, verb) == pytest.approx(per_day, rel=0.15)
