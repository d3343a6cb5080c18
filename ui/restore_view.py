"""Going back on screen: choose a moment, see the plan, confirm; and the way back from there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import pandas as pd
import streamlit as st

from jobs.backups import Backup, BackupKind
from jobs.errors import EXPLAINED
from jobs.restoring import (
    PlannedRestore,
    RestoreChoice,
    Snapshot,
    from_backup,
    from_sequence,
    from_snapshot,
    from_time,
    to_undo,
)
from replica import RestorePlan
from tracking.backup_catalogue import RestoreRecord
from ui.answers import do_and_answer, show_answer
from ui.formats import moment, plain
from ui.frame import Frame
from ui.restores_list import restore_words

__all__ = ["show_restore"]

SHOWN_ENTRIES: Final = 20

_ANSWER: Final = "restore_answer"
_PLAN: Final = "restore_plan"
_SNAPSHOTS: Final = "restore_snapshots"
_SURE: Final = "restore_sure"

_BACKUP, _SNAPSHOT, _ENTRY, _TIME = "A backup", "A snapshot", "An entry of the log", "A time"


def show_restore(frame: Frame, backups: Sequence[Backup]) -> None:
    """The choice and its plan, then the restores there were; `backups` newest first."""
    st.header("Restore")
    st.caption(
        "Sets the data back to what it was. That becomes a new entry of the log, which every copy "
        "of the app follows; nothing in the log is rewritten, so it can be undone. Backups and "
        "this list of restores stay as they are. The command line's restore writes an earlier "
        "state to a file instead and touches nothing."
    )
    show_answer(_ANSWER)
    planned: PlannedRestore | None = st.session_state.get(_PLAN)
    if planned is None:
        choose = _picker(frame, backups)
        if choose is not None and st.button("Show the plan", icon=":material/plagiarism:"):
            _plan(frame, choose)
    else:
        _show_plan(frame, planned)
    _show_done(frame)


# The choice ---------------------------------------------------------------------------------------


def _picker(frame: Frame, backups: Sequence[Backup]) -> Callable[[], RestoreChoice] | None:
    """What is chosen; None while there is nothing to choose."""
    kind = st.radio(
        "Go back to",
        (_BACKUP, _SNAPSHOT, _ENTRY, _TIME),
        horizontal=True,
        key="restore_kind",
        # Whoever looks at a plan and leaves it comes back to what was chosen.
        persist_state="page",
    )
    if kind == _BACKUP:
        return _pick_backup(frame.zone, backups)
    if kind == _SNAPSHOT:
        return _pick_snapshot(frame)
    return _pick_entry(frame) if kind == _ENTRY else _pick_time(frame)


def _pick_backup(zone: ZoneInfo, backups: Sequence[Backup]) -> Callable[[], RestoreChoice] | None:
    usable = {
        backup.key: backup for backup in backups if backup.kind.value != BackupKind.IMPORTED.value
    }
    if not usable:
        st.caption("There is no backup yet. A snapshot, an entry or a time will do as well.")
        return None

    def name(key: str) -> str:
        backup = usable.get(key)
        return key if backup is None else f"{moment(backup.made_at, zone)}, #{backup.sequence}"

    key = st.selectbox(
        "Backup to go back to",
        list(usable),
        format_func=name,
        key="restore_backup",
        persist_state="page",
    )
    return lambda: from_backup(usable[key])


def _pick_snapshot(frame: Frame) -> Callable[[], RestoreChoice] | None:
    found: list[Snapshot] | None = st.session_state.get(_SNAPSHOTS)
    if found is None:
        st.caption("The engine keeps a few copies of its own for quick starts.")
        if st.button("List the snapshots", icon=":material/list:"):
            do_and_answer(frame, _ANSWER, lambda: _list_snapshots(frame))
        return None
    if not found:
        st.caption("There is no snapshot.")
        return None

    def name(place: int) -> str:
        return f"{moment(found[place].made_at, frame.zone)}, up to #{found[place].sequence}"

    place = st.selectbox("Snapshot to go back to", range(len(found)), format_func=name)
    return lambda: from_snapshot(found[place])


def _list_snapshots(frame: Frame) -> str:
    found = frame.application.restoring.snapshots(frame.actor)
    st.session_state[_SNAPSHOTS] = found
    return f"{len(found)} snapshots found."


def _pick_entry(frame: Frame) -> Callable[[], RestoreChoice]:
    status = frame.application.saved_state().status
    newest = status.sequence if status is not None else 1
    number = st.number_input(
        "Entry to go back to",
        min_value=1,
        max_value=max(newest, 1),
        value=max(newest - 1, 1),
        step=1,
        help="The data is set to what it was right after this entry. Sync lists the newest ones.",
        key="restore_entry",
        persist_state="page",
        width=220,
    )
    return lambda: from_sequence(int(number))


def _pick_time(frame: Frame) -> Callable[[], RestoreChoice] | None:
    now = frame.application.clock().astimezone(frame.zone).replace(tzinfo=None, microsecond=0)
    local: datetime | None = st.datetime_input(
        f"Time to go back to ({frame.zone.key})",
        value=(now - timedelta(hours=1)).replace(second=0),
        max_value=now,
        step=timedelta(minutes=1),
        key="restore_time",
        persist_state="page",
        width=320,
        help="By the clock of the place where the log is kept.",
    )
    if local is None:
        return None
    return lambda: from_time(local.replace(tzinfo=frame.zone))


def _plan(frame: Frame, choose: Callable[[], RestoreChoice]) -> None:
    def make() -> str:
        planned = frame.application.restoring.plan(frame.actor, choose())
        if planned.plan.changes_nothing:
            return "The data is already what it was then: there is nothing to restore."
        st.session_state[_PLAN] = planned
        st.session_state.pop(_SURE, None)
        return "This is what the restore would do. Nothing is changed yet."

    do_and_answer(frame, _ANSWER, make)


# The plan -----------------------------------------------------------------------------------------


def _show_plan(frame: Frame, planned: PlannedRestore) -> None:
    plan = planned.plan
    st.subheader("The plan")
    is_told = plan.sequence is None or planned.choice.moment == str(plan.sequence)
    reached = "" if is_told else f", which is entry {plan.sequence} of the log"
    st.markdown(f"Back to {plain(_target(planned, frame.zone))}{reached}.")
    st.table(
        _changes(plan),
        border="horizontal",
        hide_index=True,
        alt="Rows that the restore adds, removes and changes in each table",
    )
    _show_undone(plan, frame.zone)
    is_sure = st.checkbox("I have seen what this undoes.", key=_SURE)
    with st.container(horizontal=True):
        if st.button(
            "Restore now",
            type="primary",
            icon=":material/settings_backup_restore:",
            disabled=not is_sure,
            help="A backup of what is there now is made first.",
        ):
            do_and_answer(frame, _ANSWER, lambda: _restore(frame, planned))
        if st.button("Leave everything as it is", icon=":material/close:"):
            _forget_plan()
            st.session_state.pop(_ANSWER, None)
            st.rerun()


def _changes(plan: RestorePlan) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "Table": [change.table.replace("_", " ") for change in plan.tables],
            "Rows added": [f"{change.rows_added:,}" for change in plan.tables],
            "Removed": [f"{change.rows_removed:,}" for change in plan.tables],
            "Changed": [f"{change.rows_changed:,}" for change in plan.tables],
        }
    )


def _show_undone(plan: RestorePlan, zone: ZoneInfo) -> None:
    if plan.sequence is None:
        st.caption(
            "The log does not hold what this copy was made of, so the writes that are undone "
            "cannot be named."
        )
        return
    if not plan.undone:
        return
    newest = plan.undone[: -SHOWN_ENTRIES - 1 : -1]
    count = len(plan.undone)
    entries = "1 later entry" if count == 1 else f"{count:,} later entries"
    shown = f" (the newest {len(newest)} are shown)" if len(newest) < count else ""
    st.markdown(f"It undoes what {entries} wrote{shown}:")
    st.table(
        pd.DataFrame(
            {
                "Entry": [f"#{entry.sequence}" for entry in newest],
                "Saved": [moment(entry.stored_at, zone) for entry in newest],
                "Writes": [len(entry.transactions) for entry in newest],
                "Writer": [entry.writer_id for entry in newest],
            }
        ),
        border="horizontal",
        hide_index=True,
        alt="Later entries of the log that the restore undoes",
    )


def _restore(frame: Frame, planned: PlannedRestore) -> str:
    _forget_plan()
    report = frame.application.restoring.restore(frame.actor, planned)
    record = report.record
    return (
        f"Restored, as entry {record.sequence}: {record.rows_added:,} rows added, "
        f"{record.rows_removed:,} removed, {record.rows_changed:,} changed. What was there before "
        f"is kept as {report.backup.key}, and Undo below brings it back."
    )


def _forget_plan() -> None:
    st.session_state.pop(_PLAN, None)
    st.session_state.pop(_SURE, None)
    # The newest may be others by now.
    st.session_state.pop(_SNAPSHOTS, None)


def _target(planned: PlannedRestore, zone: ZoneInfo) -> str:
    text = planned.choice.moment
    if text.isdigit():
        return f"entry {text}"
    return f"{moment(datetime.fromisoformat(text), zone)} ({planned.choice.source.value})"


# The restores there were --------------------------------------------------------------------------


def _show_done(frame: Frame) -> None:
    try:
        done = frame.application.restoring.done(frame.actor)
    except EXPLAINED as error:
        st.error(plain(str(error)))
        return
    if not done:
        return
    st.subheader("Restores so far")
    st.markdown("\n".join(f"- {plain(restore_words(record, frame.zone))}" for record in done))
    finished: RestoreRecord | None = next(
        (record for record in done if record.sequence is not None and record.is_of_this_log), None
    )
    if finished is not None and st.button(
        "Undo the newest restore",
        icon=":material/undo:",
        help="Shows the plan first, as any restore.",
    ):
        _plan(frame, lambda: to_undo(finished))
