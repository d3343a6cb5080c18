"""NBA's live feeds: tonight's scoreboard and the box scores of games."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from nba.bronze import Document
from nba.sources.client import Client
from nba.sources.wanted import Endpoint, Wanted

__all__ = ["LiveSource"]

_HOME = "https://cdn.nba.com/"
_EVERY_SECONDS = 0.1


class LiveSource:
    """Files on a network made for many readers; arguments as for `Client`."""

    name = "nba-live"

    def __init__(
        self,
        clock: Callable[[], datetime],
        base_url: str | None = None,
        timeout_seconds: float = 20.0,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = Client(
            self.name,
            _HOME,
            clock=clock,
            base_url=base_url,
            timeout_seconds=timeout_seconds,
            every_seconds=_EVERY_SECONDS,
            monotonic=monotonic,
            sleep=sleep,
        )

    def offers(self, wanted: Wanted) -> bool:
        """The scoreboard and box scores."""
        return wanted.endpoint in {Endpoint.SCOREBOARD, Endpoint.BOX_SCORE}

    def fetch(self, wanted: Wanted) -> Document:
        """Ask for it; raises SourceError."""
        # Imported late: the library takes a while to load.
        from nba_api.live.nba.library.http import NBALiveHTTP

        return self._client.fetch(wanted, NBALiveHTTP, self._endpoint(wanted))

    def _endpoint(self, wanted: Wanted) -> Any:
        from nba_api.live.nba.endpoints.boxscore import BoxScore
        from nba_api.live.nba.endpoints.scoreboard import ScoreBoard

        how: dict[str, Any] = {"timeout": self._client.timeout, "get_request": False}
        if wanted.endpoint is Endpoint.SCOREBOARD:
            return ScoreBoard(**how)
        return BoxScore(wanted["game_id"], **how)
