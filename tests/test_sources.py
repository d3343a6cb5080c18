"""The real client of the NBA's against a server on loopback, in good order and in bad."""

from __future__ import annotations

import gzip
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from nba.sources.errors import (
    FileUnreadable,
    NothingAnswered,
    NotPublished,
    SourceError,
    SourcePaused,
    SourceRefused,
    SourceUnreachable,
)
from nba.sources.folder import FolderSource, file_name
from nba.sources.live import LiveSource
from nba.sources.opening import open_sources
from nba.sources.source import Source
from nba.sources.stats import StatsSource
from nba.sources.wanted import Wanted
from tests.nba_responses import League
from tests.nba_server import ACCESS_DENIED, BLOCKED, NbaServer
from tests.servers import free_port
from tests.stores import ManualClock

SEASON = "2024-25"
DAY = date(2025, 1, 15)
MORNING = datetime(2025, 1, 16, 12, tzinfo=UTC)
SCOREBOARD = "/static/json/liveData/scoreboard/todaysScoreboard_00.json"
SCHEDULE = Wanted.schedule(SEASON)


@cache
def league() -> League:
    return League.of_season(SEASON, DAY, DAY)


@dataclass
class Time:
    """Seconds that pass only while somebody sleeps."""

    seconds: float = 0.0
    slept: list[float] = field(default_factory=list)

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, duration: float) -> None:
        self.slept.append(duration)
        self.seconds += duration


@pytest.fixture
def server() -> Iterator[NbaServer]:
    with NbaServer(league()) as running:
        running.now = MORNING
        yield running


@pytest.fixture
def passing() -> Time:
    return Time()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(MORNING)


@pytest.fixture
def live(server: NbaServer, clock: ManualClock, passing: Time) -> LiveSource:
    return LiveSource(clock, server.url, 10.0, monotonic=passing.monotonic, sleep=passing.sleep)


@pytest.fixture
def stats(server: NbaServer, clock: ManualClock, passing: Time) -> StatsSource:
    return StatsSource(clock, server.url, 10.0, monotonic=passing.monotonic, sleep=passing.sleep)


def game_id() -> str:
    return league().games_on(DAY)[0].game_id


def failure(source: Source, wanted: Wanted) -> SourceError:
    with pytest.raises(SourceError) as caught:
        source.fetch(wanted)
    assert caught.value.source == source.name
    assert caught.value.remedy
    return caught.value


def test_the_live_feed_gives_scoreboard_and_box_scores(
    server: NbaServer, live: LiveSource, clock: ManualClock
) -> None:
    board = live.fetch(Wanted.scoreboard())
    assert json.loads(board.body) == league().scoreboard(MORNING)
    assert (board.source, board.wanted) == ("nba-live", Wanted.scoreboard())
    assert board.retrieved_at == clock()
    box = live.fetch(Wanted.box_score(game_id()))
    assert json.loads(box.body) == league().box_score(game_id(), MORNING)


def test_the_stats_server_gives_schedule_log_and_players(
    server: NbaServer, stats: StatsSource
) -> None:
    assert json.loads(stats.fetch(SCHEDULE).body) == league().schedule(SEASON, MORNING)
    players = stats.fetch(Wanted.players(SEASON))
    assert json.loads(players.body) == league().player_index(SEASON, MORNING)
    log = stats.fetch(Wanted.game_log(SEASON, "Regular Season"))
    assert json.loads(log.body) == league().game_log(SEASON, "Regular Season", None, None, MORNING)
    assert len(json.loads(log.body)["resultSets"][0]["rowSet"]) > 100


def test_dates_of_a_game_log_are_written_the_american_way(
    server: NbaServer, stats: StatsSource
) -> None:
    stats.fetch(Wanted.game_log(SEASON, "PlayIn", date(2025, 4, 5), date(2025, 4, 16)))
    asked = parse_qs(urlsplit(server.targets[-1]).query)
    expected = {
        "DateFrom": ["04/05/2025"],
        "DateTo": ["04/16/2025"],
        "PlayerOrTeam": ["P"],
        "Season": [SEASON],
        "SeasonType": ["PlayIn"],
        "LeagueID": ["00"],
    }
    assert {name: asked[name] for name in expected} == expected


def test_the_bytes_are_those_of_the_server(server: NbaServer, live: LiveSource) -> None:
    body = '{ "name":"Jokić",\r\n "new": [1.50, "\\u0107"], "scoreboard": {} }\n'.encode()
    server.answers[SCOREBOARD] = body
    assert live.fetch(Wanted.scoreboard()).body == body


