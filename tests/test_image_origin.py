"""Fetching pictures from a real server with TLS: where requests go, and what is let through."""

from __future__ import annotations

import gzip
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from images.decoding import MOST_BYTES
from images.errors import AddressRefused, ImageRejected, OriginRefused, OriginUnreachable
from images.origin import Network, Origin, resolve
from tests.image_server import HOST, OTHER_HOST, PUBLIC, ImageServer, Reply, drawn, image_server

HOSTS = (HOST, OTHER_HOST)
ADDRESS = f"https://{HOST}/1.png"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ImageServer]:
    with image_server(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture
def server(running: ImageServer) -> ImageServer:
    for emptied in (running.replies, running.addresses):
        emptied.clear()
    for emptied_list in (running.asked, running.connected, running.resolved):
        emptied_list.clear()
    return running


def origin(server: ImageServer) -> Origin:
    return Origin(HOSTS, server.network(connect_seconds=2.0, whole_seconds=2.0))


def leads_to(location: str, status: int = 302) -> Reply:
    return Reply(status=status, headers={"Location": location})


def test_a_picture_comes_from_its_host(server: ImageServer) -> None:
    server.replies["/1.png?size=2"] = Reply(drawn())
    assert origin(server).fetch(f"{ADDRESS}?size=2") == drawn()
    assert server.asked == [(HOST, "/1.png?size=2")]
    assert server.connected == [PUBLIC]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_followed_and_its_host_looked_up_anew(
    server: ImageServer, status: int
) -> None:
    server.replies["/1.png"] = leads_to(f"https://{OTHER_HOST}/2.png", status)
    server.replies["/2.png"] = leads_to("3.png", status)
    server.replies["/3.png"] = Reply(drawn())
    assert origin(server).fetch(ADDRESS) == drawn()
    assert server.asked == [(HOST, "/1.png"), (OTHER_HOST, "/2.png"), (OTHER_HOST, "/3.png")]
    assert server.resolved == [HOST, OTHER_HOST, OTHER_HOST]


def test_three_redirects_and_no_more(server: ImageServer) -> None:
    server.replies["/1.png"] = leads_to("/1.png")
    with pytest.raises(OriginRefused, match="more than 3 times"):
        origin(server).fetch(ADDRESS)
    assert len(server.asked) == 4


@pytest.mark.parametrize(
    "location",
    [
        "http://169.254.169.254/latest/meta-data/",
        "https://169.254.169.254/latest/meta-data/",
        "https://127.0.0.1/1.png",
        "https://2130706433/1.png",
        "https://0x7f000001/1.png",
        "https://0177.0.0.1/1.png",
        "https://127.1/1.png",
        "https://[::1]/1.png",
        "https://[::ffff:169.254.169.254]/1.png",
        "https://[fd00:ec2::254]/latest/",
        "https://localhost/1.png",
        f"https://{HOST}@127.0.0.1/1.png",
        f"https://127.0.0.1#@{HOST}/1.png",
        f"https://{HOST}:8443/1.png",
        f"http://{HOST}/1.png",
        f"https://{HOST}.evil.com/1.png",
        "https://evil.com/1.png",
        "//127.0.0.1/1.png",
        "file:///etc/passwd",
        "gopher://127.0.0.1:6379/_FLUSHALL",
    ],
)
def test_a_redirect_to_where_nothing_is_asked(server: ImageServer, location: str) -> None:
    server.replies["/1.png"] = leads_to(location)
    with pytest.raises(AddressRefused):
        origin(server).fetch(ADDRESS)
    assert server.asked == [(HOST, "/1.png")]
    assert server.connected == [PUBLIC]


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["10.1.2.3"],
        ["169.254.169.254"],
        ["100.100.100.200"],
        ["::1"],
        ["::ffff:127.0.0.1"],
        ["fd00:ec2::254"],
        [PUBLIC, "192.168.0.1"],
        ["::ffff:10.0.0.1", PUBLIC],
    ],
)
def test_a_chosen_name_that_leads_inside_is_not_asked(
    server: ImageServer, addresses: list[str]
) -> None:
    server.addresses[HOST] = addresses
    with pytest.raises(AddressRefused, match="not a public address"):
        origin(server).fetch(ADDRESS)
    server.replies["/2.png"] = leads_to(f"https://{HOST}/1.png")
    with pytest.raises(AddressRefused, match="not a public address"):
        origin(server).fetch(f"https://{OTHER_HOST}/2.png")
    assert server.connected == [PUBLIC]
    assert server.asked == [(OTHER_HOST, "/2.png")]


