"""A folder that behaves as a bucket does."""

import multiprocessing
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from replica.errors import (
    AccessDenied,
    BucketMissing,
    ObjectExists,
    ObjectNotFound,
    StoreRejected,
)
from replica.store import PutMode, VersionedStore
from replica.stores.folder import FolderStore


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "store")


def test_what_is_put_is_got_with_the_time_of_the_put(store: FolderStore) -> None:
    put = store.put("a/b.txt", b"hello", PutMode.CREATE)
    got = store.get("a/b.txt")
    assert got.body == b"hello"
    assert got.info == put
    assert put.size_bytes == 5
    assert put.modified_at.tzinfo is UTC
    assert abs(put.modified_at - datetime.now(UTC)) < timedelta(minutes=1)


def test_create_never_changes_what_is_there(store: FolderStore) -> None:
    store.put("key", b"first", PutMode.CREATE)
    with pytest.raises(ObjectExists, match="key"):
        store.put("key", b"second", PutMode.CREATE)
    assert store.get("key").body == b"first"
    store.put("key", b"third", PutMode.OVERWRITE)
    assert store.get("key").body == b"third"


def test_missing_keys_are_missing(store: FolderStore) -> None:
    store.put("folder/key", b"", PutMode.CREATE)
    for key in ("nothing", "folder", "folder/key/below", "other/nothing"):
        with pytest.raises(ObjectNotFound):
            store.get(key)


def test_list_gives_sorted_keys_below_a_prefix_and_no_work_files(store: FolderStore) -> None:
    for key in ("b/2", "b/1", "b/c/3", "a", "bb"):
        store.put(key, b"x", PutMode.CREATE)
    (Path(store.location.removeprefix("folder ")) / "b" / ".partial-0").write_bytes(b"half")
    assert [info.key for info in store.list("")] == ["a", "b/1", "b/2", "b/c/3", "bb"]
    assert [info.key for info in store.list("b/")] == ["b/1", "b/2", "b/c/3"]
    assert [info.key for info in store.list("b")] == ["b/1", "b/2", "b/c/3", "bb"]
    assert store.list("zzz/") == []


@pytest.mark.parametrize(
    "key", ["", "/etc/passwd", "../outside", "a/../../b", "a//b", ".partial-x"]
)
def test_keys_stay_inside(store: FolderStore, key: str) -> None:
    with pytest.raises(ValueError, match="not a key"):
        store.put(key, b"", PutMode.OVERWRITE)


def test_a_folder_that_is_gone_is_not_an_empty_store(store: FolderStore, tmp_path: Path) -> None:
    (tmp_path / "store").rename(tmp_path / "unmounted")
    for use in (lambda: store.list(""), lambda: store.get("key")):
        with pytest.raises(BucketMissing):
            use()
    with pytest.raises(BucketMissing):
        store.put("key", b"", PutMode.CREATE)


def test_refusals_and_a_full_disk_are_told_apart(
    store: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put("key", b"", PutMode.CREATE)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", refuse)
        with pytest.raises(AccessDenied, match="read access") as refusal:
            store.get("key")
        assert refusal.value.operation == "get"
        with pytest.raises(AccessDenied, match="write access"):
            store.put("other", b"", PutMode.CREATE)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(StoreRejected, match="Free some space"):
            store.put("other", b"", PutMode.CREATE)
    assert [info.key for info in store.list("")] == ["key"]


def test_a_folder_keeps_no_versions(store: FolderStore) -> None:
    assert not isinstance(store, VersionedStore)


def test_an_entry_of_the_log_is_a_file(store: FolderStore, tmp_path: Path) -> None:
    store.put(f"log/{7:020d}", b"entry", PutMode.CREATE)
    assert (tmp_path / "store" / "log" / "00000000000000000007").read_bytes() == b"entry"


def test_deleting_is_refused_where_writing_is(
    store: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put("key", b"", PutMode.CREATE)

    monkeypatch.setattr(Path, "unlink", raising(PermissionError(13, "Permission denied")))
    with pytest.raises(AccessDenied, match="write access") as refusal:
        store.delete("key")
    assert (refusal.value.operation, refusal.value.key) == ("delete", "key")
    assert store.get("key").body == b""


def test_what_a_killed_process_left_is_removed_after_an_hour(
    store: FolderStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put("log/1", b"entry", PutMode.CREATE)
    old, young = (tmp_path / "store" / "log" / f".partial-{name}" for name in ("old", "young"))
    for path, age_seconds in ((old, 3700), (young, 3500)):
        path.write_bytes(b"half")
        modified_at = time.time() - age_seconds
        os.utime(path, (modified_at, modified_at))
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", raising(PermissionError(13, "Permission denied")))
        assert [info.key for info in store.list("log/")] == ["log/1"], "reading is enough"
    assert old.exists()
    assert [info.key for info in store.list("log/")] == ["log/1"]
    assert (old.exists(), young.exists()) == (False, True)


def test_an_object_that_goes_while_it_is_listed_is_not_listed(
    store: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in ("snapshots/1", "snapshots/2"):
        store.put(key, b"", PutMode.CREATE)
    original = Path.stat

    def gone(path: Path, **named: bool) -> os.stat_result:
        if path.name == "1":
            raise FileNotFoundError(2, "No such file or directory")
        return original(path, **named)

    monkeypatch.setattr(Path, "stat", gone)
    assert [info.key for info in store.list("snapshots/")] == ["snapshots/2"]


def raising(error: OSError) -> Callable[..., None]:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


def race(
    folder: Path,
    writer: int,
    start: Barrier,
    rounds: int,
    results: "Queue[tuple[int, list[int]]]",
) -> None:
    store = FolderStore(folder)
    won = []
    for number in range(rounds):
        start.wait(20)
        try:
            store.put(f"claims/{number}", bytes([writer]) * 1000, PutMode.CREATE)
            won.append(number)
        except ObjectExists:
            pass
    results.put((writer, won))


def test_of_several_processes_one_creates(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    start, results = spawn.Barrier(3), spawn.Queue()
    racers = [
        spawn.Process(target=race, args=(tmp_path / "store", writer, start, 40, results))
        for writer in range(3)
    ]
    for racer in racers:
        racer.start()
    wins = dict(results.get(timeout=120) for _ in racers)
    for racer in racers:
        racer.join(10)
    assert sorted(number for won in wins.values() for number in won) == list(range(40))
    store = FolderStore(tmp_path / "store")
    for writer, won in wins.items():
        for number in won:
            assert store.get(f"claims/{number}").body == bytes([writer]) * 1000
