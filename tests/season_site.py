"""Some days of January 2025 that the app does not know yet, played to it by a server of the NBA's.

The bundle ends with the evening before; a clock and the server move on together.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import apsw
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from jobs.application import Application
from jobs.configuration import Settings
from jobs.source_settings import SourceSettings
from nba.reference import Reference, build_reference
from nba.seasons import EASTERN
from nba.slate import SlateProjection
from nba.sources.stats import StatsSource
from prediction_tracking import MIGRATIONS, REPLICATED_TABLES
from replica import ObjectStore
from replica.log import log_sequence
from replica.stores.s3 import S3Options
from tests.applications import settings_for
from tests.nba_bundle import DATA
from tests.nba_responses import League
from tests.nba_server import NbaServer
from tests.stores import ManualClock, open_replica
from tracking.runs import CURRENT_RUNS

__all__ = [
    "FIRST_DAY",
    "LAST_DAY",
    "NEXT_DAY",
    "Bundle",
    "Evenings",
    "Rows",
    "at",
    "bundled",
    "by_anybody",
    "current_runs",
    "cut_bundle",
    "days_between",
    "entries",
    "figures_of",
    "give_up_early",
    "hurry",
    "league",
    "live_settings",
    "own_rows",
    "replicated_rows",
    "require_same_projection",
    "require_same_rows",
    "stored_rows",
    "tell_no_more",
    "wins_of",
]

FIRST_DAY = date(2025, 1, 15)
"""The first date of which the cut bundle knows nothing."""
LAST_DAY = date(2025, 1, 24)
"""The last of ten dates with games."""
NEXT_DAY = date(2025, 1, 25)
"""Projected from all ten, not played."""

SEASONS = ("2023-24", "2024-25")

Rows = dict[str, list[tuple[object, ...]]]


@dataclass(frozen=True, slots=True)
class Bundle:
    """A data folder, and the reference that was built from it."""

    data_folder: Path
    reference_path: Path


def cut_bundle(folder: Path, before: date = FIRST_DAY, *, scheduled: date | None = None) -> Bundle:
    """The bundled seasons since 2023-24 as they would have been published on a morning.

    Nothing of that date or later is in it, nor a player who came later or a roster; on the schedule
    stand the games of the date `scheduled`, without it none.
    """
    data = folder / "data"
    data.mkdir(parents=True)
    is_known = (pc.field("game_date") < before) & pc.field("season").isin(SEASONS)
    player_games = _copied(data, "player_games", is_known)
    seen = pc.unique(player_games["player_id"])
    _copied(data, "games", is_known)
    _copied(data, "teams")
    _copied(data, "player_absences", pc.scalar(False))
    _write_schedule(data / "schedule_cut.parquet", scheduled)
    players = pq.read_table(DATA / "players.parquet", filters=pc.field("player_id").isin(seen))
    listed = players.schema.get_field_index("roster_team_2026_08")
    nobody = pa.nulls(players.num_rows, players.schema.field(listed).type)
    players = players.set_column(listed, players.schema.field(listed), nobody)
    pq.write_table(players, data / "players.parquet")
    return Bundle(data, build_reference(data, folder / "reference.db"))


def _copied(folder: Path, name: str, chosen: pc.Expression | None = None) -> pa.Table:
    table = pq.read_table(DATA / f"{name}.parquet")
    if chosen is not None:
        table = table.filter(chosen)
    pq.write_table(table, folder / f"{name}.parquet")
    return table


def _write_schedule(path: Path, day: date | None) -> None:
    schema = pq.read_schema(DATA / "schedule_2026_27.parquet")
    games = pq.read_table(DATA / "games.parquet", filters=pc.field("game_date") == day)
    rows = [{name: row.get(name) for name in schema.names} for row in games.to_pylist()]
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), path)


def tell_no_more(grown: Bundle, cut: Bundle) -> Reference:
    """A reference of `grown` that knows nothing which live feeds cannot tell one of `cut`.

    They say of no game that its site is neutral, and of no new player what he plays.
    """
    connection = apsw.Connection(str(grown.reference_path))
    connection.execute("ATTACH ? AS cut", (str(cut.reference_path),))
    new = "NOT IN (SELECT {0} FROM cut.{1})"
    connection.execute(
        f"UPDATE games SET is_neutral = 0 WHERE game_id {new.format('game_id', 'games')}"
    )
    connection.execute("UPDATE schedule SET is_neutral = 0")
    connection.execute(
        f"UPDATE players SET position = NULL WHERE player_id {new.format('player_id', 'players')}"
    )
    connection.execute("DETACH cut")
    connection.close()
    return Reference(grown.reference_path)


def give_up_early(patch: pytest.MonkeyPatch) -> None:
    """Wait only a moment for a stats endpoint: one that hangs answers no sooner for being given
    twenty seconds."""
    patch.setattr(
        "nba.sources.opening.StatsSource",
        lambda clock, url, timeout_seconds: StatsSource(clock, url, 0.05),
    )


def bundled(name: str, since: date, until: date) -> pd.DataFrame:
    """The bundled rows of some dates, inclusive, read past all code of the app."""
    frame = pd.read_parquet(DATA / f"{name}.parquet")
    return frame[frame["game_date"].between(since, until)].reset_index(drop=True)


def league(since: date = FIRST_DAY, until: date = NEXT_DAY) -> League:
    """The season's games of these dates, inclusive."""
    return League.of_season("2024-25", since, until)


