"""The database of an earlier app of this kind, taken over at the first start."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

from replica import ObjectExists, ObjectNotFound, ObjectStore, PutMode, StoredObject, Transaction
from tracking.errors import ExistingDatabaseDamaged, ImportRefused, NotAnExistingDatabase
from tracking.frames import moment_text
from tracking.legacy_database import Reading, read_database
from tracking.legacy_games import GameFinder, ResolvedRow
from tracking.legacy_rows import LegacyRow, SkipReason
from tracking.runs import TRACKING_NAMESPACE

__all__ = [
    "EXISTING_KEY",
    "ExistingDatabaseDamaged",
    "ImportRefused",
    "ImportReport",
    "NotAnExistingDatabase",
    "count_existing_predictions",
    "import_existing_database",
]

EXISTING_KEY: Final = "nba_stats.db"
"""Where earlier apps keep their database, below the same prefix."""

_EXAMPLES: Final = 5
_MODEL_UNKNOWN: Final = "imported"


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What was taken over from which object; everything else is in the copy.

    `skipped` counts rows by reason (see SkipReason) and `examples` has the first row numbers of
    each; `unknown_tables` has the row count of each table that was not read (None: unreadable).
    """

    source_key: str
    source_sha256: str
    source_modified_at: str
    copy_key: str
    rows_read: int = 0
    rows_imported: int = 0
    runs: int = 0
    actuals_imported: int = 0
    skipped: Mapping[str, int] = field(default_factory=dict)
    examples: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    unknown_tables: Mapping[str, int | None] = field(default_factory=dict)
    ignored_columns: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def to_json(self) -> str:
        """The report as it is kept in the table `imports`."""
        fields = {name: getattr(self, name) for name in self.__slots__}
        return json.dumps(fields, sort_keys=True, ensure_ascii=False)


def import_existing_database(
    store: ObjectStore,
    transaction: Transaction,
    temp_dir: Path,
    clock: Callable[[], datetime],
    *,
    reference_path: Path | None = None,
    key: str = EXISTING_KEY,
) -> ImportReport | None:
    """Take over the database under `key`, if there is one; meant for a replica's first start.

    The object is verified, copied byte for byte to `backups/<time it was stored>-imported.db` and
    otherwise left alone. Its `predictions` become one live run per game date whose time is not
    verified, so they never enter the track record. Ids follow from the content: two first starts
    at once import the same rows. `reference_path` helps to find games, players and box scores.

    Returns None when there is no such object, or it was imported before.

    Raises NotAnExistingDatabase or ExistingDatabaseDamaged (nothing is written), ImportRefused
    when there is no room to read it, nba.errors.ReferenceMissing when the reference is not built
    yet (games would get ids of their own for ever), and the store's own errors.
    """
    try:
        existing = store.get(key)
    except ObjectNotFound:
        return None
    sha256 = hashlib.sha256(existing.body).hexdigest()
    for _ in transaction.execute("SELECT 1 FROM imports WHERE source_sha256 = ?", (sha256,)):
        return None
    reading = read_database(existing.body, key, temp_dir)
    with GameFinder(reference_path) as finder:
        resolved = _resolve(reading, finder)
    copy_key = _copy(store, existing)
    runs = _write_runs(transaction, resolved, existing.info.modified_at)
    actuals = _write_actuals(transaction, resolved, reading, existing.info.modified_at)
    left_out = {reason.value: sorted(numbers) for reason, numbers in reading.skipped.items()}
    report = ImportReport(
        source_key=key,
        source_sha256=sha256,
        source_modified_at=moment_text(existing.info.modified_at),
        copy_key=copy_key,
        rows_read=reading.rows_read,
        rows_imported=len(resolved),
        runs=runs,
        actuals_imported=actuals,
        skipped={reason: len(numbers) for reason, numbers in left_out.items()},
        examples={reason: tuple(numbers[:_EXAMPLES]) for reason, numbers in left_out.items()},
        unknown_tables=reading.unknown_tables,
        ignored_columns=reading.ignored_columns,
        notes=tuple(reading.notes),
    )
    transaction.execute(
        "INSERT INTO imports (source_sha256, source_key, imported_at, rows, report)"
        " VALUES (?,?,?,?,?)",
        (sha256, key, moment_text(clock()), report.rows_imported, report.to_json()),
    )
    return report


def count_existing_predictions(
    store: ObjectStore, temp_dir: Path, key: str = EXISTING_KEY
) -> int | None:
    """How many predictions could be taken over from there; None if there is no such object.

    Raises NotAnExistingDatabase, ExistingDatabaseDamaged, ImportRefused, and the store's errors.
    """
    try:
        existing = store.get(key)
    except ObjectNotFound:
        return None
    return len(read_database(existing.body, key, temp_dir).rows)


