"""What if somebody were out or played less: a visitor's own question to the model."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import partial
from typing import Final

import pandas as pd
import streamlit as st
from streamlit.elements.lib.column_types import ColumnConfig

from jobs.errors import EXPLAINED
from nba.availability import Availability
from nba.slate import PlayerProjection, SlateProjection
from nba.stats import Market
from ui.addresses import asked_choices, asked_number, read_or_warn
from ui.errors import show_error
from ui.formats import percent
from ui.frame import Frame
from ui.tables import MARKET_LABELS, expected_score

__all__ = [
    "games_before_and_after",
    "players_before_and_after",
    "show_short_teams",
    "show_what_if",
]

_COMPARED: Final[Mapping[str, Market]] = {"Minutes": "minutes", "Points": "points"}
_NUMBERS: Final = ("Minutes now", "Minutes then", "Points now", "Points then")
_OPEN: Final = "what_if"
_OUT: Final = "out"
_CAPPED: Final = "capped"
_MOST: Final = "most"
_ASKED: Final = {_OUT: "player who is out", _CAPPED: "player with fewer minutes"}
_USUAL_CAP: Final = 24
_LONGEST: Final = 48


def show_what_if(frame: Frame, projection: SlateProjection) -> None:
    """Players to leave out and one to cap, and what the slate would be then."""
    # Its content is looked up and sent only while it is open.
    box = st.expander(
        "What if",
        # Who follows a link to an answer sees it.
        expanded=any(key in st.query_params for key in _ASKED),
        icon=":material/alt_route:",
        key=_OPEN,
        on_change="rerun",
    )
    if not box.open:
        return
    slate_date = projection.slate_date
    names = {
        f"{player.player_name} ({player.team})": player.player_id
        for player in sorted(projection.players, key=lambda player: player.player_name)
    }
    with box:
        for key, name in _ASKED.items():
            if key not in st.session_state:
                read_or_warn(partial(asked_choices, names, key=key, name=name))
        if _MOST not in st.session_state:
            read_or_warn(lambda: asked_number(1, _LONGEST, key=_MOST))
        st.caption(
            "Leave players out or cap one's minutes, and see where the minutes go. It is neither "
            "logged nor kept, and nobody else sees it."
        )
        out = st.multiselect(
            "Players who are out",
            list(names),
            placeholder="Nobody",
            key=_OUT,
            bind="query-params",
        )
        with st.container(horizontal=True, vertical_alignment="bottom"):
            capped = st.selectbox(
                "Player with fewer minutes",
                list(names),
                index=None,
                placeholder="Nobody",
                key=_CAPPED,
                bind="query-params",
            )
            most = st.number_input(
                "At most, in minutes",
                min_value=1,
                max_value=_LONGEST,
                value=_USUAL_CAP,
                disabled=capped is None,
                key=_MOST,
                bind="query-params",
            )
        if not out and capped is None:
            st.caption("Choose a player to begin with.")
            return
        try:
            after = frame.application.what_if(
                slate_date,
                dict.fromkeys((names[name] for name in out), Availability.OUT),
                {} if capped is None else {names[capped]: float(most)},
            )
        except EXPLAINED as error:
            show_error(frame.actor, error)
            return
        chosen = {names[name] for name in (*out, *([] if capped is None else [capped]))}
        show_short_teams(set(after.short_teams) - set(projection.short_teams))
        st.table(
            games_before_and_after(projection, after, chosen).set_index("Game"),
            alt="Games of the chosen players, now and then",
        )
        players = players_before_and_after(projection, after, chosen)
        st.dataframe(
            players,
            hide_index=True,
            width="stretch",
            height="content",
            placeholder="–",
            alt="The chosen players and their team-mates, now and then",
            # A phone shows the first three or four.
            column_order=["Player", *_NUMBERS, "Team"],
            column_config=_columns(),
        )
        st.caption(
            "Now: as projected above. Then: with what you chose. The away team's points first."
        )
        st.download_button(
            "Download this what-if as CSV",
            players.round(2).to_csv(index=False).encode(),
            file_name=f"nba-daily-what-if-{slate_date.isoformat()}.csv",
            mime="text/csv",
            icon=":material/download:",
            on_click="ignore",
        )


def show_short_teams(teams: Collection[str]) -> None:
    """Warn of teams that cannot fill a game; nothing without any."""
    if teams:
        st.warning(
            f"{', '.join(sorted(teams))}: who is left cannot fill the 240 minutes of a game. "
            "What is shown is for less than a game.",
            icon=":material/group_off:",
        )


def _columns() -> dict[str, ColumnConfig]:
    columns: dict[str, ColumnConfig] = {"Player": st.column_config.TextColumn(pinned=True)}
    for label, market in _COMPARED.items():
        for moment in ("now", "then"):
            columns[f"{label} {moment}"] = st.column_config.NumberColumn(
                f"{MARKET_LABELS[market]} {moment}", format="%.1f", help="the expected value"
            )
    return columns


def games_before_and_after(
    before: SlateProjection, after: SlateProjection, chosen: set[int]
) -> pd.DataFrame:
    """One row for each game of the chosen players: home win probability and expected score."""
    touched = {player.game_id for player in before.players if player.player_id in chosen}
    then = {forecast.game.game_id: forecast for forecast in after.games}
    return pd.DataFrame(
        [
            {
                "Game": f"{now.game.away_team} @ {now.game.home_team}",
                "Home wins now": percent(now.home_win_probability, places=1),
                "Home wins then": percent(then[now.game.game_id].home_win_probability, places=1),
                "Expected score now": expected_score(now),
                "Expected score then": expected_score(then[now.game.game_id]),
            }
            for now in before.games
            if now.game.game_id in touched and now.game.game_id in then
        ]
    )


def players_before_and_after(
    before: SlateProjection, after: SlateProjection, chosen: set[int]
) -> pd.DataFrame:
    """The chosen players and their team-mates, by game and team, most minutes first.

    Who is not expected to play, now or then, has no numbers there.
    """
    teams = {
        (player.game_id, player.team_id) for player in before.players if player.player_id in chosen
    }
    now, then = _by_player(before, teams), _by_player(after, teams)
    rows = []
    for key in {**now, **then}:
        player = then.get(key) or now[key]
        row: dict[str, object] = {"Player": player.player_name, "Team": player.team}
        for label, market in _COMPARED.items():
            for moment, found in (("now", now), ("then", then)):
                band = found[key].bands[market] if key in found else None
                row[f"{label} {moment}"] = None if band is None else band.mean
        rows.append(row)
    frame = pd.DataFrame(rows, columns=["Player", "Team", *_NUMBERS])
    frame[list(_NUMBERS)] = frame[list(_NUMBERS)].astype("float64")
    return frame.sort_values(
        ["Team", "Minutes then", "Minutes now"], ascending=[True, False, False], ignore_index=True
    )


def _by_player(
    projection: SlateProjection, teams: set[tuple[str, int]]
) -> dict[tuple[str, int], PlayerProjection]:
    return {
        (player.game_id, player.player_id): player
        for player in projection.players
        if (player.game_id, player.team_id) in teams
    }
