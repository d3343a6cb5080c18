"""elo-1: the formula, what it conserves, and what it must not see."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from nba.ratings import AVERAGE_RATING, EloOptions, Ratings, rate, walk_forward
from nba.reference import Reference

HOME, AWAY = 1, 2
PLAIN = EloOptions(k=20, season_carry_over=0.75, first_home_advantage=100, home_advantage_step=0)


def games(*rows: tuple[str, str, int, int, int, int, bool]) -> pd.DataFrame:
    """(date, season, home, away, home_points, away_points, is_neutral)"""
    columns = ["game_date", "season", "home_team_id", "away_team_id"]
    frame = pd.DataFrame(rows, columns=[*columns, "home_points", "away_points", "is_neutral"])
    frame["game_date"] = pd.to_datetime(frame["game_date"])
    frame["game_id"] = [f"{number:010d}" for number in range(len(frame))]
    return frame


def test_one_game_by_hand() -> None:
    after = rate(games(("2024-01-01", "2023-24", HOME, AWAY, 110, 100, False)), PLAIN)
    # p = 1/(1+10^(-100/400)) = 0.640065; multiplier = 13^0.8/(7.5+0.6) = 0.960861
    # step = 20 · 0.960861 · 0.359935 = 6.91695
    assert after.by_team[HOME] == pytest.approx(1505 + 6.91695, abs=1e-3)
    assert after.by_team[AWAY] == pytest.approx(1505 - 6.91695, abs=1e-3)


def test_an_upset_moves_more() -> None:
    after = rate(games(("2024-01-01", "2023-24", HOME, AWAY, 100, 110, False)), PLAIN)
    # the winner's side of the difference is -100: multiplier = 13^0.8/(7.5-0.6) = 1.127967
    assert after.by_team[AWAY] == pytest.approx(1505 + 20 * 1.127967 * 0.640065, abs=1e-3)


def test_neutral_ground_has_no_home_advantage() -> None:
    ratings = Ratings({}, 100.0, "2023-24", PLAIN)
    assert ratings.home_win_probability(HOME, AWAY, is_neutral=True) == 0.5
    assert ratings.home_win_probability(HOME, AWAY, is_neutral=False) == pytest.approx(0.640065)
    neutral = games(("2024-01-01", "2023-24", HOME, AWAY, 110, 100, True))
    assert walk_forward(neutral).tolist() == [0.5]
    assert rate(neutral).home_advantage == EloOptions().first_home_advantage


def test_home_advantage_follows_the_results() -> None:
    row = ("2024-01-01", "2023-24", HOME, AWAY, 100, 110, False)
    after = rate(games(row), EloOptions(home_advantage_step=2.0))
    assert after.home_advantage == pytest.approx(100 - 2 * 0.640065, abs=1e-5)


def test_seasons_carry_over_once_for_each_that_passed() -> None:
    ratings = Ratings({HOME: 1605.0}, 60.0, "2024-25", PLAIN)
    assert ratings.in_season("2024-25") is ratings
    assert ratings.in_season("2025-26").by_team[HOME] == pytest.approx(1505 + 75)
    # 2025-26 is not in the data; 2026-27 is two seasons on
    later = ratings.in_season("2026-27")
    assert later.by_team[HOME] == pytest.approx(1505 + 56.25)
    assert (later.home_advantage, later.season) == (60.0, "2026-27")


def test_a_gap_between_games_carries_over_too() -> None:
    first = ("2024-01-01", "2023-24", HOME, AWAY, 110, 100, False)
    second = ("2026-11-01", "2026-27", HOME, AWAY, 110, 100, True)
    gained = rate(games(first), PLAIN).by_team[HOME] - 1505
    expected = 1 / (1 + 10 ** (-2 * gained * 0.75**3 / 400))
    assert walk_forward(games(first, second), PLAIN).iloc[1] == pytest.approx(expected)


def test_an_unseen_team_is_average_and_no_games_give_an_even_start() -> None:
    ratings = rate(games(("2024-01-01", "2023-24", HOME, AWAY, 110, 100, False)))
    assert ratings.home_win_probability(HOME, 77, is_neutral=True) > 0.5
    nothing = rate(games())
    assert nothing.season == ""
    assert nothing.in_season("2026-27").home_win_probability(HOME, AWAY, is_neutral=True) == 0.5


def test_a_doubleheader_does_not_see_itself() -> None:
    row = ("2024-01-01", "2023-24", HOME, AWAY, 140, 90, False)
    given = walk_forward(games(row, row))
    assert given.iloc[0] == given.iloc[1]
    assert rate(games(row, row)).by_team[HOME] > rate(games(row)).by_team[HOME]


def test_real_seasons_conserve_points(reference: Reference) -> None:
    frame = reference.games()
    ratings = rate(frame)
    assert len(ratings.by_team) == 30
    assert sum(ratings.by_team.values()) == pytest.approx(30 * AVERAGE_RATING)
    assert 30 < ratings.home_advantage < 90


def test_order_of_rows_does_not_matter(reference: Reference) -> None:
    frame = reference.games(before=date(2003, 1, 1))
    shuffled = frame.sample(frac=1.0, random_state=np.random.default_rng(7))
    pd.testing.assert_series_equal(walk_forward(shuffled).sort_index(), walk_forward(frame))


def test_walking_forward_equals_stopping_before_a_date(reference: Reference) -> None:
    day = date(2022, 12, 25)
    frame = reference.games()
    on_the_day = frame["game_date"].dt.date == day
    before = rate(reference.games(before=day))
    stopped = [
        before.home_win_probability(int(home), int(away), bool(neutral))
        for home, away, neutral in frame.loc[
            on_the_day, ["home_team_id", "away_team_id", "is_neutral"]
        ].to_numpy()
    ]
    assert len(stopped) == 5
    assert walk_forward(frame)[on_the_day].tolist() == stopped


def test_it_beats_a_constant_home_share(reference: Reference) -> None:
    frame = reference.games()
    seasons = frame["season"].between("2018-19", "2022-23")
    given = walk_forward(frame)[seasons]
    won = (frame["home_points"] > frame["away_points"])[seasons]
    loss = -np.log(np.where(won, given, 1 - given)).mean()
    constant = -np.log(np.where(won, won.mean(), 1 - won.mean())).mean()
    assert loss < constant - 0.04
