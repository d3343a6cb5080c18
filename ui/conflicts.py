"""Values that gave way to another writer's, for the owner."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import streamlit as st

from ui.connection import ReplicaConnection

__all__ = ["show_conflicts"]

_RESOLUTIONS = {
    "overwritten": "A later value stands",
    "deleted": "The row was deleted",
    "set_aside": "The change could not be applied",
}


def show_conflicts(zone: ZoneInfo) -> bool:
    """A table of what was overwritten, deleted or set aside; False and nothing if nothing was."""
    found = st.connection("nba_state", type=ReplicaConnection).predictions().conflicts()
    if found.empty:
        return False
    with st.expander(
        f"Values replaced by another writer's: {len(found):,}", icon=":material/call_merge:"
    ):
        st.caption(
            "Two copies of the app changed the same row. What stands now and what gave way, newest "
            "first; nothing was dropped without a line here."
        )
        shown = found.assign(
            stored_at=found["stored_at"].dt.tz_convert(zone),
            resolution=found["resolution"].map(_RESOLUTIONS),
        )
        st.dataframe(
            shown,
            alt="Values replaced by another writer's",
            hide_index=True,
            width="stretch",
            column_config={
                "stored_at": st.column_config.DatetimeColumn("Saved"),
                "sequence": st.column_config.NumberColumn("After entry"),
                "table_name": "Table",
                "row_key": "Row",
                "column_name": "Column",
                "resolution": "What happened",
                "kept": "Stands",
                "lost": "Gave way",
            },
        )
        st.download_button(
            "Download as CSV",
            shown.to_csv(index=False),
            "nba-daily-conflicts.csv",
            "text/csv",
            icon=":material/download:",
            on_click="ignore",
        )
    return True
