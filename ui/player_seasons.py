"""A player's seasons: every projection beside what he did, splits, and the game log."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Final

import pandas as pd
import streamlit as st
from streamlit.elements.lib.column_types import ColumnConfig

from jobs.player import Person, Scores, team_names
from nba.reference import Reference
from nba.seasons import season_of, slate_date_of
from nba.stats import STATS, Market, Stat
from prediction_tracking import Origin, PredictionLog
from tracking.player_season import PLAYER_COLUMNS, player_predictions
from ui.charts import show_chart
from ui.csv_file import count
from ui.formats import percent, plain
from ui.frame import Frame
from ui.player_charts import season_alt, season_chart, season_frame
from ui.player_fields import bound_choice, content_of, season_field
from ui.player_tables import (
    PlayerRecord,
    game_log,
    game_rows,
    log_csv,
    record_of,
    seasons_of,
    splits_table,
)
from ui.record_words import aim_sentence
from ui.tables import MARKET_LABELS, UNITS

__all__ = ["ShownSeason", "show_seasons"]

_ORIGIN: Final = "origin"
_ORIGINS: Final[Mapping[str, Origin]] = {"Live": Origin.LIVE, "Replay": Origin.REPLAY}
_KEPT_PLAYERS: Final = 64
_METRIC_PIXELS: Final = 165
_FEW: Final = 20
_LOG_PIXELS: Final = 528


@dataclass(frozen=True, slots=True)
class ShownSeason:
    """A season as it is chosen on a player's page.

    Attributes:
        season: such as 2024-25.
        projections: whose projections stand beside his games, "Live" or "Replay".
        rows: his `game_rows` of the season.
        career: those of all seasons.
        opponent: whom he meets next, "" without one.
    """

    season: str
    projections: str
    rows: pd.DataFrame
    career: pd.DataFrame
    opponent: str


def show_seasons(
    frame: Frame, person: Person, market: Market, finals: Scores, opponent: str
) -> ShownSeason | None:
    """A season's chart and figures, splits and game log; None if nothing is known of him."""
    st.subheader("Season")
    reference, log = frame.application.reference, frame.application.predictions
    with st.container(horizontal=True, vertical_alignment="bottom"):
        place = st.container(width=220)
        label = bound_choice("Projections", _ORIGIN, list(_ORIGINS))
    origin = _ORIGINS[label]
    if log is None:
        st.caption("Earlier projections are not here yet: the history is being restored.")
    predictions = _logged(frame, log, person, origin)
    rows = _rows(reference, predictions, finals, content_of(frame), person.player_id, label)
    seasons = seasons_of(rows)
    if not seasons:
        st.info(
            f"No game and no {label.lower()} projection of {plain(person.name)} is known yet. "
            "What is projected for him is logged by itself on the day of his next game.",
            icon=":material/event_busy:",
        )
        return None
    # A season that has not begun for him says least.
    begun = seasons_of(rows[rows["played"]])
    with place:
        season = season_field(seasons, begun[0] if begun else seasons[0])
    of_season = rows[rows["season"] == season]
    _show_figures(of_season, market)
    if of_season[[f"{stat}_mean" for stat in STATS]].notna().any(axis=None):
        explained = "Live: logged for the evening itself. Replay: a past date, played as if live."
    else:
        explained = _nothing_logged(frame, log, person, origin, season)
    drawn = season_frame(of_season, market)
    unit = UNITS[market]
    show_chart(season_chart(drawn, unit), season_alt(drawn, person.name, season, unit))
    st.caption(
        "Bar: the projected range, floor to ceiling. Line across it: the projected mean. Mark: "
        f"what he did, hollow where nothing was projected. {explained}"
    )
    if market == "pra":
        st.caption("Points, rebounds and assists are logged each, not their sum: it has no range.")
    _show_splits(frame, of_season, rows, opponent)
    _show_log(frame, person, of_season, market, season)
    return ShownSeason(season, label, of_season, rows, opponent)


def _logged(
    frame: Frame, log: PredictionLog | None, person: Person, origin: Origin
) -> pd.DataFrame:
    if log is None:
        return pd.DataFrame(columns=list(PLAYER_COLUMNS))
    return _predictions(log, content_of(frame), person.player_id, origin.value)


def _nothing_logged(
    frame: Frame, log: PredictionLog | None, person: Person, origin: Origin, season: str
) -> str:
    """Why there is no range in a season, and where there is one."""
    if log is None:
        return ""
    name = "live" if origin.value == Origin.LIVE.value else "replay"
    text = f"No {name} projection of this season is logged."
    other = Origin.REPLAY if origin.value == Origin.LIVE.value else Origin.LIVE
    found = _logged(frame, log, person, other)
    games = found.loc[[season_of(day) == season for day in found["slate_date"]], "game_id"]
    if len(games):
        label = next(label for label, one in _ORIGINS.items() if one.value == other.value)
        text += f" Choose {label} to see those of {count(games.nunique(), 'game')}."
    return text


