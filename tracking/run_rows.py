"""The rows that a run is made of."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from nba.slate import SlateProjection
from nba.stats import STATS
from replica import Transaction
from tracking.frames import moment_text
from tracking.runs import Origin

__all__ = ["game_rows", "prediction_rows", "write_run"]

Row = Sequence[str | int | float | None]


def game_rows(projection: SlateProjection) -> list[Row]:
    """What is said of each game, in the order of the columns after run_id."""
    return [
        (
            forecast.game.game_id,
            forecast.game.slate_date.isoformat(),
            None if forecast.game.tipoff_utc is None else moment_text(forecast.game.tipoff_utc),
            int(forecast.game.home_team_id),
            int(forecast.game.away_team_id),
            forecast.game.home_team,
            forecast.game.away_team,
            float(forecast.home_win_probability),
            float(forecast.elo_home_win_probability),
            float(forecast.home_points),
            float(forecast.away_points),
        )
        for forecast in projection.games
    ]


def prediction_rows(projection: SlateProjection) -> list[Row]:
    """What is said of each player and stat, in the order of the columns after run_id.

    pra is left out: no box score has a column for it, so that its result and its baselines would
    have to be made up for it alone wherever predictions are read.
    """
    return [
        (
            player.game_id,
            int(player.player_id),
            stat,
            int(player.team_id),
            float(band.mean),
            float(band.floor),
            float(band.ceiling),
            int(player.from_prior),
            float(band.median),
        )
        for player in projection.players
        for stat, band in player.bands.items()
        if stat in STATS
    ]


def write_run(
    transaction: Transaction,
    run_id: str,
    projection: SlateProjection,
    origin: Origin,
    now: datetime,
    *,
    revision: bool,
) -> None:
    """Insert a run with all its predictions; `now` is this machine's time."""
    as_of = projection.data_as_of
    transaction.execute(
        "INSERT INTO runs (run_id, slate_date, model_version, origin, data_as_of, logged_at,"
        " transaction_id, time_verified, revision, source) VALUES (?,?,?,?,?,?,?,?,?,?)",
        (
            run_id,
            projection.slate_date.isoformat(),
            projection.model_version,
            origin.value,
            None if as_of is None else as_of.isoformat(),
            # Nothing that two processes which log the same run would not have in common; both
            # columns are the first schema's and may not be NULL. See run_transactions.
            moment_text(now) if revision else "" if as_of is None else as_of.isoformat(),
            "",
            # When a replay was stored says nothing about when it could have been known.
            int(origin is Origin.LIVE),
            int(revision),
            "app",
        ),
    )
    transaction.execute(
        "INSERT INTO run_transactions (run_id, transaction_id, logged_at) VALUES (?, ?, ?)",
        (run_id, transaction.id, moment_text(now)),
    )
    transaction.executemany(
        "INSERT INTO game_predictions (run_id, game_id, game_date, tipoff_utc, home_team_id,"
        " away_team_id, home_team, away_team, home_win_probability,"
        " elo_home_win_probability, home_points, away_points) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",
        [(run_id, *row) for row in game_rows(projection)],
    )
    transaction.executemany(
        "INSERT INTO predictions (run_id, game_id, player_id, stat, team_id, mean, floor,"
        " ceiling, from_prior, median) VALUES (?,?,?,?,?,?,?,?,?,?)",
        [(run_id, *row) for row in prediction_rows(projection)],
    )
