"""ewma-1: exponentially weighted averages of a player's earlier games, with an empirical band.

Mean. The weights of a player's earlier games halve every `HALF_LIFE_GAMES` games, counted in games
and not in days, so that after a long gap the last games still speak. The prior of his position
counts as one more game while he has fewer than ten.

Band. Floor and ceiling are the 10th and 90th percentile of the player's own earlier games, weighted
with a half-life of `BAND_HALF_LIFE_GAMES` games, times the square root of (mean / average with
those longer weights): a player who lately plays more has a wider band, though not in proportion.
With fewer than ten games they lean towards the percentiles of newcomers at his position.

`docs/model.md` has the measurements behind each choice. All functions are pure and vectorised over
players, so that one slate and ten seasons go through the same code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nba.stats import STATS, Stat

__all__ = [
    "BAND_HALF_LIFE_GAMES",
    "CEILING_LEVEL",
    "FLOOR_LEVEL",
    "FULL_HISTORY_GAMES",
    "HALF_LIFE_GAMES",
    "WINDOW_GAMES",
    "Histories",
    "Priors",
    "Projected",
    "gather_windows",
    "histories_of",
    "priors_of",
    "project",
    "weighted_average",
]

Floats = NDArray[np.float64]

HALF_LIFE_GAMES: Final[Mapping[Stat, float]] = {
    "points": 8.0,
    "rebounds": 8.0,
    "assists": 8.0,
    "threes": 8.0,
    "minutes": 2.5,
}
BAND_HALF_LIFE_GAMES: Final = 30.0
FLOOR_LEVEL: Final = 0.1
CEILING_LEVEL: Final = 0.9
WINDOW_GAMES: Final = 100
"""How many of a player's latest games are looked at; older ones weigh below 0.1% of a mean."""
FULL_HISTORY_GAMES: Final = 10
"""From this many earlier games on, the prior has no share."""

_SMALLEST_POSITION: Final = 200


@dataclass(frozen=True, slots=True)
class Histories:
    """Earlier games of some players.

    `windows` has the shape (players, `WINDOW_GAMES`, stats), newest game first, NaN where there is
    no game or the source has no number. `games` (players,) counts the games in each window.
    """

    windows: Floats
    games: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Priors:
    """What newcomers do in their first games, by position ("G", "F", "C"; "" is all together).

    Each array has the shape (stats,). Empty mappings mean that no newcomer has been seen yet.
    """

    mean: Mapping[str, Floats]
    floor: Mapping[str, Floats]
    ceiling: Mapping[str, Floats]


@dataclass(frozen=True, slots=True)
class Projected:
    """Projections of some players; each array has the shape (players, stats), in STATS order."""

    mean: Floats
    floor: Floats
    ceiling: Floats


def gather_windows(values: Floats, ends: NDArray[np.int64], starts: NDArray[np.int64]) -> Floats:
    """The last `WINDOW_GAMES` rows of `values` (rows, columns) before each of `ends`, newest first.

    A player's rows lie together in order of games, `starts` names the first of them. The result
    has the shape (len(ends), WINDOW_GAMES, columns), NaN before a player's first game.
    """
    index = ends[:, None] - np.arange(1, WINDOW_GAMES + 1)
    inside = index >= starts[:, None]
    windows = values[np.where(inside, index, 0)]
    windows[~inside] = np.nan
    return windows


def histories_of(games: pd.DataFrame, player_ids: Sequence[int]) -> Histories:
    """Histories of `player_ids`, in that order, from their box scores.

    `games` has player_id and the stats, each player's rows together and in the order of games, as
    `Reference.latest_games` gives them; every row counts, so it must end before the slate.
    """
    owners = games["player_id"].to_numpy(dtype=np.int64)
    values = games[list(STATS)].to_numpy(dtype=np.float64)
    if len(values) == 0:
        values = np.full((1, len(STATS)), np.nan)
    first = {int(owner): row for row, owner in reversed(list(enumerate(owners)))}
    count = pd.Series(owners).value_counts()
    starts = np.array([first.get(one, 0) for one in player_ids], dtype=np.int64)
    seen = np.array([int(count.get(one, 0)) for one in player_ids], dtype=np.int64)
    windows = gather_windows(values, starts + seen, starts)
    return Histories(windows, np.minimum(seen, WINDOW_GAMES))


def priors_of(newcomer_games: pd.DataFrame) -> Priors:
    """Priors from the first games of newcomers: columns position and the stats.

    A position with fewer than 200 games is left to all newcomers together.
    """
    groups = {"": newcomer_games} if len(newcomer_games) else {}
    for position, rows in newcomer_games.groupby("position"):
        if position != "" and len(rows) >= _SMALLEST_POSITION:
            groups[str(position)] = rows
    stats = list(STATS)
    return Priors(
        mean={key: rows[stats].mean().to_numpy() for key, rows in groups.items()},
        floor={key: rows[stats].quantile(FLOOR_LEVEL).to_numpy() for key, rows in groups.items()},
        ceiling={
            key: rows[stats].quantile(CEILING_LEVEL).to_numpy() for key, rows in groups.items()
        },
    )


