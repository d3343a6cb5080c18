"""Badges of teams and the bar between two of them, drawn here as SVG: nobody's logo."""

from __future__ import annotations

from html import escape
from typing import Final

from ui.charts import BASELINE
from ui.team_colours import bar_colours, colours_of_team, ink_on

__all__ = ["chance_banner", "team_badge"]

_WIDTH: Final = 320
_HEIGHT: Final = 56
_RADIUS: Final = 26
_BAR_LEFT: Final = 66
_BAR_HEIGHT: Final = 16
_GAP: Final = 3


def team_badge(team: str) -> str:
    """A round badge (52 by 52 with a margin) with a team's colours and abbreviation, as SVG."""
    return _svg(_HEIGHT, _badge(team, _HEIGHT / 2))


def chance_banner(away: str, home: str, home_chance: float) -> str:
    """Two badges, the away team's left, and between them a bar shared by their chances, as SVG.

    `home_chance` is the home team's chance to win, 0..1.
    """
    left, right = bar_colours(away, home)
    length = _WIDTH - 2 * _BAR_LEFT
    middle = _BAR_LEFT + length * (1 - home_chance)
    parts = (
        _badge(away, _HEIGHT / 2),
        _bar(left, _BAR_LEFT, middle - _GAP / 2),
        _bar(right, middle + _GAP / 2, _BAR_LEFT + length),
        _badge(home, _WIDTH - _HEIGHT / 2),
    )
    return _svg(_WIDTH, "".join(parts))


def _svg(width: int, content: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {_HEIGHT}"'
        f' width="{width}" height="{_HEIGHT}">{content}</svg>'
    )


def _badge(team: str, centre: float) -> str:
    ground, rim = colours_of_team(team)
    # The outer line keeps dark grounds apart from a dark page and light rims from a light one.
    return (
        f'<circle cx="{centre:g}" cy="28" r="{_RADIUS}" fill="{rim}"'
        f' stroke="{BASELINE}" stroke-width="1"/>'
        f'<circle cx="{centre:g}" cy="28" r="{_RADIUS - 4}" fill="{ground}"/>'
        f'<text x="{centre:g}" y="33" text-anchor="middle" font-family="sans-serif"'
        f' font-size="14" font-weight="700" fill="{ink_on(ground)}">{escape(team[:4])}</text>'
    )


def _bar(colour: str, left: float, right: float) -> str:
    top = (_HEIGHT - _BAR_HEIGHT) / 2
    return (
        f'<rect x="{left:.1f}" y="{top:g}" width="{max(right - left, 1.0):.1f}"'
        f' height="{_BAR_HEIGHT}" rx="3" fill="{colour}" stroke="{BASELINE}" stroke-width="1"/>'
    )
