"""The logged predictions as a filtered, paged table, and how good they have been."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pandas as pd
import streamlit as st

from nba.stats import STATS, Stat
from prediction_tracking import Accuracy, HistoryFilters, Origin, PredictionLog
from ui.formats import percent
from ui.tables import STAT_LABELS

__all__ = ["show_history"]

PAGE_ROWS = 200

_ORIGINS = {
    "live": "Live",
    "replay": "Replay",
}
_BASELINES = {
    "season_average": "Season average",
    "last_5": "Last five",
    "ewma_8": "EWMA 8",
    "coin": "a coin",
    "elo": "plain Elo",
    "home_rate": "the home rate",
}
_SHOWN = {
    "slate_date": "Date",
    "player_name": "Player",
    "team": "Team",
    "opponent": "Against",
    "stat": "Stat",
    "mean": "Projected",
    "floor": "Floor",
    "ceiling": "Ceiling",
    "actual": "Actual",
    "in_track_record": "Counts",
    "saved": "Saved",
    "logged_at": "Logged",
    "model_version": "Model",
}


def show_history(log: PredictionLog, zone: ZoneInfo) -> None:
    """Accuracy, filters, one page of rows and the download of all of them."""
    filters = _filters()
    origin = filters.origin or Origin.LIVE
    _show_accuracy(
        log.accuracy(origin=origin, since=filters.since, until=filters.until),
        origin,
        of_all=bool(filters.player or filters.team or filters.stat),
    )
    total = log.history_count(filters)
    if total == 0:
        st.info(
            "Nothing is logged that fits. Widen the filters; tonight's slate is logged by itself, "
            "and a past one can be logged as a replay on Today's Games.",
            icon=":material/search_off:",
        )
        return
    pages = -(-total // PAGE_ROWS)
    page = 1
    if pages > 1:
        page = st.number_input(f"Page 1 to {pages:,}", 1, pages, key="page", width=160)
    offset = (page - 1) * PAGE_ROWS
    frame = log.history(filters, limit=PAGE_ROWS, offset=offset)
    st.caption(f"Rows {offset + 1:,} to {offset + len(frame):,} of {total:,}, newest slate first.")
    st.dataframe(
        _table(frame, zone),
        hide_index=True,
        width="stretch",
        placeholder="–",
        column_config={
            "Projected": st.column_config.NumberColumn(format="%.1f"),
            "Floor": st.column_config.NumberColumn(format="%.1f", help="10th percentile"),
            "Ceiling": st.column_config.NumberColumn(format="%.1f", help="90th percentile"),
            "Actual": st.column_config.NumberColumn(format="%d"),
            "Counts": st.column_config.CheckboxColumn(
                help="In the track record: live, in the store before tip-off, the last such run"
            ),
        },
    )
    st.download_button(
        f"Download all {total:,} rows as CSV" if total > 1 else "Download this row as CSV",
        lambda: log.history_csv(filters),
        file_name="nba-daily-history.csv",
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
    )


def _filters() -> HistoryFilters:
    first, second, third = st.columns(3)
    fourth, fifth, sixth = st.columns(3)
    origin = first.selectbox(
        "Origin",
        list(_ORIGINS),
        help="Live: logged for the evening itself. Replay: a past date, played as if live.",
        format_func=_ORIGINS.__getitem__,
        key="origin",
        bind="query-params",
    )
    player = second.text_input(
        "Player", key="player", placeholder="any part of a name", bind="query-params"
    )
    team = third.text_input(
        "Team",
        key="team",
        placeholder="abbreviation, such as BOS",
        max_chars=3,
        bind="query-params",
    )
    stat: Stat | None = fourth.selectbox(
        "Stat",
        STATS,
        index=None,
        format_func=STAT_LABELS.__getitem__,
        placeholder="all",
        key="stat",
        bind="query-params",
    )
    since = fifth.date_input(
        "From (US Eastern)", value=None, format="YYYY-MM-DD", key="since", bind="query-params"
    )
    until = sixth.date_input(
        "Until (US Eastern)", value=None, format="YYYY-MM-DD", key="until", bind="query-params"
    )
    replaced = st.toggle("Show runs that a newer one replaced", key="replaced", bind="query-params")
    return HistoryFilters(
        since=since,
        until=until,
        origin=Origin(origin),
        team=team.strip().upper() or None,
        player=player.strip() or None,
        stat=stat,
        only_current=not replaced,
    )


def _table(frame: pd.DataFrame, zone: ZoneInfo) -> pd.DataFrame:
    table = frame[list(_SHOWN)].rename(columns=_SHOWN)
    table["Stat"] = table["Stat"].map(STAT_LABELS)
    logged = pd.to_datetime(table["Logged"], utc=True).dt.tz_convert(zone)
    table["Logged"] = logged.dt.strftime("%Y-%m-%d %H:%M %Z")
    return table


def _show_accuracy(accuracy: Accuracy, origin: Origin, *, of_all: bool) -> None:
    counted = sum(stat.n for stat in accuracy.stats.values())
    if counted == 0 and accuracy.wins.n == 0:
        st.caption(
            "No figure yet: a live prediction counts once it was saved before tip-off and the "
            "result is known."
            if origin.value == Origin.LIVE.value
            else "No replay with known results is logged yet."
        )
        return
    label = "Track record" if origin.value == Origin.LIVE.value else "Replays (not a track record)"
    with st.expander(f"{label}: {counted:,} predictions of players", expanded=True):
        if of_all:
            st.caption("Of every player, team and stat: only the dates narrow these figures.")
        st.dataframe(_accuracy_table(accuracy), hide_index=True, width="stretch")
        st.caption(
            "Mean absolute error in the stat's unit, lower is better; the baselines stand on the "
            "same rows, in brackets how many where a baseline needs an earlier game. In range: "
            "share within floor and ceiling, 80% is the aim."
        )
        wins = accuracy.wins
        if wins.n and wins.log_loss is not None and wins.brier is not None:
            st.caption(
                f"Winners: {wins.n:,} games, log loss {wins.log_loss:.3f}, Brier {wins.brier:.3f}"
                f"{_win_baselines(accuracy)}."
            )


def _accuracy_table(accuracy: Accuracy) -> pd.DataFrame:
    rows = []
    for stat, figures in accuracy.stats.items():
        if figures.n == 0:
            continue
        row: dict[str, object] = {
            "Stat": STAT_LABELS[stat],
            "n": figures.n,
            "Error": _two_places(figures.mae),
        }
        for baseline in figures.baselines:
            text = _two_places(baseline.mae)
            if baseline.n != figures.n:
                text += f" ({baseline.n:,}; model {_two_places(baseline.model_mae)})"
            row[_BASELINES.get(baseline.name, baseline.name)] = text
        row["Bias"] = "–" if figures.bias is None else f"{figures.bias:+.2f}"
        row["In range"] = "–" if figures.coverage_80 is None else percent(figures.coverage_80)
        rows.append(row)
    return pd.DataFrame(rows)


def _win_baselines(accuracy: Accuracy) -> str:
    parts = [
        f"{_BASELINES.get(baseline.name, baseline.name)} {baseline.log_loss:.3f}"
        for baseline in accuracy.wins.baselines
        if baseline.log_loss is not None
    ]
    return f" (log loss of {', '.join(parts)})" if parts else ""


def _two_places(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
