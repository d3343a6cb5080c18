"""The one checker: the invariants I1-I6, when everything is mended and quiet."""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing

import apsw

from replica import Replica, write_as_of
from replica.envelope import Kind
from tests.simulation.actor import Surroundings
from tests.simulation.bucket import LOG, Bucket, log_key
from tests.simulation.model import (
    MIGRATIONS,
    Change,
    Model,
    Row,
    Value,
    Written,
    is_own_value,
    tables_of,
    values_in,
)
from tests.simulation.operations import Observation
from tests.simulation.reader import Reader
from tests.simulation.replay import (
    Effect,
    Link,
    Replay,
    State,
    described,
    open_content,
    read_log,
    read_state,
)
from tests.simulation.safekeeping import Planned
from tests.simulation.violations import Violation
from tests.simulation.way_back import check_deletions, check_plans, check_restore

__all__ = ["check"]

# What an entry may cost beside the changes in it (bytes), and how often a change may count: old
# and new values, and once more each in a conflict.
_ENTRY_BYTES = 400
_CHANGE_BYTES = 400
_CHANGE_FACTOR = 2


def check(
    around: Surroundings,
    replicas: Mapping[str, Replica],
    held: Collection[str],
    observations: Sequence[Observation],
    plans: Sequence[Planned],
    spoiled: Collection[str],
) -> None:
    """Raise Violation unless everything holds.

    ``held`` are the transactions that were committed on a disk that is still there, ``spoiled``
    the backups that the owner's bucket has changed by itself.
    """
    _check_objects(around.bucket)
    check_deletions(around.bucket)
    links = read_log(around.bucket)
    with closing(Replay(around.bucket)) as replay:
        for link in links:
            effects = []
            for effect in replay.play(link):
                _check_effect(around, replay, links, effect)
                effects.append(effect)
            _check_time(around.bucket, links, link)
            _check_size(around, link, effects)
        began_with = _began_with(around.bucket, links[0])
        _check_transactions(around, replay, held, began_with)
        _check_replicas(replicas, replay, links, began_with)
        _check_observations(replay, observations)
        _check_snapshots(around.bucket, replay, spoiled)
        check_plans(around, replay, links, plans)
        _check_restores(around, replay)


def _check_objects(bucket: Bucket) -> None:
    """I3: what the log consists of never changes and is never deleted."""
    for key, bodies in bucket.bodies.items():
        for generation in {generation for generation, _ in bodies}:
            if key.startswith((LOG, "bases/")):
                different = {body for written, body in bodies if written == generation}
                if len(different) > 1:
                    raise Violation("I3", f"{key} was written with different bytes")
    for key in bucket.deleted:
        if not key.startswith(("snapshots/", "backups/")):
            raise Violation("I3", f"{key} was deleted")


def _check_time(bucket: Bucket, links: Sequence[Link], link: Link) -> None:
    """The time of an entry is the store's, never a local clock's, and never goes back."""
    sequence = link.entry.sequence
    if sequence == 1:
        return
    earliest = links[sequence - 2].entry.parent_stored_at_s
    settled = link.entry.parent_stored_at_s
    times = bucket.times[log_key(sequence - 1)]
    # The answer to a put can name the next second.
    if settled not in {max(earliest, time + late) for time in times for late in (0, 1)}:
        raise Violation("I2", f"entry {sequence} says that {sequence - 1} is of {settled}")


