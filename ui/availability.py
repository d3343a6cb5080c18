"""Who is out: the list for everybody, and the owner's editor of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

import pandas as pd
import streamlit as st

from jobs.errors import EXPLAINED
from nba.availability import Availability, PlayerAvailability
from nba.reference import Reference
from nba.slate import SlateProjection
from prediction_tracking import Run
from ui.availability_file import FILE_COLUMNS, show_upload
from ui.csv_file import count
from ui.formats import full_date, plain, short_date
from ui.frame import Frame

__all__ = ["changes_of", "listed_line", "show_editor", "show_listed", "template"]

_OPEN: Final = "who_is_out"
_ANSWER: Final = "availability_answer"
# Edits stay in the grid until the grid gets another key.
_SAVES: Final = "availability_saves"
_KEPT_ROSTERS: Final = 8
_SHOWN: Final = (Availability.OUT, Availability.DOUBTFUL, Availability.QUESTIONABLE)
_LONGEST_NOTE: Final = 200
_PLAYER, _TEAM, _STATUS, _UNTIL, _NOTE = "Player", "Team", "Status", "Until", "Note"


@dataclass(frozen=True, slots=True)
class _Answer:
    """What came of a change; kept for the session, because the page is drawn anew after it."""

    slate_date: date
    text: str
    saved: bool = False


def show_listed(frame: Frame, projection: SlateProjection) -> None:
    """One line for everybody: who of the date's teams is listed; nothing if nobody is."""
    log = frame.application.predictions
    if log is None:
        return
    said = log.availability(projection.slate_date)
    if said and (line := listed_line(said, _players(frame, projection))):
        st.caption(plain(line))


def listed_line(said: Mapping[int, PlayerAvailability], players: pd.DataFrame) -> str:
    """Out: … · Doubtful: … · Questionable: … of `players` (Player and Team by id); "" if nobody."""
    parts = []
    for status in _SHOWN:
        listed = [player_id for player_id, one in said.items() if one.status == status]
        of_slate = players[players.index.isin(listed)].sort_values([_TEAM, _PLAYER])
        names = [f"{row[_PLAYER]} ({row[_TEAM]})" for row in of_slate.to_dict("records")]
        if names:
            parts.append(f"{status.value.capitalize()}: {', '.join(names)}")
    return " · ".join(parts)


def _players(frame: Frame, projection: SlateProjection) -> pd.DataFrame:
    """Everybody on the rosters of the slate's teams by id: Player and Team, game by game.

    It takes half a second, so it is kept until the state changes.
    """
    teams = tuple(
        team
        for forecast in projection.games
        for team in (
            (forecast.game.away_team_id, forecast.game.away_team),
            (forecast.game.home_team_id, forecast.game.home_team),
        )
    )
    season = frame.application.season
    content = (id(frame.application), None if season is None else season.content())
    return _rosters(frame.application.reference, teams, projection.slate_date, content)


@st.cache_data(show_spinner=False, max_entries=_KEPT_ROSTERS)
def _rosters(
    _reference: Reference, teams: tuple[tuple[int, str], ...], on: date, content: object
) -> pd.DataFrame:
    rows: dict[int, tuple[str, str]] = {}
    for team_id, team in teams:
        roster = _reference.roster(team_id, on).sort_values("player_name")
        for row in roster.to_dict("records"):
            rows.setdefault(int(row["player_id"]), (str(row["player_name"]), team))
    found = pd.DataFrame.from_dict(rows, orient="index", columns=[_PLAYER, _TEAM])
    return found.rename_axis("player_id")


def show_editor(frame: Frame, projection: SlateProjection) -> None:
    """The owner's list of a slate's players; nothing for anybody else, or for a past slate."""
    log = frame.application.predictions
    if log is None or not frame.actor.is_owner:
        return
    slate_date = projection.slate_date
    answer: _Answer | None = st.session_state.get(_ANSWER)
    if answer is not None and answer.slate_date != slate_date:
        answer = None
    # Its content is looked up and sent only while it is open.
    box = st.expander("Who is out", icon=":material/personal_injury:", key=_OPEN, on_change="rerun")
    if not box.open:
        return
    with box:
        if answer is not None:
            (st.success if answer.saved else st.error)(plain(answer.text))
        st.caption(
            f"From {full_date(slate_date)} on, until the date in the row or until it is changed. "
            "Who is out or doubtful is left out of the projections and his minutes go to his "
            "team-mates; who is questionable is projected and marked."
        )
        before = _editable(_players(frame, projection), log.availability(slate_date))
        with st.form("availability", border=False):
            after = st.data_editor(
                before,
                hide_index=True,
                width="stretch",
                height=360,
                placeholder="–",
                num_rows="fixed",
                disabled=[_PLAYER, _TEAM],
                key=f"availability_{slate_date}_{st.session_state.get(_SAVES, 0)}",
                column_config={
                    _PLAYER: st.column_config.TextColumn(pinned=True),
                    _TEAM: st.column_config.TextColumn(width="small"),
                    _STATUS: st.column_config.SelectboxColumn(
                        options=[status.value for status in Availability],
                        help="Empty: nothing is said of him.",
                    ),
                    _UNTIL: st.column_config.DateColumn(
                        min_value=slate_date,
                        format="YYYY-MM-DD",
                        help="The last US Eastern date for which it holds; empty: open.",
                    ),
                    _NOTE: st.column_config.TextColumn(max_chars=_LONGEST_NOTE),
                },
            )
            pressed = st.form_submit_button("Save who is out", icon=":material/save:")
        if pressed:
            _keep(_save(frame, slate_date, before, after))
        if (upload := show_upload(frame, template(before, slate_date))) is not None:
            _keep(_Answer(slate_date, upload.text, saved=upload.saved))


