"""The stats endpoints' shapes: schedule, players' game log, player index."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from nba.seasons import EASTERN
from tests.nba_league import Franchise, LeagueGame, Line, State

__all__ = [
    "GAME_LOG_HEADERS",
    "PLAYER_INDEX_HEADERS",
    "Listed",
    "game_log",
    "player_index",
    "schedule",
]

Json = dict[str, Any]

GAME_LOG_HEADERS = (
    *("SEASON_ID", "PLAYER_ID", "PLAYER_NAME", "TEAM_ID", "TEAM_ABBREVIATION", "TEAM_NAME"),
    *("GAME_ID", "GAME_DATE", "MATCHUP", "WL", "MIN", "FGM", "FGA", "FG_PCT", "FG3M", "FG3A"),
    *("FG3_PCT", "FTM", "FTA", "FT_PCT", "OREB", "DREB", "REB", "AST", "STL", "BLK", "TOV"),
    *("PF", "PTS", "PLUS_MINUS", "FANTASY_PTS", "VIDEO_AVAILABLE"),
)
PLAYER_INDEX_HEADERS = (
    *("PERSON_ID", "PLAYER_LAST_NAME", "PLAYER_FIRST_NAME", "PLAYER_SLUG", "TEAM_ID", "TEAM_SLUG"),
    *("IS_DEFUNCT", "TEAM_CITY", "TEAM_NAME", "TEAM_ABBREVIATION", "JERSEY_NUMBER", "POSITION"),
    *("HEIGHT", "WEIGHT", "COLLEGE", "COUNTRY", "DRAFT_YEAR", "DRAFT_ROUND", "DRAFT_NUMBER"),
    *("ROSTER_STATUS", "PTS", "REB", "AST", "STATS_TIMEFRAME", "FROM_YEAR", "TO_YEAR"),
)
_BROADCASTERS = (
    *("nationalBroadcasters", "nationalRadioBroadcasters", "nationalOttBroadcasters"),
    *("homeTvBroadcasters", "homeRadioBroadcasters", "homeOttBroadcasters"),
    *("awayTvBroadcasters", "awayRadioBroadcasters", "awayOttBroadcasters"),
)


@dataclass(frozen=True)
class Listed:
    """A player of the index."""

    player_id: int
    name: str
    team_id: int
    position: str


def schedule(
    season: str,
    games: Iterable[tuple[LeagueGame, State]],
    franchises: Mapping[int, Franchise],
) -> Json:
    """scheduleleaguev2: games (in order of tip-off) by their dates."""
    dates: dict[date, list[Json]] = {}
    for game, state in games:
        on_date = dates.setdefault(game.game_date, [])
        on_date.append(_scheduled(game, state, franchises, len(on_date) + 1))
    return {
        "meta": {
            "version": 1,
            "request": f"http://nba.cloud/league/00/{season}/scheduleleaguev2?Format=json",
            "time": "2025-01-15T12:00:00.000Z",
        },
        "leagueSchedule": {
            "seasonYear": season,
            "leagueId": "00",
            "gameDates": [
                {"gameDate": day.strftime("%m/%d/%Y 00:00:00"), "games": on_date}
                for day, on_date in dates.items()
            ],
            "weeks": [
                {
                    "weekNumber": 1,
                    "weekName": "Week 1",
                    "startDate": "2024-10-22T00:00:00Z",
                    "endDate": "2024-10-28T00:00:00Z",
                }
            ],
        },
    }


def _scheduled(
    game: LeagueGame, state: State, franchises: Mapping[int, Franchise], sequence: int
) -> Json:
    home, away = franchises[game.home_team_id], franchises[game.away_team_id]
    tipoff = game.tipoff_utc.astimezone(EASTERN)
    ahead = tipoff.strftime("%-I:%M pm ET")
    texts = {State.UNDER_WAY: "Q3 5:32", State.FINAL: "Final", State.POSTPONED: "PPD"}
    return {
        "gameId": game.game_id,
        "gameCode": f"{tipoff:%Y%m%d}/{away.tricode}{home.tricode}",
        "gameStatus": {State.UNDER_WAY: 2, State.FINAL: 3}.get(state, 1),
        "gameStatusText": texts.get(state, ahead),
        "gameSequence": sequence,
        "gameDateEst": f"{tipoff:%Y-%m-%d}T00:00:00Z",
        "gameTimeEst": f"1900-01-01T{tipoff:%H:%M:%S}Z",
        # New York's time with a Z at the end, as the endpoint has it.
        "gameDateTimeEst": f"{tipoff:%Y-%m-%dT%H:%M:%S}Z",
        "gameDateUTC": _midnight(tipoff),
        "gameTimeUTC": f"1900-01-01T{game.tipoff_utc:%H:%M:%S}Z",
        "gameDateTimeUTC": f"{game.tipoff_utc:%Y-%m-%dT%H:%M:%S}Z",
        "awayTeamTime": f"{tipoff:%Y-%m-%dT%H:%M:%S}Z",
        "homeTeamTime": f"{tipoff:%Y-%m-%dT%H:%M:%S}Z",
        "day": f"{tipoff:%a}",
        "monthNum": tipoff.month,
        "weekNumber": 1,
        "weekName": "Week 1",
        "ifNecessary": False,
        "seriesGameNumber": "",
        "gameLabel": "",
        "gameSubLabel": "",
        "seriesText": "",
        "arenaName": f"{home.city} Arena",
        "arenaState": "MA",
        "arenaCity": home.city,
        "postponedStatus": "Y" if state is State.POSTPONED else "A",
        "branchLink": "",
        "gameSubtype": "",
        "isNeutral": game.is_neutral,
        "homeTeam": _team(home, game, state),
        "awayTeam": _team(away, game, state),
        "pointsLeaders": [],
        "broadcasters": {kind: [] for kind in _BROADCASTERS},
    }


def _midnight(tipoff: datetime) -> str:
    """Midnight of the Eastern date, in UTC."""
    offset = tipoff.utcoffset()
    assert offset is not None
    return f"{tipoff:%Y-%m-%d}T{-int(offset.total_seconds()) // 3600:02d}:00:00Z"


def _team(franchise: Franchise, game: LeagueGame, state: State) -> Json:
    return {
        "teamId": franchise.team_id,
        "teamName": franchise.name,
        "teamCity": franchise.city,
        "teamTricode": franchise.tricode,
        "teamSlug": franchise.name.lower().replace(" ", "-"),
        "wins": 21,
        "losses": 20,
        "score": game.points(franchise.team_id) if state is State.FINAL else 0,
        "seed": 0,
    }


def game_log(
    season: str,
    season_type: str,
    since: date | None,
    until: date | None,
    games: Iterable[LeagueGame],
    franchises: Mapping[int, Franchise],
) -> Json:
    """leaguegamelog with PlayerOrTeam=P: a row for each player of each of these games."""
    rows = [
        _log_row(season, game, line, franchises)
        for game in games
        for team_id in game.team_ids
        for line in game.of_team(team_id)
    ]
    return {
        "resource": "leaguegamelog",
        "parameters": {
            "LeagueID": "00",
            "Season": season,
            "SeasonType": season_type,
            "PlayerOrTeam": "Player",
            "Counter": 0,
            "Sorter": "DATE",
            "Direction": "ASC",
            "DateFrom": None if since is None else since.strftime("%m/%d/%Y"),
            "DateTo": None if until is None else until.strftime("%m/%d/%Y"),
        },
        "resultSets": [
            {"name": "LeagueGameLog", "headers": list(GAME_LOG_HEADERS), "rowSet": rows}
        ],
    }


def _log_row(
    season: str, game: LeagueGame, line: Line, franchises: Mapping[int, Franchise]
) -> list[Any]:
    is_home = line.team_id == game.home_team_id
    other_id = game.away_team_id if is_home else game.home_team_id
    own, other = franchises[line.team_id], franchises[other_id]
    won = game.points(line.team_id) > game.points(other_id)
    values: Json = {
        "SEASON_ID": f"2{season[:4]}",
        "PLAYER_ID": line.player_id,
        "PLAYER_NAME": line.player_name,
        "TEAM_ID": line.team_id,
        "TEAM_ABBREVIATION": own.tricode,
        "TEAM_NAME": f"{own.city} {own.name}",
        "GAME_ID": game.game_id,
        "GAME_DATE": game.game_date.isoformat(),
        "MATCHUP": f"{own.tricode} {'vs.' if is_home else '@'} {other.tricode}",
        "WL": "W" if won else "L",
        "MIN": line.minutes,
        "FGM": line.fgm,
        "FGA": line.fga,
        "FG_PCT": _share(line.fgm, line.fga),
        "FG3M": line.fg3m,
        "FG3A": line.fg3a,
        "FG3_PCT": _share(line.fg3m, line.fg3a),
        "FTM": line.ftm,
        "FTA": line.fta,
        "FT_PCT": _share(line.ftm, line.fta),
        "OREB": line.oreb,
        "DREB": line.dreb,
        "REB": line.reb,
        "AST": line.ast,
        "STL": line.stl,
        "BLK": line.blk,
        "TOV": line.tov,
        "PF": line.pf,
        "PTS": line.pts,
        "PLUS_MINUS": line.plus_minus,
        "FANTASY_PTS": round(line.pts + 1.2 * line.reb + 1.5 * line.ast - line.tov, 1),
        "VIDEO_AVAILABLE": 1,
    }
    return [values[name] for name in GAME_LOG_HEADERS]


def _share(made: int, attempted: int) -> float | None:
    return round(made / attempted, 3) if attempted else None


def player_index(
    season: str, players: Sequence[Listed], franchises: Mapping[int, Franchise]
) -> Json:
    """playerindex: every player of a season with his team."""
    return {
        "resource": "playerindex",
        "parameters": {"LeagueID": "00", "Season": season, "Historical": 0, "TeamID": 0},
        "resultSets": [
            {
                "name": "PlayerIndex",
                "headers": list(PLAYER_INDEX_HEADERS),
                "rowSet": [_index_row(season, one, franchises[one.team_id]) for one in players],
            }
        ],
    }


def _index_row(season: str, player: Listed, franchise: Franchise) -> list[Any]:
    first, _, last = player.name.partition(" ")
    values: Json = {
        "PERSON_ID": player.player_id,
        "PLAYER_LAST_NAME": last,
        "PLAYER_FIRST_NAME": first,
        "PLAYER_SLUG": player.name.lower().replace(" ", "-"),
        "TEAM_ID": franchise.team_id,
        "TEAM_SLUG": franchise.name.lower().replace(" ", "-"),
        "IS_DEFUNCT": 0,
        "TEAM_CITY": franchise.city,
        "TEAM_NAME": franchise.name,
        "TEAM_ABBREVIATION": franchise.tricode,
        "JERSEY_NUMBER": "7",
        "POSITION": player.position,
        "HEIGHT": "6-6",
        "WEIGHT": "220",
        "COLLEGE": "Duke",
        "COUNTRY": "USA",
        "DRAFT_YEAR": 2018,
        "DRAFT_ROUND": 1,
        "DRAFT_NUMBER": 12,
        "ROSTER_STATUS": 1.0,
        "PTS": 11.2,
        "REB": 4.1,
        "AST": 2.3,
        "STATS_TIMEFRAME": "Season",
        "FROM_YEAR": "2018",
        "TO_YEAR": season[:4],
    }
    return [values[name] for name in PLAYER_INDEX_HEADERS]
