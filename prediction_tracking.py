"""The prediction log: what was predicted when, what happened, and how good it was.

Predictions are only ever added. A revision is a new run, a corrected box score changes no
prediction, and whether a run counts is decided by the store's clock, not by this machine's.
"""

from __future__ import annotations

import functools
import io
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import date, datetime
from pathlib import Path
from typing import BinaryIO

import apsw
import apsw.ext
import pandas as pd

from nba.availability import PlayerAvailability
from nba.frame_files import RowsWritten
from nba.seasons import ScheduledGame, UndecidedGame, slate_date_of
from nba.silver import Silver
from nba.slate import SlateProjection
from nba.stats import Stat
from replica import Replica
from tracking import accuracy as _accuracy
from tracking import history as _history
from tracking import history_files as _history_files
from tracking import history_partitions as _history_partitions
from tracking import results as _results
from tracking import runs as _runs
from tracking.accuracy import Accuracy, BaselineError, StatAccuracy, WinAccuracy, WinBaseline
from tracking.availability import (
    AVAILABILITY_COLUMNS,
    SET_AVAILABILITY,
    availability_list,
    availability_on,
    people,
    rows_of,
)
from tracking.availability_file import AvailabilityRejected, parse_availability
from tracking.backup_catalogue import RestoreRecord, restores
from tracking.conflicts import CONFLICT_COLUMNS, conflicts
from tracking.errors import (
    EmptySlate,
    ExistingDatabaseDamaged,
    ImportRefused,
    NotAnExistingDatabase,
    OriginMismatch,
    ResultsRejected,
    RowProblem,
    RowProblemKind,
    SlateRejected,
    TrackingError,
    UnknownPlace,
    UnknownRun,
)
from tracking.history import HISTORY_COLUMNS, MOST_COUNTED, HistoryPage
from tracking.history_choice import HistoryFilters, HistoryPlace, place_of
from tracking.imports import ImportRecord, imports
from tracking.kept_apart import (
    CORRECTION_COLUMNS,
    QUARANTINE_COLUMNS,
    quarantine,
    result_corrections,
)
from tracking.learned import learned_on
from tracking.learning import (
    LearnReport,
    lessons_of,
    newest_learned,
    parts_of,
    write_lessons,
)
from tracking.missed import MissedSlate, missed_slates
from tracking.rebuilt import differences
from tracking.results import ResultsReport
from tracking.results_file import MAX_ROWS, parse_results, required_columns
from tracking.run_frame import RUN_COLUMNS, run_frame
from tracking.run_rows import game_rows, prediction_rows, write_run
from tracking.runs import Origin, Run
from tracking.schema import CATALOGUE_TABLES, MIGRATIONS, REPLICATED_TABLES
from tracking.scoring import Scoring
from tracking.scoring_rows import content_token
from tracking.uploads import UPLOAD_COLUMNS, uploads

__all__ = [
    "AVAILABILITY_COLUMNS",
    "CATALOGUE_TABLES",
    "CONFLICT_COLUMNS",
    "CORRECTION_COLUMNS",
    "HISTORY_COLUMNS",
    "MAX_ROWS",
    "MIGRATIONS",
    "MOST_COUNTED",
    "QUARANTINE_COLUMNS",
    "REPLICATED_TABLES",
    "RUN_COLUMNS",
    "UPLOAD_COLUMNS",
    "Accuracy",
    "AvailabilityRejected",
    "BaselineError",
    "EmptySlate",
    "ExistingDatabaseDamaged",
    "HistoryFilters",
    "HistoryPage",
    "HistoryPlace",
    "ImportRecord",
    "ImportRefused",
    "LearnReport",
    "MissedSlate",
    "NotAnExistingDatabase",
    "Origin",
    "OriginMismatch",
    "PlayerAvailability",
    "PredictionLog",
    "RestoreRecord",
    "ResultsRejected",
    "ResultsReport",
    "RowProblem",
    "RowProblemKind",
    "Run",
    "SlateRejected",
    "StatAccuracy",
    "TrackingError",
    "UnknownPlace",
    "UnknownRun",
    "WinAccuracy",
    "WinBaseline",
    "place_of",
]


