"""What players did in their last games, and how long teams have rested: kept until news comes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Final

import pandas as pd
import streamlit as st

from nba.reference import Reference
from nba.rest import days_since_last_game
from nba.slate import SlateProjection
from nba.stats import STATS, SUMMED, Market
from ui.frame import Frame

__all__ = ["FORM_GAMES", "form_of", "numbers_of", "rest_of", "rest_words"]

FORM_GAMES: Final = 10
"""How many of the last games a sparkline shows."""

# Who has not played for so long has no form.
_LOOKED_AT: Final = timedelta(days=120)
_KEPT_SLATES: Final = 8
_LONG_BREAK_DAYS: Final = 8

Form = Mapping[tuple[int, Market], list[float]]
"""By player id and market the numbers of his last games, oldest first."""


def form_of(frame: Frame, projection: SlateProjection) -> Form:
    """The last FORM_GAMES games of each player of a slate; who has none is not in it."""
    if projection.data_as_of is None:
        return {}
    ids = tuple(sorted({player.player_id for player in projection.players}))
    return _form(
        frame.application.reference,
        ids,
        projection.slate_date,
        projection.data_as_of,
        _content(frame),
    )


def rest_of(frame: Frame, projection: SlateProjection) -> Mapping[int, int | None]:
    """Days since each team's last game, by team id; None before the season's first."""
    teams = tuple(
        team
        for forecast in projection.games
        for team in (forecast.game.away_team_id, forecast.game.home_team_id)
    )
    return _rest(frame.application.reference, projection.slate_date, teams, _content(frame))


def rest_words(team: str, days: int | None) -> str:
    """BOS played the day before; BOS 2 days off."""
    if days is None:
        return f"{team} first game of the season"
    if days == 1:
        return f"{team} played the day before"
    if days > _LONG_BREAK_DAYS:
        return f"{team} more than a week off"
    return f"{team} 1 day off" if days == 2 else f"{team} {days - 1} days off"


def _content(frame: Frame) -> object:
    """Changes whenever what is known may have changed."""
    season = frame.application.season
    return id(frame.application), None if season is None else season.content()


@st.cache_data(show_spinner=False, max_entries=_KEPT_SLATES)
def _form(
    _reference: Reference,
    player_ids: tuple[int, ...],
    slate_date: date,
    data_as_of: date,
    content: object,
) -> dict[tuple[int, Market], list[float]]:
    games = _reference.player_games(
        player_ids=player_ids, since=data_as_of - _LOOKED_AT, before=slate_date
    )
    return numbers_of(games)


def numbers_of(games: pd.DataFrame) -> dict[tuple[int, Market], list[float]]:
    """The last FORM_GAMES of `Reference.player_games`, as numbers by player id and market.

    A number that a box score lacks is left out, and so is a sum of which a part is not known.
    """
    # In order of their dates already.
    last: pd.DataFrame = games.groupby("player_id", sort=False).tail(FORM_GAMES)
    last = last.assign(pra=last[list(SUMMED)].sum(axis=1, skipna=False))
    found: dict[tuple[int, Market], list[float]] = {}
    markets: tuple[Market, ...] = (*STATS, "pra")
    for player_id, rows in last.groupby("player_id", sort=False):
        for market in markets:
            known = rows[market].dropna()
            found[int(str(player_id)), market] = [float(one) for one in known]
    return found


@st.cache_data(show_spinner=False, max_entries=_KEPT_SLATES)
def _rest(
    _reference: Reference, slate_date: date, team_ids: tuple[int, ...], content: object
) -> dict[int, int | None]:
    return days_since_last_game(_reference, slate_date, team_ids)
