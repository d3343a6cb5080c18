"""The simulated bucket: atomic, consistent, and with a memory of everything it ever held."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random

from replica import ObjectInfo, ReplicaError, StoredObject
from replica.envelope import NO_PARENT, entry_sha256, unpack_entry

__all__ = ["LOG", "Bucket", "Deletion", "Late", "SimulatedClock", "log_key", "log_number"]

LOG = "log/"
_EPOCH = datetime(2026, 11, 20, 18, tzinfo=UTC)


class SimulatedClock:
    """The store's time, UTC, in whole seconds."""

    def __init__(self, random: Random) -> None:
        self.now = _EPOCH
        self._random = random

    def pass_by(self) -> None:
        """A moment goes by; often less than a second."""
        self.now += timedelta(seconds=self._random.choice((0, 0, 0, 1, 1, 3)))

    def jump(self) -> None:
        """Hours or days go by."""
        self.now += timedelta(hours=self._random.choice((1, 7, 30, 200)))


@dataclass
class Late:
    """A create whose client was told of an error while it was still on its way."""

    owner: str
    key: str
    body: bytes
    seen_absent: bool = False


@dataclass(frozen=True, slots=True)
class Deletion:
    """A backup that somebody deleted, and the backups that there were then, itself included."""

    key: str
    there: tuple[str, ...]


@dataclass
class Bucket:
    """``bodies`` holds, for every key, each body that any request ever stored there, in order and
    with the generation in which that was.

    What the owner does to the bucket goes past ``bodies``: it is no request. ``generation``
    counts those acts; requests that are under way then are cut off without an effect.
    """

    clock: SimulatedClock
    objects: dict[str, StoredObject] = field(default_factory=dict)
    bodies: dict[str, list[tuple[int, bytes]]] = field(default_factory=dict)
    times: dict[str, set[int]] = field(default_factory=dict)
    """When each key was written, in seconds since 1970."""
    deleted: list[str] = field(default_factory=list)
    deletions: list[Deletion] = field(default_factory=list)
    """Of backups, by somebody who saw the bucket as it is: not across an act of the owner's."""
    late: list[Late] = field(default_factory=list)
    generation: int = 0
    landed: Callable[[Late, bool], None] = lambda late, created: None
    _links: dict[bytes, tuple[str, str]] = field(default_factory=dict)

    def create(self, key: str, body: bytes) -> bool:
        """Store the object if the key is free."""
        if key in self.objects:
            return False
        self.overwrite(key, body)
        return True

    def overwrite(self, key: str, body: bytes) -> None:
        info = ObjectInfo(key, len(body), self.clock.now)
        self.objects[key] = StoredObject(info, body)
        self.times.setdefault(key, set()).add(int(self.clock.now.timestamp()))
        self.bodies.setdefault(key, []).append((self.generation, body))

    def delete(self, key: str) -> None:
        if self.objects.pop(key, None) is not None:
            self.deleted.append(key)

    def infos(self, prefix: str, start_after: str = "") -> list[ObjectInfo]:
        """What a complete list of the prefix says, in the order of the keys."""
        found = [key for key in self.objects if key.startswith(prefix) and key > start_after]
        return [self.objects[key].info for key in sorted(found)]

    def land(self, late: Late) -> None:
        """A create arrives after all; it has its effect if the key is still free."""
        self.late.remove(late)
        created = self.create(late.key, late.body)
        self.landed(late, created)

    def head(self) -> int:
        """How many entries follow one another from the first."""
        parent, sequence = NO_PARENT, 0
        while (stored := self.objects.get(log_key(sequence + 1))) is not None:
            named, sha256 = self._link(stored.body)
            if named != parent:
                break
            parent, sequence = sha256, sequence + 1
        return sequence

    def follows(self, key: str) -> bool:
        """Whether an entry names the one before it, as that was written."""
        before = log_key((log_number(key) or 0) - 1)
        stored = self.objects.get(before)
        if stored is None:
            return False
        named, _ = self._link(self.objects[key].body)
        written = [body for _, body in self.bodies[before]]
        # One that has been damaged since is still the one that it was.
        candidates = [stored.body] if stored.body in written else written
        return named in [self._link(body)[1] for body in candidates]

    def _link(self, body: bytes) -> tuple[str, str]:
        """The hash of the parent that an entry names, "" for no entry, and its own."""
        if body not in self._links:
            try:
                named = unpack_entry(body, "an entry").parent_sha256
            except ReplicaError:
                named = ""
            self._links[body] = (named, entry_sha256(body))
        return self._links[body]


def log_key(sequence: int) -> str:
    return f"{LOG}{sequence:020d}"


def log_number(key: str) -> int | None:
    """The number of an entry's key; None for any other."""
    return int(key[len(LOG) : len(LOG) + 20]) if key.startswith(LOG) else None
