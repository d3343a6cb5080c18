"""Responses that are not believed: each is a problem of its own, and the rest goes on."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import date
from random import Random
from typing import Any

import pytest

from nba.silver import Problem, Silver
from nba.sources.wanted import Endpoint, Wanted
from tests.nba_documents import MORNING, SEASON, answer, box_score, document, hours, log, read
from tests.nba_league import LeagueGame
from tests.nba_responses import League

DAY = date(2025, 1, 15)
GAMES = 11
JUNK: tuple[object, ...] = (
    *(None, True, -1, 0, 1e999, 10**30, "", "15", "0012", "2025-13-45T00:00:00Z"),
    *("\ud83d", [], {}, [[]]),
)

Json = dict[str, Any]


@pytest.fixture(scope="module")
def untouched() -> League:
    return League.of_season(SEASON, DAY, DAY)


@pytest.fixture
def league(untouched: League) -> League:
    return replace(untouched, games=dict(untouched.games))


@pytest.fixture
def game(league: League) -> LeagueGame:
    return league.games_on(DAY)[0]


@pytest.fixture
def table(league: League) -> Json:
    return league.game_log(SEASON, "Regular Season", DAY, DAY, MORNING)


def problem_of(silver: Silver) -> Problem:
    (problem,) = silver.problems
    return problem


def rows(table: Json) -> list[list[Any]]:
    found: list[list[Any]] = table["resultSets"][0]["rowSet"]
    return found


def column(table: Json, name: str) -> int:
    place: int = table["resultSets"][0]["headers"].index(name)
    return place


def rows_of(table: Json, game_id: str) -> list[list[Any]]:
    return [row for row in rows(table) if row[column(table, "GAME_ID")] == game_id]


ASKED = (
    Wanted.scoreboard(),
    Wanted.box_score("0022400561"),
    Wanted.schedule(SEASON),
    Wanted.game_log(SEASON, "Regular Season", DAY, DAY),
    Wanted.players(SEASON),
)


@pytest.mark.parametrize("wanted", ASKED, ids=lambda wanted: wanted.endpoint.value)
@pytest.mark.parametrize(
    ("body", "words"),
    [
        pytest.param(b"<!DOCTYPE html><html>Access Denied</html>", "not JSON", id="html"),
        pytest.param(b"", "not JSON", id="nothing"),
        pytest.param(b'{"resource": "leaguegam', "not JSON", id="cut off"),
        pytest.param(b"\xff\xfe\x00", "not JSON", id="other bytes"),
        pytest.param(b'{"resultSets": NaN}', "not JSON", id="no number"),
        pytest.param(b"[" * 100_000, "not JSON", id="too deep"),
        pytest.param(b"[]", "not an object", id="a list"),
        pytest.param(b"null", "not an object", id="null"),
        pytest.param(b"{}", " has no ", id="an empty object"),
        pytest.param(b'{"message": "Too many requests"}', " has no ", id="another object"),
    ],
)
def test_what_is_no_response_is_one_problem(wanted: Wanted, body: bytes, words: str) -> None:
    asked = document(wanted, body)
    silver = read(asked)
    problem = problem_of(silver)
    assert words in problem.reason
    assert silver == Silver(problems=(problem,))
    assert (problem.sha256, problem.place) == (asked.sha256, "")
    assert (problem.source, problem.endpoint) == (asked.source, wanted.endpoint.value)
    assert problem.known_on == date(2025, 1, 25)


def test_a_problem_says_what_was_asked_for() -> None:
    silver = read(document(ASKED[3], b""), document(ASKED[1], b" "), document(ASKED[0], b"  "))
    assert {(problem.parameters, problem.game_id) for problem in silver.problems} == {
        ("season=2024-25&season_type=Regular Season&since=2025-01-15&until=2025-01-15", None),
        ("game_id=0022400561", "0022400561"),
        ("", None),
    }


def test_the_same_bad_response_again_is_no_other_problem() -> None:
    first, again = document(ASKED[0], b"<html>"), document(ASKED[0], b"<html>", MORNING + hours(48))
    assert read(again, first) == read(first)


@pytest.mark.parametrize("name", ["PTS", "MATCHUP", "PLAYER_ID", "WL", "MIN", "GAME_ID", "FG3A"])
def test_a_log_without_a_column_is_not_believed(table: Json, name: str) -> None:
    place = column(table, name)
    table["resultSets"][0]["headers"].pop(place)
    for row in rows(table):
        row.pop(place)
    silver = read(log(table))
    assert silver.games == ()
    assert problem_of(silver).place == ""
    assert name in problem_of(silver).reason


def test_a_log_with_a_column_twice_is_not_believed(table: Json) -> None:
    table["resultSets"][0]["headers"][column(table, "FANTASY_PTS")] = "PTS"
    assert problem_of(read(log(table))).place == ""


def test_a_log_whose_rows_are_shorter_than_its_header_is_not_believed(table: Json) -> None:
    rows(table)[40].pop()
    assert "Row 41" in problem_of(read(log(table))).reason


def test_a_column_of_another_type_is_one_problem(table: Json) -> None:
    for row in rows(table):
        row[column(table, "PTS")] = str(row[column(table, "PTS")])
    problem = problem_of(read(log(table)))
    assert (problem.place, problem.game_id) == ("", None)
    assert "PTS" in problem.reason
    assert "all 11 parts" in problem.reason


def test_a_box_score_of_another_type_is_one_problem_of_its_game(
    league: League, game: LeagueGame
) -> None:
    body = league.box_score(game.game_id, MORNING)
    body["game"]["awayTeam"]["players"][2]["statistics"]["points"] = "12"
    problem = problem_of(read(box_score(body)))
    assert (problem.place, problem.game_id, problem.game_date) == ("", game.game_id, DAY)
    assert "points" in problem.reason
    assert "'12'" in problem.reason


def drop_away_team(table: Json, game: LeagueGame) -> None:
    team, game_id = column(table, "TEAM_ID"), column(table, "GAME_ID")
    rows(table)[:] = [
        row for row in rows(table) if (row[game_id], row[team]) != (game.game_id, game.away_team_id)
    ]


def drop_most_players(table: Json, game: LeagueGame) -> None:
    team = column(table, "TEAM_ID")
    away = [row for row in rows_of(table, game.game_id) if row[team] == game.away_team_id]
    dropped = away[4:]
    rows(table)[:] = [row for row in rows(table) if row not in dropped]


def play_half(table: Json, game: LeagueGame) -> None:
    for row in rows_of(table, game.game_id):
        row[column(table, "MIN")] //= 2


def drop_top_scorer(table: Json, game: LeagueGame) -> None:
    """Whoever won without him has lost: the winner's best players are not there."""
    home_won = game.points(game.home_team_id) > game.points(game.away_team_id)
    winner = game.home_team_id if home_won else game.away_team_id
    own = [row for row in rows_of(table, game.game_id) if row[column(table, "TEAM_ID")] == winner]
    best = max(own, key=lambda row: row[column(table, "PTS")])
    for row in own:
        row[column(table, "MIN")] += 5
    rows(table).remove(best)


