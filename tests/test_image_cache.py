"""Pictures in memory and on disk: limits hold, what is old goes, a bad disk says so."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from images.decoding import Picture
from images.disk import PicturesOnDisk
from images.errors import CacheUnusable
from images.memory import TIME_TO_LIVE, Held, PicturesInMemory

REFUSED = """
import os, resource, sys
from datetime import UTC, datetime
from pathlib import Path
from images.disk import PicturesOnDisk
from images.errors import CacheUnusable
now, image_id = datetime(2026, 11, 20, tzinfo=UTC), "1" * 64
def attempt(folder):
    disk = PicturesOnDisk(Path(folder), 10**6)
    try:
        disk.put(image_id, b"x" * 5000, now, now)
    except CacheUnusable as error:
        print(error.problem, disk.get(image_id, now), sorted(os.listdir(folder)), flush=True)
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
attempt(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
os.chmod(sys.argv[1], 0o555)
if os.geteuid() == 0:
    # Permissions do not hold the superuser back.
    os.setuid(65534)
attempt(sys.argv[1])
# A tool that writes its report at exit may not do so as this user.
os._exit(0)
"""

NOW = datetime(2026, 11, 20, 18, tzinfo=UTC)
ONE, TWO, THREE = ("1" * 64, "2" * 64, "3" * 64)


def held(size_bytes: int) -> Held:
    return Held(Picture(b"x" * size_bytes, 1, 1, ""), NOW)


def test_memory_lets_go_of_what_was_not_looked_at_longest() -> None:
    memory = PicturesInMemory(most_bytes=100)
    memory.put(ONE, held(40))
    memory.put(TWO, held(40))
    assert memory.get(ONE) is not None
    memory.put(THREE, held(40))
    assert memory.get(TWO) is None
    assert memory.get(ONE) is not None
    assert memory.size_bytes == 80
    memory.put(ONE, held(10))
    assert memory.size_bytes == 50
    memory.put(TWO, held(101))
    assert (len(memory), memory.size_bytes) == (0, 0)


def test_a_picture_is_fresh_for_a_month() -> None:
    assert held(1).is_fresh(NOW + TIME_TO_LIVE - timedelta(seconds=1))
    assert not held(1).is_fresh(NOW + TIME_TO_LIVE)


def test_the_disk_keeps_bytes_and_their_age(tmp_path: Path) -> None:
    disk = PicturesOnDisk(tmp_path / "images", most_bytes=1000)
    assert disk.get(ONE, NOW) is None
    disk.put(ONE, b"body", NOW - timedelta(days=3), NOW)
    found = PicturesOnDisk(tmp_path / "images", most_bytes=1000).get(ONE, NOW)
    assert found is not None
    assert (found.body, found.fetched_at) == (b"body", NOW - timedelta(days=3))
    disk.remove(ONE)
    disk.remove(ONE)
    assert disk.get(ONE, NOW) is None


def test_the_disk_lets_go_of_what_was_not_read_longest(tmp_path: Path) -> None:
    disk = PicturesOnDisk(tmp_path, most_bytes=100)
    later = [NOW + timedelta(minutes=minute) for minute in range(4)]
    disk.put(ONE, b"1" * 40, NOW, later[0])
    disk.put(TWO, b"2" * 40, NOW, later[1])
    assert disk.get(ONE, later[2]) is not None
    # What a killed process left counts too, and goes.
    (tmp_path / ".partial-0").write_bytes(b"0" * 30)
    os.utime(tmp_path / ".partial-0", (NOW.timestamp() - 60, NOW.timestamp()))
    (tmp_path / "folder").mkdir()
    disk.put(THREE, b"3" * 40, NOW, later[3])
    assert sorted(path.name[:2] for path in tmp_path.iterdir()) == ["11", "33", "fo"]


def test_an_id_is_no_path(tmp_path: Path) -> None:
    disk = PicturesOnDisk(tmp_path, most_bytes=100)
    for bad in ("../" * 20 + "1" * 4, "1" * 63, "G" * 64, "1" * 64 + "\n"):
        with pytest.raises(ValueError, match="not an image's id"):
            disk.get(bad, NOW)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "The disk is full. Free some space."),
        (errno.EDQUOT, "The disk is full."),
        (errno.EROFS, "This user may not write there."),
        (errno.EACCES, "This user may not write there."),
        (errno.EIO, "The disk says: "),
    ],
)
def test_a_disk_that_takes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, words: str
) -> None:
    def fails(*arguments: object) -> int:
        raise OSError(number, os.strerror(number))

    disk = PicturesOnDisk(tmp_path, most_bytes=100)
    disk.put(ONE, b"1", NOW, NOW)
    monkeypatch.setattr(Path, "write_bytes", fails)
    with pytest.raises(CacheUnusable) as unusable:
        disk.put(TWO, b"2", NOW, NOW)
    assert words in str(unusable.value)
    assert "kept in memory and in the bucket" in unusable.value.remedy
    assert str(tmp_path) in str(unusable.value)
    assert disk.get(ONE, NOW) is not None
    assert [path.name[0] for path in tmp_path.iterdir()] == ["1"]


def test_a_disk_that_is_full_and_a_folder_that_is_read_only() -> None:
    """As the operating system says it; each in spite of the superuser who may run this."""
    with tempfile.TemporaryDirectory() as folder:
        answer = subprocess.run(
            [sys.executable, "-c", REFUSED, folder],
            capture_output=True,
            text=True,
            timeout=30,
            cwd=Path(__file__).parent.parent,
            check=False,
        )
    assert answer.stderr == ""
    assert answer.stdout.splitlines() == [
        "The disk is full. None []",
        "This user may not write there. None []",
    ]


def test_a_file_where_the_folder_belongs(tmp_path: Path) -> None:
    (tmp_path / "images").write_text("")
    disk = PicturesOnDisk(tmp_path / "images", most_bytes=100)
    assert disk.get(ONE, NOW) is None
    with pytest.raises(CacheUnusable, match="Look at the folder"):
        disk.put(ONE, b"1", NOW, NOW)
