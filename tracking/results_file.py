"""A file of results, row by row: which column is which, and what the values say. Pure."""

from __future__ import annotations

import math
import numbers
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, TypeVar

import pandas as pd

from nba.stats import STATS, Stat
from tracking.errors import RowProblem, RowProblemKind

__all__ = ["MAX_ROWS", "ParsedFile", "ResultRow", "parse_results", "required_columns"]

MAX_ROWS: Final = 50_000
"""More rows than two full seasons have; a longer file is something else."""

_ALIASES: Final[Mapping[str, tuple[str, ...]]] = {
    "game_date": ("game_date", "date"),
    "player_id": ("player_id",),
    "player_name": ("player_name", "player", "name"),
    "points": ("points", "pts"),
    "rebounds": ("rebounds", "reb", "trb"),
    "assists": ("assists", "ast"),
    "threes": ("threes", "fg3m", "3pm"),
    "minutes": ("minutes", "min", "mp"),
    "game_id": ("game_id",),
    "team": ("team", "team_abbreviation"),
}
# Above every number in the league's history, below what only a mistake can be.
_LARGEST: Final[Mapping[Stat, int]] = {
    "points": 120,
    "rebounds": 70,
    "assists": 50,
    "threes": 40,
    "minutes": 70,
}
_COUNTED: Final[tuple[Stat, ...]] = ("points", "rebounds", "assists", "threes")
_NUMBER: Final = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)
_CLOCK: Final = re.compile(r"(\d+):([0-5]\d)", re.ASCII)
# Spreadsheets and pandas add midnight to a date.
_DATE: Final = re.compile(r"(\d{4}-\d{2}-\d{2})([ T]00:00(:00(\.0+)?)?)?", re.ASCII)
_GAME_ID_LENGTH: Final = 10

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class ResultRow:
    """One row as it was read; `row` counts as a spreadsheet does, the header being row 1."""

    row: int
    game_date: date
    player_id: int | None
    player_name: str
    game_id: str
    team: str
    values: Mapping[Stat, int | None]


@dataclass(frozen=True, slots=True)
class ParsedFile:
    """The readable rows, what is wrong with the others, and the columns that have no meaning."""

    rows: tuple[ResultRow, ...]
    problems: tuple[RowProblem, ...]
    ignored_columns: tuple[str, ...]


class _Unreadable(ValueError):
    """A value that is not what its column holds."""


def required_columns() -> str:
    """The columns a file needs, in words."""
    return (
        "game_date, player_id or player_name, points, rebounds, assists, threes; "
        "minutes, game_id and team if known"
    )


def parse_results(frame: pd.DataFrame, today: date) -> ParsedFile:
    """Read every row of `frame`; nothing is looked up and nothing raised.

    Column names count without regard to case and spaces. Dates are `YYYY-MM-DD` in US Eastern
    time and not after `today`. Minutes may be `34`, `34.2` or `34:12` and are rounded to whole
    minutes, as box scores give them.
    """
    columns, problems, ignored = _columns_of(frame)
    if len(frame) > MAX_ROWS:
        detail = f"the file has {len(frame):,} rows, {MAX_ROWS:,} are the most at a time"
        problems.append(RowProblem(None, RowProblemKind.TOO_MANY_ROWS, detail))
    elif frame.empty:
        problems.append(RowProblem(None, RowProblemKind.NO_ROWS, "the file has no rows"))
    if problems:
        return ParsedFile((), tuple(problems), ignored)
    rows: list[ResultRow] = []
    names = list(columns)
    picked = zip(*(frame.iloc[:, position] for position in columns.values()), strict=True)
    for number, values in enumerate(picked, start=2):
        found = _read_row(number, dict(zip(names, values, strict=True)), today)
        if isinstance(found, ResultRow):
            rows.append(found)
        else:
            problems.extend(found)
    return ParsedFile(tuple(rows), tuple(problems), ignored)


def _columns_of(
    frame: pd.DataFrame,
) -> tuple[dict[str, int], list[RowProblem], tuple[str, ...]]:
    meaning = {alias: name for name, aliases in _ALIASES.items() for alias in aliases}
    columns: dict[str, int] = {}
    problems: list[RowProblem] = []
    ignored: list[str] = []
    for position, heading in enumerate(frame.columns):
        name = meaning.get("_".join(str(heading).strip().lower().split()))
        if name is None:
            ignored.append(str(heading))
        elif name in columns:
            detail = f"{frame.columns[columns[name]]!s} and {heading!s} both mean {name}"
            problems.append(RowProblem(None, RowProblemKind.REPEATED_COLUMN, detail))
        else:
            columns[name] = position
    missing = [name for name in ("game_date", *_COUNTED) if name not in columns]
    if "player_id" not in columns and "player_name" not in columns:
        missing.insert(0, "player_id or player_name")
    if missing:
        found = ", ".join(str(heading) for heading in frame.columns) or "none"
        detail = f"missing columns: {', '.join(missing)}; columns found: {found}"
        problems.append(RowProblem(None, RowProblemKind.MISSING_COLUMN, detail))
    return columns, problems, tuple(ignored)


