"""What silver says of whole and true responses: the bundled rows, and every change to them."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from nba.bronze import Document
from nba.seasons import EASTERN
from nba.silver import GameStatus, PlayerGame, ScheduleEntry, Silver, combined
from nba.sources.wanted import Wanted
from tests.nba_bundle import DATA
from tests.nba_documents import (
    MORNING,
    SEASON,
    answer,
    box_score,
    document,
    hours,
    log,
    read,
)
from tests.nba_league import LeagueGame
from tests.nba_responses import GAME_LASTS, League

FIRST, LAST = date(2025, 1, 15), date(2025, 1, 24)
TEN_DAYS = [FIRST + timedelta(days=number) for number in range(10)]
LOG = Wanted.game_log(SEASON, "Regular Season")
OURS = {"pts": "points", "reb": "rebounds", "ast": "assists", "fg3m": "threes"}
LINE = ("game_id", "player_id", "player_name", "game_date", "team_id", "minutes", *OURS.values())
MORE = ("oreb", "dreb", "stl", "blk", "tov", "pf", "fgm", "fga", "fg3a", "ftm", "fta", "plus_minus")
SCORE = ("game_id", "game_date", "home_team_id", "away_team_id", "home_points", "away_points")


@pytest.fixture(scope="module")
def untouched() -> League:
    return League.of_season(SEASON, FIRST, LAST)


@pytest.fixture
def league(untouched: League) -> League:
    return replace(untouched, games=dict(untouched.games))


@pytest.fixture
def game(league: League) -> LeagueGame:
    return league.games_on(FIRST)[0]


def bundled(name: str, columns: tuple[str, ...]) -> list[tuple[object, ...]]:
    day = pc.field("game_date")
    chosen = (day >= FIRST) & (day <= LAST) & (pc.field("season_type") == "regular")
    rows = pq.read_table(DATA / f"{name}.parquet", filters=chosen).to_pylist()
    for row in rows:
        row.update({ours: row.get(theirs) for theirs, ours in OURS.items()})
    return sorted(tuple(row[column] for column in columns) for row in rows)


def values(rows: tuple[Any, ...], columns: tuple[str, ...]) -> list[tuple[object, ...]]:
    return [tuple(getattr(row, column) for column in columns) for row in rows]


def box_scores(league: League, now: datetime = MORNING) -> list[Document]:
    return [answer(league, Wanted.box_score(game_id), now) for game_id in league.games]


def row_of(silver: Silver, game_id: str, player_id: int) -> PlayerGame:
    (row,) = [
        row for row in silver.player_games if (row.game_id, row.player_id) == (game_id, player_id)
    ]
    return row


def entry_of(silver: Silver, game_id: str) -> ScheduleEntry:
    (entry,) = [entry for entry in silver.schedule if entry.game_id == game_id]
    return entry


def test_ten_days_of_box_scores_are_the_bundled_rows(league: League) -> None:
    silver = read(*box_scores(league))
    assert silver.problems == ()
    assert values(silver.games, SCORE) == bundled("games", SCORE)
    assert values(silver.player_games, (*LINE, *MORE)) == bundled("player_games", (*LINE, *MORE))
    assert {row.known_on for row in silver.player_games} == {date(2025, 1, 25)}


def test_ten_days_of_game_logs_are_the_bundled_rows(league: League) -> None:
    nights = [
        answer(league, Wanted.game_log(SEASON, "Regular Season", day, day)) for day in TEN_DAYS
    ]
    silver = read(*nights)
    assert silver.problems == ()
    assert values(silver.games, SCORE) == bundled("games", SCORE)
    assert values(silver.player_games, (*LINE, *MORE)) == bundled("player_games", (*LINE, *MORE))
    assert {row.started for row in silver.player_games} == {None}


def test_bundled_starters_are_starters() -> None:
    season = League.of_season("2023-24", date(2024, 1, 10), date(2024, 1, 10))
    silver = read(*box_scores(season, datetime(2024, 1, 11, 12, tzinfo=UTC)))
    chosen = pc.field("game_date") == date(2024, 1, 10)
    rows = pq.read_table(DATA / "player_games.parquet", filters=chosen).to_pylist()
    known = sorted((row["game_id"], row["player_id"], row["started"]) for row in rows)
    assert len(known) > 100
    assert values(silver.player_games, ("game_id", "player_id", "started")) == known


def test_a_game_log_after_the_box_score_changes_nothing(league: League) -> None:
    before = read(*box_scores(league))
    after = read(*box_scores(league), answer(league, LOG, MORNING + hours(24)))
    assert after == before
    assert {row.started for row in after.player_games} == {True, False}


def test_a_game_log_before_the_box_score_leaves_only_the_starters_to_say(league: League) -> None:
    later = MORNING + hours(24)
    silver = read(answer(league, LOG), *box_scores(league, later))
    assert {row.source for row in silver.games} == {"nba-stats"}
    assert {row.started for row in silver.player_games} == {True, False}
    assert {(row.source, row.retrieved_at) for row in silver.player_games} == {("nba-live", later)}


@pytest.mark.parametrize("into", [timedelta(minutes=-5), timedelta(hours=1)])
def test_nothing_is_known_of_a_game_before_its_end(
    league: League, game: LeagueGame, into: timedelta
) -> None:
    now = game.tipoff_utc + into
    assert read(answer(league, Wanted.box_score(game.game_id), now)) == Silver()
    assert game.game_id not in {row.game_id for row in read(answer(league, LOG, now)).games}
    now = game.tipoff_utc + GAME_LASTS
    assert len(read(answer(league, Wanted.box_score(game.game_id), now)).games) == 1


def test_the_scores_of_a_scoreboard_are_no_results(league: League) -> None:
    silver = read(answer(league, Wanted.scoreboard(), datetime(2025, 1, 16, 8, tzinfo=UTC)))
    assert [entry.game_date for entry in silver.schedule] == [FIRST] * 11
    assert (silver.games, silver.player_games) == ((), ())


def test_schedule_and_scoreboard_say_the_same(league: League) -> None:
    now = datetime(2025, 1, 15, 20, tzinfo=UTC)
    schedule = read(answer(league, Wanted.schedule(SEASON), now))
    assert schedule.problems == ()
    assert len(schedule.schedule) == len(league.games) == 71
    for game in league.games.values():
        entry = entry_of(schedule, game.game_id)
        assert entry.tipoff_utc == game.tipoff_utc
        assert entry.game_date == game.game_date == game.tipoff_utc.astimezone(EASTERN).date()
        assert (entry.home_team_id, entry.away_team_id) == game.team_ids
        assert (entry.status, entry.is_neutral) == (GameStatus.SCHEDULED, game.is_neutral)
    both = read(
        answer(league, Wanted.schedule(SEASON), now),
        answer(league, Wanted.scoreboard(), now + hours(1)),
    )
    assert both == schedule


def test_a_scoreboard_alone_speaks_of_no_arena(league: League) -> None:
    now = datetime(2025, 1, 15, 20, tzinfo=UTC)
    entries = read(answer(league, Wanted.scoreboard(), now)).schedule
    assert {(entry.is_neutral, entry.label, entry.arena) for entry in entries} == {
        (None, None, None)
    }
    later = answer(league, Wanted.schedule(SEASON), now + hours(1))
    entries = read(answer(league, Wanted.scoreboard(), now), later).schedule
    assert None not in {entry.arena for entry in entries}


def test_eastern_time_labelled_as_utc_misleads_nobody(league: League, game: LeagueGame) -> None:
    body = league.scoreboard(game.tipoff_utc)
    first = body["scoreboard"]["games"][0]
    assert (first["gameTimeUTC"], first["gameEt"]) == (
        "2025-01-16T00:00:00Z",
        "2025-01-15T19:00:00Z",
    )
    entry = entry_of(read(document(Wanted.scoreboard(), body)), game.game_id)
    assert entry.game_date == date(2025, 1, 15)
    assert entry.tipoff_utc == datetime(2025, 1, 16, 0, tzinfo=UTC)


def test_a_late_game_in_the_west_is_of_the_date_in_new_york(league: League) -> None:
    late = max(league.games_on(FIRST), key=lambda game: game.tipoff_utc)
    assert late.tipoff_utc == datetime(2025, 1, 16, 3, tzinfo=UTC)
    silver = read(answer(league, Wanted.box_score(late.game_id)))
    assert {row.game_date for row in silver.player_games} == {FIRST}


def test_a_matinee_abroad_is_of_the_date_in_new_york(league: League, game: LeagueGame) -> None:
    league.games[game.game_id] = replace(game, tipoff_utc=datetime(2025, 1, 15, 10, tzinfo=UTC))
    silver = read(answer(league, Wanted.schedule(SEASON)))
    entry = entry_of(silver, game.game_id)
    assert (entry.game_date, entry.tipoff_utc) == (FIRST, datetime(2025, 1, 15, 10, tzinfo=UTC))


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"gameStatusText": "TBD"}, id="in words"),
        pytest.param({"gameDateTimeUTC": "2025-01-15T05:00:00Z"}, id="midnight in New York"),
        pytest.param({"gameDateTimeUTC": "1900-01-01T00:00:00Z"}, id="an empty field"),
        pytest.param({"gameDateTimeUTC": "0001-01-01T00:00:00Z"}, id="the year 1"),
    ],
)
def test_an_undecided_tipoff_is_unknown(
    league: League, game: LeagueGame, changes: dict[str, str]
) -> None:
    body = league.schedule(SEASON, MORNING)
    body["leagueSchedule"]["gameDates"][0]["games"][0] |= changes
    silver = read(document(Wanted.schedule(SEASON), body))
    assert silver.problems == ()
    entry = entry_of(silver, game.game_id)
    assert (entry.game_date, entry.tipoff_utc) == (FIRST, None)


def test_a_moved_game_may_keep_its_old_code(league: League, game: LeagueGame) -> None:
    league.postpone(game.game_id, to=date(2025, 2, 19))
    body = league.box_score(game.game_id, MORNING + hours(24 * 60))
    body["game"]["gameCode"] = "20250115/NYKPHI"
    silver = read(box_score(body))
    assert silver.problems == ()
    assert {row.game_date for row in silver.player_games} == {date(2025, 2, 19)}


def test_undecided_teams_are_none(league: League, game: LeagueGame) -> None:
    body = league.schedule(SEASON, MORNING)
    first = body["leagueSchedule"]["gameDates"][0]["games"][0]
    for side in ("homeTeam", "awayTeam"):
        first[side] |= {"teamId": 0, "teamName": None, "teamTricode": None}
    first["gameLabel"] = "Emirates NBA Cup"
    entry = entry_of(read(document(Wanted.schedule(SEASON), body)), game.game_id)
    assert (entry.home_team_id, entry.away_team_id, entry.label) == (None, None, "Emirates NBA Cup")


def test_a_postponed_game_and_its_new_date(league: League, game: LeagueGame) -> None:
    ahead = game.tipoff_utc - hours(6)
    asked = Wanted.schedule(SEASON)
    documents = [answer(league, asked, ahead)]
    league.postpone(game.game_id, to=None)
    documents.append(answer(league, Wanted.scoreboard(), ahead + hours(1)))
    postponed = entry_of(read(*documents), game.game_id)
    assert (postponed.status, postponed.game_date) == (GameStatus.POSTPONED, FIRST)
    assert postponed.arena == "Philadelphia Arena"
    league.postpone(game.game_id, to=date(2025, 1, 20))
    documents.append(answer(league, asked, ahead + hours(24)))
    moved = entry_of(read(*documents), game.game_id)
    assert (moved.status, moved.game_date) == (GameStatus.SCHEDULED, date(2025, 1, 20))
    assert (postponed.known_on, moved.known_on) == (FIRST, date(2025, 1, 16))
    final = read(*documents, answer(league, Wanted.box_score(game.game_id))).games
    assert [row.game_date for row in final] == [date(2025, 1, 20)]


def test_the_schedule_says_that_a_game_is_postponed(league: League, game: LeagueGame) -> None:
    league.postpone(game.game_id, to=None)
    body = league.schedule(SEASON, MORNING)
    body["leagueSchedule"]["gameDates"][0]["games"][0]["gameStatusText"] = "7:00 pm ET"
    entry = entry_of(read(document(Wanted.schedule(SEASON), body)), game.game_id)
    assert entry.status is GameStatus.POSTPONED


def test_a_moved_game_that_still_stands_on_its_old_date(league: League, game: LeagueGame) -> None:
    league.postpone(game.game_id, to=None)
    old = league.schedule(SEASON, MORNING)["leagueSchedule"]["gameDates"][0]["games"][0]
    league.postpone(game.game_id, to=date(2025, 1, 20))
    body = league.schedule(SEASON, MORNING)
    body["leagueSchedule"]["gameDates"][-1]["games"].append(old)
    silver = read(document(Wanted.schedule(SEASON), body))
    assert silver.problems == ()
    entry = entry_of(silver, game.game_id)
    assert (entry.status, entry.game_date) == (GameStatus.SCHEDULED, date(2025, 1, 20))


def test_a_correction_touches_only_what_it_corrects(league: League, game: LeagueGame) -> None:
    night, corrected = game.tipoff_utc + hours(3), game.tipoff_utc + hours(51)
    first = answer(league, LOG, night)
    line = game.of_team(game.home_team_id)[0]
    league.correct(game.game_id, line.player_id, points=line.pts + 2, rebounds=line.reb + 1)
    before, after = read(first), read(first, answer(league, LOG, corrected))
    row = row_of(after, game.game_id, line.player_id)
    assert (row.points, row.rebounds) == (line.pts + 2, line.reb + 1)
    assert (row.known_on, row.retrieved_at) == (date(2025, 1, 17), corrected)
    assert set(before.player_games) - set(after.player_games) == {
        row_of(before, game.game_id, line.player_id)
    }
    (final,) = [final for final in after.games if final.game_id == game.game_id]
    assert final.home_points == game.points(game.home_team_id) + 2
    assert final.retrieved_at == corrected


def test_a_player_traded_between_two_games(league: League) -> None:
    home = league.games_on(FIRST)[0]
    player = home.of_team(home.home_team_id)[0]
    later = next(
        other
        for other in league.games_on(date(2025, 1, 18))
        if home.home_team_id not in other.team_ids
    )
    place = later.of_team(later.away_team_id)[0]
    lines = [
        replace(line, player_id=player.player_id, player_name=player.player_name)
        if line.player_id == place.player_id
        else line
        for line in later.lines
    ]
    league.games[later.game_id] = replace(later, lines=lines)
    silver = read(*box_scores(league))
    assert silver.problems == ()
    assert row_of(silver, home.game_id, player.player_id).team_id == home.home_team_id
    assert row_of(silver, later.game_id, player.player_id).team_id == later.away_team_id


def test_two_games_of_one_team_on_a_date(league: League, game: LeagueGame) -> None:
    other = next(
        one
        for one in league.games.values()
        if one.game_id != game.game_id and game.home_team_id in one.team_ids
    )
    league.postpone(other.game_id, to=FIRST)
    for silver in (read(*box_scores(league)), read(answer(league, LOG))):
        assert silver.problems == ()
        dates = {row.game_id: row.game_date for row in silver.games}
        assert dates[game.game_id] == dates[other.game_id] == FIRST


def test_a_player_never_seen_comes_with_his_name(league: League, game: LeagueGame) -> None:
    body = league.box_score(game.game_id, MORNING)
    body["game"]["homeTeam"]["players"][0] |= {"personId": 1_699_999, "name": "Nikola Novi"}
    row = row_of(read(box_score(body)), game.game_id, 1_699_999)
    assert row.player_name == "Nikola Novi"


def test_a_name_written_in_another_way_is_no_change(league: League) -> None:
    first = answer(league, LOG)
    body = league.game_log(SEASON, "Regular Season", None, None, MORNING)
    for row in body["resultSets"][0]["rowSet"]:
        row[2] = row[2].upper()
    assert read(first, log(body, MORNING + hours(1))) == read(first)


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("PT25M01.00S", 25),
        ("PT14M34.00S", 15),
        ("PT14M30.00S", 15),
        ("PT14M29.99S", 14),
        ("PT00M04.00S", 0),
        ("PT9M59S", 10),
    ],
)
def test_minutes_are_rounded_like_the_leagues_own(
    league: League, game: LeagueGame, text: str, minutes: int
) -> None:
    body = league.box_score(game.game_id, MORNING)
    first, second, *_ = body["game"]["homeTeam"]["players"]
    first["statistics"]["minutes"] = text
    second["statistics"]["minutes"] = "PT65M00.00S"
    silver = read(box_score(body))
    assert silver.problems == ()
    assert row_of(silver, game.game_id, first["personId"]).minutes == minutes


def test_who_did_not_play_has_no_row(league: League, game: LeagueGame) -> None:
    body = league.box_score(game.game_id, MORNING)
    players = body["game"]["homeTeam"]["players"] + body["game"]["awayTeam"]["players"]
    absent = {player["personId"] for player in players if player["played"] == "0"}
    # In uniform, on the list as having played, and never on the court.
    idle = next(player for player in players if player["played"] == "0")
    idle["played"] = "1"
    silver = read(box_score(body))
    assert len(absent) > 2
    assert absent.isdisjoint(row.player_id for row in silver.player_games)
    assert {"ACTIVE", "INACTIVE"} == {player["status"] for player in players}


def test_columns_are_read_by_their_names(league: League) -> None:
    body = league.game_log(SEASON, "Regular Season", None, None, MORNING)
    table = body["resultSets"][0]
    table["headers"].reverse()
    table["headers"].insert(3, "PACE")
    for row in table["rowSet"]:
        row.reverse()
        row.insert(3, 101.4)
    assert read(log(body)) == read(answer(league, LOG))


def test_fields_that_are_new_change_nothing(league: League, game: LeagueGame) -> None:
    body = league.box_score(game.game_id, MORNING)
    body["game"]["homeTeam"]["players"][0]["statistics"]["deflections"] = 4
    body["game"]["broadcast"] = {"home": None}
    assert read(box_score(body)) == read(answer(league, Wanted.box_score(game.game_id)))


@pytest.mark.parametrize("kind", ["0012400001", "0032400001"])
def test_results_that_nobody_wants_are_left_out(
    league: League, game: LeagueGame, kind: str
) -> None:
    body = league.box_score(game.game_id, MORNING)
    body["game"]["gameId"] = kind
    assert read(box_score(body)) == Silver()
    table = league.game_log(SEASON, "Regular Season", FIRST, FIRST, MORNING)
    for row in table["resultSets"][0]["rowSet"]:
        row[6] = kind
    assert read(log(table)) == Silver()


def test_stars_and_exhibitions_are_not_on_our_schedule(league: League) -> None:
    body = league.schedule(SEASON, MORNING)
    stars, abroad, preseason, *_ = body["leagueSchedule"]["gameDates"][0]["games"]
    stars |= {"gameId": "0032400001"}
    stars["homeTeam"]["teamId"] = 1610616833
    abroad |= {"gameId": "0012400099"}
    abroad["awayTeam"]["teamId"] = 12325
    preseason |= {"gameId": "0012400001"}
    silver = read(document(Wanted.schedule(SEASON), body))
    assert silver.problems == ()
    assert len(silver.schedule) == 69
    assert entry_of(silver, "0012400001").status is GameStatus.SCHEDULED


def test_a_club_abroad_is_not_on_our_scoreboard(league: League) -> None:
    body = league.scoreboard(MORNING - hours(18))
    abroad, *others = body["scoreboard"]["games"]
    abroad |= {"gameId": "0012400099"}
    abroad["awayTeam"]["teamId"] = 12325
    silver = read(document(Wanted.scoreboard(), body))
    assert silver.problems == ()
    assert len(silver.schedule) == len(others) > 0


def test_rosters_keep_every_change_of_team(league: League) -> None:
    first = league.player_index(SEASON, MORNING)
    rows = first["resultSets"][0]["rowSet"]
    player_id, old, new = rows[0][0], rows[0][4], 1610612738
    assert old != new
    second = league.player_index(SEASON, MORNING)
    second["resultSets"][0]["rowSet"][0][4] = new
    asked = Wanted.players(SEASON)
    silver = read(
        document(asked, first),
        document(asked, second, MORNING + hours(24)),
        document(asked, second, MORNING + hours(48)),
    )
    teams = [(row.known_on, row.team_id) for row in silver.rosters if row.player_id == player_id]
    assert teams == [(date(2025, 1, 25), old), (date(2025, 1, 26), new)]
    assert len(silver.rosters) == len(rows) + 1


def test_of_one_date_the_last_roster_counts(league: League) -> None:
    first = league.player_index(SEASON, MORNING)
    second = league.player_index(SEASON, MORNING)
    second["resultSets"][0]["rowSet"][0][4] = 1610612738
    asked = Wanted.players(SEASON)
    there_and_back = [
        document(asked, first),
        document(asked, second, MORNING + hours(24)),
        document(asked, first, MORNING + hours(25)),
    ]
    assert read(*there_and_back) == read(there_and_back[0])


@pytest.mark.parametrize(
    ("changes", "team"),
    [
        pytest.param({"ROSTER_STATUS": None}, None, id="let go"),
        pytest.param({"ROSTER_STATUS": 0}, None, id="not listed"),
        pytest.param({"TEAM_ID": 0}, None, id="no team"),
        pytest.param({"TEAM_ID": 12325}, None, id="a team of another league"),
        pytest.param({"TEAM_ID": 1610612738, "ROSTER_STATUS": 1}, 1610612738, id="Boston's"),
    ],
)
def test_who_is_on_no_roster(league: League, changes: dict[str, object], team: int | None) -> None:
    body = league.player_index(SEASON, MORNING)
    table = body["resultSets"][0]
    row = dict(zip(table["headers"], table["rowSet"][0], strict=True)) | changes
    table["rowSet"] = [list(row.values())]
    (entry,) = read(document(Wanted.players(SEASON), body)).rosters
    assert entry.team_id == team
    assert entry.player_name == f"{row['PLAYER_FIRST_NAME']} {row['PLAYER_LAST_NAME']}"


def ten_days(league: League) -> list[Document]:
    """What ten days of asking gave, in order of time: every endpoint, a correction, a new date."""
    documents = []
    for day in TEN_DAYS:
        noon = datetime(day.year, day.month, day.day, 17, tzinfo=UTC)
        if day == date(2025, 1, 18):
            game = league.games_on(date(2025, 1, 16))[0]
            line = game.of_team(game.home_team_id)[0]
            league.correct(game.game_id, line.player_id, assists=line.ast + 1)
            league.postpone(league.games_on(date(2025, 1, 19))[0].game_id, to=LAST)
        documents += [
            answer(league, wanted, noon)
            for wanted in (
                Wanted.schedule(SEASON),
                Wanted.players(SEASON),
                Wanted.game_log(SEASON, "Regular Season", FIRST, day),
            )
        ]
        night = noon + hours(14)
        documents.append(answer(league, Wanted.scoreboard(), night))
        documents += [
            answer(league, Wanted.box_score(game.game_id), night) for game in league.games_on(day)
        ]
        documents.append(document(Wanted.scoreboard(), b"<html>Access Denied</html>", night))
    return documents


def test_silver_built_anew_is_silver_whatever_the_order(league: League) -> None:
    documents = ten_days(league)
    whole = read(*documents)
    assert len(whole.games) == 71
    assert len(whole.problems) == 1
    for seed in range(3):
        shuffled = list(documents)
        Random(seed).shuffle(shuffled)
        assert read(*shuffled) == whole
    assert read(*documents, *documents) == whole


@pytest.mark.parametrize("size", [1, 7, 40])
def test_silver_learned_bit_by_bit_is_silver(league: League, size: int) -> None:
    documents = ten_days(league)
    bits = [documents[begin : begin + size] for begin in range(0, len(documents), size)]
    assert combined(read(*bit) for bit in bits) == read(*documents)


def test_rows_are_in_order_of_their_keys(league: League) -> None:
    silver = read(*reversed(ten_days(league)))
    assert [row.game_id for row in silver.schedule] == sorted(league.games)
    assert [row.game_id for row in silver.games] == sorted(league.games)
    keys = [(row.game_id, row.player_id) for row in silver.player_games]
    assert keys == sorted(set(keys))
    listed = [(row.player_id, row.known_on) for row in silver.rosters]
    assert listed == sorted(set(listed))
    assert all(value is not None for value in asdict(silver.games[0]).values())
