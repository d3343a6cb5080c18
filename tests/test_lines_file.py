"""A file of lines: what is read, and that nonsense is refused with its row and column."""

from __future__ import annotations

import pickle
from datetime import date

import pytest

from nba.errors import NbaError
from nba.lines import (
    EXAMPLE,
    MAX_BYTES,
    MAX_EVENINGS,
    MAX_ROWS,
    LineRow,
    LinesRejected,
    Market,
    market_of,
    read_lines,
)

HEADER = "date,player,market,line,over_price,under_price\n"
GOOD = "2024-11-20,Jayson Tatum,points,27.5,-110,-105\n"


def rejected(content: bytes | str) -> LinesRejected:
    raw = content if isinstance(content, bytes) else content.encode()
    with pytest.raises(LinesRejected) as caught:
        read_lines(raw, "lines.csv")
    error = caught.value
    assert isinstance(error, NbaError)
    assert (error.operation, error.key) == ("Reading lines", "lines.csv")
    assert error.remedy.removesuffix(".") in str(error)
    assert len(str(error)) < 3000
    return error


def places(error: LinesRejected) -> list[tuple[int | None, str]]:
    return [(problem.row, problem.column) for problem in error.problems]


def test_a_file_is_read() -> None:
    text = (
        " Date ,PLAYER,Player ID,Stat,Line,Over Odds,under_odds,book\n"
        "2024-11-20, Jayson Tatum ,,PTS,27.5,-110,+105,x\n"
        "\n"
        "2024-11-21 00:00:00,,203999.0,Reb,12,EVEN,,x\n"
        "2024-11-20,Luka Dončić,1629029,steals,.5,,\u2212120,x\n"
    )
    assert read_lines(text.encode()) == (
        LineRow(2, date(2024, 11, 20), None, "Jayson Tatum", "points", "PTS", 27.5, -110, 105),
        LineRow(4, date(2024, 11, 21), 203999, "", "rebounds", "Reb", 12.0, 100, None),
        LineRow(5, date(2024, 11, 20), 1629029, "Luka Dončić", None, "steals", 0.5, None, -120),
    )


def test_the_example_is_a_file() -> None:
    rows = read_lines(EXAMPLE.encode())
    assert [row.market for row in rows] == ["points", "pra", "threes", "assists"]
    assert rows[-1].over_price is None


@pytest.mark.parametrize(
    "content",
    [
        (HEADER + GOOD).encode("utf-8-sig"),
        (HEADER + GOOD).replace(",", ";").encode(),
        (HEADER + GOOD).replace(",", ";").replace("27.5", "27,5").encode(),
        (HEADER + GOOD).replace(",", "\t").encode(),
        (HEADER + GOOD).replace("\n", "\r\n").encode(),
        ("\n\n" + HEADER + GOOD + "\n\n").encode(),
        (HEADER + GOOD.replace("Jayson Tatum", '"Jayson Tatum"')).encode(),
    ],
    ids=["bom", "semicolons", "decimal comma", "tabs", "windows", "blank rows", "quotes"],
)
def test_what_spreadsheets_make_of_a_file(content: bytes) -> None:
    [row] = read_lines(content)
    assert (row.player_name, row.line, row.over_price) == ("Jayson Tatum", 27.5, -110)


@pytest.mark.parametrize(
    ("text", "market"),
    [
        ("Points", "points"),
        (" PTS ", "points"),
        ("player_points", "points"),
        ("REB", "rebounds"),
        ("Total Rebounds", "rebounds"),
        ("AST", "assists"),
        ("3PM", "threes"),
        ("3-Pointers Made", "threes"),
        ("Made Threes", "threes"),
        ("FG3M", "threes"),
        ("Minutes", "minutes"),
        ("PRA", "pra"),
        ("points+rebounds+assists", "pra"),
        ("Pts + Ast + Reb", "pra"),
        ("Points, Rebounds and Assists", "pra"),
        ("player_points_rebounds_assists", "pra"),
        ("P+R+A", "pra"),
        ("points+rebounds", None),
        ("points+points+assists", None),
        ("points+rebounds+assists+steals", None),
        ("steals", None),
        ("+", None),
        ("", None),
        ("=cmd", None),
    ],
)
def test_names_of_markets(text: str, market: Market | None) -> None:
    assert market_of(text) == market


