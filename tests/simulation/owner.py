"""What the owner of the bucket does to it, by accident, and how he mends it afterwards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta

from replica import EntryRefused, StoredObject
from replica.envelope import unpack_entry
from tests.simulation.actor import Actor, Surroundings
from tests.simulation.bucket import LOG, Late, log_number
from tests.simulation.violations import Violation

__all__ = ["Owner"]

Objects = dict[str, StoredObject]

_ACT_TAKES = timedelta(minutes=2)


@dataclass
class Owner:
    """Keeps copies of the bucket, puts one back by mistake, damages an entry; and mends that."""

    around: Surroundings
    actors: list[Actor]
    copies: list[Objects] = field(default_factory=list)
    before_loss: Objects | None = None
    damaged: dict[str, bytes] = field(default_factory=dict)
    unnoticed: bool = False

    def copy(self) -> None:
        """Keep a copy of the bucket, for a mistake later."""
        self.copies.append(dict(self.around.bucket.objects))

    def lose(self) -> bool:
        """Empty the bucket, or roll it back to a copy; False if there is nothing to lose."""
        around, random = self.around, self.around.random
        head = around.bucket.head()
        if not head or self.before_loss is not None or self.damaged:
            return False
        older = [copy for copy in self.copies if len(_entries(copy)) < head]
        emptied = not older or random.random() < 0.2
        self.before_loss = dict(around.bucket.objects)
        # Most often little is lost: then what was on its way meets what is written anew.
        recent = older[-1:] if random.random() < 0.7 else older[-3:]
        target = {} if emptied else random.choice(recent)
        around.counts["rollbacks of bucket"] += 1
        around.tell(f"the owner {'empties the bucket' if emptied else 'rolls the bucket back'}")
        self._set(target)
        return True

    def likelihood(self, late: Late) -> float:
        """How much speaks for a late create to arrive now."""
        bucket = self.around.bucket
        if late.seen_absent:
            # Most take longer than the client's own look at what became of them.
            return 4.0
        if not bucket.generation:
            return 0.3
        # The worst moment is when others have just written up to it, on another history.
        return 4.0 if log_number(late.key) == bucket.head() + 1 else 0.1

    def put_back(self) -> None:
        """Bring the lost objects back; what was written since then is lost instead."""
        assert self.before_loss is not None
        self.around.tell("the owner puts the objects back")
        self.around.counts["buckets put back"] += 1
        self._set(self.before_loss)
        self.before_loss = None

    def damage(self) -> bool:
        """Let a bit of one entry rot; False if there is none."""
        random, bucket = self.around.random, self.around.bucket
        keys = sorted(_entries(bucket.objects))
        if not keys or self.before_loss is not None:
            return False
        key = random.choice(keys)
        stored = bucket.objects[key]
        at = random.randrange(len(stored.body))
        flipped = bytes([stored.body[at] ^ 1 << random.randrange(8)])
        body = stored.body[:at] + flipped + stored.body[at + 1 :]
        bucket.objects[key] = replace(stored, body=body)
        self.damaged[key] = stored.body
        self.around.counts["damaged entries"] += 1
        self.around.tell(f"a bit of {key} rots")
        return True

    def mend_damage(self) -> None:
        """Have a replica repair the log, with what all of them kept; else restore the object."""
        if not self.damaged:
            return
        kept: dict[int, bytes] = {}
        for actor in self.actors:
            if actor.process is not None and actor.around.random.random() < 0.7:
                kept |= actor.process.replica.kept_envelopes()
        running = [actor.process for actor in self.actors if actor.process is not None]
        try:
            repairs = self.around.random.choice(running).replica.repair(kept)
        except EntryRefused as error:
            self.around.tell(f"the repair finds no copy: {error}")
            repairs = ()
        self.around.counts["repaired entries"] += len(repairs)
        bucket = self.around.bucket
        for key, body in self.damaged.items():
            if bucket.objects[key].body == body:
                continue
            if repairs:
                raise Violation("I3", f"{key} was repaired to something else")
            bucket.objects[key] = replace(bucket.objects[key], body=body)
        self.damaged.clear()

    def remove_strays(self) -> bool:
        """Move entries away that do not follow from the first one: they arrived too late."""
        bucket = self.around.bucket
        strays = [key for key in _entries(bucket.objects) if (log_number(key) or 0) > bucket.head()]
        for key in strays:
            self.around.tell(f"the owner moves {key} away")
            self.around.counts["stray entries"] += 1
            self._note_lost(bucket.objects.pop(key).body)
        if strays:
            self._interrupt()
        return bool(strays)

    def decision(self, actor: Actor) -> tuple[str, Callable[[], object]]:
        """What the owner lets a replica do that does not follow the bucket's log any more."""
        process = actor.process
        assert process is not None
        if not self.around.bucket.infos(LOG):
            self.around.counts["new logs"] += 1
            return "start a new log", process.replica.start_new_log
        self.around.counts["take-overs"] += 1
        return "take over", process.replica.take_over_from_store

    def _set(self, objects: Objects) -> None:
        bucket = self.around.bucket
        removed, bucket.objects = _entries(bucket.objects), dict(objects)
        kept = _entries(bucket.objects)
        for key, body in removed.items():
            if kept.get(key) != body:
                self._note_lost(body)
        # A log cannot begin late: what its first entry names was taken away as well.
        bucket.late = [late for late in bucket.late if log_number(late.key) != 1]
        self._interrupt()

    def show(self) -> None:
        """Let everybody notice that the bucket was away: the next look at the log fails."""
        self.unnoticed = False
        for actor in self.actors:
            if actor.process is not None:
                actor.process.wire.outage = True

    def _interrupt(self) -> None:
        """Requests that are under way fail. Who asks nothing meanwhile may not notice it."""
        self.around.bucket.generation += 1
        self.around.bucket.clock.now += _ACT_TAKES
        if self.around.random.random() < 0.5:
            self.show()
        else:
            self.unnoticed = True

    def _note_lost(self, body: bytes) -> None:
        self.around.model.taken_away |= set(unpack_entry(body, "lost").transaction_ids)


def _entries(objects: Objects) -> dict[str, bytes]:
    return {key: stored.body for key, stored in objects.items() if key.startswith(LOG)}
