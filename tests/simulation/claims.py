"""What became of the claims, told from what the bucket saw: the counts that have floors."""

from __future__ import annotations

from collections import Counter

from replica.envelope import Entry, Kind, unpack_entry
from replica.errors import ReplicaError
from tests.simulation.bucket import Late, log_number

__all__ = ["FLOOR", "FLOORS", "Claims"]

FLOOR = 50
"""How often each of these has to happen in 500 seeds."""

FLOORS: tuple[str, ...] = (
    "lost races",
    "double rebases",
    "late-landing puts",
    "ambiguous claims settled: ours",
    "ambiguous claims settled: not ours",
    "genesis races",
    "migration races",
    "rollbacks of disk",
    "rollbacks of bucket",
    "restores under writes",
    "restores of backups",
    "restores of some tables",
    "restores to a time",
    "plans compared",
    "backups pruned",
    "drills from a copy",
    "drills passed",
    "drills that found a fault",
)


class Claims:
    """Watches creates below ``log/``; an owner is an actor, whichever process of it asked."""

    def __init__(self, counts: Counter[str]) -> None:
        self._counts = counts
        self._open: dict[tuple[str, str], bytes] = {}
        self._lost: dict[tuple[str, str], set[int]] = {}
        self._late: list[Late] = []

    def tried(self, owner: str, key: str, body: bytes, there: bytes, *, created: bool) -> None:
        """A create had its effect or was refused; ``there`` is what the key holds now."""
        sequence = log_number(key)
        if sequence is None or created or there == body:
            return
        ours, theirs = _entry(body), _entry(there)
        if ours is None or theirs is None or ours.writer_id == theirs.writer_id:
            return
        self._counts["lost races"] += 1
        if sequence == 1:
            self._counts["genesis races"] += 1
        if Kind.MIGRATION in (ours.kind, theirs.kind):
            self._counts["migration races"] += 1
        again = False
        for name in ours.transaction_ids:
            positions = self._lost.setdefault((owner, name), set())
            again = again or bool(positions - {sequence})
            positions.add(sequence)
        self._counts["double rebases"] += again

    def unanswered(self, owner: str, key: str, body: bytes) -> None:
        """The client does not know what became of its create."""
        if log_number(key) is not None:
            self._counts["ambiguous claims"] += 1
            self._open[owner, key] = body

    def answered(self, owner: str, key: str) -> None:
        """The client knows that its create had its effect: now, or with an earlier attempt."""
        self._settle(owner, key, ours=True)

    def read(self, owner: str, key: str, body: bytes | None) -> None:
        """The client read the key; None for nothing there."""
        if body is not None:
            self._settle(owner, key, ours=body == self._open.get((owner, key)))
            return
        for late in self._late:
            late.seen_absent |= late.owner == owner and late.key == key

    def sent_late(self, late: Late) -> None:
        self._late.append(late)

    def landed(self, late: Late, created: bool) -> None:
        """A late create has arrived."""
        if log_number(late.key) is not None and created and late.seen_absent:
            self._counts["late-landing puts"] += 1

    def _settle(self, owner: str, key: str, *, ours: bool) -> None:
        if self._open.pop((owner, key), None) is not None:
            self._counts[f"ambiguous claims settled: {'ours' if ours else 'not ours'}"] += 1


def _entry(body: bytes) -> Entry | None:
    try:
        return unpack_entry(body, "a claim")
    except ReplicaError:
        return None
