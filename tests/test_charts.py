"""The one look of all charts, and the bars of ranges."""

from __future__ import annotations

import tomllib
from typing import Any

import altair as alt
import pandas as pd
from streamlit.testing.v1 import AppTest

from tests.app_process import CHECKOUT
from ui.charts import ACTUAL, PALETTE, PROJECTED
from ui.range_chart import range_chart, range_words

TABLE = pd.DataFrame(
    {
        "Player": ["Nikola Jokić (DEN)", "Jamal Murray (DEN)", "Peyton Watson (DEN)"],
        "Floor": [18.0, 12.0, 2.0],
        "Mean": [27.5, 20.1, 6.0],
        "Ceiling": [37.0, 29.0, 11.0],
        "Actual": [41.0, 15.0, None],
    }
)


def test_streamlits_own_charts_take_the_same_colours() -> None:
    config = tomllib.loads((CHECKOUT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
    assert config["theme"]["chartCategoricalColors"] == list(PALETTE)


def test_a_chart_has_words_and_its_numbers_can_be_had() -> None:
    def page() -> None:
        import altair as alt
        import pandas as pd

        from ui.charts import show_chart

        data = pd.DataFrame({"x": [1, 2], "y": [3, 4]})
        show_chart(
            alt.Chart(data).mark_line().encode(x="x:Q", y="y:Q"),
            "A line from 3 to 4.",
            data=data,
            file_name="line.csv",
        )

    test = AppTest.from_function(page).run()
    assert not test.exception
    [drawn] = test.get("arrow_vega_lite_chart") or test.get("vega_lite_chart")
    assert "A line from 3 to 4." in str(drawn.proto)
    assert [one.label for one in test.download_button] == ["Download this chart's numbers as CSV"]


def layers(chart: alt.LayerChart) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = chart.to_dict()["layer"]
    return found


def test_a_range_is_a_bar_with_the_mean_on_it_and_a_dot_for_what_happened() -> None:
    bars, means, dots = layers(range_chart(TABLE, "points"))
    assert (bars["encoding"]["x"]["field"], bars["encoding"]["x2"]["field"]) == ("Floor", "Ceiling")
    assert bars["encoding"]["x"]["title"] == "Points"
    assert means["encoding"]["x"]["field"] == "Mean"
    assert dots["encoding"]["x"]["field"] == "Actual"
    assert (bars["mark"]["color"], dots["mark"]["color"]) == (PROJECTED, ACTUAL)
    assert dots["transform"], "who has no actual has no dot"


def test_the_words_say_what_the_bars_show() -> None:
    assert range_words(TABLE, "points") == (
        "Bars from floor to ceiling of points with the mean on them for 3 players, highest first. "
        "Nikola Jokić (DEN): 18 to 37, mean 27.5. Dots are what happened: 1 of 2 fell within "
        "their bar."
    )
    before = TABLE.assign(Actual=float("nan"))
    assert "Dots" not in range_words(before, "points")
    assert range_words(TABLE.iloc[:0], "pra") == (
        "No player to draw a range of points + rebounds + assists for."
    )
