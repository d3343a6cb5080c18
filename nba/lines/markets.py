"""The markets that a line can be about, and what people and bookmakers call them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from nba.stats import Market

__all__ = ["market_of"]

_NAMES: Final[Mapping[Market, tuple[str, ...]]] = {
    "points": ("points", "point", "pts", "p"),
    "rebounds": ("rebounds", "rebound", "rebs", "reb", "trb", "totalrebounds", "r"),
    "assists": ("assists", "assist", "asts", "ast", "a"),
    "threes": (
        *("threes", "three", "3s", "3pm", "3ptm", "3pt", "3ptmade", "3ptsmade", "fg3m", "tpm"),
        *("threesmade", "madethrees", "threepointers", "threepointersmade", "3pointers"),
        *("3pointersmade", "made3pointers", "madethreepointers", "threepointfieldgoalsmade"),
    ),
    "minutes": ("minutes", "minute", "mins", "min", "mp"),
    "pra": ("pra", "pointsreboundsassists", "ptsrebast", "ptsrebsasts"),
}
_BY_NAME: Final[Mapping[str, Market]] = {
    name: market for market, names in _NAMES.items() for name in names
}
_TRIPLE: Final = frozenset({"points", "rebounds", "assists"})
_JOINTS: Final = re.compile(r"[+&,/]|\band\b")
_WORDS: Final = re.compile(r"[^a-z0-9]+")


def market_of(text: str) -> Market | None:
    """The market that `text` names, None if it names no known one.

    Case, spaces and punctuation do not count; "player_points" is points, and the three parts of
    pra may stand in any order: "PTS+REB+AST", "Rebounds, Points and Assists".
    """
    lowered = text.strip().lower()
    whole = _named(lowered)
    if whole is not None:
        return whole
    parts = [_named(part) for part in _JOINTS.split(lowered) if part.strip()]
    return "pra" if len(parts) == len(_TRIPLE) and set(parts) == _TRIPLE else None


def _named(text: str) -> Market | None:
    return _BY_NAME.get(_WORDS.sub("", text).removeprefix("player"))
