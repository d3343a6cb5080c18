"""What other programs can do with the state: sqlite3 and zstd, as a person finds them installed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import apsw
import pytest

from jobs.state import LATEST_KEY
from prediction_tracking import REPLICATED_TABLES
from replica.stores.folder import FolderStore
from tests.app_process import CHECKOUT, wait_for, wait_for_entry
from tests.needs import require_sqlite_shell, require_zstd
from tests.sites import running_site

if TYPE_CHECKING:
    Rows = dict[str, list[tuple[apsw.SQLiteValue, ...]]]


@dataclass(frozen=True, slots=True)
class Evening:
    """What an app that has ended left behind: its store and its working copy."""

    store_folder: Path
    working_copy: Path


@pytest.fixture(scope="module")
def evening(tmp_path_factory: pytest.TempPathFactory, reference_path: Path) -> Evening:
    """An evening logged by the app itself, with a snapshot made by its timer."""
    folder = tmp_path_factory.mktemp("evening")
    often = {"NBA_DAILY_TIMER_MINUTES": "0.01"}
    with running_site(folder, reference_path, environment=often) as site:
        wait_for_entry(site.store, 2, site.app.log)
        wait_for(lambda: snapshot_sequence(site.store) == 2, what="a snapshot", log=site.app.log)
    [working_copy] = (folder / "state").rglob("nba_stats.db")
    return Evening(site.store_folder, working_copy)


def snapshot_sequence(store: FolderStore) -> int | None:
    """The log entry up to which everything is in the newest snapshot, if there is one."""
    if not store.list("head.json"):
        return None
    return int(json.loads(store.get("head.json").body)["sequence"])


def rows_of(database: Path) -> Rows:
    with closing(apsw.Connection(str(database), apsw.SQLITE_OPEN_READONLY)) as connection:
        return {
            table: sorted(connection.execute(f"SELECT * FROM {table}").fetchall(), key=repr)
            for table in (*REPLICATED_TABLES, "sync_conflicts", "replica_transactions")
        }


def ask_sqlite(shell: Path, database: Path, question: str) -> list[str]:
    """The lines that the command line tool prints."""
    done = subprocess.run(
        [shell, "-batch", "-readonly", database, question],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_a_restored_database_opens_in_the_sqlite_command_line(
    evening: Evening, tmp_path: Path
) -> None:
    shell = require_sqlite_shell()
    restored = tmp_path / "restored.db"
    subprocess.run(
        [sys.executable, "cli.py", "restore", "--to", restored],
        cwd=CHECKOUT,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "PYTHONDONTWRITEBYTECODE": "1",
            "NBA_DAILY_STORE_DIR": str(evening.store_folder),
            "NBA_DAILY_STATE_DIR": str(tmp_path / "state"),
        },
        check=True,
        capture_output=True,
        timeout=120,
    )
    for database in (restored, evening.working_copy):
        assert ask_sqlite(shell, database, "PRAGMA integrity_check") == ["ok"]
    assert rows_of(restored) == rows_of(evening.working_copy)
    [counted] = ask_sqlite(shell, restored, "SELECT count(*) FROM predictions")
    assert int(counted) == len(rows_of(evening.working_copy)["predictions"]) > 500


def test_zstd_makes_a_database_with_the_same_rows(evening: Evening, tmp_path: Path) -> None:
    zstd, shell = require_zstd(), require_sqlite_shell()
    latest = tmp_path / LATEST_KEY
    latest.write_bytes(FolderStore(evening.store_folder).get(LATEST_KEY).body)
    subprocess.run([zstd, "-d", "-q", latest], check=True, timeout=60)
    database = latest.with_suffix("")
    assert ask_sqlite(shell, database, "PRAGMA integrity_check") == ["ok"]
    rows = rows_of(database)
    assert len(rows["predictions"]) > 500
    assert rows == rows_of(evening.working_copy)