def test_answers_may_be_compressed_in_ways_that_the_client_knows(
    server: NbaServer, stats: StatsSource, live: LiveSource
) -> None:
    for source, wanted in ((stats, SCHEDULE), (live, Wanted.scoreboard())):
        server.fail_next(1, 200, gzip.compress(b'{"a": 1}'), {"Content-Encoding": "gzip"})
        assert source.fetch(wanted).body == b'{"a": 1}'
    assert [one["Accept-Encoding"] for one in server.headers] == ["gzip, deflate"] * 2


def test_a_source_offers_what_it_can_give(live: LiveSource, stats: StatsSource) -> None:
    wanted = [
        Wanted.scoreboard(),
        Wanted.box_score("1"),
        SCHEDULE,
        Wanted.game_log(SEASON, "Playoffs"),
        Wanted.players(SEASON),
    ]
    assert [live.offers(one) for one in wanted] == [True, True, False, False, False]
    assert [stats.offers(one) for one in wanted] == [False, False, True, True, True]


def test_a_mirror_below_a_path_gets_its_own_name_as_host(
    server: NbaServer, clock: ManualClock
) -> None:
    source = LiveSource(clock, server.url + "/nba/", 10.0)
    server.answers["/nba" + SCOREBOARD] = b"{}"
    assert source.fetch(Wanted.scoreboard()).body == b"{}"
    assert [one["Host"] for one in server.headers] == [urlsplit(server.url).netloc]


def test_a_mirror_is_not_asked_through_a_proxy_for_the_nba(
    server: NbaServer, stats: StatsSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert stats.fetch(SCHEDULE).source == "nba-stats"


def test_two_mirrors_at_once_are_not_mixed_up(server: NbaServer, clock: ManualClock) -> None:
    with NbaServer(league()) as other:
        other.now = MORNING - timedelta(days=30)
        here, there = LiveSource(clock, server.url), LiveSource(clock, other.url)
        boards = [json.loads(one.fetch(Wanted.scoreboard()).body) for one in (here, there, here)]
    assert [board["scoreboard"]["gameDate"] for board in boards] == [
        "2025-01-16",
        "2024-12-17",
        "2025-01-16",
    ]
    assert (server.requests, other.requests) == (2, 1)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"<!DOCTYPE html><html>Hello</html>", "a web page"),
        (b"", "nothing"),
        (b"  \n", "nothing"),
        (b'{"resultSets": [', "no JSON"),
        (b"Service moved", "no JSON"),
        (b"[]", "another kind"),
        (b"null", "another kind"),
        (b'{"Message":"An error has occurred."}', "An error has occurred"),
        (b"[" * 100_000, "nested too deep"),
        (b"\xff\xfe\x00\x01", "no JSON"),
    ],
)
def test_what_is_no_json_object_is_refused(
    server: NbaServer, stats: StatsSource, live: LiveSource, body: bytes, said: str
) -> None:
    server.answers["/stats/scheduleleaguev2"] = server.answers[SCOREBOARD] = body
    for source, wanted in ((stats, SCHEDULE), (live, Wanted.scoreboard())):
        error = failure(source, wanted)
        assert isinstance(error, SourceRefused)
        assert said in error.problem


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"scoreboard": {}}',
        b'{"scoreboard": [1, 2]}',
        b'{"scoreboard": null}',
        b'{"game": {"homeTeam": {}}}',
        b'{"game": 7}',
        b'{"resultSets": []}',
        b'{"resultSets": [{"name": "Other"}]}',
        b'{"resultSets": {"name": 1}}',
        b'{"leagueSchedule": {"gameDates": 3}}',
        b'{"leagueSchedule": null}',
        b'{"Message": "and", "more": 1}',
    ],
)
def test_a_changed_shape_is_handed_on_as_it_came(
    server: NbaServer, stats: StatsSource, live: LiveSource, body: bytes
) -> None:
    wants: list[tuple[Source, Wanted]] = [
        (live, Wanted.scoreboard()),
        (live, Wanted.box_score("1")),
        (stats, SCHEDULE),
        (stats, Wanted.players(SEASON)),
        (stats, Wanted.game_log(SEASON, "Regular Season")),
    ]
    for path in (
        SCOREBOARD,
        "/static/json/liveData/boxscore/boxscore_1.json",
        "/stats/scheduleleaguev2",
        "/stats/playerindex",
        "/stats/leaguegamelog",
    ):
        server.answers[path] = body
    assert {source.fetch(wanted).body for source, wanted in wants} == {body}


def test_a_data_centre_is_refused(server: NbaServer, stats: StatsSource, live: LiveSource) -> None:
    server.refuse = True
    for source, wanted in (
        (stats, SCHEDULE),
        (live, Wanted.scoreboard()),
        (live, Wanted.box_score(game_id())),
    ):
        error = failure(source, wanted)
        assert isinstance(error, SourceRefused)
        assert "403" in error.problem
        assert "python cli.py ingest" in error.remedy
    # A refusal is not tried again.
    assert server.requests == 3


