"""What replicas and their log hold, in plain dictionaries: the conflict policy, written once more.

A content maps a table's row to its values; the rows of ``sync_conflicts`` are among them. A
replica's content is the log's at its place with its pending transactions on top.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

__all__ = ["COLUMNS", "CONFLICTS", "Content", "Log", "ModelReplica", "Row"]

Value = None | int | str
Key = tuple[Value, ...]
Row = tuple[str, Key]
Values = tuple[Value, ...]
Content = dict[Row, Values]

COLUMNS = {"notes": ("text", "stars"), "scores": ("points",)}
"""What is not the key, by table."""

CONFLICTS = "sync_conflicts"


@dataclass(frozen=True)
class RowChange:
    """One row before and after a transaction; None where it is not there."""

    row: Row
    before: Values | None
    after: Values | None


@dataclass(frozen=True)
class Pending:
    """A transaction that is not in the log, and the content with it applied."""

    transaction_id: str
    intent: tuple[RowChange, ...]
    content: Content


@dataclass(frozen=True)
class Entry:
    """One of the log's: whose transactions it holds, and the content after it."""

    transaction_ids: tuple[str, ...]
    content: Content


@dataclass
class Log:
    """All entries; the first, without any transaction, is sequence 1."""

    entries: list[Entry] = field(default_factory=lambda: [Entry((), {})])

    @property
    def head(self) -> int:
        return len(self.entries)

    def content(self, sequence: int) -> Content:
        return self.entries[sequence - 1].content

    def append(self, transaction_ids: Iterable[str], content: Content) -> None:
        self.entries.append(Entry(tuple(transaction_ids), dict(content)))


class ModelReplica:
    """One replica's place, its pending transactions, and how many of them a kept claim holds."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self.sequence = log.head
        self.pending: list[Pending] = []
        self.claimed: int | None = None
        self.content = dict(log.content(log.head))

    def commit(self, transaction_id: str, content: Content) -> None:
        """A local transaction that leads to ``content``."""
        intent = tuple(_difference(self.content, content))
        if intent:
            self.content = dict(content)
            self.pending.append(Pending(transaction_id, intent, dict(content)))

    def claim(self) -> None:
        """Keep what is pending now as the next entry, unless a claim is kept already."""
        if self.claimed is None and self.pending:
            self.claimed = len(self.pending)

    def publish_claim(self) -> bool:
        """Put the claim in the log if its sequence is free; the replica may not know it yet."""
        if self.claimed is None or self.sequence != self.log.head:
            return False
        claimed = self.pending[: self.claimed]
        self.log.append((each.transaction_id for each in claimed), claimed[-1].content)
        return True

    def catch_up(self) -> None:
        """Take what is newer, with what is pending on top."""
        following = self.log.entries[self.sequence :]
        if not following:
            return
        while following and self._is_own(following[0]):
            del self.pending[: len(following.pop(0).transaction_ids)]
        self.sequence, self.claimed = self.log.head, None
        if not following:
            return
        self.content = dict(self.log.content(self.sequence))
        outbox, self.pending = self.pending, []
        for each in outbox:
            before = dict(self.content)
            _reapply(self.content, each, self.sequence)
            if self.content != before:
                again = Pending(each.transaction_id, each.intent, dict(self.content))
                self.pending.append(again)

    def publish_pending(self) -> None:
        """Publish what is pending, after what is newer; if nothing is, look for nothing."""
        while self.pending:
            self.claim()
            self.publish_claim()
            self.catch_up()

    def synchronise(self) -> None:
        """Publish what is pending and take what is newer."""
        self.publish_pending()
        self.catch_up()

    def restore_to(self, sequence: int) -> None:
        """Give the tables, but not the conflicts, the content of a sequence, as a new entry."""
        self.synchronise()
        then = self.log.content(sequence)
        content = {row: values for row, values in then.items() if row[0] != CONFLICTS}
        content |= {row: values for row, values in self.content.items() if row[0] == CONFLICTS}
        if content != self.content:
            self.log.append((f"to {sequence}",), content)
            self.catch_up()

    def _is_own(self, entry: Entry) -> bool:
        ids = tuple(each.transaction_id for each in self.pending[: len(entry.transaction_ids)])
        return bool(ids) and ids == entry.transaction_ids


def _difference(before: Content, after: Content) -> Iterable[RowChange]:
    for row in before.keys() | after.keys():
        if before.get(row) != after.get(row):
            yield RowChange(row, before.get(row), after.get(row))


def _reapply(content: Content, pending: Pending, sequence: int) -> None:
    for change in pending.intent:
        for conflict in _merge(content, change):
            content[CONFLICTS, (pending.transaction_id, sequence, *conflict)] = ()


def _merge(content: Content, change: RowChange) -> list[Key]:
    """Apply one change under the policy; the conflicts that this makes."""
    table, key = change.row
    names = COLUMNS[table]
    current, about = content.get(change.row), (table, json.dumps(key))
    match change.before, change.after, current:
        case None, after, None:
            assert after is not None
            content[change.row] = after
        case before, tuple() as after, tuple() as current:
            # An insert's NULL says nothing; an update says what it changed.
            old = before or (None,) * len(names)
            said = [at for at in range(len(names)) if after[at] != old[at]]
            merged = list(current)
            conflicts: list[Key] = []
            for at in said:
                seen = before is not None and current[at] == before[at]
                if current[at] != after[at]:
                    merged[at] = after[at]
                    if not seen:
                        values = json.dumps(after[at]), json.dumps(current[at])
                        conflicts.append((*about, names[at], "overwritten", *values))
            content[change.row] = tuple(merged)
            return conflicts
        case tuple() as before, tuple() as after, None:
            lost = {
                name: new for name, old, new in zip(names, before, after, strict=True) if new != old
            }
            return [(*about, None, "deleted", None, _as_object(lost))]
        case tuple() as before, None, tuple() as current:
            del content[change.row]
            unseen = {
                name: now
                for name, old, now in zip(names, before, current, strict=True)
                if now != old
            }
            if unseen:
                return [(*about, None, "deleted", None, _as_object(unseen))]
    return []


def _as_object(values: Mapping[str, Value]) -> str:
    return json.dumps(values)
