"""Which game and player a row of an earlier app's table means."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import apsw

from nba.reference import Reference
from tracking.frames import name_key
from tracking.legacy_rows import LegacyRow, SkipReason
from tracking.results import LEGACY_GAME_PREFIX

__all__ = ["Game", "GameFinder", "ResolvedRow"]


class Game(NamedTuple):
    """A game as `game_predictions` keeps it; all None for one that no schedule has."""

    tipoff_utc: str | None
    home_team_id: int | None
    away_team_id: int | None
    home_team: str | None
    away_team: str | None


@dataclass(frozen=True, slots=True)
class ResolvedRow:
    """A row with its game and player; `official_points` is the bundled box score's, if any."""

    row: LegacyRow
    player_id: int
    game_id: str
    game: Game
    team_id: int | None
    actual: int | None
    official_points: int | None
    is_new_name: bool

    def with_actual(self, actual: int | None) -> ResolvedRow:
        """The same row with another actual."""
        return replace(self, actual=actual)


class _Evening(NamedTuple):
    games: dict[str, Game]
    played: dict[int, dict[str, tuple[int, int]]]


class GameFinder(AbstractContextManager["GameFinder"]):
    """Looks games and players up in the reference; with None for it, every game is unknown.

    Raises nba.errors.ReferenceMissing or ReferenceDamaged when the file is not a whole reference.
    """

    def __init__(self, reference_path: Path | None) -> None:
        self._connection: apsw.Connection | None = None
        self._names: dict[int, str] = {}
        self._rosters: dict[int, str] = {}
        self._by_name: dict[str, list[int]] = {}
        self._evenings: dict[date, _Evening] = {}
        if reference_path is None:
            return
        Reference(reference_path)
        uri = f"{reference_path.absolute().as_uri()}?mode=ro"
        flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
        self._connection = apsw.Connection(uri, flags=flags)
        sql = "SELECT player_id, player_name, roster_team FROM players ORDER BY player_id"
        for player_id, name, team in self._connection.execute(sql):
            self._names[player_id] = name
            self._by_name.setdefault(name_key(name), []).append(player_id)
            if team is not None:
                self._rosters[player_id] = team

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._connection is not None:
            self._connection.close()

    def find(self, row: LegacyRow) -> ResolvedRow | SkipReason:
        """The row's player and game; a game that is nowhere gets an id of its own."""
        evening = self._evening(row.game_date)
        player_id = self._player(row, evening)
        if isinstance(player_id, SkipReason):
            return player_id
        played = evening.played.get(player_id, {})
        game_id = self._game(row, player_id, evening)
        team_id, points = played.get(game_id, (None, None))
        game = evening.games.get(game_id, Game(None, None, None, None, None))
        if team_id is None:
            team = row.team or self._rosters.get(player_id, "")
            team_id = _team_ids(game).get(team)
        return ResolvedRow(
            row=row,
            player_id=player_id,
            game_id=game_id,
            game=game,
            team_id=team_id,
            actual=row.actual,
            official_points=points,
            is_new_name=bool(row.player_name) and player_id not in self._names,
        )

    def _player(self, row: LegacyRow, evening: _Evening) -> int | SkipReason:
        if row.player_id is not None:
            return row.player_id
        named = self._by_name.get(name_key(row.player_name), [])
        if len(named) > 1:
            named = [i for i in named if i in evening.played] or named
        if not named:
            return SkipReason.NO_PLAYER
        return named[0] if len(named) == 1 else SkipReason.AMBIGUOUS_PLAYER

    def _game(self, row: LegacyRow, player_id: int, evening: _Evening) -> str:
        if row.game_id in evening.games:
            return row.game_id
        candidates: Sequence[str] = list(evening.played.get(player_id, ()))
        if len(candidates) != 1:
            teams = {row.team, row.opponent} - {""} or {self._rosters.get(player_id, "")}
            candidates = [
                game_id
                for game_id, game in evening.games.items()
                if teams <= {game.home_team, game.away_team}
            ]
        if len(candidates) == 1:
            return candidates[0]
        return f"{LEGACY_GAME_PREFIX}{row.game_date.isoformat()}-{player_id}"

    def _evening(self, day: date) -> _Evening:
        known = self._evenings.get(day)
        if known is not None:
            return known
        games: dict[str, Game] = {}
        played: dict[int, dict[str, tuple[int, int]]] = {}
        if self._connection is not None:
            key = (day.isoformat(),)
            for table, tipoff in (("games", "NULL"), ("schedule", "tipoff_utc")):
                sql = (
                    f"SELECT game_id, {tipoff}, home_team_id, away_team_id, home_team, away_team"
                    f" FROM {table} WHERE game_date = ? ORDER BY game_id"
                )
                for game_id, *game in self._connection.execute(sql, key):
                    games[game_id] = Game(*game)
            sql = "SELECT player_id, game_id, team_id, points FROM player_games WHERE game_date = ?"
            for player_id, game_id, team_id, points in self._connection.execute(sql, key):
                played.setdefault(player_id, {})[game_id] = (team_id, points)
        self._evenings[day] = _Evening(games, played)
        return self._evenings[day]


def _team_ids(game: Game) -> dict[str, int]:
    pairs = ((game.home_team, game.home_team_id), (game.away_team, game.away_team_id))
    return {team: team_id for team, team_id in pairs if team is not None and team_id is not None}
