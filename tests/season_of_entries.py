"""A season in the app's own tables, written by two processes, and its log read independently.

The season is small in rows and complete in kind: runs logged by one or by both, revisions, results
and corrections of them, players on new teams, notes about who is out, two migrations on the way,
backups, snapshots and, from the last migration on, rows in the catalogue. What the log comes to is
also worked out without the engine, from the bytes in the store.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from random import Random
from typing import Final

import apsw

from prediction_tracking import CATALOGUE_TABLES, MIGRATIONS, REPLICATED_TABLES
from replica import Replica, Transaction
from replica.envelope import Kind, unpack_entry
from replica.log import log_key
from tests.simulation.replay import open_content
from tests.stores import ManualClock, MemoryStore, open_replica

__all__ = ["DATA_TABLES", "Digests", "Season", "SeasonReplay", "digests_of"]

DATA_TABLES: Final = tuple(name for name in REPLICATED_TABLES if name not in CATALOGUE_TABLES)
"""What a restore changes."""

FIRST_DAY: Final = date(2026, 10, 20)
_FIRST_VERSION: Final = 3
_LINES: Final = ("points", "rebounds", "assists", "threes")

Digests = Mapping[str, str]
"""By table the hash of its rows, whatever their order."""


def digests_of(connection: apsw.Connection, tables: Sequence[str]) -> Digests:
    """What tables hold, for comparing."""
    return {table: _digest(connection, table) for table in tables}


class Season:
    """Two replicas on one store. `app` logs and makes the backups, `job` learns and logs too."""

    def __init__(self, folder: Path, evenings: int, seed: int = 1) -> None:
        self.random = Random(seed)
        self.clock = ManualClock(datetime.combine(FIRST_DAY, time(14), UTC))
        self.store = MemoryStore(self.clock)
        self._folder = folder
        self._version = _FIRST_VERSION
        self._opened = 0
        self._open: list[Replica] = []
        self.app, self.job = self.open("app"), self.open("job")
        deploys = {evenings // 3: len(MIGRATIONS) - 1, 2 * evenings // 3: len(MIGRATIONS)}
        for number in range(evenings):
            if number in deploys:
                self._deploy(deploys[number])
            self._evening(FIRST_DAY + timedelta(days=number), number)
        self.job.sync_now()
        self.app.sync_now()

    def open(self, name: str) -> Replica:
        """A replica of the program's current version; an empty disk for a name not used yet."""
        self._opened += 1
        tables = _tables_of(self._version)
        replica = open_replica(
            self._folder / f"{name}.db",
            self.store,
            migrations=MIGRATIONS[: self._version],
            tables=tables,
            clock=self.clock,
            random=Random(self._opened),
            fetch_workers=1,
            backs_up_before_migrating=True,
        )
        replica.restore()
        self._open.append(replica)
        return replica

    def close(self) -> None:
        for replica in self._open:
            replica.close(0)

    def write(self, replica: Replica, day: date, tag: str) -> None:
        """Some change or other, not yet published."""
        with replica.transaction() as transaction:
            _out(transaction, self.random, day, tag)
            if self.random.random() < 0.5:
                _correct(transaction, self.random, tag)

    def _deploy(self, version: int) -> None:
        self._version = version
        for replica in (self.app, self.job):
            replica.sync_now()
            replica.close(0)
        self.app, self.job = self.open("app"), self.open("job")

    def _evening(self, day: date, number: int) -> None:
        random, app, job = self.random, self.app, self.job
        self.clock.now = datetime.combine(day, time(14), UTC) + timedelta(
            seconds=random.randrange(600)
        )
        if number:
            with job.transaction() as transaction:
                _learn(transaction, random, day - timedelta(days=1))
            self._publish(job)
        if random.random() < 0.3:
            self.write(app, day, f"note {number}")
        both = random.random() < 0.4
        for replica in (app, job) if both else (random.choice((app, job)),):
            with replica.transaction() as transaction:
                _log(transaction, Random(number), day, "auto", median=self._version > 3)
        if random.random() < 0.3:
            with app.transaction() as transaction:
                _log(transaction, random, day, "revision", median=self._version > 3)
        for replica in random.sample((app, job), 2):
            self._publish(replica)
        if random.random() < 0.1:
            app.back_up("daily")
        if "s3_data_backups" in _tables_of(self._version) and random.random() < 0.3:
            with app.transaction() as transaction:
                _catalogue(transaction, random, day)
            self._publish(app)
        app.tick()

    def _publish(self, replica: Replica) -> None:
        self.clock.advance(seconds=self.random.randrange(40))
        replica.sync_now()


