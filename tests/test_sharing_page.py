"""The box Share on its pages and the page Sharing, without a browser."""

from __future__ import annotations

import gzip
import io
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Button, Checkbox

from exports.errors import DrawingFailed
from jobs.application import Application
from jobs.authority import OWNER
from jobs.configuration import OwnerSettings
from jobs.sharing import Export
from prediction_tracking import HistoryFilters, Origin
from tests.app_process import CHECKOUT
from tests.applications import AFTERNOON, log_of, published, running, settings_for
from tests.scored_seasons import fill_season
from tests.servers import create_bucket, s3_options
from tests.stores import ManualClock
from ui.formats import kilobytes
from ui.runtime import install_application

APP_SECONDS = 60.0
REPLAYED = date(2024, 1, 15)
LEBRON = 2544
ADDRESS = re.compile(r"http://\S+X-Amz-Signature=\w+")
SIGNATURE = b"X-Amz-Signature"


@pytest.fixture(scope="module")
def clock() -> ManualClock:
    return ManualClock(AFTERNOON)


@pytest.fixture(scope="module")
def on_folder(
    tmp_path_factory: pytest.TempPathFactory, reference_path: Path, clock: ManualClock
) -> Iterator[Application]:
    """Tonight logged, an evening of 2024 as a replay, and replays with results; in a folder."""
    folder = tmp_path_factory.mktemp("folder")
    with running(settings_for(folder / "state", reference_path), clock) as application:
        application.log_replay(OWNER, REPLAYED)
        assert application._state is not None
        fill_season(application._state.replica, 3, origin="replay")
        log_of(application).scoring.update()
        published(application)
        yield application


@pytest.fixture(scope="module")
def on_s3(
    tmp_path_factory: pytest.TempPathFactory, reference_path: Path, ministack_endpoint: str
) -> Iterator[Application]:
    """An evening of 2024 as a replay, in a bucket of a server that checks signatures.

    A signature bears the real time, so the app goes by that, whatever is played today.
    """
    create_bucket(ministack_endpoint, "bucket-of-links")
    options = s3_options(ministack_endpoint, "bucket-of-links")
    settings = settings_for(tmp_path_factory.mktemp("links") / "state", reference_path, options)
    with running(settings, ManualClock(datetime.now(UTC)), ticks=False) as application:
        application.log_replay(OWNER, REPLAYED)
        application.sync_now(OWNER)
        yield application


@pytest.fixture
def application(on_folder: Application) -> Iterator[Application]:
    install_application(on_folder)
    yield on_folder
    install_application(None)


@pytest.fixture
def linking(on_s3: Application) -> Iterator[Application]:
    install_application(on_s3)
    yield on_s3
    install_application(None)


def opened(page: str = "sharing", title: str = "Sharing", **query: str) -> AppTest:
    test = AppTest.from_file(str(CHECKOUT / "streamlit_app.py"), default_timeout=APP_SECONDS)
    if page != "todays_games":
        test.switch_page(f"pages/{page}.py")
    for name, value in query.items():
        test.query_params[name] = value
    return require_page(test.run(), title)


def require_page(test: AppTest, title: str) -> AppTest:
    assert not test.exception
    assert [one.value for one in test.title] == [title]
    return test


def press(test: AppTest, label: str) -> AppTest:
    [button] = [one for one in test.main.button if one.label == label]
    assert not button.disabled
    return require_page(button.click().run(), test.title[0].value)


def choose(test: AppTest, label: str, value: object) -> AppTest:
    [field] = [one for one in test.main.selectbox if one.label == label]
    field.set_value(value)
    return test


def share(test: AppTest, kind: str, **fields: object) -> AppTest:
    choose(test, "Format", kind)
    for label, value in fields.items():
        choose(test, label.replace("_", " "), value)
    return press(test, "Share it")


def words(test: AppTest) -> str:
    told = [
        one.value
        for kind in ("markdown", "caption", "info", "error", "success", "warning")
        for one in getattr(test.main, kind)
    ]
    return "\n".join(told).replace("\\", "")


def tonight() -> AppTest:
    return opened("todays_games", "Today's Games")


def replayed() -> AppTest:
    return opened("todays_games", "Today's Games", date=REPLAYED.isoformat())


def newest(application: Application) -> Export:
    return application.sharing.exports(OWNER)[0]


