"""What if somebody were out or played less: minutes move, chances too, and nothing is logged."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from jobs.application import Application
from jobs.configuration import OwnerSettings
from nba.availability import Availability
from nba.slate import PlayerProjection, SlateProjection
from nba.slate_csv import slate_csv
from nba.stats import Market
from tests.app_process import CHECKOUT
from tests.applications import count_rows, running, settings_for
from tests.test_live_page import APP_SECONDS, captions, players_of
from ui.runtime import install_application
from ui.what_if import games_before_and_after, players_before_and_after

SUNDAY = date(2023, 1, 15)
EMPTY = date(2023, 2, 17)
NOBODY = 7


@pytest.fixture(scope="module")
def application(
    tmp_path_factory: pytest.TempPathFactory, reference_path: Path
) -> Iterator[Application]:
    """An app that pages find; nobody here owns it."""
    settings = settings_for(tmp_path_factory.mktemp("app") / "state", reference_path)
    with running(settings, ticks=False) as application:
        application.settings = replace(application.settings, owner=OwnerSettings())
        install_application(application)
        yield application
        install_application(None)


@pytest.fixture(scope="module")
def before(application: Application) -> SlateProjection:
    return application.projection(SUNDAY)


@pytest.fixture(scope="module")
def star(before: SlateProjection) -> PlayerProjection:
    return max(before.players, key=lambda player: player.bands["points"].mean)


@pytest.fixture(scope="module")
def without_star(application: Application, star: PlayerProjection) -> SlateProjection:
    return application.what_if(SUNDAY, {star.player_id: Availability.OUT}, {})


def team_of(projection: SlateProjection, player: PlayerProjection) -> dict[int, PlayerProjection]:
    return {
        one.player_id: one
        for one in projection.players
        if (one.game_id, one.team_id) == (player.game_id, player.team_id)
    }


def minutes(players: dict[int, PlayerProjection]) -> float:
    return sum(player.bands["minutes"].mean for player in players.values())


def chance_of(projection: SlateProjection, player: PlayerProjection) -> float:
    """His team's chance to win his game."""
    [home] = [
        forecast.home_win_probability
        for forecast in projection.games
        if forecast.game.game_id == player.game_id
    ]
    return home if player.is_home else 1.0 - home


def test_without_a_star_his_team_mates_play_more_and_win_less(
    before: SlateProjection, without_star: SlateProjection, star: PlayerProjection
) -> None:
    usual, then = team_of(before, star), team_of(without_star, star)
    assert star.player_id not in then
    mates = set(usual) & set(then)
    for market in ("minutes", "points"):
        gained = sum(then[one].bands[market].mean - usual[one].bands[market].mean for one in mates)
        assert gained > 5.0
    assert minutes(then) == pytest.approx(240.0, abs=1e-6)
    assert chance_of(without_star, star) < chance_of(before, star) - 0.01


def test_the_other_games_stay_as_they_are(
    before: SlateProjection, without_star: SlateProjection, star: PlayerProjection
) -> None:
    for now, then in zip(before.games, without_star.games, strict=True):
        if now.game.game_id != star.game_id:
            assert then.home_win_probability == pytest.approx(now.home_win_probability)


def test_a_cap_holds_and_the_team_plays_on(
    application: Application, before: SlateProjection, star: PlayerProjection
) -> None:
    capped = application.what_if(SUNDAY, {}, {star.player_id: 20.0})
    usual, then = team_of(before, star), team_of(capped, star)
    assert then[star.player_id].bands["minutes"].mean <= 20.0 + 1e-6
    assert then[star.player_id].bands["points"].mean < star.bands["points"].mean - 3.0
    assert minutes(then) == pytest.approx(240.0, abs=1e-6)
    gained = sum(
        then[one].bands["minutes"].mean - usual[one].bands["minutes"].mean
        for one in set(usual) & set(then) - {star.player_id}
    )
    assert gained > 5.0
    assert chance_of(capped, star) < chance_of(before, star)


