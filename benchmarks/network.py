"""A network between a program and its store: an HTTP proxy on loopback that counts and slows.

Every request is counted with its body and its headers apart. A round trip takes `latency_seconds`
wherever a client has to wait for one: for a new connection (as TCP does; TLS would take more), for
"100 Continue" and for each answer. The bandwidth is shared by all connections, the same in each
direction. Requests and answers are passed on whole, and each is sent to the store exactly once.
"""

from __future__ import annotations

import socket
import socketserver
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from io import BufferedIOBase
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

from benchmarks.messages import (
    PIECE_BYTES,
    Answer,
    Request,
    Upstream,
    header_of,
    read_body,
    read_head,
)

__all__ = ["Answer", "Exchange", "Proxy", "Request", "Traffic"]


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request with its answer; `status` is None where the client got no answer."""

    method: str
    target: str
    status: int | None
    request_header_bytes: int
    request_body_bytes: int
    answer_header_bytes: int
    answer_body_bytes: int

    @property
    def operation(self) -> str:
        """The method, or LIST for a GET that lists a bucket."""
        listing = self.method == "GET" and "list-type" in parse_qs(urlsplit(self.target).query)
        return "LIST" if listing else self.method

    @property
    def key(self) -> str:
        """The path without the bucket's name."""
        return urlsplit(self.target).path.lstrip("/").partition("/")[2]


@dataclass(frozen=True, slots=True)
class Traffic:
    """Sums over exchanges; `requests` counts them by `Exchange.operation`."""

    requests: Mapping[str, int] = field(default_factory=dict)
    request_header_bytes: int = 0
    request_body_bytes: int = 0
    answer_header_bytes: int = 0
    answer_body_bytes: int = 0

    @classmethod
    def of(cls, exchanges: Iterable[Exchange]) -> Traffic:
        together = list(exchanges)
        return cls(
            Counter(one.operation for one in together),
            sum(one.request_header_bytes for one in together),
            sum(one.request_body_bytes for one in together),
            sum(one.answer_header_bytes for one in together),
            sum(one.answer_body_bytes for one in together),
        )

    @property
    def total_requests(self) -> int:
        return sum(self.requests.values())


