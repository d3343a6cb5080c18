"""A user's own lines beside the model: reading, matching, comparing, and an honest record.

Nothing here looks anything up or keeps anything: players, dates, forecasts and results are passed
in, and a report comes out.
"""

from __future__ import annotations

from nba.lines.errors import LeftOut, LineProblem, LinesRejected, Reason
from nba.lines.forecasts import (
    BandDistribution,
    CountOfBand,
    Evening,
    ForecastOrigin,
    MarketForecast,
)
from nba.lines.joining import JoinedLine, Result, Side, join_lines
from nba.lines.markets import market_of
from nba.lines.matching import Line, Matched, Repeated, match_lines
from nba.lines.reading import MAX_BYTES, MAX_EVENINGS, MAX_ROWS, LineRow, read_lines
from nba.lines.record import TOO_FEW, LineErrors, LineRecord, PricedRecord, record_of
from nba.lines.report import EXAMPLE, WARNING, LinesReport, compare_lines
from nba.stats import MARKETS, Market

__all__ = [
    "EXAMPLE",
    "MARKETS",
    "MAX_BYTES",
    "MAX_EVENINGS",
    "MAX_ROWS",
    "TOO_FEW",
    "WARNING",
    "BandDistribution",
    "CountOfBand",
    "Evening",
    "ForecastOrigin",
    "JoinedLine",
    "LeftOut",
    "Line",
    "LineErrors",
    "LineProblem",
    "LineRecord",
    "LineRow",
    "LinesRejected",
    "LinesReport",
    "Market",
    "MarketForecast",
    "Matched",
    "PricedRecord",
    "Reason",
    "Repeated",
    "Result",
    "Side",
    "compare_lines",
    "join_lines",
    "market_of",
    "match_lines",
    "read_lines",
    "record_of",
]
