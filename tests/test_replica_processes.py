"""Real processes: racing for a number, and killed in the middle of things."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from replica import State
from replica.stores.folder import FolderStore
from tests.stores import in_store, names, open_replica, replicated, write

RACER = """
import sys
from pathlib import Path
from replica.stores.folder import FolderStore
from tests.stores import open_replica, write
folder, name = Path(sys.argv[1]), sys.argv[2]
replica = open_replica(folder / f"{name}.db", FolderStore(folder / "store"))
replica.restore()
for number in range(10):
    write(replica, f"{name}{number}")
print("ready", flush=True)
sys.stdin.readline()
for number in range(10, 20):
    replica.sync_now()
    write(replica, f"{name}{number}")
replica.sync_now()
print(replica.status().state.value, replica.status().pending_transactions)
replica.close(0)
"""

STARTER = """
import sys
from pathlib import Path
from replica.stores.folder import FolderStore
from tests.stores import insert, names, open_replica
folder, name = Path(sys.argv[1]), sys.argv[2]
def prepare(store, transaction):
    insert(transaction, "imported by " + name)
    print("ready", flush=True)
    sys.stdin.readline()
replica = open_replica(folder / f"{name}.db", FolderStore(folder / "store"), prepare_first=prepare)
replica.restore()
print(names(replica))
replica.close(0)
"""

# Kills itself before the n-th call of one of the operations that change a disk or a store.
VICTIM = """
import os, signal, sys
from pathlib import Path
folder, name, step = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
import replica.live
from replica.stores.folder import FolderStore
from tests.stores import open_replica, write
left = [step]
def deadly(function):
    def call(*arguments, **options):
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **options)
    return call
for owner, attribute in [
    (os, "replace"), (os, "link"), (os, "fsync"), (os, "close"), (Path, "unlink"),
    (Path, "open"), (replica.live, "pack_entry"), (replica.live, "advance"),
    (replica.live.LiveDatabase, "_refresh"), (replica.live.LiveDatabase, "_keep_claim"),
]:
    setattr(owner, attribute, deadly(getattr(owner, attribute)))
opened = open_replica(folder / f"{name}.db", FolderStore(folder / "store"))
opened.restore()
write(opened, "committed")
print("committed", flush=True)
opened.sync_now()
print("durable", flush=True)
opened.snapshot()
print("copied", flush=True)
opened.close(0)
"""


def start(script: str, *arguments: object) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parent.parent,
    )


def run_together(script: str, folder: Path, *process_names: str) -> list[str]:
    """Start them all, let them go at once, return what each says last."""
    processes = [start(script, folder, name) for name in process_names]
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        return [process.communicate(timeout=20)[0].strip() for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait(5)


def test_two_processes_that_claim_the_same_numbers_lose_nothing(tmp_path: Path) -> None:
    answers = run_together(RACER, tmp_path, "a", "b")
    assert answers == ["ok 0", "ok 0"]
    store = FolderStore(tmp_path / "store")
    expected = sorted(f"{name}{number}" for name in "ab" for number in range(20))
    assert in_store(store, tmp_path / "check") == expected
    replicas = [open_replica(tmp_path / f"{name}.db", store) for name in "ab"]
    for replica in replicas:
        replica.restore()
    assert replicated(replicas[0]) == replicated(replicas[1])
    for replica in replicas:
        replica.close(0)


def test_two_processes_that_start_at_once_import_once(tmp_path: Path) -> None:
    answers = run_together(STARTER, tmp_path, "a", "b")
    assert answers[0] == answers[1]
    assert answers[0] in ("['imported by a']", "['imported by b']")
    assert len(FolderStore(tmp_path / "store").list("log/")) == 1


# After 60 the process ends before it is killed.
STEPS = [
    pytest.param(step, marks=[] if step % 8 == 3 else pytest.mark.soak) for step in range(1, 62)
]


@pytest.mark.parametrize("has_older_file", [False, True])
@pytest.mark.parametrize("step", STEPS)
def test_killed_at_any_moment_nothing_is_lost_and_nothing_is_there_twice(
    tmp_path: Path, step: int, has_older_file: bool
) -> None:
    store = FolderStore(tmp_path / "store")
    first = open_replica(tmp_path / "first.db", store)
    first.restore()
    write(first, "before")
    first.sync_now()
    if has_older_file:
        older = open_replica(tmp_path / "victim.db", store)
        older.restore()
        older.close(0)
        with first.transaction() as transaction:
            transaction.execute("UPDATE notes SET text = 'newer'")
        first.sync_now()
    first.close(0)
    victim = start(VICTIM, tmp_path, "victim", step)
    said = victim.communicate(timeout=20)[0].split()
    assert victim.returncode in (-signal.SIGKILL, 0)

    on_wiped_disk = in_store(store, tmp_path / "check")
    assert on_wiped_disk in (["before"], ["before", "committed"])
    if "durable" in said:
        assert "committed" in on_wiped_disk

    again = open_replica(tmp_path / "victim.db", store)
    again.restore()
    again.sync_now()
    assert again.status().state is State.OK
    assert names(again) == (["before", "committed"] if "committed" in said else on_wiped_disk)
    assert in_store(store, tmp_path / "check") == names(again)
    assert list(tmp_path.glob("*.partial-*")) == []
    assert list(tmp_path.glob("*.damaged-*")) == []
    again.close(0)
