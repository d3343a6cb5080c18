"""Folders for work: gone when it is done, and after a kill by the next who looks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from unittest.mock import patch

import pytest

from jobs import backup_reading
from jobs.authority import OWNER
from jobs.state import open_state
from jobs.work_folders import remove_leftovers, work_folder
from tests.applications import settings_for
from tests.backup_machines import machine
from tests.stores import ManualClock, MemoryStore

_WORK = """
import sys
from pathlib import Path
from jobs.work_folders import work_folder
with work_folder(Path(sys.argv[1])) as folder:
    (folder / "whole.db").write_bytes(b"x" * 1000)
    print(folder, flush=True)
    sys.stdin.read()
"""


@contextmanager
def another_process(place: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """One that works in a folder in `place` until it is killed or its input ends."""
    with subprocess.Popen(
        [sys.executable, "-c", _WORK, str(place)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        folder = Path(process.stdout.readline().strip())
        try:
            yield process, folder
        finally:
            process.kill()


def test_it_is_gone_when_the_work_is_done(tmp_path: Path) -> None:
    with work_folder(tmp_path) as folder:
        (folder / "some.db").write_bytes(b"x")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ZeroDivisionError), work_folder(tmp_path) as folder:
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    with another_process(tmp_path) as (process, folder):
        with work_folder(tmp_path) as own:
            remove_leftovers(tmp_path)
            assert {folder, own} == set(tmp_path.iterdir()), "both are worked in"
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    assert (folder / "whole.db").exists()
    with work_folder(tmp_path) as own:
        assert list(tmp_path.iterdir()) == [own]


def test_nothing_else_is_removed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "mine").write_bytes(b"x")
    place = tmp_path / "place"
    place.mkdir()
    (place / "nba-daily-work-link").symlink_to(elsewhere)
    (place / "nba-daily-work-file").write_bytes(b"x")
    (place / "nba_stats.db").write_bytes(b"x")
    remove_leftovers(place)
    assert (elsewhere / "mine").exists()
    assert len(list(place.iterdir())) == 3


def test_a_place_that_is_not_there_has_no_leftovers(tmp_path: Path) -> None:
    remove_leftovers(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError), work_folder(tmp_path / "nowhere"):
        pass


def test_a_process_killed_while_it_reads_a_backup_back_leaves_nothing_for_good(
    tmp_path: Path,
) -> None:
    """The next start makes room before it restores."""
    place = tmp_path / "one"
    child = os.fork()
    if child == 0:
        clock = ManualClock()

        def die(path: Path) -> int:
            os.kill(os.getpid(), signal.SIGKILL)
            raise AssertionError("unreachable")

        with (
            patch.object(backup_reading, "count_rows", die),
            machine(place, MemoryStore(clock), clock) as one,
        ):
            one.write("g1")
            one.backups.make(OWNER)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    assert len(list(place.rglob("backup.db"))) == 1
    state = open_state(
        settings_for(place, None),
        None,
        clock=ManualClock(),
        generator=Random(),
        on_logged=lambda run_id: None,
    )
    state.close(0)
    assert list(place.rglob("backup.db*")) == []
