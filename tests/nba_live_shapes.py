"""The live feed's shapes: scoreboard and box score, every field as NBA's servers send it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from nba.seasons import EASTERN
from tests.nba_league import Franchise, LeagueGame, Line, State

__all__ = ["box_score", "scoreboard"]

Json = dict[str, Any]

_COUNTED = ("pts", "reb", "oreb", "dreb", "ast", "stl", "blk", "tov", "pf", "fgm", "fga")
_COUNTED_TOO = ("fg3m", "fg3a", "ftm", "fta", "plus_minus", "minutes")
_PERIODS = 4


def box_score(
    game: LeagueGame,
    state: State,
    franchises: Mapping[int, Franchise],
    absent: Iterable[tuple[int, int, str]] = (),
) -> Json:
    """boxscore_<game id>.json; `absent` are (team id, player id, name) of who did not play."""
    missing = list(absent)
    return {
        "meta": {
            "version": 1,
            "code": 200,
            "request": f"http://nba.cloud/games/{game.game_id}/boxscore?Format=json",
            "time": "2021-01-15 23:51:25.282704",
        },
        "game": {
            "gameId": game.game_id,
            "gameTimeLocal": _eastern(game.tipoff_utc).isoformat(),
            "gameTimeUTC": _zulu(game.tipoff_utc),
            "gameTimeHome": _eastern(game.tipoff_utc).isoformat(),
            "gameTimeAway": _eastern(game.tipoff_utc).isoformat(),
            "gameEt": _eastern(game.tipoff_utc).isoformat(),
            "duration": 140,
            "gameCode": _code(game, franchises),
            "gameStatusText": _status_text(game, state),
            "gameStatus": _status(state),
            "regulationPeriods": _PERIODS,
            "period": _period(state),
            "gameClock": "PT05M32.00S" if state is State.UNDER_WAY else "PT00M00.00S",
            "attendance": 18203,
            "sellout": "0",
            "arena": {
                "arenaId": 17,
                "arenaName": f"{franchises[game.home_team_id].city} Arena",
                "arenaCity": franchises[game.home_team_id].city,
                "arenaState": "MA",
                "arenaCountry": "US",
                "arenaTimezone": "America/New_York",
            },
            "officials": [
                {
                    "personId": 201638,
                    "name": "Brent Barnaky",
                    "nameI": "B. Barnaky",
                    "firstName": "Brent",
                    "familyName": "Barnaky",
                    "jerseyNum": "36",
                    "assignment": "OFFICIAL1",
                }
            ],
            **{
                side: _team_box(
                    franchises[team_id],
                    _as_of(game.of_team(team_id), state),
                    [(player_id, name) for team, player_id, name in missing if team == team_id],
                )
                for side, team_id in zip(("homeTeam", "awayTeam"), game.team_ids, strict=True)
            },
        },
    }


def scoreboard(
    day: date, games: Sequence[tuple[LeagueGame, State]], franchises: Mapping[int, Franchise]
) -> Json:
    """todaysScoreboard_00.json."""
    return {
        "meta": {
            "version": 1,
            "request": "https://nba-prod-us-east-1-mediaops-stats.s3.amazonaws.com/NBA/liveData",
            "time": f"{day.isoformat()} 12:00:00.000",
            "code": 200,
        },
        "scoreboard": {
            "gameDate": day.isoformat(),
            "leagueId": "00",
            "leagueName": "National Basketball Association",
            "games": [_scoreboard_game(game, state, franchises) for game, state in games],
        },
    }


def _scoreboard_game(game: LeagueGame, state: State, franchises: Mapping[int, Franchise]) -> Json:
    lines = {team_id: _as_of(game.of_team(team_id), state) for team_id in game.team_ids}
    return {
        "gameId": game.game_id,
        "gameCode": _code(game, franchises),
        "gameStatus": _status(state),
        "gameStatusText": _status_text(game, state),
        "period": _period(state),
        "gameClock": "PT05M32.00S" if state is State.UNDER_WAY else "",
        "gameTimeUTC": _zulu(game.tipoff_utc),
        # The hour in New York with a Z at the end, as the feed has it.
        "gameEt": _eastern(game.tipoff_utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "regulationPeriods": _PERIODS,
        "seriesGameNumber": "",
        "seriesText": "",
        **{
            side: {
                **_team(franchises[team_id]),
                "wins": 21,
                "losses": 20,
                "score": sum(line.pts for line in lines[team_id]),
                "inBonus": None,
                "timeoutsRemaining": 0,
                "periods": _periods(sum(line.pts for line in lines[team_id])),
            }
            for side, team_id in zip(("homeTeam", "awayTeam"), game.team_ids, strict=True)
        },
        "gameLeaders": {
            side: _leader(lines[team_id], franchises[team_id])
            for side, team_id in zip(("homeLeaders", "awayLeaders"), game.team_ids, strict=True)
        },
        "pbOdds": {"team": None, "odds": 0.0, "suspended": 0},
    }


def _team(franchise: Franchise) -> Json:
    return {
        "teamId": franchise.team_id,
        "teamName": franchise.name,
        "teamCity": franchise.city,
        "teamTricode": franchise.tricode,
    }


def _leader(lines: Sequence[Line], franchise: Franchise) -> Json:
    best = max(lines, key=lambda line: line.pts, default=None)
    return {
        "personId": 0 if best is None else best.player_id,
        "name": "" if best is None else best.player_name,
        "jerseyNum": "7",
        "position": "G",
        "teamTricode": franchise.tricode,
        "playerSlug": None,
        "points": 0 if best is None else best.pts,
        "rebounds": 0 if best is None else best.reb,
        "assists": 0 if best is None else best.ast,
    }


def _team_box(
    franchise: Franchise, lines: Sequence[Line], absent: Sequence[tuple[int, str]]
) -> Json:
    played = [_player(number, line) for number, line in enumerate(lines, start=1)]
    return {
        **_team(franchise),
        "score": sum(line.pts for line in lines),
        "inBonus": "1",
        "timeoutsRemaining": 2,
        "periods": _periods(sum(line.pts for line in lines)),
        "players": [
            *played,
            *(
                _absent_player(number, *person)
                for number, person in enumerate(absent, start=len(played) + 1)
            ),
        ],
        "statistics": {
            **_statistics(_sum_of(lines, franchise.team_id)),
            "minutes": f"PT{sum(line.minutes for line in lines)}M00.00S",
            "foulsTeam": 18,
            "pointsAgainst": 97,
            "reboundsPersonal": sum(line.reb for line in lines),
            "reboundsTeam": 6,
            "turnoversTeam": 1,
        },
    }


def _player(order: int, line: Line) -> Json:
    return {
        "status": "ACTIVE",
        "order": order,
        **_person(line.player_id, line.player_name),
        **({"position": "SF"} if line.started else {}),
        "starter": "1" if line.started else "0",
        "oncourt": "0",
        "played": "1",
        "statistics": _statistics(line),
    }


def _absent_player(order: int, player_id: int, name: str) -> Json:
    """Every other one sits on the bench, the rest are injured."""
    reason = "INACTIVE_INJURY" if order % 2 else "DNP_COACH"
    return {
        "status": "INACTIVE" if order % 2 else "ACTIVE",
        "notPlayingReason": reason,
        **({"notPlayingDescription": "Left Ankle; Sprain"} if order % 2 else {}),
        "order": order,
        **_person(player_id, name),
        "starter": "0",
        "oncourt": "0",
        "played": "0",
        "statistics": {**_statistics(_sum_of([], 0)), "minutes": "PT00M00.00S"},
    }


def _person(player_id: int, name: str) -> Json:
    first, _, family = name.partition(" ")
    return {
        "personId": player_id,
        "jerseyNum": "7",
        "name": name,
        "nameI": f"{first[:1]}. {family}",
        "firstName": first,
        "familyName": family,
    }


def _statistics(line: Line) -> Json:
    return {
        "assists": line.ast,
        "blocks": line.blk,
        "blocksReceived": 0,
        "fieldGoalsAttempted": line.fga,
        "fieldGoalsMade": line.fgm,
        "fieldGoalsPercentage": _share(line.fgm, line.fga),
        "foulsOffensive": 0,
        "foulsDrawn": 4,
        "foulsPersonal": line.pf,
        "foulsTechnical": 0,
        "freeThrowsAttempted": line.fta,
        "freeThrowsMade": line.ftm,
        "freeThrowsPercentage": _share(line.ftm, line.fta),
        "minus": 50.0,
        # Whole minutes, or the few seconds that are counted as none.
        "minutes": f"PT{line.minutes:02d}M00.00S" if line.minutes else "PT00M05.00S",
        "minutesCalculated": f"PT{line.minutes:02d}M",
        "plus": 50.0 + line.plus_minus,
        "plusMinusPoints": float(line.plus_minus),
        "points": line.pts,
        "pointsFastBreak": 0,
        "pointsInThePaint": 0,
        "pointsSecondChance": 0,
        "reboundsDefensive": line.dreb,
        "reboundsOffensive": line.oreb,
        "reboundsTotal": line.reb,
        "steals": line.stl,
        "threePointersAttempted": line.fg3a,
        "threePointersMade": line.fg3m,
        "threePointersPercentage": _share(line.fg3m, line.fg3a),
        "turnovers": line.tov,
        "twoPointersAttempted": line.fga - line.fg3a,
        "twoPointersMade": line.fgm - line.fg3m,
        "twoPointersPercentage": _share(line.fgm - line.fg3m, line.fga - line.fg3a),
    }


def _sum_of(lines: Sequence[Line], team_id: int) -> Line:
    sums = {name: sum(getattr(line, name) for line in lines) for name in (*_COUNTED, *_COUNTED_TOO)}
    return Line(player_id=0, player_name="", team_id=team_id, started=None, **sums)


def _as_of(lines: list[Line], state: State) -> list[Line]:
    """Nobody before tip-off, half of everything under way."""
    if state is State.FINAL:
        return lines
    if state is not State.UNDER_WAY:
        return []
    return [
        replace(line, **{name: getattr(line, name) // 2 for name in (*_COUNTED, *_COUNTED_TOO)})
        for line in lines
    ]


def _share(made: int, attempted: int) -> float:
    return made / attempted if attempted else 0.0


def _periods(score: int) -> list[Json]:
    quarter, rest = divmod(score, _PERIODS)
    return [
        {
            "period": number,
            "periodType": "REGULAR",
            "score": quarter + (rest if number == _PERIODS else 0),
        }
        for number in range(1, _PERIODS + 1)
    ]


def _status(state: State) -> int:
    return {State.UNDER_WAY: 2, State.FINAL: 3}.get(state, 1)


def _status_text(game: LeagueGame, state: State) -> str:
    if state is State.AHEAD:
        return _eastern(game.tipoff_utc).strftime("%-I:%M pm ET")
    return {State.UNDER_WAY: "Q3 5:32", State.FINAL: "Final", State.POSTPONED: "PPD"}[state]


def _period(state: State) -> int:
    return {State.UNDER_WAY: 3, State.FINAL: 4}.get(state, 0)


def _code(game: LeagueGame, franchises: Mapping[int, Franchise]) -> str:
    home, away = franchises[game.home_team_id], franchises[game.away_team_id]
    return f"{game.game_date:%Y%m%d}/{away.tricode}{home.tricode}"


def _eastern(moment: datetime) -> datetime:
    return moment.astimezone(EASTERN)


def _zulu(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
