"""The commands about backups: list, make, forget, delete, have one as a file, rebuild."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import pytest

import cli
from prediction_tracking import Origin
from replica import PutMode
from replica.stores.folder import FolderStore
from tests.applications import AFTERNOON
from tests.backup_machines import machine
from tests.slates import tonight
from tests.stores import ManualClock

Capture = pytest.CaptureFixture[str]


def answer(capsys: Capture, *words: str, code: int = 0) -> str:
    """What a command prints."""
    assert cli.main(list(words)) == code
    told = capsys.readouterr()
    assert (told.err == "") == (code == 0)
    return told.out if code == 0 else told.out + told.err


def facts(capsys: Capture, *words: str) -> Any:
    return json.loads(answer(capsys, *words, "--json"))


def keys(store: FolderStore) -> list[str]:
    return [info.key for info in store.list("backups/")]


def count(path: Path, table: str) -> int:
    with closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)) as connection:
        [(number,)] = connection.execute(f"SELECT count(*) FROM {table}").fetchall()
    return int(str(number))


@pytest.fixture
def store(here: Path) -> FolderStore:
    """The folder into which another machine has saved one evening; this one is set up for it."""
    store = FolderStore(here / "store")
    with machine(here / "other", store, ManualClock(AFTERNOON)) as other:
        run = other.log.log_slate(tonight(), Origin.LIVE)
        other.replica.sync_now()
        other.state.storage.backup_predictions_csv(other.log.run_frame(run.run_id))
    return store


def test_a_backup_from_the_cradle_to_the_grave(
    store: FolderStore, tmp_path: Path, capsys: Capture
) -> None:
    assert answer(capsys, "backups").startswith("There is no backup yet.")
    assert facts(capsys, "backups") == []
    [key] = [answer(capsys, "backup").split()[0]]
    assert keys(store) == [key]

    [line] = answer(capsys, "backups").splitlines()
    assert line.startswith(f"{key}  2026-11-20 20:00 UTC  #2  ")
    assert line.endswith("until a person forgets it")
    [told] = facts(capsys, "backups")
    assert (told["key"], told["kind"], told["sequence"]) == (key, "manual", 2)
    assert (told["kept_by"], told["forgotten_at"]) == ("person", None)
    assert told["size_bytes"] == store.list("backups/")[0].size_bytes

    copy = tmp_path / "copy.db"
    assert answer(capsys, "backups", "--download", key, "--to", str(copy)) == f"{copy}\n"
    assert count(copy, "runs") == 1

    # The rules do not forget what a person keeps.
    assert "Would forget 0 backups" in answer(capsys, "forget", "--dry-run")
    assert f"forget  {key}" in answer(capsys, "forget", key, "--dry-run")
    assert facts(capsys, "backups")[0]["forgotten_at"] is None
    assert "Forgot 1 backup." in answer(capsys, "forget", key)
    assert answer(capsys, "backups").endswith("forgotten: `prune` deletes it\n")
    assert keys(store) == [key]
    assert answer(capsys, "prune").startswith("Deleted 1 backup, ")
    assert keys(store) == []
    assert facts(capsys, "prune") == {"deleted": [], "freed_bytes": 0, "problems": []}


def test_the_list_is_rebuilt_from_the_bucket(store: FolderStore, capsys: Capture) -> None:
    answer(capsys, "backup")
    before = facts(capsys, "backups")
    second = answer(capsys, "backup").split()[0]
    store.delete(second)
    told = facts(capsys, "backups", "--rebuild", "--quiet")
    assert (told["backups"], told["added"], told["removed"]) == (1, [], [second])
    assert facts(capsys, "backups") == before
    assert "Every backup was read, and is sound." in answer(
        capsys, "backups", "--rebuild", "--quiet"
    )


def test_a_damaged_backup_is_a_failure(
    store: FolderStore, here: Path, tmp_path: Path, capsys: Capture
) -> None:
    key = answer(capsys, "backup").split()[0]
    path = here / "store" / key
    path.write_bytes(path.read_bytes()[:-100])
    assert cli.main(["backups", "--rebuild", "--quiet"]) == 1
    assert key in capsys.readouterr().out
    assert cli.main(["prune"]) == 1
    assert "its size is not what the catalogue says" in capsys.readouterr().out
    told = answer(capsys, "backups", "--download", key, "--to", str(tmp_path / "c.db"), code=1)
    assert "the snapshot is damaged" in told
    assert not (tmp_path / "c.db").exists()


def test_a_download_needs_a_key_and_a_new_file(
    store: FolderStore, tmp_path: Path, capsys: Capture
) -> None:
    for words in (["--download", "backups/x"], ["--to", "copy.db"]):
        assert cli.main(["backups", *words]) == 2
        assert "belong together" in capsys.readouterr().err
    mine = tmp_path / "mine.db"
    mine.write_bytes(b"mine")
    told = answer(capsys, "backups", "--download", "backups/x", "--to", str(mine), code=1)
    assert "Name a new file" in told
    assert mine.read_bytes() == b"mine"
    there = tmp_path / "new.db"
    none = "backups/2020-01-01T00-00-00Z-manual.db.zst"
    told = answer(capsys, "backups", "--download", none, "--to", str(there), code=1)
    assert "there is no such object" in told
    for key in ("none", "log/00000000000000000001", "snapshots/../head.json", "backups/../x"):
        told = answer(capsys, "backups", "--download", key, "--to", str(there), code=1)
        assert "It is not the key of one" in told
    assert not there.exists()


def test_a_snapshot_is_downloaded_too(
    store: FolderStore, here: Path, tmp_path: Path, capsys: Capture
) -> None:
    with machine(here / "again", store, ManualClock(AFTERNOON)) as again:
        snapshot = again.replica.snapshot().key
    copy = tmp_path / "copy.db"
    answer(capsys, "backups", "--download", snapshot, "--to", str(copy))
    assert count(copy, "runs") >= 1


def test_an_unknown_name_is_explained(store: FolderStore, capsys: Capture) -> None:
    told = answer(capsys, "forget", "backups/none", code=1)
    assert "The catalogue has none with this key" in told


def test_looking_at_nothing_begins_nothing(here: Path, capsys: Capture) -> None:
    assert answer(capsys, "backups").startswith("There is no backup yet.")
    assert FolderStore(here / "store").list("") == []


def test_the_predictions_are_built_again_from_the_copies(
    store: FolderStore, tmp_path: Path, capsys: Capture
) -> None:
    answer(capsys, "restore", "--to", str(tmp_path / "saved.db"))
    # Nothing but the copies is left.
    for info in store.list(""):
        if not info.key.startswith("csv/"):
            store.delete(info.key)
    for name in ("one.db", "two.db"):
        told = answer(capsys, "rebuild-from-csv", "--quiet", "--to", str(tmp_path / name))
        assert told.startswith(f"{tmp_path / name} (1 runs, ")
        for table in ("runs", "game_predictions", "predictions"):
            assert count(tmp_path / name, table) == count(tmp_path / "saved.db", table)
    told = answer(capsys, "rebuild-from-csv", "--to", str(tmp_path / "one.db"), code=1)
    assert "exists already" in told


def test_without_copies_there_is_nothing_to_build(
    here: Path, tmp_path: Path, capsys: Capture
) -> None:
    told = answer(capsys, "rebuild-from-csv", "--to", str(tmp_path / "one.db"), code=1)
    assert told == "Nothing has been saved yet below csv/.\n"
    assert not (tmp_path / "one.db").exists()


def test_where_no_copy_is_sound_no_file_is_made(
    here: Path, tmp_path: Path, capsys: Capture
) -> None:
    FolderStore(here / "store").put("csv/game_date=2026-11-20/x.csv", b"run_id\n", PutMode.CREATE)
    told = answer(capsys, "rebuild-from-csv", "--quiet", "--to", str(tmp_path / "one.db"), code=1)
    assert "x.csv: it does not read as one run" in told
    assert not (tmp_path / "one.db").exists()


def test_a_folder_that_is_not_there_is_explained(
    store: FolderStore, tmp_path: Path, capsys: Capture
) -> None:
    nowhere = str(tmp_path / "no" / "such" / "one.db")
    assert "No such file" in answer(capsys, "rebuild-from-csv", "--quiet", "--to", nowhere, code=1)
