"""The command line: the same jobs without a browser, for people and for other programs."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import apsw
import pytest

import cli
from commands.opening import read_settings_here
from jobs.application import Application
from jobs.authority import OWNER, PasswordGate
from jobs.configuration import FolderSettings
from jobs.errors import ConfigurationError
from replica.log import log_key
from replica.stores.folder import FolderStore
from replica.stores.s3 import S3Options
from tests.app_process import CHECKOUT
from tests.applications import AFTERNOON, published, running, settings_for
from tests.cli_fixtures import Command, write_secrets
from tests.stores import ManualClock

COMMANDS = (
    "daily",
    "ingest",
    "predict",
    "score",
    "lines",
    "export",
    "status",
    "sync",
    "backup",
    "backups",
    "forget",
    "prune",
    "rebuild-from-csv",
    "restore",
    "verify",
    "drill",
    "doctor",
    "hash-password",
)


def require_explained(answer: subprocess.CompletedProcess[str], *words: str) -> None:
    assert answer.returncode == 1
    assert answer.stdout == ""
    assert "Traceback" not in answer.stderr
    for word in words:
        assert word in answer.stderr


def count_runs(database: Path) -> int:
    with closing(apsw.Connection(str(database), flags=apsw.SQLITE_OPEN_READONLY)) as connection:
        [(count,)] = connection.execute("SELECT count(*) FROM runs").fetchall()
    assert isinstance(count, int)
    return count


# As a process -------------------------------------------------------------------------------------


def test_status_sync_backup_and_restore(
    command: Command, saved_evening: Path, tmp_path: Path
) -> None:
    before = FolderStore(saved_evening).list("")
    status = command("status")
    assert (status.returncode, status.stderr) == (0, "")
    assert status.stdout.startswith("Saved to a folder on this machine as #2\n")
    assert f"folder {saved_evening}" in status.stdout
    assert FolderStore(saved_evening).list("") == before, "looking changes nothing"

    facts = command("status", "--json")
    assert (facts.returncode, facts.stderr) == (0, "")
    told = json.loads(facts.stdout)
    assert (told["level"], told["sequence"], told["pending"]) == ("saved", 2, 0)
    assert told["headline"] == "Saved to a folder on this machine as #2"
    assert told["remedies"] == []

    backup = command("backup")
    assert (backup.returncode, backup.stderr) == (0, "")
    [kept] = FolderStore(saved_evening).list("backups/")
    assert backup.stdout == f"{kept.key} ({kept.size_bytes:,} bytes)\n"

    target = tmp_path / "restored.db"
    restore = command("restore", "--to", str(target))
    assert (restore.returncode, restore.stdout, restore.stderr) == (0, f"{target}\n", "")
    assert count_runs(target) == 1

    # Whatever today's date is, this ends with everything saved.
    sync = command("sync")
    assert (sync.returncode, sync.stderr) == (0, "")
    assert sync.stdout.startswith("Saved to a folder on this machine as #")


def test_restore_never_overwrites_a_file(
    command: Command, saved_evening: Path, tmp_path: Path
) -> None:
    target = tmp_path / "mine.db"
    target.write_bytes(b"mine")
    answer = command("restore", "--to", str(target))
    require_explained(answer, str(target), "Name a new file")
    assert target.read_bytes() == b"mine"


def test_restore_of_nothing(command: Command, tmp_path: Path) -> None:
    answer = command("restore", "--to", str(tmp_path / "new.db"))
    require_explained(answer, "Nothing has been saved yet", "cli.py sync")
    assert not (tmp_path / "new.db").exists()


def test_a_folder_that_cannot_be_written_is_explained(command: Command, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    answer = command("sync", NBA_DAILY_STATE_DIR=str(tmp_path / "file" / "state"))
    require_explained(answer, "choose another folder")


def test_half_a_configuration_is_explained(command: Command, tmp_path: Path) -> None:
    answer = command("sync", S3_BACKUP_BUCKET="my-predictions")
    require_explained(answer, "Missing: region", "S3_SETUP_GUIDE.md")
    assert not (tmp_path / "store").exists()


def test_wrong_words_show_the_usage(command: Command) -> None:
    answer = command("upload")
    assert answer.returncode == 2
    assert "invalid choice: 'upload'" in answer.stderr
    assert "Traceback" not in answer.stderr


# In this process ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--help"], [*COMMANDS, "exit codes:", "3  done in part"]),
        (["status", "--help"], ["--json"]),
        (["restore", "--help"], ["--to FILE", "--at MOMENT", "2026-11-20T18:00Z"]),
        (["doctor", "--help"], ["--repair", "--from FILE"]),
        (["ingest", "--help"], ["--from FOLDER", "--rebuild", "--json", "--quiet"]),
        (["predict", "--help"], ["--date DATE", "--log", "--csv FILE"]),
        (["daily", "--help"], ["--strict", "only if --strict is given"]),
    ],
)
def test_help_names_what_there_is(
    words: list[str], told: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(words)
    assert caught.value.code == 0
    text = capsys.readouterr().out
    assert text.startswith("usage: python cli.py")
    for word in told:
        assert word in text


def test_there_is_a_line_for_every_command() -> None:
    [commands] = [action for action in cli._parser()._actions if isinstance(action.choices, dict)]
    assert sorted(commands.choices or ()) == sorted(COMMANDS)
    text = cli._parser().format_help()
    for name in COMMANDS:
        assert re.search(rf"^    {name}\s+[a-z]", text, re.MULTILINE), name


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_teaches(
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        cli.main([name, "--help"])
    text = capsys.readouterr().out
    _, purpose, writes, *_ = text.split("\n\n")
    assert purpose.endswith(".")
    assert re.search(r"[Ww]rites|Keeps nothing|Only reads", writes), "what it changes"
    assert "\nexit codes:\n" in text
    [example] = re.findall(r"^example:\n  python cli\.py (.+)$", text, flags=re.MULTILINE)
    # The example can be typed as it stands.
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "saved-responses").mkdir()
    words = shlex.split(example)
    assert words[0] == name
    assert callable(cli._parser().parse_args(words).run)


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["restore"],
        ["restore", "--to", "f.db", "--at", "yesterday"],
        ["status", "--xml"],
        ["export"],
        ["score", "--since", "November"],
    ],
)
def test_wrong_usage_is_code_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(words)
    assert caught.value.code == 2
    assert "usage: python cli.py" in capsys.readouterr().err


def test_sync_logs_tonight_and_saves_it(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        assert cli.main(["sync"]) == 0
        answer = capsys.readouterr()
        assert (answer.out, answer.err) == ("Saved to a folder on this machine as #2\n", "")
    store = FolderStore(here / "store")
    assert [info.key for info in store.list("log/")] == [log_key(1), log_key(2)]
    assert len(store.list("csv/game_date=2026-11-20/")) == 1


def test_status_before_anything_was_saved(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["status"]) == 0
    assert capsys.readouterr().out == "Nothing has been saved yet\n"
    assert cli.main(["status", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["sequence"] is None
    for words in (["doctor"], ["doctor", "--repair"]):
        assert cli.main(words) == 0
        answer = capsys.readouterr().out
        assert "ok       Log: Nothing has been saved yet.\nNothing is wrong.\n" in answer
    assert not list((here / "state").rglob("nba_stats.db"))
    assert FolderStore(here / "store").list("") == []


def test_status_is_a_failure_when_something_is_not_saved(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["sync"]) == 0
    for file in (here / "store" / "log").iterdir():
        file.unlink()
    capsys.readouterr()
    assert cli.main(["status", "--json"]) == 1
    answer = capsys.readouterr()
    told = json.loads(answer.out)
    assert told["level"] == "problem"
    assert told["headline"] == "Not saved: the store lost what was saved before"
    assert told["remedies"]
    assert answer.err == ""


def test_sync_fails_when_nothing_can_be_saved(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["sync"]) == 0
    for file in (here / "store" / "log").iterdir():
        file.unlink()
    capsys.readouterr()
    for words in (["sync"], ["backup"]):
        assert cli.main(words) == 1
        answer = capsys.readouterr()
        assert answer.out == ""
        assert "the store has lost what this database is based on" in answer.err
        assert "Bring the objects back" in answer.err
    assert FolderStore(here / "store").list("backups/") == []


def test_a_running_app_keeps_its_file(
    here: Path, reference_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with running(settings_for(here / "state", reference_path)) as application:
        published(application)
        assert cli.main(["status"]) == 1
        answer = capsys.readouterr()
        assert "another process owns the database file" in answer.err
        assert "Stop that process" in answer.err
        # The bucket can be read all the same.
        assert cli.main(["restore", "--to", str(here / "copy.db")]) == 0
    assert count_runs(here / "copy.db") == 1


def test_a_state_as_it_was(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["sync"]) == 0
    copies: dict[str, Path] = {}
    for at in ("1", "2", "2030-01-01", "2030-01-01T00:00Z", "2030-01-01T00:00+05:00"):
        copies[at] = here / f"{len(copies)}.db"
        assert cli.main(["restore", "--to", str(copies[at]), "--at", at]) == 0
    assert [count_runs(copy) for copy in copies.values()] == [0, 1, 1, 1, 1]
    capsys.readouterr()
    for at in ("3", "2001-01-01"):
        assert cli.main(["restore", "--to", str(here / "never.db"), "--at", at]) == 1
        assert "the log does not reach that moment" in capsys.readouterr().err
    assert not (here / "never.db").exists()


# The doctor ---------------------------------------------------------------------------------------


@pytest.fixture
def two_machines(here: Path, reference_path: Path) -> Path:
    """A store with three entries, this machine's file behind, another's up to date; its file."""
    assert cli.main(["sync"]) == 0
    other = settings_for(here / "other", reference_path, here / "store")
    with running(other) as application:
        application.revise(OWNER, AFTERNOON.date())
        application.tick()
        published(application)
    return other.database_path


def spoil(entry: Path) -> bytes:
    """Damage a log entry; its bytes before."""
    body = entry.read_bytes()
    entry.write_bytes(body[:-1])
    return body


def test_a_sound_log_and_what_the_doctor_says_of_it(
    two_machines: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert cli.main(["doctor"]) == 0
    answer = capsys.readouterr()
    lines = answer.out.splitlines()
    assert lines[-2:] == [
        "ok       Log: State: ok. Followed to #3, 0 waiting here.",
        "Nothing is wrong.",
    ]
    assert all(line.startswith("ok ") for line in lines[:-1])
    assert answer.err == ""
    assert cli.main(["doctor", "--repair"]) == 0
    assert capsys.readouterr().out.startswith("No entry had to be put back.\nok ")


def test_an_entry_is_put_back_from_another_machine(
    two_machines: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = here / "store" / log_key(3)
    body = spoil(entry)
    capsys.readouterr()
    assert cli.main(["doctor"]) == 1
    answer = capsys.readouterr().out
    assert "problem  Log: State: halted. Followed to #2" in answer
    assert f"{log_key(3)}: the log entry is damaged" in answer
    assert "`python cli.py doctor --repair`" in answer

    # This machine never had it.
    assert cli.main(["doctor", "--repair"]) == 1
    assert "Nothing was changed" in capsys.readouterr().err
    assert entry.read_bytes() != body

    assert cli.main(["doctor", "--repair", "--from", str(two_machines)]) == 0
    answer = capsys.readouterr().out
    assert answer.startswith("Put back #3 (kept copy)\n")
    assert answer.endswith("Nothing is wrong.\n")
    assert entry.read_bytes() == body
    assert cli.main(["status"]) == 0


def test_an_entry_is_put_back_from_this_machine(
    two_machines: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["sync"]) == 0
    bodies = {number: spoil(here / "store" / log_key(number)) for number in (2, 3)}
    (here / "store" / log_key(2)).unlink()
    capsys.readouterr()
    assert cli.main(["doctor", "--repair"]) == 0
    answer = capsys.readouterr().out
    assert answer.startswith("Put back #2 (kept copy)\nPut back #3 (kept copy)\n")
    for number, body in bodies.items():
        assert (here / "store" / log_key(number)).read_bytes() == body


def test_a_store_that_was_rolled_back_gets_its_end_again(
    two_machines: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["sync"]) == 0
    entry = here / "store" / log_key(3)
    body = entry.read_bytes()
    entry.unlink()
    capsys.readouterr()
    assert cli.main(["doctor"]) == 1
    assert "State: rolled back" in capsys.readouterr().out
    assert cli.main(["doctor", "--repair"]) == 0
    assert "Put back #3 (kept copy)" in capsys.readouterr().out
    assert entry.read_bytes() == body


@pytest.mark.parametrize("kind", ["missing", "text"])
def test_a_file_that_is_no_other_machines_is_explained(
    kind: str, two_machines: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if kind == "text":
        (here / "notes.db").write_text("These are my notes. " * 100)
    before = {path: path.read_bytes() for path in (here / "store").rglob("*") if path.is_file()}
    capsys.readouterr()
    assert cli.main(["doctor", "--repair", "--from", str(here / "notes.db")]) == 1
    answer = capsys.readouterr()
    assert str(here / "notes.db") in answer.err
    assert "Traceback" not in answer.err
    after = {path: path.read_bytes() for path in (here / "store").rglob("*") if path.is_file()}
    assert after == before
    assert (here / "notes.db").exists() == (kind == "text")


def test_another_machines_file_is_for_a_repair(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["doctor", "--from", str(here / "other.db")]) == 2
    assert "--from is for --repair" in capsys.readouterr().err


def test_waiting_too_long_is_said(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("commands.opening.PREPARATION_SECONDS", 0.0)
    monkeypatch.setattr(Application, "start", lambda *_, **__: None)
    assert cli.main(["sync"]) == 1
    assert "Look at the network and disk." in capsys.readouterr().err


def test_without_secrets_the_folder_is_used(here: Path) -> None:
    settings = read_settings_here()
    assert settings.store == FolderSettings(here / "store")
    assert settings.owner.local


def test_secrets_are_read_where_the_app_reads_them(here: Path) -> None:
    write_secrets(here, '[aws]\nbucket_name = "from-home"\nregion = "us-east-1"\n')
    store = read_settings_here().store
    assert isinstance(store, S3Options)
    assert store.bucket == "from-home"
    write_secrets(here / "checkout", '[aws]\nbucket_name = "from-checkout"\nregion = "us-east-1"\n')
    store = read_settings_here().store
    assert isinstance(store, S3Options)
    assert store.bucket == "from-checkout"


def test_secrets_outside_of_tables_are_environment_variables(here: Path) -> None:
    text = 'S3_BACKUP_BUCKET = "b"\nAWS_REGION = "us-east-1"\nAWS_ACCESS_KEY_ID = "AKIA"\n'
    write_secrets(here / "checkout", text)
    store = read_settings_here().store
    assert isinstance(store, S3Options)
    assert (store.bucket, store.region) == ("b", "us-east-1")
    assert os.environ["AWS_ACCESS_KEY_ID"] == "AKIA", "boto3 looks for it there"


@pytest.mark.parametrize("content", [b"[aws\nsecret = 'hunter22'", b"\xff\xfe\x00hunter22"])
def test_unreadable_secrets_never_become_the_folder(
    here: Path, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    write_secrets(here / "checkout", "")
    (here / "checkout" / ".streamlit" / "secrets.toml").write_bytes(content)
    assert isinstance(read_settings_here().store, ConfigurationError)
    for words in (["sync"], ["restore", "--to", str(here / "new.db")]):
        assert cli.main(words) == 1
        answer = capsys.readouterr().err
        assert "secrets.example.toml" in answer
        assert "hunter22" not in answer
    assert not (here / "store").exists()


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        (["short", "short"], "at least eight characters"),
        (["long enough", "long enouhg"], "The two differ"),
    ],
)
def test_a_password_that_will_not_do(
    typed: list[str],
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    answers = iter(typed)
    monkeypatch.setattr("getpass.getpass", lambda _: next(answers))
    assert cli.main(["hash-password"]) == 1
    answer = capsys.readouterr()
    assert answer.out == ""
    assert told in answer.err


def test_a_password_becomes_a_line_for_the_secrets(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("getpass.getpass", lambda _: "correct horse")
    assert cli.main(["hash-password"]) == 0
    text = capsys.readouterr().out
    assert "correct horse" not in text
    write_secrets(here / "checkout", text)
    password_hash = read_settings_here().owner.password_hash
    assert password_hash is not None
    gate = PasswordGate(ManualClock())
    assert gate.check("correct horse", password_hash)
    assert not gate.check("wrong horse", password_hash)


def test_a_python_without_the_libraries_is_told_which_one_has_them() -> None:
    # -S leaves out site-packages, as any other Python does.
    run = subprocess.run(
        [sys.executable, "-S", "cli.py", "status"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1
    assert "Traceback" not in run.stderr
    assert "`make run` installs what is needed" in run.stderr


def test_a_password_that_ends_early_is_no_traceback() -> None:
    run = subprocess.run(
        [sys.executable, "cli.py", "hash-password"],
        cwd=CHECKOUT,
        input="",
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,
    )
    assert run.returncode == 1
    assert "Traceback" not in run.stderr
    assert "asked for twice" in run.stderr
