"""A report: one HTML page that needs nothing else, with the charts and tables of a screen.

It runs no scripts and asks nobody for anything, so it looks the same in ten years, from a disk, in
a mail program or behind a link. Every text in it is escaped.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from typing import Final

from exports.report_style import STYLE

__all__ = [
    "MOST_ROWS",
    "Column",
    "Drawing",
    "Fact",
    "Report",
    "Section",
    "Table",
    "html_of",
]

MOST_ROWS: Final = 1_000
"""Rows of one table that a report shows; the rest is counted."""

_EMPTY_LINES: Final = re.compile(r"\n\s*\n")
# Nothing is loaded and nothing runs, whatever should come to stand in the page.
_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
    "form-action 'none'"
)
_PAGE: Final = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<meta name="robots" content="noindex">
<title>{title} · NBA Daily</title>
<style>{style}</style>
</head>
<body>
<main>
{body}
</main>
<footer><p>Made with NBA Daily. Projections are no betting advice.</p></footer>
</body>
</html>
"""


@dataclass(frozen=True, slots=True)
class Fact:
    """A name and what it is: "Games" and "1,230"."""

    label: str
    value: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """A chart as `exports.drawing.draw` made it.

    Attributes:
        svg: the text of the picture.
        alt: a sentence that says what it shows, for those who cannot see it.
    """

    svg: str
    alt: str


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table; `numeric` ones stand at the right."""

    heading: str
    numeric: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of texts as people read them.

    Attributes:
        caption: what the table shows, in a few words.
        columns: at least one.
        rows: one text per column each; the first MOST_ROWS are shown.
        rows_in_all: how many rows there are when `rows` are only the first of them.
    """

    caption: str
    columns: tuple[Column, ...]
    rows: Sequence[Sequence[str]]
    rows_in_all: int | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with what stands below it, in this order; each but the heading may be left out.

    Attributes:
        heading: its title.
        text: plain text; an empty line begins a new paragraph.
        drawings: its charts.
        tables: its tables.
    """

    heading: str
    text: str = ""
    drawings: tuple[Drawing, ...] = ()
    tables: tuple[Table, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """What a page shows.

    Attributes:
        title: what it is about: "Track record".
        made_at: when it was made, aware; shown in UTC.
        shows: what was chosen, such as the dates, the filters and the model's version.
        facts: the figures that matter most.
        sections: the rest, in order.
    """

    title: str
    made_at: datetime
    shows: tuple[Fact, ...] = ()
    facts: tuple[Fact, ...] = ()
    sections: tuple[Section, ...] = ()


def html_of(report: Report) -> bytes:
    """The report as one HTML file (UTF-8).

    Raises ValueError for a time without a zone, or a row with more or fewer texts than columns.
    """
    if report.made_at.tzinfo is None:
        raise ValueError(f"a moment needs a time zone, {report.made_at.isoformat()} has none")
    made_at = report.made_at.astimezone(UTC)
    made = Fact("Made at", f"{made_at:%Y-%m-%d %H:%M} UTC")
    parts = [
        f"<h1>{escape(report.title)}</h1>",
        _facts((*report.shows, made), "shows"),
        _facts(report.facts, "facts"),
        *(_section(section) for section in report.sections),
    ]
    page = _PAGE.format(
        policy=_POLICY, title=escape(report.title), style=STYLE, body="\n".join(filter(None, parts))
    )
    # Half a character, which only a damaged text has, must not lose the whole page.
    return page.encode(errors="replace")


def _facts(facts: Sequence[Fact], kind: str) -> str:
    if not facts:
        return ""
    # A name and its value stay together in their group.
    pairs = (
        f"<div><dt>{escape(fact.label)}</dt><dd>{escape(fact.value)}</dd></div>" for fact in facts
    )
    return f'<dl class="{kind}">{"".join(pairs)}</dl>'


def _section(section: Section) -> str:
    parts = [
        f"<h2>{escape(section.heading)}</h2>",
        *(f"<p>{escape(words)}</p>" for words in _paragraphs(section.text)),
        *(_drawing(drawing) for drawing in section.drawings),
        *(_table(table) for table in section.tables),
    ]
    return "\n".join(["<section>", *parts, "</section>"])


def _paragraphs(text: str) -> list[str]:
    return [words.strip() for words in _EMPTY_LINES.split(text) if words.strip()]


def _drawing(drawing: Drawing) -> str:
    # As an image of its own a picture can neither run a script nor ask for anything.
    packed = base64.b64encode(drawing.svg.encode()).decode()
    source = f"data:image/svg+xml;base64,{packed}"
    return _in_frame("Chart", f'<img src="{source}" alt="{escape(drawing.alt)}">')


def _table(table: Table) -> str:
    width = len(table.columns)
    shown = table.rows[:MOST_ROWS]
    for row in shown:
        if len(row) != width:
            raise ValueError(f"a row of {table.caption!r} has {len(row)} texts, not {width}")
    marks = [' class="number"' if column.numeric else "" for column in table.columns]
    headings = "".join(
        f'<th scope="col"{mark}>{escape(column.heading)}</th>'
        for column, mark in zip(table.columns, marks, strict=True)
    )
    rows = "\n".join(
        "<tr>"
        + "".join(f"<td{mark}>{escape(text)}</td>" for text, mark in zip(row, marks, strict=True))
        + "</tr>"
        for row in shown
    )
    caption = escape(table.caption)
    content = (
        f"<table><caption>{caption}</caption>\n<thead><tr>{headings}</tr></thead>\n"
        f"<tbody>\n{rows}\n</tbody></table>"
    )
    return _in_frame(table.caption, content) + _left_out(table, len(shown))


def _in_frame(name: str, content: str) -> str:
    """What is wider than a phone scrolls in a frame of its own, with the keyboard too."""
    return (
        f'<div class="frame" role="group" aria-label="{escape(name)}" tabindex="0">{content}</div>'
    )


def _left_out(table: Table, shown: int) -> str:
    in_all = max(len(table.rows), table.rows_in_all or 0)
    if in_all <= shown:
        return ""
    left = f"{in_all - shown:,} more rows are" if in_all - shown > 1 else "1 more row is"
    return f"<p>The first {shown:,} rows are shown; {left} left out. CSV and Parquet have all.</p>"