def _copy(store: ObjectStore, existing: StoredObject) -> str:
    """Keep the exact bytes under a name that no later import changes."""
    stamp = existing.info.modified_at.astimezone(UTC).strftime("%Y-%m-%dT%H-%M-%SZ")
    sha256 = hashlib.sha256(existing.body).hexdigest()
    # The second name is for another database that was stored in the same second.
    for key in (f"backups/{stamp}-imported.db", f"backups/{stamp}-imported-{sha256[:12]}.db"):
        try:
            store.put(key, existing.body, PutMode.CREATE)
        except ObjectExists:
            if store.get(key).body != existing.body:
                continue
        return key
    raise ImportRefused(
        "copy of the existing database",
        key,
        "another object has the name of the copy; nothing was imported",
        "Move that object to another key and start again.",
    )


def _resolve(reading: Reading, finder: GameFinder) -> list[ResolvedRow]:
    """The rows to import, one per player and game, ordered by date, game and player."""
    kept: dict[tuple[date, str, int], ResolvedRow] = {}
    for row in reading.rows:
        found = finder.find(row)
        if isinstance(found, SkipReason):
            reading.skip(row.number, found)
            continue
        key = (row.game_date, found.game_id, found.player_id)
        earlier = kept.get(key)
        if earlier is not None:
            same = _forecast_of(earlier.row) == _forecast_of(row)
            reading.skip(earlier.row.number, SkipReason.REPEATED if same else SkipReason.REPLACED)
            if found.actual is None:
                found = found.with_actual(earlier.actual)
        kept[key] = found
        if row.bad_actual:
            reading.skip(row.number, SkipReason.BAD_ACTUAL)
    return [kept[key] for key in sorted(kept)]


def _forecast_of(row: LegacyRow) -> tuple[float, float | None, float | None]:
    return (row.projected, row.floor, row.ceiling)


def _write_runs(
    transaction: Transaction, resolved: Sequence[ResolvedRow], stored_at: datetime
) -> int:
    by_date: dict[date, list[ResolvedRow]] = {}
    for found in resolved:
        by_date.setdefault(found.row.game_date, []).append(found)
    names: dict[int, str] = {}
    for day, group in by_date.items():
        run_id = str(uuid.uuid5(TRACKING_NAMESPACE, f"imported run|{day.isoformat()}"))
        models = {found.row.model for found in group}
        made = [found.row.created_at for found in group if found.row.created_at is not None]
        logged_at = moment_text(max(made, default=stored_at))
        transaction.execute(
            "INSERT INTO runs (run_id, slate_date, model_version, origin, data_as_of, logged_at,"
            " transaction_id, time_verified, revision, source)"
            " VALUES (?,?,?,'live',NULL,?,'',0,0,'imported')",
            (
                run_id,
                day.isoformat(),
                (models.pop() if len(models) == 1 else "") or _MODEL_UNKNOWN,
                logged_at,
            ),
        )
        transaction.execute(
            "INSERT INTO run_transactions (run_id, transaction_id, logged_at) VALUES (?, ?, ?)",
            (run_id, transaction.id, logged_at),
        )
        games = {found.game_id: found.game for found in group}
        transaction.executemany(
            "INSERT INTO game_predictions (run_id, game_id, game_date, tipoff_utc, home_team_id,"
            " away_team_id, home_team, away_team, home_win_probability)"
            " VALUES (?,?,?,?,?,?,?,?,NULL)",
            [(run_id, game_id, day.isoformat(), *game) for game_id, game in games.items()],
        )
        transaction.executemany(
            "INSERT INTO predictions (run_id, game_id, player_id, stat, team_id, mean, floor,"
            " ceiling, from_prior) VALUES (?,?,?,'points',?,?,?,?,0)",
            [(run_id, f.game_id, f.player_id, f.team_id, *_forecast_of(f.row)) for f in group],
        )
        names.update({f.player_id: f.row.player_name for f in group if f.is_new_name})
    transaction.executemany(
        "INSERT INTO players (player_id, player_name) VALUES (?, ?)", sorted(names.items())
    )
    return len(by_date)


def _write_actuals(
    transaction: Transaction,
    resolved: Sequence[ResolvedRow],
    reading: Reading,
    stored_at: datetime,
) -> int:
    recorded_at = moment_text(stored_at)
    rows = []
    for found in resolved:
        if found.actual is None:
            continue
        if found.official_points is not None and found.official_points != found.actual:
            reading.skip(found.row.number, SkipReason.ACTUAL_DIFFERS)
            continue
        day = found.row.game_date.isoformat()
        rows.append((found.game_id, found.player_id, day, found.team_id, found.actual, recorded_at))
    transaction.executemany(
        "INSERT INTO player_games (game_id, player_id, game_date, team_id, points, source,"
        " recorded_at) VALUES (?,?,?,?,?,'imported',?)",
        rows,
    )
    return len(rows)
