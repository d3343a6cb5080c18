"""Two colours for each team, by its abbreviation; for badges and bars, never for meaning."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from ui.charts import BASELINE

__all__ = ["TEAM_COLOURS", "bar_colours", "colours_of_team", "ink_on"]

_APART: Final = 110.0
_WHITE: Final = "#ffffff"
_BLACK: Final = "#000000"
_UNKNOWN: Final = (BASELINE, _WHITE)

TEAM_COLOURS: Final[Mapping[str, tuple[str, str]]] = {
    "ATL": ("#c8102e", "#fdb927"),
    "BKN": ("#000000", "#ffffff"),
    "BOS": ("#007a33", "#ba9653"),
    "CHA": ("#1d1160", "#00788c"),
    "CHI": ("#ce1141", "#000000"),
    "CLE": ("#860038", "#fdbb30"),
    "DAL": ("#00538c", "#b8c4ca"),
    "DEN": ("#0e2240", "#fec524"),
    "DET": ("#c8102e", "#1d42ba"),
    "GSW": ("#1d428a", "#ffc72c"),
    "HOU": ("#ce1141", "#c4ced4"),
    "IND": ("#002d62", "#fdbb30"),
    "LAC": ("#0c2340", "#c8102e"),
    "LAL": ("#552583", "#fdb927"),
    "MEM": ("#5d76a9", "#12173f"),
    "MIA": ("#98002e", "#f9a01b"),
    "MIL": ("#00471b", "#eee1c6"),
    "MIN": ("#0c2340", "#78be20"),
    "NOP": ("#0c2340", "#b4975a"),
    "NYK": ("#006bb6", "#f58426"),
    "OKC": ("#007ac1", "#ef3b24"),
    "ORL": ("#0077c0", "#c4ced4"),
    "PHI": ("#006bb6", "#ed174c"),
    "PHX": ("#1d1160", "#e56020"),
    "POR": ("#e03a3e", "#000000"),
    "SAC": ("#5a2d81", "#b0b7bc"),
    "SAS": ("#000000", "#c4ced4"),
    "TOR": ("#ce1141", "#000000"),
    "UTA": ("#002b5c", "#f9a01b"),
    "WAS": ("#002b5c", "#e31837"),
}
"""(ground, rim) as #rrggbb."""


def colours_of_team(team: str) -> tuple[str, str]:
    """Ground and rim of a team; grey and white for one that is not known."""
    return TEAM_COLOURS.get(team, _UNKNOWN)


def bar_colours(away: str, home: str) -> tuple[str, str]:
    """A colour for each of two teams: their grounds, or what tells two like ones apart."""
    (away_ground, away_rim), (home_ground, home_rim) = map(colours_of_team, (away, home))
    pairs = (
        (away_ground, home_ground),
        (away_rim, home_ground),
        (away_ground, home_rim),
    )
    far = (pair for pair in pairs if _distance(*pair) >= _APART)
    return next(far, max(pairs, key=lambda pair: _distance(*pair)))


def _distance(one: str, other: str) -> float:
    """How far two colours lie apart, 0..441; a rough measure is enough for two bars with a gap."""
    parts = ((int(one[at : at + 2], 16), int(other[at : at + 2], 16)) for at in (1, 3, 5))
    return math.dist(*zip(*parts, strict=True))


def ink_on(ground: str) -> str:
    """Black or white, whichever is easier to read on a ground (#rrggbb)."""
    light = _luminance(ground)
    # WCAG's contrast: (lighter + 0.05) / (darker + 0.05).
    return _BLACK if (light + 0.05) / 0.05 > 1.05 / (light + 0.05) else _WHITE


def _luminance(colour: str) -> float:
    """WCAG's relative luminance, 0 for black to 1 for white."""
    parts = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
