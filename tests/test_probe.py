"""Whether a store creates an object only once: found out before anything depends on it."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from replica.errors import (
    AccessDenied,
    ObjectExists,
    StoreError,
    StoreRejected,
    StoreThrottled,
    StoreUnreachable,
)
from replica.probe import StoreMode, probe_store
from replica.store import ObjectInfo, ObjectStore, PutMode
from replica.stores.folder import FolderStore
from replica.stores.s3 import S3Store
from tests.servers import s3_options
from tests.stores import ManualClock, MemoryStore, denied

pytestmark = pytest.mark.usefixtures("no_ambient_aws", "shared_service_descriptions")

RACERS = 8
LARGE_BYTES = 50_000


class MemoryVariant(MemoryStore):
    """A store in memory, to be made worse."""

    def __init__(self) -> None:
        super().__init__(ManualClock())


@pytest.fixture(params=["moto", "ministack", "folder"])
def real_store(
    request: pytest.FixtureRequest, tmp_path: Path, new_bucket: Callable[[str], str]
) -> ObjectStore:
    if request.param == "folder":
        return FolderStore(tmp_path / "store")
    url = request.getfixturevalue(f"{request.param}_endpoint")
    return S3Store(s3_options(url, new_bucket(url)))


def test_a_store_that_creates_once_is_trusted(real_store: ObjectStore) -> None:
    result = probe_store(real_store, Random(1))
    assert (result.mode, result.findings) == (StoreMode.MULTI_WRITER, ())
    assert real_store.list("") == [], "nothing is left behind"


def test_a_second_probe_is_not_disturbed_by_the_first(real_store: ObjectStore) -> None:
    real_store.put("log/1", b"not the probe's", PutMode.CREATE)
    for _ in range(2):
        assert probe_store(real_store, Random()).mode is StoreMode.MULTI_WRITER
    assert [info.key for info in real_store.list("")] == ["log/1"]


def single_writer(store: MemoryStore, finding: str) -> None:
    result = probe_store(store, Random(1))
    assert result.mode is StoreMode.SINGLE_WRITER
    assert [finding in text for text in result.findings] == [True], result.findings
    assert store.objects == {}


def test_a_store_that_ignores_the_condition_is_found_out() -> None:
    class Careless(MemoryVariant):
        def put(self, key: str, body: bytes, mode: PutMode) -> ObjectInfo:
            return super().put(key, body, PutMode.OVERWRITE)

    single_writer(Careless(), "overwrites what exists")


@pytest.mark.parametrize("from_size_bytes", [0, LARGE_BYTES])
def test_a_store_in_which_several_racers_win_is_found_out(from_size_bytes: int) -> None:
    class Racy(MemoryVariant):
        """Looks and writes in two steps; all racers look before any of them writes."""

        looked = threading.Barrier(RACERS, timeout=20)
        first_key = ""

        def put(self, key: str, body: bytes, mode: PutMode) -> ObjectInfo:
            self.first_key = self.first_key or key
            if key == self.first_key or len(body) < from_size_bytes:
                return super().put(key, body, mode)
            if key in self.objects:
                raise ObjectExists("put", key)
            self.looked.wait()
            return super().put(key, body, PutMode.OVERWRITE)

    single_writer(Racy(), f"Of {RACERS} creates at once the store let {RACERS} win")


def test_a_store_that_keeps_a_losers_bytes_is_found_out() -> None:
    class Mixed(MemoryVariant):
        """Answers rightly and stores what came last."""

        def put(self, key: str, body: bytes, mode: PutMode) -> ObjectInfo:
            try:
                return super().put(key, body, mode)
            except ObjectExists:
                if len(self.objects) > 1:
                    super().put(key, body, PutMode.OVERWRITE)
                raise

    single_writer(Mixed(), "not the one whose create won")


def test_a_store_that_refuses_and_changes_is_found_out() -> None:
    class Changing(MemoryVariant):
        def put(self, key: str, body: bytes, mode: PutMode) -> ObjectInfo:
            taken = key in self.objects
            info = super().put(key, body, PutMode.OVERWRITE)
            if taken:
                raise ObjectExists("put", key)
            return info

    single_writer(Changing(), "changed the object all the same")


def rejection(verb: str, key: str) -> StoreRejected:
    return StoreRejected(verb, key, "Use another store.", "NotImplemented, HTTP 501")


def test_a_store_without_conditions_has_one_writer() -> None:
    class Plain(MemoryVariant):
        def put(self, key: str, body: bytes, mode: PutMode) -> ObjectInfo:
            if mode is PutMode.CREATE:
                raise rejection("put", key)
            return super().put(key, body, mode)

    single_writer(Plain(), "does not support conditional creates (NotImplemented, HTTP 501)")


def test_a_store_that_never_says_that_an_object_exists_has_one_writer() -> None:
    class Vague(MemoryVariant):
        def put(self, key: str, body: bytes, mode: PutMode) -> ObjectInfo:
            if mode is PutMode.CREATE and key in self.objects:
                raise rejection("put", key)
            return super().put(key, body, mode)

    single_writer(Vague(), "does not say that an object exists")


def test_a_store_that_rejects_some_of_many_has_one_writer() -> None:
    class Crowded(MemoryVariant):
        def put(self, key: str, body: bytes, mode: PutMode) -> ObjectInfo:
            if len(self.objects) > 1 and key in self.objects:
                raise rejection("put", key)
            return super().put(key, body, mode)

    single_writer(Crowded(), "refused a create among several at once")


def test_a_store_that_refuses_to_create_at_all_has_one_writer() -> None:
    class Contrary(MemoryVariant):
        def put(self, key: str, body: bytes, mode: PutMode) -> ObjectInfo:
            raise ObjectExists("put", key)

    single_writer(Contrary(), "refuses to create an object that does not exist")


def test_a_create_that_meets_itself_proves_nothing_bad() -> None:
    store = MemoryVariant()
    store.fail("put", error=ObjectExists("put", "probe/…"), after_effect=True)
    assert probe_store(store, Random(1)).mode is StoreMode.MULTI_WRITER


def test_deletes_that_are_refused_are_told_and_change_nothing_else() -> None:
    class Keeping(MemoryVariant):
        def delete(self, key: str) -> None:
            raise AccessDenied("delete", key, "s3:DeleteObject")

    store = Keeping()
    result = probe_store(store, Random(1))
    assert result.mode is StoreMode.MULTI_WRITER
    assert len(result.findings) == 1
    assert "s3:DeleteObject" in result.findings[0]
    assert all(key.startswith("probe/") for key in store.objects)


def test_nothing_is_concluded_from_a_store_that_is_read_only() -> None:
    class ReadOnly(MemoryVariant):
        def put(self, key: str, body: bytes, mode: PutMode) -> ObjectInfo:
            self.requests.append(("put", key))
            raise denied("put", key)

    store = ReadOnly()
    with pytest.raises(AccessDenied, match="s3:PutObject"):
        probe_store(store, Random(1))
    assert len(store.requests) == 1


def test_nothing_is_concluded_from_a_store_that_takes_no_object_at_all() -> None:
    class Full(MemoryVariant):
        def put(self, key: str, body: bytes, mode: PutMode) -> ObjectInfo:
            raise StoreRejected("put", key, "Free space in the store.", "QuotaExceeded")

    with pytest.raises(StoreRejected, match="Free space"):
        probe_store(Full(), Random(1))


def test_nothing_is_concluded_from_a_store_that_is_away() -> None:
    store = MemoryVariant()
    store.away = True
    with pytest.raises(StoreUnreachable):
        probe_store(store, Random(1))
    assert len(store.requests) == 1, "it is not asked again for the sake of tidying up"


@pytest.mark.parametrize(
    ("verb", "number"), [("put", 1), ("put", 2), ("put", 3), ("put", 50), ("get", 1), ("get", 7)]
)
def test_a_probe_that_breaks_off_tidies_up(verb: str, number: int) -> None:
    store, asked = MemoryVariant(), itertools.count(1)

    def refuse(asked_verb: str, key: str) -> None:
        if asked_verb == verb and next(asked) == number:
            raise denied(verb, key)

    store.before = refuse
    with pytest.raises(AccessDenied):
        probe_store(store, Random(1))
    assert store.objects == {}


def when_the_race_begins(store: MemoryStore, do: Callable[[], None]) -> None:
    """The sequence ends with reading the object."""

    def hook(verb: str, key: str) -> None:
        if verb == "get":
            store.before = lambda verb, key: None
            do()

    store.before = hook


@pytest.mark.parametrize("error", [StoreThrottled("put", "x"), StoreUnreachable("put", "x")])
@pytest.mark.parametrize("after_effect", [False, True])
def test_a_racer_without_an_answer_has_neither_won_nor_lost(
    error: StoreError, after_effect: bool
) -> None:
    store = MemoryVariant()

    def drop_three() -> None:
        for _ in range(3):
            store.fail("put", error=error, after_effect=after_effect)

    when_the_race_begins(store, drop_three)
    assert probe_store(store, Random(1)).mode is StoreMode.MULTI_WRITER
    assert store.faults == []


def test_all_racers_are_there_before_one_begins() -> None:
    store = MemoryVariant()
    racers: set[int] = set()

    def count(verb: str, key: str) -> None:
        if threading.current_thread() is not threading.main_thread():
            racers.add(sum(t.name.startswith("replica-probe") for t in threading.enumerate()))

    store.before = count
    probe_store(store, Random(1))
    assert racers == {RACERS}


def test_a_race_without_any_answer_proves_nothing() -> None:
    store = MemoryVariant()

    def drop_all() -> None:
        for _ in range(RACERS):
            store.fail("put", error=StoreThrottled("put", "x"))

    when_the_race_begins(store, drop_all)
    with pytest.raises(StoreThrottled):
        probe_store(store, Random(1))
    assert store.objects == {}
