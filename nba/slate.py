"""One slate's projection: every game, every player expected to play, every stat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import pandas as pd

from nba.availability import Availability
from nba.errors import UnknownSlate
from nba.projections import (
    FULL_HISTORY_GAMES,
    WINDOW_GAMES,
    Priors,
    histories_of,
    priors_of,
    project,
)
from nba.ratings import rate
from nba.reference import Reference
from nba.rosters import candidates, fit_minutes, fitted_minutes, rotation
from nba.seasons import ScheduledGame
from nba.stats import STATS, Stat

__all__ = [
    "MODEL_VERSION",
    "Band",
    "GameProjection",
    "PlayerProjection",
    "ScheduledGame",
    "SlateProjection",
    "project_slate",
]

MODEL_VERSION: Final = "ewma-1+elo-1"


@dataclass(frozen=True, slots=True)
class Band:
    """A projection of one stat: its mean, and its 10th (floor) and 90th (ceiling) percentile."""

    mean: float
    floor: float
    ceiling: float


@dataclass(frozen=True, slots=True)
class PlayerProjection:
    """One player in one game.

    `bands` has a Band for each stat in `STATS`; minutes are in minutes, the others are counts.
    `from_prior` is True when the prior of his position has a share in it, that is below ten
    earlier games. `games_of_history` counts the earlier games that were looked at and `last_game`
    is the date of the latest one, None for a newcomer. `position` is "" where it is unknown.
    `availability` is what the owner has said of him, None without a word.
    """

    game_id: str
    player_id: int
    player_name: str
    position: str
    team_id: int
    team: str
    opponent: str
    is_home: bool
    from_prior: bool
    games_of_history: int
    last_game: date | None
    bands: Mapping[Stat, Band]
    availability: Availability | None = None


@dataclass(frozen=True, slots=True)
class GameProjection:
    """One game and the probability, in 0..1, that the home team wins."""

    game: ScheduledGame
    home_win_probability: float


@dataclass(frozen=True)
class SlateProjection:
    """All games of one US Eastern date.

    `data_as_of` is the date of the newest box score that was used, None when there was none.
    `undecided_games` counts games whose teams are not named yet; they are not projected.
    """

    slate_date: date
    model_version: str
    data_as_of: date | None
    games: tuple[GameProjection, ...]
    players: tuple[PlayerProjection, ...]
    undecided_games: int


def project_slate(
    reference: Reference,
    slate_date: date,
    availability: Mapping[int, Availability] | None = None,
) -> SlateProjection:
    """Project every decided game of `slate_date` from what happened before that date.

    `availability` says by player id who is out, doubtful, questionable or back: who is not
    expected to play is left out and his minutes go to his team-mates, and who is on the roster
    and said to be available or questionable is considered even if he missed the last games.

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
    return SlateProjection(
        slate_date=slate_date,
        model_version=MODEL_VERSION,
        data_as_of=reference.latest_box_score(slate_date),
        games=_project_games(reference, slate_date, games),
        players=_project_players(reference, slate_date, games, availability or {}),
        undecided_games=len(undecided),
    )


def _project_games(
    reference: Reference, slate_date: date, games: Sequence[ScheduledGame]
) -> tuple[GameProjection, ...]:
    if not games:
        return ()
    ratings = rate(reference.games(before=slate_date)).in_season(games[0].season)
    return tuple(
        GameProjection(
            game,
            ratings.home_win_probability(game.home_team_id, game.away_team_id, game.is_neutral),
        )
        for game in games
    )


def _project_players(
    reference: Reference,
    slate_date: date,
    games: Sequence[ScheduledGame],
    availability: Mapping[int, Availability],
) -> tuple[PlayerProjection, ...]:
    team_ids = sorted({team for game in games for team in (game.home_team_id, game.away_team_id)})
    lineups = {team: candidates(reference, team, slate_date, availability) for team in team_ids}
    player_ids = [int(one) for team in team_ids for one in lineups[team]["player_id"]]
    latest = reference.latest_games(player_ids, slate_date, WINDOW_GAMES)
    priors = priors_of(reference.newcomer_games(slate_date))
    last_games = latest.groupby("player_id")["game_date"].last()
    by_team = {team: _project_team(lineups[team], latest, last_games, priors) for team in team_ids}
    return tuple(
        player.in_game(game, is_home, availability.get(player.player_id))
        for game in games
        for is_home in (False, True)
        for player in by_team[game.home_team_id if is_home else game.away_team_id]
    )


@dataclass(frozen=True, slots=True)
class _ExpectedPlayer:
    """A player's projection, whoever the opponent is."""

    player_id: int
    player_name: str
    position: str
    games_of_history: int
    last_game: date | None
    bands: Mapping[Stat, Band]

    def in_game(
        self, game: ScheduledGame, is_home: bool, availability: Availability | None
    ) -> PlayerProjection:
        teams = (game.home_team, game.away_team) if is_home else (game.away_team, game.home_team)
        return PlayerProjection(
            game_id=game.game_id,
            player_id=self.player_id,
            player_name=self.player_name,
            position=self.position,
            team_id=game.home_team_id if is_home else game.away_team_id,
            team=teams[0],
            opponent=teams[1],
            is_home=is_home,
            from_prior=self.games_of_history < FULL_HISTORY_GAMES,
            games_of_history=self.games_of_history,
            last_game=self.last_game,
            bands=self.bands,
            availability=availability,
        )


def _project_team(
    lineup: pd.DataFrame, latest: pd.DataFrame, last_games: pd.Series[pd.Timestamp], priors: Priors
) -> list[_ExpectedPlayer]:
    """The players of one team expected to play, most minutes first, adding up to 240 minutes."""
    player_ids = [int(one) for one in lineup["player_id"]]
    positions = [str(one) for one in lineup["position"]]
    histories = histories_of(latest[latest["player_id"].isin(player_ids)], player_ids)
    projected = project(histories, positions, priors)
    minutes = STATS.index("minutes")
    chosen = rotation(projected.mean[:, minutes])
    exponent = fit_minutes(projected.mean[chosen, minutes])
    for values in (projected.mean, projected.floor, projected.ceiling):
        values[:, minutes] = fitted_minutes(values[:, minutes], exponent)
    return [
        _ExpectedPlayer(
            player_id=player_ids[row],
            player_name=str(lineup["player_name"].iloc[row]),
            position=positions[row],
            games_of_history=int(histories.games[row]),
            last_game=(
                last_games[player_ids[row]].date() if player_ids[row] in last_games.index else None
            ),
            bands={
                stat: Band(
                    float(projected.mean[row, column]),
                    float(projected.floor[row, column]),
                    float(projected.ceiling[row, column]),
                )
                for column, stat in enumerate(STATS)
            },
        )
        for row in chosen.tolist()
    ]