def _show_figures(rows: pd.DataFrame, market: Market) -> None:
    """His average, and how good the projections that count were, with how many they were."""
    label, played = MARKET_LABELS[market], rows[market].dropna()
    with st.container(horizontal=True):
        if len(played):
            _metric(f"Average {label}", f"{played.mean():.1f}", count(len(played), "game"))
        if market == "pra":
            return
        record = record_of(rows, market)
        if record.n and record.mae is not None:
            _metric("Average miss", f"{record.mae:.1f}", count(record.n, "projection"))
        if record.banded:
            _metric(
                "Within the range",
                percent(record.inside / record.banded),
                f"{record.inside} of {record.banded}",
            )
    if record.n:
        st.caption(_in_words(record, market))


def _metric(label: str, value: str, beside: str) -> None:
    st.metric(label, value, beside, delta_color="off", delta_arrow="off", width=_METRIC_PIXELS)


def _in_words(record: PlayerRecord, stat: Stat) -> str:
    parts = []
    if record.baseline_mae is not None and record.baseline_model_mae is not None:
        parts.append(
            f"On the {count(record.baseline_n, 'game')} with an earlier one this season the "
            f"projections missed by {record.baseline_model_mae:.1f} {UNITS[stat]}, the average of "
            f"his season so far by {record.baseline_mae:.1f}."
        )
    if record.banded:
        low, high = percent(record.share.low), percent(record.share.high)
        parts.append(
            f"{aim_sentence(stat)} With so many games the share within the range may lie anywhere "
            f"from {low} to {high} (95% interval)."
        )
    if record.n < _FEW:
        parts.append("These are few games: luck has a large share in it.")
    return plain(" ".join(parts))


def _show_splits(frame: Frame, of_season: pd.DataFrame, rows: pd.DataFrame, opponent: str) -> None:
    st.subheader("Splits")
    today = slate_date_of(frame.application.clock())
    table = splits_table(of_season, rows, opponent, today)
    if table.empty:
        st.caption("No game of this season is over yet.")
        return
    st.table(table, alt="Splits of the season")
    st.caption(
        "Averages a game, playoffs included. MIN minutes, PTS points, REB rebounds, AST assists, "
        "3PM threes made, PRA points + rebounds + assists. Rest: days without a game before it."
    )


def _show_log(
    frame: Frame, person: Person, rows: pd.DataFrame, market: Market, season: str
) -> None:
    st.subheader("Game log")
    table = game_log(rows, market, slate_date_of(frame.application.clock()))
    st.dataframe(
        table,
        alt="Game log",
        hide_index=True,
        width="stretch",
        height=min(38 + 35 * len(table), _LOG_PIXELS),
        placeholder="–",
        column_config=_log_columns(),
    )
    st.caption(
        "Newest first; dates are US Eastern. Range: 10th to 90th percentile; DNP: did not play. "
        "Counts: in the store "
        "before the tip-off, or the last replay. Saved: the log entry that first held it."
    )
    st.download_button(
        f"Download {season} as CSV",
        lambda: log_csv(rows),
        file_name=f"nba-daily-{person.player_id}-{season}.csv",
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
    )


def _log_columns() -> dict[str, ColumnConfig]:
    columns: dict[str, ColumnConfig] = {
        "Date": st.column_config.DateColumn(pinned=True, format="YYYY-MM-DD"),
        "Projected": st.column_config.NumberColumn(format="%.1f", help="projected mean"),
    }
    for label in MARKET_LABELS.values():
        columns[label] = st.column_config.NumberColumn(format="%d")
    return columns


@st.cache_data(show_spinner=False, max_entries=_KEPT_PLAYERS)
def _rows(
    _reference: Reference,
    _logged_of_him: pd.DataFrame,
    _finals: Scores,
    content: Hashable,
    player_id: int,
    origin: str,
) -> pd.DataFrame:
    career = _reference.player_games(player_ids=[player_id])
    return game_rows(career, _logged_of_him, _finals, team_names(_reference))


@st.cache_data(show_spinner=False, max_entries=_KEPT_PLAYERS)
def _predictions(
    _log: PredictionLog, content: Hashable, player_id: int, origin: str
) -> pd.DataFrame:
    return player_predictions(_log.query, player_id, Origin(origin))
