"""One slate's projection: every game, every player expected to play, every stat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import pandas as pd

from nba.availability import Availability
from nba.errors import UnknownSlate
from nba.knowledge import Knowledge, knowledge_of
from nba.model import shipped_model
from nba.reference import Reference
from nba.rosters import TEAM_MINUTES, rosters_of
from nba.seasons import ScheduledGame
from nba.squad import Band, PlayerProjection, squad_of, told_chances
from nba.strength import Games, Lineups, games_of_slate

__all__ = [
    "Band",
    "GameProjection",
    "PlayerProjection",
    "ScheduledGame",
    "SlateProjection",
    "project_slate",
]

_ROUNDING: Final = 1e-6


@dataclass(frozen=True, slots=True)
class GameProjection:
    """One game: the probability (0..1) that the home team wins, plain Elo's, expected points."""

    game: ScheduledGame
    home_win_probability: float
    elo_home_win_probability: float
    home_points: float
    away_points: float


@dataclass(frozen=True)
class SlateProjection:
    """All games of one US Eastern date.

    `data_as_of` is the date of the newest box score that was used, None when there was none.
    `undecided_games` counts games whose teams are not named yet; they are not projected.
    `short_teams` are the teams whose players, with the caps on them, cannot fill 240 minutes: what
    is said of these is for less than a game.
    """

    slate_date: date
    model_version: str
    data_as_of: date | None
    games: tuple[GameProjection, ...]
    players: tuple[PlayerProjection, ...]
    undecided_games: int
    short_teams: tuple[str, ...] = ()


def project_slate(
    reference: Reference,
    slate_date: date,
    availability: Mapping[int, Availability] | None = None,
    *,
    most_minutes: Mapping[int, float] | None = None,
    knowledge: Knowledge | None = None,
) -> SlateProjection:
    """Project every decided game of `slate_date` from what happened before that date.

    `availability` says by player id who is out, doubtful, questionable or back: who is not
    expected to play is left out and what he leaves goes to his team-mates, and who is on the roster
    (before there are rosters: who played for the team last) and said to be available or
    questionable is considered even if he missed the last games.
    `most_minutes` caps players' minutes. `knowledge` is what `knowledge_of` gives for the date, if
    it is at hand; else it is loaded for the shipped model.

    An evening without games inside a season gives a projection without games; a date outside
    every bundled season and the schedule raises UnknownSlate. Nothing from that date or after it
    is looked at, but for the date's own schedule and, from August 2026 on, the newest rosters.
    """
    games = reference.slate(slate_date)
    undecided = reference.undecided(slate_date)
    if not games and not undecided and not reference.covers(slate_date):
        raise UnknownSlate(
            "Projecting a slate",
            slate_date.isoformat(),
            "the date lies outside every season that is known",
            "Choose a date of the schedule or of a bundled season",
        )
    if not games:
        # Nothing need be loaded for it.
        return SlateProjection(
            slate_date=slate_date,
            model_version=shipped_model().version if knowledge is None else knowledge.model.version,
            data_as_of=reference.latest_box_score(slate_date),
            games=(),
            players=(),
            undecided_games=len(undecided),
        )
    known = knowledge or knowledge_of(reference, shipped_model(), slate_date)
    words, caps = availability or {}, most_minutes or {}
    asked = games_of_slate(games)
    rosters = rosters_of(reference, sorted(set(asked.team_id.tolist())), slate_date)
    squad = squad_of(reference, known, slate_date, games, words, caps, rosters=rosters)
    players = () if squad is None else squad.players()
    lineups = known.model.strength.expected_lineups(
        known.past,
        asked,
        teams=_teams_of(rosters),
        known=told_chances(words, slate_date),
        shares={} if squad is None else squad.shares,
    )
    return SlateProjection(
        slate_date=slate_date,
        model_version=known.model.version,
        data_as_of=reference.latest_box_score(slate_date),
        games=_project_games(known, slate_date, games, asked, lineups),
        players=players,
        undecided_games=len(undecided),
        short_teams=_short_teams(games, players),
    )


def _teams_of(rosters: Mapping[int, pd.DataFrame] | None) -> dict[int, int] | None:
    """Each listed player's team, by player id."""
    if rosters is None:
        return None
    return {int(one): team for team, roster in rosters.items() for one in roster["player_id"]}


def _short_teams(
    games: Sequence[ScheduledGame], players: Sequence[PlayerProjection]
) -> tuple[str, ...]:
    minutes: dict[tuple[str, str], float] = {
        (game.game_id, team): 0.0 for game in games for team in (game.away_team, game.home_team)
    }
    for player in players:
        minutes[player.game_id, player.team] += player.bands["minutes"].mean
    return tuple(
        dict.fromkeys(team for (_, team), one in minutes.items() if one < TEAM_MINUTES - _ROUNDING)
    )


def _project_games(
    known: Knowledge,
    slate_date: date,
    games: Sequence[ScheduledGame],
    asked: Games,
    lineups: Lineups,
) -> tuple[GameProjection, ...]:
    ratings = known.ratings(slate_date).in_season(games[0].season)
    found = known.model.strength.forecast(known.past, asked, lineups)
    return tuple(
        GameProjection(
            game=game,
            home_win_probability=float(found.home_win_probability[place]),
            elo_home_win_probability=ratings.home_win_probability(
                game.home_team_id, game.away_team_id, game.is_neutral
            ),
            home_points=float(found.home_points[place]),
            away_points=float(found.away_points[place]),
        )
        for place, game in enumerate(games)
    )
