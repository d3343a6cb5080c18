"""One slate on screen: what is projected, whether it is logged, and what happened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

import streamlit as st

from jobs.errors import EXPLAINED
from jobs.outcome import Outcome
from nba.errors import NbaError, UnknownSlate
from nba.seasons import slate_date_of
from nba.slate import GameProjection, SlateProjection
from prediction_tracking import Origin, PredictionLog, Run
from ui.addresses import GAME, asked_choices, read_or_warn
from ui.availability import show_editor, show_listed
from ui.data_age import show_data_age
from ui.errors import show_error
from ui.fetching import fetch_button, show_last_fetch
from ui.form import rest_of
from ui.formats import full_date, plain
from ui.frame import Frame
from ui.game_card import game_name, show_cards
from ui.lines import show_lines_of
from ui.log_lines import slate_line
from ui.missing_history import has_incomplete_settings
from ui.record_line import show_record_line
from ui.shared_slate import share_slate
from ui.slate_players import show_players
from ui.tables import games_columns, games_table
from ui.what_if import show_short_teams, show_what_if

__all__ = ["show_slate"]


def show_slate(frame: Frame, slate_date: date, tonight: date | None) -> None:
    """Draw the slate of `slate_date` (US Eastern)."""
    is_past = tonight is None or slate_date < tonight
    runs = _runs_of(frame.application.predictions, slate_date, is_past=is_past)
    kind = _kind(frame, slate_date, tonight, runs)
    st.header(f"{kind} · {full_date(slate_date)}")
    try:
        projection = frame.application.projection(slate_date)
    except UnknownSlate as error:
        if gap := frame.application.missing_seasons(slate_date):
            st.info(
                f"{' and '.join(gap)} is not here: it is not bundled, and could not be fetched "
                "yet. Choose a date of another season.",
                icon=":material/history_toggle_off:",
            )
            return
        st.info(f"{error.problem[:1].upper()}{error.problem[1:]}. {error.remedy.rstrip('.')}.")
        return
    except NbaError as error:
        show_error(frame.actor, error)
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
    counting = _counting(frame.application.predictions, projection)
    _show_log(frame, projection, runs, counting, tonight, is_past=is_past)
    if not is_past:
        show_record_line(frame)
    show_listed(frame, projection)
    if not is_past:
        show_editor(frame, projection)
    outcome = frame.application.outcome(slate_date)
    show_short_teams(projection.short_teams)
    games_shown = _chosen_games(projection)
    show_cards(
        frame,
        games_shown,
        outcome,
        rest_of(frame, projection),
        runs,
        counting,
        of_slate=len(projection.games),
    )
    _show_games_table(frame, projection, outcome)
    show_players(frame, projection, {one.game.game_id for one in games_shown}, outcome)
    show_lines_of(slate_date)
    show_what_if(frame, projection)
    share_slate(
        frame,
        projection,
        outcome,
        kind=kind,
        logged=slate_line(runs[0], projection.games, counting, frame.zone) if runs else "",
    )


def _chosen_games(projection: SlateProjection) -> list[GameProjection]:
    """The games whose names stand in the address or are chosen here; all if none is."""
    games = {game_name(forecast): forecast for forecast in projection.games}
    if GAME not in st.session_state:
        read_or_warn(lambda: asked_choices(games, key=GAME))
    chosen = st.pills(
        "Games",
        list(games),
        selection_mode="multi",
        key=GAME,
        bind="query-params",
        help="Choose one or more games; none chosen shows all.",
    )
    return [games[name] for name in games if name in chosen] or list(games.values())


def _show_games_table(frame: Frame, projection: SlateProjection, outcome: Outcome) -> None:
    box = st.expander(
        "All games as a table",
        icon=":material/table:",
        key="games_table",
        on_change="rerun",
        bind="query-params",
    )
    if not box.open:
        return
    table = games_table(projection, frame.zone, outcome.scores)
    with box:
        st.dataframe(
            table,
            hide_index=True,
            width="stretch",
            height="content",
            column_config=games_columns(),
            placeholder="–",
            alt="Games: chances, expected scores and results",
        )
        st.download_button(
            "Download the games as CSV",
            table.to_csv(index=False).encode(),
            file_name=f"nba-daily-games-{projection.slate_date.isoformat()}.csv",
            mime="text/csv",
            icon=":material/download:",
            on_click="ignore",
        )


def _kind(frame: Frame, slate_date: date, tonight: date | None, runs: Sequence[Run]) -> str:
    if tonight is None or slate_date < tonight:
        return "Played" if _are_live(runs) else "Replay"
    if slate_date > tonight:
        return "Coming up"
    return "Tonight" if slate_date <= slate_date_of(frame.application.clock()) else "Next games"


def _show_log(
    frame: Frame,
    projection: SlateProjection,
    runs: list[Run],
    counting: Mapping[str, str],
    tonight: date | None,
    *,
    is_past: bool,
) -> None:
    """Say what is logged of the slate, and draw the owner's buttons."""
    log, slate_date = frame.application.predictions, projection.slate_date
    was_live = is_past and _are_live(runs)
    run = runs[0] if runs else None
    if run is not None:
        st.caption(slate_line(run, projection.games, counting, frame.zone))
    elif is_past:
        st.caption("A replay: computed from what was known before this date, not logged.")
    elif log is None and has_incomplete_settings(frame.application):
        st.caption("Not logged: the place where the history is kept is not set up.")
    elif log is None:
        st.caption("Not logged yet: the history is not here. It will be logged by itself.")
    elif slate_date == tonight:
        st.caption(_not_yet(frame, slate_date))
    if was_live:
        st.caption(
            "What follows is computed anew from what was known before this date. What was logged "
            "that day, and counts, stands on History."
        )
    if log is None or not frame.actor.is_owner:
        return
    may_replay = is_past and not was_live and not _is_same(run, projection)
    with st.container(horizontal=True):
        logs = (slate_date == tonight or may_replay) and st.button(
            "Log this replay" if is_past else "Log a revision", icon=":material/edit_note:"
        )
        fetches = not is_past and fetch_button(frame)
    if logs:
        _log(frame, slate_date, is_past=is_past)
    if not is_past:
        show_last_fetch(frame, fetch=fetches)


def _runs_of(log: PredictionLog | None, slate_date: date, *, is_past: bool) -> list[Run]:
    """The slate's runs of this app, newest first; an import of earlier predictions is none.

    The live ones, and for a past slate without any its replays.
    """
    if log is None:
        return []
    found = log.runs(since=slate_date, until=slate_date)
    live = [run for run in found if run.time_verified and run.origin.value == Origin.LIVE.value]
    if live or not is_past:
        return live
    return [run for run in found if run.origin.value == Origin.REPLAY.value]


def _counting(log: PredictionLog | None, projection: SlateProjection) -> Mapping[str, str]:
    """The id of the run in the track record by game id."""
    if log is None:
        return {}
    return log.counting_runs([forecast.game.game_id for forecast in projection.games])


def _are_live(runs: Sequence[Run]) -> bool:
    return any(run.origin.value == Origin.LIVE.value for run in runs)


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
