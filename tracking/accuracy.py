"""How good the logged predictions were, beside simple baselines on the same rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

import apsw
import numpy as np
import pandas as pd

from nba import evaluation
from nba.seasons import season_of
from nba.stats import STATS, Stat
from tracking.frames import frame_of
from tracking.history import actual_joins, actual_value
from tracking.runs import LAST_REPLAYS, TRACK_RECORD, Origin

__all__ = [
    "COIN",
    "ELO",
    "HOME_RATE",
    "Accuracy",
    "BaselineError",
    "Choice",
    "StatAccuracy",
    "WinAccuracy",
    "WinBaseline",
    "accuracy",
    "home_rates",
]

COIN: Final = "coin"
HOME_RATE: Final = "home_rate"
ELO: Final = "elo"
_HOME_RATE_GAMES: Final = 1230
"""A full regular season: long enough to be steady, short enough to follow the falling home edge."""


@dataclass(frozen=True, slots=True)
class BaselineError:
    """A baseline's mean absolute error over the `n` rows for which it exists.

    `model_mae` is the model's error over the very same rows, `mae` of StatAccuracy if these are
    all of them. Both are None when n is 0.
    """

    name: str
    n: int
    mae: float | None
    model_mae: float | None


@dataclass(frozen=True, slots=True)
class StatAccuracy:
    """Errors of one stat over `n` predictions of players who played, in the stat's unit.

    `mae` judges the median where one was logged, because no other number has a smaller absolute
    error, and the mean in runs without one. `bias` is the average of the projected mean minus the
    actual. `coverage_80` is the share (0..1) of actuals from floor to ceiling over the `n_bands`
    rows that have both. None where there is no row.
    """

    stat: Stat
    n: int
    mae: float | None
    bias: float | None
    n_bands: int
    coverage_80: float | None
    baselines: tuple[BaselineError, ...]


@dataclass(frozen=True, slots=True)
class WinBaseline:
    """A baseline's scores over the `n` games for which it exists; None when n is 0.

    `coin` gives every home team one half, `home_rate` the share of home wins in the last 1,230
    games that were not at a neutral site, before the date in question, and `elo` what plain Elo
    said in the same run; a run that was logged without it has no game there.
    `model_log_loss` and `model_brier` are the model's over the very same games.
    """

    name: str
    n: int
    log_loss: float | None
    brier: float | None
    accuracy: float | None
    model_log_loss: float | None
    model_brier: float | None


@dataclass(frozen=True, slots=True)
class WinAccuracy:
    """Scores of the home win probability over `n` finished games; None when n is 0.

    `log_loss` in nats; `accuracy` is the share (0..1) of favourites that won.
    """

    n: int
    log_loss: float | None
    brier: float | None
    accuracy: float | None
    baselines: tuple[WinBaseline, ...]


@dataclass(frozen=True, slots=True)
class Accuracy:
    """The figures of one origin; `first_date` and `last_date` are the slates that count."""

    origin: Origin
    stats: Mapping[Stat, StatAccuracy]
    wins: WinAccuracy
    first_date: date | None
    last_date: date | None


@dataclass(frozen=True, slots=True)
class Choice:
    """Which predictions to judge; dates are inclusive US Eastern slate dates."""

    origin: Origin
    since: date | None
    until: date | None
    model_version: str | None

    def where(self) -> tuple[str, dict[str, str]]:
        """Conditions on the run `r`, and their bindings."""
        bindings = {
            "since": None if self.since is None else self.since.isoformat(),
            "until": None if self.until is None else self.until.isoformat(),
            "model_version": self.model_version,
        }
        conditions = {
            "since": "r.slate_date >= :since",
            "until": "r.slate_date <= :until",
            "model_version": "r.model_version = :model_version",
        }
        used = {name: value for name, value in bindings.items() if value is not None}
        return " AND ".join(["TRUE", *(conditions[name] for name in used)]), used

    def counted(self) -> str:
        """The common table `counted(run_id, game_id)`."""
        table = TRACK_RECORD if self.origin is Origin.LIVE else LAST_REPLAYS
        name = "track_record" if self.origin is Origin.LIVE else "last_replays"
        return f"{table}, counted AS (SELECT run_id, game_id FROM {name})"


def accuracy(connection: apsw.Connection, choice: Choice, *, has_reference: bool) -> Accuracy:
    """Judge what `choice` names; the reference is attached as `reference` if there is one."""
    players = _player_rows(connection, choice, has_reference=has_reference)
    games = _game_rows(connection, choice, has_reference=has_reference)
    played = _box_scores(connection, players, has_reference=has_reference)
    dates = sorted({*players["game_date"], *games["game_date"]})
    return Accuracy(
        origin=choice.origin,
        stats={stat: _stat_accuracy(players, played, stat) for stat in STATS},
        wins=_win_accuracy(connection, games, has_reference=has_reference),
        first_date=dates[0] if dates else None,
        last_date=dates[-1] if dates else None,
    )


def _player_rows(
    connection: apsw.Connection, choice: Choice, *, has_reference: bool
) -> pd.DataFrame:
    """Predictions of players who played; the mean stands in for a median that was not logged."""
    conditions, bindings = choice.where()
    sql = f"""
    WITH {choice.counted()}
    SELECT * FROM (
      SELECT g.game_date, p.player_id, p.stat, p.mean, p.median, p.floor, p.ceiling,
        {actual_value("p.stat", has_reference=has_reference)} AS actual
      FROM counted AS k
      CROSS JOIN main.runs AS r ON r.run_id = k.run_id
      CROSS JOIN main.game_predictions AS g ON g.run_id = k.run_id AND g.game_id = k.game_id
      CROSS JOIN main.predictions AS p ON p.run_id = k.run_id AND p.game_id = k.game_id
      {actual_joins("p", has_reference=has_reference)}
      WHERE {conditions}
    ) WHERE actual IS NOT NULL
    """
    numbers = ("mean", "median", "floor", "ceiling", "actual")
    frame = frame_of(
        connection.execute(sql, bindings),
        ("game_date", "player_id", "stat", *numbers),
        dates=("game_date",),
        numbers=numbers,
    )
    return frame.assign(median=frame["median"].fillna(frame["mean"]))


def _game_rows(connection: apsw.Connection, choice: Choice, *, has_reference: bool) -> pd.DataFrame:
    conditions, bindings = choice.where()
    won = "s.home_points > s.away_points"
    bundled = ""
    if has_reference:
        won = f"COALESCE({won}, b.home_points > b.away_points)"
        bundled = "LEFT JOIN reference.games AS b ON b.game_id = g.game_id"
    sql = f"""
    WITH {choice.counted()}
    SELECT * FROM (
      SELECT g.game_date, g.home_win_probability, g.elo_home_win_probability, {won} AS won
      FROM counted AS k
      CROSS JOIN main.runs AS r ON r.run_id = k.run_id
      CROSS JOIN main.game_predictions AS g ON g.run_id = k.run_id AND g.game_id = k.game_id
      LEFT JOIN main.games AS s ON s.game_id = g.game_id
      {bundled}
      WHERE {conditions}
    ) WHERE won IS NOT NULL AND home_win_probability IS NOT NULL
    """
    return frame_of(
        connection.execute(sql, bindings),
        ("game_date", "probability", "elo", "won"),
        dates=("game_date",),
        numbers=("probability", "elo", "won"),
    )


def _box_scores(
    connection: apsw.Connection, rows: pd.DataFrame, *, has_reference: bool
) -> pd.DataFrame:
    """Every known game of the players in `rows`: the state's box scores, then the bundled ones."""
    ids = ", ".join(str(int(player_id)) for player_id in sorted(set(rows["player_id"])))
    columns = ", ".join(f"s.{stat}" for stat in STATS)
    sql = f"""
    SELECT s.player_id, s.game_date, s.game_id, {columns}
    FROM main.player_games AS s WHERE s.player_id IN ({ids})
    """
    if has_reference:
        columns = ", ".join(f"COALESCE(s.{stat}, b.{stat})" for stat in STATS)
        sql = f"""
        SELECT b.player_id, b.game_date, b.game_id, {columns}
        FROM reference.player_games AS b
        LEFT JOIN main.player_games AS s ON s.game_id = b.game_id AND s.player_id = b.player_id
        WHERE b.player_id IN ({ids})
        UNION ALL {sql} AND NOT EXISTS (
          SELECT 1 FROM reference.player_games AS b
          WHERE b.game_id = s.game_id AND b.player_id = s.player_id)
        """
    frame = frame_of(
        connection.execute(sql),
        ("player_id", "game_date", "game_id", *STATS),
        numbers=STATS,
    )
    return _dated(frame)