def test_a_cap_above_what_he_plays_changes_nothing(
    application: Application, before: SlateProjection, star: PlayerProjection
) -> None:
    assert slate_csv(application.what_if(SUNDAY, {}, {star.player_id: 48.0})) == slate_csv(before)


def test_nothing_of_it_is_logged_or_kept(
    application: Application, before: SlateProjection, without_star: SlateProjection
) -> None:
    assert slate_csv(without_star) != slate_csv(before)
    for table in ("runs", "predictions", "game_predictions"):
        assert count_rows(application, table) == 0
    assert application.projection(SUNDAY) is before


def test_why_explains_what_is_projected(application: Application, star: PlayerProjection) -> None:
    found = application.why(SUNDAY, star.game_id, star.player_id)
    for market, contributions in found.items():
        total = sum(one.amount for one in contributions)
        assert total == pytest.approx(star.bands[market].mean, abs=1e-9)
    assert application.why(SUNDAY, star.game_id, NOBODY) == {}
    assert application.why(EMPTY, star.game_id, star.player_id) == {}


def test_tables_set_now_beside_then(
    before: SlateProjection, without_star: SlateProjection, star: PlayerProjection
) -> None:
    chosen = {star.player_id}
    [game] = games_before_and_after(before, without_star, chosen).to_dict("records")
    assert star.team in game["Game"]
    assert game["Home wins now"][-3] == ".", "one man may move it by less than a point"
    assert game["Home wins now"] != game["Home wins then"]
    players = players_before_and_after(before, without_star, chosen).set_index("Player")
    assert set(players["Team"]) == {star.team}
    assert players.loc[star.player_name].isna().to_dict() == {
        "Team": False,
        "Minutes now": False,
        "Minutes then": True,
        "Points now": False,
        "Points then": True,
    }
    assert players["Minutes now"].sum() == pytest.approx(240.0, abs=1e-6)
    assert players["Minutes then"].sum() == pytest.approx(240.0, abs=1e-6)
    assert games_before_and_after(before, without_star, {NOBODY}).empty
    assert players_before_and_after(before, without_star, {NOBODY}).empty


# On the page --------------------------------------------------------------------------------------


def opened(*, what_if: bool = False, games: bool = False) -> AppTest:
    test = AppTest.from_file(str(CHECKOUT / "streamlit_app.py"), default_timeout=APP_SECONDS)
    test.query_params["date"] = SUNDAY.isoformat()
    # As if the visitor had unfolded it.
    test.session_state["what_if"] = what_if
    test.session_state["games_table"] = games
    test.run()
    assert not test.exception
    assert [title.value for title in test.main.title] == ["Today's Games"]
    return test


def headings(test: AppTest) -> list[str]:
    return [heading.value.replace("\\", "") for heading in test.main.subheader]


def select_cell(test: AppTest, row: int, column: str) -> None:
    """Select a cell of the players' table, as a click on it does."""
    [table] = [found for found in test.main.dataframe if "PTS" in found.value]
    states = test._tree.get_widget_states()
    [*others] = [one for one in states.widgets if one.id != table.proto.id]
    del states.widgets[:]
    states.widgets.extend(others)
    state = states.widgets.add()
    state.id = table.proto.id
    selection = {"rows": [], "columns": [], "cells": [[row, column]]}
    state.string_value = json.dumps({"selection": selection})
    test._run(states)
    assert not test.exception


def test_the_games_show_the_expected_score_and_elo(application: Application) -> None:
    [games] = [
        found.value
        for found in opened(games=True).main.dataframe
        if "Expected score" in found.value
    ]
    for text in games["Expected score"]:
        away, home = (int(points) for points in text.split(" – "))
        assert 80 < away < 150
        assert 80 < home < 150
    assert set(games["Elo"].str[-1]) == {"%"}


