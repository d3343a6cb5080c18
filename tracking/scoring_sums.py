"""Scores of single predictions, summed per slate and group so that a long history is read fast."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nba.evaluation import BASELINES, baseline_averages
from nba.stats import STATS, Stat
from tracking.scoring_rows import ROW_COLUMNS, CountedGame, PastGames, day_number

__all__ = [
    "CALLS_KEPT",
    "CALL_COLUMNS",
    "DIMENSIONS",
    "GAIN",
    "MISS",
    "ROLES",
    "SUMS",
    "SUM_KEYS",
    "SlateSums",
    "sums_of",
    "value_label",
]

Floats = NDArray[np.float64]

DIMENSIONS: Final = ("all", "team", "role", "value")
"""What rows are grouped by: not at all, by the player's team, projected minutes, projected mean."""

ROLES: Final = (
    "28 minutes and more",
    "20–28 minutes",
    "12–20 minutes",
    "under 12 minutes",
    "minutes not projected",
)
"""Groups of the dimension "role", by projected minutes: known beforehand, unlike who starts."""
_ROLE_FROM_MINUTES: Final = (12.0, 20.0, 28.0)

_VALUES_FROM: Final[dict[Stat, tuple[float, ...]]] = {
    "points": (5.0, 10.0, 15.0, 20.0, 25.0),
    "rebounds": (2.0, 4.0, 6.0, 8.0, 10.0),
    "assists": (1.0, 2.0, 4.0, 6.0, 8.0),
    "threes": (0.5, 1.0, 1.5, 2.0, 3.0),
    "minutes": (8.0, 16.0, 24.0, 30.0, 34.0),
}

SUM_KEYS: Final = ("slate_date", "model_version", "stat", "dimension", "name")
SUMS: Final = (
    # Over all rows; `under` counts actuals below the median, and half of those that are equal.
    *("n", "error", "bias", "mean", "actual", "under"),
    # Over the rows with floor and ceiling.
    *("n_bands", "inside", "below", "width"),
    # Over the rows for which a baseline exists.
    *(f"{part}_{name}" for name in BASELINES for part in ("n", "error", "model_error")),
)
"""The summed columns; `error` is |actual - median|, `bias` mean - actual, `model_error_` the
model's error over the baseline's rows."""

CALLS_KEPT: Final = 10
"""How many calls of each kind are kept of a slate, model and stat."""
MISS: Final = "miss"
"""The largest errors."""
GAIN: Final = "gain"
"""The largest differences between the season average's error and the model's, within the range."""
CALL_COLUMNS: Final = (
    *("slate_date", "model_version", "stat", "kind", "game_id", "player_id", "team", "opponent"),
    *("median", "floor", "ceiling", "actual", "season_average", "size"),
)


@dataclass(frozen=True, slots=True)
class SlateSums:
    """Frames with the columns SUM_KEYS + SUMS, and CALL_COLUMNS."""

    sums: pd.DataFrame
    calls: pd.DataFrame


def value_label(stat: Stat, name: str) -> str:
    """The words for a group of the dimension "value", such as 10–15."""
    starts = _VALUES_FROM[stat]
    place = int(name)
    if place == 0:
        return f"under {starts[0]:g}"
    if place == len(starts):
        return f"{starts[-1]:g} and more"
    return f"{starts[place - 1]:g}–{starts[place]:g}"


def sums_of(rows: Floats, games: Sequence[CountedGame], past: PastGames) -> SlateSums:
    """Sums and calls of the rows of `player_rows` of these games, per slate and model.

    `past` holds every earlier game of the rows' players.
    """
    frame = pd.DataFrame(rows, columns=list(ROW_COLUMNS))
    for name in ("game", "player_id", "stat"):
        frame[name] = frame[name].astype(np.int64)
    _add_games(frame, games)
    _add_groups(frame)
    _add_scores(frame, _baselines(frame, past))
    parts = [_grouped(frame, dimension) for dimension in DIMENSIONS]
    sums = pd.concat(parts, ignore_index=True)
    sums["stat"] = np.array(STATS)[sums["stat"]]
    return SlateSums(sums, _calls(frame, games))


