"""How requests go out: tried again where that may help, and to a mirror where there is one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from requests import PreparedRequest, Response, Session
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies
from urllib3.exceptions import InvalidHeader, MaxRetryError, ReadTimeoutError, ResponseError
from urllib3.util.retry import Retry

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

__all__ = ["LONGEST_WAIT_SECONDS", "open_session", "retry_after_seconds"]

LONGEST_WAIT_SECONDS: Final = 15.0
"""A server that asks for a longer wait is not asked again by the same request."""

_RETRIES: Final = 2
_FIRST_WAIT_SECONDS: Final = 0.5
_WORTH_ANOTHER_TRY: Final = (429, 500, 502, 503, 504)


def open_session(home: str, mirror: str | None, sleep: Callable[[float], None]) -> Session:
    """A session whose requests for `home` ("https://host/") go to `mirror` if there is one.

    Failed requests are repeated twice, after 0.5 and 1 seconds or what the server asks for.
    """
    session = Session()
    session.mount(home, _Adapter(mirror, _Retries(sleep)))
    return session


def retry_after_seconds(response: Response) -> float | None:
    """For how long a server asks to be left alone; None if it does not say."""
    return _seconds(Retry(), response.headers.get("Retry-After"))


class _Adapter(HTTPAdapter):
    """Sends requests with retries, to the mirror if there is one."""

    def __init__(self, mirror: str | None, retries: Retry) -> None:
        super().__init__(max_retries=retries)
        self._mirror = None if mirror is None else urlsplit(mirror)

    def send(
        self,
        request: PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> Response:
        # The client's headers offer Brotli, which takes a library that is not installed.
        request.headers["Accept-Encoding"] = "gzip, deflate"
        if self._mirror is not None and request.url is not None:
            asked = urlsplit(request.url)
            path = self._mirror.path.rstrip("/") + asked.path
            there = self._mirror._replace(path=path, query=asked.query, fragment="")
            request.url = there.geturl()
            request.headers["Host"] = self._mirror.netloc.rpartition("@")[2]
            # Those given were chosen for the address of before.
            proxies = get_environ_proxies(request.url)
        return super().send(request, stream, timeout, verify, cert, proxies)


class _Retries(Retry):
    """Few and quick: what still fails is tried again later by the chain of sources."""

    def __init__(self, sleep: Callable[[float], None], **named: Any) -> None:
        rules: dict[str, Any] = {
            "total": _RETRIES,
            "status_forcelist": _WORTH_ANOTHER_TRY,
            "raise_on_status": False,
        }
        super().__init__(**(rules | named))
        self._sleep = sleep

    def new(self, **named: Any) -> _Retries:
        return super().new(sleep=self._sleep, **named)

    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: BaseHTTPResponse | None = None,
        error: Exception | None = None,
        *arguments: Any,
        **named: Any,
    ) -> _Retries:
        if isinstance(error, ReadTimeoutError):
            # A server that let one request hang lets the next one hang too.
            raise error
        if response is not None and (self._asked_for(response) or 0) > LONGEST_WAIT_SECONDS:
            reason = ResponseError("it asks for a long wait")
            raise MaxRetryError(named["_pool"], url or "", reason)
        return super().increment(method, url, response, error, *arguments, **named)

    def sleep(self, response: BaseHTTPResponse | None = None) -> None:
        seconds = None if response is None else self._asked_for(response)
        if seconds is None:
            seconds = _FIRST_WAIT_SECONDS * 2 ** max(len(self.history) - 1, 0)
        self._sleep(seconds)

    def get_retry_after(self, response: BaseHTTPResponse) -> float | None:
        return self._asked_for(response)

    def _asked_for(self, response: BaseHTTPResponse) -> float | None:
        return _seconds(self, response.headers.get("Retry-After"))


def _seconds(retry: Retry, header: str | None) -> float | None:
    if header is None:
        return None
    try:
        return float(retry.parse_retry_after(header))
    except InvalidHeader:
        return None