def _keep(answer: _Answer) -> None:
    """Remember what came of it, and draw the page anew: the projections stand above."""
    st.session_state[_ANSWER] = answer
    if answer.saved:
        st.session_state[_SAVES] = st.session_state.get(_SAVES, 0) + 1
    st.rerun()


def _editable(players: pd.DataFrame, said: Mapping[int, PlayerAvailability]) -> pd.DataFrame:
    """The players with what is said of them: Status and Note texts, Until a timestamp or NaT."""
    entries = [said.get(int(player_id)) for player_id in players.index]
    columns = {
        _STATUS: [None if one is None else one.status.value for one in entries],
        _UNTIL: [None if one is None else one.until_date for one in entries],
        _NOTE: ["" if one is None else one.note for one in entries],
    }
    added = pd.DataFrame(columns, index=players.index, dtype="object")
    types = {_STATUS: "string", _UNTIL: "datetime64[s]", _NOTE: "string"}
    return players.join(added.astype(types))


def changes_of(
    before: pd.DataFrame, after: pd.DataFrame, slate_date: date
) -> tuple[list[PlayerAvailability], list[str]]:
    """What was edited, as from `slate_date` on, and what is wrong with it, a sentence a row."""
    changes, problems = [], []
    earlier = _rows(before)
    for player_id, row in _rows(after).items():
        if row == earlier[player_id]:
            continue
        if row.status is None and earlier[player_id].status is None:
            problems.append(f"{row.player}: choose a status.")
        elif row.until is not None and row.until < slate_date:
            problems.append(
                f"{row.player}: until {short_date(row.until)} is before {short_date(slate_date)}."
            )
        else:
            # Nothing said any more takes the earlier word back.
            word = Availability(row.status or Availability.AVAILABLE)
            until = None if row.status is None else row.until
            changes.append(PlayerAvailability(player_id, word, slate_date, until, row.note))
    return changes, problems


@dataclass(frozen=True, slots=True)
class _Row:
    """One row of the grid."""

    player: str
    team: str
    status: str | None
    until: date | None
    note: str


def _rows(grid: pd.DataFrame) -> dict[int, _Row]:
    return {
        int(player_id): _Row(
            player=str(row[_PLAYER]),
            team=str(row[_TEAM]),
            status=None if pd.isna(row[_STATUS]) else str(row[_STATUS]),
            until=None if pd.isna(row[_UNTIL]) else pd.Timestamp(row[_UNTIL]).date(),
            note="" if pd.isna(row[_NOTE]) else str(row[_NOTE]).strip(),
        )
        for player_id, row in zip(grid.index, grid.to_dict("records"), strict=True)
    }


def template(grid: pd.DataFrame, slate_date: date) -> pd.DataFrame:
    """What the grid says, as a file that can be uploaded; one harmless row if it says nothing."""
    listed = {player_id: row for player_id, row in _rows(grid).items() if row.status is not None}
    if not listed:
        example = Availability.AVAILABLE.value
        listed = {
            player_id: _Row(row.player, row.team, example, None, "an example")
            for player_id, row in list(_rows(grid).items())[:1]
        }
    rows = [
        (player_id, row.player, row.team, row.status, slate_date, row.until, row.note)
        for player_id, row in listed.items()
    ]
    return pd.DataFrame(rows, columns=list(FILE_COLUMNS))


def _save(frame: Frame, slate_date: date, before: pd.DataFrame, after: pd.DataFrame) -> _Answer:
    changes, problems = changes_of(before, after, slate_date)
    if problems:
        return _Answer(slate_date, f"Nothing was saved. {' '.join(problems)}")
    if not changes:
        return _Answer(slate_date, "Nothing was changed.", saved=True)
    try:
        run = frame.application.set_availability(frame.actor, changes)
    except EXPLAINED as error:
        return _Answer(slate_date, str(error))
    return _Answer(slate_date, f"{count(len(changes), 'player')} saved. {_of(run)}", saved=True)


def _of(run: Run | None) -> str:
    if run is None:
        return "The projections follow; no revision was logged."
    return "The projections follow, and a revision was logged."
