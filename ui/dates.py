"""Which slate to show: the one in the address, else tonight's."""

from __future__ import annotations

from datetime import date

import streamlit as st

from jobs.application import Application
from ui.formats import full_date

__all__ = ["chosen_date"]

_KEY = "date"


def chosen_date(application: Application, tonight: date | None) -> date:
    """The date field; its value stands in the address as `?date=2024-01-15`."""
    earliest, latest = application.known_dates()
    _warn_of_a_bad_address(earliest, latest)
    return st.date_input(
        "Date (US Eastern)",
        value=tonight or latest,
        min_value=earliest,
        max_value=latest,
        format="YYYY-MM-DD",
        key=_KEY,
        bind="query-params",
        required=True,
        width=220,
        help=f"Tonight's slate, a coming one, or any date since {full_date(earliest)} as a replay.",
    )


def _warn_of_a_bad_address(earliest: date, latest: date) -> None:
    text = st.query_params.get(_KEY)
    if text is None:
        return
    try:
        asked = date.fromisoformat(text)
    except ValueError:
        st.warning("The date in the address is not a date; write it as 2026-11-20.")
        return
    if not earliest <= asked <= latest:
        st.warning(
            "The date in the address is outside what is known: "
            f"{full_date(earliest)} to {full_date(latest)}."
        )
