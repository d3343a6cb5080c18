"""A long history to open pages on: every player of bundled games, predicted before the tip-off.

The numbers are what happened with seeded noise on it, so that figures, charts and the worst misses
have something to show; they say nothing about the model.
"""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from random import Random
from typing import Final

import apsw

from nba.stats import STATS, Stat
from prediction_tracking import MIGRATIONS, REPLICATED_TABLES
from replica import Transaction
from tests.season_evening import DatedFolder
from tests.stores import ManualClock, open_replica
from tracking.frames import moment_text

__all__ = ["MODEL_VERSIONS", "write_history"]

MODEL_VERSIONS: Final = ("benchmark-1", "benchmark-2")
"""The older half of the slates has the first, the newer half the second."""

_SLATES_AT_A_TIME: Final = 25
_SEED: Final = 20261120
# What a projection is off by, in the stat's unit; 1.28 of it is the 90th percentile.
_SPREAD: Final[dict[Stat, float]] = {
    "points": 6.0,
    "rebounds": 2.5,
    "assists": 1.9,
    "threes": 1.3,
    "minutes": 5.0,
}
_NINETIETH: Final = 1.2816
_ROWS: Final = (
    "SELECT p.game_id, p.player_id, p.team_id, "
    + ", ".join(f"coalesce(p.{stat}, 0)" for stat in STATS)
    + " FROM player_games AS p JOIN games AS g ON g.game_id = p.game_id WHERE p.game_date = ?"
    " ORDER BY p.game_id, p.player_id"
)
_GAMES: Final = (
    "SELECT game_id, home_team_id, away_team_id, home_team, away_team, home_win"
    " FROM games WHERE game_date = ? ORDER BY game_id"
)


@dataclass(frozen=True, slots=True)
class _Slate:
    """One date's run, with the rows of its games and players without the run's id."""

    day: date
    model_version: str
    games: Sequence[tuple[str | int | float | None, ...]]
    players: Sequence[tuple[str | int | float | None, ...]]


def write_history(database: Path, store: Path, reference: Path, predictions: int) -> int:
    """Log slates, newest bundled dates first, until there are that many predictions; how many.

    `database` becomes the state of a machine that has everything, `store` the folder behind it.
    """
    clock = ManualClock()
    written = 0
    with closing(apsw.Connection(str(reference), flags=apsw.SQLITE_OPEN_READONLY)) as bundled:
        days = _days(bundled, predictions)
        replica = open_replica(
            database,
            DatedFolder(store, clock),
            migrations=MIGRATIONS,
            tables=REPLICATED_TABLES,
            clock=clock,
            random=Random(_SEED),
        )
        try:
            clock.now = _noon(days[0])
            replica.restore()
            slates = _slates(bundled, days)
            while several := list(itertools.islice(slates, _SLATES_AT_A_TIME)):
                # Before the first tip-off of all of them.
                clock.now = _noon(several[0].day)
                with replica.transaction() as transaction:
                    for slate in several:
                        _write(transaction, slate, clock.now)
                        written += len(slate.players)
                replica.sync_now()
            replica.snapshot()
        finally:
            replica.close(0)
    return written


def _days(bundled: apsw.Connection, predictions: int) -> list[date]:
    """The newest dates with so many predictions together, oldest first."""
    sql = "SELECT game_date, count(*) FROM player_games GROUP BY game_date ORDER BY game_date DESC"
    days: list[date] = []
    found = 0
    for day, players in bundled.execute(sql):
        if found >= predictions:
            break
        days.append(date.fromisoformat(str(day)))
        found += int(str(players)) * len(STATS)
    if found < predictions:
        raise ValueError(f"the bundled seasons have no more than {found:,} predictions")
    return days[::-1]


def _slates(bundled: apsw.Connection, days: list[date]) -> Iterator[_Slate]:
    random = Random(_SEED)
    for number, day in enumerate(days):
        tipoff = moment_text(datetime.combine(day + timedelta(days=1), time(0, 30), UTC))
        games: list[tuple[str | int | float | None, ...]] = []
        for *game, home_win in bundled.execute(_GAMES, (day.isoformat(),)):
            game_id, *teams = game
            chance = min(0.95, max(0.05, random.gauss(0.62 if home_win else 0.45, 0.15)))
            elo = min(0.95, max(0.05, random.gauss(chance, 0.05)))
            games.append((game_id, day.isoformat(), tipoff, *teams, chance, elo, 112.0, 110.0))
        players = [
            (game_id, player_id, stat, team_id, *_projected(random, stat, float(actual)))
            for game_id, player_id, team_id, *actuals in bundled.execute(_ROWS, (day.isoformat(),))
            for stat, actual in zip(STATS, actuals, strict=True)
        ]
        yield _Slate(day, MODEL_VERSIONS[2 * number // len(days)], games, players)


def _projected(random: Random, stat: Stat, actual: float) -> tuple[float, float, float, int, float]:
    """Mean, floor, ceiling, whether from the prior, and median."""
    spread = _SPREAD[stat]
    mean = max(0.0, random.gauss(actual, spread))
    width = _NINETIETH * spread
    return mean, max(0.0, mean - width), mean + width, 0, max(0.0, mean - spread / 20)


def _write(transaction: Transaction, slate: _Slate, now: datetime) -> None:
    run_id = str(uuid.uuid5(uuid.NAMESPACE_URL, slate.day.isoformat()))
    as_of = (now.date() - timedelta(days=1)).isoformat()
    transaction.execute(
        "INSERT INTO runs (run_id, slate_date, model_version, origin, data_as_of, logged_at,"
        " transaction_id, time_verified, revision, source)"
        " VALUES (?, ?, ?, 'live', ?, ?, '', 1, 0, 'app')",
        (run_id, slate.day.isoformat(), slate.model_version, as_of, as_of),
    )
    transaction.execute(
        "INSERT INTO run_transactions (run_id, transaction_id, logged_at) VALUES (?, ?, ?)",
        (run_id, transaction.id, moment_text(now)),
    )
    transaction.executemany(
        "INSERT INTO game_predictions (run_id, game_id, game_date, tipoff_utc, home_team_id,"
        " away_team_id, home_team, away_team, home_win_probability,"
        " elo_home_win_probability, home_points, away_points) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",
        [(run_id, *row) for row in slate.games],
    )
    transaction.executemany(
        "INSERT INTO predictions (run_id, game_id, player_id, stat, team_id, mean, floor,"
        " ceiling, from_prior, median) VALUES (?,?,?,?,?,?,?,?,?,?)",
        [(run_id, *row) for row in slate.players],
    )


def _noon(day: date) -> datetime:
    """Noon in New York, in winter."""
    return datetime.combine(day, time(17), UTC)
