"""The restores there were, in words for everybody: the record must not change unseen."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

import streamlit as st

from jobs.restoring import RestoreSource
from tracking.backup_catalogue import RestoreRecord
from ui.formats import moment

__all__ = ["restore_words", "show_restores"]

_DIGITS: Final = 20


def show_restores(restores: Sequence[RestoreRecord], zone: ZoneInfo) -> None:
    """A line for each restore, newest first; nothing where there was none."""
    if not restores:
        return
    st.header("Restores")
    st.caption(
        "The owner has set the saved data back to what it was at an earlier moment. The log keeps "
        "what was there before each of them, and times of saving are not changed by any."
    )
    st.markdown("\n".join(f"- {restore_words(record, zone)}" for record in restores))


def restore_words(record: RestoreRecord, zone: ZoneInfo) -> str:
    """One restore in a sentence or two, without a key."""
    at = moment(record.restored_at, zone)
    if record.sequence is None:
        return f"{at}: begun, back to {_target(record, zone)}; not known to have been finished."
    rows = (
        f"{record.rows_added:,} rows added, {record.rows_removed:,} removed, "
        f"{record.rows_changed:,} changed"
    )
    log = "" if record.is_of_this_log else " of an earlier log"
    return f"{at}: back to {_target(record, zone)}, as entry {record.sequence}{log}. {rows}."


def _target(record: RestoreRecord, zone: ZoneInfo) -> str:
    text = record.moment
    # What is no sequence of any log may have more digits than Python makes a number of.
    if text.isascii() and text.isdigit() and len(text) <= _DIGITS:
        is_undo = record.source == RestoreSource.UNDO.value
        undone = ", which undid an earlier restore" if is_undo else ""
        return f"entry {int(text)}{undone}"
    try:
        at = moment(datetime.fromisoformat(text).astimezone(zone), zone)
    except (ValueError, OverflowError):
        # Of another version: whatever it says, it may be no word for everybody.
        return "an earlier state"
    match record.source:
        case RestoreSource.BACKUP.value:
            return f"the backup of {at}"
        case RestoreSource.SNAPSHOT.value:
            return f"the snapshot of {at}"
        case _:
            return f"what it was on {at}"
