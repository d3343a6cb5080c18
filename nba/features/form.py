"""A player's own form: how long he plays, what he does in it, how steady he is.

Games are counted, not days, so that after a long gap the last games still speak. While a player has
fewer than ten earlier games, what newcomers do counts as one more.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from nba.features.asked import Asked
from nba.features.windows import DAYS, Timeline, average, weighted, weights
from nba.history import BOX_SCORE, Floats, History, Integers

__all__ = ["FORM", "NEWCOMER_GAMES", "form_of", "newcomers_of"]

NEWCOMER_GAMES: Final = 10
"""Below this many earlier games the prior has a share."""

_WINDOW: Final = 80
_BREAK_WINDOW: Final = 16
_BREAK_DAYS: Final = 10
_LONGEST_DAYS_OFF: Final = 120.0
_LONGEST_TENURE: Final = 40.0
_RATE_HALF_LIFE: Final = 25.0
_RATE_PRIOR_MINUTES: Final = 60.0
# In a game that is lost or won by more than this the bench plays sooner.
_CLOSE_POINTS: Final = np.float32(8.0)
_USUAL_GAP: Final = 11.0

_AVERAGES: Final[tuple[tuple[str, tuple[float, ...]], ...]] = (
    ("minutes", (1.0, 2.5, 6.0, 15.0, 40.0)),
    ("points", (3.0, 8.0, 20.0, 40.0)),
    ("rebounds", (4.0, 10.0, 40.0)),
    ("assists", (4.0, 10.0, 40.0)),
    ("threes", (8.0, 30.0)),
    ("fga", (3.0, 12.0)),
    ("fta", (12.0,)),
    ("fg3a", (3.0, 12.0)),
    ("tov", (12.0,)),
    ("pf", (12.0,)),
    ("oreb", (20.0,)),
    ("stl", (20.0,)),
    ("blk", (20.0,)),
    ("plus_minus", (15.0,)),
)
"""Averages per game: the number and the half-lives in games."""

_RATES: Final = ("points", "rebounds", "assists", "threes", "fga", "fta")
"""Numbers per minute, shrunk towards newcomers'."""

FORM: Final = (
    *(f"{name}_{half_life:g}" for name, lives in _AVERAGES for half_life in lives),
    *(f"{name}_rate" for name in _RATES),
    *("minutes_sd", "points_sd", "minutes_last", "minutes_second_last", "minutes_season"),
    *("games_season", "games", "tenure", "days_off"),
    *("games_since_break", "minutes_before_break"),
    *("minutes_close_4", "minutes_close_12", "last_gap", "recent_gap", "recent_margin"),
)
"""The columns of `form_of`."""


