"""Small slates, a small reference, and a store whose clock is set by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random

import apsw
import numpy as np

from nba.model.distribution import LEVELS, Spread
from nba.reference_tables import FINISHING_SQL, INFO_SQL, SCHEMA_VERSION, TABLES
from nba.slate import Band, GameProjection, PlayerProjection, ScheduledGame, SlateProjection
from nba.stats import MARKETS, SUMMED
from prediction_tracking import MIGRATIONS, REPLICATED_TABLES, PredictionLog
from replica import Replica
from tests import stores
from tests.stores import MemoryStore, open_replica

NOON = datetime(2026, 11, 20, 17, tzinfo=UTC)
TONIGHT = date(2026, 11, 20)
PAST = date(2024, 11, 20)

TEAMS = {"BOS": 1610612738, "NYK": 1610612752, "LAL": 1610612747, "DEN": 1610612743}
TATUM, BROWN, BRUNSON, DONCIC, JOKIC = 1628369, 1627759, 1628973, 1629029, 203999
PEOPLE = {
    TATUM: ("Jayson Tatum", "BOS"),
    BROWN: ("Jaylen Brown", "BOS"),
    BRUNSON: ("Jalen Brunson", "NYK"),
    DONCIC: ("Luka Dončić", "LAL"),
    JOKIC: ("Nikola Jokić", "DEN"),
    71: ("Chris Johnson", "BOS"),
    72: ("Chris Johnson", "NYK"),
    73: ("Pete Smith", "BOS"),
    74: ("Pete Smith", "DEN"),
}
NEWCOMER = 1650001
MODEL_VERSION = "trees-0123abcd"
BOS_NYK, LAL_DEN = "0022600123", "0022600124"
PAST_BOS_NYK, PAST_LAL_DEN = "0022400210", "0022400211"
TIPOFF = datetime(2026, 11, 21, 0, 30, tzinfo=UTC)


class ManualClock(stores.ManualClock):
    """UTC; stands at noon of the day (Eastern) until it is moved."""

    def __init__(self, now: datetime = NOON) -> None:
        super().__init__(now)


@contextmanager
def opened(
    path: Path,
    store: MemoryStore,
    clock: Callable[[], datetime],
    *,
    reference: Path | None = None,
    on_logged: Callable[[str], None] | None = None,
    seed: int = 1,
) -> Iterator[tuple[Replica, PredictionLog]]:
    """A restored replica and its log."""
    replica = open_replica(
        path,
        store,
        migrations=MIGRATIONS,
        tables=REPLICATED_TABLES,
        clock=clock,
        random=Random(seed),
    )
    try:
        replica.restore()
        yield replica, PredictionLog(replica, reference, clock=clock, on_logged=on_logged)
    finally:
        replica.close(0)


def game(
    game_id: str = BOS_NYK,
    home: str = "BOS",
    away: str = "NYK",
    day: date = TONIGHT,
    tipoff: datetime | None = TIPOFF,
) -> ScheduledGame:
    return ScheduledGame(
        game_id=game_id,
        season="2026-27",
        season_type="regular",
        slate_date=day,
        tipoff_utc=tipoff,
        home_team_id=TEAMS[home],
        home_team=home,
        away_team_id=TEAMS[away],
        away_team=away,
        is_neutral=False,
        label="",
    )


# Straight lines through -1, 0 and 1 at the 10th, 50th and 90th percentile.
SHAPE = (np.array(LEVELS) - 0.5) / 0.4


def band(mean: float, floor: float, ceiling: float) -> Band:
    """A band whose median is its mean and whose distribution goes through its three numbers."""
    return Band(mean, floor, ceiling, mean, Spread(floor, mean, ceiling, SHAPE))


def player(
    player_id: int, match: ScheduledGame, team: str, points: float = 25.0, name: str | None = None
) -> PlayerProjection:
    means = {"points": points, "rebounds": 8.0, "assists": 5.0, "threes": 3.0, "minutes": 36.0}
    means["pra"] = sum(means[stat] for stat in SUMMED)
    return PlayerProjection(
        game_id=match.game_id,
        player_id=player_id,
        player_name=name or PEOPLE[player_id][0],
        position="F",
        team_id=TEAMS[team],
        team=team,
        opponent=match.away_team if team == match.home_team else match.home_team,
        is_home=team == match.home_team,
        from_prior=False,
        games_of_history=50,
        last_game=date(2025, 4, 13),
        bands={
            market: band(means[market], means[market] - 2, means[market] + 2) for market in MARKETS
        },
    )


def tonight(
    points: float = 25.0, *, data_as_of: date | None = date(2025, 6, 22)
) -> SlateProjection:
    """Two games on 2026-11-20, four players."""
    first = game()
    second = game(LAL_DEN, "LAL", "DEN", tipoff=TIPOFF + timedelta(hours=2, minutes=30))
    return slate(
        [(first, 0.6), (second, 0.45)],
        [
            player(TATUM, first, "BOS", points),
            player(BRUNSON, first, "NYK", points),
            player(DONCIC, second, "LAL", points),
            player(JOKIC, second, "DEN", points),
        ],
        data_as_of=data_as_of,
    )


def past(points: float = 25.0, *, home_win_probability: float = 0.6) -> SlateProjection:
    """The two games of 2024-11-20 that the small reference has box scores of."""
    first = game(PAST_BOS_NYK, day=PAST, tipoff=None)
    second = game(PAST_LAL_DEN, "LAL", "DEN", day=PAST, tipoff=None)
    return slate(
        [(first, home_win_probability), (second, home_win_probability)],
        [
            player(TATUM, first, "BOS", points),
            player(BRUNSON, first, "NYK", points),
            player(DONCIC, second, "LAL", points),
        ],
        day=PAST,
    )


def slate(
    games: Sequence[tuple[ScheduledGame, float]],
    players: Sequence[PlayerProjection],
    *,
    day: date = TONIGHT,
    data_as_of: date | None = date(2025, 6, 22),
    model_version: str = MODEL_VERSION,
) -> SlateProjection:
    return SlateProjection(
        slate_date=day,
        model_version=model_version,
        data_as_of=data_as_of,
        games=tuple(
            GameProjection(match, probability, probability, 112.0, 110.0)
            for match, probability in games
        ),
        players=tuple(players),
        undecided_games=0,
    )


def small_reference(path: Path) -> Path:
    """A reference with the real tables: four teams, a few players, a fortnight of one season.

    Until 2024-11-18 Tatum scores 10, 11, 12, … every second day from 2024-11-01 on, Brunson always
    20; on 2024-11-20 Tatum has 30 points and Brunson 22, and BOS and DEN win. DEN has not lost.
    """
    connection = apsw.Connection(str(path))
    try:
        connection.execute("PRAGMA synchronous = OFF")
        with connection:
            for table in TABLES:
                connection.execute(f"CREATE TABLE {table.name} ({table.declaration})")
            connection.execute(INFO_SQL)
            connection.execute(
                "INSERT INTO reference_info VALUES (?, 'small', '2024-11-20')", (SCHEMA_VERSION,)
            )
            for team, team_id in TEAMS.items():
                _insert(connection, "teams", team_id=team_id, team=team, team_name=team)
            for player_id, (name, team) in PEOPLE.items():
                _insert(
                    connection,
                    "players",
                    player_id=player_id,
                    player_name=name,
                    position="F",
                    roster_team=team,
                )
            for number in range(9):
                day = date(2024, 11, 1) + timedelta(days=2 * number)
                _played(connection, f"00224000{number:02d}", "BOS", "NYK", day, (110, 100))
                _box_score(connection, f"00224000{number:02d}", TATUM, "BOS", day, 10 + number)
                _box_score(connection, f"00224000{number:02d}", BRUNSON, "NYK", day, 20)
            _played(connection, PAST_BOS_NYK, "BOS", "NYK", PAST, (111, 104))
            _played(connection, PAST_LAL_DEN, "LAL", "DEN", PAST, (99, 120))
            _box_score(connection, PAST_BOS_NYK, TATUM, "BOS", PAST, 30)
            _box_score(connection, PAST_BOS_NYK, BRUNSON, "NYK", PAST, 22)
            _scheduled(connection, BOS_NYK, "BOS", "NYK", TONIGHT, TIPOFF)
            _scheduled(connection, LAL_DEN, "LAL", "DEN", TONIGHT, TIPOFF + timedelta(hours=2.5))
            for number in (1, 2):
                day = date(2026, 11, 18)
                tipoff = datetime(2026, 11, 18, 18 + 4 * number % 5, tzinfo=UTC)
                _scheduled(connection, f"002260010{number}", "BOS", "NYK", day, tipoff)
            for statement in FINISHING_SQL:
                connection.execute(statement)
    finally:
        connection.close()
    return path


def _insert(connection: apsw.Connection, table: str, **values: str | int | None) -> None:
    marks = ", ".join("?" for _ in values)
    sql = f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})"
    connection.execute(sql, tuple(values.values()))


def _teams(home: str, away: str) -> Mapping[str, str | int]:
    return {
        "home_team_id": TEAMS[home],
        "home_team": home,
        "away_team_id": TEAMS[away],
        "away_team": away,
    }


def _played(
    connection: apsw.Connection,
    game_id: str,
    home: str,
    away: str,
    day: date,
    score: tuple[int, int],
) -> None:
    _insert(
        connection,
        "games",
        game_id=game_id,
        season="2024-25",
        season_type="regular",
        game_date=day.isoformat(),
        **_teams(home, away),
        home_points=score[0],
        away_points=score[1],
        home_win=int(score[0] > score[1]),
        is_neutral=0,
    )


def _box_score(
    connection: apsw.Connection, game_id: str, player_id: int, team: str, day: date, points: int
) -> None:
    _insert(
        connection,
        "player_games",
        player_id=player_id,
        game_date=day.isoformat(),
        game_id=game_id,
        season="2024-25",
        season_type="regular",
        team_id=TEAMS[team],
        opponent_id=TEAMS["NYK" if team == "BOS" else "BOS"],
        is_home=int(team == "BOS"),
        won=1,
        minutes=36,
        points=points,
        rebounds=8,
        assists=5,
        threes=3,
    )


def _scheduled(
    connection: apsw.Connection, game_id: str, home: str, away: str, day: date, tipoff: datetime
) -> None:
    _insert(
        connection,
        "schedule",
        game_id=game_id,
        season="2026-27",
        season_type="regular",
        game_date=day.isoformat(),
        tipoff_utc=tipoff.strftime("%Y-%m-%dT%H:%M:%SZ"),
        **_teams(home, away),
        is_neutral=0,
        label="",
        arena="",
    )
