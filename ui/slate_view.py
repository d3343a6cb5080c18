"""One slate on screen: what is projected, whether it is logged, and what happened."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from datetime import date
from typing import Final

import streamlit as st

from jobs.errors import EXPLAINED
from jobs.outcome import Outcome
from nba.errors import NbaError, UnknownSlate
from nba.seasons import slate_date_of
from nba.slate import GameProjection, SlateProjection
from nba.slate_csv import slate_csv
from prediction_tracking import Origin, Run
from ui.availability import show_editor, show_listed
from ui.data_age import show_data_age
from ui.fetching import fetch_button, show_last_fetch
from ui.formats import full_date, moment, plain
from ui.frame import Frame
from ui.tables import (
    games_columns,
    games_table,
    market_of_column,
    player_columns,
    players_table,
    sorted_players,
)
from ui.what_if import show_short_teams, show_what_if
from ui.why import show_why

__all__ = ["show_slate"]

_TABLE_PIXELS: Final = 528
"""Fourteen players: what is said of the selected one stands below without much scrolling."""


def show_slate(frame: Frame, slate_date: date, tonight: date | None) -> None:
    """Draw the slate of `slate_date` (US Eastern)."""
    kind = _kind(frame, slate_date, tonight)
    st.subheader(f"{kind} · {full_date(slate_date)}")
    try:
        projection = frame.application.projection(slate_date)
    except UnknownSlate as error:
        st.info(f"{error.problem[:1].upper()}{error.problem[1:]}. {error.remedy.rstrip('.')}.")
        return
    except NbaError as error:
        st.error(plain(str(error)))
        return
    show_data_age(frame, projection)
    if projection.undecided_games:
        st.caption(
            f"{projection.undecided_games} more on this date: the teams are not decided yet, so "
            "they cannot be projected."
        )
    postponed = frame.application.reference.postponed(slate_date)
    if postponed:
        games = ", ".join(f"{away} @ {home}" for away, home in postponed)
        st.caption(f"Postponed: {games}. Each counts on the date on which it is played.")
    if not projection.games:
        st.info("There is no game on this date. Choose another one.", icon=":material/event_busy:")
        return
    is_past = tonight is None or slate_date < tonight
    _show_log(frame, projection, tonight, is_past=is_past)
    show_listed(frame, projection)
    if not is_past:
        show_editor(frame, projection)
    outcome = frame.application.outcome(slate_date)
    show_short_teams(projection.short_teams)
    st.dataframe(
        games_table(projection, frame.zone, outcome.scores),
        hide_index=True,
        width="stretch",
        height="content",
        column_config=games_columns(),
        placeholder="–",
    )
    _show_players(frame, projection, outcome)
    show_what_if(frame, projection)


def _kind(frame: Frame, slate_date: date, tonight: date | None) -> str:
    if tonight is None or slate_date < tonight:
        return "Replay"
    if slate_date > tonight:
        return "Coming up"
    return "Tonight" if slate_date <= slate_date_of(frame.application.clock()) else "Next games"


def _show_log(
    frame: Frame, projection: SlateProjection, tonight: date | None, *, is_past: bool
) -> None:
    log, slate_date = frame.application.predictions, projection.slate_date
    origin = Origin.REPLAY if is_past else Origin.LIVE
    run = log.current_run(slate_date, origin) if log is not None else None
    if run is not None:
        st.caption(_log_line(frame, run, projection.games))
    elif is_past:
        st.caption("A replay: computed from what was known before this date, not logged.")
    elif log is None:
        st.caption("Not logged yet: the history is not here. It will be logged by itself.")
    elif slate_date == tonight:
        st.caption(_not_yet(frame, slate_date))
    if log is None or not frame.actor.is_owner:
        return
    with st.container(horizontal=True):
        logs = (slate_date == tonight or (is_past and not _is_same(run, projection))) and st.button(
            "Log this replay" if is_past else "Log a revision", icon=":material/edit_note:"
        )
        fetches = not is_past and fetch_button(frame)
    if logs:
        _log(frame, slate_date, is_past=is_past)
    if not is_past:
        show_last_fetch(frame, fetch=fetches)


def _not_yet(frame: Frame, slate_date: date) -> str:
    season = frame.application.season
    is_the_day = slate_date <= slate_date_of(frame.application.clock())
    if is_the_day and season is not None and season.has_sources:
        return (
            "Not logged yet: that happens by itself as soon as last night's results are here, or "
            "three hours before the first tip-off."
        )
    return "Not logged yet; that happens by itself on the day."


def _is_same(run: Run | None, projection: SlateProjection) -> bool:
    """True if logging the projection as a replay would give this run again."""
    return run is not None and (run.model_version, run.data_as_of) == (
        projection.model_version,
        projection.data_as_of,
    )


def _log_line(frame: Frame, run: Run, games: Sequence[GameProjection]) -> str:
    kind = "revision" if run.revision else "automatic"
    # What came from an earlier log has no number in this one.
    number = f" as #{run.sequence}" if run.sequence else ""
    saved = "not saved yet" if run.pending else f"saved{number}"
    if run.origin.value == Origin.REPLAY.value:
        return f"Logged as a replay {moment(run.logged_at, frame.zone)} · {saved}"
    line = f"Logged {moment(run.logged_at, frame.zone)} ({kind}) · {saved}"
    stored_at = run.stored_at
    if stored_at is None:
        return line
    tipoffs = [forecast.game.tipoff_utc for forecast in games]
    in_time = sum(tipoff is not None and stored_at < tipoff for tipoff in tipoffs)
    if in_time == len(tipoffs):
        return f"{line} · before every tip-off"
    if in_time == 0:
        return f"{line} · after every tip-off, so it does not count"
    return f"{line} · in time for {in_time} of {len(tipoffs)} games, the others do not count"


def _log(frame: Frame, slate_date: date, *, is_past: bool) -> None:
    try:
        if is_past:
            frame.application.log_replay(frame.actor, slate_date)
        else:
            frame.application.revise(frame.actor, slate_date)
    except EXPLAINED as error:
        st.error(plain(str(error)))
    else:
        st.rerun()


def _show_players(frame: Frame, projection: SlateProjection, outcome: Outcome) -> None:
    games = {
        forecast.game.game_id: f"{forecast.game.away_team} @ {forecast.game.home_team}"
        for forecast in projection.games
    }
    shown = st.pills(
        "Games",
        list(games),
        format_func=games.__getitem__,
        selection_mode="multi",
        key="games",
        help="Choose one or more games; none chosen shows all.",
    )
    chosen = set(shown) or set(games)
    players = sorted_players(one for one in projection.players if one.game_id in chosen)
    names = ",".join(f"{player.game_id}/{player.player_id}" for player in players)
    table = st.dataframe(
        players_table(players, outcome.actuals),
        hide_index=True,
        width="stretch",
        height=min(38 + 35 * len(players), _TABLE_PIXELS),
        column_config=player_columns(),
        placeholder="–",
        on_select="rerun",
        selection_mode="single-cell",
        # A selection is by a row's number: with other rows it would be another player's.
        key=f"players_{zlib.crc32(names.encode())}",
    )
    st.caption(
        "PTS points, REB rebounds, AST assists, 3PM threes made, MIN minutes, PRA points + "
        "rebounds + assists: the expected value. Range: 10th to 90th percentile, so about four "
        "games of five should fall within. Select a number to see below why it is what it is."
    )
    for row, column in table.selection.cells:
        show_why(frame, projection.slate_date, players[row], market_of_column(column))
    st.download_button(
        "Download this slate as CSV",
        slate_csv(projection),
        file_name=f"nba-daily-{projection.slate_date.isoformat()}.csv",
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
    )
