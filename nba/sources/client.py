"""One server of the NBA's, asked through nba_api: its requests, our session and our errors."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, Final

from requests import RequestException, Response, Timeout
from urllib3.exceptions import HTTPError

from nba.bronze import Document
from nba.sources.answer import problem_of
from nba.sources.errors import NotPublished, SourceError, SourceRefused, SourceUnreachable
from nba.sources.session import open_session, retry_after_seconds
from nba.sources.throttle import Throttle
from nba.sources.wanted import Endpoint, Wanted

__all__ = ["Client"]

_CONNECT_SECONDS: Final = 5.0
_LONGEST_REASON: Final = 120

# nba_api keeps one session for a whole class, so its users take turns.
_TURN: Final = threading.Lock()


class Client:
    """Sends the requests of nba_api's endpoints to one server.

    Args:
        source: the name for documents and errors.
        home: the NBA's address, as "https://cdn.nba.com/".
        clock: UTC, for when an answer came.
        base_url: a mirror of that address, None = the NBA's own.
        timeout_seconds: how long an answer may take; a connection may take five seconds of it.
        every_seconds: at least so much between two requests.
        monotonic, sleep: of the time module, unless a test has its own.
    """

    def __init__(
        self,
        source: str,
        home: str,
        *,
        clock: Callable[[], datetime],
        base_url: str | None,
        timeout_seconds: float,
        every_seconds: float,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._source = source
        self._clock = clock
        self._timeout_seconds = timeout_seconds
        self._throttle = Throttle(every_seconds, monotonic, sleep)
        self._session = open_session(home, base_url, sleep)

    @property
    def timeout(self) -> tuple[float, float]:
        """Seconds for the connection, and for the answer."""
        return min(_CONNECT_SECONDS, self._timeout_seconds), self._timeout_seconds

    def fetch(self, wanted: Wanted, http: Any, endpoint: Any) -> Document:
        """Let an endpoint of nba_api make its request, and take the bytes that came.

        `http` is the class that holds the session of such endpoints; `endpoint` was made with
        get_request=False and with `timeout`. Raises SourceError.
        """
        answers: list[bytes] = []

        def on_response(response: Response, **_: Any) -> None:
            if response.is_redirect:
                return
            # Without a header that says so nba_api's text would be guessed at, for seconds.
            response.encoding = "utf-8"
            # Read to its end, also if it is refused: else its connection would stay open.
            body = response.content
            # nba_api looks at no status: an error page would pass for data.
            self._require_success(wanted, response)
            answers.append(body)

        with _TURN:
            self._throttle.wait()
            http.set_session(self._session)
            self._session.hooks["response"] = [on_response]
            try:
                endpoint.get_request()
            except (RequestException, HTTPError) as error:
                raise self._unreachable(wanted, error) from error
            except (LookupError, TypeError, AttributeError, ValueError, RecursionError):
                # nba_api could not make sense of it. If it came whole, it is kept as it is.
                if not answers:
                    raise
        body = answers[-1]
        problem = problem_of(body)
        if problem is not None:
            raise SourceRefused(self._source, wanted, problem)
        return Document(self._source, wanted, self._clock(), body)

    def _require_success(self, wanted: Wanted, response: Response) -> None:
        status = response.status_code
        if status < HTTPStatus.BAD_REQUEST:
            return
        problem = f"it answered {status} {response.reason or ''}".rstrip()
        if wanted.endpoint is Endpoint.BOX_SCORE and _is_missing(response):
            raise NotPublished(self._source, wanted, "it has no such game, or not yet")
        kind: type[SourceError] = SourceRefused
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            kind = SourceUnreachable
        wait = timedelta(seconds=retry_after_seconds(response) or 0)
        raise kind(self._source, wanted, problem, wait)

    def _unreachable(self, wanted: Wanted, error: Exception) -> SourceUnreachable:
        if isinstance(error, Timeout):
            problem = f"it did not answer within {self._timeout_seconds:g} s"
        else:
            problem = f"the connection failed ({_reason(error)})"
        return SourceUnreachable(self._source, wanted, problem)


def _reason(error: BaseException) -> str:
    """What happened in the end: these errors hold each other, down to that of the system."""
    inner = getattr(error, "reason", None)
    for cause in (inner, *error.args):
        if isinstance(cause, BaseException):
            return _reason(cause)
    return str(error).rpartition(": ")[2].rstrip(". ")[:_LONGEST_REASON] or type(error).__name__


def _is_missing(response: Response) -> bool:
    """Whether the server has no such file.

    The storage behind the live feed says so by 403 with XML; to a client that it refuses the
    network before it says 403 with a web page.
    """
    if response.status_code == HTTPStatus.NOT_FOUND:
        return True
    is_xml = response.content.lstrip().lower().startswith((b"<?xml", b"<error"))
    return response.status_code == HTTPStatus.FORBIDDEN and is_xml
