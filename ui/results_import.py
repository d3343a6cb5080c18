"""The owner's import of results from a CSV file."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from jobs.errors import EXPLAINED
from prediction_tracking import MAX_ROWS, ResultsReport
from ui.csv_file import count, read_csv
from ui.formats import plain
from ui.frame import Frame

__all__ = ["show_results_import"]

EXAMPLE = (
    "game_date,player_name,points,rebounds,assists,threes,minutes\n"
    "2026-11-20,Shai Gilgeous-Alexander,31,5,6,2,35\n"
)


_ANSWER = "results_answer"


@dataclass(frozen=True, slots=True)
class _Answer:
    """What came of an import; kept for the session, because the page is drawn anew after it."""

    text: str
    recorded: bool = False


def show_results_import(frame: Frame) -> None:
    """Upload, check, record; nothing is recorded unless every row can be."""
    answer: _Answer | None = st.session_state.get(_ANSWER)
    with st.expander(
        "Import results from CSV", icon=":material/upload:", expanded=answer is not None
    ):
        if not frame.actor.is_owner:
            st.caption("Importing results is the owner's. Sign in under Owner in the sidebar.")
            return
        st.caption(
            "One row a player and game. Needed: game_date, player_id or player_name, points, "
            "rebounds, assists, threes; optional: minutes, game_id, team. All rows are taken or "
            "none."
        )
        st.code(EXAMPLE, language=None)
        with st.form("results", clear_on_submit=True, border=False):
            upload = st.file_uploader("CSV file", type="csv", max_upload_size=20)
            submitted = st.form_submit_button("Import")
        if submitted:
            # The figures above were drawn before the import.
            st.session_state[_ANSWER] = _import(frame, upload)
            st.rerun()
        if answer is not None:
            (st.success if answer.recorded else st.error)(plain(answer.text))


def _import(frame: Frame, upload: UploadedFile | None) -> _Answer:
    if upload is None:
        return _Answer("Choose a file first.")
    table = read_csv(upload.getvalue(), MAX_ROWS)
    if table is None:
        return _Answer(
            f"{upload.name} is not CSV text in UTF-8. Save it as CSV (UTF-8) and try again."
        )
    try:
        report = frame.application.import_results(frame.actor, table, upload.name)
    except EXPLAINED as error:
        return _Answer(str(error))
    return _Answer(f"{upload.name}: {_summary(report)}", recorded=True)


def _summary(report: ResultsReport) -> str:
    text = (
        f"{count(report.rows, 'row')} read: {report.recorded} recorded, "
        f"{report.corrected} corrected, {report.unchanged} known already."
    )
    if report.duplicates:
        text += f" Counted once: {count(report.duplicates, 'repeated row')}."
    if report.ignored_columns:
        text += f" Columns not used: {', '.join(report.ignored_columns)}."
    return text
