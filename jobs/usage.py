"""What the app uses of its bucket: counted at each request, kept cheaply, made into a bill.

Counting costs no request. What this process has counted is in its memory, in a file beside the
state after each turn, and in one row for it and the day in the state: written every six hours, at
the day's end and when the process ends.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Final

from jobs.authority import Actor, require_owner
from jobs.clock import Clock
from jobs.configuration import Settings
from jobs.errors import JobError, NotReady
from jobs.state import State
from jobs.stock import list_stock
from jobs.usage_file import Noted, read_noted, usage_file, write_noted
from replica import ReplicaError
from replica.stores.s3 import S3Options
from replica.stores.s3_requests import S3Request
from tracking.usage_catalogue import (
    UsageRow,
    forget_usage,
    forget_usage_ahead,
    usage_rows,
    write_usage,
)
from usage.cost import Operation
from usage.counting import Tally, billed_as, part_of
from usage.days import UnreadableFigures, UsageDay, WriterDay, merged_days
from usage.month import Month, month_of
from usage.storage import Storage, credible

__all__ = ["Account", "Meter", "NothingIsCounted"]

_BETWEEN_ROWS: Final = timedelta(hours=6)
_BETWEEN_LISTINGS: Final = timedelta(days=1)
_AFTER_A_FAILED_LISTING: Final = timedelta(hours=1)
# Not in the first minutes of a process, whose visitors wait for other things.
_AFTER_START: Final = timedelta(minutes=10)
# The way of a process's last row into the log, when nothing more can be written about it: as
# `usage.cost_estimate` has it of a row.
_LAST_ROW: Final = {Operation.PUT: 1, Operation.LIST: 1, Operation.GET: 1}
_SHOWN: Final = timedelta(days=62)
_KEPT: Final = timedelta(days=400)
_NEVER: Final = datetime.min.replace(tzinfo=UTC)


class NothingIsCounted(JobError):
    """The state lives in a folder, which asks nobody for anything."""


@dataclass(frozen=True, slots=True)
class Account:
    """What is known of the use of the bucket.

    Attributes:
        month: the month so far.
        days: the last two months' days, oldest first, of all processes together.
        storage: the newest listing, None before the first.
        unreadable: how many rows were left out, because a later version wrote them.
        remark: what is missing of this machine's own count, "" if nothing is.
    """

    month: Month
    days: tuple[UsageDay, ...]
    storage: Storage | None
    unreadable: int
    remark: str


class Meter:
    """Counts what all clients of the bucket send. Any thread may use it.

    `state` gives the open state for an operation in words, or raises NotReady.

    Attributes:
        writes_at_end: whether `finish` writes a row: what only looked should leave nothing in the
            log. True by itself once something was put there.
    """

    def __init__(self, settings: Settings, clock: Clock, state: Callable[[str], State]) -> None:
        self.writes_at_end = False
        self._options = settings.store if isinstance(settings.store, S3Options) else None
        # With what the meter itself asks it counts, too.
        self._settings = self.counted(settings)
        self._clock = clock
        self._state = state
        self._path = usage_file(settings.database_path)
        self._began_at = self._now()
        self._counting = threading.Lock()
        self._days: dict[date, WriterDay] = {}
        # One at a time deals with file and rows; never held across a request.
        self._keeping = threading.Lock()
        self._noted: Noted | None = None
        self._has_finished = False
        self._listing_failed_at: datetime | None = None

    @property
    def is_on(self) -> bool:
        """Whether there is a bucket to count for."""
        return self._options is not None

    def counted(self, settings: Settings) -> Settings:
        """The settings with which every client that is made from them is counted here."""
        if self._options is None:
            return settings
        return replace(settings, store=replace(self._options, on_request=self._note))

    # What happens by itself ---------------------------------------------------------------------

    def save(self) -> None:
        """Put what was counted into the file. Raises NotReady, LocalError."""
        if self.is_on:
            # The file is that of whoever has the state open.
            self._state("keep the count of requests")
            with self._keeping:
                self._save()

    def keep(self) -> None:
        """Put what was counted into the file, and do what is due: a listing, rows.

        A listing that fails keeps no row from being written, and is tried again an hour later.
        Raises NotReady, LocalError and what a listing raises.
        """
        if not self.is_on:
            return
        self.save()
        state = self._state("keep the count of requests")
        try:
            if self._is_listing_due(state):
                self._list(state)
        finally:
            with self._keeping:
                now = self._now()
                self._write_rows(state, self._due(now), now)

    def finish(self) -> None:
        """Write what was counted as this process ends, once: its disk may go with it.

        A row if this process writes any, else the file alone. Does nothing where the state is not
        open, or takes no changes: what was counted before is in the file.
        """
        if not self.is_on or self._has_finished:
            return
        with suppress(NotReady, ReplicaError):
            state = self._state("keep the count of requests")
            with self._keeping:
                if self.writes_at_end:
                    self._write_last_row(state)
                    self._has_finished = True
                else:
                    self._save()

    # What the owner does ------------------------------------------------------------------------

    def account(self, actor: Actor) -> Account:
        """Everything that is known; no request.

        Raises NotPermitted, NotReady, NothingIsCounted, LocalError.
        """
        state, now = self._open(actor, "show what is used"), self._now()
        with self._keeping:
            noted = self._join()
        rows, unreadable = self._rows(state, noted, (now - _SHOWN).date())
        listings = credible([one.storage for _, one in rows if one.storage is not None], now)
        days = merged_days(rows)
        return Account(
            month=month_of(days, listings, now),
            days=tuple(days),
            storage=max(listings, key=lambda one: one.at, default=None),
            unreadable=unreadable,
            remark=noted.remark,
        )

    def list_storage(self, actor: Actor) -> Storage:
        """List the bucket now, and keep what was found.

        Raises NotPermitted, NotReady, NothingIsCounted, ReplicaError.
        """
        state = self._open(actor, "list what is stored")
        found = self._list(state)
        with self._keeping:
            now = self._now()
            self._write_rows(state, self._counted_days(), now)
        return found

    def _open(self, actor: Actor, action: str) -> State:
        require_owner(actor, action, self._settings.owner)
        if not self.is_on:
            raise NothingIsCounted(
                action,
                "the store",
                "The history lives in a folder of this machine, which costs nothing.",
                "With a bucket in the settings its use is counted.",
            )
        return self._state(action)

    # Counting -----------------------------------------------------------------------------------

    def _note(self, request: S3Request) -> None:
        """Called after each request, in the thread that sent it."""
        prefix = "" if self._options is None else self._options.prefix
        part, operation = part_of(request.key, prefix), billed_as(request.operation)
        with self._counting:
            self._today().counts.add(
                part,
                operation,
                sent_bytes=request.sent_bytes,
                received_bytes=request.received_bytes,
                seconds=request.seconds,
                status=request.status,
            )
            if part == "log" and operation is Operation.PUT:
                self.writes_at_end = True

    def _today(self) -> WriterDay:
        now = self._now()
        return self._days.setdefault(now.date(), WriterDay(now))

    def _foresee_last_row(self, times: int) -> None:
        """Count its way into the log; with -1 it has none after all."""
        with self._counting:
            counts = self._today().counts
            for operation, requests in _LAST_ROW.items():
                before = counts.tally("log", operation)
                counts.tallies["log", operation] = before + Tally(requests=times * requests)

    def _bring_back(self, now: datetime) -> None:
        """What was counted while the clock was days ahead is today's."""
        with self._counting:
            for day in [day for day in self._days if day > _tomorrow(now)]:
                ahead = self._days.pop(day)
                ahead.storage = None
                self._today().merge(ahead)

    def _counted_days(self) -> dict[date, WriterDay]:
        with self._counting:
            return {day: one.copy() for day, one in self._days.items()}

    # File and rows ------------------------------------------------------------------------------

    def _join(self) -> Noted:
        """Go on from what the file says; it is read once, when the state is ours."""
        if self._noted is None:
            noted = read_noted(self._path)
            with self._counting:
                for day, one in noted.days.items():
                    if day in self._days:
                        self._days[day].merge(one)
                    else:
                        self._days[day] = one
            self._noted = replace(noted, days={})
        return self._noted

    def _save(self) -> None:
        noted = self._join()
        write_noted(self._path, replace(noted, days=self._counted_days()))

    def _due(self, now: datetime) -> dict[date, WriterDay]:
        """Of which days a row has to be written now."""
        written_at = self._join().written_at

        def is_due(day: date, one: WriterDay) -> bool:
            if day < now.date():
                return True
            # Others have to know of a listing, or they would list it too.
            listed_at = None if one.storage is None else one.storage.at
            if listed_at is not None and listed_at <= now and listed_at > (written_at or _NEVER):
                return True
            # A time of a clock that has gone back since says nothing.
            since_last = now - (written_at or one.since)
            return not timedelta(0) <= since_last < _BETWEEN_ROWS

        self._bring_back(now)
        return {day: one for day, one in self._counted_days().items() if is_due(day, one)}

    def _write_last_row(self, state: State) -> None:
        self._foresee_last_row(1)
        try:
            now = self._now()
            self._write_rows(state, self._counted_days(), now)
        except BaseException:
            self._foresee_last_row(-1)
            self._save()
            raise

    def _write_rows(self, state: State, days: dict[date, WriterDay], now: datetime) -> None:
        """Write rows of days, copied at `now` or later: to those that are over nothing is added."""
        if not days:
            return
        # In this order: what a row says must not be more than what the file goes on from.
        self._save()
        noted = self._join()
        with state.replica.transaction() as transaction:
            for one in days.values():
                one.transactions += (transaction.id,)
            rows = [UsageRow(day, noted.writer_id, one.text()) for day, one in days.items()]
            write_usage(transaction, rows)
            forget_usage(transaction, (now - _KEPT).date())
            forget_usage_ahead(transaction, noted.writer_id, _tomorrow(now))
        self._noted = replace(noted, written_at=now)
        with self._counting:
            for day, one in days.items():
                if day < now.date():
                    del self._days[day]
                else:
                    self._days[day].transactions = one.transactions
        self._save()

    def _rows(
        self, state: State, noted: Noted, since: date
    ) -> tuple[list[tuple[date, WriterDay]], int]:
        """All rows from a day on, in place of this process's own what it has counted by now."""
        own, unreadable = self._counted_days(), 0
        found = [(day, one) for day, one in own.items() if day >= since]
        with state.replica.read() as connection:
            rows = usage_rows(connection, since)
        for row in rows:
            if row.writer_id == noted.writer_id and row.day in own:
                continue
            try:
                found.append((row.day, WriterDay.of_text(row.figures)))
            except UnreadableFigures:
                unreadable += 1
        return found, unreadable

    # What is stored -----------------------------------------------------------------------------

    def _is_listing_due(self, state: State) -> bool:
        now = self._now()
        if now < self._began_at + _AFTER_START:
            return False
        with self._keeping:
            noted = self._join()
        rows, _ = self._rows(state, noted, (now - 2 * _BETWEEN_LISTINGS).date())
        failed_at = self._listing_failed_at
        if failed_at is not None and abs(now - failed_at) < _AFTER_A_FAILED_LISTING:
            return False
        # Either way: another copy's clock may be ahead.
        return not any(
            abs(now - one.storage.at) < _BETWEEN_LISTINGS
            for _, one in rows
            if one.storage is not None
        )

    def _list(self, state: State) -> Storage:
        self._listing_failed_at = self._now()
        storage = list_stock(self._settings, state.storage.store, self._now())
        self._listing_failed_at = None
        with self._counting:
            self._today().storage = storage
        return storage

    def _now(self) -> datetime:
        return self._clock().astimezone(UTC)


def _tomorrow(now: datetime) -> date:
    return now.date() + timedelta(days=1)
