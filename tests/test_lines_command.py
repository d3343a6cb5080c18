"""Your own lines on the command line."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

import cli
from commands.exit_codes import ExitCode
from nba.lines import WARNING
from nba.lines.tables import LINE_COLUMNS
from tests.cli_fixtures import Command

LINES = (
    "date,player,market,line,over_price,under_price\n"
    "2018-11-19,Kemba Walker,points,24.5,-110,-110\n"
    "2018-11-21,Luka Doncic,PRA,30.5,,\n"
    "2018-11-21,luka dončić,rebounds,6.5,,\n"
    "2018-11-21,Luka Doncic,REB,6.50,,\n"
)
UNKNOWN = "2018-11-21,Nobody Known,points,6.5,,\n"


def written(folder: Path, text: str = LINES) -> str:
    path = folder / "my-lines.csv"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_lines_and_their_record(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["lines", written(here), "--quiet"]) == ExitCode.DONE
    answer = capsys.readouterr()
    assert answer.err == ""
    assert answer.out.startswith("4 rows read, 3 lines compared, 1 repeated row counted once.\n")
    for words in ("Kemba Walker", "Luka Dončić", "replay", "too few to say anything", "row 5"):
        assert words in answer.out
    assert answer.out.endswith(f"\n{WARNING}\n")
    assert not [path for path in (here / "store").rglob("*") if path.is_file()]


def test_progress_goes_to_standard_error(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["lines", written(here)]) == ExitCode.DONE
    assert "Projecting evening 1 of 2" in capsys.readouterr().err


def test_lines_for_other_programs(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = here / "compared.csv"
    words = ["lines", written(here, LINES + UNKNOWN), "--json", "--quiet", "--csv", str(target)]
    assert cli.main(words) == ExitCode.DONE_IN_PART
    told = json.loads(capsys.readouterr().out)
    assert told["rows"] == 5
    assert [one["player"] for one in told["lines"]] == [
        "Kemba Walker",
        "Luka Dončić",
        "Luka Dončić",
    ]
    assert told["left_out"][0]["row"] == 6
    assert told["left_out"][0]["reason"] == "unknown player"
    assert told["repeated"] == [{"row": 5, "first_row": 4, "other_prices": False}]
    assert all(one["is_too_few"] for one in told["record"])
    assert told["warning"] == WARNING
    rows = list(csv.DictReader(io.StringIO(target.read_text(encoding="utf-8"))))
    assert len(rows) == 3
    assert tuple(rows[0]) == LINE_COLUMNS

    assert cli.main(words) == ExitCode.FAILED, "a file that is there stays"
    assert "Name a new file" in capsys.readouterr().err


def test_rows_that_are_left_out_are_listed(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    only = written(here, LINES.splitlines(keepends=True)[0] + UNKNOWN)
    assert cli.main(["lines", only, "--quiet"]) == ExitCode.DONE_IN_PART
    out = capsys.readouterr().out
    assert "row 2: unknown player: no player is called 'Nobody Known'" in out
    assert "there is no record" in out


@pytest.mark.parametrize("text", ["<html></html>", "date,player\n", LINES + "x,y,points,NaN,0,\n"])
def test_a_file_that_is_refused(text: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["lines", written(here, text)]) == ExitCode.FAILED
    answer = capsys.readouterr()
    assert answer.out == ""
    assert "Reading lines failed for my-lines.csv" in answer.err


def test_a_file_that_cannot_be_read(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in (here / "absent.csv", here):
        assert cli.main(["lines", str(path)]) == ExitCode.FAILED
        assert "Name a CSV file that can be read" in capsys.readouterr().err


def test_without_a_file_it_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["lines"])
    assert caught.value.code == ExitCode.WRONG_USAGE


def test_with_a_history_as_a_process(command: Command, saved_evening: Path, tmp_path: Path) -> None:
    before = sorted(path.name for path in saved_evening.rglob("*"))
    answer = command("lines", written(tmp_path), "--quiet")
    assert (answer.returncode, answer.stderr) == (0, "")
    assert WARNING in answer.stdout
    assert sorted(path.name for path in saved_evening.rglob("*")) == before
