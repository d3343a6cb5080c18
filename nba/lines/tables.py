"""A report of lines as tables: for a CSV file, for other programs, and for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Final

import pandas as pd

from nba.evaluation import Interval
from nba.frame_files import without_formulas
from nba.lines.forecasts import ForecastOrigin
from nba.lines.joining import JoinedLine, Result
from nba.lines.record import LineErrors, LineRecord, PricedRecord
from nba.lines.report import WARNING, LinesReport

__all__ = [
    "LINE_COLUMNS",
    "counts_line",
    "facts_of",
    "line_table",
    "lines_csv",
    "record_notes",
    "record_table",
    "standing_line",
]

LINE_COLUMNS: Final = (
    *("row", "date", "player_id", "player", "market", "line", "over_price", "under_price"),
    *("origin", "mean", "median", "over", "push", "under", "no_vig_over", "lean", "actual"),
    "result",
)
"""The columns of `line_table` and of the CSV file."""

_NOTHING: Final = "–"
_PRICED: Final = ("n priced", "Won of these", "Break-even", "Profit per unit (95%)")
_ERRORS: Final = ("n of errors", "Model's error", "Line's error")
_PLACES: Final = {"mean": 2, "median": 2, "over": 4, "push": 4, "under": 4, "no_vig_over": 4}
_NUMBERS: Final = ("line", "over_price", "under_price", *_PLACES, "actual")


def line_table(joined: Sequence[JoinedLine]) -> pd.DataFrame:
    """One row a line, with LINE_COLUMNS: probabilities 0..1, None or NaN where there is nothing."""
    frame = pd.DataFrame([_cells(one) for one in joined], columns=list(LINE_COLUMNS))
    return frame.astype(dict.fromkeys(_NUMBERS, "float64"))


def lines_csv(report: LinesReport) -> bytes:
    """The joined lines as CSV (UTF-8); no text of it can be taken for a formula."""
    frame = line_table(report.joined).round(_PLACES)
    return without_formulas(frame).to_csv(index=False).encode()


def record_table(records: Sequence[LineRecord]) -> pd.DataFrame:
    """The record in words and figures, one row an origin and market; n beside each figure."""
    rows = []
    for one in records:
        row = {
            "Origin": one.origin.value,
            "Market": one.market or "all markets",
            "n": f"{one.n:,}",
            "Won–lost–push": f"{one.won:,}–{one.lost:,}–{one.pushes:,}",
            "Share won (95%)": _share(one),
        }
        priced = one.priced
        if any(other.priced is not None for other in records):
            row |= dict.fromkeys(_PRICED, _NOTHING) if priced is None else _priced_cells(priced)
        row |= dict.fromkeys(_ERRORS, _NOTHING) if one.errors is None else _error_cells(one.errors)
        row["Note"] = "too few to say anything" if one.is_too_few else ""
        rows.append(row)
    return pd.DataFrame(rows)


def record_notes(records: Sequence[LineRecord]) -> list[str]:
    """What a reader of the record must know to read it rightly."""
    if not records:
        return ["No line has a result, so there is no record."]
    notes = [
        "Won and lost are the model's side: the one that it thinks more likely.",
        "Errors are mean absolute, of the model's median and of the line, on the same lines.",
    ]
    if any(one.origin is ForecastOrigin.TRAINING for one in records):
        notes.append(
            "A replay in training is of an evening that the model was trained on: it flatters."
        )
    if any(one.again for one in records):
        notes.append(
            "Some players have several lines of one market on an evening. They win and lose "
            "together, so the intervals of the share won are too narrow."
        )
    if any(one.priced is not None and one.priced.interval is None for one in records):
        notes.append("Fewer than ten evenings give no honest interval of the profit.")
    return notes


def counts_line(report: LinesReport) -> str:
    """How many rows there were and what became of them; every row is in one of the counts."""
    text = f"{_count(report.rows, 'row')} read, {_count(len(report.joined), 'line')} compared"
    if report.repeated:
        text += f", {_count(len(report.repeated), 'repeated row')} counted once"
    if report.left_out:
        text += f", {_count(len(report.left_out), 'row')} left out"
    return f"{text}."


def standing_line(report: LinesReport) -> str:
    """How many of the compared lines count in the record, and why the others do not."""
    found = Counter(one.result for one in report.joined)
    settled = sum(found.pop(result, 0) for result in (Result.WON, Result.LOST, Result.PUSH))
    text = f"In the record: {_count(settled, 'line')}."
    others = ", ".join(f"{number:,} {result.value}" for result, number in found.most_common())
    return f"{text} Not in it: {others}." if others else text


def facts_of(report: LinesReport) -> dict[str, object]:
    """The whole report for other programs; null where there is nothing."""
    return {
        "rows": report.rows,
        "lines": [_cells(one) for one in report.joined],
        "record": [_record_facts(one) for one in report.records],
        "left_out": [
            {"row": one.row, "reason": one.reason.value, "detail": one.detail}
            for one in report.left_out
        ],
        "repeated": [asdict(one) for one in report.repeated],
        "notes": record_notes(report.records),
        "warning": WARNING,
    }


def _cells(one: JoinedLine) -> dict[str, object]:
    line = one.line
    return {
        "row": line.row,
        "date": line.game_date.isoformat(),
        "player_id": line.player_id,
        "player": line.player_name,
        "market": line.market,
        "line": line.line,
        "over_price": line.over_price,
        "under_price": line.under_price,
        "origin": None if one.origin is None else one.origin.value,
        "mean": one.mean,
        "median": one.median,
        "over": one.over,
        "push": one.push,
        "under": one.under,
        "no_vig_over": one.fair_over,
        "lean": None if one.lean is None else one.lean.value,
        "actual": one.actual,
        "result": one.result.value,
    }


def _record_facts(one: LineRecord) -> dict[str, object]:
    return asdict(one) | {"origin": one.origin.value}


def _share(one: LineRecord) -> str:
    if one.share_won is None or one.interval is None:
        return _NOTHING
    return (
        f"{one.share_won:.1%} ({100 * one.interval.low:.1f} to {100 * one.interval.high:.1f}) "
        f"of {one.won + one.lost:,}"
    )


def _priced_cells(priced: PricedRecord) -> dict[str, str]:
    won, least = _percent(priced.share_won), _percent(priced.break_even)
    figures = (f"{priced.n:,}", won, least, _profit(priced.profit, priced.interval))
    return dict(zip(_PRICED, figures, strict=True))


def _error_cells(errors: LineErrors) -> dict[str, str]:
    figures = (f"{errors.n:,}", f"{errors.model:.2f}", f"{errors.line:.2f}")
    return dict(zip(_ERRORS, figures, strict=True))


def _profit(profit: float, interval: Interval | None) -> str:
    if interval is None:
        return f"{profit:+.3f}"
    return f"{profit:+.3f} ({interval.low:+.3f} to {interval.high:+.3f})"


def _percent(share: float | None) -> str:
    return _NOTHING if share is None else f"{share:.1%}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
