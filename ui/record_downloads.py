"""A table's numbers as a file: what screen readers and other programs take."""

from __future__ import annotations

import pandas as pd
import streamlit as st

__all__ = ["download_button"]


def download_button(label: str, frame: pd.DataFrame, file_name: str) -> None:
    """Offer all rows as CSV (UTF-8) with a header."""
    st.download_button(
        label,
        lambda: frame.to_csv(index=False).encode(),
        file_name=file_name,
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
        key=f"download_{file_name}",
    )
