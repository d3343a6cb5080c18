"""Object stores for the tests: real servers on loopback, started and stopped as context managers.

moto and MiniStack answer like S3; ErrorServer answers whatever a test tells it to, and remembers
what it was asked.
"""

from __future__ import annotations

import functools
import http.server
import logging
import os
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any
from xml.sax.saxutils import escape

import boto3
from botocore.config import Config

from replica.stores.s3 import S3Options

__all__ = [
    "ACCESS_KEY_ID",
    "REGION",
    "SECRET_ACCESS_KEY",
    "ErrorServer",
    "Received",
    "Reply",
    "create_bucket",
    "empty_listing",
    "free_port",
    "ministack_server",
    "moto_server",
    "raw_client",
    "s3_error",
    "s3_options",
    "stored",
]

REGION = "us-east-1"
ACCESS_KEY_ID = "test"
SECRET_ACCESS_KEY = "test"


def free_port() -> int:
    """A TCP port of 127.0.0.1 on which nothing listens at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# moto looks whether a key exists and writes it in two steps; without a lock two threads that
# create the same key can both win, which no S3 does.
_MOTO_WRITES = ("put_object", "delete_object", "copy_object")


def _one_at_a_time(
    lock: AbstractContextManager[object], method: Callable[..., Any]
) -> Callable[..., Any]:
    def locked(*arguments: Any, **named: Any) -> Any:
        with lock:
            return method(*arguments, **named)

    return locked


@contextmanager
def moto_server() -> Iterator[str]:
    """moto's S3 over HTTP in a thread of this process; yields its address."""
    from moto.s3.responses import S3Response
    from moto.server import ThreadedMotoServer

    originals = {name: getattr(S3Response, name) for name in _MOTO_WRITES}
    lock = threading.RLock()
    for name, method in originals.items():
        setattr(S3Response, name, _one_at_a_time(lock, method))
    access_log = logging.getLogger("werkzeug")
    level = access_log.level
    access_log.setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()
        access_log.setLevel(level)
        for name, method in originals.items():
            setattr(S3Response, name, method)


@contextmanager
def ministack_server(log_path: Path) -> Iterator[str]:
    """MiniStack's S3 as a process of its own, its output in log_path; yields its address."""
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if name[:4] != "AWS_"}
    environment |= {
        "AUTH": "true",
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "SERVICES": "s3",
        # Its MQTT broker would take the fixed port 8883, so two test runs could not coexist.
        "IOT_MTLS_ENABLED": "0",
        "TMPDIR": str(log_path.parent),
    }
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "ministack"],
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_until_ready(url, process, log_path)
        yield url
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(timeout=10)


def _wait_until_ready(url: str, process: subprocess.Popen[bytes], log_path: Path) -> None:
    pause = threading.Event()
    for _ in range(300):
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"{url}/_ministack/health", timeout=1):
                return
        except OSError:
            pause.wait(0.05)
    raise RuntimeError(f"MiniStack did not start:\n{log_path.read_text(errors='replace')}")


def s3_options(endpoint_url: str | None, bucket: str, **changes: Any) -> S3Options:
    """Options for a store on one of these servers; changes replace single fields."""
    settings: dict[str, Any] = {
        "bucket": bucket,
        "region": REGION,
        "access_key_id": ACCESS_KEY_ID,
        "secret_access_key": SECRET_ACCESS_KEY,
        "endpoint_url": endpoint_url,
    }
    return S3Options(**(settings | changes))


@functools.cache
def raw_client(endpoint_url: str) -> Any:
    """A plain boto3 client, for looking at a bucket past the code under test."""
    return boto3.client(
        "s3",
        region_name=REGION,
        endpoint_url=endpoint_url,
        aws_access_key_id=ACCESS_KEY_ID,
        aws_secret_access_key=SECRET_ACCESS_KEY,
        config=Config(s3={"addressing_style": "path"}),
    )


def create_bucket(endpoint_url: str, name: str) -> None:
    """Creates an empty bucket."""
    raw_client(endpoint_url).create_bucket(Bucket=name)


@dataclass(frozen=True, slots=True)
class Reply:
    """What ErrorServer answers to one request.

    hang: the request is read and never answered. drop: it is read, then the connection is closed.
    declared_size_bytes: the Content-Length to claim when it shall differ from the body's.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    declared_size_bytes: int | None = None
    send_date: bool = True
    hang: bool = False
    drop: bool = False


@dataclass(frozen=True, slots=True)
class Received:
    """One request as ErrorServer saw it; header names in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


def s3_error(
    status: int,
    code: str,
    message: str = "as told by the test",
    *,
    details: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    send_date: bool = True,
) -> Reply:
    """An error as S3 writes it: XML with code, message and further elements."""
    elements = {"Code": code, "Message": message, **(details or {}), "RequestId": "0000"}
    xml = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in elements.items())
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{xml}</Error>'
    all_headers = {"Content-Type": "application/xml", **(headers or {})}
    return Reply(status, body.encode(), all_headers, send_date=send_date)


def stored(**headers: str) -> Reply:
    """What S3 answers to a successful put."""
    return Reply(headers={"ETag": '"0123456789abcdef0123456789abcdef"', **headers})


def empty_listing(bucket: str) -> Reply:
    """What S3 answers to a listing that finds nothing."""
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"<Name>{escape(bucket)}</Name><Prefix></Prefix><KeyCount>0</KeyCount>"
        "<MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated></ListBucketResult>"
    )
    return Reply(200, body.encode(), {"Content-Type": "application/xml"})


class ErrorServer:
    """An HTTP server that answers what a test tells it to.

    Replies are used up in order; the last one is repeated. `received` holds the requests.
    """

    def __init__(self, *replies: Reply) -> None:
        self._replies = list(replies)
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self.received: list[Received] = []
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.005}, name="error-server"
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def answer(self, *replies: Reply) -> None:
        """Sets what comes next and forgets the requests so far."""
        with self._lock:
            self._replies = list(replies)
            self.received.clear()

    def __enter__(self) -> ErrorServer:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=10)

    def _next(self, request: Received) -> Reply:
        with self._lock:
            self.received.append(request)
            return self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]

    def _handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _serve(self) -> None:
                size_bytes = int(self.headers.get("Content-Length") or 0)
                headers = {name.lower(): value for name, value in self.headers.items()}
                body = self.rfile.read(size_bytes)
                reply = outer._next(Received(self.command, self.path, headers, body))
                self.close_connection = True
                if reply.hang:
                    outer._closing.wait(30)
                    return
                if reply.drop:
                    return
                if reply.send_date:
                    self.send_response(reply.status)
                else:
                    self.send_response_only(reply.status)
                declared = reply.declared_size_bytes
                length = len(reply.body) if declared is None else declared
                for name, value in {**reply.headers, "Content-Length": str(length)}.items():
                    self.send_header(name, value)
                self.send_header("Connection", "close")
                self.end_headers()
                self.wfile.write(reply.body)

            do_GET = do_PUT = _serve  # noqa: N815 (http.server looks for these names)

            def log_message(self, *_: object) -> None:
                """Requests are kept in `received`; nothing is printed."""

        return Handler
