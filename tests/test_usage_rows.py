"""What the meter keeps: a file on this disk, a row for each writer and day, a listing a day."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from jobs.authority import OWNER, VISITOR
from jobs.errors import NotPermitted, NotReady
from jobs.state import State
from jobs.usage import Meter, NothingIsCounted
from jobs.usage_file import read_noted, usage_file
from replica import (
    DiskFull,
    LocalError,
    ObjectStore,
    PutMode,
    StoreUnreachable,
    WritesStopped,
)
from replica.stores.s3 import S3Options
from replica.stores.s3_requests import S3Request
from replica.stores.s3_versions import KeptVersion
from tests.applications import settings_for
from tests.backup_machines import Machine, machine
from tests.servers import s3_options
from tests.stores import ManualClock, MemoryStore, denied
from tracking.image_catalogue import write_image_day
from tracking.usage_catalogue import UsageRow, usage_rows, write_usage
from usage.cost import Operation
from usage.days import WriterDay
from usage.storage import Stored

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
TODAY = NOON.date()
DAY = timedelta(days=1)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOON)


@pytest.fixture
def store(clock: ManualClock) -> MemoryStore:
    return MemoryStore(clock)


class Metered:
    """A machine and the meter of one process on it."""

    def __init__(
        self,
        folder: Path,
        one: Machine,
        clock: ManualClock,
        *,
        export_bucket: str | None = None,
    ) -> None:
        settings = settings_for(folder, None, s3_options(None, "bucket"))
        settings = replace(settings, export_bucket=export_bucket)
        self.machine = one
        self.ready = True
        self.meter = Meter(settings, clock, self._state)
        options = self.meter.counted(settings).store
        assert isinstance(options, S3Options)
        assert options.on_request is not None
        self._told = options.on_request
        self.path = usage_file(settings.database_path)

    def _state(self, operation: str) -> State:
        if not self.ready:
            raise NotReady(operation, "state", "It is not here.", "Wait.")
        return self.machine.state

    def send(self, times: int, operation: str = "GetObject", key: str = "log/1") -> None:
        for _ in range(times):
            self._told(S3Request(operation, f"predictions/{key}", 10, 100, 0.02, 200))

    def end(self) -> None:
        """As a process that is more than a look."""
        self.meter.writes_at_end = True
        self.meter.finish()

    def rows(self) -> list[UsageRow]:
        with self.machine.replica.read() as connection:
            return usage_rows(connection, TODAY - 1000 * DAY)

    def gets(self) -> list[int]:
        """Of each row, oldest day first."""
        return [
            WriterDay.of_text(one.figures).counts.requests(Operation.GET) for one in self.rows()
        ]

    def transactions(self) -> int:
        """How many have written rows."""
        return sum(len(WriterDay.of_text(one.figures).transactions) for one in self.rows())

    def counted(self) -> int:
        """What the page shows."""
        return self.meter.account(OWNER).month.usage.requests[Operation.GET]


@pytest.fixture
def one(tmp_path: Path, store: MemoryStore, clock: ManualClock) -> Iterator[Metered]:
    with machine(tmp_path / "one", store, clock) as opened:
        yield Metered(tmp_path / "one", opened, clock)


def test_a_row_is_written_every_six_hours_and_no_more_often(
    one: Metered, clock: ManualClock
) -> None:
    one.send(5)
    one.meter.list_storage(OWNER)
    assert one.gets() == [5], "a listing that was asked for is kept at once"
    for _ in range(5):
        clock.advance(hours=1)
        one.send(1)
        one.meter.keep()
    assert one.gets() == [5]
    clock.advance(hours=1)
    one.meter.keep()
    assert one.gets() == [10]
    assert one.counted() == 10


def test_a_day_has_its_last_word_when_it_is_over(one: Metered, clock: ManualClock) -> None:
    one.send(5)
    clock.advance(hours=5)
    one.meter.keep()
    one.send(2)
    clock.advance(hours=8)
    one.send(1)
    one.meter.keep()
    assert [row.day for row in one.rows()] == [TODAY, TODAY + DAY], "the listing is the new day's"
    assert one.gets() == [7, 1]
    assert one.counted() == 8
    assert [*read_noted(one.path).days] == [TODAY + DAY], "what is over is no more in the file"


def test_a_restart_goes_on(
    one: Metered, tmp_path: Path, clock: ManualClock, store: MemoryStore
) -> None:
    one.send(5)
    one.meter.keep()
    # Killed here; what was counted since the last turn is all that is lost.
    one.send(3)
    again = Metered(tmp_path / "one", one.machine, clock)
    again.send(2)
    assert again.counted() == 7
    again.end()
    # With the row's own way into the log.
    assert again.gets() == [8]
    assert again.counted() == 8


def test_copies_of_the_app_have_rows_of_their_own_and_one_bill(
    one: Metered, tmp_path: Path, clock: ManualClock, store: MemoryStore
) -> None:
    one.send(5)
    one.end()
    one.machine.replica.sync_now()
    with machine(tmp_path / "two", store, clock) as opened:
        two = Metered(tmp_path / "two", opened, clock)
        two.send(10)
        assert two.counted() == 16
        two.end()
        opened.replica.sync_now()
        one.machine.replica.sync_now()
        assert sorted(one.gets()) == [6, 11]
        assert len({row.writer_id for row in one.rows()}) == 2


def test_what_only_looked_leaves_nothing_in_the_log(one: Metered) -> None:
    one.send(5)
    one.meter.finish()
    assert one.rows() == []
    assert read_noted(one.path).days[TODAY].counts.requests(Operation.GET) == 5
    one.send(1, "PutObject")
    one.meter.finish()
    assert one.gets() == [6]


def test_the_last_row_is_foreseen_once_and_only_if_it_is_written(
    one: Metered, monkeypatch: pytest.MonkeyPatch
) -> None:
    one.send(5)

    def stopped() -> None:
        raise WritesStopped("write to", "the file")

    with monkeypatch.context() as patch:
        patch.setattr(one.machine.replica, "transaction", stopped)
        one.end()
    assert one.counted() == 5
    assert read_noted(one.path).days[TODAY].counts.requests(Operation.GET) == 5
    one.end()
    one.end()
    assert one.gets() == [6]
    assert one.counted() == 6


def test_a_process_whose_history_never_came_ends_quietly(one: Metered) -> None:
    one.send(5)
    one.ready = False
    one.end()
    with pytest.raises(NotReady):
        one.meter.keep()
    assert not one.path.exists(), "the file is that of whoever has the state open"


def test_the_bucket_is_listed_once_a_day_by_one_copy(
    one: Metered, tmp_path: Path, clock: ManualClock, store: MemoryStore
) -> None:
    one.meter.keep()
    assert one.meter.account(OWNER).storage is None, "not in the first minutes"
    clock.advance(minutes=10)
    one.meter.keep()
    storage = one.meter.account(OWNER).storage
    assert storage is not None
    assert storage.at == clock.now
    assert storage.parts["log"].current_objects == len(store.keys("log/"))
    assert len(one.rows()) == 1, "others have to know"
    one.machine.replica.sync_now()
    with machine(tmp_path / "two", store, clock) as opened:
        two = Metered(tmp_path / "two", opened, clock)
        clock.advance(hours=12)
        store.requests.clear()
        two.meter.keep()
        assert ("list", "") not in store.requests
        clock.advance(hours=12)
        two.meter.keep()
        assert store.requests.count(("list", "")) == 1


class Versioned(MemoryStore):
    """A bucket with an older version; `refuses` is why it does not list it."""

    refuses: Exception | None = None

    def kept_versions(self, prefix: str) -> list[KeptVersion]:
        if self.refuses is not None:
            raise self.refuses
        now = [KeptVersion(info.key, info.size_bytes, True) for info in self.list(prefix)]
        return [*now, KeptVersion("head.json", 50, False)]


def test_older_versions_are_listed_where_that_is_allowed(
    tmp_path: Path, clock: ManualClock
) -> None:
    store = Versioned(clock)
    with machine(tmp_path / "one", store, clock) as opened:
        one = Metered(tmp_path / "one", opened, clock)
        found = one.meter.list_storage(OWNER)
        assert found.has_older
        assert (found.parts["snapshots"].older_bytes, found.total.older_objects) == (50, 1)
        store.refuses = denied("list")
        found = one.meter.list_storage(OWNER)
        assert not found.has_older
        assert found.total == Stored(found.total.current_bytes, len(store.keys("")))
        # What can be tried again is not taken for a refusal.
        store.refuses = StoreUnreachable("list", "…")
        with pytest.raises(StoreUnreachable):
            one.meter.list_storage(OWNER)


def test_a_service_that_passes_over_the_question_for_versions(
    tmp_path: Path, clock: ManualClock
) -> None:
    class PlainListing(Versioned):
        def kept_versions(self, prefix: str) -> list[KeptVersion]:
            return []

    store = PlainListing(clock)
    with machine(tmp_path / "one", store, clock) as opened:
        found = Metered(tmp_path / "one", opened, clock).meter.list_storage(OWNER)
        assert not found.has_older
        assert found.total.current_objects == len(store.keys("")) > 0


def test_a_listing_that_fails_keeps_no_row_away_and_is_tried_once_an_hour(
    tmp_path: Path, clock: ManualClock
) -> None:
    store = Versioned(clock)
    asked = []

    def refuse(prefix: str) -> list[KeptVersion]:
        asked.append(clock.now)
        raise StoreUnreachable("list", "…")

    store.kept_versions = refuse  # type: ignore[method-assign]
    with machine(tmp_path / "one", store, clock) as opened:
        one = Metered(tmp_path / "one", opened, clock)
        one.send(5)
        for minutes in (*[5] * 24, *[60] * 5):
            clock.advance(minutes=minutes)
            with suppress(StoreUnreachable):
                one.meter.keep()
        assert one.gets() == [5], "a turn with a failure writes it, too"
        assert len(asked) == 2 + 5


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b"[]", b'{"format": 9}'])
def test_a_damaged_file_is_put_aside_and_said_so(
    one: Metered, tmp_path: Path, clock: ManualClock, content: bytes
) -> None:
    one.send(5)
    one.end()
    one.path.write_bytes(content)
    again = Metered(tmp_path / "one", one.machine, clock)
    again.send(2)
    account = again.meter.account(OWNER)
    assert account.month.usage.requests[Operation.GET] == 8, "the row of before still counts"
    assert "usage.json.damaged" in account.remark
    assert one.path.with_name("usage.json.damaged").read_bytes() == content
    again.end()
    assert sorted(again.gets()) == [3, 6]


def test_a_full_disk_is_told_and_counting_goes_on(
    one: Metered, monkeypatch: pytest.MonkeyPatch
) -> None:
    one.send(5)
    one.meter.keep()
    before = one.path.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("jobs.replacing.os.fsync", full)
        one.send(5)
        with pytest.raises(LocalError) as caught:
            one.meter.keep()
        assert isinstance(caught.value, DiskFull)
        one.end()
    assert one.path.read_bytes() == before
    assert [path.name for path in one.path.parent.glob("usage.json*")] == ["usage.json"]
    one.meter.keep()
    assert one.counted() == 10, "without the way of a row that was not written"
    assert json.loads(one.path.read_text())["days"][TODAY.isoformat()]["requests"]["log"]["GET"][0]


def test_a_clock_that_goes_back_stops_nothing(one: Metered, clock: ManualClock) -> None:
    one.send(5)
    one.meter.list_storage(OWNER)
    clock.advance(days=-3)
    one.send(2)
    one.meter.keep()
    assert [row.day for row in one.rows()] == [TODAY - 3 * DAY], "what was ahead is today's"
    assert one.gets() == [7]
    assert one.counted() == 7
    written = one.transactions()
    for _ in range(50):
        clock.advance(minutes=5)
        one.meter.keep()
    assert one.transactions() == written


def test_a_clock_that_was_a_day_ahead_writes_no_row_at_each_turn(
    one: Metered, clock: ManualClock
) -> None:
    one.send(5)
    one.meter.list_storage(OWNER)
    clock.advance(days=-1)
    one.send(2)
    one.meter.keep()
    assert one.gets() == [2, 5]
    written = one.transactions()
    for _ in range(50):
        clock.advance(minutes=5)
        one.meter.keep()
    assert one.transactions() == written


@pytest.mark.parametrize(("ahead", "listings"), [(12, 0), (5 * 24, 1)], ids=["hours", "days"])
def test_a_copy_whose_clock_is_ahead_makes_the_others_list_no_more_often(
    one: Metered,
    tmp_path: Path,
    clock: ManualClock,
    store: MemoryStore,
    ahead: int,
    listings: int,
) -> None:
    with machine(tmp_path / "two", store, clock) as opened:
        two = Metered(tmp_path / "two", opened, ManualClock(clock.now + timedelta(hours=ahead)))
        two.send(1)
        two.meter.list_storage(OWNER)
        opened.replica.sync_now()
    one.machine.replica.sync_now()
    clock.advance(minutes=10)
    store.requests.clear()
    for _ in range(50):
        clock.advance(minutes=5)
        one.meter.keep()
    assert store.requests.count(("list", "")) == listings
    storage = one.meter.account(OWNER).storage
    assert storage is not None
    assert (storage.at <= clock.now) == (listings > 0), "the future's only where there is no other"


def test_rows_of_long_ago_are_let_go(one: Metered) -> None:
    with one.machine.replica.transaction() as transaction:
        write_usage(
            transaction,
            [
                UsageRow(TODAY - timedelta(days=days), "f" * 32, WriterDay(NOON).text())
                for days in (401, 399)
            ],
        )
    one.end()
    one.meter.list_storage(OWNER)
    assert [row.day for row in one.rows()] == [TODAY - timedelta(days=399), TODAY]


def test_what_was_used_is_nothing_to_back_up(one: Metered, clock: ManualClock) -> None:
    one.machine.write("g1")
    one.machine.backups.make(OWNER)
    for _ in range(3):
        clock.advance(days=1)
        one.send(1)
        one.meter.keep()
        assert not one.machine.backups.is_due(), "while it is pending"
        one.machine.replica.sync_now()
        assert not one.machine.backups.is_due()
        with one.machine.replica.transaction() as transaction:
            write_image_day(transaction, TODAY, "a" * 32, {"shown": 1})
        assert not one.machine.backups.is_due(), "nor how often pictures were shown"
        one.machine.replica.sync_now()
        assert not one.machine.backups.is_due()
    assert len(one.rows()) >= 3
    one.machine.write("g2")
    assert one.machine.backups.is_due()


def test_only_the_owner_is_told(one: Metered) -> None:
    with pytest.raises(NotPermitted):
        one.meter.account(VISITOR)
    with pytest.raises(NotPermitted):
        one.meter.list_storage(VISITOR)


def test_a_folder_is_not_counted(tmp_path: Path, clock: ManualClock, store: MemoryStore) -> None:
    settings = settings_for(tmp_path / "a", None)

    def state(operation: str) -> State:
        raise AssertionError("nobody has to ask for it")

    meter = Meter(settings, clock, state)
    assert not meter.is_on
    assert meter.counted(settings) is settings
    meter.keep()
    meter.finish()
    with pytest.raises(NothingIsCounted, match="costs nothing"):
        meter.account(OWNER)


def test_buckets_beside_the_states_are_listed_too(
    tmp_path: Path, clock: ManualClock, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = MemoryStore(clock)

    def beside(_: object, own: ObjectStore, name: str | None) -> ObjectStore:
        return other if name == "exports" else own

    monkeypatch.setattr("jobs.stock.side_store", beside)
    with machine(tmp_path / "one", store, clock) as opened:
        one = Metered(tmp_path / "one", opened, clock, export_bucket="exports")
        other.put("exports/x/file.csv", b"12345", PutMode.CREATE)
        other.requests.clear()
        found = one.meter.list_storage(OWNER)
        assert found.parts["exports"] == Stored(5, 1)
        assert other.requests == [("list", "exports/")], "the key may see no more than that"
        assert found.parts["log"].current_objects == len(store.keys("log/"))
        assert found.unlisted == ()

        def refuse(verb: str, key: str) -> None:
            raise denied(verb, key)

        # Its name is misspelt, say: what is known is kept, and a day later is soon enough.
        other.before = refuse
        other.requests.clear()
        one.send(3)
        clock.advance(hours=24)
        for _ in range(12 * 7):
            clock.advance(minutes=5)
            one.meter.keep()
        assert len(other.requests) <= 1
        assert sum(one.gets()) == 3
        storage = one.meter.account(OWNER).storage
        assert storage is not None
        assert storage.unlisted == ("exports",)
        assert storage.parts["log"].current_objects > 0
