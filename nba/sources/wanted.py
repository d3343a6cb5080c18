"""What a source can be asked for: an endpoint of the NBA with its parameters."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

__all__ = ["Endpoint", "Wanted"]


class Endpoint(StrEnum):
    """The NBA's own names of what it publishes."""

    SCOREBOARD = "scoreboard"
    BOX_SCORE = "boxscore"
    SCHEDULE = "scheduleleaguev2"
    GAME_LOG = "leaguegamelog"
    PLAYER_INDEX = "playerindex"


@dataclass(frozen=True, slots=True)
class Wanted:
    """One response to ask for; `parameters` are (name, value) pairs in order of names."""

    endpoint: Endpoint
    parameters: tuple[tuple[str, str], ...] = ()

    @classmethod
    def scoreboard(cls) -> Wanted:
        """The league's current slate: games, tip-offs, states, scores."""
        return cls(Endpoint.SCOREBOARD)

    @classmethod
    def box_score(cls, game_id: str) -> Wanted:
        """One game's box score."""
        return cls(Endpoint.BOX_SCORE, (("game_id", game_id),))

    @classmethod
    def schedule(cls, season: str) -> Wanted:
        """All games of a season, such as "2026-27"."""
        return cls(Endpoint.SCHEDULE, (("season", season),))

    @classmethod
    def game_log(
        cls, season: str, season_type: str, since: date | None = None, until: date | None = None
    ) -> Wanted:
        """Every player's game of a season, or of the US Eastern dates `since` to `until`.

        `season_type` is the NBA's: "Regular Season", "PlayIn", "Playoffs", "Pre Season".
        """
        return cls(
            Endpoint.GAME_LOG,
            (
                ("season", season),
                ("season_type", season_type),
                ("since", "" if since is None else since.isoformat()),
                ("until", "" if until is None else until.isoformat()),
            ),
        )

    @classmethod
    def players(cls, season: str) -> Wanted:
        """Every player of a season with his team: the rosters."""
        return cls(Endpoint.PLAYER_INDEX, (("season", season),))

    def __getitem__(self, name: str) -> str:
        """The value of a parameter; KeyError without it."""
        return dict(self.parameters)[name]
