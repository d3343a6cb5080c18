"""The players of some games of one date: who is expected, and what is forecast of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, timedelta
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nba.availability import Availability
from nba.features import FEATURES, NEWCOMER_GAMES, Asked, features_of
from nba.features.windows import Timeline
from nba.history import Floats, day_number
from nba.knowledge import Knowledge
from nba.model import Distribution
from nba.model.distribution import Spread
from nba.reference import Reference
from nba.rosters import (
    candidates,
    exponent_to,
    fitted_minutes,
    rosters_of,
    rotation,
    shared_minutes,
)
from nba.seasons import ScheduledGame
from nba.stats import MARKETS, Market

__all__ = ["Band", "PlayerProjection", "Squad", "SquadMember", "squad_of", "told_chances"]


@dataclass(frozen=True, slots=True)
class Band:
    """A projection of one market.

    `mean` is the expected value, `median` the forecast that absolute error judges, `floor` and
    `ceiling` the 10th and 90th percentile, and `distribution` has the chance of any line.
    """

    mean: float
    floor: float
    ceiling: float
    median: float
    distribution: Distribution


@dataclass(frozen=True, slots=True)
class PlayerProjection:
    """One player in one game.

    `bands` has a Band for each of `MARKETS`; minutes are in minutes, the others are counts.
    `from_prior` is True when what newcomers do has a share in it, that is below ten
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
    bands: Mapping[Market, Band]
    availability: Availability | None = None


@dataclass(frozen=True, slots=True)
class SquadMember:
    """What a player's projection was computed from.

    `asked` and `features` (1, len(FEATURES)) are his row alone, `most_minutes` the cap on his
    minutes (infinity without one), and `exponent` that of the curve which leads from his minutes to
    those that make his team's add up to 240.
    """

    asked: Asked
    features: Floats
    most_minutes: float
    exponent: float


_MINUTES: Final = MARKETS.index("minutes")
_CHANCE: Final = FEATURES.index("chance")
# The league's own words: questionable plays one time in two, doubtful one in four.
_CHANCES: Final = {
    Availability.AVAILABLE: 1.0,
    Availability.QUESTIONABLE: 0.5,
    Availability.DOUBTFUL: 0.25,
    Availability.OUT: 0.0,
}


class Squad:
    """The candidates of some games, what is forecast of them, and who of them is expected.

    `shares` has by day and player id what a cap leaves of his usual minutes, where it takes any.
    """

    def __init__(
        self,
        known: Knowledge,
        squad: pd.DataFrame,
        slate_date: date,
        availability: Mapping[int, Availability],
        caps: Mapping[int, float],
    ) -> None:
        self.knowledge, self._squad, self._words = known, squad, availability
        self._asked = _asked_of(squad, slate_date)
        ids = self._asked.player_id
        self._people = list(
            zip(squad["game"], squad["is_home"], ids.tolist(), *_names_of(squad), strict=True)
        )
        sides = squad.groupby([squad["game"].map(lambda game: game.game_id), "is_home"], sort=False)
        self._sides = [np.asarray(places) for places in sides.indices.values()]
        timeline = Timeline.of(known.history.player_id, known.history.day)
        self._ends = timeline.end(ids, self._asked.day)
        self._games = self._ends - timeline.first(ids)
        self._cap = np.array([caps.get(int(one), np.inf) for one in ids], np.float64)
        told = told_chances(availability, slate_date)
        self._rows = self._features(told)
        self.shares = self._shares_of(slate_date) if caps else {}
        if self.shares:
            # What a cap takes from a player is free for his team-mates.
            usual = zip(ids.tolist(), self._rows[:, _CHANCE].tolist(), strict=True)
            day = day_number(slate_date)
            chances = {(day, player): chance for player, chance in usual} | told
            self._rows = self._features(
                told | {key: chances[key] * share for key, share in self.shares.items()}
            )
        self._forecasts = known.model.players.forecast(self._rows, self._cap.astype(np.float32))
        self._exponents = np.full(len(squad), np.nan)
        self._order: list[int] = []
        minutes = self._usual_minutes() if caps else self._forecasts.mean[:, _MINUTES]
        for places in self._sides:
            self._order += self._fit(places, minutes)

    def _features(self, told: Mapping[tuple[int, int], float]) -> Floats:
        known = self.knowledge
        return features_of(
            known.history,
            self._asked,
            newcomers=known.model.newcomers,
            chances=known.model.chances,
            known=told,
        )

    def _usual_minutes(self) -> NDArray[np.float64]:
        """What the candidates would play without caps, before their teams' add up to 240."""
        minutes: NDArray[np.float64] = self.knowledge.model.players.minutes(self._rows).astype(
            np.float64
        )
        return minutes

    def _shares_of(self, slate_date: date) -> dict[tuple[int, int], float]:
        minutes = self._usual_minutes()
        for places in self._sides:
            chosen = places[rotation(minutes[places])]
            minutes[chosen], _ = shared_minutes(minutes[chosen], np.full(len(chosen), np.inf))
        day, found = day_number(slate_date), {}
        for player, cap, usual in zip(self._asked.player_id, self._cap, minutes, strict=True):
            if cap < usual:
                found[day, int(player)] = float(cap / usual)
        return found

    def _fit(self, places: NDArray[np.int64], minutes: NDArray[np.float64]) -> list[int]:
        """Choose one team's expected players, longest first, and fit their minutes to 240."""
        # Who is capped is expected still: he is chosen by what he would play without.
        chosen = places[rotation(minutes[places], self._cap[places])]
        shared, exponent = shared_minutes(minutes[chosen], self._cap[chosen])
        self._exponents[chosen] = exponent
        means = self._forecasts.mean[chosen, _MINUTES]
        for place, fitted, mean in zip(chosen, shared, means, strict=True):
            if self._cap[place] < np.inf:
                self._exponents[place] = exponent_to(float(mean), float(fitted))
        return [int(place) for place in chosen[np.argsort(-shared, kind="stable")]]

    def players(self) -> tuple[PlayerProjection, ...]:
        """The expected players, by game and team, most minutes first."""
        return tuple(self._player(place) for place in self._order)

    def member(self, game_id: str, player_id: int) -> SquadMember | None:
        """An expected player of a game; None for who is not expected, or not there."""
        for place in self._order:
            game = self._squad["game"].iloc[place]
            if (game.game_id, self._asked.player_id[place]) == (game_id, player_id):
                row = slice(place, place + 1)
                return SquadMember(
                    asked=Asked(*(getattr(self._asked, one.name)[row] for one in fields(Asked))),
                    features=self._rows[row],
                    most_minutes=float(self._cap[place]),
                    exponent=float(self._exponents[place]),
                )
        return None

    def _player(self, place: int) -> PlayerProjection:
        game, is_home, player_id, name, position = self._people[place]
        teams = (game.home_team, game.away_team) if is_home else (game.away_team, game.home_team)
        games = int(self._games[place])
        return PlayerProjection(
            game_id=game.game_id,
            player_id=player_id,
            player_name=str(name),
            position=str(position),
            team_id=game.home_team_id if is_home else game.away_team_id,
            team=teams[0],
            opponent=teams[1],
            is_home=is_home,
            from_prior=games < NEWCOMER_GAMES,
            games_of_history=games,
            last_game=self._last_game(place),
            bands={market: self._band(place, market) for market in MARKETS},
            availability=self._words.get(player_id),
        )

    def _last_game(self, place: int) -> date | None:
        if not self._games[place]:
            return None
        day = int(self.knowledge.history.day[self._ends[place] - 1])
        return date(1970, 1, 1) + timedelta(days=day)

    def _band(self, place: int, market: Market) -> Band:
        forecasts, column = self._forecasts, MARKETS.index(market)
        mean, floor, ceiling, median = (
            float(values[place, column])
            for values in (forecasts.mean, forecasts.floor, forecasts.ceiling, forecasts.median)
        )
        if market != "minutes":
            return Band(mean, floor, ceiling, median, forecasts.distribution(place, market))
        # Fitted minutes are no whole numbers, so neither is their median.
        middle = float(forecasts.middle[place, column])
        exponent = float(self._exponents[place])
        fitted = fitted_minutes(np.array([mean, floor, ceiling, middle]), exponent)
        mean, floor, ceiling, median = np.minimum(fitted, self._cap[place]).tolist()
        shape = forecasts.shapes["minutes"]
        return Band(mean, floor, ceiling, median, Spread(floor, median, ceiling, shape))