def pass_a_minute(application: Application) -> None:
    """So that what is made now is newer than what was made before."""
    assert isinstance(application.clock, ManualClock)
    application.clock.advance(minutes=1)


def files_of(application: Application, export: Export) -> dict[str, bytes]:
    """What is stored of an export, by its place in it."""
    assert application._state is not None
    store = application._state.storage.store
    below = f"exports/{export.export_id}/"
    return {info.key.removeprefix(below): store.get(info.key).body for info in store.list(below)}


def shared_as(application: Application, test: AppTest, kind: str) -> tuple[str, bytes]:
    """Share what a page shows; the name and the content of the one file."""
    pass_a_minute(application)
    test = share(test, kind)
    assert "Made: " in words(test), words(test)
    export = newest(application)
    [(name, body)] = files_of(application, export).items()
    assert (name, len(body)) == (export.file_name, export.size_bytes)
    return name, body


def table_of(name: str, body: bytes) -> pd.DataFrame:
    if name.endswith(".parquet"):
        return pd.read_parquet(io.BytesIO(body))
    text = gzip.decompress(body) if name.endswith(".gz") else body
    return pd.read_csv(io.BytesIO(text), dtype={"game_id": "str"})


def fetch(address: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(address, timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refused:
        return refused.code, b""


def address_in(test: AppTest) -> str:
    [code] = [one.value for one in test.main.code if SIGNATURE.decode() in one.value]
    assert ADDRESS.fullmatch(code)
    return code


# What is shared -----------------------------------------------------------------------------------


def test_a_slate_is_shared_as_every_format(application: Application) -> None:
    test = tonight()
    projected = application.projection(date(2026, 11, 20)).players
    name, report = shared_as(application, test, "html")
    assert name == "nba-daily-2026-11-20.html"
    page = report.decode()
    assert "<h1>Projections for 20 Nov 2026</h1>" in page
    # One picture for each stat, and every player in the table.
    assert page.count("<img ") == 6
    assert all(one.player_name.replace("'", "&#x27;") in page for one in projected)
    name, text = shared_as(application, test, "csv")
    csv = table_of(name, text)
    parquet = table_of(*shared_as(application, test, "parquet"))
    assert len(csv) == len(projected)
    assert list(parquet["slate_date"].unique()) == [date(2026, 11, 20)]
    assert list(parquet["game_id"]) == list(csv["game_id"])
    assert list(parquet["points_mean"]) == list(csv["points_mean"])
    assert newest(application).row_count == len(projected)


def test_a_track_record_is_shared_with_its_charts(application: Application) -> None:
    test = opened("track_record", "Track Record", origin="Replay", stat="PTS")
    name, report = shared_as(application, test, "html")
    page = report.decode()
    assert name == "nba-daily-replays.html"
    assert "This is no track record" in page
    # Errors by date and by role, calibration twice, and the chances of winners.
    assert page.count("<img ") == 5
    assert "Best calls and worst misses of points" in page
    figures = table_of(*shared_as(application, test, "csv"))
    assert set(figures["stat"]) == {"points", "rebounds", "assists", "threes", "minutes"}
    assert set(figures["baseline"]) == {"season_average", "last_5", "ewma_8"}
    parquet = table_of(*shared_as(application, test, "parquet"))
    assert list(parquet.columns) == list(figures.columns)


def test_a_player_is_shared_with_his_season(application: Application) -> None:
    test = opened("player", "Player", player=str(LEBRON), season="2024-25")
    name, report = shared_as(application, test, "html")
    assert name == f"nba-daily-{LEBRON}-2024-25.html"
    page = report.decode()
    assert "<h1>LeBron James, 2024-25</h1>" in page
    # His next game, if he is projected for it, and the season.
    assert page.count("<img ") == (2 if "Next game: " in page else 1)
    games = table_of(*shared_as(application, test, "csv"))
    assert set(games["season"]) == {"2024-25"}
    assert len(games) > 50
    assert len(table_of(*shared_as(application, test, "parquet"))) == len(games)


def test_the_history_is_shared_whole_and_filtered(application: Application) -> None:
    team = application.projection(date(2026, 11, 20)).games[0].game.home_team
    test = opened("history", "History", team=team)
    tables = [
        table_of(*shared_as(application, test, kind)) for kind in ("csv", "csv.gz", "parquet")
    ]
    filters = HistoryFilters(origin=Origin.LIVE, team=team, only_current=True)
    rows = log_of(application).history_count(filters)
    assert [len(table) for table in tables] == [rows] * 3
    assert newest(application).row_count == rows > 0
    assert all(set(table["team"]) == {team} for table in tables)
    _, report = shared_as(application, test, "html")
    assert newest(application).title == f"Logged predictions: {team}"
    assert report.decode().count("<tr>") == rows + 1
    pass_a_minute(application)
    share(test, "partitions")
    assert set(files_of(application, newest(application))) == {
        "season=2026-27/month=2026-11/part-0.parquet"
    }


# What goes wrong ----------------------------------------------------------------------------------


def test_who_is_not_the_owner_finds_nothing(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        application, "settings", replace(application.settings, owner=OwnerSettings())
    )
    test = opened()
    [told] = [one.value for one in test.main.info]
    assert told.startswith("This page is the owner's. ")
    assert not test.main.dataframe
    assert not test.main.button
    for page, title in (("todays_games", "Today's Games"), ("history", "History")):
        test = opened(page, title)
        assert "Share" not in [one.label for one in test.main.expander]
        assert "Share it" not in [one.label for one in test.main.button]
    links = {one.proto.page for one in test.sidebar.get("page_link")}
    assert "sharing" not in links


def test_a_chart_that_cannot_be_drawn_shares_nothing(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(specifications: object) -> list[str]:
        raise DrawingFailed("draw", "6 charts", "Memory ran out.", "Share it as CSV.")

    monkeypatch.setattr("ui.shared_files.draw", refuse)
    test = tonight()
    before = application.sharing.exports(OWNER)
    test = share(test, "html")
    [told] = [one.value.replace("\\", "") for one in test.main.error]
    assert told == "draw (6 charts): Memory ran out. Share it as CSV."
    assert application.sharing.exports(OWNER) == before
    # The other formats need no drawing; one is made at a time.
    with application.sharing._making:
        [told] = [one.value for one in share(test, "csv").main.error]
    assert "Another export is being made" in told
    test = share(test, "csv")
    assert "Made: " in words(test)
    assert not test.main.error


# The page -----------------------------------------------------------------------------------------


def revoke_button(test: AppTest) -> Button:
    [button] = [one for one in test.main.button if one.label == "Revoke"]
    return button


def sure_of_it(test: AppTest) -> Checkbox:
    [box] = test.main.checkbox
    return box


def test_on_a_folder_the_file_is_handed_out_and_revoked(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared_as(application, tonight(), "parquet")
    shared_as(application, tonight(), "csv")
    export = newest(application)
    test = opened()
    row = test.main.dataframe[0].value.to_dict("records")[0]
    assert row["Shows"] == "Projections for 20 Nov 2026"
    assert (row["Page"], row["Format"], row["State"], row["Links end"]) == (
        *("Today's Games", "CSV", "kept"),
        "–",
    )
    assert "In the store now: " in words(test)
    assert "New link" not in [one.label for one in test.main.button]
    with monkeypatch.context() as patched:
        # Read when it is asked for: before, its size is enough.
        patched.setattr(application.sharing, "download", None)
        test = press(test, "Prepare the file")
    assert f"is ready below, {kilobytes(export.size_bytes)}" in words(test)
    assert test.session_state["sharing_file"] == export.export_id
    [button] = test.main.get("download_button")
    assert button.proto.deferred_file_id

    # One that is not there any more is said not to be, and can be revoked all the same.
    assert application._state is not None
    application._state.storage.store.delete(f"exports/{export.export_id}/{export.file_name}")
    test = press(test, "Prepare the file")
    [told] = [one.value.replace("\\", "") for one in test.main.error]
    assert export.file_name in told
    assert not test.main.get("download_button")

    # Who is sure of one is not sure of another.
    assert revoke_button(test).disabled
    [field] = [one for one in test.main.selectbox if one.label == "Export"]
    mine, another = field.options[:2]
    test = require_page(sure_of_it(test).check().run(), "Sharing")
    assert not revoke_button(test).disabled
    [field] = [one for one in test.main.selectbox if one.label == "Export"]
    test = require_page(field.select(another).run(), "Sharing")
    assert revoke_button(test).disabled
    [field] = [one for one in test.main.selectbox if one.label == "Export"]
    test = require_page(field.select(mine).run(), "Sharing")
    sure = sure_of_it(test)
    test = press(require_page(sure.check().run(), "Sharing"), "Revoke")
    assert "Revoked: Projections for 20 Nov 2026. " in words(test)
    assert files_of(application, export) == {}
    assert test.main.dataframe[0].value["State"][0] == "revoked"
    assert not any(one.value for one in test.main.checkbox)
    # What has ended can be looked up, and nothing can be done with it.
    [field] = [one for one in test.main.selectbox if one.label == "Export"]
    assert all(export.export_id[:8] not in option for option in field.options)


def test_what_is_over_is_in_the_list_and_no_more(
    application: Application, clock: ManualClock
) -> None:
    shared_as(application, tonight(), "csv")
    clock.advance(days=6)
    row = opened().main.dataframe[0].value.iloc[0]
    assert (row["State"], row["Age"]) == ("kept", "6 days")
    clock.advance(days=2)
    test = opened()
    row = test.main.dataframe[0].value.iloc[0]
    assert (row["State"], row["Age"]) == ("expired", "8 days")
    assert not test.main.checkbox
    clock.advance(days=-8)


# Links --------------------------------------------------------------------------------------------


def test_a_link_is_shown_works_and_is_kept_nowhere(linking: Application) -> None:
    test = opened()
    assert "Nothing was shared yet." in words(test)
    test = share(replayed(), "html", The_link_works_for="7 days")
    address = address_in(test)
    assert "can download the file until" in words(test)
    export = newest(linking)
    status, report = fetch(address)
    assert (status, report) == (200, files_of(linking, export)[export.file_name])
    # What is no record of anything says so, wherever it goes.
    assert export.file_name == "nba-daily-replay-2024-01-15.html"
    assert "<h1>Replay of 15 Jan 2024</h1>" in report.decode()
    assert "It was not said that evening" in report.decode()
    assert SIGNATURE.decode() not in str(test.query_params)
    # It is in no table and no object: the log remembers what is deleted.
    linking.sync_now(OWNER)
    assert linking._state is not None
    with linking._state.replica.read() as connection:
        rows = connection.execute("SELECT * FROM s3_exports").fetchall()
    assert SIGNATURE not in repr(rows).encode()
    store = linking._state.storage.store
    entries = [store.get(info.key).body for info in store.list("log/")]
    assert len(entries) > 2
    assert not any(b"X-Amz" in entry for entry in entries)

    # Another visit knows no link, and makes one that cannot outlive the export.
    pass_a_minute(linking)
    test = opened()
    assert not test.main.code
    row = test.main.dataframe[0].value.iloc[0]
    assert row["State"] == "shared"
    assert row["Links end"] != "–"
    choose(test, "The link works for", "7 days")
    test = press(test, "New link")
    assert "It ends with the export" in words(test)
    second = address_in(test)
    assert fetch(second)[0] == 200

    [sure] = test.main.checkbox
    test = press(require_page(sure.check().run(), "Sharing"), "Revoke")
    assert not test.main.code
    assert fetch(address)[0] == fetch(second)[0] == 404


def test_partitions_have_one_query_for_all_their_links(linking: Application) -> None:
    test = share(opened("history", "History", origin="Replay"), "partitions")
    [query] = [one.value for one in test.main.code if "read_parquet" in one.value]
    assert query.count("read_parquet(") == newest(linking).file_count == 1
    [address] = re.findall(r"'(http[^']+)'", query)
    assert fetch(address)[1][:4] == b"PAR1"
    assert "a link to each of 1 file" in words(test)


def test_a_link_whose_time_is_over_is_not_shown_any_more(
    linking: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    test = share(replayed(), "csv", The_link_works_for="1 hour")
    address = address_in(test)
    later = linking.sharing.now() + timedelta(hours=2)
    monkeypatch.setattr(linking.sharing, "now", lambda: later)
    test = require_page(test.run(), "Today's Games")
    assert "Make a new one." in words(test)
    assert address not in [one.value for one in test.main.code]


def test_a_link_that_was_revoked_elsewhere_is_not_shown_any_more(linking: Application) -> None:
    pass_a_minute(linking)
    test = share(replayed(), "csv", The_link_works_for="1 hour")
    address_in(test)
    linking.sharing.revoke(OWNER, newest(linking).export_id)
    test = require_page(test.run(), "Today's Games")
    assert "The export was revoked: every link to it has ended." in words(test)
    assert "Made: " not in words(test)
    assert not test.main.code
