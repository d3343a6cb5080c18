"""Responses in the NBA's own shapes, made of a bundled season: what its servers would have said."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from nba.seasons import EASTERN, slate_date_of
from tests import nba_live_shapes as live
from tests import nba_stats_shapes as stats
from tests.nba_bundle import DATA
from tests.nba_league import Franchise, LeagueGame, Line, State

__all__ = ["GAME_LASTS", "League"]

Json = dict[str, Any]

GAME_LASTS = timedelta(hours=2, minutes=30)
"""From tip-off to the final box score."""

_FIRST_TIPOFF = time(19)
_TIPOFFS = 7
_STATS = ("pts", "reb", "oreb", "dreb", "ast", "stl", "blk", "tov", "pf", "fgm", "fga")
_MORE_STATS = ("fg3m", "fg3a", "ftm", "fta", "plus_minus")


@dataclass
class League:
    """Some dates of a bundled regular season, as the NBA would publish them at any moment.

    Box scores are the bundled ones. Tip-offs are invented: 19:00 to 22:00 Eastern, half an hour
    apart. So are starters where the bundle does not know them: those with the most minutes.
    """

    season: str
    franchises: dict[int, Franchise]
    positions: dict[int, str]
    games: dict[str, LeagueGame] = field(default_factory=dict)
    # By player: his name, and all his dates of the season with his team.
    careers: dict[int, tuple[str, list[tuple[date, int]]]] = field(default_factory=dict)

    @classmethod
    def of_season(cls, season: str, since: date, until: date) -> League:
        """The season's games from `since` to `until` (US Eastern dates, inclusive)."""
        is_regular = (pc.field("season") == season) & (pc.field("season_type") == "regular")
        rows = pq.read_table(DATA / "player_games.parquet", filters=is_regular).to_pylist()
        dates = (pc.field("game_date") >= since) & (pc.field("game_date") <= until)
        games = pq.read_table(DATA / "games.parquet", filters=is_regular & dates).to_pylist()
        people = pq.read_table(DATA / "players.parquet", columns=["player_id", "position"])
        positions = {row["player_id"]: row["position"] or "" for row in people.to_pylist()}
        league = cls(season, _franchises(pq.read_table(DATA / "teams.parquet")), positions)
        for row in sorted(rows, key=lambda row: (row["game_date"], row["game_id"])):
            career = league.careers.setdefault(row["player_id"], (row["player_name"], []))
            career[1].append((row["game_date"], row["team_id"]))
        lines: dict[str, list[Line]] = {}
        for row in rows:
            if since <= row["game_date"] <= until:
                lines.setdefault(row["game_id"], []).append(_line(row))
        played: dict[date, int] = {}
        for row in sorted(games, key=lambda row: row["game_id"]):
            number = played[row["game_date"]] = played.get(row["game_date"], -1) + 1
            league.games[row["game_id"]] = LeagueGame(
                game_id=row["game_id"],
                tipoff_utc=_tipoff(row["game_date"], number % _TIPOFFS),
                home_team_id=row["home_team_id"],
                away_team_id=row["away_team_id"],
                is_neutral=row["is_neutral"],
                lines=_with_starters(lines[row["game_id"]]),
            )
        return league

    def games_on(self, day: date) -> list[LeagueGame]:
        """The games that are on the schedule for a US Eastern date, postponed ones too."""
        games = [game for game in self.games.values() if game.game_date == day]
        return sorted(games, key=lambda game: (game.tipoff_utc, game.game_id))

    def state(self, game_id: str, now: datetime) -> State:
        """Whether a game is ahead, under way, final or postponed at `now` (aware)."""
        game = self.games[game_id]
        if game.is_postponed:
            return State.POSTPONED
        if now < game.tipoff_utc:
            return State.AHEAD
        return State.UNDER_WAY if now < game.tipoff_utc + GAME_LASTS else State.FINAL

    def box_score(self, game_id: str, now: datetime) -> Json:
        """The live feed's box score at `now`; KeyError for a game that is not the league's."""
        game = self.games[game_id]
        return live.box_score(game, self.state(game_id, now), self.franchises, self._absent(game))

    def scoreboard(self, now: datetime) -> Json:
        """The live feed's scoreboard at `now`: yesterday's games until 06:00 Eastern."""
        day = slate_date_of(now - timedelta(hours=6))
        games = [(game, self.state(game.game_id, now)) for game in self.games_on(day)]
        return live.scoreboard(day, games, self.franchises)

    def schedule(self, season: str, now: datetime) -> Json:
        """The schedule of all dates; without games for another season."""
        games = sorted(self.games.values(), key=lambda game: (game.tipoff_utc, game.game_id))
        known = [(game, self.state(game.game_id, now)) for game in games]
        return stats.schedule(season, known if season == self.season else [], self.franchises)

    def game_log(
        self,
        season: str,
        season_type: str,
        since: date | None,
        until: date | None,
        now: datetime,
    ) -> Json:
        """Every player's finished game of these dates; empty for another season or type."""
        asked = (season, season_type) == (self.season, "Regular Season")
        games = [
            game
            for game in sorted(self.games.values(), key=lambda game: game.tipoff_utc)
            if asked
            and self.state(game.game_id, now) is State.FINAL
            and (since is None or since <= game.game_date)
            and (until is None or game.game_date <= until)
        ]
        return stats.game_log(season, season_type, since, until, games, self.franchises)

    def player_index(self, season: str, now: datetime) -> Json:
        """Every player of the season with the team of his last game by `now`, or his first."""
        today = slate_date_of(now)
        players = [
            stats.Listed(player_id, name, _team_on(today, dates), self.positions.get(player_id, ""))
            for player_id, (name, dates) in sorted(self.careers.items())
        ]
        return stats.player_index(season, players if season == self.season else [], self.franchises)

    def correct(self, game_id: str, player_id: int, **values: int) -> None:
        """Correct statistics (`points`, `rebounds`, `assists`, `threes`, `minutes`) from now on.

        What they are made of (shots, free throws, rebounds of both kinds) follows.
        """
        game = self.games[game_id]
        lines = [
            line.corrected(**values) if line.player_id == player_id else line for line in game.lines
        ]
        if lines == game.lines:
            raise ValueError(f"player {player_id} has these values in {game_id}, or no row")
        self.games[game_id] = replace(game, lines=lines)

    def postpone(self, game_id: str, to: date | None) -> None:
        """Move a game to another date at the same time of day, or to a date yet unknown."""
        game = self.games[game_id]
        if to is None:
            self.games[game_id] = replace(game, is_postponed=True)
            return
        hour = game.tipoff_utc.astimezone(EASTERN).time()
        tipoff = datetime.combine(to, hour, EASTERN).astimezone(UTC)
        self.games[game_id] = replace(game, tipoff_utc=tipoff, is_postponed=False)

    def _absent(self, game: LeagueGame) -> Iterator[tuple[int, int, str]]:
        """(team, player, name) of those who played for a team before and after, but not here."""
        present = {line.player_id for line in game.lines}
        for player_id, (name, dates) in self.careers.items():
            team_id = _team_on(game.game_date, dates)
            around = dates[0][0] <= game.game_date <= dates[-1][0]
            if around and player_id not in present and team_id in game.team_ids:
                yield team_id, player_id, name


