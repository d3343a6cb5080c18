"""Days since the last game: from what was played, and from the schedule where that is not known."""

from __future__ import annotations

from datetime import date

import pytest

from nba.reference import Reference
from nba.rest import days_since_last_game
from ui.form import rest_words

TONIGHT = date(2026, 11, 20)


def rest_on(reference: Reference, day: date) -> dict[int, int | None]:
    teams = {
        team for game in reference.slate(day) for team in (game.home_team_id, game.away_team_id)
    }
    return days_since_last_game(reference, day, sorted(teams))


def test_played_games_count(reference: Reference) -> None:
    day = date(2024, 1, 15)
    games = reference.games(before=day)
    for team_id, days in rest_on(reference, day).items():
        played = games[(games["home_team_id"] == team_id) | (games["away_team_id"] == team_id)]
        assert days == (day - played["game_date"].max().date()).days


def test_a_season_without_results_goes_by_its_schedule(reference: Reference) -> None:
    found = rest_on(reference, TONIGHT)
    assert len(found) == 18
    for team_id, days in found.items():
        before = [
            game.slate_date
            for day in range(1, 20)
            for game in reference.slate(date(2026, 11, day))
            if team_id in (game.home_team_id, game.away_team_id)
        ]
        assert days == (TONIGHT - max(before)).days


def test_nothing_before_the_first_game(reference: Reference) -> None:
    first = min(
        game.slate_date
        for game in reference.schedule()
        if game.season == "2026-27" and game.season_type != "preseason"
    )
    assert set(rest_on(reference, first).values()) == {None}, "last season's games are no rest"


@pytest.mark.parametrize(
    ("days", "words"),
    [
        (None, "BOS first game of the season"),
        (1, "BOS played the day before"),
        (2, "BOS 1 day off"),
        (4, "BOS 3 days off"),
        (8, "BOS 7 days off"),
        (9, "BOS more than a week off"),
    ],
)
def test_rest_in_words(days: int | None, words: str) -> None:
    assert rest_words("BOS", days) == words