def _check_effect(
    around: Surroundings, replay: Replay, links: Sequence[Link], effect: Effect
) -> None:
    """I5: what a transaction wrote is there or accounted for, and so is what it replaced."""
    written = around.model.written.get(effect.transaction_id)
    if written is None:
        check_restore(around, replay, links, effect)
        return
    name = f"{written.transaction_id} of {written.actor}"
    for row_key, (_, after) in effect.rows.items():
        if row_key not in written.changes:
            raise Violation("I5", f"{name} changed {row_key}, which it did not")
        new = dict(_own_values(after))
        before = dict(_own_values(effect.rows[row_key][0]))
        intended = dict(_own_values(written.changes[row_key].after))
        for column, value in new.items():
            if before.get(column) != value and intended.get(column) != value:
                raise Violation("I5", f"{name} wrote {value!r} to {row_key}, which it did not")
    for cell, value in written.set_values():
        table, key, column = cell
        after = replay.row((table, key))
        if (after or {}).get(column) != value and not _is_noted(effect, written, cell[:2], value):
            raise Violation("I5", f"{name}: {value!r} in {cell} is neither there nor noted")
    for row_key, change in written.changes.items():
        if change.after is None and replay.row(row_key) is not None:
            raise Violation("I5", f"{name} deleted {row_key}, and it is there")
    for row_key, (old, after) in effect.rows.items():
        for column, value in _own_values(old):
            gone = (after or {}).get(column) != value
            seen = written.saw((*row_key, column), value)
            if gone and not seen and not _is_noted(effect, written, row_key, value):
                raise Violation("I5", f"{name} replaced {value!r} in {row_key} without a note")


def _own_values(row: Row | None) -> Iterator[tuple[str, Value]]:
    return ((name, value) for name, value in (row or {}).items() if is_own_value(value))


def _is_noted(
    effect: Effect, written: Written, row_key: tuple[str, tuple[Value, ...]], value: Value
) -> bool:
    table, key = row_key
    for conflict in effect.conflicts:
        noted_key = json.loads(str(conflict["row_key"]))
        lost = conflict["lost"]
        if (
            conflict["transaction_id"] == written.transaction_id
            and conflict["table_name"] == table
            and sorted(map(repr, noted_key)) == sorted(map(repr, key))
            and value in values_in(None if lost is None else str(lost))
        ):
            return True
    return False


def _check_size(around: Surroundings, link: Link, effects: Sequence[Effect]) -> None:
    """I6: the cost of a write grows with the write, and with what it replaced."""
    largest = _ENTRY_BYTES
    for effect in effects:
        written = around.model.written.get(effect.transaction_id)
        if written is None:
            return
        replaced = sum(Change(*rows).size for rows in effect.rows.values())
        largest += (written.size + replaced) * _CHANGE_FACTOR + len(effect.rows) * _CHANGE_BYTES
    if link.entry.kind is Kind.MIGRATION:
        largest += sum(len(migration.sql) for migration in MIGRATIONS)
    if len(link.body) > largest:
        found = f"entry {link.entry.sequence} has {len(link.body)} bytes, not {largest} at most"
        raise Violation("I6", found)


def _began_with(bucket: Bucket, first: Link) -> set[str]:
    """Transactions that were part of the content with which the log began."""
    key = str(first.entry.description["base"])
    with closing(open_content(bucket.objects[key].body, key)) as content:
        rows = content.execute("SELECT transaction_id FROM replica_transactions")
        return {str(name) for (name,) in rows}


def _check_transactions(
    around: Surroundings,
    replay: Replay,
    held: Collection[str],
    began_with: Collection[str],
) -> None:
    """I1 and I5: nothing that was reported durable, or is on a disk, is missing in the log."""
    model = around.model
    excused = model.given_up | model.taken_away
    for name in [*model.durable, *model.set_aside, *sorted(held)]:
        if name in replay.transactions or name in began_with or name in excused:
            continue
        if any(model.written[name].set_values()) and not _is_done_by_others(model, replay, name):
            what = "reported durable" if name in model.durable else "on a disk"
            raise Violation("I1", f"{name}, {what}, is not in the log")


def _is_done_by_others(model: Model, replay: Replay, name: str) -> bool:
    """Whether others had moved the same values to the same cells, so that nothing was left to do.

    A value that is new is in nobody else's change.
    """
    logged = (model.written[each] for each in replay.transactions if each in model.written)
    there = {cell for written in logged for cell in written.set_values()}
    return there.issuperset(model.written[name].set_values())


