"""What a league is made of: franchises, games, and each player's line in a game."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import Enum

from nba.seasons import slate_date_of

__all__ = ["Franchise", "LeagueGame", "Line", "State"]


class State(Enum):
    """How far a game is."""

    AHEAD = 1
    UNDER_WAY = 2
    FINAL = 3
    POSTPONED = 4


@dataclass(frozen=True)
class Franchise:
    """A team: 1610612738, "BOS", "Boston", "Celtics"."""

    team_id: int
    tricode: str
    city: str
    name: str


@dataclass(frozen=True)
class Line:
    """One player's line in a box score."""

    player_id: int
    player_name: str
    team_id: int
    started: bool | None
    minutes: int
    pts: int
    reb: int
    oreb: int
    dreb: int
    ast: int
    stl: int
    blk: int
    tov: int
    pf: int
    fgm: int
    fga: int
    fg3m: int
    fg3a: int
    ftm: int
    fta: int
    plus_minus: int

    def corrected(
        self,
        points: int | None = None,
        rebounds: int | None = None,
        assists: int | None = None,
        threes: int | None = None,
        minutes: int | None = None,
    ) -> Line:
        """With other values, and the parts that make up points and rebounds to match.

        A three more was a two before. ValueError for points that no shots of his can make.
        """
        line = self
        if threes is not None:
            more = threes - line.fg3m
            fgm = max(line.fgm, threes)
            line = replace(line, fg3m=threes, fg3a=line.fg3a + max(more, 0), fgm=fgm)
            line = replace(line, fga=max(line.fga, fgm, line.fg3a))
            line = replace(line, pts=2 * line.fgm + line.fg3m + line.ftm)
        if points is not None:
            line = line._with_points(points)
        if rebounds is not None:
            oreb = min(line.oreb, rebounds)
            line = replace(line, reb=rebounds, oreb=oreb, dreb=rebounds - oreb)
        return replace(
            line,
            ast=line.ast if assists is None else assists,
            minutes=line.minutes if minutes is None else minutes,
        )

    def _with_points(self, points: int) -> Line:
        more = points - self.pts
        if more >= 0:
            return replace(self, pts=points, ftm=self.ftm + more, fta=self.fta + more)
        free = min(self.ftm, -more)
        twos = (-more - free + 1) // 2
        if points < 0 or self.fgm - twos < self.fg3m:
            raise ValueError(f"no shots of player {self.player_id} make {points} points")
        ftm = points - 2 * (self.fgm - twos) - self.fg3m
        return replace(self, pts=points, fgm=self.fgm - twos, ftm=ftm, fta=max(self.fta, ftm))


@dataclass(frozen=True)
class LeagueGame:
    """A game with the box score that it will have; `tipoff_utc` is aware."""

    game_id: str
    tipoff_utc: datetime
    home_team_id: int
    away_team_id: int
    is_neutral: bool
    lines: list[Line] = field(repr=False)
    is_postponed: bool = False

    @property
    def game_date(self) -> date:
        """The US Eastern date that it is scheduled for."""
        return slate_date_of(self.tipoff_utc)

    @property
    def team_ids(self) -> tuple[int, int]:
        """Home and away."""
        return self.home_team_id, self.away_team_id

    def of_team(self, team_id: int) -> list[Line]:
        """A team's lines: starters first, then by minutes."""
        own = [line for line in self.lines if line.team_id == team_id]
        return sorted(own, key=lambda line: (not line.started, -line.minutes, line.player_id))

    def points(self, team_id: int) -> int:
        """A team's final score."""
        return sum(line.pts for line in self.lines if line.team_id == team_id)