class Proxy:
    """Stands in front of one HTTP server; a context manager, its address is `url`.

    `latency_seconds` may be changed at any time. `bandwidth_bits_per_second` None is no limit.
    """

    def __init__(
        self,
        upstream_url: str,
        *,
        latency_seconds: float = 0.0,
        bandwidth_bits_per_second: float | None = None,
    ) -> None:
        upstream = urlsplit(upstream_url)
        self._upstream = (upstream.hostname or "", upstream.port or 80)
        self.latency_seconds = latency_seconds
        self._upwards = _Line(bandwidth_bits_per_second)
        self._downwards = _Line(bandwidth_bits_per_second)
        self._counted = threading.Condition()
        self._exchanges: list[Exchange] = []
        self._closing = threading.Event()
        self._of_this_thread = threading.local()
        self._server = _Server(self)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, name="proxy"
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def set_bandwidth(self, bits_per_second: float | None) -> None:
        """Changes the bandwidth of each direction; None is no limit."""
        self._upwards.bits_per_second = self._downwards.bits_per_second = bits_per_second

    def exchanges(self) -> list[Exchange]:
        """All exchanges since the last `forget`, in the order of their answers."""
        with self._counted:
            return list(self._exchanges)

    def wait_for(
        self, condition: Callable[[Sequence[Exchange]], bool], timeout_seconds: float
    ) -> bool:
        """Waits until the exchanges meet a condition; False if they do not in time."""
        with self._counted:
            return self._counted.wait_for(lambda: condition(self._exchanges), timeout_seconds)

    def traffic(self) -> Traffic:
        """The sums of `exchanges`."""
        return Traffic.of(self.exchanges())

    def forget(self) -> None:
        """Begins to count anew."""
        with self._counted:
            self._exchanges.clear()

    def __enter__(self) -> Proxy:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends all connections, at once, and all threads; harmless when repeated."""
        if self._closing.is_set():
            return
        self._closing.set()
        self._server.shutdown()
        self._server.end_connections()
        self._server.server_close()
        self._thread.join()

    def respond(self, request: Request) -> Answer | None:
        """What to answer; None resets the connection without an answer. For subclasses."""
        return self.forward(request)

    def forward(self, request: Request) -> Answer:
        """Sends a request to the server, once, and reads its whole answer.

        Raises OSError when the server gives none.
        """
        own: Upstream | None = getattr(self._of_this_thread, "upstream", None)
        if own is not None:
            return own.exchange(request)
        with closing(Upstream(self._upstream)) as upstream:
            return upstream.exchange(request)

    def wait(self, seconds: float) -> None:
        """Returns after so many seconds, or as soon as the proxy is closed."""
        if seconds > 0:
            self._closing.wait(seconds)

    def serve(self, connection: socket.socket, stream: BufferedIOBase) -> None:
        """Answers requests on one connection until the client or the proxy closes it."""
        self.wait(self.latency_seconds)
        with closing(Upstream(self._upstream)) as upstream:
            self._of_this_thread.upstream = upstream
            while not self._closing.is_set() and self._serve_one(connection, stream):
                pass

    def _serve_one(self, connection: socket.socket, stream: BufferedIOBase) -> bool:
        """True if another request may follow."""
        request = self._read(connection, stream)
        if request is None:
            return False
        self.wait(self.latency_seconds / 2)
        answer = self.respond(request)
        self._count(request, answer)
        self.wait(self.latency_seconds / 2)
        if answer is None or not self._write(connection, answer, request.method == "HEAD"):
            _reset_on_close(connection)
            return False
        return request.header("connection") != "close"

    def _read(self, connection: socket.socket, stream: BufferedIOBase) -> Request | None:
        head = read_head(stream)
        if head is None:
            return None
        self._upwards.carry(head.size_bytes)
        method, target, _ = head.first_line.split(" ", 2)
        if header_of(head.headers, "expect") == "100-continue":
            self.wait(self.latency_seconds)
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = read_body(stream, head.headers, self._upwards.carry)
        return Request(method, target, head.headers, body, head.size_bytes)

    def _count(self, request: Request, answer: Answer | None) -> None:
        exchange = Exchange(
            request.method,
            request.target,
            None if answer is None else answer.status,
            request.header_bytes,
            len(request.body),
            0 if answer is None else len(answer.head),
            0 if answer is None else len(answer.body),
        )
        with self._counted:
            self._exchanges.append(exchange)
            self._counted.notify_all()

    def _write(self, connection: socket.socket, answer: Answer, only_head: bool) -> bool:
        """True if the whole answer was sent."""
        message = answer.head + (b"" if only_head else answer.body)
        size = len(message) if answer.cut_after_bytes is None else answer.cut_after_bytes
        view = memoryview(message)[:size]
        for start in range(0, len(view), PIECE_BYTES):
            piece = view[start : start + PIECE_BYTES]
            self._downwards.carry(len(piece))
            connection.sendall(piece)
        return answer.cut_after_bytes is None


class _Line:
    """One direction of a network line; everybody who sends on it shares its bandwidth."""

    # A sleep ends a little late; so much may be caught up, or the line would be slower than said.
    _CATCH_UP_SECONDS = 0.005

    def __init__(self, bits_per_second: float | None) -> None:
        self.bits_per_second = bits_per_second
        self._lock = threading.Lock()
        self._free_at = 0.0

    def carry(self, size: int) -> None:
        """Returns when `size` bytes have passed."""
        rate = self.bits_per_second
        if rate is None:
            return
        with self._lock:
            now = time.monotonic()
            self._free_at = max(self._free_at, now - self._CATCH_UP_SECONDS) + size * 8 / rate
            remaining = self._free_at - now
        if remaining > 0:
            time.sleep(remaining)


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, proxy: Proxy) -> None:
        self._connections: set[socket.socket] = set()
        self._connections_lock = threading.Lock()

        class Connection(socketserver.StreamRequestHandler):
            disable_nagle_algorithm = True

            def handle(self) -> None:
                try:
                    proxy.serve(self.connection, self.rfile)
                except OSError:
                    # A client or the server left; the other side learns it by the reset.
                    _reset_on_close(self.connection)

        super().__init__(("127.0.0.1", 0), Connection)

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        with self._connections_lock:
            self._connections.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        # Without the polite end that comes before it elsewhere: a reset shall look like one.
        with self._connections_lock:
            self._connections.discard(request)
            self.close_request(request)

    def end_connections(self) -> None:
        """Wakes every thread that waits for a client."""
        with self._connections_lock:
            for connection in self._connections:
                # A client that has left already needs no end.
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)


def _reset_on_close(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
