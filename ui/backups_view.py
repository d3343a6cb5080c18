"""The backups: which there are and why they are kept, one more now, fewer, and one as a file."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import pandas as pd
import streamlit as st

from jobs.authority import sign_in_remedy
from jobs.backups import Backup, BackupKind, Listed
from jobs.configuration import Settings
from jobs.errors import EXPLAINED
from jobs.work_folders import work_folder
from replica import local_faults
from ui.answers import do_and_answer, show_answer
from ui.drill_view import show_drill
from ui.formats import kilobytes, moment, plain
from ui.frame import Frame
from ui.restore_view import show_restore

__all__ = ["show_backups"]

_ANSWER: Final = "backups_answer"
_FILE: Final = "backups_file"
"""The key of the backup that was unpacked and found whole."""

_KINDS: Final[Mapping[str, str]] = {
    BackupKind.MANUAL.value: "by hand",
    BackupKind.DAILY.value: "daily",
    BackupKind.BEFORE_MIGRATION.value: "before an update",
    BackupKind.BEFORE_RESTORE.value: "before a restore",
    BackupKind.BEFORE_IMPORT.value: "before an import",
    BackupKind.SET_ASIDE.value: "set aside",
    BackupKind.IMPORTED.value: "earlier app",
    BackupKind.OTHER.value: "other",
}


def show_backups(frame: Frame) -> None:
    """The whole page, for the owner; anybody else reads whose it is."""
    if not frame.actor.is_owner:
        st.info(
            f"This page is the owner's. {plain(sign_in_remedy(frame.application.settings.owner))}"
        )
        return
    if frame.application.predictions is None:
        st.info(
            "The history is not here yet: it is being restored, or the place where it is kept "
            "cannot be reached. The sidebar says which, and it is tried again by itself.",
            icon=":material/hourglass_top:",
        )
        return
    try:
        listed = frame.application.backup_jobs.listed(frame.actor)
    except EXPLAINED as error:
        st.error(plain(str(error)))
        return
    _show_list(frame, listed)
    show_restore(frame, [one.backup for one in listed])
    show_drill(frame)


def _show_list(frame: Frame, listed: Sequence[Listed]) -> None:
    st.caption(
        "A backup is a second copy of the whole history, of use without the log. "
        + _rules_words(frame.application.settings)
    )
    if st.button(
        "Back up now",
        icon=":material/backup:",
        help="Keep a copy of the whole history as it is now; it stays until you forget it.",
    ):
        do_and_answer(frame, _ANSWER, lambda: _back_up(frame))
    show_answer(_ANSWER)
    st.header("Kept copies")
    if not listed:
        st.caption("There is none yet. Back up now makes one.")
        return
    st.dataframe(
        _table(listed, frame.zone),
        alt="The backups, newest first: when and why they were made, and why they are kept",
        hide_index=True,
        width="stretch",
        column_config={"Made": st.column_config.TextColumn(pinned=True)},
    )
    _show_one(frame, [one.backup for one in listed])
    _show_tidying(frame, listed)


def _rules_words(settings: Settings) -> str:
    keep = settings.backups.keep
    daily = (
        "One is made by itself each day on which something was written."
        if settings.backups.daily
        else "None is made by itself each day: see [backups] in the settings."
    )
    return plain(
        f"{daily} Of those that the app makes by itself the last {keep.keep_last} are kept, and "
        f"the newest of {keep.keep_daily} days, {keep.keep_weekly} weeks and {keep.keep_monthly} "
        "months. The log itself is never shortened."
    )


def _table(listed: Sequence[Listed], zone: ZoneInfo) -> pd.DataFrame:
    backups = [one.backup for one in listed]
    return pd.DataFrame(
        {
            "Made": [moment(backup.made_at, zone) for backup in backups],
            "Why": [_kind(backup) for backup in backups],
            "Goes up to": [f"#{backup.sequence}" if backup.sequence else "–" for backup in backups],
            "Rows": [backup.row_count for backup in backups],
            "Size": [kilobytes(backup.size_bytes) for backup in backups],
            "Kept": [_kept(one) for one in listed],
            "Object": [backup.key for backup in backups],
        }
    )


def _kept(listed: Listed) -> str:
    if listed.backup.is_forgotten:
        return "forgotten: the next deletion takes it"
    return ", ".join(listed.reasons) or "not by the rules"


def _show_one(frame: Frame, backups: Sequence[Backup]) -> None:
    """A file of one backup, or the end of it."""
    st.subheader("One backup")
    names = {backup.key: _name(backup, frame.zone) for backup in backups}
    key = st.selectbox(
        "Backup", list(names), format_func=lambda key: names.get(key, key), key="backups_one"
    )
    chosen = next((backup for backup in backups if backup.key == key), backups[0])
    with st.container(horizontal=True):
        if st.button(
            "Prepare as a SQLite file",
            icon=":material/database:",
            help="Unpacks and checks it; then it can be downloaded and opened with any program.",
        ):
            do_and_answer(frame, _ANSWER, lambda: _prepare(frame, chosen))
        if not chosen.is_forgotten and st.button(
            "Forget this one",
            icon=":material/delete_sweep:",
            help="Marks it; it is deleted with the next deletion, and not before.",
        ):
            do_and_answer(frame, _ANSWER, lambda: _forget(frame, [chosen.key]))
    if st.session_state.get(_FILE) == chosen.key:
        st.download_button(
            "Download the SQLite file",
            # Made when it is asked for: what a session is given it keeps.
            lambda: _plain_file(frame, chosen),
            file_name=_file_name(chosen),
            mime="application/vnd.sqlite3",
            icon=":material/download:",
            on_click="ignore",
        )


def _show_tidying(frame: Frame, listed: Sequence[Listed]) -> None:
    """What the rules would forget, and the deletion of what is forgotten."""
    due = [one.backup for one in listed if not one.reasons and not one.backup.is_forgotten]
    forgotten = [one.backup for one in listed if one.backup.is_forgotten]
    if not due and not forgotten:
        return
    st.subheader("Fewer backups")
    if due:
        st.caption(f"The rules keep no longer: {plain(_names(due, frame.zone))}.")
        if st.button("Forget them", icon=":material/delete_sweep:"):
            do_and_answer(frame, _ANSWER, lambda: _forget(frame, []))
    if forgotten:
        size = kilobytes(sum(backup.size_bytes for backup in forgotten))
        st.caption(f"Forgotten: {plain(_names(forgotten, frame.zone))}; together {size}.")
        is_sure = st.checkbox(
            "Delete them from the store. This cannot be taken back here.", key="backups_sure"
        )
        if st.button(
            "Delete what is forgotten", icon=":material/delete_forever:", disabled=not is_sure
        ):
            do_and_answer(frame, _ANSWER, lambda: _prune(frame))


# What the buttons do ------------------------------------------------------------------------------


def _back_up(frame: Frame) -> str:
    made = frame.application.backup_jobs.make(frame.actor)
    return f"Backed up as {made.key}, {kilobytes(made.size_bytes)}; read back, and it is whole."


def _prepare(frame: Frame, backup: Backup) -> str:
    st.session_state.pop(_FILE, None)
    size_bytes = len(_plain_file(frame, backup))
    st.session_state[_FILE] = backup.key
    return f"{_name(backup, frame.zone)} is whole and ready below, {kilobytes(size_bytes)}."


def _plain_file(frame: Frame, backup: Backup) -> bytes:
    place = Path(tempfile.gettempdir())
    with local_faults("write to", place), work_folder(place) as folder:
        path = folder / "backup.db"
        frame.application.backup_jobs.download(frame.actor, backup.key, path)
        return path.read_bytes()


def _forget(frame: Frame, keys: Sequence[str]) -> str:
    done = frame.application.backup_jobs.forget(frame.actor, keys)
    if not done.forgotten:
        return "Nothing is forgotten: the rules keep every backup."
    return f"Forgotten: {_names(done.forgotten, frame.zone)}. Nothing is deleted yet."


def _prune(frame: Frame) -> str:
    st.session_state.pop("backups_sure", None)
    done = frame.application.backup_jobs.prune(frame.actor)
    deleted = f"{len(done.deleted)} deleted, {kilobytes(done.freed_bytes)} freed."
    rest = " ".join(done.problems) or "The others are there, and the newest is whole."
    return f"{deleted} {rest}"


# Words --------------------------------------------------------------------------------------------


def _kind(backup: Backup) -> str:
    return _KINDS.get(backup.kind.value, "other")


def _name(backup: Backup, zone: ZoneInfo) -> str:
    end = f", up to #{backup.sequence}" if backup.sequence else ""
    return f"{moment(backup.made_at, zone)}, {_kind(backup)}{end}"


def _names(backups: Sequence[Backup], zone: ZoneInfo) -> str:
    return "; ".join(_name(backup, zone) for backup in backups)


def _file_name(backup: Backup) -> str:
    return f"nba-daily-{backup.made_at:%Y-%m-%dT%H-%M-%SZ}.db"
