"""NBA's stats endpoints: schedule, game logs and rosters."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from nba.bronze import Document
from nba.sources.client import Client
from nba.sources.wanted import Endpoint, Wanted

__all__ = ["StatsSource"]

_HOME = "https://stats.nba.com/"
_EVERY_SECONDS = 0.6


class StatsSource:
    """A server with a database behind it, slow and easily offended; arguments as for `Client`."""

    name = "nba-stats"

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
        """Schedules, game logs and player indexes."""
        return wanted.endpoint in {Endpoint.SCHEDULE, Endpoint.GAME_LOG, Endpoint.PLAYER_INDEX}

    def fetch(self, wanted: Wanted) -> Document:
        """Ask for it; raises SourceError."""
        # Imported late: the library takes a while to load.
        from nba_api.stats.library.http import NBAStatsHTTP

        return self._client.fetch(wanted, NBAStatsHTTP, self._endpoint(wanted))

    def _endpoint(self, wanted: Wanted) -> Any:
        from nba_api.stats.endpoints.leaguegamelog import LeagueGameLog
        from nba_api.stats.endpoints.playerindex import PlayerIndex
        from nba_api.stats.endpoints.scheduleleaguev2 import ScheduleLeagueV2

        how: dict[str, Any] = {
            "season": wanted["season"],
            "timeout": self._client.timeout,
            "get_request": False,
        }
        if wanted.endpoint is Endpoint.SCHEDULE:
            return ScheduleLeagueV2(**how)
        if wanted.endpoint is Endpoint.PLAYER_INDEX:
            return PlayerIndex(**how)
        return LeagueGameLog(
            player_or_team_abbreviation="P",
            season_type_all_star=wanted["season_type"],
            date_from_nullable=_american(wanted["since"]),
            date_to_nullable=_american(wanted["until"]),
            **how,
        )


def _american(day: str) -> str:
    """ "2025-01-15" as "01/15/2025"; "" stays."""
    return date.fromisoformat(day).strftime("%m/%d/%Y") if day else ""
