"""Disks that are full, read-only or broken: a clear error, and nothing is lost."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from replica import (
    DiskFailed,
    DiskFull,
    LocalCorrupt,
    LocalError,
    ReadOnlyDisk,
    State,
)
from replica.database import create_database, open_writer
from replica.localfaults import local_faults
from tests.stores import ManualClock, MemoryStore, names, open_replica, write

SMALL_FILES = """
import resource, sys
from pathlib import Path
from random import Random
from replica import DiskFull, State
from tests.stores import ManualClock, MemoryStore, names, open_replica, write
store = MemoryStore(ManualClock())
replica = open_replica(Path(sys.argv[1]), store)
replica.restore()
write(replica, "one")
replica.sync_now()
incompressible = Random(1).randbytes(100_000).hex()
write(replica, "two", incompressible)
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
three = lambda: write(replica, "three", incompressible)
for attempt in (replica.sync_now, replica.snapshot, three):
    try:
        attempt()
    except DiskFull as error:
        print("full:", error.remedy)
print(replica.status().state.value, store.numbers(), names(replica))
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
write(replica, "three")
replica.sync_now()
print(replica.status().state.value, store.numbers(), names(replica))
replica.close(0)
"""

UNPRIVILEGED = """
import os, sys
from pathlib import Path
from replica import ReadOnlyDisk
from tests.stores import ManualClock, MemoryStore, open_replica
if os.geteuid() == 0:
    # Permissions do not hold the superuser back.
    os.setuid(65534)
try:
    open_replica(Path(sys.argv[1]), MemoryStore(ManualClock()))
except ReadOnlyDisk as error:
    print(error, flush=True)
# A tool that writes its report at exit may not do so as this user.
os._exit(0)
"""


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore(ManualClock())


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that any user can reach; pytest's own are for one user only."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def run(script: str, path: Path) -> list[str]:
    answer = subprocess.run(
        [sys.executable, "-c", script, str(path)],
        capture_output=True,
        text=True,
        timeout=20,
        cwd=Path(__file__).parent.parent,
        check=False,
    )
    assert answer.stderr == ""
    return list(answer.stdout.splitlines())


def test_full_disk_refuses_the_change_and_keeps_the_rest(
    tmp_path: Path, store: MemoryStore
) -> None:
    replica = open_replica(tmp_path / "a.db", store)
    replica.restore()
    write(replica, "one")
    assert replica._live is not None
    replica._live._writer.execute("PRAGMA max_page_count = 10")
    with pytest.raises(DiskFull, match="Free some space"):
        write(replica, "two", "x" * 100_000)
    assert names(replica) == ["one"]
    assert replica.status().pending_transactions == 1
    replica._live._writer.execute("PRAGMA max_page_count = 100000")
    replica.sync_now()
    write(replica, "two", "x" * 100_000)
    replica.close(0)


def test_disk_that_fills_up_before_the_claim_keeps_the_change_pending(tmp_path: Path) -> None:
    assert run(SMALL_FILES, tmp_path / "a.db") == [
        *["full: Free some space; nothing was changed."] * 3,
        "offline [1, 2] ['one', 'two']",
        "ok [1, 2, 3] ['one', 'three', 'two']",
    ]


def test_full_disk_at_the_first_start_leaves_nothing(
    tmp_path: Path, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    replica = open_replica(tmp_path / "a.db", store)
    with monkeypatch.context() as patch:
        patch.setattr(tempfile, "mkstemp", full)
        with pytest.raises(DiskFull):
            replica.restore()
    assert not (tmp_path / "a.db").exists()
    replica.restore()
    assert replica.status().state is State.OK
    replica.close(0)


def test_read_only_folder_is_said_at_once(open_folder: Path) -> None:
    folder = open_folder / "read-only"
    folder.mkdir()
    folder.chmod(0o555)
    [message] = run(UNPRIVILEGED, folder / "a.db")
    assert "cannot be written to" in message
    assert "Choose a folder" in message


def test_damage_found_while_reading_is_said(tmp_path: Path, store: MemoryStore) -> None:
    replica = open_replica(tmp_path / "a.db", store)
    replica.restore()
    with pytest.raises(LocalCorrupt, match="set aside"), replica.read():
        raise apsw.CorruptError("database disk image is malformed")
    replica.close(0)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (apsw.FullError(), DiskFull),
        (apsw.ReadOnlyError(), ReadOnlyDisk),
        (apsw.IOError(), DiskFailed),
        (apsw.CorruptError(), LocalCorrupt),
        (apsw.NotADBError(), LocalCorrupt),
        (apsw.CantOpenError(), DiskFailed),
        (OSError(28, "full"), DiskFull),
        (OSError(30, "read-only"), ReadOnlyDisk),
        (OSError(13, "denied"), ReadOnlyDisk),
        (OSError(5, "input/output"), DiskFailed),
    ],
)
def test_each_fault_has_its_type_and_names_the_file(
    tmp_path: Path, error: Exception, kind: type[LocalError]
) -> None:
    with pytest.raises(LocalError) as raised, local_faults("write to", tmp_path / "a.db"):
        raise error
    assert type(raised.value) is kind
    assert (raised.value.operation, raised.value.key) == ("write to", str(tmp_path / "a.db"))
    assert raised.value.remedy


def test_every_setting_of_the_writing_connection_holds(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    create_database(path, ())
    with closing(open_writer(path)) as writer:
        assert writer.pragma("journal_mode") == "wal"
        assert writer.pragma("synchronous") == 2, "FULL"
        assert writer.pragma("journal_size_limit") == 1 << 20
