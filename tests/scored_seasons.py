"""Made-up seasons with results, straight in the tables: what scores are computed from."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Final

from replica import Replica, Transaction

__all__ = ["FIRST_DAY", "fill_season"]

FIRST_DAY: Final = date(2025, 10, 21)
_TEAMS: Final = 20
_SPREADS: Final = {"points": 6.0, "rebounds": 3.0, "assists": 2.0, "threes": 1.2, "minutes": 5.0}
_MEANS: Final = {"points": 12.0, "rebounds": 5.0, "assists": 3.0, "threes": 1.5, "minutes": 24.0}


def fill_season(
    replica: Replica,
    slates: int,
    *,
    origin: str = "live",
    games: int = 2,
    players_per_team: int = 3,
    first: date = FIRST_DAY,
    version: str = "trees-00000001",
    seed: int = 1,
    with_pra: bool = False,
) -> int:
    """One run a day with all its results, published before its tip-offs; how many predictions.

    The store's clock must stand before the first tip-off. Every third band is missing, every
    seventh player does not play, and every fifth game has no Elo.
    """
    random = Random(seed)
    written = 0
    for number in range(slates):
        day = first + timedelta(days=number)
        with replica.transaction() as transaction:
            written += _slate(
                transaction,
                random,
                day,
                origin,
                games,
                players_per_team,
                version,
                with_pra=with_pra,
            )
    return written


def _slate(
    transaction: Transaction,
    random: Random,
    day: date,
    origin: str,
    games: int,
    players_per_team: int,
    version: str,
    *,
    with_pra: bool,
) -> int:
    run_id = f"{origin}-{day.isoformat()}-{version}"
    moment = datetime.combine(day, time(17), UTC)
    stamp = moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    tipoff = (moment + timedelta(hours=7)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    transaction.execute(
        "INSERT INTO runs VALUES (?, ?, ?, ?, NULL, ?, '', 1, 0, 'app')",
        (run_id, day.isoformat(), version, origin, stamp),
    )
    transaction.execute(
        "INSERT INTO run_transactions VALUES (?, ?, ?)", (run_id, transaction.id, stamp)
    )
    teams = random.sample(range(1, _TEAMS + 1), 2 * games)
    predictions = []
    for number in range(games):
        game_id = f"00{day:%y%m%d}{number:02d}"
        home, away = teams[2 * number], teams[2 * number + 1]
        elo = None if number % 5 == 4 else round(random.uniform(0.2, 0.8), 3)
        transaction.execute(
            "INSERT INTO game_predictions VALUES (?,?,?,?,?,?,?,?,?,?,112,110)",
            (
                *(run_id, game_id, day.isoformat(), tipoff, home, away),
                *(f"T{home:02d}", f"T{away:02d}", round(random.uniform(0.2, 0.8), 3), elo),
            ),
        )
        transaction.execute(
            "INSERT INTO games VALUES (?,?,?,?,?,?,'test','now') ON CONFLICT DO NOTHING",
            (game_id, day.isoformat(), home, away, random.randint(90, 130), 110.5 // 1),
        )
        for team in (home, away):
            for place in range(players_per_team):
                player_id = 1000 * team + place
                rows = list(_player(random, with_pra=with_pra))
                predictions += [(run_id, game_id, player_id, row[0], team, *row[1]) for row in rows]
                if random.randrange(7):
                    transaction.execute(
                        "INSERT INTO player_games (game_id, player_id, game_date, team_id, points,"
                        " rebounds, assists, threes, minutes, source, recorded_at)"
                        " VALUES (?,?,?,?,?,?,?,?,?,'test','now') ON CONFLICT DO NOTHING",
                        (game_id, player_id, day.isoformat(), team, *(row[2] for row in rows[:5])),
                    )
    transaction.executemany("INSERT INTO predictions VALUES (?,?,?,?,?,?,?,?,?,?)", predictions)
    return len(predictions)


def _player(
    random: Random, *, with_pra: bool
) -> Iterator[tuple[str, tuple[float | None, ...], int]]:
    """Per stat: mean, floor, ceiling, from_prior and median, and what happened."""
    for stat, middle in _MEANS.items():
        spread = _SPREADS[stat]
        mean = round(max(0.0, random.gauss(middle, spread)), 2)
        floor, ceiling = max(0.0, mean - 1.28 * spread), mean + 1.28 * spread
        has_band = random.randrange(3) > 0
        median = None if random.randrange(4) == 0 else mean - 0.2
        yield (
            stat,
            (mean, floor if has_band else None, ceiling if has_band else None, 0, median),
            max(0, round(random.gauss(mean, spread))),
        )
    if with_pra:
        yield "pra", (20.0, 12.0, 28.0, 0, 20.0), 0
