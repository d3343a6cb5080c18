"""What was not believed, and what was corrected later, for the owner."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from zoneinfo import ZoneInfo

import pandas as pd
import streamlit as st

from prediction_tracking import PredictionLog

__all__ = ["show_corrections", "show_quarantine"]

_SHOWN_ROWS: Final = 200
_QUARANTINE: Final = {
    "known_on": "Since",
    "reason": "What is wrong",
    "source": "Source",
    "endpoint": "Response",
    "parameters": "Asked for",
    "place": "Place",
    "game_id": "Game",
    "game_date": "Date",
    "sha256": "SHA-256",
}
_DATES: Final = ("known_on", "game_date")
_CORRECTIONS: Final = {
    "game_date": "Date",
    "player_name": "Player",
    "stat": "Stat",
    "old_value": "Was",
    "new_value": "Is",
    "corrected_at": "Corrected",
    "game_id": "Game",
}


def show_quarantine(log: PredictionLog) -> bool:
    """Responses, or parts of them, that made no sense; False if there is none."""
    found = log.quarantine(_SHOWN_ROWS)
    if found.empty:
        return False
    with st.expander(f"Quarantine: {_number(found)}", icon=":material/report:"):
        st.caption(
            "Parts of responses that made no sense, newest first. They are kept as they came, and "
            "what follows from them is left out until a later response puts it right."
        )
        _show(found, _QUARANTINE, "Quarantine", "nba-daily-quarantine.csv")
    return True


def show_corrections(log: PredictionLog, zone: ZoneInfo) -> bool:
    """Results that changed after they were known; False if none did."""
    found = log.result_corrections(_SHOWN_ROWS)
    if found.empty:
        return False
    with st.expander(f"Corrected results: {_number(found)}", icon=":material/edit_note:"):
        st.caption(
            "Values that the league, or an import, changed afterwards, newest first. Every figure "
            "follows the new value; the old one is kept here."
        )
        found = found.assign(corrected_at=found["corrected_at"].dt.tz_convert(zone))
        _show(found, _CORRECTIONS, "Corrected results", "nba-daily-corrections.csv")
    return True


def _number(found: pd.DataFrame) -> str:
    return f"the newest {_SHOWN_ROWS}" if len(found) == _SHOWN_ROWS else f"{len(found):,}"


def _show(found: pd.DataFrame, labels: Mapping[str, str], title: str, file_name: str) -> None:
    st.dataframe(
        found,
        alt=title,
        hide_index=True,
        width="stretch",
        placeholder="–",
        column_order=list(labels),
        column_config={
            name: st.column_config.DateColumn(label, format="YYYY-MM-DD")
            if name in _DATES
            else label
            for name, label in labels.items()
        },
    )
    st.download_button(
        "Download as CSV",
        found.to_csv(index=False).encode(),
        file_name,
        "text/csv",
        icon=":material/download:",
        on_click="ignore",
        key=file_name,
    )
