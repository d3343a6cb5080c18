"""What scores are computed from: which predictions count, what happened, what went before.

Rows travel as arrays: as objects a season's rows would need ten times the memory.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

import apsw
import numpy as np
from numpy.typing import NDArray

from nba.evaluation import EarlierGames, earlier_places
from nba.seasons import season_of
from nba.stats import STATS
from tracking.accuracy import Choice
from tracking.history import actual_joins, actual_value
from tracking.runs import Origin

__all__ = [
    "ROW_COLUMNS",
    "CountedGame",
    "PastGames",
    "content_token",
    "counted_games",
    "day_number",
    "fingerprints",
    "past_games",
    "player_rows",
]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

ROW_COLUMNS: Final = (
    *("game", "player_id", "stat", "team_id", "mean", "median", "floor", "ceiling"),
    *("minutes", "actual"),
)
"""The columns of `player_rows`."""

_EPOCH: Final = date(1970, 1, 1)
_ROWS_AT_A_TIME: Final = 20_000
_PRIME: Final = 1_000_000_007
_STAT_PLACE: Final = (
    "CASE p.stat " + " ".join(f"WHEN '{s}' THEN {i}" for i, s in enumerate(STATS)) + " END"
)


@dataclass(frozen=True, slots=True)
class CountedGame:
    """A game of the run by which it counts; dates are US Eastern `YYYY-MM-DD`.

    `home_won` is None while the result is unknown, a probability where none was logged.
    """

    slate_date: str
    model_version: str
    run_id: str
    game_id: str
    game_date: str
    home_team_id: int | None
    away_team_id: int | None
    home_team: str
    away_team: str
    probability: float | None
    elo: float | None
    home_won: bool | None


@dataclass(frozen=True, slots=True)
class PastGames:
    """Players' known games, in order of player, day and game.

    `day` counts days since 1970-01-01, `season` is the year in which the season began; `values`
    has the shape (rows, stats), NaN where a stat is unknown.
    """

    player_id: Integers
    day: Integers
    season: Integers
    values: Floats

    def before(self, player_id: Integers, day: Integers) -> EarlierGames:
        """Where the games before each of these days lie, for each of these players."""
        asked = (player_id, day, _seasons(day))
        return earlier_places((self.player_id, self.day, self.season), asked)


def content_token(connection: apsw.Connection, *, has_reference: bool) -> str:
    """Another text whenever the state, or the bundled seasons, may have changed."""
    sql = """
    SELECT log_id, sequence, entry_sha256,
      (SELECT count(*) FROM main.replica_outbox), (SELECT max(position) FROM main.replica_outbox)
    FROM main.replica_position
    """
    return json.dumps([*connection.execute(sql).get, _reference_hash(connection, has_reference)])


def counted_games(
    connection: apsw.Connection, origin: Origin, *, has_reference: bool
) -> list[CountedGame]:
    """Every game that counts for an origin, by slate and game."""
    won = "s.home_points > s.away_points"
    bundled = ""
    if has_reference:
        won = f"COALESCE({won}, b.home_points > b.away_points)"
        bundled = "LEFT JOIN reference.games AS b ON b.game_id = k.game_id"
    sql = f"""
    WITH {Choice(origin, None, None, None).counted()}
    SELECT r.slate_date, r.model_version, k.run_id, k.game_id, g.game_date, g.home_team_id,
      g.away_team_id, g.home_team, g.away_team, g.home_win_probability,
      g.elo_home_win_probability, {won}
    FROM counted AS k
    CROSS JOIN main.runs AS r ON r.run_id = k.run_id
    CROSS JOIN main.game_predictions AS g ON g.run_id = k.run_id AND g.game_id = k.game_id
    LEFT JOIN main.games AS s ON s.game_id = k.game_id
    {bundled}
    ORDER BY r.slate_date, k.game_id
    """
    return [_game_of(row) for row in connection.execute(sql)]


def _game_of(row: Sequence[Any]) -> CountedGame:
    slate, version, run_id, game_id, day, home_id, away_id, home, away, chance, elo, won = row
    return CountedGame(
        slate_date=slate,
        model_version=version,
        run_id=run_id,
        game_id=game_id,
        game_date=day,
        home_team_id=home_id,
        away_team_id=away_id,
        home_team=home or "–",
        away_team=away or "–",
        probability=chance,
        elo=elo,
        home_won=None if won is None else bool(won),
    )


def fingerprints(
    connection: apsw.Connection, games: Iterable[CountedGame], *, has_reference: bool
) -> dict[str, str]:
    """By slate date a text that changes with anything that its scores rest on.

    That is which runs count, what happened in the games, and every result that came before them:
    baselines are averages of earlier games.
    """
    marks, by_date = _result_marks(connection)
    days = sorted(by_date)
    chain = [_reference_hash(connection, has_reference)]
    for day in days:
        chain.append(_hash(chain[-1], day, *sorted(by_date[day])))
    by_slate: defaultdict[str, list[CountedGame]] = defaultdict(list)
    for game in games:
        by_slate[game.slate_date].append(game)
    return {
        slate: _hash(
            chain[bisect_left(days, max(game.game_date for game in counted))],
            *(f"{game.run_id} {game.game_id} {marks.get(game.game_id)}" for game in counted),
        )
        for slate, counted in by_slate.items()
    }


def _reference_hash(connection: apsw.Connection, has_reference: bool) -> str:
    if not has_reference:
        return ""
    return str(connection.execute("SELECT content_hash FROM reference.reference_info").get)


def _result_marks(
    connection: apsw.Connection,
) -> tuple[dict[str, str], Mapping[str, list[str]]]:
    """What the state says of each game's result, and the same by date."""
    number = "player_id"
    for stat in STATS:
        number = f"(({number}) * 131 + coalesce({stat}, -1)) % {_PRIME}"
    box_scores = f"(SELECT game_id, game_date, {number} AS number FROM main.player_games)"
    statements = (
        f"SELECT game_id, min(game_date), sum(number), count(*) FROM {box_scores} GROUP BY 1",
        "SELECT game_id, game_date, home_points, away_points FROM main.games",
        "SELECT game_id, game_date, 'neutral', '' FROM main.scheduled_games WHERE is_neutral",
    )
    marks: defaultdict[str, str] = defaultdict(str)
    by_date: defaultdict[str, list[str]] = defaultdict(list)
    for place, statement in enumerate(statements):
        for game_id, day, *numbers in connection.execute(statement):
            mark = f"{place} {game_id} {numbers}"
            marks[str(game_id)] += mark
            by_date[str(day)].append(mark)
    return marks, by_date


