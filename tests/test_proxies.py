"""The proxies themselves: what they count, how they slow down, and what they break."""

from __future__ import annotations

import http.client
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from urllib.parse import urlsplit

import pytest

from benchmarks.network import Proxy, Traffic
from tests.proxies import Fault, FaultyProxy
from tests.servers import ErrorServer, Reply, stored

BODY = bytes(range(256)) * 4


@pytest.fixture
def server() -> Iterator[ErrorServer]:
    with ErrorServer(Reply(200, BODY, {"X-Kind": "answer"})) as running:
        yield running


@contextmanager
def client_of(proxy: Proxy) -> Iterator[http.client.HTTPConnection]:
    address = urlsplit(proxy.url)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=10)
    try:
        yield connection
    finally:
        connection.close()


def ask(
    connection: http.client.HTTPConnection, method: str = "GET", body: bytes | None = None
) -> tuple[int, bytes]:
    connection.request(method, "/bucket/some/key", body)
    answer = connection.getresponse()
    return answer.status, answer.read()


def test_one_connection_carries_many_requests_and_each_is_counted(server: ErrorServer) -> None:
    with Proxy(server.url) as proxy, client_of(proxy) as connection:
        assert ask(connection) == (200, BODY)
        first_socket = connection.sock
        assert ask(connection, "PUT", b"12345") == (200, BODY)
        assert ask(connection, "PUT", b"123") == (200, BODY)
        connection.request("GET", "/bucket?prefix=log%2F&list-type=2")
        connection.getresponse().read()
        assert connection.sock is first_socket
        traffic = proxy.traffic()
        assert [one.operation for one in proxy.exchanges()] == ["GET", "PUT", "PUT", "LIST"]
        assert proxy.exchanges()[1].key == "some/key"
        proxy.forget()
        assert proxy.traffic() == Traffic()
    assert traffic.requests == {"GET": 1, "PUT": 2, "LIST": 1}
    assert traffic.total_requests == 4
    assert traffic.request_body_bytes == 8
    assert traffic.answer_body_bytes == 4 * len(BODY)
    assert [one.body for one in server.received] == [b"", b"12345", b"123", b""]
    assert server.received[0].headers["host"] == urlsplit(proxy.url).netloc


def test_headers_are_counted_to_the_byte(server: ErrorServer) -> None:
    with Proxy(server.url) as proxy, client_of(proxy) as connection:
        connection.putrequest("GET", "/a/b", skip_host=True, skip_accept_encoding=True)
        connection.putheader("Host", "x")
        connection.endheaders()
        answer = connection.getresponse()
        answer.read()
        traffic = proxy.traffic()
    assert traffic.request_header_bytes == len(b"GET /a/b HTTP/1.1\r\nHost: x\r\n\r\n")
    lines = ["HTTP/1.1 200 OK", *(f"{name}: {value}" for name, value in answer.getheaders()), ""]
    assert traffic.answer_header_bytes == sum(len(line) + 2 for line in lines)


def test_a_body_in_chunks_and_one_that_waits_for_leave_arrive(server: ErrorServer) -> None:
    with Proxy(server.url) as proxy, client_of(proxy) as connection:
        connection.request("PUT", "/a/b", iter([b"one", b"two"]), encode_chunked=True)
        assert connection.getresponse().read() == BODY
        connection.putrequest("PUT", "/a/b")
        connection.putheader("Expect", "100-continue")
        connection.putheader("Content-Length", "4")
        connection.endheaders()
        # http.client reads over "100 Continue", so that the body may follow at once.
        connection.send(b"four")
        assert connection.getresponse().read() == BODY
    assert [one.body for one in server.received] == [b"onetwo", b"four"]


def test_the_answer_to_a_head_request_keeps_its_length(server: ErrorServer) -> None:
    server._server.RequestHandlerClass.do_HEAD = (  # type: ignore[attr-defined]
        server._server.RequestHandlerClass.do_GET  # type: ignore[attr-defined]
    )
    server.answer(Reply(200, b"", declared_size_bytes=77))
    with Proxy(server.url) as proxy, client_of(proxy) as connection:
        connection.request("HEAD", "/a/b")
        answer = connection.getresponse()
        assert (answer.getheader("Content-Length"), answer.read()) == ("77", b"")
        server.answer(Reply(200, BODY))
        assert ask(connection) == (200, BODY)


def test_latency_is_charged_for_the_connection_and_for_each_answer(server: ErrorServer) -> None:
    with Proxy(server.url, latency_seconds=0.05) as proxy, client_of(proxy) as connection:
        started = time.monotonic()
        ask(connection)
        first = time.monotonic() - started
        ask(connection)
        second = time.monotonic() - started - first
    assert first >= 0.1
    assert 0.05 <= second < first