def test_a_game_that_the_feed_does_not_know_is_not_published(
    server: NbaServer, live: LiveSource
) -> None:
    assert isinstance(failure(live, Wanted.box_score("0022409999")), NotPublished)
    server.fail_next(1, 404, BLOCKED)
    assert isinstance(failure(live, Wanted.box_score(game_id())), NotPublished)


def test_a_missing_page_of_anything_else_is_a_wrong_address(
    server: NbaServer, live: LiveSource, stats: StatsSource
) -> None:
    server.fail_next(1, 404)
    assert "404" in failure(stats, SCHEDULE).problem
    server.fail_next(1, 403, ACCESS_DENIED)
    assert isinstance(failure(live, Wanted.scoreboard()), SourceRefused)


def test_too_many_requests_are_tried_again_when_the_server_says(
    server: NbaServer, stats: StatsSource, passing: Time
) -> None:
    server.fail_next(2, 429, headers={"Retry-After": "7"})
    assert stats.fetch(SCHEDULE).source == "nba-stats"
    assert passing.slept == [7, 7]
    assert server.requests == 3


def test_two_retries_are_all(server: NbaServer, stats: StatsSource, passing: Time) -> None:
    server.fail_next(9, 429)
    error = failure(stats, SCHEDULE)
    assert isinstance(error, SourceRefused)
    assert "429" in error.problem
    assert server.requests == 3
    assert passing.slept == [0.5, 1.0]


@pytest.mark.parametrize("status", [429, 503])
def test_a_long_wait_is_left_to_the_chain(
    server: NbaServer, stats: StatsSource, passing: Time, status: int
) -> None:
    server.fail_next(9, status, headers={"Retry-After": "900"})
    assert failure(stats, SCHEDULE).wait == timedelta(minutes=15)
    assert server.requests == 1
    assert passing.slept == []


@pytest.mark.parametrize("header", ["soon", "-5", "Wed, 21 Oct 2015 07:28:00 GMT", "1" * 300])
def test_a_strange_retry_after_breaks_nothing(
    server: NbaServer, stats: StatsSource, passing: Time, header: str
) -> None:
    server.fail_next(9, 429, headers={"Retry-After": header})
    assert isinstance(failure(stats, SCHEDULE), SourceRefused)
    assert all(0 <= seconds <= 1 for seconds in passing.slept)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_fault_of_the_server_passes_or_stays(
    server: NbaServer, live: LiveSource, status: int
) -> None:
    server.fail_next(2, status)
    assert live.fetch(Wanted.scoreboard()).source == "nba-live"
    server.fail_next(3, status)
    error = failure(live, Wanted.scoreboard())
    assert isinstance(error, SourceUnreachable)
    assert str(status) in error.problem


def test_a_hanging_server_costs_one_timeout(server: NbaServer, clock: ManualClock) -> None:
    server.stats_hangs = True
    source = StatsSource(clock, server.url, 0.25)
    began = time.monotonic()
    error = failure(source, SCHEDULE)
    assert isinstance(error, SourceUnreachable)
    assert "did not answer within 0.25 s" in error.problem
    assert time.monotonic() - began < 5
    assert server.requests == 1


def test_a_server_that_is_not_there_is_tried_again_and_named(passing: Time) -> None:
    gone = f"http://127.0.0.1:{free_port()}"
    source = LiveSource(ManualClock(), gone, 5.0, monotonic=passing.monotonic, sleep=passing.sleep)
    error = failure(source, Wanted.scoreboard())
    assert isinstance(error, SourceUnreachable)
    assert "Connection refused" in error.problem
    assert passing.slept == [0.5, 1.0]


def test_a_name_that_nobody_knows_is_unreachable(passing: Time) -> None:
    source = LiveSource(
        ManualClock(),
        "http://nba.invalid",
        5.0,
        monotonic=passing.monotonic,
        sleep=passing.sleep,
    )
    assert isinstance(failure(source, Wanted.scoreboard()), SourceUnreachable)


def test_half_an_answer_is_none(server: NbaServer, live: LiveSource) -> None:
    server.breaks_off = True
    error = failure(live, Wanted.box_score(game_id()))
    assert isinstance(error, SourceUnreachable)
    assert "IncompleteRead" in error.problem
    server.breaks_off = False
    assert live.fetch(Wanted.box_score(game_id())).source == "nba-live"


def test_requests_of_one_source_keep_their_distance(
    live: LiveSource, stats: StatsSource, passing: Time
) -> None:
    for _ in range(3):
        live.fetch(Wanted.scoreboard())
    assert passing.slept == [pytest.approx(0.1)] * 2
    passing.slept.clear()
    for _ in range(3):
        stats.fetch(SCHEDULE)
    assert passing.slept == [pytest.approx(0.6)] * 2


