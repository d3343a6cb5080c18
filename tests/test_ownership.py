"""One owner per file, whatever becomes of the owner."""

import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import pytest

from replica import FileOwned
from replica.ownership import FileOwnership
from tests.stores import ManualClock, MemoryStore, names, open_replica, write

HOLD = """
import sys
from pathlib import Path
from replica.ownership import FileOwnership
held = FileOwnership(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_second_owner_learns_who_the_first_is(tmp_path: Path) -> None:
    first = FileOwnership(tmp_path / "a.db")
    with pytest.raises(FileOwned, match=f"process {os.getpid()}"):
        FileOwnership(tmp_path / "a.db")
    FileOwnership(tmp_path / "b.db").release()
    first.release()
    first.release()
    FileOwnership(tmp_path / "a.db").release()


def test_another_process_holds_it_until_it_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(FileOwned, match=f"process {holder.pid}"):
            open_replica(path, MemoryStore(ManualClock()))
        holder.kill()
        holder.wait(5)
    FileOwnership(path).release()


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_forked_child_may_not_use_the_replica_and_does_not_keep_it(tmp_path: Path) -> None:
    replica = open_replica(tmp_path / "a.db", MemoryStore(ManualClock()))
    replica.restore()
    write(replica, "mine")
    receiving, sending = multiprocessing.Pipe(duplex=False)
    release_receiving, release_sending = multiprocessing.Pipe(duplex=False)
    child = os.fork()
    if child == 0:
        answers = []
        for use in (replica.status, replica.sync_now, lambda: names(replica), replica.request_sync):
            try:
                use()
                answers.append("allowed")
            except FileOwned as error:
                answers.append(error.detail)
        replica.close(1)
        sending.send(answers)
        release_receiving.poll(10)
        os._exit(0)
    try:
        assert receiving.poll(5)
        assert receiving.recv() == [f"process {os.getpid()}"] * 4
        # The child's close() did nothing, and its copy of the lock does not outlive ours.
        assert names(replica) == ["mine"]
        replica.close(0)
        FileOwnership(tmp_path / "a.db").release()
    finally:
        release_sending.send("done")
        os.waitpid(child, 0)
