"""Badges and chance bars: whole SVG, readable letters, and nobody's logo."""

from __future__ import annotations

import base64
import itertools
import math
from xml.etree import ElementTree

import pandas as pd
import pytest

from images.decoding import Picture
from tests.nba_bundle import DATA
from tests.test_colours import contrast
from ui.badges import chance_banner, player_badge, team_badge
from ui.team_colours import TEAM_COLOURS, bar_colours, colours_of_team, ink_on

SVG = "{http://www.w3.org/2000/svg}"


def test_every_team_has_its_colours() -> None:
    assert set(TEAM_COLOURS) == set(pd.read_parquet(DATA / "teams.parquet")["team"])
    assert colours_of_team("???") not in TEAM_COLOURS.values()


@pytest.mark.parametrize("team", [*TEAM_COLOURS, "???"])
def test_the_letters_of_a_badge_can_be_read(team: str) -> None:
    ground, _ = colours_of_team(team)
    assert contrast(ink_on(ground), ground) >= 4.5


def test_a_badge_is_drawn_from_two_colours_and_the_letters() -> None:
    drawing = ElementTree.fromstring(team_badge("BOS"))
    assert [one.text for one in drawing.iter(f"{SVG}text")] == ["BOS"]
    fills = [one.get("fill") for one in drawing.iter(f"{SVG}circle")]
    assert fills == list(reversed(TEAM_COLOURS["BOS"]))
    assert not [one for one in drawing.iter() if one.tag in {f"{SVG}image", f"{SVG}use"}]


def test_a_strange_name_stays_text() -> None:
    drawing = ElementTree.fromstring(team_badge('<&">'))
    assert [one.text for one in drawing.iter(f"{SVG}text")] == ['<&">']


def test_two_bars_can_be_told_apart() -> None:
    alike = [
        (away, home)
        for away, home in itertools.permutations(TEAM_COLOURS, 2)
        if math.dist(*(parts(one) for one in bar_colours(away, home))) < 80
    ]
    assert alike == []
    assert bar_colours("BOS", "LAL") == (TEAM_COLOURS["BOS"][0], TEAM_COLOURS["LAL"][0])


def parts(colour: str) -> tuple[int, ...]:
    return tuple(int(colour[place : place + 2], 16) for place in (1, 3, 5))


@pytest.mark.parametrize("chance", [0.0, 0.003, 0.25, 0.5, 0.9, 1.0])
def test_the_bar_is_shared_as_the_chances_are(chance: float) -> None:
    drawing = ElementTree.fromstring(chance_banner("CHA", "ATL", chance))
    away, home = (float(one.get("width", "")) for one in drawing.iter(f"{SVG}rect"))
    assert home / (away + home) == pytest.approx(chance, abs=0.02)
    assert min(away, home) >= 1.0
    assert [one.text for one in drawing.iter(f"{SVG}text")] == ["CHA", "ATL"]


# Players and pictures -----------------------------------------------------------------------------

PICTURE = Picture(b"RIFF <not> a picture", 10, 10, "")


@pytest.mark.parametrize(
    ("name", "initials"),
    [
        ("LeBron James", "LJ"),
        ("Luka Dončić", "LD"),
        ("Gary Trent Jr.", "GT"),
        ("Robert Williams III", "RW"),
        ("Juan Toscano Anderson", "JA"),
        ("Nenê", "N"),
        ("<b> &", "<&amp;"),
        ("", ""),
    ],
)
def test_a_players_badge_has_his_initials(name: str, initials: str) -> None:
    drawing = ElementTree.fromstring(player_badge(name, "BOS"))
    [text] = drawing.iter(f"{SVG}text")
    assert (text.text or "") == initials.replace("&amp;", "&")
    assert not list(drawing.iter(f"{SVG}image"))


def test_who_has_no_team_has_a_badge_too() -> None:
    drawing = ElementTree.fromstring(player_badge("Kobe Bryant", ""))
    assert [one.text for one in drawing.iter(f"{SVG}text")] == ["KB"]


def test_a_picture_takes_the_place_of_the_letters_and_stands_in_the_drawing_itself() -> None:
    content = "data:image/webp;base64," + base64.b64encode(PICTURE.body).decode()
    for svg in (
        team_badge("BOS", PICTURE),
        player_badge("LeBron James", "PHI", PICTURE),
        chance_banner("CHA", "ATL", 0.5, away_mark=PICTURE, home_mark=PICTURE),
    ):
        drawing = ElementTree.fromstring(svg)
        assert not list(drawing.iter(f"{SVG}text"))
        assert {one.get("href") for one in drawing.iter(f"{SVG}image")} == {content}
    one_mark = ElementTree.fromstring(chance_banner("CHA", "ATL", 0.5, home_mark=PICTURE))
    assert [one.text for one in one_mark.iter(f"{SVG}text")] == ["CHA"]
