"""Documents of responses, as bronze keeps them."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow.parquet as pq

from nba.bronze import Document
from nba.silver import Silver, silver_of
from nba.sources.wanted import Endpoint, Wanted
from tests.nba_bundle import DATA
from tests.nba_responses import League

__all__ = [
    "MORNING",
    "SEASON",
    "TEAMS",
    "answer",
    "box_score",
    "document",
    "hours",
    "log",
    "read",
]

SEASON = "2024-25"
MORNING = datetime(2025, 1, 25, 12, tzinfo=UTC)
"""The morning after the tenth day."""

TEAMS: dict[int, str] = {
    row["team_id"]: row["team"] for row in pq.read_table(DATA / "teams.parquet").to_pylist()
}


def document(wanted: Wanted, body: object, at: datetime = MORNING) -> Document:
    """A response that came at that moment; `body` is JSON to be, or bytes as they are."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    is_live = wanted.endpoint in (Endpoint.SCOREBOARD, Endpoint.BOX_SCORE)
    return Document("nba-live" if is_live else "nba-stats", wanted, at, raw)


def answer(league: League, wanted: Wanted, now: datetime = MORNING) -> Document:
    """What the league says when it is asked at that moment."""
    match wanted.endpoint:
        case Endpoint.SCOREBOARD:
            body = league.scoreboard(now)
        case Endpoint.BOX_SCORE:
            body = league.box_score(wanted["game_id"], now)
        case Endpoint.SCHEDULE:
            body = league.schedule(wanted["season"], now)
        case Endpoint.PLAYER_INDEX:
            body = league.player_index(wanted["season"], now)
        case Endpoint.GAME_LOG:
            since, until = (
                date.fromisoformat(wanted[name]) if wanted[name] else None
                for name in ("since", "until")
            )
            body = league.game_log(wanted["season"], wanted["season_type"], since, until, now)
    return document(wanted, body, now)


def box_score(game: dict[str, Any], at: datetime = MORNING) -> Document:
    """A box score's body as the answer to who asked for it."""
    return document(Wanted.box_score(game["game"]["gameId"]), game, at)


def log(body: dict[str, Any], at: datetime = MORNING) -> Document:
    """A game log's body as the answer to who asked for the season."""
    return document(Wanted.game_log(SEASON, "Regular Season"), body, at)


def read(*documents: Document) -> Silver:
    """Silver of these, with the league's real teams."""
    return silver_of(documents, TEAMS)


def hours(number: float) -> timedelta:
    """That many hours."""
    return timedelta(hours=number)
