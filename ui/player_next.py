"""A player's next game: what is projected, how sure it is, and whether it is saved."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date
from typing import Final

import streamlit as st

from jobs.player import Person
from nba.availability import Availability
from nba.errors import NbaError
from nba.seasons import ScheduledGame
from nba.slate import PlayerProjection
from nba.stats import Market
from ui.addresses import DATE, BadAddress, read_or_warn
from ui.charts import show_chart
from ui.errors import show_error
from ui.formats import clock_time, full_date, moment, percent, plain
from ui.frame import Frame
from ui.player_charts import (
    chance_table,
    distribution_alt,
    distribution_chart,
    distribution_frame,
)
from ui.tables import MARKET_LABELS, UNITS
from ui.why import chances

__all__ = ["LINE", "NextGame", "show_next"]

LINE: Final = "line"
"""The parameter, and the field's key, with the number that may be passed."""

_HIGHEST_LINE: Final = 150.0
_METRIC_PIXELS: Final = 165
_NOT_EXPECTED: Final = (Availability.OUT, Availability.DOUBTFUL)


@dataclass(frozen=True, slots=True)
class NextGame:
    """A player's next game, what is projected of him, and the line that the page asks about."""

    game: ScheduledGame
    player: PlayerProjection
    line: float


def show_next(
    frame: Frame, person: Person, game: ScheduledGame | None, market: Market
) -> NextGame | None:
    """Draw the projection of a player's next game, or say why there is none."""
    if game is None:
        st.subheader("Next game")
        team = f"of {person.team} " if person.team else ""
        reason = "No game" if person.team else "He is on no team's roster, so no game"
        st.info(
            f"{reason} {team}to come is known. His earlier games are below.",
            icon=":material/event_busy:",
        )
        return None
    day = full_date(game.slate_date)
    st.subheader(f"Next game · {game.away_team} @ {game.home_team}")
    when = f"{day} (US Eastern)"
    if game.tipoff_utc is not None:
        when = f"{day}, tip-off {clock_time(game.tipoff_utc, frame.zone, game.slate_date)}"
    st.caption(when)
    player = _projected(frame, person, game)
    shown = None
    if player is not None:
        line = _show_projection(frame, player, game.slate_date, market)
        shown = NextGame(game, player, line)
    # Only with its address a page of the app can be told what to show.
    st.page_link(
        "pages/todays_games.py",
        label=f"All games of {day}",
        icon=":material/sports_basketball:",
        query_params={DATE: game.slate_date.isoformat()},
    )
    return shown


def _projected(frame: Frame, person: Person, game: ScheduledGame) -> PlayerProjection | None:
    """What is projected of him; None, with the reason on the page, if nothing is."""
    try:
        with st.spinner("Projecting", show_time=False):
            projection = frame.application.projection(game.slate_date)
    except NbaError as error:
        show_error(frame.actor, error)
        return None
    for player in projection.players:
        if (player.game_id, player.player_id) == (game.game_id, person.player_id):
            return player
    season = frame.application.season
    word = None if season is None else season.availability(game.slate_date).get(person.player_id)
    reason = "he has not played enough of late to be expected in it"
    if gap := frame.application.missing_seasons(game.slate_date):
        reason = f"too few games of his are known, for want of {' and '.join(gap)}"
    if word in _NOT_EXPECTED:
        reason = f"he is listed as {word.value}"
    st.info(
        f"{plain(person.name)} is not projected for this game: {reason}. "
        "On Today's Games the editor What if shows who gets the minutes.",
        icon=":material/person_off:",
    )
    return None


def _show_projection(
    frame: Frame, player: PlayerProjection, slate_date: date, market: Market
) -> float:
    """Draw it; the line that the page asks about."""
    if player.availability == Availability.QUESTIONABLE:
        st.warning("Listed as questionable.", icon=":material/personal_injury:")
    unit, band = UNITS[market], player.bands[market]
    headline = st.container(horizontal=True)
    st.caption(_log_line(frame, slate_date))
    line = _line(math.floor(band.median) + 0.5, unit)
    over = band.distribution.over(line)
    with headline:
        st.metric(f"Projected {MARKET_LABELS[market]}", f"{band.mean:.1f}", width=_METRIC_PIXELS)
        st.metric(
            "Range",
            f"{band.floor:.0f}–{band.ceiling:.0f}",
            width=_METRIC_PIXELS,
            help="10th to 90th percentile: four games of five should fall within.",
        )
        st.metric(f"More than {line:g}", percent(over), width=_METRIC_PIXELS)
    name = plain(player.player_name)
    drawn = distribution_frame(band.distribution, line)
    show_chart(
        distribution_chart(drawn, line, unit),
        distribution_alt(drawn, player.player_name, line, over, unit),
    )
    st.markdown(f"{name}: {chances(band.distribution, line, unit)}")
    with st.expander("Chances as a table", icon=":material/table:"):
        st.table(
            chance_table(band.distribution, band.floor, band.ceiling),
            alt=f"Chances of {unit}",
        )
    if player.from_prior:
        st.caption("Fewer than ten NBA games: blended with his position's average.")
    return line


def _line(default: float, unit: str) -> float:
    """The number that may be passed; it stands in the address as `?line=24.5`."""
    if LINE not in st.session_state:
        read_or_warn(_asked_line)
    asked = st.number_input(
        f"Chance of more than a line, in {unit}",
        min_value=0.0,
        max_value=_HIGHEST_LINE,
        value=None,
        step=0.5,
        format="%.1f",
        placeholder=f"{default:.1f}",
        key=LINE,
        bind="query-params",
        width=320,
        help=f"Empty: {default:g}, which is about as likely passed as not.",
    )
    return default if asked is None or not math.isfinite(asked) else asked


def _asked_line() -> None:
    """Raises BadAddress for a line in the address that the field cannot take."""
    text = (st.query_params.get(LINE) or "").strip()
    try:
        is_good = not text or 0.0 <= float(text) <= _HIGHEST_LINE
    except ValueError:
        is_good = False
    if not is_good:
        raise BadAddress(
            LINE, "The line in the address is not there;", "choose a number from 0 to 150."
        )


def _log_line(frame: Frame, slate_date: date) -> str:
    """Whether what is projected for a slate is logged and saved."""
    log = frame.application.predictions
    if log is None:
        return "Whether it is logged is not known yet: the history is not here."
    run = log.current_run(slate_date)
    if run is None:
        return "Not logged yet; that happens by itself on the day."
    at = moment(run.logged_at, frame.zone)
    if run.pending:
        return f"Logged {at} · not saved yet"
    return f"Logged {at} · saved" + (f" as #{run.sequence}" if run.sequence else "")
