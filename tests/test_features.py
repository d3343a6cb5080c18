"""Features: what they see, what they must not see, and that one slate gives what ten seasons do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest

from nba.features import (
    FEATURES,
    FORM,
    Asked,
    asked_of,
    features_of,
    fit_chances,
    newcomers_of,
)
from nba.features.roles import roles_after
from nba.history import BOX_SCORE, HISTORY_COLUMNS, Floats, History, day_number, history_of

TEAMS = (1610612737, 1610612738, 1610612739, 1610612740)
FIRST = date(2022, 10, 18)
EVENINGS = 30
PLAYERS_OF_A_TEAM = 8


def made_up_history() -> History:
    """Four teams that play every other day; the last player of each team sits out every third."""
    generator = np.random.default_rng(3)
    rows = []
    for evening in range(EVENINGS):
        day = FIRST + timedelta(days=2 * evening)
        pairs = ((0, 1), (2, 3)) if evening % 2 else ((0, 2), (1, 3))
        for number, (home, away) in enumerate(pairs):
            game = f"00222{evening * 2 + number:05d}"
            for team, other, is_home in ((home, away, 1), (away, home, 0)):
                for player in range(PLAYERS_OF_A_TEAM):
                    if player == PLAYERS_OF_A_TEAM - 1 and evening % 3 == 0:
                        continue
                    box = generator.integers(0, 12, len(BOX_SCORE)).astype(float)
                    box[0] = 12 + 3 * player
                    rows.append(
                        (
                            *(10 * team + player, day.isoformat(), game, "2022-23", "regular"),
                            *(TEAMS[team], TEAMS[other], is_home, *box),
                        )
                    )
    assert all(len(row) == len(HISTORY_COLUMNS) for row in rows)
    return history_of(rows)


HISTORY = made_up_history()
ALWAYS_THERE_BUT_THE_LAST = 10 * 0 + PLAYERS_OF_A_TEAM - 1
NEWCOMERS, CHANCES = newcomers_of(HISTORY), fit_chances(HISTORY)


def computed(
    history: History, asked: Asked, known: Mapping[tuple[int, int], float] | None = None
) -> Floats:
    return features_of(history, asked, newcomers=NEWCOMERS, chances=CHANCES, known=known)


def column(features: Floats, name: str) -> Floats:
    return features[:, FEATURES.index(name)]


def rows_of(day: date) -> History:
    return HISTORY.take(HISTORY.day == day_number(day))


LATE = FIRST + timedelta(days=50)


def test_nothing_on_or_after_the_day_changes_a_feature_by_one_bit() -> None:
    asked = asked_of(rows_of(LATE))
    scrambled = HISTORY.values.copy()
    later = HISTORY.day >= day_number(LATE)
    scrambled[later] = np.random.default_rng(0).integers(0, 60, scrambled[later].shape)
    expected = computed(HISTORY, asked)
    for history in (
        replace(HISTORY, values=scrambled),
        HISTORY.before(LATE),
        replace(HISTORY, opponent_id=np.where(later, TEAMS[0], HISTORY.opponent_id)),
    ):
        assert np.array_equal(computed(history, asked), expected, equal_nan=True)


def test_what_happened_the_day_before_does() -> None:
    asked = asked_of(rows_of(LATE))
    scrambled = HISTORY.values.copy()
    scrambled[HISTORY.day == day_number(LATE - timedelta(days=2)), 1] += 20
    changed = computed(replace(HISTORY, values=scrambled), asked)
    played = np.isin(asked.player_id, rows_of(LATE - timedelta(days=2)).player_id)
    raised = column(changed, "points_3") - column(computed(HISTORY, asked), "points_3")
    assert (raised[played] > 3).all()
    assert (raised[~played] == 0).all()


def test_a_slate_alone_gives_what_all_rows_together_give() -> None:
    together = computed(HISTORY, asked_of(HISTORY))[HISTORY.day == day_number(LATE)]
    alone = computed(HISTORY, asked_of(rows_of(LATE)))
    assert np.array_equal(together, alone, equal_nan=True)


def test_averages_are_those_of_earlier_games() -> None:
    asked = asked_of(rows_of(LATE))
    player = int(asked.player_id[3])
    own = HISTORY.take((HISTORY.player_id == player) & (HISTORY.day < day_number(LATE)))
    points = own.column("points")[::-1].astype(np.float64)
    weights = 0.5 ** (np.arange(len(points)) / 8)
    expected = (points * weights).sum() / weights.sum()
    assert column(computed(HISTORY, asked), "points_8")[3] == pytest.approx(expected, rel=1e-5)


def test_who_is_out_leaves_minutes_to_his_team_mates_only() -> None:
    asked = asked_of(rows_of(LATE))
    star = 10 * 0 + 6
    known = {(day_number(LATE), star): 0.0}
    before, after = computed(HISTORY, asked), computed(HISTORY, asked, known)
    mates = (asked.team_id == TEAMS[0]) & (asked.player_id != star)
    freed = column(after, "free_minutes") - column(before, "free_minutes")
    assert (freed[mates] > 20).all()
    assert (freed[~mates] == 0).all()
    assert (column(after, "team_minutes")[mates] < column(before, "team_minutes")[mates]).all()


def test_a_newcomer_is_a_newcomer_and_a_team_without_games_is_average() -> None:
    asked = replace(
        asked_of(rows_of(LATE)),
        player_id=np.full(len(rows_of(LATE)), 999_999),
        team_id=np.full(len(rows_of(LATE)), 1610612766),
    )
    found = computed(HISTORY, asked)
    assert (column(found, "games") == 0).all()
    assert column(found, "points_8") == pytest.approx(NEWCOMERS[BOX_SCORE.index("points")])
    assert (column(found, "own_offence") == 0).all()
    assert np.isfinite(found).all()


def test_the_chance_to_play_follows_the_games_missed() -> None:
    # The last player of each team sits out every third evening.
    absent_lately, present_lately = ALWAYS_THERE_BUT_THE_LAST, 10 * 0 + 3
    asked = asked_of(rows_of(LATE))
    pair = replace(
        asked_of(HISTORY.take(np.array([0, 0]))),
        player_id=np.array([absent_lately, present_lately]),
        team_id=np.array([TEAMS[0], TEAMS[0]]),
        day=np.full(2, day_number(FIRST + timedelta(days=2 * EVENINGS - 2))),
    )
    chances = column(computed(HISTORY, pair), "chance")
    assert ((chances > 0) & (chances < 1)).all()
    assert chances[0] < chances[1]
    everybody = features_of(HISTORY, asked, newcomers=NEWCOMERS, chances=None)
    assert (column(everybody, "chance") == 1).all()


def test_chances_are_those_that_were_seen() -> None:
    # Three of four who have just played play again, whoever they are.
    generator = np.random.default_rng(8)
    plays = generator.random(len(HISTORY)) < 0.75
    found = HISTORY.take(plays)
    fitted = fit_chances(found)
    asked = asked_of(found.take(found.day >= day_number(LATE)))
    chances = column(features_of(found, asked, newcomers=NEWCOMERS, chances=fitted), "chance")
    assert chances.mean() == pytest.approx(0.75, abs=0.05)


def test_a_game_without_minutes_changes_nobody_else() -> None:
    values = HISTORY.values.copy()
    unknown = np.flatnonzero(HISTORY.player_id == 13)[5]
    values[unknown, BOX_SCORE.index("minutes")] = np.nan
    asked = asked_of(rows_of(LATE))
    before, after = computed(HISTORY, asked), computed(replace(HISTORY, values=values), asked)
    assert np.isfinite(after).all()
    form = slice(0, len(FORM))
    others = asked.player_id != 13
    assert np.array_equal(before[others, form], after[others, form])
    # Without blocks nobody here is big; one unknown number of minutes could make all others so.
    values[:, BOX_SCORE.index("blk")] = 0.0
    known = replace(HISTORY, values=values).take(~np.isnan(values[:, 0]))
    roles = roles_after(replace(HISTORY, values=values))[~np.isnan(values[:, 0])]
    assert np.array_equal(roles, roles_after(known))
    rate = column(after, "points_rate")[asked.player_id == 13]
    assert rate == pytest.approx(column(before, "points_rate")[asked.player_id == 13], rel=0.1)


def test_an_empty_history_gives_features_too() -> None:
    nothing = HISTORY.take(np.zeros(len(HISTORY), np.bool_))
    found = computed(nothing, asked_of(rows_of(LATE)))
    assert found.shape == (len(rows_of(LATE)), len(FEATURES))
    assert (column(found, "games") == 0).all()
