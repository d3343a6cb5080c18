"""Whose player somebody is in the live season, and who is expected to play."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

import apsw
import pytest

from nba.availability import Availability
from nba.reference import Reference
from nba.rosters import candidates
from nba.slate import project_slate
from prediction_tracking import MIGRATIONS

TONIGHT = date(2026, 11, 20)
BOS, NYK = 1610612738, 1610612752


class Season:
    """A state that a test fills by hand, and the questions to it."""

    def __init__(self, folder: Path, reference_path: Path) -> None:
        self._path = folder / "state.db"
        self._connection = apsw.Connection(str(self._path))
        for migration in MIGRATIONS:
            self._connection.execute(migration.sql)
        self._reference_path = reference_path
        self.reference = Reference(reference_path).with_learned(self._learned)
        self._games = 0

    @contextmanager
    def _learned(self) -> Iterator[apsw.Connection]:
        connection = apsw.Connection(str(self._path), flags=apsw.SQLITE_OPEN_READONLY)
        try:
            connection.execute("ATTACH ? AS reference", (str(self._reference_path),))
            yield connection
        finally:
            connection.close()

    def close(self) -> None:
        self._connection.close()

    def play(self, day: date, players: Mapping[int, int]) -> None:
        """Boston at home against New York on a date; `players` are team ids by player id."""
        self._games += 1
        game = (f"00226{self._games:05d}", day.isoformat())
        self._connection.execute(
            "INSERT INTO games VALUES (?, ?, ?, ?, 101, 99, 'nba-live', '')", (*game, BOS, NYK)
        )
        for player_id, team_id in players.items():
            self._connection.execute(
                "INSERT INTO player_games (game_id, game_date, player_id, team_id, points,"
                " rebounds, assists, threes, minutes, source, recorded_at)"
                " VALUES (?, ?, ?, ?, 20, 5, 5, 2, 30, 'nba-live', '')",
                (*game, player_id, team_id),
            )

    def list_player(self, player_id: int, known_on: date, team_id: int | None) -> None:
        self._connection.execute(
            "INSERT INTO rosters VALUES (?, ?, ?, 'G')", (player_id, known_on.isoformat(), team_id)
        )

    def postpone(self, game_id: str, day: date) -> None:
        self._connection.execute(
            "INSERT INTO scheduled_games VALUES (?, ?, NULL, 'postponed', ?, ?, 0, '', '')",
            (game_id, day.isoformat(), BOS, NYK),
        )

    def lineup(
        self, team_id: int, availability: Mapping[int, Availability] | None = None
    ) -> list[int]:
        found = candidates(self.reference, team_id, TONIGHT, availability or {})
        return [int(one) for one in found["player_id"]]


@pytest.fixture
def season(tmp_path: Path, reference_path: Path) -> Iterator[Season]:
    opened = Season(tmp_path, reference_path)
    yield opened
    opened.close()


@pytest.fixture
def boston(season: Season) -> list[int]:
    """Boston's bundled roster, by id."""
    return season.lineup(BOS)


def days_ago(number: int) -> date:
    return TONIGHT - timedelta(days=number)


def test_before_three_games_are_known_the_whole_roster_may_play(
    season: Season, boston: list[int]
) -> None:
    assert len(boston) >= 15
    for number in (4, 2):
        season.play(days_ago(number), dict.fromkeys(boston[:8], BOS))
    assert season.lineup(BOS) == boston


def test_then_only_who_appeared_in_the_last_three(season: Season, boston: list[int]) -> None:
    season.play(days_ago(9), dict.fromkeys(boston, BOS))
    for number in (6, 4):
        season.play(days_ago(number), dict.fromkeys(boston[:8], BOS))
    season.play(days_ago(2), dict.fromkeys(boston[:9], BOS))
    assert season.lineup(BOS) == boston[:9]


def test_a_player_counts_for_the_team_for_which_he_played_last(
    season: Season, boston: list[int]
) -> None:
    traded = boston[0]
    season.play(days_ago(2), {traded: NYK})
    assert traded in season.lineup(NYK)
    assert traded not in season.lineup(BOS)


def test_a_trade_is_followed_before_the_first_game(season: Season, boston: list[int]) -> None:
    traded = boston[0]
    for number in (6, 4, 2):
        season.play(days_ago(number), {**dict.fromkeys(boston[:8], BOS), 9_000_001: NYK})
    season.list_player(traded, days_ago(1), NYK)
    assert traded not in season.lineup(BOS)
    assert traded in season.lineup(NYK)


def test_a_roster_that_came_later_is_not_known_tonight(season: Season, boston: list[int]) -> None:
    season.list_player(boston[0], TONIGHT + timedelta(days=1), NYK)
    assert season.lineup(BOS) == boston


def test_who_was_let_go_is_on_no_team(season: Season, boston: list[int]) -> None:
    season.list_player(boston[0], days_ago(1), None)
    assert boston[0] not in season.lineup(BOS)


@pytest.mark.parametrize(
    ("word", "plays"),
    [
        (Availability.OUT, False),
        (Availability.DOUBTFUL, False),
        (Availability.QUESTIONABLE, True),
        (Availability.AVAILABLE, True),
    ],
)
def test_the_owners_word_decides(
    season: Season, boston: list[int], word: Availability, plays: bool
) -> None:
    assert (boston[0] in season.lineup(BOS, {boston[0]: word})) is plays


def test_who_is_back_is_considered_although_he_missed_the_last_games(
    season: Season, boston: list[int]
) -> None:
    for number in (6, 4, 2):
        season.play(days_ago(number), dict.fromkeys(boston[:8], BOS))
    back = boston[12]
    assert back not in season.lineup(BOS)
    assert back in season.lineup(BOS, {back: Availability.AVAILABLE})


def test_the_minutes_of_who_is_out_go_to_his_team_mates(season: Season) -> None:
    before = project_slate(season.reference, TONIGHT)
    star = max(before.players, key=lambda one: one.bands["minutes"].mean)
    after = project_slate(season.reference, TONIGHT, {star.player_id: Availability.OUT})
    mates = {
        one.player_id: one.bands["minutes"].mean
        for one in after.players
        if one.team_id == star.team_id
    }
    assert star.player_id not in mates
    assert sum(mates.values()) == pytest.approx(240.0)
    for player in before.players:
        if player.team_id == star.team_id and player.player_id in mates:
            assert mates[player.player_id] > player.bands["minutes"].mean


def test_a_postponed_game_is_not_on_the_slate_and_is_named(season: Season) -> None:
    game = season.reference.slate(TONIGHT)[0]
    season.postpone(game.game_id, TONIGHT)
    assert game.game_id not in {one.game_id for one in season.reference.slate(TONIGHT)}
    assert season.reference.postponed(TONIGHT) == [("NYK", "BOS")]
    assert season.reference.postponed(TONIGHT - timedelta(days=1)) == []
