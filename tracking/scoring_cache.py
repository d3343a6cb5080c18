"""The sums of every slate in a small database beside the state, brought up to date by slate.

It is no part of the state: it is never replicated, holds nothing that cannot be computed again, and
a damaged or older file is thrown away.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

import apsw
import pandas as pd

from replica import LocalCorrupt, local_faults
from tracking.accuracy import home_rates
from tracking.runs import Origin
from tracking.scoring_rows import (
    ROW_COLUMNS,
    CountedGame,
    PastGames,
    content_token,
    counted_games,
    fingerprints,
    past_games,
    player_rows,
)
from tracking.scoring_sums import SUMS, sums_of

__all__ = ["SCORED_ORIGINS", "ScoreCache", "ScoresDamaged"]

SCORED_ORIGINS: Final = (Origin.LIVE, Origin.REPLAY)

_VERSION: Final = 1
"""Raised with every change to the tables or to what is summed."""
_SLATES_AT_A_TIME: Final = 60
_BUSY_MILLISECONDS: Final = 5_000
_ATTEMPTS: Final = 50
_PAUSE_SECONDS: Final = 0.1

_SCHEMA: Final = f"""
CREATE TABLE content (only_row INTEGER PRIMARY KEY CHECK (only_row = 1), token TEXT NOT NULL);
CREATE TABLE slates (
  origin TEXT NOT NULL, slate_date TEXT NOT NULL, fingerprint TEXT NOT NULL,
  PRIMARY KEY (origin, slate_date)
) WITHOUT ROWID;
CREATE TABLE sums (
  origin TEXT NOT NULL, slate_date TEXT NOT NULL, model_version TEXT NOT NULL,
  stat TEXT NOT NULL, dimension TEXT NOT NULL, name TEXT NOT NULL,
  {", ".join(f"{name} REAL NOT NULL" for name in SUMS)},
  PRIMARY KEY (origin, stat, dimension, slate_date, model_version, name)
) WITHOUT ROWID;
CREATE INDEX sums_by_slate ON sums (origin, slate_date);
CREATE TABLE games (
  origin TEXT NOT NULL, slate_date TEXT NOT NULL, game_id TEXT NOT NULL,
  model_version TEXT NOT NULL, probability REAL NOT NULL, elo REAL, home_rate REAL,
  home_won INTEGER NOT NULL,
  PRIMARY KEY (origin, slate_date, game_id)
) WITHOUT ROWID;
CREATE TABLE calls (
  origin TEXT NOT NULL, slate_date TEXT NOT NULL, model_version TEXT NOT NULL,
  stat TEXT NOT NULL, kind TEXT NOT NULL, game_id TEXT NOT NULL, player_id INTEGER NOT NULL,
  team TEXT NOT NULL, opponent TEXT NOT NULL, median REAL NOT NULL, floor REAL, ceiling REAL,
  actual REAL NOT NULL, season_average REAL, size REAL NOT NULL,
  PRIMARY KEY (origin, stat, kind, slate_date, model_version, game_id, player_id)
) WITHOUT ROWID;
CREATE INDEX calls_by_slate ON calls (origin, slate_date);
PRAGMA user_version = {_VERSION};
"""


@dataclass(frozen=True, slots=True)
class _Part:
    """Some slates of one origin that are computed together, with their new fingerprints."""

    origin: Origin
    games: list[CountedGame]
    fingerprints: Mapping[str, str]


class ScoresDamaged(LocalCorrupt):
    """The file was damaged, and is gone."""

    summary = "the file with the sums of the track record was damaged"
    standard_remedy = "It was removed and is made anew by itself: open the page again."


class ScoreCache:
    """The file at `path`. One thread at a time may call `update`, any may read.

    Methods may raise a `replica.LocalError`. A ScoresDamaged has thrown the file away; any other
    LocalCorrupt is the state's.
    """

    def __init__(self, path: Path, *, has_reference: bool) -> None:
        self._path = path
        self._has_reference = has_reference

    def token(self) -> str | None:
        """The content that the sums belong to, None while they are not complete."""
        if not self._path.exists():
            return None
        with self.read() as connection:
            if connection.pragma("user_version") != _VERSION:
                return None
            row = connection.execute("SELECT token FROM content").fetchone()
        return None if row is None else str(row[0])

    @contextmanager
    def read(self) -> Iterator[apsw.Connection]:
        """A connection that cannot write and sees one moment."""
        with self._opened() as connection:
            connection.execute("PRAGMA query_only = ON; BEGIN")
            yield connection

    def update(self, state: apsw.Connection, progress: Callable[[float], None]) -> None:
        """Compute the slates anew of which the state says something else than before.

        `progress` hears how much (0..1) is done. What is done stays if this is broken off.
        """
        progress(0.0)
        token = content_token(state, has_reference=self._has_reference)
        with self._opened() as cache:
            if cache.pragma("user_version") != _VERSION:
                _read_beside_writes(cache)
                _begin_anew(cache)
            parts = [part for origin in SCORED_ORIGINS for part in self._due(state, cache, origin)]
            # Once for all, instead of each part's players again and again.
            past = None
            if len(parts) > 1:
                with _faults_of(state):
                    past = past_games(state, None, has_reference=self._has_reference)
            for place, part in enumerate(parts):
                self._score(state, cache, part, past)
                progress((place + 1) / len(parts))
            with cache:
                cache.execute("INSERT OR REPLACE INTO content VALUES (1, ?)", (token,))

    def _due(
        self, state: apsw.Connection, cache: apsw.Connection, origin: Origin
    ) -> Iterator[_Part]:
        """The slates to compute, in parts; what is no longer there is forgotten."""
        with _faults_of(state):
            games = counted_games(state, origin, has_reference=self._has_reference)
            wanted = fingerprints(state, games, has_reference=self._has_reference)
        sql = "SELECT slate_date, fingerprint FROM slates WHERE origin = ?"
        there = {str(day): text for day, text in cache.execute(sql, (origin.value,))}
        with cache:
            _forget(cache, origin, [day for day in there if day not in wanted])
        due = sorted(day for day, text in wanted.items() if there.get(day) != text)
        by_slate: dict[str, list[CountedGame]] = {day: [] for day in due}
        for game in games:
            if game.slate_date in by_slate:
                by_slate[game.slate_date].append(game)
        for first in range(0, len(due), _SLATES_AT_A_TIME):
            days = due[first : first + _SLATES_AT_A_TIME]
            chosen = [game for day in days for game in by_slate[day]]
            yield _Part(origin, chosen, {day: wanted[day] for day in days})

    def _score(
        self,
        state: apsw.Connection,
        cache: apsw.Connection,
        part: _Part,
        past: PastGames | None,
    ) -> None:
        with _faults_of(state):
            rows = player_rows(state, part.games, has_reference=self._has_reference)
            if past is None:
                players = {int(one) for one in rows[:, ROW_COLUMNS.index("player_id")]}
                past = past_games(state, players, has_reference=self._has_reference)
            games = self._games(state, part.games)
        found = sums_of(rows, part.games, past)
        with cache:
            _forget(cache, part.origin, list(part.fingerprints))
            _insert(cache, "sums", part.origin, found.sums)
            _insert(cache, "calls", part.origin, found.calls)
            _insert(cache, "games", part.origin, games)
            cache.executemany(
                "INSERT INTO slates VALUES (?, ?, ?)",
                [(part.origin.value, *item) for item in part.fingerprints.items()],
            )

    def _games(self, state: apsw.Connection, games: list[CountedGame]) -> pd.DataFrame:
        """The finished games with a probability, and what baselines said."""
        known = [
            game for game in games if game.home_won is not None and game.probability is not None
        ]
        frame = pd.DataFrame(
            {
                "slate_date": [game.slate_date for game in known],
                "game_id": [game.game_id for game in known],
                "model_version": [game.model_version for game in known],
                "probability": [game.probability for game in known],
                "elo": pd.Series([game.elo for game in known], dtype="float64"),
                "game_date": [date.fromisoformat(game.game_date) for game in known],
            }
        )
        rates = home_rates(state, frame, has_reference=self._has_reference)
        won = [int(bool(game.home_won)) for game in known]
        return frame.drop(columns="game_date").assign(home_rate=rates, home_won=won)

    @contextmanager
    def _opened(self) -> Iterator[apsw.Connection]:
        try:
            with local_faults("open", self._path):
                connection = apsw.Connection(str(self._path))
            with local_faults("keep scores in", self._path), closing(connection):
                connection.set_busy_timeout(_BUSY_MILLISECONDS)
                connection.pragma("synchronous", "normal")
                yield connection
        except LocalCorrupt as error:
            if error.key != str(self._path):
                raise
            for ending in ("", "-wal", "-shm"):
                self._path.with_name(self._path.name + ending).unlink(missing_ok=True)
            raise ScoresDamaged(error.operation, error.key, detail=error.detail) from error


def _faults_of(state: apsw.Connection) -> AbstractContextManager[None]:
    """What fails within is the state's, not of the file that it stands beside."""
    return local_faults("read", Path(state.db_filename("main")))