def weighted_average(windows: Floats, half_life_games: float) -> Floats:
    """Average over axis 1 of (players, games), newest first; NaN where there is no number."""
    weights = 0.5 ** (np.arange(windows.shape[1]) / half_life_games)
    known = ~np.isnan(windows)
    total = known @ weights
    summed = np.where(known, windows, 0.0) @ weights
    average: Floats = np.divide(summed, total, out=np.full(len(windows), np.nan), where=total > 0)
    return average


def project(histories: Histories, positions: Sequence[str], priors: Priors) -> Projected:
    """Project each player's next game; minutes are not yet fitted to his team's 240.

    `positions` are as in the players table ("G", "F-C", ""); the first letter decides. NaN for a
    player without history where no prior exists either.
    """
    prior_mean = _rows(priors.mean, positions)
    prior_floor = _rows(priors.floor, positions)
    prior_ceiling = _rows(priors.ceiling, positions)
    games = histories.games
    learning = games < FULL_HISTORY_GAMES
    mean_share = np.where(learning, games / (games + 1.0), 1.0)
    band_share = np.minimum(games / FULL_HISTORY_GAMES, 1.0)
    mean = np.empty((len(games), len(STATS)))
    floor, ceiling = np.empty_like(mean), np.empty_like(mean)
    for column, stat in enumerate(STATS):
        window = histories.windows[:, :, column]
        prior = prior_mean[:, column]
        own = weighted_average(window, HALF_LIFE_GAMES[stat])
        level = _blend(own, prior, mean_share)
        stretch = _stretch(level, weighted_average(window, BAND_HALF_LIFE_GAMES))
        own_low, own_high = _own_band(window)
        prior_stretch = _stretch(level, prior)
        low = _blend(own_low * stretch, prior_floor[:, column] * prior_stretch, band_share)
        high = _blend(own_high * stretch, prior_ceiling[:, column] * prior_stretch, band_share)
        mean[:, column] = level
        floor[:, column] = np.minimum(low, level)
        ceiling[:, column] = np.maximum(high, level)
    return Projected(mean, floor, ceiling)


def _rows(by_position: Mapping[str, Floats], positions: Sequence[str]) -> Floats:
    none = by_position.get("", np.full(len(STATS), np.nan))
    return np.array(
        [by_position.get(position[:1], none) for position in positions], dtype=np.float64
    ).reshape(len(positions), len(STATS))


def _blend(own: Floats, prior: Floats, own_share: Floats) -> Floats:
    """Own and prior by share; whichever is missing leaves all to the other."""
    blended = own_share * own + (1.0 - own_share) * prior
    own_alone = np.isnan(prior) | (own_share == 1.0)
    return np.where(np.isnan(own), prior, np.where(own_alone, own, blended))


def _stretch(level: Floats, usual: Floats) -> Floats:
    """How much wider than usual a band is at this level; 1 where usually nothing happens."""
    ratio = np.divide(level, usual, out=np.ones_like(level), where=usual > 0)
    return np.sqrt(ratio)


def _own_band(window: Floats) -> tuple[Floats, Floats]:
    """Weighted 10th and 90th percentile of each row, with mid-point plotting positions."""
    weights = 0.5 ** (np.arange(window.shape[1]) / BAND_HALF_LIFE_GAMES)
    order = np.argsort(window, axis=1)
    values = np.take_along_axis(window, order, axis=1)
    weight = np.where(np.isnan(values), 0.0, weights[order])
    reached = weight.cumsum(axis=1)
    total = reached[:, -1:]
    place = np.divide(reached - weight / 2, total, out=np.ones_like(reached), where=total > 0)
    last = np.maximum((weight > 0).sum(axis=1) - 1, 0)
    return (
        _interpolated(values, place, last, FLOOR_LEVEL),
        _interpolated(values, place, last, CEILING_LEVEL),
    )


def _interpolated(values: Floats, place: Floats, last: NDArray[np.int64], level: float) -> Floats:
    rows = np.arange(len(values))
    above = np.minimum((place < level).sum(axis=1), last)
    below = np.maximum(above - 1, 0)
    gap = place[rows, above] - place[rows, below]
    part = np.divide(level - place[rows, below], gap, out=np.zeros_like(gap), where=gap > 0)
    low, high = values[rows, below], values[rows, above]
    found: Floats = low + np.clip(part, 0.0, 1.0) * (high - low)
    return found