def newcomers_of(history: History) -> Floats:
    """What newcomers do in their first ten games, on average: (len(BOX_SCORE),).

    A newcomer is who first appears after the first season of the history.
    """
    timeline = Timeline.of(history.player_id, history.day)
    first = timeline.first(history.player_id)
    nth = np.arange(len(history)) - first
    is_new = (history.season[first] > history.season.min()) & (nth < NEWCOMER_GAMES)
    rows = history.values[is_new if is_new.any() else slice(None)].astype(np.float64)
    known = ~np.isnan(rows)
    found = np.where(known, rows, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    averages: Floats = found.astype(np.float32)
    return averages


def form_of(
    history: History, asked: Asked, newcomers: Floats, margins: Floats, overtime: Floats
) -> Floats:
    """The columns FORM for each asked row, float32.

    `margins` (rows of the history,) are by how many points his team won, `overtime` how often it
    played the minutes of a game without overtime; see `team_results`.
    """
    gap = np.abs(np.nan_to_num(margins))
    closeness = np.exp(-np.maximum(gap - _CLOSE_POINTS, 0.0) / _CLOSE_POINTS)
    regular_minutes = history.column("minutes") / np.maximum(overtime, np.float32(1.0))
    timeline = Timeline.of(history.player_id, history.day)
    result = np.empty((len(asked), len(FORM)), np.float32)
    column = {name: FORM.index(name) for name in FORM}
    prior = {name: float(value) for name, value in zip(BOX_SCORE, newcomers, strict=True)}
    for part, place, known in timeline.windows(asked.player_id, asked.day, _WINDOW):
        games = known.sum(axis=1).astype(np.float32)
        share = (games < NEWCOMER_GAMES).astype(np.float32)
        window = np.where(known[:, :, None], history.values[place], np.float32(np.nan))
        found = result[part]

        def one(name: str, values: Floats = window) -> Floats:
            return values[:, :, BOX_SCORE.index(name)]

        for name, half_lives in _AVERAGES:
            for half_life in half_lives:
                found[:, column[f"{name}_{half_life:g}"]] = average(
                    one(name), weights(_WINDOW, half_life), prior[name], share
                )
        minutes = one("minutes")
        rate_weights = weights(_WINDOW, _RATE_HALF_LIFE)
        for name in _RATES:
            counts = ~np.isnan(one(name)) & ~np.isnan(minutes)
            nothing = np.float32(0.0)
            usual = prior[name] / max(prior["minutes"], 1.0)
            total = weighted(np.where(counts, minutes, nothing), rate_weights)
            made = weighted(np.where(counts, one(name), nothing), rate_weights)
            total, made = total + _RATE_PRIOR_MINUTES, made + _RATE_PRIOR_MINUTES * usual
            found[:, column[f"{name}_rate"]] = made / total
        found[:, column["minutes_sd"]] = _deviation(minutes, 10.0)
        found[:, column["points_sd"]] = _deviation(one("points"), 20.0)
        found[:, column["minutes_last"]] = _or(minutes[:, 0], prior["minutes"])
        found[:, column["minutes_second_last"]] = _or(
            minutes[:, 1], found[:, column["minutes_last"]]
        )
        this_season = known & (history.season[place] == asked.season[part, None])
        in_season = this_season.sum(axis=1)
        total = np.where(this_season, np.nan_to_num(minutes), np.float32(0.0)).sum(axis=1)
        found[:, column["minutes_season"]] = np.where(
            in_season > 0, total / np.maximum(in_season, 1), found[:, column["minutes_15"]]
        )
        found[:, column["games_season"]] = in_season
        found[:, column["games"]] = games
        here = known & (history.team_id[place] == asked.team_id[part, None])
        stayed = np.where(here.all(axis=1), _WINDOW, np.argmin(here, axis=1))
        found[:, column["tenure"]] = np.minimum(stayed, _LONGEST_TENURE)
        since, before = _around_break(history.day[place], asked.day[part], minutes)
        found[:, column["games_since_break"]] = since
        found[:, column["minutes_before_break"]] = before - np.where(
            since < _BREAK_WINDOW, found[:, column["minutes_2.5"]], before
        )
        for half_life in (4.0, 12.0):
            counts = np.where(known & ~np.isnan(minutes), closeness[place], np.float32(0.0))
            weight = counts * weights(_WINDOW, half_life)
            played = (weight * np.nan_to_num(regular_minutes[place])).sum(axis=1)
            counted = weight.sum(axis=1)
            otherwise = found[:, column["minutes_6" if half_life < 6 else "minutes_15"]]
            found[:, column[f"minutes_close_{half_life:g}"]] = np.where(
                counted > 0, played / np.maximum(counted, np.float32(1e-6)), otherwise
            )
        gaps = np.where(known, np.abs(margins[place]), np.float32(np.nan))
        signed = np.where(known, margins[place], np.float32(np.nan))
        four = weights(_WINDOW, 4.0)
        found[:, column["last_gap"]] = average(gaps, weights(_WINDOW, 1.0), _USUAL_GAP, share)
        found[:, column["recent_gap"]] = average(gaps, four, _USUAL_GAP, share)
        found[:, column["recent_margin"]] = average(signed, four, 0.0, share)
        days_off = np.where(known[:, 0], asked.day[part] - history.day[place[:, 0]], DAYS)
        found[:, column["days_off"]] = np.minimum(days_off, _LONGEST_DAYS_OFF)
    return result


def _around_break(days: Integers, today: Integers, minutes: Floats) -> tuple[Floats, Floats]:
    """Games since a break of ten days among the latest, and average minutes in those before it.

    Who comes back from an injury is given less at first. Without such a break the window's length
    and 0.
    """
    window = minutes[:, :_BREAK_WINDOW]
    known = ~np.isnan(window)
    later = np.column_stack([today, days[:, : _BREAK_WINDOW - 1]])
    is_break = (later - days[:, :_BREAK_WINDOW] >= _BREAK_DAYS) & known
    since = np.where(is_break.any(axis=1), np.argmax(is_break, axis=1), _BREAK_WINDOW)
    before = known & (np.arange(_BREAK_WINDOW) >= since[:, None])
    total = np.where(before, window, np.float32(0.0)).sum(axis=1)
    average_before = total / np.maximum(before.sum(axis=1), 1)
    return since.astype(np.float32), average_before.astype(np.float32)


def _deviation(values: Floats, half_life_games: float) -> Floats:
    """Weighted standard deviation over axis 1; 0 where there is no game."""
    weight = weights(values.shape[1], half_life_games)
    centre = average(values, weight)
    spread = average((values - centre[:, None]) ** 2, weight)
    return np.sqrt(np.nan_to_num(spread))


def _or(values: Floats, otherwise: Floats | float) -> Floats:
    return np.where(np.isnan(values), otherwise, values)
