"""What the sparklines of a slate's players are drawn from."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from nba.reference import Reference
from tests.slates import PAST, TATUM, small_reference
from ui.form import FORM_GAMES, numbers_of


@pytest.fixture
def reference(tmp_path: Path) -> Reference:
    return Reference(small_reference(tmp_path / "reference.db"))


def test_a_sum_of_which_a_part_is_not_known_is_no_sum(reference: Reference) -> None:
    games = reference.player_games(player_ids=[TATUM], before=PAST)
    whole = numbers_of(games)
    assert whole[TATUM, "pra"] == [points + 8 + 5 for points in range(10, 19)]
    games["rebounds"] = games["rebounds"].astype("float64")
    games.loc[games.index[-1], "rebounds"] = math.nan
    found = numbers_of(games)
    assert found[TATUM, "pra"] == whole[TATUM, "pra"][:-1], "points and assists alone are not it"
    assert found[TATUM, "points"] == whole[TATUM, "points"]
    assert found[TATUM, "rebounds"] == [8.0] * 8


def test_the_last_games_are_shown_oldest_first(reference: Reference) -> None:
    games = reference.player_games(player_ids=[TATUM])
    numbers = numbers_of(games)[TATUM, "points"]
    assert len(numbers) == FORM_GAMES
    assert numbers[-1] == 30
    assert numbers_of(games.iloc[:0]) == {}
