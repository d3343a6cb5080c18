"""The owner's list of who is out as a CSV file: a template to download, and the upload."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pandas as pd
import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from jobs.errors import EXPLAINED
from ui.csv_file import count, read_csv
from ui.frame import Frame

__all__ = ["FILE_COLUMNS", "Upload", "show_upload"]

MOST_ROWS: Final = 2000
FILE_COLUMNS: Final = ("player_id", "player_name", "team", "status", "from", "until", "note")


@dataclass(frozen=True, slots=True)
class Upload:
    """What came of a file."""

    text: str
    saved: bool = False


def show_upload(frame: Frame, template: pd.DataFrame) -> Upload | None:
    """Draw the upload, with `template` to start from; what came of it, None if nothing did."""
    st.caption(
        "Or as a CSV file. Needed: player_id or player_name, and status (out, doubtful, "
        "questionable, available); optional: team, from, until, note. All rows are taken or none."
    )
    with st.form("availability-file", clear_on_submit=True, border=False):
        upload = st.file_uploader("CSV file", type="csv", max_upload_size=5)
        pressed = st.form_submit_button("Save the file's list", icon=":material/save:")
    st.download_button(
        "Template for this slate",
        template.to_csv(index=False).encode(),
        file_name="who-is-out.csv",
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
    )
    return _take(frame, upload) if pressed else None


def _take(frame: Frame, upload: UploadedFile | None) -> Upload:
    if upload is None:
        return Upload("Choose a file first.")
    table = read_csv(upload.getvalue(), MOST_ROWS)
    if table is None:
        return Upload(
            f"{upload.name} is not CSV text in UTF-8. Save it as CSV (UTF-8) and try again."
        )
    if len(table) > MOST_ROWS:
        return Upload(
            f"{upload.name} has more than {MOST_ROWS:,} rows, which is more than all players of "
            "the league. Nothing was saved. Take only the rows of who is out."
        )
    before = _tonights_run(frame)
    try:
        players = frame.application.import_availability(frame.actor, table)
    except EXPLAINED as error:
        return Upload(str(error))
    follows = "The projections follow"
    if _tonights_run(frame) != before:
        follows += ", and a revision was logged"
    return Upload(f"{upload.name}: {count(players, 'player')} read. {follows}.", saved=True)


def _tonights_run(frame: Frame) -> str | None:
    """The id of tonight's newest run, if there is one."""
    log, tonight = frame.application.predictions, frame.application.tonights_date()
    run = None if log is None or tonight is None else log.current_run(tonight)
    return None if run is None else run.run_id
