"""One player on screen: search, next game, season, splits and game log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from datetime import date
from typing import Final

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from jobs.player import Person, Scores, bundled_scores, next_game, people
from nba.errors import NbaError
from nba.reference import Reference
from nba.seasons import slate_date_of
from prediction_tracking import PredictionLog
from tracking.frames import fold
from tracking.player_season import learned_scores
from ui.addresses import PLAYER, asked_player, player_address, read_or_warn
from ui.badges import player_badge, team_badge
from ui.formats import plain
from ui.frame import Frame
from ui.player_fields import content_of, forget_line, market_field
from ui.player_next import show_next
from ui.player_seasons import show_seasons
from ui.shared_player import share_player

__all__ = ["show_player"]

_CHOICE: Final = "player_choice"
_SUGGESTED: Final = 5


def show_player(frame: Frame) -> None:
    """The whole page; `?player=2544` in the address opens it on one player."""
    content = content_of(frame)
    reference, log = frame.application.reference, frame.application.predictions
    today = slate_date_of(frame.application.clock())
    everybody = _people(reference, log, today, content)
    asked = read_or_warn(lambda: asked_player(everybody.__contains__))
    person = _chosen(everybody, asked)
    if person is None:
        _show_nobody(frame)
        return
    market = market_field()
    finals = _scores(reference, log, content)
    with st.container(horizontal=True, vertical_alignment="center"):
        place = st.empty()
        is_shown = _show_portrait(frame, person, place)
        _show_team(frame, person)
        st.header(plain(person.name))
    about = " · ".join(part for part in (person.team or "no team", person.position) if part)
    st.caption(about)
    game = next_game(frame.application, person.team_id, finals)
    coming = show_next(frame, person, game, market)
    opponent = ""
    if game is not None:
        opponent = game.away_team if game.home_team_id == person.team_id else game.home_team
    season = show_seasons(frame, person, market, finals, opponent)
    if season is not None:
        share_player(frame, person, market, season, coming)
    if not is_shown:
        # It is looked for beside all this, and may have come meanwhile.
        _show_portrait(frame, person, place, again=True)


def _show_portrait(
    frame: Frame, person: Person, place: DeltaGenerator, *, again: bool = False
) -> bool:
    """Where there are pictures of players, his or a badge; whether that is all there will be."""
    pictures = frame.application.pictures
    if not pictures.shows_players:
        return True
    portrait = pictures.player(person.player_id, again=again)
    what = "Badge" if portrait is None else "Portrait"
    badge = player_badge(person.name, person.team, portrait)
    place.image(badge, alt=f"{what} of {person.name}")
    return portrait is not None


def _show_team(frame: Frame, person: Person) -> None:
    if person.team_id is not None:
        mark = frame.application.pictures.team(person.team_id, person.team)
        st.image(team_badge(person.team, mark), alt=f"Badge of {person.team}")


@st.cache_resource(show_spinner=False, max_entries=2)
def _people(
    _reference: Reference, _log: PredictionLog | None, on: date, content: Hashable
) -> Mapping[int, Person]:
    return people(_reference, _log, on)


@st.cache_resource(show_spinner=False, max_entries=2)
def _scores(_reference: Reference, _log: PredictionLog | None, content: Hashable) -> Scores:
    bundled = _bundled_scores(_reference, _reference.info.content_hash)
    return bundled if _log is None else {**bundled, **learned_scores(_log.query)}


@st.cache_resource(show_spinner=False, max_entries=2)
def _bundled_scores(_reference: Reference, content_hash: str) -> Scores:
    return bundled_scores(_reference)


def _chosen(everybody: Mapping[int, Person], asked: int | None) -> Person | None:
    """The field to search in. The address leads: the choice is written there and read from it."""
    labels = _labels(everybody.values())
    st.session_state[_CHOICE] = asked
    chosen: int | None = st.selectbox(
        "Player",
        sorted(labels, key=lambda one: fold(labels[one])),
        index=None,
        format_func=labels.__getitem__,
        placeholder="Type a part of a name",
        key=_CHOICE,
        on_change=_follow_choice,
    )
    return None if chosen is None else everybody[chosen]


def _follow_choice() -> None:
    chosen = st.session_state[_CHOICE]
    if chosen is None:
        st.query_params.pop(PLAYER, None)
    else:
        st.query_params[PLAYER] = str(chosen)
    forget_line()


def _labels(everybody: Iterable[Person]) -> dict[int, str]:
    """What stands in the list of players, by id; no two alike."""
    labels = {person.player_id: _label(person) for person in everybody}
    shared = {label for label, times in Counter(labels.values()).items() if times > 1}
    return {
        player_id: f"{label} · {player_id}" if label in shared else label
        for player_id, label in labels.items()
    }


def _label(person: Person) -> str:
    """Luka Dončić (Luka Doncic) · LAL: few keyboards have all letters."""
    name = person.name
    if not name.isascii():
        name += f" ({fold(name).title()})"
    return f"{name} · {person.team}" if person.team else name


def _show_nobody(frame: Frame) -> None:
    st.info(
        "Choose a player: type a part of his name above. Each player's page has an address of its "
        "own that can be shared.",
        icon=":material/person_search:",
    )
    tonight = frame.application.tonights_date()
    if tonight is None:
        return
    try:
        projected = frame.application.projection(tonight).players
    except NbaError:
        # The page of the slate says what is wrong with it; here it is only a suggestion.
        return
    first = sorted(projected, key=lambda one: -one.bands["points"].mean)[:_SUGGESTED]
    if first:
        st.caption("Most points projected next:")
    for player in first:
        page, parameters = player_address(player.player_id)
        st.page_link(
            page,
            label=f"{plain(player.player_name)} ({player.team}): "
            f"{player.bands['points'].mean:.1f} points",
            icon=":material/person:",
            query_params=parameters,
        )
