"""The logged predictions as a filtered, paged table, and as files to take home."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import date
from functools import partial
from typing import Final, Literal

import streamlit as st

from nba.stats import STATS, Stat
from prediction_tracking import (
    MOST_COUNTED,
    HistoryFilters,
    HistoryPage,
    HistoryPlace,
    Origin,
    PredictionLog,
    UnknownPlace,
    place_of,
)
from ui.addresses import asked_choices, asked_date, player_address, read_or_warn
from ui.filter_fields import ORIGINS, date_field, field_row, origin_field, version_field
from ui.formats import plain, short_date
from ui.frame import FIELD_PIXELS, Frame
from ui.history_table import history_table
from ui.shared_history import share_history
from ui.tables import STAT_LABELS

__all__ = ["PAGE_ROWS", "show_history"]

PAGE_ROWS: Final = 200
"""Rows of the table on one page."""

_AFTER: Final = "after"
_TURN: Final = threading.Lock()
"""Held while a file is written: a million rows take some hundred megabytes."""
_LONGEST_NAME: Final = 60

_COLUMN_SETTINGS: Final = {
    "Projected": st.column_config.NumberColumn(format="%.1f", help="Mean, in the unit of the stat"),
    "Floor": st.column_config.NumberColumn(format="%.1f", help="10th percentile"),
    "Ceiling": st.column_config.NumberColumn(format="%.1f", help="90th percentile"),
    "Actual": st.column_config.NumberColumn(format="%d"),
    "Counts": st.column_config.CheckboxColumn(
        help="In the track record: live, in the store before tip-off, the last such run"
    ),
}
_FILES: Final = ("CSV", "Parquet")


def show_history(frame: Frame, log: PredictionLog) -> None:
    """Filters, one page of rows, and all of them to download or to share."""
    zone, dates = frame.zone, frame.application.known_dates()
    filters = _filters(log, dates)
    if filters.since and filters.until and filters.since > filters.until:
        st.warning(
            "No date is both from the first and until the second: change one of the two.",
            icon=":material/event_busy:",
        )
        return
    asked = _asked_place()
    try:
        page = log.history_page(filters, limit=PAGE_ROWS, after=asked)
    except UnknownPlace:
        _warn_of_a_bad_place()
        asked, page = None, log.history_page(filters, limit=PAGE_ROWS)
    if page.frame.empty:
        _show_nothing(filters, asked)
        return
    _page_buttons(log, filters, asked, page)
    st.caption(_line(page))
    if filters.player:
        _link_to_player(page)
    st.dataframe(
        history_table(page.frame, zone),
        alt="Logged predictions",
        hide_index=True,
        width="stretch",
        placeholder="–",
        column_config=_COLUMN_SETTINGS,
    )
    _download(log, filters, page)
    share_history(frame, log, filters)


# Filters ------------------------------------------------------------------------------------------


def _filters(log: PredictionLog, dates: tuple[date, date]) -> HistoryFilters:
    versions = log.model_versions()
    _warn_of_bad_filters(versions, dates)
    fields = field_row()
    origin = origin_field(fields, _to_newest)
    player = fields.text_input(
        "Player",
        key="player",
        placeholder="any part of a name",
        max_chars=_LONGEST_NAME,
        on_change=_to_newest,
        bind="query-params",
        width=FIELD_PIXELS,
    )
    team = fields.text_input(
        "Team",
        key="team",
        placeholder="such as BOS",
        max_chars=3,
        on_change=_to_newest,
        bind="query-params",
        width=FIELD_PIXELS,
    )
    stat: Stat | None = fields.selectbox(
        "Stat",
        STATS,
        index=None,
        format_func=STAT_LABELS.__getitem__,
        placeholder="all",
        key="stat",
        on_change=_to_newest,
        bind="query-params",
        width=FIELD_PIXELS,
    )
    since = date_field(fields, "From (US Eastern)", "since", dates, _to_newest)
    until = date_field(fields, "Until (US Eastern)", "until", dates, _to_newest)
    version = version_field(fields, versions, _to_newest)
    replaced = fields.toggle(
        "Replaced runs too",
        key="replaced",
        help="Also the runs of a slate that a newer run of the same slate replaced.",
        on_change=_to_newest,
        bind="query-params",
    )
    return HistoryFilters(
        since=since,
        until=until,
        origin=Origin(origin),
        model_version=version,
        team=team.strip().upper() or None,
        player=player.strip() or None,
        stat=stat,
        only_current=not replaced,
    )


def _warn_of_bad_filters(versions: list[str], dates: tuple[date, date]) -> None:
    """Streamlit drops what is no good in an address; the visitor is told why it has no effect."""
    labels = [STAT_LABELS[stat] for stat in STATS]
    for key, options in (
        ("origin", list(ORIGINS.values())),
        ("stat", labels),
        ("model", versions),
        ("replaced", ["true", "false"]),
        ("file", list(_FILES)),
    ):
        if key not in st.session_state:
            read_or_warn(partial(asked_choices, options, key=key))
    for key in ("since", "until"):
        read_or_warn(partial(asked_date, *dates, key=key))


# Pages --------------------------------------------------------------------------------------------


def _asked_place() -> HistoryPlace | None:
    """Where the page in the address begins; None for the newest rows."""
    text = st.query_params.get(_AFTER)
    if not text:
        return None
    try:
        return place_of(text)
    except UnknownPlace:
        _warn_of_a_bad_place()
        return None


def _warn_of_a_bad_place() -> None:
    _to_newest()
    st.warning(
        "The page in the address is not there; these are the newest rows.",
        icon=":material/link_off:",
    )


def _page_buttons(
    log: PredictionLog, filters: HistoryFilters, asked: HistoryPlace | None, page: HistoryPage
) -> None:
    if asked is None and page.last is None:
        return
    at_newest, at_oldest = asked is None, page.last is None
    with st.container(horizontal=True):
        _button("Newest", "first_page", at_newest, _to_newest)
        _button("Newer", "chevron_left", at_newest, partial(_go_back, log, filters, asked))
        _button("Older", "chevron_right", at_oldest, partial(_go_to, page.last))
        _button("Oldest", "last_page", at_oldest, partial(_go_back, log, filters, None))


def _button(label: str, icon: str, disabled: bool, go: Callable[[], None]) -> None:
    st.button(
        label,
        icon=f":material/{icon}:",
        disabled=disabled,
        on_click=go,
        key=f"page_{label.lower()}",
    )


def _to_newest() -> None:
    _go_to(None)


def _go_to(place: HistoryPlace | None) -> None:
    if place is not None:
        st.query_params[_AFTER] = str(place)
    elif _AFTER in st.query_params:
        del st.query_params[_AFTER]


def _go_back(log: PredictionLog, filters: HistoryFilters, place: HistoryPlace | None) -> None:
    """To the page that ends with a place, or with the history's end."""
    try:
        _go_to(log.history_back(filters, place, PAGE_ROWS))
    except UnknownPlace:
        # Another history has been restored meanwhile.
        _to_newest()