def no_result(table: Json, game: LeagueGame) -> None:
    for row in rows_of(table, game.game_id):
        row[column(table, "WL")] = None


def set_cell(name: str, value: object) -> Callable[[Json, LeagueGame], None]:
    def damage(table: Json, game: LeagueGame) -> None:
        rows_of(table, game.game_id)[0][column(table, name)] = value

    return damage


def set_cells(name: str, value: object) -> Callable[[Json, LeagueGame], None]:
    def damage(table: Json, game: LeagueGame) -> None:
        for row in rows_of(table, game.game_id):
            row[column(table, name)] = value

    return damage


def add_to(*names: str, more: int) -> Callable[[Json, LeagueGame], None]:
    def damage(table: Json, game: LeagueGame) -> None:
        for name in names:
            rows_of(table, game.game_id)[0][column(table, name)] += more

    return damage


def twice(table: Json, game: LeagueGame) -> None:
    rows(table).append(rows_of(table, game.game_id)[0])


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        pytest.param(drop_away_team, "not 1 and 0", id="one team only"),
        pytest.param(drop_most_players, "not complete", id="few players"),
        pytest.param(play_half, "the game is not complete", id="half the minutes"),
        pytest.param(drop_top_scorer, "WL says otherwise", id="its best player is missing"),
        pytest.param(no_result, "WL says otherwise or nothing", id="not finished"),
        pytest.param(set_cell("WL", "T"), "WL says otherwise", id="a draw"),
        pytest.param(set_cell("PTS", -3), "has -3 points", id="negative"),
        pytest.param(set_cell("MIN", 71), "has 71 minutes", id="too long"),
        pytest.param(set_cell("PTS", 10**30), "points", id="enormous"),
        pytest.param(add_to("PTS", more=1), "his shots make", id="points without shots"),
        pytest.param(add_to("REB", more=1), "other than both kinds make", id="rebounds"),
        pytest.param(set_cell("FGA", 0), "more fgm than fga", id="goals without shots"),
        pytest.param(set_cell("FTM", 50), "more ftm than fta", id="free throws"),
        pytest.param(set_cell("PLUS_MINUS", 300), "plus_minus", id="plus and minus"),
        pytest.param(set_cell("PTS", None), "is null, not a whole number", id="null"),
        pytest.param(set_cell("PTS", "24"), "is '24', not a whole number", id="a text"),
        pytest.param(set_cell("MIN", 24.5), "is 24.5, not a whole number", id="half a minute"),
        pytest.param(set_cell("AST", True), "not a whole number", id="true"),
        pytest.param(set_cell("PLAYER_ID", 0), "not an id", id="nobody"),
        pytest.param(set_cell("PLAYER_NAME", None), "not a text", id="nameless"),
        pytest.param(set_cell("MATCHUP", "NYK - PHI"), "neither home nor away", id="matchup"),
        pytest.param(set_cell("GAME_DATE", "2025-01-16"), "different dates", id="two dates"),
        pytest.param(set_cells("GAME_DATE", "JAN 15, 2025"), "not a date", id="no date"),
        pytest.param(set_cells("GAME_DATE", "2015-01-15"), "another season", id="ten years ago"),
        pytest.param(twice, "is there twice", id="a player twice"),
    ],
)
def test_a_bad_game_in_a_log_leaves_the_other_games(
    table: Json, game: LeagueGame, damage: Callable[[Json, LeagueGame], None], words: str
) -> None:
    whole = read(log(table))
    damage(table, game)
    silver = read(log(table))
    problem = problem_of(silver)
    assert words in problem.reason
    assert (problem.place, problem.game_id) == (f"game {game.game_id}", game.game_id)
    assert len(silver.games) == GAMES - 1
    assert set(silver.games) == {one for one in whole.games if one.game_id != game.game_id}
    assert set(silver.player_games) == {
        row for row in whole.player_games if row.game_id != game.game_id
    }