def test_bandwidth_is_shared_by_all_connections(server: ErrorServer) -> None:
    server.answer(Reply(200, bytes(100_000)))
    # 2 × 100 kB at 8 Mbit/s are 0.2 s, however many connections there are.
    with Proxy(server.url, bandwidth_bits_per_second=8e6) as proxy:

        def download() -> None:
            with client_of(proxy) as connection:
                assert len(ask(connection)[1]) == 100_000

        threads = [threading.Thread(target=download) for _ in range(2)]
        started = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        downloads = time.monotonic() - started
        server.answer(Reply(200))
        started = time.monotonic()
        with client_of(proxy) as connection:
            ask(connection, "PUT", bytes(200_000))
        upload = time.monotonic() - started
        proxy.set_bandwidth(None)
        started = time.monotonic()
        with client_of(proxy) as connection:
            ask(connection, "PUT", bytes(200_000))
        unlimited = time.monotonic() - started
    assert downloads >= 0.19
    assert upload >= 0.19
    assert unlimited < 0.19


def test_closing_ends_what_is_under_way() -> None:
    with ErrorServer(Reply(200)) as server:
        proxy = Proxy(server.url, latency_seconds=60)
        with proxy, client_of(proxy) as connection:
            connection.request("GET", "/a/b")
            proxy.close()
            with pytest.raises((ConnectionError, http.client.HTTPException)):
                connection.getresponse()
        # One for the proxy and one for each of its connections.
        names = [thread.name for thread in threading.enumerate()]
        assert not [name for name in names if name == "proxy" or "process_request" in name]


def faulty(server: ErrorServer, *faults: Fault, seed: int = 1) -> FaultyProxy:
    return FaultyProxy(
        server.url, Random(seed), share=1.0, faults=faults, longest_delay_seconds=0.05
    )


def test_a_reset_before_the_store_leaves_it_alone_and_one_after_does_not(
    server: ErrorServer,
) -> None:
    server.answer(stored())
    with faulty(server, Fault.RESET_BEFORE) as proxy, client_of(proxy) as connection:
        with pytest.raises(ConnectionResetError):
            ask(connection, "PUT", b"1")
        assert server.received == []
        assert proxy.exchanges()[0].status is None
    with faulty(server, Fault.RESET_AFTER) as proxy, client_of(proxy) as connection:
        with pytest.raises(ConnectionResetError):
            ask(connection, "PUT", b"1")
        assert [one.body for one in server.received] == [b"1"]
        assert proxy.faults_done == {Fault.RESET_AFTER: 1}


def test_a_put_can_land_after_its_sender_was_told_nothing(server: ErrorServer) -> None:
    server.answer(stored())
    with faulty(server, Fault.LANDS_LATE) as proxy, client_of(proxy) as connection:
        with pytest.raises(ConnectionResetError):
            ask(connection, "PUT", b"1")
        proxy.pause()
        assert [one.body for one in server.received] == [b"1"]
        assert ask(connection, "PUT", b"2")[0] == 200
    with faulty(server, Fault.LANDS_LATE) as proxy, client_of(proxy) as connection:
        with pytest.raises(ConnectionResetError):
            ask(connection)
        assert proxy.faults_done == {Fault.RESET_BEFORE: 1}


@pytest.mark.parametrize(
    ("fault", "status"),
    [(Fault.ERROR_500, 500), (Fault.ERROR_503, 503), (Fault.ERROR_429, 429)],
)
def test_an_error_is_answered_without_the_store(
    server: ErrorServer, fault: Fault, status: int
) -> None:
    with faulty(server, fault) as proxy, client_of(proxy) as connection:
        found, body = ask(connection, "PUT", b"1")
        assert found == status
        assert b"<Code>" in body
        # The connection stays usable.
        assert ask(connection)[0] == status
    assert server.received == []


def test_an_answer_breaks_off_in_its_body_or_in_its_head(server: ErrorServer) -> None:
    with (
        faulty(server, Fault.TRUNCATE) as proxy,
        client_of(proxy) as connection,
        pytest.raises((http.client.IncompleteRead, ConnectionResetError)),
    ):
        ask(connection)
    server.answer(stored())
    with faulty(server, Fault.TRUNCATE) as proxy, client_of(proxy) as connection:
        connection.request("PUT", "/a/b", b"1")
        with pytest.raises((ConnectionError, http.client.HTTPException)):
            connection.getresponse()


def test_an_answer_can_be_late(server: ErrorServer) -> None:
    with faulty(server, Fault.DELAY) as proxy, client_of(proxy) as connection:
        assert ask(connection) == (200, BODY)
        assert proxy.faults_done == {Fault.DELAY: 1}


def test_one_seed_gives_one_series_of_faults(server: ErrorServer) -> None:
    def series(seed: int) -> tuple[list[bool], Counter[Fault]]:
        answered = []
        proxy = FaultyProxy(
            server.url, Random(seed), faults=[Fault.RESET_BEFORE, Fault.ERROR_503], share=0.5
        )
        with proxy:
            for _ in range(40):
                with client_of(proxy) as connection:
                    try:
                        answered.append(ask(connection)[0] == 200)
                    except ConnectionResetError:
                        answered.append(False)
        return answered, proxy.faults_done

    assert series(5) == series(5)
    assert series(5) != series(6)
    answered, faults = series(5)
    assert 10 <= answered.count(True) <= 30
    assert answered.count(False) == faults.total()
    assert set(faults) == {Fault.RESET_BEFORE, Fault.ERROR_503}
