"""Why a projection is what it is: contributions that add up to the number shown."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from nba.availability import Availability
from nba.features import FEATURES
from nba.knowledge import Knowledge, knowledge_of
from nba.model import shipped_model
from nba.model.distribution import Count
from nba.reference import Reference
from nba.slate import PlayerProjection, project_slate
from nba.squad import Squad, squad_of
from nba.stats import MARKETS
from nba.why import CAP, FIT, GROUPS, START, Contribution, why
from ui.why import chances, contributions_table

SUNDAY = date(2023, 1, 15)
NOBODY = -7


@pytest.fixture(scope="module")
def knowledge(reference: Reference) -> Knowledge:
    return knowledge_of(reference, shipped_model(), SUNDAY)


@pytest.fixture(scope="module")
def squad(reference: Reference, knowledge: Knowledge) -> Squad:
    found = squad_of(reference, knowledge, SUNDAY, reference.slate(SUNDAY), {}, {})
    assert found is not None
    return found


@pytest.fixture(scope="module")
def players(reference: Reference, knowledge: Knowledge) -> tuple[PlayerProjection, ...]:
    return project_slate(reference, SUNDAY, knowledge=knowledge).players


def total(contributions: tuple[Contribution, ...]) -> float:
    return sum(one.amount for one in contributions)


def test_each_feature_is_in_exactly_one_group() -> None:
    assert sorted(name for names in GROUPS.values() for name in names) == sorted(FEATURES)


def test_contributions_add_up_to_every_mean(
    squad: Squad, players: tuple[PlayerProjection, ...]
) -> None:
    for player in players[::9]:
        found = why(squad, player.game_id, player.player_id)
        assert set(found) == set(MARKETS)
        for market, contributions in found.items():
            assert total(contributions) == pytest.approx(player.bands[market].mean, abs=1e-9)
            assert all(np.isfinite(one.amount) for one in contributions)


def test_labels_are_the_groups_and_for_minutes_the_team(
    squad: Squad, players: tuple[PlayerProjection, ...]
) -> None:
    found = why(squad, players[0].game_id, players[0].player_id)
    for market, contributions in found.items():
        fit = [FIT] if market == "minutes" else []
        assert [one.label for one in contributions] == [*GROUPS, *fit]
    assert found["points"][0].label == START
    # Where everybody starts does not depend on who he is.
    others = why(squad, players[1].game_id, players[1].player_id)
    assert others["points"][0].amount == pytest.approx(found["points"][0].amount, abs=0.5)


def test_a_star_is_made_by_what_he_does(
    players: tuple[PlayerProjection, ...], squad: Squad
) -> None:
    star = max(players, key=lambda player: player.bands["points"].mean)
    amounts = {one.label: one.amount for one in why(squad, star.game_id, star.player_id)["points"]}
    assert amounts["How much he usually plays"] > 4.0
    assert amounts["What he usually does"] > 4.0
    assert amounts[START] < 8.0


def test_who_is_out_and_who_is_capped_are_among_the_reasons(
    reference: Reference, knowledge: Knowledge, players: tuple[PlayerProjection, ...], squad: Squad
) -> None:
    star = max(players, key=lambda player: player.bands["points"].mean)
    mate, other = [one for one in players if one.team_id == star.team_id and one != star][:2]
    words, caps = {star.player_id: Availability.OUT}, {other.player_id: 15.0}
    changed = squad_of(reference, knowledge, SUNDAY, reference.slate(SUNDAY), words, caps)
    assert changed is not None
    after = project_slate(reference, SUNDAY, words, most_minutes=caps, knowledge=knowledge)
    bands = {one.player_id: one.bands for one in after.players}
    for player in (mate, other):
        for market, contributions in why(changed, player.game_id, player.player_id).items():
            assert total(contributions) == pytest.approx(
                bands[player.player_id][market].mean, abs=1e-9
            )

    def amount(of: Squad, player: PlayerProjection, label: str) -> float:
        [found] = [
            one.amount
            for one in why(of, player.game_id, player.player_id)["minutes"]
            if one.label == label
        ]
        return found

    mates = "Team-mates out or back"
    assert amount(changed, mate, mates) > amount(squad, mate, mates)
    assert amount(changed, other, CAP) < -1.0
    assert why(changed, star.game_id, star.player_id) == {}


def test_nobody_is_explained_who_is_not_projected(
    squad: Squad, players: tuple[PlayerProjection, ...]
) -> None:
    assert why(squad, players[0].game_id, NOBODY) == {}
    assert why(squad, players[-1].game_id, players[0].player_id) == {}


def test_a_first_game_is_explained_too(reference: Reference) -> None:
    """On the first evening of a season somebody plays of whom nothing is known."""
    opening = date(2022, 10, 19)
    known = knowledge_of(reference, shipped_model(), opening)
    found = squad_of(reference, known, opening, reference.slate(opening), {}, {})
    assert found is not None
    shortest = min(found.players(), key=lambda player: player.games_of_history)
    for market, contributions in why(found, shortest.game_id, shortest.player_id).items():
        assert total(contributions) == pytest.approx(shortest.bands[market].mean, abs=1e-9)


# On screen ----------------------------------------------------------------------------------------


def test_what_is_shown_adds_up_in_tenths() -> None:
    amounts = (4.04, 8.04, 10.04, 1.04, -0.06, -0.04, 0.0)
    parts = [Contribution(f"reason {place}", amount) for place, amount in enumerate(amounts)]
    mean = sum(amounts)
    shown = contributions_table(parts, mean, "points")
    assert list(shown.columns) == ["Points", "Together"]
    assert shown["Together"].iloc[-1] == f"{mean:.1f}"
    tenths = [float(text.replace("−", "-")) for text in shown["Points"]]
    assert sum(tenths) == pytest.approx(float(f"{mean:.1f}"))
    assert shown["Points"].iloc[0] in {"4.0", "4.1"}
    assert shown["Points"].iloc[1] in {"+8.0", "+8.1"}
    assert "+0.0" not in set(shown["Points"])
    assert "-" not in "".join(shown["Points"])


def test_a_whole_line_can_be_hit() -> None:
    rebounds = Count(6.0, 1.5)
    assert chances(rebounds, 5.5, "rebounds").startswith("More than 5.5 rebounds: **")
    assert "just" not in chances(rebounds, 5.5, "rebounds")
    assert " · just 6: " in chances(rebounds, 6.0, "rebounds")
    assert chances(rebounds, 59.5, "rebounds") == "More than 59.5 rebounds: **0%**"
    shares = rebounds.over(6.0), rebounds.exactly(6.0)
    assert 0.0 < sum(shares) < 1.0
