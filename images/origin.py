"""Fetching a picture from where it comes from, and from nowhere else.

A name is resolved once, here; all its addresses are checked, and the connection is made to one of
these by number, with TLS for the name. So nobody can change where the name leads between the check
and the connection. No proxy of the environment is used: it would resolve the name again.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Final

from urllib3 import BaseHTTPResponse
from urllib3.connection import HTTPSConnection
from urllib3.exceptions import HTTPError

from images.addresses import HTTPS_PORT, ImageAddress, parse_address, require_public
from images.decoding import MOST_BYTES
from images.errors import ImageRejected, OriginRefused, OriginUnreachable

__all__ = ["Network", "Origin", "resolve"]

_MOST_REDIRECTS: Final = 3
_MOST_ADDRESSES: Final = 3
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
# As any status from 500 on: another time it may be there.
_LATER: Final = frozenset({408, 425, 429})
_MEDIA_TYPES: Final = frozenset({"image/png", "image/jpeg", "image/jpg", "image/webp"})
_PIECE_BYTES: Final = 65_536
# What a connection raises of itself; ValueError is a name or an answer that cannot be read.
_FAILURES: Final = (HTTPError, HTTPException, OSError, ValueError)
_HEADERS: Final = {
    "Accept": "image/webp, image/png, image/jpeg",
    # A packed answer could unpack to any size.
    "Accept-Encoding": "identity",
    "User-Agent": "nba-daily",
}


def resolve(host: str) -> list[str]:
    """The numeric addresses of a name, as this machine's resolver gives them. Raises OSError."""
    found = socket.getaddrinfo(host, HTTPS_PORT, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


@dataclass(frozen=True, slots=True)
class Network:
    """How names and addresses are reached; only tests have another than the real one.

    Attributes:
        resolve: the addresses of a name; raises OSError.
        route: the numeric address and port to connect to for a checked address.
        tls: which certificates are believed; None: those that this machine believes.
        connect_seconds: for a connection, its TLS and each silence of the server.
        whole_seconds: for the whole answer, however it drips.
    """

    resolve: Callable[[str], Sequence[str]] = resolve
    route: Callable[[str], tuple[str, int]] = field(default=lambda address: (address, HTTPS_PORT))
    tls: ssl.SSLContext | None = None
    connect_seconds: float = 5.0
    whole_seconds: float = 20.0


class Origin:
    """Reads files of some hosts. Any thread may use it; each fetch has a connection of its own."""

    def __init__(self, hosts: Collection[str], network: Network | None = None) -> None:
        self._hosts = frozenset(hosts)
        self._network = Network() if network is None else network

    def fetch(self, text: str) -> bytes:
        """The bytes behind an address, at most MOST_BYTES, not decoded.

        Up to three redirects are followed, each checked as the first address was.

        Raises:
            AddressRefused: the address, or where it leads, is none to ask.
            OriginUnreachable: no whole answer in time, or one that asks to come again.
            OriginRefused: an answer without a picture.
            ImageRejected: it is too large or says that it is of another type.
        """
        address = parse_address(text, self._hosts)
        for _ in range(_MOST_REDIRECTS + 1):
            found = self._ask(address)
            if isinstance(found, bytes):
                return found
            address = address.follow(found, self._hosts)
        raise OriginRefused(
            "fetch a picture",
            text,
            f"It leads on more than {_MOST_REDIRECTS} times.",
            "Correct the address in [images].",
        )

    def _ask(self, address: ImageAddress) -> bytes | str:
        """The content, or where a redirect leads."""
        try:
            with self._connection(address.host) as connection, self._limited(connection) as late:
                try:
                    connection.request(
                        "GET",
                        address.target,
                        headers={"Host": address.host, **_HEADERS},
                        preload_content=False,
                        decode_content=False,
                    )
                    with closing(connection.getresponse()) as answer:
                        location = answer.headers.get("Location")
                        if answer.status in _REDIRECTS and location:
                            return location
                        return _content(answer, address.text)
                except _FAILURES:
                    # A connection that was cut off here reports whatever it was at.
                    if late.is_set():
                        raise TimeoutError(
                            f"no whole answer in {self._network.whole_seconds:g} s"
                        ) from None
                    raise
        except _FAILURES as error:
            raise OriginUnreachable(
                "fetch a picture",
                address.text,
                f"No answer came: {_reason(error)}.",
                "It is tried again later by itself.",
            ) from error

    @contextmanager
    def _connection(self, host: str) -> Iterator[HTTPSConnection]:
        """A connection to one of the name's checked addresses."""
        addresses = list(self._network.resolve(host))
        require_public(host, addresses)
        if not addresses:
            raise OSError("the name has no address")
        for place, address in enumerate(addresses[:_MOST_ADDRESSES], start=1):
            connection = self._to(host, address)
            try:
                connection.connect()
            except _FAILURES:
                connection.close()
                if place == min(len(addresses), _MOST_ADDRESSES):
                    raise
                continue
            with closing(connection):
                yield connection
            return

    def _to(self, host: str, address: str) -> HTTPSConnection:
        number, port = self._network.route(address)
        return HTTPSConnection(
            number,
            port,
            timeout=self._network.connect_seconds,
            # The certificate has to be the name's, not the number's.
            server_hostname=host,
            cert_reqs="CERT_REQUIRED",
            ssl_context=self._network.tls or ssl.create_default_context(),
        )

    @contextmanager
    def _limited(self, connection: HTTPSConnection) -> Iterator[threading.Event]:
        """Cut the connection when the whole takes too long: a byte now and then resets no clock."""
        late, sock = threading.Event(), connection.sock

        def cut() -> None:
            late.set()
            # The bare socket: TLS would take its state away from the thread that reads. It may
            # have ended in this moment.
            with contextlib.suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)

        timer = threading.Timer(self._network.whole_seconds, cut)
        timer.daemon = True
        timer.start()
        try:
            yield late
            if late.is_set():
                raise TimeoutError(f"no whole answer in {self._network.whole_seconds:g} s")
        finally:
            timer.cancel()


