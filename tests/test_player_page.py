"""Player on screen: search, deep links, the next game, seasons, and addresses that are no good."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from jobs.application import Application
from jobs.authority import OWNER
from jobs.player import bundled_scores, next_game, people
from nba.availability import Availability, PlayerAvailability
from nba.seasons import slate_date_of
from tests.app_process import CHECKOUT
from tests.applications import published, running, settings_for
from ui.runtime import install_application

APP_SECONDS = 60.0
LEBRON, TATUM, BRYANT, DONCIC = 2544, 1628369, 977, 1629029
REPLAYED = date(2024, 1, 15)
NOBODY = 999_999_999


@pytest.fixture(scope="module")
def prepared(
    tmp_path_factory: pytest.TempPathFactory, reference_path: Path
) -> Iterator[Application]:
    """Tonight logged as live, one evening of 2024 as a replay."""
    settings = settings_for(tmp_path_factory.mktemp("player") / "state", reference_path)
    with running(settings) as application:
        application.log_replay(OWNER, REPLAYED)
        published(application)
        yield application


@pytest.fixture
def application(prepared: Application) -> Iterator[Application]:
    install_application(prepared)
    yield prepared
    install_application(None)


def opened(**address: str) -> AppTest:
    """The page, asked for by its address."""
    test = AppTest.from_file(str(CHECKOUT / "streamlit_app.py"), default_timeout=APP_SECONDS)
    test.switch_page("pages/player.py")
    for key, value in address.items():
        test.query_params[key] = value
    return drawn(test.run())


def drawn(test: AppTest) -> AppTest:
    assert not test.exception
    assert [title.value for title in test.title] == ["Player"]
    return test


def headers(test: AppTest) -> list[str]:
    return [found.value for found in test.main.header]


def subheaders(test: AppTest) -> list[str]:
    return [found.value for found in test.main.subheader]


def captions(test: AppTest) -> str:
    return "\n".join(found.value for found in test.main.caption).replace("\\", "")


def metrics(test: AppTest) -> dict[str, str]:
    return {found.label: found.value for found in test.main.metric}


def tonights_player(application: Application) -> tuple[int, str]:
    tonight = application.tonights_date()
    assert tonight is not None
    best = max(application.projection(tonight).players, key=lambda one: one.bands["points"].mean)
    return best.player_id, best.player_name


def test_without_a_player_it_says_what_to_do(application: Application) -> None:
    test = opened()
    [info] = test.main.info
    assert "Choose a player" in info.value
    assert headers(test) == []
    labels = test.main.selectbox[0].options
    assert len(labels) == len(set(labels))
    assert any(label.startswith("Luka Dončić (Luka Doncic) · ") for label in labels)
    assert "Most points projected next" in captions(test)


def test_a_deep_link_opens_the_player(application: Application) -> None:
    player_id, name = tonights_player(application)
    test = opened(player=str(player_id))
    assert headers(test) == [name]
    assert subheaders(test)[1:] == ["Season", "Splits", "Game log"]
    assert subheaders(test)[0].startswith("Next game · ")
    shown = metrics(test)
    tonight = application.tonights_date()
    assert tonight is not None
    [player] = [
        one for one in application.projection(tonight).players if one.player_id == player_id
    ]
    band = player.bands["points"]
    assert shown["Projected PTS"] == f"{band.mean:.1f}"
    assert shown["Range"] == f"{band.floor:.0f}–{band.ceiling:.0f}"
    assert "saved as #" in captions(test)
    assert not test.main.warning
    assert not test.main.error


def test_choosing_a_player_writes_the_address(application: Application) -> None:
    test = opened()
    test.main.selectbox[0].select(LEBRON)
    drawn(test.run())
    assert headers(test) == ["LeBron James"]
    assert test.query_params["player"] in (str(LEBRON), [str(LEBRON)])
    assert test.main.selectbox[0].value == LEBRON


def test_who_has_retired_keeps_his_seasons(application: Application) -> None:
    test = opened(player=str(BRYANT))
    assert headers(test) == ["Kobe Bryant"]
    assert "on no team's roster" in test.main.info[0].value
    assert metrics(test)["Average PTS"] == "17.6"
    [splits] = test.main.table
    assert splits.value.loc["Season", "Games"] == "66"
    assert "No live projection of this season is logged." in captions(test)


def test_another_number_is_shown_throughout(application: Application) -> None:
    player_id, _ = tonights_player(application)
    test = opened(player=str(player_id), stat="REB", line="3.5")
    shown = metrics(test)
    assert "Projected REB" in shown
    assert "More than 3.5" in shown
    assert list(test.main.dataframe[0].value)[:4] == ["Date", "Against", "REB", "Projected"]
    test = opened(player=str(player_id), stat="PRA")
    assert "Projected PRA" in metrics(test)
    assert "Projected" not in test.main.dataframe[0].value
    assert "not their sum" in captions(test)


def test_a_replay_is_shown_apart(application: Application) -> None:
    projected = application.projection(REPLAYED).players
    best = max(projected, key=lambda one: one.bands["points"].mean)
    live = opened(player=str(best.player_id), season="2023-24")
    assert "Choose Replay to see those of 1 game." in captions(live)
    assert "Average miss" not in metrics(live)
    replay = opened(player=str(best.player_id), season="2023-24", origin="Replay")
    assert metrics(replay)["Within the range"] in ("0%", "100%")
    table: pd.DataFrame = replay.main.dataframe[0].value
    [row] = table[table["Date"].astype(str) == REPLAYED.isoformat()].to_dict("records")
    assert row["Counts"] == "yes"
    assert row["Saved"].startswith("#")
    assert row["Projected"] == pytest.approx(best.bands["points"].mean)
    assert "few games" in captions(replay)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ({"player": "abc"}, "not a player's number"),
        ({"player": "-1"}, "not a player's number"),
        ({"player": "9" * 40}, "not a player's number"),
        ({"player": "1e3"}, "not a player's number"),
        ({"player": str(NOBODY)}, "nobody who is known here"),
        ({"player": "<script>alert(1)</script>"}, "not a player's number"),
        ({"player": str(LEBRON), "stat": "dunks"}, "The stat in the address is not there"),
        ({"player": str(LEBRON), "season": "1850-51"}, "The season in the address is not there"),
        ({"player": str(LEBRON), "origin": "backtest"}, "The origin in the address is not there"),
        ({"player": str(LEBRON), "line": "nan"}, "The line in the address is not there"),
        ({"player": str(LEBRON), "line": "many"}, "The line in the address is not there"),
        ({"player": str(LEBRON), "line": "-4"}, "The line in the address is not there"),
    ],
)
def test_a_bad_address_is_answered(
    application: Application, address: dict[str, str], words: str
) -> None:
    test = opened(**address)
    [warning] = test.main.warning
    assert words in warning.value.replace("\\", "")
    assert "script" not in warning.value.replace("\\", "")


def test_who_is_out_is_not_projected(tmp_path: Path, reference_path: Path) -> None:
    with running(settings_for(tmp_path / "state", reference_path), ticks=False) as application:
        install_application(application)
        player_id, name = tonights_player(application)
        tonight = application.tonights_date()
        assert tonight is not None
        word = PlayerAvailability(player_id, Availability.OUT, tonight, None, "a secret note")
        application.set_availability(OWNER, [word])
        test = opened(player=str(player_id))
        [info] = test.main.info
        assert f"{name} is not projected for this game: he is listed as out" in info.value
        assert "Projected PTS" not in metrics(test)
        assert "secret" not in info.value
        install_application(None)


def test_the_next_game_is_the_first_that_is_not_over(application: Application) -> None:
    reference = application.reference
    everybody = people(reference, application.predictions, slate_date_of(application.clock()))
    finals = dict(bundled_scores(reference))
    team_id = everybody[TATUM].team_id
    first = next_game(application, team_id, finals)
    assert first is not None
    assert team_id in (first.home_team_id, first.away_team_id)
    tonight = application.tonights_date()
    assert tonight is not None
    assert first.slate_date >= tonight
    over = finals | {first.game_id: next(iter(finals.values()))}
    second = next_game(application, team_id, over)
    assert second is not None
    assert second.slate_date >= first.slate_date
    assert second.game_id != first.game_id
    assert next_game(application, None, finals) is None


def test_a_log_that_is_away_leaves_the_games(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Application, "predictions", None)
    test = opened(player=str(DONCIC))
    assert headers(test) == ["Luka Dončić"]
    assert "the history is being restored" in captions(test)
    assert subheaders(test)[-1] == "Game log"