def _read_row(
    number: int, values: Mapping[str, object], today: date
) -> ResultRow | list[RowProblem]:
    problems: list[RowProblem] = []

    def attempt(kind: RowProblemKind, read: Callable[..., _T], *given: object) -> _T | None:
        try:
            return read(*given)
        except _Unreadable as unreadable:
            problems.append(RowProblem(number, kind, str(unreadable)))
            return None

    game_date = attempt(RowProblemKind.BAD_DATE, _date_of, values["game_date"])
    if game_date is not None and game_date > today:
        detail = f"{game_date.isoformat()} is yet to come"
        problems.append(RowProblem(number, RowProblemKind.FUTURE_DATE, detail))
    player_id = attempt(RowProblemKind.BAD_VALUE, _player_id_of, values.get("player_id"))
    player_name = _text_of(values.get("player_name"))
    if player_id is None and not player_name and not problems:
        problems.append(RowProblem(number, RowProblemKind.UNKNOWN_PLAYER, "no player is named"))
    stats: dict[Stat, int | None] = {}
    for stat in STATS:
        stats[stat] = attempt(RowProblemKind.BAD_VALUE, _stat_of, stat, values.get(stat))
    points, threes = stats["points"], stats["threes"]
    if points is not None and threes is not None and 3 * threes > points:
        detail = f"{threes} threes make more than {points} points"
        problems.append(RowProblem(number, RowProblemKind.BAD_VALUE, detail))
    if problems or game_date is None:
        return problems
    return ResultRow(
        row=number,
        game_date=game_date,
        player_id=player_id,
        player_name=player_name,
        game_id=_game_id_of(values.get("game_id")),
        team=_text_of(values.get("team")).upper(),
        values=stats,
    )


def _is_blank(value: object) -> bool:
    if value is None or value is pd.NaT or value is pd.NA:
        return True
    if isinstance(value, str):
        return not value.strip()
    return isinstance(value, float) and math.isnan(value)


def _text_of(value: object) -> str:
    return "" if _is_blank(value) else str(value).strip()


def _date_of(value: object) -> date:
    if _is_blank(value):
        raise _Unreadable("game_date is empty")
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    text = str(value).strip()
    written = _DATE.fullmatch(text)
    try:
        if written is not None:
            return date.fromisoformat(written[1])
    except ValueError:
        pass  # such as 2026-02-30, which has the form of a date
    raise _Unreadable(f"game_date {text!r} is no date of the form YYYY-MM-DD")


def _number_of(name: str, value: object) -> float:
    if isinstance(value, bool):
        raise _Unreadable(f"{name} is {value}, not a number")
    if isinstance(value, numbers.Real):
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
    else:
        text = str(value).strip()
        if _NUMBER.fullmatch(text) is None:
            raise _Unreadable(f"{name} {text!r} is not a number")
        number = float(text)
    if not math.isfinite(number):
        raise _Unreadable(f"{name} is {number}, not a number")
    return number


def _whole_of(name: str, value: object) -> int:
    number = _number_of(name, value)
    if number != int(number):
        raise _Unreadable(f"{name} is {number:g}, not a whole number")
    return int(number)


def _player_id_of(value: object) -> int | None:
    return None if _is_blank(value) else _whole_of("player_id", value)


def _game_id_of(value: object) -> str:
    text = _text_of(value)
    # Spreadsheets take the id for a number and drop its leading zeros.
    text = text.removesuffix(".0")
    return text.zfill(_GAME_ID_LENGTH) if text.isdecimal() else text


def _stat_of(stat: Stat, value: object) -> int | None:
    if _is_blank(value):
        if stat == "minutes":
            return None
        raise _Unreadable(f"{stat} is empty")
    clock = _CLOCK.fullmatch(value.strip()) if isinstance(value, str) else None
    if stat != "minutes":
        number = _whole_of(stat, value)
    elif clock is not None:
        number = int(clock[1]) + (int(clock[2]) >= 30)
    else:
        minutes = _number_of(stat, value)
        number = math.floor(minutes + 0.5) if minutes >= 0 else math.floor(minutes)
    if number < 0:
        raise _Unreadable(f"{stat} is {number}, below zero")
    if number > _LARGEST[stat]:
        raise _Unreadable(f"{stat} is {number}, more than {_LARGEST[stat]}")
    return number