def _read_beside_writes(cache: apsw.Connection) -> None:
    """Let readers go on while it is written to.

    SQLite waits for nobody here, and somebody may be looking whether there are scores yet.
    """
    for _ in range(_ATTEMPTS):
        try:
            cache.pragma("journal_mode", "wal")
        except apsw.BusyError:
            time.sleep(_PAUSE_SECONDS)
        else:
            return
    cache.pragma("journal_mode", "wal")


def _begin_anew(cache: apsw.Connection) -> None:
    """Empty tables of this version, whatever another version has left."""
    with cache:
        tables = cache.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
        for (name,) in tables:
            cache.execute(f'DROP TABLE "{name}"')
        cache.execute(_SCHEMA)


def _forget(cache: apsw.Connection, origin: Origin, days: list[str]) -> None:
    """Remove what is there of these slates."""
    # Left to itself SQLite looks through all slates of the origin.
    for table in (
        "slates",
        "sums INDEXED BY sums_by_slate",
        "games",
        "calls INDEXED BY calls_by_slate",
    ):
        sql = f"DELETE FROM {table} WHERE origin = ? AND slate_date = ?"
        cache.executemany(sql, [(origin.value, day) for day in days])


def _insert(cache: apsw.Connection, table: str, origin: Origin, frame: pd.DataFrame) -> None:
    """Add the rows; NaN becomes NULL."""
    columns = ", ".join(("origin", *frame.columns))
    marks = ", ".join("?" for _ in range(1 + len(frame.columns)))
    values = frame.astype(object).where(frame.notna(), None)
    cache.executemany(
        f"INSERT INTO {table} ({columns}) VALUES ({marks})",
        ((origin.value, *row) for row in values.itertuples(index=False, name=None)),
    )