def _content(answer: BaseHTTPResponse, text: str) -> bytes:
    if answer.status in _LATER or answer.status >= 500:
        raise OriginUnreachable(
            "fetch a picture",
            text,
            f"The server answered {answer.status}: not now.",
            "It is tried again later by itself.",
        )
    if answer.status != 200:
        raise OriginRefused(
            "fetch a picture",
            text,
            f"The server answered {answer.status}.",
            "A drawn badge is shown in its place.",
        )
    media_type = answer.headers.get("Content-Type", "").split(";")[0].strip().lower()
    if media_type not in _MEDIA_TYPES:
        said = ascii(media_type[:60])[1:-1] or "nothing"
        raise _rejected(text, f"The server says that it is {said}; PNG, JPEG and WebP are taken.")
    if answer.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise _rejected(text, "The server has packed it, unasked.")
    announced = answer.headers.get("Content-Length", "")
    if announced.isdecimal() and int(announced[:20]) > MOST_BYTES:
        raise _too_large(text)
    body = bytearray()
    while piece := answer.read(_PIECE_BYTES):
        body += piece
        if len(body) > MOST_BYTES:
            raise _too_large(text)
    return bytes(body)


def _too_large(text: str) -> ImageRejected:
    return _rejected(text, f"It is larger than {MOST_BYTES:,} bytes.")


def _rejected(text: str, problem: str) -> ImageRejected:
    return ImageRejected("fetch a picture", text, problem, "A drawn badge is shown in its place.")


def _reason(error: Exception) -> str:
    """Short, and without objects' names."""
    if isinstance(error, TimeoutError) and error.args:
        return str(error)
    if isinstance(error, HTTPError | HTTPException | ValueError):
        return type(error).__name__
    return str(getattr(error, "strerror", None) or error)