def _check_replicas(
    replicas: Mapping[str, Replica],
    replay: Replay,
    links: Sequence[Link],
    began_with: Collection[str],
) -> None:
    """I2: all replicas hold the same, which is what the log says."""
    expected = set(replay.transactions) | set(began_with)
    times: dict[str, list[tuple[Value, ...]]] = {}
    for name, replica in replicas.items():
        with replica.read() as connection:
            if read_state(connection) != replay.states[-1]:
                found = _difference(read_state(connection), replay.states[-1])
                raise Violation("I2", f"{name} differs from the log: {found}")
            position = next(
                connection.execute("SELECT sequence, entry_sha256 FROM replica_position")
            )
            if position != (len(links), links[-1].sha256):
                raise Violation("I2", f"{name} stands at {position[0]} of {len(links)}")
            known = {row[0] for row in connection.execute("SELECT * FROM replica_transactions")}
            if known != expected:
                raise Violation("I1", f"{name} knows {len(known)} of {len(expected)} transactions")
            sql = "SELECT * FROM replica_transactions WHERE sequence < ? ORDER BY 1"
            times[name] = list(connection.execute(sql, (len(links),)))
            damage = [row[0] for row in connection.execute("PRAGMA integrity_check(3)")]
            if damage != ["ok"]:
                raise Violation("I4", f"{name}: {damage}")
    first = next(iter(times.values()))
    for name, rows in times.items():
        if rows != first:
            differing = sorted(set(rows) ^ set(first), key=repr)
            raise Violation("I2", f"{name} gives its transactions other times: {differing}")


def _check_observations(replay: Replay, observations: Sequence[Observation]) -> None:
    """I2, on the way: what replicas held at an entry is what the log says for it."""
    for seen in observations:
        sequence = replay.positions.get(seen.entry_sha256)
        if sequence is not None and seen.content != replay.states[sequence]:
            found = _difference(seen.content, replay.states[sequence])
            raise Violation("I2", f"{seen.name} held something else at {sequence}: {found}")


def _check_snapshots(bucket: Bucket, replay: Replay, spoiled: Collection[str]) -> None:
    """I2: every snapshot and backup is the content at its place in the log, and only that."""
    for key, stored in bucket.objects.items():
        is_copy = key.startswith(("snapshots/", "backups/")) or key == "latest.db.zst"
        # What was set aside may hold what never was in the log.
        if not is_copy or "-set-aside" in key or key in spoiled:
            continue
        description = described(stored.body)
        sequence = replay.positions.get(str(description["entry_sha256"]))
        if sequence is None:
            continue
        with closing(open_content(stored.body, key)) as content:
            if (
                description["sequence"] != sequence
                or read_state(content) != replay.states[sequence]
            ):
                found = _difference(read_state(content), replay.states[sequence])
                raise Violation("I2", f"{key} is not the content at {sequence}: {found}")
            for table in ("local_notes", "replica_outbox", "replica_claim"):
                if content.execute(f"SELECT 1 FROM {table}").fetchone():
                    raise Violation("I2", f"{key} holds rows of {table}")


def _check_restores(around: Surroundings, replay: Replay) -> None:
    """I2: the content at any moment comes out of the log, with and without snapshots."""
    random, folder = around.random, around.folder / "restores"
    folder.mkdir()
    moments = [len(replay.states) - 1, random.randrange(1, len(replay.states))]
    for number, moment in enumerate(moments):
        store = Reader(around.bucket, snapshots=number > 0)
        path = folder / f"{number}.db"
        if not write_as_of(store, path, MIGRATIONS, tables_of(len(MIGRATIONS)), moment):
            raise Violation("I2", "nothing could be restored")
        with closing(apsw.Connection(str(path))) as connection:
            if read_state(connection) != replay.states[moment]:
                found = _difference(read_state(connection), replay.states[moment])
                raise Violation("I2", f"restored to {moment} it is something else: {found}")
    shutil.rmtree(folder)


def _difference(found: State, expected: State) -> str:
    for table in sorted(found.keys() | expected.keys()):
        ours, theirs = found.get(table, []), expected.get(table, [])
        surplus = [row for row in ours if row not in theirs]
        missing = [row for row in theirs if row not in ours]
        if surplus or missing:
            return f"{table}: {surplus[:3]} instead of {missing[:3]}"
    return "nothing"
