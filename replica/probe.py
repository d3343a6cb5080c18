"""Finding out whether a store can be trusted to create an object only once.

Some services accept the condition of a create and overwrite all the same; others refuse a second
create that comes later but let several win that come at once. Both lose writes without an error,
so a store is tried before the first log is begun in it.
"""

import enum
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from random import Random

from replica.errors import (
    ObjectExists,
    ObjectNotFound,
    StoreError,
    StoreRejected,
    StoreThrottled,
    StoreUnreachable,
)
from replica.store import ObjectStore, PutMode

__all__ = ["ProbeResult", "StoreMode", "probe_store"]

_RACERS = 8
# Large bodies take other ways through a service than small ones. The first round also opens the
# connections, without which the racers would not come at once.
_ROUND_SIZES_BYTES = (200, 200, 200, 200, 100_000, 100_000)
_START_TIMEOUT_SECONDS = 30.0


class StoreMode(enum.StrEnum):
    """How a log is written; fixed when it is begun."""

    MULTI_WRITER = "multi_writer"
    SINGLE_WRITER = "single_writer"


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """``findings`` are sentences for people: why not for several writers, and what was left."""

    mode: StoreMode
    findings: tuple[str, ...] = ()


def probe_store(store: ObjectStore, randomness: Random) -> ProbeResult:
    """Try creates one after the other and at once, below ``probe/``, and tidy up.

    Raises the StoreError of a store that cannot be used or asked at all; nothing is concluded
    from one that is away.
    """
    keys = [f"probe/{randomness.getrandbits(128):032x}" for _ in (0, *_ROUND_SIZES_BYTES)]
    first, second = randomness.randbytes(100), randomness.randbytes(100)
    # Before this there is nothing to tidy up, and a store that is away is not asked twice.
    findings = _first(store, keys[0], first)
    left: list[str] = []
    try:
        findings = findings or _second(store, keys[0], first, second)
        for key, size_bytes in zip(keys[1:], _ROUND_SIZES_BYTES, strict=True):
            bodies = [randomness.randbytes(size_bytes) for _ in range(_RACERS)]
            findings = findings or _at_once(store, key, bodies)
    finally:
        left = _tidy_up(store, keys)
    mode = StoreMode.SINGLE_WRITER if findings else StoreMode.MULTI_WRITER
    return ProbeResult(mode, (*findings, *left))


def _first(store: ObjectStore, key: str, body: bytes) -> list[str]:
    try:
        store.put(key, body, PutMode.CREATE)
    except ObjectExists:
        if _content(store, key) != body:
            return ["The store refuses to create an object that does not exist."]
    except StoreRejected as error:
        # A store that takes no object at all is none; its own refusal says why.
        store.put(key, body, PutMode.OVERWRITE)
        return [f"The store does not support conditional creates ({error.detail})."]
    return []


def _second(store: ObjectStore, key: str, first: bytes, second: bytes) -> list[str]:
    try:
        store.put(key, second, PutMode.CREATE)
    except ObjectExists:
        if _content(store, key) == first:
            return []
        return ["The store refused a second create and changed the object all the same."]
    except StoreRejected as error:
        return [f"The store does not say that an object exists ({error.detail})."]
    return ["The store accepts the condition of a create, but overwrites what exists."]


def _at_once(store: ObjectStore, key: str, bodies: Sequence[bytes]) -> list[str]:
    answers = _race(store, key, bodies)
    for answer in answers:
        # In the crush a store may refuse or drop some: they neither won nor lost.
        unclear = (ObjectExists, StoreThrottled, StoreUnreachable)
        if isinstance(answer, StoreRejected):
            return [f"The store refused a create among several at once ({answer.detail})."]
        if answer is not None and not isinstance(answer, unclear):
            raise answer
    winners = [body for body, answer in zip(bodies, answers, strict=True) if answer is None]
    if len(winners) > 1:
        return [f"Of {len(bodies)} creates at once the store let {len(winners)} win."]
    if winners and _content(store, key) != winners[0]:
        return ["The object is not the one whose create won."]
    if not winners and not any(isinstance(answer, ObjectExists) for answer in answers):
        # Nobody was told anything; there is nothing to conclude.
        raise next(answer for answer in answers if answer is not None)
    return []


def _race(store: ObjectStore, key: str, bodies: Sequence[bytes]) -> list[StoreError | None]:
    """What each create was answered; None for one that succeeded."""
    barrier = threading.Barrier(len(bodies))

    def create(body: bytes) -> StoreError | None:
        barrier.wait(_START_TIMEOUT_SECONDS)
        try:
            store.put(key, body, PutMode.CREATE)
        except StoreError as error:
            return error
        return None

    with ThreadPoolExecutor(len(bodies), thread_name_prefix="replica-probe") as pool:
        return list(pool.map(create, bodies))


def _content(store: ObjectStore, key: str) -> bytes | None:
    try:
        return store.get(key).body
    except ObjectNotFound:
        return None


def _tidy_up(store: ObjectStore, keys: Sequence[str]) -> list[str]:
    try:
        for key in keys:
            store.delete(key)
    except StoreError as error:
        # The probe's objects are small, and nothing ever reads them again.
        return [f"Objects below probe/ were left: {error}"]
    return []
