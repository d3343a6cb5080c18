"""Walk-forward figures of ewma-1 and elo-1: `python benchmarks/first_projection.py SEASON…`.

Each player-game of a regular season is projected from the games of earlier dates, by the functions
that serve the app, and compared with simple averages on the same rows: players who played and had
ten earlier games (and, apart, those who had fewer). Minutes fitted to 240 per team are judged on
whole slates of evenly spaced evenings, because who is expected to play is not who played.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parent.parent))

from nba import evaluation
from nba.projections import (
    FULL_HISTORY_GAMES,
    WINDOW_GAMES,
    Histories,
    Projected,
    gather_windows,
    priors_of,
    project,
)
from nba.ratings import walk_forward
from nba.reference import Reference, build_reference
from nba.slate import project_slate
from nba.stats import STATS

Array = NDArray[Any]
ROWS_AT_A_TIME = 4_000


def projected_rows(reference: Reference, history: pd.DataFrame, rows: Array) -> Projected:
    """ewma-1 for `rows` of a history in order of players and games, one month's priors a time."""
    values = history[list(STATS)].to_numpy(np.float64)
    owners = history["player_id"].to_numpy(np.int64)
    days = history["game_date"].to_numpy("datetime64[D]").astype(np.int64)
    starts = np.searchsorted(owners, owners[rows])
    ends = np.searchsorted(owners * 100_000 + days, owners[rows] * 100_000 + days[rows])
    positions = reference.players().set_index("player_id")["position"]
    names = positions.reindex(owners[rows]).to_numpy(str)
    months = history["game_date"].to_numpy("datetime64[M]")[rows]
    result = Projected(*(np.full((len(rows), len(STATS)), np.nan) for _ in range(3)))
    for month in np.unique(months):
        priors = priors_of(reference.newcomer_games(month.astype("datetime64[D]").item()))
        inside = np.flatnonzero(months == month)
        for part in np.array_split(inside, len(inside) // ROWS_AT_A_TIME + 1):
            windows = gather_windows(values, ends[part], starts[part])
            games = np.minimum(ends[part] - starts[part], WINDOW_GAMES)
            found = project(Histories(windows, games), list(names[part]), priors)
            result.mean[part] = found.mean
            result.floor[part] = found.floor
            result.ceiling[part] = found.ceiling
    return result


def player_figures(reference: Reference, history: pd.DataFrame, regular: Array) -> dict[str, Any]:
    """Per stat: n, MAE, bias, coverage and pinball beside the baselines on the same rows."""
    earlier = earlier_games(history)[regular]
    projected = projected_rows(reference, history, regular)
    rows = history.iloc[regular]
    figures: dict[str, Any] = {}
    for column, stat in enumerate(STATS):
        actual = rows[stat].to_numpy()
        simple = evaluation.baselines(history, rows, stat)
        for name, known in (
            (stat, earlier >= FULL_HISTORY_GAMES),
            (f"{stat}_below_ten_games", earlier < FULL_HISTORY_GAMES),
        ):
            scored = known & ~np.isnan(actual) & simple.notna().all(axis=1).to_numpy()
            truth = actual[scored]
            mean, floor, ceiling = (
                values[scored, column]
                for values in (projected.mean, projected.floor, projected.ceiling)
            )
            figures[name] = {
                "n": int(scored.sum()),
                "mae": evaluation.mae(truth, mean),
                "bias": evaluation.bias(truth, mean),
                "coverage_80": evaluation.coverage(truth, floor, ceiling),
                "pinball": (
                    evaluation.pinball(truth, floor, 0.1) + evaluation.pinball(truth, ceiling, 0.9)
                ),
                "baselines": {
                    key: evaluation.mae(truth, simple[key][scored]) for key in evaluation.BASELINES
                },
            }
            if name == "points":
                figures["points_coverage_by_role"] = role_coverage(
                    projected.mean[scored, STATS.index("minutes")], truth, floor, ceiling
                )
    return figures


def role_coverage(minutes: Array, truth: Array, floor: Array, ceiling: Array) -> dict[str, float]:
    """Coverage of the points band by projected minutes."""
    bounds = (0.0, 12.0, 20.0, 28.0, 60.0)
    return {
        f"{low:.0f}-{high:.0f}": evaluation.coverage(truth[inside], floor[inside], ceiling[inside])
        for low, high in pairwise(bounds)
        if (inside := (low <= minutes) & (minutes < high)).any()
    }


def earlier_games(history: pd.DataFrame) -> Array:
    """How many games of earlier dates each row's player has."""
    owners = history["player_id"].to_numpy(np.int64)
    days = history["game_date"].to_numpy("datetime64[D]").astype(np.int64)
    key = owners * 100_000 + days
    return np.searchsorted(key, key) - np.searchsorted(owners, owners)


def slate_figures(reference: Reference, season: str, evenings: int) -> dict[str, Any]:
    """Whole slates as the app would have shown them, on evenly spaced evenings of a season."""
    regular = reference.games()
    regular = regular[(regular["season"] == season) & regular["game_id"].str.startswith("002")]
    dates = [day.date() for day in regular["game_date"].drop_duplicates()]
    lines, played, shares = [], 0, 0.0
    for number in np.unique(np.linspace(0, len(dates) - 1, evenings).astype(int)):
        actual = reference.player_games(on=dates[number])
        played += len(actual)
        minutes = {
            (str(row.game_id), int(str(row.player_id))): float(str(row.minutes))
            for row in actual.itertuples()
        }
        shares += sum(minutes.values())
        for player in project_slate(reference, dates[number]).players:
            key = (player.game_id, player.player_id)
            if key in minutes:
                lines.append((player.bands["minutes"], minutes[key]))
    truth = np.array([minutes for _, minutes in lines])
    bands = [band for band, _ in lines]
    return {
        "evenings": evenings,
        "n": len(lines),
        "share_of_player_games": len(lines) / played,
        "share_of_minutes": float(truth.sum()) / shares,
        "minutes_mae": evaluation.mae(truth, [band.mean for band in bands]),
        "minutes_bias": evaluation.bias(truth, [band.mean for band in bands]),
        "minutes_coverage_80": evaluation.coverage(
            truth, [band.floor for band in bands], [band.ceiling for band in bands]
        ),
    }


def win_figures(reference: Reference, season: str) -> dict[str, Any]:
    """elo-1 on a regular season, beside a coin and the home team's usual share."""
    games = reference.games()
    given = walk_forward(games)
    won = (games["home_points"] > games["away_points"]).astype(float)
    chosen = (games["season"] == season) & games["game_id"].str.startswith("002")
    usual = won[games["season"] < season].tail(3 * 1230).mean()
    return {
        "n": int(chosen.sum()),
        "log_loss": evaluation.log_loss(won[chosen], given[chosen]),
        "brier": evaluation.brier(won[chosen], given[chosen]),
        "accuracy": evaluation.accuracy(won[chosen], given[chosen]),
        "home_share_log_loss": evaluation.log_loss(won[chosen], np.full(int(chosen.sum()), usual)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seasons", nargs="+", help="such as 2023-24")
    parser.add_argument("--evenings", type=int, default=40, help="slates a season for minutes")
    options = parser.parse_args()
    data = Path(__file__).parent.parent / "data"
    with tempfile.TemporaryDirectory() as folder:
        reference = Reference(build_reference(data, Path(folder) / "reference.db"))
        history = reference.player_games()
        for season in options.seasons:
            regular = (history["season"] == season) & (history["season_type"] == "regular")
            figures = {
                "season": season,
                "players": player_figures(reference, history, np.flatnonzero(regular)),
                "slates": slate_figures(reference, season, options.evenings),
                "wins": win_figures(reference, season),
            }
            print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