def squad_of(
    reference: Reference,
    known: Knowledge,
    slate_date: date,
    games: Sequence[ScheduledGame],
    availability: Mapping[int, Availability],
    most_minutes: Mapping[int, float],
    *,
    rosters: Mapping[int, pd.DataFrame] | None = None,
) -> Squad | None:
    """The squad of some games of a date; None where nobody may play.

    `availability` and `most_minutes` are as for `project_slate`, `rosters` those of `rosters_of`,
    looked up if they are not at hand.
    """
    rows = _candidates_of(reference, slate_date, games, availability, most_minutes, rosters)
    if not len(rows):
        return None
    return Squad(known, rows, slate_date, availability, most_minutes)


def told_chances(
    availability: Mapping[int, Availability], slate_date: date
) -> dict[tuple[int, int], float]:
    """The chance (0..1) to play of whom something is said, by day and player id."""
    day = day_number(slate_date)
    return {(day, player): _CHANCES[word] for player, word in availability.items()}


def _candidates_of(
    reference: Reference,
    slate_date: date,
    games: Sequence[ScheduledGame],
    availability: Mapping[int, Availability],
    most_minutes: Mapping[int, float],
    rosters: Mapping[int, pd.DataFrame] | None,
) -> pd.DataFrame:
    """Who may play, one row a player and game, a game's away team first."""
    team_ids = sorted({team for game in games for team in (game.home_team_id, game.away_team_id)})
    if rosters is None:
        rosters = rosters_of(reference, team_ids, slate_date)
    lineups = {
        team: candidates(reference, team, slate_date, availability, most_minutes, rosters)
        for team in team_ids
    }
    rows = [
        (game, is_home, player.player_id, player.player_name, player.position)
        for game in games
        for is_home in (False, True)
        for player in lineups[game.home_team_id if is_home else game.away_team_id].itertuples()
    ]
    return pd.DataFrame(rows, columns=["game", "is_home", "player_id", "player_name", "position"])


def _names_of(squad: pd.DataFrame) -> tuple[list[str], list[str]]:
    return squad["player_name"].astype(str).tolist(), squad["position"].astype(str).tolist()


def _asked_of(squad: pd.DataFrame, slate_date: date) -> Asked:
    games, is_home = list(squad["game"]), squad["is_home"].to_numpy(np.bool_)
    home = np.array([game.home_team_id for game in games], np.int64)
    away = np.array([game.away_team_id for game in games], np.int64)
    neutral = np.array([game.is_neutral for game in games], np.bool_)
    return Asked(
        player_id=squad["player_id"].to_numpy(np.int64),
        team_id=np.where(is_home, home, away),
        opponent_id=np.where(is_home, away, home),
        day=np.full(len(squad), day_number(slate_date)),
        season=np.array([int(game.season[:4]) for game in games], np.int64),
        home=np.where(neutral, 0.5, is_home).astype(np.float32),
        is_regular=np.array([game.season_type == "regular" for game in games], np.bool_),
    )
