"""What the checker says of restores, their plans, and backups that were forgotten."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime

import apsw

from replica import BackupKey
from replica.envelope import Kind
from tests.simulation.actor import Surroundings
from tests.simulation.bucket import Bucket, Deletion
from tests.simulation.model import Asked, Row, key_columns
from tests.simulation.replay import Effect, Link, Replay, State
from tests.simulation.safekeeping import RETENTION, Planned
from tests.simulation.violations import Violation

__all__ = ["check_deletions", "check_plans", "check_restore"]

_SCHEDULED = ("-daily", "-before-")
_STAMP = slice(len("backups/"), len("backups/2026-11-20"))


def check_restore(
    around: Surroundings, replay: Replay, links: Sequence[Link], effect: Effect
) -> None:
    """I5: a change that nobody committed is a restore: a content that somebody asked for."""
    if effect.conflicts:
        raise Violation("I5", f"{effect.transaction_id} is nobody's and notes conflicts")
    name = effect.transaction_id
    if name in around.model.given_up_restores:
        raise Violation("restores", f"{name} came about, which was said not to")
    asked = around.model.restores.get(name)
    if asked is None:
        raise Violation("I5", f"{name} is nobody's, and no restore")
    plan = asked.planned
    if plan is not None and replay.positions.get(plan.as_of_sha256) == plan.as_of:
        between = links[plan.as_of : _sequence_of(name, links) - 1]
        if found := list(_later(between, asked.tables)):
            raise Violation("plans", f"{name} undid {found} too, of which its plan did not know")
        around.counts["restores as planned"] += 1
    now, before = replay.application_state(), replay.states[-1]
    others = {table: before[table] for table in now if table not in asked.tables}
    for then in _asked_for(around, replay, links, asked):
        if then and then | others == now:
            spared = any(then[table] != rows for table, rows in others.items())
            around.counts["restores that spared tables"] += spared
            return
    raise Violation("I5", f"{name} is not what was asked for: {asked}")


def _sequence_of(name: str, links: Sequence[Link]) -> int:
    """The entry with a transaction."""
    return next(link.entry.sequence for link in links if name in link.entry.transaction_ids)


def _asked_for(
    around: Surroundings, replay: Replay, links: Sequence[Link], asked: Asked
) -> Iterator[State]:
    """Every content that a restore may have brought back, with the schema of now."""
    match asked.source:
        case BackupKey(key=key):
            for _, body in around.bucket.bodies[key]:
                yield replay.migrated_content(body, key)
        case datetime() as moment:
            times = _times(links)
            # An entry that was the newest then may be a second or two younger since.
            for off in (-2, 0, 2):
                if sequence := bisect_right(times, int(moment.timestamp()) + off):
                    yield replay.migrated_state(sequence)
        case sequence:
            yield replay.migrated_state(sequence)


def check_plans(
    around: Surroundings, replay: Replay, links: Sequence[Link], plans: Sequence[Planned]
) -> None:
    """A plan says what the restore would have done, and which entries came later."""
    for planned in plans:
        plan = planned.plan
        if replay.positions.get(planned.entry_sha256) != plan.as_of:
            # The log has been taken away since.
            continue
        what = f"the plan of {planned.name} to {plan.target} at {plan.as_of}"
        now = replay.migrated_state(plan.as_of)
        if isinstance(plan.target, BackupKey):
            _, body = around.bucket.bodies[plan.target.key][0]
            then = replay.migrated_content(body, plan.target.key)
        elif plan.sequence is None:
            raise Violation("plans", f"{what} has no place in the log")
        else:
            then = replay.migrated_state(plan.sequence)
        told = {
            each.table: (each.rows_added, each.rows_removed, each.rows_changed)
            for each in plan.tables
        }
        expected = dict(_differences(replay, now, then, planned.tables))
        if told != expected:
            raise Violation("plans", f"{what} says {told}, and it is {expected}")
        undone = [(each.sequence, each.writer_id, each.transactions) for each in plan.undone]
        later = [] if plan.sequence is None else links[plan.sequence : plan.as_of]
        expected_undone = list(_later(later, planned.tables))
        if undone != expected_undone:
            raise Violation("plans", f"{what} names {undone}, and it is {expected_undone}")
        around.counts["plans compared"] += 1


def _differences(
    replay: Replay, now: State, then: State, tables: Collection[str]
) -> Iterator[tuple[str, tuple[int, int, int]]]:
    """By table how many rows were added, removed and changed; those without any are left out."""
    for table in tables:
        if table not in now and table not in then:
            continue
        before, after = _by_key(replay, table, now), _by_key(replay, table, then)
        common = before.keys() & after.keys()
        counts = (
            len(after.keys() - before.keys()),
            len(before.keys() - after.keys()),
            sum(before[key] != after[key] for key in common),
        )
        if any(counts):
            yield table, counts


def _by_key(replay: Replay, table: str, state: State) -> dict[tuple[object, ...], Row]:
    names = replay.columns(table)
    rows = [dict(zip(names, values, strict=True)) for values in state.get(table, [])]
    return {tuple(row[column] for column in key_columns(table)): row for row in rows}


def _later(
    links: Sequence[Link], tables: Collection[str]
) -> Iterator[tuple[int, str, tuple[str, ...]]]:
    """The entries that changed what is restored, and which of their transactions did."""
    for link in links:
        if link.entry.kind is not Kind.CHANGES:
            continue
        named = tuple(
            change.transaction_id
            for change in link.entry.changes
            if {each.name for each in apsw.Changeset.iter(change.changeset)} & {*tables}
        )
        if named:
            yield link.entry.sequence, link.entry.writer_id, named


def _times(links: Sequence[Link]) -> list[int]:
    """When each entry but the last was stored, in seconds since 1970: the next one says so."""
    return [link.entry.parent_stored_at_s for link in links[1:]]


def check_deletions(bucket: Bucket) -> None:
    """What a person keeps is never deleted, nor what the rules keep."""
    for deletion in bucket.deletions:
        scheduled = [key for key in deletion.there if _is_scheduled(key)]
        if deletion.key not in scheduled:
            raise Violation("retention", f"{deletion.key} was for a person to delete")
        if deletion.key in _kept(scheduled):
            raise Violation("retention", f"{_told(deletion)} was to be kept")


def _is_scheduled(key: str) -> bool:
    return any(label in key for label in _SCHEDULED)


def _kept(scheduled: Sequence[str]) -> Collection[str]:
    """The last few, and the newest of each of the last days."""
    by_time = sorted(scheduled, key=lambda key: (key[: _STAMP.stop + len("T00-00-00Z")], key))
    newest_of_day = {key[_STAMP]: key for key in by_time}
    days = sorted(newest_of_day)[-RETENTION.keep_daily :]
    return {*by_time[-RETENTION.keep_last :], *(newest_of_day[day] for day in days)}


def _told(deletion: Deletion) -> str:
    days = Counter(key[_STAMP] for key in deletion.there)
    return f"{deletion.key} of {dict(days)}"
