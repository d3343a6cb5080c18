"""Floor to ceiling as a bar with the mean on it, one bar a player, and what happened as a dot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import altair as alt
import pandas as pd

from nba.slate import PlayerProjection
from nba.stats import Market, Stat
from ui.charts import ACTUAL, BAND_OPACITY, PROJECTED
from ui.tables import UNITS, actual_of

__all__ = ["MOST_BARS", "range_chart", "range_words", "ranges_table"]

MOST_BARS: Final = 20
"""How many players are drawn: more would be no picture any more."""

_ROW_PIXELS: Final = 24
_BAR_PIXELS: Final = 12
_DOT_AREA: Final = 70
_NAME_PIXELS: Final = 170

Actuals = Mapping[tuple[str, int], Mapping[Stat, int]]
"""Stats by (game id, player id)."""


def ranges_table(
    players: Sequence[PlayerProjection], market: Market, actuals: Actuals
) -> pd.DataFrame:
    """One row a player, in the given order: Player, Floor, Mean, Ceiling, Actual (NaN unknown)."""
    rows = []
    for player in players:
        band = player.bands[market]
        actual = actuals.get((player.game_id, player.player_id))
        rows.append(
            {
                "Player": f"{player.player_name} ({player.team})",
                "Floor": round(band.floor, 1),
                "Mean": round(band.mean, 1),
                "Ceiling": round(band.ceiling, 1),
                "Actual": None if actual is None else actual_of(actual, market),
            }
        )
    columns = ["Player", "Floor", "Mean", "Ceiling", "Actual"]
    return pd.DataFrame(rows, columns=columns).astype({"Actual": "float64"})


def range_chart(table: pd.DataFrame, market: Market) -> alt.LayerChart:
    """The rows of `ranges_table` as bars; who has an Actual gets a dot."""
    unit = UNITS[market]
    names = alt.Y(
        "Player:N",
        sort=table["Player"].tolist(),
        title=None,
        axis=alt.Axis(labelLimit=_NAME_PIXELS),
    )
    told = [
        alt.Tooltip("Player:N"),
        *(alt.Tooltip(f"{name}:Q", format=".1f") for name in ("Floor", "Mean", "Ceiling")),
    ]
    if table["Actual"].notna().any():
        told.append(alt.Tooltip("Actual:Q", format="d"))
    base = alt.Chart(table).encode(y=names, tooltip=told)
    bars = base.mark_bar(color=PROJECTED, opacity=BAND_OPACITY, height=_BAR_PIXELS).encode(
        x=alt.X("Floor:Q", title=unit[:1].upper() + unit[1:]), x2="Ceiling:Q"
    )
    means = base.mark_tick(color=PROJECTED, thickness=3, size=_BAR_PIXELS + 4).encode(x="Mean:Q")
    dots = (
        base.transform_filter("isValid(datum.Actual)")
        .mark_point(color=ACTUAL, filled=True, size=_DOT_AREA, shape="circle", opacity=1)
        .encode(x="Actual:Q")
    )
    return alt.LayerChart(layer=[bars, means, dots]).properties(height=alt.Step(_ROW_PIXELS))


def range_words(table: pd.DataFrame, market: Market) -> str:
    """What the chart shows, for who cannot see it."""
    unit = UNITS[market]
    if not len(table):
        return f"No player to draw a range of {unit} for."
    first = table.iloc[0]
    text = (
        f"Bars from floor to ceiling of {unit} with the mean on them for {len(table)} players, "
        f"highest first. {first['Player']}: {first['Floor']:.0f} to {first['Ceiling']:.0f}, "
        f"mean {first['Mean']:.1f}."
    )
    known = table.dropna(subset=["Actual"])
    if len(known):
        within = known["Actual"].between(known["Floor"], known["Ceiling"]).sum()
        text += f" Dots are what happened: {within} of {len(known)} fell within their bar."
    return text
