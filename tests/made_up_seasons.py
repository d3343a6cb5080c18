"""A league of four teams and some short seasons, years ahead or long ago, as a data folder."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from tests.nba_bundle import DATA, write_bundle

__all__ = [
    "EVENINGS",
    "LONG_AGO",
    "ROOKIE",
    "SEASON",
    "SEASONS",
    "TRADED",
    "made_up_seasons",
    "made_up_yardsticks",
    "names_of_seasons",
    "with_oddities",
]

_YEARS_AHEAD: Final = 2026
LONG_AGO: Final = 1990
"""A first year before any roster is known, of games that no real yardstick speaks of."""
_SEASONS: Final = 5


def names_of_seasons(first_year: int) -> tuple[str, ...]:
    """The five seasons from a year on; the last one is the one to be tested."""
    years = range(first_year, first_year + _SEASONS)
    return tuple(f"{year}-{(year + 1) % 100:02}" for year in years)


SEASONS: Final = names_of_seasons(_YEARS_AHEAD)
SEASON: Final = SEASONS[-1]
EVENINGS: Final = 12
ROOKIE: Final = 900_999
"""In the league of `with_oddities`: plays in the last season alone, and no list names him."""
TRADED: Final = 900_000
"""There: goes from the first team to the second in mid-season."""
PLAYERS: Final = 9
TEAMS: Final = {
    1610612738: "BOS",
    1610612752: "NYK",
    1610612747: "LAL",
    1610612741: "CHI",
}
_PAIRS: Final = (((0, 1), (2, 3)), ((2, 0), (3, 1)), ((0, 3), (1, 2)))


def made_up_seasons(folder: Path, seed: int = 20301001, first_year: int = _YEARS_AHEAD) -> Path:
    """Five seasons of 12 evenings, on which all four teams play; each evening a team misses one.

    Who misses a game is listed as inactive. Each player has a level of his own around which his
    numbers vary, and a team's minutes add up to about 240.
    """
    random = np.random.default_rng(seed)
    levels = random.gamma(4.0, 0.25, (len(TEAMS), PLAYERS)) + 0.3
    rows: list[dict[str, Any]] = []
    games: list[dict[str, Any]] = []
    absences: list[dict[str, Any]] = []
    for season in names_of_seasons(first_year):
        year = int(season[:4])
        for evening in range(EVENINGS):
            for number, (home, away) in enumerate(_PAIRS[evening % len(_PAIRS)]):
                game = {
                    "season": season,
                    "season_type": "regular",
                    "game_date": _day(year, evening),
                    "game_id": f"002{year % 100:02}{2 * evening + number + 1:05}",
                }
                sides = [_side(game, team, evening, levels, random) for team in (home, away)]
                points = [sum(line["pts"] for line in played) for played, _ in sides]
                points[0] += int(points[0] == points[1])
                for is_home, (played, missing) in zip((True, False), sides, strict=True):
                    other = list(TEAMS)[away if is_home else home]
                    won = (points[0] > points[1]) == is_home
                    rows += [
                        {**line, "is_home": is_home, "won": won, "opponent_id": other}
                        for line in played
                    ]
                    absences.append(missing)
                games.append(_game(game, home, away, points))
    people = [
        {
            "player_id": _player(team, place),
            "player_name": f"Player {_player(team, place)}",
            "position": "GFC"[place % 3],
            "roster_team_2026_08": name,
        }
        for team, name in enumerate(TEAMS.values())
        for place in range(PLAYERS)
    ]
    teams = [{"team_id": key, "team": name, "team_name": name} for key, name in TEAMS.items()]
    return write_bundle(
        folder,
        teams=teams,
        players=people,
        games=games,
        player_games=rows,
        player_absences=absences,
    )


def with_oddities(data: Path) -> Path:
    """The same league, as real ones are: whatever may be wrong with a folder is wrong with it.

    In the last season a rookie, a trade, a neutral site, two games of the same teams on one date,
    a box score without shots and one without minutes, and a schedule that was overtaken: one of its
    games was played on another date, the teams of two are undecided. Earlier, games without any
    shots or minutes, and a team with another abbreviation. The same bytes each time.
    """
    box = pd.read_parquet(data / "player_games.parquet")
    games = pd.read_parquet(data / "games.parquet")
    seasons = sorted(set(games["season"]))
    last = int(seasons[-1][:4])
    days = [_day(last, evening) for evening in range(EVENINGS)]
    box["player_name"] = [f"Player {one}" for one in box["player_id"]]
    for frame in (box, games):
        frame.loc[frame["game_date"] == days[9], "game_date"] = days[6]
        for column in ("team", "opponent", "home_team", "away_team"):
            if column in frame:
                old = frame["season"].isin(seasons[:2]) & (frame[column] == "NYK")
                frame.loc[old, column] = "NYN"
    games.loc[games["game_id"] == f"002{last % 100:02}00011", "is_neutral"] = True
    _trade(box, games, days[5])
    ids = list(TEAMS)
    rookie = box[(box["player_id"] == TRADED + 303) & box["game_date"].isin(days[3:])].copy()
    box = pd.concat(
        [box, rookie.assign(player_id=ROOKIE, player_name="Rook Ie", pts=rookie["pts"] + 3)],
        ignore_index=True,
    ).convert_dtypes()
    shots = ["fgm", "fga", "fg3m", "fg3a", "ftm", "fta"]
    box.loc[box["game_date"] == _day(last - 2, 4), shots] = None
    box.loc[box["game_date"] == _day(last - 2, 6), "minutes"] = None
    of_third = box["team_id"] == ids[2]
    box.loc[of_third & (box["game_date"] == days[4]), shots] = None
    box.loc[(box["player_id"] == TRADED + 203) & (box["game_date"] == days[7]), "minutes"] = None
    _write(box, data / "player_games.parquet")
    _write(games, data / "games.parquet")
    plan = games[games["game_date"].isin([days[2], days[3]])].copy()
    plan.loc[plan.index[0], "game_date"] = days[11] + timedelta(days=3)
    undecided = ["home_team_id", "home_team", "away_team_id", "away_team"]
    plan = plan.astype(dict.fromkeys(undecided, object))
    plan.loc[plan.index[1:3], undecided] = None
    plan = plan.assign(tipoff_utc=pd.Timestamp(days[2], tz="UTC"), label="", arena="")
    _write(plan, data / f"schedule_{last}_{(last + 1) % 100:02}.parquet", "schedule_2026_27")
    return data


def made_up_yardsticks(data: Path, folder: Path) -> Path:
    """Yardsticks for some of the last season's games: forecasts, consensus lines, points lines."""
    folder.mkdir(parents=True)
    games, box = (pd.read_parquet(data / f"{name}.parquet") for name in ("games", "player_games"))
    games, box = (one[one["season"] == one["season"].max()] for one in (games, box))
    forecasts = [
        {
            "game_id": game_id,
            "source": source,
            "home_win_prob": 0.55 if source == "closing_line" else 0.6,
            "home_spread": -1.5,
            "total": 150.0,
        }
        for number, game_id in enumerate(games["game_id"])
        for source in ("closing_line", "fivethirtyeight")
        if source == "closing_line" or number % 2
    ]
    pd.DataFrame(forecasts).to_parquet(folder / "forecasts.parquet")
    keys = box[["game_id", "player_id"]].reset_index(drop=True)
    consensus = keys.iloc[::2].assign(market="rebounds", line=4.5)
    some_points = keys.iloc[::10].assign(market="points", line=9.5)
    lines = pd.concat([consensus, some_points])
    lines.to_parquet(folder / "prop_lines_consensus.parquet")
    books = pd.concat([keys.iloc[::5].assign(line=line) for line in (10.5, 12.5, 20.5)])
    books.to_parquet(folder / "prop_lines_points.parquet")
    return folder