def test_two_failing_requests_open_the_circuit_and_the_third_costs_none(
    server: NbaServer, clock: ManualClock
) -> None:
    server.stats_hangs = True
    chain = open_sources(
        ("live", "stats"),
        clock=clock,
        folder=None,
        live_url=server.url,
        stats_url=server.url,
        timeout_seconds=0.25,
    )
    wants = [SCHEDULE, Wanted.players(SEASON), Wanted.game_log(SEASON, "Regular Season")]
    for wanted in wants:
        with pytest.raises(NothingAnswered) as caught:
            chain.fetch(wanted)
    [error] = caught.value.failures
    assert isinstance(error, SourcePaused)
    assert server.asked["/stats/scheduleleaguev2"] == server.asked["/stats/playerindex"] == 1
    assert server.asked["/stats/leaguegamelog"] == 0
    # The other source goes on.
    assert chain.fetch(Wanted.scoreboard()).source == "nba-live"

    server.stats_hangs = False
    clock.advance(minutes=10)
    assert chain.fetch(wants[2]).source == "nba-stats"
    assert chain.failures == {}


def test_what_the_network_refuses_comes_from_the_folder(
    server: NbaServer, clock: ManualClock, tmp_path: Path
) -> None:
    wants = [Wanted.scoreboard(), Wanted.box_score(game_id()), SCHEDULE]
    for wanted in wants[:2]:
        (tmp_path / file_name(wanted)).write_bytes(b'{"saved": 1}')
    server.refuse = True
    chain = open_sources(
        ("live", "stats", "folder"),
        clock=clock,
        folder=tmp_path,
        live_url=server.url,
        stats_url=server.url,
        timeout_seconds=5,
    )
    assert [chain.fetch(wanted).source for wanted in wants[:2]] == ["folder", "folder"]
    with pytest.raises(NothingAnswered) as caught:
        chain.fetch(SCHEDULE)
    assert [error.source for error in caught.value.failures] == ["nba-stats"]
    server.refuse = False
    assert chain.fetch(SCHEDULE).source == "nba-stats"


def test_unknown_sources_are_not_opened(clock: ManualClock) -> None:
    for names in (("life",), ("live", "folder")):
        with pytest.raises(ValueError, match="no such source"):
            open_sources(
                names, clock=clock, folder=None, live_url=None, stats_url=None, timeout_seconds=5
            )


@pytest.mark.parametrize(
    ("wanted", "name"),
    [
        (Wanted.scoreboard(), "scoreboard.json"),
        (Wanted.box_score("0022400123"), "boxscore_0022400123.json"),
        (Wanted.schedule("2026-27"), "scheduleleaguev2_2026-27.json"),
        (
            Wanted.game_log("2024-25", "Regular Season", DAY, DAY),
            "leaguegamelog_2024-25_Regular_Season.json",
        ),
        (Wanted.players("2026-27"), "playerindex_2026-27.json"),
    ],
)
def test_a_file_was_retrieved_when_it_was_saved(
    tmp_path: Path, clock: ManualClock, wanted: Wanted, name: str
) -> None:
    source = FolderSource(tmp_path, clock)
    assert source.offers(wanted)
    assert isinstance(failure(source, wanted), NotPublished)
    path = tmp_path / name
    path.write_bytes(b'{"a": "\xc4\x87"}\n')
    saved = datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC)
    os.utime(path, (saved.timestamp(), saved.timestamp()))
    document = source.fetch(wanted)
    assert (document.source, document.wanted) == ("folder", wanted)
    assert (document.retrieved_at, document.body) == (saved, b'{"a": "\xc4\x87"}\n')


def test_a_file_from_the_future_was_retrieved_now(tmp_path: Path, clock: ManualClock) -> None:
    path = tmp_path / "scoreboard.json"
    path.write_bytes(b"{}")
    os.utime(path, (4e9, 4e9))
    assert FolderSource(tmp_path, clock).fetch(Wanted.scoreboard()).retrieved_at == clock()


def directory(path: Path) -> None:
    path.mkdir()


def web_page(path: Path) -> None:
    path.write_bytes(BLOCKED)


@pytest.mark.parametrize("spoil", [directory, web_page])
def test_a_file_that_is_no_response_is_named(
    tmp_path: Path, clock: ManualClock, spoil: Callable[[Path], None]
) -> None:
    spoil(tmp_path / "scoreboard.json")
    error = failure(FolderSource(tmp_path, clock), Wanted.scoreboard())
    assert isinstance(error, FileUnreadable)
    assert "scoreboard.json" in error.problem


def test_a_game_id_cannot_reach_out_of_the_folder(tmp_path: Path, clock: ManualClock) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "secret.json").write_bytes(b"{}")
    source = FolderSource(tmp_path / "folder", clock)
    assert isinstance(failure(source, Wanted.box_score("/../../secret")), NotPublished)
