"""Looks at the sources after something went wrong: what was kept, learned, and is asked again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import pytest

from jobs.application import Application
from jobs.bronze import BronzeShelf
from jobs.ingest import IngestReport
from nba.bronze import Document
from nba.sources.wanted import Wanted
from tests.applications import log_of, running, use_store
from tests.nba_league import LeagueGame, Line
from tests.nba_responses import League
from tests.nba_server import NbaServer
from tests.season_site import (
    FIRST_DAY,
    Bundle,
    Evenings,
    at,
    bundled,
    cut_bundle,
    give_up_early,
    hurry,
    league,
    live_settings,
)
from tests.stores import MemoryStore, truncated

SECOND_DAY, THIRD_DAY, FOURTH_DAY = (date(2025, 1, day) for day in (16, 17, 18))
PLAYER_INDEX = "/stats/playerindex"


@dataclass
class World:
    """A league, its server, a bucket, and processes that ask the one and write to the other."""

    folder: Path
    bundle: Bundle
    evenings: Evenings
    store: MemoryStore
    processes: ExitStack = field(default_factory=ExitStack)

    @property
    def league(self) -> League:
        return self.evenings.server.league

    @property
    def server(self) -> NbaServer:
        return self.evenings.server

    def process(self, name: str = "first") -> Application:
        """One more process, with a disk of its own."""
        settings = live_settings(self.folder / name / "state", self.bundle, self.server.url)
        return self.processes.enter_context(running(settings, self.evenings.clock, ticks=False))

    def look(self, application: Application, day: date, hour: str = "06:30") -> IngestReport:
        """Take what others have published, ask the sources at that moment, and publish."""
        self.evenings.go_to(at(day, hour))
        assert application.season is not None
        application._exchange()
        report = application.season.ingest()
        application._exchange()
        return report

    def first_line(self) -> tuple[LeagueGame, Line]:
        game = self.league.games_on(FIRST_DAY)[0]
        return game, game.lines[0]


@pytest.fixture(scope="module")
def cut(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return cut_bundle(tmp_path_factory.mktemp("cut"))


@pytest.fixture(scope="module")
def evening() -> League:
    return league(FIRST_DAY, FIRST_DAY)


@pytest.fixture
def world(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut: Bundle, evening: League
) -> Iterator[World]:
    hurry(monkeypatch)
    own = League(
        evening.season,
        evening.franchises,
        evening.positions,
        dict(evening.games),
        dict(evening.careers),
    )
    with NbaServer(own) as server:
        evenings = Evenings(server, at(FIRST_DAY, "15:00"))
        store = MemoryStore(evenings.clock)
        use_store(monkeypatch, store)
        made = World(tmp_path, cut, evenings, store)
        with made.processes:
            yield made


def assists(application: Application, game: LeagueGame, line: Line) -> int:
    found = application.outcome(FIRST_DAY).actuals[game.game_id, line.player_id]
    return int(found["assists"])


def require_rebuilt(application: Application) -> None:
    assert application.season is not None
    assert application.season.rebuild(lambda share, words: None).differences == ()


def test_the_same_answer_again_is_no_later_word(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    give_up_early(monkeypatch)
    application = world.process()
    world.look(application, SECOND_DAY)
    game, line = world.first_line()
    box_score = json.dumps(world.league.box_score(game.game_id, world.server.now)).encode()
    world.server.answers[f"/static/json/liveData/boxscore/boxscore_{game.game_id}.json"] = box_score
    world.league.correct(game.game_id, line.player_id, assists=line.ast + 1)
    world.look(application, THIRD_DAY)
    assert assists(application, game, line) == line.ast + 1
    # The live feed, which was never corrected, is asked in place of the log.
    world.server.stats_hangs = True
    world.look(application, FOURTH_DAY)
    assert assists(application, game, line) == line.ast + 1
    assert len(log_of(application).result_corrections()) == 1
    require_rebuilt(application)


def test_an_answer_that_another_process_saw_change_is_kept_when_it_comes_back(
    world: World,
) -> None:
    first, second = world.process("first"), world.process("second")
    _, line = world.first_line()
    name, dates = world.league.careers[line.player_id]
    [elsewhere, *_] = (one for one in world.league.franchises if one != line.team_id)
    before = json.dumps(world.league.player_index("2024-25", world.server.now)).encode()
    world.league.careers[line.player_id] = (name, [(day, elsewhere) for day, _ in dates])
    traded = json.dumps(world.league.player_index("2024-25", world.server.now)).encode()
    world.server.answers[PLAYER_INDEX] = before
    world.look(first, FIRST_DAY, "12:00")
    world.look(second, FIRST_DAY, "13:00")
    world.server.answers[PLAYER_INDEX] = traded
    world.look(second, SECOND_DAY, "12:00")
    world.server.answers[PLAYER_INDEX] = before
    world.look(first, THIRD_DAY, "12:00")
    assert len([key for key in world.store.keys("bronze/") if "playerindex" in key]) == 3
    for application in (first, second):
        application._exchange()
        require_rebuilt(application)


@pytest.mark.parametrize("deleted", [False, True], ids=["damaged", "deleted"])
def test_a_kept_response_that_is_lost_is_told_and_stops_nothing(
    world: World, deleted: bool
) -> None:
    application = world.process()
    world.look(application, FIRST_DAY, "15:00")
    [lost] = [key for key in world.store.keys("bronze/") if "scoreboard" in key]
    if deleted:
        # The process that has listed it looks for it when it catches up anew.
        del world.store.objects[lost]
        assert application.season is not None
        application.season._caught_up = False
    else:
        world.store.damage(lost, truncated)
        application = world.process("second")
    report = world.look(application, SECOND_DAY)
    assert [error.key for error in report.failures] == [lost]
    assert not report.is_complete
    assert len(application.outcome(FIRST_DAY).scores) == len(bundled("games", FIRST_DAY, FIRST_DAY))


def test_what_was_kept_and_not_learned_is_learned_however_long_nobody_was_awake(
    world: World,
) -> None:
    world.look(world.process(), SECOND_DAY)
    game, line = world.first_line()
    world.league.correct(game.game_id, line.player_id, assists=line.ast + 1)
    moment = at(THIRD_DAY, "09:00")
    body = world.league.game_log("2024-25", "Regular Season", FIRST_DAY, SECOND_DAY, moment)
    asked = Wanted.game_log("2024-25", "Regular Season", FIRST_DAY, SECOND_DAY)
    # A process was killed after this, and nobody asks about this evening any more.
    BronzeShelf(world.store).keep(Document("nba-stats", asked, moment, json.dumps(body).encode()))
    application = world.process("later")
    world.look(application, date(2025, 1, 22))
    assert assists(application, game, line) == line.ast + 1
    require_rebuilt(application)


def test_the_playoffs_of_a_season_that_was_slept_through_are_asked_for_until_answered(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.bundle = cut_bundle(tmp_path / "bundle", date(2024, 7, 1))
    answered = world.server._game_log
    asked: list[str] = []
    refused = {"Playoffs"}

    def game_log(query: dict[str, str]) -> object:
        if query["Season"] == "2024-25":
            asked.append(query["SeasonType"])
        if query["SeasonType"] in refused:
            raise KeyError("SeasonType")
        return answered(query)

    monkeypatch.setattr(world.server, "_game_log", game_log)
    application = world.process()
    report = world.look(application, date(2025, 11, 1), "10:00")
    assert set(asked) == {"Regular Season", "Playoffs", "PlayIn"}
    assert report.missing == ("Box scores of 2024-25 (Playoffs) are missing.",)
    asked.clear()
    refused.clear()
    report = world.look(application, date(2025, 11, 2), "10:00")
    assert (asked, report.missing) == (["Playoffs"], ())
    asked.clear()
    world.look(application, date(2025, 11, 3), "10:00")
    assert asked == []
