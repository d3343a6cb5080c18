"""Pictures on Player, game cards and Setup: shown where there are any, else a badge."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from images.errors import CacheUnusable, OriginRefused
from images.headers import read_header
from jobs.application import Application
from jobs.picture_shelf import IMAGES
from jobs.pictures import Pictures, Place
from replica import PutMode
from tests.app_process import CHECKOUT, wait_for
from tests.applications import published, running, settings_for
from tests.image_server import drawn
from tests.test_pictures import CURRY, IMAGES_ON, JAMES, id_of
from ui.runtime import install_application

APP_SECONDS = 60.0


@pytest.fixture(scope="module")
def prepared(
    tmp_path_factory: pytest.TempPathFactory, reference_path: Path
) -> Iterator[Application]:
    """Everything that is asked for is in the bucket, and nobody else is ever asked."""
    settings = replace(
        settings_for(tmp_path_factory.mktemp("pictures") / "state", reference_path),
        images=IMAGES_ON,
    )
    with running(settings) as application:
        published(application)
        store = application._ready_state("fill").storage.store
        for path in (f"/{JAMES}.png", "/teams/phi.png", "/teams/cha.png"):
            store.put(f"{IMAGES}{id_of(path)}", drawn((200, 200)), PutMode.OVERWRITE)
        application.pictures._origin.fetch = _nobody  # type: ignore[method-assign]
        yield application


def _nobody(text: str) -> bytes:
    raise OriginRefused("fetch a picture", text, "The server answered 404.", "So be it.")


@pytest.fixture
def application(prepared: Application) -> Iterator[Application]:
    install_application(prepared)
    yield prepared
    install_application(None)


def opened(page: str, **address: str) -> AppTest:
    test = AppTest.from_file(str(CHECKOUT / "streamlit_app.py"), default_timeout=APP_SECONDS)
    test.switch_page(f"pages/{page}.py")
    for key, value in address.items():
        test.query_params[key] = value
    test.run()
    assert not test.exception
    assert len(test.title) == 1
    return test


def images(test: AppTest) -> dict[str, str]:
    """What is shown, as SVG, by what it is called."""
    found: list[Any] = list(test.main.image)
    shown = {}
    for element in found:
        for image in element.proto.imgs:
            prefix = "data:image/svg+xml;base64,"
            assert image.url.startswith(prefix)
            shown[image.alt] = base64.b64decode(image.url.removeprefix(prefix)).decode()
    return shown


def is_settled(pictures: Pictures) -> bool:
    return not pictures._waiting


def test_a_portrait_takes_the_place_of_the_initials(application: Application) -> None:
    test = opened("player", player=str(JAMES))
    wait_for(lambda: is_settled(application.pictures), what="rest", timeout_seconds=10)
    shown = images(test.run())
    assert list(shown) == ["Portrait of LeBron James", "Badge of PHI"]
    for svg in shown.values():
        [content] = re.findall(r'href="data:image/webp;base64,([^"]+)"', svg)
        header = read_header(base64.b64decode(content))
        assert header is not None
        assert header.width_pixels <= 256
        assert "http" not in svg.replace('xmlns="http://www.w3.org/2000/svg"', "")


def test_who_has_no_picture_has_his_initials(application: Application) -> None:
    test = opened("player", player=str(CURRY))
    wait_for(lambda: is_settled(application.pictures), what="rest", timeout_seconds=10)
    shown = images(test.run())
    assert list(shown) == ["Badge of Stephen Curry", "Badge of GSW"]
    assert ">SC<" in shown["Badge of Stephen Curry"]
    assert ">GSW<" in shown["Badge of GSW"]
    assert not any("<image" in svg for svg in shown.values())


def test_cards_have_marks_where_there_are_any(application: Application) -> None:
    opened("todays_games")
    wait_for(lambda: is_settled(application.pictures), what="rest", timeout_seconds=10)
    shown = images(opened("todays_games"))
    assert len(shown) == 9
    [svg] = [svg for name, svg in shown.items() if "Charlotte Hornets" in name]
    assert svg.count("<image") == 1
    assert ">CHA<" not in svg
    assert ">ATL<" in svg


def test_setup_says_where_they_come_from_and_what_fails(application: Application) -> None:
    pictures = application.pictures
    remedy = "Free some space."
    pictures._note(Place.DISK, CacheUnusable("write", "a folder", "The disk is full.", remedy))
    pictures._note(Place.ORIGIN, OriginRefused("fetch", "an address", "It said 404.", "So be it."))
    test = opened("setup")
    table = test.main.table[0].value
    [words] = table.loc[table["Setting"] == "Pictures", "Value"]
    assert words.startswith("players and teams from cdn.example.com; ")
    assert words.endswith(", not all well")
    told = "\n".join(one.value for one in test.main.warning)
    assert "The disk is full. Free some space." in told
    assert "where they come from" in told
    for place in (Place.DISK, Place.ORIGIN):
        pictures._note(place, None)
    assert "Pictures" not in "".join(one.value for one in opened("setup").main.warning)
