"""The season on the command line: results in, tonight logged, projections and their record."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

import cli
from commands.exit_codes import ExitCode
from commands.opening import log_of
from jobs.application import Application
from jobs.authority import OWNER
from jobs.daily import DailyReport
from jobs.ingest import IngestReport
from jobs.rebuild import RebuildReport
from nba.errors import NbaError
from nba.slate_csv import slate_csv
from prediction_tracking import HISTORY_COLUMNS, LearnReport, MissedSlate, PredictionLog
from replica.stores.folder import FolderStore
from tests.applications import AFTERNOON, running, runs_of, settings_for, use_store
from tests.stores import ManualClock, MemoryStore

TONIGHT = date(2026, 11, 20)

NOTHING_NEW = IngestReport(AFTERNOON, 3, LearnReport(), (), ())
REFUSED = NbaError("Asking nba-stats", "leaguegamelog", "it refuses", "Run this at home")
GAPS = IngestReport(
    AFTERNOON,
    4,
    LearnReport(games=2, player_games=41, corrected=1, problems=1),
    (REFUSED,),
    ("Results of 3 games since 2026-11-18 are missing.",),
)


@pytest.fixture
def answers(here: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The sources are on, and answer what a test says instead of being asked."""
    monkeypatch.setenv("NBA_DAILY_SOURCES", "live,stats")
    return here


def answer_ingest(monkeypatch: pytest.MonkeyPatch, report: IngestReport) -> None:
    def ingest(application: Application, actor: object, progress: object) -> IngestReport:
        assert callable(progress)
        progress(0.5, "Fetching box scores: 1 of 2")
        return report

    monkeypatch.setattr(Application, "ingest", ingest)


def answer_daily(monkeypatch: pytest.MonkeyPatch, report: DailyReport) -> None:
    monkeypatch.setattr(Application, "daily", lambda *_: report)


# Ingest -------------------------------------------------------------------------------------------