def _tipoff(day: date, number: int) -> datetime:
    first = datetime.combine(day, _FIRST_TIPOFF, EASTERN)
    return (first + timedelta(minutes=30 * number)).astimezone(UTC)


def _team_on(day: date, dates: list[tuple[date, int]]) -> int:
    by_then = [team_id for played_on, team_id in dates if played_on <= day]
    return by_then[-1] if by_then else dates[0][1]


def _franchises(table: pa.Table) -> dict[int, Franchise]:
    found = {}
    for row in table.to_pylist():
        words = row["team_name"].split()
        own = 2 if words[-1] == "Blazers" else 1
        city, name = " ".join(words[:-own]), " ".join(words[-own:])
        found[row["team_id"]] = Franchise(row["team_id"], row["team"], city, name)
    return found


def _line(row: Json) -> Line:
    return Line(
        player_id=row["player_id"],
        player_name=row["player_name"],
        team_id=row["team_id"],
        started=row["started"],
        minutes=row["minutes"],
        **{name: int(row[name]) for name in (*_STATS, *_MORE_STATS)},
    )


def _with_starters(lines: list[Line]) -> list[Line]:
    if all(line.started is not None for line in lines):
        return lines
    chosen: set[int] = set()
    for team_id in {line.team_id for line in lines}:
        own = [line for line in lines if line.team_id == team_id]
        own.sort(key=lambda line: (-line.minutes, line.player_id))
        chosen |= {line.player_id for line in own[:5]}
    return [replace(line, started=line.player_id in chosen) for line in lines]
