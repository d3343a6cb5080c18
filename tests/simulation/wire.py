"""One process's connection to the bucket, and all that can happen to a request on it."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from random import Random

from replica import (
    AccessDenied,
    ObjectExists,
    ObjectInfo,
    ObjectNotFound,
    PutMode,
    StoredObject,
    StoreError,
    StoreThrottled,
    StoreUnreachable,
)
from tests.simulation.bucket import LOG, Bucket, Deletion, Late, log_number
from tests.simulation.claims import Claims
from tests.simulation.scheduler import pause
from tests.simulation.violations import Violation

__all__ = ["CALM", "WEATHERS", "Fault", "Weather", "Wire"]

_ACTIONS = {
    "get": "s3:GetObject",
    "put": "s3:PutObject",
    "list": "s3:ListBucket",
    "delete": "s3:DeleteObject",
}
_HINT = "head.json"

Versions = list[StoredObject]


class Fault(enum.Enum):
    """LOST: nothing arrives. ANSWERLESS: the effect without the answer. LATE: an error now, the
    effect some time later. RESENT: the effect, and the refusal of the client's own second
    attempt. CONFLICT: refused as long as another such request is under way, whoever wins.
    """

    NONE = "none"
    LOST = "lost"
    ANSWERLESS = "answerless"
    LATE = "late"
    RESENT = "resent"
    CONFLICT = "conflict"
    THROTTLED = "throttled"
    TRUNCATED = "truncated"
    CORRUPTED = "corrupted"


_READING = (Fault.LOST, Fault.THROTTLED, Fault.TRUNCATED, Fault.CORRUPTED, Fault.CORRUPTED)
_WRITING = (Fault.LOST, Fault.THROTTLED, Fault.ANSWERLESS)
_CREATING = (
    Fault.LOST,
    Fault.THROTTLED,
    Fault.ANSWERLESS,
    Fault.ANSWERLESS,
    Fault.LATE,
    Fault.LATE,
    Fault.LATE,
    Fault.RESENT,
    Fault.CONFLICT,
)


@dataclass(frozen=True, slots=True)
class Weather:
    """How often requests fail, by what they want."""

    reading: float
    writing: float
    creating: float


CALM = Weather(0.0, 0.0, 0.0)
WEATHERS = (CALM, Weather(0.01, 0.03, 0.15), Weather(0.02, 0.08, 0.35), Weather(0.05, 0.15, 0.55))


class Wire:
    """An ObjectStore with versions. ``seam`` may raise Crash, before and after each effect."""

    location = "simulated bucket"
    clock_offset_seconds = 0.0

    def __init__(
        self,
        owner: str,
        bucket: Bucket,
        claims: Claims,
        random: Random,
        weather: Weather,
        seam: Callable[[str], None],
        tell: Callable[[str], None],
    ) -> None:
        self.weather = weather
        self.denied: frozenset[str] = frozenset()
        self.outage = False
        self.claiming = False
        self.claimed = False
        self.asked_in_generation = bucket.generation
        self._owner = owner
        self._bucket = bucket
        self._claims = claims
        self._random = random
        self._seam = seam
        self._tell = tell

    def get(self, key: str) -> StoredObject:
        fault = self._begin("get", key, self.weather.reading, _READING)
        stored = self._bucket.objects.get(key)
        if key == _HINT and stored is not None and self._random.random() < 0.3:
            _, older = self._random.choice(self._bucket.bodies[key])
            stored = StoredObject(replace(stored.info, size_bytes=len(older)), older)
        self._end("get", key)
        self._claims.read(self._owner, key, stored.body if stored else None)
        if stored is None:
            self._tell(f"get {key}: absent")
            raise ObjectNotFound("get", key)
        body = _damaged(stored.body, fault, self._random)
        self._tell(f"get {key}: {len(body)} bytes{'' if body == stored.body else ', damaged'}")
        return StoredObject(stored.info, body)

    def put(self, key: str, body: bytes, mode: PutMode) -> ObjectInfo:
        if mode is PutMode.CREATE:
            return self._create(key, body)
        fault = self._begin("put", key, self.weather.writing, _WRITING)
        self._bucket.overwrite(key, body)
        self._end("put", key)
        self._answer("put", key, lost=fault is Fault.ANSWERLESS)
        return self._info(key, body)

    def list(self, prefix: str, *, start_after: str = "") -> list[ObjectInfo]:
        self._begin("list", prefix, self.weather.reading, (Fault.LOST, Fault.THROTTLED))
        found = self._bucket.infos(prefix, start_after)
        self._end("list", prefix)
        self._tell(f"list {prefix}: {len(found)} objects")
        return found

    def delete(self, key: str) -> None:
        fault = self._begin("delete", key, self.weather.writing, _WRITING)
        there = tuple(info.key for info in self._bucket.infos("backups/"))
        if key in there and self.asked_in_generation == self._bucket.generation:
            self._bucket.deletions.append(Deletion(key, there))
        self._bucket.delete(key)
        self._end("delete", key)
        self._answer("delete", key, lost=fault is Fault.ANSWERLESS)

    def versions(self, key: str) -> Versions:
        """Every body that a request stored under the key: the bucket keeps versions."""
        self._begin("get", key, self.weather.reading, (Fault.LOST, Fault.THROTTLED))
        bodies = self._bucket.bodies.get(key, [])
        self._end("get", key)
        return [StoredObject(self._info(key, body), body) for _, body in bodies]

    def _create(self, key: str, body: bytes) -> ObjectInfo:
        fault = self._begin("put", key, self.weather.creating, _CREATING)
        if fault is Fault.LATE:
            late = Late(self._owner, key, body)
            self._bucket.late.append(late)
            self._claims.sent_late(late)
            self._claims.unanswered(self._owner, key, body)
            self._end("put", key)
            self._answer("put", key, lost=True)
        if fault is Fault.CONFLICT:
            self._claims.unanswered(self._owner, key, body)
            self._end("put", key)
            self._tell(f"create {key}: 409")
            raise ObjectExists("put", key, detail="409")
        created = self._bucket.create(key, body)
        self.claimed |= created and log_number(key) is not None
        self._check_linked(key, created=created)
        there = self._bucket.objects[key]
        self._claims.tried(self._owner, key, body, there.body, created=created)
        if fault in (Fault.ANSWERLESS, Fault.RESENT):
            self._claims.unanswered(self._owner, key, body)
        self._end("put", key, body)
        self._answer("create", key, lost=fault is Fault.ANSWERLESS)
        if not created or fault is Fault.RESENT:
            self._tell(f"create {key}: 412{', resent' if created else ''}")
            raise ObjectExists("put", key)
        self._claims.answered(self._owner, key)
        # The answer to a put can name another second than the object will.
        later = timedelta(seconds=self._random.choice((0, 0, 1)))
        return replace(there.info, modified_at=there.info.modified_at + later)

    def _check_linked(self, key: str, *, created: bool) -> None:
        """Nobody may write on above a hole, or beside what he knows, as if nothing had happened.

        Whoever was in the middle of an exchange when it happened cannot know it.
        """
        if self.asked_in_generation != self._bucket.generation:
            return
        if created and (log_number(key) or 0) > 1 and not self._bucket.follows(key):
            raise Violation("identity", f"{self._owner} creates {key}, which follows nothing")

    def _begin(self, verb: str, key: str, probability: float, possible: tuple[Fault, ...]) -> Fault:
        """The request is on its way; raises where it does not arrive or is turned away."""
        self._seam(f"before {verb} {key}")
        generation = self._bucket.generation
        fault = Fault.NONE
        if self._random.random() < probability:
            fault = self._random.choice(possible)
        self.claiming = verb == "put" and (log_number(key) or 0) > 1
        pause()
        self._seam(f"during {verb} {key}")
        claiming, self.claiming = self.claiming, False
        if self.outage or generation != self._bucket.generation:
            # Until it has cost a look at the log, so that the replica knows that it was away.
            self.outage = self.outage and not key.startswith(LOG)
            arrives = claiming and self._random.random() < 0.6
            fault = Fault.LATE if arrives else Fault.LOST
        if verb in self.denied:
            raise self._failed(verb, key, AccessDenied(verb, key, _ACTIONS[verb]))
        if fault is Fault.LOST:
            raise self._failed(verb, key, StoreUnreachable(verb, key))
        if fault is Fault.THROTTLED:
            raise self._failed(verb, key, StoreThrottled(verb, key))
        return fault

    def _failed(self, verb: str, key: str, error: StoreError) -> StoreError:
        self._tell(f"{verb} {key}: {type(error).__name__}, no effect")
        return error

    def _end(self, verb: str, key: str, created: bytes = b"") -> None:
        """The effect is there, the answer on its way; raises where it does not arrive."""
        self._seam(f"after {verb} {key}")
        generation = self._bucket.generation
        self._bucket.clock.pass_by()
        pause()
        self._seam(f"after the answer to {verb} {key}")
        if generation != self._bucket.generation:
            if created:
                self._claims.unanswered(self._owner, key, created)
            self._answer(verb, key, lost=True)

    def _answer(self, verb: str, key: str, *, lost: bool) -> None:
        self._tell(f"{verb} {key}: {'answer lost' if lost else 'done'}")
        if lost:
            raise StoreUnreachable(verb, key)

    def _info(self, key: str, body: bytes) -> ObjectInfo:
        return ObjectInfo(key, len(body), self._bucket.clock.now)


def _damaged(body: bytes, fault: Fault, random: Random) -> bytes:
    if fault is Fault.TRUNCATED:
        return body[: random.randrange(len(body) + 1)]
    if fault is Fault.CORRUPTED and body:
        at = random.randrange(len(body))
        return body[:at] + bytes([body[at] ^ 1 << random.randrange(8)]) + body[at + 1 :]
    return body
