"""The restore drill: what the newest backup gives back is compared with the log, row by row."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from jobs.authority import OWNER
from jobs.drill import Drills, DrillStopped
from jobs.drill_record import DrillResult
from prediction_tracking import MIGRATIONS, REPLICATED_TABLES
from replica import Replica, StoreUnreachable
from replica.log import log_key
from tests.drill_fixtures import know, packed_anew
from tests.replica_fixtures import Opener
from tests.stores import ManualClock, MemoryStore, corrupted, truncated

DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files go; a drill leaves nothing there."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def read_entries(store: MemoryStore) -> set[str]:
    """The log entries that were asked for since the requests were cleared."""
    return {key for verb, key in store.requests if verb == "get" and key.startswith("log/")}


# What a drill finds -------------------------------------------------------------------------------


def test_a_backup_that_comes_back_as_it_was_logged(
    writer: Replica, store: MemoryStore, drills: Drills, clock: ManualClock, temporary: Path
) -> None:
    key = writer.back_up("manual").key
    before = dict(store.objects)
    store.requests.clear()
    outcome = drills.run(OWNER)
    assert (outcome.result, outcome.is_good) == (DrillResult.GOOD, True)
    assert (outcome.backup_key, outcome.sequence, outcome.played_from) == (key, 4, 1)
    assert outcome.finished_at == clock()
    # Three players; the catalogue is empty, and nothing gave way.
    assert (outcome.rows, outcome.tables) == (3, len(REPLICATED_TABLES) + 1)
    assert len(outcome.sha256) == 64
    assert (outcome.advice, outcome.problem) == ("", "")
    assert store.objects == before
    assert {verb for verb, _ in store.requests} == {"get", "list"}
    assert read_entries(store) == {log_key(number) for number in (1, 2, 3, 4)}
    assert not [key for _, key in store.requests if key.startswith("snapshots/")]
    assert drills.record.last == drills.record.last_good == outcome
    assert not list(temporary.iterdir())


def test_the_next_drill_goes_on_from_what_was_proved(
    writer: Replica, store: MemoryStore, drills: Drills, clock: ManualClock
) -> None:
    writer.back_up("manual")
    first = drills.run(OWNER)
    clock.advance(days=1)
    know(writer, 4)
    know(writer, 5)
    writer.back_up("daily")
    store.requests.clear()
    second = drills.run(OWNER)
    assert (second.result, second.sequence, second.played_from) == (DrillResult.GOOD, 6, 4)
    # The first entry names the log, and the fourth must still be what the copy was made of.
    assert read_entries(store) == {log_key(number) for number in (1, 4, 5, 6)}
    assert (first.rows, second.rows) == (3, 5)
    assert first.sha256 != second.sha256


def test_once_a_week_the_whole_log_is_played(
    writer: Replica, store: MemoryStore, drills: Drills, clock: ManualClock
) -> None:
    writer.back_up("manual")
    assert [drills.run(OWNER).played_from for _ in range(2)] == [1, 4]
    clock.advance(days=6, hours=23)
    assert drills.run(OWNER).played_from == 4
    clock.advance(hours=1)
    assert drills.run(OWNER).played_from == 1
    assert drills.run(OWNER).played_from == 4
    # What lies there untouched is damaged: only reading the whole log shows it.
    store.damage(log_key(2), corrupted)
    assert drills.run(OWNER).is_good
    clock.advance(days=7)
    assert drills.run(OWNER).result is DrillResult.DAMAGED


@pytest.mark.parametrize("change", [corrupted, truncated, lambda body: b"something else"])
def test_a_damaged_copy_of_the_last_time_is_passed_over(
    writer: Replica,
    drills: Drills,
    tmp_path: Path,
    change: Callable[[bytes], bytes],
) -> None:
    writer.back_up("manual")
    drills.run(OWNER)
    proven = tmp_path / "drill" / "proven.db.zst"
    proven.write_bytes(change(proven.read_bytes()))
    outcome = drills.run(OWNER)
    assert (outcome.result, outcome.played_from) == (DrillResult.GOOD, 1)
    assert drills.run(OWNER).played_from == 4


def test_the_copy_of_the_last_time_is_of_no_use_for_another_log(
    writer: Replica, store: MemoryStore, drills: Drills, opened: Opener
) -> None:
    writer.back_up("manual")
    drills.run(OWNER)
    for key in list(store.objects):
        del store.objects[key]
    other = opened("other", migrations=MIGRATIONS, tables=REPLICATED_TABLES)
    for number in (1, 2, 3, 4):
        know(other, number)
    other.back_up("manual")
    outcome = drills.run(OWNER)
    assert (outcome.result, outcome.sequence, outcome.played_from) == (DrillResult.GOOD, 5, 1)


def test_the_newest_backup_counts_and_what_was_set_aside_does_not(
    writer: Replica, store: MemoryStore, drills: Drills, clock: ManualClock
) -> None:
    writer.back_up("daily")
    clock.advance(hours=1)
    newest = writer.back_up("manual").key
    clock.advance(hours=1)
    with writer.transaction() as transaction:
        transaction.execute("INSERT INTO players VALUES (9, 'Never Logged')")
    writer.take_over_from_store()
    assert "set-aside" in store.keys("backups/")[-1]
    outcome = drills.run(OWNER)
    assert (outcome.result, outcome.backup_key) == (DrillResult.GOOD, newest)


def test_without_a_backup_there_is_nothing_to_restore(writer: Replica, drills: Drills) -> None:
    outcome = drills.run(OWNER)
    assert outcome.result is DrillResult.NO_BACKUP
    assert outcome.advice == (
        "There is no backup yet. Make one with Back up now, or switch the daily ones on."
    )
    assert drills.record.last_good is None


@pytest.mark.parametrize("change", [corrupted, truncated, lambda body: b"", lambda body: b"PK\x03"])
def test_a_backup_that_is_damaged(
    writer: Replica, store: MemoryStore, drills: Drills, change: Callable[[bytes], bytes]
) -> None:
    good = writer.back_up("manual").key
    assert drills.run(OWNER).is_good
    store.damage(good, change)
    outcome = drills.run(OWNER)
    assert (outcome.result, outcome.backup_key) == (DrillResult.DAMAGED, good)
    assert good in outcome.problem
    assert outcome.advice
    assert good not in outcome.advice
    assert drills.record.last == outcome
    assert drills.record.last_good is not None


def test_a_backup_that_was_damaged_only_on_its_way(
    writer: Replica, store: MemoryStore, drills: Drills
) -> None:
    writer.back_up("manual")
    store.fail("get", "backups/", change=corrupted)
    assert drills.run(OWNER).is_good


@pytest.mark.parametrize(
    ("statement", "table"),
    [
        ("DELETE FROM players WHERE player_id = 2", "players"),
        ("UPDATE players SET player_name = 'Somebody Else' WHERE player_id = 2", "players"),
        (
            "INSERT INTO games VALUES ('0022600001', '2026-11-19', 1, 2, 99, 98, 'x', 'y')",
            "games",
        ),
    ],
)
def test_a_sound_backup_with_other_rows(
    writer: Replica, store: MemoryStore, drills: Drills, tmp_path: Path, statement: str, table: str
) -> None:
    key = writer.back_up("manual").key
    packed_anew(store, key, tmp_path / "content.db", statement)
    outcome = drills.run(OWNER)
    assert outcome.result is DrillResult.DAMAGED
    assert f"rows are not the log's in {table}." in outcome.advice
    assert key in outcome.problem
    assert "Back up now" in outcome.advice


def test_a_backup_of_another_history(
    writer: Replica, store: MemoryStore, drills: Drills, opened: Opener
) -> None:
    body = store.objects[writer.back_up("manual").key].body
    for key in list(store.objects):
        del store.objects[key]
    other = opened("other", migrations=MIGRATIONS, tables=REPLICATED_TABLES)
    for number in (1, 2, 3):
        know(other, number)
    store.damage(other.back_up("manual").key, lambda _: body)
    outcome = drills.run(OWNER)
    assert outcome.result is DrillResult.DAMAGED
    assert "is of another history than the log" in outcome.advice
    assert "Back up now" in outcome.advice


def test_a_backup_dated_in_the_future_does_not_hide_the_others(
    writer: Replica, store: MemoryStore, drills: Drills
) -> None:
    newest = writer.back_up("manual").key
    ahead = newest.replace(newest.split("/")[1][:4], "2099")
    store.objects[ahead] = store.objects[newest]
    assert store.keys("backups/")[-1] == ahead
    outcome = drills.run(OWNER)
    assert (outcome.result, outcome.backup_key) == (DrillResult.GOOD, newest)


def test_a_backup_beyond_the_end_of_the_log(
    writer: Replica, store: MemoryStore, drills: Drills
) -> None:
    writer.back_up("manual")
    del store.objects[log_key(4)]
    outcome = drills.run(OWNER)
    assert outcome.result is DrillResult.DAMAGED
    assert "does not reach" in outcome.advice


@pytest.mark.parametrize("number", [1, 3])
def test_a_log_that_is_damaged(
    writer: Replica, store: MemoryStore, drills: Drills, number: int
) -> None:
    writer.back_up("manual")
    store.damage(log_key(number), corrupted)
    outcome = drills.run(OWNER)
    assert outcome.result is DrillResult.DAMAGED
    assert "doctor --repair" in outcome.advice
    assert log_key(number) in outcome.problem


def test_a_store_that_is_away_says_nothing_about_the_backup(
    writer: Replica, store: MemoryStore, drills: Drills
) -> None:
    writer.back_up("manual")
    assert drills.run(OWNER).is_good
    store.away = True
    outcome = drills.run(OWNER)
    assert outcome.result is DrillResult.NOT_DONE
    assert StoreUnreachable.standard_remedy in outcome.advice
    assert drills.record.last_good is not None
    store.away = False
    store.fail("get", "backups/", error=StoreUnreachable("get", "backups/…"))
    assert drills.run(OWNER).result is DrillResult.NOT_DONE
    assert drills.run(OWNER).is_good


def test_a_full_disk_says_so_and_leaves_nothing(
    writer: Replica,
    store: MemoryStore,
    drills: Drills,
    temporary: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    writer.back_up("manual")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    before = dict(store.objects)
    with monkeypatch.context() as patch:
        patch.setattr(tempfile, "mkstemp", full)
        outcome = drills.run(OWNER)
    assert outcome.result is DrillResult.NOT_DONE
    assert "Free some space" in outcome.advice
    assert "/" not in outcome.advice
    assert store.objects == before
    assert not list(temporary.iterdir())


def test_a_backup_of_a_newer_version_asks_for_an_update(
    writer: Replica, store: MemoryStore, drills: Drills, tmp_path: Path
) -> None:
    key = writer.back_up("manual").key
    newer = len(MIGRATIONS) + 1
    packed_anew(
        store, key, tmp_path / "content.db", f"PRAGMA user_version = {newer}", schema_version=newer
    )
    outcome = drills.run(OWNER)
    assert outcome.result is DrillResult.NOT_DONE
    assert "Update the application" in outcome.advice


def test_an_old_backup_is_compared_with_the_schema_of_its_time(
    opened: Opener, store: MemoryStore, drills: Drills
) -> None:
    tables = ("players", "runs")
    replica = opened("old", migrations=MIGRATIONS[:2], tables=tables)
    know(replica, 1)
    replica.back_up("manual")
    replica.close(0)
    newer = opened("new", migrations=MIGRATIONS, tables=REPLICATED_TABLES)
    know(newer, 2)
    outcome = drills.run(OWNER)
    assert (outcome.result, outcome.sequence, outcome.rows) == (DrillResult.GOOD, 2, 1)
    assert outcome.tables < len(REPLICATED_TABLES)


def test_a_drill_ends_when_the_app_does(
    writer: Replica, store: MemoryStore, drills: Drills
) -> None:
    writer.back_up("manual")

    def stop(verb: str, key: str) -> None:
        if key == log_key(2):
            drills.stop()

    store.before = stop
    with pytest.raises(DrillStopped):
        drills.run(OWNER)
    assert drills.record.last is None
    assert log_key(4) not in read_entries(store)
    assert drills.progress is None
    with pytest.raises(DrillStopped):
        drills.run(OWNER)
