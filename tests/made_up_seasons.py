"""A league of four teams and some short seasons, years ahead, as a data folder."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from tests.nba_bundle import write_bundle

__all__ = ["EVENINGS", "SEASON", "SEASONS", "made_up_seasons", "made_up_yardsticks"]

SEASONS: Final = ("2026-27", "2027-28", "2028-29", "2029-30", "2030-31")
SEASON: Final = SEASONS[-1]
EVENINGS: Final = 12
PLAYERS: Final = 9
TEAMS: Final = {
    1610612738: "BOS",
    1610612752: "NYK",
    1610612747: "LAL",
    1610612741: "CHI",
}
_PAIRS: Final = (((0, 1), (2, 3)), ((2, 0), (3, 1)), ((0, 3), (1, 2)))


def made_up_seasons(folder: Path, seed: int = 20301001) -> Path:
    """Five seasons of 12 evenings, on which all four teams play; each evening a team misses one.

    Who misses a game is listed as inactive. Each player has a level of his own around which his
    numbers vary, and a team's minutes add up to about 240.
    """
    random = np.random.default_rng(seed)
    levels = random.gamma(4.0, 0.25, (len(TEAMS), PLAYERS)) + 0.3
    rows: list[dict[str, Any]] = []
    games: list[dict[str, Any]] = []
    absences: list[dict[str, Any]] = []
    for season in SEASONS:
        year = int(season[:4])
        for evening in range(EVENINGS):
            for number, (home, away) in enumerate(_PAIRS[evening % len(_PAIRS)]):
                game = {
                    "season": season,
                    "season_type": "regular",
                    "game_date": date(year, 10, 20) + timedelta(days=3 * evening),
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


def made_up_yardsticks(data: Path, folder: Path) -> Path:
    """Yardsticks for some of the last season's games: forecasts, consensus lines, points lines."""
    folder.mkdir(parents=True)
    games = pd.read_parquet(data / "games.parquet").query("season == @SEASON")
    box = pd.read_parquet(data / "player_games.parquet").query("season == @SEASON")
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
