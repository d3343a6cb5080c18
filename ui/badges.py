"""Badges of teams and players and the bar between two teams, drawn here as SVG: nobody's logo.

Where the owner has chosen where pictures come from, one of them takes the badge's place.
"""

from __future__ import annotations

import base64
from html import escape
from typing import Final

from images.decoding import MEDIA_TYPE, Picture
from ui.charts import BASELINE
from ui.team_colours import bar_colours, colours_of_team, ink_on

__all__ = ["chance_banner", "player_badge", "team_badge"]

_WIDTH: Final = 320
_HEIGHT: Final = 56
_RADIUS: Final = 26
_PORTRAIT: Final = 96
# Behind pictures, whatever the page is: they are cut out for a light ground.
_LIGHT: Final = "#f4f4f2"
_NO_NAMES: Final = frozenset({"jr", "sr", "ii", "iii", "iv", "v"})
_BAR_LEFT: Final = 66
_BAR_HEIGHT: Final = 16
_GAP: Final = 3


def team_badge(team: str, mark: Picture | None = None) -> str:
    """A round badge (52 by 52 with a margin) with a team's colours and abbreviation, as SVG.

    With a `mark` that one alone, in the same room.
    """
    return _svg(_HEIGHT, _badge(team, _HEIGHT / 2, mark))


def player_badge(name: str, team: str, portrait: Picture | None = None) -> str:
    """A round badge (92 by 92 with a margin) in his team's colours, as SVG.

    It holds the portrait, else his initials; `team` may be "".
    """
    ground, rim = colours_of_team(team)
    middle, radius = _PORTRAIT / 2, _PORTRAIT / 2 - 2
    if portrait is None:
        inside = _circle(middle, middle, radius - 4, ground) + _letters(
            _initials(name), middle, middle + 12, 34, ink_on(ground)
        )
    else:
        inside = (
            f'<clipPath id="inside"><circle cx="{middle:g}" cy="{middle:g}" r="{radius - 4:g}"/>'
            f"</clipPath>{_circle(middle, middle, radius - 4, _LIGHT)}"
            f'<g clip-path="url(#inside)">'
            f"{_image(portrait, middle - radius, middle - radius, 2 * radius, 'slice')}</g>"
        )
    return _svg(_PORTRAIT, _circle(middle, middle, radius, rim, outlined=True) + inside, _PORTRAIT)


def chance_banner(
    away: str,
    home: str,
    home_chance: float,
    *,
    away_mark: Picture | None = None,
    home_mark: Picture | None = None,
) -> str:
    """Two badges, the away team's left, and between them a bar shared by their chances, as SVG.

    `home_chance` is the home team's chance to win, 0..1. A mark takes its team's badge's place.
    """
    left, right = bar_colours(away, home)
    length = _WIDTH - 2 * _BAR_LEFT
    middle = _BAR_LEFT + length * (1 - home_chance)
    parts = (
        _badge(away, _HEIGHT / 2, away_mark),
        _bar(left, _BAR_LEFT, middle - _GAP / 2),
        _bar(right, middle + _GAP / 2, _BAR_LEFT + length),
        _badge(home, _WIDTH - _HEIGHT / 2, home_mark),
    )
    return _svg(_WIDTH, "".join(parts))


def _svg(width: int, content: str, height: int = _HEIGHT) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"'
        f' width="{width}" height="{height}">{content}</svg>'
    )


def _badge(team: str, centre: float, mark: Picture | None) -> str:
    if mark is not None:
        # As far out as its corners stay within the circle.
        half = _RADIUS * 0.7
        return _circle(centre, 28, _RADIUS, _LIGHT, outlined=True) + _image(
            mark, centre - half, 28 - half, 2 * half, "meet"
        )
    ground, rim = colours_of_team(team)
    return (
        _circle(centre, 28, _RADIUS, rim, outlined=True)
        + _circle(centre, 28, _RADIUS - 4, ground)
        + _letters(team[:4], centre, 33, 14, ink_on(ground))
    )


def _circle(x: float, y: float, radius: float, fill: str, *, outlined: bool = False) -> str:
    # The outer line keeps dark grounds apart from a dark page and light rims from a light one.
    line = f' stroke="{BASELINE}" stroke-width="1"' if outlined else ""
    return f'<circle cx="{x:g}" cy="{y:g}" r="{radius:g}" fill="{fill}"{line}/>'


def _letters(text: str, x: float, y: float, size: int, ink: str) -> str:
    return (
        f'<text x="{x:g}" y="{y:g}" text-anchor="middle" font-family="sans-serif"'
        f' font-size="{size}" font-weight="700" fill="{ink}">{escape(text)}</text>'
    )


def _image(picture: Picture, left: float, top: float, side: float, fits: str) -> str:
    """In the document itself: an SVG that is shown as a picture loads nothing."""
    content = base64.b64encode(picture.body).decode()
    return (
        f'<image x="{left:g}" y="{top:g}" width="{side:g}" height="{side:g}"'
        f' preserveAspectRatio="xMidYMid {fits}" href="data:{MEDIA_TYPE};base64,{content}"/>'
    )


def _initials(name: str) -> str:
    """LJ for LeBron James; of a longer name the first and the last but for Jr. and numbers."""
    words = [word for word in name.split() if word.rstrip(".").lower() not in _NO_NAMES]
    ends = words[:1] + words[1:][-1:]
    return "".join(word[0] for word in ends).upper()


def _bar(colour: str, left: float, right: float) -> str:
    top = (_HEIGHT - _BAR_HEIGHT) / 2
    return (
        f'<rect x="{left:.1f}" y="{top:g}" width="{max(right - left, 1.0):.1f}"'
        f' height="{_BAR_HEIGHT}" rx="3" fill="{colour}" stroke="{BASELINE}" stroke-width="1"/>'
    )