class SeasonReplay:
    """The log's content at each sequence, worked out without the engine.

    `keep` are the sequences to remember; what `play` adds later is remembered as well.
    """

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self._connection = apsw.Connection(":memory:")
        self._at = 0
        self._kept: dict[int, bytes] = {}
        self.times: list[datetime] = []
        """When each entry was stored, the first one's first."""

    def play(self, keep: Sequence[int] | None = None) -> None:
        """Go on to the end of the log; remember the content at `keep`, None for all of it."""
        while (key := log_key(self._at + 1)) in self._store.objects:
            stored = self._store.objects[key]
            entry = unpack_entry(stored.body, key)
            match entry.kind:
                case Kind.GENESIS:
                    self._take(str(entry.description["base"]))
                case Kind.MIGRATION:
                    _run(self._connection, str(entry.description["sql"]))
                    self._connection.pragma("user_version", entry.description["version"])
                case Kind.BASE:
                    base = str(entry.description["base"])
                    self._replace(base, list(map(str, entry.description["tables"])))
                case Kind.CHANGES:
                    for change in entry.changes:
                        apsw.Changeset.apply(change.changeset, self._connection)
            self._at += 1
            earlier = self.times[-1] if self.times else stored.info.modified_at
            self.times.append(max(earlier, stored.info.modified_at.replace(microsecond=0)))
            if keep is None or self._at in keep:
                self._kept[self._at] = self._connection.serialize("main")

    def sequence_at(self, moment: datetime) -> int:
        """The last entry stored not later than a time."""
        return sum(stored_at <= moment for stored_at in self.times)

    def digests(self, sequence: int) -> Digests:
        """The data at a sequence that was kept, with the schema of today."""
        with closing(apsw.Connection(":memory:")) as connection:
            connection.deserialize("main", self._kept[sequence])
            for migration in MIGRATIONS[int(connection.pragma("user_version")) :]:
                _run(connection, migration.sql)
            return digests_of(connection, DATA_TABLES)

    def close(self) -> None:
        self._connection.close()

    def _take(self, base: str) -> None:
        with closing(open_content(self._store.objects[base].body, base)) as content:
            self._connection.deserialize("main", content.serialize("main"))

    def _replace(self, base: str, tables: Sequence[str]) -> None:
        with closing(open_content(self._store.objects[base].body, base)) as content:
            for table in tables:
                rows = content.execute(f"SELECT * FROM {table}").fetchall()
                self._connection.execute(f"DELETE FROM {table}")
                for row in rows:
                    marks = ", ".join("?" * len(row))
                    self._connection.execute(f"INSERT INTO {table} VALUES ({marks})", row)


def _run(connection: apsw.Connection, sql: str) -> None:
    for _ in connection.execute(sql):
        pass


def _digest(connection: apsw.Connection, table: str) -> str:
    rows = sorted(map(repr, connection.execute(f"SELECT * FROM {table}")))
    return f"{len(rows)} rows, {hashlib.sha256(chr(10).join(rows).encode()).hexdigest()}"


def _tables_of(version: int) -> tuple[str, ...]:
    return REPLICATED_TABLES if version == len(MIGRATIONS) else DATA_TABLES


def _insert(transaction: Transaction, table: str, **values: object) -> None:
    names, marks = ", ".join(values), ", ".join("?" * len(values))
    sql = f"INSERT OR IGNORE INTO {table} ({names}) VALUES ({marks})"
    transaction.execute(sql, tuple(values.values()))  # type: ignore[arg-type]


def _games(day: date) -> Iterator[tuple[str, int, int]]:
    """Game, home and away of a date; the same for everybody."""
    teams = Random(day.toordinal()).sample(range(1, 31), 4)
    for number in range(2):
        yield f"00{day:%y%m%d}{number}", teams[2 * number], teams[2 * number + 1]


