"""Who plays, how long, and what that is worth: new team-mates, caps, and teams that run short."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from nba.availability import Availability
from nba.knowledge import Knowledge, knowledge_of
from nba.model import shipped_model
from nba.reference import Reference, build_reference
from nba.slate import PlayerProjection, SlateProjection, project_slate
from nba.strength import games_of_slate
from tests.nba_bundle import HOME, final_score, played, small_bundle

LIVE = date(2026, 11, 20)
REPLAY = date(2023, 1, 15)
WASHINGTON, YOUNG = 1610612764, 1629027
OUT, QUESTIONABLE = Availability.OUT, Availability.QUESTIONABLE


class Evening:
    """A slate, and the same with other words and caps."""

    def __init__(self, reference: Reference, day: date) -> None:
        self.reference, self.day = reference, day
        self.knowledge: Knowledge = knowledge_of(reference, shipped_model(), day)
        self.usual = self.project()

    def project(
        self,
        words: Mapping[int, Availability] | None = None,
        caps: Mapping[int, float] | None = None,
    ) -> SlateProjection:
        return project_slate(
            self.reference, self.day, words, most_minutes=caps, knowledge=self.knowledge
        )

    def star(self) -> PlayerProjection:
        return max(self.usual.players, key=lambda one: one.bands["points"].mean)


@pytest.fixture(scope="module", params=[LIVE, REPLAY], ids=str)
def evening(request: pytest.FixtureRequest, reference: Reference) -> Evening:
    return Evening(reference, request.param)


@pytest.fixture(scope="module")
def live(reference: Reference) -> Evening:
    return Evening(reference, LIVE)


def team_of(projection: SlateProjection, player: PlayerProjection) -> list[PlayerProjection]:
    key = player.game_id, player.team_id
    return [one for one in projection.players if (one.game_id, one.team_id) == key]


def minutes(players: list[PlayerProjection]) -> float:
    return sum(one.bands["minutes"].mean for one in players)


def sum_of_mates(projection: SlateProjection, player: PlayerProjection) -> float:
    """The points of a player's team-mates together."""
    return sum(
        one.bands["points"].mean
        for one in team_of(projection, player)
        if one.player_id != player.player_id
    )


def win_chance(projection: SlateProjection, player: PlayerProjection) -> float:
    """His team's chance to win his game."""
    [home] = [
        one.home_win_probability for one in projection.games if one.game.game_id == player.game_id
    ]
    return home if player.is_home else 1.0 - home


# Who is expected, and what he is worth ------------------------------------------------------------


def test_who_is_new_to_a_team_has_minutes_in_its_line_up(live: Evening) -> None:
    known, games = live.knowledge, live.reference.slate(LIVE)
    asked = games_of_slate(games)
    rosters = {team: live.reference.roster(team, LIVE) for team in asked.team_id.tolist()}
    assert known.history.team_id[known.history.player_id == YOUNG][-1] != WASHINGTON
    lineups = known.model.strength.expected_lineups(
        known.past,
        asked,
        teams={int(one): team for team, roster in rosters.items() for one in roster["player_id"]},
    )
    assert lineups.minutes.max() < 42.0
    sums = np.bincount(lineups.place, lineups.minutes)
    assert sums.max() < 240.0 + 1e-6
    assert sums.min() > 160.0, "the rest belongs to newcomers"
    listed = {(team, one) for team, roster in rosters.items() for one in roster["player_id"]}
    teams = asked.team_id[lineups.place].tolist()
    assert set(zip(teams, lineups.player_id.tolist(), strict=True)) <= listed
    [young] = lineups.minutes[lineups.player_id == YOUNG]
    assert young > 20.0


def test_a_player_of_positive_value_out_lowers_his_team(evening: Evening) -> None:
    known, usual = evening.knowledge, evening.usual
    asked = games_of_slate(evening.reference.slate(evening.day))
    everybody = known.model.strength.expected_lineups(known.past, asked)
    values = dict(
        zip(
            everybody.player_id.tolist(),
            known.past.player_values(asked, everybody).tolist(),
            strict=True,
        )
    )
    regulars = [one for one in usual.players if one.bands["minutes"].mean > 22][::3]
    for player in regulars:
        if abs(value := values.get(player.player_id, 0.0)) > 0.05:
            without = evening.project({player.player_id: OUT})
            change = win_chance(without, player) - win_chance(usual, player)
            assert (change < 0.0) == (value > 0.0), player.player_name
            assert abs(change) < 0.25


def test_the_chance_to_win_follows_every_word_of_the_owner(evening: Evening) -> None:
    star = evening.star()
    chances = [
        win_chance(evening.project({star.player_id: word}), star)
        for word in (OUT, Availability.DOUBTFUL, QUESTIONABLE, Availability.AVAILABLE)
    ]
    assert chances == sorted(chances)
    assert chances[0] < win_chance(evening.usual, star) < chances[-1]


def test_a_team_of_which_everybody_is_out_is_no_average_team(evening: Evening) -> None:
    star = evening.star()
    reference, day = evening.reference, evening.day
    if day == LIVE:
        people = reference.roster(star.team_id, day)
    else:
        people = reference.recent_players(star.team_id, day, 100)
    nobody = evening.project({int(one): OUT for one in people["player_id"]})
    assert team_of(nobody, star) == []
    assert win_chance(nobody, star) < win_chance(evening.project({star.player_id: OUT}), star)


