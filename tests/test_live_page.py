"""Today's Games while the season goes on: the age of the data, fetching, and who is out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from jobs.application import Application
from jobs.authority import OWNER
from jobs.configuration import OwnerSettings, Settings
from jobs.ingest import IngestReport
from jobs.source_settings import SourceSettings
from nba.availability import Availability, PlayerAvailability
from nba.errors import NbaError
from nba.sources.errors import NothingAnswered, NotPublished, SourceUnreachable
from nba.sources.wanted import Wanted
from prediction_tracking import LearnReport, MissedSlate, Run
from tests.app_process import CHECKOUT, free_port
from tests.applications import (
    AFTERNOON,
    SwitchedStore,
    log_of,
    published,
    running,
    settings_for,
    use_store,
)
from tests.stores import ManualClock
from ui.availability import changes_of, listed_line, template
from ui.data_age import missed_line, silence_of
from ui.fetching import outcome_of_fetch
from ui.runtime import install_application

APP_SECONDS = 30.0
TONIGHT = date(2026, 11, 20)
LATER = date(2026, 11, 27)
TATUM, GILGEOUS_ALEXANDER, DONCIC = 1628369, 1628983, 1629029
SAVE, FETCH, SAVE_FILE = "Save who is out", "Fetch now", "Save the file's list"
ADDRESS = "stats.nba.com"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(AFTERNOON)


@pytest.fixture
def settings(tmp_path: Path, reference_path: Path) -> Settings:
    """Of an app whose sources are on a port where nobody answers."""
    away = f"http://127.0.0.1:{free_port()}"
    sources = SourceSettings(
        names=("live", "stats"), live_url=away, stats_url=away, timeout_seconds=2
    )
    return replace(settings_for(tmp_path / "state", reference_path), sources=sources)


@pytest.fixture
def application(settings: Settings, clock: ManualClock) -> Iterator[Application]:
    """An app that pages find. It has not looked at its sources yet."""
    with running(settings, clock, ticks=False) as application:
        install_application(application)
        yield application
        install_application(None)


def opened(query: dict[str, str] | None = None) -> AppTest:
    test = AppTest.from_file(str(CHECKOUT / "streamlit_app.py"), default_timeout=APP_SECONDS)
    # As if the owner had unfolded his list.
    test.session_state["who_is_out"] = True
    for name, value in (query or {}).items():
        test.query_params[name] = value
    test.run()
    assert not test.exception
    return test


def captions(test: AppTest) -> str:
    """What stands in small print, and in warnings."""
    return "\n".join(
        one.value.replace("\\", "") for one in (*test.main.caption, *test.main.warning)
    )


def labels(test: AppTest) -> set[str]:
    return {button.label for button in test.main.button}


def press(test: AppTest, label: str) -> None:
    [button] = [button for button in test.main.button if button.label == label]
    button.click().run()
    assert not test.exception


def look_as_a_visitor(application: Application) -> None:
    application.settings = replace(application.settings, owner=OwnerSettings())


# How old the data is ------------------------------------------------------------------------------


def silent(source: str) -> SourceUnreachable:
    return SourceUnreachable(source, Wanted.scoreboard(), f"https://{ADDRESS}/x timed out")


def nobody(*names: str) -> NothingAnswered:
    return NothingAnswered(Wanted.scoreboard(), [silent(name) for name in names])


def report(
    *failures: NbaError, missing: tuple[str, ...] = (), learned: LearnReport | None = None
) -> IngestReport:
    return IngestReport(AFTERNOON, 3, learned or LearnReport(), failures, missing)


MIXED = (NotPublished("nba-live", Wanted.scoreboard(), "no such game"), silent("nba-stats"))


@pytest.mark.parametrize(
    ("failures", "asked", "said"),
    [
        ((), ("live", "stats"), ""),
        (
            (nobody("nba-stats"),),
            ("live", "stats"),
            "NBA's stats server does not answer from here; results come from the live feed.",
        ),
        (
            (nobody("nba-stats"),),
            ("stats",),
            "NBA's stats server does not answer from here.",
        ),
        (
            (nobody("nba-live"), NbaError("a", "b", "c", "d")),
            ("live", "stats"),
            "NBA's live feed does not answer from here; results come from the stats server.",
        ),
        (
            (nobody("nba-live", "nba-stats"), silent("nba-stats")),
            ("live", "stats"),
            "NBA's servers do not answer from here; they are asked again by themselves.",
        ),
        (
            (NothingAnswered(Wanted.scoreboard(), MIXED),),
            ("live", "stats"),
            "NBA's stats server does not answer from here; results come from the live feed.",
        ),
        ((silent("folder"),), ("folder",), "The saved responses cannot be read."),
    ],
)
def test_a_silent_source_is_named_in_plain_words(
    failures: tuple[NbaError, ...], asked: tuple[str, ...], said: str
) -> None:
    words = " ".join(silence_of(report(*failures), asked))
    assert words == said
    assert ADDRESS not in words


def test_what_was_set_aside_is_counted() -> None:
    looked = report(learned=LearnReport(problems=1))
    assert list(silence_of(looked, ())) == [
        "1 part of the responses made no sense and are set aside."
    ]


def test_slates_of_the_last_two_weeks_that_were_not_logged_in_time() -> None:
    missed = [
        MissedSlate(date(2026, 11, 5), 8, 0),
        MissedSlate(date(2026, 11, 17), 4, 0),
        MissedSlate(date(2026, 11, 18), 9, 3),
    ]
    assert missed_line(missed, TONIGHT) == (
        "Not logged in time: Tue Nov 17, 6 of 9 games of Wed Nov 18 "
        "(the app was asleep or could not reach its data)."
    )
    assert missed_line(missed, date(2026, 12, 24)) == ""


def test_without_any_network_a_line_says_so(application: Application) -> None:
    application.ingest(OWNER, lambda share, words: None)
    look_as_a_visitor(application)
    test = opened()
    text = captions(test)
    assert "Data as of 22 Jun 2025, 516 days before this slate." in text
    assert "NBA's servers do not answer from here; they are asked again by themselves." in text
    assert "127.0.0.1" not in text
    assert "http" not in text
    assert not test.main.error
    assert len(test.main.warning) == 1
    assert "Not bundled and not fetched yet: 2025-26." in text
    assert len(players_of(test)) > 100
    # What is over since long needs no source.
    text = captions(opened({"date": "2024-01-15"}))
    assert "Data as of 14 Jan 2024, 1 day before this slate." in text
    assert "do not answer" not in text


def test_the_owner_reads_what_to_do(application: Application) -> None:
    application.ingest(OWNER, lambda share, words: None)
    assert application.season is not None
    assert application.season.last_ingest is not None
    test = opened()
    [said] = [box for box in test.main.expander if box.label == "What the sources said"]
    assert len(said.caption) == len({str(one) for one in application.season.last_ingest.failures})
    look_as_a_visitor(application)
    assert not [box for box in opened().main.expander if box.label == "What the sources said"]


def test_what_is_missing_is_named_once(application: Application) -> None:
    assert application.season is not None
    application.season.last_ingest = report(
        missing=(
            "Box scores of 2025-26 are missing.",
            "Results of 2 games since 2026-11-18 are out.",
        )
    )
    text = captions(opened())
    assert text.count("2025-26") == 1
    assert "Results of 2 games since 2026-11-18 are out." in text


def test_a_slate_that_nobody_logged_is_named(
    settings: Settings, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_store(monkeypatch, SwitchedStore(clock))
    # Three hours before the first tip-off it waits no longer for last night's results.
    clock.advance(hours=2)
    with running(settings, clock, ticks=False) as application:
        install_application(application)
        application.tick()
        published(application)
        assert "Not logged in time" not in captions(opened())
        # Asleep over the next evening.
        clock.advance(days=2)
        assert (
            "Not logged in time: Sat Nov 21 (the app was asleep or could not reach its data)."
        ) in captions(opened())
    install_application(None)


# Fetching -----------------------------------------------------------------------------------------


def test_a_long_look_shows_how_far_it_is(application: Application) -> None:
    test = opened()
    assert application.season is not None
    application.season._progress = 0.4, "Fetching 2025-26: Regular Season"
    test.run()
    assert not test.main.get("progress"), "most looks are over at once"
    test.run()
    [bar] = test.main.get("progress")
    assert bar.proto.value == 40
    assert "Data as of 22 Jun 2025. Fetching 2025-26: Regular Season …" in captions(test)
    application.season._progress = None
    test.run()
    assert not test.main.get("progress")
    assert "Data as of 22 Jun 2025, 516 days before this slate." in captions(test)


def test_fetch_now_says_what_came_of_it(application: Application) -> None:
    test = opened()
    assert "Last fetched" not in captions(test)
    press(test, FETCH)
    assert "Last fetched 20 Nov 2026, 3:00 PM EST: 0 responses read, nothing new" in captions(test)
    assert not test.main.error


def test_a_fetch_that_fails_says_why(
    settings: Settings, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = SwitchedStore(clock)
    use_store(monkeypatch, store)
    with running(settings, clock, ticks=False) as application:
        install_application(application)
        test = opened()
        store.away = True
        press(test, FETCH)
        [error] = test.main.error
        assert "the store cannot be reached" in error.value
        store.away = False
        press(test, FETCH)
        assert not test.main.error
    install_application(None)


@pytest.mark.parametrize(
    ("learned", "said"),
    [
        (LearnReport(), "3 responses read, nothing new."),
        (
            LearnReport(games=1, player_games=21, corrected=2),
            "3 responses read, 1 result, 21 box score lines, 2 corrections.",
        ),
        (LearnReport(problems=2), "2 parts set aside."),
    ],
)
def test_a_look_in_a_sentence(learned: LearnReport, said: str) -> None:
    assert outcome_of_fetch(report(learned=learned)).endswith(said)


def test_a_visitor_finds_neither_button_nor_editor(application: Application) -> None:
    assert {FETCH, SAVE, SAVE_FILE} <= labels(opened())
    look_as_a_visitor(application)
    test = opened()
    assert labels(test).isdisjoint({FETCH, SAVE, SAVE_FILE})
    assert not test.main.file_uploader
    assert "Who is out" not in {box.label for box in test.main.expander}


def test_without_sources_there_is_nothing_to_fetch(
    application: Application, settings: Settings, clock: ManualClock, tmp_path: Path
) -> None:
    alone = replace(settings, sources=SourceSettings(), state_folder=tmp_path / "other")
    with running(alone, clock, ticks=False) as other:
        install_application(other)
        assert FETCH not in labels(opened())
        assert SAVE in labels(opened())


# Who is out ---------------------------------------------------------------------------------------


def said(
    player_id: int, status: Availability, until: date | None = None, note: str = ""
) -> PlayerAvailability:
    return PlayerAvailability(player_id, status, TONIGHT, until, note)


def players_of(test: AppTest) -> pd.DataFrame:
    [table] = [found.value for found in test.main.dataframe if "PTS" in found.value]
    return table


def test_everybody_sees_who_is_listed_and_who_is_questionable(application: Application) -> None:
    before = players_of(opened())
    assert "Listed" not in before
    assert "Shai Gilgeous-Alexander" in set(before["Player"])
    application.set_availability(
        OWNER,
        [
            said(GILGEOUS_ALEXANDER, Availability.OUT, note="a sore ankle"),
            said(DONCIC, Availability.QUESTIONABLE),
        ],
    )
    look_as_a_visitor(application)
    test = opened()
    text = captions(test)
    assert "Out: Shai Gilgeous-Alexander (OKC) · Questionable: Luka Dončić (LAL)" in text
    assert "ankle" not in text, "notes are the owner's"
    after = players_of(test)
    assert "Shai Gilgeous-Alexander" not in set(after["Player"])
    listed = after.set_index("Player")["Listed"]
    assert listed["Luka Dončić"] == "questionable"
    assert set(listed.drop("Luka Dončić")) == {""}


def test_only_listed_players_of_the_slate_stand_in_the_line() -> None:
    players = grid((1, "A", None, None, ""), (2, "B", None, None, ""))
    assert listed_line({}, players) == ""
    assert listed_line({1: said(1, Availability.AVAILABLE)}, players) == ""
    assert listed_line({9: said(9, Availability.OUT)}, players) == ""
    listed = {one: said(one, Availability.OUT) for one in (2, 9, 1)}
    assert listed_line(listed, players) == "Out: A (BOS), B (BOS)"


def grid(*rows: tuple[int, str, str | None, str | None, str]) -> pd.DataFrame:
    """What the editor shows: id, name, status, until, note."""
    return pd.DataFrame(
        {
            "Player": [row[1] for row in rows],
            "Team": "BOS",
            "Status": pd.array([row[2] for row in rows], dtype="string"),
            "Until": pd.to_datetime(pd.Series([row[3] for row in rows], dtype="object")).values,
            "Note": pd.array([row[4] for row in rows], dtype="string"),
        },
        index=[row[0] for row in rows],
    )


def test_only_what_was_edited_is_saved() -> None:
    before = grid(
        (1, "A", None, None, ""), (2, "B", "out", "2026-11-30", "knee"), (3, "C", None, None, "")
    )
    after = grid(
        (1, "A", "doubtful", None, ""),
        (2, "B", "out", "2026-11-30", "knee"),
        (3, "C", None, None, ""),
    )
    changes, problems = changes_of(before, after, TONIGHT)
    assert (changes, problems) == ([said(1, Availability.DOUBTFUL)], [])


def test_an_emptied_status_takes_the_word_back() -> None:
    before = grid((2, "B", "out", "2026-11-30", ""))
    changes, problems = changes_of(before, grid((2, "B", None, "2026-11-30", "")), TONIGHT)
    assert (changes, problems) == ([said(2, Availability.AVAILABLE)], [])


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ((1, "A", None, None, "knee"), "A: choose a status."),
        ((1, "A", "out", "2026-11-19", ""), "A: until 19 Nov 2026 is before 20 Nov 2026."),
    ],
)
def test_a_row_that_makes_no_sense_is_named(
    row: tuple[int, str, str | None, str | None, str], problem: str
) -> None:
    changes, problems = changes_of(grid((1, "A", None, None, "")), grid(row), TONIGHT)
    assert (changes, problems) == ([], [problem])


HEADER = "player_name,team,status,from,until,note\n"


def upload(test: AppTest, content: bytes, name: str = "out.csv") -> tuple[list[str], list[str]]:
    """What the page says, well and ill."""
    [field] = test.main.file_uploader
    field.upload(name, content, "text/csv")
    press(test, SAVE_FILE)
    well = [one.value.replace("\\", "") for one in test.main.success]
    return well, [one.value.replace("\\", "") for one in test.main.error]


def test_a_file_is_taken_whole(application: Application, clock: ManualClock) -> None:
    # Until three hours before the first tip-off it would wait for last night's results.
    clock.advance(hours=2)
    application.tick()
    runs = log_of(application).runs()
    content = (
        HEADER + "Shai Gilgeous-Alexander,OKC,out,,2026-11-30,ankle\nLuka Dončić,,doubtful,,,\n"
    )
    well, ill = upload(test := opened(), content.encode())
    assert ill == []
    assert well == ["out.csv: 2 players read. The projections follow, and a revision was logged."]
    assert "Out: Shai Gilgeous-Alexander (OKC) · Doubtful: Luka Dončić (LAL)" in captions(test)
    assert "(revision)" in captions(test)
    newest: list[Run] = log_of(application).runs()
    assert len(newest) == len(runs) + 1
    assert newest[0].revision


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"\xff\xfe\x00\x01", "is not CSV text in UTF-8"),
        (b"", "is not CSV text in UTF-8"),
        (b"<html><body>Access denied</body></html>", "player"),
        (f"{HEADER}Nobody At All,,out,,,\n".encode(), "Nobody At All"),
        (f"{HEADER}Luka Dončić,,sick,,,\n".encode(), "sick"),
        (f"{HEADER}Luka Dončić,,out,2026-11-25,2026-11-20,\n".encode(), "2026-11-2"),
        (f"{HEADER}Luka Dončić,,out,soon,,\n".encode(), "soon"),
        ((HEADER + "Luka Dončić,,out,,,\n" * 100_000).encode(), "more than 2,000 rows"),
    ],
    ids=["binary", "empty", "html", "player", "status", "until", "date", "long"],
)
def test_a_bad_file_is_refused_whole(
    application: Application, content: bytes, problem: str
) -> None:
    test = opened()
    well, ill = upload(test, content)
    assert well == []
    [text] = ill
    assert problem in text
    assert log_of(application).availability(TONIGHT) == {}


def test_no_file_at_all(application: Application) -> None:
    test = opened()
    press(test, SAVE_FILE)
    assert [one.value for one in test.main.error] == ["Choose a file first."]


def test_an_answer_stays_with_its_date(application: Application) -> None:
    test = opened()
    press(test, SAVE)
    assert [one.value for one in test.main.success] == ["Nothing was changed."]
    test.main.date_input[0].set_value(LATER).run()
    assert not test.exception
    assert not test.main.success


def test_the_template_can_be_uploaded_as_it_is(application: Application) -> None:
    name, log = "Shai Gilgeous-Alexander", log_of(application)
    example = template(grid((GILGEOUS_ALEXANDER, name, None, None, "")), TONIGHT)
    application.import_availability(OWNER, example.astype("string").fillna(""))
    assert log.availability(TONIGHT)[GILGEOUS_ALEXANDER].status is Availability.AVAILABLE
    filled = template(
        grid((GILGEOUS_ALEXANDER, name, "out", "2026-11-27", "ankle"), (2, "B", None, None, "")),
        TONIGHT,
    )
    assert filled.to_csv(index=False).splitlines()[1:] == [
        f"{GILGEOUS_ALEXANDER},{name},BOS,out,2026-11-20,2026-11-27,ankle"
    ]
    application.import_availability(OWNER, filled.astype("string").fillna(""))
    said_now = log.availability(TONIGHT)[GILGEOUS_ALEXANDER]
    assert said_now == said(GILGEOUS_ALEXANDER, Availability.OUT, LATER, "ankle")


# Sync ---------------------------------------------------------------------------------------------


def test_corrected_results_are_the_owners_to_read(application: Application) -> None:
    header = ["game_date", "player_name", "points", "rebounds", "assists", "threes"]
    for points in (31, 33):
        row = ["2025-01-15", "Jayson Tatum", points, 8, 5, 3]
        application.import_results(OWNER, pd.DataFrame([row], columns=header), "x.csv")
    test = opened()
    test.switch_page("pages/sync.py").run()
    assert not test.exception
    [box] = [one for one in test.main.expander if one.label.startswith("Corrected results: ")]
    shown = box.dataframe[0].value
    assert set(shown["player_name"]) == {"Jayson Tatum"}
    assert ("points", 31, 33) in zip(
        shown["stat"], shown["old_value"], shown["new_value"], strict=True
    )
    assert not [one for one in test.main.expander if one.label.startswith("Quarantine")]
    look_as_a_visitor(application)
    test.run()
    assert not [one for one in test.main.expander if one.label.startswith("Corrected results: ")]
