"""HTTP messages as a proxy needs them: read whole, counted, and sent on once."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from io import BufferedIOBase

__all__ = [
    "PIECE_BYTES",
    "Answer",
    "Head",
    "Headers",
    "Request",
    "Upstream",
    "header_of",
    "read_body",
    "read_head",
]

Headers = tuple[tuple[str, str], ...]

PIECE_BYTES = 16 * 1024
_UPSTREAM_TIMEOUT_SECONDS = 120.0
# What belongs to one connection and not to the message.
_OF_THE_CONNECTION = frozenset({"connection", "keep-alive", "transfer-encoding", "expect"})


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asked; `header_bytes` counts the request line and all headers."""

    method: str
    target: str
    headers: Headers
    body: bytes
    header_bytes: int

    def header(self, name: str) -> str:
        """The header's value in lower case, "" if there is none."""
        return header_of(self.headers, name)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a client gets back.

    cut_after_bytes: only so many bytes of the whole answer are sent, then the connection is reset.
    """

    status: int
    reason: str
    headers: Headers
    body: bytes = b""
    cut_after_bytes: int | None = None

    @property
    def head(self) -> bytes:
        return _head_bytes(f"HTTP/1.1 {self.status} {self.reason}", self.headers)


class Upstream:
    """A connection to the server that is kept for the next request where the server allows it."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self._connection: socket.socket | None = None

    def exchange(self, request: Request) -> Answer:
        """The answer to a request, which is sent once. Raises OSError when there is none."""
        connection = self._open()
        headers = [*_of_the_message(request.headers), ("Connection", "keep-alive")]
        if not request.header("content-length") and request.method in ("PUT", "POST"):
            headers.append(("Content-Length", str(len(request.body))))
        connection.sendall(_head_bytes(f"{request.method} {request.target} HTTP/1.1", headers))
        connection.sendall(request.body)
        with connection.makefile("rb") as stream:
            head = read_head(stream)
            if head is None:
                raise ConnectionResetError("the server gave no answer")
            status, _, reason = head.first_line.partition(" ")[2].partition(" ")
            bodiless = request.method == "HEAD" or status in ("204", "304")
            named = header_of(head.headers, "content-length") != ""
            chunked = header_of(head.headers, "transfer-encoding") == "chunked"
            until_closed = not (bodiless or named or chunked)
            if bodiless:
                body = b""
            elif until_closed:
                body = stream.read()
            else:
                body = read_body(stream, head.headers, lambda _: None)
        if until_closed or header_of(head.headers, "connection") == "close":
            self.close()
        length = () if named or bodiless else (("Content-Length", str(len(body))),)
        return Answer(int(status), reason, (*_of_the_message(head.headers), *length), body)

    def close(self) -> None:
        """Ends the connection; the next request makes another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> socket.socket:
        # What can be read before anything was asked is the end of the connection.
        if self._connection is not None and select.select([self._connection], [], [], 0)[0]:
            self.close()
        if self._connection is None:
            self._connection = socket.create_connection(self._address, _UPSTREAM_TIMEOUT_SECONDS)
            self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._connection


@dataclass(frozen=True, slots=True)
class Head:
    """The lines before a body; `size_bytes` counts them and the empty line after them."""

    first_line: str
    headers: Headers
    size_bytes: int


def read_head(stream: BufferedIOBase) -> Head | None:
    """Reads up to the empty line before the body; None at the end of the stream."""
    lines: list[bytes] = []
    while (line := stream.readline()) != b"\r\n":
        # At the end of the stream a line has no end.
        if not line.endswith(b"\r\n"):
            return None
        lines.append(line)
    headers = tuple(_split_header(line) for line in lines[1:])
    size_bytes = sum(map(len, lines)) + len(b"\r\n")
    return Head(lines[0].decode("latin-1").rstrip(), headers, size_bytes)


def read_body(stream: BufferedIOBase, headers: Headers, carry: Callable[[int], object]) -> bytes:
    """The body as its headers announce it; ConnectionResetError if it is not whole."""
    if header_of(headers, "transfer-encoding") != "chunked":
        return _read_bytes(stream, int(header_of(headers, "content-length") or 0), carry)
    chunks: list[bytes] = []
    while line := stream.readline():
        chunk = _read_bytes(stream, int(line.partition(b";")[0], 16), carry)
        stream.readline()
        if not chunk:
            return b"".join(chunks)
        chunks.append(chunk)
    raise ConnectionResetError("the other side left in the middle of a message")


def _read_bytes(stream: BufferedIOBase, size: int, carry: Callable[[int], object]) -> bytes:
    pieces: list[bytes] = []
    missing = size
    while missing:
        piece = stream.read(min(missing, PIECE_BYTES))
        if not piece:
            raise ConnectionResetError("the other side left in the middle of a message")
        carry(len(piece))
        pieces.append(piece)
        missing -= len(piece)
    return b"".join(pieces)


def _head_bytes(first_line: str, headers: Iterable[tuple[str, str]]) -> bytes:
    lines = [first_line, *(f"{name}: {value}" for name, value in headers)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _split_header(line: bytes) -> tuple[str, str]:
    name, _, value = line.decode("latin-1").partition(":")
    return name.strip(), value.strip()


def header_of(headers: Iterable[tuple[str, str]], name: str) -> str:
    """A header's value in lower case, "" if there is none; its name is given in lower case."""
    return next((value.lower() for other, value in headers if other.lower() == name), "")


def _of_the_message(headers: Iterable[tuple[str, str]]) -> Headers:
    return tuple(pair for pair in headers if pair[0].lower() not in _OF_THE_CONNECTION)
