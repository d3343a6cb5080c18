"""Links to an export on screen: asked for, shown in this session, and kept nowhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import streamlit as st

from exports.draft import Format
from jobs.errors import EXPLAINED
from jobs.sharing import Export, Link, Standing, duckdb_query
from ui.csv_file import count
from ui.formats import kilobytes, moment, plain
from ui.frame import Frame

__all__ = [
    "FORMAT_LABELS",
    "Given",
    "export_words",
    "give",
    "how_it_ended",
    "life_field",
    "show_given",
]

FORMAT_LABELS: Final[Mapping[str, str]] = {
    Format.HTML.value: "HTML report",
    Format.CSV.value: "CSV",
    Format.CSV_GZ.value: "CSV, packed",
    Format.PARQUET.value: "Parquet",
    Format.PARTITIONS.value: "Parquet by month",
}
"""What a format is called on screen, by its value."""

_LIVES: Final[Mapping[str, timedelta]] = {
    "1 hour": timedelta(hours=1),
    "6 hours": timedelta(hours=6),
    "1 day": timedelta(days=1),
    "3 days": timedelta(days=3),
    "7 days": timedelta(days=7),
}
_ENDED: Final[Mapping[str, str]] = {
    Standing.EXPIRED.value: "The export has expired: no link to it is of use any more.",
    Standing.REVOKED.value: "The export was revoked: every link to it has ended.",
    Standing.REVOKING.value: (
        "The export was revoked. Not all of it is deleted yet; it is tried again by itself."
    ),
}
_USUAL_LIFE: Final = "1 day"
_QUERY_PIXELS: Final = 240


@dataclass(frozen=True, slots=True)
class Given:
    """What asking for links to an export came to.

    Attributes:
        export_id: whose they are.
        about: a sentence about the export.
        links: one for each file; none where the store has no links.
        problem: why there are none although the store has them; "" if nothing went wrong.
    """

    export_id: str
    about: str
    # Whoever has one can read the export.
    links: tuple[Link, ...] = field(default=(), repr=False)
    problem: str = ""


def life_field(key: str, pixels: int) -> timedelta:
    """How long a link is to work."""
    label = st.selectbox(
        "The link works for",
        list(_LIVES),
        index=list(_LIVES).index(_USUAL_LIFE),
        key=key,
        help="Never longer than the file is kept, nor than the app's own credentials live.",
        width=pixels,
    )
    return _LIVES[label]


def give(frame: Frame, export: Export, lasts: timedelta) -> Given:
    """New links to an export, or what kept them from being made."""
    sharing, about = frame.application.sharing, export_words(frame, export)
    if not sharing.gives_links:
        return Given(export.export_id, about)
    try:
        links = sharing.links(frame.actor, export.export_id, lasts)
    except EXPLAINED as error:
        return Given(export.export_id, about, problem=str(error))
    return Given(export.export_id, about, links)


def export_words(frame: Frame, export: Export) -> str:
    """Track record (CSV): 30 rows, 12 kB, kept until 27 Nov 2026, 3:00 PM EST."""
    kind = FORMAT_LABELS.get(export.format, export.format)
    files = "" if export.file_count == 1 else f"{count(export.file_count, 'file')}, "
    return (
        f"{export.title} ({kind}): {files}{count(export.row_count, 'row')}, "
        f"{kilobytes(export.size_bytes)}, kept until {moment(export.expires_at, frame.zone)}."
    )


def how_it_ended(frame: Frame, given: Given, now: datetime) -> str:
    """What became of the export since, a sentence; "" while it is kept. Asks the catalogue only.

    It may have been revoked on another page or by another machine. Raises NotReady.
    """
    if not given.export_id:
        return ""
    for export in frame.application.sharing.exports(frame.actor):
        if export.export_id == given.export_id:
            return _ENDED.get(export.standing(now).value, "")
    return _ENDED[Standing.EXPIRED.value]


def show_given(frame: Frame, given: Given, now: datetime) -> None:
    """Draw the links, when they end and why; a tree of files has one query for all of them.

    Of an export that has ended, only that. `now` is the store's time, by which links end. Raises
    NotReady.
    """
    if given.problem:
        st.error(plain(given.problem))
        return
    ended = how_it_ended(frame, given, now)
    if ended:
        st.caption(ended)
        return
    if not given.links:
        st.info(
            "The store is a folder on this machine, which has no links: download the file on "
            "Sharing and hand it on. With a bucket the app gives links (Setup says how).",
            icon=":material/link_off:",
        )
        return
    ends_at = min(link.ends_at for link in given.links)
    until = moment(ends_at, frame.zone)
    if ends_at <= now:
        st.caption(f"The link ended {until}. Make a new one.")
        return
    first = given.links[0]
    if len(given.links) == 1 and not first.path.startswith("season="):
        whose = f"Whoever has this link can download the file until {until}."
    else:
        whose = (
            f"This query has a link to each of {count(len(given.links), 'file')}: whoever has it "
            f"can read them until {until}. Run it in DuckDB."
        )
    st.caption(plain(f"{whose} {first.limited_by}".strip()))
    if len(given.links) == 1 and not first.path.startswith("season="):
        st.code(first.address, language=None, wrap_lines=True)
    else:
        st.code(duckdb_query(given.links), language="sql", height=_QUERY_PIXELS)
    st.caption(
        "It is shown in this session only and kept nowhere: copy it now, or make another later."
    )
    _show_public(given.links)


def _show_public(links: Sequence[Link]) -> None:
    public = [link.public_address for link in links if link.public_address]
    if public:
        st.caption(
            "The public address has no end of its own: it works until the export is deleted, "
            "which the running app or the daily job does once its time is over. While neither "
            "runs it lives on, until the bucket's own rule after 91 days. After revoking, copies "
            "on their way live on for up to five minutes."
        )
        st.code("\n".join(public), language=None, wrap_lines=True)
