"""A card for each game: who is likely to win, by how much, how rested, and whether it is logged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import streamlit as st

from jobs.outcome import Outcome
from nba.slate import GameProjection
from prediction_tracking import Run
from ui.badges import chance_banner
from ui.form import rest_words
from ui.formats import clock_time, percent, plain
from ui.frame import Frame
from ui.log_lines import game_line
from ui.tables import expected_score, spread

__all__ = ["game_name", "show_cards"]

_IN_A_ROW: Final = 3
_END_OF_LINE: Final = "  \n"
"""Of Markdown."""


def game_name(forecast: GameProjection) -> str:
    """CHA @ ATL: the away team first."""
    return f"{forecast.game.away_team} @ {forecast.game.home_team}"


def show_cards(
    frame: Frame,
    games: Sequence[GameProjection],
    outcome: Outcome,
    rest: Mapping[int, int | None],
    runs: Sequence[Run],
    counting: Mapping[str, str],
    *,
    of_slate: int,
) -> None:
    """Draw the cards of some games, three in a row where there is room.

    `rest` has days since the last game by team id, `runs` are the slate's, newest first,
    `counting` has the id of the run that counts by game id, and `of_slate` is how many games the
    whole slate has.
    """
    teams = frame.application.reference.teams()
    names = dict(zip(teams["team_id"].tolist(), teams["team_name"].tolist(), strict=True))
    for first in range(0, len(games), _IN_A_ROW):
        for forecast, place in zip(
            games[first : first + _IN_A_ROW], st.columns(_IN_A_ROW), strict=False
        ):
            with place.container(border=True, height="stretch", gap="xsmall"):
                _show_card(frame, forecast, outcome, names)
                game = forecast.game
                lines = [
                    " · ".join(
                        rest_words(team, rest.get(team_id))
                        for team, team_id in (
                            (game.away_team, game.away_team_id),
                            (game.home_team, game.home_team_id),
                        )
                    ),
                    game_line(forecast, runs, counting, of_slate, frame.zone),
                ]
                st.caption(_END_OF_LINE.join(plain(line) for line in lines if line))


def _show_card(
    frame: Frame, forecast: GameProjection, outcome: Outcome, names: Mapping[int, str]
) -> None:
    game, home_chance = forecast.game, forecast.home_win_probability
    pictures = frame.application.pictures
    away_wins, home_wins = percent(1 - home_chance), percent(home_chance)
    st.markdown(f"### {plain(game_name(forecast))}")
    about = [
        clock_time(game.tipoff_utc, frame.zone, game.slate_date) if game.tipoff_utc else "",
        "neutral court" if game.is_neutral else "",
        game.label,
    ]
    if any(about):
        st.caption(plain(" · ".join(one for one in about if one)))
    away_name = names.get(game.away_team_id, game.away_team)
    home_name = names.get(game.home_team_id, game.home_team)
    st.image(
        chance_banner(
            game.away_team,
            game.home_team,
            home_chance,
            away_mark=pictures.team(game.away_team_id, game.away_team),
            home_mark=pictures.team(game.home_team_id, game.home_team),
        ),
        width="stretch",
        alt=f"Chance to win: {away_name} {away_wins}, {home_name} {home_wins}",
    )
    with st.container(horizontal=True, horizontal_alignment="distribute", gap="small"):
        st.markdown(f"{plain(game.away_team)} **{plain(away_wins)}**", width="content")
        st.markdown(f"**{plain(home_wins)}** {plain(game.home_team)}", width="content")
    elo = forecast.elo_home_win_probability
    lines = (
        f"Expected **{plain(expected_score(forecast))}** points",
        f"Spread **{plain(spread(forecast))}**",
        _final(forecast, outcome),
    )
    st.markdown(
        _END_OF_LINE.join(line for line in lines if line),
        help=f"Plain Elo, which knows results only: {game.home_team} {plain(percent(elo))}",
    )


def _final(forecast: GameProjection, outcome: Outcome) -> str:
    """Final 115 – 124 · PHI won; "" before the end."""
    if forecast.game.game_id not in outcome.scores:
        return ""
    home_points, away_points = outcome.scores[forecast.game.game_id]
    winner = forecast.game.home_team if home_points > away_points else forecast.game.away_team
    return f"Final **{away_points} – {home_points}** · {plain(winner)} won"