def test_points_rebounds_and_assists_together_have_a_column(application: Application) -> None:
    players = players_of(opened())
    parts = players[["PTS", "REB", "AST"]].sum(axis=1)
    assert players["PRA"].tolist() == pytest.approx(parts.tolist())
    assert {"PRA actual", "PRA range"} <= set(players)
    known = players.dropna(subset=["PTS actual"])
    assert (
        known["PRA actual"] == known[["PTS actual", "REB actual", "AST actual"]].sum(axis=1)
    ).all()


def test_a_selected_player_is_explained(application: Application, star: PlayerProjection) -> None:
    test = opened()
    assert not [one for one in headings(test) if one.startswith("Why")]
    assert "Select a number to see below why it is what it is." in captions(test)
    # The table begins with who scores most.
    select_cell(test, 0, "Player")
    mean = star.bands["points"].mean
    assert f"Why {mean:.1f} points · {star.player_name}" in headings(test)
    [table] = test.main.table
    assert table.value["Together"].iloc[-1] == f"{mean:.1f}"
    said = [one.value for one in test.main.markdown if "More than" in one.value]
    assert len(said) == 1
    assert "%" in said[0]


@pytest.mark.parametrize(
    ("column", "market", "unit"),
    [
        ("REB", "rebounds", "rebounds"),
        ("MIN range", "minutes", "minutes"),
        ("3PM actual", "threes", "threes made"),
        ("PRA", "pra", "points + rebounds + assists"),
    ],
)
def test_the_number_that_is_selected_is_explained(
    application: Application, star: PlayerProjection, column: str, market: Market, unit: str
) -> None:
    test = opened()
    select_cell(test, 0, column)
    mean = star.bands[market].mean
    assert f"Why {mean:.1f} {unit} · {star.player_name}" in headings(test)


def test_another_number_can_be_chosen_and_the_next_selection_counts(
    application: Application, star: PlayerProjection
) -> None:
    test = opened()
    select_cell(test, 0, "REB")
    [box] = [one for one in test.main.selectbox if one.label == "Number to explain"]
    box.select("threes").run()
    assert f"Why {star.bands['threes'].mean:.1f} threes made · {star.player_name}" in headings(test)
    select_cell(test, 1, "REB")
    [why] = [one for one in headings(test) if one.startswith("Why")]
    assert " rebounds · " in why
    assert star.player_name not in why


def test_a_visitor_may_ask_what_if(application: Application, star: PlayerProjection) -> None:
    test = opened()
    assert "What if" in {box.label for box in test.main.expander}
    assert not test.main.multiselect, "its content is sent only while it is open"
    test = opened(what_if=True)
    assert "neither logged nor kept, and nobody else sees it" in captions(test)
    assert "Choose a player to begin with." in captions(test)
    test.main.multiselect[0].select(f"{star.player_name} ({star.team})").run()
    assert not test.exception
    [players] = [found.value for found in test.main.dataframe if "Minutes then" in found.value]
    assert star.player_name in set(players["Player"])
    [games] = [found.value for found in test.main.table if "Home wins then" in found.value]
    assert len(games) == 1
    assert count_rows(application, "runs") == 0


def test_a_cap_on_the_page(application: Application, star: PlayerProjection) -> None:
    test = opened(what_if=True)
    [capped] = [one for one in test.main.selectbox if one.label == "Player with fewer minutes"]
    capped.select(f"{star.player_name} ({star.team})").run()
    assert not test.exception
    [most] = [one for one in test.main.number_input if one.label == "At most, in minutes"]
    most.set_value(10).run()
    assert not test.exception
    [players] = [found.value for found in test.main.dataframe if "Minutes then" in found.value]
    then = players.set_index("Player")["Minutes then"].to_dict()
    assert then[star.player_name] <= 10.0 + 1e-6


def test_teams_that_cannot_fill_a_game_are_named() -> None:
    def page() -> None:
        from ui.what_if import show_short_teams

        show_short_teams(("NYK", "ATL"))
        show_short_teams(())

    test = AppTest.from_function(page).run()
    assert [one.value.partition(":")[0] for one in test.warning] == ["ATL, NYK"]