@pytest.mark.parametrize(
    ("row", "column"),
    [
        ("20.11.2024,Jayson Tatum,points,27.5,,", "date"),
        ("11/20/2024,Jayson Tatum,points,27.5,,", "date"),
        ("2024-02-30,Jayson Tatum,points,27.5,,", "date"),
        ("2024-11-20T19:30,Jayson Tatum,points,27.5,,", "date"),
        ("\u0662\u0660\u0662\u0664-11-20,Jayson Tatum,points,27.5,,", "date"),
        (",Jayson Tatum,points,27.5,,", "date"),
        ("2024-11-20,,points,27.5,,", "player"),
        (f"2024-11-20,{'x' * 101},points,27.5,,", "player"),
        ("2024-11-20,Jayson Tatum,,27.5,,", "market"),
        ("2024-11-20,Jayson Tatum,points,,,", "line"),
        ("2024-11-20,Jayson Tatum,points,NaN,,", "line"),
        ("2024-11-20,Jayson Tatum,points,inf,,", "line"),
        ("2024-11-20,Jayson Tatum,points,-inf,,", "line"),
        ("2024-11-20,Jayson Tatum,points,-4.5,,", "line"),
        ("2024-11-20,Jayson Tatum,points,1e3,,", "line"),
        ("2024-11-20,Jayson Tatum,points,200.5,,", "line"),
        (f"2024-11-20,Jayson Tatum,points,{'9' * 400},,", "line"),
        ("2024-11-20,Jayson Tatum,points,=1+1,,", "line"),
        ("2024-11-20,Jayson Tatum,points,o27.5,,", "line"),
        ("2024-11-20,Jayson Tatum,points,27.5,0,", "over_price"),
        ("2024-11-20,Jayson Tatum,points,27.5,50,", "over_price"),
        ("2024-11-20,Jayson Tatum,points,27.5,-99,", "over_price"),
        ("2024-11-20,Jayson Tatum,points,27.5,,1.91", "under_price"),
        ("2024-11-20,Jayson Tatum,points,27.5,,nan", "under_price"),
        ("2024-11-20,Jayson Tatum,points,27.5,,=HYPERLINK()", "under_price"),
        ("2024-11-20,Jayson Tatum,points,27.5,,9999999", "under_price"),
        ("2024-11-20,Jayson Tatum,points,27,5,-110,-110", ""),
    ],
)
def test_a_value_that_cannot_be_read_refuses_the_file(row: str, column: str) -> None:
    error = rejected(f"{HEADER}{GOOD}{row}\n")
    assert places(error) == [(3, column)]
    assert f"row 3{', ' + column if column else ''}: " in str(error)


def test_every_problem_is_named_and_the_message_stays_short() -> None:
    bad = "yesterday,Jayson Tatum,points,NaN,50,0\n"
    error = rejected(HEADER + bad * 1000)
    assert len(error.problems) == 4000
    assert places(error)[:5] == [
        (2, "date"),
        (2, "line"),
        (2, "over_price"),
        (2, "under_price"),
        (3, "date"),
    ]
    assert "and 3,990 more" in str(error)
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.problems) == (str(error), error.problems)


def test_a_bad_player_id() -> None:
    for text in ("Tatum", "1.5", "-3", "9" * 30, "=1"):
        error = rejected(f"date,player_id,market,line\n2024-11-20,{text},points,20.5\n")
        assert places(error) == [(2, "player_id")]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"<!DOCTYPE html><html><body>Sign in</body></html>", "web page"),
        (b"  \n<table><tr><td>date</td></tr></table>", "web page"),
        (b"", "empty"),
        (b"\n \n", "empty"),
        (b"\xef\xbb\xbf", "empty"),
        (HEADER.encode(), "no rows"),
        (GOOD.encode(), "missing columns"),
        (b'{"date": "2024-11-20"}', "missing columns"),
        (b"date,market,line\n2024-11-20,points,20.5\n", "player or player_id"),
        (b"PK\x03\x04\x00\x00", "zero bytes"),
        ((HEADER + GOOD).encode("utf-16"), "UTF-8"),
        (HEADER.encode() + "2024-11-20,Dončić,points,1.5,,\n".encode("iso8859-2"), "UTF-8"),
        (HEADER.encode() + b"2024-11-20,\xed\xa0\x80,points,20.5,,\n", "row 2"),
        ("\ud800,player".encode("utf-8", "surrogatepass"), "UTF-8"),
        (b"date,day,player,market,line\n", "both mean date"),
        ((HEADER + '2024-11-20,"Jayson Tatum,points,20.5,,\n').encode(), "row 2"),
        ((HEADER + '2024-11-20,"Jay"son,points,20.5,,\n').encode(), "row 2"),
        ((HEADER + '2024-11-20,"' + "x" * 200_000).encode(), "row 2"),
        (b"x" * (MAX_BYTES + 1), "bytes"),
        (b"," * 100_000 + b"\n", "missing columns"),
    ],
    ids=lambda value: None if isinstance(value, bytes) else str(value),
)
def test_a_file_that_is_no_file_of_lines(content: bytes, words: str) -> None:
    assert words in str(rejected(content))


def test_a_file_of_as_many_rows_as_are_taken() -> None:
    assert len(read_lines((HEADER + GOOD * MAX_ROWS).encode())) == MAX_ROWS


@pytest.mark.parametrize("rows", [MAX_ROWS + 1, 100_000])
def test_too_many_rows(rows: int) -> None:
    error = rejected(HEADER + GOOD * rows)
    assert f"more than {MAX_ROWS:,} rows" in str(error)
    assert "Split the file" in error.remedy


def test_too_many_evenings() -> None:
    days = [date.fromordinal(date(2020, 1, 1).toordinal() + n) for n in range(MAX_EVENINGS + 1)]
    rows = [f"{day.isoformat()},Jayson Tatum,points,20.5,,\n" for day in days]
    assert len(read_lines((HEADER + "".join(rows[1:])).encode())) == MAX_EVENINGS
    error = rejected(HEADER + "".join(rows))
    assert "201 dates, 200 are the most" in str(error)
    assert "Split the file by date" in error.remedy


def test_foreign_text_stays_on_one_line_of_a_message() -> None:
    error = rejected(HEADER + "2024-11-20,Jayson Tatum,points,\x1b[31m" + "7" * 100 + ",,\n")
    assert "\x1b" not in str(error)
    assert "\\x1b[31m" in str(error)
