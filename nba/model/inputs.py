"""What a market's regression sees: the features, and products of minutes with rates."""

from __future__ import annotations

from typing import Final

import numpy as np

from nba.features import FEATURES
from nba.history import Floats
from nba.stats import SUMMED

__all__ = ["inputs_of"]

_PLACES: Final = {name: place for place, name in enumerate(FEATURES)}
_FEWEST_MINUTES: Final = 4.0
_RECENT: Final = {
    "points": ("points_8", "points_20"),
    "rebounds": ("rebounds_10", "rebounds_40"),
    "assists": ("assists_10", "assists_40"),
    "threes": ("threes_8", "threes_30"),
}
_OPPONENT: Final = {
    "points": "opponent_defence",
    "rebounds": "opponent_rebounds",
    "assists": "opponent_assists",
    "threes": "opponent_threes",
}
_FREE: Final = {
    "points": "free_shots",
    "rebounds": "free_rebounds",
    "assists": "free_assists",
    "threes": "free_shots",
}


def inputs_of(market: str, features: Floats, minutes: Floats) -> Floats:
    """The inputs of a market, float32; `minutes` (rows,) are projected, and unused for minutes.

    For pra they are the products of points, and what is expected of its two other parts.
    """
    if market == "minutes":
        return features
    first, *others = SUMMED if market == "pra" else (market,)
    columns = _products(first, features, minutes)
    columns += [minutes * features[:, _PLACES[f"{part}_rate"]] for part in others]
    return np.column_stack([features, minutes, *columns]).astype(np.float32)


def _products(part: str, features: Floats, minutes: Floats) -> list[Floats]:
    def of(name: str) -> Floats:
        return features[:, _PLACES[name]]

    rate = of(f"{part}_rate")
    short, long = _RECENT[part]
    expected = minutes * rate
    return [
        expected,
        expected * of(_OPPONENT[part]),
        expected * of("pace"),
        expected * of("opponent_role_points"),
        minutes * of(short) / np.maximum(of("minutes_6"), _FEWEST_MINUTES),
        minutes * of(long) / np.maximum(of("minutes_40"), _FEWEST_MINUTES),
        of("free_minutes") * rate,
        of("free_minutes_of_role") * rate,
        of(_FREE[part]) * rate,
    ]
