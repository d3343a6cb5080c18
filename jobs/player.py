"""One player: who there is, what he has done, and which game comes next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from jobs.application import Application
from nba.reference import ROSTERS_AS_OF, Reference
from nba.seasons import ScheduledGame
from prediction_tracking import PredictionLog
from tracking.player_season import learned_teams

__all__ = ["Person", "Scores", "bundled_scores", "next_game", "people", "team_names"]


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who has played, or may.

    Attributes:
        player_id: the league's number.
        name: as it is written, with its accents.
        position: such as "F"; "" where it is unknown.
        team_id: whose roster he is on, None without one.
        team: its abbreviation, "" without one.
    """

    player_id: int
    name: str
    position: str
    team_id: int | None
    team: str


Scores = Mapping[str, tuple[int, int]]
"""(home, away) points by game id."""


def people(reference: Reference, log: PredictionLog | None, on: date) -> Mapping[int, Person]:
    """Everybody who is known by id, each with his team on a US Eastern date.

    Without the log the bundled rosters say whose player he is; before their own date they say
    nothing, and only who has played for a team is its player.
    """
    names = team_names(reference)
    is_listed = on >= ROSTERS_AS_OF
    listed_on = ROSTERS_AS_OF if is_listed else date.min
    learned = {} if log is None else learned_teams(log.query, on, listed_on)
    ids = {name: team_id for team_id, name in names.items()}
    found: dict[int, Person] = {}
    for row in reference.players().to_dict("records"):
        player_id = int(row["player_id"])
        # Asked one by one, as the projections do, the rosters of all teams take seconds.
        listed = ids.get(str(row["roster_team"])) if is_listed else None
        team_id = learned.get(player_id, listed)
        found[player_id] = Person(
            player_id=player_id,
            name=str(row["player_name"]),
            position=str(row["position"]),
            team_id=team_id,
            team="" if team_id is None else names.get(team_id, ""),
        )
    return found


def team_names(reference: Reference) -> dict[int, str]:
    """The abbreviations of the teams by id."""
    teams = reference.teams()
    return {int(key): str(name) for key, name in zip(teams["team_id"], teams["team"], strict=True)}


def bundled_scores(reference: Reference) -> Scores:
    """The final scores of the bundled seasons; they stay the same as long as the file does."""
    games = Reference(reference.path).games()
    columns = (games["game_id"], games["home_points"], games["away_points"])
    return {
        str(game_id): (int(home), int(away)) for game_id, home, away in zip(*columns, strict=True)
    }


def next_game(
    application: Application, team_id: int | None, finished: Scores
) -> ScheduledGame | None:
    """A team's first game from tonight on that is not among the finished ones, None without one.

    Preseason games are passed over, except where tonight's slate is one of them. Raises NotReady.
    """
    tonight = application.tonights_date()
    if team_id is None or tonight is None:
        return None
    to_come = [
        game
        for game in application.reference.schedule()
        if isinstance(game, ScheduledGame)
        and game.slate_date >= tonight
        and game.game_id not in finished
        and team_id in (game.home_team_id, game.away_team_id)
    ]
    counting = [game for game in to_come if game.season_type != "preseason"]
    return next(iter(counting or to_come), None)
