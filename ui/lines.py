"""A visitor's own lines: upload or paste, compare, and the record with its warning.

What is uploaded stays in the visitor's session: it is not stored, not logged, and in no bucket.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import pandas as pd
import streamlit as st
from streamlit.elements.lib.column_types import ColumnConfig
from streamlit.runtime.uploaded_file_manager import UploadedFile

from jobs.errors import EXPLAINED
from jobs.lines import lines_beside_the_model
from nba.lines import (
    EXAMPLE,
    MAX_EVENINGS,
    MAX_ROWS,
    WARNING,
    ForecastOrigin,
    JoinedLine,
    LinesReport,
)
from nba.lines.tables import (
    counts_line,
    line_table,
    lines_csv,
    record_notes,
    record_table,
    standing_line,
)
from ui.errors import error_words
from ui.formats import plain
from ui.frame import Frame

__all__ = ["show_lines", "show_lines_of"]

_ANSWER: Final = "lines_answer"
_TURN: Final = "lines_turn"
_PASTED: Final = "the pasted lines"
_ROWS_SHOWN: Final = 500
_LARGEST_MEGABYTES: Final = 10

_COLUMNS: Final = (
    ("date", "the US Eastern date of the game, such as 2026-11-20"),
    ("player", "his name, accents and case do not matter; player_id as well or instead"),
    ("market", "points, rebounds, assists, threes, minutes or PRA (points + rebounds + assists)"),
    ("line", "the number, usually with .5"),
    ("over_price, under_price", "optional: American odds such as -110 or +120"),
)
# What a visitor came for stands first: the rest is beyond the edge of a narrow screen.
_SHOWN: Final = {
    "player": "Player",
    "market": "Market",
    "line": "Line",
    "median": "Median",
    "over": "Over",
    "lean": "Leans to",
    "actual": "Actual",
    "result": "Its side",
    "date": "Date",
    "mean": "Mean",
    "push": "Push",
    "under": "Under",
    "no_vig_over": "Over by prices",
    "origin": "Origin",
}
_RECORD_FIRST: Final = ("Market", "n", "Note", "Won–lost–push", "Share won (95%)", "Origin")
_CHANCES: Final = {
    "over": "the model's chance of more than the line",
    "push": "the model's chance of just the line",
    "under": "the model's chance of less than the line",
    "no_vig_over": "the chance that both prices imply, without their margin",
}
_ORIGINS: Final = {
    ForecastOrigin.LIVE: "logged before the tip-off",
    ForecastOrigin.REPLAY: "computed now from what was known before that date",
    ForecastOrigin.TRAINING: "computed now, for a date that the model was trained on",
    ForecastOrigin.COMING: "computed now, for a game to come",
}


@dataclass(frozen=True, slots=True)
class _Answer:
    """What came of a comparison; kept for the session, because the page is drawn anew."""

    name: str
    report: LinesReport | None = None
    refusal: str = ""


def show_lines(frame: Frame) -> None:
    """Draw the page below its heading."""
    st.caption(
        "Compare lines that you have noted with the model: its mean, median and chance of over, "
        "the side that it leans to, and how that side has done. Your lines stay in this session: "
        "they are not stored, not logged and not sent on."
    )
    _show_format()
    # Fields with other keys are other fields: that empties them.
    turn = st.session_state.setdefault(_TURN, 0)
    with st.form("lines", border=True):
        upload = st.file_uploader(
            "CSV file",
            type=["csv", "txt"],
            max_upload_size=_LARGEST_MEGABYTES,
            key=f"lines_file_{turn}",
        )
        pasted = st.text_area(
            "Or paste the lines, with the header",
            height=120,
            placeholder=EXAMPLE,
            key=f"lines_text_{turn}",
        )
        pressed = st.form_submit_button("Compare", icon=":material/balance:")
    if pressed:
        st.session_state[_ANSWER] = _compare(frame, upload, pasted)
    answer: _Answer | None = st.session_state.get(_ANSWER)
    if answer is None:
        st.info(
            "No lines yet. Choose a CSV file or paste lines above, then press Compare; the example "
            "shows what they look like.",
            icon=":material/upload_file:",
        )
    elif answer.report is None:
        st.error(plain(answer.refusal))
    else:
        _show_report(answer.name, answer.report)


def show_lines_of(slate_date: date) -> None:
    """The lines of one date that were compared in this session; nothing without any."""
    answer: _Answer | None = st.session_state.get(_ANSWER)
    if answer is None or answer.report is None:
        return
    found = [one for one in answer.report.joined if one.line.game_date == slate_date]
    if not found:
        return
    st.header("Your lines")
    _show_line_table(found[:_ROWS_SHOWN])
    st.caption(f"Of this session only. {WARNING}")
    st.page_link("pages/lines.py", label="All your lines, as CSV too", icon=":material/balance:")


def _show_format() -> None:
    with st.expander("What the file looks like", icon=":material/table:"):
        # Unlike the other tables it is read, not searched: its words wrap on a phone.
        st.table(
            pd.DataFrame(_COLUMNS, columns=["Column", "What it holds"]).set_index("Column"),
            alt="The columns of the file",
        )
        st.caption(
            f"At most {MAX_ROWS:,} rows and {MAX_EVENINGS} dates at a time. Separated by comma, "
            "semicolon or tab; other columns are passed over. A file with an unreadable value is "
            "refused, and row and column are named."
        )
        st.code(EXAMPLE, language=None)
        st.download_button(
            "Download the example as CSV",
            EXAMPLE.encode(),
            file_name="lines-example.csv",
            mime="text/csv",
            icon=":material/download:",
            on_click="ignore",
        )


def _compare(frame: Frame, upload: UploadedFile | None, pasted: str) -> _Answer:
    if upload is not None and pasted.strip():
        return _Answer("", refusal="Take a file or pasted lines, not both: clear one of the two.")
    if upload is None and not pasted.strip():
        return _Answer("", refusal="Choose a file or paste lines first.")
    name = _PASTED if upload is None else upload.name
    # Half a character, which no file can hold, is refused where files are.
    content = pasted.encode("utf-8", "surrogatepass") if upload is None else upload.getvalue()
    bar = st.progress(0.0, text="Reading the lines")

    def progress(share: float, words: str) -> None:
        bar.progress(share, text=words)

    try:
        report = lines_beside_the_model(frame.application, content, name, progress)
    except EXPLAINED as error:
        return _Answer(name, refusal=error_words(frame.actor, error))
    finally:
        bar.empty()
    return _Answer(name, report)


def _show_report(name: str, report: LinesReport) -> None:
    st.header("Record")
    what = "The pasted lines" if name == _PASTED else name
    st.caption(plain(f"{what}: {counts_line(report)} {standing_line(report)}"))
    if report.records:
        table = record_table(report.records)
        others = [name for name in table if name not in _RECORD_FIRST]
        st.dataframe(
            table[[*_RECORD_FIRST, *others]],
            hide_index=True,
            width="stretch",
            height="content",
            column_config={"Market": st.column_config.TextColumn(pinned=True)},
            alt="Record of the compared lines by market and origin",
        )
        _offer("Download the record as CSV", table, "nba-daily-lines-record.csv")
    for note in record_notes(report.records):
        st.caption(plain(note))
    st.warning(WARNING, icon=":material/warning:")
    if report.joined:
        _show_joined(report)
    _show_problems(report)
    if st.button("Forget these lines", icon=":material/delete:"):
        del st.session_state[_ANSWER]
        st.session_state[_TURN] += 1
        st.rerun()


def _show_joined(report: LinesReport) -> None:
    st.header("Line by line")
    _show_line_table(report.joined[:_ROWS_SHOWN])
    if len(report.joined) > _ROWS_SHOWN:
        st.caption(f"The first {_ROWS_SHOWN:,} of {len(report.joined):,}; the CSV has all of them.")
    found = {one.origin for one in report.joined}
    words = [f"{origin.value}: {told}" for origin, told in _ORIGINS.items() if origin in found]
    if words:
        st.caption(plain(f"Origin. {'; '.join(words)}."))
    st.download_button(
        "Download the compared lines as CSV",
        lambda: lines_csv(report),
        file_name="nba-daily-lines.csv",
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
    )


def _show_line_table(joined: Sequence[JoinedLine]) -> None:
    table = line_table(joined)
    table[list(_CHANCES)] *= 100
    st.dataframe(
        table[list(_SHOWN)].rename(columns=_SHOWN),
        hide_index=True,
        width="stretch",
        placeholder="–",
        column_config=_column_config(),
        alt="Lines beside the model",
    )


def _show_problems(report: LinesReport) -> None:
    if report.left_out:
        st.header("Rows left out")
        rows = [(one.row, one.reason.value, one.detail) for one in report.left_out]
        table = pd.DataFrame(rows, columns=["Row", "Reason", "What was found"])
        st.dataframe(
            table, hide_index=True, width="stretch", alt="Rows of the file that were left out"
        )
        _offer("Download the rows left out as CSV", table, "nba-daily-lines-left-out.csv")
    if report.repeated:
        st.header("Repeated rows, counted once")
        again = [
            (one.row, one.first_row, "the first row's prices count" if one.other_prices else "")
            for one in report.repeated
        ]
        table = pd.DataFrame(again, columns=["Row", "Same as row", "Note"])
        st.dataframe(
            table, hide_index=True, width="stretch", alt="Rows of the file that say the same again"
        )
        _offer("Download the repeated rows as CSV", table, "nba-daily-lines-repeated.csv")


def _offer(label: str, table: pd.DataFrame, file_name: str) -> None:
    """A table is drawn on a canvas; as a file everybody can read it."""
    st.download_button(
        label,
        lambda: table.to_csv(index=False).encode(),
        file_name=file_name,
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
    )


def _column_config() -> dict[str, ColumnConfig]:
    columns: dict[str, ColumnConfig] = {
        "Player": st.column_config.TextColumn(pinned=True),
        "Line": st.column_config.NumberColumn(format="%g"),
        "Mean": st.column_config.NumberColumn(format="%.1f", help="the expected value"),
        "Median": st.column_config.NumberColumn(
            format="%.1f", help="as likely above as below; judged by the error"
        ),
        "Actual": st.column_config.NumberColumn(format="%d"),
        "Leans to": st.column_config.TextColumn(help="the side that the model thinks more likely"),
        "Its side": st.column_config.TextColumn(help="what became of the side it leans to"),
    }
    for name, words in _CHANCES.items():
        columns[_SHOWN[name]] = st.column_config.NumberColumn(format="%.0f%%", help=words)
    return columns