def _hash(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def player_rows(
    connection: apsw.Connection, games: Sequence[CountedGame], *, has_reference: bool
) -> Floats:
    """Predictions of players who played, shape (rows, ROW_COLUMNS); NaN where not known.

    `game` is a place in `games` and `stat` one in STATS; `minutes` are the projected ones. The mean
    stands in for a median that was not logged.
    """
    asked = json.dumps([(game.run_id, game.game_id) for game in games])
    sql = f"""
    SELECT * FROM (
      SELECT k.key, p.player_id, {_STAT_PLACE}, p.team_id, p.mean, coalesce(p.median, p.mean),
        p.floor, p.ceiling, m.mean, {actual_value("p.stat", has_reference=has_reference)} AS actual
      FROM json_each(?) AS k
      CROSS JOIN main.predictions AS p ON p.run_id = k.value ->> 0 AND p.game_id = k.value ->> 1
      LEFT JOIN main.predictions AS m ON m.run_id = p.run_id AND m.game_id = p.game_id
        AND m.player_id = p.player_id AND m.stat = 'minutes'
      {actual_joins("p", has_reference=has_reference)}
      WHERE p.stat <> 'pra'
    ) WHERE actual IS NOT NULL
    """
    return _array(connection.execute(sql, (asked,)), len(ROW_COLUMNS))


def past_games(
    connection: apsw.Connection, players: Collection[int] | None, *, has_reference: bool
) -> PastGames:
    """Every known game of some players, None for all: the state's box scores, then the bundled."""
    chosen = "TRUE"
    if players is not None:
        # The ids come out of integer columns, so they can stand in the statement.
        chosen = f"{{0}}.player_id IN ({', '.join(str(int(one)) for one in sorted(players))})"
    columns = ", ".join(f"s.{stat}" for stat in STATS)
    sql = f"""
    SELECT s.player_id AS player_id, unixepoch(s.game_date) / 86400 AS day, s.game_id AS game_id,
      {columns}
    FROM main.player_games AS s WHERE {chosen.format("s")}"""
    if has_reference:
        columns = ", ".join(f"coalesce(s.{stat}, b.{stat})" for stat in STATS)
        sql = f"""
        SELECT b.player_id AS player_id, unixepoch(b.game_date) / 86400 AS day,
          b.game_id AS game_id, {columns}
        FROM reference.player_games AS b
        LEFT JOIN main.player_games AS s ON s.game_id = b.game_id AND s.player_id = b.player_id
        WHERE {chosen.format("b")}
        UNION ALL {sql} AND NOT EXISTS (
          SELECT 1 FROM reference.player_games AS b
          WHERE b.game_id = s.game_id AND b.player_id = s.player_id)"""
    rows = connection.execute(f"{sql} ORDER BY player_id, day, game_id")
    table = _array((row[:2] + row[3:] for row in rows), 2 + len(STATS))
    days = table[:, 1].astype(np.int64)
    return PastGames(table[:, 0].astype(np.int64), days, _seasons(days), table[:, 2:])


def day_number(day: str) -> int:
    """Days since 1970-01-01 of an ISO date."""
    return (date.fromisoformat(day) - _EPOCH).days


def _seasons(days: Integers) -> Integers:
    """The year in which the season of each day began."""
    unique, places = np.unique(days, return_inverse=True)
    years = [int(season_of(_EPOCH + timedelta(days=int(day)))[:4]) for day in unique]
    found: Integers = np.array(years, np.int64)[places]
    return found


def _array(rows: Iterable[tuple[apsw.SQLiteValue, ...]], width: int) -> Floats:
    """Rows of numbers, NaN for NULL."""
    remaining = iter(rows)
    parts = [np.empty((0, width))]
    while part := list(itertools.islice(remaining, _ROWS_AT_A_TIME)):
        parts.append(np.array(part, np.float64))
    return np.concatenate(parts)
