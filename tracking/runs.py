"""Runs: one logging of one slate, when it reached the store, and which runs count."""

from __future__ import annotations

import enum
import hashlib
import json
import math
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

import apsw

from nba.seasons import slate_over_at
from nba.slate import SlateProjection
from nba.stats import MARKETS
from tracking.errors import EmptySlate, OriginMismatch, SlateRejected
from tracking.frames import moment_of

__all__ = [
    "CURRENT_RUNS",
    "LAST_REPLAYS",
    "LOGGED_AT",
    "SEQUENCE",
    "STORED_AT",
    "TRACKING_NAMESPACE",
    "TRACK_RECORD",
    "Origin",
    "Run",
    "automatic_run_id",
    "check_origin",
    "check_projection",
    "counting_runs",
    "find_automatic_run",
    "find_run",
    "select_runs",
    "track_record_of",
]

TRACKING_NAMESPACE: Final = uuid.UUID("6b0e4a53-52a5-5f2c-9c0d-6c5b8d1f7a20")
"""The namespace of every id that is derived from what it names."""

Execute = Callable[[str, Sequence[str | None]], Iterable[Sequence[object]]]
"""Runs one statement with its bindings; the rows it gives."""


class Origin(enum.Enum):
    """Where a run comes from.

    LIVE was logged for a slate that was still open, REPLAY for a past date as if it were that
    evening. BACKTEST is the evaluation of a model and never enters the log.
    """

    LIVE = "live"
    REPLAY = "replay"
    BACKTEST = "backtest"


@dataclass(frozen=True, slots=True)
class Run:
    """One logging of one slate.

    `logged_at` is by the clock of the machine that logged it and only shown. `stored_at` is the
    store's own time of the log entry that first held the run, with that entry's number in
    `sequence`; both are None while the run is pending. `time_verified` is False where the store's
    time says nothing about when the predictions were made: imports and replays. `games` and
    `predictions` count rows.
    """

    run_id: str
    slate_date: date
    model_version: str
    origin: Origin
    data_as_of: date | None
    logged_at: datetime
    stored_at: datetime | None
    sequence: int | None
    time_verified: bool
    revision: bool
    source: str
    games: int
    predictions: int

    @property
    def pending(self) -> bool:
        """True until the store has the run."""
        return self.stored_at is None


_TRANSACTIONS: Final = """
  FROM main.run_transactions AS l
  JOIN main.replica_transactions AS t ON t.transaction_id = l.transaction_id
  WHERE l.run_id = r.run_id)"""

# The least of sequence and time as one text, so that nothing has to be sorted.
LOGGED_AT: Final = """(
  SELECT substr(min(printf('%020d', coalesce(t.sequence, 9e18)) || l.logged_at), 21)
  FROM main.run_transactions AS l
  LEFT JOIN main.replica_transactions AS t ON t.transaction_id = l.transaction_id
  WHERE l.run_id = r.run_id)"""
"""SQL for when a run `r` was logged, by the clock of the machine whose transaction came first."""

STORED_AT: Final = f"(SELECT min(t.stored_at) {_TRANSACTIONS}"
"""SQL for when the first transaction with a run `r` reached the log; NULL while none has.

The first, because a process that comes later with the same run must not make it younger.
"""

SEQUENCE: Final = f"(SELECT min(t.sequence) {_TRANSACTIONS}"
"""SQL for the log entry that brought a run `r`; NULL while it is pending."""

# A run that has not reached the store yet is newer than all that have. Runs of an earlier log have
# sequence 0 and times of their own; among those that travelled in one entry the order of the
# machine's clock decides.
# Newer data first: a process that was cut off may publish later what it knew earlier.
_NEWEST_FIRST: Final = (
    f"r.data_as_of DESC, {SEQUENCE} DESC NULLS FIRST, unixepoch({STORED_AT}, 'subsec') DESC, "
    f"{LOGGED_AT} DESC, r.revision DESC, r.run_id DESC"
)

# Most slates have one run: to say when each was stored in order to sort it alone would cost most.
CURRENT_RUNS: Final = f"""
contested_slates AS MATERIALIZED (
  SELECT slate_date, origin FROM main.runs GROUP BY slate_date, origin HAVING count(*) > 1
),
current_runs AS MATERIALIZED (
  SELECT max(run_id) AS run_id, slate_date, origin FROM main.runs
  GROUP BY slate_date, origin HAVING count(*) = 1
  UNION ALL
  SELECT run_id, slate_date, origin FROM (
    SELECT r.run_id, r.slate_date, r.origin, row_number() OVER (
      PARTITION BY r.slate_date, r.origin
      ORDER BY r.time_verified DESC, {_NEWEST_FIRST}) AS place
    FROM contested_slates AS c
    JOIN main.runs AS r ON r.slate_date = c.slate_date AND r.origin = c.origin
  ) WHERE place = 1
)"""
"""A common table: the newest run per slate and origin; an import yields to the app's own runs."""


