"""Whose player somebody is: bundled rosters, newer ones, and games played since."""

from __future__ import annotations

from pathlib import Path

from jobs.player import people
from nba.reference import ROSTERS_AS_OF, Reference
from tests.slates import (
    BOS_NYK,
    BROWN,
    BRUNSON,
    DONCIC,
    TATUM,
    TEAMS,
    TONIGHT,
    ManualClock,
    opened,
    small_reference,
)
from tests.stores import MemoryStore
from tracking.player_season import learned_scores, learned_teams


def test_the_newest_roster_or_game_decides(tmp_path: Path) -> None:
    path = small_reference(tmp_path / "reference.db")
    clock = ManualClock()
    with opened(tmp_path / "state.db", MemoryStore(clock), clock, reference=path) as (replica, log):
        with replica.transaction() as transaction:
            transaction.executemany(
                "INSERT INTO rosters (player_id, known_on, team_id, position)"
                " VALUES (?, ?, ?, 'F')",
                [
                    (TATUM, "2026-10-01", TEAMS["NYK"]),
                    (TATUM, "2026-11-01", TEAMS["LAL"]),
                    # Not known yet on the day that is asked about.
                    (TATUM, "2026-12-01", TEAMS["DEN"]),
                    (BROWN, "2026-10-01", None),
                    (DONCIC, "2026-10-01", TEAMS["DEN"]),
                ],
            )
            transaction.executemany(
                "INSERT INTO player_games (game_id, player_id, game_date, team_id, points, source,"
                " recorded_at) VALUES (?, ?, ?, ?, 1, 'test', '2026-11-15')",
                [
                    (BOS_NYK, DONCIC, "2026-11-15", TEAMS["NYK"]),
                    # Older than the bundled rosters.
                    (BOS_NYK, BRUNSON, "2025-01-15", TEAMS["DEN"]),
                ],
            )
            transaction.execute(
                "INSERT INTO games (game_id, game_date, home_team_id, away_team_id, home_points,"
                " away_points, source, recorded_at) VALUES (?, '2026-11-15', ?, ?, 101, 99, 'test',"
                " '2026-11-15')",
                (BOS_NYK, TEAMS["BOS"], TEAMS["NYK"]),
            )
        assert learned_teams(log.query, TONIGHT, ROSTERS_AS_OF) == {
            TATUM: TEAMS["LAL"],
            BROWN: None,
            DONCIC: TEAMS["NYK"],
        }
        everybody = people(Reference(path), log, TONIGHT)
        teams = {one: everybody[one].team for one in (TATUM, BROWN, DONCIC, BRUNSON)}
        assert teams == {TATUM: "LAL", BROWN: "", DONCIC: "NYK", BRUNSON: "NYK"}
        assert learned_scores(log.query) == {BOS_NYK: (101, 99)}


def test_bundled_games_are_older_than_the_bundled_rosters(reference: Reference) -> None:
    """Else a bundled game could say more than the roster, and `people` would not see it."""
    assert reference.info.data_as_of < ROSTERS_AS_OF
