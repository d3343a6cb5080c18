"""`python cli.py doctor`: what it prints, what it ends with, and the policy."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import apsw
import pytest

import cli
from commands.opening import read_settings_here
from jobs.iam_policy import policy_document
from prediction_tracking import MIGRATIONS
from replica import Migration
from replica.log import log_key
from replica.stores.folder import FolderStore
from replica.stores.s3 import S3Options
from tests.applications import published, running, settings_for
from tests.cli_fixtures import Command
from tests.servers import ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY, raw_client

Output = pytest.CaptureFixture[str]


@pytest.fixture
def bucket(
    here: Path,
    moto_endpoint: str,
    new_bucket: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
) -> str:
    """A bucket that the environment names, with a key of this machine's own; its name."""
    name = new_bucket(moto_endpoint)
    for variable, value in {
        "S3_BACKUP_BUCKET": name,
        "AWS_REGION": REGION,
        "AWS_ENDPOINT_URL_S3": moto_endpoint,
        "AWS_ACCESS_KEY_ID": ACCESS_KEY_ID,
        "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
    }.items():
        monkeypatch.setenv(variable, value)
    return name


def told(capsys: Output) -> dict[str, tuple[str, str]]:
    """Level and words of each finding of `--json`, by what it is about."""
    facts = json.loads(capsys.readouterr().out)
    return {
        one["subject"]: (one["level"], f"{one['says']} {one['fix']}") for one in facts["findings"]
    }