def track_record_of(games: str | None = None) -> str:
    """SQL for the common table `track_record`: per game the last live run stored before tip-off.

    `games` is a SELECT of the ids of the games that are asked about; None asks about all.

    Before both tip-offs: that of the schedule of the time, and the one that has become known since,
    should the game have been moved forward. A game without a known tip-off time, a pending run and
    an import have no row here.
    """
    asked = "" if games is None else f"g.game_id IN ({games}) AND "
    # Games first: one pass over them finds those that are asked about.
    return f"""
track_record AS MATERIALIZED (
  SELECT run_id, game_id FROM (
    SELECT r.run_id, g.game_id, row_number() OVER (
      PARTITION BY g.game_id ORDER BY {_NEWEST_FIRST}) AS place
    FROM main.game_predictions AS g
    CROSS JOIN main.runs AS r ON r.run_id = g.run_id
    LEFT JOIN main.scheduled_games AS k ON k.game_id = g.game_id
    WHERE {asked}r.origin = 'live' AND r.time_verified = 1
      AND unixepoch({STORED_AT}, 'subsec')
        < unixepoch(coalesce(g.tipoff_utc, k.tipoff_utc), 'subsec')
      AND unixepoch({STORED_AT}, 'subsec')
        < unixepoch(coalesce(k.tipoff_utc, g.tipoff_utc), 'subsec')
  ) WHERE place = 1
)"""


TRACK_RECORD: Final = track_record_of()
"""A common table: per game the last live run whose store time precedes the tip-off."""


def counting_runs(connection: apsw.Connection, game_ids: Sequence[str]) -> dict[str, str]:
    """The id of the run that is in the track record, by game id; games without one are left out."""
    of_these = track_record_of("SELECT value FROM json_each(?)")
    found = connection.execute(
        f"WITH {of_these} SELECT game_id, run_id FROM track_record", (json.dumps(list(game_ids)),)
    )
    return {str(game_id): str(run_id) for game_id, run_id in found}


LAST_REPLAYS: Final = f"""
last_replays AS MATERIALIZED (
  SELECT run_id, game_id FROM (
    SELECT r.run_id, g.game_id, row_number() OVER (
      PARTITION BY g.game_id ORDER BY {_NEWEST_FIRST}) AS place
    FROM main.runs AS r
    JOIN main.game_predictions AS g ON g.run_id = r.run_id
    WHERE r.origin = 'replay'
  ) WHERE place = 1
)"""
"""A common table: per game the last replay."""


def automatic_run_id(
    projection: SlateProjection, origin: Origin, content: Sequence[Sequence[object]]
) -> str:
    """The id that every process gives the automatic run of this projection.

    It follows from every row of `content` too: two processes whose figures differ, be it in the
    last digit, make two runs. In one run the later process's figures would take the place of the
    earlier one's, and be as old.
    """
    parts = (
        "automatic run",
        projection.slate_date.isoformat(),
        projection.model_version,
        "" if projection.data_as_of is None else projection.data_as_of.isoformat(),
        origin.value,
        hashlib.sha256("\n".join(sorted(map(repr, content))).encode()).hexdigest(),
    )
    return str(uuid.uuid5(TRACKING_NAMESPACE, "|".join(parts)))


def find_run(execute: Execute, run_id: str) -> str | None:
    """The id, if there is such a run."""
    rows = list(execute("SELECT run_id FROM runs WHERE run_id = ?", (run_id,)))
    return run_id if rows else None


def find_automatic_run(execute: Execute, projection: SlateProjection, origin: Origin) -> str | None:
    """The id of an automatic run of the same slate, model, data, origin and games; None if none."""
    as_of = projection.data_as_of
    games = ",".join(sorted(game.game.game_id for game in projection.games))
    sql = """
    SELECT r.run_id FROM main.runs AS r
    WHERE r.slate_date = ? AND r.model_version = ? AND r.origin = ? AND r.data_as_of IS ?
      AND r.source = 'app' AND r.revision = 0 AND ? = (
        SELECT group_concat(g.game_id, ',' ORDER BY g.game_id)
        FROM main.game_predictions AS g WHERE g.run_id = r.run_id)
    ORDER BY r.run_id LIMIT 1
    """
    bindings = (
        projection.slate_date.isoformat(),
        projection.model_version,
        origin.value,
        None if as_of is None else as_of.isoformat(),
        games,
    )
    for (run_id,) in execute(sql, bindings):
        return str(run_id)
    return None


