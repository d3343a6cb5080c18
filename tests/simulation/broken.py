"""The engine with one deliberate defect each: what the checker has to find.

A defect here is what somebody might write in good faith. Each replaces a few functions of the real
engine while a run lasts; the simulation, the model and the checker know nothing of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import apsw

from replica import advance as advancing
from replica import conflicts, exchange, live, log, opening, reading, snapshots
from replica import replica as replicas
from replica.changes import undo
from replica.database import Migration, migrate, open_writer, schema_version
from replica.envelope import Change, Entry, Kind, pack_entry, unpack_entry
from replica.errors import (
    AccessDenied,
    ObjectExists,
    ObjectNotFound,
    StoreError,
)
from replica.position import Fetched, Pending, Position, as_text, read_claim, read_outbox
from tests.simulation import broken_safekeeping
from tests.simulation.variants import Patches, Variant, registering
from tests.simulation.violations import Violation
from tests.simulation.world import Failed, run

__all__ = ["VARIANTS", "Variant", "find_defect"]


VARIANTS: dict[str, Variant] = {}

_variant = registering(VARIANTS)


@_variant
def _refusal_is_a_lost_race() -> Patches:
    """A 412 is taken for a lost race, without looking at whose bytes are there."""
    real_settle = exchange.Exchange._settle
    refused = [False]

    def settle(
        self: exchange.Exchange, at: Position, sequence: int, body: bytes, *rest: Any
    ) -> Any:
        refused[0] = False
        claim = self._current_log().claim
        try:
            claim(sequence, body, self.writer_id)
        except ObjectExists:
            refused[0] = True
            return exchange._Settled(None, created=False)
        except StoreError:
            pass
        return real_settle(self, at, sequence, body, *rest)

    def advance(writer: apsw.Connection, fetched: Sequence[Fetched], *rest: Any) -> Any:
        if not refused[0]:
            return advancing.advance(writer, fetched, *rest)
        refused[0] = False
        return _advance_over_strangers(writer, fetched, *rest)

    yield exchange.Exchange, "_settle", settle
    yield live, "advance", advance


@_variant
def _undo_with_the_original_changeset() -> Patches:
    """Pending changes are undone as they were recorded first, not as they were applied last."""

    def undo_intents(connection: apsw.Connection, tables: Sequence[str]) -> None:
        for pending in reversed(read_outbox(connection)):
            undo(connection, pending.intent, tables, "pending")

    yield advancing, "_undo", undo_intents


@_variant
def _intents_are_published() -> Patches:
    """The log gets what the writer recorded, not what it came to after the race was lost."""

    def first_changes(connection: apsw.Connection) -> Iterator[Change]:
        for pending in read_outbox(connection):
            yield Change(pending.transaction_id, pending.intent)

    yield live, "_first_changes", first_changes


@_variant
def _own_entries_are_skipped() -> Patches:
    """Entries of one's own writer id, which a machine keeps, are taken for applied already."""
    real_init, real_apply = exchange.Exchange.__init__, advancing._apply
    own = [""]

    def init(self: exchange.Exchange, options: exchange.ExchangeOptions) -> None:
        real_init(self, options)
        self.writer_id = hashlib.sha256(options.store._owner.encode()).hexdigest()[:16]  # type: ignore[attr-defined]

    def catch_up(self: exchange.Exchange, *arguments: Any, **options: Any) -> bool:
        own[0] = self.writer_id
        return real_catch_up(self, *arguments, **options)

    def apply(writer: apsw.Connection, item: Fetched, *rest: Any) -> None:
        if item.entry.kind is not Kind.CHANGES or item.entry.writer_id != own[0]:
            real_apply(writer, item, *rest)

    real_catch_up = exchange.Exchange._catch_up
    yield exchange.Exchange, "__init__", init
    yield exchange.Exchange, "_catch_up", catch_up
    yield advancing, "_apply", apply


@_variant
def _snapshots_hold_pending_changes() -> Patches:
    """A snapshot is made of the content as it is, what is not in the log included."""
    yield snapshots, "undo_pending", lambda connection, tables: None


@_variant
def _no_parent_hash() -> Patches:
    """An entry is accepted for its number, whatever entry it was made to follow."""
    real = reading._why_not_next

    def why_not_next(entry: Entry, position: Position) -> str:
        return real(replace(entry, parent_sha256=position.entry_sha256), position)

    yield reading, "_why_not_next", why_not_next