def test_a_strange_team_is_a_problem_of_its_game(table: Json, game: LeagueGame) -> None:
    for row in rows_of(table, game.game_id):
        if row[column(table, "TEAM_ID")] == game.away_team_id:
            row[column(table, "TEAM_ID")] = 1610619999
    problem = problem_of(read(log(table)))
    assert "Team 1610619999 is not one of the league's" in problem.reason
    assert (problem.game_id, problem.game_date) == (game.game_id, DAY)


def test_a_game_of_no_kind_is_a_problem(table: Json, game: LeagueGame) -> None:
    for row in rows_of(table, game.game_id):
        row[column(table, "GAME_ID")] = "9922400561"
    problem = problem_of(read(log(table)))
    assert (problem.place, problem.game_id) == ("game '9922400561'", None)


def test_half_a_log_leaves_what_was_known(league: League, table: Json, game: LeagueGame) -> None:
    whole = answer(league, ASKED[3])
    drop_away_team(table, game)
    table["resultSets"][0]["rowSet"] = rows(table)[: len(rows(table)) // 2]
    silver = read(whole, log(table, MORNING + hours(1)))
    assert silver.games == read(whole).games
    assert silver.player_games == read(whole).player_games
    assert len(silver.problems) >= 1


def test_an_empty_log_is_no_problem(table: Json) -> None:
    rows(table).clear()
    assert read(log(table)) == Silver()


def of_game(*path: str | int, to: object) -> Callable[[Json], None]:
    def damage(body: Json) -> None:
        at: Any = body["game"]
        for step in path[:-1]:
            at = at[step]
        at[path[-1]] = to

    return damage


PLAYER = ("homeTeam", "players", 0)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        pytest.param(of_game("homeTeam", "score", to=99), "The score is 99 to", id="score"),
        pytest.param(of_game(*PLAYER, "played", to="0"), "218 minutes", id="a player is missing"),
        pytest.param(of_game("awayTeam", "players", to=[]), "0 players", id="half-empty"),
        pytest.param(of_game("homeTeam", "teamId", to=15016), "Team 15016", id="strange team"),
        pytest.param(of_game("homeTeam", "teamId", to=0), "not an id", id="no team"),
        pytest.param(of_game("awayTeam", to=None), "awayTeam", id="one team"),
        pytest.param(of_game("gameId", to="0022400999"), "Asked for game", id="another game"),
        pytest.param(
            of_game("gameTimeUTC", to="2015-01-19T00:00:00Z"), "another season", id="ten years ago"
        ),
        pytest.param(of_game("gameTimeUTC", to="2025-01-16T00:00:00"), "its zone", id="no zone"),
        pytest.param(of_game("gameTimeUTC", to="7:00 pm ET"), "its zone", id="an hour"),
        pytest.param(of_game("gameCode", to="tonight"), "not a date", id="code"),
        pytest.param(of_game("gameStatus", to="3"), "gameStatus", id="status"),
        pytest.param(of_game(*PLAYER, "played", to=True), "played", id="played"),
        pytest.param(of_game(*PLAYER, "starter", to=None), "starter", id="starter"),
        pytest.param(
            of_game(*PLAYER, "statistics", "minutes", to="25:01"), "playing time", id="minutes"
        ),
        pytest.param(
            of_game(*PLAYER, "statistics", "minutes", to="PT90M00.00S"), "90 minutes", id="long"
        ),
        pytest.param(of_game(*PLAYER, "statistics", to={}), "has no points", id="no statistics"),
        pytest.param(of_game(*PLAYER, "statistics", "points", to=99), "his shots make", id="shots"),
        pytest.param(
            of_game("awayTeam", "players", 0, "personId", to=1630178), "twice", id="on both sides"
        ),
    ],
)
def test_a_bad_box_score_leaves_the_other_games(
    league: League, damage: Callable[[Json], None], words: str
) -> None:
    games = league.games_on(DAY)
    bodies = [league.box_score(game.game_id, MORNING) for game in games]
    assert bodies[0]["game"]["homeTeam"]["players"][0]["personId"] == 1630178
    damage(bodies[0])
    silver = read(
        *(
            document(Wanted.box_score(game.game_id), body)
            for game, body in zip(games, bodies, strict=True)
        )
    )
    problem = problem_of(silver)
    assert words in problem.reason
    assert problem.game_id == games[0].game_id
    assert len(silver.games) == GAMES - 1
    assert games[0].game_id not in {row.game_id for row in silver.player_games}