def check_origin(slate_date: date, origin: Origin, now: datetime) -> None:
    """Refuse a live run of a slate that is over, and a replay of one that is not (OriginMismatch).

    A slate is over at 06:00 Eastern time of the day after.
    """
    over = slate_over_at(slate_date) <= now
    if origin is Origin.BACKTEST:
        problem = "a backtest never enters the log"
        remedy = "Keep its figures with the evaluation, or log the date as a replay."
    elif origin is Origin.LIVE and over:
        problem = "the slate is over, so nothing about it can be predicted any more"
        remedy = "Log it as a replay."
    elif origin is Origin.REPLAY and not over:
        problem = "the slate is not over, so there is nothing to replay"
        remedy = "Log it as live."
    else:
        return
    raise OriginMismatch("logging a slate", slate_date.isoformat(), problem, remedy)


def check_projection(projection: SlateProjection) -> None:
    """Refuse a slate without games (EmptySlate) or one that contradicts itself (SlateRejected)."""
    key = projection.slate_date.isoformat()
    if not projection.games:
        raise EmptySlate(
            "logging a slate",
            key,
            "no game with known teams is on that date",
            "Choose a date with games.",
        )
    for problem in _contradictions(projection):
        raise SlateRejected(
            "logging a slate", key, problem, "Report this with the model's version: it is a defect."
        )


def _contradictions(projection: SlateProjection) -> Iterator[str]:
    game_ids: set[str] = set()
    for forecast in projection.games:
        game = forecast.game
        if game.game_id in game_ids:
            yield f"game {game.game_id} is in the slate twice"
        game_ids.add(game.game_id)
        if game.slate_date != projection.slate_date:
            yield f"game {game.game_id} is on {game.slate_date.isoformat()}"
        if game.tipoff_utc is not None and game.tipoff_utc.tzinfo is None:
            yield f"the tip-off of game {game.game_id} has no time zone"
        for chance in (forecast.home_win_probability, forecast.elo_home_win_probability):
            if not 0 <= chance <= 1:
                yield f"a win probability of game {game.game_id} is {chance}"
        if not all(math.isfinite(x) for x in (forecast.home_points, forecast.away_points)):
            yield f"the expected score of game {game.game_id} has no numbers"
    players: set[tuple[str, int]] = set()
    for player in projection.players:
        who = f"{player.player_name} ({player.player_id}) in game {player.game_id}"
        if player.game_id not in game_ids:
            yield f"{who} is in no game of the slate"
        if (player.game_id, player.player_id) in players:
            yield f"{who} is in the slate twice"
        players.add((player.game_id, player.player_id))
        for stat, band in player.bands.items():
            if stat not in MARKETS:
                yield f"{who} has the unknown stat {stat}"
            if not all(
                math.isfinite(x) for x in (band.mean, band.floor, band.ceiling, band.median)
            ):
                yield f"{who} has {stat} that are no numbers"
            if band.floor > band.ceiling:
                yield f"{who} has a floor of {stat} above the ceiling"


def select_runs(
    connection: apsw.Connection,
    *,
    where: Sequence[str] = (),
    bindings: Sequence[str | int] = (),
    limit: int | None = None,
) -> list[Run]:
    """Runs that meet every condition on `r`, newest slate first, and of a slate the newest run."""
    conditions = " AND ".join(where) if where else "TRUE"
    sql = f"""
    SELECT r.run_id, r.slate_date, r.model_version, r.origin, r.data_as_of, {LOGGED_AT},
      {STORED_AT}, {SEQUENCE}, r.time_verified, r.revision, r.source,
      (SELECT count(*) FROM main.game_predictions AS g WHERE g.run_id = r.run_id),
      (SELECT count(*) FROM main.predictions AS p WHERE p.run_id = r.run_id)
    FROM main.runs AS r
    WHERE {conditions}
    ORDER BY r.slate_date DESC, {_NEWEST_FIRST}
    LIMIT ?
    """
    rows = connection.execute(sql, (*bindings, -1 if limit is None else limit))
    return [_run_of(row) for row in rows]


def _run_of(row: Sequence[object]) -> Run:
    run_id, slate_date, model_version, origin, data_as_of, logged_at, *others = row
    stored_at, sequence, time_verified, revision, source, games, predictions = others
    return Run(
        run_id=str(run_id),
        slate_date=date.fromisoformat(str(slate_date)),
        model_version=str(model_version),
        origin=Origin(origin),
        data_as_of=None if data_as_of is None else date.fromisoformat(str(data_as_of)),
        logged_at=moment_of(str(logged_at)),
        stored_at=None if stored_at is None else moment_of(str(stored_at)),
        sequence=sequence if isinstance(sequence, int) else None,
        time_verified=bool(time_verified),
        revision=bool(revision),
        source=str(source),
        games=int(str(games)),
        predictions=int(str(predictions)),
    )
