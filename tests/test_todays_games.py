"""Today's Games without a browser: cards, ranges, players, one explained, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from jobs.application import Application
from jobs.authority import OWNER
from jobs.configuration import OwnerSettings, Settings
from nba.slate import SlateProjection
from prediction_tracking import Origin
from tests.app_process import CHECKOUT
from tests.applications import (
    AFTERNOON,
    SwitchedStore,
    log_of,
    published,
    running,
    settings_for,
    use_store,
)
from tests.stores import ManualClock
from tests.test_live_page import APP_SECONDS, captions, players_of
from ui.lines import _Answer
from ui.record_words import WHEN_IT_COUNTS
from ui.runtime import install_application

REPLAYED = "2024-01-15"
TONIGHT = date(2026, 11, 20)


@pytest.fixture(scope="module")
def application(
    tmp_path_factory: pytest.TempPathFactory, reference_path: Path
) -> Iterator[Application]:
    """An app that pages find and nobody owns; tonight is logged and saved."""
    settings = settings_for(tmp_path_factory.mktemp("app") / "state", reference_path)
    with pytest.MonkeyPatch.context() as patched:
        # A folder's clock is today's, and what is stored after the tip-off does not count.
        use_store(patched, SwitchedStore(ManualClock(AFTERNOON)))
        yield from _running(settings)


def _running(settings: Settings) -> Iterator[Application]:
    with running(settings, lambda: AFTERNOON) as application:
        published(application)
        application.settings = replace(application.settings, owner=OwnerSettings())
        install_application(application)
        yield application
        install_application(None)


@pytest.fixture(scope="module")
def replayed(application: Application) -> SlateProjection:
    return application.projection(date.fromisoformat(REPLAYED))


def opened(**query: str | list[str]) -> AppTest:
    test = AppTest.from_file(str(CHECKOUT / "streamlit_app.py"), default_timeout=APP_SECONDS)
    for name, value in query.items():
        test.query_params[name] = value
    test.run()
    assert not test.exception
    assert [title.value for title in test.main.title] == ["Today's Games"]
    return test


def texts(test: AppTest) -> list[str]:
    return [one.value.replace("\\", "") for one in test.main.markdown]


def cards(test: AppTest) -> list[str]:
    """The names on the cards, in order."""
    return [text.removeprefix("### ") for text in texts(test) if text.startswith("### ")]


def warnings(test: AppTest) -> list[str]:
    return [one.value.replace("\\", "") for one in test.main.warning]


# Cards --------------------------------------------------------------------------------------------


def test_tonight_has_a_card_for_each_game(application: Application) -> None:
    log_of(application).scoring.update()
    test = opened()
    projection = application.projection(TONIGHT)
    names = [f"{one.game.away_team} @ {one.game.home_team}" for one in projection.games]
    assert cards(test) == names
    assert len(names) == 9
    said, below = texts(test), captions(test)
    assert "7:00 PM EST" in below
    assert sum("Expected **" in text for text in said) == 9
    assert sum("Spread **" in text for text in said) == 9
    assert below.count("saved as #2 · before tip-off") == 9
    assert below.count("played the day before") + below.count("off · ") > 0
    assert len(test.main.image) == 9
    assert "Chance to win: Charlotte Hornets" in str(test.main.image[0].proto)
    [line] = [text for text in said if "Track record: " in text]
    assert line.endswith(f"Track record: none yet; {WHEN_IT_COUNTS}.")


def test_after_the_games_the_cards_have_the_final_scores(application: Application) -> None:
    finals = [text.splitlines()[-1] for text in texts(opened(date=REPLAYED)) if "Final **" in text]
    assert len(finals) == 11
    assert "Final **115 – 124** · PHI won" in finals


def test_the_games_are_a_table_for_who_wants_one(application: Application) -> None:
    assert not [one for one in opened().main.dataframe if "Spread" in one.value]
    test = opened(games_table="true")
    [games] = [one.value for one in test.main.dataframe if "Spread" in one.value]
    assert games["Home"].iloc[0] == "ATL"
    assert "Download the games as CSV" in [one.label for one in test.main.download_button]


def test_a_replay_that_was_logged_says_so_on_each_card(application: Application) -> None:
    slate_date = date(2023, 3, 1)
    assert "Replay logged" not in captions(opened(date=slate_date.isoformat()))
    settings, application.settings = (
        application.settings,
        replace(application.settings, owner=OwnerSettings(local=True)),
    )
    application.log_replay(OWNER, slate_date)
    application.settings = settings
    application.tick()
    published(application)
    [run] = log_of(application).runs(origin=Origin.REPLAY)
    below = captions(opened(date=slate_date.isoformat()))
    assert below.count(f"saved as #{run.sequence}") == run.games + 1


# What stands in the address -----------------------------------------------------------------------


def test_chosen_games_narrow_cards_and_players(
    application: Application, replayed: SlateProjection
) -> None:
    name = f"{replayed.games[0].game.away_team} @ {replayed.games[0].game.home_team}"
    test = opened(date=REPLAYED, game=name)
    assert cards(test) == [name]
    assert set(players_of(test)["Team"]) == set(name.split(" @ "))
    assert warnings(test) == []


def test_a_stat_sorts_the_players_and_stands_first(application: Application) -> None:
    table = players_of(opened(date=REPLAYED, stat="REB"))
    assert table["REB"].is_monotonic_decreasing
    assert list(table)[:6] == ["Player", "Team", "REB", "REB actual", "REB range", "Last games"]
    assert players_of(opened(date=REPLAYED))["PTS"].is_monotonic_decreasing


def test_a_player_in_the_address_is_explained(
    application: Application, replayed: SlateProjection
) -> None:
    player = replayed.players[3]
    test = opened(date=REPLAYED, explain=f"{player.player_name} ({player.team})", stat="AST")
    mean = player.bands["assists"].mean
    assert f"Why {mean:.1f} assists · {player.player_name}" in [
        one.value.replace("\\", "") for one in test.main.subheader
    ]


def test_a_what_if_in_the_address_is_open(
    application: Application, replayed: SlateProjection
) -> None:
    star = max(replayed.players, key=lambda player: player.bands["points"].mean)
    test = opened(date=REPLAYED, out=f"{star.player_name} ({star.team})")
    [players] = [one.value for one in test.main.dataframe if "Minutes then" in one.value]
    assert star.player_name in set(players["Player"])
    assert warnings(test) == []


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        ({"date": "nonsense"}, "The date in the address is not a date; write it as 2026-11-20."),
        ({"game": "LAL @ LAL"}, "The game in the address is not there; choose one of CHA @ ATL,"),
        ({"stat": "points"}, "The stat in the address is not there; choose one of PTS, REB,"),
        ({"explain": "Nobody"}, "The player to explain in the address is not there; choose from"),
        ({"out": "Nobody"}, "The player who is out in the address is not there; choose from"),
    ],
)
def test_a_tampered_address_is_answered_and_the_slate_shown(
    application: Application, query: dict[str, str], answer: str
) -> None:
    test = opened(**query)
    told = [one for one in warnings(test) if "in the address" in one]
    assert len(told) == 1
    assert told[0].startswith(answer)
    assert len(cards(test)) == 9


# Players ------------------------------------------------------------------------------------------


def test_form_is_what_happened_before_the_slate_and_not_after(
    application: Application, replayed: SlateProjection
) -> None:
    table = players_of(opened(date=REPLAYED)).set_index("Player")
    games = application.reference.player_games(before=date.fromisoformat(REPLAYED))
    for player in replayed.players[:5]:
        played = games[games["player_id"] == player.player_id]["points"].tail(10)
        assert np.asarray(table.loc[player.player_name, "Last games"]).tolist() == played.tolist()


def test_the_ranges_are_drawn_and_told(application: Application) -> None:
    test = opened(date=REPLAYED)
    [drawn] = test.main.get("arrow_vega_lite_chart") or test.main.get("vega_lite_chart")
    assert "Bars from floor to ceiling of points with the mean on them" in str(drawn.proto)
    assert "Dots are what happened" in str(drawn.proto)
    assert "Dot: what happened." in captions(test)
    assert "Dot:" not in captions(opened())


def test_lines_of_the_session_stand_with_their_slate(application: Application) -> None:
    from jobs.lines import lines_beside_the_model

    text = "date,player,market,line\n2024-01-15,Kyrie Irving,points,24.5\n"
    report = lines_beside_the_model(application, text.encode(), "mine", lambda share, words: None)
    test = AppTest.from_file(str(CHECKOUT / "streamlit_app.py"), default_timeout=APP_SECONDS)
    test.session_state["lines_answer"] = _Answer("mine", report)
    test.query_params["date"] = REPLAYED
    test.run()
    assert not test.exception
    assert "Your lines" in [one.value for one in test.main.header]
    [lines] = [one.value for one in test.main.dataframe if "Leans to" in one.value]
    assert list(lines["Player"]) == ["Kyrie Irving"]
    test.main.date_input[0].set_value(date(2023, 3, 1)).run()
    assert "Your lines" not in [one.value for one in test.main.header]
