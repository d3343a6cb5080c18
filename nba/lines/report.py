"""A file of lines from its bytes to a report, and the words that belong below each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from nba.lines.errors import LeftOut
from nba.lines.forecasts import Evening
from nba.lines.joining import JoinedLine, join_lines
from nba.lines.matching import Repeated, match_lines
from nba.lines.reading import read_lines
from nba.lines.record import LineRecord, record_of

__all__ = ["EXAMPLE", "WARNING", "LinesReport", "compare_lines"]

WARNING: Final = (
    "These are past figures on paper. Stake limits, the bookmaker's margin where no prices are "
    "given, lines that move and late news are not in them, and among many figures some look good "
    "by chance. An edge on paper is no advice to bet."
)

EXAMPLE: Final = (
    "date,player,market,line,over_price,under_price\n"
    "2024-12-25,Nikola Jokic,points,29.5,-110,-110\n"
    "2024-12-25,Jayson Tatum,PTS+REB+AST,42.5,-105,-125\n"
    "2024-12-25,Luka Dončić,threes,3,+120,-150\n"
    "2026-11-20,Devin Booker,assists,6.5,,\n"
)


@dataclass(frozen=True, slots=True)
class LinesReport:
    """A file of lines beside the model.

    `rows` counts the rows of the file. Each of them is in `joined` (by date and row), `left_out`
    (with the reason) or `repeated` (counted once).
    """

    rows: int
    joined: tuple[JoinedLine, ...]
    left_out: tuple[LeftOut, ...]
    repeated: tuple[Repeated, ...]
    records: tuple[LineRecord, ...]


def compare_lines(
    content: bytes,
    key: str,
    *,
    people: Mapping[int, str],
    name_key: Callable[[str], str],
    evening_of: Callable[[date], Evening],
    progress: Callable[[float, str], None],
) -> LinesReport:
    """Read a file of lines and put each beside the model; `key` names it in errors.

    See `read_lines`, `match_lines` and `join_lines` for what is passed in. Raises LinesRejected,
    and what `evening_of` raises.
    """
    rows = read_lines(content, key)
    matched = match_lines(rows, people, name_key)
    joined, without_game = join_lines(matched.lines, evening_of, progress)
    left_out = sorted((*matched.left_out, *without_game), key=lambda one: one.row)
    return LinesReport(len(rows), joined, tuple(left_out), matched.repeated, record_of(joined))