def test_a_tie_is_no_final_score(league: League, game: LeagueGame) -> None:
    home, away = (game.points(team_id) for team_id in game.team_ids)
    loser = game.home_team_id if home < away else game.away_team_id
    line = game.of_team(loser)[0]
    league.correct(game.game_id, line.player_id, points=line.pts + abs(home - away))
    for asked in (Wanted.box_score(game.game_id), ASKED[3]):
        assert "a tie" in problem_of(read(answer(league, asked))).reason


@pytest.mark.parametrize("wanted", [ASKED[0], ASKED[2]], ids=["scoreboard", "schedule"])
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param({"gameId": "22400561"}, "not the id of a game", id="no leading zeros"),
        pytest.param({"gameId": 22400561}, "not a text", id="a number"),
        pytest.param({"homeTeam": {"teamId": 15016}}, "Team 15016", id="strange team"),
        pytest.param({"homeTeam": {"teamId": 1610612752}}, "against itself", id="itself"),
        pytest.param({"homeTeam": {}}, "has no teamId", id="no team"),
        pytest.param({"homeTeam": None}, "not an object", id="null"),
        pytest.param({"gameStatusText": None}, "gameStatusText", id="no status"),
    ],
)
def test_a_bad_game_on_the_schedule_leaves_the_others(
    league: League, wanted: Wanted, changes: Json, words: str
) -> None:
    now = MORNING.replace(day=15, hour=20)
    is_board = wanted == ASKED[0]
    body = league.scoreboard(now) if is_board else league.schedule(SEASON, now)
    games = (
        body["scoreboard"]["games"] if is_board else body["leagueSchedule"]["gameDates"][0]["games"]
    )
    games[0] |= changes
    silver = read(document(wanted, body, now))
    assert words in problem_of(silver).reason
    assert problem_of(silver).place.startswith("game ")
    assert len(silver.schedule) == GAMES - 1


def test_a_field_that_is_gone_from_the_whole_schedule_is_one_problem(league: League) -> None:
    body = league.schedule(SEASON, MORNING)
    for game in body["leagueSchedule"]["gameDates"][0]["games"]:
        del game["gameDateTimeUTC"]
    silver = read(document(ASKED[2], body))
    assert silver.schedule == ()
    assert problem_of(silver).place == ""
    assert "has no gameDateTimeUTC. The same in all 11 parts." in problem_of(silver).reason


