"""The track record: kept as sums per slate, brought up to date when the state has changed."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import apsw

from nba.stats import Stat
from replica import ReplicaError
from tracking.accuracy import Choice
from tracking.history import name_of_player
from tracking.scoring_cache import ScoreCache
from tracking.scoring_figures import (
    GroupScore,
    StatDetail,
    StatScore,
    group_scores,
    stat_detail,
    stat_scores,
    where_of,
)
from tracking.scoring_rows import content_token
from tracking.scoring_wins import WinScore, WinVersion, win_score, win_versions

__all__ = ["Scoring", "TrackRecord"]


@dataclass(frozen=True, slots=True)
class TrackRecord:
    """The headline figures of a choice. `first_date` and `last_date` are the slates that count.

    `versions` are all model versions of the origin, whatever else is chosen.
    """

    choice: Choice
    first_date: date | None
    last_date: date | None
    stats: tuple[StatScore, ...]
    wins: WinScore
    win_versions: tuple[WinVersion, ...]
    versions: tuple[str, ...]

    @property
    def n(self) -> int:
        """How many predictions of players count, over all stats."""
        return sum(stat.score.n for stat in self.stats if stat.score is not None)


class Scoring:
    """The scores of one prediction log, in a cache at `path`; safe to share between threads.

    `read` gives a connection to the state, with the bundled seasons attached as `reference` if
    `has_reference` is True.
    """

    def __init__(
        self,
        read: Callable[[], AbstractContextManager[apsw.Connection]],
        path: Path,
        *,
        has_reference: bool,
    ) -> None:
        self._read = read
        self._has_reference = has_reference
        self._cache = ScoreCache(path, has_reference=has_reference)
        self._updating = threading.Lock()
        self._guard = threading.Lock()
        self._thread: threading.Thread | None = None
        self._fraction = 0.0
        self._error: Exception | None = None
        self._record_of = functools.lru_cache(maxsize=16)(self._compute_record)
        self._groups_of = functools.lru_cache(maxsize=32)(self._compute_groups)
        self._detail_of = functools.lru_cache(maxsize=32)(self._compute_detail)

    def is_ready(self) -> bool:
        """Whether there are scores, be they of now or of a little earlier."""
        return self._cache.token() is not None

    def is_current(self) -> bool:
        """Whether the scores are those of the state as it is now. Raises ReplicaError."""
        with self._read() as connection:
            token = content_token(connection, has_reference=self._has_reference)
        return token == self._cache.token()

    def update(self, progress: Callable[[float], None] = lambda fraction: None) -> None:
        """Bring the scores up to date; returns when they are. Raises ReplicaError.

        `progress` hears the share (0..1) that is done.
        """
        with self._updating:
            if not self.is_current():
                with self._read() as connection:
                    self._cache.update(connection, progress)

    def begin_update(self) -> None:
        """Bring the scores up to date in a thread of its own, unless one is at it."""
        with self._guard:
            if self._thread is not None and self._thread.is_alive():
                return
            self._fraction, self._error = 0.0, None
            self._thread = threading.Thread(
                target=self._update_quietly, name="nba-daily-scores", daemon=True
            )
            self._thread.start()

    def wait(self, timeout_seconds: float) -> bool:
        """Wait so long for an update that runs; True if none does any more.

        Raises what the last update failed with, a ReplicaError for one.
        """
        thread = self._thread
        if thread is not None:
            thread.join(timeout_seconds)
            if thread.is_alive():
                return False
        if self._error is not None:
            raise self._error
        return True

    @property
    def fraction(self) -> float:
        """How much (0..1) of the running update is done."""
        return self._fraction

    def track_record(self, choice: Choice) -> TrackRecord:
        """The headline figures, of the scores that are there. Raises LocalError."""
        return self._record_of(choice, self._cache.token())

    def detail(self, choice: Choice, stat: Stat) -> StatDetail:
        """One stat over time, with its best calls and worst misses. Raises LocalError."""
        return self._detail_of(choice, stat, self._cache.token())

    def groups(self, choice: Choice, stat: Stat, dimension: str) -> tuple[GroupScore, ...]:
        """One stat by team, role or value (`scoring_sums.DIMENSIONS`). Raises LocalError."""
        return self._groups_of(choice, stat, dimension, self._cache.token())

    def _update_quietly(self) -> None:
        try:
            self.update(self._note)
        except Exception as error:
            # Whoever waits gets it.
            self._error = error
            if not isinstance(error, ReplicaError):
                raise

    def _note(self, fraction: float) -> None:
        self._fraction = fraction

    def _compute_record(self, choice: Choice, _token: str | None) -> TrackRecord:
        with self._cache.read() as cache:
            where, bindings = where_of(choice)
            first, last = cache.execute(
                "SELECT min(day), max(day) FROM ("
                f"SELECT slate_date AS day FROM sums WHERE dimension = 'all' AND {where}"
                f" UNION ALL SELECT slate_date FROM games WHERE {where})",
                bindings,
            ).get
            versions = cache.execute(
                "SELECT model_version FROM sums WHERE origin = :origin AND dimension = 'all'"
                " UNION SELECT model_version FROM games WHERE origin = :origin ORDER BY 1",
                {"origin": choice.origin.value},
            ).fetchall()
            return TrackRecord(
                choice=choice,
                first_date=None if first is None else date.fromisoformat(str(first)),
                last_date=None if last is None else date.fromisoformat(str(last)),
                stats=stat_scores(cache, choice),
                wins=win_score(cache, choice),
                win_versions=win_versions(cache, choice),
                versions=tuple(str(version) for (version,) in versions),
            )

    def _compute_groups(
        self, choice: Choice, stat: Stat, dimension: str, _token: str | None
    ) -> tuple[GroupScore, ...]:
        with self._cache.read() as cache:
            return group_scores(cache, choice, stat, dimension)

    def _compute_detail(self, choice: Choice, stat: Stat, _token: str | None) -> StatDetail:
        sql = f"""
        SELECT {name_of_player(has_reference=self._has_reference)}
        FROM (SELECT ? AS player_id) AS p
        """
        with self._cache.read() as cache, self._read() as connection:
            return stat_detail(
                cache, choice, stat, lambda player: str(connection.execute(sql, (player,)).get)
            )
