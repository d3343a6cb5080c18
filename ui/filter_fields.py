"""The fields by which more than one page chooses predictions; each stands in the address."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import Final

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ui.frame import FIELD_PIXELS

__all__ = ["ORIGINS", "date_field", "field_row", "origin_field", "version_field"]

ORIGINS: Final = {"live": "Live", "replay": "Replay"}
"""The words for the origins that are in the log."""


def field_row() -> DeltaGenerator:
    """Where fields stand beside each other: two in a row on a phone, so that more is in sight."""
    return st.container(horizontal=True, vertical_alignment="bottom")


def origin_field(row: DeltaGenerator, on_change: Callable[[], None] | None = None) -> str:
    """`?origin=Replay`; a key of ORIGINS."""
    return row.selectbox(
        "Origin",
        list(ORIGINS),
        help="Live: logged for the evening itself. Replay: a past date, played as if live.",
        format_func=ORIGINS.__getitem__,
        key="origin",
        on_change=on_change,
        bind="query-params",
        width=FIELD_PIXELS,
    )


def date_field(
    row: DeltaGenerator,
    label: str,
    key: str,
    dates: tuple[date, date],
    on_change: Callable[[], None] | None = None,
) -> date | None:
    """`?<key>=2024-01-15`, a US Eastern date within `dates`; None if it is empty."""
    chosen: date | None = row.date_input(
        label,
        value=None,
        min_value=dates[0],
        max_value=dates[1],
        format="YYYY-MM-DD",
        key=key,
        on_change=on_change,
        bind="query-params",
        width=FIELD_PIXELS,
    )
    return chosen


def version_field(
    row: DeltaGenerator, versions: Sequence[str], on_change: Callable[[], None] | None = None
) -> str | None:
    """`?model=…`, one of the model versions; None for all."""
    chosen: str | None = row.selectbox(
        "Model version",
        versions,
        index=None,
        placeholder="all",
        key="model",
        on_change=on_change,
        bind="query-params",
        width=FIELD_PIXELS,
    )
    return chosen
