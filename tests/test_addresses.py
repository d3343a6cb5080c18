"""What stands in the address: taken where it fits, answered in words where it does not."""

from __future__ import annotations

import ast
import importlib
from datetime import date

import pytest
from streamlit.testing.v1 import AppTest

from tests.app_process import CHECKOUT
from ui.addresses import FIELDS, player_address


def page() -> None:
    from datetime import date

    import streamlit as st

    from ui.addresses import asked_choices, asked_date, asked_number, asked_player, read_or_warn

    st.session_state.found = [
        read_or_warn(lambda: asked_date(date(2015, 10, 27), date(2027, 4, 11))),
        read_or_warn(lambda: asked_number(1, 40, key="page")),
        read_or_warn(lambda: asked_player({201939, 203999}.__contains__)),
        read_or_warn(lambda: asked_choices(["CHA @ ATL", "BOS @ NYK"], key="game")),
        read_or_warn(
            lambda: asked_choices(
                [f"P {one}" for one in range(200)], key="out", name="player who is out"
            )
        ),
    ]


def read(**query: str | list[str]) -> tuple[list[object], list[str]]:
    """What was found, and what the visitor was told."""
    test = AppTest.from_function(page)
    for name, value in query.items():
        test.query_params[name] = value
    test.run()
    assert not test.exception
    return list(test.session_state.found), [one.value.replace("\\", "") for one in test.warning]


def test_nothing_asked_for_is_nothing_found() -> None:
    assert read() == ([None, None, None, [], []], [])
    assert read(date="", page=" ", player="", game="") == ([None, None, None, [], []], [])


def test_what_fits_is_taken() -> None:
    found, told = read(
        date="2024-01-15",
        page="40",
        player="203999",
        game=["BOS @ NYK", "CHA @ ATL"],
        out="P 7",
    )
    assert found == [
        date(2024, 1, 15),
        40,
        203999,
        ["BOS @ NYK", "CHA @ ATL"],
        ["P 7"],
    ]
    assert told == []


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        ({"date": "<script>"}, "The date in the address is not a date; write it as 2026-11-20."),
        (
            {"date": "2035-01-01"},
            "outside what is known: Tuesday 27 October 2015 to Sunday 11 April 2027.",
        ),
        (
            {"page": "0"},
            "The page in the address is not there; choose a whole number from 1 to 40.",
        ),
        ({"page": "41"}, "choose a whole number from 1 to 40."),
        ({"page": "-1"}, "choose a whole number from 1 to 40."),
        ({"page": "1e9"}, "choose a whole number from 1 to 40."),
        ({"page": "٣"}, "choose a whole number from 1 to 40."),
        ({"page": "9" * 5000}, "choose a whole number from 1 to 40."),
        (
            {"player": "nobody"},
            "The player in the address is not a player's number; choose a player by name.",
        ),
        (
            {"player": "7"},
            "The player in the address is nobody who is known here; choose a player by name.",
        ),
        (
            {"game": "BOS @ BOS"},
            "The game in the address is not there; choose one of CHA @ ATL, BOS @ NYK.",
        ),
        ({"game": ["CHA @ ATL", "x"]}, "The game in the address is not there;"),
        (
            {"out": "P 999"},
            "The player who is out in the address is not there; choose from the list.",
        ),
    ],
)
def test_what_does_not_fit_is_answered(query: dict[str, str | list[str]], answer: str) -> None:
    found, [told] = read(**query)
    assert found == [None if name in query else nothing for name, nothing in NOTHING.items()]
    assert answer in told


NOTHING: dict[str, object] = {"date": None, "page": None, "player": None, "game": [], "out": []}


def test_what_stands_there_is_never_repeated() -> None:
    _, told = read(date="<b>mine</b>", player="![](//x)", game="mine", out="mine")
    assert len(told) == 4
    assert "mine" not in " ".join(told)
    assert "//" not in " ".join(told)


def test_a_players_own_address() -> None:
    assert player_address(203999) == ("pages/player.py", {"player": "203999"})


@pytest.mark.parametrize("text", ["20240115", "2024-W03-1", "2024-1-15", "15.1.2024"])
def test_a_date_that_the_field_cannot_take_is_answered(text: str) -> None:
    found, told = read(date=text)
    assert found[0] is None
    assert told == ["The date in the address is not a date; write it as 2026-11-20."]


def test_without_anything_to_choose_from_it_says_so() -> None:
    def empty() -> None:
        from ui.addresses import asked_choices, read_or_warn

        read_or_warn(lambda: asked_choices([], key="model"))

    test = AppTest.from_function(empty)
    test.query_params["model"] = "x"
    test.run()
    assert [one.value for one in test.warning] == [
        "The model in the address is not there; there is none to choose from yet."
    ]


def bound_keys() -> set[str]:
    """The keys of all fields that stand in the address, from the code."""
    found: set[str] = set()
    for path in sorted((CHECKOUT / "ui").glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        module = importlib.import_module(f"ui.{path.stem}")
        for call in ast.walk(tree):
            if not isinstance(call, ast.Call):
                continue
            given = {keyword.arg: keyword.value for keyword in call.keywords}
            key = given.get("key")
            if "bind" not in given or key is None:
                continue
            if isinstance(key, ast.Constant):
                found.add(str(key.value))
            elif isinstance(key, ast.Name) and key.id.isupper():
                found.add(getattr(module, key.id))
    return found


def test_every_field_of_an_address_is_forgotten_with_its_page() -> None:
    assert {"stat", "origin", "date", "line"} <= bound_keys() <= FIELDS


def test_another_page_begins_with_its_own_address() -> None:
    def page() -> None:
        import streamlit as st

        from ui.addresses import forget_other_page

        forget_other_page(st.session_state.page)

    test = AppTest.from_function(page)
    test.session_state.page = "History"
    test.session_state.stat = "points"
    test.session_state.answer = "mine"
    test.run()
    assert test.session_state.stat == "points"
    test.session_state.page = "Player"
    test.run()
    assert "stat" not in test.session_state
    assert test.session_state.answer == "mine"
