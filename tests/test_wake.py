"""An app that has slept from Monday to Thursday: it catches up, and says what it could not log."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from jobs.application import Application
from jobs.authority import OWNER
from nba.stats import BUNDLE_COLUMNS, STATS
from tests.applications import log_of, published, running, use_store
from tests.nba_server import NbaServer
from tests.season_site import (
    Evenings,
    at,
    bundled,
    cut_bundle,
    days_between,
    hurry,
    league,
    live_settings,
)
from tests.stores import MemoryStore

MONDAY, TUESDAY, WEDNESDAY, THURSDAY = days_between(date(2025, 1, 20), date(2025, 1, 23))
FRIDAY = THURSDAY + timedelta(days=1)


@pytest.fixture
def evenings() -> Iterator[Evenings]:
    with NbaServer(league(MONDAY, FRIDAY)) as server:
        yield Evenings(server, at(MONDAY, "15:00"))


@pytest.fixture
def asleep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, evenings: Evenings
) -> Iterator[Application]:
    """Up on Monday afternoon, with Monday's slate logged; the clock shows Thursday afternoon."""
    bundle = cut_bundle(tmp_path / "bundle", MONDAY)
    hurry(monkeypatch)
    use_store(monkeypatch, MemoryStore(evenings.clock))
    settings = live_settings(tmp_path / "state", bundle, evenings.server.url)
    with running(settings, evenings.clock) as application:
        published(application)
        [run] = log_of(application).runs()
        assert run.slate_date == MONDAY
        assert application.missed_slates() == []
        evenings.go_to(at(THURSDAY, "15:00"))
        yield application


def test_it_catches_up_and_says_what_it_could_not_log(
    asleep: Application, evenings: Evenings
) -> None:
    # Before it has looked it knows from the schedule what has passed.
    assert [missed.slate_date for missed in asleep.missed_slates()] == [TUESDAY, WEDNESDAY]
    evenings.tick(asleep, published)
    assert asleep.saved_state().job_error is None
    assert asleep.reference.data_as_of() == WEDNESDAY
    box_scores = bundled("player_games", MONDAY, WEDNESDAY)
    for day in (MONDAY, TUESDAY, WEDNESDAY):
        assert asleep.outcome(day).actuals == {
            (row["game_id"], row["player_id"]): {stat: row[BUNDLE_COLUMNS[stat]] for stat in STATS}
            for row in box_scores[box_scores["game_date"] == day].to_dict("records")
        }
    newest = log_of(asleep).runs()[0]
    assert (newest.slate_date, newest.data_as_of) == (THURSDAY, WEDNESDAY)
    assert newest.stored_at == at(THURSDAY, "15:00")
    missed = asleep.missed_slates()
    assert [(one.slate_date, one.games, one.in_time) for one in missed] == [
        (TUESDAY, 5, 0),
        (WEDNESDAY, 8, 0),
    ]


def test_what_is_past_is_not_logged_as_if_it_had_been_in_time(
    asleep: Application, evenings: Evenings
) -> None:
    evenings.tick(asleep, published)
    assert [run.slate_date for run in log_of(asleep).runs()] == [THURSDAY, MONDAY]
    evenings.go_to(at(FRIDAY, "06:30"))
    evenings.tick(asleep, published)
    found = log_of(asleep).accuracy()
    assert (found.first_date, found.last_date) == (MONDAY, THURSDAY)
    assert found.wins.n == len(bundled("games", MONDAY, MONDAY)) + len(
        bundled("games", THURSDAY, THURSDAY)
    )


def test_the_daily_job_says_the_same(asleep: Application) -> None:
    report = asleep.daily(OWNER, lambda share, words: None)
    assert report.is_complete
    assert report.run is not None
    assert report.run.slate_date == THURSDAY
    assert [missed.slate_date for missed in report.missed] == [TUESDAY, WEDNESDAY]


def test_awake_after_the_first_tip_off_it_logs_what_is_left_and_says_so(
    asleep: Application, evenings: Evenings
) -> None:
    tipoffs = sorted(
        game.tipoff_utc for game in asleep.reference.slate(THURSDAY) if game.tipoff_utc is not None
    )
    assert tipoffs[0] < tipoffs[-1]
    evenings.go_to(tipoffs[0] + timedelta(seconds=1))
    evenings.tick(asleep, published)
    late = sum(tipoff <= evenings.clock() for tipoff in tipoffs)
    assert [missed.slate_date for missed in asleep.missed_slates()] == [TUESDAY, WEDNESDAY]
    # An evening is judged when its last game has begun.
    evenings.go_to(tipoffs[-1])
    [*_, today] = asleep.missed_slates()
    assert (today.slate_date, today.games, today.in_time) == (
        THURSDAY,
        len(tipoffs),
        len(tipoffs) - late,
    )


def test_without_the_stats_endpoints_it_names_what_it_does_not_know(
    asleep: Application, evenings: Evenings
) -> None:
    evenings.server.refuse = True
    evenings.tick(asleep, published)
    assert asleep.season is not None
    report = asleep.season.last_ingest
    assert report is not None
    assert not report.is_complete
    assert report.failures
    games = len(bundled("games", MONDAY, WEDNESDAY))
    assert report.missing == (f"Results of {games} games since 2025-01-20 are missing.",)
    # A night later the network is back.
    evenings.server.refuse = False
    evenings.go_to(at(FRIDAY, "06:30"))
    evenings.tick(asleep, published)
    assert asleep.season.last_ingest is not None
    assert asleep.season.last_ingest.missing == ()
    assert asleep.reference.data_as_of() == THURSDAY