def at(day: date, hour: str) -> datetime:
    """The moment, in UTC, at which a clock in New York shows `hour` ("HH:MM") of a day."""
    return datetime.combine(day, time.fromisoformat(hour), EASTERN).astimezone(UTC)


def days_between(since: date, until: date) -> list[date]:
    """Every date from one to the other, both included."""
    return [since + timedelta(days=number) for number in range((until - since).days + 1)]


def hurry(patch: pytest.MonkeyPatch) -> None:
    """Ask without the polite pauses: the server of the tests is never offended."""
    for name in ("live", "stats"):
        patch.setattr(f"nba.sources.{name}._EVERY_SECONDS", 0.0)


class Evenings:
    """The clock of the app and that of the NBA's server, moved together."""

    def __init__(self, server: NbaServer, now: datetime) -> None:
        self.clock = ManualClock(now)
        self.server = server
        self.go_to(now)

    def go_to(self, moment: datetime) -> None:
        """It is that moment (UTC) everywhere."""
        self.clock.now = moment
        self.server.now = moment

    def tick(self, application: Application, saved: Callable[[Application], None]) -> None:
        """What the app's timer does, until everything of it is saved."""
        application.tick()
        saved(application)


def live_settings(
    folder: Path,
    bundle: Bundle,
    url: str | None,
    *,
    store: Path | S3Options | None = None,
    timeout_seconds: float = 10.0,
) -> Settings:
    """Settings of a process that asks the server at `url` (None: nobody) and keeps its state there.

    `store` None is the folder "store" beside the state folder.
    """
    names = () if url is None else ("live", "stats")
    return replace(
        settings_for(folder, bundle.reference_path, store),
        data_folder=bundle.data_folder,
        sources=SourceSettings(
            names=names, live_url=url, stats_url=url, timeout_seconds=timeout_seconds
        ),
    )


def entries(store: ObjectStore) -> list[int]:
    """The sequences in the log."""
    numbers = (log_sequence(info.key) for info in store.list("log/"))
    return sorted(number for number in numbers if number is not None)


def replicated_rows(connection: apsw.Connection) -> Rows:
    """Every row that all processes share, conflicts included."""
    return {
        table: sorted(connection.execute(f"SELECT * FROM {table}").fetchall(), key=repr)
        for table in (*REPLICATED_TABLES, "sync_conflicts")
    }


def by_anybody(rows: Rows) -> Rows:
    """The rows without what tells who logged a run and when: these are each process's own."""
    logged = sorted({row[:1] for row in rows["run_transactions"]}, key=repr)
    return rows | {"run_transactions": logged}


def own_rows(state: Path) -> Rows:
    """What a process that has ended has in its working copy."""
    [path] = state.rglob("nba_stats.db")
    with closing(apsw.Connection(str(path), apsw.SQLITE_OPEN_READONLY)) as connection:
        return replicated_rows(connection)


def stored_rows(store: ObjectStore) -> Rows:
    """What a machine with an empty disk finds in the store."""
    with tempfile.TemporaryDirectory() as folder:
        replica = open_replica(
            Path(folder) / "fresh.db", store, migrations=MIGRATIONS, tables=REPLICATED_TABLES
        )
        try:
            replica.restore()
            with replica.read() as connection:
                return replicated_rows(connection)
        finally:
            replica.close(0)


def require_same_rows(found: Rows, expected: Rows) -> None:
    """Table by table; a failure says where they differ."""
    for table, rows in expected.items():
        if found[table] == rows:
            continue
        missing = [row for row in rows if row not in found[table]]
        more = [row for row in found[table] if row not in rows]
        raise AssertionError(f"{table}: not {missing[:3]}, but {more[:3]}")


def current_runs(state: Path) -> list[tuple[str, str]]:
    """Slate and id of each current live run in the working copy of a process that has ended."""
    [path] = state.rglob("nba_stats.db")
    sql = f"""
    WITH {CURRENT_RUNS}
    SELECT slate_date, run_id FROM current_runs WHERE origin = 'live' ORDER BY slate_date
    """
    with closing(apsw.Connection(str(path), apsw.SQLITE_OPEN_READONLY)) as connection:
        return [(str(slate), str(run)) for slate, run in connection.execute(sql)]


def wins_of(projection: SlateProjection) -> dict[str, float]:
    """Each home team's chance."""
    return {one.game.game_id: one.home_win_probability for one in projection.games}


def figures_of(projection: SlateProjection) -> dict[tuple[str, int, str, str], float]:
    """Every number said of a player."""
    return {
        (one.game_id, one.player_id, stat, name): float(getattr(band, name))
        for one in projection.players
        for stat, band in one.bands.items()
        for name in ("mean", "median", "floor", "ceiling")
    }


def require_same_projection(found: SlateProjection, expected: SlateProjection) -> None:
    """The same games, players, words and figures."""

    def words(projection: SlateProjection) -> dict[tuple[str, int], tuple[object, ...]]:
        return {
            (one.game_id, one.player_id): (
                *(one.player_name, one.position, one.team_id, one.team, one.opponent, one.is_home),
                *(one.from_prior, one.games_of_history, one.last_game),
            )
            for one in projection.players
        }

    assert wins_of(found) == pytest.approx(wins_of(expected), abs=1e-9)
    assert words(found) == words(expected)
    assert figures_of(found) == pytest.approx(figures_of(expected), abs=1e-9)
    assert len(found.players) > 15 * len(found.games) > 0