def test_where_a_name_leads_cannot_change_between_check_and_connection(
    server: ImageServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real resolver says public once and inside ever after; only its first word is used."""
    said: list[str] = []
    real = socket.getaddrinfo

    def rebinding(host: str, *rest: object, **named: object) -> object:
        if host != HOST:
            return real(host, *rest, **named)  # type: ignore[arg-type]
        said.append(host)
        number = PUBLIC if len(said) == 1 else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (number, 443))]

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    server.replies["/1.png"] = Reply(drawn())
    # As it is reached in earnest, but for the way from the public address to this machine.
    network = Network(
        resolve=resolve, route=server.network().route, tls=server.tls, connect_seconds=2.0
    )
    assert Origin(HOSTS, network).fetch(ADDRESS) == drawn()
    assert said == [HOST]
    assert server.connected == [PUBLIC]
    with pytest.raises(AddressRefused, match=r"127\.0\.0\.1"):
        Origin(HOSTS, network).fetch(ADDRESS)
    assert server.connected == [PUBLIC]


def test_without_a_route_it_connects_to_the_checked_number_and_port() -> None:
    assert Network().route("2606:4700::1111") == ("2606:4700::1111", 443)
    assert Network().resolve is resolve


def test_a_proxy_of_the_environment_is_not_used(
    server: ImageServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/")
    server.replies["/1.png"] = Reply(drawn())
    assert origin(server).fetch(ADDRESS) == drawn()


def test_a_certificate_of_another_name_is_not_believed(tmp_path: Path) -> None:
    with image_server(tmp_path, [OTHER_HOST]) as server:
        server.replies["/1.png"] = Reply(drawn())
        with pytest.raises(OriginUnreachable):
            origin(server).fetch(ADDRESS)
        assert server.asked == []
        assert origin(server).fetch(f"https://{OTHER_HOST}/1.png") == drawn()


def test_a_certificate_of_an_unknown_authority_is_not_believed(server: ImageServer) -> None:
    network = Network(resolve=lambda _: [PUBLIC], route=server.network().route)
    with pytest.raises(OriginUnreachable):
        Origin(HOSTS, network).fetch(ADDRESS)
    assert server.asked == []


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply(b"<html>", "text/html"), "says that it is text/html"),
        (Reply(b"<svg/>", "image/svg+xml"), "says that it is image/svg+xml"),
        (Reply(drawn(), ""), "says that it is nothing"),
        (Reply(drawn(), headers={"Content-Encoding": "gzip"}), "has packed it"),
        (Reply(gzip.compress(drawn()), headers={"Content-Encoding": "br"}), "has packed it"),
        (Reply(b"\0" * (MOST_BYTES + 1)), "larger than 2,000,000 bytes"),
        (Reply(length=10**15), "larger than 2,000,000 bytes"),
    ],
)
def test_an_answer_that_is_not_read(server: ImageServer, reply: Reply, reason: str) -> None:
    server.replies["/1.png"] = reply
    with pytest.raises(ImageRejected) as rejected:
        origin(server).fetch(ADDRESS)
    assert reason in rejected.value.problem


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n\r\n" + b"0" * (MOST_BYTES + 1),
        b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nTransfer-Encoding: chunked\r\n\r\n"
        + (b"%x\r\n" % (MOST_BYTES + 1))
        + b"0" * (MOST_BYTES + 1)
        + b"\r\n0\r\n\r\n",
    ],
    ids=["no length", "chunks"],
)
def test_what_does_not_say_how_large_it_is_is_read_no_further(
    server: ImageServer, raw: bytes
) -> None:
    server.replies["/1.png"] = Reply(raw=raw)
    with pytest.raises(ImageRejected, match="larger than 2,000,000 bytes"):
        origin(server).fetch(ADDRESS)


@pytest.mark.parametrize("status", [204, 206, 304, 403, 404])
def test_an_answer_without_a_picture(server: ImageServer, status: int) -> None:
    server.replies["/1.png"] = Reply(status=status)
    with pytest.raises(OriginRefused, match=f"answered {status}"):
        origin(server).fetch(ADDRESS)


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_an_answer_that_asks_to_come_again(server: ImageServer, status: int) -> None:
    server.replies["/1.png"] = Reply(status=status)
    with pytest.raises(OriginUnreachable, match=f"answered {status}: not now"):
        origin(server).fetch(ADDRESS)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 200\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
    ids=["nothing", "another protocol", "many headers", "a long header", "no chunk"],
)
def test_an_answer_that_is_no_http(server: ImageServer, raw: bytes) -> None:
    server.replies["/1.png"] = Reply(raw=raw)
    with pytest.raises(OriginUnreachable):
        origin(server).fetch(ADDRESS)


def test_an_answer_that_breaks_off(server: ImageServer) -> None:
    server.replies["/1.png"] = Reply(drawn()[:100], length=5000)
    with pytest.raises(OriginUnreachable):
        origin(server).fetch(ADDRESS)


def test_an_answer_that_drips_is_cut_off(server: ImageServer) -> None:
    ended = threading.Event()
    server.replies["/1.png"] = Reply(length=1_000_000, drip=ended)
    network = server.network(connect_seconds=2.0, whole_seconds=0.3)
    try:
        with pytest.raises(OriginUnreachable, match=r"no whole answer in 0\.3 s"):
            Origin(HOSTS, network).fetch(ADDRESS)
    finally:
        ended.set()


def test_the_next_address_is_tried_when_one_does_not_answer(server: ImageServer) -> None:
    server.addresses[HOST] = ["93.184.216.35", PUBLIC]
    server.replies["/1.png"] = Reply(drawn())
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        dead = str(closed.getsockname()[0]), int(closed.getsockname()[1])
    network = Network(
        resolve=server.network().resolve,
        route=lambda address: server.network().route(address) if address == PUBLIC else dead,
        tls=server.tls,
    )
    assert Origin(HOSTS, network).fetch(ADDRESS) == drawn()
    server.addresses[HOST] = ["93.184.216.35"]
    with pytest.raises(OriginUnreachable, match="No answer came"):
        Origin(HOSTS, network).fetch(ADDRESS)


def test_a_name_that_does_not_resolve() -> None:
    def nothing(_: str) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with pytest.raises(OriginUnreachable, match="Name or service not known"):
        Origin(HOSTS, Network(resolve=nothing)).fetch(ADDRESS)
    with pytest.raises(OriginUnreachable, match="no address"):
        Origin(HOSTS, Network(resolve=lambda _: [])).fetch(ADDRESS)
