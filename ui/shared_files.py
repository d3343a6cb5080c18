"""The files of what is shared: rows as CSV or Parquet, charts and tables as one report."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any, Final

import pandas as pd

from exports.draft import Format, Progress
from exports.drawing import draw
from exports.report import MOST_ROWS, Column, Drawing, Fact, Report, Section, Table, html_of
from nba.frame_files import write_csv, write_parquet
from ui.charts import Drawable, vega_lite

__all__ = ["Part", "Picture", "facts", "table_of", "write_report", "write_rows"]

_NOTHING: Final = "–"
_LABEL_PIXELS: Final = 30
_LEGEND_PIXELS: Final = 30


@dataclass(frozen=True, slots=True)
class Picture:
    """A chart of a page, and the sentence that says what it shows."""

    chart: Drawable
    alt: str


@dataclass(frozen=True, slots=True)
class Part:
    """A heading of a report with plain text, charts and tables below it, in this order."""

    heading: str
    text: str = ""
    pictures: tuple[Picture, ...] = ()
    tables: tuple[Table, ...] = ()


def write_rows(frame: pd.DataFrame, kind: Format, path: Path, progress: Progress) -> int:
    """Write a frame as CSV (UTF-8, with a header) or as Parquet; the number of its rows."""
    progress(0.0, "Writing the rows")
    with path.open("wb") as file:
        if kind == Format.PARQUET:
            rows = write_parquet([frame], None, file)
        else:
            rows = write_csv([frame], list(frame.columns), file)
    progress(1.0, "The rows are written")
    return rows


def write_report(report: Report, parts: Sequence[Part], path: Path, progress: Progress) -> int:
    """Draw the charts and write `report` with the parts as its sections; rows in its tables.

    Raises ExportError.
    """
    pictures = [picture for part in parts for picture in part.pictures]
    progress(0.1, "Drawing the charts")
    drawn = iter(draw([_roomy(vega_lite(picture.chart)) for picture in pictures]))
    sections = tuple(
        Section(
            heading=part.heading,
            text=part.text,
            drawings=tuple(Drawing(next(drawn), picture.alt) for picture in part.pictures),
            tables=part.tables,
        )
        for part in parts
    )
    progress(0.9, "Writing the page")
    path.write_bytes(html_of(replace(report, sections=sections)))
    progress(1.0, "The page is written")
    return sum(len(table.rows[:MOST_ROWS]) for part in parts for table in part.tables)


def _roomy(specification: dict[str, Any]) -> dict[str, Any]:
    """Room for labels: the reader's font may be wider than the one that the chart is drawn with."""
    config = specification["config"]
    legend = {**config["legend"], "columnPadding": _LEGEND_PIXELS}
    return {
        **specification,
        "padding": {"left": _LABEL_PIXELS, "top": 5, "right": 15, "bottom": 5},
        "config": {**config, "legend": legend},
    }


def table_of(
    frame: pd.DataFrame,
    caption: str,
    *,
    places: Mapping[str, int] | None = None,
    rows_in_all: int | None = None,
) -> Table:
    """A frame as people read it: numbers with one decimal unless `places` says otherwise.

    `places` are decimals by column. A missing value is a dash.
    """
    decimals = places or {}
    columns = tuple(Column(str(name), _stands_right(frame[name])) for name in frame.columns)
    texts = [[_text(one, decimals.get(str(name), 1)) for one in frame[name]] for name in frame]
    return Table(caption, columns, list(zip(*texts, strict=True)), rows_in_all)


def _stands_right(column: pd.Series[Any]) -> bool:
    """Numbers, and dates, which are as wide as each other and must not be broken."""
    if pd.api.types.is_bool_dtype(column):
        return False
    return pd.api.types.is_numeric_dtype(column) or all(isinstance(one, date) for one in column)


def _text(value: object, places: int) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return _NOTHING if math.isnan(value) else f"{value:,.{places}f}"
    if isinstance(value, int):
        return f"{value:,}"
    if value is None or value is pd.NA or value is pd.NaT or value == "":
        return _NOTHING
    if isinstance(value, date):
        return value.isoformat()
    return str(value)


def facts(named: Sequence[tuple[str, str]]) -> tuple[Fact, ...]:
    """Facts in order, without those that say nothing."""
    return tuple(Fact(label, value) for label, value in named if value)
