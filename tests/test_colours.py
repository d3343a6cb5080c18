"""The colours of text and charts, for eyes that see fewer of them, in both themes."""

from __future__ import annotations

import itertools
import tomllib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest

from tests.app_process import CHECKOUT
from ui.charts import PALETTE

Vector = npt.NDArray[np.float64]

THEMES = ("light", "dark")
GROUNDS = ("backgroundColor", "secondaryBackgroundColor")
TEXT_CONTRAST = 4.5
"""WCAG 2.2, 1.4.3, for text of ordinary size."""
DRAWING_CONTRAST = 3.0
"""WCAG 2.2, 1.4.11, for what has to be seen in a drawing."""
CAPTION_OPACITY = 0.6
"""Streamlit writes captions so."""
LEAST_DIFFERENCE = 14.0
"""In CIE 1976 units, of which one or two can just be seen side by side; dots lie further apart."""

# Machado, Oliveira and Fernandes (2009), who lack one of the three kinds of cones; of linear RGB.
SIGHTS: dict[str, list[list[float]]] = {
    "all three": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "without red": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "without green": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "without blue": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
XYZ_OF_RGB = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)
WHITE = XYZ_OF_RGB.sum(axis=1)


def theme(name: str) -> dict[str, str]:
    config = tomllib.loads((CHECKOUT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
    found: dict[str, str] = config["theme"][name]
    return found


def linear(colour: str) -> Vector:
    """Linear red, green and blue (3,), 0..1, of a colour such as #d55e00."""
    share = np.array([int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)])
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    """The ratio of two colours as WCAG defines it, 1..21."""
    low, high = sorted(float(XYZ_OF_RGB[1] @ linear(colour)) for colour in (one, other))
    return (high + 0.05) / (low + 0.05)


def mixed(colour: str, ground: str, opacity: float) -> str:
    parts = (
        round(int(colour[i : i + 2], 16) * opacity + int(ground[i : i + 2], 16) * (1 - opacity))
        for i in (1, 3, 5)
    )
    return "#" + "".join(f"{part:02x}" for part in parts)


def lab(colour: str, sight: Sequence[Sequence[float]]) -> Vector:
    """CIE 1976 L*a*b* (3,) of a colour as somebody sees it."""
    share = XYZ_OF_RGB @ np.clip(np.array(sight) @ linear(colour), 0, 1) / WHITE
    x, y, z = np.where(share > 0.008856, np.cbrt(share), 7.787 * share + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("name", THEMES)
def test_text_and_captions_can_be_read(name: str) -> None:
    colours = theme(name)
    for ground in GROUNDS:
        caption = mixed(colours["textColor"], colours[ground], CAPTION_OPACITY)
        assert contrast(colours["textColor"], colours[ground]) >= TEXT_CONTRAST
        assert contrast(caption, colours[ground]) >= TEXT_CONTRAST, f"caption on {ground}"


@pytest.mark.parametrize("name", THEMES)
def test_drawings_stand_out_from_the_page(name: str) -> None:
    grounds = [theme(name)[ground] for ground in GROUNDS]
    pale = {
        (colour, ground): round(contrast(colour, ground), 2)
        for colour in PALETTE
        for ground in grounds
        if contrast(colour, ground) < DRAWING_CONTRAST
    }
    assert pale == {}


@pytest.mark.parametrize("sight", SIGHTS)
def test_no_two_series_look_alike(sight: str) -> None:
    seen = {colour: lab(colour, SIGHTS[sight]) for colour in PALETTE}
    alike = {
        (one, other): round(float(np.linalg.norm(seen[one] - seen[other])), 1)
        for one, other in itertools.combinations(PALETTE, 2)
        if np.linalg.norm(seen[one] - seen[other]) < LEAST_DIFFERENCE
    }
    assert alike == {}


def test_the_measures_are_the_known_ones() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)
    red, green = (lab(colour, SIGHTS["all three"]) for colour in ("#ff0000", "#00ff00"))
    assert red == pytest.approx([53.24, 80.09, 67.20], abs=0.05)
    assert green == pytest.approx([87.73, -86.18, 83.18], abs=0.05)
