"""The meter beside a server's own count, and what it keeps across restarts, days and damage."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from benchmarks.network import Exchange, Proxy
from jobs.application import Application
from jobs.authority import OWNER
from jobs.backup_settings import BackupSettings
from jobs.configuration import Settings
from jobs.usage import Account
from prediction_tracking import MIGRATIONS, REPLICATED_TABLES
from replica.stores.s3 import S3Options, S3Store
from s3_storage import S3PredictionStorage
from tests.applications import published, running, settings_for
from tests.season_counts import BUCKET, DatedStore, ServerLog, counting_server, paid_versions
from tests.servers import s3_options
from tests.stores import ManualClock
from usage.cost import Operation, Usage, bill_of, stored_byte_months

BEGIN = datetime(2026, 11, 20, 14, tzinfo=UTC)
"""The morning of a day with games, Eastern time."""


@dataclass
class Counted:
    """A bucket behind a proxy: what the app says that it sent, and what arrived."""

    folder: Path
    reference_path: Path
    proxy: Proxy
    server: ServerLog
    clock: ManualClock
    stores: list[DatedStore]

    @property
    def options(self) -> S3Options:
        return s3_options(self.proxy.url, BUCKET)

    @contextmanager
    def app(self, name: str = "a") -> Iterator[Application]:
        settings = replace(
            settings_for(self.folder / name, self.reference_path, self.options),
            backups=BackupSettings(daily=True),
        )
        with running(settings, self.clock) as application:
            published(application)
            yield application

    def turn(self, application: Application, **duration: float) -> None:
        """What the timer does, a while later; anything that fails ends the test."""
        self.clock.advance(**duration)
        application.tick()
        published(application)
        application.safekeeping.run()
        published(application)
        error = application.saved_state().job_error
        if error is not None:
            raise error

    def looks(self, application: Application, times: int) -> None:
        """What is left of a turn when nothing is due."""
        assert application._state is not None
        for _ in range(times):
            application._state.replica.tick()

    def arrived(self) -> list[Exchange]:
        return self.proxy.exchanges()

    def requests(self) -> dict[Operation, int]:
        found = dict.fromkeys(Operation, 0)
        for one in self.arrived():
            found[Operation.LIST if not one.key else Operation(one.method)] += 1
        return found

    def account(self, application: Application) -> Account:
        return application.meter.account(OWNER)


@pytest.fixture
def counted(
    tmp_path: Path, reference_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Counted]:
    clock = ManualClock(BEGIN)
    stores: list[DatedStore] = []

    def open_storage(settings: Settings) -> S3PredictionStorage:
        assert isinstance(settings.store, S3Options)
        store = DatedStore(S3Store(settings.store), clock)
        if stores:
            store._times = stores[0]._times
            store.changes = stores[0].changes
        stores.append(store)
        return S3PredictionStorage(store, migrations=MIGRATIONS, tables=REPLICATED_TABLES)

    monkeypatch.setattr("jobs.state.open_storage", open_storage)
    with counting_server(tmp_path) as (url, server), Proxy(url) as proxy:
        yield Counted(tmp_path, reference_path, proxy, server, clock, stores)


def test_some_days_of_use_are_counted_as_the_server_counts_them(counted: Counted) -> None:
    """Three days: starts on an empty disk, a restart on the same one, backups and listings."""
    for name, turns in (("a", 2), ("b", 4), ("b", 1)):
        with counted.app(name) as application:
            for _ in range(turns):
                counted.looks(application, 20)
                counted.turn(application, hours=7)
            application.back_up(OWNER)
            counted.turn(application, minutes=5)
            account = counted.account(application)
            arrived = counted.requests()
            received = sum(one.answer_body_bytes for one in counted.arrived())
            sent = sum(one.request_body_bytes for one in counted.arrived())
    month, total = account.month, sum(arrived.values())
    assert total > 250
    # What a process sends as it ends, after its last row, is all that may be missing.
    assert sum(month.usage.requests.values()) == pytest.approx(total, rel=0.02)
    for operation in (Operation.PUT, Operation.LIST, Operation.GET):
        assert abs(month.usage.requests[operation] - arrived[operation]) <= 4
    assert month.usage.sent_bytes == pytest.approx(received, rel=0.02)
    assert month.counts.total.sent_bytes == pytest.approx(sent, rel=0.02)
    # The server's own log has the same as the proxy, and storage is what was really there.
    now = counted.requests()
    assert counted.server.read() == {name.value: count for name, count in now.items() if count}
    changes = counted.stores[0].changes
    stored = stored_byte_months(paid_versions(changes, rules=False), BEGIN, counted.clock.now)
    expected = bill_of(Usage(arrived, stored, received))
    assert month.bill.total_usd == pytest.approx(expected.total_usd, rel=0.02)
    assert account.storage is not None
    assert account.storage.has_older