def _day(year: int, evening: int) -> date:
    return date(year, 10, 20) + timedelta(days=3 * evening)


def _trade(box: pd.DataFrame, games: pd.DataFrame, day: date) -> None:
    """From a day on, the first team's first player is in the second team's games instead."""
    first, second = list(TEAMS)[:2]
    mine = (games["home_team_id"] == second) | (games["away_team_id"] == second)
    after = games[mine & (games["game_date"] >= day)].to_dict("records")
    moved = box.index[(box["player_id"] == TRADED) & (box["game_date"] >= day)]
    assert set(box.loc[moved, "team_id"]) == {first}
    for row in moved:
        game = next(one for one in after if one["game_date"] == box.loc[row, "game_date"])
        after.remove(game)
        is_home = game["home_team_id"] == second
        other = "away" if is_home else "home"
        box.loc[row, ["game_id", "team_id", "team", "is_home", "won", "opponent_id"]] = [
            *(game["game_id"], second, TEAMS[second], is_home, game["home_win"] == is_home),
            game[f"{other}_team_id"],
        ]


def _write(frame: pd.DataFrame, path: Path, like: str = "") -> None:
    schema = pq.read_schema(DATA / f"{like or path.stem}.parquet")
    table = pa.Table.from_pandas(frame[schema.names], schema=schema, preserve_index=False)
    # Without pandas' own words on types: a reader is to see what is in the columns.
    pq.write_table(table.replace_schema_metadata(None), path)


