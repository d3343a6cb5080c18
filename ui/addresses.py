"""What stands in a page's address: read as what it should be, and answered where it is not.

A field that is bound with `bind="query-params"` writes its value into the address by itself, and
takes what fits from there. What does not fit Streamlit drops without a word, so a page asks here
before it draws the field, and the visitor reads why he sees something else.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import date
from typing import Final, TypeVar

import streamlit as st

from ui.formats import full_date, plain

__all__ = [
    "DATE",
    "FIELDS",
    "GAME",
    "PLAYER",
    "BadAddress",
    "asked_choices",
    "asked_date",
    "asked_number",
    "asked_player",
    "forget_other_page",
    "player_address",
    "read_or_warn",
]

DATE: Final = "date"
"""The parameter with a slate's date, such as 2026-11-20 (US Eastern)."""

PLAYER: Final = "player"
"""The parameter with a player's id."""

GAME: Final = "game"
"""The parameter with a game, such as CHA @ ATL."""

FIELDS: Final = frozenset(
    (
        *(DATE, GAME, "games_table", "stat", "explain", "out", "capped", "most"),
        *("season", "line", "origin", "since", "until", "model", "by"),
        *("player", "team", "replaced", "file"),
    )
)
"""Every parameter that belongs to a field, which is the field's key too."""

_SHOWN_PAGE: Final = "shown_page"
_LONGEST: Final = 100
_LISTED: Final = 15
_PLAYER_PAGE: Final = "pages/player.py"
_LARGEST_ID: Final = 2**63 - 1

_Value = TypeVar("_Value")


class BadAddress(Exception):
    """A parameter of the address is not what it should be.

    Attributes:
        operation: what was done with it.
        key: the parameter's name.
        problem: what is wrong, a sentence without what stands there.
        remedy: what would be right, a sentence.
    """

    def __init__(self, key: str, problem: str, remedy: str) -> None:
        super().__init__(f"{problem} {remedy}")
        self.operation = "read the address"
        self.key = key
        self.problem = problem
        self.remedy = remedy


def asked_date(earliest: date, latest: date, *, key: str = DATE) -> date | None:
    """The date in the address, None without one. Raises BadAddress."""
    text = _text(key)
    if text is None:
        return None
    asked = _date_of(text)
    if asked is None:
        raise BadAddress(key, f"The {key} in the address is not a date;", "write it as 2026-11-20.")
    if not earliest <= asked <= latest:
        raise BadAddress(
            key,
            f"The {key} in the address is outside what is known:",
            f"{full_date(earliest)} to {full_date(latest)}.",
        )
    return asked


def asked_number(least: int, most: int, *, key: str) -> int | None:
    """The whole number in the address, None without one. Raises BadAddress."""
    text = _text(key)
    if text is None:
        return None
    # No signs, no spaces, no digits of other scripts, no numbers that take long to read.
    is_number = text.isascii() and text.isdigit() and len(text) <= len(str(_LARGEST_ID))
    if not is_number or not least <= int(text) <= most:
        raise BadAddress(
            key,
            f"The {key} in the address is not there;",
            f"choose a whole number from {least:,} to {most:,}.",
        )
    return int(text)


def asked_player(knows: Callable[[int], bool], *, key: str = PLAYER) -> int | None:
    """The player's id in the address, None without one; `knows` says if he exists.

    Raises BadAddress.
    """
    try:
        asked = asked_number(1, _LARGEST_ID, key=key)
    except BadAddress:
        raise BadAddress(
            key,
            f"The {key} in the address is not a player's number;",
            "choose a player by name.",
        ) from None
    if asked is not None and not knows(asked):
        raise BadAddress(
            key,
            f"The {key} in the address is nobody who is known here;",
            "choose a player by name.",
        )
    return asked


def asked_choices(options: Collection[str], *, key: str, name: str = "") -> list[str]:
    """The options in the address (a parameter may stand there several times), [] without one.

    `name` says what is chosen, where `key` alone does not. Raises BadAddress if one is no option.
    """
    found = [text for text in st.query_params.get_all(key) if text.strip()]
    if set(found) <= set(options):
        return found
    remedy = "choose from the list."
    if not options:
        remedy = "there is none to choose from yet."
    elif len(options) <= _LISTED:
        remedy = f"choose one of {', '.join(options)}."
    raise BadAddress(key, f"The {name or key} in the address is not there;", remedy)


def read_or_warn(read: Callable[[], _Value]) -> _Value | None:
    """What `read` finds in the address; None and a warning on the page if it is no good.

    Call it before the field is drawn, which clears the address of what it cannot take:

        read_or_warn(lambda: asked_date(earliest, latest))

    What a field's options are may change after it was drawn, and then the address may lag behind:
    read choices only while the field's key is not in `st.session_state`.
    """
    try:
        return read()
    except BadAddress as error:
        st.warning(plain(str(error)), icon=":material/link_off:")
        return None


def player_address(player_id: int) -> tuple[str, dict[str, str]]:
    """Page and parameters of a player's own page, as `st.page_link` takes them."""
    return _PLAYER_PAGE, {PLAYER: str(player_id)}


def forget_other_page(page: str) -> None:
    """Call it before a page draws its fields: it begins with what stands in its own address.

    Streamlit carries the value of a bound field to a field of the same key on the next page, where
    the same word may mean something else or nothing.
    """
    if st.session_state.get(_SHOWN_PAGE, page) != page:
        for key in FIELDS & set(map(str, st.session_state)):
            del st.session_state[key]
    st.session_state[_SHOWN_PAGE] = page


def _date_of(text: str) -> date | None:
    """The date, if it is written as the fields write it; Python knows more ways than they do."""
    try:
        asked = date.fromisoformat(text)
    except ValueError:
        return None
    return asked if asked.isoformat() == text else None


def _text(key: str) -> str | None:
    """What stands in the address, None without it; an empty one asks for nothing."""
    text = st.query_params.get(key)
    if text is None or not text.strip():
        return None
    return text.strip()[:_LONGEST]
