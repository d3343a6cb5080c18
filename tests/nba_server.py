"""NBA's servers on loopback: the live feeds and the stats endpoints of a league, at any moment."""

from __future__ import annotations

import http.server
import json
import re
import socket
import sys
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.nba_responses import League

__all__ = ["ACCESS_DENIED", "BLOCKED", "NbaServer"]

ACCESS_DENIED = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n'
    b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
)
"""What the storage behind the live feed says, with 403, of a game that it does not know."""

BLOCKED = (
    b"<HTML><HEAD>\n<TITLE>Access Denied</TITLE>\n</HEAD><BODY>\n<H1>Access Denied</H1>\n"
    b"You don't have permission to access this server.<P>\n</BODY>\n</HTML>\n"
)
"""What the network before the servers says, with 403, to a client that it does not like."""

_LIVE = "/static/json/liveData/"
_BOX_SCORE = re.compile(re.escape(_LIVE) + r"boxscore/boxscore_(\w+)\.json")


@dataclass(frozen=True)
class _Answer:
    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


class NbaServer:
    """A context manager; its address is `url`, for the live feeds as for the stats endpoints.

    Everything here may be changed at any time.

    Attributes:
        now: the moment of which the answers tell (aware); 09:00 UTC of the first game's date until
            it is set.
        stats_hangs: stats endpoints take a request and never answer.
        refuse: every request is answered by 403 and a web page.
        html: every request is answered by 200 and a web page.
        breaks_off: every answer ends in the middle.
        answers: bodies by path, in place of the league's.
        asked: how often each path was asked.
        targets, headers: of all requests in order: path with query, and headers by name.
    """

    def __init__(self, league: League) -> None:
        first = min((game.tipoff_utc for game in league.games.values()), default=None)
        self.league = league
        self.now = (first or datetime.now(UTC)).replace(hour=9, minute=0) - timedelta(days=1)
        self.stats_hangs = False
        self.refuse = False
        self.html = False
        self.breaks_off = False
        self.answers: dict[str, bytes] = {}
        self.asked: Counter[str] = Counter()
        self.targets: list[str] = []
        self.headers: list[dict[str, str]] = []
        self._failures: list[_Answer] = []
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._server = _Server(self)

    @property
    def url(self) -> str:
        """Without a slash at the end."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def requests(self) -> int:
        """How many came."""
        return len(self.targets)

    def fail_next(
        self, number: int, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> None:
        """Answer the next `number` requests like this."""
        with self._lock:
            self._failures += [_Answer(status, body, headers or {})] * number

    def __enter__(self) -> NbaServer:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.hang_up()
        self._server.server_close()

    def answer(self, target: str, headers: Mapping[str, str]) -> _Answer | None:
        """What a request is answered; None: the connection is closed without an answer."""
        split = urlsplit(target)
        with self._lock:
            self.asked[split.path] += 1
            self.targets.append(target)
            self.headers.append(dict(headers))
            if self._failures:
                return self._failures.pop(0)
        if self.refuse:
            return _Answer(403, BLOCKED, {"Content-Type": "text/html"})
        if self.html:
            return _Answer(200, b"<!DOCTYPE html><html>Hello</html>", {"Content-Type": "text/html"})
        if self.stats_hangs and split.path.startswith("/stats/"):
            self._closing.wait()
            return None
        if split.path in self.answers:
            return _json(self.answers[split.path])
        query = {name: values[0] for name, values in parse_qs(split.query).items()}
        return self._of_league(split.path, query)

    def _of_league(self, path: str, query: Mapping[str, str]) -> _Answer:
        if path == _LIVE + "scoreboard/todaysScoreboard_00.json":
            return _json(self.league.scoreboard(self.now))
        game = _BOX_SCORE.fullmatch(path)
        if game is not None:
            if game[1] not in self.league.games:
                return _Answer(403, ACCESS_DENIED, {"Content-Type": "application/xml"})
            return _json(self.league.box_score(game[1], self.now))
        endpoint = self._endpoints.get(path)
        if endpoint is None:
            return _Answer(404, b"")
        try:
            return _json(endpoint(query))
        except KeyError as missing:
            return _Answer(400, f"The {missing} property is required.".encode())

    @property
    def _endpoints(self) -> dict[str, Callable[[Mapping[str, str]], dict[str, Any]]]:
        return {
            "/stats/scheduleleaguev2": lambda query: self.league.schedule(
                query["Season"], self.now
            ),
            "/stats/playerindex": lambda query: self.league.player_index(query["Season"], self.now),
            "/stats/leaguegamelog": self._game_log,
        }

    def _game_log(self, query: Mapping[str, str]) -> dict[str, Any]:
        if query["PlayerOrTeam"] != "P":
            raise KeyError("PlayerOrTeam")
        return self.league.game_log(
            query["Season"],
            query["SeasonType"],
            _american(query.get("DateFrom")),
            _american(query.get("DateTo")),
            self.now,
        )


def _json(content: dict[str, Any] | bytes) -> _Answer:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return _Answer(200, body, {"Content-Type": "application/json"})


def _american(text: str | None) -> date | None:
    return datetime.strptime(text, "%m/%d/%Y").replace(tzinfo=UTC).date() if text else None


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = False
    request_queue_size = 64

    def __init__(self, nba: NbaServer) -> None:
        self.nba = nba
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """End the connections that clients keep open."""
        with self._lock:
            for connection in self._connections:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A client that gave up, or was killed.
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        answer = self.server.nba.answer(self.path, dict(self.headers))
        if answer is None:
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.server.nba.breaks_off:
            self.wfile.write(answer.body[: len(answer.body) // 2])
            self.close_connection = True
            return
        self.wfile.write(answer.body)

    def log_message(self, *arguments: Any) -> None:
        """Nothing on the terminal."""
