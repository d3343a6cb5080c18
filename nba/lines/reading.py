"""A file of lines, row by row: which column is which, and what the values say. Pure."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, TypeVar

from nba.lines.errors import LineProblem, LinesRejected
from nba.lines.markets import market_of
from nba.stats import Market

__all__ = ["MAX_BYTES", "MAX_EVENINGS", "MAX_ROWS", "LineRow", "read_lines"]

MAX_ROWS: Final = 50_000
"""More lines than a bookmaker offers in a season for the markets known here."""
MAX_BYTES: Final = 10_000_000
MAX_EVENINGS: Final = 200
"""Each date is projected anew, a fraction of a second each; a season has fewer."""

_COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "date": ("date", "game_date", "slate_date", "day"),
    "player": ("player", "player_name", "name"),
    "player_id": ("player_id",),
    "market": ("market", "stat", "prop", "stat_type", "prop_type"),
    "line": ("line", "prop_line", "handicap"),
    "over_price": ("over_price", "over_odds", "price_over", "odds_over", "over"),
    "under_price": ("under_price", "under_odds", "price_under", "odds_under", "under"),
}
_LARGEST_LINE: Final = 200.0
_LONGEST_NAME: Final = 100
_LONGEST_SHOWN: Final = 60
_EVEN: Final = 100.0
_LARGEST_PRICE: Final = 100_000.0
# A league's id has at most ten digits.
_ID: Final = re.compile(r"(\d{1,10})(\.0)?", re.ASCII)
_NUMBER: Final = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)", re.ASCII)
# Spreadsheets add midnight to a date.
_DATE: Final = re.compile(r"(\d{4}-\d{2}-\d{2})([ T]00:00(:00(\.0+)?)?)?", re.ASCII)
_REMEDY: Final = "Nothing was taken. Mend this and try again; the example shows what a file is like"

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class LineRow:
    """One row as it was read; `row` counts as a spreadsheet does, the header being row 1.

    `game_date` is a US Eastern date, `market` None for a name that is not known (`market_text` has
    it as written), the prices American odds, None where none is given.
    """

    row: int
    game_date: date
    player_id: int | None
    player_name: str
    market: Market | None
    market_text: str
    line: float
    over_price: float | None
    under_price: float | None


class _Unreadable(ValueError):
    """A value that is not what its column holds."""


def read_lines(content: bytes, key: str = "the file") -> tuple[LineRow, ...]:
    """Every row of a CSV file (UTF-8; comma, semicolon or tab); nothing is looked up.

    Columns, without regard to case: date (`YYYY-MM-DD`, US Eastern), player or player_id, market
    and line; over_price and under_price (American odds) if wanted; others are passed over. `key`
    names the file in errors.

    Raises LinesRejected, which names row and column, for what is no such file, and for one with
    more than MAX_BYTES, MAX_ROWS or MAX_EVENINGS different dates.
    """
    text = _text_of(content, key)
    delimiter = _delimiter_of(text)
    records = _records(text, delimiter, key)
    header_row, header = next(records, (1, []))
    columns = _columns_of(header_row, header, key)
    rows: list[LineRow] = []
    problems: list[LineProblem] = []
    for number, cells in records:
        if len(rows) >= MAX_ROWS:
            raise _refused(
                key,
                f"it has more than {MAX_ROWS:,} rows",
                "Nothing was taken. Split the file and compare its parts one after the other",
            )
        if len(cells) > len(header):
            detail = f"{len(cells)} cells, but the header has {len(header)}; is a comma too many?"
            problems.append(LineProblem(number, "", detail))
            continue
        values = {
            name: cells[place].strip() if place < len(cells) else ""
            for name, place in columns.items()
        }
        found = _read_row(number, values, decimal_comma=delimiter != ",")
        if isinstance(found, LineRow):
            rows.append(found)
        else:
            problems.extend(found)
            if len(problems) > MAX_ROWS:
                break
    if problems:
        raise LinesRejected(key, problems, _REMEDY)
    if not rows:
        raise _refused(key, "it has no rows below the header", _REMEDY)
    evenings = len({row.game_date for row in rows})
    if evenings > MAX_EVENINGS:
        raise _refused(
            key,
            f"it has lines of {evenings:,} dates, {MAX_EVENINGS} are the most at a time",
            "Nothing was taken. Split the file by date and compare its parts one after the other",
        )
    return tuple(rows)


def _refused(key: str, detail: str, remedy: str) -> LinesRejected:
    return LinesRejected(key, [LineProblem(None, "", detail)], remedy)


def _text_of(content: bytes, key: str) -> str:
    if len(content) > MAX_BYTES:
        raise _refused(
            key,
            f"it has {len(content):,} bytes, {MAX_BYTES:,} are the most",
            "Nothing was taken. Split the file, or leave out the columns that are not needed",
        )
    remedy = "Save it as CSV (UTF-8) and try again"
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = content[: error.start].count(b"\n") + 1
        problem = LineProblem(row, "", "the bytes are not text in UTF-8")
        raise LinesRejected(key, [problem], remedy) from error
    if "\0" in text:
        raise _refused(key, "it is no text: it holds zero bytes", remedy)
    if text.lstrip().startswith("<"):
        raise _refused(key, "it is a web page or XML, not CSV", remedy)
    if not text.strip():
        raise _refused(key, "it is empty", _REMEDY)
    return text


def _delimiter_of(text: str) -> str:
    """What separates the cells of the header; spreadsheets outside of English use a semicolon."""
    header = text.lstrip().partition("\n")[0]
    return max((",", ";", "\t"), key=header.count)


def _records(text: str, delimiter: str, key: str) -> Iterator[tuple[int, list[str]]]:
    """The records that are not blank, with their row numbers; blank ones count as rows."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    number = 0
    try:
        for number, cells in enumerate(reader, start=1):
            if any(cell.strip() for cell in cells):
                yield number, cells
    except csv.Error as error:
        problem = LineProblem(number + 1, "", f"it is not CSV from here on ({error})")
        raise LinesRejected(key, [problem], _REMEDY) from error