@_variant
def _claims_are_made_anew() -> Patches:
    """After an unknown outcome other bytes are sent, and what is there is known by its writer."""

    def claim(self: live.LiveDatabase, writer_id: str) -> tuple[int, bytes] | None:
        with self._writing() as writer:
            kept = read_claim(writer)
            if kept is not None and unpack_entry(kept[1], "claim").kind is Kind.CHANGES:
                writer.execute("DELETE FROM replica_claim")
        return real_claim(self, writer_id)

    def settle(
        self: exchange.Exchange, at: Position, sequence: int, body: bytes, *rest: Any
    ) -> Any:
        settled = real_settle(self, at, sequence, body, *rest)
        if settled.ours is None:
            stored = self._current_log().fetch(sequence)
            if unpack_entry(stored.body, "claim").writer_id == self.writer_id:
                entry = unpack_entry(body, "claim")
                ours = Fetched(entry, body, stored.info.modified_at)
                return exchange._Settled(ours, created=False)
        return settled

    real_claim, real_settle = live.LiveDatabase.claim, exchange.Exchange._settle
    yield live.LiveDatabase, "claim", claim
    yield exchange.Exchange, "_settle", settle


@_variant
def _no_identity_check() -> Patches:
    """A replica never looks whether the log is the one that it is part of."""

    def require_entry(self: exchange.Exchange, position: Position) -> None:
        self._log_of(position)

    yield exchange.Exchange, "_require_entry", require_entry


@_variant
def _denied_is_the_end_of_the_log() -> Patches:
    """A 403 is taken for a 404: there is nothing newer."""

    def fetch(self: log.SharedLog, sequence: int) -> Any:
        try:
            return self._store.get(log.log_key(sequence))
        except AccessDenied as error:
            raise ObjectNotFound("get", log.log_key(sequence)) from error

    yield log.SharedLog, "fetch", fetch


@_variant
def _transactions_are_known_by_their_writer() -> Patches:
    """What another writer id published cannot be one's own: not even after a restart."""
    own = [""]

    def catch_up(self: exchange.Exchange, *arguments: Any, **options: Any) -> bool:
        own[0] = self.writer_id
        return real_catch_up(self, *arguments, **options)

    def advance(writer: apsw.Connection, fetched: Sequence[Fetched], *rest: Any) -> Any:
        if any(item.entry.writer_id != own[0] for item in fetched):
            return _advance_over_strangers(writer, fetched, *rest)
        return advancing.advance(writer, fetched, *rest)

    real_catch_up = exchange.Exchange._catch_up
    yield exchange.Exchange, "_catch_up", catch_up
    yield live, "advance", advance


@_variant
def _conflicts_leave_no_row() -> Patches:
    """The later value wins, and nobody is told of the other one."""
    yield conflicts._Notes, "add", lambda self, *arguments, **named: None


@_variant
def _uploaded_before_it_is_committed() -> Patches:
    """A change is in the log before the local commit, which can still fail."""

    def find_place(self: exchange.Exchange, database: live.LiveDatabase) -> bool:
        database.exchange = self  # type: ignore[attr-defined]
        return real_find_place(self, database)

    def add_to_outbox(self: live.LiveDatabase, transaction_id: str, changeset: bytes) -> None:
        real_add(self, transaction_id, changeset)
        uploader: exchange.Exchange | None = getattr(self, "exchange", None)
        if not changeset or uploader is None or read_claim(self._writer) is not None:
            return
        changes = tuple(live._first_changes(self._writer))
        entry = uploader.next_entry(self, Kind.CHANGES, changes=changes)
        body = pack_entry(entry)
        try:
            uploader._log_of(self.position).claim(entry.sequence, body, uploader.writer_id)
        except StoreError:
            return

    real_find_place, real_add = exchange.Exchange.find_place, live.LiveDatabase._add_to_outbox
    yield exchange.Exchange, "find_place", find_place
    yield live.LiveDatabase, "_add_to_outbox", add_to_outbox


@_variant
def _damaged_entries_are_accepted() -> Patches:
    """An entry's own hash is not looked at."""

    def unpack(body: bytes, key: str) -> Entry:
        content_bytes = body[:-32]
        return unpack_entry(content_bytes + hashlib.sha256(content_bytes).digest(), key)

    yield reading, "unpack_entry", unpack