def _log(transaction: Transaction, random: Random, day: date, kind: str, *, median: bool) -> None:
    stamp = f"{day.isoformat()}T14:00:00Z"
    run_id = f"{day.isoformat()}-auto" if kind == "auto" else transaction.id
    _insert(
        transaction,
        "runs",
        run_id=run_id,
        slate_date=day.isoformat(),
        model_version="trees-1",
        origin="live",
        logged_at=stamp,
        transaction_id="",
        time_verified=1,
        revision=int(kind == "revision"),
        source="app",
    )
    _insert(
        transaction,
        "run_transactions",
        run_id=run_id,
        transaction_id=transaction.id,
        logged_at=stamp,
    )
    more: dict[str, object] = {"median": 11.5} if median else {}
    for game_id, home, away in _games(day):
        _insert(
            transaction,
            "game_predictions",
            run_id=run_id,
            game_id=game_id,
            game_date=day.isoformat(),
            home_team_id=home,
            away_team_id=away,
            home_win_probability=random.random(),
        )
        for player_id in (100 * home + 1, 100 * home + 2, 100 * away + 1):
            _insert(transaction, "players", player_id=player_id, player_name=f"P{player_id}")
            for stat in _LINES:
                _insert(
                    transaction,
                    "predictions",
                    run_id=run_id,
                    game_id=game_id,
                    player_id=player_id,
                    stat=stat,
                    team_id=player_id // 100,
                    mean=random.gauss(12, 4),
                    floor=5.0,
                    from_prior=0,
                    **more,
                )


def _learn(transaction: Transaction, random: Random, day: date) -> None:
    for game_id, home, away in _games(day):
        common = {"game_id": game_id, "game_date": day.isoformat()}
        _insert(
            transaction,
            "games",
            **common,
            home_team_id=home,
            away_team_id=away,
            source="box",
            home_points=random.randint(90, 130),
            away_points=random.randint(90, 130),
            recorded_at=day.isoformat(),
        )
        for player_id in (100 * home + 1, 100 * home + 2, 100 * away + 1):
            _insert(
                transaction,
                "player_games",
                **common,
                player_id=player_id,
                points=random.randrange(40),
                source="box",
                recorded_at=day.isoformat(),
            )
            if random.random() < 0.1:
                _insert(
                    transaction,
                    "rosters",
                    player_id=player_id,
                    known_on=day.isoformat(),
                    team_id=random.randrange(30),
                    position="G",
                )


def _out(transaction: Transaction, random: Random, day: date, tag: str) -> None:
    player_id = 100 * random.randrange(1, 31) + 1
    transaction.execute(
        "INSERT OR REPLACE INTO availability VALUES (?, ?, 'out', NULL, ?)",
        (player_id, day.isoformat(), tag),
    )
    if random.random() < 0.3:
        transaction.execute("DELETE FROM availability WHERE player_id < ?", (player_id // 2,))


def _correct(transaction: Transaction, random: Random, tag: str) -> None:
    """A box score is corrected: one row changes, another says so."""
    rows = transaction.execute("SELECT game_id, player_id, points FROM player_games").fetchall()
    if not rows:
        return
    game_id, player_id, points = random.choice(rows)
    new = random.randrange(60)
    transaction.execute(
        "UPDATE player_games SET points = ? WHERE game_id = ? AND player_id = ?",
        (new, game_id, player_id),
    )
    _insert(
        transaction,
        "result_corrections",
        correction_id=transaction.id,
        game_id=game_id,
        player_id=player_id,
        stat="points",
        old_value=points,
        new_value=new,
        corrected_at=tag,
    )


def _catalogue(transaction: Transaction, random: Random, day: date) -> None:
    _insert(
        transaction,
        "s3_data_backups",
        backup_key=f"backups/{transaction.id}",
        kind="daily",
        made_at=str(day),
        sequence=2,
        log_id="0",
        size_bytes=random.randrange(10**6),
        row_count=7,
        sha256="0",
        compression="zstd",
        kept_by="schedule",
    )
    _insert(
        transaction,
        "s3_exports",
        export_id=transaction.id,
        view="slate",
        title="A slate",
        format="csv",
        file_name="slate.csv",
        place="0",
        made_at=str(day),
        expires_at=str(day),
        file_count=1,
        row_count=7,
        size_bytes=70,
    )
    _insert(
        transaction,
        "s3_image_cache",
        image_id=transaction.id,
        sha256="0",
        media_type="image/webp",
        size_bytes=7,
        width_pixels=1,
        height_pixels=1,
        fetched_at=str(day),
    )
    for table in ("image_days", "usage_days"):
        _insert(transaction, table, day=str(day), writer_id="app", figures="{}")