def test_who_is_back_is_considered_in_a_replay_too(reference: Reference) -> None:
    """Kevin Durant was hurt on 2023-01-08 and missed Brooklyn's games of the weeks after."""
    durant, day = 201142, date(2023, 1, 26)
    evening = Evening(reference, day)
    assert durant not in {one.player_id for one in evening.usual.players}
    back = evening.project({durant: Availability.AVAILABLE})
    [found] = [one for one in back.players if one.player_id == durant]
    assert (found.team, found.availability) == ("BKN", Availability.AVAILABLE)
    assert found.bands["minutes"].mean > 25.0
    assert minutes(team_of(back, found)) == pytest.approx(240.0)
    assert win_chance(back, found) > win_chance(evening.usual, found) + 0.03


# Caps ---------------------------------------------------------------------------------------------


def test_the_lower_a_cap_the_more_is_left_for_team_mates(evening: Evening) -> None:
    star = evening.star()
    usual = star.bands["minutes"].mean
    points, chances = [], []
    for share in (1.0, 0.98, 0.9, 0.75, 0.5, 0.25, 0.05):
        then = evening.project(caps={star.player_id: share * usual})
        team = team_of(then, star)
        points.append(sum_of_mates(then, star))
        chances.append(win_chance(then, star))
        assert minutes(team) == pytest.approx(240.0)
    assert points[0] == sum_of_mates(evening.usual, star)
    # Trees are steps, some of which go the other way; nobody's cap makes his team-mates worse.
    assert min(points) > points[0] - 0.2
    assert points[-1] > points[0] + 3.0
    assert chances == sorted(chances, reverse=True)


def test_a_cap_does_not_make_a_doubt_better(evening: Evening) -> None:
    star = evening.star()
    word = {star.player_id: QUESTIONABLE}
    cap = {star.player_id: 0.8 * star.bands["minutes"].mean}
    doubted, both = evening.project(word), evening.project(word, cap)
    assert win_chance(both, star) < win_chance(doubted, star)


@pytest.mark.parametrize("share", [1.02, 1.0, 0.98, 0.95, 0.9, 0.7])
def test_nobody_is_shown_above_his_cap(evening: Evening, share: float) -> None:
    """Several of a team at once: what one leaves must not lift another above his."""
    star = evening.star()
    chosen = sorted(team_of(evening.usual, star), key=lambda one: -one.bands["minutes"].mean)[1:6]
    caps = {one.player_id: share * one.bands["minutes"].mean for one in chosen}
    then = team_of(evening.project({star.player_id: OUT}, caps), star)
    for player in then:
        if player.player_id in caps:
            band, cap = player.bands["minutes"], caps[player.player_id]
            assert max(band.mean, band.median, band.ceiling) <= cap + 1e-6
            assert band.floor <= band.median <= band.ceiling
    assert minutes(then) == pytest.approx(240.0)


# Teams that run short -----------------------------------------------------------------------------


def test_ten_capped_players_are_joined_by_the_next(evening: Evening) -> None:
    star = evening.star()
    usual = team_of(evening.usual, star)
    then = evening.project(caps={one.player_id: 12.0 for one in usual})
    team = team_of(then, star)
    assert len(team) > len(usual) == 10
    assert minutes(team) == pytest.approx(240.0)
    assert max(one.bands["minutes"].mean for one in team) < 48.0
    assert win_chance(then, star) < win_chance(evening.usual, star)
    assert then.short_teams == ()


def test_a_team_of_which_many_are_out_is_joined_by_the_next(reference: Reference) -> None:
    evening = Evening(reference, REPLAY)
    star = evening.star()
    out = [one.player_id for one in team_of(evening.usual, star)]
    then = evening.project(dict.fromkeys(out, OUT))
    team = team_of(then, star)
    assert len(team) >= 5
    assert not {one.player_id for one in team} & set(out)
    assert minutes(team) == pytest.approx(240.0)
    assert win_chance(then, star) < win_chance(evening.usual, star) - 0.1
    assert then.short_teams == ()


def test_a_team_that_cannot_fill_a_game_is_named_and_wins_less(live: Evening) -> None:
    star = live.star()
    others = [
        int(one)
        for one in live.reference.roster(star.team_id, LIVE)["player_id"]
        if one not in {player.player_id for player in team_of(live.usual, star)[-4:]}
    ]
    then = live.project(dict.fromkeys(others, OUT))
    assert minutes(team_of(then, star)) == pytest.approx(4 * 48.0)
    assert then.short_teams == (star.team,)
    assert live.usual.short_teams == ()
    assert win_chance(then, star) < win_chance(live.usual, star) - 0.1


def test_a_team_without_eight_players_takes_in_who_played_before(tmp_path: Path) -> None:
    first, day = date(2024, 1, 2), date(2024, 1, 15)
    days = [first + timedelta(days=2 * number) for number in range(5)]
    rows, scores = [], []
    for number, one in enumerate(days):
        game_id = f"002230000{number}"
        scores.append(final_score(game_id, one, 110, 100))
        # The last three games six men played, before them nine.
        for player in range(1, 10 if number < 2 else 7):
            rows.append(played(player, one, game_id, minutes=26, pts=10))
    scores.append(final_score("0022300009", day, 1, 2))
    bundle = small_bundle(tmp_path / "data", rows, scores)
    slate = project_slate(Reference(build_reference(bundle, tmp_path / "r.db")), day)
    expected = [one.player_id for one in slate.players if one.team_id == HOME]
    assert sorted(expected) == list(range(1, 10))
    assert slate.short_teams == ("NYK",)


# How far back -------------------------------------------------------------------------------------


def test_a_season_looks_back_equally_far_from_autumn_to_spring(reference: Reference) -> None:
    model = shipped_model()
    autumn, spring = date(2022, 10, 19), date(2023, 4, 2)
    together = knowledge_of(reference, model, autumn, spring + timedelta(days=1))
    alone = knowledge_of(reference, model, spring)
    assert together.history.day.min() == alone.history.day.min()
    assert project_slate(reference, spring, knowledge=together) == project_slate(
        reference, spring, knowledge=alone
    )
