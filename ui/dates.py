"""Which slate to show: the one in the address, else tonight's."""

from __future__ import annotations

from datetime import date

import streamlit as st

from jobs.application import Application
from ui.addresses import DATE, asked_date, read_or_warn
from ui.formats import full_date

__all__ = ["chosen_date"]


def chosen_date(application: Application, tonight: date | None) -> date:
    """The date field; its value stands in the address as `?date=2024-01-15`."""
    earliest, latest = application.known_dates()
    read_or_warn(lambda: asked_date(earliest, latest))
    chosen: date | None = st.date_input(
        "Date (US Eastern)",
        value=tonight or latest,
        min_value=earliest,
        max_value=latest,
        format="YYYY-MM-DD",
        key=DATE,
        bind="query-params",
        width=220,
        help=f"Tonight's slate, a coming one, or any date since {full_date(earliest)} as a replay.",
    )
    # `required` would give the field's group an attribute that such a group may not have.
    return chosen or tonight or latest
