"""What everybody reads of a restore: when, to what, how many rows, and never a key."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from tests.applications import AFTERNOON
from tracking.backup_catalogue import RestoreRecord
from ui.restores_list import restore_words


def test_a_restore_of_another_version_gives_no_key_away() -> None:
    record = RestoreRecord(
        "x", AFTERNOON, 9, "backup", "backups/2026-11-20T20-00-00Z-manual.db.zst", 1, 2, 3
    )
    zone = ZoneInfo("America/New_York")
    told = restore_words(record, zone)
    assert told.startswith("20 Nov 2026, 3:00 PM EST: back to an earlier state, as entry 9.")
    assert "backups/" not in told
    begun = replace(record, sequence=None, moment="7", source="undo")
    assert restore_words(begun, zone).endswith(
        "back to entry 7, which undid an earlier restore; not known to have been finished."
    )
    old = replace(record, moment="7", source="sequence", is_of_this_log=False)
    assert "back to entry 7, as entry 9 of an earlier log. 1 rows added" in restore_words(old, zone)
    later = replace(record, moment=(AFTERNOON + timedelta(hours=1)).isoformat(), source="time")
    assert "back to what it was on 20 Nov 2026, 4:00 PM EST, as" in restore_words(later, zone)


@pytest.mark.parametrize(
    "told", ["9" * 21, "9" * 5000, "0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59-12:00", ""]
)
def test_what_is_neither_an_entry_nor_a_time_shows_no_error(told: str) -> None:
    record = RestoreRecord("x", AFTERNOON, 9, "time", told, 1, 2, 3)
    words = restore_words(record, ZoneInfo("America/New_York"))
    assert words.startswith("20 Nov 2026, 3:00 PM EST: back to an earlier state, as entry 9.")
