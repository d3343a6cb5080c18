"""Where a restore drill begins to play the log: at a copy that is proved or noted, or at #1."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.authority import OWNER
from jobs.drill import Drills
from jobs.drill_record import DrillResult
from replica import Replica
from replica.snapshot import read_metadata
from tests.drill_fixtures import drills_on, keep, know, packed_anew
from tests.stores import ManualClock, MemoryStore, corrupted, truncated

FORGE = "UPDATE players SET player_name = 'Somebody Else' WHERE player_id = 2"


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where temporary files go."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))


@pytest.fixture
def two(writer: Replica, store: MemoryStore, clock: ManualClock) -> tuple[str, str]:
    """Two backups, of #4 and of #6; #5 notes the first."""
    older = keep(writer, store, "daily")
    clock.advance(hours=1)
    know(writer, 4)
    return older, keep(writer, store, "manual")


@pytest.mark.parametrize("weekday", range(7))
def test_a_new_disk_begins_at_the_backup_before_but_on_mondays(
    writer: Replica, store: MemoryStore, tmp_path: Path, clock: ManualClock, weekday: int
) -> None:
    clock.advance(days=(weekday - clock().weekday()) % 7)
    keep(writer, store, "daily")
    clock.advance(hours=1)
    know(writer, 4)
    keep(writer, store, "manual")
    drills = drills_on(store, tmp_path / "wiped", clock)
    outcome = drills.run(OWNER)
    assert (outcome.result, outcome.sequence) == (DrillResult.GOOD, 6)
    assert outcome.played_from == (1 if weekday == 0 else 4)
    # What was not read for a week is read on any day.
    clock.advance(days=8 if weekday == 6 else 7)
    assert drills.run(OWNER).played_from == 1


@pytest.mark.parametrize("change", [corrupted, truncated, lambda body: b""])
def test_a_damaged_backup_before_is_no_place_to_begin(
    two: tuple[str, str], store: MemoryStore, drills: Drills, change: Callable[[bytes], bytes]
) -> None:
    store.damage(two[0], change)
    outcome = drills.run(OWNER)
    assert (outcome.result, outcome.played_from) == (DrillResult.GOOD, 1)


def test_a_place_to_begin_at_with_other_rows_condemns_no_backup(
    two: tuple[str, str], store: MemoryStore, drills: Drills, tmp_path: Path
) -> None:
    packed_anew(store, two[0], tmp_path / "content.db", FORGE)
    outcome = drills.run(OWNER)
    assert (outcome.result, outcome.played_from, outcome.rows) == (DrillResult.GOOD, 1, 5)


def test_a_backup_that_the_catalogue_does_not_note_is_no_place_to_begin(
    writer: Replica, store: MemoryStore, drills: Drills, clock: ManualClock
) -> None:
    writer.back_up("daily")
    clock.advance(hours=1)
    know(writer, 4)
    writer.back_up("manual")
    outcome = drills.run(OWNER)
    assert (outcome.result, outcome.played_from) == (DrillResult.GOOD, 1)


@pytest.mark.parametrize("notes_it", [False, True])
def test_two_forged_backups_do_not_prove_each_other(
    two: tuple[str, str], store: MemoryStore, drills: Drills, tmp_path: Path, notes_it: bool
) -> None:
    older, newest = two
    path = tmp_path / "content.db"
    packed_anew(store, older, path, FORGE)
    told = read_metadata(store.objects[older].body, older)
    # Whoever forges both can have the newer one note the hash of the older.
    note = f"; UPDATE s3_data_backups SET sha256 = '{told.sha256}' WHERE backup_key = '{older}'"
    packed_anew(store, newest, path, FORGE + (note if notes_it else ""))
    outcome = drills.run(OWNER)
    assert outcome.result is DrillResult.DAMAGED
    assert "rows are not the log's in players" in outcome.advice
    assert drills.record.last_good is None


def test_the_backup_before_may_be_pruned_meanwhile(
    two: tuple[str, str], store: MemoryStore, drills: Drills
) -> None:
    def prune(verb: str, key: str) -> None:
        if (verb, key) == ("get", two[0]):
            store.objects.pop(key, None)

    store.before = prune
    outcome = drills.run(OWNER)
    assert (outcome.result, outcome.played_from) == (DrillResult.GOOD, 1)
