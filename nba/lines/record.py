"""How the model's side of the lines has done: counts, honest intervals, never two origins in one.

A line is settled once it is known what the player did and the model leans to a side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from nba.evaluation import Interval, bootstrap_interval, mae, wilson_interval
from nba.lines.forecasts import ForecastOrigin
from nba.lines.joining import JoinedLine, Result
from nba.lines.odds import break_even, profit_if_won
from nba.stats import MARKETS, Market

__all__ = ["TOO_FEW", "LineErrors", "LineRecord", "PricedRecord", "record_of"]

TOO_FEW: Final = 30
"""Below this many won and lost lines nothing can be said."""
_FEWEST_DATES: Final = 10
_SEED: Final = 20261121


@dataclass(frozen=True, slots=True)
class LineErrors:
    """Mean absolute error of the model's median and of the line, on the same `n` lines."""

    n: int
    model: float
    line: float


@dataclass(frozen=True, slots=True)
class PricedRecord:
    """The settled lines whose side of the model has a price.

    `share_won` of the won and lost ones stands beside `break_even`, the mean share (0..1) that
    their prices ask for; both are None without one. `profit` is per unit staked, a push giving the
    stake back. `interval` (95%) draws whole dates; it is None for fewer than ten dates.
    """

    n: int
    share_won: float | None
    break_even: float | None
    profit: float
    interval: Interval | None


@dataclass(frozen=True, slots=True)
class LineRecord:
    """The record of one origin and market; `market` None is all markets of the origin together.

    `n` settled lines are `won`, `lost` or `pushes`; `share_won` (0..1) is of the won and lost, with
    Wilson's 95% interval, both None without one. `is_too_few` marks fewer than TOO_FEW of them.
    `dates` counts evenings, `again` those of the n lines that are further lines of a player and
    market on the same evening: they win and lose together, and the interval is then too narrow.
    `errors` is None for all markets, which have no common unit, and where no line has a result.
    """

    origin: ForecastOrigin
    market: Market | None
    n: int
    won: int
    lost: int
    pushes: int
    share_won: float | None
    interval: Interval | None
    is_too_few: bool
    dates: int
    again: int
    priced: PricedRecord | None
    errors: LineErrors | None


def record_of(joined: Sequence[JoinedLine]) -> tuple[LineRecord, ...]:
    """The record by origin, each market and then, if there are several, all of them together.

    Only lines with a result count; an origin without any has no row.
    """
    records: list[LineRecord] = []
    for origin in ForecastOrigin:
        of_origin = [one for one in joined if one.origin is origin and one.actual is not None]
        by_market = {
            market: [one for one in of_origin if one.line.market == market] for market in MARKETS
        }
        present = {market: lines for market, lines in by_market.items() if lines}
        records += [_record(origin, market, lines) for market, lines in present.items()]
        if len(present) > 1:
            records.append(_record(origin, None, of_origin))
    return tuple(records)


def _record(
    origin: ForecastOrigin, market: Market | None, lines: Sequence[JoinedLine]
) -> LineRecord:
    settled = [one for one in lines if one.result in (Result.WON, Result.LOST, Result.PUSH)]
    won = sum(one.result is Result.WON for one in settled)
    pushes = sum(one.result is Result.PUSH for one in settled)
    decided = len(settled) - pushes
    subjects = {(one.line.game_date, one.line.player_id, one.line.market) for one in settled}
    return LineRecord(
        origin=origin,
        market=market,
        n=len(settled),
        won=won,
        lost=decided - won,
        pushes=pushes,
        share_won=won / decided if decided else None,
        interval=wilson_interval(won, decided) if decided else None,
        is_too_few=decided < TOO_FEW,
        dates=len({one.line.game_date for one in settled}),
        again=len(settled) - len(subjects),
        priced=_priced(settled),
        errors=None if market is None else _errors(lines),
    )


def _priced(settled: Sequence[JoinedLine]) -> PricedRecord | None:
    priced = [(one, one.price) for one in settled if one.price is not None]
    if not priced:
        return None
    profits = [_profit(one, price) for one, price in priced]
    decided = [(one, price) for one, price in priced if one.result is not Result.PUSH]
    dates = [one.line.game_date.toordinal() for one, _ in priced]
    interval = None
    if len(set(dates)) >= _FEWEST_DATES:
        # The same seed each time: a figure that changes with each look would be no figure.
        interval = bootstrap_interval(profits, dates, np.random.default_rng(_SEED))
    won = sum(one.result is Result.WON for one, _ in decided)
    return PricedRecord(
        n=len(priced),
        share_won=won / len(decided) if decided else None,
        break_even=(
            sum(break_even(price) for _, price in decided) / len(decided) if decided else None
        ),
        profit=sum(profits) / len(profits),
        interval=interval,
    )


def _profit(one: JoinedLine, price: float) -> float:
    if one.result is Result.PUSH:
        return 0.0
    return profit_if_won(price) if one.result is Result.WON else -1.0


def _errors(lines: Sequence[JoinedLine]) -> LineErrors | None:
    rows = [
        (one.actual, one.median, one.line.line)
        for one in lines
        if one.actual is not None and one.median is not None
    ]
    if not rows:
        return None
    actual, median, line = zip(*rows, strict=True)
    return LineErrors(len(rows), mae(actual, median), mae(actual, line))