def test_dates_that_contradict_each_other_are_a_problem(league: League) -> None:
    body = league.schedule(SEASON, MORNING)
    body["leagueSchedule"]["gameDates"][0]["games"][0]["gameDateEst"] = "2025-01-18T00:00:00Z"
    silver = read(document(ASKED[2], body))
    assert "on 2025-01-15 and on 2025-01-18" in problem_of(silver).reason
    assert len(silver.schedule) == GAMES - 1


def test_a_game_on_two_dates_of_one_schedule_is_a_problem(league: League) -> None:
    body = league.schedule(SEASON, MORNING)
    games = body["leagueSchedule"]["gameDates"][0]["games"]
    games.append(games[0] | {"gameDateTimeUTC": "2025-01-16T02:15:00Z"})
    silver = read(document(ASKED[2], body))
    assert "twice" in problem_of(silver).reason
    assert problem_of(silver).game_id == games[0]["gameId"]
    assert len(silver.schedule) == GAMES - 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PERSON_ID", None),
        ("PERSON_ID", "1630173"),
        ("TEAM_ID", "BOS"),
        ("POSITION", "Guard"),
        ("ROSTER_STATUS", "Active"),
        ("PLAYER_LAST_NAME", 7),
    ],
)
def test_a_bad_row_of_the_index_leaves_the_others(league: League, name: str, value: object) -> None:
    body = league.player_index(SEASON, MORNING)
    rows(body)[4][column(body, name)] = value
    silver = read(document(ASKED[4], body))
    assert name in problem_of(silver).reason
    assert problem_of(silver).place == "row 5"
    assert len(silver.rosters) == len(rows(body)) - 1


@pytest.mark.parametrize("asked", ASKED[1:3], ids=lambda wanted: wanted.endpoint.value)
def test_half_a_character_is_a_problem_of_its_game(
    league: League, game: LeagueGame, asked: Wanted
) -> None:
    half = "Half \ud83d"
    if asked.endpoint is Endpoint.SCHEDULE:
        body = league.schedule(SEASON, MORNING)
        body["leagueSchedule"]["gameDates"][0]["games"][0]["gameLabel"] = half
    else:
        body = league.box_score(game.game_id, MORNING)
        body["game"]["homeTeam"]["players"][0]["name"] = half
    silver = read(
        document(asked, body), log(league.game_log(SEASON, "Regular Season", DAY, DAY, MORNING))
    )
    assert "ud83d" in problem_of(silver).reason
    assert is_storable(asdict(problem_of(silver)))
    assert len(silver.games) == GAMES


def test_a_nameless_player_is_on_no_roster(league: League) -> None:
    body = league.player_index(SEASON, MORNING)
    rows(body)[4][column(body, "PLAYER_FIRST_NAME")] = None
    rows(body)[4][column(body, "PLAYER_LAST_NAME")] = " "
    assert "has no name" in problem_of(read(document(ASKED[4], body))).reason


def is_storable(row: dict[str, Any]) -> bool:
    """Whether a database takes every text of it."""
    texts = [value for value in row.values() if isinstance(value, str)]
    return all(text.isprintable() or text.encode() for text in texts)


def replaced(value: Any, chance: Random) -> Any:
    """A copy with one value, anywhere within, replaced or left out."""
    steps = list(value) if isinstance(value, dict) else range(len(value))
    step = chance.choice(list(steps))
    copy = value.copy()
    inner = copy[step]
    if isinstance(inner, dict | list) and inner and chance.random() < 0.9:
        copy[step] = replaced(inner, chance)
    elif chance.random() < 0.2:
        del copy[step]
    else:
        copy[step] = chance.choice(JUNK)
    return copy


@pytest.mark.parametrize("wanted", ASKED, ids=lambda wanted: wanted.endpoint.value)
def test_whatever_is_replaced_in_a_response_nothing_is_raised_or_made_up(
    league: League, wanted: Wanted
) -> None:
    now = MORNING.replace(day=16, hour=8)
    whole = answer(league, wanted, now)
    believed = read(whole)
    body = json.loads(whole.body)
    chance = Random(wanted.endpoint.value)
    counted = 0
    for _ in range(150):
        silver = read(document(wanted, replaced(body, chance), now))
        counted += bool(silver.problems)
        # No number but the true ones: whoever has lost a row has a problem instead.
        scores = {(game.game_id, game.home_points, game.away_points) for game in silver.games}
        assert scores <= {
            (game.game_id, game.home_points, game.away_points) for game in believed.games
        }
        assert len(silver.games) == len(believed.games) or silver.problems or not silver.games
        assert all(is_storable(row) for rows in asdict(silver).values() for row in rows)
    assert counted > 5