def _player(team: int, place: int) -> int:
    return 900_000 + 100 * team + place


def _side(
    game: dict[str, Any],
    team: int,
    evening: int,
    levels: np.ndarray[Any, np.dtype[np.float64]],
    random: np.random.Generator,
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """A team's box score, and the absence of the one who misses the game."""
    key = {**game, "team_id": list(TEAMS)[team], "team": list(TEAMS.values())[team]}
    missing = (evening + team) % PLAYERS
    playing = [place for place in range(PLAYERS) if place != missing]
    shares = levels[team, playing] * random.uniform(0.8, 1.2, len(playing))
    minutes = np.clip(np.round(240 * shares / shares.sum()), 4, 48).astype(int)
    lines = [
        {
            **key,
            "player_id": _player(team, place),
            "player_name": f"Player {_player(team, place)}",
            "minutes": int(time),
            **_line(float(levels[team, place]), int(time), random),
        }
        for place, time in zip(playing, minutes, strict=True)
    ]
    gone = {**key, "player_id": _player(team, missing), "status": "inactive"}
    return lines, gone


def _line(level: float, minutes: int, random: np.random.Generator) -> dict[str, int]:
    twos, threes, free, oreb, dreb, ast, stl, blk, tov, pf = (
        int(one)
        for one in random.poisson(
            minutes * level * np.array([13, 4, 7, 3, 10, 8, 2, 1, 4, 6]) / 100
        )
    )
    return {
        "pts": 2 * twos + 3 * threes + free,
        "reb": oreb + dreb,
        "oreb": oreb,
        "dreb": dreb,
        "ast": ast,
        "stl": stl,
        "blk": blk,
        "tov": tov,
        "pf": pf,
        "fgm": twos + threes,
        "fga": 2 * (twos + threes) + 1,
        "fg3m": threes,
        "fg3a": 2 * threes + 1,
        "ftm": free,
        "fta": free + 1,
    }


def _game(game: dict[str, Any], home: int, away: int, points: Sequence[int]) -> dict[str, Any]:
    ids, names = list(TEAMS), list(TEAMS.values())
    return {
        **game,
        "home_team_id": ids[home],
        "home_team": names[home],
        "away_team_id": ids[away],
        "away_team": names[away],
        "home_points": points[0],
        "away_points": points[1],
        "home_win": points[0] > points[1],
    }
