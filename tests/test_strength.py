"""Team strength: what it must not see, and which way it must move."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import date
from itertools import pairwise

import numpy as np
import pytest

from nba.history import History, day_number
from nba.reference import Reference
from nba.strength import (
    Games,
    Lineups,
    Past,
    StrengthModel,
    fit_strength,
    games_of,
    games_of_slate,
)

DAY = date(2018, 12, 25)
HARDEN, HOUSTON = 201935, 1610612745
NEVER_SEEN = 9_999_999


@pytest.fixture(scope="module")
def history(reference: Reference) -> History:
    return reference.history(date(2016, 8, 1), date(2019, 8, 1))


@pytest.fixture(scope="module")
def games(reference: Reference) -> Games:
    frame = reference.games(before=date(2019, 8, 1))
    return games_of(frame[frame["season"] >= "2016-17"])


@pytest.fixture(scope="module")
def model(history: History, games: Games) -> StrengthModel:
    begin = date(2018, 8, 1)
    return fit_strength(history.before(begin), games.before(begin))


@pytest.fixture(scope="module")
def past(model: StrengthModel, history: History, games: Games) -> Past:
    return model.past(history.before(DAY), games.before(DAY))


@pytest.fixture(scope="module")
def asked(reference: Reference) -> Games:
    slate = games_of_slate(reference.slate(DAY))
    assert HOUSTON in slate.home_team_id
    return slate


def one_game(asked: Games, **changes: object) -> Games:
    game = asked.take(asked.home_team_id == HOUSTON)
    return replace(game, **{name: np.array([value]) for name, value in changes.items()})


def lineups_of(asked: Games, minutes: Mapping[int, Mapping[int, float]]) -> Lineups:
    """Line-ups of minutes by team id and player id."""
    rows = [
        (place, player, player_minutes)
        for place, team in enumerate(asked.team_id.tolist())
        for player, player_minutes in minutes[team].items()
    ]
    place, player_id, given = zip(*rows, strict=True)
    return Lineups(np.array(place), np.array(player_id), np.array(given))


def probability(
    model: StrengthModel,
    past: Past,
    asked: Games,
    lineups: Lineups | None = None,
    known: Mapping[tuple[int, int], float] | None = None,
) -> float:
    chosen = lineups or model.expected_lineups(past, asked, known=known)
    (given,) = model.forecast(past, asked, chosen).home_win_probability
    return float(given)


def everything(model: StrengthModel, past: Past, asked: Games) -> list[bytes]:
    forecasts = model.forecast(past, asked, model.expected_lineups(past, asked))
    return [getattr(forecasts, field.name).tobytes() for field in fields(forecasts)]


def test_what_happens_on_the_day_or_later_changes_nothing(
    model: StrengthModel, history: History, games: Games, past: Past, asked: Games
) -> None:
    random = np.random.default_rng(5)
    row = np.flatnonzero(history.day >= day_number(DAY))
    values = history.values.copy()
    values[row] = random.permutation(values[row])
    teams = history.team_id.copy()
    teams[row] = random.permutation(teams[row])
    game = np.flatnonzero(games.day >= day_number(DAY))
    points = games.home_points.copy()
    points[game] = random.permutation(points[game]) + 50
    scrambled = model.past(
        replace(history, values=values, team_id=teams), replace(games, home_points=points)
    )
    expected = everything(model, past, asked)
    assert everything(model, scrambled, asked) == expected
    assert everything(model, model.past(history, games), asked) == expected


def test_a_whole_season_at_once_is_the_same_as_day_by_day(
    model: StrengthModel, history: History, games: Games, asked: Games
) -> None:
    season = games.take((games.season == 2018) & games.is_regular)
    past = model.past(history, games)
    together = model.forecast(past, season, model.expected_lineups(past, season))
    alone = model.forecast(past, asked, model.expected_lineups(past, asked))
    places = [int(np.flatnonzero(season.game == game)[0]) for game in asked.game]
    assert together.home_points[places].tolist() == alone.home_points.tolist()
    assert together.home_win_probability[places].tolist() == alone.home_win_probability.tolist()


def test_two_trainings_and_the_arrays_of_one_are_the_same(
    model: StrengthModel, history: History, games: Games
) -> None:
    begin = date(2018, 8, 1)
    order = np.random.default_rng(3).permutation(len(games))
    again = fit_strength(history.before(begin), games.take(order).before(begin))
    read = StrengthModel.from_arrays(model.arrays())
    for name, array in model.arrays().items():
        assert array.dtype == np.float64
        assert again.arrays()[name].tobytes() == array.tobytes()
        assert read.arrays()[name].tobytes() == array.tobytes()


def test_without_the_star_the_team_wins_less(
    model: StrengthModel, past: Past, asked: Games
) -> None:
    game = one_game(asked)
    usual = probability(model, past, game)
    out = {(day_number(DAY), HARDEN): 0.0}
    without = probability(model, past, game, known=out)
    assert without < usual - 0.03
    everybody = model.expected_lineups(past, game)
    lineups = model.expected_lineups(past, game, known=out)
    his = lineups.player_id == HARDEN
    assert lineups.minutes[his].sum() == 0.0
    assert lineups.minutes[~his] == pytest.approx(everybody.minutes[~his]), "newcomers have his"
    assert np.bincount(everybody.place, everybody.minutes) == pytest.approx([240.0, 240.0])


def test_a_word_or_a_cap_on_a_player_moves_his_minutes(
    model: StrengthModel, past: Past, asked: Games
) -> None:
    game, key = one_game(asked), (day_number(DAY), HARDEN)

    def minutes(lineups: Lineups) -> tuple[float, float]:
        sums = np.bincount(lineups.place, lineups.minutes)
        return float(lineups.minutes[lineups.player_id == HARDEN].sum()), float(sums[0])

    usual, _ = minutes(model.expected_lineups(past, game))
    half, _ = minutes(model.expected_lineups(past, game, shares={key: 0.5}))
    assert half == pytest.approx(0.5 * usual)
    doubtful, _ = minutes(model.expected_lineups(past, game, known={key: 0.25}))
    certain, team = minutes(model.expected_lineups(past, game, known={key: 1.0}))
    assert doubtful < usual < certain
    assert team == pytest.approx(240.0)


def test_rosters_say_whose_player_somebody_is(
    model: StrengthModel, past: Past, asked: Games
) -> None:
    game = one_game(asked)
    visitors = int(game.away_team_id[0])
    usual = model.expected_lineups(past, game)
    at_home, away = (set(usual.player_id[usual.place == place].tolist()) for place in (0, 1))
    teams = dict.fromkeys(at_home, HOUSTON) | dict.fromkeys({*away, HARDEN}, visitors)
    listed = model.expected_lineups(past, game, teams={**teams, NEVER_SEEN: HOUSTON})
    assert set(listed.player_id[listed.place == 0].tolist()) == at_home - {HARDEN}
    assert set(listed.player_id[listed.place == 1].tolist()) == away | {HARDEN}
    # His new team has played once since his last game, and he was not there.
    assert 10.0 < listed.minutes[listed.player_id == HARDEN][0] < 20.0
    assert probability(model, past, game, listed) < probability(model, past, game) - 0.03
    nobody = model.expected_lineups(past, game, teams={})
    assert len(nobody.player_id) == 0
    assert probability(model, past, game, nobody) > 0.5, "two average teams, and the home edge"


def test_minutes_for_better_players_win_more(
    model: StrengthModel, past: Past, asked: Games
) -> None:
    game = one_game(asked)
    lineups = model.expected_lineups(past, game)
    home = lineups.place == 0
    values = past.player_values(game, lineups)
    best, worst = (
        {int(one): 48.0 for one in lineups.player_id[home][np.argsort(order * values[home])[:5]]}
        for order in (-1.0, 1.0)
    )
    away = dict(
        zip(lineups.player_id[~home].tolist(), lineups.minutes[~home].tolist(), strict=True)
    )
    visitors = int(game.away_team_id[0])
    given = [
        probability(model, past, game, lineups_of(game, {HOUSTON: five, visitors: away}))
        for five in (worst, best)
    ]
    assert given[0] < probability(model, past, game, lineups) < given[1]


def test_neutral_ground_has_no_home_edge(model: StrengthModel, past: Past, asked: Games) -> None:
    home, away = HOUSTON, int(one_game(asked).away_team_id[0])
    neutral = one_game(asked, is_neutral=True)
    swapped = one_game(asked, is_neutral=True, home_team_id=away, away_team_id=home)
    given = probability(model, past, neutral)
    assert given == pytest.approx(1.0 - probability(model, past, swapped))
    assert given < probability(model, past, one_game(asked))


def test_probability_and_expected_score_agree(
    model: StrengthModel, history: History, games: Games
) -> None:
    season = games.take((games.season == 2018) & games.is_regular)
    past = model.past(history, games)
    given = model.forecast(past, season, model.expected_lineups(past, season))
    margin = given.home_points - given.away_points
    assert ((given.home_win_probability > 0.5) == (margin > 0)).all()
    total = given.home_points + given.away_points
    actual = season.home_points + season.away_points
    assert abs(float((total - actual).mean())) < 3.0
    won = season.home_points > season.away_points
    loss = -np.log(np.where(won, given.home_win_probability, 1 - given.home_win_probability))
    assert loss.mean() < 0.615  # plain Elo has 0.614 there, FiveThirtyEight 0.613


def test_a_team_never_seen_is_average(model: StrengthModel, past: Past, asked: Games) -> None:
    unseen = one_game(asked, home_team_id=1, away_team_id=2, is_neutral=True)
    assert probability(model, past, unseen) == 0.5
    lineups = model.expected_lineups(past, asked)
    values = np.bincount(lineups.place, lineups.minutes / 48 * past.player_values(asked, lineups))
    assert past.average[-1] == pytest.approx(values.mean(), abs=3.0)


def test_nothing_known_gives_an_even_game(model: StrengthModel, past: Past, asked: Games) -> None:
    nothing = model.past(
        past.history.take(np.zeros(0, np.int64)), asked.take(np.zeros(0, np.int64))
    )
    given = model.forecast(nothing, asked, model.expected_lineups(nothing, asked))
    assert (given.home_win_probability > 0.5).all()  # the home edge alone
    assert np.isfinite(given.home_points).all()
    with pytest.raises(ValueError, match="no regular-season games"):
        fit_strength(nothing.history, asked)


def test_players_without_history_are_newcomers(
    model: StrengthModel, past: Past, asked: Games
) -> None:
    game = one_game(asked)
    five = {1: 48.0, 2: 48.0, 3: 48.0, 4: 48.0, 5: 48.0}
    lineups = lineups_of(game, {HOUSTON: five, int(game.away_team_id[0]): five})
    assert past.player_values(game, lineups).tolist() == [0.0] * 10
    regulars = model.expected_lineups(past, game)
    assert past.player_values(game, regulars) @ regulars.minutes > 0.0


def test_what_results_taught_fades_once_a_season(
    model: StrengthModel, past: Past, asked: Games
) -> None:
    lineups = model.expected_lineups(past, one_game(asked))
    values = [
        past.player_values(one_game(asked, season=season), lineups)
        for season in (2018, 2019, 2020, 2021)
    ]
    steps = [later - earlier for earlier, later in pairwise(values)]
    assert np.abs(steps[0]).max() > 0.1
    assert steps[1] == pytest.approx(0.75 * steps[0])
    assert steps[2] == pytest.approx(0.75**2 * steps[0])


def test_missing_minutes_and_games_without_box_scores_are_passed_over(
    model: StrengthModel, past: Past, games: Games, asked: Games
) -> None:
    history = past.history
    values = history.values.copy()
    values[history.day == history.day.max(), 0] = np.nan
    known = games.before(DAY)
    given = everything(model, model.past(replace(history, values=values), known), asked)
    assert all(np.isfinite(np.frombuffer(one)).all() for one in given)
    last = known.day == known.day.max()
    points = np.where(last, np.nan, known.home_points)
    unplayed = model.past(history, replace(known, home_points=points))
    assert unplayed.days[-1] < known.day.max()


def test_a_team_can_play_twice_on_a_day(
    model: StrengthModel, past: Past, games: Games, asked: Games
) -> None:
    known, history = games.before(DAY), past.history
    # The last game of all is played again on the same day, with the same box scores.
    last = max(np.flatnonzero(np.isin(known.game, history.game)), key=lambda row: known.day[row])
    again = np.flatnonzero(history.game == known.game[last])
    assert len(again) >= 16
    game = np.append(history.game, history.game[again] + 5_000)
    rows = history.take(np.append(np.arange(len(history)), again))
    rows = replace(rows, game=game)
    rows = rows.take(np.lexsort((rows.game, rows.day, rows.player_id)))
    twice = known.take(np.append(np.arange(len(known)), last))
    twice.game[-1] += 5_000
    both = model.past(rows, twice)
    double = asked.take(np.array([0, 0]))
    given = model.forecast(both, double, model.expected_lineups(both, double))
    assert given.home_win_probability[0] == given.home_win_probability[1]
    assert np.isfinite(given.home_points).all()
    # Neither of the two sees the other, so whichever comes first teaches the same.
    learned = both.learned[np.isin(rows.game, [known.game[last], known.game[last] + 5_000])]
    assert (learned[::2] == learned[1::2]).all()
    assert np.abs(learned).max() > 0.0