@_variant
def _effects_are_not_recorded_anew() -> Patches:
    """After a lost race the changes are applied again, but published as they were before."""

    def reapply(writer: apsw.Connection, pending: Pending, sequence: int, tables: Any) -> bool:
        conflicts.reapply(writer, pending.intent, pending.transaction_id, sequence)
        return True

    yield advancing, "_reapply", reapply


@_variant
def _publishing_clears_the_outbox() -> Patches:
    """What was committed while the claim was under way counts as published with it."""

    def advance(writer: apsw.Connection, fetched: Sequence[Fetched], *rest: Any) -> Any:
        outbox = read_outbox(writer)
        own = bool(fetched) and advancing._is_own(fetched[0].entry, outbox)
        dropped = advancing.advance(writer, fetched, *rest)
        if own:
            writer.execute("DELETE FROM replica_outbox")
        return dropped

    yield live, "advance", advance


@_variant
def _sent_is_durable() -> Patches:
    """A change counts as durable as soon as its claim is on its way."""

    def is_stored(self: live.LiveDatabase, transaction_id: str) -> bool | None:
        with self.read() as connection:
            claim = read_claim(connection)
        if claim is not None:
            sent = unpack_entry(claim[1], "claim").transaction_ids
            if transaction_id in sent:
                return True
        return real(self, transaction_id)

    real = live.LiveDatabase.is_stored
    yield live.LiveDatabase, "is_stored", is_stored


@_variant
def _migrated_on_opening() -> Patches:
    """A new version brings its own file up to date, and the log does not hear of it."""

    def opened(path: Path, migrations: Sequence[Migration], *rest: Any, **options: Any) -> Any:
        with closing(open_writer(path)) as connection:
            if schema_version(connection) < len(migrations):
                migrate(connection, path, migrations)
        return opening.open_database(path, migrations, *rest, **options)

    yield replicas, "open_database", opened


@_variant
def _outbox_after_the_commit() -> Patches:
    """The content and the outbox are two transactions: a process can die between them."""

    def add_to_outbox(self: live.LiveDatabase, transaction_id: str, changeset: bytes) -> None:
        self._writer.execute("COMMIT; BEGIN IMMEDIATE")
        real(self, transaction_id, changeset)

    real = live.LiveDatabase._add_to_outbox
    yield live.LiveDatabase, "_add_to_outbox", add_to_outbox


@_variant
def _time_is_the_local_one() -> Patches:
    """The time of an entry is the local clock's, not the store's."""
    clocks: list[Callable[[], Any]] = []

    def init(self: exchange.Exchange, options: exchange.ExchangeOptions) -> None:
        clocks.append(options.clock)
        real_init(self, options)

    def position_after(self: Fetched, mode: str) -> Position:
        return replace(real(self, mode), stored_at=as_text(clocks[-1]()))

    real, real_init = Fetched.position_after, exchange.Exchange.__init__
    yield exchange.Exchange, "__init__", init
    yield Fetched, "position_after", position_after


VARIANTS |= broken_safekeeping.VARIANTS

_UNFIT = (AttributeError, ImportError, KeyError, NameError, TypeError)


def find_defect(variant: Variant, seed: int) -> Failed | None:
    """What the run finds with the defect; None for nothing.

    Raises what comes of a defect that does not fit the engine any more.
    """
    try:
        with variant.broken():
            run(seed)
    except Failed as failure:
        cause: BaseException | None = failure.violation
        if isinstance(cause, Violation) and cause.rule == "errors":
            cause = cause.__cause__
        if isinstance(cause, _UNFIT):
            raise
        # The engine as it is has to pass where the broken one fails.
        run(seed)
        return failure
    return None


def _advance_over_strangers(
    writer: apsw.Connection,
    fetched: Sequence[Fetched],
    position: Position,
    migrations: Sequence[Migration],
    tables: Sequence[str],
) -> Sequence[str]:
    """As the engine's own ``advance``, but nothing that comes is taken for one's own."""
    outbox = read_outbox(writer)
    rows = list(writer.execute("SELECT * FROM replica_outbox"))
    advancing._undo(writer, tables)
    writer.execute("DELETE FROM replica_outbox")
    advancing.advance(writer, fetched, position, migrations, tables)
    marks = ", ".join("?" * len(rows[0])) if rows else ""
    for row in rows:
        writer.execute(f"INSERT INTO replica_outbox VALUES ({marks})", row)
    newest = fetched[-1].entry.sequence
    return [
        pending.transaction_id
        for pending in outbox
        if not advancing._reapply(writer, pending, newest, tables)
    ]
