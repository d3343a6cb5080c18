"""Lines of many evenings: loaded once a season, and nothing of the app's own is taken for it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from jobs.evenings import Evenings
from jobs.lines import lines_beside_the_model
from nba.availability import Availability
from nba.errors import UnknownSlate
from nba.history import History
from nba.reference import Reference
from nba.slate import project_slate
from tests.applications import running, settings_for

HEADER = "date,player,market,line\n"
EVENINGS = tuple(date(2018, 11, day) for day in range(1, 13))
BEFORE_NEW_YEAR, AFTER_NEW_YEAR = date(2018, 12, 14), date(2019, 1, 18)
NEXT_SEASON = date(2019, 11, 8)


class CountingReference(Reference):
    """Counts how often box scores of several seasons are loaded."""

    loads = 0

    def history(self, *arguments: Any, **options: Any) -> History:
        self.loads += 1
        return super().history(*arguments, **options)


def file_of(days: tuple[date, ...]) -> bytes:
    return (HEADER + "".join(f"{day},LeBron James,points,25.5\n" for day in days)).encode()


def silent(share: float, words: str) -> None:
    """Progress that nobody looks at."""


def test_a_season_is_loaded_once(reference_path: Path) -> None:
    counting = CountingReference(reference_path)
    evenings = Evenings(counting)
    for day in (EVENINGS[0], EVENINGS[1], BEFORE_NEW_YEAR, AFTER_NEW_YEAR):
        evenings.projection(day)
    assert counting.loads == 1
    evenings.projection(NEXT_SEASON)
    assert counting.loads == 2


def test_each_evening_is_projected_as_if_alone(reference: Reference) -> None:
    evenings = Evenings(reference)
    for day in (EVENINGS[0], BEFORE_NEW_YEAR, AFTER_NEW_YEAR, NEXT_SEASON):
        assert evenings.projection(day) == project_slate(reference, day), day


def test_the_bubble_is_a_part_of_its_season(reference_path: Path) -> None:
    counting = CountingReference(reference_path)
    evenings = Evenings(counting)
    finals = date(2020, 10, 11)
    evenings.projection(NEXT_SEASON)
    assert evenings.projection(finals) == project_slate(counting, finals)
    assert counting.loads == 2, "the other load is the comparison's own"


def test_a_date_outside_every_season_loads_nothing(reference_path: Path) -> None:
    counting = CountingReference(reference_path)
    with pytest.raises(UnknownSlate):
        Evenings(counting).projection(date(1999, 11, 20))
    assert counting.loads == 0


def test_who_is_listed_as_out_is_left_out(reference: Reference) -> None:
    out = project_slate(reference, EVENINGS[0]).players[0].player_id
    evenings = Evenings(reference, lambda day: {out: Availability.OUT})
    assert out not in {one.player_id for one in evenings.projection(EVENINGS[0]).players}


@pytest.fixture
def run_app(tmp_path: Path, reference_path: Path) -> Callable[[], Any]:
    return lambda: running(settings_for(tmp_path / "state", reference_path), ticks=False)


def test_what_is_kept_for_the_page_stays(run_app: Callable[[], Any]) -> None:
    with run_app() as application:
        shown = application.projection(AFTER_NEW_YEAR)
        lines_beside_the_model(application, file_of(EVENINGS), "lines.csv", silent)
        assert application.projection(AFTER_NEW_YEAR) is shown


def test_a_second_visitor_waits_and_is_told(run_app: Callable[[], Any]) -> None:
    with run_app() as application:
        begun, go_on, told, done = Event(), Event(), Event(), Event()

        def first(share: float, words: str) -> None:
            begun.set()
            assert go_on.wait(60)

        def second(share: float, words: str) -> None:
            assert words.startswith("Another visitor") or go_on.is_set()
            told.set()

        def compare(progress: Callable[[float, str], None]) -> None:
            report = lines_beside_the_model(
                application, file_of(EVENINGS[:1]), "lines.csv", progress
            )
            assert report.rows == 1
            if progress is second:
                done.set()

        ones = [Thread(target=compare, args=(first,)), Thread(target=compare, args=(second,))]
        ones[0].start()
        assert begun.wait(60)
        ones[1].start()
        assert told.wait(60)
        assert not done.is_set()
        # Tonight's page does not wait for either.
        assert application.projection(AFTER_NEW_YEAR).games
        go_on.set()
        for one in ones:
            one.join(60)
        assert done.is_set()


def test_a_refused_file_lets_the_next_one_in(run_app: Callable[[], Any]) -> None:
    from nba.lines import LinesRejected

    with run_app() as application:
        for _ in range(2):
            with pytest.raises(LinesRejected):
                lines_beside_the_model(application, b"<html></html>", "lines.csv", silent)
