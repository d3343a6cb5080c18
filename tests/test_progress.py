"""Progress on standard error: a bar for people, few lines for a log, nothing if so asked."""

from __future__ import annotations

import io

import pytest

from nba.progress import ProgressBar


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")


def test_a_terminal_gets_one_line_that_is_taken_away() -> None:
    terminal = Terminal()
    bar = ProgressBar(terminal)
    bar(0.5, "Fetching box scores: 3 of 6")
    assert terminal.getvalue() == "\r[##########----------]  50% Fetching box scores: 3 of 6\x1b[K"
    bar.clear()
    assert terminal.getvalue().endswith("\r\x1b[K")
    assert "\n" not in terminal.getvalue()
    before = terminal.getvalue()
    bar.clear()
    assert terminal.getvalue() == before, "nothing is there any more"


def test_a_long_line_is_cut_because_a_wrapped_one_cannot_be_taken_away() -> None:
    terminal = Terminal()
    ProgressBar(terminal)(1.0, "words " * 40)
    [_, line] = terminal.getvalue().removesuffix("\x1b[K").split("\r")
    assert len(line) == 59


def test_a_log_gets_a_line_for_each_stage_and_each_quarter_of_it() -> None:
    log = io.StringIO()
    bar = ProgressBar(log)
    bar(0.02, "Asking for tonight's games")
    for number in range(60):
        bar(number / 60, f"Fetching box scores: {number + 1} of 60")
    bar.clear()
    assert log.getvalue().splitlines() == [
        "  2% Asking for tonight's games",
        "  0% Fetching box scores: 1 of 60",
        " 25% Fetching box scores: 16 of 60",
        " 50% Fetching box scores: 31 of 60",
        " 75% Fetching box scores: 46 of 60",
    ]


def test_a_share_beyond_the_end_is_the_end() -> None:
    log = io.StringIO()
    ProgressBar(log)(1.7, "Up to date")
    assert log.getvalue() == "100% Up to date\n"


@pytest.mark.parametrize("stream", [Terminal(), io.StringIO()])
def test_quiet_is_quiet(stream: io.StringIO) -> None:
    bar = ProgressBar(stream, quiet=True)
    bar(0.5, "Fetching")
    bar.preparing(0.5, "Starting")
    bar.clear()
    assert stream.getvalue() == ""


def test_the_start_is_shown_to_people_only() -> None:
    terminal, log = Terminal(), io.StringIO()
    ProgressBar(terminal).preparing(0.5, "Reading past seasons")
    ProgressBar(log).preparing(0.5, "Reading past seasons")
    assert "Reading past seasons" in terminal.getvalue()
    assert log.getvalue() == ""