def _dated(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with dates as timestamps and the season of each."""
    days = pd.to_datetime(frame["game_date"])
    seasons = {day: season_of(day.date()) for day in days.unique()}
    dated = frame.assign(game_date=days, season=days.map(seasons).astype("str"))
    dated["player_id"] = dated["player_id"].astype("int64")
    return dated


def _stat_accuracy(players: pd.DataFrame, played: pd.DataFrame, stat: Stat) -> StatAccuracy:
    rows = players[players["stat"] == stat]
    if rows.empty:
        nothing = tuple(BaselineError(name, 0, None, None) for name in evaluation.BASELINES)
        return StatAccuracy(stat, 0, None, None, 0, None, nothing)
    banded = rows.dropna(subset=["floor", "ceiling"])
    guesses = evaluation.baselines(played, _dated(rows), stat)
    return StatAccuracy(
        stat=stat,
        n=len(rows),
        mae=evaluation.mae(rows["actual"], rows["median"]),
        bias=evaluation.bias(rows["actual"], rows["mean"]),
        n_bands=len(banded),
        coverage_80=None
        if banded.empty
        else evaluation.coverage(banded["actual"], banded["floor"], banded["ceiling"]),
        baselines=tuple(_baseline_error(rows, guesses[name]) for name in evaluation.BASELINES),
    )


def _baseline_error(rows: pd.DataFrame, guess: pd.Series[float]) -> BaselineError:
    known = guess.notna()
    if not known.any():
        return BaselineError(str(guess.name), 0, None, None)
    actual = rows.loc[known, "actual"]
    return BaselineError(
        name=str(guess.name),
        n=int(known.sum()),
        mae=evaluation.mae(actual, guess[known]),
        model_mae=evaluation.mae(actual, rows.loc[known, "median"]),
    )


def _win_accuracy(
    connection: apsw.Connection, games: pd.DataFrame, *, has_reference: bool
) -> WinAccuracy:
    rates = home_rates(connection, games, has_reference=has_reference)
    coin = pd.Series(0.5, index=games.index)
    given_by = {COIN: coin, HOME_RATE: rates, ELO: games["elo"]}
    baselines = tuple(_win_baseline(games, name, given) for name, given in given_by.items())
    if games.empty:
        return WinAccuracy(0, None, None, None, baselines)
    won, given = games["won"], games["probability"]
    return WinAccuracy(
        n=len(games),
        log_loss=evaluation.log_loss(won, given),
        brier=evaluation.brier(won, given),
        accuracy=evaluation.accuracy(won, given),
        baselines=baselines,
    )


def _win_baseline(games: pd.DataFrame, name: str, given: pd.Series[float]) -> WinBaseline:
    known = given.notna()
    if not known.any():
        return WinBaseline(name, 0, None, None, None, None, None)
    won, model, given = games.loc[known, "won"], games.loc[known, "probability"], given[known]
    return WinBaseline(
        name=name,
        n=int(known.sum()),
        log_loss=evaluation.log_loss(won, given),
        brier=evaluation.brier(won, given),
        accuracy=evaluation.accuracy(won, given),
        model_log_loss=evaluation.log_loss(won, model),
        model_brier=evaluation.brier(won, model),
    )


def home_rates(
    connection: apsw.Connection, games: pd.DataFrame, *, has_reference: bool
) -> pd.Series[float]:
    """Per game the share of home wins in the last games before its date; NaN before any game.

    `games` has a column game_date of dates.
    """
    sql = "SELECT game_date, game_id, home_points > away_points FROM main.games"
    if has_reference:
        sql = (
            "SELECT game_date, game_id, home_win FROM reference.games WHERE NOT is_neutral"
            " AND game_id NOT IN (SELECT game_id FROM main.games) UNION ALL "
            + sql
            + " WHERE game_id NOT IN (SELECT game_id FROM reference.games WHERE is_neutral"
            " UNION SELECT game_id FROM reference.schedule WHERE is_neutral"
            " UNION SELECT game_id FROM main.scheduled_games WHERE is_neutral)"
        )
    # By id within a date: the oldest date of the window is cut somewhere.
    results = sorted(
        (str(day), str(game), int(str(won))) for day, game, won in connection.execute(sql)
    )
    days = np.array([day for day, _, _ in results], dtype=str)
    wins = np.concatenate(([0.0], np.cumsum([float(won) for _, _, won in results])))
    asked = np.array([day.isoformat() for day in games["game_date"]], dtype=str)
    ends = np.searchsorted(days, asked)
    starts = np.maximum(0, ends - _HOME_RATE_GAMES)
    counted = ends - starts
    shares = np.divide(
        wins[ends] - wins[starts], counted, out=np.full(len(ends), np.nan), where=counted > 0
    )
    return pd.Series(shares, index=games.index, dtype="float64")