class _AlreadyLogged(Exception):
    """Somebody logged the same run between the look and the write; rolls the write back."""

    def __init__(self, run_id: str) -> None:
        super().__init__(run_id)
        self.run_id = run_id


class PredictionLog:
    """The log in `replica`, with names and bundled box scores from the reference.

    Safe to share between threads. `reference_path` is the file that `nba.reference` builds; None
    leaves out bundled names and results. `on_logged` is called with the run's id after each commit
    of a new run; what it raises reaches the caller of `log_slate`, with the run logged.

    Every method may raise a `replica.ReplicaError`, such as NotRestored; writing ones DiskFull too.

    Attributes:
        scoring: the track record in all its figures, kept beside the state.
    """

    def __init__(
        self,
        replica: Replica,
        reference_path: Path | None,
        *,
        clock: Callable[[], datetime],
        on_logged: Callable[[str], None] | None = None,
        new_uuid: Callable[[], uuid.UUID] = uuid.uuid4,
    ) -> None:
        self._replica = replica
        self._reference_path = reference_path
        self._clock = clock
        self._on_logged = on_logged
        self._new_uuid = new_uuid
        path = replica.path
        self.scoring = Scoring(
            self._read,
            path.with_name(f"{path.stem}-scores.db"),
            has_reference=reference_path is not None,
        )
        self._accuracy_of = functools.lru_cache(maxsize=8)(self._compute_accuracy)

    def log_slate(
        self,
        projection: SlateProjection,
        origin: Origin,
        *,
        revision: bool = False,
        anew: bool = False,
    ) -> Run:
        """Log a slate as one run, in one transaction, and return it.

        An automatic run is logged once for a slate date, model version, data as of, origin and set
        of games: logging it again returns the run that is there and writes nothing. Its id follows
        from these and from every figure, so that processes which do not know of each other make
        one run of the same figures, and never change each other's. A `revision` is always a new
        run. With `anew` other figures of the same data are another automatic run too, and only
        the very same ones are not logged again.

        Raises OriginMismatch (live for a slate that is over, replay for one that is not, any
        backtest), EmptySlate, SlateRejected.
        """
        now = self._clock()
        _runs.check_origin(projection.slate_date, origin, now)
        _runs.check_projection(projection)
        content = [*game_rows(projection), *prediction_rows(projection)]
        automatic_id = _runs.automatic_run_id(projection, origin, content)

        def earlier_run(execute: _runs.Execute) -> str | None:
            if revision:
                return None
            if anew:
                return _runs.find_run(execute, automatic_id)
            return _runs.find_automatic_run(execute, projection, origin)

        with self._read() as connection:
            logged = earlier_run(connection.execute)
        if logged is not None:
            return self.run(logged)
        unnamed = self._players_without_name(projection)
        try:
            with self._replica.transaction() as transaction:
                found = earlier_run(transaction.execute)
                if found is not None:
                    raise _AlreadyLogged(found)
                run_id = str(self._new_uuid()) if revision else automatic_id
                write_run(transaction, run_id, projection, origin, now, revision=revision)
                transaction.executemany(
                    "INSERT INTO players (player_id, player_name) VALUES (?, ?)"
                    " ON CONFLICT (player_id) DO UPDATE SET player_name = excluded.player_name",
                    sorted(unnamed.items()),
                )
        except _AlreadyLogged as earlier:
            return self.run(earlier.run_id)
        if self._on_logged is not None:
            self._on_logged(run_id)
        return self.run(run_id)

    def current_run(self, slate_date: date, origin: Origin = Origin.LIVE) -> Run | None:
        """The newest run of a slate, None if there is none.

        An import of earlier predictions is no live run of this app and does not count here.
        """
        conditions = [
            "r.slate_date = ?",
            "r.origin = ?",
            "(r.time_verified = 1 OR r.origin <> 'live')",
        ]
        with self._read() as connection:
            bindings = (slate_date.isoformat(), origin.value)
            found = _runs.select_runs(connection, where=conditions, bindings=bindings, limit=1)
        return found[0] if found else None

    def run(self, run_id: str) -> Run:
        """The run with this id; UnknownRun if there is none."""
        found = self._find(run_id)
        if found is None:
            raise UnknownRun(
                "reading a run", run_id, "no run has this id", "Choose a run from the history."
            )
        return found

    def runs(
        self,
        *,
        since: date | None = None,
        until: date | None = None,
        origin: Origin | None = None,
        limit: int | None = None,
    ) -> list[Run]:
        """Runs of the slates from `since` to `until` (inclusive), newest slate and run first."""
        conditions: list[str] = []
        bindings: list[str] = []
        for condition, value in (
            ("r.slate_date >= ?", None if since is None else since.isoformat()),
            ("r.slate_date <= ?", None if until is None else until.isoformat()),
            ("r.origin = ?", None if origin is None else origin.value),
        ):
            if value is not None:
                conditions.append(condition)
                bindings.append(value)
        with self._read() as connection:
            return _runs.select_runs(connection, where=conditions, bindings=bindings, limit=limit)

    def counting_runs(self, game_ids: Sequence[str]) -> dict[str, str]:
        """The id of the run that counts in the track record, by game id.

        The last live one that the store had before the tip-off, both as it was planned when the run
        was logged and as it is known now. Games without such a run are left out.
        """
        with self._read() as connection:
            return _runs.counting_runs(connection, game_ids)

    def history(
        self, filters: HistoryFilters, *, limit: int | None, offset: int = 0
    ) -> pd.DataFrame:
        """One row per prediction, with the columns HISTORY_COLUMNS, newest slate first.

        `actual` is NaN while unknown, and for a player who did not play, `median` in runs that
        were logged without one; `saved` says whether the store has the run. `limit` None gives
        every row.
        """
        with self._read() as connection:
            return _history.history(
                connection,
                filters,
                has_reference=self._has_reference,
                limit=limit,
                offset=offset,
            )

    def history_page(
        self, filters: HistoryFilters, *, limit: int, after: HistoryPlace | None = None
    ) -> HistoryPage:
        """The `limit` rows of `history` that come after a place; None for the newest ones.

        A page far back costs what the first one costs. Raises UnknownPlace.
        """
        with self._read() as connection:
            return _history.page(
                connection, filters, has_reference=self._has_reference, limit=limit, after=after
            )

    def history_back(
        self, filters: HistoryFilters, place: HistoryPlace | None, rows: int
    ) -> HistoryPlace | None:
        """The place that has `rows` rows after it up to `place`, with it; None if there is none.

        `place` None is the end of the history. Raises UnknownPlace.
        """
        with self._read() as connection:
            return _history.place_back(
                connection, filters, place, rows, has_reference=self._has_reference
            )

    def history_count(self, filters: HistoryFilters) -> int:
        """How many rows `history` has without a limit. It looks at each of them."""
        with self._read() as connection:
            return _history.count(connection, filters, has_reference=self._has_reference)

    def history_csv(self, filters: HistoryFilters, *, compressed: bool = False) -> bytes:
        """All rows of `history` as CSV (UTF-8) with a header, in little memory beside the text.

        `compressed` packs it with gzip.
        """
        file = io.BytesIO()
        self.write_history_csv(filters, file, compressed=compressed)
        return file.getvalue()

    def history_parquet(self, filters: HistoryFilters) -> bytes:
        """All rows of `history` as a Parquet file, each column with a type of its own."""
        file = io.BytesIO()
        self.write_history_parquet(filters, file)
        return file.getvalue()

    def write_history_csv(
        self,
        filters: HistoryFilters,
        file: BinaryIO,
        *,
        compressed: bool = False,
        on_rows: RowsWritten | None = None,
    ) -> int:
        """Write all rows of `history` as CSV (UTF-8) with a header; how many these are.

        Never more than a slice is in memory. `on_rows` is told after each slice how many rows have
        been written so far. Raises OSError.
        """
        with self._read() as connection:
            return _history_files.write_csv(
                connection,
                filters,
                file,
                has_reference=self._has_reference,
                compressed=compressed,
                on_rows=on_rows,
            )

    def write_history_parquet(
        self, filters: HistoryFilters, file: BinaryIO, *, on_rows: RowsWritten | None = None
    ) -> int:
        """Write all rows of `history` as one Parquet file, as `write_history_csv` does."""
        with self._read() as connection:
            return _history_files.write_parquet(
                connection, filters, file, has_reference=self._has_reference, on_rows=on_rows
            )

    def write_history_partitions(
        self, filters: HistoryFilters, folder: Path, *, on_rows: RowsWritten | None = None
    ) -> int:
        """Write all rows of `history` as Parquet, a file a month, as `write_history_csv` does.

        The files stand below `folder` as `season=2024-25/month=2025-01/part-0.parquet`, with
        slate dates in US Eastern time. Without rows nothing is written.
        """
        with self._read() as connection:
            return _history_partitions.write_partitions(
                connection, filters, folder, has_reference=self._has_reference, on_rows=on_rows
            )

    def model_versions(self) -> list[str]:
        """Every model version that has logged a run, in order."""
        with self._read() as connection:
            return _history.model_versions(connection)

    def run_frame(self, run_id: str) -> pd.DataFrame:
        """Everything a run said, with the columns RUN_COLUMNS; UnknownRun if there is none.

        One row per prediction, and one per game without any player. The rows do not change: only
        a name that a newer bundle spells otherwise makes another file of the same run.
        """
        with self._read() as connection:
            frame = run_frame(connection, run_id, has_reference=self._has_reference)
        if frame.empty:
            self.run(run_id)
        return frame

    def record_results(
        self, frame: pd.DataFrame, source: str, *, before: Callable[[], object] | None = None
    ) -> ResultsReport:
        """Record what players did, all rows or none.

        `frame` has the columns game_date, player_id or player_name, points, rebounds, assists,
        threes and, if known, minutes, game_id and team, under these or the usual other names.
        Games are found by the logged predictions and the schedule. Values that are known already
        are not written again; a changed one replaces the old, which is kept in
        `result_corrections`. `source` is stored with each row. `before` is called when there is
        something to write, before it is written; what it raises keeps it from being written.

        Raises ResultsRejected, which names every row that cannot be recorded.
        """
        now = self._clock()
        parsed = parse_results(frame, slate_date_of(now))
        remedy = "Nothing was recorded. Mend these rows and import the file again."
        if any(problem.row is None for problem in parsed.problems):
            remedy = f"Nothing was recorded. A file needs the columns {required_columns()}."
        with self._read() as connection:
            found, problems, duplicates = _results.resolve(
                connection, parsed.rows, has_reference=self._has_reference
            )
            if parsed.problems or problems:
                everything = sorted((*parsed.problems, *problems), key=lambda p: p.row or 0)
                raise ResultsRejected(source, everything, remedy)
            bundled: _results.Known = _results.nothing_known
            if self._has_reference:
                bundled = _results.known_results(connection.execute, "reference", found)
            learned = _results.known_results(connection.execute, "main", found)
            changes = _results.changes_of(found, learned, bundled)
        if changes.written:
            if before is not None:
                before()
            with self._replica.transaction() as transaction:
                # Another thread may have written since the look above.
                learned = _results.known_results(transaction.execute, "main", found)
                changes = _results.changes_of(found, learned, bundled)
                _results.write_changes(transaction.executemany, changes, source, now)
        return ResultsReport(
            rows=len(parsed.rows),
            recorded=changes.recorded,
            corrected=changes.corrected,
            unchanged=changes.unchanged,
            duplicates=duplicates,
            dates=tuple(sorted({row.game_date for row in parsed.rows})),
            ignored_columns=parsed.ignored_columns,
        )

    def learned_results(self, slate_date: date) -> dict[tuple[str, int], dict[Stat, int]]:
        """What players did on a date, by (game id, player id), as far as the state has learned it.

        Bundled seasons are not in it, and a stat that is unknown is left out.
        """
        with self._read() as connection:
            return learned_on(connection, slate_date)

    def learn(self, silver: Silver) -> LearnReport:
        """Write what the sources said, where the state and the bundled seasons do not say it yet.

        A changed result replaces the old one, which is kept in `result_corrections`. A row that a
        person recorded stands over responses that came before it. Learning the same again writes
        nothing. One transaction, or several for more than a season.
        """
        report = LearnReport()
        for part in parts_of(silver):
            with self._read() as connection:
                reference = connection.execute if self._has_reference else None
                lessons = lessons_of(connection.execute, reference, part)
                if not lessons.report().is_empty:
                    with self._replica.transaction() as transaction:
                        # Another thread may have written since the look above.
                        lessons = lessons_of(transaction.execute, reference, part)
                        write_lessons(transaction.executemany, lessons)
            report += lessons.report()
        return report

    def newest_learned(self) -> date | None:
        """The US Eastern date of the newest response that a row was learned from, None if none."""
        with self._read() as connection:
            return newest_learned(connection.execute)

    def availability(self, on: date) -> dict[int, PlayerAvailability]:
        """What is said of players for a US Eastern date, by player id; see `nba.availability`."""
        with self._read() as connection:
            return availability_on(connection, on)

    def availability_list(self, on: date) -> pd.DataFrame:
        """Who is out, doubtful or questionable on a date: the columns AVAILABILITY_COLUMNS."""
        with self._read() as connection:
            return availability_list(connection, on, has_reference=self._has_reference)

    def set_availability(self, changes: Sequence[PlayerAvailability]) -> int:
        """Say so of these players; how many of it is new. What was said for other days stays."""
        days = {change.from_date for change in changes}
        with self._read() as connection:
            known = {day: availability_on(connection, day) for day in days}
        new = [one for one in changes if known[one.from_date].get(one.player_id) != one]
        if new:
            with self._replica.transaction() as transaction:
                transaction.executemany(SET_AVAILABILITY, rows_of(new))
        return len(new)

    def parse_availability(self, frame: pd.DataFrame) -> list[PlayerAvailability]:
        """A list of who is out as a table, with player_id or player_name and status.

        Without a date a row counts from today on. Raises AvailabilityRejected, which names every
        row that cannot be taken.
        """
        today = slate_date_of(self._clock())
        with self._read() as connection:
            everybody = people(connection, today, has_reference=self._has_reference)
        return parse_availability(frame, everybody, today)

    def missed_slates(
        self, schedule: Iterable[ScheduledGame | UndecidedGame], now: datetime
    ) -> list[MissedSlate]:
        """Slates since the first live one with games that have begun without a prediction."""
        with self._read() as connection:
            return missed_slates(connection, schedule, now)

    def quarantine(self, limit: int = 200) -> pd.DataFrame:
        """What the sources said and was not believed, newest first: QUARANTINE_COLUMNS."""
        with self._read() as connection:
            return quarantine(connection, limit)

    def result_corrections(self, limit: int = 200) -> pd.DataFrame:
        """Results that changed after they were known, newest first: CORRECTION_COLUMNS."""
        with self._read() as connection:
            return result_corrections(connection, limit, has_reference=self._has_reference)

    def differences(self, silver: Silver) -> list[str]:
        """What the state says otherwise than the responses behind `silver`, in sentences."""
        with self._read() as connection:
            reference = connection.execute if self._has_reference else None
            return differences(connection.execute, reference, silver)

    def content(self) -> str:
        """Another text whenever the state, or the bundled seasons, may have changed."""
        with self._read() as connection:
            return content_token(connection, has_reference=self._has_reference)

    def imports(self) -> list[ImportRecord]:
        """The databases of earlier apps that were taken over, newest first."""
        with self._read() as connection:
            return imports(connection)

    def restores(self) -> list[RestoreRecord]:
        """Every restore of the data to what it was before, the newest first."""
        with self._read() as connection:
            return restores(connection)

    def query(self, sql: str, parameters: Sequence[str | int | float | None] = ()) -> pd.DataFrame:
        """The rows of one reading statement, as of one moment.

        The state's tables stand in schema `main`, bundled names and results, if there are any, in
        `reference`. It cannot write. Raises apsw.Error for a mistake in the statement.
        """
        with self._read() as connection:
            # Asked beforehand: a statement without rows has no description afterwards.
            described = apsw.ext.query_info(connection, sql, parameters).description
            rows = connection.execute(sql, parameters).fetchall()
        return pd.DataFrame.from_records(rows, columns=[name for name, _ in described])

    def conflicts(self, limit: int = 1000) -> pd.DataFrame:
        """Values that gave way to another writer's, newest first; the columns CONFLICT_COLUMNS.

        `kept` and `lost` are JSON. `stored_at` is when the later writer's transaction reached the
        store; NaT while it is pending.
        """
        with self._read() as connection:
            return conflicts(connection, limit)

    def uploads(self, limit: int = 20) -> pd.DataFrame:
        """What the newest log entries brought, newest first: UPLOAD_COLUMNS."""
        with self._read() as connection:
            return uploads(connection, limit)

    def accuracy(
        self,
        *,
        origin: Origin = Origin.LIVE,
        since: date | None = None,
        until: date | None = None,
        model_version: str | None = None,
    ) -> Accuracy:
        """How good the predictions of one origin were, beside baselines on the same rows.

        Live counts only what reached the store before its game's tip-off, the last such run per
        game. A replay counts by the last run per game. The error is the median's where a run has
        one, else the mean's. Origins are never mixed; a backtest is not
        in the log (OriginMismatch). `since` and `until` are inclusive slate dates.
        """
        if origin is Origin.BACKTEST:
            raise OriginMismatch(
                "reading accuracy",
                origin.value,
                "a backtest never enters the log",
                "Ask for live or replay.",
            )
        status = self._replica.status()
        content = (status.sequence, status.pending_transactions)
        return self._accuracy_of(_accuracy.Choice(origin, since, until, model_version), content)

    def _compute_accuracy(self, choice: _accuracy.Choice, _content: tuple[int, int]) -> Accuracy:
        """Takes over a second at 100,000 predictions, so it is kept as long as the content is."""
        with self._read() as connection:
            return _accuracy.accuracy(connection, choice, has_reference=self._has_reference)

    @property
    def _has_reference(self) -> bool:
        return self._reference_path is not None

    def _read(self) -> AbstractContextManager[apsw.Connection]:
        attach: Mapping[str, Path] | None = None
        if self._reference_path is not None:
            attach = {"reference": self._reference_path}
        return self._replica.read(attach)

    def _find(self, run_id: str) -> Run | None:
        with self._read() as connection:
            found = _runs.select_runs(connection, where=["r.run_id = ?"], bindings=[run_id])
        return found[0] if found else None

    def _players_without_name(self, projection: SlateProjection) -> dict[int, str]:
        """Names that neither the reference nor the state has, or that the state has otherwise."""
        names = {int(p.player_id): p.player_name for p in projection.players if p.player_name}
        with self._read() as connection:
            if self._has_reference:
                for (player_id,) in connection.execute("SELECT player_id FROM reference.players"):
                    names.pop(player_id, None)
            for player_id, name in connection.execute("SELECT * FROM main.players"):
                if names.get(player_id) == name:
                    del names[player_id]
        return names