def test_findings_for_people_and_for_programs(bucket: str, capsys: Output) -> None:
    assert cli.main(["sync"]) == 0
    capsys.readouterr()
    # Anybody can read what the test server holds, and that is a problem.
    assert cli.main(["doctor"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert f"ok       Reaching the store: s3://{bucket}/predictions/ answers." in lines
    public = next(n for n, line in enumerate(lines) if line.startswith("problem  Public access: "))
    assert lines[public + 1].startswith("         Fix: Switch on Block all public access")
    assert lines[-1] == "1 problem, 1 warning."

    assert cli.main(["doctor", "--json"]) == 1
    facts = json.loads(capsys.readouterr().out)
    assert facts["is_healthy"] is False
    assert facts["repairs"] == []
    levels = {one["subject"]: one["level"] for one in facts["findings"]}
    assert levels["Versioning"] == "warning"
    assert levels["Creating only once"] == levels["Log"] == "ok"
    client = raw_client(read_endpoint())
    keys = [one["Key"] for one in client.list_objects_v2(Bucket=bucket)["Contents"]]
    assert not [key for key in keys if "doctor" in key or "/probe/" in key]


def read_endpoint() -> str:
    store = read_settings_here().store
    assert isinstance(store, S3Options)
    assert store.endpoint_url is not None
    return store.endpoint_url


def test_a_missing_bucket_is_not_asked_for_its_log(
    bucket: str, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("S3_BACKUP_BUCKET", "no-such-bucket")
    assert cli.main(["doctor", "--json"]) == 1
    found = told(capsys)
    assert set(found) == {"Settings", "Reaching the store", "Clock"}
    level, words = found["Reaching the store"]
    assert level == "problem"
    assert "Create the bucket no-such-bucket" in words


def test_settings_that_cannot_be_used(
    here: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("S3_BACKUP_BUCKET", "my-predictions")
    assert cli.main(["doctor"]) == 1
    out = capsys.readouterr().out
    assert out.startswith("problem  Settings: [aws]: Missing: region.\n         Fix: Fill them in")
    assert out.endswith("1 problem.\n")
    assert cli.main(["doctor", "--policy"]) == 1
    assert "Missing: region" in capsys.readouterr().err


def test_the_policy_for_the_bucket_at_hand(
    bucket: str, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3")
    assert cli.main(["doctor", "--policy"]) == 0
    answer = capsys.readouterr()
    assert json.loads(answer.out) == policy_document(S3Options(bucket, "eu-central-1"))
    assert answer.err == ""


def test_a_folder_needs_no_policy(here: Path, capsys: Output) -> None:
    assert cli.main(["doctor", "--policy"]) == 1
    answer = capsys.readouterr()
    assert answer.out == ""
    assert "A folder needs no policy" in answer.err


def test_a_policy_repairs_nothing(here: Path, capsys: Output) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["doctor", "--policy", "--repair"])
    assert caught.value.code == 2
    assert "not allowed with" in capsys.readouterr().err


def test_a_running_app_keeps_its_file(here: Path, reference_path: Path, capsys: Output) -> None:
    with running(settings_for(here / "state", reference_path)) as application:
        published(application)
        assert cli.main(["doctor", "--json"]) == 0
        level, words = told(capsys)["Log"]
        assert level == "warning"
        assert "another process owns the database file" in words
        assert "Sync page" in words


def test_a_repair_is_told_to_programs_too(here: Path, saved_evening: Path, capsys: Output) -> None:
    assert cli.main(["sync"]) == 0
    entry = saved_evening / log_key(2)
    body = entry.read_bytes()
    entry.write_bytes(body[:-1])
    capsys.readouterr()
    assert cli.main(["doctor", "--json"]) == 1
    level, words = told(capsys)["Log"]
    assert level == "problem"
    assert "`python cli.py doctor --repair`" in words
    assert cli.main(["doctor", "--repair", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["repairs"] == [{"sequence": 2, "source": "kept copy"}]
    assert facts["is_healthy"] is True
    assert entry.read_bytes() == body


def test_a_log_for_several_writers_in_a_store_for_one(
    here: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli.main(["sync"]) == 0
    capsys.readouterr()
    careless = FolderStore.put

    def put(store, key, body, mode):  # type: ignore[no-untyped-def]
        from replica import PutMode

        return careless(store, key, body, PutMode.OVERWRITE if "probe/" in key else mode)

    monkeypatch.setattr(FolderStore, "put", put)
    assert cli.main(["doctor"]) == 1
    out = capsys.readouterr().out
    assert "warning  Creating only once: The store accepts the condition of a create, but" in out
    assert "problem  Log: This log was begun for several writers" in out


# What the doctor leaves to the app ----------------------------------------------------------------


def stored(folder: Path) -> list[str]:
    return [info.key for info in FolderStore(folder).list("")]


def test_an_earlier_apps_database_that_is_none(here: Path, capsys: Output) -> None:
    (here / "store").mkdir()
    (here / "store" / "nba_stats.db").write_bytes(b"rubbish")
    assert cli.main(["doctor", "--json"]) == 1
    found = told(capsys)
    level, words = found["Log"]
    assert level == "problem"
    assert "nba_stats.db: the object is no SQLite database" in words
    assert "Move the object to another key" in words
    assert found["Creating only once"][0] == "ok", "what was found before is told all the same"


def test_an_error_on_the_way_to_the_log_leaves_the_other_findings(
    here: Path, saved_evening: Path, capsys: Output
) -> None:
    # The folder of the working copy is a file.
    (here / "state" / "folder").write_bytes(b"")
    assert cli.main(["doctor", "--json"]) == 1
    found = told(capsys)
    assert found["Log"][0] == "problem"
    assert found["Creating only once"][0] == "ok"


def test_a_file_that_was_set_aside_is_told_without_a_log_too(here: Path, capsys: Output) -> None:
    working_copy = read_settings_here().database_path
    working_copy.parent.mkdir(parents=True)
    working_copy.write_bytes(b"no database" * 1000)
    assert cli.main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert "ok       Log: No log has been begun here yet" in out
    assert "The file was kept as nba_stats.db" in out
    assert out.endswith("1 warning.\n")


def test_no_log_is_begun(here: Path, capsys: Output) -> None:
    (here / "store").mkdir()
    with closing(apsw.Connection(str(here / "store" / "nba_stats.db"))) as connection:
        connection.execute(
            "CREATE TABLE predictions (player_name TEXT, game_date TEXT, projected_ppg REAL);"
            "INSERT INTO predictions VALUES ('Jayson Tatum', '2025-01-15', 27.5)"
        )
    assert cli.main(["doctor", "--json"]) == 0
    level, words = told(capsys)["Log"]
    assert level == "ok"
    assert "No log has been begun here yet" in words
    assert "takes over nba_stats.db, 1 prediction of an earlier app." in words
    assert stored(here / "store") == ["nba_stats.db"]


def become_a_newer_version(monkeypatch: pytest.MonkeyPatch) -> None:
    sql = "CREATE TABLE moods (name TEXT PRIMARY KEY NOT NULL) WITHOUT ROWID"
    newer = (*MIGRATIONS, Migration(len(MIGRATIONS) + 1, "moods", sql))
    for module in ("doctor", "state"):
        monkeypatch.setattr(f"jobs.{module}.MIGRATIONS", newer)


def test_a_log_of_an_earlier_version_stays_one(
    here: Path, saved_evening: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = stored(saved_evening)
    become_a_newer_version(monkeypatch)
    assert cli.main(["doctor", "--json"]) == 0
    level, words = told(capsys)["Log"]
    assert level == "warning"
    assert "of an earlier version of this app" in words
    assert "python cli.py sync" in words
    assert stored(saved_evening) == before
    # The app itself does it, and then there is nothing more to say.
    assert cli.main(["sync"]) == 0
    capsys.readouterr()
    assert cli.main(["doctor", "--json"]) == 0
    assert told(capsys)["Log"][0] == "ok"


@pytest.mark.parametrize("is_newer", [False, True], ids=["same version", "newer version"])
def test_a_store_that_has_lost_its_log_is_told_from_a_new_one(
    here: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch, is_newer: bool
) -> None:
    assert cli.main(["sync"]) == 0
    store = FolderStore(here / "store")
    for key in stored(here / "store"):
        store.delete(key)
    capsys.readouterr()
    if is_newer:
        become_a_newer_version(monkeypatch)
    assert cli.main(["doctor", "--json"]) == 1
    level, words = told(capsys)["Log"]
    assert level == "problem"
    assert "the store has lost what this database is based on" in words
    assert stored(here / "store") == []


def test_what_the_app_went_around_is_a_warning(
    here: Path, saved_evening: Path, capsys: Output
) -> None:
    working_copy = read_settings_here().database_path
    working_copy.parent.mkdir(parents=True)
    working_copy.write_bytes(b"no database" * 1000)
    assert cli.main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    [place] = [n for n, line in enumerate(lines) if line.startswith("warning  Log: ")]
    assert "The file was kept as nba_stats.db" in lines[place]
    assert "`python cli.py verify`" in lines[place + 1]
    assert lines[-1] == "1 warning."


def test_in_a_process_of_its_own(command: Command, saved_evening: Path) -> None:
    answer = command("doctor")
    assert (answer.returncode, answer.stderr) == (0, "")
    assert "ok       Creating only once: " in answer.stdout
    assert answer.stdout.endswith("Nothing is wrong.\n")
