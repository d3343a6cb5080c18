"""The reference: bundled seasons and schedule as one read-only SQLite file, and questions to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

import apsw
import pandas as pd

from nba.errors import ReferenceDamaged, ReferenceMissing
from nba.history import HISTORY_COLUMNS, History, history_of
from nba.reference_build import build_reference, reference_hash, verify_reference
from nba.reference_learned import BUNDLED, LEARNED
from nba.reference_rosters import (
    ROSTERS_AS_OF,
    Ask,
    appeared,
    last_games,
    latest_appearance,
    roster_rows,
)
from nba.reference_rows import (
    PERSON_COLUMNS,
    PLAYED_COLUMNS,
    PLAYER_GAME_COLUMNS,
    SCHEDULE_COLUMNS,
    Game,
    by_tipoff,
    game_of,
    people_of,
    typed,
    with_plan,
)
from nba.reference_tables import SCHEMA_VERSION
from nba.seasons import ScheduledGame, UndecidedGame

__all__ = [
    "ROSTERS_AS_OF",
    "Reference",
    "ReferenceInfo",
    "build_reference",
    "reference_hash",
    "verify_reference",
]

_READ_ONLY: Final = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI


@dataclass(frozen=True, slots=True)
class ReferenceInfo:
    """What a reference file was built from: `data_as_of` is the date of its newest box score."""

    schema_version: int
    content_hash: str
    data_as_of: date


ReadLearned = Callable[[], AbstractContextManager[apsw.Connection]]
"""Opens a reading connection: the state as `main`, the reference file as `reference`."""


class Reference:
    """Read-only questions to a reference file made by `build_reference`.

    With `learned` the answers hold what the state has learned since as well: see `with_learned`.

    May be shared between threads: each call opens a connection of its own and closes it. Frames
    hold `game_date` as pandas timestamps without a zone (Eastern dates), ids as integers, stats as
    floats with NaN where the source has none. The tables, for those who attach the file, with ISO
    dates as text and 0/1 for booleans:

    - teams (team_id, team, team_name)
    - players (player_id, player_name, position, height_in, birth_date, first_game, last_game,
      games, last_team, roster_team)
    - games (game_id, season, season_type, game_date, home_team_id, home_team, away_team_id,
      away_team, home_points, away_points, home_win, is_neutral, overtime)
    - player_games (player_id, game_date, game_id, season, season_type, team_id, opponent_id,
      is_home, won, started, minutes, points, rebounds, assists, threes, oreb, dreb, stl, blk, tov,
      pf, fgm, fga, fg3a, ftm, fta, plus_minus), primary key (player_id, game_date, game_id), index
      (game_id, player_id)
    - schedule (game_id, season, season_type, game_date, tipoff_utc, home_team_id, home_team,
      away_team_id, away_team, is_neutral, label, arena); teams and tip-off NULL while undecided
    - absences (game_id, player_id, game_date, team_id, status)
    - reference_info (schema_version, content_hash, data_as_of)

    Raises ReferenceMissing when there is no file, ReferenceDamaged when it is no whole reference
    of this version.
    """

    def __init__(self, path: Path, learned: ReadLearned | None = None) -> None:
        self._path = path
        self._learned = learned
        self._tables = BUNDLED if learned is None else LEARNED
        self._info = self._read_info()

    def with_learned(self, learned: ReadLearned) -> Reference:
        """The same questions, answered from the bundled seasons and the state together.

        A question then sees one moment of the state, and two questions may see two.
        """
        return Reference(self._path, learned)

    @property
    def path(self) -> Path:
        return self._path

    @property
    def info(self) -> ReferenceInfo:
        return self._info

    def data_as_of(self) -> date:
        """The Eastern date of the newest box score."""
        latest = self.latest_box_score(date.max)
        return self._info.data_as_of if latest is None else latest

    def latest_box_score(self, before: date) -> date | None:
        """The date of the newest box score before a date."""
        [(day,)] = self._rows(self._tables.latest_date, before.isoformat())
        return None if day is None else date.fromisoformat(day)

    def seasons_since(self, day: date) -> tuple[str, ...]:
        """The seasons with box scores of games after a date, ascending."""
        rows = self._rows(
            "SELECT DISTINCT season FROM games WHERE game_date > ?"
            f" AND {self._tables.has_box_scores()} ORDER BY season",
            day.isoformat(),
        )
        return tuple(season for (season,) in rows)

    def unfinished(self, until: date) -> list[ScheduledGame]:
        """The scheduled games up to a date, inclusive, of which no final score is known."""
        scheduled = self._scheduled(
            "WHERE game_date <= ? AND NOT EXISTS (SELECT 1 FROM games"
            " WHERE games.game_id = schedule.game_id)",
            until.isoformat(),
        )
        return [game for game in scheduled if isinstance(game, ScheduledGame)]

    def schedule(self) -> tuple[ScheduledGame | UndecidedGame, ...]:
        """The whole schedule by date and tip-off, undecided games last; see `seasons.tonight`."""
        return tuple(self._scheduled(""))

    def schedule_dates(self, season: str) -> tuple[date, ...]:
        """The dates of a season's schedule, ascending; none for a season without a schedule."""
        return self._dates(
            "SELECT DISTINCT game_date FROM schedule WHERE season = ? ORDER BY game_date", season
        )

    def bundled_dates(self) -> tuple[date, ...]:
        """The dates that have box scores, ascending: those that a replay can be compared with."""
        return self._dates(
            f"SELECT DISTINCT game_date FROM ({self._tables.dates}) ORDER BY game_date"
        )

    def covers(self, slate_date: date) -> bool:
        """Whether a date lies within a bundled season with box scores or within the schedule."""
        rows = self._rows(
            "SELECT 1 FROM (SELECT min(game_date) AS first, max(game_date) AS last"
            " FROM (SELECT season, game_date FROM schedule UNION ALL SELECT games.season,"
            " games.game_date FROM games WHERE season IN (SELECT season FROM player_games))"
            " GROUP BY season) WHERE ? BETWEEN first AND last LIMIT 1",
            slate_date.isoformat(),
        )
        return bool(rows)

    def slate(self, slate_date: date) -> list[ScheduledGame]:
        """The games of a date by tip-off: those with a final score, and from the schedule the rest.

        What was played is known better than what was planned: a game with a final score is on the
        slate of the date that this says, with these teams, and takes its tip-off and label from
        the schedule if that has it on the same date. Games whose teams are undecided are not among
        them. Empty for a date without games.
        """
        played, to_come = self._evening(slate_date)
        found = [*played, *to_come]
        return sorted((one for one in found if isinstance(one, ScheduledGame)), key=by_tipoff)

    def undecided(self, slate_date: date) -> list[UndecidedGame]:
        """The scheduled games of a date whose teams are not named yet, and no score says them."""
        _, to_come = self._evening(slate_date)
        return [game for game in to_come if isinstance(game, UndecidedGame)]

    def _evening(self, slate_date: date) -> tuple[list[Game], list[Game]]:
        """The games of a date with a final score, and those of the schedule that have none."""
        day = (slate_date.isoformat(),)
        with self._connection() as connection:
            ask = self._asker(connection)
            final = ask(f"SELECT {PLAYED_COLUMNS} FROM games WHERE game_date = ?", day)
            planned = ask(f"SELECT {SCHEDULE_COLUMNS} FROM schedule WHERE game_date = ?", day)
            plans = {plan.game_id: plan for plan in map(game_of, planned)}
            # Asked by id: SQLite finds no index where one common table looks into another.
            places = ", ".join("?" for _ in plans)
            scored = ask(f"SELECT game_id FROM games WHERE game_id IN ({places})", list(plans))
        played = [with_plan(game_of(row), plans) for row in final]
        known = {game_id for (game_id,) in scored}
        return played, [plan for game_id, plan in plans.items() if game_id not in known]

    def postponed(self, slate_date: date) -> list[tuple[str, str]]:
        """(away, home) abbreviations of the games of a date that were called off and not moved yet,
        "" for an undecided team."""
        rows = self._rows(
            "SELECT coalesce(away_team, ''), coalesce(home_team, '') FROM postponed"
            " WHERE game_date = ? ORDER BY game_id",
            slate_date.isoformat(),
        )
        return [(away, home) for away, home in rows]

    def teams(self) -> pd.DataFrame:
        """The current teams: team_id, team (abbreviation), team_name."""
        return self._frame(("team_id", "team", "team_name"), "teams ORDER BY team")

    def players(self) -> pd.DataFrame:
        """Every player: player_id, player_name, position ("" unknown), roster_team (None: none)."""
        return self._frame((*PERSON_COLUMNS, "roster_team"), "players ORDER BY player_id")

    def roster(self, team_id: int, on: date = date.max) -> pd.DataFrame:
        """The newest roster of a team that was known on a date; empty if none is known.

        Columns player_id, player_name, position, and `latest_team_id`, `latest_game` of his latest
        game before `on` (None without one). A player who has played for another team since the
        roster was published is on that team's.
        """
        return self.rosters([team_id], on)[team_id]

    def rosters(self, team_ids: Iterable[int], on: date = date.max) -> dict[int, pd.DataFrame]:
        """The same for several teams, by team id."""
        with self._connection() as connection:
            by_team = roster_rows(self._asker(connection), self._tables, team_ids, on)
        people = self._people([one for rows in by_team.values() for one, _, _ in rows])
        named = {row[0]: row for row in people.itertuples(index=False, name=None)}
        columns = [*people.columns, "latest_team_id", "latest_game"]
        return {
            team_id: pd.DataFrame([(*named[row[0]], *row[1:]) for row in rows], columns=columns)
            for team_id, rows in by_team.items()
        }

    def games_played(self, team_id: int, since: date, before: date) -> int:
        """How many games with box scores a team has from a date on and before another."""
        [(count,)] = self._rows(
            "SELECT count(*) FROM games WHERE ?1 IN (home_team_id, away_team_id)"
            f" AND game_date >= ?2 AND game_date < ?3 AND {self._tables.has_box_scores()}",
            team_id,
            since.isoformat(),
            before.isoformat(),
        )
        return int(count)

    def games(self, *, before: date | None = None, on: date | None = None) -> pd.DataFrame:
        """Final scores by date: game_id, season, game_date, home_team_id, away_team_id,
        home_points, away_points, is_neutral; only games of earlier dates if `before` is given,
        only those of one date with `on`."""
        columns = ("game_id", "season", "game_date", "home_team_id", "away_team_id")
        return self._frame(
            (*columns, "home_points", "away_points", "is_neutral"),
            "games WHERE game_date >= ? AND game_date <= ? AND game_date < ?"
            " ORDER BY game_date, game_id",
            "" if on is None else on.isoformat(),
            _day_or_end(on),
            _day_or_end(before),
        )

    def player_games(
        self,
        *,
        player_ids: Sequence[int] | None = None,
        since: date | None = None,
        before: date | None = None,
        on: date | None = None,
    ) -> pd.DataFrame:
        """Box scores by player and date: ids, dates, teams, `is_home` and the five stats.

        All bounds that are given apply: `since` includes its date, `before` does not, and `on` is
        one date.
        """
        conditions, bindings = ["game_date >= ?", "game_date < ?"], ["", _day_or_end(before)]
        if since is not None:
            bindings[0] = since.isoformat()
        if on is not None:
            conditions.append("game_date = ?")
            bindings.append(on.isoformat())
        if player_ids is not None:
            conditions.append(f"player_id IN ({', '.join(str(int(one)) for one in player_ids)})")
        return self._frame(
            PLAYER_GAME_COLUMNS,
            f"player_games WHERE {' AND '.join(conditions)} ORDER BY player_id, game_date, game_id",
            *bindings,
        )

    def history(self, since: date, before: date) -> History:
        """Box scores from a date on and before another, as columns; see `nba.history`."""
        sql = (
            f"{self._tables.common} SELECT {', '.join(HISTORY_COLUMNS)} FROM player_games"
            " WHERE game_date >= ? AND game_date < ?"
        )
        with self._connection() as connection:
            return history_of(connection.execute(sql, (since.isoformat(), before.isoformat())))

    def recent_players(self, team_id: int, before: date, team_games: int) -> pd.DataFrame:
        """Who played in a team's last `team_games` games before a date and for no other team since.

        Columns player_id, player_name, position.
        """
        with self._connection() as connection:
            ask = self._asker(connection)
            games = last_games(ask, self._tables, team_id, before, team_games)
            played = appeared(ask, games, team_id)
            stayed = [one for one in played if latest_appearance(ask, one, before)[1] == team_id]
        return self._people(stayed)

    def latest_team_game(self, team_id: int, before: date) -> date | None:
        """The date of a team's last game with box scores before a date."""
        with self._connection() as connection:
            games = last_games(self._asker(connection), self._tables, team_id, before, 1)
        return date.fromisoformat(games[0][1]) if games else None

    def _people(self, player_ids: Sequence[int]) -> pd.DataFrame:
        ids = ", ".join(str(int(one)) for one in player_ids)
        known = self._frame(PERSON_COLUMNS, f"players WHERE player_id IN ({ids}) ORDER BY 1")
        return people_of(player_ids, known)

    def _asker(self, connection: apsw.Connection) -> Ask:
        return lambda sql, bindings: connection.execute(
            f"{self._tables.common} {sql}", bindings
        ).fetchall()

    @contextmanager
    def _connection(self) -> Iterator[apsw.Connection]:
        if self._learned is not None:
            with self._learned() as connection:
                yield connection
            return
        if not self._path.exists():
            raise ReferenceMissing(
                "Reading the reference",
                self._path.name,
                "the file has not been built",
                "Start the app, which builds it from the bundled seasons",
            )
        try:
            connection = apsw.Connection(f"{self._path.absolute().as_uri()}?mode=ro", _READ_ONLY)
            try:
                yield connection
            finally:
                connection.close()
        except (apsw.CorruptError, apsw.NotADBError, apsw.SQLError, apsw.CantOpenError) as error:
            raise ReferenceDamaged(
                "Reading the reference",
                self._path.name,
                f"it is no whole reference ({error})",
                "Delete it and start the app again, which builds it anew",
            ) from error

    def _rows(self, sql: str, *bindings: object) -> list[tuple[Any, ...]]:
        with self._connection() as connection:
            return connection.execute(f"{self._tables.common} {sql}", bindings).fetchall()

    def _frame(self, columns: Sequence[str], source: str, *bindings: object) -> pd.DataFrame:
        rows = self._rows(f"SELECT {', '.join(columns)} FROM {source}", *bindings)
        names = [column.rpartition(" AS ")[2] for column in columns]
        return typed(pd.DataFrame(rows, columns=names))

    def _dates(self, sql: str, *bindings: object) -> tuple[date, ...]:
        return tuple(date.fromisoformat(day) for (day,) in self._rows(sql, *bindings))

    def _scheduled(self, condition: str, *bindings: object) -> list[ScheduledGame | UndecidedGame]:
        rows = self._rows(
            f"SELECT {SCHEDULE_COLUMNS} FROM schedule {condition}"
            " ORDER BY game_date, tipoff_utc IS NULL, tipoff_utc, game_id",
            *bindings,
        )
        return [game_of(row) for row in rows]

    def _read_info(self) -> ReferenceInfo:
        rows = self._rows("SELECT schema_version, content_hash, data_as_of FROM reference_info")
        if len(rows) != 1 or rows[0][0] != SCHEMA_VERSION:
            raise ReferenceDamaged(
                "Reading the reference",
                self._path.name,
                "it belongs to another version of the app",
                "Start the app again: it is then built anew",
            )
        version, content_hash, data_as_of = rows[0]
        return ReferenceInfo(version, content_hash, date.fromisoformat(data_as_of))


def _day_or_end(day: date | None) -> str:
    return "9999-12-31" if day is None else day.isoformat()
