"""A proxy that breaks what passes through it, driven by a seed."""

from __future__ import annotations

import enum
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from email.utils import formatdate
from random import Random

from benchmarks.network import Answer, Proxy, Request
from tests.servers import s3_error

__all__ = ["Fault", "FaultyProxy"]


class Fault(enum.Enum):
    """What can happen to a request on its way."""

    RESET_BEFORE = "reset before the request reached the store"
    RESET_AFTER = "reset after the store had done it, before the answer"
    LANDS_LATE = "reset, and the store gets the request a while later"
    DELAY = "answered late"
    TRUNCATE = "the answer breaks off"
    ERROR_500 = "500 instead of the store"
    ERROR_503 = "503 instead of the store"
    ERROR_429 = "429 instead of the store"


_ERRORS = {
    Fault.ERROR_500: (500, "InternalError"),
    Fault.ERROR_503: (503, "SlowDown"),
    Fault.ERROR_429: (429, "TooManyRequests"),
}


class FaultyProxy(Proxy):
    """Does to a `share` of all requests one of `faults`, and counts them in `faults_done`.

    The same seed gives the same faults in the same order of requests; with several clients the
    order of requests is theirs. A request that lands late may do so after its sender, reading what
    is there, has found nothing. `pause()` lets everything through.
    """

    def __init__(
        self,
        upstream_url: str,
        randomness: Random,
        *,
        share: float = 0.2,
        faults: Sequence[Fault] = tuple(Fault),
        longest_delay_seconds: float = 0.1,
    ) -> None:
        super().__init__(upstream_url)
        self._random = randomness
        self._share = share
        self._faults = tuple(faults)
        self._longest_delay_seconds = longest_delay_seconds
        self._drawing = threading.Lock()
        self._late: list[threading.Thread] = []
        self.faults_done: Counter[Fault] = Counter()

    def __enter__(self) -> FaultyProxy:
        super().__enter__()
        return self

    def pause(self) -> None:
        """From now on nothing is broken; what was to land late has landed when this returns."""
        with self._drawing:
            self._share = 0.0
        self._join_late()

    def close(self) -> None:
        super().close()
        self._join_late()

    def respond(self, request: Request) -> Answer | None:
        fault, delay_seconds = self._draw(request)
        if fault in _ERRORS:
            return _error(*_ERRORS[fault])
        if fault is Fault.RESET_BEFORE:
            return None
        if fault is Fault.LANDS_LATE:
            thread = threading.Thread(target=self._land, args=(request, delay_seconds))
            with self._drawing:
                self._late.append(thread)
            thread.start()
            return None
        answer = self.forward(request)
        if fault is Fault.RESET_AFTER:
            return None
        if fault is Fault.DELAY:
            self.wait(delay_seconds)
        if fault is Fault.TRUNCATE:
            head_bytes, body_bytes = len(answer.head), len(answer.body)
            cut = head_bytes + body_bytes // 2 if body_bytes > 1 else head_bytes // 2
            return replace(answer, cut_after_bytes=cut)
        return answer

    def _draw(self, request: Request) -> tuple[Fault | None, float]:
        with self._drawing:
            # Always three draws, so that one request's fault does not move the next one's.
            broken = self._random.random() < self._share
            fault = self._random.choice(self._faults)
            delay_seconds = self._random.uniform(0, self._longest_delay_seconds)
            if not broken:
                return None, 0.0
            if fault is Fault.LANDS_LATE and request.method != "PUT":
                fault = Fault.RESET_BEFORE
            self.faults_done[fault] += 1
            return fault, delay_seconds

    def _land(self, request: Request, delay_seconds: float) -> None:
        self.wait(delay_seconds)
        try:
            self.forward(request)
        except OSError:
            # The store went away meanwhile: then it lands never, which may happen too.
            return

    def _join_late(self) -> None:
        with self._drawing:
            late, self._late = self._late, []
        for thread in late:
            thread.join()


def _error(status: int, code: str) -> Answer:
    reply = s3_error(status, code)
    headers = {
        **reply.headers,
        "Content-Length": str(len(reply.body)),
        "Date": formatdate(usegmt=True),
    }
    return Answer(status, code, tuple(headers.items()), reply.body)
