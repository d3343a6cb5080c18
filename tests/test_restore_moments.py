"""Back to any moment of a season: what comes back is what the log says, read without the engine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from prediction_tracking import CATALOGUE_TABLES, REPLICATED_TABLES
from replica import BackupKey, Replica
from replica.backups import Source
from replica.envelope import Kind, unpack_entry
from replica.log import log_key
from replica.snapshot import read_metadata
from tests.season_of_entries import (
    DATA_TABLES,
    Digests,
    Season,
    SeasonReplay,
    digests_of,
)
from tests.simulation.replay import open_content

MOMENTS = 50
SEASONS = [
    pytest.param(60, id="a short season"),
    pytest.param(170, id="a whole season", marks=pytest.mark.soak),
]
ENGINE_TABLES = ("sync_conflicts", "replica_transactions")


@pytest.fixture(scope="module", params=SEASONS)
def season(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Season]:
    played = Season(tmp_path_factory.mktemp("season"), request.param)
    yield played
    played.close()


def held(replica: Replica, *tables: str) -> Digests:
    with replica.read() as connection:
        return digests_of(connection, tables)


def everything(replica: Replica) -> Digests:
    return held(replica, *REPLICATED_TABLES, *ENGINE_TABLES)


def draw(season: Season, replay: SeasonReplay, head: int) -> tuple[Source, int]:
    """A moment of some kind, and the sequence that it names."""
    random, store = season.random, season.store
    match random.choice(("sequence", "sequence", "time", "time", "backup")):
        case "sequence":
            sequence = random.randint(1, head)
            return sequence, sequence
        case "time":
            length = int((replay.times[head - 1] - replay.times[0]).total_seconds())
            moment = replay.times[0] + timedelta(seconds=random.randint(0, length))
            return moment, replay.sequence_at(moment)
        case _:
            key = random.choice(store.keys("backups/"))
            return BackupKey(key), read_metadata(store.objects[key].body, key).sequence


@pytest.mark.timeout(900)
def test_any_moment_of_a_season_comes_back_and_can_be_taken_back(season: Season) -> None:
    app, job, random = season.app, season.job, season.random
    head = season.store.numbers()[-1]
    with closing(SeasonReplay(season.store)) as looked_at:
        looked_at.play(keep=())
        moments = [draw(season, looked_at, head) for _ in range(MOMENTS)]
    counts: Counter[str] = Counter({"entries": head})
    with closing(SeasonReplay(season.store)) as replay:
        replay.play(keep=[head, *(sequence for _, sequence in moments)])
        for number, (source, sequence) in enumerate(moments):
            counts[type(source).__name__] += 1
            expected = replay.digests(sequence)
            catalogue = held(app, *CATALOGUE_TABLES, "sync_conflicts")
            if number % 5 == 0:
                assert app.plan_restore(source, tables=DATA_TABLES).sequence == sequence
            # Some lose the race for the next sequence, and are computed anew.
            if random.random() < 0.4:
                counts["lost races"] += 1
                season.write(job, replay.times[sequence - 1].date(), f"meanwhile {number}")
                be_first(season, job, random.random() < 0.5)
            before = app.status().sequence
            done = app.restore_to(source, tables=DATA_TABLES)
            assert held(app, *DATA_TABLES) == expected
            assert held(app, *CATALOGUE_TABLES, "sync_conflicts") == catalogue
            job.sync_now()
            assert everything(job) == everything(app)
            replay.play()
            if done is not None:
                counts["restores over another's entry"] += done > before + 1
                counts["restores"] += 1
                app.restore_to(done - 1, tables=DATA_TABLES)
                assert held(app, *DATA_TABLES) == replay.digests(done - 1)
                counts["undone"] += 1
            app.tick()
            counts["migrated"] += sequence < first_of_today(season)
        print(*(f"{counts[name]:6} {name}" for name in sorted(counts)), sep="\n")
    assert counts["lost races"] > 5
    assert counts["restores over another's entry"] > 5
    assert counts["migrated"] > 5
    assert min(counts["int"], counts["datetime"], counts["BackupKey"]) > 5
    newcomer = season.open("newcomer")
    assert everything(newcomer) == everything(app)


def first_of_today(season: Season) -> int:
    """The first sequence after the last migration."""
    numbers = season.store.numbers()
    return 1 + max(
        number
        for number in numbers
        if unpack_entry(season.store.entry(number), log_key(number)).kind is Kind.MIGRATION
    )


def be_first(season: Season, other: Replica, late: bool) -> None:
    """Have the other one publish just before the next claim, or before it is even prepared."""
    store = season.store

    def publish(verb: str, key: str) -> None:
        if verb == ("put" if late else "get") and key.startswith("log/"):
            store.before = lambda verb, key: None
            other.sync_now()

    store.before = publish


def test_backups_of_the_season_hold_what_the_log_says(season: Season) -> None:
    """Those that were made before a migration have the schema of before."""
    keys = [*season.store.keys("backups/"), *season.store.keys("snapshots/")]
    assert sum("before-migration" in key for key in keys) == 2
    found = {key: read_metadata(season.store.objects[key].body, key) for key in keys}
    assert len({metadata.schema_version for metadata in found.values()}) == 3
    with closing(SeasonReplay(season.store)) as replay:
        replay.play(keep=[metadata.sequence for metadata in found.values()])
        for key, metadata in found.items():
            with closing(open_content(season.store.objects[key].body, key)) as content:
                if metadata.schema_version == 5:
                    assert digests_of(content, DATA_TABLES) == replay.digests(metadata.sequence)


def test_log_of_the_season_is_of_every_kind(season: Season) -> None:
    """Otherwise the moments would say little."""
    with season.app.read() as connection:
        empty = [
            table
            for table in REPLICATED_TABLES
            if not connection.execute(f"SELECT 1 FROM {table}").fetchone()
        ]
    assert set(empty) <= {"scheduled_games", "imports", "quarantine", "restores"}
    assert Path(season.app.path).stat().st_size > 100_000