def _columns_of(header_row: int, header: Sequence[str], key: str) -> dict[str, int]:
    """Where each known column stands."""
    meaning = {alias: name for name, aliases in _COLUMNS.items() for alias in aliases}
    columns: dict[str, int] = {}
    problems: list[LineProblem] = []
    for place, heading in enumerate(header):
        name = meaning.get("_".join(heading.strip().lower().split()))
        if name is None:
            continue
        if name in columns:
            detail = f"{_shown(header[columns[name]])} and {_shown(heading)} both mean {name}"
            problems.append(LineProblem(header_row, name, detail))
        else:
            columns[name] = place
    missing = [name for name in ("date", "market", "line") if name not in columns]
    if "player" not in columns and "player_id" not in columns:
        missing.insert(1 if "date" in missing else 0, "player or player_id")
    if missing:
        found = ", ".join(_shown(heading) for heading in header[:20]) or "none"
        detail = f"missing columns: {', '.join(missing)}; columns found: {found}"
        problems.append(LineProblem(header_row, "", detail))
    if problems:
        raise LinesRejected(key, problems, _REMEDY)
    return columns


def _read_row(
    number: int, values: Mapping[str, str], *, decimal_comma: bool
) -> LineRow | list[LineProblem]:
    problems: list[LineProblem] = []

    def attempt(column: str, read: Callable[[str], _T]) -> _T | None:
        text = values.get(column, "")
        try:
            return read(text.replace(",", ".") if decimal_comma and column in _NUMERIC else text)
        except _Unreadable as unreadable:
            problems.append(LineProblem(number, column, str(unreadable)))
            return None

    game_date = attempt("date", _date_of)
    player_id = attempt("player_id", _player_id_of)
    player_name = attempt("player", _name_of) or ""
    market_text = attempt("market", _market_text_of) or ""
    line = attempt("line", _line_of)
    over_price = attempt("over_price", _price_of)
    under_price = attempt("under_price", _price_of)
    if not problems and player_id is None and not player_name:
        problems.append(LineProblem(number, "player", "no player is named"))
    if problems or game_date is None or line is None:
        return problems
    return LineRow(
        row=number,
        game_date=game_date,
        player_id=player_id,
        player_name=player_name,
        market=market_of(market_text),
        market_text=market_text,
        line=line,
        over_price=over_price,
        under_price=under_price,
    )


_NUMERIC: Final = frozenset({"line", "over_price", "under_price"})


def _shown(text: str) -> str:
    """Foreign text for a message: on one line, and not longer than a message bears."""
    clipped = text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
    return ascii(clipped) if any(not char.isprintable() for char in clipped) else repr(clipped)


def _date_of(text: str) -> date:
    written = _DATE.fullmatch(text)
    try:
        if written is not None:
            return date.fromisoformat(written[1])
    except ValueError:
        pass  # such as 2026-02-30, which has the form of a date
    raise _Unreadable(f"{_shown(text)} is no date; write it as 2026-11-20" if text else "empty")


def _player_id_of(text: str) -> int | None:
    if not text:
        return None
    written = _ID.fullmatch(text)
    if written is None:
        raise _Unreadable(f"{_shown(text)} is no player id")
    return int(written[1])


def _name_of(text: str) -> str:
    if len(text) > _LONGEST_NAME:
        raise _Unreadable(f"a name of {len(text):,} characters; {_LONGEST_NAME} are the most")
    return text


def _market_text_of(text: str) -> str:
    if not text:
        raise _Unreadable("empty")
    return _name_of(text)


def _number_of(text: str) -> float:
    # Some pages write a true minus.
    plain = text.replace("−", "-")
    if _NUMBER.fullmatch(plain) is None:
        raise _Unreadable(f"{_shown(text)} is no number" if text else "empty")
    number = float(plain)
    if not math.isfinite(number):
        raise _Unreadable(f"{_shown(text)} is too large")
    return number


def _line_of(text: str) -> float:
    number = _number_of(text)
    if not 0.0 <= number <= _LARGEST_LINE:
        raise _Unreadable(f"{_shown(text)} is no line; they lie from 0 to {_LARGEST_LINE:g}")
    return number


def _price_of(text: str) -> float | None:
    if not text:
        return None
    if text.lower() in {"even", "evens", "ev"}:
        return _EVEN
    number = _number_of(text)
    if not _EVEN <= abs(number) <= _LARGEST_PRICE:
        raise _Unreadable(
            f"{_shown(text)} is no American price; they are -100 or below, or +100 or above"
        )
    return number