def test_ingest_says_what_was_learned(
    answers: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer_ingest(monkeypatch, replace(GAPS, failures=(), missing=(), learned=LearnReport(games=1)))
    assert cli.main(["ingest"]) == ExitCode.DONE
    answer = capsys.readouterr()
    assert answer.out == "Fetched 4 responses; learned 1 game.\n"
    assert answer.err == " 50% Fetching box scores: 1 of 2\n"

    answer_ingest(monkeypatch, NOTHING_NEW)
    assert cli.main(["ingest", "--quiet"]) == ExitCode.DONE
    answer = capsys.readouterr()
    assert (answer.out, answer.err) == ("Fetched 3 responses; learned nothing new.\n", "")


def test_ingest_in_part_has_a_code_of_its_own_and_names_each_gap(
    answers: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer_ingest(monkeypatch, GAPS)
    reason = "the points of BOS do not add up"
    row = {"endpoint": "boxscore", "parameters": "game_id=0022600210", "reason": reason}
    monkeypatch.setattr(PredictionLog, "quarantine", lambda _, limit: pd.DataFrame([row] * limit))
    assert cli.main(["ingest", "--quiet"]) == 3
    learned, quarantine, why, missing, refused = capsys.readouterr().out.splitlines()
    assert learned == (
        "Fetched 4 responses; learned 2 games, 41 box score lines, 1 corrected value."
    )
    assert quarantine.startswith("1 response or part of one is in quarantine: ")
    assert why == f"  boxscore game_id=0022600210: {reason}"
    assert missing == "Results of 3 games since 2026-11-18 are missing."
    assert refused == f"Not answered: {REFUSED}"
    assert "Run this at home" in refused

    assert cli.main(["ingest", "--json", "--quiet"]) == 3
    told = json.loads(capsys.readouterr().out)
    assert told["is_complete"] is False
    assert told["learned"]["games"] == 2
    assert told["failures"] == [str(REFUSED)]
    assert (told["documents"], told["problems"]) == (4, 1)
    assert told["quarantined"] == [why.strip()]


@pytest.mark.parametrize(
    "report",
    [
        replace(NOTHING_NEW, failures=(REFUSED,)),
        replace(NOTHING_NEW, missing=("Results of 1 game are missing.",)),
        replace(NOTHING_NEW, learned=LearnReport(problems=1)),
    ],
    ids=["refused", "missing", "quarantine"],
)
def test_each_kind_of_gap_is_one(
    report: IngestReport, answers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer_ingest(monkeypatch, report)
    assert cli.main(["ingest", "--quiet"]) == ExitCode.DONE_IN_PART


def test_ingest_from_a_folder_asks_nobody_and_names_what_it_lacks(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = here / "responses"
    folder.mkdir()
    (folder / "scoreboard.json").write_text("<html>Access denied</html>", encoding="utf-8")
    assert cli.main(["ingest", "--from", str(folder), "--json"]) == ExitCode.DONE_IN_PART
    answer = capsys.readouterr()
    told = json.loads(answer.out)
    assert told["documents"] == 0
    assert any("scoreboard" in failure for failure in told["failures"])
    assert told["missing"]
    assert "Fetching tonight's games" in answer.err
    # Nothing was kept, so there is nothing that the history could contradict.
    assert cli.main(["ingest", "--rebuild", "--quiet"]) == ExitCode.DONE
    assert capsys.readouterr().out.startswith("Read 0 kept responses.\n")


def test_ingest_without_a_source_is_explained(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["ingest"]) == ExitCode.FAILED
    answer = capsys.readouterr()
    assert answer.out == ""
    assert "No source is switched on" in answer.err
    assert "--from" in answer.err
    assert FolderStore(here / "store").list("") == []


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--from", "nowhere"], "'nowhere' is not a folder"),
        (["--from", ".", "--rebuild"], "not allowed with argument"),
    ],
)
def test_wrong_words_for_ingest(
    words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["ingest", *words])
    assert caught.value.code == ExitCode.WRONG_USAGE
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    ("differences", "code", "told"),
    [
        ((), 0, "The state says the same as they do."),
        (("player_games: 1 row is missing.",), 1, "player_games: 1 row is missing."),
    ],
)
def test_a_rebuild_says_whether_it_is_the_same(
    differences: tuple[str, ...],
    code: int,
    told: str,
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    report = RebuildReport(1200, differences)
    monkeypatch.setattr(Application, "rebuild_silver", lambda *_: report)
    assert cli.main(["ingest", "--rebuild", "--quiet"]) == code
    assert capsys.readouterr().out == f"Read 1,200 kept responses.\n{told}\n"
    assert cli.main(["ingest", "--rebuild", "--json", "--quiet"]) == code
    assert json.loads(capsys.readouterr().out)["equal"] is (not differences)


# Daily --------------------------------------------------------------------------------------------


def test_daily_logs_tonight_once_and_saves_it(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["daily"]) == ExitCode.DONE
    source, run, copies = capsys.readouterr().out.splitlines()
    assert source == "No source of results is switched on."
    assert run.startswith("Tonight (2026-11-20) is saved as #2: ")
    assert copies.startswith("1 CSV copy made, ")
    store = FolderStore(here / "store")
    before = [(info.key, info.size_bytes) for info in store.list("")]

    assert cli.main(["daily", "--json", "--strict"]) == ExitCode.DONE
    told = json.loads(capsys.readouterr().out)
    assert (told["run"]["slate_date"], told["run"]["sequence"]) == ("2026-11-20", 2)
    assert (told["copied"], told["snapshot"], told["ingest"]) == (0, False, None)
    assert [(info.key, info.size_bytes) for info in store.list("")] == before


def test_daily_is_done_though_a_source_refused_unless_it_is_to_be_strict(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer_daily(monkeypatch, DailyReport(GAPS, None, (), 0, snapshot=True))
    assert cli.main(["daily", "--quiet"]) == ExitCode.DONE
    text = capsys.readouterr().out
    assert "Not answered: " in text
    assert "Tonight is not logged yet" in text
    assert "a new snapshot too" in text
    assert cli.main(["daily", "--quiet", "--strict"]) == ExitCode.DONE_IN_PART
    answer_daily(monkeypatch, DailyReport(NOTHING_NEW, None, (), 0, snapshot=False))
    assert cli.main(["daily", "--quiet", "--strict"]) == ExitCode.DONE


def test_daily_logs_tonight_though_no_source_has_anything(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody may come back before the tip-off: results that are late are no reason to wait."""
    (here / "responses").mkdir()
    monkeypatch.setenv("NBA_DAILY_SOURCES", "folder")
    monkeypatch.setenv("NBA_DAILY_SOURCE_DIR", str(here / "responses"))
    assert cli.main(["daily", "--quiet", "--json"]) == ExitCode.DONE
    told = json.loads(capsys.readouterr().out)
    assert told["is_complete"] is False
    assert told["ingest"]["missing"], "what could not be had is named"
    assert told["run"]["slate_date"] == "2026-11-20"
    assert told["run"]["pending"] is False


def test_daily_names_the_slates_that_were_missed(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    missed = MissedSlate(slate_date=date(2026, 11, 18), games=9, in_time=4)
    answer_daily(monkeypatch, DailyReport(NOTHING_NEW, None, (missed,), 2, snapshot=False))
    assert cli.main(["daily", "--quiet"]) == ExitCode.DONE
    assert "Missed: 2026-11-18, 4 of 9 games logged before tip-off.\n" in capsys.readouterr().out
    assert cli.main(["daily", "--quiet", "--json"]) == ExitCode.DONE
    [told] = json.loads(capsys.readouterr().out)["missed"]
    assert told == {"slate_date": "2026-11-18", "games": 9, "in_time": 4}


def test_daily_fails_when_nothing_can_be_saved(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["daily"]) == ExitCode.DONE
    for file in (here / "store" / "log").iterdir():
        file.unlink()
    capsys.readouterr()
    assert cli.main(["daily"]) == ExitCode.FAILED
    answer = capsys.readouterr()
    assert answer.out == ""
    assert "Bring the objects back" in answer.err


# Predict ------------------------------------------------------------------------------------------


def test_predict_shows_tonight_and_writes_nothing(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["predict"]) == ExitCode.DONE
    answer = capsys.readouterr()
    assert answer.err == ""
    lines = answer.out.splitlines()
    assert lines[0].startswith("Friday, November 20, 2026, projected by ")
    assert lines[1].startswith("Box scores up to ")
    games = [line for line in lines if " ET" in line]
    assert len(games) > 3
    assert all("% at " in line for line in games)
    header = lines[lines.index(games[0]) + 1]
    assert header.split() == ["player", "team", "PTS", "REB", "AST", "3PM", "MIN"]
    assert FolderStore(here / "store").list("") == []
    assert not list((here / "state").rglob("nba_stats.db"))


def test_predict_goes_by_what_is_saved(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["predict"]) == ExitCode.DONE
    from_bundle = capsys.readouterr().out
    assert cli.main(["sync"]) == ExitCode.DONE
    before = FolderStore(here / "store").list("log/")
    capsys.readouterr()
    assert cli.main(["predict"]) == ExitCode.DONE
    assert capsys.readouterr().out == from_bundle, "nothing more is known"
    assert FolderStore(here / "store").list("log/") == before


def test_predict_logs_tonight_as_the_app_does(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    last = set()
    for _ in range(2):
        assert cli.main(["predict", "--log"]) == ExitCode.DONE
        last.add(capsys.readouterr().out.splitlines()[-1])
    [line] = last
    assert re.match(r"Logged 20\d\d-\d\d-\d\d \d\d:\d\d UTC as run ", line)
    assert line.endswith(", saved as #2.")
    assert len(FolderStore(here / "store").list("csv/game_date=2026-11-20/")) == 1


def test_predict_cannot_log_what_is_not_due(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # In September the next slate is weeks away.
    clock = ManualClock(AFTERNOON.replace(month=9))
    for module in ("opening", "season"):
        monkeypatch.setattr(f"commands.{module}.system_clock", clock)
    assert cli.main(["predict", "--log"]) == ExitCode.DONE_IN_PART
    assert "Not logged yet. A slate is logged on its own date" in capsys.readouterr().out


def test_another_date_is_no_slate_to_log(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["predict", "--log", "--date", "2026-11-20"]) == ExitCode.WRONG_USAGE
    assert "leave out --date" in capsys.readouterr().err
    assert FolderStore(here / "store").list("") == []


def test_predict_writes_the_file_that_the_page_gives(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = here / "slate.csv"
    assert cli.main(["predict", "--date", "2025-01-15", "--csv", str(path)]) == ExitCode.DONE
    assert capsys.readouterr().out.endswith(f"\n{path}\n")
    frame = pd.read_csv(path)
    assert set(frame["slate_date"]) == {"2025-01-15"}
    assert len(frame) > 100

    before = path.read_bytes()
    assert cli.main(["predict", "--csv", str(path)]) == ExitCode.FAILED
    assert "Name a new file" in capsys.readouterr().err
    assert path.read_bytes() == before
    with running(settings_for(here / "other", here / "state" / "reference.db")) as application:
        projection = application.projection(date(2025, 1, 15))
    assert before == slate_csv(projection)


def test_predict_explains_a_date_nobody_knows(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["predict", "--date", "1950-01-01"]) == ExitCode.FAILED
    assert "1950-01-01" in capsys.readouterr().err
    with pytest.raises(SystemExit) as caught:
        cli.main(["predict", "--date", "tomorrow"])
    assert caught.value.code == ExitCode.WRONG_USAGE
    assert "'tomorrow' is not a date" in capsys.readouterr().err


def test_a_file_that_cannot_be_written_is_explained(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = here / "nowhere" / "slate.csv"
    assert cli.main(["predict", "--csv", str(path)]) == ExitCode.FAILED
    answer = capsys.readouterr().err
    assert str(path) in answer
    assert "Name a new file" in answer


# Score and export ---------------------------------------------------------------------------------


@pytest.fixture
def scored(here: Path, reference_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store that had tonight's predictions in time, and all their results the day after."""
    clock = ManualClock(AFTERNOON)
    use_store(monkeypatch, MemoryStore(clock))
    with running(settings_for(here / "other", reference_path), clock) as application:
        application.tick()
        application.sync_now(OWNER)
        [run] = runs_of(application)
        frame = log_of(application).run_frame(run.run_id).dropna(subset=["player_id"])
        clock.advance(days=1)
        players = frame[["game_id", "game_date", "player_id"]].drop_duplicates()
        results = players.assign(points=10, rebounds=5, assists=2, threes=1, minutes=24)
        application.import_results(OWNER, results, "results.csv")
        application.sync_now(OWNER)
    return here


def test_score_stands_beside_its_baselines(
    scored: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["score", "--json"]) == ExitCode.DONE
    told = json.loads(capsys.readouterr().out)
    assert (told["origin"], told["first_date"], told["last_date"]) == (
        "live",
        "2026-11-20",
        "2026-11-20",
    )
    points = told["stats"]["points"]
    assert points["n"] > 100
    assert set(points["baselines"]) >= {"season_average", "last_5"}

    assert cli.main(["score"]) == ExitCode.DONE
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Track record (live), slates from 2026-11-20 to 2026-11-20."
    [row] = [line.split() for line in lines if line.startswith("points ")]
    assert row[1:3] == [f"{points['n']:,}", f"{points['mae']:.2f}"]
    assert row[5] in points["baselines"]
    assert any(line.startswith("home wins") for line in lines)


def test_score_of_dates_without_a_result(scored: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["--until", "2026-11-19"], ["--since", "2026-11-21"]):
        assert cli.main(["score", *words]) == ExitCode.DONE
        assert capsys.readouterr().out == "No logged prediction has a result yet.\n"


def test_there_is_nothing_to_score_or_export(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in (["score"], ["export", "--to", str(here / "all.csv")]):
        assert cli.main(words) == ExitCode.FAILED
        assert "Nothing has been saved yet" in capsys.readouterr().err
    assert FolderStore(here / "store").list("") == []
    assert not (here / "all.csv").exists()


def test_export_writes_every_prediction(scored: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = scored / "all.csv"
    assert cli.main(["export", "--to", str(path)]) == ExitCode.DONE
    frame = pd.read_csv(io.BytesIO(path.read_bytes()))
    assert tuple(frame.columns) == HISTORY_COLUMNS
    assert capsys.readouterr().out == f"{path} ({len(frame):,} predictions)\n"
    assert set(frame["stat"]) >= {"points", "rebounds", "assists", "threes", "minutes"}
    assert set(frame.loc[frame["stat"] == "points", "actual"]) == {10}

    before = path.read_bytes()
    assert cli.main(["export", "--to", str(path)]) == ExitCode.FAILED
    assert "Name a new file" in capsys.readouterr().err
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "words", [["--origin", "replay"], ["--since", "2026-11-21"], ["--until", "2026-11-19"]]
)
def test_export_of_what_is_not_there_is_a_header(
    words: list[str], scored: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = scored / "none.csv"
    assert cli.main(["export", "--to", str(path), *words]) == ExitCode.DONE
    assert path.read_text() == ",".join(HISTORY_COLUMNS) + "\n"
    assert "(0 predictions)" in capsys.readouterr().out


def test_a_backtest_is_no_origin_of_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["export", "--to", "x.csv", "--origin", "backtest"])
    assert caught.value.code == ExitCode.WRONG_USAGE
