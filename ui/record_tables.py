"""The figures of the track record as tables and in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import pandas as pd
import streamlit as st
from streamlit.elements.lib.column_types import ColumnConfig

from nba.stats import Stat
from tracking.scoring_figures import (
    BaselineScore,
    Call,
    GroupScore,
    StatScore,
    VersionScore,
)
from tracking.scoring_intervals import Estimate
from tracking.scoring_sums import value_label
from tracking.scoring_wins import WinBaselineScore, WinScore, WinVersion
from ui.formats import percent
from ui.tables import STAT_LABELS, UNITS

__all__ = [
    "BASELINE_LABELS",
    "best_baseline",
    "calls_columns",
    "calls_table",
    "gain_words",
    "group_frame",
    "interval_words",
    "stats_columns",
    "stats_frame",
    "stats_table",
    "versions_table",
    "wins_table",
]

BASELINE_LABELS: Final[Mapping[str, str]] = {
    "season_average": "Season average",
    "last_5": "Last five",
    "ewma_8": "EWMA 8",
    "coin": "Coin",
    "elo": "Plain Elo",
    "home_rate": "Home rate",
}
"""What a baseline is called on screen."""

_NOTHING: Final = "–"


def interval_words(estimate: Estimate | None, *, places: int = 2, shares: bool = False) -> str:
    """4.51 to 4.73, or 78.9% to 80.2% for shares; a dash where there is no interval."""
    if estimate is None or estimate.interval is None:
        return _NOTHING
    low, high = estimate.interval.low, estimate.interval.high
    if shares:
        return f"{percent(low, 1)} to {percent(high, 1)}"
    return f"{low:.{places}f} to {high:.{places}f}"


def best_baseline(score: GroupScore) -> BaselineScore | None:
    """The baseline that the model beats by least, which is the hardest to beat; None without any.

    By the gain, because each baseline has rows of its own: their errors are of different games.
    """
    gains = {one.name: one.gain.value for one in score.baselines.values() if one.gain is not None}
    return score.baselines[min(gains, key=gains.__getitem__)] if gains else None


def gain_words(baseline: BaselineScore | WinBaselineScore, n: int, *, places: int = 2) -> str:
    """0.31 better than EWMA 8; level with it where the difference is not clear; "" without rows.

    `n` is the number that stands beside the words: they say so if the baseline has other rows.
    Without an interval nobody can tell whether chance explains the difference, and they say that.
    """
    gain = baseline.gain
    if gain is None:
        return ""
    size, label = f"{abs(gain.value):.{places}f}", BASELINE_LABELS[baseline.name]
    name = label if label.startswith("EWMA") else label[:1].lower() + label[1:]
    rows = "" if baseline.n == n else f" on {baseline.n:,} of them"
    if gain.interval is not None and gain.interval.low <= 0.0 <= gain.interval.high:
        return f"level with {name} ({size}){rows}"
    words = f"{size} {'better' if gain.value > 0 else 'worse'} than {name}{rows}"
    return words if gain.interval is not None else f"{words} so far, too few evenings to tell"


def stats_table(stats: Sequence[StatScore]) -> pd.DataFrame:
    """One row a stat for the screen: the error beside the baselines', bias and coverage."""
    rows = []
    for stat in stats:
        score = stat.score
        if score is None:
            continue
        row: dict[str, object] = {
            "Stat": STAT_LABELS[stat.stat],
            "n": score.n,
            "Error": score.mae.value,
            "Error, 95% interval": interval_words(score.mae),
        }
        for name, baseline in score.baselines.items():
            row[BASELINE_LABELS[name]] = _baseline_words(baseline, score.n)
        best = best_baseline(score)
        row["Beside the best of them"] = gain_words(best, score.n) if best else _NOTHING
        row["Bias"] = f"{score.bias:+.2f}"
        row["In range"] = _NOTHING if score.coverage is None else percent(score.coverage.value, 1)
        row["In range, 95% interval"] = interval_words(score.coverage, shares=True)
        rows.append(row)
    return pd.DataFrame(rows)


def stats_columns() -> dict[str, ColumnConfig]:
    """How the columns of `stats_table` are drawn."""
    return {
        "Stat": st.column_config.TextColumn(pinned=True),
        "n": st.column_config.NumberColumn(format="localized", help="predictions that count"),
        "Error": st.column_config.NumberColumn(
            format="%.2f",
            help="mean absolute error of the median, in the stat's unit; lower is better",
        ),
        "Bias": st.column_config.TextColumn(help="projected mean less actual, on average"),
        "In range": st.column_config.TextColumn(
            help="share of actuals from floor to ceiling; 80% is the aim, at least 80% for "
            "rebounds, assists and threes, where whole numbers at the ends count as inside"
        ),
    }


def stats_frame(stats: Sequence[StatScore]) -> pd.DataFrame:
    """The same as plain numbers, one row a stat and comparison: what is downloaded."""
    rows = []
    for stat in stats:
        score = stat.score
        if score is None:
            continue
        for baseline in score.baselines.values():
            rows.append(
                {
                    "stat": stat.stat,
                    "slates": stat.dates,
                    "n": score.n,
                    **_numbers("error", score.mae),
                    "bias": score.bias,
                    "n_bands": score.n_bands,
                    **_numbers("in_range", score.coverage),
                    "below_floor": score.below,
                    "baseline": baseline.name,
                    "baseline_n": baseline.n,
                    "baseline_error": baseline.mae,
                    "error_on_these_rows": baseline.model_mae,
                    **_numbers("gain", baseline.gain),
                }
            )
    return pd.DataFrame(rows)