def _add_games(frame: pd.DataFrame, games: Sequence[CountedGame]) -> None:
    """Columns of the game: slate_date, model_version, day, team and opponent."""
    place = frame["game"].to_numpy()

    def of_games(values: Sequence[object], dtype: type) -> NDArray[np.generic]:
        found: NDArray[np.generic] = np.array(values, dtype)[place]
        return found

    frame["slate_date"] = of_games([game.slate_date for game in games], str)
    frame["model_version"] = of_games([game.model_version for game in games], str)
    frame["day"] = of_games([day_number(game.game_date) for game in games], np.int64)
    home, away = (of_games([getattr(g, n) for g in games], str) for n in ("home_team", "away_team"))
    team = frame["team_id"].to_numpy()
    is_home = team == of_games([game.home_team_id for game in games], np.float64)
    is_away = team == of_games([game.away_team_id for game in games], np.float64)
    frame["team"] = np.where(is_home, home, np.where(is_away, away, "–"))
    frame["opponent"] = np.where(is_home, away, np.where(is_away, home, "–"))


def _add_groups(frame: pd.DataFrame) -> None:
    """Columns role and value, names of groups."""
    minutes = frame["minutes"].to_numpy()
    role = len(_ROLE_FROM_MINUTES) - np.searchsorted(_ROLE_FROM_MINUTES, minutes, side="right")
    frame["role"] = np.array(ROLES)[np.where(np.isnan(minutes), len(ROLES) - 1, role)]
    value = np.zeros(len(frame), np.int64)
    for place, stat in enumerate(STATS):
        mask = (frame["stat"] == place).to_numpy()
        value[mask] = np.searchsorted(_VALUES_FROM[stat], frame.loc[mask, "mean"], side="right")
    frame["value"] = value.astype(str)
    frame["all"] = ""


def _baselines(frame: pd.DataFrame, past: PastGames) -> dict[str, Floats]:
    """What each baseline would have said, NaN where it exists for a row's player not."""
    found = {name: np.full(len(frame), np.nan) for name in BASELINES}
    for place in range(len(STATS)):
        mask = (frame["stat"] == place).to_numpy()
        asked = frame.loc[mask]
        earlier = past.before(asked["player_id"].to_numpy(), asked["day"].to_numpy())
        for name, values in baseline_averages(past.values[:, place], earlier).items():
            found[name][mask] = values
    return found


def _add_scores(frame: pd.DataFrame, baselines: dict[str, Floats]) -> None:
    """The columns SUMS, and season_average and gain for the calls."""
    actual, median, mean = (frame[name].to_numpy() for name in ("actual", "median", "mean"))
    floor, ceiling = frame["floor"].to_numpy(), frame["ceiling"].to_numpy()
    error = np.abs(actual - median)
    banded = ~np.isnan(floor) & ~np.isnan(ceiling)
    frame["n"] = 1.0
    frame["error"] = error
    frame["bias"] = mean - actual
    frame["under"] = np.where(actual < median, 1.0, np.where(actual == median, 0.5, 0.0))
    frame["n_bands"] = banded.astype(np.float64)
    frame["inside"] = (banded & (floor <= actual) & (actual <= ceiling)).astype(np.float64)
    frame["below"] = (banded & (actual < floor)).astype(np.float64)
    frame["width"] = np.where(banded, ceiling - floor, 0.0)
    for name, guess in baselines.items():
        known = ~np.isnan(guess)
        frame[f"n_{name}"] = known.astype(np.float64)
        frame[f"error_{name}"] = np.where(known, np.abs(actual - guess), 0.0)
        frame[f"model_error_{name}"] = np.where(known, error, 0.0)
    frame["season_average"] = baselines["season_average"]
    frame["gain"] = np.abs(actual - baselines["season_average"]) - error


def _grouped(frame: pd.DataFrame, dimension: str) -> pd.DataFrame:
    keys = ["slate_date", "model_version", "stat", dimension]
    summed = frame.groupby(keys, sort=True)[list(SUMS)].sum().reset_index()
    named = summed.rename(columns={dimension: "name"}).assign(dimension=dimension)
    return named[[*SUM_KEYS, *SUMS]]


def _calls(frame: pd.DataFrame, games: Sequence[CountedGame]) -> pd.DataFrame:
    keys = ["slate_date", "model_version", "stat"]
    parts = []
    # Far off is no good call, however much farther the season average was.
    is_outside = (frame["actual"] < frame["floor"]) | (frame["actual"] > frame["ceiling"])
    for kind, size, may_be in ((MISS, "error", True), (GAIN, "gain", ~is_outside)):
        chosen = frame[(frame[size] > 0) & may_be]
        ordered = chosen.sort_values([size, "game", "player_id"], ascending=[False, True, True])
        kept = ordered.groupby(keys, sort=False).head(CALLS_KEPT)
        parts.append(kept.assign(kind=kind, size=kept[size]))
    calls = pd.concat(parts, ignore_index=True)
    calls["game_id"] = np.array([game.game_id for game in games], str)[calls["game"]]
    calls["stat"] = np.array(STATS)[calls["stat"]]
    return calls[list(CALL_COLUMNS)]