def _line(page: HistoryPage) -> str:
    shown = len(page.frame)
    total = f"more than {MOST_COUNTED:,}" if page.rows is None else f"{page.rows:,}"
    if page.rows_before is not None:
        rows = f"Rows {page.rows_before + 1:,} to {page.rows_before + shown:,} of {total}"
    else:
        rows = f"{shown:,} rows of {total}"
    newest, oldest = page.frame["slate_date"].iloc[0], page.frame["slate_date"].iloc[-1]
    days = short_date(newest)
    if oldest != newest:
        days = f"{days} back to {short_date(oldest)}"
    return f"{rows}, newest slate first: {days}."


def _show_nothing(filters: HistoryFilters, asked: HistoryPlace | None) -> None:
    if asked is not None:
        st.info("Nothing older fits.", icon=":material/search_off:")
        st.button("Newest", icon=":material/first_page:", on_click=_to_newest)
        return
    st.info(
        "Nothing is logged that fits. Widen the filters; tonight's slate is logged by itself, "
        "and a past one can be logged as a replay on Today's Games."
        + (" A team is named by its abbreviation, such as BOS." if filters.team else ""),
        icon=":material/search_off:",
    )


def _link_to_player(page: HistoryPage) -> None:
    """To the page of the one player who is shown, if it is one."""
    shown = page.frame[["player_id", "player_name"]].drop_duplicates()
    if len(shown) == 1:
        [(player_id, name)] = shown.itertuples(index=False)
        address, parameters = player_address(int(player_id))
        st.page_link(
            address,
            label=f"{plain(name)}: season, next game and splits",
            icon=":material/person:",
            query_params=parameters,
        )


# Files --------------------------------------------------------------------------------------------


def _download(log: PredictionLog, filters: HistoryFilters, page: HistoryPage) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen: Literal["CSV", "Parquet"] = st.selectbox(
            "File",
            _FILES,
            key="file",
            help="Every row that fits, with all columns. Parquet is smaller and keeps the types.",
            width=160,
            bind="query-params",
        )
        # A spreadsheet has no room for as many rows; other programs read the packed file as it is.
        packed = chosen == "CSV" and page.rows is None
        if chosen == "Parquet":
            name, mime = "nba-daily-history.parquet", "application/vnd.apache.parquet"
            content = partial(_in_turn, partial(log.history_parquet, filters))
        elif packed:
            name, mime = "nba-daily-history.csv.gz", "application/gzip"
            content = partial(_in_turn, partial(log.history_csv, filters, compressed=True))
        else:
            name, mime = "nba-daily-history.csv", "text/csv"
            content = partial(_in_turn, partial(log.history_csv, filters))
        st.download_button(
            _download_label(page.rows, f"{chosen}, packed" if packed else chosen),
            content,
            file_name=name,
            mime=mime,
            icon=":material/download:",
            on_click="ignore",
        )
    if page.rows is None:
        st.caption("A long history takes some seconds to write: about one for 20,000 rows.")


def _in_turn(write: Callable[[], bytes]) -> bytes:
    """What it writes, one file at a time, however many visitors ask: memory is short."""
    with _TURN:
        return write()


def _download_label(rows: int | None, kind: str) -> str:
    if rows == 1:
        return f"Download this row as {kind}"
    return f"Download all {'' if rows is None else f'{rows:,} '}rows as {kind}"