def group_frame(groups: Sequence[GroupScore], stat: Stat, by: str) -> pd.DataFrame:
    """One row a group, for charts and downloads; numbers in the stat's unit, shares from 0 to 1."""
    rows = []
    for group in groups:
        ewma = group.baselines["ewma_8"]
        rows.append(
            {
                by: value_label(stat, group.name) if by == "value" else group.name,
                "n": group.n,
                **_numbers("error", group.mae),
                "ewma_8_n": ewma.n,
                "ewma_8_error": ewma.mae,
                "error_on_these_rows": ewma.model_mae,
                "bias": group.bias,
                "projected": group.mean,
                "actual": group.actual,
                "n_bands": group.n_bands,
                **_numbers("in_range", group.coverage),
                "width": group.width,
            }
        )
    return pd.DataFrame(rows)


def calls_table(calls: Sequence[Call], size_label: str) -> pd.DataFrame:
    """One row a call, the greatest first."""
    rows = [
        {
            "Player": call.player_name,
            "Date": call.slate_date,
            "Game": f"{call.team} – {call.opponent}",
            "Projected": call.median,
            "Range": _NOTHING
            if call.floor is None or call.ceiling is None
            else f"{call.floor:.0f}–{call.ceiling:.0f}",
            "Actual": call.actual,
            "Season average": call.season_average,
            size_label: call.size,
        }
        for call in calls
    ]
    return pd.DataFrame(rows)


def calls_columns(stat: Stat, size_label: str) -> dict[str, ColumnConfig]:
    """How the columns of `calls_table` are drawn."""
    unit = UNITS[stat]
    return {
        "Player": st.column_config.TextColumn(pinned=True),
        "Date": st.column_config.DateColumn(format="YYYY-MM-DD", help="US Eastern"),
        "Projected": st.column_config.NumberColumn(format="%.1f", help=f"the median, in {unit}"),
        "Actual": st.column_config.NumberColumn(format="%d"),
        "Season average": st.column_config.NumberColumn(
            format="%.1f", help="of his games before that date"
        ),
        size_label: st.column_config.NumberColumn(format="%.1f", help=f"in {unit}"),
    }


def wins_table(wins: WinScore) -> pd.DataFrame:
    """The model and each baseline, one row each, over the games for which they exist."""
    rows: list[dict[str, object]] = [
        {
            "Who": "The model",
            "n": wins.n,
            "Log loss": wins.log_loss and round(wins.log_loss.value, 4),
            "95% interval": interval_words(wins.log_loss, places=3),
            "Brier": wins.brier and round(wins.brier.value, 4),
            "Favourites right": wins.accuracy and percent(wins.accuracy.value, 1),
            "Model on these games": wins.log_loss and round(wins.log_loss.value, 4),
            "Model beside it": _NOTHING,
        }
    ]
    for baseline in wins.baselines:
        if baseline.log_loss is None or baseline.brier is None or baseline.accuracy is None:
            continue
        label = BASELINE_LABELS[baseline.name]
        rows.append(
            {
                "Who": label,
                "n": baseline.n,
                "Log loss": round(baseline.log_loss, 4),
                "95% interval": _NOTHING,
                "Brier": round(baseline.brier, 4),
                "Favourites right": percent(baseline.accuracy, 1),
                "Model on these games": baseline.model_log_loss
                and round(baseline.model_log_loss, 4),
                "Model beside it": gain_words(baseline, baseline.n, places=3),
            }
        )
    return pd.DataFrame(rows)


def versions_table(
    stat: Stat, versions: Sequence[VersionScore], wins: Sequence[WinVersion]
) -> pd.DataFrame:
    """One row a model version: one stat's error and its games' log loss."""
    scores = {one.version: one for one in versions}
    games = {one.version: one for one in wins}
    rows = []
    for version in dict.fromkeys([*scores, *games]):
        said, won = scores.get(version), games.get(version)
        spans = [one for one in (said, won) if one is not None]
        ewma = said and said.score.baselines["ewma_8"]
        label = STAT_LABELS[stat]
        rows.append(
            {
                "Model": version,
                "From": min(one.first_date for one in spans),
                "Until": max(one.last_date for one in spans),
                f"{label} n": said.score.n if said else 0,
                f"{label} error": said and round(said.score.mae.value, 3),
                "95% interval": interval_words(said.score.mae if said else None),
                "EWMA 8": _baseline_words(ewma, said.score.n) if said and ewma else _NOTHING,
                "In range": percent(said.score.coverage.value, 1)
                if said and said.score.coverage
                else _NOTHING,
                "Games": won.n if won else 0,
                "Log loss": won and round(won.log_loss, 4),
                "Elo log loss": won and _elo_words(won),
            }
        )
    return pd.DataFrame(rows)


def _elo_words(won: WinVersion) -> str:
    if won.elo_log_loss is None or won.elo_model_log_loss is None:
        return _NOTHING
    text = f"{won.elo_log_loss:.4f}"
    if won.n_elo != won.n:
        text += f" ({won.n_elo:,}; model {won.elo_model_log_loss:.4f})"
    return text


def _baseline_words(baseline: BaselineScore, n: int) -> str:
    """Its error; if it exists for other rows only, how many and the model's error on these."""
    if baseline.mae is None or baseline.model_mae is None:
        return _NOTHING
    text = f"{baseline.mae:.2f}"
    if baseline.n != n:
        text += f" ({baseline.n:,}; model {baseline.model_mae:.2f})"
    return text


def _numbers(name: str, estimate: Estimate | None) -> dict[str, float | None]:
    interval = None if estimate is None else estimate.interval
    return {
        name: None if estimate is None else estimate.value,
        f"{name}_low": None if interval is None else interval.low,
        f"{name}_high": None if interval is None else interval.high,
    }
