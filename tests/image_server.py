"""A server of pictures with TLS on loopback, reached as if it were at a public address."""

from __future__ import annotations

import http.server
import io
import ipaddress
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from PIL import Image

from images.origin import Network

__all__ = ["HOST", "OTHER_HOST", "PUBLIC", "ImageServer", "Reply", "drawn", "image_server"]

HOST, OTHER_HOST = "cdn.example.com", "pictures.example.com"
PUBLIC = "93.184.216.34"


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer.

    `drip` goes on with the body byte by byte until it is set; `raw` are all bytes of the answer.
    """

    body: bytes = b""
    media_type: str = "image/png"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    length: int | None = None
    drip: threading.Event | None = None
    raw: bytes | None = None


@dataclass(slots=True)
class ImageServer:
    """What it answers by path, what it was asked, and how to reach it.

    Attributes:
        replies: by path and query; others are not found.
        asked: (Host header, path) of each request.
        connected: each address that was to be connected to.
        addresses: what the resolver says of each name.
    """

    port: int
    tls: ssl.SSLContext
    replies: dict[str, Reply] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    connected: list[str] = field(default_factory=list)
    addresses: dict[str, Sequence[str]] = field(default_factory=dict)
    resolved: list[str] = field(default_factory=list)

    def network(self, **options: Any) -> Network:
        """The way here: all names lead to a public address, and that to loopback."""
        return Network(resolve=self._resolve, route=self._route, tls=self.tls, **options)

    def _resolve(self, host: str) -> Sequence[str]:
        self.resolved.append(host)
        return self.addresses.get(host, [PUBLIC])

    def _route(self, address: str) -> tuple[str, int]:
        self.connected.append(address)
        return "127.0.0.1", self.port


@contextmanager
def image_server(folder: Path, names: Sequence[str] = (HOST, OTHER_HOST)) -> Iterator[ImageServer]:
    """Serve until the block ends, with a certificate for some names that only its clients trust."""
    certificate, tls = _certificate(folder, names)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(lambda: server))
    # Not at once: a client that hangs up in the handshake would end the server's loop.
    httpd.socket = context.wrap_socket(
        httpd.socket, server_side=True, do_handshake_on_connect=False
    )
    server = ImageServer(httpd.server_address[1], tls)
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        httpd.shutdown()
        thread.join()
        httpd.server_close()


def _handler(server: Callable[[], ImageServer]) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def handle(self) -> None:
            # Whoever hangs up early is what some tests are about.
            try:
                super().handle()
            except OSError:
                self.close_connection = True

        def do_GET(self) -> None:
            server().asked.append((self.headers["Host"], self.path))
            reply = server().replies.get(self.path, Reply(status=404, media_type="text/html"))
            if reply.raw is not None:
                self.wfile.write(reply.raw)
                return
            self.send_response(reply.status)
            self.send_header("Content-Type", reply.media_type)
            length = len(reply.body) if reply.length is None else reply.length
            self.send_header("Content-Length", str(length))
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(reply.body)
            while reply.drip is not None and not reply.drip.wait(0.02):
                self.wfile.write(b".")

        def log_message(self, *arguments: Any) -> None:
            """Nothing: the tests look at `asked`."""

    return Handler


def drawn(
    size: tuple[int, int] = (260, 190), kind: str = "PNG", mode: str = "RGBA", **options: Any
) -> bytes:
    """A picture file of one colour."""
    file = io.BytesIO()
    Image.new(mode, size, "#b53b0a" if mode != "P" else 7).save(file, kind, **options)
    return file.getvalue()


def _certificate(folder: Path, names: Sequence[str]) -> tuple[Path, ssl.SSLContext]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "pictures")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName(
                [
                    *(x509.DNSName(name) for name in names),
                    # Only the name counts: that the number is right too must help nobody.
                    x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
                ]
            ),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    text = signed.public_bytes(serialization.Encoding.PEM)
    path = folder / "server.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + text
    )
    return path, ssl.create_default_context(cadata=text.decode())
