"""Each line beside what the model says of it and, where it is known, what happened. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from itertools import groupby

from nba.lines.errors import LeftOut, Reason
from nba.lines.forecasts import Evening, ForecastOrigin, MarketForecast
from nba.lines.matching import Line
from nba.lines.odds import no_vig_over

__all__ = ["JoinedLine", "Result", "Side", "join_lines"]


class Side(StrEnum):
    """The side of a line; a push is neither."""

    OVER = "over"
    UNDER = "under"


class Result(StrEnum):
    """What became of the side that the model leans to, or why there is nothing to say."""

    WON = "won"
    LOST = "lost"
    PUSH = "push"
    NO_LEAN = "no lean"
    NOT_KNOWN_YET = "not known yet"
    DID_NOT_PLAY = "did not play"
    NOT_EXPECTED = "no game, or not expected to play"
    NOT_PROJECTED = "market not projected"


@dataclass(frozen=True, slots=True)
class JoinedLine:
    """One line beside the model.

    `mean` and `median` are in the market's unit; `over`, `push` and `under` are the model's
    probabilities (0..1, together 1), `fair_over` the one that both prices imply without their
    margin. `lean` is the side that the model thinks more likely. None where there is none.
    """

    line: Line
    result: Result
    origin: ForecastOrigin | None = None
    mean: float | None = None
    median: float | None = None
    over: float | None = None
    push: float | None = None
    under: float | None = None
    fair_over: float | None = None
    lean: Side | None = None
    actual: float | None = None

    @property
    def price(self) -> float | None:
        """The American price of the side that the model leans to."""
        if self.lean is None:
            return None
        return self.line.over_price if self.lean is Side.OVER else self.line.under_price


def join_lines(
    lines: Sequence[Line],
    evening_of: Callable[[date], Evening],
    progress: Callable[[float, str], None],
) -> tuple[tuple[JoinedLine, ...], tuple[LeftOut, ...]]:
    """Put each line beside its evening: the joined lines by date and row, and the rows left out.

    `evening_of` is asked once for each date; what it raises is passed on. `progress` takes a share
    (0..1) and words.
    """
    by_date = sorted(lines, key=lambda line: (line.game_date, line.row))
    evenings = len({line.game_date for line in lines})
    joined: list[JoinedLine] = []
    left_out: list[LeftOut] = []
    for number, (day, of_day) in enumerate(groupby(by_date, lambda line: line.game_date), start=1):
        progress((number - 1) / evenings, f"Projecting evening {number} of {evenings}")
        evening = evening_of(day)
        for found in _of_evening(list(of_day), evening):
            if isinstance(found, JoinedLine):
                joined.append(found)
            else:
                left_out.append(found)
    progress(1.0, f"Projected {evenings} of {evenings}")
    return tuple(joined), tuple(left_out)


def _of_evening(lines: Sequence[Line], evening: Evening) -> Iterator[JoinedLine | LeftOut]:
    expected = {player_id for player_id, _ in evening.forecasts}
    for line in lines:
        if not evening.in_season:
            detail = f"{line.game_date.isoformat()} lies outside every season that is known"
            yield LeftOut(line.row, Reason.OUTSIDE_SEASONS, detail)
        elif not evening.has_games:
            detail = f"there is no game on {line.game_date.isoformat()}"
            yield LeftOut(line.row, Reason.NO_GAMES, detail)
        elif line.player_id in evening.two_games:
            detail = f"{line.player_name} has two games on {line.game_date.isoformat()}"
            yield LeftOut(line.row, Reason.TWO_GAMES, detail)
        else:
            yield _joined(line, evening, is_expected=line.player_id in expected)


def _joined(line: Line, evening: Evening, *, is_expected: bool) -> JoinedLine:
    key = (line.player_id, line.market)
    actual = evening.actuals.get(key)
    fair_over = None
    if line.over_price is not None and line.under_price is not None:
        fair_over = no_vig_over(line.over_price, line.under_price)
    forecast = evening.forecasts.get(key)
    if forecast is None:
        result = Result.NOT_PROJECTED if is_expected else Result.NOT_EXPECTED
        return JoinedLine(line, result, actual=actual, fair_over=fair_over)
    over, push, under = _chances(forecast, line.line)
    lean = None if over == under else Side.OVER if over > under else Side.UNDER
    if actual is not None:
        result = _settled(line.line, lean, actual)
    elif line.player_id in evening.settled:
        result = Result.DID_NOT_PLAY
    else:
        result = Result.NOT_KNOWN_YET
    return JoinedLine(
        line=line,
        result=result,
        origin=forecast.origin,
        mean=forecast.mean,
        median=forecast.median,
        over=over,
        push=push,
        under=under,
        fair_over=fair_over,
        lean=lean,
        actual=actual,
    )


def _chances(forecast: MarketForecast, line: float) -> tuple[float, float, float]:
    """Over, push and under; rounding leaves none of them below 0."""
    over = min(max(forecast.distribution.over(line), 0.0), 1.0)
    push = min(max(forecast.distribution.exactly(line), 0.0), 1.0 - over)
    return over, push, max(1.0 - over - push, 0.0)


def _settled(line: float, lean: Side | None, actual: float) -> Result:
    if lean is None:
        return Result.NO_LEAN
    if actual == line:
        return Result.PUSH
    return Result.WON if (actual > line) == (lean is Side.OVER) else Result.LOST
